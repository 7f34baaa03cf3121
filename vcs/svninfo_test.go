package vcs_test

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

var (
	svnMade     sync.Mutex
	svnOriginal *vcstest.Svn
)

// svnHistory is a repository of seven revisions with what svn does to a file:
// keywords, line endings, links, executables, odd names. It is made once, in the
// home directory of all tests, and copied for each.
func svnHistory(t *testing.T) *vcstest.Svn {
	t.Helper()
	svnMade.Lock()
	defer svnMade.Unlock()
	if svnOriginal == nil {
		root, err := os.MkdirTemp(os.Getenv("HOME"), "history-")
		if err != nil {
			t.Fatal(err)
		}
		svnOriginal = makeHistory(t, root)
	}
	return svnOriginal.Clone(t)
}

func makeHistory(t *testing.T, root string) *vcstest.Svn {
	t.Helper()
	up := vcstest.NewSvnIn(t, root)
	up.Commit("files", vcstest.Files{
		"a": "a\n", "b": "b\n", "dir/c": "c\n", "dir/sub/d": "d\n", "bin/run": "#!/bin/sh\n", "link": "-> a",
		"keys": "$Rev$ $Author$ $Date$ $URL$\n", "crlf": "one\r\ntwo\r\n", "native": "one\ntwo\n", "binary": "\x00\xff",
		"with space é-x@1": "odd\n", "-dash": "-\n", "a&b(c)'d%41+!~": "odder\n", "@": "at\n", "x@2": "peg\n",
	})
	up.Run(up.WC, "propset", "--quiet", "svn:keywords", "Rev Author Date URL", "keys")
	up.Run(up.WC, "propset", "--quiet", "svn:eol-style", "CRLF", "crlf")
	up.Run(up.WC, "propset", "--quiet", "svn:eol-style", "native", "native")
	up.Run(up.WC, "propset", "--quiet", "svn:needs-lock", "yes", "b")
	up.Commit("properties", nil)
	up.Commit("changes", vcstest.Files{"a": "a2\n", "dir/sub/d": "", "dir/new": "new\n", "link": "-> b", "x@2": "peg2\n"})
	up.Run(up.WC, "propset", "--quiet", "svn:executable", "yes", "dir/c")
	up.Run(up.WC, "copy", "--quiet", "dir", "copied")
	up.Run(up.WC, "move", "--quiet", "bin/run", "bin/ran")
	up.Commit("copies", vcstest.Files{"copied/c": "c2\n"})
	up.Commit("a file becomes a directory: gone", vcstest.Files{"dir/new": ""})
	up.Commit("and back", vcstest.Files{"dir/new/er": "newer\n", "keys": "$Rev$ here\n"})
	return up
}

// tree is every file below dir with its content and permissions.
func svnTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for path, content := range vcstest.Snapshot(t, dir) {
		info, err := os.Lstat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		all[path] = info.Mode().String() + " " + content
	}
	return all
}

