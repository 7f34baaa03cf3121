package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlain(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"grün → 4170\n\ta", "grün → 4170\n\ta"},
		{"a\r\nb\rc", "a\nb\\x0dc"},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"\x00\x7f\u0085\u009b", `\x00\x7f\u0085\u009b`},
		{"\xff\xc3(", `\xff\xc3(`},
		{"\ufffd", "\ufffd"},
		{"a\u202eb\u2066c\u200fd", `a\u202eb\u2066c\u200fd`},
		{"\u2028\u2029", `\u2028\u2029`},
		{"::error::x ##[group]", "::error::x ##[group]"},
	} {
		if got := newSanitizer(nil, true).plain(test.text); got != test.want {
			t.Errorf("plain(%q) = %q, want %q", test.text, got, test.want)
		}
	}
	if got, want := newSanitizer(nil, false).plain("4168 → 4170 – a…"), "4168 -> 4170 - a..."; got != want {
		t.Errorf("without UTF-8: %q, want %q", got, want)
	}
}

func TestDisarm(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"::error::x", ": :error::x"},
		{"a\n \t\u00a0::set-output name=a::b\nc", "a\n: :set-output name=a::b\nc"},
		{"a ::error:: b", "a ::error:: b"},
		{"x ##[add-mask]y", "x ## [add-mask]y"},
		{"##[[", "## [["},
		{"App\\Build::REV", "App\\Build::REV"},
		{"::::", ": :::"},
	} {
		if got := disarm(test.text); got != test.want {
			t.Errorf("disarm(%q) = %q, want %q", test.text, got, test.want)
		}
	}
}

func TestLine(t *testing.T) {
	s := newSanitizer(nil, true)
	if got, want := s.line(" a\n\n  b\r\nc \n"), "a;   b; c"; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
	if got, want := s.block("a\nb\n\n", "  "), "a\n  b"; got != want {
		t.Errorf("block = %q, want %q", got, want)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "0ms",
		12345 * time.Microsecond: "12ms",
		999 * time.Millisecond:   "999ms",
		1290 * time.Millisecond:  "1.2s",
		9999 * time.Millisecond:  "9.9s",
		10 * time.Second:         "10s",
		59999 * time.Millisecond: "59s",
		123 * time.Second:        "2m03s",
		3720 * time.Second:       "1h02m",
		50 * time.Hour:           "50h00m",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestMarks(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		utf8 bool
	}{
		{nil, false},
		{map[string]string{"LANG": "en_US.UTF-8"}, true},
		{map[string]string{"LANG": "C.utf8"}, true},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "de_DE.utf-8"}, true},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_CTYPE": "C", "LC_ALL": "de_DE.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE@euro"}, false},
	} {
		if got := marksFor(fixed(test.env)); got.utf8 != test.utf8 || (got.ok == "✔") != test.utf8 {
			t.Errorf("marksFor(%v) = %v", test.env, got)
		}
	}
}

func TestColours(t *testing.T) {
	for _, test := range []struct {
		env      map[string]string
		terminal bool
		want     bool
	}{
		{nil, true, true},
		{nil, false, false},
		{map[string]string{"NO_COLOR": "1"}, true, false},
		{map[string]string{"NO_COLOR": ""}, true, true},
		{map[string]string{"TERM": "dumb"}, true, false},
		{map[string]string{"CLICOLOR_FORCE": "1"}, false, true},
		{map[string]string{"CLICOLOR_FORCE": "0"}, false, false},
		{map[string]string{"CLICOLOR_FORCE": "1", "TERM": "dumb"}, true, true},
		{map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, true, false},
	} {
		if got := styleFor(fixed(test.env), test.terminal).colours; got != test.want {
			t.Errorf("styleFor(%v, %v) = %v, want %v", test.env, test.terminal, got, test.want)
		}
	}
}

