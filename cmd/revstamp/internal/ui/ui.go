// Package ui is what a command says, and where: on a terminal, into the log
// of a CI system, or as JSON.
//
// The rules that its output obeys:
//
//   - Results go to standard output, everything else to standard error. With
//     JSON all goes to standard output, an object to a line, the first of which
//     names the format's version.
//   - On a terminal a step is one line, with a mark and the time it took; what
//     is under way stands below it, live. Elsewhere every event is a line of
//     its own, and a silent step says every ten seconds that it lives.
//   - An error comes last. It says what happened; what to do next stands on a
//     line that begins with "hint:".
//   - Text from outside (commit messages, file names, what a worker printed) is
//     only ever text: it cannot move the cursor, colour the screen, or give
//     commands to the CI system that reads the log.
//   - Secrets appear nowhere.
package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Options say where a [UI] writes and what it may assume there.
type Options struct {
	Out, Err io.Writer // nil discards
	Version  string    // of revstamp, for the first line of JSON

	JSON    bool
	Quiet   bool // warnings, errors and results alone
	Verbose bool // also what the libraries log

	Terminal    bool                       // Err is a terminal
	OutTerminal bool                       // Out is one
	Size        func() (width, height int) // of the terminal; nil is 80 by 24

	Env    func(string) string // the environment; nil is an empty one
	Redact []string            // secrets, replaced by *** wherever they occur
	Now    func() time.Time    // nil is time.Now
}

// Standard are the options of a command at its standard output and error.
func Standard() Options {
	return Options{
		Out: os.Stdout, Err: os.Stderr,
		Terminal:    term.IsTerminal(int(os.Stderr.Fd())),
		OutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		Size: func() (width, height int) {
			width, height, err := term.GetSize(int(os.Stderr.Fd()))
			if err != nil || width <= 0 || height <= 0 {
				return 80, 24
			}
			return width, height
		},
		Env: os.Getenv,
	}
}

// heartbeat is how long a step may be silent where no live line shows that
// it is at work.
const heartbeat = 10 * time.Second

var errClosed = errors.New("output is closed")

// UI tells the user what a command does. Its methods are safe for concurrent
// use. After [UI.Close] it writes nothing more.
type UI struct {
	o    Options
	mark marks
	safe *sanitizer

	mu      sync.Mutex
	view    view
	summary *summary // nil outside GitHub
	began   time.Time
	step    string // the one under way, "" when none is
	since   time.Time
	when    time.Time // of what is told next; zero is now
	beat    *time.Timer
	jobs    map[string]*jobState
	closed  bool
	err     error // the first of writing
}

// view shows events somewhere. Its methods are called one at a time.
type view interface {
	show(e event) error
	result(r result) error
	close() error
}

// New returns a UI for o, which chooses how it shows things: JSON, GitHub
// Actions, GitLab CI, a terminal, or plain lines.
func New(o Options) *UI {
	o.fill()
	u := &UI{o: o, mark: marksFor(o.Env), jobs: map[string]*jobState{}}
	u.safe = newSanitizer(o.Redact, u.mark.utf8)
	u.began = o.Now()
	github, gitlab := o.Env("GITHUB_ACTIONS") == "true", o.Env("GITLAB_CI") != ""
	u.safe.workflow = github
	if github {
		u.summary = &summary{file: o.Env("GITHUB_STEP_SUMMARY"), outputs: o.Env("GITHUB_OUTPUT")}
	}
	plain := &lines{u: u, w: o.Err, style: styleFor(o.Env, false)}
	switch {
	case o.JSON:
		u.view = &jsonView{u: u, w: o.Out}
	case github:
		plain.ci = &githubLog{workspace: o.Env("GITHUB_WORKSPACE")}
		u.view = plain
	case gitlab:
		plain.ci = gitlabLog{}
		u.view = plain
	case o.Terminal && o.Env("TERM") != "dumb":
		u.view = newTerminal(u)
	default:
		u.view = plain
	}
	return u
}

