package vcs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func shell(t *testing.T) *client {
	t.Helper()
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	return &client{path: path, dir: t.TempDir(), env: os.Environ(), log: slog.New(slog.DiscardHandler)}
}

// TestClientCancel ends a program together with what it started, which holds
// its output open. The pipe is how the test waits: it ends when both are dead.
func TestClientCancel(t *testing.T) {
	t.Parallel()
	c := shell(t)
	fifo := filepath.Join(c.dir, "alive")
	if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v: %s", err, out)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f, err := os.Open(fifo)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if _, err := f.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		cancel(why)
		io.Copy(io.Discard, f) // until nobody has it open
	}()
	_, err := c.run(ctx, "-c", `exec 3>alive; (while :; do sleep 20; done) & echo x >&3; wait`)
	if !errors.Is(err, why) {
		t.Errorf("run: %v", err)
	}
	<-ended
}

func TestClientFails(t *testing.T) {
	t.Parallel()
	c := shell(t)
	_, err := c.run(t.Context(), "-c", "echo 'fatal: http://user:pass@word@host/x' >&2; exit 3")
	var failed *ClientError
	if !errors.As(err, &failed) || failed.Status != 3 || failed.Stderr != "fatal: http://host/x\n" {
		t.Errorf("run: %#v", err)
	}
	_, err = c.run(t.Context(), "-c", "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1")
	if !errors.As(err, &failed) || len(failed.Stderr) > maxStderr || !strings.HasSuffix(err.Error(), "line 2999") {
		t.Errorf("run: %v", err)
	}
	c.path = filepath.Join(c.dir, "none")
	if _, err := c.run(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("run of nothing: %v", err)
	}
}

func TestLimited(t *testing.T) {
	t.Parallel()
	l := &limited{max: 4}
	if _, err := l.Write([]byte("1234")); err != nil {
		t.Error(err)
	}
	if _, err := l.Write([]byte("5")); err == nil || !l.over {
		t.Error("the limit does not hold")
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://user:pw@host/x":             "https://host/x",
		"see 'https://token@host/x' and":     "see 'https://host/x' and",
		"https://u:p@ss@host":                "https://host",
		"https://host/a@b":                   "https://host/a@b",
		"git@host:path":                      "git@host:path",
		"svn+ssh://me:pw@host/a http://b@c/": "svn+ssh://host/a http://c/",
	} {
		if got := redact(in); got != want {
			t.Errorf("redact(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"https://user:pw@host/x?token=1#f": "https://host/x",
		"ssh://git:pw@host/x":              "ssh://git@host/x",
		"git@host:path":                    "git@host:path",
		"/a/b":                             "/a/b",
		"https://u:%zz@host/":              "https://host/",
	} {
		if got := publicURL(in); got != want {
			t.Errorf("publicURL(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"4168": "4168", "4123:4168MS": "4123:4168MS", "4168M": "4168", "4123:4168": "4123:4168", "4P": "4P", "0": "0", "4MSP": "4SP",
	} {
		got, err := parseSpan(text)
		if err != nil || got.String(strings.Contains(want, "M")) != want {
			t.Errorf("parseSpan(%q) = %v, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "Unversioned directory", "Uncommitted local addition, copy or move", "exported", "4168 ", "-1",
		"4:", ":4", "5:4", "4SM", "4\n", "99999999999999999999",
	} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("parseSpan(%q) = %v", text, got)
		}
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	const out = "1 .M N... 100644 100644 100644 a b with space\nand line\x00" +
		"u UU N... 100644 100644 100644 100644 a b c conflict\x00"
	got, err := parseStatus(out)
	if err != nil || len(got) != 2 || got[0] != "with space\nand line" || got[1] != "conflict" {
		t.Errorf("parseStatus = %q, %v", got, err)
	}
	if got, err := parseStatus("? x\x00"); err == nil {
		t.Errorf("parseStatus of what was not asked for = %q", got)
	}
}
