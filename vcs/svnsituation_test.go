package vcs_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// svnSituations spoil a working copy at revision 3 of svnHistory's trunk in one
// way each. clean is how svnversion must go on to call it, so that the table
// itself is known to do what it says.
var svnSituations = []struct {
	name  string
	clean string // what svnversion says
	spoil func(t *testing.T, s svnSpoiler)
}{
	{"clean", "3", func(t *testing.T, s svnSpoiler) {}},
	{"modified", "3M", func(t *testing.T, s svnSpoiler) { s.write("a", "mine\n") }},
	{"same size and time", "3", func(t *testing.T, s svnSpoiler) {
		// svn trusts size and time, as its manual says; this is its answer.
		info, _ := os.Stat(s.file("a"))
		os.WriteFile(s.file("a"), []byte("x\n"), 0o644)
		os.Chtimes(s.file("a"), info.ModTime(), info.ModTime())
	}},
	{"touched", "3", func(t *testing.T, s svnSpoiler) { s.write("a", "a\n") }},
	{"mode only", "3", func(t *testing.T, s svnSpoiler) { os.Chmod(s.file("a"), 0o755) }},
	{"added", "3M", func(t *testing.T, s svnSpoiler) { s.write("new/file", "x"); s.svn("add", "new") }},
	{"deleted", "3M", func(t *testing.T, s svnSpoiler) { s.svn("delete", "a") }},
	{"deleted directory", "3M", func(t *testing.T, s svnSpoiler) { s.svn("delete", "dir") }},
	{"deleted, kept on disk", "3M", func(t *testing.T, s svnSpoiler) { s.svn("delete", "--keep-local", "a") }},
	{"missing", "3M", func(t *testing.T, s svnSpoiler) { os.Remove(s.file("with space é-x@1")) }},
	{"missing directory", "3M", func(t *testing.T, s svnSpoiler) { os.RemoveAll(s.file("dir")) }},
	{"untracked", "3", func(t *testing.T, s svnSpoiler) { s.write("mine/x", "x") }},
	{"ignored", "3M", func(t *testing.T, s svnSpoiler) { s.svn("propset", "svn:ignore", "*.o", "."); s.write("x.o", "x") }},
	{"property", "3M", func(t *testing.T, s svnSpoiler) { s.svn("propset", "mine", "x", "a") }},
	{"text and property", "3M", func(t *testing.T, s svnSpoiler) { s.svn("propset", "mine", "x", "a"); s.write("a", "mine\n") }},
	{"copied", "3M", func(t *testing.T, s svnSpoiler) { s.svn("copy", "a", "a2") }},
	{"copied directory", "3M", func(t *testing.T, s svnSpoiler) { s.svn("copy", "dir", "dir2") }},
	{"moved", "3M", func(t *testing.T, s svnSpoiler) { s.svn("move", "a", "a2") }},
	{"replaced", "3M", func(t *testing.T, s svnSpoiler) { s.svn("delete", "a"); s.write("a", "x"); s.svn("add", "a") }},
	{"replaced by a copy", "3M", func(t *testing.T, s svnSpoiler) { s.svn("delete", "a"); s.svn("copy", "b", "a") }},
	{"obstructed file", "3M", func(t *testing.T, s svnSpoiler) { os.Remove(s.file("a")); s.write("a/x", "x") }},
	{"obstructed directory", "3M", func(t *testing.T, s svnSpoiler) { os.RemoveAll(s.file("dir")); s.write("dir", "x") }},
	{"link becomes file", "3M", func(t *testing.T, s svnSpoiler) { os.Remove(s.file("link")); s.write("link", "x") }},
	{"other link", "3M", func(t *testing.T, s svnSpoiler) { os.Remove(s.file("link")); s.write("link", "-> b") }},
	{"changelist", "3", func(t *testing.T, s svnSpoiler) { s.svn("changelist", "mine", "a") }},
	{"changelist, modified", "3M", func(t *testing.T, s svnSpoiler) { s.svn("changelist", "mine", "a"); s.write("a", "x") }},
	{"native line endings", "3", func(t *testing.T, s svnSpoiler) { s.write("native", "one\r\ntwo\r\n") }},
	{"keywords gone", "3", func(t *testing.T, s svnSpoiler) { s.write("keys", "$Rev$ $Author$ $Date$ $URL$\n") }},
	{"svn:needs-lock and modified", "3M", func(t *testing.T, s svnSpoiler) { s.write("b", "mine\n") }},
	{"mixed by an update", "3:4", func(t *testing.T, s svnSpoiler) { s.svn("update", "-r", "4", "dir") }},
	{"mixed and modified", "2:3M", func(t *testing.T, s svnSpoiler) { s.svn("update", "-r", "2", "a"); s.write("b", "x\n") }},
	{"switched directory", "3S", func(t *testing.T, s svnSpoiler) {
		s.svn("switch", "--ignore-ancestry", s.up.URL+"/trunk/bin@3", "dir")
	}},
	{"switched file", "3S", func(t *testing.T, s svnSpoiler) {
		s.svn("switch", "--ignore-ancestry", s.up.URL+"/trunk/b@3", "a")
	}},
	{"switched and modified", "3MS", func(t *testing.T, s svnSpoiler) {
		s.svn("switch", "--ignore-ancestry", s.up.URL+"/trunk/bin@3", "dir")
		s.write("dir/run", "x")
	}},
	{"depth files", "3P", func(t *testing.T, s svnSpoiler) { s.svn("update", "-r", "3", "--set-depth", "files") }},
	{"depth empty", "3P", func(t *testing.T, s svnSpoiler) { s.svn("update", "-r", "3", "--set-depth", "empty", "dir") }},
	{"excluded directory", "3P", func(t *testing.T, s svnSpoiler) { s.svn("update", "--set-depth", "exclude", "dir") }},
	{"excluded file, modified", "3MP", func(t *testing.T, s svnSpoiler) {
		s.svn("update", "--set-depth", "exclude", "a")
		s.write("b", "x\n")
	}},
	{"text conflict", "4M", func(t *testing.T, s svnSpoiler) { s.write("a", "mine\n"); s.update("4") }},
	{"property conflict", "3M", func(t *testing.T, s svnSpoiler) {
		s.update("2")
		s.svn("propset", "svn:keywords", "Id", "keys")
		s.update("3")
	}},
	{"tree conflict", "4M", func(t *testing.T, s svnSpoiler) { s.write("dir/sub/d", "mine\n"); s.update("4") }},
	{"untracked in the way of an update", "4M", func(t *testing.T, s svnSpoiler) { s.write("dir/new", "mine\n"); s.update("4") }},
	{"relocated", "3", func(t *testing.T, s svnSpoiler) { s.svn("relocate", s.up.Serve()+"/trunk") }},
	{"locked file", "3", func(t *testing.T, s svnSpoiler) { s.svn("lock", "b") }},
}

