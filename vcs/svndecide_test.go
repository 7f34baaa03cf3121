package vcs_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// spoilSvn makes every foreign change at once that svn sees and that may be
// written over.
func spoilSvn(t *testing.T, dir string) {
	t.Helper()
	for _, f := range foreign {
		switch f.name {
		case "touched", "beside the stamp", "deleted", "upstream deletes it":
			f.spoil(t, dir)
		}
	}
	if err := os.Remove(filepath.Join(dir, "bin/run")); err != nil {
		t.Fatal(err)
	}
	vcstest.Write(t, dir, "untracked", "mine\n")
}

func TestSvnOverwrite(t *testing.T) {
	t.Parallel()
	up, origin := svnSite(t)
	before := vcstest.Snapshot(t, origin)
	first := revision(t, open(t, origin, vcs.Options{})).ID
	second := resolve(t, open(t, origin, vcs.Options{}), "").Revision.ID
	for _, to := range []struct {
		want, rev string
		files     vcstest.Files
	}{{first, "1", before}, {second, "2", released(t, up.WC, "2")}} {
		for _, stop := range []int{never, 0, 2} {
			if testing.Short() && (to.want == first || stop == 0) {
				continue // svn takes seconds for each
			}
			t.Run(to.rev+" "+itoa(int64(stop)), func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "copy")
				vcstest.Run(t, "", nil, "cp", "-a", origin, dir)
				spoilSvn(t, dir)
				stopWatch := watch(t, filepath.Join(dir, "config.php"), func(b []byte) bool {
					return stamped.Match(b) && string(stamped.FindSubmatch(b)[1]) != "0" && string(stamped.FindSubmatch(b)[1]) != "00"
				})
				defer stopWatch()
				wc := open(t, dir, vcs.Options{})
				target, local, err := decided(t, wc, to.want, vcs.Overwrite)
				if err != nil {
					t.Fatal(err)
				}
				u := vcs.Update{Own: stampOwn, Edit: stampEdit(to.rev), Write: put(dir, stop), Local: local}
				err = wc.Update(t.Context(), target, u)
				if stop != never {
					if !errors.Is(err, errStopped) {
						t.Fatalf("stopped before file %d: %v", stop, err)
					}
					u.Write, u.Resume = put(dir, never), true
					target, _, _ := decided(t, wc, to.want, vcs.Overwrite)
					err = wc.Update(t.Context(), target, u)
				}
				if err != nil {
					t.Fatal(err)
				}
				wantBesides(t, dir, to.files)
				if now := revision(t, wc); now.ID != to.want || now.Modified != nil {
					t.Errorf("Revision = %+v", now)
				}
			})
		}
	}
}

func TestSvnKeep(t *testing.T) {
	t.Parallel()
	up, origin := svnSite(t)
	for _, test := range foreign {
		if test.name == "executable" || test.name == "directory deleted" {
			continue // of which svn knows nothing, or too much
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "copy")
			vcstest.Run(t, "", nil, "cp", "-a", origin, dir)
			test.spoil(t, dir)
			why := ""
			if test.name == "deleted" {
				why = "svn would bring back"
			}
			keeps(t, open(t, dir, vcs.Options{}), test, "", released(t, up.WC, "2"), why)
		})
	}
}