// TestSvnChanges compares each pair of revisions, and each with what is on disk,
// with checkouts of the two.
func TestSvnChanges(t *testing.T) {
	t.Parallel()
	up := svnHistory(t)
	dir := up.Checkout("", "-r", "4")
	up.Run(dir, "update", "--quiet", "-r", "6", "dir")
	up.Run(dir, "update", "--quiet", "-r", "2", "keys")
	trees := map[string]map[string]string{"": svnTree(t, dir)}
	for _, rev := range []string{"1", "2", "4", "7", "HEAD"} {
		trees[rev] = svnTree(t, up.Checkout("", "-r", rev))
	}
	vcstest.Write(t, dir, "a", "mine\n")
	up.Run(dir, "delete", "--quiet", "dir/c", "bin")
	vcstest.Write(t, dir, "x@2", "mine\n")
	vcstest.Write(t, dir, "added", "mine\n")
	up.Run(dir, "add", "--quiet", "added")
	wc := open(t, dir, vcs.Options{})
	for from, before := range trees {
		for to, after := range trees {
			if testing.Short() && from != "" && to != "" && from+to != "27" {
				continue
			}
			want := difference(before, after)
			delete(want, "keys") // differs on disk by what svn expands
			changes, err := wc.Changes(t.Context(), from, to)
			if err != nil {
				t.Fatalf("Changes(%q, %q): %v", from, to, err)
			}
			got := ops(changes)
			delete(got, "keys")
			// Properties that leave the file as it is are a change too.
			for _, path := range []string{"crlf", "native", "b"} {
				if got[path] == vcs.Changed {
					delete(got, path)
					delete(want, path)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("Changes(%q, %q): %s", from, to, d)
			}
			if !slices.IsSortedFunc(changes, func(a, b vcs.Change) int { return strings.Compare(a.Path, b.Path) }) {
				t.Errorf("Changes(%q, %q) is not sorted", from, to)
			}
		}
	}
	for _, pair := range [][2]string{{"2", "99"}, {"r99", ""}, {"", "x"}, {"--x", ""}, {"2:3", "4"}} {
		var unknown *vcs.UnknownRevisionError
		if got, err := wc.Changes(t.Context(), pair[0], pair[1]); !errors.As(err, &unknown) {
			t.Errorf("Changes(%q) = %v, %v", pair, got, err)
		}
	}
}

// svnTold is what svn itself says of each file, one after the other: the log of
// each, and the sum of what the repository has.
func svnTold(t *testing.T, up *vcstest.Svn, dir string, files map[string]string) (changed, sums map[string]string) {
	t.Helper()
	changed, sums = make(map[string]string), make(map[string]string)
	for path, rev := range files {
		log := up.Run(dir, "log", "--quiet", "--limit", "1", "-r", "BASE:1", "./"+path+"@")
		changed[path] = strings.TrimPrefix(strings.Fields(strings.SplitN(log, "\n", 3)[1])[0], "r")
		text, err := vcstest.Try("", []string{"LC_ALL=C.UTF-8"}, "svnlook", "cat", "-r", rev, up.Dir, "trunk/"+path)
		if err != nil {
			t.Fatal(err, text)
		}
		sums[path] = fmt.Sprintf("%x", sha1.Sum([]byte(text)))
	}
	return changed, sums
}

// TestSvnEveryFile compares what is told of every file, in a mixed working copy
// with local changes.
func TestSvnEveryFile(t *testing.T) {
	t.Parallel()
	up := svnHistory(t)
	dir := up.Checkout("")
	revisions := make(map[string]string)
	for path := range vcstest.Snapshot(t, dir) {
		revisions[path] = "7"
	}
	for _, path := range []string{"a", "with space é-x@1", "x@2"} {
		up.Run(dir, "update", "--quiet", "-r", "3", "./"+path+"@")
		revisions[path] = "3"
	}
	changed, sums := svnTold(t, up, dir, revisions)

	vcstest.Write(t, dir, "b", "mine\n")
	os.Remove(filepath.Join(dir, "native"))
	up.Run(dir, "delete", "--quiet", "crlf", "copied")
	up.Run(dir, "copy", "--quiet", "a", "copy")
	up.Run(dir, "propset", "--quiet", "mine", "x", "@@")
	vcstest.Write(t, dir, "added", "mine\n")
	up.Run(dir, "add", "--quiet", "added")
	vcstest.Write(t, dir, "untracked", "mine\n")
	up.Run(dir, "changelist", "--quiet", "mine", "./-dash")

	wc := open(t, dir, vcs.Options{})
	got, err := wc.LastChanged(t.Context(), "")
	if d := cmp.Diff(changed, got); d != "" || err != nil {
		t.Errorf("LastChanged: %v %s", err, d)
	}
	got, err = wc.ContentIDs(t.Context())
	if d := cmp.Diff(sums, got); d != "" || err != nil {
		t.Errorf("ContentIDs: %v %s", err, d)
	}
	if n, err := wc.Count(t.Context()); n != 7 || err != nil || vcstest.Version(t, dir) != "3:7M" {
		t.Errorf("Count = %d, %v; svnversion = %q", n, err, vcstest.Version(t, dir))
	}
}

// TestSvnExport compares exports with fresh checkouts; of what is on disk, with
// that of a working copy before somebody changed it, and with no server.
func TestSvnExport(t *testing.T) {
	t.Parallel()
	up := svnHistory(t)
	dir := up.Checkout("", "-r", "4")
	up.Run(dir, "update", "--quiet", "-r", "7", "dir")
	wc := open(t, dir, vcs.Options{})
	mixed := svnTree(t, dir)
	vcstest.Write(t, dir, "a", "mine\n")
	up.Run(dir, "delete", "--quiet", "crlf")
	vcstest.Write(t, dir, "added", "mine\n")
	up.Run(dir, "add", "--quiet", "added")
	os.Remove(filepath.Join(dir, "keys"))
	for _, rev := range []string{"2", "r3", "HEAD"} {
		to := filepath.Join(t.TempDir(), "new/export @ 3@")
		if err := wc.Export(t.Context(), rev, to); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(writable(svnTree(t, up.Checkout("", "-r", rev))), writable(svnTree(t, to))); d != "" {
			t.Errorf("Export(%q): %s", rev, d)
		}
	}
	if err := os.Rename(up.Dir, up.Dir+".away"); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir() // exists, and is empty
	if err := wc.Export(t.Context(), "", to); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(writable(mixed), writable(svnTree(t, to))); d != "" {
		t.Error(d)
	}
	before := svnTree(t, to)
	if err := wc.Export(t.Context(), "", to); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("Export to what is not empty: %v", err)
	}
	file := filepath.Join(to, slices.Sorted(maps.Keys(before))[0])
	if err := wc.Export(t.Context(), "", file); err == nil {
		t.Error("Export to a file")
	}
	if d := cmp.Diff(before, svnTree(t, to)); d != "" {
		t.Error(d)
	}
	for _, rev := range []string{"x", "--force", "99999999999999999999"} {
		var unknown *vcs.UnknownRevisionError
		to := filepath.Join(t.TempDir(), "none")
		if err := wc.Export(t.Context(), rev, to); !errors.As(err, &unknown) {
			t.Errorf("Export(%q): %v", rev, err)
		}
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Export(%q) left %v", rev, err)
		}
	}
}

