package stamp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"revstamp/testdata/need"
)

// jsonValue is what a reader finds in a text.
type jsonValue struct {
	key, kind, text string
	end             int // 0 for an object and an array
}

// readJSON returns what encoding/json finds.
func readJSON(src []byte) ([]jsonValue, error) {
	src = bytes.TrimPrefix(src, []byte(bom))
	if !json.Valid(src) {
		return nil, errors.New("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	var found []jsonValue
	var value func(p path) error
	value = func(p path) error {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		open, nested := token.(json.Delim)
		if !nested {
			v := jsonValue{string(p), "null", "null", int(dec.InputOffset())}
			switch token := token.(type) {
			case string:
				v.kind, v.text = "string", token
			case json.Number:
				v.kind, v.text = "number", string(token)
			case bool:
				v.kind, v.text = "bool", strconv.FormatBool(token)
			}
			found = append(found, v)
			return nil
		}
		found = append(found, jsonValue{key: string(p), kind: map[json.Delim]string{'{': "an object", '[': "an array"}[open]})
		for n := 0; dec.More(); n++ {
			below := p
			if open == '[' {
				below = p.index(n)
			} else if name, err := dec.Token(); err != nil {
				return err
			} else {
				below = p.key(name.(string))
			}
			if err := value(below); err != nil {
				return err
			}
		}
		_, err = dec.Token() // the other bracket
		return err
	}
	err := value("")
	return found, err
}

// compareJSON reports whether src is JSON to us and to encoding/json, who must
// agree.
func compareJSON(t *testing.T, name string, src []byte) bool {
	t.Helper()
	all, err := collect(jsonLang{}, string(src))
	skipped := len(src) - len(bytes.TrimPrefix(src, []byte(bom)))
	var got []jsonValue
	for _, l := range all {
		v := jsonValue{replaced(l.key), l.kind + l.refused, replaced(l.text), l.end - skipped}
		if l.refused != "" {
			v.end = 0
		}
		got = append(got, v)
		if c := src[l.start]; strings.IndexByte(" \t\r\n:,", c) >= 0 || l.kind == "string" && c != '"' {
			t.Errorf("%s: %s begins with %q", name, l.key, c)
		}
	}
	want, wantErr := readJSON(src)
	if (err == nil) != (wantErr == nil) {
		t.Errorf("%s: error %v, encoding/json %v", name, err, wantErr)
	} else if err == nil && !slices.Equal(got, want) {
		t.Errorf("%s (-encoding/json +ours):\n%s", name, cmp.Diff(fmt.Sprintln(want), fmt.Sprintln(got)))
	}
	return err == nil
}

// replaced returns text with U+FFFD for each byte that is not UTF-8, as
// encoding/json reads it.
func replaced(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return string([]rune(text))
}

func TestJSONDepth(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{jsonDepth, jsonDepth + 1} {
		src := []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
		_, err := collect(jsonLang{}, string(src))
		if (err == nil) != json.Valid(src) {
			t.Errorf("depth %d: error %v, encoding/json %v", depth, err, json.Valid(src))
		}
	}
}

// TestJSONOnPieces compares on texts put together at random from what is hard.
func TestJSONOnPieces(t *testing.T) {
	t.Parallel()
	pieces := strings.Split("{ } [ ] , : {} [] [[ ]] \"a\": \"a\" \"\" \" \\ \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0041 \\ud83d \\ude80 \\u12 \\x \\U0041 a ä \xe9 \x01 \x7f "+
		"0 1 -1 - + 1.5 1. .5 01 00 1e5 1E+5 1e- e true false null nul truefalse NaN // /* */ '"+" "+bom, " ")
	pieces = append(pieces, " ", "\t", "\r", "\n", "\f", "\u00a0", "\x00", `"k": 1,`, `1,`, `{"a": `)
	rng := rand.New(rand.NewPCG(1, 2))
	valid := 0
	for range 40000 {
		var src []byte
		for range 1 + rng.IntN(8) {
			src = append(src, pieces[rng.IntN(len(pieces))]...)
		}
		if rng.IntN(2) == 0 {
			src = append(append([]byte(`["`), src...), `"]`...)
		}
		if compareJSON(t, fmt.Sprintf("%q", src), src) {
			valid++
		}
	}
	if valid < 4000 {
		t.Errorf("only %d texts were JSON", valid)
	}
}

func FuzzJSONReading(f *testing.F) {
	for _, c := range goldenCases(f) {
		if filepath.Ext(c.target.File) == ".json" && c.in != nil {
			f.Add(c.in)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) <= 4<<10 {
			compareJSON(t, fmt.Sprintf("%q", src), src)
		}
	})
}

// runPython asks testdata/python/values.py.
func runPython(t *testing.T, jobs []pythonJob) []json.RawMessage {
	t.Helper()
	need.Program(t, need.DebianPython)
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, job := range jobs {
		if err := enc.Encode(job); err != nil {
			t.Fatal(err)
		}
	}
	return answers(t, &in, len(jobs), need.DebianPython, "testdata/python/values.py")
}

type pythonJob struct {
	Format string `json:"format"`
	Text   []byte `json:"text"`
	Steps  []any  `json:"steps"`
}

var step = regexp.MustCompile(`^\.?(?:"((?:[^"\\]|\\.)*)"|\[(\d+)\]|([^.\[\]"]+))`)

// steps returns the way that a key of package path says: names and numbers.
func steps(t *testing.T, key string) []any {
	t.Helper()
	all := []any{}
	for key != "" {
		m := step.FindStringSubmatch(key)
		switch {
		case m == nil:
			t.Fatalf("no step in %q", key)
		case m[2] != "":
			n, _ := strconv.Atoi(m[2])
			all = append(all, n)
		case m[3] != "":
			all = append(all, m[3])
		default:
			all = append(all, strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(m[1]))
		}
		key = key[len(m[0]):]
	}
	return all
}

// pythonValues reads strings where they were stamped.
func pythonValues(format string) func(t *testing.T, all []stamped) []string {
	return func(t *testing.T, all []stamped) []string {
		var jobs []pythonJob
		for _, s := range all {
			jobs = append(jobs, pythonJob{format, s.text, steps(t, s.key)})
		}
		return stringAnswers(t, runPython(t, jobs))
	}
}

// stringAnswers returns the texts of [type, text] where the type is string.
func stringAnswers(t *testing.T, answers []json.RawMessage) []string {
	t.Helper()
	var texts []string
	for _, a := range answers {
		var v []string
		if err := json.Unmarshal(a, &v); err != nil || len(v) != 2 || v[0] != "string" {
			t.Errorf("%s is read, want a string: %v", a, err)
			v = []string{"", ""}
		}
		texts = append(texts, v[1])
	}
	return texts
}

// pythonEverything reads every value of the sources, in the order of the file.
func pythonEverything(t *testing.T, format string, all []source) [][]string {
	t.Helper()
	var jobs []pythonJob
	for _, s := range all {
		jobs = append(jobs, pythonJob{Format: format, Text: s.text})
	}
	var found [][]string
	for _, a := range runPython(t, jobs) {
		found = append(found, everything(t, a))
	}
	return found
}

// everything writes a list of [steps, type, text], perhaps with offsets behind
// them, as lines; nil for null.
func everything(t *testing.T, answer json.RawMessage) []string {
	t.Helper()
	var values [][]any
	if err := json.Unmarshal(answer, &values); err != nil {
		t.Fatalf("%.200s: %v", answer, err)
	}
	var lines []string
	for _, v := range values {
		var p path
		for _, s := range v[0].([]any) {
			if n, ok := s.(float64); ok {
				p = p.index(int(n))
			} else {
				p = p.key(s.(string))
			}
		}
		line := fmt.Sprintf("%s %s %q", p, v[1], v[2])
		for _, offset := range v[3:] {
			line += fmt.Sprint(" ", int(offset.(float64)))
		}
		lines = append(lines, line)
	}
	return lines
}

// literalLines writes what scan found as everything does.
func literalLines(all []literal) []string {
	var lines []string
	for _, l := range all {
		lines = append(lines, fmt.Sprintf("%s %s %q", l.key, l.kind+l.refused, l.text))
	}
	return lines
}

// everyNth returns each nth source.
func everyNth(n int, all []source) (some []source) {
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

func TestJSONCorpus(t *testing.T) {
	t.Parallel()
	all := sources(t, "json", need.Corpus(t, "mediawiki", "wordpress", "node-acorn", "node-typescript", "node-yaml")...)
	compared := 0
	for _, s := range all {
		if compareJSON(t, s.name, s.text) {
			compared++
		}
	}
	t.Logf("%d of %d files compared with encoding/json, the others are refused by both", compared, len(all))
	if compared < 10000 || len(all)-compared > 10 {
		t.Error("too few files compared, or too many refused")
	}
	some := everyNth(30, all)
	for i, want := range pythonEverything(t, "json", some) {
		got, err := collect(jsonLang{}, string(some[i].text))
		if (err == nil) != (want != nil) {
			t.Errorf("%s: error %v, %d values in Python", some[i].name, err, len(want))
		} else if diff := cmp.Diff(want, literalLines(got)); diff != "" {
			t.Errorf("%s (-python +ours):\n%s", some[i].name, diff)
		}
	}
	t.Logf("%d files compared with Python", len(some))
	testCorpusKeys(t, "json", all, 1000, pythonValues("json"))
}
