package stamp

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"revstamp/testdata/need"
)

// jsForm is where values stand in a file. %d is the number of the value, c
// holds all of them.
type jsForm struct{ head, line, tail, key string }

var jsForms = map[string]jsForm{
	"single":   {"const c = {};\n", "c.k%d = 'x';\n", "", "c.k%d"},
	"double":   {"const c = {};\n", "c.k%d = \"x\"\n", "", "c.k%d"},
	"template": {"const c = {};\n", "c.k%d = `x`, 1;\n", "", "c.k%d"},
	"strict":   {"'use strict';\nconst c = {};\n", "c['k%d'] = `x`;\n", "", "c['k%d']"},
	"object":   {"const c = {\n", "\tk%d: 'x', // c\n", "};\n", "c.k%d"},
	"class":    {"class c {\n", "\tstatic k%d = \"x\"\n", "}\n", "c.k%d"},
	"bare":     {"const c = {};\n", "c.k%d = 1;\n", "", "c.k%d"},
}

var tsForms = map[string]jsForm{
	"single":    {"const c: Record<string, string> = {};\n", "c.k%d = 'x';\n", "", "c.k%d"},
	"object":    {"const c = {\n", "\tk%d: \"x\" as string,\n", "} as const;\n", "c.k%d"},
	"asserted":  {"const c: object = {};\n", "(c as any).k%d = `x`;\n", "", "c.k%d"},
	"enum":      {"enum c {\n", "\tk%d = 'x',\n", "}\n", "c.k%d"},
	"namespace": {"namespace c {\n", "\texport const k%d: string = 'x';\n", "}\n", "c.k%d"},
	"class":     {"class c<T> {\n", "\tpublic static readonly k%d?: string = \"x\";\n", "}\n", "c.k%d"},
	"bare":      {"const c: any = {};\n", "c.k%d = null;\n", "", "c.k%d"},
}

// stamp writes each value in the form and returns the file with all of them.
func (f jsForm) stamp(t *testing.T, format string, values []string) []byte {
	t.Helper()
	all := []byte(f.head)
	for i, value := range values {
		target := Target{File: "config", Format: format, Key: fmt.Sprintf(f.key, i), Value: value, Newlines: true, Type: "string"}
		out, _, err := target.Edit([]byte(f.head + fmt.Sprintf(f.line, i) + f.tail))
		if err != nil {
			t.Fatalf("%s: Edit(%q): %v", format, value, err)
		}
		all = append(all, out[len(f.head):len(out)-len(f.tail)]...)
	}
	return append(all, f.tail...)
}

// jsValues are nasty in JavaScript and in pages.
var jsValues = append([]string{
	"a\nb", "\n", "\\\n", "</script>", "</SCRIPT", "</ScRiPt >", "<!--", "<script>", "<!--<script>", "-->", "]]>", "${", "$${x}", "\\${x}", "`${x}`", "\\`", "$`",
	"\u200b", "\u200d", "\U0001f680", "u2028",
}, nasty...)

// printJS prints the values of c.
const printJS = `;for (const v of Object.getOwnPropertyNames(c).filter((k) => /^k\d/.test(k)).map((k) => c[k])) {
	console.log(typeof v === 'string' ? Buffer.from(v).toString('base64') : typeof v);
}`

func TestValuesInJS(t *testing.T) {
	t.Parallel()
	for name, form := range jsForms {
		src := form.stamp(t, "js", jsValues)
		path := tempFile(t, "config.js", append(src, printJS...))
		compareValues(t, "node, "+name, base64Lines(t, output(t, "node", path)), jsValues)
		compareScript(t, src)
	}
}

