package stamp

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What surrounds the value stays, byte for byte.
func TestEditKeepsEveryOtherByte(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, key, before, old, after string }{
		{"php, CRLF", "a.php", "$c['r']", "<?php\r\n\t$c['r'] = ", `"x"`, ";\r\n"},
		{"php, Latin-1", "a.php", "$c['r']", "caf\xe9 <?php // \xe9\n$\xe9 = '\xe9'; $c['r'] = ", `"x"`, "; // \xff"},
		{"php, BOM", "a.php", "$c['r']", "\xef\xbb\xbf<?php $c['r'] = ", `"x"`, " ?>\n\n\n"},
		{"php, CR", "a.php", "$c['r']", "<?php // x\r$c['r'] = ", `"x"`, ";\r?>\r"},
		{"yaml, CRLF", "a.yml", "a.r", "# x\r\na:\r\n  r: ", `"x"`, "\r\n  s: 1"},
		{"yaml, BOM", "a.yaml", "r", "\xef\xbb\xbfr: ", `"x"`, "   # c\n\n\n"},
		{"yaml, BOM and characters", "a.yaml", "a.r", "\xef\xbb\xbfa: {ä: ü, r: ", `"x"`, "}"},
		{"yaml, CR", "a.yaml", "r", "a: 1\rr: ", `"x"`, "\rb: 2"},
		{"yaml, NEL and LS", "a.yaml", "r", "# \u0085a: 1\u2028r: ", `"x"`, "\u2029b: 2"},
		{"json, CRLF", "a.json", "a.r", "{\r\n\t\"a\" : {\"r\":", `"x"`, "\r\n}}"},
		{"json, BOM", "a.json", "r", "\xef\xbb\xbf{\"r\": ", `"x"`, "  }\n\n"},
		{"json, Latin-1", "a.json", "r", "{\"\xe9\": \"\xe9\", \"r\": ", `"x"`, "}"},
		{"jsonc, CRLF", "a.jsonc", "a.r", "// \"r\": 1,\r\n{\r\n\t\"a\" : {\"r\":/* ü */", `"x"`, ",\r\n},}// no line"},
		{"jsonc, BOM", "tsconfig.json", "r", "\xef\xbb\xbf// {\n{\"r\": ", `"x"`, " /* c */ }\n\n"},
		{"jsonc, Latin-1", "a.jsonc", "r", "{\"\xe9\": \"\xe9\", // \xe9\n\"r\": ", `"x"`, "/* \xe9 */}"},
		{"python, CRLF", "a.py", "C['r']", "C = {\r\n\t'r': ", `"x"`, ",\r\n}\r\n"},
		{"python, BOM", "a.py", "R", "\xef\xbb\xbfR = ", `"x"`, "  # c"},
		{"python, CR", "a.py", "C.R", "# x\rclass C:\r\tR = ", `"x"`, ";A=1\r\f"},
		{"python, Latin-1", "a.pyw", "R", "# coding: latin-1\nA\xe9 = '\xe9'\nR = ", `"x"`, " # \xff"},
		{"xml, CRLF", "a.xml", "/a/b/@r", "<?xml version='1.0'?>\r\n<a>\r\n\t<b r = ", `"x"`, "\r\n/></a>\r\n"},
		{"xml, BOM", "a.xml", "@r", "\xef\xbb\xbf<a  r=", `"x"`, "\t>\r\n</a >"},
		{"xml, Latin-1", "a.csproj", "b/@r", "<?xml version='1.0' encoding='ISO-8859-1'?><!--\xe9--><a>\xe9<b\tr=", `"x"`, " c='\xe9'/></a>"},
		{"toml, CRLF", "a.toml", "a.r", "# ü\r\n[a]\r\nl = [1,\r\n\t2]\r\nr\t=  ", `"x"`, "\t# c\r\n"},
		{"toml, BOM", "Pipfile", "r", "\xef\xbb\xbfr = ", `"x"`, ""},
		{"c, CRLF", "a.h", "R", "// x\r\n#define R \\\r\n\t", `"x"`, " /* c */\r\n#define S 1"},
		{"c, BOM", "a.c", "R", "\xef\xbb\xbf#define R ", `"x"`, ""},
		{"c, Latin-1", "a.cpp", "R", "// \xe9\nconst char a[] = \"\xe9\", *R = ", `"x"`, "; // \xff"},
		{"properties, CRLF", "a.properties", "r", "! x\r\na:\\\r\n  b\r\n r\t: ", `x`, "\r\n#\r\n"},
		{"properties, CR", "a.properties", "r", "#r=1\rr=", `x`, "\rb=2\r"},
		{"properties, BOM", "a.properties", "r", "\xef\xbb\xbfr = ", `x`, ""},
		{"properties, Latin-1", "a.properties", "a.r", "# \xe9\n\xe9=\xe9\na.r=", "\xe9", "\n\n"},
		{"js, CRLF", "a.js", "c.r", "// x\r\nconst c = {\r\n\tr: ", `"x"`, "\r\n};\r\n"},
		{"js, CR", "a.mjs", "r", "// x\rlet r = ", `"x"`, "\r++y"},
		{"js, BOM and hashbang", "a.cjs", "exports.r", "\xef\xbb\xbf#!/bin/node r = 'x'\nexports.r = ", `"x"`, ""},
		{"js, Latin-1", "a.js", "r", "/* \xe9 */ caf\xe9 = '\xe9'; r = ", `"x"`, "; // \xff"},
		{"js, LS and NBSP", "a.js", "r", "// x\u2028var\u00a0r = ", `"x"`, "\u2029s = 1"},
		{"ts, CRLF", "a.d.ts", "r", "const a: B<C>= 1,\r\n\tr : D<E<F>>= ", `"x"`, " as\r\nconst\r\n"},
		{"ts, BOM", "a.ts", "E.r", "\xef\xbb\xbfenum E { r = ", `"x"`, ", }\n\n"},
		{"ruby, CRLF", "a.rb", "S[:r]", "S = {\r\n\t:r => ", `"x"`, ",\r\n}\r\n"},
		{"ruby, BOM", "a.gemspec", "s.r", "\xef\xbb\xbfG.new do |s| s.r = ", `"x"`, ".freeze end # c"},
		{"ruby, Latin-1", "Rakefile", "R", "# encoding: iso-8859-1\nA = '\xe9'\nR = ", `"x"`, " # \xff"},
		{"ruby, bytes in comments and data", "config.ru", "R", "# \xe9\r\n=begin\n\xff\n=end\nR = ", `"x"`, "\n__END__\n\xff\x00"},
		{"env, CRLF", ".env", "R", "A=1\r\nexport R=", `"x"`, " # c\r\nB=\r\n"},
		{"env, BOM", ".env", "R", "\xef\xbb\xbfR=", `"x"`, ""},
		{"ini, CRLF", "a.ini", "s.R", "[s]\r\n R = ", `"x"`, " ; c\r\nB=\r\n"},
		{"ini, BOM and CR", "a.ini", "R", "\xef\xbb\xbfR=", `"x"`, "\r[t]\rR = y"},
		{"ini, Latin-1", "a.cfg", "s.R", "[s]\nA = \xe9\nR = ", `"x"`, ""},
		{"env, Latin-1", ".env.local", "R", "A='\xe9'\nR=", `"x"`, "\n# \xe9"},
	}
	for _, tt := range tests {
		target := Target{File: tt.file, Key: tt.key, Value: "4168"}
		out, changes, err := target.Edit([]byte(tt.before + tt.old + tt.after))
		want := tt.before + strings.Replace(tt.old, strings.Trim(tt.old, `"`), "4168", 1) + tt.after
		if err != nil || string(out) != want || len(changes) != 1 {
			t.Errorf("%s: Edit = %q, %v, %v, want %q", tt.name, out, changes, err, want)
		}
	}
}