// Redact is text without the secrets of the options.
func (u *UI) Redact(text string) string { return u.safe.redact(text) }

func (o *Options) fill() {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Err == nil {
		o.Err = io.Discard
	}
	if o.Env == nil {
		o.Env = func(string) string { return "" }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Size == nil {
		o.Size = func() (int, int) { return 80, 24 }
	}
}

// Begin says what the command sets out to do. The fields are keys and values
// in turn, as with [log/slog]; they are shown in JSON.
func (u *UI) Begin(title string, fields ...any) {
	u.show(event{kind: kindBegin, text: title, fields: pairs(fields)})
}

// End says what it has done. The fields are keys and values in turn; they are
// shown in JSON, and on GitHub they are the outputs of the step.
func (u *UI) End(title string, fields ...any) {
	u.show(event{kind: kindEnd, text: title, fields: pairs(fields)})
}

// When says when what is told next happened: another process did it. The zero time
// is now again.
func (u *UI) When(t time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.when = t
}

// StepStarted says that step is under way.
func (u *UI) StepStarted(step string) {
	u.show(event{kind: kindStep, step: step, state: started})
}

// StepDone says that step is done; detail says what came of it.
func (u *UI) StepDone(step, detail string) {
	u.show(event{kind: kindStep, step: step, state: done, text: detail})
}

// StepSkipped says that there was nothing to do for step, and why.
func (u *UI) StepSkipped(step, reason string) {
	u.show(event{kind: kindStep, step: step, state: skipped, text: reason})
}

// StepFailed says that step failed. The error is told again, with what it
// means, by [UI.Error].
func (u *UI) StepFailed(step string, err error) {
	u.show(event{kind: kindStep, step: step, state: failed, text: err.Error()})
}

// Job says how a job is doing: intended, submitted, queued, running, or one
// of the outcomes succeeded, failed, lost and unknown. Of its work n parts of d
// are done; d is 0 when it does not say. Workers may say anything: less than
// nothing is taken for nothing, and more than all for all.
func (u *UI) Job(id, function, state string, n, d int) {
	d = max(d, 0)
	n = min(max(n, 0), d)
	u.show(event{kind: kindJob, job: job{id: id, function: function, n: n, d: d}, state: state})
}

// Progress says that n parts of d of something long are done. A terminal shows a
// bar until all are; nothing else shows anything.
func (u *UI) Progress(what string, n, d int) {
	if _, live := u.view.(*terminal); live {
		u.show(event{kind: kindProgress, step: what, job: job{n: n, d: d}})
	}
}

// Info says something in passing.
func (u *UI) Info(format string, args ...any) {
	u.show(event{kind: kindInfo, text: fmt.Sprintf(format, args...)})
}

// Warn says something that the user should look at.
func (u *UI) Warn(format string, args ...any) {
	u.show(event{kind: kindWarning, text: fmt.Sprintf(format, args...)})
}

// Error says why the command failed and, unless hint is empty, what to do
// next. Joined errors are told one by one. The text of an error with the method
//
//	Position() (file string, line, column int)
//
// is tied to that place where the CI system can; one with the method
//
//	Remedy() string
//
// brings a hint of its own, and what a [slog.LogValuer] tells of its kind, key
// and lines stands in JSON. The fields are keys and values in turn, for JSON;
// file, line and column are the place of an error that does not know its own.
func (u *UI) Error(err error, hint string, fields ...any) {
	e := event{kind: kindError, problems: problemsOf(err), hint: hint, fields: pairs(fields)}
	e.place()
	u.show(e)
}

// Result writes a result to standard output: what text writes, or v in JSON.
func (u *UI) Result(v any, text func(w io.Writer) error) error {
	var b buffer
	if !u.o.JSON {
		if err := text(&b); err != nil {
			return err
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return errClosed
	}
	err := u.view.result(result{v: v, text: b})
	u.shown(err)
	return err
}

// result is what goes to standard output: v as JSON, or text.
type result struct {
	v    any
	text []byte
	diff bool // text is a unified diff
}

// Logger is where libraries may log to. It is nil, which discards, unless the
// UI is verbose.
func (u *UI) Logger() *slog.Logger {
	if !u.o.Verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(logWriter{u}, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			// Here, because the handler's quoting may hide a secret.
			if k := a.Value.Kind(); k == slog.KindString || k == slog.KindAny {
				a.Value = slog.StringValue(u.safe.redact(a.Value.String()))
			}
			return a
		},
	}))
}

