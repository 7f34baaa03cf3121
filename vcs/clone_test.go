package vcs_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// cloning is a repository to be cloned, with a first revision of site, a second
// of next, and a branch.
type cloning struct {
	url           string
	o             vcs.CloneOptions
	first, second string // ids
	branch, tag   string // of a third revision, and of the first
}

var clonings = map[string]func(t *testing.T) cloning{
	"git":     func(t *testing.T) cloning { return cloningGit(t, vcs.Options{}) },
	"without": func(t *testing.T) cloning { return cloningGit(t, vcs.Options{NoGit: true}) },
	"http": func(t *testing.T) cloning {
		c := cloningGit(t, vcs.Options{NoGit: true})
		c.url = vcstest.ServeGit(t, c.url)
		return c
	},
	"svn": func(t *testing.T) cloning {
		up := vcstest.NewSvn(t)
		c := cloning{url: up.URL + "/trunk", o: vcs.CloneOptions{System: "svn"}}
		c.first = up.Commit("one", svnFiles(site))
		c.second = up.Commit("two", svnFiles(next))
		c.tag = "r" + c.first
		return c
	},
	"hg": func(t *testing.T) cloning {
		up := vcstest.NewHg(t)
		c := cloning{url: up.Dir, o: vcs.CloneOptions{System: "hg"}, branch: "side", tag: "v1"}
		c.first = up.Commit("one", hgFiles(site))
		up.Run("tag", "--local", "v1")
		c.second = up.Commit("two", hgFiles(next))
		up.Run("branch", "--quiet", "side")
		up.Commit("three", vcstest.Files{"side": "1"})
		up.Run("update", "--quiet", "default")
		return c
	},
}

func cloningGit(t *testing.T, o vcs.Options) cloning {
	up := vcstest.NewGit(t)
	c := cloning{url: up.Dir, o: vcs.CloneOptions{Options: o}, branch: "side", tag: "v1"}
	c.first = up.Commit("one", site)
	up.Run("tag", "v1")
	c.second = up.Commit("two", next)
	up.Run("checkout", "--quiet", "-b", "side")
	up.Commit("three", vcstest.Files{"side": "1"})
	up.Run("checkout", "--quiet", "main")
	return c
}

// TestClone makes working copies of each system: at the newest revision, at a
// named one, and on a branch, which later updates follow.
func TestClone(t *testing.T) {
	t.Parallel()
	for name, prepare := range clonings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := prepare(t)
			cloned := func(at string) (vcs.WorkingCopy, vcs.Revision) {
				t.Helper()
				o, dir := c.o, filepath.Join(t.TempDir(), "with a space@", "copy")
				o.Revision = at
				if err := vcs.Clone(t.Context(), c.url, dir, o); err != nil {
					t.Fatalf("Clone of %q: %v", at, err)
				}
				wc := open(t, dir, o.Options)
				r := revision(t, wc)
				if r.Modified != nil || r.Mixed != "" {
					t.Errorf("Clone of %q: modified: %v, mixed: %s", at, r.Modified, r.Mixed)
				}
				return wc, r
			}
			if _, r := cloned(""); r.ID != c.second {
				t.Errorf("Clone is at %s, want %s", r.ID, c.second)
			}
			for _, name := range []string{c.first, c.tag} {
				wc, r := cloned(name)
				if r.ID != c.first && c.o.System != "hg" { // whose local tag is not cloned
					t.Errorf("Clone of %q is at %s, want %s", name, r.ID, c.first)
				}
				update(t, wc, c.second, "")
				if r := revision(t, wc); r.ID != c.second {
					t.Errorf("Update of the clone of %q: at %s, want %s", name, r.ID, c.second)
				}
				if c.o.System == "hg" {
					break
				}
			}
			if c.branch != "" {
				wc, r := cloned(c.branch)
				if r.Branch != c.branch {
					t.Errorf("Clone is on branch %q, want %q", r.Branch, c.branch)
				}
				if target := resolve(t, wc, ""); target.Revision.ID != r.ID {
					t.Errorf("the branch is to be updated to %s, from %s", target.Revision.ID, r.ID)
				}
			}
		})
	}
}

// TestCloneRefuses makes sure that a clone that fails leaves nothing behind.
func TestCloneRefuses(t *testing.T) {
	t.Parallel()
	for name, prepare := range clonings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := prepare(t)
			missing := c.url + "-missing"
			if u, err := url.Parse(c.url); err == nil && u.Host != "" {
				u.Path += "-missing"
				missing = u.String()
			}
			for _, tt := range []struct{ url, revision string }{
				{missing, ""}, {c.url, "no-such-name"}, {"-oProxyCommand=x", ""}, {"--config=x", ""}, {"", ""},
			} {
				root := t.TempDir()
				empty := filepath.Join(root, "empty")
				if err := os.Mkdir(empty, 0o755); err != nil {
					t.Fatal(err)
				}
				o := c.o
				o.Revision = tt.revision
				for _, dir := range []string{empty, filepath.Join(root, "missing")} {
					if err := vcs.Clone(t.Context(), tt.url, dir, o); err == nil {
						t.Errorf("Clone of %q at %q succeeded", tt.url, tt.revision)
					}
				}
				if d := cmp.Diff(map[string]string{"empty": "dir"}, kinds(t, root)); d != "" {
					t.Errorf("Clone of %q at %q left behind (-want +got):\n%s", tt.url, tt.revision, d)
				}
			}
			full := t.TempDir()
			vcstest.Files{"mine": "x"}.Apply(t, full)
			if err := vcs.Clone(t.Context(), c.url, full, c.o); err == nil {
				t.Error("Clone into a directory with files succeeded")
			}
			if d := cmp.Diff(map[string]string{"mine": "file"}, kinds(t, full)); d != "" {
				t.Error(d)
			}
		})
	}
	if err := vcs.Clone(t.Context(), "x", filepath.Join(t.TempDir(), "x"), vcs.CloneOptions{System: "cvs"}); err == nil {
		t.Error("Clone by CVS succeeded")
	}
	var unknown *vcs.UnknownRevisionError
	c := clonings["without"](t)
	c.o.Revision = "no-such-name"
	if err := vcs.Clone(t.Context(), c.url, filepath.Join(t.TempDir(), "x"), c.o); !errors.As(err, &unknown) {
		t.Errorf("Clone of a revision that is none: %v", err)
	}
}

// kinds tells what lies in dir, not below.
func kinds(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, e := range entries {
		found[e.Name()] = map[bool]string{true: "dir", false: "file"}[e.IsDir()]
	}
	return found
}