// writable is a tree whose files may all be written: svn:needs-lock takes that
// from those of a working copy, where locks are.
func writable(files map[string]string) map[string]string {
	for path, text := range files {
		if rest, ok := strings.CutPrefix(text, "-r--"); ok {
			files[path] = "-rw-" + rest
		}
	}
	return files
}

// TestSvnExternals takes externals along where they are pinned, leaves them as
// they are in updates, and refuses what moves them.
func TestSvnExternals(t *testing.T) {
	t.Parallel()
	up := vcstest.NewSvn(t)
	up.Commit("one", vcstest.Files{"a": "a\n", "lib/x": "x\n", "site/dir (1)/b": "b\n", "site/config.php": site["config.php"]}) // 2
	up.Commit("two", vcstest.Files{"lib/x": "x2\n", "site/config.php": "<?php\n$rev = '0'; // new\n"})                          // 3
	set := func(value string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "value")
		if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
		up.Run(up.WC, "update", "--quiet")
		up.Run(up.WC, "propset", "--quiet", "svn:externals", "-F", file, "site/dir (1)")
		up.Run(up.WC, "commit", "--quiet", "-m", "externals")
	}
	set("# two of them\n-r 2 ^/trunk/lib lib\n^/trunk/a@3 a\n\n") // 4
	up.Commit("five", vcstest.Files{"site/dir (1)/b": "b5\n"})    // 5
	dir := filepath.Join(t.TempDir(), "copy")
	up.Run("", "checkout", "--quiet", "-r", "4", up.URL+"/trunk/site", dir)
	stamp(t, dir, "config.php", "1")
	wc := open(t, dir, vcs.Options{})
	want := svnTree(t, dir)
	if _, ok := want["dir (1)/lib/x"]; !ok || want["dir (1)/a"] == "" {
		t.Fatalf("no externals in %q", want)
	}
	if got := revision(t, wc); got.ID != "4" || got.Mixed != "" || got.Modified != nil {
		t.Errorf("Revision = %+v", got)
	}
	update(t, wc, "5", "1")
	want["dir (1)/b"] = strings.ReplaceAll(want["dir (1)/b"], "b\n", "b5\n")
	if d := cmp.Diff(want, svnTree(t, dir)); d != "" {
		t.Error(d)
	}
	files, err := wc.ContentIDs(t.Context())
	if got := slices.Sorted(maps.Keys(files)); err != nil || !slices.Equal(got, []string{"config.php", "dir (1)/b"}) {
		t.Errorf("ContentIDs = %q, %v", got, err)
	}
	for _, rev := range []string{"", "5"} {
		to := t.TempDir()
		if err := wc.Export(t.Context(), rev, to); err != nil {
			t.Fatal(err)
		}
		exported := svnTree(t, to)
		exported["config.php"] = want["config.php"] // which is stamped
		if d := cmp.Diff(want, exported); d != "" {
			t.Errorf("Export(%q): %s", rev, d)
		}
	}

	// What is inside of an external is live, too.
	vcstest.Write(t, dir, "dir (1)/lib/x", "mine\n")
	if got := revision(t, wc).Modified; !slices.Equal(got, []string{"dir (1)/lib/x"}) {
		t.Errorf("Modified = %q", got)
	}
	up.Run(dir, "revert", "--quiet", "dir (1)/lib/x")

	refused := func(feature string) {
		t.Helper()
		var unsupported *vcs.UnsupportedError
		if got, err := wc.Resolve(t.Context(), "", stampOwn); !errors.As(err, &unsupported) || !strings.Contains(unsupported.Feature, feature) {
			t.Errorf("Resolve = %+v, %v", got, err)
		}
	}
	set("-r 3 ^/trunk/lib lib\n^/trunk/a@3 a\n") // 6
	refused("a change of svn:externals, on dir (1)")
	set("^/trunk/lib lib\n") // 7
	up.Run(dir, "update", "--quiet")
	refused("svn:externals without a revision, on dir (1) (^/trunk/lib lib)")
	var unsupported *vcs.UnsupportedError
	if err := wc.Export(t.Context(), "7", filepath.Join(t.TempDir(), "x")); !errors.As(err, &unsupported) {
		t.Errorf("Export: %v", err)
	}
	if got := revision(t, wc); got.ID != "7" || got.Modified != nil {
		t.Errorf("Revision = %+v", got)
	}
	up.Run(up.WC, "propdel", "--quiet", "-R", "svn:externals")
	up.Commit("none", nil)
	up.Run(dir, "update", "--quiet", "-r", "5")
	refused("a change of svn:externals, on dir (1)")
	up.Run(dir, "update", "--quiet")
	resolve(t, wc, "")
}

// FuzzSvnInfo reads what is no XML of svn, and XML that svn would not write.
func FuzzSvnInfo(f *testing.F) {
	f.Add(`<?xml version="1.0"?><info><entry kind="file" path="a&amp;b"><wc-info><schedule>normal</schedule>` +
		`<checksum>3f78</checksum></wc-info><commit revision="4"><author>x</author></commit></entry></info>`)
	f.Add(`<info><entry path="a"><checksum>`)
	f.Add("\xff<a")
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		err := vcs.ReadSvnInfo(strings.NewReader(text), func(path, kind, schedule, checksum, changed string) {
			n++
			if len(path)+len(kind)+len(schedule)+len(checksum)+len(changed) > 8*len(text) {
				t.Errorf("more came out than went in")
			}
		})
		if err == nil && n > strings.Count(text, "entry") {
			t.Errorf("%d entries in %q", n, text)
		}
	})
}
