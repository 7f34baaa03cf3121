package ui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// fixed is an environment for tests.
func fixed(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// placed is an error with a place and a remedy.
type placed struct{}

func (placed) Error() string { return `shop/config.php:3:1: key "$config['svn']" not found` }
func (placed) Position() (file string, line, column int) {
	return "/build/shop/config.php", 3, 1
}
func (placed) Remedy() string { return "write $config['svn'] = '0'; into it" }

// story is everything that a command can say. shot is called where something
// is worth looking at.
func story(u *UI, shot func(name string)) {
	u.Begin("releasing shop 4168 → 4170", "site", "shop", "from", 4168)
	u.StepStarted("lock")
	u.StepDone("lock", "")
	u.StepStarted("update")
	time.Sleep(3 * time.Second)
	u.Info("2 commits")
	shot("updating")
	time.Sleep(22 * time.Second)
	u.StepDone("update", "4170, 3 files")
	u.StepStarted("assets")
	u.Warn("public/index.html:7:12: /css/gone.css is missing")
	u.StepSkipped("assets", "nothing refers to them")
	u.StepStarted("follow")
	u.Job("1", "warm_cache", "submitted", 0, 0)
	u.Job("2", "send_mail", "submitted", 0, 0)
	u.Job("2", "send_mail", "submitted", 0, 0)
	u.Job("1", "warm_cache", "running", 0, 40)
	for n := range 31 {
		u.Job("1", "warm_cache", "running", n, 40)
		time.Sleep(500 * time.Millisecond)
	}
	shot("following")
	u.Job("2", "send_mail", "lost", 0, 0)
	u.Job("1", "warm_cache", "succeeded", 40, 40)
	shot("followed")
	u.StepFailed("follow", errors.New("1 job was lost\nof 2"))
	if l := u.Logger(); l != nil {
		l.Info("a detail", "why", "verbose")
	}
	if err := u.Diff([]byte("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n same\n")); err != nil {
		panic(err)
	}
	if err := u.Result(map[string]any{"release": 12, "name": "<shop>"}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "release 12 is live")
		return err
	}); err != nil {
		panic(err)
	}
	u.Error(errors.Join(placed{}, errors.New("release 12 is live,\nbut a job was lost")), "'revstamp show' tells more", "status", 6)
	u.End("released shop 4170", "release", 12, "notes", "one\nEOF\ntwo")
}

func TestModes(t *testing.T) {
	utf8 := map[string]string{"LANG": "C.UTF-8"}
	with := func(more ...string) func(string) string {
		env := maps.Clone(utf8)
		for i := 0; i < len(more); i += 2 {
			env[more[i]] = more[i+1]
		}
		return fixed(env)
	}
	for name, o := range map[string]Options{
		"plain":          {},
		"utf8":           {Env: with()},
		"quiet":          {Quiet: true},
		"verbose":        {Verbose: true},
		"forced":         {Env: with("CLICOLOR_FORCE", "1")},
		"github":         {Env: with("GITHUB_ACTIONS", "true", "GITHUB_WORKSPACE", "/build")},
		"gitlab":         {Env: with("GITLAB_CI", "true")},
		"dumb":           {Env: with("TERM", "dumb"), Terminal: true, OutTerminal: true},
		"json":           {JSON: true, Verbose: true, Version: "0.1.0"},
		"terminal":       {Env: with("TERM", "xterm"), Terminal: true, OutTerminal: true},
		"terminal_ascii": {Terminal: true, OutTerminal: true},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { golden(t, name, o) }) })
	}
}

// golden tells the story with o and compares what is seen with
// testdata/<name>.txtar. REVSTAMP_UPDATE=1 writes that file instead.
func golden(t *testing.T, name string, o Options) {
	var out, err bytes.Buffer
	term := newScreen(60, 12)
	o.Out, o.Err, o.Size = &out, &err, term.size
	if strings.HasPrefix(name, "terminal") {
		o.Out, o.Err = term, term
	}
	dir := t.TempDir()
	files := map[string]string{"GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"), "GITHUB_OUTPUT": filepath.Join(dir, "output")}
	if env := o.Env; env != nil && env("GITHUB_ACTIONS") != "" {
		o.Env = func(name string) string {
			if file, ok := files[name]; ok {
				return file
			}
			return env(name)
		}
	}
	var seen txtar.Archive
	add := func(name, text string) {
		if text != "" {
			seen.Files = append(seen.Files, txtar.File{Name: name, Data: []byte(visible(text))})
		}
	}
	u := New(o)
	story(u, func(name string) {
		synctest.Wait()
		add(name, term.String())
	})
	if err := u.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	add("stdout", out.String())
	add("stderr", err.String())
	add("screen", term.String())
	for _, file := range []string{"GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"} {
		text, err := os.ReadFile(files[file])
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		add(file, string(text))
	}
	path := filepath.Join("testdata", name+".txtar")
	if os.Getenv("REVSTAMP_UPDATE") != "" {
		if err := os.WriteFile(path, txtar.Format(&seen), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, readErr := os.ReadFile(path)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if diff := cmp.Diff(string(want), string(txtar.Format(&seen))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// visible lets a golden file show control characters.
func visible(text string) string {
	return strings.NewReplacer("\x1b", "␛", "\r", "␍").Replace(text)
}