// utf8 is a locale for names beyond ASCII.
var utf8 = []string{"LC_ALL=C.UTF-8"}

// svnSpoiler is one working copy to spoil.
type svnSpoiler struct {
	t   *testing.T
	up  *vcstest.Svn
	dir string
}

func (s svnSpoiler) file(path string) string    { return filepath.Join(s.dir, path) }
func (s svnSpoiler) write(path, content string) { vcstest.Write(s.t, s.dir, path, content) }
func (s svnSpoiler) update(rev string) {
	s.svn("update", "-r", rev, "--accept", "postpone")
}
func (s svnSpoiler) svn(args ...string) {
	s.t.Helper()
	vcstest.Run(s.t, s.dir, utf8, "svn", append(args, "--non-interactive")...)
}

// TestSvnSituations compares what is told of a working copy with svnversion,
// `svn status` and `svn info`, all of them in text.
func TestSvnSituations(t *testing.T) {
	t.Parallel()
	up := svnHistory(t)
	origin := up.Checkout("", "-r", "3")
	for i, s := range svnSituations {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "copy")
			vcstest.Run(t, "", nil, "cp", "-a", origin, dir)
			s.spoil(t, svnSpoiler{t, up, dir})
			if got := vcstest.Version(t, dir); got != s.clean {
				t.Errorf("svnversion = %q, want %q", got, s.clean)
			}
			if kind, _, ok := strings.Cut(s.name, " conflict"); ok {
				status := strings.ToLower(up.Run(dir, "status"))
				if !strings.Contains(status, "summary of conflicts:\n  "+kind+" conflicts: 1") {
					t.Errorf("no %s conflict: %s", kind, status)
				}
			}
			equalsSvn(t, up, dir, testing.Short(), i%2 == 0)
		})
	}
}

