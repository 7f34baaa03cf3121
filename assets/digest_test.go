package assets

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
)

func tree(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, data := range files {
		out[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return out
}

// versionsOf returns the version of every file, each asked of a site of its own
// or all of the same one.
func versionsOf(t *testing.T, fsys fstest.MapFS, shared bool) map[string]string {
	t.Helper()
	s := &Site{FS: fsys}
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(fsys)) {
		if !shared {
			s = &Site{FS: fsys}
		}
		v, err := s.Version(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = v
	}
	return out
}

// rewriteAll writes the versions into every style sheet and page.
func rewriteAll(t *testing.T, fsys fstest.MapFS) fstest.MapFS {
	t.Helper()
	s, out := &Site{FS: fsys}, fstest.MapFS{}
	for name, f := range fsys {
		r, err := s.Rewrite(Document{Name: name, Path: name}, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &fstest.MapFile{Data: r.Out}
	}
	return out
}

// sheets is a site with every shape of references among style sheets, and modules.
var sheets = map[string]string{
	"main.css":      `@import "theme.css"; a{b:url(img/bg.png)}`,
	"theme.css":     `@import url(base/base.css?x=1); a{b:url("fonts/f.woff2#x")}`,
	"base/base.css": `a{b:url(../img/bg.png?v=old)}`,
	"one.css":       `@import "two.css"; a{b:url(img/one.png)}`,
	"two.css":       `@import "three.css";`,
	"three.css":     `@import "one.css?v"; @import "two.css?v=stale"; @import "base/base.css";`,
	"self.css":      `@import "self.css"; a{b:url(img/one.png)}`,
	"above.css":     `@import "one.css"; @import "self.css";`,
	"alone.css":     `a{b:c}`,
	"img/bg.png":    "background",
	"img/one.png":   "one",
	"fonts/f.woff2": "font",
	"js/app.js":     `import "./one.js"; new URL("../img/one.png", import.meta.url)`,
	"js/one.js":     `import "./two.js?v=stale"; import "react"`,
	"js/two.js":     `export * from "./one.js"; import("./two.js")`,
	"index.html":    `<link href="main.css"><link href="above.css"><img src="img/one.png">`,
}

// TestDigestIsOfFinalBytes: the version of a file outside of cycles is the
// digest of the bytes that are released.
func TestDigestIsOfFinalBytes(t *testing.T) {
	t.Parallel()
	site := tree(sheets)
	final, versions := rewriteAll(t, site), versionsOf(t, site, true)
	for _, name := range []string{"main.css", "theme.css", "base/base.css", "alone.css", "above.css", "img/bg.png", "js/app.js"} {
		if got, want := versions[name], fmt.Sprintf("%x", sha256.Sum256(final[name].Data))[:digestLen]; got != want {
			t.Errorf("Version(%q) = %q, want %q", name, got, want)
		}
	}
	want := `<link href="main.css?v=` + versions["main.css"] + `"><link href="above.css?v=` +
		versions["above.css"] + `"><img src="img/one.png?v=` + versions["img/one.png"] + `">`
	if got := string(final["index.html"].Data); got != want {
		t.Errorf("index.html = %s\nwant %s", got, want)
	}
}

// TestDigestIsStable: neither rewriting the site, nor the order of questions,
// nor asking from many goroutines changes a version.
func TestDigestIsStable(t *testing.T) {
	t.Parallel()
	site := tree(sheets)
	want := versionsOf(t, site, true)
	if got := versionsOf(t, site, false); !maps.Equal(got, want) {
		t.Errorf("asked one by one: %v\nwant %v", got, want)
	}
	once := rewriteAll(t, site)
	delete(want, "index.html")
	got := versionsOf(t, once, true)
	delete(got, "index.html")
	if !maps.Equal(got, want) {
		t.Errorf("after rewriting: %v\nwant %v", got, want)
	}
	for name, f := range rewriteAll(t, once) {
		if !bytes.Equal(f.Data, once[name].Data) {
			t.Errorf("%s changes again: %s\nwas %s", name, f.Data, once[name].Data)
		}
	}

	s := &Site{FS: site}
	var all sync.WaitGroup
	for range 4 {
		for name := range want {
			all.Go(func() {
				if v, err := s.Version(name); err != nil || v != want[name] {
					t.Errorf("Version(%q) = %q, %v, want %q", name, v, err, want[name])
				}
			})
		}
	}
	all.Wait()
}

// reaches lists, for each file of sheets, those that reach it, itself included.
var reaches = func() map[string][]string {
	cycle := []string{"above.css", "one.css", "three.css", "two.css"}
	return map[string][]string{
		"img/bg.png":    append([]string{"base/base.css", "img/bg.png", "main.css", "theme.css"}, cycle...),
		"fonts/f.woff2": {"fonts/f.woff2", "main.css", "theme.css"},
		"img/one.png":   append([]string{"img/one.png", "self.css", "js/app.js"}, cycle...),
		"js/two.js":     {"js/app.js", "js/one.js", "js/two.js"},
		"js/app.js":     {"js/app.js"},
		"two.css":       cycle,
		"self.css":      {"above.css", "self.css"},
		"alone.css":     {"alone.css"},
		"index.html":    {"index.html"},
	}
}()

// TestDigestFollowsReferences: changing one file changes the version of exactly
// those that reach it.
func TestDigestFollowsReferences(t *testing.T) {
	t.Parallel()
	before := versionsOf(t, tree(sheets), true)
	for changed, reach := range reaches {
		site := tree(sheets)
		site[changed].Data = append(bytes.Clone(site[changed].Data), ' ')
		after := versionsOf(t, site, true)
		var got []string
		for name, v := range before {
			if after[name] != v {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(reach)); !slices.Equal(got, want) {
			t.Errorf("a change of %s changes %v, want %v", changed, got, want)
		}
	}
}

// TestDigestOfManyCycles: interlinked style sheets are digested in one pass,
// where visiting every path would never end.
func TestDigestOfManyCycles(t *testing.T) {
	t.Parallel()
	const n = 60
	site := fstest.MapFS{}
	for i := range n {
		var b bytes.Buffer
		for j := range n {
			fmt.Fprintf(&b, "@import '%d.css';", j)
		}
		site[fmt.Sprintf("%d.css", i)] = &fstest.MapFile{Data: b.Bytes()}
	}
	seen := map[string]string{}
	for name, v := range versionsOf(t, site, true) {
		if other, ok := seen[v]; ok {
			t.Errorf("%s and %s have the same version", name, other)
		}
		seen[v] = name
	}
	chain := fstest.MapFS{}
	for i := range 2000 {
		chain[fmt.Sprintf("%d.css", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "@import '%d.css';", i+1)}
	}
	if _, err := (&Site{FS: chain}).Version("0.css"); err != nil {
		t.Error(err)
	}
}

// brokenFS fails to open or to stat certain files.
type brokenFS struct {
	fstest.MapFS
	open, stat string
}

var errBroken = errors.New("disk on fire")

func (b brokenFS) Open(name string) (fs.File, error) {
	if name == b.open {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errBroken}
	}
	return b.MapFS.Open(name)
}

func (b brokenFS) ReadFile(name string) ([]byte, error) {
	if name == b.open {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errBroken}
	}
	return b.MapFS.ReadFile(name)
}

func (b brokenFS) Stat(name string) (fs.FileInfo, error) {
	if name == b.stat {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: errBroken}
	}
	return b.MapFS.Stat(name)
}

// TestDigestErrors: a file that cannot be read is an error of whatever reaches
// it, and never a version.
func TestDigestErrors(t *testing.T) {
	t.Parallel()
	for _, b := range []brokenFS{
		{tree(sheets), "img/bg.png", ""},
		{tree(sheets), "base/base.css", ""},
		{tree(sheets), "", "img/bg.png"},
	} {
		s := &Site{FS: b}
		for _, name := range []string{"main.css", "above.css"} {
			if v, err := s.Version(name); !errors.Is(err, errBroken) {
				t.Errorf("open %q, stat %q: Version(%q) = %q, %v, want %v", b.open, b.stat, name, v, err, errBroken)
			}
		}
		if r, err := s.Rewrite(Document{Name: "index.html", Path: "index.html"}, []byte(sheets["index.html"])); !errors.Is(err, errBroken) || r != nil {
			t.Errorf("Rewrite = %v, %v, want %v", r, err, errBroken)
		}
		if _, err := s.Version("alone.css"); err != nil {
			t.Error(err)
		}
	}
	s := &Site{FS: tree(sheets)}
	for name, want := range map[string]error{"gone.css": fs.ErrNotExist, "../x.css": fs.ErrNotExist, "": fs.ErrNotExist} {
		if v, err := s.Version(name); !errors.Is(err, want) {
			t.Errorf("Version(%q) = %q, %v, want %v", name, v, err, want)
		}
	}
	if v, err := s.Version("img"); err == nil {
		t.Errorf("Version of a directory = %q", v)
	}
}
