package assets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResult(t *testing.T) {
	t.Parallel()
	s := &Site{FS: treeOf("css/site.css", "img/a.png"), Rev: "42"}
	src := []byte("<link href=\"css/site.css?v=41\">\r\n<p style=\"a:url('img/a.png')\"><img src=img/a.png?v=42>\n<img src=gone.png>")
	r, err := s.Rewrite(Document{Name: "public/x.html", Path: "x.html"}, src)
	if err != nil {
		t.Fatal(err)
	}
	want := &Result{
		Out: []byte("<link href=\"css/site.css?v=42\">\r\n<p style=\"a:url('img/a.png?v=42')\"><img src=img/a.png?v=42>\n<img src=gone.png>"),
		References: []Reference{
			{File: "public/x.html", Line: 1, Column: 13, URL: "css/site.css?v=41", Path: "css/site.css", Old: "41", New: "42"},
			{File: "public/x.html", Line: 2, Column: 18, URL: "img/a.png", Path: "img/a.png", Old: "", New: "42"},
			{File: "public/x.html", Line: 2, Column: 40, URL: "img/a.png?v=42", Path: "img/a.png", Old: "42", New: "42"},
		},
		Missing: []Reference{{File: "public/x.html", Line: 3, Column: 10, URL: "gone.png", Path: "gone.png"}},
	}
	if d := cmp.Diff(want, r); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	again, err := s.Rewrite(Document{Name: "public/x.html", Path: "x.html"}, r.Out)
	if err != nil {
		t.Fatal(err)
	}
	if &again.Out[0] != &r.Out[0] {
		t.Error("Out is a copy although nothing changed")
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	s := &Site{FS: treeOf("a.png"), Rev: "42", Strict: true}
	r, err := s.Rewrite(Document{Name: "x.html", Path: "x.html"}, []byte("<img src=a.png>\n<img src=b.png><img src=c.png>"))
	var missing *MissingError
	if !errors.As(err, &missing) || len(missing.References) != 2 {
		t.Fatalf("error = %v, want two missing references", err)
	}
	if got, want := err.Error(), `x.html:2:10: "b.png" names no file (and 1 more)`; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
	if r == nil || len(r.Missing) != 2 || !bytes.Contains(r.Out, []byte("a.png?v=42")) {
		t.Errorf("result = %+v", r)
	}
	if _, err := s.Rewrite(Document{Name: "x.html", Path: "x.html"}, []byte("<img src=a.png>")); err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	tree := treeOf("a.png")
	for _, c := range []struct {
		site *Site
		want string
	}{
		{&Site{}, "assets: no asset root"},
		{&Site{FS: tree, Param: "v="}, `assets: parameter "v=": only letters, digits, '.', '_' and '-' are possible`},
		{&Site{FS: tree, URL: "static"}, `assets: url "static": not an absolute path`},
		{&Site{FS: tree, URL: "//cdn/"}, `assets: url "//cdn/": not an absolute path`},
		{&Site{FS: tree, URL: "/x?y"}, `assets: url "/x?y": not an absolute path`},
		{&Site{FS: tree, URL: "/../x"}, `assets: url "/../x": not a directory`},
		{&Site{FS: tree, Attributes: []string{"data src"}}, `assets: attribute "data src": no attribute has such a name`},
		{&Site{FS: tree, Attributes: []string{"HREF"}}, `assets: attribute "HREF": only further ones can be named, as data-src`},
	} {
		_, err := c.site.Rewrite(Document{Name: "x.html"}, nil)
		if err == nil || err.Error() != c.want {
			t.Errorf("Rewrite of %+v: error %v, want %q", c.site.URL, err, c.want)
		}
		if _, err := c.site.Version("a.png"); err == nil || err.Error() != c.want {
			t.Errorf("Version of %+v: error %v, want %q", c.site.URL, err, c.want)
		}
	}
	for _, url := range []string{"", "/", "/s", "/s/", "/s//", "/%73/", "/x/../s"} {
		s := &Site{FS: tree, URL: url, Rev: "42"}
		in := "/s/a.png"
		if url == "" || url == "/" {
			in = "/a.png"
		}
		r, err := s.Rewrite(Document{Name: "x.html"}, []byte("<img src="+in+">"))
		if err != nil || string(r.Out) != "<img src="+in+"?v=42>" {
			t.Errorf("url %q: %+v, %v", url, r, err)
		}
	}
	_, err := (&Site{FS: tree}).Rewrite(Document{Name: "x.html", Path: "/x.html"}, nil)
	if !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Path with a slash: error %v, want %v", err, fs.ErrInvalid)
	}
	if v, err := (&Site{FS: tree, Rev: "a/b c"}).Version("no/matter"); v != "a%2Fb%20c" || err != nil {
		t.Errorf("Version = %q, %v", v, err)
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Kind{
		"a.html": HTML, "x/A.HTM": HTML, "a.css": CSS, "a.min.css": CSS, "a.php": HTML | PHP, "a.inc.php": HTML | PHP,
		"a.phtml": HTML | PHP, "a.css.php": CSS | PHP, "a.blade.php": HTML | PHP | Mustache, "a.twig": HTML | Jinja,
		"a.html.twig": HTML | Jinja, "a.css.j2": CSS | Jinja, "a.gohtml": HTML | Mustache, "a.tmpl": HTML | Mustache,
		"a.html.erb": HTML | ERB, "a.css.erb": CSS | ERB,
		"a.svg": SVG, "a.svg.twig": SVG | Jinja, "app.webmanifest": WebManifest, "app.webmanifest.php": WebManifest | PHP,
		"a.js": JS, "a.min.mjs": JS, "a.js.erb": JS | ERB, "a.cjs": 0, "a.ts": 0, "a": 0, "a.yaml.j2": 0, "a.txt.tmpl": 0, "html": 0, ".html": HTML,
	} {
		if got, ok := KindOf(name); got != want || ok != (want != 0) {
			t.Errorf("KindOf(%q) = %v, %v, want %v", name, got, ok, want)
		}
	}
	r, err := (&Site{FS: treeOf("a.png"), Rev: "42"}).Rewrite(Document{Name: "x.inc", Kind: PHP}, []byte("<?= 1 ?><img src=/a.png>"))
	if err != nil || string(r.Out) != "<?= 1 ?><img src=/a.png?v=42>" {
		t.Errorf("Rewrite by Kind: %+v, %v", r, err)
	}
}

// TestStatIsAskedLast counts the looks at the file system: one for each path
// that may be an asset, none for what can be refused before.
func TestStatIsAskedLast(t *testing.T) {
	t.Parallel()
	fsys := &countingFS{FS: treeOf("a.png", "b.css")}
	s := &Site{FS: fsys, Rev: "42"}
	src := strings.Repeat(`<a href="x.html"><a href="https://e.org/a.png"><a href="#a"><a href="/x/"><a href="../a.png">
		<img src="a.png"><img src="gone.png"><img src="data:,a.png"><img src="{{x}}.png"><p style="x:url(b.css)">`, 10)
	for range 2 {
		if _, err := s.Rewrite(Document{Name: "x.html", Path: "x.html"}, []byte(src)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := fsys.stats.Load(), int64(3); got != want {
		t.Errorf("%d calls of Stat, want %d", got, want)
	}
}

type countingFS struct {
	fs.FS
	stats atomic.Int64
}

func (c *countingFS) Stat(name string) (fs.FileInfo, error) {
	c.stats.Add(1)
	return fs.Stat(c.FS, name)
}

// TestFilesOnDisk runs over a real tree: order, errors of single files, file
// system errors that mean missing, and directories that look like files.
func TestFilesOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, data string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("img/a.png", "a")
	write("dir.png/x", "")
	long := strings.Repeat("x", 300) + ".png"
	var docs []Document
	for i := range 100 {
		name := fmt.Sprintf("page%d.html", i)
		write(name, fmt.Sprintf(`%d<img src="img/a.png"><img src="dir.png"><img src="%s"><img src="img/a.png/b.png">`, i, long))
		docs = append(docs, Document{Name: filepath.Join(dir, name), Path: name})
	}
	docs[50].Name = filepath.Join(dir, "gone.html")
	s := &Site{FS: os.DirFS(dir), Rev: "42"}
	i, kept := 0, make([]*Result, len(docs))
	for f, err := range s.Files(t.Context(), docs, nil) {
		if f.Document != docs[i] {
			t.Fatalf("document %d is %v, want %v", i, f.Document, docs[i])
		}
		switch {
		case i == 50:
			if !errors.Is(err, fs.ErrNotExist) || f.Result != nil {
				t.Errorf("document 50: %v, %v, want no result, %v", f.Result, err, fs.ErrNotExist)
			}
		case err != nil:
			t.Error(err)
		default:
			want := strings.Replace(string(f.Source), "a.png\"", "a.png?v=42\"", 1)
			if string(f.Out) != want || !strings.HasPrefix(want, fmt.Sprint(i)) || len(f.Missing) != 2 {
				t.Errorf("document %d: %s, %v", i, f.Out, f.Missing)
			}
			kept[i] = f.Result
		}
		i++
	}
	for i, r := range kept { // what changed is the caller's to keep
		if r != nil && (!strings.HasPrefix(string(r.Out), fmt.Sprintf(`%d<img src="img/a.png?v=42">`, i)) || r.References[0].URL != "img/a.png") {
			t.Errorf("document %d, kept: %s, %v", i, r.Out, r.References)
		}
	}
	if i != len(docs) {
		t.Errorf("%d documents, want %d", i, len(docs))
	}
}

// TestFilesEnds: the goroutines of Files are gone when its loop is, even those
// that are still reading, and a cancelled context is its last error.
func TestFilesEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Site{FS: treeOf("a.png"), Rev: "42"}
		docs := make([]Document, 500)
		for i := range docs {
			docs[i].Name = fmt.Sprint(i, ".html")
		}
		var reading, reads atomic.Int64
		read := func(Document) ([]byte, error) {
			reading.Add(1)
			defer reading.Add(-1)
			// The clock of the bubble moves on when all others are idle.
			time.Sleep(time.Duration(reads.Add(1)) * time.Second)
			return []byte("<img src=/a.png>"), nil
		}
		for range s.Files(t.Context(), docs, read) {
			break
		}
		if n := reading.Load(); n != 0 {
			t.Errorf("%d reads after the loop", n)
		}
		if n := reads.Load(); n > 100 {
			t.Errorf("%d documents read ahead", n)
		}

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n, last := 0, error(nil)
		for _, err := range s.Files(ctx, docs, read) {
			if n++; n == 10 {
				cancel()
			}
			last = err
		}
		if !errors.Is(last, context.Canceled) || n != 11 {
			t.Errorf("%d documents, the last with %v, want 11, %v", n, last, context.Canceled)
		}
		for f, err := range s.Files(t.Context(), nil, nil) {
			t.Errorf("no documents: %v, %v", f, err)
		}
	})
}
