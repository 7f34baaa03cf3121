package vcs_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

func TestSvnUpdate(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"file", "svn"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			up := vcstest.NewSvn(t)
			first := up.Commit("one", svnFiles(site))
			url := up.URL
			if scheme == "svn" {
				url = up.Serve()
			}
			dir := up.Checkout(url)
			stamp(t, dir, "config.php", "1")
			wc := open(t, dir, vcs.Options{})
			if got := revision(t, wc); got.ID != first || got.Modified != nil || got.Mixed != "" {
				t.Errorf("Revision = %+v", got)
			}
			second := up.Commit("two\n\nbody", svnFiles(next))
			target := resolve(t, wc, "")
			t.Logf("%+v", target)
			stop := watch(t, filepath.Join(dir, "config.php"), func(b []byte) bool {
				return bytes.Contains(b, []byte("$rev = '1'")) || bytes.Contains(b, []byte("$rev = '2'"))
			})
			update(t, wc, "", "2")
			stop()
			want := vcstest.Snapshot(t, up.WC)
			want["config.php"] = stampText(want["config.php"], "2")
			if d := cmp.Diff(want, vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if got := vcstest.Version(t, dir); got != second+"M" {
				t.Errorf("svnversion = %q", got)
			}
			t.Logf("%+v", revision(t, wc))
			update(t, wc, first, "1")
			if got := revision(t, wc); got.ID != first || got.Modified != nil || got.Mixed != "" {
				t.Errorf("Revision = %+v", got)
			}
		})
	}
}

// svnFiles leaves out what svn cannot hold, a newline in a name, and what it
// cannot commit at once, a change between file and directory.
func svnFiles(files vcstest.Files) vcstest.Files {
	out := make(vcstest.Files)
	for path, content := range files {
		if !strings.Contains(path, "\n") && !strings.HasPrefix(path, "turns/") {
			out[path] = content
		}
	}
	out["with space é-x@1"] = "odd " + files["-dash"]
	return out
}
