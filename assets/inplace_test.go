package assets

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// disk is a site in a directory of its own.
type disk struct {
	t    *testing.T
	root string

	own map[string]string // the versions of files of their own; nil for none
	at  string            // what those go by
}

func newDisk(t *testing.T, files map[string]string) *disk {
	tr := &disk{t: t, root: t.TempDir()}
	for name, text := range files {
		tr.write(name, text)
	}
	return tr
}

func (tr *disk) path(name string) string { return filepath.Join(tr.root, name) }

func (tr *disk) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *disk) write(name, text string) {
	tr.t.Helper()
	tr.must(os.MkdirAll(filepath.Dir(tr.path(name)), 0o755))
	tr.must(os.WriteFile(tr.path(name), []byte(text), 0o644))
}

// read returns the content of all files.
func (tr *disk) read() map[string]string {
	tr.t.Helper()
	all := map[string]string{}
	tr.must(fs.WalkDir(os.DirFS(tr.root), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(tr.path(p))
		if err == nil {
			all[p] = string(data)
		}
		return err
	}))
	return all
}

func (tr *disk) documents() []Document {
	tr.t.Helper()
	var docs []Document
	for _, p := range slices.Sorted(maps.Keys(tr.read())) {
		if _, ok := KindOf(p); ok {
			docs = append(docs, Document{Name: tr.path(p), Path: p})
		}
	}
	return docs
}

// rewrite rewrites the documents, with what is remembered in a file; none if
// that is empty.
func (tr *disk) rewrite(cache, rev string) []Rewritten {
	tr.t.Helper()
	in := InPlace{Site: &Site{FS: os.DirFS(tr.root), Rev: rev}, Root: tr.root}
	if tr.own != nil {
		in.Site.VersionOf, in.Site.VersionsAt = func(path string) (string, error) { return tr.own[path], nil }, tr.at
	}
	if cache != "" {
		in.Cache = OpenCache(cache, rev)
	}
	all, err := in.Rewrite(tr.t.Context(), tr.documents())
	tr.must(err)
	for _, d := range all {
		tr.must(d.Err)
	}
	if in.Cache != nil {
		tr.must(in.Cache.Save(tr.t.Context(), in.Files))
	}
	return all
}

// settle has every file have changed long ago, as far as an identity is asked.
// ctime cannot be set, so that the clock has to go on.
func (tr *disk) settle() {
	tr.t.Helper()
	newest := int64(0)
	tr.must(filepath.WalkDir(tr.root, func(p string, d fs.DirEntry, err error) error {
		if info, err := d.Info(); err == nil {
			newest = max(newest, identityOf(info).ctime, identityOf(info).mtime)
		}
		return err
	}))
	for time.Now().UnixNano()-newest < int64(clockStep(newest)) {
		runtime.Gosched()
	}
}

func cachedNames(all []Rewritten) []string {
	var names []string
	for _, d := range all {
		if d.Cached {
			names = append(names, d.Path)
		}
	}
	return names
}

var cachedSite = map[string]string{
	"a.html":         `<link rel=stylesheet href=/css/a.css><img src=img/1.png><img src=img/none.png>`,
	"b.html":         `<link rel=stylesheet href=/css/b.css><img src=img/2.png>`,
	"c.html":         `<a href=a.html>no assets</a>`,
	"css/a.css":      `@import "cycle1.css"; a { background: url(../img/1.png) }`,
	"css/b.css":      `b { color: red }`,
	"css/cycle1.css": `@import "cycle2.css"; a { background: url(../img/3.png) }`,
	"css/cycle2.css": `@import "cycle1.css"; a { background: url(../img/4.png) }`,
	"img/1.png":      "one", "img/2.png": "two", "img/3.png": "three", "img/4.png": "four",
}

