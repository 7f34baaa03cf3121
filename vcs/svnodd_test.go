package vcs_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// TestSvnOddUpdates updates working copies that are not a plain checkout, and
// compares each with what svn itself makes of its twin, stamped afterwards.
func TestSvnOddUpdates(t *testing.T) {
	t.Parallel()
	revs := []string{"5", "4"}
	if testing.Short() {
		revs = revs[:1]
	}
	up := vcstest.NewSvn(t)
	up.Commit("one", svnFiles(site)) // 2
	up.Run(up.WC, "propset", "--quiet", "svn:needs-lock", "yes", "config.php")
	up.Run(up.WC, "copy", "--quiet", "css", "styles")
	up.Run(up.WC, "copy", "--quiet", "config.php", "other.php")
	up.Commit("copies", nil) // 3
	origin := up.Checkout("")
	up.Commit("two", svnFiles(next))                                                                                              // 4
	up.Commit("three", vcstest.Files{"other.php": "<?php // other\n$rev = '0';\n", "styles/late.css": "x", "css/later/y": "y\n"}) // 5
	for _, test := range []struct {
		name string
		odd  [][]string
	}{
		{"plain", nil},
		{"depth files", [][]string{{"update", "-r", "3", "--set-depth", "files"}}},
		{"depth immediates", [][]string{{"update", "-r", "3", "--set-depth", "immediates"}}},
		{"excluded directory", [][]string{{"update", "--set-depth", "exclude", "css"}}},
		{"excluded files", [][]string{{"update", "--set-depth", "exclude", "./-dash@", "index.html"}}},
		{"switched directory", [][]string{{"switch", up.URL + "/trunk/styles@3", "css"}}},
		{"switched stamped file", [][]string{{"switch", up.URL + "/trunk/other.php@3", "config.php"}}},
		{"mixed", [][]string{{"update", "-r", "4", "index.html", "old"}, {"update", "-r", "2", "bin"}}},
		{"mixed, above the target", [][]string{{"update", "-r", "5", "css", "bin"}}},
		{"changelist", [][]string{{"changelist", "mine", "index.html", "config.php"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, twin := filepath.Join(t.TempDir(), "copy"), filepath.Join(t.TempDir(), "twin")
			vcstest.Run(t, "", nil, "cp", "-a", origin, dir)
			for _, args := range test.odd {
				vcstest.Run(t, dir, utf8, "svn", append(args, "--quiet", "--non-interactive")...)
			}
			vcstest.Run(t, "", nil, "cp", "-a", dir, twin)
			restamp(t, dir, "1")
			wc := open(t, dir, vcs.Options{})
			if got := revision(t, wc); got.Modified != nil {
				t.Fatalf("Modified = %q", got.Modified)
			}
			last := "1" // only a file that changes is stamped anew
			for _, rev := range revs {
				before := svnTree(t, twin)
				vcstest.Run(t, twin, utf8, "svn", "update", "--quiet", "--non-interactive", "-r", rev)
				after := svnTree(t, twin)
				target := update(t, wc, rev, rev)
				want := difference(before, after)
				if d := cmp.Diff(want, ops(target.Changes)); d != "" {
					t.Errorf("Changes to %s: %s", rev, d)
				}
				if want["config.php"] == vcs.Changed {
					last = rev
				}
				stamped := filepath.Join(t.TempDir(), "stamped")
				vcstest.Run(t, "", nil, "cp", "-a", twin, stamped)
				restamp(t, stamped, last)
				if d := cmp.Diff(svnTree(t, stamped), svnTree(t, dir)); d != "" {
					t.Errorf("updated to %s: %s", rev, d)
				}
				now := revision(t, wc)
				if got := vcstest.Version(t, twin); now.Modified != nil || now.ID != rev || now.Mixed != "" && now.Mixed != got {
					t.Errorf("Revision = %+v, svnversion of the twin = %q", now, got)
				}
			}
		})
	}
}

// restamp stamps config.php, which svn:needs-lock makes one that may not be
// written.
func restamp(t *testing.T, dir, rev string) {
	t.Helper()
	file := filepath.Join(dir, "config.php")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	stamp(t, dir, "config.php", rev)
	if err := os.Chmod(file, info.Mode()); err != nil {
		t.Fatal(err)
	}
}

func ops(changes []vcs.Change) map[string]vcs.Op {
	all := make(map[string]vcs.Op)
	for _, c := range changes {
		all[c.Path] = c.Op
	}
	return all
}

// difference is what leads from one tree to another.
func difference(before, after map[string]string) map[string]vcs.Op {
	all := make(map[string]vcs.Op)
	for path, text := range after {
		switch old, ok := before[path]; {
		case !ok:
			all[path] = vcs.Added
		case old != text:
			all[path] = vcs.Changed
		}
	}
	for path := range before {
		if _, ok := after[path]; !ok {
			all[path] = vcs.Deleted
		}
	}
	return all
}

// TestSvnFilesAndDirectories makes directories of files and files of directories,
// also where somebody has put something into the directory that goes.
func TestSvnFilesAndDirectories(t *testing.T) {
	t.Parallel()
	up := vcstest.NewSvn(t)
	up.Commit("one", vcstest.Files{"dir/x": "x\n", "dir/deep/y": "y\n", "file": "file\n"}) // 2
	dir, twin := up.Checkout(""), up.Checkout("")
	up.Run(up.WC, "rm", "--quiet", "dir", "file")
	up.Commit("gone", nil)                                                       // 3
	up.Commit("swapped", vcstest.Files{"dir": "a file\n", "file/deep/z": "z\n"}) // 4
	wc := open(t, dir, vcs.Options{})

	vcstest.Write(t, dir, "dir/deep/mine", "mine\n")
	var blocked *vcs.UntrackedError
	if _, err := wc.Resolve(t.Context(), "4", nil); !errors.As(err, &blocked) {
		t.Errorf("Resolve with a file in the directory: %v, want an *UntrackedError", err)
	}
	if err := os.Remove(filepath.Join(dir, "dir", "deep", "mine")); err != nil {
		t.Fatal(err)
	}
	for _, rev := range []string{"4", "2"} {
		update(t, wc, rev, rev)
		vcstest.Run(t, twin, utf8, "svn", "update", "--quiet", "--non-interactive", "-r", rev)
		if d := cmp.Diff(svnTree(t, twin), svnTree(t, dir)); d != "" {
			t.Errorf("updated to %s: %s", rev, d)
		}
	}
}
