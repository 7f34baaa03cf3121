package vcs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// TestSvnUpdate goes forward and back, from file:// and svn://, with a reader of
// the stamped file, in which upstream changes the stamped line and both beside.
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
			before := vcstest.Snapshot(t, dir)
			wc := open(t, dir, vcs.Options{})
			now := vcs.Revision{
				System: "svn", ID: first, Short: first, Number: 2, LastChanged: 2, Branch: "trunk", Author: vcstest.Author,
				Date: vcstest.Epoch.Add(2 * time.Hour), URL: url + "/trunk",
			}
			if d := cmp.Diff(now, revision(t, wc)); d != "" {
				t.Error(d)
			}
			second := up.Commit("two\n\nbody", svnFiles(next))
			target := resolve(t, wc, "")
			if d := cmp.Diff(svnTarget(now, second), target, cmp.FilterPath(unexported, cmp.Ignore())); d != "" {
				t.Error(d)
			}
			stop := watch(t, filepath.Join(dir, "config.php"), func(b []byte) bool {
				return bytes.Contains(b, []byte("$rev = '1'")) || bytes.Contains(b, []byte("$rev = '2'"))
			})
			update(t, wc, "", "2")
			stop()
			if d := cmp.Diff(released(t, up.WC, "2"), vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if got := vcstest.Version(t, dir); got != second+"M" {
				t.Errorf("svnversion = %q", got)
			}
			if got := revision(t, wc); got.ID != second || got.Modified != nil || got.Mixed != "" {
				t.Errorf("Revision = %+v", got)
			}
			got := resolve(t, wc, "HEAD")
			if got.From != second || got.Changes != nil || got.Commits != nil {
				t.Errorf("Resolve with nothing to do = %+v", got)
			}
			if d := cmp.Diff(revision(t, wc), got.Revision); d != "" {
				t.Errorf("Resolve and Revision differ: %s", d)
			}

			update(t, wc, "r"+first, "1") // a rollback
			if d := cmp.Diff(before, vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if got := revision(t, wc); got.ID != first || got.Modified != nil || got.Mixed != "" {
				t.Errorf("Revision = %+v", got)
			}
		})
	}
}

func svnTarget(now vcs.Revision, second string) *vcs.Target {
	r := vcs.Revision{
		System: "svn", ID: second, Short: second, Number: 3, LastChanged: 3, Branch: "trunk", Author: vcstest.Author,
		Date: vcstest.Epoch.Add(3 * time.Hour), URL: now.URL,
	}
	return &vcs.Target{
		Revision: r, Now: now, From: now.ID,
		Changes: []vcs.Change{
			{Path: "-dash", Op: vcs.Changed}, {Path: "bin/run", Op: vcs.Changed}, {Path: "config.php", Op: vcs.Changed},
			{Path: "css/new.css", Op: vcs.Added}, {Path: "img/far/er/a.bin", Op: vcs.Deleted},
			{Path: "index.html", Op: vcs.Changed}, {Path: "link", Op: vcs.Changed}, {Path: "old/gone.txt", Op: vcs.Deleted},
			{Path: "with space é-x@1", Op: vcs.Changed},
		},
		Commits: []vcs.Commit{{ID: second, Short: second, Author: vcstest.Author, Subject: "two", Date: r.Date}},
	}
}

// svnSite is a working copy of the site, stamped with 1, of a repository that is
// one revision further.
func svnSite(t *testing.T) (up *vcstest.Svn, dir string) {
	t.Helper()
	up = vcstest.NewSvn(t)
	up.Commit("one", svnFiles(site))
	dir = up.Checkout("")
	stamp(t, dir, "config.php", "1")
	up.Commit("two", svnFiles(next))
	return up, dir
}

