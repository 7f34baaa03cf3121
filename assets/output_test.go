package assets

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// output writes the site to a directory of its own, with documents by digest, and adds
// what it warns of.
func (tr *disk) output(dir string, warned ...*[]string) (*Outputted, error) {
	tr.t.Helper()
	o := &Output{Site: &Site{FS: os.DirFS(tr.root)}, Root: tr.root, Dir: dir}
	for _, to := range warned {
		o.Files.Warn = func(text string) { *to = append(*to, text) }
	}
	return o.Write(tr.t.Context(), tr.documents())
}

// made is what a directory holds besides the list.
func (tr *disk) made() map[string]string {
	tr.t.Helper()
	all := tr.read()
	delete(all, OutputName)
	delete(all, outputLock)
	return all
}

// TestOutputIsInPlace: what is written is what would have become of the root.
func TestOutputIsInPlace(t *testing.T) {
	t.Parallel()
	tr, dir := newDisk(t, cachedSite), filepath.Join(t.TempDir(), "made/dist")
	before := tr.read()
	did, err := tr.output(dir)
	tr.must(err)
	if diff := cmp.Diff(before, tr.read()); diff != "" {
		t.Errorf("the root has changed: %s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(before)), did.Written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	in := tr.rewrite("", "")
	out := &disk{t: t, root: dir}
	if diff := cmp.Diff(tr.read(), out.made()); diff != "" {
		t.Errorf("-in place +in a directory of its own:\n%s", diff)
	}
	for i, d := range did.Documents {
		if d.References != in[i].References || !d.Changed || cmp.Diff(d.Missing, in[i].Missing) != "" {
			t.Errorf("%s: %+v, in place %+v", d.Path, d, in[i])
		}
	}
	if did, err := tr.output(dir); err != nil || len(did.Written)+len(did.Removed) > 0 || did.Documents[0].Changed {
		t.Errorf("again: %+v, %v", did, err)
	}
}

// TestOutputIsAllOrNothing: what cannot be made leaves the directory as it was, and
// what a killed process left is removed.
func TestOutputIsAllOrNothing(t *testing.T) {
	t.Parallel()
	tr := newDisk(t, cachedSite)
	out := newDisk(t, map[string]string{"a.html": "old", "mine": "mine", staging + "/a.html": "of one that was killed", "css/a.css/x": "in the way"})
	if _, err := tr.output(out.root); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Fatalf("%v, want that a directory is in the way", err)
	}
	want := map[string]string{"a.html": "old", "mine": "mine", "css/a.css/x": "in the way"}
	if diff := cmp.Diff(want, out.made()); diff != "" {
		t.Errorf("after a failure (-want +got):\n%s", diff)
	}
	tr.must(os.RemoveAll(out.path("css/a.css")))

	d, err := os.Open(out.path(outputLock))
	tr.must(err)
	defer d.Close()
	tr.must(syscall.Flock(int(d.Fd()), syscall.LOCK_EX))
	if _, err := tr.output(out.root); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("%v while another process writes", err)
	}
	tr.must(syscall.Flock(int(d.Fd()), syscall.LOCK_UN))
	_, err = tr.output(out.root)
	tr.must(err)
	if got := out.made(); got["mine"] != "mine" || got["a.html"] == "old" || len(got) != len(cachedSite)+1 {
		t.Errorf("holds %q", slices.Sorted(maps.Keys(got)))
	}
}

