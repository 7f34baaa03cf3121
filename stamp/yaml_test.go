package stamp

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	"revstamp/testdata/need"
)

// yamlReaders are programs that read files and print a line of JSON for each:
// of YAML 1.1 PyYAML, Psych (libyaml) and yaml.js, of 1.2 ruamel.yaml and yaml.js.
func yamlReaders(t *testing.T) map[string][]string {
	t.Helper()
	dir := filepath.Join(need.Corpus(t, "node-yaml")[0], "usr/share/nodejs/yaml")
	return map[string][]string{
		"PyYAML":      {need.DebianPython, "testdata/yaml/read.py", "pyyaml"},
		"ruamel":      {need.DebianPython, "testdata/yaml/read.py", "ruamel"},
		"Psych":       {"ruby", "testdata/yaml/read.rb"},
		"yaml.js 1.1": {"node", "testdata/yaml/read.js", dir, "1.1"},
		"yaml.js 1.2": {"node", "testdata/yaml/read.js", dir, "1.2"},
		"yaml.v3":     nil,
	}
}

// readYAML returns what a reader finds in each of the files.
func readYAML(t *testing.T, reader []string, files []string, texts map[string][]byte) map[string]any {
	t.Helper()
	all := map[string]any{}
	if reader == nil {
		for _, name := range files {
			var v any
			if err := yaml.Unmarshal(texts[name], &v); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all[name] = v
		}
		return all
	}
	lines := strings.Split(strings.TrimSuffix(output(t, reader[0], append(reader[1:], files...)...), "\n"), "\n")
	if len(lines) != len(files) {
		t.Fatalf("%s: %d lines for %d files", reader[0], len(lines), len(files))
	}
	for i, name := range files {
		var v any
		if err := json.Unmarshal([]byte(lines[i]), &v); err != nil {
			t.Fatalf("%s: %s: %v", reader[0], name, err)
		}
		all[name] = v
	}
	return all
}

// A form is a place for a value: what comes before all of them, the value's own
// lines with its number in them, what comes after, and its key.
type yamlForm struct{ head, line, tail, key string }

var yamlForms = map[string]yamlForm{
	"plain":            {"", "k%d: x\n", "", "k%d"},
	"single":           {"", "k%d: 'x' # c\n", "", "k%d"},
	"double":           {"", "k%d: \"x\"\n", "", "k%d"},
	"comment":          {"# c\n---\n", "k%d:   x   # c\n", "...\n", "k%d"},
	"below":            {"", "k%d:\n  x\n", "", "k%d"},
	"flow map":         {"{", "k%d: x, ", "z: z}\n", "k%d"},
	"flow, single":     {"{", "\"k%d\":'x', ", "z: z}\n", "k%d"},
	"flow, double":     {"{\n", "  \"k%d\": \"x\",\n", "}\n", "k%d"},
	"flow list":        {"", "k%d: [x]\n", "", "k%d[0]"},
	"flow list, two":   {"", "k%d: [  x , 1]\n", "", "k%d[0]"},
	"list":             {"", "k%d:\n- x\n", "", "k%d[0]"},
	"list, indented":   {"", "k%d:\n  - x\n  - y\n", "", "k%d[0]"},
	"nested":           {"", "k%d:\n  a:\n    - b: x\n", "", "k%d.a[0].b"},
	"list in a list":   {"", "k%d:\n- - x\n", "", "k%d[0][0]"},
	"anchored":         {"", "k%d: &a%[1]d x\n", "", "k%d"},
	"tagged":           {"", "k%d: !!str x\n", "", "k%d"},
	"carriage returns": {"", "k%d: x\r\n", "", "k%d"},
	"last":             {"", "\nk%d: x", "", "k%d"},
}

// only returns the one value that is in a value of some depth, the first of it.
func only(v any) any {
	switch c := v.(type) {
	case []any:
		if len(c) > 0 {
			return only(c[0])
		}
	case map[string]any:
		for _, value := range c {
			return only(value)
		}
	}
	return v
}

// Values arrive as strings wherever they stand, in every reader of either YAML.
func TestYAMLValuesInReaders(t *testing.T) {
	t.Parallel()
	values := append(slices.Clone(nasty), yamlNasty...)
	texts := map[string][]byte{}
	var files []string
	for name, form := range yamlForms {
		text := []byte(form.head)
		for i, value := range values {
			target := Target{File: "a.yaml", Key: fmt.Sprintf(form.key, i), Value: value, Newlines: true}
			line := fmt.Sprintf(form.line, i)
			out, _, err := target.Edit([]byte(form.head + line + form.tail))
			if err != nil {
				t.Fatalf("%s: Edit(%q): %v", name, value, err)
			}
			if got := strings.Count(string(out), "\n"); got != strings.Count(form.head+line+form.tail, "\n") {
				t.Errorf("%s: %q is written on several lines: %q", name, value, out)
			}
			text = append(text, out[len(form.head):len(out)-len(form.tail)]...)
		}
		file := tempFile(t, "a.yaml", append(text, form.tail...))
		files = append(files, file)
		texts[file] = append(text, form.tail...)
		texts[name] = []byte(file)
	}
	for reader, command := range yamlReaders(t) {
		all := readYAML(t, command, files, texts)
		for name := range yamlForms {
			m, ok := all[string(texts[name])].(map[string]any)
			if !ok {
				t.Fatalf("%s: %s: no mapping", reader, name)
			}
			for i, want := range values {
				if got := only(m[fmt.Sprint("k", i)]); got != want {
					t.Errorf("%s: %s: %q was read as %T %v", reader, name, want, got, got)
				}
			}
		}
	}
}