// TestSvnRefuses holds what stops an update, in Resolve and again in Update,
// with nothing changed.
func TestSvnRefuses(t *testing.T) {
	t.Parallel()
	local := func(files ...string) func(error) bool {
		return func(err error) bool {
			var e *vcs.LocalChangesError
			return errors.As(err, &e) && slices.Equal(e.Files, files) && e.Diff != ""
		}
	}
	untracked := func(err error) bool {
		var e *vcs.UntrackedError
		return errors.As(err, &e) && slices.Equal(e.Files, []string{"css/new.css"})
	}
	conflict := func(err error) bool {
		var e *vcs.ConflictError
		return errors.As(err, &e) && slices.Equal(e.Files, []string{"index.html"})
	}
	up, origin := svnSite(t)
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		check func(error) bool
	}{
		{"touched", func(t *testing.T, dir string) { vcstest.Write(t, dir, "-dash", "mine\n") }, local("-dash")},
		{"not touched", func(t *testing.T, dir string) { vcstest.Write(t, dir, "css/site.css", "mine\n") }, local("css/site.css")},
		{"beside the stamp", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "config.php", "<?php\n$name = 'Mine';\n$rev = '1';\n$debug = false;\n")
		}, local("config.php")},
		{"missing", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "-dash")) }, local("-dash")},
		{"deleted", func(t *testing.T, dir string) { up.Run(dir, "delete", "index.html") }, local("index.html")},
		{"added", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "mine", "mine\n")
			up.Run(dir, "add", "mine")
		}, local("mine")},
		{"property", func(t *testing.T, dir string) { up.Run(dir, "propset", "mine", "x", "index.html") }, local("index.html")},
		{"property and stamp", func(t *testing.T, dir string) { up.Run(dir, "propset", "mine", "x", "config.php") }, local("config.php")},
		{"obstructed", func(t *testing.T, dir string) {
			os.Remove(filepath.Join(dir, "index.html"))
			vcstest.Write(t, dir, "index.html/x", "mine")
		}, local("index.html")},
		{"link", func(t *testing.T, dir string) { vcstest.Write(t, dir, "link", "-> bin") }, local("link")},
		{"changelist", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "index.html", "mine")
			up.Run(dir, "changelist", "mine", "index.html")
		}, local("index.html")},
		{"untracked", func(t *testing.T, dir string) { vcstest.Write(t, dir, "css/new.css", "mine\n") }, untracked},
		{"untracked directory", func(t *testing.T, dir string) { vcstest.Write(t, dir, "css/new.css/x", "mine\n") }, untracked},
		{"conflict", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "index.html", "mine\n")
			up.Run(dir, "update", "--accept", "postpone", "index.html")
		}, conflict},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "copy")
			vcstest.Run(t, "", nil, "cp", "-a", origin, dir)
			wc := open(t, dir, vcs.Options{})
			target := resolve(t, wc, "")
			test.spoil(t, dir)
			before := vcstest.Snapshot(t, dir)
			if _, err := wc.Resolve(t.Context(), "", stampOwn); !test.check(err) {
				t.Errorf("Resolve: %v", err)
			}
			u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, 0)}
			if err := wc.Update(t.Context(), target, u); !test.check(err) {
				t.Errorf("Update: %v", err)
			}
			if d := cmp.Diff(before, vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if got := revision(t, wc).Modified; (got == nil) != strings.HasPrefix(test.name, "untracked") {
				t.Errorf("Modified = %q", got)
			}
		})
	}
}

func TestSvnNames(t *testing.T) {
	t.Parallel()
	_, dir := svnSite(t)
	wc := open(t, dir, vcs.Options{})
	for want, id := range map[string]string{"": "3", "HEAD": "3", "3": "3", "r2": "2", "2": "2", "1": "1"} {
		if got := resolve(t, wc, want); got.Revision.ID != id {
			t.Errorf("Resolve(%q) = %+v", want, got)
		}
	}
	for _, want := range []string{"trunk", "99", "-1", "2:3", "{2024-01-01}", "BASE", "--x", "9999999999999999999"} {
		var unknown *vcs.UnknownRevisionError
		if got, err := wc.Resolve(t.Context(), want, stampOwn); !errors.As(err, &unknown) {
			t.Errorf("Resolve(%q) = %+v, %v", want, got, err)
		}
	}
	if got := resolve(t, wc, "1").Changes; len(got) != 9 || got[0].Op != vcs.Deleted {
		t.Errorf("Changes to an empty tree = %+v", got)
	}
	target := resolve(t, wc, "")
	for path, want := range map[string]string{"config.php": next["config.php"], "css/new.css": next["css/new.css"]} {
		if got, err := wc.Read(t.Context(), target, path); err != nil || string(got) != want {
			t.Errorf("Read(%q) = %q, %v", path, got, err)
		}
	}
	for _, path := range []string{"old/gone.txt", "none", "none/none"} {
		if got, err := wc.Read(t.Context(), target, path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Read(%q) = %q, %v", path, got, err)
		}
	}
	if _, err := vcs.Open(t.Context(), filepath.Join(dir, "css"), vcs.Options{}); !errors.Is(err, vcs.ErrNotWorkingCopy) {
		t.Errorf("Open below the top: %v", err)
	}
}

