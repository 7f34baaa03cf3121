package assets_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"revstamp/assets"
)

const aYear = "public, max-age=31536000, immutable"

// served is a root with what may be served and what may not, and a handler.
func served(t *testing.T, url, param string) (root string, h *assets.Handler) {
	t.Helper()
	dir := t.TempDir()
	root = filepath.Join(dir, "root")
	for _, name := range []string{
		"site.css", "img/a b.svg", "app.js", "app.js.br", "app.js.gz", "app.js.zst", "stale.js", "docs/index.html", "index.html",
		".git/HEAD", "img/.hidden", ".well-known/acme/token", ".well-known/.git/HEAD", "site.css~", "site.css.bak", "revstamp.yaml",
		"#page.php#", "page.php.working", "page.php.save.1", "dump.sql.gz", "intro.swf",
		"page.php", "page.html.twig", "../secret.css",
		"app.3fa9c1e2.js", "app.3fa9c1e2.js.br", "report.20260131.pdf", "docs/part.0badc0de.d/x.css", "revstamp.live.yaml",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("content of "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"out.css": "../secret.css", "abs.css": filepath.Join(dir, "secret.css"), "in.css": "site.css", "loop.css": "loop.css", "up": "..",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe.css"), 0o644); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.WriteFile(filepath.Join(root, "stale.js.gz"), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(root, "stale.js.gz"), old, old); err != nil {
		t.Fatal(err)
	}
	h, err := assets.NewHandler(root, url, param)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return root, h
}

// ask is a request by hand: no client makes a path of it first.
func ask(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "http://localhost"+target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandler(t *testing.T) {
	t.Parallel()
	_, h := served(t, "/static", "rev")
	for _, tt := range []struct {
		target string
		status int
		cache  string
		body   string
	}{
		{"/static/site.css?rev=42", 200, aYear, "content of site.css"},
		{"/static/site.css?x&rev=42", 200, aYear, "content of site.css"},
		{"/static/site.css", 200, "no-cache", "content of site.css"},
		{"/static/site.css?v=42", 200, "no-cache", "content of site.css"},
		{"/static/site.css?rev=", 200, "no-cache", "content of site.css"},
		{"/static/img/a%20b.svg?rev=1", 200, aYear, "content of img/a b.svg"},
		{"/static/in.css", 200, "no-cache", "content of site.css"},
		{"/static/", 200, "no-cache", "content of index.html"},
		{"/static/docs/", 200, "no-cache", "content of docs/index.html"},
		{"/static/?rev=42", 200, "no-cache", "content of index.html"},
		{"/static/docs/index.html?rev=42", 200, "no-cache", "content of docs/index.html"},
		{"/static/.well-known/acme/token", 200, "", ""},
		{"/static/docs", 302, "no-cache", ""},
		{"/static", 404, "no-store", ""},
		{"/static/img/", 404, "no-store", ""},
		{"/static/none.css?rev=1", 404, "no-store", ""},
		{"/static/site.css/", 404, "no-store", ""},
		{"/static/app.3fa9c1e2.js", 200, aYear, "content of app.3fa9c1e2.js"},
		{"/static/app.3fa9c1e2.js?rev=", 200, aYear, "content of app.3fa9c1e2.js"},
		{"/static/app.0badc0de.js", 200, "no-cache", "content of app.js"},
		{"/static/app.0badc0de.js?rev=42", 200, "no-cache", "content of app.js"},
		{"/static/img/a%20b.0badc0de.svg", 200, "no-cache", "content of img/a b.svg"},
		{"/static/in.0badc0de.css", 200, "no-cache", "content of site.css"},
		{"/static/report.20260131.pdf", 200, "no-cache", "content of report.20260131.pdf"},
		{"/static/docs/part.0badc0de.d/x.css", 200, "no-cache", "content of docs/part.0badc0de.d/x.css"},
		{"/static/app.0badc0d.js", 404, "no-store", ""},
		{"/static/app.12345678.js", 404, "no-store", ""},
		{"/static/none.0badc0de.js", 404, "no-store", ""},
		{"/static/app.0badc0de.js/", 404, "no-store", ""},
		{"/static/page.0badc0de.php", 404, "no-store", ""},
		{"/static/revstamp.live.0badc0de.yaml", 404, "no-store", ""},
		{"/static/out.0badc0de.css", 404, "no-store", ""},
		{"/static/.git/HEAD.0badc0de.css", 404, "no-store", ""},
		{"/static/%23page.php%23", 404, "no-store", ""},
		{"/static/page.php.working", 404, "no-store", ""},
		{"/static/page.php.save.1", 404, "no-store", ""},
		{"/static/dump.sql.gz", 404, "no-store", ""},
		{"/static/intro.swf", 200, "no-cache", "content of intro.swf"},
		{"/static/site.css/x", 404, "no-store", ""},
		{"/other/site.css", 404, "no-store", ""},
		{"/staticsite.css", 404, "no-store", ""},
		{"/static/../secret.css", 404, "no-store", ""},
		{"/static/%2e%2e/secret.css", 404, "no-store", ""},
		{"/static/img/..%2f..%2f../secret.css", 404, "no-store", ""},
		{"/static/up/secret.css", 404, "no-store", ""},
		{"/static/out.css", 404, "no-store", ""},
		{"/static/abs.css", 404, "no-store", ""},
		{"/static/loop.css", 404, "no-store", ""},
		{"/static/pipe.css", 404, "no-store", ""},
		{"/static/site.css%00", 404, "no-store", ""},
		{"/static/.git/HEAD", 404, "no-store", ""},
		{"/static/%2egit/HEAD?rev=1", 404, "no-store", ""},
		{"/static/img/.hidden", 404, "no-store", ""},
		{"/static/.well-known/.git/HEAD", 404, "no-store", ""},
		{"/static/site.css~", 404, "no-store", ""},
		{"/static/site.css.bak", 404, "no-store", ""},
		{"/static/revstamp.yaml", 404, "no-store", ""},
		{"/static/page.php", 404, "no-store", ""},
		{"/static/page.html.twig", 404, "no-store", ""},
	} {
		if strings.Contains(tt.target, "well-known/acme") {
			continue // well known is what is so at the top of a host
		}
		r := ask(h, "GET", tt.target)
		got := body(t, r)
		if r.StatusCode != tt.status || r.Header.Get("Cache-Control") != tt.cache || tt.body != "" && got != tt.body {
			t.Errorf("%s: %d, %q, %q, want %d, %q, %q", tt.target, r.StatusCode, r.Header.Get("Cache-Control"), got, tt.status, tt.cache, tt.body)
		}
		if strings.Contains(got, "secret") {
			t.Errorf("%s: what lies outside of the root is served", tt.target)
		}
	}
	if r := ask(h, "GET", "/static/docs?rev=1"); r.Header.Get("Location") != "/static/docs/?rev=1" {
		t.Errorf("a directory leads to %q", r.Header.Get("Location"))
	}
	if r := ask(h, "POST", "/static/site.css"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", r.StatusCode, r.Header.Get("Allow"))
	}
	if r := ask(h, "HEAD", "/static/site.css"); r.StatusCode != 200 || body(t, r) != "" || r.ContentLength != 19 && r.Header.Get("Content-Length") != "19" {
		t.Errorf("HEAD: %d, %v", r.StatusCode, r.Header)
	}
}

// The root of a host has what is well known.
func TestHandlerWellKnown(t *testing.T) {
	t.Parallel()
	_, h := served(t, "", "")
	if r := ask(h, "GET", "/.well-known/acme/token"); r.StatusCode != 200 {
		t.Errorf("/.well-known: %d", r.StatusCode)
	}
	if r := ask(h, "GET", "//docs"); r.StatusCode == 302 && strings.HasPrefix(r.Header.Get("Location"), "//") {
		t.Errorf("//docs leads to another host, %q", r.Header.Get("Location"))
	}
}

// TestHandlerConditions asks again, and for parts, before and after a change.
func TestHandlerConditions(t *testing.T) {
	t.Parallel()
	root, h := served(t, "", "")
	first := ask(h, "GET", "/site.css?v=1")
	tag := first.Header.Get("ETag")
	if r := ask(h, "GET", "/site.css", "If-None-Match", tag); r.StatusCode != 304 || r.Header.Get("ETag") != tag || r.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("If-None-Match: %d, %v", r.StatusCode, r.Header)
	}
	if r := ask(h, "GET", "/site.css", "Range", "bytes=0-6", "If-Range", tag); r.StatusCode != 206 || body(t, r) != "content" {
		t.Errorf("Range: %d", r.StatusCode)
	}
	if r := ask(h, "GET", "/site.css", "Range", "bytes=100-"); r.StatusCode != 416 {
		t.Errorf("a range beyond the end: %d", r.StatusCode)
	}
	// Another file of the same size and time, in its place.
	info, err := os.Stat(filepath.Join(root, "site.css"))
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(root, "new")
	if err := os.WriteFile(other, []byte("CONTENT of site.css"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(other, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, filepath.Join(root, "site.css")); err != nil {
		t.Fatal(err)
	}
	if r := ask(h, "GET", "/site.css", "If-None-Match", tag); r.StatusCode != 200 || body(t, r) != "CONTENT of site.css" {
		t.Errorf("after a change: %d", r.StatusCode)
	}
	if r := ask(h, "GET", "/site.css", "Range", "bytes=0-6", "If-Range", tag); r.StatusCode != 200 {
		t.Errorf("a part of what changed: %d", r.StatusCode)
	}
}

// TestHandlerVariants chooses among what is compressed already.
func TestHandlerVariants(t *testing.T) {
	t.Parallel()
	root, h := served(t, "", "")
	packed, err := os.Create(filepath.Join(root, "index.html.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(packed)
	if _, err := io.WriteString(z, "content of index.html"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tt := range []struct{ target, accept, coding, vary string }{
		{"/app.js", "gzip, deflate, br", "br", "Accept-Encoding"},
		{"/app.js", "gzip, zstd", "zstd", "Accept-Encoding"},
		{"/app.js", "gzip", "gzip", "Accept-Encoding"},
		{"/app.js", "GZIP;q=0.5", "gzip", "Accept-Encoding"},
		{"/app.js", "br;q=0.1, gzip;q=0.9", "gzip", "Accept-Encoding"},
		{"/app.js", "br;q=0, *", "zstd", "Accept-Encoding"},
		{"/app.js", "*", "br", "Accept-Encoding"},
		{"/app.js", "identity", "", "Accept-Encoding"},
		{"/app.js", "br;q=nonsense", "", "Accept-Encoding"},
		{"/app.js", "", "", "Accept-Encoding"},
		{"/site.css", "br", "", ""},
		{"/stale.js", "gzip", "", ""},
		{"/", "gzip", "gzip", "Accept-Encoding"},
		{"/app.3fa9c1e2.js", "br, gzip", "br", "Accept-Encoding"},
		{"/app.0badc0de.js", "gzip", "gzip", "Accept-Encoding"}, // that of the asset
	} {
		r := ask(h, "GET", tt.target, "Accept-Encoding", tt.accept)
		if got := r.Header.Get("Content-Encoding"); r.StatusCode != 200 || got != tt.coding || r.Header.Get("Vary") != tt.vary {
			t.Errorf("%s, %q: %d, %q, Vary %q", tt.target, tt.accept, r.StatusCode, got, r.Header.Get("Vary"))
		}
		if want := map[bool]string{true: "text/javascript; charset=utf-8"}[strings.HasSuffix(tt.target, ".js")]; want != "" && r.Header.Get("Content-Type") != want {
			t.Errorf("%s: Content-Type %q", tt.target, r.Header.Get("Content-Type"))
		}
		if tag := r.Header.Get("ETag"); tt.target == "/app.js" {
			for coding, other := range tags {
				if (coding == tt.coding) != (tag == other) {
					t.Errorf("ETag of %q is %s, and of %q %s", tt.coding, tag, coding, other)
				}
			}
			tags[tt.coding] = tag
		}
	}
}
