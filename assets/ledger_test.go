package assets

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
)

var longAgo = time.Date(2020, 2, 3, 4, 5, 6, 7, time.UTC)

// put writes files below root, all of one age.
func put(t testing.TB, root string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
	}
}

// dirOf returns the files below root by name, with their content.
func dirOf(t testing.TB, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(root, name)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(files, LedgerName)
	delete(files, lockName)
	return files
}

// copySite is a site with every relation of assets.
func copySite(t testing.TB) (root string) {
	t.Helper()
	root = t.TempDir()
	put(t, root, sheets)
	put(t, root, map[string]string{"LICENSE": "free", ".git/HEAD": "x", "page.php": "<?php"})
	return root
}

// release writes the copies of the site in root to dir.
func release(t testing.TB, root, dir string) (l *Ledger, written []string) {
	t.Helper()
	l, err := OpenLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	site := &Site{FS: os.DirFS(root), Style: ByName, Written: l.Wrote}
	copies, err := site.Copies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if written, err = l.Write(t.Context(), copies); err != nil {
		t.Fatal(err)
	}
	return l, written
}

// wanted are the copies of a site, by name, as Rewrite and Version have them.
func wanted(t testing.TB, root string, wrote func(string) bool) map[string]string {
	t.Helper()
	files := dirOf(t, root)
	s := &Site{FS: os.DirFS(root), Style: ByName, Written: wrote}
	out := map[string]string{}
	for name, data := range files {
		ext := filepath.Ext(name)
		if wrote(name) || ext == "" || documents[ext] || strings.HasPrefix(name, ".") {
			continue
		}
		v, err := s.Version(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := KindOf(name); ok {
			r, err := s.Rewrite(Document{Name: name, Path: name}, []byte(data))
			if err != nil {
				t.Fatal(err)
			}
			data = string(r.Out)
		}
		out[strings.TrimSuffix(name, ext)+"."+v+ext] = data
	}
	return out
}

// TestWrite: each asset gets a copy with the content that visitors are to see and
// all else of the original; pages that are rewritten name it; and the second time
// there is nothing to do.
func TestWrite(t *testing.T) {
	t.Parallel()
	for _, beside := range []bool{true, false} {
		root := copySite(t)
		before := dirOf(t, root)
		dir := root
		if !beside {
			dir = filepath.Join(t.TempDir(), "made/out")
		}
		l, written := release(t, root, dir)
		want := wanted(t, root, l.Wrote)
		if d := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(slices.Values(written))); d != "" || len(want) != len(sheets)-1 {
			t.Errorf("written (-want +got):\n%s", d)
		}
		all := maps.Clone(want)
		if beside {
			maps.Copy(all, before)
		}
		if d := cmp.Diff(all, dirOf(t, dir)); d != "" {
			t.Errorf("files (-want +got):\n%s", d)
		}
		for name := range want {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode() != 0o640 || !info.ModTime().Equal(longAgo) {
				t.Errorf("%s: %v, %v", name, info, err)
			}
			if !l.Wrote(name) {
				t.Errorf("%s is not known", name)
			}
		}
		s := &Site{FS: os.DirFS(dir), Style: ByName, Written: l.Wrote}
		if beside {
			page := []byte(before["index.html"])
			r, err := s.Rewrite(Document{Name: "index.html", Path: "index.html"}, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, ref := range r.References {
				if name := fingerprinted(ref.Path, ref.New); want[name] == "" || !strings.Contains(string(r.Out), name) {
					t.Errorf("%s, which is no copy, in %s", name, r.Out)
				}
			}
		}
		ledger := readFile(t, filepath.Join(dir, LedgerName))
		if _, again := release(t, root, dir); len(again) > 0 || readFile(t, filepath.Join(dir, LedgerName)) != ledger {
			t.Errorf("the second time: %v\n%s", again, ledger)
		}
	}
}

// TestCopyOwner: a copy belongs to whom its original does.
func TestCopyOwner(t *testing.T) {
	t.Parallel()
	need.Root(t)
	dir := copySite(t)
	const uid, gid = 65534, 65533
	for name := range sheets {
		if err := os.Chown(filepath.Join(dir, name), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	_, written := release(t, dir, dir)
	for _, name := range written {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != uid || st.Gid != gid || info.Mode() != 0o640 {
			t.Errorf("%s belongs to %d:%d, %v", name, st.Uid, st.Gid, info.Mode())
		}
	}
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestRetention: copies stay for as many releases, or as long, as they are kept;
// with them go their variants. A set that was before is new again.
func TestRetention(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := filepath.Join(dir, "a.js")
	publish := func(content string, keep Retention) (names, removed []string) {
		put(t, dir, map[string]string{"a.js": content, "b.js": "b"})
		l, _ := release(t, dir, dir)
		for _, name := range slices.Sorted(maps.Keys(l.book.Copies)) {
			if strings.HasPrefix(name, "a.") {
				put(t, dir, map[string]string{name + ".gz": "z", name + ".br": "b", name + ".zst": "s"})
			}
		}
		removed, err := l.Clean(t.Context(), keep)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(dirOf(t, dir))), removed
	}
	name := func(content string) string { return "a." + short(hashed(content)) + ".js" }
	one := Retention{Releases: 1}

	if names, removed := publish("1", one); len(names) != 2+2+3 || removed != nil {
		t.Errorf("first: %v, removed %v", names, removed)
	}
	if names, removed := publish("2", one); len(names) != 2+3+2*3 || removed != nil {
		t.Errorf("second: %v, removed %v", names, removed)
	}
	publish("2", one) // is no release
	names, removed := publish("3", one)
	if d := cmp.Diff([]string{name("1")}, removed); d != "" || len(names) != 2+3+2*3 || slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, name("1")) }) {
		t.Errorf("third: %v, removed %v", names, removed)
	}
	publish("2", one) // goes back, and 3 is the one before
	if _, removed := publish("4", one); !slices.Equal(removed, []string{name("3")}) {
		t.Errorf("after going back: removed %v", removed)
	}
	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	put(t, dir, map[string]string{"c.js": "c"})
	l, _ := release(t, dir, dir)
	if removed, err := l.Clean(t.Context(), Retention{}); err != nil || !slices.Equal(removed, slices.Sorted(slices.Values([]string{name("2"), name("4")}))) {
		t.Errorf("without keeping: removed %v, %v", removed, err)
	}
}

