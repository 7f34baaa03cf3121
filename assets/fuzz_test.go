package assets

import (
	"bytes"
	"cmp"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// addSeeds gives a fuzz target the golden cases.
func addSeeds(f *testing.F, add func(src []byte, kind Kind)) {
	for _, file := range goldenFiles(f) {
		for _, g := range readGolden(f, file) {
			if kind, ok := KindOf(g.as["name"]); ok {
				add(g.source(), kind)
			}
		}
	}
}

// FuzzHTML: the scanner hands on URLs that lie in the document, in order.
func FuzzHTML(f *testing.F) {
	addSeeds(f, func(src []byte, kind Kind) { f.Add(src, uint16(kind)) })
	f.Fuzz(func(t *testing.T, src []byte, kind uint16) {
		if unreadable(src) == "" {
			urlsIn(t, src, Kind(kind)&^assetKinds|HTML)
		}
	})
}

// FuzzCSS: the same of style sheets.
func FuzzCSS(f *testing.F) {
	addSeeds(f, func(src []byte, kind Kind) {
		if kind&CSS != 0 {
			f.Add(src, uint16(kind))
		}
	})
	f.Fuzz(func(t *testing.T, src []byte, kind uint16) {
		if unreadable(src) == "" {
			urlsIn(t, src, Kind(kind)|CSS)
		}
	})
}

// FuzzSVG: the same of drawings.
func FuzzSVG(f *testing.F) { fuzzKind(f, SVG) }

// FuzzWebManifest: the same of manifests.
func FuzzWebManifest(f *testing.F) { fuzzKind(f, WebManifest) }

// FuzzJS: the same of scripts.
func FuzzJS(f *testing.F) { fuzzKind(f, JS) }

// fuzzKind fuzzes the scanner of a language, below every layer.
func fuzzKind(f *testing.F, language Kind) {
	addSeeds(f, func(src []byte, kind Kind) {
		if kind&language != 0 {
			f.Add(src, uint16(kind))
		}
	})
	f.Fuzz(func(t *testing.T, src []byte, kind uint16) {
		if unreadable(src) == "" {
			urlsIn(t, src, Kind(kind)&^(HTML|assetKinds)|language)
		}
	})
}

const fuzzCopy = "img/b.0badc0de.png" // written by us, for who asks

var fuzzTree = treeOf(fuzzCopy, "css/site.css", "img/a.png", "img/b.png", "img/é.png", "img/a␣b.png", "LICENSE", "x", "a", "doc/x.pdf", "page/index.html")

// FuzzRewrite holds Rewrite to its promises on any document, whatever it is
// written in.
func FuzzRewrite(f *testing.F) {
	addSeeds(f, func(src []byte, kind Kind) { f.Add(src, uint16(kind), "42", "page.html") })
	f.Add([]byte(`<img src=/a?x=1&amp>`), uint16(HTML), "\"&<?", "")
	f.Fuzz(func(t *testing.T, src []byte, kind uint16, rev, docPath string) {
		if rev == "" || docPath != "" && !fs.ValidPath(docPath) {
			return
		}
		doc := Document{Name: "fuzz", Path: docPath, Kind: Kind(kind)}
		if doc.Kind == 0 {
			doc.Kind = HTML
		}
		checkRewrite(t, &Site{FS: fuzzTree, Rev: rev, Hosts: []string{"h"}}, doc, src)
		checkRewrite(t, &Site{FS: everything{}, Rev: rev, Param: "b"}, doc, src)
		checkRewrite(t, &Site{FS: everything{}, Rev: rev, Modules: NoModules}, doc, src)
		checkRewrite(t, &Site{FS: fuzzTree, Style: ByName, Hosts: []string{"h"}, Written: func(p string) bool { return p == fuzzCopy }}, doc, src)
	})
}

// everything is a file system in which every file exists, so that every URL of a
// document is a reference.
type everything struct{}

func (everything) Open(name string) (fs.File, error)     { return fuzzTree.Open("x") }
func (everything) Stat(name string) (fs.FileInfo, error) { return fs.Stat(fuzzTree, "x") }

// TestRewriteEverything holds Rewrite to its promises on the files of the machine
// and on generated documents, with every URL a reference.
func TestRewriteEverything(t *testing.T) {
	t.Parallel()
	site := &Site{FS: everything{}, Rev: "42", Param: "b", Hosts: []string{"h"}}
	refs := 0
	check := func(name string, kind Kind, src []byte) {
		refs += checkRewrite(t, site, Document{Name: name, Path: "sub/x.html", Kind: kind}, src)
	}
	files, size := corpus(t, check)
	t.Logf("%d files of this machine, %d bytes: %d references", files, size, refs)
	random := rand.New(rand.NewPCG(5, 6))
	const generated = 4000
	for range generated {
		check("generated HTML", HTML, generateHTML(random))
		check("generated CSS", CSS, generateCSS(random))
		check("generated PHP", PHP, generatePHP(random))
		check("generated JavaScript", JS, generateJS(random))
	}
	t.Logf("with %d generated documents: %d references", 4*generated, refs)
	if refs < 1000 {
		t.Errorf("%d references", refs)
	}
}

// checkRewrite fails t unless Rewrite keeps its promises, and returns the number
// of references.
func checkRewrite(t *testing.T, site *Site, doc Document, src []byte) int {
	t.Helper()
	before := bytes.Clone(src)
	r, err := site.Rewrite(doc, src)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(src, before) {
		t.Fatalf("source changed to %q", src)
	}
	if r.Skipped != "" {
		if !bytes.Equal(r.Out, src) {
			t.Fatalf("skipped, and changed to %q", r.Out)
		}
		return 0
	}
	again, err := site.Rewrite(doc, r.Out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Out, r.Out) {
		t.Fatalf("of %q\nfirst  %q\nsecond %q", src, r.Out, again.Out)
	}
	if len(again.References) != len(r.References) {
		t.Fatalf("%d references in %q, %d in %q", len(r.References), src, len(again.References), r.Out)
	}
	rest := around(t, r.Out, again.References)
	for i, old := range around(t, src, r.References) {
		if rest := rest[i]; rest != old {
			t.Fatalf("between references: %q became %q", old, rest)
		}
	}
	for i, ref := range r.References {
		checkReference(t, site, ref, again.References[i])
	}
	if a, b := site.Normalize(doc, src), site.Normalize(doc, r.Out); !bytes.Equal(a, b) {
		t.Fatalf("normalized source %q\nof result %q", a, b)
	}
	return len(r.References)
}

// around returns what stands before, between and after the references of src.
func around(t *testing.T, src []byte, refs []Reference) []string {
	t.Helper()
	var out []string
	line, start, done := 1, 0, 0
	for _, r := range refs {
		for line < r.Line {
			start += bytes.IndexByte(src[start:], '\n') + 1
			line++
		}
		at := start + r.Column - 1
		if !strings.HasPrefix(string(src[at:]), r.URL) {
			t.Fatalf("%q is not at %d:%d of %q", r.URL, r.Line, r.Column, src)
		}
		out = append(out, string(src[done:at]))
		done = at + len(r.URL)
	}
	return append(out, string(src[done:]))
}

var plainURL = regexp.MustCompile(`^[!-%'-;=?-\[\]-~é]*$`) // no escapes, no white space

// checkReference resolves the URL as net/url does, and wants the file there.
func checkReference(t *testing.T, site *Site, old, changed Reference) {
	t.Helper()
	if info, err := fs.Stat(site.FS, old.Path); err != nil || !info.Mode().IsRegular() {
		t.Fatalf("%q names %q: %v", old.URL, old.Path, err)
	}
	if changed.Path != old.Path || changed.Old != old.New {
		t.Fatalf("%+v became %+v", old, changed)
	}
	written := html.UnescapeString(changed.URL)
	if !plainURL.MatchString(written) || strings.Contains(written, "//") && !strings.Contains(written, "//h/") {
		return
	}
	u, err := url.Parse(written)
	if err != nil {
		return
	}
	want := "/" + old.Path
	if site.Style == ByName && path.Ext(want) != "" {
		want = "/" + fingerprinted(old.Path, old.New)
	} else if param := cmp.Or(site.Param, "v"); !strings.Contains(u.RawQuery, param+"="+old.New) {
		t.Fatalf("no version in the query of %q", changed.URL)
	}
	if strings.HasPrefix(u.Path, "/") && path.Clean(u.Path) != want {
		t.Fatalf("%q names %q, not %q", changed.URL, u.Path, want)
	}
}