// TestSvnMixed has what a commit from the working copy leaves.
func TestSvnMixed(t *testing.T) {
	t.Parallel()
	up := vcstest.NewSvn(t)
	up.Commit("one", svnFiles(site))
	dir := up.Checkout("")
	vcstest.Write(t, dir, "index.html", "<h1>here</h1>\n")
	up.Run(dir, "commit", "--quiet", "-m", "from here")
	stamp(t, dir, "config.php", "1")
	wc := open(t, dir, vcs.Options{})
	if got := revision(t, wc); got.Mixed != "2:3" || got.Number != 3 || got.Modified != nil {
		t.Errorf("Revision = %+v", got)
	}
	vcstest.Write(t, dir, "css/site.css", "mine")
	if got := revision(t, wc); got.Mixed != "2:3M" || !slices.Equal(got.Modified, []string{"css/site.css"}) {
		t.Errorf("Revision = %+v", got)
	}
	up.Run(dir, "revert", "--quiet", "css/site.css")
	if got := resolve(t, wc, ""); got.From != "2:3" || got.Revision.ID != "3" || got.Changes != nil {
		t.Errorf("Resolve = %+v", got)
	}
	last := up.Commit("two", vcstest.Files{"-dash": "dasher\n", "css": "", "config.php": next["config.php"]})
	got := resolve(t, wc, "")
	want := []vcs.Change{
		{Path: "-dash", Op: vcs.Changed}, {Path: "config.php", Op: vcs.Changed}, {Path: "css/site.css", Op: vcs.Deleted},
	}
	if d := cmp.Diff(want, got.Changes); d != "" {
		t.Error(d) // index.html, newer than the rest, is not among them
	}
	update(t, wc, "", "2")
	if got := revision(t, wc); got.Mixed != "" || got.ID != last {
		t.Errorf("Revision = %+v", got)
	}
	// Back to the lowest of its revisions, which a stamped file is above.
	up.Run(dir, "update", "--quiet", "-r", "2", "index.html")
	update(t, wc, "2", "1")
	if got := vcstest.Snapshot(t, dir); got["config.php"] != stampText(site["config.php"], "1") {
		t.Errorf("config.php = %q", got["config.php"])
	}
	update(t, wc, last, "2")
	up.Run(dir, "switch", "--quiet", "--ignore-ancestry", up.URL+"/trunk/bin", "img")
	if got := revision(t, wc); got.Mixed != last+"S" {
		t.Errorf("Revision = %+v", got)
	}
}

// TestSvnMerges has own edits meet what svn does to a file: keywords, line
// endings, equal files, a deletion.
func TestSvnMerges(t *testing.T) {
	t.Parallel()
	up := vcstest.NewSvn(t)
	old := "<?php // $Rev$\n$name = 'a';\n$rev = '0';\n"
	crlf := strings.ReplaceAll(old, "\n", "\r\n")
	files := vcstest.Files{
		"config.php": old, "crlf/config.php": crlf, "a/config.php": "<?php $rev = '0';\n", "b/config.php": "<?php $rev = '0';\n",
		"gone/config.php": old, "same/config.php": old,
	}
	up.Commit("one", files)
	for _, path := range []string{"config.php", "crlf/config.php"} {
		up.Run(up.WC, "propset", "--quiet", "svn:keywords", "Rev", path)
	}
	up.Run(up.WC, "propset", "--quiet", "svn:eol-style", "CRLF", "crlf/config.php")
	up.Commit("properties", nil)
	dir := up.Checkout("")
	for path := range files {
		stamp(t, dir, path, "1")
	}
	wc := open(t, dir, vcs.Options{})
	if got := revision(t, wc); got.Modified != nil {
		t.Fatalf("Modified = %q", got.Modified)
	}
	up.Commit("two", vcstest.Files{
		"config.php":      strings.ReplaceAll(old, "'a'", "'b'"),
		"crlf/config.php": strings.ReplaceAll(crlf, "'a'", "'b'"),
		"a/config.php":    "<?php $rev = '00'; // new\n",
		"b/config.php":    "<?php $rev = '00'; // new\n",
		"gone/config.php": "",
	})
	update(t, wc, "", "2")
	want := vcstest.Files{
		"config.php":      "<?php // $Rev: 4 $\n$name = 'b';\n$rev = '2';\n",
		"crlf/config.php": "<?php // $Rev: 4 $\r\n$name = 'b';\r\n$rev = '2';\r\n",
		"a/config.php":    "<?php $rev = '2'; // new\n",
		"b/config.php":    "<?php $rev = '2'; // new\n",
		"same/config.php": "<?php // $Rev$\n$name = 'a';\n$rev = '1';\n",
	}
	if d := cmp.Diff(want, vcstest.Snapshot(t, dir)); d != "" {
		t.Error(d)
	}
	if got := revision(t, wc); got.ID != "4" || got.Modified != nil || got.Mixed != "" {
		t.Errorf("Revision = %+v", got)
	}
}

