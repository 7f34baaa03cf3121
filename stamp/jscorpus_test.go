package stamp

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"revstamp/testdata/need"
)

// jsReading is what a reader finds in a file, as the lines that
// testdata/js/read.js prints, or what those are hashed to.
type jsReading struct {
	refused      bool
	tokens, keys string
	found        int // how many keys
}

func (r jsReading) digest() jsReading {
	sum := func(lines string) string { return fmt.Sprintf("%x", sha1.Sum([]byte(lines))) }
	return jsReading{tokens: sum(r.tokens), keys: sum(r.keys), found: r.found}
}

// readJS returns what acorn, or for ts TypeScript's own parser, finds.
func readJS(t testing.TB, format, mode string, sources [][]byte) []jsReading {
	t.Helper()
	need.Program(t, "node")
	parser := filepath.Join(need.Corpus(t, "node-acorn")[0], "usr/share/nodejs/acorn")
	if format == "ts" {
		parser = filepath.Join(need.Corpus(t, "node-typescript")[0], "usr/share/nodejs/typescript")
	}
	var in, stderr bytes.Buffer
	for _, src := range sources {
		fmt.Fprintln(&in, base64.StdEncoding.EncodeToString(src))
	}
	cmd := exec.Command("node", "testdata/js/read.js", parser, format, mode)
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v, %s", err, &stderr)
	}
	var all []jsReading
	var r jsReading
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		switch kind, rest, _ := strings.Cut(lines.Text(), " "); kind {
		case "end":
			all = append(all, r)
			r = jsReading{}
		case "refused":
			r.refused = true
		case "token":
			r.tokens += rest + "\n"
		case "key":
			r.keys += rest + "\n"
			r.found++
		case "digest":
			_, err := fmt.Sscan(rest, &r.tokens, &r.keys, &r.found)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(all) != len(sources) {
		t.Fatalf("node answered %d of %d sources", len(all), len(sources))
	}
	return all
}

var jsKindNames = map[jsKind]string{
	jsName: "name", jsPrivate: "private", jsString: "string", jsNumber: "number", jsRegexp: "regexp", jsChunk: "chunk", jsComment: "comment",
	jsEOF: "", '`': "",
}

var jsTypes = map[string]string{
	"bool": "boolean", "an object": "object", "an array": "array", "an expression": "expression", "interpolated": "expression",
	"a method": "method", "a getter": "method", "a setter": "method", severalLines: "lines",
}

// scanJS returns what we find.
func scanJS(format string, src []byte) (r jsReading, err error) {
	s := newJSScanner(string(src), format == "ts")
	var tokens []jsToken
	s.log = func(tok jsToken) { tokens = append(tokens, tok) }
	s.undo = func(at int) {
		for len(tokens) > 0 && tokens[len(tokens)-1].end > at {
			tokens = tokens[:len(tokens)-1]
		}
	}
	s.program()
	if s.err != nil {
		return r, s.err
	}
	var lines []byte
	for _, tok := range tokens {
		name, ok := jsKindNames[tok.kind]
		if !ok {
			name = "punctuation"
		}
		if name != "" {
			lines = append(append(lines, name...), ' ')
			lines = append(strconv.AppendInt(lines, int64(tok.start), 10), ' ')
			lines = append(strconv.AppendInt(lines, int64(tok.end), 10), '\n')
		}
	}
	r.tokens, r.found = string(lines), len(s.found)
	var keys bytes.Buffer
	for _, l := range s.found {
		kind, _, _ := strings.Cut(l.kind+l.refused, " with")
		if name, ok := jsTypes[kind]; ok {
			kind = name
		}
		fmt.Fprintf(&keys, "%s %d %d %s %s\n", base64.StdEncoding.EncodeToString([]byte(l.key)), l.start, l.end, kind,
			base64.StdEncoding.EncodeToString([]byte(l.text)))
	}
	r.keys = keys.String()
	return r, nil
}

