package assets

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// output writes the site to a directory of its own, with documents by digest.
func (tr *disk) output(dir string) ([]Rewritten, []string, error) {
	tr.t.Helper()
	o := &Output{Site: &Site{FS: os.DirFS(tr.root)}, Root: tr.root, Dir: dir}
	return o.Write(tr.t.Context(), tr.documents())
}

// TestOutputIsInPlace: what is written is what would have become of the root.
func TestOutputIsInPlace(t *testing.T) {
	t.Parallel()
	tr, dir := newDisk(t, cachedSite), filepath.Join(t.TempDir(), "made/dist")
	before := tr.read()
	all, written, err := tr.output(dir)
	tr.must(err)
	if diff := cmp.Diff(before, tr.read()); diff != "" {
		t.Errorf("the root has changed: %s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(before)), written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	in := tr.rewrite("", "")
	out := &disk{t: t, root: dir}
	if diff := cmp.Diff(tr.read(), out.read()); diff != "" {
		t.Errorf("-in place +in a directory of its own:\n%s", diff)
	}
	for i, d := range all {
		if d.References != in[i].References || !d.Changed || cmp.Diff(d.Missing, in[i].Missing) != "" {
			t.Errorf("%s: %+v, in place %+v", d.Path, d, in[i])
		}
	}
	if all, written, err := tr.output(dir); err != nil || len(written) > 0 || all[0].Changed {
		t.Errorf("again: wrote %q, %v", written, err)
	}
}

// TestOutputIsAllOrNothing: what cannot be made leaves the directory as it was, and
// what a killed process left is removed.
func TestOutputIsAllOrNothing(t *testing.T) {
	t.Parallel()
	tr := newDisk(t, cachedSite)
	out := newDisk(t, map[string]string{"a.html": "old", "mine": "mine", staging + "/a.html": "of one that was killed", "css/a.css/x": "in the way"})
	if _, _, err := tr.output(out.root); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Fatalf("%v, want that a directory is in the way", err)
	}
	want := map[string]string{"a.html": "old", "mine": "mine", "css/a.css/x": "in the way"}
	if diff := cmp.Diff(want, out.read()); diff != "" {
		t.Errorf("after a failure (-want +got):\n%s", diff)
	}
	tr.must(os.RemoveAll(out.path("css/a.css")))

	d, err := os.Open(out.root)
	tr.must(err)
	defer d.Close()
	tr.must(syscall.Flock(int(d.Fd()), syscall.LOCK_EX))
	if _, _, err := tr.output(out.root); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("%v while another process writes", err)
	}
	tr.must(syscall.Flock(int(d.Fd()), syscall.LOCK_UN))
	_, _, err = tr.output(out.root)
	tr.must(err)
	if got := out.read(); got["mine"] != "mine" || got["a.html"] == "old" || len(got) != len(cachedSite)+1 {
		t.Errorf("holds %q", slices.Sorted(maps.Keys(got)))
	}
}

// TestOutputStaysInside: a link in the directory leads nothing out of it.
func TestOutputStaysInside(t *testing.T) {
	t.Parallel()
	tr, out, elsewhere := newDisk(t, cachedSite), newDisk(t, nil), newDisk(t, nil)
	tr.must(os.Symlink(elsewhere.root, out.path("css")))
	if _, _, err := tr.output(out.root); err == nil {
		t.Error("no error")
	}
	if got := elsewhere.read(); len(got) > 0 {
		t.Errorf("wrote %q elsewhere", slices.Sorted(maps.Keys(got)))
	}
}
