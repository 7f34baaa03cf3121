package assets

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestModulesWhenKnown: modules have versions if all who import them are rewritten.
func TestModulesWhenKnown(t *testing.T) {
	t.Parallel()
	rewritten := map[string]string{
		"js/app.js":  `import "./lib.js"`,
		"js/lib.js":  `export const a = 1`,
		"index.html": `<script type="module" src="/js/app.js"></script>`,
	}
	for name, test := range map[string]struct {
		more     map[string]string
		listed   string // of more, those that are rewritten
		versions bool
	}{
		"all are rewritten":                      {nil, "", true},
		"a script that imports":                  {map[string]string{"x.js": `import "./js/lib.js"`}, "", false},
		"the same, rewritten":                    {map[string]string{"x.js": `import "./js/lib.js"`}, "x.js", true},
		"two scripts that import":                {map[string]string{"x.js": `import "./js/lib.js"`, "y.js": `import "./js/lib.js"`}, "", false},
		"a script with import()":                 {map[string]string{"sub/x.mjs": `f(() => import("../js/lib.js"))`}, "", false},
		"a script with export from":              {map[string]string{"x.js": `export * from "/js/lib.js"`}, "", false},
		"a script with new URL":                  {map[string]string{"x.js": `new URL("js/lib.js", import.meta.url)`}, "", false},
		"a script that imports nothing of ours":  {map[string]string{"x.js": `import "react"; import "./gone.js"; import "https://cdn.example/js/lib.js"; "import './js/lib.js'"`}, "", true},
		"a page with a module script":            {map[string]string{"x.html": `<script type=module src=js/app.js></script>`}, "", false},
		"a page with a module in it":             {map[string]string{"x.html": `<script type=module>import "./js/app.js"</script>`}, "", false},
		"a page with an import map":              {map[string]string{"x.html": `<script type=importmap>{"imports":{"app":"/js/app.js"}}</script>`}, "", false},
		"a page with a preloaded module":         {map[string]string{"x.html.twig": `<link rel=modulepreload href=/js/app.js>`}, "", false},
		"a page of no modules":                   {map[string]string{"x.html": `<script src=js/app.js></script><p>import module`}, "", true},
		"a drawing with a module script":         {map[string]string{"x.svg": `<svg><script type="module" href="js/app.js"/></svg>`}, "", false},
		"pages that are rewritten":               {map[string]string{"x.html": `<script type=module src=js/app.js></script><script type=importmap>{"imports":{"app":"/js/app.js"}}</script>`}, "x.html", true},
		"an import map with a prefix":            {map[string]string{"x.html": `<script type=importmap>{"imports":{"lib/":"/js/"}}</script>`}, "x.html", false},
		"an import map with a prefix in a scope": {map[string]string{"x.html": `<script type=importmap>{"scopes":{"/":{"lib/":"./js/"}}}</script>`}, "x.html", false},
		"an import map with a prefix elsewhere":  {map[string]string{"x.html": `<script type=importmap>{"imports":{"lib/":"https://cdn.example/"},"scopes":{"/js/":{}}}</script>`}, "x.html", true},
		"a script in a page that imports":        {map[string]string{"x.html": `<script>import("/js/lib.js")</script>`}, "x.html", false},
		"the same by its type":                   {map[string]string{"x.html": `<script type="text/javascript">import("/js/lib.js")</script>`}, "x.html", false},
		"data in a page":                         {map[string]string{"x.html": `<script type="text/plain">import("/js/lib.js")</script>`}, "x.html", true},
		"what is not read":                       {map[string]string{".x/x.js": `import "../js/lib.js"`, "x.css": `import "./js/lib.js"`, "y.js": "\xff\xfeimport './js/lib.js'"}, "", true},
	} {
		files := tree(rewritten)
		for n, text := range test.more {
			files[n] = tree(map[string]string{n: text})[n]
		}
		site := &Site{FS: files, Rev: "42", Rewrites: func(path string) bool { return rewritten[path] != "" || path == test.listed }}
		for _, doc := range []string{"js/app.js", "index.html"} {
			r, err := site.Rewrite(Document{Name: doc, Path: doc}, files[doc].Data)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(r.Out), "?v=42"); got != test.versions {
				t.Errorf("%s: %s has a version: %v, want %v", name, doc, got, test.versions)
			}
		}
		want := ""
		if !test.versions {
			want = slices.Sorted(maps.Keys(test.more))[0]
		}
		if got := site.Unseen(); got != want {
			t.Errorf("%s: Unseen() = %q, want %q", name, got, want)
		}
	}
}