func TestEditReturnsSrcWithoutChange(t *testing.T) {
	t.Parallel()
	src := []byte("REV=42\n")
	out, changes, err := Target{File: ".env", Key: "REV", Value: "42"}.Edit(src)
	if err != nil || changes != nil || &out[0] != &src[0] {
		t.Errorf("Edit = %q, %v, %v, want src itself and no changes", out, changes, err)
	}
}

func TestEditTellsWhatChanged(t *testing.T) {
	t.Parallel()
	src := []byte("\xef\xbb\xbf<?php /* ä */ $c['r'] = \"a\\x41\\101\\u{e4}\\$\\q\";\n")
	target := Target{File: "config.php", Key: "$c['r']", Value: "new"}
	_, changes, err := target.Edit(src)
	want := []Change{{File: "config.php", Key: "$c['r']", Line: 1, Column: 25, Old: "aAAä$\\q", New: "new"}}
	if diff := cmp.Diff(want, changes); err != nil || diff != "" {
		t.Errorf("Edit: %v (-want +got):\n%s", err, diff)
	}
	values, err := target.Find(src)
	if err != nil || len(values) != 1 {
		t.Fatalf("Find = %v, %v", values, err)
	}
	v := values[0]
	if got := string(src[v.Start:v.End]); !strings.HasPrefix(got, `"a\x41`) || v.Type != "string" || v.Text != want[0].Old || v.Column != 25 {
		t.Errorf("Find = %+v, %q", v, got)
	}
}