// TestOutputInTheWay: a name that has become another kind of file is told, with where
// it is and what to do, and nothing is written.
func TestOutputInTheWay(t *testing.T) {
	t.Parallel()
	for name, is := range map[string]struct{ was, becomes, told string }{
		"a file":         {"x", "x/y/z.png", "x\" is no directory: move it away"},
		"a deeper file":  {"x/y", "x/y/z/z.png", "x/y\" is no directory: move it away"},
		"a directory":    {"x/y/z.png", "x", "x\" is no regular file: move it away"},
		"a page's place": {"x", "x/y.html", "x\" is no directory: move it away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, out := newDisk(t, map[string]string{is.was: "1", "z.css": "1"}), newDisk(t, nil)
			_, err := tr.output(out.root)
			tr.must(err)
			tr.must(os.RemoveAll(tr.path("x")))
			tr.write(is.becomes, "2")
			tr.write("z.css", "2")
			if _, err := tr.output(out.root); err == nil || !strings.Contains(err.Error(), out.path(is.told)) {
				t.Errorf("%v, want %s", err, is.told)
			}
			if diff := cmp.Diff(map[string]string{is.was: "1", "z.css": "1"}, out.made()); diff != "" {
				t.Errorf("after the failure (-want +got):\n%s", diff)
			}
			tr.must(os.RemoveAll(out.path("x")))
			_, err = tr.output(out.root)
			tr.must(err)
			if diff := cmp.Diff(map[string]string{is.becomes: "2", "z.css": "2"}, out.made()); diff != "" {
				t.Errorf("after it was moved away (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOutputOfSeveralUsers: who may write to the directory need not have made what
// locks it.
func TestOutputOfSeveralUsers(t *testing.T) {
	t.Parallel()
	out := newDisk(t, map[string]string{outputLock: ""})
	dir, err := os.OpenRoot(out.root)
	out.must(err)
	defer dir.Close()
	w := &outputting{Output: &Output{Dir: out.root}, dir: dir}
	out.must(dir.Chmod(outputLock, 0o444))
	unlock, err := asAnother(w.lock)
	out.must(err)
	if _, err := asAnother(w.lock); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("%v while it is locked", err)
	}
	unlock()
	out.must(dir.Chmod(outputLock, 0))
	if _, err := asAnother(w.lock); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), out.root) {
		t.Errorf("%v of a file that may not be read", err)
	}
}

// asAnother locks as a user to whom permission bits apply, which they do not to root.
func asAnother(lock func() (func(), error)) (unlock func(), err error) {
	var running sync.WaitGroup
	running.Go(func() {
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // and it ends with this goroutine
			if _, err = unix.SetfsuidRetUid(65534); err != nil {
				return
			}
		}
		unlock, err = lock()
	})
	running.Wait()
	return unlock, err
}

// TestOutputStaysInside: a link in the directory leads nothing out of it.
func TestOutputStaysInside(t *testing.T) {
	t.Parallel()
	tr, out, elsewhere := newDisk(t, cachedSite), newDisk(t, nil), newDisk(t, nil)
	tr.must(os.Symlink(elsewhere.root, out.path("css")))
	if _, err := tr.output(out.root); err == nil {
		t.Error("no error")
	}
	if got := elsewhere.read(); len(got) > 0 {
		t.Errorf("wrote %q elsewhere", slices.Sorted(maps.Keys(got)))
	}
}

// TestOutputRemoves: what was written and is gone from the root goes, and nothing else.
func TestOutputRemoves(t *testing.T) {
	t.Parallel()
	tr := newDisk(t, map[string]string{"a.html": "a", "b.html": "b", "c.html": "c", "deep/er/d.html": "d", "deep/e.html": "e", "f.html": "f", "both.css": "b{}"})
	out := newDisk(t, map[string]string{"mine": "mine", "f.html": "f"}) // there before, as it should be
	_, err := tr.output(out.root)
	tr.must(err)
	other := newDisk(t, map[string]string{"both.css": "b{}", "c.html": "of the other"})
	_, err = other.output(out.root)
	tr.must(err)

	tr.must(os.RemoveAll(tr.path("deep")))
	for _, name := range []string{"b.html", "c.html", "f.html", "both.css"} {
		tr.must(os.Remove(tr.path(name)))
	}
	out.write("b.html", "edited")
	out.write("deep/e.html.gz", "somebody's")
	var warned []string
	did, err := tr.output(out.root, &warned)
	tr.must(err)
	if diff := cmp.Diff([]string{"deep/e.html", "deep/er/d.html"}, did.Removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], `"b.html" is gone`) {
		t.Errorf("warned %q, want only of what was edited", warned)
	}
	want := map[string]string{"a.html": "a", "b.html": "edited", "c.html": "of the other", "f.html": "f", "both.css": "b{}", "mine": "mine", "deep/e.html.gz": "somebody's"}
	if diff := cmp.Diff(want, out.made()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(out.path("deep/er")); err == nil {
		t.Error("a directory is left that was made and is empty")
	}

	tr.must(os.Remove(out.path("deep/e.html.gz")))
	tr.must(os.Mkdir(out.path("empty"), 0o755))
	_, err = tr.output(out.root)
	tr.must(err)
	if _, err := os.Stat(out.path("deep")); err == nil {
		t.Error("a directory is left that was made and has become empty")
	}
	if _, err := os.Stat(out.path("empty")); err != nil {
		t.Errorf("a directory that was not made is gone: %v", err)
	}
}

// TestOutputRemovesNothingBehindALink: what somebody moved elsewhere, and put a link in
// its place, stays, and is told once.
func TestOutputRemovesNothingBehindALink(t *testing.T) {
	t.Parallel()
	for _, outside := range []bool{false, true} {
		tr := newDisk(t, map[string]string{"a.html": "a", "deep/er/b.html": "b", "deep/er/c.html": "c", "deep/d.html": "d"})
		out := newDisk(t, nil)
		_, err := tr.output(out.root)
		tr.must(err)
		link, to := "kept", out.path("kept")
		if outside {
			to = filepath.Join(t.TempDir(), "kept")
			link = to
		}
		tr.must(os.Rename(out.path("deep"), to))
		tr.must(os.Remove(filepath.Join(to, "d.html")))
		tr.must(os.Mkdir(filepath.Join(to, "er/empty"), 0o755))
		tr.must(os.Symlink(link, out.path("deep")))
		tr.must(os.RemoveAll(tr.path("deep")))
		var warned []string
		for range 2 {
			did, err := tr.output(out.root, &warned)
			tr.must(err)
			if len(did.Removed) > 0 {
				t.Errorf("removed %q", did.Removed)
			}
		}
		kept := (&disk{t: t, root: to}).read()
		if diff := cmp.Diff(map[string]string{"er/b.html": "b", "er/c.html": "c"}, kept); diff != "" {
			t.Errorf("behind the link (-want +got):\n%s", diff)
		}
		if _, err := os.Stat(filepath.Join(to, "er/empty")); err != nil {
			t.Error(err)
		}
		if len(warned) != 1 || !strings.Contains(warned[0], out.path("deep")+`" is a link`) {
			t.Errorf("warned %q", warned)
		}
	}
}

// TestOutputOfRootsThatAreNoMore: the list does not grow with each of them, what the
// last one has is its own, and what only others had stays.
func TestOutputOfRootsThatAreNoMore(t *testing.T) {
	t.Parallel()
	out, away := newDisk(t, nil), newDisk(t, map[string]string{"plugin/b.html": "b", "plugin/c.html": "c"})
	_, err := away.output(out.root)
	away.must(err)
	away.must(os.Rename(away.root, away.root+".away"))
	roots := func() int {
		t.Helper()
		data, err := os.ReadFile(out.path(OutputName))
		out.must(err)
		var list outputs
		out.must(list.parse(data))
		return len(list.Roots)
	}
	var last *disk
	for _, text := range []string{"1", "1", "2"} {
		if last != nil {
			last.must(os.RemoveAll(last.root))
		}
		last = newDisk(t, map[string]string{"css/a.css": text, "css/same.css": "same"})
		_, err := last.output(out.root)
		last.must(err)
		if got := roots(); got != 2 {
			t.Errorf("%d roots are listed, want that which is away, and the present one", got)
		}
	}
	last.must(os.RemoveAll(last.path("css")))
	did, err := last.output(out.root)
	last.must(err)
	if diff := cmp.Diff([]string{"css/a.css", "css/same.css"}, did.Removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(out.path("css")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory is left that a root made which is no more: %v", err)
	}

	away.must(os.Rename(away.root+".away", away.root))
	away.must(os.Remove(away.path("plugin/b.html")))
	did, err = away.output(out.root)
	away.must(err)
	if diff := cmp.Diff([]string{"plugin/b.html"}, did.Removed); diff != "" {
		t.Errorf("removed once it is back (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"plugin/c.html": "c"}, out.made()); diff != "" {
		t.Errorf("holds (-want +got):\n%s", diff)
	}

	away.must(os.RemoveAll(away.root))
	out.must(os.RemoveAll(out.path("plugin")))
	_, err = last.output(out.root)
	last.must(err)
	if got := roots(); got != 1 {
		t.Errorf("%d roots are listed when nothing of the other is left", got)
	}
}

// TestOutputRefusesAList: one that revstamp has not written is told by its name, before
// anything is.
func TestOutputRefusesAList(t *testing.T) {
	t.Parallel()
	tr := newDisk(t, map[string]string{"a.html": "a"})
	for _, list := range []string{
		`{`,
		`{"format": 2, "roots": {}}`,
		`{"format": 1, "roots": null}`,
		`{"format": 1, "roots": {"../elsewhere": null}}`,
		`{"format": 1, "roots": {"../elsewhere": {"files": {"../b.html": []}}}}`,
		`{"format": 1, "roots": {"../elsewhere": {"files": {}, "dirs": ["/b"]}}}`,
	} {
		out := newDisk(t, map[string]string{OutputName: list})
		if _, err := tr.output(out.root); err == nil || !strings.HasPrefix(err.Error(), out.path(OutputName)+": ") || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%s: %v", list, err)
		}
		if got := out.made(); len(got) > 0 {
			t.Errorf("%s: wrote %q", list, got)
		}
	}
}

// TestOutputKilledBeforeTheEnd: a run that was killed after files were put in place
// leaves none that a later one does not know.
func TestOutputKilledBeforeTheEnd(t *testing.T) {
	t.Parallel()
	tr, out := newDisk(t, map[string]string{"a.html": "a", "b.html": "b"}), newDisk(t, nil)
	_, err := tr.output(out.root)
	tr.must(err)
	tr.write("b.html", "new")
	o := &Output{Site: &Site{FS: os.DirFS(tr.root)}, Root: tr.root, Dir: out.root}
	config, err := o.Site.ready()
	tr.must(err)
	dir, err := os.OpenRoot(out.root)
	tr.must(err)
	defer dir.Close()
	w := &outputting{Output: o, site: config, dir: dir}
	tr.must(w.readOutputs())
	tr.must(w.find(t.Context(), nil))
	for _, f := range w.files {
		tr.must(w.stage(f))
	}
	_, err = w.publish(t.Context())
	tr.must(err) // and here it is killed

	tr.must(os.Remove(tr.path("a.html")))
	tr.must(os.Remove(tr.path("b.html")))
	did, err := tr.output(out.root)
	tr.must(err)
	if got := out.made(); len(got) > 0 {
		t.Errorf("left %q, removed %q", slices.Sorted(maps.Keys(got)), did.Removed)
	}
}
