package ui

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// The kinds of events, as JSON names them.
const (
	kindBegin     = "begin"
	kindStep      = "step"
	kindJob       = "job"
	kindInfo      = "info"
	kindWarning   = "warning"
	kindError     = "error"
	kindEnd       = "end"
	kindHeartbeat = "heartbeat"
	kindLog       = "log"
	kindProgress  = "progress" // on a terminal only
)

// The states of a step.
const (
	started = "started"
	done    = "done"
	skipped = "skipped"
	failed  = "failed"
)

// event is one thing that happened. Secrets are out of its text, control
// characters are not: how they are shown depends on where.
type event struct {
	kind     string
	time     time.Time
	text     string // title, detail, reason or message
	step     string
	state    string // of the step or the job
	took     time.Duration
	job      job
	problems []problem
	hint     string
	fields   []field
}

// urgent reports whether e is shown to who wants quiet.
func (e event) urgent() bool { return e.kind == kindWarning || e.kind == kindError }

func (e *event) redact(s *sanitizer) {
	for _, text := range []*string{&e.text, &e.step, &e.state, &e.job.id, &e.job.function, &e.hint} {
		*text = s.redact(*text)
	}
	for i := range e.problems {
		p := &e.problems[i]
		p.message, p.hint, p.file = s.redact(p.message), s.redact(p.hint), s.redact(p.file)
	}
}

// field is a key with its value.
type field struct {
	key   string
	value any
}

// pairs reads keys and values in turn.
func pairs(args []any) []field {
	var all []field
	for i := 0; i < len(args); i += 2 {
		f := field{key: fmt.Sprint(args[i])}
		if i+1 < len(args) {
			f.value = args[i+1]
		}
		all = append(all, f)
	}
	return all
}

// job is a job as an event tells of it.
type job struct {
	id, function string
	n, d         int
}

// over reports whether state is an outcome.
func over(state string) bool {
	switch state {
	case "succeeded", "failed", "lost", "unknown":
		return true
	}
	return false
}

// jobState is what is known of a job.
type jobState struct {
	state string
	n, d  int
}

// noteJob reports whether e says anything that was not known.
func (u *UI) noteJob(e *event) bool {
	now := jobState{e.state, e.job.n, e.job.d}
	if was, ok := u.jobs[e.job.id]; ok && *was == now {
		return false
	}
	u.jobs[e.job.id] = &now
	return true
}

// place gives e's problem, if it is the only one and has no place, the one
// that the fields name.
func (e *event) place() {
	if len(e.problems) != 1 || e.problems[0].file != "" {
		return
	}
	p := &e.problems[0]
	for _, f := range e.fields {
		switch v := f.value.(type) {
		case string:
			if f.key == "file" {
				p.file = v
			}
		case int:
			switch f.key {
			case "line":
				p.line = v
			case "column":
				p.column = v
			}
		}
	}
}

// problem is one error to tell.
type problem struct {
	message      string
	hint         string
	file         string
	line, column int
	kind, key    string // of those that know them, for JSON
	lines        []int  // where an ambiguous key is
}

// problemsOf are the errors joined in err, or err alone.
func problemsOf(err error) []problem {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		// fmt.Errorf with two %w is joined too, but adds words of its own.
		parts := joined.Unwrap()
		texts := make([]string, len(parts))
		for i, part := range parts {
			texts[i] = part.Error()
		}
		if err.Error() == strings.Join(texts, "\n") {
			var all []problem
			for _, part := range parts {
				all = append(all, problemsOf(part)...)
			}
			return all
		}
	}
	p := problem{message: err.Error()}
	var placed interface {
		error
		Position() (file string, line, column int)
	}
	if errors.As(err, &placed) {
		p.file, p.line, p.column = placed.Position()
	}
	var remedied interface {
		error
		Remedy() string
	}
	if errors.As(err, &remedied) {
		p.hint = remedied.Remedy()
	}
	var telling interface {
		error
		slog.LogValuer
	}
	if errors.As(err, &telling) {
		if v := telling.LogValue(); v.Kind() == slog.KindGroup {
			p.tell(v.Group())
		}
	}
	return []problem{p}
}

// tell notes what an error says of itself.
func (p *problem) tell(attrs []slog.Attr) {
	for _, a := range attrs {
		switch a.Key {
		case "kind":
			p.kind = a.Value.String()
		case "key":
			p.key = a.Value.String()
		case "lines":
			p.lines, _ = a.Value.Any().([]int)
		}
	}
}