func TestControlCharacters(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a\x00", "a\nb", "a\rb", "\t", "\x1b[31m", "\x7f", "\u0085", "\u2028", "a\nb\n", "\n\n"} {
		for _, target := range []Target{
			{File: "a.rb", Key: "a"},
			{File: "a", Format: "plain"}, {File: "a", Match: "(a)"}, {File: "a", Placeholder: "@"},
			{File: "a.xml", Key: "a"},
			{File: "a.h", Key: "a"},
		} {
			target.Value = value
			var e *Error
			if err := target.Validate(); !errors.As(err, &e) || e.Kind != ControlCharacter {
				t.Errorf("Validate(%+v): %v, want %s", target, err, ControlCharacter)
			}
		}
	}
	for _, target := range []Target{{File: "a.yaml", Key: "a", Value: "\xff"}, {File: "a.json", Key: "a", Value: "\xff"}} {
		var e *Error
		if _, _, err := target.Edit([]byte(`{"a": "x"}`)); !errors.As(err, &e) || e.Kind != ControlCharacter {
			t.Errorf("Edit(%+v): %v, want %s", target, err, ControlCharacter)
		}
	}
}

func TestWholeFileKeepsItsEnd(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "42", "\n": "42\n", "41": "42", "41\n": "42\n", "41\r\n": "42\r\n", "\xef\xbb\xbf41\n": "\xef\xbb\xbf42\n", "a\nb\n\n": "42\n",
	} {
		for _, value := range []string{"42", "42\n", "42\r\n"} {
			out, _, err := Target{File: "VERSION", Format: "plain", Value: value}.Edit([]byte(in))
			if err != nil || string(out) != want {
				t.Errorf("Edit(%q) with %q = %q, %v, want %q", in, value, out, err, want)
			}
		}
	}
}

func TestPlaceholderMadeAnew(t *testing.T) {
	t.Parallel()
	var e *Error
	out, _, err := Target{File: "a", Placeholder: "abab", Value: "ab"}.Edit([]byte("xababab"))
	if !errors.As(err, &e) || e.Kind != BadSelector {
		t.Errorf("Edit = %q, %v, want %s", out, err, BadSelector)
	}
}

