package ui

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// lines shows each event as a line.
type lines struct {
	u     *UI
	w     io.Writer
	style style
	ci    ciLog // nil: nobody but people reads the lines

	open string               // step whose section is open
	told map[string]time.Time // when each job's progress was last told
}

// ciLog is what a CI system wants in a log besides lines.
type ciLog interface {
	// start and end of a section that can be folded; a line each, or "".
	start(step string, at time.Time) string
	end(step string, at time.Time) string
	// problem tells of a warning or an error; false leaves it to lines.
	problem(level string, p problem) (line string, ok bool)
}

func (l *lines) show(e event) error {
	var b strings.Builder
	switch e.kind {
	case kindStep:
		l.step(&b, e)
	case kindError:
		l.fold(&b, e.time)
		l.error(&b, e)
	case kindEnd:
		l.fold(&b, e.time)
		b.WriteString(l.text(e))
	case kindWarning:
		l.problem(&b, "warning", problem{message: e.text})
	default:
		b.WriteString(l.text(e))
	}
	_, err := io.WriteString(l.w, b.String())
	return err
}

// step folds what a step says, and tells its end below the fold. That it began
// is worth a line only where there is something to fold: a step that takes long
// says so by its heartbeat.
func (l *lines) step(b *strings.Builder, e event) {
	l.fold(b, e.time)
	if e.state != started {
		b.WriteString(l.text(e))
		return
	}
	if l.ci != nil {
		b.WriteString(l.ci.start(l.u.safe.line(e.step), e.time))
		l.open = e.step
	}
}

// fold ends the section that is open.
func (l *lines) fold(b *strings.Builder, at time.Time) {
	if l.open != "" {
		b.WriteString(l.ci.end(l.open, at))
		l.open = ""
	}
}

// text is the line for e, "" when it is not worth one.
func (l *lines) text(e event) string {
	if e.kind == kindJob && !l.due(e) {
		return ""
	}
	return eventLine(l.u, l.style, e) + "\n"
}

// eventLine tells of what is neither a warning nor an error.
func eventLine(u *UI, s style, e event) string {
	switch e.kind {
	case kindBegin:
		return s.in(bold, u.safe.line(e.text))
	case kindStep:
		return stepLine(u, s, e)
	case kindJob:
		return jobLine(u, s, e)
	case kindHeartbeat:
		return fmt.Sprintf("%s %s  still at it after %s", u.mark.work, pad(u.safe.line(e.step), stepWidth), span(e.took))
	case kindEnd:
		return s.in(bold, u.safe.line(e.text)) + s.in(faint, "  "+span(e.took))
	}
	return "  " + u.safe.block(e.text, "  ")
}

// due keeps a job that reports each of a million parts from filling the log.
func (l *lines) due(e event) bool {
	key := e.job.id + "\x00" + e.state
	last, ok := l.told[key]
	if ok && e.time.Sub(last) < heartbeat {
		return false
	}
	if l.told == nil {
		l.told = map[string]time.Time{}
	}
	l.told[key] = e.time
	return true
}

// stepLine tells of a step.
func stepLine(u *UI, s style, e event) string {
	text := s.state(e.state, u.mark.of(e.state)) + " " + pad(u.safe.line(e.step), stepWidth)
	if e.text != "" {
		text += "  " + u.safe.line(e.text)
	}
	if e.state == skipped {
		return text
	}
	return text + s.in(faint, "  "+span(e.took))
}

// stepWidth is that of the longest step's name.
const stepWidth = len("activate")

func pad(text string, width int) string {
	return fmt.Sprintf("%-*s", width, text)
}

// jobLine tells of a job.
func jobLine(u *UI, s style, e event) string {
	text := fmt.Sprintf("%s %s  %s", s.state(e.state, u.mark.of(e.state)), jobName(u, e.job), s.state(e.state, u.safe.line(e.state)))
	if e.job.d > 0 && !over(e.state) {
		text += fmt.Sprintf("  %d/%d", e.job.n, e.job.d)
	}
	return text
}

// jobName is how a job is called; one of which only the handle is known is
// called by that.
func jobName(u *UI, j job) string {
	if j.id == j.function {
		return "job " + u.safe.line(j.id)
	}
	return "job " + u.safe.line(j.id) + "  " + u.safe.line(j.function)
}

func (l *lines) error(b *strings.Builder, e event) {
	for _, p := range e.problems {
		l.problem(b, "error", p)
		l.hint(b, p.hint)
	}
	l.hint(b, e.hint)
}

func (l *lines) hint(b *strings.Builder, hint string) {
	if hint != "" {
		fmt.Fprintf(b, "%s %s\n", l.style.in(cyan, "hint:"), l.u.safe.block(hint, "      "))
	}
}

func (l *lines) problem(b *strings.Builder, level string, p problem) {
	if l.ci != nil {
		if line, ok := l.ci.problem(level, l.u.safe.problem(p)); ok {
			b.WriteString(line)
			return
		}
	}
	b.WriteString(problemLine(l.u, l.style, level, p) + "\n")
}

func problemLine(u *UI, s style, level string, p problem) string {
	if level == "warning" {
		return s.in(yellow, u.mark.warn) + " " + u.safe.block(p.message, "  ")
	}
	return s.in(red, "revstamp:") + " " + u.safe.block(p.message, "  ")
}

// problem is p without control characters.
func (s *sanitizer) problem(p problem) problem {
	p.message, p.file = s.plain(p.message), s.line(p.file)
	return p
}

func (l *lines) result(r result) error { return writeResult(l.u, r) }

// writeResult writes r to standard output. Into a file or a pipe it goes as it
// is, but for secrets; to whoever would obey what is in it, as mere text.
func writeResult(u *UI, r result) error {
	s := u.safe.redact(string(r.text))
	if u.o.OutTerminal || u.safe.workflow || u.o.Env("GITLAB_CI") != "" {
		s = u.safe.plain(s)
	}
	if r.diff {
		s = colourDiff(styleFor(u.o.Env, u.o.OutTerminal), s)
	}
	_, err := io.WriteString(u.o.Out, s)
	return err
}

func (l *lines) close() error {
	var b strings.Builder
	l.fold(&b, l.u.o.Now())
	_, err := io.WriteString(l.w, b.String())
	return err
}
