package assets

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"revstamp/testdata/need"
)

// pixel is a picture of one by one.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func browserSite(t *testing.T) map[string]string {
	t.Helper()
	png, err := base64.StdEncoding.DecodeString(pixel)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"index.html": `<!DOCTYPE html><meta charset=utf-8><title>x</title>
<link rel=icon href=img/icon.png>
<link rel=stylesheet href=css/site.css>
<style>@font-face { font-family: f; src: url("fonts/f.woff2") } h1 { font-family: f; background: url(img/a.png) }</style>
<h1>Heading</h1>
<p class=b>with a background</p>
<img src=img/b.png srcset="img/b.png 1x, img/b2.png 2x" alt>
<picture><source srcset="img/c.png"><img src=img/d.png alt></picture>
<svg width=10 height=10><use href="img/sprite.svg#s"/><image href="img/e.png"/></svg>
<p style="background: url('img/f.png')">styled</p>
<script src=js/app.js></script>
<script type=importmap>{"imports": {"lib": "./js/m/lib.mjs"}}</script>
<script type=module src=js/m/main.mjs></script>
<script type=module>import "./js/m/once.mjs"</script>
`,
		"css/site.css": `@import "more.css"; .b { background: url(../img/g.png) }`,
		"css/more.css": `body { background-image: image-set("../img/h.png" 1x, "../img/h2.png" 2x) }`,
		"js/app.js":    `document.title = "ran"; document.body.append("script ran")`,
		"js/m/main.mjs": `import { runs } from "./once.mjs";
import "lib";
await import("./later.mjs");
const data = await fetch(new URL("../../img/g.png", import.meta.url));
document.body.append("modules ran, one of them " + runs() + " times, " + data.status)`,
		"js/m/lib.mjs":   `import "./once.mjs"`,
		"js/m/later.mjs": `import "./once.mjs"`,
		"js/m/once.mjs":  `export * from "./lib.mjs"; globalThis.count = (globalThis.count ?? 0) + 1; export const runs = () => globalThis.count`,
		"img/sprite.svg": `<svg xmlns="http://www.w3.org/2000/svg"><symbol id="s"><path d="M0 0h1v1z"/></symbol></svg>`,
		"fonts/f.woff2":  "no font", "img/icon.png": string(png),
		"img/a.png": string(png), "img/b.png": string(png), "img/b2.png": string(png), "img/c.png": string(png), "img/d.png": string(png),
		"img/e.png": string(png), "img/f.png": string(png), "img/g.png": string(png), "img/h.png": string(png), "img/h2.png": string(png),
	}
}

// TestBrowser loads a rewritten page in Chromium: it asks for every asset by its
// versioned URL, and gets it.
func TestBrowser(t *testing.T) {
	t.Parallel()
	need.Program(t, "chromium")
	for _, style := range []Style{ByQuery, ByName} {
		t.Run(string(style), func(t *testing.T) {
			tr := newDisk(t, browserSite(t))
			ledger, err := OpenLedger(tr.root)
			tr.must(err)
			site := &Site{FS: os.DirFS(tr.root), Style: style, Written: ledger.Wrote}
			copies, err := site.Copies(t.Context())
			tr.must(err)
			if style == ByName {
				_, err = ledger.Write(t.Context(), copies)
				tr.must(err)
			}
			docs := tr.documents()
			docs = slices.DeleteFunc(docs, func(d Document) bool { return ledger.Wrote(d.Path) })
			_, err = (&InPlace{Site: site, Root: tr.root}).Rewrite(t.Context(), docs)
			tr.must(err)

			asked, page := browse(t, tr.root)
			if !strings.Contains(page, "script ran") {
				t.Errorf("the script did not run in:\n%s", page)
			}
			if !strings.Contains(page, "modules ran, one of them 1 times, 200") {
				t.Errorf("the modules did not run, each once, in:\n%s", page)
			}
			// The icon is not among them: the page is whole without, and Chromium may end
			// before it asks for it.
			for _, want := range []string{"css/site", "css/more", "js/app", "js/m/main", "js/m/lib", "js/m/once", "js/m/later", "fonts/f", "img/sprite", "img/a", "img/b", "img/c", "img/e", "img/f", "img/g", "img/h"} {
				if !slices.ContainsFunc(asked, func(url string) bool { return strings.HasPrefix(url, "/"+want+".") }) {
					t.Errorf("%s was not asked for; these were: %q", want, asked)
				}
			}
			for _, url := range asked {
				_, named := Original(url)
				if url != "/" && (named != (style == ByName) || strings.Contains(url, "?v=") != (style == ByQuery)) {
					t.Errorf("asked for %s, which has no version in its %s", url, style)
				}
			}
		})
	}
}

// browse returns the URLs that Chromium asks for to show the site, and the page as it
// is in the end. All are answered 200.
func browse(t *testing.T, root string) (asked []string, page string) {
	t.Helper()
	h, err := NewHandler(root, "/", "v")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.RequestURI())
		if answer.Code != http.StatusOK {
			t.Errorf("%s: %d", r.URL, answer.Code)
		}
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--virtual-time-budget=5000", "--dump-dom", server.URL+"/")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	return slices.Clone(asked), string(out)
}
