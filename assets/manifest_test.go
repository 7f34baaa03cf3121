package assets_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"revstamp/assets"
	"revstamp/testdata/need"
)

var manifestRoot = fstest.MapFS{
	"css/site.css":       {Data: []byte("@import 'base.css'; a { background: url(../img/a%20b.png) }")},
	"css/base.css":       {Data: []byte("b{}")},
	"img/a b.png":        {Data: []byte("png")},
	"img/<é>.svg":        {Data: []byte("<svg/>")},
	"app.js":             {Data: nil},
	"index.html":         {Data: []byte("<p>")},
	"page.php":           {Data: []byte("<?php")},
	"README.md":          {Data: []byte("x")},
	".env":               {Data: []byte("SECRET=1")},
	".git/config":        {Data: []byte("x")},
	"img/.hidden/a.png":  {Data: []byte("x")},
	"img/.a.png.kept":    {Data: []byte("x")},
	"downloads/file.zip": {Data: []byte("zip")},
}

func manifest(t *testing.T, s *assets.Site, o assets.ManifestOptions) *assets.Manifest {
	t.Helper()
	s.FS = manifestRoot
	m, err := s.Manifest(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestManifest lists assets and nothing else, each with the URL that Rewrite
// gives a reference to it.
func TestManifest(t *testing.T) {
	for _, s := range []*assets.Site{{}, {URL: "/stätic/", Param: "rev"}, {Rev: "41:42M <&"}} {
		m := manifest(t, s, assets.ManifestOptions{Revision: "42"})
		if m.Revision != "42" || len(m.Assets) != 6 {
			t.Errorf("revision %q, assets %v", m.Revision, m.Assets)
		}
		for p, a := range m.Assets {
			bare, _, _ := strings.Cut(a.URL, "?")
			r, err := s.Rewrite(assets.Document{Name: "x.html"}, fmt.Appendf(nil, `<img src="%s">`, bare))
			if err != nil || len(r.References) != 1 || r.References[0].Path != p || string(r.Out) != fmt.Sprintf(`<img src="%s">`, a.URL) {
				t.Errorf("%s: URL %q, and Rewrite makes %s of the reference: %+v, %v", p, a.URL, r.Out, r.References, err)
			}
			data := manifestRoot[p].Data
			if sum := sha512.Sum384(data); a.Integrity != "sha384-"+base64.StdEncoding.EncodeToString(sum[:]) || a.Size != int64(len(data)) {
				t.Errorf("%s: %+v", p, a)
			}
		}
	}
}

// TestManifestIntegrity compares with openssl, as the specification of
// Subresource Integrity computes it.
func TestManifestIntegrity(t *testing.T) {
	need.Program(t, "openssl")
	cmd := exec.Command("openssl", "dgst", "-sha384", "-binary")
	cmd.Stdin = strings.NewReader(string(manifestRoot["css/base.css"].Data))
	sum, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	m := manifest(t, &assets.Site{}, assets.ManifestOptions{})
	if got := m.Assets["css/base.css"].Integrity; got != "sha384-"+base64.StdEncoding.EncodeToString(sum) {
		t.Errorf("integrity = %s", got)
	}
}

// TestManifestOrigins spreads assets over hosts by their paths alone.
func TestManifestOrigins(t *testing.T) {
	origins := []string{"https://a.example", "https://b.example/"}
	first := manifest(t, &assets.Site{Rev: "1"}, assets.ManifestOptions{Origins: origins})
	second := manifest(t, &assets.Site{Rev: "2"}, assets.ManifestOptions{Origins: origins})
	met := map[string]int{}
	for p, a := range first.Assets {
		host, _, ok := strings.Cut(strings.TrimPrefix(a.URL, "https://"), "/")
		met[host]++
		if !ok || strings.TrimSuffix(a.URL, "1")+"2" != second.Assets[p].URL {
			t.Errorf("%s: %s, then %s", p, a.URL, second.Assets[p].URL)
		}
	}
	if met["a.example"] == 0 || met["b.example"] == 0 || len(met) != 2 {
		t.Errorf("hosts %v", met)
	}
}

// TestManifestShapes writes each shape twice, and reads it.
func TestManifestShapes(t *testing.T) {
	m := manifest(t, &assets.Site{URL: "/static", Rev: "42"}, assets.ManifestOptions{Revision: "42"})
	for _, shape := range assets.Shapes() {
		if shape == "django" {
			if text, err := m.Encode(shape); err == nil {
				t.Errorf("django, of versions in queries: %s", text)
			}
			continue
		}
		text, err := m.Encode(shape)
		if err != nil {
			t.Fatal(err)
		}
		again, err := manifest(t, &assets.Site{URL: "/static", Rev: "42"}, assets.ManifestOptions{Revision: "42"}).Encode(shape)
		if err != nil || string(text) != string(again) {
			t.Errorf("%s: other bytes the second time, %v", shape, err)
		}
		var got any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		switch shape {
		case "revstamp":
			parsed, err := assets.ParseManifest(text)
			if d := cmp.Diff(m, parsed); d != "" || err != nil {
				t.Errorf("ParseManifest: %v\n%s", err, d)
			}
		case "mix":
			if got := got.(map[string]any)["/static/css/site.css"]; got != "/static/css/site.css?v=42" {
				t.Errorf("mix: %v", got)
			}
		case "vite":
			entry := got.(map[string]any)["img/a b.png"].(map[string]any)
			if entry["file"] != "img/a%20b.png?v=42" || entry["src"] != "img/a b.png" {
				t.Errorf("vite: %v", entry)
			}
		}
	}
	if _, err := m.Encode("webpack"); err == nil {
		t.Error("Encode of an unknown shape succeeded")
	}
}

// TestManifestDigests digests style sheets with what they refer to, so that a
// version changes with it, as versions in references do.
func TestManifestDigests(t *testing.T) {
	before := manifest(t, &assets.Site{}, assets.ManifestOptions{})
	changed := fstest.MapFS{}
	for p, f := range manifestRoot {
		changed[p] = f
	}
	changed["img/a b.png"] = &fstest.MapFile{Data: []byte("another")}
	after, err := (&assets.Site{FS: changed}).Manifest(t.Context(), assets.ManifestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for p, a := range before.Assets {
		if a.Version != after.Assets[p].Version {
			versions = append(versions, filepath.Base(p))
		}
	}
	if d := cmp.Diff(map[string]bool{"a b.png": true, "site.css": true}, set(versions)); d != "" {
		t.Errorf("versions that changed: %s", d)
	}
}

// names is a site that has its versions in names.
func names() *assets.Site {
	return &assets.Site{Style: assets.ByName, URL: "/static", Written: func(p string) bool { return p == "css/base.0badc0de.css" }}
}

// TestManifestNames lists the copies that Copies has, with the sums of what they
// hold, and neither copies nor variants as assets, nor what is for no visitor.
func TestManifestNames(t *testing.T) {
	root := maps.Clone(manifestRoot)
	root["LICENSE"] = &fstest.MapFile{Data: []byte("free")}
	root["css/base.0badc0de.css"] = &fstest.MapFile{Data: []byte("copy")}
	for _, name := range []string{"dump.sql.gz", "config.php.save.1", "config.php.bak", "revstamp.production.yaml"} {
		root[name] = &fstest.MapFile{Data: []byte("for no visitor")}
	}
	for _, name := range []string{"css/site.css.gz", "css/base.0badc0de.css.br", "app.js.zst"} {
		root[name] = &fstest.MapFile{Data: []byte("variant")}
	}
	s := names()
	s.FS = root
	m, err := s.Manifest(t.Context(), assets.ManifestOptions{Origins: []string{"https://a.example"}})
	if err != nil {
		t.Fatal(err)
	}
	copies, err := s.Copies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Assets) != 7 || len(copies) != 6 {
		t.Errorf("%d assets, %d copies: %v", len(m.Assets), len(copies), m.Assets)
	}
	for _, c := range copies {
		a := m.Assets[c.Path]
		data, err := c.Content()
		if err != nil {
			t.Fatal(err)
		}
		if data == nil {
			data = root[c.Path].Data
		}
		sum := sha512.Sum384(data)
		if a.Name != c.Name || a.Integrity != "sha384-"+base64.StdEncoding.EncodeToString(sum[:]) || a.Size != int64(len(data)) || a.Digest != fmt.Sprintf("%x", sha256.Sum256(data)) {
			t.Errorf("%s: %+v", c.Path, a)
		}
		if u, err := url.Parse(a.URL); err != nil || u.Path != "/static/"+c.Name || u.Host != "a.example" || u.RawQuery != "" {
			t.Errorf("%s: URL %s, %v", c.Path, a.URL, err)
		}
	}
	if a := m.Assets["LICENSE"]; a.Name != "" || a.URL != "https://a.example/static/LICENSE?v="+a.Version {
		t.Errorf("LICENSE: %+v", a)
	}
	if data := m.Assets["css/site.css"]; data.Size == int64(len(root["css/site.css"].Data)) {
		t.Error("the style sheet is as it is before it is rewritten")
	}
	for shape, want := range map[string]string{
		"mix":  `"/static/css/base.css": "https://a.example/static/` + m.Assets["css/base.css"].Name + `"`,
		"vite": `"file": "` + m.Assets["css/base.css"].Name + `"`,
	} {
		if text, err := m.Encode(shape); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: no %s in %s, %v", shape, want, text, err)
		}
	}
}

// TestManifestDjango has Python make the hash as Django's save_manifest does.
func TestManifestDjango(t *testing.T) {
	need.Program(t, need.DebianPython)
	s := names()
	s.FS = fstest.MapFS{"a \"b\".css": {}, "é/\U0001F600.png": {}, "tab\t\x7f.js": {}, "LICENSE": {}, "<&>.js": {Data: []byte("x")}}
	m, err := s.Manifest(t.Context(), assets.ManifestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.Encode("django")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(need.DebianPython, "-c", `
import hashlib, json, sys
stored = json.load(sys.stdin)
assert stored["version"] == "1.0", stored
paths = stored["paths"]
assert stored["hash"] == hashlib.md5(json.dumps(sorted(paths.items())).encode()).hexdigest()[:12], stored
for path, name in sorted(paths.items()):
	print(ascii(path), ascii(name))
`)
	cmd.Stdin = strings.NewReader(string(text))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") != 5 || !strings.Contains(string(out), "'LICENSE' 'LICENSE'") {
		t.Errorf("%v: %s\n%s", err, out, text)
	}
}

func set(names []string) map[string]bool {
	all := map[string]bool{}
	for _, n := range names {
		all[n] = true
	}
	return all
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"url":"/","assets":{"a":{"url":"/a?v=1"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := assets.ParseManifest(data)
		if err != nil {
			return
		}
		text, err := m.Encode("")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := assets.ParseManifest(text); err != nil || len(again.Assets) != len(m.Assets) {
			t.Errorf("ParseManifest of what Encode wrote: %v, %v", again, err)
		}
	})
}
