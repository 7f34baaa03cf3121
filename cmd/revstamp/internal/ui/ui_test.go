package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// modes are all the ways to show things, on one writer.
func modes(w *locked) map[string]Options {
	env := func(key, value string) func(string) string {
		return fixed(map[string]string{key: value, "LC_ALL": "C.UTF-8"})
	}
	return map[string]Options{
		"plain":    {Out: w, Err: w, Env: env("", "")},
		"terminal": {Out: w, Err: w, Env: env("TERM", "xterm"), Terminal: true, OutTerminal: true},
		"github":   {Out: w, Err: w, Env: env("GITHUB_ACTIONS", "true")},
		"gitlab":   {Out: w, Err: w, Env: env("GITLAB_CI", "true")},
		"json":     {Out: w, JSON: true, Env: env("GITHUB_ACTIONS", "true")},
	}
}

// locked is a buffer for several goroutines.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// sayEverywhere puts text into everything that takes text.
func sayEverywhere(t *testing.T, u *UI, text string) {
	t.Helper()
	u.Begin(text, text, text)
	u.StepStarted(text)
	u.Info("%s", text)
	u.Warn("%s", text)
	u.Job(text, text, "running", 1, 2)
	u.Job("2", text, text, 1, 2)
	u.Job(text, text, "failed", 2, 2)
	if l := u.Logger(); l != nil {
		l.Info(text, "key", text, "err", errors.New(text))
	}
	u.Warnings().With("with", text).Warn(text, "key", text, "err", errors.New(text))
	u.StepDone(text, text)
	u.StepStarted("b")
	u.StepSkipped("b", text)
	u.StepStarted("c")
	u.StepFailed("c", errors.New(text))
	if err := u.Result(map[string]string{text: text}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, text)
		return err
	}); err != nil {
		t.Errorf("Result: %v", err)
	}
	if err := u.Diff([]byte("--- " + text + "\n+" + text + "\n")); err != nil {
		t.Errorf("Diff: %v", err)
	}
	u.Error(errors.Join(errors.New(text), &textError{text}), text, text, text, "file", text, "line", 1)
	u.End(text, text, text)
	if err := u.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// textError is an error all parts of which are text from outside.
type textError struct{ text string }

func (e *textError) Error() string                             { return e.text }
func (e *textError) Position() (file string, line, column int) { return e.text, 1, 1 }
func (e *textError) Remedy() string                            { return e.text }

// hostile moves the cursor, colours the screen, ends lines, gives commands to
// runners of either form, closes sections, and reverses the reading order.
const hostile = "x\x1b[2J\x1b]0;title\x07\r\n::set-output name=a::b\n \t::error::c\n##[add-mask]d\u009b31m\u202egnp\x00\x7f\xff" +
	"\x1b[0Ksection_end:1:revstamp_c\r\u2028::warning::e%0A::stop-commands::f"

func TestOutsideTextIsOnlyText(t *testing.T) {
	for name := range modes(nil) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out locked
				o := modes(&out)[name]
				o.Verbose = true
				if name == "plain" {
					o.Out = nil // what a pipe gets is TestResultInPipe's
				}
				sayEverywhere(t, New(o), hostile)
				inspect(t, name, out.String())
			})
		})
	}
}

// commands are those that revstamp itself gives when the text is hostile.
var commands = []string{
	`::group::x\x1b`, "::group::b", "::group::c", "::endgroup::",
	`::warning::x\x1b`, `::error::x\x1b`, `::error file=x\x1b`,
}

// inspect finds what hostile text smuggled into the output of a mode.
func inspect(t *testing.T, mode, text string) {
	t.Helper()
	ours := []string{"\n", "", "\t", ""}
	switch mode {
	case "terminal":
		for _, s := range []string{"\x1b[J", "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m",
			"\x1b[1A", "\x1b[2A", "\x1b[3A"} {
			ours = append(ours, s, "")
		}
	case "gitlab":
		ours = append(ours, "\x1b[0Ksection_", "", "\r\x1b[0K", "")
	}
	for _, c := range strings.NewReplacer(ours...).Replace(text) {
		if control(c) || c == 0xfffd && mode != "json" {
			t.Errorf("the output holds %q", c)
			break
		}
	}
	if strings.Contains(text, "##[") && (mode == "github" || mode == "json") {
		t.Error("the output holds ##[")
	}
	if mode == "github" {
		for l := range strings.Lines(text) {
			if l = strings.TrimSpace(l); strings.HasPrefix(l, "::") && !slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(l, c) }) {
				t.Errorf("the output holds the command %q", l)
			}
		}
	}
	if mode == "gitlab" {
		if got, want := strings.Count(text, "\x1b[0Ksection_end:"), 3; got != want {
			t.Errorf("%d sections end, want %d", got, want)
		}
	}
	if mode == "json" {
		for l := range strings.Lines(text) {
			if !json.Valid([]byte(l)) {
				t.Errorf("not JSON: %s", l)
			}
		}
	}
}