func TestRetentionByAge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		put(t, dir, map[string]string{"a.js": "1"})
		release(t, dir, dir)
		time.Sleep(48 * time.Hour)
		put(t, dir, map[string]string{"a.js": "2"})
		l, _ := release(t, dir, dir)
		keep := Retention{Age: time.Hour}
		time.Sleep(59 * time.Minute)
		if removed, err := l.Clean(t.Context(), keep); removed != nil || err != nil {
			t.Errorf("before its time: %v, %v", removed, err)
		}
		time.Sleep(time.Minute)
		if removed, err := l.Clean(t.Context(), keep); err != nil || !slices.Equal(removed, []string{"a." + short(hashed("1")) + ".js"}) {
			t.Errorf("after it: %v, %v", removed, err)
		}
	})
}

// TestForeignFiles: what Write did not write, and what was changed since, is
// neither replaced nor removed, and names what is to be done.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	name := "a." + short(hashed("1")) + ".js"
	write := func(dir string) error {
		l, err := OpenLedger(dir)
		if err != nil {
			t.Fatal(err)
		}
		copies, err := (&Site{FS: os.DirFS(dir), Style: ByName, Written: l.Wrote}).Copies(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Write(t.Context(), copies)
		return err
	}
	clean := func(dir string) []string {
		put(t, dir, map[string]string{"a.js": "2"})
		l, _ := release(t, dir, dir)
		removed, err := l.Clean(t.Context(), Retention{})
		if err != nil {
			t.Fatal(err)
		}
		return removed
	}

	t.Run("another content", func(t *testing.T) {
		dir := t.TempDir()
		// Without the ledger, it is an asset of its own until the copy is to be written.
		put(t, dir, map[string]string{"a.js": "1", name: "foreign"})
		if err := write(dir); err == nil || !strings.Contains(err.Error(), name) || readFile(t, filepath.Join(dir, name)) != "foreign" {
			t.Errorf("Write = %v", err)
		}
	})
	t.Run("a directory", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, map[string]string{"a.js": "1", name + "/x.js": "x"})
		if err := write(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Write = %v", err)
		}
	})
	t.Run("the same content", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, map[string]string{"a.js": "1", name: "1"})
		if err := write(dir); err != nil {
			t.Fatal(err)
		}
		if removed := clean(dir); slices.Contains(removed, name) || readFile(t, filepath.Join(dir, name)) != "1" {
			t.Errorf("removed %v", removed)
		}
	})
	t.Run("changed before the next release", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, map[string]string{"a.js": "1"})
		release(t, dir, dir)
		put(t, dir, map[string]string{name: "x"})
		if err := write(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Write = %v", err)
		}
		if removed := clean(dir); removed != nil || readFile(t, filepath.Join(dir, name)) != "x" {
			t.Errorf("removed %v", removed)
		}
		if removed := clean(dir); removed != nil {
			t.Errorf("later removed %v", removed)
		}
	})
	t.Run("touched, but the same", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, map[string]string{"a.js": "1"})
		release(t, dir, dir)
		if err := os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := write(dir); err != nil {
			t.Error(err)
		}
		if removed := clean(dir); !slices.Equal(removed, []string{name}) {
			t.Errorf("removed %v", removed)
		}
	})
	t.Run("gone", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, map[string]string{"a.js": "1"})
		release(t, dir, dir)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, written := release(t, dir, dir); !slices.Equal(written, []string{name}) {
			t.Errorf("written %v", written)
		}
	})
	t.Run("outside of the directory", func(t *testing.T) {
		root, dir, outside := t.TempDir(), t.TempDir(), t.TempDir()
		put(t, root, map[string]string{"js/a.js": "1"})
		if err := os.Symlink(outside, filepath.Join(dir, "js")); err != nil {
			t.Fatal(err)
		}
		l, err := OpenLedger(dir)
		if err != nil {
			t.Fatal(err)
		}
		copies, err := (&Site{FS: os.DirFS(root), Style: ByName}).Copies(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if written, err := l.Write(t.Context(), copies); err == nil || len(dirOf(t, outside)) > 0 {
			t.Errorf("written %v, %v", written, err)
		}
	})
}

