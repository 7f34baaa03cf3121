package vcs_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// TestLastChangedOfRevision compares what a working copy tells of another revision,
// with what one tells that is at it.
func TestLastChangedOfRevision(t *testing.T) {
	t.Parallel()
	t.Run("git", func(t *testing.T) {
		t.Parallel()
		up := vcstest.NewGit(t)
		up.History(1, 300)
		old := up.Run("rev-list", "--skip=100", "--max-count=1", "HEAD")
		then := filepath.Join(t.TempDir(), "then")
		up.Run("worktree", "add", "--quiet", "--detach", then, old)
		for _, o := range []vcs.Options{{}, {NoGit: true}} {
			sameLastChanged(t, open(t, up.Dir, o), old, open(t, then, o))
		}
	})
	t.Run("hg", func(t *testing.T) {
		t.Parallel()
		need.Program(t, "hg")
		dir := filepath.Join(t.TempDir(), "repo")
		vcstest.RunHg(t, "", "init", dir)
		vcstest.RunHg(t, dir, "debugbuilddag", "--new-file", "--mergeable-file", "+5:a+5:b<a+7/b+3:c<b+4/c+6")
		vcstest.RunHg(t, dir, "update", "--quiet", "tip")
		then := filepath.Join(t.TempDir(), "then")
		vcstest.RunHg(t, "", "clone", "--quiet", "--updaterev", "19", dir, then)
		node := vcstest.RunHg(t, then, "log", "-r", ".", "-T", "{node}")
		sameLastChanged(t, open(t, dir, vcs.Options{}), node, open(t, then, vcs.Options{}))
	})
	t.Run("svn", func(t *testing.T) {
		t.Parallel()
		up := svnHistory(t)
		dir := up.Checkout("")
		vcstest.Write(t, dir, "b", "mine\n")
		sameLastChanged(t, open(t, dir, vcs.Options{}), "4", open(t, up.Checkout("", "-r", "4"), vcs.Options{}))
	})
}

func sameLastChanged(t *testing.T, now vcs.WorkingCopy, rev string, then vcs.WorkingCopy) {
	t.Helper()
	want, err := then.LastChanged(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := now.LastChanged(t.Context(), rev)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" || len(want) < 5 {
		t.Errorf("of %s, %d files: %s", rev, len(want), d)
	}
	latest, err := now.LastChanged(t.Context(), "")
	if err != nil || cmp.Equal(latest, got) {
		t.Errorf("%s is no other than what is on disk: %v", rev, err)
	}
	_, err = now.LastChanged(t.Context(), "99999999")
	var unknown *vcs.UnknownRevisionError
	if !errors.As(err, &unknown) {
		t.Errorf("of no revision: %v", err)
	}
}
