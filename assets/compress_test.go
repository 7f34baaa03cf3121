package assets

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/stamp/atomicfile"
	"revstamp/testdata/need"
)

var allCodings = []string{"br", "gzip", "zstd"}

func (tr *disk) compress(codings ...string) *Compressed {
	tr.t.Helper()
	c, err := Compress(tr.t.Context(), tr.root, codings, atomicfile.Options{})
	tr.must(err)
	return c
}

// TestCompress reads the variants with the real programs.
func TestCompress(t *testing.T) {
	t.Parallel()
	need.Program(t, "gzip", "brotli", "zstd")
	text := strings.Repeat("a { color: red }\n", 500)
	tr := newDisk(t, map[string]string{
		"css/a.css": text, "js/b.js": text + "//", "tiny.js": "x", "pic.png": text, ".hidden/c.css": text, ".env": text,
	})
	tr.must(os.Chmod(tr.path("css/a.css"), 0o640))
	old := time.Date(2020, 1, 2, 3, 4, 5, 600, time.UTC)
	tr.must(os.Chtimes(tr.path("css/a.css"), old, old))
	got := tr.compress(allCodings...)
	want := []string{"css/a.css.br", "css/a.css.gz", "css/a.css.zst", "js/b.js.br", "js/b.js.gz", "js/b.js.zst"}
	if diff := cmp.Diff(want, got.Written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	for ext, program := range map[string]string{".gz": "gzip", ".br": "brotli", ".zst": "zstd"} {
		cmd := exec.Command(program, "-d", "-c")
		in, err := os.Open(tr.path("css/a.css" + ext))
		tr.must(err)
		defer in.Close()
		cmd.Stdin = in
		out, err := cmd.Output()
		if err != nil || string(out) != text {
			t.Errorf("%s reads %d bytes, %v; want %d", program, len(out), err, len(text))
		}
		info, err := in.Stat()
		if err != nil || !info.ModTime().Equal(old) || info.Mode() != 0o640 {
			t.Errorf("%s: %v %v, %v", ext, info.ModTime(), info.Mode(), err)
		}
	}
	if again := tr.compress(allCodings...); again.Kept != 6 || len(again.Written)+len(again.Removed)+len(again.Foreign) > 0 {
		t.Errorf("again: %+v, want 6 kept", again)
	}
}

// TestCompressChanges: variants follow their files.
func TestCompressChanges(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a { color: red }\n", 500)
	tr := newDisk(t, map[string]string{"a.css": text, "b.css": text, "c.css": text, "d.css": text, "e.css": text})
	tr.write("e.css.gz", "somebody else's")
	tr.compress("gzip")

	info, err := os.Stat(tr.path("a.css"))
	tr.must(err)
	tr.write("a.css", strings.ToUpper(text)) // of the same size and time
	tr.must(os.Chtimes(tr.path("a.css"), info.ModTime(), info.ModTime()))
	tr.must(os.Remove(tr.path("b.css")))
	tr.write("c.css", "x") // no gain
	tr.must(os.WriteFile(tr.path("d.css.gz"), []byte("changed by hand"), 0o644))
	tr.write("d.css", text+text)
	got := tr.compress("gzip")
	want := &Compressed{
		Written: []string{"a.css.gz"},
		Removed: []string{"b.css.gz", "c.css.gz"},
		Foreign: []string{"d.css.gz", "e.css.gz"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, want := range map[string]string{"d.css.gz": "changed by hand", "e.css.gz": "somebody else's"} {
		if got := tr.read()[name]; got != want {
			t.Errorf("%s holds %q", name, got)
		}
	}
	got = tr.compress() // none wanted any more
	if diff := cmp.Diff([]string{"a.css.gz"}, got.Removed); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := os.Stat(tr.path("a.css.gz")); err == nil {
		t.Error("a.css.gz is still there")
	}
}

// TestCompressKilled: what a run has put in place before it could say so is ours.
func TestCompressKilled(t *testing.T) {
	t.Parallel()
	tr := newDisk(t, map[string]string{"a.css": strings.Repeat("a", 5000)})
	o := atomicfile.Options{Record: func(temp string) error {
		if strings.Contains(filepath.Base(temp), "a.css.gz") {
			return fs.ErrInvalid // after the intention was written
		}
		return nil
	}}
	if _, err := Compress(t.Context(), tr.root, []string{"gzip"}, o); err == nil {
		t.Fatal("no error")
	}
	out, err := encodeAs("gzip", []byte(strings.Repeat("a", 5000)))
	tr.must(err)
	tr.must(os.WriteFile(tr.path("a.css.gz"), out, 0o600))
	got := tr.compress("gzip")
	if len(got.Foreign) > 0 || len(got.Written) != 1 {
		t.Errorf("%+v, want a.css.gz written anew", got)
	}
}

// TestUncompress: what is about to change has no variant, and nothing else goes.
func TestUncompress(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a { color: red }\n", 500)
	tr := newDisk(t, map[string]string{"a.css": text, "css/b.css": text, "c.css": text, "d.css.gz": "somebody else's", "d.css": text})
	uncompress := func(paths ...string) []string {
		t.Helper()
		removed, err := Uncompress(t.Context(), tr.root, paths, atomicfile.Options{})
		tr.must(err)
		return removed
	}
	if got := uncompress("a.css"); got != nil {
		t.Errorf("removed %q where none is", got)
	}
	if _, err := os.Stat(tr.path(CompressedName)); err == nil {
		t.Error("made a list of nothing")
	}
	tr.compress("gzip", "br")
	tr.write("c.css.gz", "changed by hand")
	got := uncompress("a.css", "c.css", "d.css", "none.css", "../a.css")
	if diff := cmp.Diff([]string{"a.css.br", "a.css.gz", "c.css.br", "d.css.br"}, got); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	for _, name := range []string{"css/b.css.gz", "css/b.css.br", "c.css.gz", "d.css.gz"} {
		if tr.read()[name] == "" {
			t.Errorf("%s is gone", name)
		}
	}
	again := tr.compress("gzip", "br")
	if diff := cmp.Diff([]string{"a.css.br", "a.css.gz", "c.css.br", "d.css.br"}, again.Written); diff != "" || again.Kept != 2 {
		t.Errorf("again %d kept, written (-want +got):\n%s", again.Kept, diff)
	}
}

// TestCompressLike: what another root has of the same content is taken from there.
func TestCompressLike(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a { color: red }\n", 500)
	old := newDisk(t, map[string]string{"a.css": text, "b.css": text, "c.css": text})
	old.compress("gzip")
	tr := newDisk(t, map[string]string{"a.css": text, "b.css": text + "b", "c.css": text})
	// As nobody else would compress it, so that it shows where a variant is from.
	ours, err := exec.Command("gzip", "-c", "-1", "-n", old.path("a.css")).Output()
	tr.must(err)
	old.write("a.css.gz", string(ours))
	list := old.read()[CompressedName]
	want, err := encodeAs("gzip", []byte(text))
	tr.must(err)
	old.write(CompressedName, strings.Replace(list, hexSum(want), hexSum(ours), 1))
	old.write("c.css.gz", "changed by hand")

	_, err = CompressLike(t.Context(), tr.root, old.root, []string{"gzip"}, atomicfile.Options{})
	tr.must(err)
	other, err := encodeAs("gzip", []byte(text+"b"))
	tr.must(err)
	for name, want := range map[string][]byte{"a.css.gz": ours, "b.css.gz": other, "c.css.gz": want} {
		if got := tr.read()[name]; got != string(want) {
			t.Errorf("%s: %d bytes, want %d others", name, len(got), len(want))
		}
	}
	for _, other := range []string{tr.path("none"), old.path("a.css")} {
		if _, err := CompressLike(t.Context(), tr.root, other, []string{"gzip"}, atomicfile.Options{}); err != nil {
			t.Errorf("like %s: %v", other, err)
		}
	}
}

func TestCompressUnknown(t *testing.T) {
	t.Parallel()
	_, err := Compress(t.Context(), t.TempDir(), []string{"lzma"}, atomicfile.Options{})
	if err == nil || !strings.Contains(err.Error(), "br, gzip, zstd") {
		t.Errorf("%v, want what is known", err)
	}
}

// TestCompressOnce: what is in two files is compressed once, and each has its variant.
func TestCompressOnce(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a { color: red }\n", 500)
	tr := newDisk(t, map[string]string{"a.css": text, "a.3fa9c1e2.css": text, "b.css": text + "b{}"})
	c := newCompressing(tr.root, []string{"gzip"}, atomicfile.Options{})
	sources, err := c.sources(t.Context())
	tr.must(err)
	var all []*making
	for _, s := range sources {
		tr.must(c.look(s))
		all = append(all, &making{source: s, coding: "gzip", name: s.path + ".gz"})
	}
	tr.must(c.encodeAll(t.Context(), all))
	if &all[0].out[0] != &all[1].out[0] || &all[1].out[0] == &all[2].out[0] {
		t.Error("the same was compressed twice, or not the same once")
	}
	tr.write("a.css", "another")
	if err := c.encodeAll(t.Context(), all); !errors.Is(err, atomicfile.ErrChanged) {
		t.Errorf("%v after a change of the second file, want ErrChanged", err)
	}
	if got := tr.compress("gzip").Written; len(got) != 2 {
		t.Errorf("wrote %q, want the variants of those that become smaller", got)
	}
}