// equalsSvn holds all that is told against svn's own answers; in short one of
// the two lists of files, which come from one reader.
func equalsSvn(t *testing.T, up *vcstest.Svn, dir string, short, even bool) {
	t.Helper()
	wc := open(t, dir, vcs.Options{})
	got, err := wc.Revision(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	version, info := vcstest.Version(t, dir), svnInfo(up, dir)
	text := got.Mixed
	if text == "" {
		text = got.ID + strings.Repeat("M", min(1, len(got.Modified)))
	}
	if text != version {
		t.Errorf("Revision = %+v, svnversion = %q", got, version)
	}
	top := info["."]
	if got.URL != top["URL"] || "^/"+got.Branch != top["Relative URL"] || got.Author != top["Last Changed Author"] {
		t.Errorf("Revision = %+v, svn info = %q", got, top)
	}
	if last, err := vcstest.Try(dir, utf8, "svnversion", "-c", "-n"); err != nil || !strings.HasSuffix(strings.TrimRight(last, "MSP"), fmt.Sprint(got.LastChanged)) {
		t.Errorf("LastChanged = %d, svnversion -c = %q, %v", got.LastChanged, last, err)
	}
	if d := cmp.Diff(svnModified(up, dir), got.Modified); d != "" {
		t.Errorf("Modified: %s", d)
	}
	changed, sums := make(map[string]string), make(map[string]string)
	for path, i := range info {
		if i["Node Kind"] == "file" && i["Schedule"] != "add" && i["Schedule"] != "replace" && i["Depth"] != "exclude" {
			changed[path], sums[path] = i["Last Changed Rev"], i["Checksum"]
		}
	}
	if !short || even {
		all, err := wc.LastChanged(t.Context(), "")
		if d := cmp.Diff(changed, all); d != "" || err != nil {
			t.Errorf("LastChanged: %v %s", err, d)
		}
	}
	if !short || !even {
		all, err := wc.ContentIDs(t.Context())
		if d := cmp.Diff(sums, all); d != "" || err != nil {
			t.Errorf("ContentIDs: %v %s", err, d)
		}
	}
}

// svnInfo is `svn info -R`: paragraphs of lines.
func svnInfo(up *vcstest.Svn, dir string) map[string]map[string]string {
	all := make(map[string]map[string]string)
	for paragraph := range strings.SplitSeq(up.Run(dir, "info", "-R"), "\n\n") {
		i := make(map[string]string)
		for line := range strings.SplitSeq(paragraph, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok && i[name] == "" {
				i[name] = value
			}
		}
		if i["Path"] != "" {
			all[i["Path"]] = i
		}
	}
	return all
}

// svnModified is what the columns of `svn status` say.
func svnModified(up *vcstest.Svn, dir string) []string {
	var paths []string
	for line := range strings.SplitSeq(up.Run(dir, "status"), "\n") {
		if len(line) < 9 || line[7] != ' ' || strings.HasPrefix(line, "      >") || strings.HasPrefix(line, "  ") && line[6] != 'C' {
			continue // explanations
		}
		if strings.ContainsRune("MADRC!~", rune(line[0])) || strings.ContainsRune("MC", rune(line[1])) || line[6] == 'C' {
			paths = append(paths, line[8:])
		}
	}
	slices.Sort(paths)
	return paths
}

// TestSvnIncomplete has a checkout whose connection ends in the middle of a file:
// svnversion calls what is there clean.
func TestSvnIncomplete(t *testing.T) {
	t.Parallel()
	up := vcstest.NewSvn(t)
	up.Commit("one", vcstest.Files{"a/small": "x\n", "b/large": noise(1 << 20), "c/small": "x\n"})
	dir := filepath.Join(t.TempDir(), "copy")
	url := cutOff(t, strings.TrimPrefix(up.Serve(), "svn://"), 300_000)
	if out, err := vcstest.Try("", nil, "svn", "checkout", "--quiet", "--non-interactive", url+"/trunk", dir); err == nil {
		t.Fatalf("the checkout was not cut off: %s", out)
	}
	if got := vcstest.Version(t, dir); got != "2" {
		t.Fatalf("svnversion = %q", got)
	}
	wc := open(t, dir, vcs.Options{})
	for name, call := range map[string]func() error{
		"Revision":    func() error { _, err := wc.Revision(t.Context(), nil); return err },
		"LastChanged": func() error { _, err := wc.LastChanged(t.Context(), ""); return err },
		"ContentIDs":  func() error { _, err := wc.ContentIDs(t.Context()); return err },
		"Export":      func() error { return wc.Export(t.Context(), "", filepath.Join(t.TempDir(), "x")) },
	} {
		var locked *vcs.LockedError
		if err := call(); !errors.As(err, &locked) || !locked.Interrupted {
			t.Errorf("%s: %v", name, err)
		}
	}
	up.Run(dir, "relocate", up.Serve()+"/trunk")
	resumed(t, dir, "2", "", vcs.Options{}, vcstest.Snapshot(t, up.WC))
}

// noise does not compress.
func noise(n int) string {
	b, x := make([]byte, n), uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return string(b)
}

// cutOff serves what a server does, of whose answers n bytes pass.
func cutOff(t *testing.T, server string, n int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		upstream, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		asked := make(chan struct{})
		go func() { defer close(asked); io.Copy(upstream, client) }()
		io.CopyN(client, upstream, n)
		client.Close()
		upstream.Close()
		<-asked
	}()
	return "svn://" + l.Addr().String()
}

