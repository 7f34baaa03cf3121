package assets

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
)

// jsSource is a script of somebody.
type jsSource struct {
	name string
	text []byte
}

// jsFound is what acorn finds in one.
type jsFound struct {
	URLs []struct {
		Value     string
		Specifier bool
	}
	Map string
}

// readJS returns what acorn finds in the sources; nil for what it refuses.
func readJS(t *testing.T, all []jsSource) []*jsFound {
	t.Helper()
	need.Program(t, "node")
	acorn := filepath.Join(need.Corpus(t, "node-acorn")[0], "usr/share/nodejs/acorn")
	var in, stderr bytes.Buffer
	for _, src := range all {
		fmt.Fprintln(&in, base64.StdEncoding.EncodeToString(src.text))
	}
	cmd := exec.Command("node", "--stack-size=4000", "testdata/js/references.js", acorn)
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v, %s", err, &stderr)
	}
	var found []*jsFound
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var f *jsFound
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		found = append(found, f)
	}
	if len(found) != len(all) {
		t.Fatalf("node answered %d of %d sources", len(found), len(all))
	}
	return found
}

var urlSpecifierRE = regexp.MustCompile(`^(/|\./|\.\./|[A-Za-z][A-Za-z0-9+.-]*:)`)

// compareJS compares the URLs that we find in the sources with those that acorn
// does, and returns how many of both there were.
func compareJS(t *testing.T, all []jsSource) (files, urls, maps int) {
	t.Helper()
	for i, f := range readJS(t, all) {
		if f == nil {
			continue
		}
		var want []string
		for _, u := range f.URLs {
			if !u.Specifier || urlSpecifierRE.MatchString(u.Value) {
				want = append(want, u.Value)
			}
		}
		got := scanned(t, all[i].text, JS)
		if d := cmp.Diff(want, got.modules); d != "" {
			t.Errorf("%s: modules (-acorn +ours):\n%.2000s", all[i].name, d)
		}
		if m := strings.Join(got.urls, " "); m != f.Map {
			t.Errorf("%s: source map %.200q, by acorn %.200q", all[i].name, m, f.Map)
		}
		files++
		urls += len(want)
		if f.Map != "" {
			maps++
		}
	}
	return files, urls, maps
}

// jsCorpora are Debian packages with scripts of other people, half of them modules.
var jsCorpora = []string{
	"mediawiki", "wordpress", "redmine", "python3-django", "pdf.js-common", "libjs-three",
	"node-acorn", "node-typescript", "node-yaml", "node-lumino", "node-ast-types", "node-typestyle", "node-redis", "node-graphql", "node-undici",
}

// jsCorpus are the scripts of the packages that are text, each once.
func jsCorpus(t *testing.T) (all []jsSource) {
	t.Helper()
	seen := map[string]bool{}
	for _, dir := range need.Corpus(t, jsCorpora...) {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if kind, _ := KindOf(name); err != nil || kind != JS || !d.Type().IsRegular() {
				return err
			}
			src, err := os.ReadFile(name)
			if err == nil && utf8.Valid(src) && unreadable(src) == "" && !seen[string(src)] {
				seen[string(src)] = true
				all = append(all, jsSource{name, src})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestJSCorpus compares what is found in other people's scripts.
func TestJSCorpus(t *testing.T) {
	t.Parallel()
	all := jsCorpus(t)
	files, urls, maps := compareJS(t, all)
	t.Logf("%d of %d files: %d URLs of modules and %d source maps, as acorn has them", files, len(all), urls, maps)
	if files < 2500 || urls < 1000 || maps < 100 {
		t.Errorf("too few were compared")
	}
}

// jsPieces make sources of what is hard: where '/' divides, and what only looks
// like an import.
var jsPieces = strings.Split("a|b.c|a.b='x'|/x/g|/=y/|/[/]'/|/|/2|(|)|(a)|{|}|[|]|`|`x`|`a${|}b`|${|'s'|\"t\"|1|.5|1.|0x1e-|++|--|+|-|=>|=|:|?|?.|;|,|\n|\n|\n|//c'\n|/*c\"*/|/*\n*/|"+
	"if(a)|else |for(;;)|for(a of b)|for(var a in b)|while(a)|do |function f(){|function*g(){|async function h(){|()=>{|()=>|x=>|async |"+
	"async()=>{await |return |typeof |new |let |var x=|const y=|class A{|class extends B{|static |get |set |c(){|case 1:|switch(a){|in |of |instanceof |...|#p|x:|{a:1}|{a:{b:'x'}}|[1,'x']|"+
	"export default |'use strict';|\\u0061|<|>|>>=|??=|!|&&|**|1n|'\\\n'|throw |try{|catch{|finally{|this.x=1|"+
	"import('./i.js')|import(`./t.js`)|import('./i.js'+a)|\nimport './s.js';|\nimport x from './d.js'\n|\nexport{a}from'./e.js';|\nexport*from'./a.js'\n|\nexport{};|new URL('u.js',import.meta.url)|.import('./p.js')|import.meta|import.meta.url|{import:1}|import|"+
	"//# sourceMappingURL=m.map\n|/*# sourceMappingURL=n.map */", "|")

// TestJSPieces compares what is found in scripts put together at random.
func TestJSPieces(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var all []jsSource
	for i := range 60_000 {
		src := generateJS(random)
		all = append(all, jsSource{fmt.Sprintf("%d %q", i, src), src})
	}
	files, urls, maps := compareJS(t, all)
	t.Logf("%d of %d sources: %d URLs of modules and %d source maps", files, len(all), urls, maps)
	if files < len(all)/10 || urls < 1000 || maps < 200 {
		t.Errorf("too few were compared")
	}
}

// generateJS makes a script that may be one.
func generateJS(random *rand.Rand) []byte {
	var src []byte
	for range 1 + random.IntN(7) {
		src = append(src, pick(random, jsPieces)...)
	}
	return closeBrackets(src)
}

// closeBrackets closes those that are open, as far as bytes tell.
func closeBrackets(src []byte) []byte {
	var open []byte
	for _, c := range src {
		switch i := strings.IndexByte("([{", c); {
		case i >= 0:
			open = append(open, ")]}"[i])
		case len(open) > 0 && c == open[len(open)-1]:
			open = open[:len(open)-1]
		}
	}
	for i := len(open) - 1; i >= 0; i-- {
		src = append(src, open[i])
	}
	return src
}

// The golden cases are read alike, too.
func TestJSGoldenInputs(t *testing.T) {
	t.Parallel()
	var all []jsSource
	for _, file := range goldenFiles(t) {
		for _, g := range readGolden(t, file) {
			if kind, _ := KindOf(g.as["name"]); kind == JS && utf8.Valid(g.source()) {
				all = append(all, jsSource{g.name, g.source()})
			}
		}
	}
	files, urls, maps := compareJS(t, all)
	t.Logf("%d of %d cases: %d URLs of modules and %d source maps", files, len(all), urls, maps)
	if files < 35 {
		t.Errorf("too few were compared")
	}
}
