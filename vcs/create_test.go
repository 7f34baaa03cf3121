package vcs_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// TestCreate makes a repository, a clone and a second commit without git, has
// git look at them, and updates the clone.
func TestCreate(t *testing.T) {
	t.Parallel()
	for _, remote := range []string{"path", "file", "http"} {
		t.Run(remote, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			dir, copied := filepath.Join(root, "site"), filepath.Join(root, "copy")
			commit := func(message string, n int, files vcstest.Files) string {
				files.Apply(t, dir)
				author := vcstest.Author + " <" + vcstest.Address + ">"
				id, err := vcs.CommitAll(t.Context(), dir, message, author, vcstest.Epoch.AddDate(0, 0, n))
				if err != nil {
					t.Fatal(err)
				}
				return id
			}
			if err := vcs.Create(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			if err := vcs.Create(t.Context(), dir); err == nil {
				t.Error("Create over a repository succeeded")
			}
			commit("one", 1, site)
			url := dir
			switch remote {
			case "file":
				url = "file://" + dir
			case "http":
				url = vcstest.ServeGit(t, dir)
			}
			if err := vcs.Clone(t.Context(), url, copied, vcs.CloneOptions{Options: vcs.Options{NoGit: true}}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(vcstest.Snapshot(t, dir), vcstest.Snapshot(t, copied)); d != "" {
				t.Error(d)
			}
			whole(t, dir, "")
			whole(t, copied, "")
			if err := vcs.Clone(t.Context(), url, copied, vcs.CloneOptions{Options: vcs.Options{NoGit: true}}); err == nil {
				t.Error("Clone into a repository succeeded")
			}
			second := commit("two", 2, next)
			stamp(t, copied, "config.php", "1")
			wc := open(t, copied, vcs.Options{NoGit: true})
			update(t, wc, "", "2")
			if got := revision(t, wc); got.ID != second || got.Modified != nil || got.Author != vcstest.Author {
				t.Errorf("Revision = %+v", got)
			}
			if d := cmp.Diff(released(t, dir, "2"), vcstest.Snapshot(t, copied)); d != "" {
				t.Error(d)
			}
			whole(t, copied, " M config.php")
			if got := vcstest.Run(t, copied, nil, "git", "pull", "--ff-only"); got != "Already up to date." {
				t.Errorf("git pull: %s", got)
			}
		})
	}
}