// Outputs of a step are commands to the runner too: none may be added.
func TestOutputsCannotBeForged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "output")
	u := New(Options{Env: fixed(map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": file})})
	u.End("done", "note", "a\nEOF\nforged=1\nnote2<<EOF\nx\nEOFF", "bad name\n=", "b", "plain", "c=d")
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "note<<EOFFF\na\nEOF\nforged=1\nnote2<<EOF\nx\nEOFF\nEOFFF\nbad_name__=b\nplain=c=d\n"
	if string(got) != want {
		t.Errorf("outputs:\n%s\nwant:\n%s", got, want)
	}
}

func TestSecretsAppearNowhere(t *testing.T) {
	secrets := []string{"hunter2", `pa"ss/wö rd`, "-----BEGIN KEY-----\nc2VjcmV0bGluZQ==\n}\n-----END KEY-----", ""}
	texts := []string{"hunter2", "https://u:pa%22ss%2Fw%C3%B6+rd@host/", "https://u:pa%22ss%2Fw%C3%B6%20rd@host/", `pa"ss/wö rd`, `pa\"ss/wö rd`,
		"a c2VjcmV0bGluZQ== b", secrets[2]}
	for name := range modes(nil) {
		for _, text := range texts {
			t.Run(name+"/"+text, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var out locked
					o := modes(&out)[name]
					o.Redact, o.Verbose = secrets, true
					sayEverywhere(t, New(o), text)
					for _, part := range []string{"hunter2", `ss/w`, "ss%2F", "c2VjcmV0bGluZQ"} {
						if strings.Contains(out.String(), part) {
							t.Errorf("%q is in the output:\n%s", part, out.String())
						}
					}
					if !strings.Contains(out.String(), "***") {
						t.Errorf("nothing was redacted:\n%s", out.String())
					}
				})
			})
		}
	}
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out locked
		u := New(Options{Err: &out})
		time.Sleep(time.Minute) // nothing is under way: nothing to say
		u.StepStarted("update")
		time.Sleep(25 * time.Second)
		u.Info("here")
		time.Sleep(heartbeat - 1)
		u.Info("here")
		time.Sleep(heartbeat)
		synctest.Wait()
		u.StepDone("update", "")
		time.Sleep(time.Hour)
		u.StepStarted("stamp")
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		want := `. update    still at it after 10s
. update    still at it after 20s
  here
  here
. update    still at it after 44s
+ update    44s
`
		if got := out.String(); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}

// What another process did took the time that it took there.
func TestWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out locked
		u := New(Options{Err: &out})
		now := time.Now()
		time.Sleep(time.Hour)
		u.When(now)
		u.StepStarted("update")
		u.When(now.Add(3 * time.Second))
		u.StepDone("update", "")
		u.StepStarted("follow")
		u.When(time.Time{})
		u.StepDone("follow", "")
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), "+ update    3.0s\n+ follow    59m57s\n"; got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	for name := range modes(nil) {
		t.Run(name, func(t *testing.T) {
			var out locked
			u := New(modes(&out)[name])
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					id := fmt.Sprint(i)
					u.StepStarted(id)
					for n := range 50 {
						u.Job(id, "f", "running", n, 50)
						u.Info("info %d of %s", n, id)
					}
					u.Job(id, "f", "succeeded", 50, 50)
					u.StepDone(id, "")
					if err := u.Result(id, func(w io.Writer) error { _, err := fmt.Fprintln(w, "result", id); return err }); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if err := u.Close(); err != nil {
				t.Error(err)
			}
			text := out.String()
			for _, what := range []string{"info 49 of 7", "7"} {
				if !strings.Contains(text, what) {
					t.Errorf("%q is missing", what)
				}
			}
			if got, want := strings.Count(text, "info "), 8*50; got != want {
				t.Errorf("%d lines of information, want %d", got, want)
			}
		})
	}
}