// compareScript puts the code into a page, where it must not end early.
func compareScript(t *testing.T, src []byte) {
	t.Helper()
	page, err := html.Parse(strings.NewReader("<script>" + string(src) + "</script><p>"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range page.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data == "script" {
			if n.Data != string(src) {
				t.Errorf("the script of the page ends with %q", n.Data[max(len(n.Data)-80, 0):])
			}
			return
		}
	}
	t.Error("the page has no script")
}

func TestValuesInTS(t *testing.T) {
	t.Parallel()
	typescript := filepath.Join(need.Corpus(t, "node-typescript")[0], "usr/share/nodejs/typescript")
	const transpile = `const [,typescript, print, ...files] = process.argv;
		const ts = require(typescript);
		const options = { reportDiagnostics: true, compilerOptions: { target: 'ES2020', module: 'CommonJS' } };
		for (const file of files) {
			const r = ts.transpileModule(require('fs').readFileSync(file, 'utf8'), options);
			if (r.diagnostics.length > 0) {
				throw new Error(r.diagnostics[0].messageText);
			}
			eval(r.outputText + print);
		}`
	args, want := []string{"-e", transpile, typescript, printJS}, []string{}
	for _, form := range tsForms {
		args = append(args, tempFile(t, "config.ts", form.stamp(t, "ts", jsValues)))
		want = append(want, jsValues...)
	}
	compareValues(t, "typescript", base64Lines(t, output(t, "node", args...)), want)
}

// A file that is not UTF-8 is read as what the server says: a value in it must
// not depend on that.
func TestJSInLatin1(t *testing.T) {
	t.Parallel()
	target := Target{File: "a.js", Key: "rev", Value: "ünïcødé/分支 🚀"}
	out, _, err := target.Edit([]byte("// caf\xe9\nconst rev = 'x';\n"))
	want := "// caf\xe9\nconst rev = '\\u00fcn\\u00efc\\u00f8d\\u00e9/\\u5206\\u652f \\ud83d\\ude80';\n"
	if err != nil || string(out) != want {
		t.Errorf("Edit = %q, %v, want %q", out, err, want)
	}
	target.Value = "Latin\xe9"
	var e *Error
	if out, _, err := target.Edit([]byte("const rev = 'x'")); !errors.As(err, &e) || e.Kind != ControlCharacter {
		t.Errorf("Edit = %q, %v, want %s", out, err, ControlCharacter)
	}
}

// What is nested without end is refused, and does not use up the stack.
func TestJSNesting(t *testing.T) {
	t.Parallel()
	for _, opened := range []string{"(", "[", "{", "a=>", "{a:", "!", "`${", "if(a)", "x=[", "x={a:", "a?b:", "a?(b):c=>", "a?(b,c=", "a<", "a<(", "class A{a=", "function f(){", "a:", "async()=>", "@a "} {
		for _, format := range []string{"js", "ts"} {
			_, err := List("f", format, []byte("x="+strings.Repeat(opened, 20_000)))
			_, err2 := List("f", format, []byte(strings.Repeat(opened, 20_000)))
			var e *Error
			for _, err := range []error{err, err2} {
				if !errors.As(err, &e) || e.Kind != ParseError {
					t.Errorf("%s: List of many %s: %v, want %s", format, opened, err, ParseError)
				}
			}
		}
	}
	for _, opened := range []string{"type A=", "let a:"} {
		for _, inner := range []string{"(", "[", "{", "A<", "(a:", "()=>", "keyof ", "A|", "A extends ", "`${", "<A>("} {
			_, err := List("f", "ts", []byte(opened+strings.Repeat(inner, 20_000)))
			var e *Error
			if !errors.As(err, &e) || e.Kind != ParseError {
				t.Errorf("List of %s and many %s: %v, want %s", opened, inner, err, ParseError)
			}
		}
	}
}

// The key is read as people write it, and in no other way.
func TestJSSelector(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"rev": "rev", "window.APP.rev": "window.APP.rev", "window['APP'].rev": "window.APP.rev", `window["APP"]["rev"]`: "window.APP.rev",
		"list[0]": "list[0]", "list['0']": "list[0]", "list.0": "list[0]", "list['00']": "list.00", `config."site.css".rev`: `config."site.css".rev`,
		"config['site.css'].rev": `config."site.css".rev`, `config['it\'s']`: "config.it's", `config["a\"b"]`: `config."a\"b"`, "a['']": `a.""`,
		"Build.#rev": "Build.#rev", "Build#rev": "Build#rev", "Build['#rev']": `Build."#rev"`, "a['\\x41']": "a.A", "$.fn.ü": "$.fn.ü", "a['b c']": "a.b c",
		"a['b]c']": `a."b]c"`, "module.exports.rev": "module.exports.rev", "this.rev": "this.rev", `a["b:c"]`: `a."b:c"`,
	} {
		if got, _, what := parseJSKey(key); got != want || what != "" {
			t.Errorf("parseJSKey(%s) = %s, %q, want %s", key, got, what, want)
		}
	}
	for _, key := range []string{"", ".", "a.", ".a", "a..b", "a[", "a[]", "a[b]", "a[-1]", "a[01]", "a['b'", "a['b]", "a['b\\']", "[0]", "['a']", `a."b`, `a"b"`, "a#", "#a", "a[0]b", "a[1e3]"} {
		if got, _, what := parseJSKey(key); what == "" {
			t.Errorf("parseJSKey(%s) = %s, want an error", key, got)
		}
	}
}

// A number that names a property is the name that node makes of it.
func TestJSNumberName(t *testing.T) {
	t.Parallel()
	numbers := []string{
		"0", "1", "42", "1.5", "1.50", ".5", "5.", "0x10", "0X1F", "0o17", "0b11", "017", "08", "089", "1e3", "1e21", "1E-7", "1e-6", "123456789012345680000",
		"1e400", "1_000", "0x1_0", "9007199254740993", "99999999999999999999", "0.1", "1e300", "5e-324", "10n", "0x1fn", "1.7976931348623157e308",
	}
	need.Program(t, "node")
	var script bytes.Buffer
	for _, number := range numbers {
		fmt.Fprintf(&script, "console.log(Object.keys({%s: 1})[0]);\n", number)
	}
	cmd := exec.Command("node")
	cmd.Stdin = &script
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, number := range numbers {
		got = append(got, jsNumberName(number))
	}
	compareValues(t, "names of numbers", got, strings.Fields(string(out)))
}