// TestSvnForeignLock has a svn that was killed while it merged: nothing of ours
// cleans up after somebody else.
func TestSvnForeignLock(t *testing.T) {
	t.Parallel()
	up, dir := svnSite(t)
	killer := filepath.Join(t.TempDir(), "merge")
	vcstest.Write(t, filepath.Dir(killer), "merge", "#!/bin/sh\nkill -9 $PPID\n")
	if out, err := vcstest.Try(dir, utf8, "svn", "update", "--non-interactive", "--diff3-cmd", killer); err == nil {
		t.Fatalf("svn was not killed: %s", out)
	}
	wc := open(t, dir, vcs.Options{})
	target := resolve(t, wc, "")
	u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, never)}
	for range 2 {
		var locked *vcs.LockedError
		if _, err := wc.Revision(t.Context(), stampOwn); !errors.As(err, &locked) || !locked.Interrupted {
			t.Errorf("Revision: %v", err)
		}
		if err := wc.Update(t.Context(), target, u); !errors.As(err, &locked) || !locked.Interrupted {
			t.Errorf("Update: %v", err)
		}
	}
	resumed(t, dir, "3", "2", vcs.Options{}, released(t, up.WC, "2"))
}

// TestSvnFormat has a working copy of another version of Subversion, whose
// number SQLite keeps at byte 60 of a database
// (https://www.sqlite.org/fileformat.html#user_version_number).
func TestSvnFormat(t *testing.T) {
	t.Parallel()
	_, dir := svnSite(t)
	wc := open(t, dir, vcs.Options{})
	for version, feature := range map[byte]string{99: "newer", 29: "older", 12: "older"} {
		db, err := os.OpenFile(filepath.Join(dir, ".svn", "wc.db"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.WriteAt([]byte{0, 0, 0, version}, 60); err != nil {
			t.Fatal(err)
		}
		db.Close()
		var unsupported *vcs.UnsupportedError
		if got, err := wc.Revision(t.Context(), nil); !errors.As(err, &unsupported) || !strings.Contains(unsupported.Feature, feature) {
			t.Errorf("format %d: Revision = %+v, %v", version, got, err)
		}
	}
}

// TestSvnBusy holds SQLite's lock on the database, as another svn does while it
// writes (https://www.sqlite.org/lockingv3.html, os.h: the lock bytes begin at
// 1 GiB). svn waits ten seconds for it.
func TestSvnBusy(t *testing.T) {
	t.Parallel()
	_, dir := svnSite(t)
	db, err := os.OpenFile(filepath.Join(dir, ".svn", "wc.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 1 << 30, Len: 512}
	if err := syscall.FcntlFlock(db.Fd(), syscall.F_SETLK, &lock); err != nil {
		t.Fatal(err)
	}
	var locked *vcs.LockedError
	if _, err := open(t, dir, vcs.Options{}).Revision(t.Context(), nil); !errors.As(err, &locked) || locked.Interrupted {
		t.Errorf("Revision: %v", err)
	}
}