func TestFormatOf(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"config/config.php": "php", "CONFIG.PHP": "php", ".env": "env", "/srv/.env.local": "env", "prod.env": "env",
		"a.yml": "yaml", "a.b.yaml": "yaml",
		"package.json": "json", "composer.lock": "json",
		"a.jsonc": "jsonc", "tsconfig.json": "jsonc", "tsconfig.app.json": "jsonc", ".babelrc": "jsonc", "app.code-workspace": "jsonc",
		"settings.py": "python", "a.PYI": "python", "a.pyc": "",
		"pyproject.toml": "toml", "Cargo.toml": "toml", "Cargo.lock": "", "Pipfile": "toml", "Pipfile.lock": "json",
		"VERSION": "", "a.txt": "", "env": "", "php": "", ".environment": "", "": "",
		"a.h": "c", "Version.C": "c", "a.cpp": "c",
		"pom.xml": "xml", "Web.config": "xml", "App.csproj": "xml", "logo.svg": "xml",
		"php.ini": "ini", "setup.cfg": "ini",
		"a.min.js": "js", "a.mjs": "js", "a.d.ts": "ts", "a.cts": "ts", "a.jsx": "", "a.tsx": "", "a.js.map": "",
		"a.rb": "ruby", "Rakefile": "ruby", "Gemfile": "ruby", "Gemfile.lock": "", "Capfile": "ruby", "x.gemspec": "ruby", "config.ru": "ruby", "lib/tasks/x.rake": "ruby",
	} {
		if got, ok := FormatOf(file); got != want || ok != (want != "") {
			t.Errorf("FormatOf(%q) = %q, %v, want %q", file, got, ok, want)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	src := []byte("<?php\n$config['svn'] = 'a';\n$config['svn'] = 'b';\n")
	for key, want := range map[string]string{
		"$config['svn']": "stamp c.php:2:18: $config['svn']: ambiguous: found 2 times, in lines 2 and 3",
		"$conf['svn']":   "stamp c.php: $conf['svn']: not-found: nothing in the file has this key",
	} {
		_, err := Target{File: "c.php", Key: key, Value: "1"}.Find(src)
		var e *Error
		if !errors.As(err, &e) || e.Error() != want || e.Hint == "" {
			t.Errorf("Find(%s): %v, want %s", key, err, want)
		}
	}
}

// What a hint says to name, or to type, is what helps.
func TestErrorHint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target       Target
		src          string
		detail, hint string
	}{
		{Target{File: "c.php", Key: "$a"}, "<?php $a = 1; $a = 2;\n$a = 3;",
			"found 3 times, at 1:12, 1:20 and 2:6", "remove all but one, or say that all are meant: --all, or occurrence: all"},
		{Target{File: "a.rb", Key: "REV"}, "REV = '1'\nmodule App\n  REV = '2'\nend\n",
			"found 2 times, in lines 1 and 3", "say which is meant: ::REV or App::REV"},
		{Target{File: "a.cpp", Key: "REV"}, "const int REV = 1;\nnamespace app { const int REV = 2; }\n", // the first is no other's name
			"found 2 times, in lines 1 and 2", "remove all but one, or say that all are meant: --all, or occurrence: all"},
		{Target{File: "c.yaml", Key: "hosts[5].rev"}, "assets: {rev: a}\nhosts: [{rev: b}, {rev: c}]\n",
			"nothing in the file has this key", "the file has hosts[0].rev"},
		{Target{File: "c.yaml", Key: "revision"}, "a: b\n",
			"nothing in the file has this key", "'revstamp stamp --list c.yaml' shows the keys of a file"},
		{Target{File: "my c", Format: "yaml", Key: "revision"}, "a: b\n",
			"nothing in the file has this key", "'revstamp stamp --list --format yaml FILE' shows the keys of a file"},
		{Target{File: "-", Format: "yaml", Key: "revision"}, "a: b\n",
			"nothing in the file has this key", "'revstamp stamp --list --format yaml FILE' shows the keys of a file"},
		{Target{File: "c.json", Key: "a", Value: "x\ny"}, `{"a": ""}`,
			`the value "x\ny" holds a line feed at byte 1`, "--newlines, or newlines: true, lets it be written as an escape"},
		{Target{File: "c.json", Key: "a", Value: "x"}, `{"a": 1}`,
			`the value there is of type number, which "x" is not`, "to make it a string: --type string, or type: string"},
	} {
		_, _, err := c.target.Edit([]byte(c.src))
		e, _ := errors.AsType[*Error](err)
		if e == nil || e.Detail != c.detail || e.Hint != c.hint {
			t.Errorf("%v: %v\nhint %q,\nwant %q\nhint %q", c.target, err, hintOf(e), c.detail, c.hint)
		}
	}
}