// compareJS compares what we find in the sources, tokens and keys, with what the
// language's own reader does.
func compareJS(t *testing.T, format string, all []source) (compared, refused int) {
	t.Helper()
	var texts [][]byte
	for _, src := range all {
		texts = append(texts, src.text)
	}
	accepted, keys := 0, 0
	for i, want := range readJS(t, format, "digest", texts) {
		got, err := scanJS(format, texts[i])
		switch {
		case want.refused && err == nil:
			accepted++
		case want.refused:
			refused++
		case err != nil:
			t.Errorf("%s: %v, but it is well formed", all[i].name, Target{File: all[i].name}.locate(texts[i], err))
		default:
			compared++
			keys += got.found
			if got.digest() != want {
				compareJSLines(t, format, all[i], got)
			}
		}
	}
	t.Logf("%d files with %d keys compared; %d refused by node and by us, %d only by node", compared, keys, refused, accepted)
	return compared, refused
}

// compareJSLines shows the first few lines that differ.
func compareJSLines(t *testing.T, format string, src source, got jsReading) {
	t.Helper()
	want := readJS(t, format, "all", [][]byte{src.text})[0]
	for what, texts := range map[string][2]string{"tokens": {want.tokens, got.tokens}, "keys": {want.keys, got.keys}} {
		want, got := strings.Split(texts[0], "\n"), strings.Split(texts[1], "\n")
		if what == "keys" && !utf8.Valid(src.text) { // node decoded it, we did not
			want, got = placesOnly(want), placesOnly(got)
		}
		i := 0
		for i < len(want) && i < len(got) && want[i] == got[i] {
			i++
		}
		if diff := cmp.Diff(want[i:min(i+4, len(want))], got[i:min(i+4, len(got))]); diff != "" {
			t.Errorf("%s: %s (-node +ours):\n%s", src.name, what, diff)
		}
	}
}

// placesOnly returns the lines of keys without key and text.
func placesOnly(lines []string) (places []string) {
	for _, line := range lines {
		if words := strings.Fields(line); len(words) > 3 {
			places = append(places, strings.Join(words[1:4], " "))
		}
	}
	return places
}

// jsSources are the files of other people, each text once.
func jsSources(t *testing.T, format string, packages ...string) (all []source) {
	t.Helper()
	seen := map[string]bool{}
	for _, src := range sources(t, format, need.Corpus(t, packages...)...) {
		if !seen[string(src.text)] {
			seen[string(src.text)] = true
			all = append(all, src)
		}
	}
	return all
}

func jsCorpus(t *testing.T) []source {
	return jsSources(t, "js", "mediawiki", "wordpress", "node-acorn", "node-typescript", "node-yaml", "python3-django", "redmine")
}

func tsCorpus(t *testing.T) []source {
	return jsSources(t, "ts", "node-typescript", "node-yaml", "node-acorn", "node-lumino", "node-ast-types", "node-typestyle", "node-redis", "node-graphql", "node-undici")
}

// TestJSCorpus compares every token, comment and key of other people's files
// with what acorn makes of them. Of the large ones, which take as long as all
// the others, it reads every eighth.
func TestJSCorpus(t *testing.T) {
	t.Parallel()
	var all []source
	large := 0
	for _, src := range jsCorpus(t) {
		if len(src.text) > 100<<10 {
			if large++; large%8 != 0 {
				continue
			}
		}
		all = append(all, src)
	}
	t.Logf("%d of %d large files are left out", large-large/8, large)
	compared, refused := compareJS(t, "js", all)
	if compared < 2000 || refused > 5 {
		t.Errorf("of %d files %d were compared and %d refused", len(all), compared, refused)
	}
}

// TestTSCorpus does so with TypeScript's own parser.
func TestTSCorpus(t *testing.T) {
	t.Parallel()
	all := tsCorpus(t)
	compared, refused := compareJS(t, "ts", all)
	if compared < 800 || refused > 5 {
		t.Errorf("of %d files %d were compared and %d refused", len(all), compared, refused)
	}
}

// The cases, among which is what is odd, are read alike too.
func TestJSGoldenInputs(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"js", "ts"} {
		var all []source
		seen := map[string]bool{}
		for _, c := range goldenCases(t) {
			if got, _ := FormatOf(c.target.File); got == format && !seen[string(c.in)] && !strings.HasPrefix(c.err, string(ParseError)) {
				seen[string(c.in)] = true
				all = append(all, source{c.name, c.in})
			}
		}
		compareJS(t, format, all)
	}
}

