package vcs_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// A foreignChange is one by somebody else.
type foreignChange struct {
	name    string
	spoil   func(t *testing.T, dir string)
	file    string
	touched bool // by the update from site to next
}

// foreign are changes by somebody else, for which a caller has an answer.
var foreign = []foreignChange{
	{"touched", func(t *testing.T, dir string) { vcstest.Write(t, dir, "index.html", "mine\n") }, "index.html", true},
	{"not touched", func(t *testing.T, dir string) { vcstest.Write(t, dir, "css/site.css", "mine\n") }, "css/site.css", false},
	{"beside the stamp", func(t *testing.T, dir string) {
		vcstest.Write(t, dir, "config.php", "<?php\n$name = 'Mine';\n$rev = '1';\n$debug = false;\n")
	}, "config.php", true},
	{"deleted", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "css/site.css")) }, "css/site.css", false},
	{"directory deleted", func(t *testing.T, dir string) { os.RemoveAll(filepath.Join(dir, "css")) }, "css/site.css", false},
	{"executable", func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, "css/site.css"), 0o755) }, "css/site.css", false},
	{"upstream deletes it", func(t *testing.T, dir string) { vcstest.Write(t, dir, "old/gone.txt", "mine\n") }, "old/gone.txt", true},
}

// decided resolves over foreign changes and says what becomes of all of them.
func decided(t *testing.T, wc vcs.WorkingCopy, want string, l vcs.Local) (*vcs.Target, map[string]vcs.Local, error) {
	t.Helper()
	target, err := wc.Resolve(t.Context(), want, stampOwn)
	var e *vcs.LocalChangesError
	if !errors.As(err, &e) || target == nil {
		t.Fatalf("Resolve = %v, %v", target, err)
	}
	local := make(map[string]vcs.Local)
	for _, file := range e.Files {
		local[file] = l
	}
	return target, local, e.Decide(target, local)
}

// wantRefused fails unless Decide and Update refuse one file, with a word why, and
// nothing has changed.
func wantRefused(t *testing.T, wc vcs.WorkingCopy, target *vcs.Target, u vcs.Update, decided error, file, why string) {
	t.Helper()
	before := everything(t, wc.Dir())
	u.Write = func(context.Context, []vcs.Write) error {
		t.Error("Write is called")
		return nil
	}
	for what, err := range map[string]error{"Decide": decided, "Update": wc.Update(t.Context(), target, u)} {
		var e *vcs.LocalChangesError
		if !errors.As(err, &e) || !slices.Equal(e.Files, []string{file}) || !strings.Contains(e.Error(), why) || e.Diff == "" {
			t.Errorf("%s: %v, want a refusal of %s: %s", what, err, file, why)
		}
	}
	if d := cmp.Diff(before, everything(t, wc.Dir())); d != "" {
		t.Error(d)
	}
}

// keeps has an update of dir to want, where the files are others then, keep a change
// that was made, or fails unless it is refused, with a word why.
func keeps(t *testing.T, wc vcs.WorkingCopy, c foreignChange, want string, files vcstest.Files, why string) {
	t.Helper()
	dir := wc.Dir()
	mine := vcstest.Snapshot(t, dir)
	target, local, err := decided(t, wc, want, vcs.Keep)
	u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, never), Local: local}
	if c.touched {
		why = "the update changes too"
	}
	if why != "" {
		wantRefused(t, wc, target, u, err, c.file, why)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := wc.Update(t.Context(), target, u); err != nil {
		t.Fatal(err)
	}
	delete(files, c.file)
	if text, ok := mine[c.file]; ok {
		files[c.file] = text
	}
	wantFiles(t, dir, files)
	if now := revision(t, wc); now.ID != target.Revision.ID || !slices.Equal(now.Modified, []string{c.file}) {
		t.Errorf("Revision = %+v", now)
	}
}

func wantFiles(t *testing.T, dir string, want vcstest.Files) {
	t.Helper()
	if d := cmp.Diff(want, vcstest.Snapshot(t, dir)); d != "" {
		t.Error(d)
	}
}

// wantBesides fails unless dir has those files, and an untracked one that was there.
func wantBesides(t *testing.T, dir string, want vcstest.Files) {
	t.Helper()
	want = maps.Clone(want)
	want["untracked"] = "mine\n"
	wantFiles(t, dir, want)
}