// Warnings is where what serves for long has to tell of what goes wrong, for it
// returns to nobody: Logger, or warnings of what is at least one.
func (u *UI) Warnings() *slog.Logger {
	if l := u.Logger(); l != nil {
		return l
	}
	return slog.New(warner{u: u})
}

// A warner makes warnings of log records.
type warner struct {
	u     *UI
	attrs string // of every record
}

func (w warner) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (w warner) Handle(_ context.Context, r slog.Record) error {
	text := r.Message + w.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += attrText(a)
		return true
	})
	w.u.Warn("%s", text)
	return nil
}

func (w warner) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		w.attrs += attrText(a)
	}
	return w
}

func (w warner) WithGroup(string) slog.Handler { return w }

func attrText(a slog.Attr) string { return fmt.Sprintf("  %s: %v", a.Key, a.Value) }

type logWriter struct{ u *UI }

func (w logWriter) Write(p []byte) (int, error) {
	w.u.show(event{kind: kindLog, text: string(p)})
	return len(p), nil
}

// Close takes down what is live and, on GitHub, writes the step's summary and
// outputs. It returns the first error of what was written for programs: JSON, the
// summary and the outputs.
func (u *UI) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	u.closed = true
	u.rest()
	u.shown(u.view.close())
	if u.summary != nil {
		u.keep(u.summary.write(u))
	}
	return u.err
}

// show completes e, notes what it changes and hands it to the view.
func (u *UI) show(e event) {
	e.redact(u.safe)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	if e.time = u.when; e.time.IsZero() {
		e.time = u.o.Now()
	}
	if !u.note(&e) {
		return
	}
	if u.summary != nil {
		u.summary.add(e)
	}
	if u.o.Quiet && !u.o.JSON && !e.urgent() {
		return
	}
	u.shown(u.view.show(e))
	u.wake()
}

// note keeps what later events are told from. It reports whether e is news.
func (u *UI) note(e *event) bool {
	switch e.kind {
	case kindStep:
		if e.state == started {
			u.step, u.since = e.step, e.time
			return true
		}
		if e.step == u.step {
			e.took = e.time.Sub(u.since)
		}
		u.step = ""
	case kindJob:
		return u.noteJob(e)
	case kindEnd, kindError:
		e.took = e.time.Sub(u.began)
	}
	return true
}

// wake has the heart beat if nothing is shown for a while.
func (u *UI) wake() {
	u.rest()
	if _, live := u.view.(*terminal); live || u.step == "" {
		return
	}
	u.beat = time.AfterFunc(heartbeat, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.closed || u.step == "" {
			return
		}
		now := u.o.Now()
		if !u.o.Quiet || u.o.JSON {
			u.shown(u.view.show(event{kind: kindHeartbeat, time: now, step: u.step, took: max(0, now.Sub(u.since))}))
		}
		u.wake()
	})
}

func (u *UI) rest() {
	if u.beat != nil {
		u.beat.Stop()
	}
}

// shown keeps the error of showing something, unless it is only for people to watch:
// what became of a release does not depend on whether its progress could be written.
func (u *UI) shown(err error) {
	if u.o.JSON {
		u.keep(err)
	}
}

func (u *UI) keep(err error) {
	if u.err == nil && err != nil {
		u.err = fmt.Errorf("output: %w", err)
	}
}