// TestJSLexerOnPieces compares on sources put together at random from what is
// hard: where / divides, where } ends what, where a line end ends a statement.
func TestJSLexerOnPieces(t *testing.T) {
	t.Parallel()
	pieces := strings.Split("a|b.c|a.b='x'|/x/g|/=y/|/|/2|(|)|(a)|{|}|[|]|`|`x`|`a${|}b`|${|'s'|\"t\"|1|.5|1.|++|--|+|-|=>|=|:|?|?.|;|,|\n|\n|\n|//c\n|/*c*/|/*\n*/|"+
		"<!--x\n|\n-->y\n|if(a)|else |for(;;)|for(a of b)|for(var a in b)|while(a)|do |function f(){|function*g(){|async function h(){|()=>{|()=>|x=>|async |yield |"+
		"async()=>{await |return |typeof |new |let |var x=|const y=|class A{|static |get |set |c(){|case 1:|switch(a){|in |of |instanceof |...|#p|x:|{a:1}|{a:{b:'x'}}|[1,'x']|"+
		"export default |export |'use strict';|\\u0061|<|>|>>|>>=|??=|!|~|&&|*|**|0x1f|1n|'\\\n'|throw |try{|catch{|finally{|import(a)|this.x=1|exports.a=", "|")
	rng := rand.New(rand.NewPCG(1, 2))
	var all []source
	for i := range 40_000 {
		var src []byte
		for range 1 + rng.IntN(6) {
			src = append(src, pieces[rng.IntN(len(pieces))]...)
		}
		src = closeJS(src)
		if html := regexp.MustCompile(`<!--|-->`); html.Match(src) && regexp.MustCompile(`await|import|export`).Match(src) {
			continue // acorn takes what is no comment in a module for one in a script
		}
		all = append(all, source{fmt.Sprintf("%d %q", i, src), src})
	}
	compared, _ := compareJS(t, "js", all)
	if compared < len(all)/10 {
		t.Errorf("only %d of %d sources can be compared", compared, len(all))
	}
}

// closeJS closes the brackets that are open, as far as it sees.
func closeJS(src []byte) []byte {
	var open []byte
	for _, c := range src {
		switch i := strings.IndexByte("([{", c); {
		case i >= 0:
			open = append(open, ")]}"[i])
		case len(open) > 0 && c == open[len(open)-1]:
			open = open[:len(open)-1]
		}
	}
	for len(open) > 0 {
		src, open = append(src, open[len(open)-1]), open[:len(open)-1]
	}
	return src
}

// TestJSCorpusKeys stamps other people's files, and has acorn read them.
func TestJSCorpusKeys(t *testing.T) {
	t.Parallel()
	testCorpusKeys(t, "js", smallSources(jsCorpus(t)), 1000, readStampedJS("js"))
}

// TestTSCorpusKeys does so with TypeScript's own parser.
func TestTSCorpusKeys(t *testing.T) {
	t.Parallel()
	testCorpusKeys(t, "ts", smallSources(tsCorpus(t)), 500, readStampedJS("ts"))
}

func smallSources(all []source) (small []source) {
	for _, src := range all {
		if len(src.text) < 100<<10 {
			small = append(small, src)
		}
	}
	return small
}

// readStampedJS returns what the reader of the format finds under the key and
// in the place of the new literals.
func readStampedJS(format string) func(t *testing.T, all []stamped) []string {
	return func(t *testing.T, all []stamped) (values []string) {
		t.Helper()
		var texts [][]byte
		for _, s := range all {
			texts = append(texts, s.text)
		}
		for i, r := range readJS(t, format, "keys", texts) {
			value := fmt.Sprintf("nothing at %d", all[i].start)
			place := fmt.Sprintf("%s %d %d string ", base64.StdEncoding.EncodeToString([]byte(all[i].key)), all[i].start, all[i].end)
			for line := range strings.Lines(r.keys) {
				if text, ok := strings.CutPrefix(line, place); ok {
					value = base64Lines(t, text)[0]
				}
			}
			values = append(values, value)
		}
		return values
	}
}
