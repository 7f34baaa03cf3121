package stamp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/tailscale/hujson"
	"revstamp/testdata/need"
)

// huJSON returns what hujson finds, as spanLines does. To hujson a comment at
// the end of the file must be a whole line.
func huJSON(src string) ([]string, error) {
	root, err := hujson.Parse([]byte(src + "\n"))
	if err != nil {
		return nil, err
	}
	var lines []string
	var value func(p path, v hujson.Value)
	value = func(p path, v hujson.Value) {
		add := func(kind, text string) {
			lines = append(lines, fmt.Sprintf("%s %s %q %d %d", p, kind, text, v.StartOffset, v.EndOffset))
		}
		switch x := v.Value.(type) {
		case *hujson.Object:
			add("an object", "")
			for _, m := range x.Members {
				value(p.key(m.Name.Value.(hujson.Literal).String()), m.Value)
			}
		case *hujson.Array:
			add("an array", "")
			for i, e := range x.Elements {
				value(p.index(i), e)
			}
		case hujson.Literal:
			kind := map[hujson.Kind]string{'"': "string", '0': "number", 't': "bool", 'f': "bool", 'n': "null"}[x.Kind()]
			add(kind, x.String())
		}
	}
	value("", root)
	return lines, nil
}

// spanLines writes what scan found. The end of an object or array is nobody's
// but an oracle's: it is where ends says, by the start.
func spanLines(all []literal, ends []string) []string {
	var lines []string
	for i, l := range all {
		line := fmt.Sprintf("%s %s %q %d ", l.key, l.kind+l.refused, l.text, l.start)
		if l.refused == "" {
			line += fmt.Sprint(l.end)
		} else if i < len(ends) && strings.HasPrefix(ends[i], line) {
			line = ends[i]
		}
		lines = append(lines, line)
	}
	return lines
}

// compareJSONC reports whether src is JSON with comments to us and to hujson,
// who must agree, except that we refuse a comment whose end is a matter of
// opinion.
func compareJSONC(t *testing.T, src string) bool {
	t.Helper()
	got, err := collect(jsonLang{comments: true}, src)
	want, wantErr := huJSON(src)
	switch {
	case err != nil && wantErr == nil && strings.Contains(err.Error(), "inside a comment"):
	case (err == nil) != (wantErr == nil):
		t.Errorf("%q: error %v, hujson %v", src, err, wantErr)
	case err == nil:
		if diff := cmp.Diff(want, spanLines(got, want)); diff != "" {
			t.Errorf("%q (-hujson +ours):\n%s", src, diff)
		}
	}
	return err == nil
}

func TestJSONCOnPieces(t *testing.T) {
	t.Parallel()
	pieces := strings.Split("{ } [ ] , : {} [] [1,] {\"a\":1,} \"a\": \"a\" \" \\ 1 -1.5 true null // /* */ /**/ /*/ //\n /*,*/ /*\"*/ //\"\n //{\r\n //\r / * # ' ä \u2028", " ")
	pieces = append(pieces, " ", "\r", "\n", `"k": 1,`, `1,`, `{"a": `)
	rng := rand.New(rand.NewPCG(1, 2))
	valid := 0
	for range 40000 {
		var src strings.Builder
		for range 1 + rng.IntN(10) {
			src.WriteString(pieces[rng.IntN(len(pieces))])
		}
		text := src.String()
		if rng.IntN(2) == 0 {
			text = "[1" + text + "]"
		}
		if compareJSONC(t, text) {
			valid++
		}
	}
	if valid < 1000 {
		t.Errorf("only %d texts were JSON with comments", valid)
	}
}

func FuzzJSONCReading(f *testing.F) {
	for _, c := range goldenCases(f) {
		if got, _ := FormatOf(c.target.File); (got == "json" || got == "jsonc") && c.in != nil {
			f.Add(string(c.in))
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) <= 4<<10 && utf8.ValidString(src) && !strings.HasPrefix(src, bom) {
			compareJSONC(t, src)
		}
	})
}