// What is no string keeps its type in every reader that knew it as such.
func TestYAMLBareValuesInReaders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		old, value string
		want       any
	}{
		{"1", "4168", 4168.0}, {"1", "-1", -1.0}, {"1", "0", 0.0}, {"0x1f", "31", 31.0}, {"0o17", "15", 15.0}, {"1_000", "2000", 2000.0},
		{"12:30", "765", 765.0}, {"1", "999999999999", 999999999999.0},
		{"1.5", "2.0", 2.0}, {"1.5", "-0.25", -0.25}, {".5", "0.5", 0.5}, {"1e3", "1500.125", 1500.125}, {".inf", "10.0", 10.0},
		{"true", "false", false}, {"False", "true", true}, {"TRUE", "false", false},
	}
	var text []byte
	for i, tt := range tests {
		key := fmt.Sprint("k", i)
		out, _, err := Target{File: "a.yaml", Key: key, Value: tt.value}.Edit([]byte(key + ": " + tt.old + "\n"))
		if err != nil {
			t.Fatalf("Edit(%s) of %s: %v", tt.value, tt.old, err)
		}
		text = append(text, out...)
	}
	file := tempFile(t, "a.yaml", text)
	for reader, command := range yamlReaders(t) {
		m, _ := readYAML(t, command, []string{file}, map[string][]byte{file: text})[file].(map[string]any)
		for i, tt := range tests {
			got := m[fmt.Sprint("k", i)]
			if n, ok := got.(int); ok {
				got = float64(n)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s: %s instead of %s was read as %T %v", reader, tt.value, tt.old, got, got)
			}
		}
	}
}

// yamlNasty are, beside nasty, values that only YAML reads in its own way.
var yamlNasty = []string{
	"a\nb", "\n", "a\n", "\n\na \n b\n", "a: b\n- c\n", "a\ufffe", "\uffff", "a\u2060b", "\u00a0x", "x\u3000",
	"a?b", "a? b", "?", "??", "a,", "[", "a]", "a}b", "-,", "-]", ":x", "::", "a:b", "a :b", "a: ", "#a", "a#", "a # b", "a\\nb",
	"1.2.3", "1.2.3-rc1", "10.0.0.1", "1..2", "1.", "1.e3", "1e", "e3", "1e+3", "1.5e+3", "1e-3", "-1e3", "0.1.", "1__0", "_1", "1_", "_", "+_1", "0b", "0x", "0xg", "0o8", "09", "0o",
	"0:0", "00:00", "6:5", "6:60", "1:2:3:4", "1:2.", "1,000", "1,2", ",1", "1,000.5", "+.5", "-.5", "._5", "..5", ".5e3", ".e3", "+.inf", ".NaN", ".Inf", "inf", "Infinity", "+", "+x", "-x", "--",
	"2026-1-2", "2026-01", "2026-01-02 03:04", "2026-01-02 03:04:05.5 +01:00", "2026-01-02t1:02:03z", "2026-13-40", "2026-01-02x", "03:04:05",
	"YES", "Y", "nO", "tRUE", "True", "oN", "NuLL", "~a", "nil", "None", "undefined", "NaN", "!ruby/object:Object", ":sym", "a:sym", "%x", "`x`", "@x",
	"'", "''", "'a'", "\"a\"", "it's", "a\"b", "\\\"", "---", "--- a", "... ", "a ---", "<<x", "= ", "a=b", "&", "* ", "x: |", "| x", "> x", "\U0001f600", "\u0300a",
}

// The rule for what needs no quotes is compared with what six readers take a
// plain text for, over texts that are made of what numbers and times are made of.
func TestYAMLPlainInReaders(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	pieces := strings.Split("0 1 7 9 12 60 2026 00 . , : _ - + e E x o b a f T Z t ~ = < y n no on off Yes true null .inf nan 0x 0b 0o -01 1e 1. :30", " ")
	rng := rand.New(rand.NewPCG(1, 2))
	for _, a := range pieces {
		for _, b := range pieces {
			c := pieces[rng.IntN(len(pieces))]
			seen[a], seen[a+b], seen[a+b+c], seen[c+a+b+c] = true, true, true, true
		}
	}
	for _, v := range append(slices.Clone(nasty), yamlNasty...) {
		seen[v] = true
	}
	var plain []string
	for _, v := range slices.Sorted(maps.Keys(seen)) {
		if yamlPlain(v, false) {
			plain = append(plain, v)
		}
	}
	if len(plain) < 1000 || len(plain) == len(seen) {
		t.Errorf("%d of %d texts are written without quotes", len(plain), len(seen))
	}
	var text []byte
	for i, v := range plain {
		text = fmt.Appendf(text, "k%d: %s\n", i, v)
	}
	file := tempFile(t, "a.yaml", text)
	for reader, command := range yamlReaders(t) {
		m, _ := readYAML(t, command, []string{file}, map[string][]byte{file: text})[file].(map[string]any)
		for i, want := range plain {
			if got := m[fmt.Sprint("k", i)]; got != want {
				t.Errorf("%s: %q was read as %T %v", reader, want, got, got)
			}
		}
	}
	t.Logf("%d of %d texts without quotes read by %d readers", len(plain), len(seen), len(yamlReaders(t)))
}