// TestCacheReadsNothing: an unchanged tree is not read, and tells the same.
func TestCacheReadsNothing(t *testing.T) {
	t.Parallel()
	for _, rev := range []string{"42", ""} {
		tr := newDisk(t, cachedSite)
		cache := filepath.Join(t.TempDir(), "x.cache")
		tr.settle()
		first := tr.rewrite(cache, rev)
		if len(first[0].Missing) != 1 || first[0].Missing[0].Column < 70 {
			t.Errorf("missing: %+v, want one, where it is after the versions that come before", first[0].Missing)
		}
		tr.settle()
		tr.rewrite(cache, rev) // of those that had changed a moment before
		second := tr.rewrite(cache, rev)
		if got := cachedNames(second); len(got) != 7 {
			t.Errorf("rev %q: not read again: %v, want all 7", rev, got)
		}
		same := cmpopts.IgnoreFields(Rewritten{}, "Changed", "Cached")
		if diff := cmp.Diff(first, second, same, cmpopts.IgnoreUnexported(Rewritten{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("rev %q: told otherwise (-first +second):\n%s", rev, diff)
		}
	}
}

// TestCacheReadsDependants: what depends on a changed file is read, and no more.
func TestCacheReadsDependants(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ change, rev, unread string }{
		{"img/2.png", "", "a.html c.html css/a.css css/b.css css/cycle1.css css/cycle2.css"},
		{"img/4.png", "", "b.html c.html css/b.css"},
		{"css/b.css", "", "a.html c.html css/a.css css/cycle1.css css/cycle2.css"},
		{"img/4.png", "42", "a.html b.html c.html css/a.css css/b.css css/cycle1.css css/cycle2.css"},
		{"c.html", "", "a.html b.html css/a.css css/b.css css/cycle1.css css/cycle2.css"},
	} {
		tr := newDisk(t, cachedSite)
		cache := filepath.Join(t.TempDir(), "x.cache")
		for range 3 {
			tr.settle()
			tr.rewrite(cache, test.rev)
		}
		tr.write(test.change, "changed")
		tr.settle()
		if got := strings.Join(cachedNames(tr.rewrite(cache, test.rev)), " "); got != test.unread {
			t.Errorf("%s, rev %q: not read: %s\nwant %s", test.change, test.rev, got, test.unread)
		}
	}
}

// TestCacheByFile: with versions of files of their own, what depends on one that has
// another is read, and what VersionOf goes by saves asking.
func TestCacheByFile(t *testing.T) {
	t.Parallel()
	all := "a.html b.html c.html css/a.css css/b.css css/cycle1.css css/cycle2.css"
	for _, test := range []struct{ change, at, unread string }{
		{"", "", all},
		{"", "1", all},
		{"", "2", all},
		{"img/2.png", "", "a.html c.html css/a.css css/b.css css/cycle1.css css/cycle2.css"},
		{"img/2.png", "2", "a.html c.html css/a.css css/b.css css/cycle1.css css/cycle2.css"},
		{"img/2.png", "1", all}, // nobody asks
		{"img/4.png", "2", "b.html c.html css/b.css"},
		{"css/cycle1.css", "2", "b.html c.html css/b.css"},
		{"img/1.png", "2", "b.html c.html css/b.css css/cycle1.css css/cycle2.css"}, // it had none
	} {
		tr := newDisk(t, cachedSite)
		tr.own, tr.at = map[string]string{"img/2.png": "r1", "img/4.png": "r1", "css/a.css": "r1", "css/cycle1.css": "r1"}, "1"
		cache := filepath.Join(t.TempDir(), "x.cache")
		for range 3 {
			tr.settle()
			tr.rewrite(cache, "")
		}
		tr.at = test.at
		if test.change != "" {
			tr.own[test.change] = "r2"
		}
		if got := strings.Join(cachedNames(tr.rewrite(cache, "")), " "); got != test.unread {
			t.Errorf("%q at %q: not read: %s\nwant %s", test.change, test.at, got, test.unread)
		}
	}
}

// TestCacheIsNeverWrong changes a tree in every way, and compares with a fresh run
// over a copy of it.
func TestCacheIsNeverWrong(t *testing.T) {
	t.Parallel()
	page := `<img src=img/1.png><img src=img/none.png>`
	changes := []struct {
		name   string
		change func(tr *disk)
	}{
		{"nothing", func(tr *disk) {}},
		{"same size", func(tr *disk) { tr.write("img/1.png", "eno") }},
		{"same size and mtime", func(tr *disk) {
			info, err := os.Stat(tr.path("img/1.png"))
			tr.must(err)
			tr.write("img/1.png", "noe")
			tr.must(os.Chtimes(tr.path("img/1.png"), info.ModTime(), info.ModTime()))
		}},
		{"document of the same size and mtime", func(tr *disk) {
			info, err := os.Stat(tr.path("b.html"))
			tr.must(err)
			text := tr.read()["b.html"]
			tr.write("b.html", strings.Replace(text, "2.png", "3.png", 1))
			tr.must(os.Chtimes(tr.path("b.html"), info.ModTime(), info.ModTime()))
		}},
		{"replaced by a rename", func(tr *disk) {
			info, err := os.Stat(tr.path("img/1.png"))
			tr.must(err)
			tr.write("img/x", "neo")
			tr.must(os.Chtimes(tr.path("img/x"), info.ModTime(), info.ModTime()))
			tr.must(os.Rename(tr.path("img/x"), tr.path("img/1.png")))
		}},
		{"missing file appears", func(tr *disk) { tr.write("img/none.png", "there") }},
		{"file disappears", func(tr *disk) { tr.must(os.Remove(tr.path("img/1.png"))) }},
		{"file becomes a directory", func(tr *disk) {
			tr.must(os.Remove(tr.path("img/2.png")))
			tr.must(os.Mkdir(tr.path("img/2.png"), 0o755))
		}},
		{"file becomes a link", func(tr *disk) {
			tr.must(os.Remove(tr.path("img/2.png")))
			tr.must(os.Symlink("3.png", tr.path("img/2.png")))
		}},
		{"directory is exchanged", func(tr *disk) {
			tr.must(os.Rename(tr.path("img"), tr.path("img2")))
			tr.must(os.CopyFS(tr.path("img"), os.DirFS(tr.path("img2"))))
			tr.write("img/4.png", "ruof")
		}},
		{"style sheet, deep down", func(tr *disk) { tr.write("css/cycle2.css", `@import "cycle1.css";a{}`) }},
		{"new document", func(tr *disk) { tr.write("d.html", page) }},
		{"document disappears", func(tr *disk) { tr.must(os.Remove(tr.path("c.html"))) }},
		{"version taken away", func(tr *disk) { tr.write("a.html", cachedSite["a.html"]) }},
		{"asset turns into one with integrity", func(tr *disk) {
			tr.write("b.html", `<script src=/img/1.png integrity="sha256-x"></script>`)
		}},
		{"a module", func(tr *disk) { tr.write("js/a.js", `import "./b.js"`); tr.write("js/b.js", "b") }},
		{"an import map that keeps modules from having versions", func(tr *disk) {
			tr.write("map.html", `<script type=importmap>{"imports":{"js/":"/js/"}}</script>`)
		}},
		{"a module among those that have no version", func(tr *disk) { tr.write("js/c.js", `import "./a.js"`) }},
		{"no such import map", func(tr *disk) { tr.write("map.html", "") }},
		{"content under integrity", func(tr *disk) { tr.write("img/1.png", "another") }},
	}
	some := map[string]string{"img/1.png": "r1", "img/2.png": "r2", "css/cycle2.css": "r1", "js/a.js": "r3"}
	for _, by := range []struct {
		rev string
		own map[string]string
		at  string
	}{{rev: "42"}, {}, {own: some}, {own: some, at: "1"}} {
		for _, settled := range []bool{true, false} {
			rev := by.rev
			t.Run(fmt.Sprintf("rev=%s/own=%d/at=%s/settled=%v", rev, len(by.own), by.at, settled), func(t *testing.T) {
				t.Parallel()
				tr := newDisk(t, cachedSite)
				tr.own, tr.at = by.own, by.at
				cache := filepath.Join(t.TempDir(), "x.cache")
				tr.rewrite(cache, rev)
				for _, c := range changes {
					if settled {
						tr.settle()
						tr.rewrite(cache, rev)
					}
					c.change(tr)
					fresh := newDisk(t, nil)
					fresh.own = tr.own
					tr.must(os.CopyFS(fresh.root, os.DirFS(tr.root)))
					// Links are as good as what they lead to.
					got, want := tr.rewrite(cache, rev), fresh.rewrite("", rev)
					if diff := cmp.Diff(fresh.read(), tr.read()); diff != "" {
						t.Fatalf("%s: the tree (-fresh +cached):\n%s", c.name, diff)
					}
					missing := func(all []Rewritten) (m []string) {
						for _, d := range all {
							m = append(m, fmt.Sprint(d.Path, d.References, len(d.Missing), len(d.Mismatched), d.Skipped))
						}
						return m
					}
					if diff := cmp.Diff(missing(want), missing(got)); diff != "" {
						t.Fatalf("%s: told (-fresh +cached):\n%s", c.name, diff)
					}
				}
			})
		}
	}
}

// TestCacheGarbage: any file in the place of a cache is none.
func TestCacheGarbage(t *testing.T) {
	t.Parallel()
	tr := newDisk(t, cachedSite)
	cache := filepath.Join(t.TempDir(), "x.cache")
	for range 2 {
		tr.settle()
		tr.rewrite(cache, "")
	}
	good, err := os.ReadFile(cache)
	tr.must(err)
	if len(OpenCache(cache, "").docs) != 7 {
		t.Fatal("the cache is empty")
	}
	for i := range good {
		for _, bad := range [][]byte{good[:i], append(append(slices.Clone(good[:i]), good[i]^1), good[i+1:]...)} {
			tr.must(os.WriteFile(cache, bad, 0o600))
			if c := OpenCache(cache, ""); len(c.docs)+len(c.assets) > 0 {
				t.Fatalf("changed or cut at %d, it was read", i)
			}
		}
	}
	tr.must(os.WriteFile(cache, good, 0o600))
	if len(OpenCache(cache, "other").docs) > 0 {
		t.Error("a cache with another key was read")
	}
}

func FuzzCache(f *testing.F) {
	c := &Cache{docs: []cachedDoc{{name: "/a.html", path: "a.html", looked: []int{0}, missing: []Reference{{URL: "x"}}}}, assets: []cachedAsset{{path: "b.css", exists: true}}}
	data := c.encode()
	f.Add(data[len(cacheMagic)+len(c.key) : len(data)-len(c.key)])
	f.Fuzz(func(t *testing.T, body []byte) {
		// With a sum that is right, or nothing would be read.
		sealed := sealCache(append(append([]byte(cacheMagic), make([]byte, len(c.key))...), body...))
		got := &Cache{}
		got.decode(sealed)
		for _, d := range got.docs {
			for _, n := range d.looked {
				if n >= len(got.assets) {
					t.Fatalf("asset %d of %d", n, len(got.assets))
				}
			}
		}
	})
}

// TestInPlaceOneFileFails: what is wrong with one file leaves the others.
func TestInPlaceOneFileFails(t *testing.T) {
	t.Parallel()
	tr := newDisk(t, cachedSite)
	outside := newDisk(t, map[string]string{"page.html": `<img src=/img/1.png>`})
	tr.must(os.Symlink(outside.path("page.html"), tr.path("link.html")))
	tr.must(syscall.Mkfifo(tr.path("pipe.html"), 0o644))
	docs := []Document{
		{Name: tr.path("a.html"), Path: "a.html"},
		{Name: tr.path("gone.html"), Path: "gone.html"},
		{Name: tr.path("link.html"), Path: "link.html"},
		{Name: tr.path("pipe.html"), Path: "pipe.html"},
		{Name: tr.path("a.html"), Path: "a.html"}, // twice
		{Name: tr.path("b.html"), Path: "b.html"},
	}
	tr.must(os.Chmod(tr.path("b.html"), 0o440))
	in := InPlace{Site: &Site{FS: os.DirFS(tr.root), Rev: "42"}, Root: tr.root}
	all, err := in.Rewrite(t.Context(), docs)
	tr.must(err)
	var got []string
	for _, d := range all {
		got = append(got, fmt.Sprint(filepath.Base(d.Name), " ", d.Changed, " ", d.Err != nil))
	}
	want := []string{"a.html true false", "gone.html false true", "link.html false true", "pipe.html false true", "a.html false false", "b.html true false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(tr.path("b.html")); err != nil || info.Mode().Perm() != 0o440 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := outside.read()["page.html"]; strings.Contains(got, "v=42") {
		t.Error("a file outside the root was rewritten")
	}
}

// Where what is missing or mismatched stands is told of the text that was written, as
// reading that tells it.
func TestInPlaceTellsOfWhatIsWritten(t *testing.T) {
	page := "<link rel=stylesheet href=css/a.css integrity=sha256-x>\n" +
		"<img src=none.png><img src=img/1.png><img src=none.png srcset='img/1.png, none.png 2x, img/1.png?v=&amp;x=1 3x'>\r\n" +
		"<img src=img/1.png?v=1234567><script src='none.js?v=1' integrity='sha384-y'></script><img src=none.gif>\n" +
		"<link rel=stylesheet href='css/b.css?v=1#x' integrity='sha256-x sha512-y'><img src=none.png>"
	for _, rev := range []string{"4", "4168", ""} {
		tr := newDisk(t, map[string]string{"a.html": page, "css/a.css": "a{}", "css/b.css": "b{}", "img/1.png": "1"})
		got := tr.rewrite("", rev)[0]
		want, err := (&Site{FS: os.DirFS(tr.root), Rev: rev}).Rewrite(got.Document, []byte(tr.read()["a.html"]))
		tr.must(err)
		if len(want.Missing) != 6 || len(want.Mismatched) != 2 || !got.Changed {
			t.Fatalf("changed %v, missing %+v, mismatched %+v", got.Changed, want.Missing, want.Mismatched)
		}
		if got.References != len(want.References) {
			t.Errorf("%d references, want %d", got.References, len(want.References))
		}
		if diff := cmp.Diff(want.Missing, got.Missing); diff != "" {
			t.Errorf("missing (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want.Mismatched, got.Mismatched); diff != "" {
			t.Errorf("mismatched (-want +got):\n%s", diff)
		}
	}
}

// A directory comes twice in a row only when no other has any left: two batches in
// one would wait for each other.
func TestDivide(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		dirs, left := make(map[string][]*Rewritten), make(map[string]int)
		for i := range rng.IntN(10) {
			dir := string(rune('a' + i))
			for range 1 + rng.IntN(5*unitSize) {
				dirs[dir] = append(dirs[dir], &Rewritten{Document: Document{Name: dir}})
			}
			left[dir] = len(dirs[dir])
		}
		before := ""
		for _, u := range divide(dirs, make(map[string]*sync.Mutex)) {
			dir := u.docs[0].Name
			if dir == before && len(left) > 1 {
				t.Errorf("%q comes twice in a row, and there are %v left", dir, left)
			}
			if left[dir] -= len(u.docs); left[dir] == 0 {
				delete(left, dir)
			}
			before = dir
		}
		if len(left) > 0 {
			t.Errorf("left out: %v", left)
		}
	}
}
