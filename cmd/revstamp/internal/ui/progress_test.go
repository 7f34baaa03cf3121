package ui

import (
	"bytes"
	"strings"
	"testing"
)

// TestProgress: a terminal has a bar until all is done, and nothing else shows
// anything.
func TestProgress(t *testing.T) {
	s := newScreen(60, 10)
	env := func(name string) string {
		return map[string]string{"LC_ALL": "C.UTF-8", "TERM": "xterm", "NO_COLOR": "1"}[name]
	}
	u := New(Options{Err: s, Terminal: true, Size: s.size, Env: env})
	u.Progress("files", 250, 1000)
	u.view.(*terminal).draw(4)
	for _, want := range []string{"files", "[####", " 250/1000"} {
		if got := s.String(); !strings.Contains(got, want) {
			t.Errorf("screen:\n%swant %q", got, want)
		}
	}
	u.Progress("files", 1000, 1000)
	if got := s.String(); strings.TrimSpace(got) != "" {
		t.Errorf("all is done, and the screen shows:\n%s", got)
	}
	if err := u.Close(); err != nil {
		t.Error(err)
	}
	for _, o := range []Options{{}, {JSON: true}} {
		var out bytes.Buffer
		o.Out, o.Err = &out, &out
		u := New(o)
		u.Progress("files", 1, 2)
		if strings.Contains(out.String(), "files") {
			t.Errorf("JSON %v: %s", o.JSON, out.String())
		}
	}
}