// TestSvnAlreadyThere lets an added file stay that is what the update brings.
func TestSvnAlreadyThere(t *testing.T) {
	t.Parallel()
	up := vcstest.NewSvn(t)
	up.Commit("one", svnFiles(site))
	dir := up.Checkout("")
	up.Commit("two", vcstest.Files{"sub/a": "a\n", "sub/config.php": site["config.php"]})
	vcstest.Write(t, dir, "sub/a", "a\n")
	vcstest.Write(t, dir, "sub/config.php", stampText(site["config.php"], "2"))
	wc := open(t, dir, vcs.Options{})
	update(t, wc, "", "2")
	if got := revision(t, wc); got.ID != "3" || got.Modified != nil {
		t.Errorf("Revision = %+v", got)
	}
}

// TestSvnEditedMeanwhile has somebody edit a file after it was judged: svn must
// not merge that by itself.
func TestSvnEditedMeanwhile(t *testing.T) {
	t.Parallel()
	up, dir := svnSite(t)
	wc := open(t, dir, vcs.Options{})
	target := resolve(t, wc, "")
	edit := stampEdit("2")
	err := wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Write: put(dir, 0),
		Edit: func(path string, content []byte) ([]byte, error) {
			vcstest.Write(t, dir, "index.html", "mine\n")
			return edit(path, content)
		}})
	var interrupted *vcs.InterruptedError
	if !errors.As(err, &interrupted) {
		t.Errorf("Update: %v", err)
	}
	if got := vcstest.Snapshot(t, dir)["index.html"]; got != "mine\n" {
		t.Errorf("index.html = %q", got)
	}
	vcstest.Write(t, dir, "index.html", site["index.html"])
	resumed(t, dir, "3", "2", vcs.Options{}, released(t, up.WC, "2"))
}

func TestSvnBinary(t *testing.T) {
	t.Parallel()
	up := vcstest.NewSvn(t)
	up.Commit("one", svnFiles(site))
	up.Run(up.WC, "propset", "--quiet", "svn:mime-type", "application/x-php", "config.php")
	up.Commit("binary", nil)
	dir := up.Checkout("")
	stamp(t, dir, "config.php", "1")
	up.Commit("two", svnFiles(next))
	wc := open(t, dir, vcs.Options{})
	target := resolve(t, wc, "")
	before := vcstest.Snapshot(t, dir)
	err := wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, 0)})
	var unsupported *vcs.UnsupportedError
	if !errors.As(err, &unsupported) || !strings.Contains(unsupported.Feature, "svn:mime-type") {
		t.Errorf("Update: %v", err)
	}
	if d := cmp.Diff(before, vcstest.Snapshot(t, dir)); d != "" {
		t.Error(d)
	}
}

// TestSvnUnreachable keeps what is known without a server.
func TestSvnUnreachable(t *testing.T) {
	t.Parallel()
	up, dir := svnSite(t)
	if err := os.Rename(up.Dir, up.Dir+".away"); err != nil {
		t.Fatal(err)
	}
	wc := open(t, dir, vcs.Options{})
	if got := revision(t, wc); got.ID != "2" {
		t.Errorf("Revision = %+v", got)
	}
	var failed *vcs.ClientError
	if _, err := wc.Resolve(t.Context(), "", stampOwn); !errors.As(err, &failed) || failed.Status != 1 || !strings.Contains(failed.Stderr, "E170013") {
		t.Errorf("Resolve: %v", err)
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