// A worker may report any progress.
func TestJobNumbers(t *testing.T) {
	for name := range modes(nil) {
		synctest.Test(t, func(t *testing.T) {
			var out locked
			u := New(modes(&out)[name])
			for i, p := range []struct{ n, d int }{{5, 0}, {-1, 10}, {11, 10}, {1, -1}, {math.MinInt, math.MinInt}, {math.MaxInt, math.MaxInt}} {
				u.Job(fmt.Sprint(i), "f", "running", p.n, p.d)
				time.Sleep(time.Second)
			}
			if err := u.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			text := out.String()
			if !strings.Contains(text, "10/10") && !strings.Contains(text, `"done":10,"of":10`) || strings.Contains(text, "-1") || strings.Contains(text, "11/") {
				t.Errorf("%s:\n%s", name, text)
			}
		})
	}
}

func TestAfterClose(t *testing.T) {
	for name := range modes(nil) {
		var out locked
		u := New(modes(&out)[name])
		u.StepStarted("a")
		if err := u.Close(); err != nil {
			t.Errorf("%s: Close() = %v", name, err)
		}
		before := out.String()
		u.Info("late")
		u.StepDone("a", "late")
		u.Error(errors.New("late"), "")
		if err := u.Result(1, func(io.Writer) error { return nil }); !errors.Is(err, errClosed) {
			t.Errorf("%s: Result after Close: %v", name, err)
		}
		if err := u.Diff([]byte("x\n")); name != "json" && !errors.Is(err, errClosed) {
			t.Errorf("%s: Diff after Close: %v", name, err)
		}
		if err := u.Close(); err != nil {
			t.Errorf("%s: second Close() = %v", name, err)
		}
		if got := out.String(); got != before {
			t.Errorf("%s: written after Close: %q", name, strings.TrimPrefix(got, before))
		}
	}
}

// broken fails every write.
type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWritesThatFail(t *testing.T) {
	for name := range modes(nil) {
		synctest.Test(t, func(t *testing.T) {
			o := modes(nil)[name]
			o.Out, o.Err = broken{}, broken{}
			u := New(o)
			u.StepStarted("a")
			u.Job("1", "f", "running", 1, 2)
			time.Sleep(time.Second) // a frame is drawn, in vain
			u.Job("1", "f", "running", 2, 2)
			u.Job("2", "f", "running", 2, 2)
			u.Job("2", "f", "failed", 2, 2)
			if err := u.Result(1, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }); !errors.Is(err, errBroken) {
				t.Errorf("%s: Result = %v", name, err)
			}
			u.StepDone("a", "")
			if err := u.Close(); errors.Is(err, errBroken) != o.JSON {
				t.Errorf("%s: Close = %v", name, err)
			}
		})
	}
	missing := filepath.Join(t.TempDir(), "missing", "summary")
	u := New(Options{Env: fixed(map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": missing})})
	u.Begin("x")
	if err := u.Close(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Close without a place for the summary = %v", err)
	}
}

func TestResultErrors(t *testing.T) {
	errText := errors.New("no text")
	u := New(Options{})
	if err := u.Result(1, func(io.Writer) error { return errText }); err != errText {
		t.Errorf("Result = %v, want %v", err, errText)
	}
	u = New(Options{JSON: true})
	if err := u.Result(func() {}, nil); err == nil {
		t.Error("a function became JSON")
	}
}

// A result that nobody obeys is not touched: it may be the input of a
// program.
func TestResultInPipe(t *testing.T) {
	var out bytes.Buffer
	u := New(Options{Out: &out, Env: fixed(map[string]string{"LANG": "C"})})
	const text = "a\r\n\x1b[1m::set-output\xff → \u202e"
	if err := u.Result(nil, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
		t.Fatal(err)
	}
	if out.String() != text {
		t.Errorf("got %q, want %q", out.String(), text)
	}
}

func TestJSONAlwaysHasItsHeader(t *testing.T) {
	var out bytes.Buffer
	if err := New(Options{Out: &out, JSON: true, Version: "1.2.3"}).Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), `{"revstamp":"1.2.3","format":1}`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func ExampleUI() {
	u := New(Options{Out: os.Stdout, Err: os.Stdout, Now: func() time.Time { return time.Unix(0, 0) }})
	u.Begin("releasing shop 4168 → 4170")
	u.StepStarted("update")
	u.StepDone("update", "2 commits, 3 files")
	u.End("released shop 4170")
	fmt.Println(u.Close())
	// Output:
	// releasing shop 4168 -> 4170
	// + update    2 commits, 3 files  0ms
	// released shop 4170  0ms
	// <nil>
}