func hintOf(e *Error) string {
	if e == nil {
		return ""
	}
	return e.Hint
}

// The keys that the hint of an ambiguous one names are each one value's.
func TestAmbiguousKeysAreUnambiguous(t *testing.T) {
	t.Parallel()
	for file, src := range map[string]string{
		"a.rb":  "REV = '1'\nmodule App\n  REV = '2'\n  class B\n    REV = '3'\n  end\nend\n",
		"a.cpp": "namespace app { const char *REV = \"a\"; }\nnamespace lib { const char *REV = \"b\"; }\n",
		"a.xml": "<a><REV>1</REV><b><REV>2</REV></b></a>",
	} {
		_, err := Target{File: file, Key: "REV"}.Find([]byte(src))
		e, _ := errors.AsType[*Error](err)
		words, named := strings.CutPrefix(hintOf(e), "say which is meant: ")
		if !named {
			t.Errorf("%s: %v, hint %q", file, err, hintOf(e))
			continue
		}
		for _, key := range strings.Split(strings.ReplaceAll(words, " or ", ", "), ", ") {
			if _, err := (Target{File: file, Key: key}).Find([]byte(src)); err != nil {
				t.Errorf("%s: %s, which a hint names: %v", file, key, err)
			}
		}
	}
}

// Several targets do together what each does after the other.
func TestEditOfSeveral(t *testing.T) {
	t.Parallel()
	src := []byte("<?php\n$c['a'] = 'x'; $c['b'] = \"y\";\ndefine('N', 1); // @REV@\n$c['l'] = ['r' => 's'];\n")
	targets := []Target{
		{File: "c.php", Key: "$c['b']", Value: "B"},
		{File: "c.php", Key: "$c['a']", Value: "A"},
		{File: "c.php", Key: "N", Value: "2"},
		{File: "c.php", Format: "plain", Placeholder: "@REV@", Value: "7"},
		{File: "c.php", Key: "$c['l']['r']", Value: "S"},
		{File: "c.php", Key: "$c['a']", Value: "again"},
		{File: "c.php", Key: "$c['b']", Value: "B"},
	}
	want, changes := src, []Change(nil)
	for _, target := range targets {
		out, one, err := target.Edit(want)
		if err != nil {
			t.Fatal(err)
		}
		want, changes = out, append(changes, one...)
	}
	got, all, err := Edit(src, targets)
	if err != nil || string(got) != string(want) {
		t.Errorf("Edit = %q, %v, want %q", got, err, want)
	}
	if len(all) != len(changes) || len(all) != 6 {
		t.Errorf("%d changes, want %d, which are 6:\n%v", len(all), len(changes), all)
	}
	targets[2].Value, targets[4].Key = "x", "$c['l']"
	out, all, err := Edit(src, targets)
	joined, ok := err.(interface{ Unwrap() []error })
	if out != nil || all != nil || !ok || len(joined.Unwrap()) != 2 {
		t.Fatalf("Edit = %q, %v, %v, want two refusals", out, all, err)
	}
	for i, kind := range []Kind{TypeChange, NotALiteral} {
		var e *Error
		if !errors.As(joined.Unwrap()[i], &e) || e.Kind != kind {
			t.Errorf("refusal %d is %v, want %s", i, joined.Unwrap()[i], kind)
		}
	}
}