// TestSvnUndecidable holds the changes that no update keeps, or writes over.
func TestSvnUndecidable(t *testing.T) {
	t.Parallel()
	up, origin := svnSite(t)
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		file  string
		keep  bool // can be kept
	}{
		{"property", func(t *testing.T, dir string) { up.Run(dir, "propset", "mine", "x", "css/site.css") }, "css/site.css", false},
		{"added", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "mine", "mine\n")
			up.Run(dir, "add", "mine")
		}, "mine", false},
		{"deleted", func(t *testing.T, dir string) { up.Run(dir, "delete", "css/site.css") }, "css/site.css", false},
		{"obstructed", func(t *testing.T, dir string) {
			os.Remove(filepath.Join(dir, "css/site.css"))
			vcstest.Write(t, dir, "css/site.css/x", "mine")
		}, "css/site.css", false},
		{"directory", func(t *testing.T, dir string) { os.RemoveAll(filepath.Join(dir, "css")) }, "css", false},
		{"link", func(t *testing.T, dir string) { vcstest.Write(t, dir, "link", "-> bin") }, "link", true},
		{"link gone", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "link")) }, "link", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "copy")
			vcstest.Run(t, "", nil, "cp", "-a", origin, dir)
			wc := open(t, dir, vcs.Options{})
			first := revision(t, wc).ID
			test.spoil(t, dir)
			mine := vcstest.Snapshot(t, dir)
			target, local, err := decided(t, wc, first, vcs.Overwrite)
			var e *vcs.LocalChangesError
			if !errors.As(err, &e) || !slices.Contains(e.Files, test.file) {
				t.Errorf("Decide: %v", err)
			}
			err = wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Edit: stampEdit("1"), Write: put(dir, 0), Local: local})
			if !errors.As(err, &e) || errors.Is(err, errStopped) {
				t.Errorf("Update: %v", err)
			}
			wantFiles(t, dir, mine)
			if _, _, err := decided(t, wc, first, vcs.Keep); (err == nil) != test.keep {
				t.Errorf("to keep it: %v", err)
			}
		})
	}
}

// TestSvnOverwriteWithNewKey has upstream bring the key that is edited: nobody may see
// the file without the edit, although what svn has there yet cannot be edited.
func TestSvnOverwriteWithNewKey(t *testing.T) {
	t.Parallel()
	up := vcstest.NewSvn(t)
	up.Commit("one", vcstest.Files{"config.php": "<?php\n$rev = '0';\n"})
	dir := up.Checkout("")
	up.Commit("two", vcstest.Files{"config.php": "<?php\n$build = '0';\n"})
	vcstest.Write(t, dir, "config.php", "<?php\n$rev = '1';\n$debug = true;\n")
	defer watch(t, filepath.Join(dir, "config.php"), func(b []byte) bool {
		return bytes.Contains(b, []byte("$rev = '1'")) || bytes.Contains(b, []byte("$build = '2'"))
	})()
	build := func(rev string, content []byte) []byte {
		return bytes.Replace(content, []byte("$build = '0'"), []byte("$build = '"+rev+"'"), 1)
	}
	wc := open(t, dir, vcs.Options{})
	target, local, err := decided(t, wc, "", vcs.Overwrite)
	if err != nil {
		t.Fatal(err)
	}
	err = wc.Update(t.Context(), target, vcs.Update{
		Own:   func(_ string, base, got []byte) bool { return bytes.Equal(build("2", base), got) },
		Local: local,
		Write: put(dir, never),
		Edit: func(_ string, content []byte) ([]byte, error) {
			if !bytes.Contains(content, []byte("$build")) {
				return nil, errors.New("no $build")
			}
			return build("2", content), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, vcstest.Files{"config.php": "<?php\n$build = '2';\n"})
}

// TestSvnOverwriteEditsFirst has a file that cannot be edited: that is found out
// before another is written over.
func TestSvnOverwriteEditsFirst(t *testing.T) {
	t.Parallel()
	_, dir := svnSite(t)
	vcstest.Write(t, dir, "index.html", "mine\n")
	before := vcstest.Snapshot(t, dir)
	wc := open(t, dir, vcs.Options{})
	target, local, err := decided(t, wc, "", vcs.Overwrite)
	if err != nil {
		t.Fatal(err)
	}
	errEdit := errors.New("cannot be edited")
	err = wc.Update(t.Context(), target, vcs.Update{
		Own: stampOwn, Local: local, Write: put(dir, 0),
		Edit: func(path string, content []byte) ([]byte, error) {
			if path == "config.php" {
				return nil, errEdit
			}
			return content, nil
		},
	})
	if interrupted := new(vcs.InterruptedError); !errors.Is(err, errEdit) || errors.As(err, &interrupted) {
		t.Errorf("Update: %v", err)
	}
	wantFiles(t, dir, before)
}