// TestModulesErrors: what cannot be read may import anything.
func TestModulesErrors(t *testing.T) {
	t.Parallel()
	files := tree(map[string]string{"a.js": `import "./b.js"`, "b.js": "", "x.html": "<p>", "y.js": ""})
	for _, b := range []brokenFS{{files, "x.html", ""}, {files, "", "x.html"}} {
		r, err := (&Site{FS: b, Rev: "42"}).Rewrite(Document{Name: "a.js", Path: "a.js"}, files["a.js"].Data)
		if !errors.Is(err, errBroken) {
			t.Errorf("open %q, stat %q: %+v, %v", b.open, b.stat, r, err)
		}
	}
	_, err := (&Site{FS: files, Modules: "some"}).Rewrite(Document{Name: "a.js"}, nil)
	if err == nil || !strings.Contains(err.Error(), `modules "some" is not known`) {
		t.Errorf("modules some: %v", err)
	}
}

// TestModuleIntegrity: an import map has the integrity of what its modules become.
func TestModuleIntegrity(t *testing.T) {
	t.Parallel()
	files := tree(map[string]string{"js/app.js": `import "./lib.js"`, "js/lib.js": "lib", "index.html": ""})
	site := &Site{FS: files, Rev: "42", Rewrites: func(string) bool { return true }}
	page := `<script type="importmap">{"integrity":{"/js/app.js":"sha256-old sha384-old","/js/lib.js":"` + sum256("lib") + `"}}</script>`
	r, err := site.Rewrite(Document{Name: "index.html", Path: "index.html"}, []byte(page))
	if err != nil {
		t.Fatal(err)
	}
	want := `<script type="importmap">{"integrity":{"/js/app.js?v=42":"` +
		sumsOf("sha256 sha384", `import "./lib.js?v=42"`) + `","/js/lib.js?v=42":"` + sum256("lib") + `"}}</script>`
	if string(r.Out) != want {
		t.Errorf("got  %s\nwant %s", r.Out, want)
	}
}

// TestImportMaps compares what is found in import maps put together at random with
// what encoding/json makes of them.
func TestImportMaps(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	found := 0
	for range 5000 {
		src := generateImportMap(random)
		want := oracleImportMap(src)
		got := scanned(t, slices.Concat([]byte("<script type=importmap>"), src, []byte("</script>")), HTML).modules
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-oracle +got):\n%s", src, d)
		}
		found += len(want)
	}
	t.Logf("%d URLs", found)
	if found < 5000 {
		t.Error("too few were compared")
	}
}

func generateImportMap(random *rand.Rand) []byte {
	names := []string{"react", "./a.js", "../b.js", "/c.js", "https://h/d.js", "e.js", "/dir/", "./dir/", "", "\"\\\n", "é/f.js", ".g", "//h/i.js", "\u2028"}
	value := func() any {
		return []any{pick(random, names), pick(random, names), pick(random, names), nil, 1.5, []any{"/no.js"}, map[string]any{"/no.js": "/no.js"}}[random.IntN(7)]
	}
	object := func(value func() any) map[string]any {
		m := map[string]any{}
		for range random.IntN(4) {
			m[pick(random, names)] = value()
		}
		return m
	}
	imports := func() any { return object(value) }
	m := map[string]any{"imports": imports(), "scopes": object(imports), "integrity": object(func() any { return "sha256-x" }), "x": imports(), "icons": []any{imports()}}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", strings.Repeat(" ", random.IntN(3)))
	if e.Encode(m) != nil {
		return nil
	}
	return b.Bytes()
}

// oracleImportMap finds the URLs by the order of their keys, which is that of what
// encoding/json writes.
func oracleImportMap(src []byte) (urls []string) {
	var m struct {
		Imports   map[string]any
		Scopes    map[string]map[string]any
		Integrity map[string]any
	}
	if json.Unmarshal(src, &m) != nil {
		return nil
	}
	key := func(k string) {
		if !strings.HasSuffix(k, "/") {
			urls = append(urls, k)
		}
	}
	imports := func(all map[string]any, values bool) {
		for _, k := range slices.Sorted(maps.Keys(all)) {
			if urlSpecifierRE.MatchString(k) {
				key(k)
			}
			if v, ok := all[k].(string); ok && values && urlSpecifierRE.MatchString(v) {
				urls = append(urls, v)
			}
		}
	}
	imports(m.Imports, true)
	imports(m.Integrity, false)
	for _, k := range slices.Sorted(maps.Keys(m.Scopes)) {
		key(k)
		imports(m.Scopes[k], true)
	}
	return urls
}
