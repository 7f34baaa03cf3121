package assets

import (
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamesAreServed rewrites a site in place, twice, and asks for every URL that
// stands in it then: each is there, and is kept for a year.
func TestNamesAreServed(t *testing.T) {
	t.Parallel()
	for _, style := range []Style{ByQuery, ByName} {
		root := copySite(t)
		put(t, root, map[string]string{"sub/page.html": `<base href="/static/"><img srcset="img/one.png 1x, img/bg.png?x=1 2x"><link href="above.css"><a href="LICENSE">`})
		once := rewriteInRoot(t, root, style)
		for name, data := range once {
			if again := rewriteInRoot(t, root, style)[name]; again != data {
				t.Errorf("%s: the second time %s, before %s", name, again, data)
			}
		}
		h, err := NewHandler(root, "/static", "")
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		l, err := OpenLedger(root)
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		for name := range dirOf(t, root) {
			s := &Site{FS: os.DirFS(root), URL: "/static", Style: style}
			r, err := s.Rewrite(Document{Name: name, Path: name}, []byte(readFile(t, filepath.Join(root, name))))
			if err != nil {
				t.Fatal(err)
			}
			for _, ref := range r.References {
				asked++
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+absolute(name, ref.URL), nil))
				if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != year {
					t.Errorf("%s: %s is answered with %d, Cache-Control %q", name, ref.URL, w.Code, w.Header().Get("Cache-Control"))
				}
				if path := strings.TrimPrefix(strings.Split(absolute(name, ref.URL), "?")[0], "/static/"); style == ByName && l.Wrote(path) == (path == "LICENSE") {
					t.Errorf("%s: %s is no copy", name, ref.URL)
				}
			}
		}
		if asked < 20 {
			t.Errorf("%d URLs", asked)
		}
	}
}

// absolute resolves a URL of a document as the base elements of this test have it.
func absolute(document, url string) string {
	url, _, _ = strings.Cut(html.UnescapeString(url), "#")
	if !strings.HasSuffix(document, ".html") {
		return filepath.Join("/static", filepath.Dir(document), url)
	}
	return filepath.Join("/static", url)
}

// rewriteInRoot writes the copies of a site and rewrites everything in place.
func rewriteInRoot(t *testing.T, root string, style Style) map[string]string {
	t.Helper()
	l, err := OpenLedger(root)
	if err != nil {
		t.Fatal(err)
	}
	s := &Site{FS: os.DirFS(root), URL: "/static", Style: style, Written: l.Wrote, Rewrites: func(string) bool { return true }}
	copies, err := s.Copies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(t.Context(), copies); err != nil {
		t.Fatal(err)
	}
	for name, data := range dirOf(t, root) {
		if l.Wrote(name) {
			continue
		}
		r, err := s.Rewrite(Document{Name: name, Path: name}, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), r.Out, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dirOf(t, root)
}

// TestNamesWhereTheyCanBe: what no copy can be made of has its version in the query.
func TestNamesWhereTheyCanBe(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	long := strings.Repeat("n", maxBase-len(".png"))
	put(t, root, map[string]string{"img/a.png": "a", long + ".png": "n", long + "n.png": "n"})
	put(t, outside, map[string]string{"b.png": "b"})
	for name, target := range map[string]string{"up": outside, "link.png": "img/a.png", "within": "img"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	l, written := release(t, root, root)
	if len(written) != 3 {
		t.Errorf("written %v", written)
	}
	s := &Site{FS: os.DirFS(root), Style: ByName, Written: l.Wrote}
	for url, inName := range map[string]bool{
		"/img/a.png": true, "/link.png": true, "/" + long + ".png": true,
		"/up/b.png": false, "/within/a.png": false, "/" + long + "n.png": false,
	} {
		r, err := s.Rewrite(Document{Name: "x.html"}, []byte("<img src="+url+">"))
		if err != nil || len(r.References) != 1 {
			t.Fatalf("%s: %v, %v", url, r, err)
		}
		got := strings.TrimSuffix(strings.TrimPrefix(string(r.Out), "<img src="), ">")
		if strings.Contains(got, "?v=") == inName {
			t.Errorf("%s became %s", url, got)
		}
		if name := strings.Split(got[1:], "?")[0]; readFile(t, filepath.Join(root, name)) != readFile(t, filepath.Join(root, url)) {
			t.Errorf("%s has another content than %s", got, url)
		}
	}
}