// TestLedgerLost: without the ledger, copies are known by their names and content,
// and stay. What only looks like one is an asset.
func TestLedgerLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, map[string]string{"d/a.js": "1", "site.css": "a{b:url(d/c.png)}", "d/c.png": "c", "d/a.0badc0de.js": "own"})
	release(t, dir, dir)
	want := dirOf(t, dir)
	if err := os.Remove(filepath.Join(dir, LedgerName)); err != nil {
		t.Fatal(err)
	}
	l, written := release(t, dir, dir)
	if d := cmp.Diff(want, dirOf(t, dir)); d != "" || written != nil {
		t.Errorf("written %v (-want +got):\n%s", written, d)
	}
	if l.Wrote("d/a.0badc0de.js") || l.Wrote("d/a.js") || !l.Wrote("d/a."+short(hashed("1"))+".js") {
		t.Errorf("copies are %v", l.book.Copies)
	}
	put(t, dir, map[string]string{"d/a.js": "2"})
	l, written = release(t, dir, dir)
	if removed, err := l.Clean(t.Context(), Retention{}); err != nil || removed != nil || len(written) != 1 {
		t.Errorf("written %v, removed %v, %v", written, removed, err)
	}
}

// TestLedgerBusy: there is one writer at a time.
func TestLedgerBusy(t *testing.T) {
	t.Parallel()
	dir := copySite(t)
	l, _ := release(t, dir, dir)
	f, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(t.Context(), nil); !errors.Is(err, ErrLedgerBusy) {
		t.Errorf("Write = %v", err)
	}
	if _, err := l.Clean(t.Context(), Retention{}); !errors.Is(err, ErrLedgerBusy) {
		t.Errorf("Clean = %v", err)
	}
}

func TestLedgerUnreadable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "remove it", "{": "remove it", `{"format":2}`: "its format is 2", `{}`: "its format is 0"} {
		dir := t.TempDir()
		put(t, dir, map[string]string{LedgerName: text})
		if _, err := OpenLedger(dir); err == nil || !strings.Contains(err.Error(), LedgerName) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// shifting is a file system in which a file has other content each time.
type shifting struct{ fs.FS }

func (s shifting) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if name == "a.js" && err == nil {
		err = os.WriteFile(filepath.Join(f.(*os.File).Name()), []byte(time.Now().String()), 0o644)
	}
	return f, err
}

// TestChangingOriginal: no copy has content that its name does not say.
func TestChangingOriginal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, map[string]string{"a.js": "1", "b.js": "2"})
	l, err := OpenLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	copies, err := (&Site{FS: shifting{os.DirFS(dir)}, Style: ByName}).Copies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if written, err := l.Write(t.Context(), copies); err == nil || !strings.Contains(err.Error(), "a.js") {
		t.Errorf("written %v, %v", written, err)
	}
	if files := slices.Sorted(maps.Keys(dirOf(t, dir))); !slices.Equal(files, []string{"a.js", "b.js"}) {
		t.Errorf("files %v", files)
	}
}

// TestCopyShares: where the file system can share blocks, a copy takes none.
func TestCopyShares(t *testing.T) {
	t.Parallel()
	need.Root(t)
	need.Program(t, "mkfs.btrfs", "mount", "filefrag")
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("no loop devices are here")
	}
	dir := t.TempDir()
	image, at := filepath.Join(dir, "image"), filepath.Join(dir, "mounted")
	run := func(command ...string) string {
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	run("truncate", "-s", "128M", image)
	run("mkfs.btrfs", "-q", image)
	run("mkdir", at)
	run("mount", "-o", "loop", image, at)
	t.Cleanup(func() { run("umount", at) })
	put(t, at, map[string]string{"video.mp4": strings.Repeat("picture", 1<<20), "site.css": strings.Repeat("a{b:url(video.mp4)}", 1<<15)})
	run("sync", "-f", at)
	_, written := release(t, at, at)
	if len(written) != 2 {
		t.Fatalf("written %v", written)
	}
	for _, name := range written {
		got := strings.Contains(run("filefrag", "-v", filepath.Join(at, name)), "shared")
		if want := strings.HasPrefix(name, "video"); got != want {
			t.Errorf("%s shares blocks: %v, want %v", name, got, want)
		}
	}
}