func TestProblems(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	p := placed{}
	whole := problem{message: p.Error(), hint: p.Remedy(), file: "/build/shop/config.php", line: 3, column: 1}
	for _, test := range []struct {
		err  error
		want []problem
	}{
		{a, []problem{{message: "a"}}},
		{errors.Join(a, b), []problem{{message: "a"}, {message: "b"}}},
		{errors.Join(a, errors.Join(b, p)), []problem{{message: "a"}, {message: "b"}, whole}},
		{fmt.Errorf("both %w and %w", a, b), []problem{{message: "both a and b"}}},
		{fmt.Errorf("stamp: %w", p), []problem{{message: "stamp: " + whole.message, hint: whole.hint, file: whole.file, line: 3, column: 1}}},
		{fmt.Errorf("x: %w", errors.Join(a, b)), []problem{{message: "x: a\nb"}}},
	} {
		got := problemsOf(test.err)
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(problem{})); diff != "" {
			t.Errorf("problemsOf(%q): -want +got:\n%s", test.err, diff)
		}
	}
}

func TestPlaceByFields(t *testing.T) {
	for _, test := range []struct {
		err    error
		fields []any
		want   problem
	}{
		{errors.New("a"), []any{"kind", "k", "file", "x.php", "line", 7, "column", 2}, problem{message: "a", file: "x.php", line: 7, column: 2}},
		{errors.New("a"), []any{"file"}, problem{message: "a"}},
		{placed{}, []any{"file", "x.php", "line", 7}, problem{message: placed{}.Error(), hint: placed{}.Remedy(), file: "/build/shop/config.php", line: 3, column: 1}},
	} {
		e := event{problems: problemsOf(test.err), fields: pairs(test.fields)}
		e.place()
		if diff := cmp.Diff(test.want, e.problems[0], cmp.AllowUnexported(problem{})); diff != "" {
			t.Errorf("%v %v (-want +got):\n%s", test.err, test.fields, diff)
		}
	}
}

func TestGithubFile(t *testing.T) {
	g := &githubLog{workspace: "/build"}
	for file, want := range map[string]string{
		"/build/a/b.php": "a/b.php", "a.php": "a.php", "/other/a.php": "/other/a.php", "/buildings/a": "/buildings/a",
	} {
		if got := g.relative(file); got != want {
			t.Errorf("relative(%q) = %q, want %q", file, got, want)
		}
	}
	line, _ := g.problem("error", problem{message: "100%\nbad", file: "a,b:c%.php", line: 3})
	if want := "::error file=a%2Cb%3Ac%25.php,line=3::100%25%0Abad\n"; line != want {
		t.Errorf("annotation = %q, want %q", line, want)
	}
}

// No text, whatever it is, is more than text once it is plain.
func FuzzPlain(f *testing.F) {
	f.Add(hostile)
	f.Add("####[[x]\n:::\r\n\u00a0::x\n\u2028::y")
	f.Fuzz(func(t *testing.T, text string) {
		s := newSanitizer(nil, true)
		s.workflow = true
		got := s.plain(text)
		for _, c := range got {
			if c != '\n' && c != '\t' && control(c) {
				t.Fatalf("plain(%q) = %q holds %q", text, got, c)
			}
		}
		if strings.Contains(got, "##[") {
			t.Fatalf("plain(%q) = %q holds a command", text, got)
		}
		for l := range strings.Lines(got) {
			if strings.HasPrefix(strings.TrimSpace(l), "::") {
				t.Fatalf("plain(%q) = %q holds a command", text, got)
			}
		}
		if again := s.plain(got); again != got {
			t.Fatalf("plain(%q) = %q, and again %q", text, got, again)
		}
	})
}

// What JSON says is the same after it was made harmless.
func FuzzJSON(f *testing.F) {
	f.Add(hostile, `a"b\c`)
	f.Add(`\"`, `"`)
	f.Fuzz(func(t *testing.T, a, b string) {
		in, err := json.Marshal(map[string]any{a: []any{b, 1, nil, map[string]string{b: a}}})
		if err != nil {
			t.Skip()
		}
		s := newSanitizer([]string{"\x00 no such text \x00"}, true)
		s.workflow = true
		out := s.json(in)
		var want, got any
		if json.Unmarshal(in, &want) != nil || json.Unmarshal(out, &got) != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s became %s", in, out)
		}
		for _, c := range string(out) {
			if control(c) {
				t.Fatalf("%s holds %q", out, c)
			}
		}
		if bytes.Contains(out, []byte("##[")) {
			t.Fatalf("%s holds a command", out)
		}
	})
}