// fuzz checks on any source and value what must hold for all of them: no panic,
// refusals are of type *Error, a stamp changes its own bytes and no others, the
// value is read back, and a second stamp changes nothing.
func fuzz(f *testing.F, format string) {
	for _, c := range goldenCases(f) {
		if got, _ := FormatOf(c.target.File); got == format && c.in != nil {
			f.Add(c.in, c.target.Value)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, value string) {
		if len(src) > 4<<10 {
			return
		}
		lang, err := formatNamed(format)
		if err != nil {
			t.Fatal(err)
		}
		all, err := collect(lang, string(src))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Kind != ParseError {
				t.Fatalf("scan: %v, want a parse error", err)
			}
			return
		}
		for i, l := range all {
			if i == 8 {
				return
			}
			target := Target{File: "f", Format: format, Key: l.key, Value: value}
			out, changes, err := target.Edit(src)
			if err != nil {
				var e *Error
				if !errors.As(err, &e) || out != nil {
					t.Fatalf("Edit: %q, %v", out, err)
				}
				continue
			}
			if len(changes) == 0 {
				if !bytes.Equal(out, src) {
					t.Fatalf("Edit(%s): other bytes, but no changes", l.key)
				}
				continue
			}
			found, err := target.Find(src)
			if err != nil {
				t.Fatal(err)
			}
			v := found[0]
			if !bytes.HasPrefix(out, src[:v.Start]) || !bytes.HasSuffix(out, src[v.End:]) {
				t.Fatalf("Edit(%s) of %q = %q: more than the value changed", l.key, src, out)
			}
			again, err := target.Find(out)
			if err != nil || again[0].Text != value || again[0].Type != v.Type {
				t.Fatalf("Find(%s) in %q = %v, %v, want %q", l.key, out, again, err, value)
			}
			if twice, changes, err := target.Edit(out); err != nil || len(changes) > 0 || !bytes.Equal(twice, out) {
				t.Fatalf("second Edit(%s) = %q, %v, %v", l.key, twice, changes, err)
			}
		}
	})
}

func FuzzPHP(f *testing.F)        { fuzz(f, "php") }
func FuzzYAML(f *testing.F)       { fuzz(f, "yaml") }
func FuzzJSON(f *testing.F)       { fuzz(f, "json") }
func FuzzJSONC(f *testing.F)      { fuzz(f, "jsonc") }
func FuzzTOML(f *testing.F)       { fuzz(f, "toml") }
func FuzzProperties(f *testing.F) { fuzz(f, "properties") }
func FuzzEnv(f *testing.F)        { fuzz(f, "env") }

func FuzzPython(f *testing.F) { fuzz(f, "python") }
func FuzzXML(f *testing.F)    { fuzz(f, "xml") }
func FuzzC(f *testing.F)      { fuzz(f, "c") }
func FuzzINI(f *testing.F)    { fuzz(f, "ini") }
func FuzzJS(f *testing.F)     { fuzz(f, "js") }
func FuzzTS(f *testing.F)     { fuzz(f, "ts") }
func FuzzRuby(f *testing.F)   { fuzz(f, "ruby") }

func FuzzPlain(f *testing.F) {
	f.Add([]byte("version = 41\n"), `version = (\d+)`, "42")
	f.Add([]byte("@a@ @a@"), `@(a)@`, "@a@")
	f.Fuzz(func(t *testing.T, src []byte, match, value string) {
		for _, target := range []Target{
			{File: "f", Format: "plain", Value: value},
			{File: "f", Match: match, Value: value, All: true},
			{File: "f", Placeholder: match, Value: value, All: true},
		} {
			out, _, err := target.Edit(src)
			if err != nil {
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("Edit: %v", err)
				}
				continue
			}
			if target.Placeholder != "" {
				if bytes.Contains(out, []byte(match)) {
					t.Fatalf("the placeholder %q is left in %q", match, out)
				}
				continue
			}
			if twice, changes, err := target.Edit(out); err != nil || len(changes) > 0 || !bytes.Equal(twice, out) {
				t.Fatalf("second Edit(%+v) = %q, %v, %v", target, twice, changes, err)
			}
		}
	})
}