// commented returns JSON with comments and trailing commas put where they may
// be. What they hold would be other members to whoever does not see them.
func commented(src []byte, rng *rand.Rand) []byte {
	comments := []string{" /* \"rev\": 1, */ ", "// \"rev\": \"x\",\n", "/**/", "/* // */", "\t//*\r\n", "/*\n}]\n**/", "// ä\n\n", "/*\"*/", "//\n"}
	var out []byte
	comment := func() {
		if rng.IntN(8) == 0 {
			out = append(out, comments[rng.IntN(len(comments))]...)
		}
	}
	last := byte(0)
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch c {
		case '"':
			end := i + 1
			for ; src[end] != '"'; end++ {
				if src[end] == '\\' {
					end++
				}
			}
			out = append(out, src[i:end]...)
			i = end
		case '}', ']':
			comment()
			if last != '{' && last != '[' && rng.IntN(2) == 0 {
				out = append(out, ',')
				comment()
			}
		case ' ', '\t', '\r', '\n':
			out = append(out, c)
			comment()
			continue
		case ',', ':':
			comment()
		}
		out = append(out, c)
		last = c
		if strings.IndexByte("{}[],:\"", c) >= 0 {
			comment()
		}
	}
	return out
}

// typeScript asks testdata/node/jsonc.js.
func typeScript(t *testing.T, jobs []pythonJob) []json.RawMessage {
	t.Helper()
	need.Program(t, "node")
	dir := need.Corpus(t, "node-typescript")[0]
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, job := range jobs {
		if err := enc.Encode(job); err != nil {
			t.Fatal(err)
		}
	}
	return answers(t, &in, len(jobs), "node", "testdata/node/jsonc.js", filepath.Join(dir, "usr/share/nodejs/typescript/lib/typescript.js"))
}

func typeScriptValues(t *testing.T, all []stamped) []string {
	var jobs []pythonJob
	for _, s := range all {
		jobs = append(jobs, pythonJob{Text: s.text, Steps: steps(t, s.key)})
	}
	return stringAnswers(t, typeScript(t, jobs))
}

func TestJSONCCorpus(t *testing.T) {
	t.Parallel()
	all := sources(t, "jsonc", need.Corpus(t, "mediawiki", "wordpress", "node-acorn", "node-typescript", "node-yaml")...)
	t.Logf("%d files are known as jsonc", len(all))
	rng := rand.New(rand.NewPCG(1, 2))
	for _, s := range everyNth(20, sources(t, "json", need.Corpus(t, "mediawiki", "wordpress", "node-typescript")...)) {
		if len(s.text) > 40<<10 {
			continue
		}
		was, err := collect(jsonLang{}, string(s.text))
		s.text = commented(s.text, rng)
		now, err2 := collect(jsonLang{comments: true}, string(s.text))
		if err != nil || err2 != nil || !slices.Equal(literalLines(was), literalLines(now)) {
			t.Errorf("%s: with comments other values were found: %v, %v", s.name, err, err2)
		}
		all = append(all, s)
	}
	var jobs []pythonJob
	for _, s := range all {
		jobs = append(jobs, pythonJob{Text: s.text})
		if text := strings.TrimPrefix(string(s.text), bom); !compareJSONC(t, text) {
			t.Errorf("%s: not read", s.name)
		}
	}
	for i, answer := range typeScript(t, jobs) {
		want := everything(t, answer)
		text := strings.TrimPrefix(string(all[i].text), bom)
		got, err := collect(jsonLang{comments: true}, text)
		if diff := cmp.Diff(want, spanLines(got, want)); err != nil || diff != "" {
			t.Fatalf("%s: %v (-typescript +ours):\n%s", all[i].name, err, diff)
		}
	}
	t.Logf("%d files compared with hujson and TypeScript", len(all))
	if len(all) < 500 {
		t.Error("too few files compared")
	}
	testCorpusKeys(t, "jsonc", all, 400, typeScriptValues)
}

func TestValuesInJSONC(t *testing.T) {
	t.Parallel()
	values := append(multiline, nasty...)
	src := stampAll(t, "jsonc", "[ // list\n\"x\"", ",]\n// end", values,
		func(int) string { return `,/* " */ {"rev": /*"x"*/ "x" /* , */, /* "rev": 1 */}` + " // \"rev\"\n" },
		func(int) string { return "[1].rev" })
	var jobs []pythonJob
	for i := range values {
		jobs = append(jobs, pythonJob{Text: src, Steps: []any{i + 1, "rev"}})
	}
	compareValues(t, "typescript", stringAnswers(t, typeScript(t, jobs)), values)
}
