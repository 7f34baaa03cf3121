package stamp

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// agree reports whether the scanner of our own read src, and fails when what it
// found is not what the parser finds.
func agree(t *testing.T, name string, src []byte) bool {
	t.Helper()
	got, ok := scannedYAML(string(src))
	if !ok {
		return false
	}
	want, err := parsedYAML(string(src))
	if err != nil {
		t.Errorf("%s: yamlScan = %v, yamlNodes: %v\n%q", name, got, err, src)
		return true
	}
	if len(got) == 0 && len(want) == 0 {
		return true
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(literal{})); diff != "" {
		t.Errorf("%s: yamlScan (-yamlNodes +yamlScan):\n%s\n%q", name, diff, src)
	}
	return true
}

// scannedYAML returns what our own scanner finds.
func scannedYAML(src string) ([]literal, bool) {
	var all literals
	ok := yamlScan(src, seam{}, &all)
	return all, ok
}

// parsedYAML returns what is found with yaml.v3.
func parsedYAML(src string) ([]literal, error) {
	var all literals
	err := yamlNodes(src, &all)
	return all, err
}

// A name of more than 1024 characters is none (7.4.2).
func TestYAMLLongNames(t *testing.T) {
	t.Parallel()
	read := 0
	for n := 990; n < 1030; n++ {
		for _, form := range []string{"%s: x", "'%s': x", "- \"%s\" : x", "{%s: x}", "{\"%s\":x}", "{'%s' : x}", "[%s, 1]", "a: '%s'", "a: %s"} {
			for _, letter := range []string{"a", "ä"} {
				if agree(t, form, fmt.Appendf(nil, form+"\n", strings.Repeat(letter, n))) {
					read++
				}
			}
		}
	}
	if read < 250 {
		t.Errorf("%d texts were read by yamlScan", read)
	}
}

// What is no error to yaml.v3 is only slower to read; what is one must not be
// read by yamlScan.
func TestYAMLLeftToTheParser(t *testing.T) {
	t.Parallel()
	deep := func(open string, n int) string { return strings.Repeat(open, n) }
	tests := []struct {
		src   string
		wrong bool
	}{
		{"a: \xff", true}, {"a: \x01", true}, {"a: \x7f", true}, {"a: \x00", true}, {"a: \uffff", true}, {"a: \u0080", true},
		{"a: \ufeffb", false}, {"a: \u0085b: c", false}, {"a: b\u2028", false}, {"a: b\rc: d\r", false}, {"a: 1\n\r", false},
		{"%YAML 1.2\n---\na: 1", false}, {"%YAML 1.3\n---\na: 1", true}, {"%TAG ! x\n---\na: 1", false}, {"a: |\n %YAML", false},
		{"? a\n: b", false}, {"? a", false}, {"[a, b]: c", false}, {"{a: b}: c", false}, {"*a : b", true}, {"&a b: c", false}, {"!t b: c", false},
		{": a", true}, {"{: a}", true}, {"{a\n: b}", true}, {"{'a'\n: b}", true}, {"[a: b]", false}, {"[? a : b]", false}, {"{? a : b}", false}, {"{a?b: c}", true},
		{"a: \"\\ud800\"", true}, {"a: \"\\U00110000\"", true}, {"a: \"\\x4\"", true}, {"a: \"\\x4g\"", true}, {"a: \"\\u12", true}, {"a: \"\\", true}, {"a: \"\\q\"", true}, {"a: \"\\/\"", true},
		{"a: 'b", true}, {"a: \"b", true}, {"a: 'b\n---\nc'", true}, {"a: [b", true}, {"a: [b # c", true}, {"a: [b # c\n d]", true}, {"a: [b\n# c\nd]", true}, {"a: [b, #", true}, {"a: [b\n---\n]", true}, {"a: {b: c]", true}, {"a: ]", true},
		{"a: b: c", true}, {"a: 'b': c", true}, {"a: - b", true}, {"a: b\n- c", true}, {"- a\nb: c", true}, {"- a\n b: c", true}, {"a:\n  b: c\n d: e", true}, {"a:\n - b\n  c: d", true}, {" a: b\nc: d", true},
		{"a:\n\tb: c", true}, {"-\ta", true}, {"- \ta", true}, {"a: |\n\tb", true}, {"a: [\n\tb]", false}, {"a: [b\n\t]", true}, {"{'a\n b': c}", true}, {"a: |\n  \tb", true}, {"a: b # c\n  d", true}, {"a: b\n# c\n  d", true}, {"a: |0\n b", true}, {"a: |12\n b", true}, {"a: |++\n b", true}, {"a: | b\n c", true}, {"a: |\n    \n  b", true},
		{"a: *b", true}, {"a: &b *b", true}, {"a: &b &c d", true}, {"a: !b !c d", true}, {"a: & b", true}, {"a: &b! c", true}, {"a: !b!c d", true}, {"a: !<b> c", false}, {"a: !!b,c d", false}, {"a: ! 12", false},
		{"a: @b", true}, {"a: `b", true}, {"a: %b", true}, {"a: ,b", true}, {"a: }b", true}, {"a\nb: c", true}, {"a: b\n c: d", true}, {"'a\n b': c", true}, {"...\na: b", true}, {"a: b\n...\nc: d", true}, {"--- a", false}, {"--- a: b", true},
		{deep("- ", 101), false}, {"a: " + deep("[", 101) + deep("]", 101), false}, {deep("[", 11000), true},
		{strings.Repeat("a", 1100) + ": b", true},
	}
	for _, tt := range tests {
		if found, ok := scannedYAML(tt.src); ok {
			t.Errorf("yamlScan(%.40q) = %v", tt.src, found)
		}
		if _, err := parsedYAML(tt.src); (err != nil) != tt.wrong {
			t.Errorf("yamlNodes(%.40q): %v", tt.src, err)
		}
	}
}

// The golden cases go through yamlScan, unless they are about what it leaves to
// yaml.v3.
func TestYAMLGoldenIsScanned(t *testing.T) {
	t.Parallel()
	for _, c := range goldenCases(t) {
		if format, _ := FormatOf(c.target.File); format != "yaml" || c.in == nil || c.err == string(ParseError) {
			continue
		}
		switch c.target.File {
		case "in-directive.yaml", "in-explicit.yaml", "in-tag.yaml", "in-conflict.yaml":
			continue
		}
		if !agree(t, c.name, c.in) {
			t.Errorf("%s: not read by yamlScan", c.name)
		}
	}
}

func FuzzYAMLScan(f *testing.F) {
	for _, c := range goldenCases(f) {
		if got, _ := FormatOf(c.target.File); got == "yaml" && c.in != nil {
			f.Add(c.in)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		f.Add([]byte(yamlSoup(rng)))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) < 4<<10 {
			agree(t, "fuzz", src)
		}
	})
}

func FuzzYAMLKind(f *testing.F) {
	for _, v := range nasty {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" || text == "<<" {
			return
		}
		n := yaml.Node{Kind: yaml.ScalarNode, Value: text}
		if got, want := yamlPlainKind(text), yamlKind(n.ShortTag()); got != want {
			t.Errorf("yamlPlainKind(%q) = %s, want %s", text, got, want)
		}
	})
}

// yamlSoup returns lines or a flow collection, made of some of what YAML is made
// of, with little regard to its rules.
func yamlSoup(rng *rand.Rand) string {
	flow := rng.IntN(2) == 0
	from := blockPieces
	if flow {
		from = flowPieces
	}
	var pieces []string
	for range 3 + rng.IntN(8) {
		pieces = append(pieces, from[rng.IntN(len(from))])
	}
	one := func(pieces ...string) string { return pieces[rng.IntN(len(pieces))] }
	var b strings.Builder
	if flow {
		b.WriteString(one("[", "{", "{", "a: [", "&a {", "- {", "  ["))
		for range 1 + rng.IntN(9) {
			b.WriteString(one(pieces...))
		}
		b.WriteString(one("]", "}", "}", "\n]", "}\nb: x", "]]", " # c\n"))
		return b.String()
	}
	for range 1 + rng.IntN(7) {
		b.WriteString(strings.Repeat(" ", []int{0, 0, 0, 2, 2, 2, 4, 1, 3, 6}[rng.IntN(10)]))
		for range 1 + rng.IntN(4) {
			b.WriteString(one(pieces...))
		}
		if rng.IntN(12) > 0 {
			b.WriteString("\n")
		}
	}
	return b.String()
}

var soup = strings.NewReplacer("␤", "\n", "␍␊", "\r\n", "␍", "\r", "␉", "\t")

var blockPieces = strings.Split(soup.Replace(`a: 
b: 
a:
b:␤
c : 
"a": 
'b':
"a\tb": 
- 
- 
-␤
- - 
- a: 
a
b c
text
'x'
"y"
'it''s'
"\x41\u00e4\\\"" 
"a
b"
'a
b'
\␤
 # c
#c
# d␤
#
␤
␤
␤␤
␍␊
␍␊␍␊
␍

  
␉
a␉: 
"": 
&a *a
! 
|␤
|-␤
>␤
>+␤
|2␤
|1-␤
> # c␤
|
>
[
]
[a, b]
[]
{}
{a: b}
{a: b, c: [d, 'e']}
{"a":1}
{a
{
}
, 
,
: 
:
? 
?
&a 
&b
*a
*b 
!t 
! 'x'
! 12
!!str 
!!int 
!
---␤
---
--- 
...␤
%YAML 1.1␤
<<: 
12
1.5
-1
12:30
1_0
0x1f
2026-01-02
2026-01-02 03:04:05
1234e56
true
Yes
null
~
ä: ü
é
"ä
\u0041"
@
`+"`"+`
%
=
-
--
...
.
*
&
%x
 - x
 : y
a#b
a:b
http://x/y?z=1
x: |␤  text␤
x: >␤  a␤  b␤␤  c␤
x: >␤  a␤   b␤␤␤  c␤
x:␤- 1␤- 2
x: &a␤  y: z`), "\n")

var flowPieces = strings.Split(soup.Replace(`a
b c
: 
:
:a
,
, 
, 
, 
a: b
 
␤
␤␉
␉
␤---␤
# c␤
 # c␤
?
-
- 
"k"
"k": 
"k":1
'v'
"a␤b"
[
]
[]
{
}
{c: d}
*a
&a x
&a 
!t x
! 'x'
! x
&a *a
12
a:b
a?b
--
`), "\n")

func TestYAMLSoup(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 4))
	n, read := 30_000, 0
	for i := range n {
		if agree(t, fmt.Sprint("soup ", i), []byte(yamlSoup(rng))) {
			read++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d read by hand", read, n)
	if read < n/20 {
		t.Errorf("%d of %d texts were read by yamlScan", read, n)
	}
}

// yamlWriter writes random YAML as people do: no line of it is odd.
type yamlWriter struct {
	strings.Builder
	rng     *rand.Rand
	anchors int
	tabs    bool // may end a line: not behind "-"
}

func (w *yamlWriter) pick(of ...string) string { return of[w.rng.IntN(len(of))] }

func (w *yamlWriter) spaces(n int) string { return strings.Repeat(" ", n) }

// end ends a line, and adds empty lines and comments.
func (w *yamlWriter) end() {
	tab := " "
	if w.tabs {
		tab = "\t"
	}
	w.WriteString(w.pick("", "", "", " ", tab, " # c: d", "   # 'c'"))
	w.WriteString(w.pick("\n", "\n", "\n", "\n", "\n", "\n\n", "\n# comment: x\n", "\n      # - c\n\n"))
}

func (w *yamlWriter) scalar() string {
	return w.pick("x", "a b c", "12", "-1", "1.50", "true", "No", "~", "null", "2026-01-02", "12:30", "0x1f", "1e3", "1.2.3", "3fa9c1e2", "/a/b?c=d#e",
		"http://x:80/y", "it's", `say "x"`, "a#b", "a:b", ":x", "-x", "?y", "ä ö", "🚀", "$HOME", "(x)", "<<", "=", "%d%"[1:], "a, b", "x]", "x}")
}

func (w *yamlWriter) quoted() string {
	return w.pick(`'x'`, `"x"`, `''`, `""`, `'it''s'`, `"a \"b\" \\"`, `"\u00e4\x41\t\n"`, `'a: b # c'`, `"{[,"`, `"a
  b"`, `'a

  b  c'`, `"a \
    b\n

  c"`)
}

func (w *yamlWriter) name() string {
	return w.pick("a", "b", "name", "a b", "x.y", "ä", `"q"`, `'q: r'`, `"\u0041"`, "12", "-x", "<<", "a-b_c", "/p/{q}", "on", "x[0]", `"a\"b"`)
}

func (w *yamlWriter) block(indent int) {
	w.WriteString(" " + w.pick("|", ">", "|-", ">+", "|+", ">-", "|  # c", ">2"[:1]) + "\n")
	for range w.rng.IntN(4) {
		line := w.spaces(indent+2) + w.pick("text", "a: b", "- c", "# no comment", "  deeper", "a\tb", "'", "x  ") + "\n"
		w.WriteString(w.pick(line, line, line, "\n", line+"\n\n"+line))
	}
}

func (w *yamlWriter) flow(depth int) string {
	space := w.pick("", " ", " ", "\n      ", " # c\n    ")
	var items []string
	for range w.rng.IntN(4) {
		item := w.pick(w.quoted(), "x", "12", "a b", "-1.5", "*", "a/b:c")
		if item == "*" {
			item = w.alias()
		}
		if depth < 3 && w.rng.IntN(4) == 0 {
			item = w.flow(depth + 1)
		}
		items = append(items, item)
	}
	if w.rng.IntN(2) == 0 {
		return "[" + space + strings.Join(items, w.pick(", ", ",", " ,\n    ")) + space + "]"
	}
	for i, item := range items {
		items[i] = w.pick("k: ", `"k": `, "a b: ", "'k' : ") + item
		if w.rng.IntN(6) == 0 {
			items[i] = w.pick("k", `"k":1`, "k: ", `"k"`)
		}
	}
	return "{" + space + strings.Join(items, ", ") + space + "}"
}

func (w *yamlWriter) alias() string {
	if w.anchors == 0 {
		return "x"
	}
	return fmt.Sprint("*a", w.rng.IntN(w.anchors))
}

// property writes one of those, with an anchor for &.
func (w *yamlWriter) property(of ...string) {
	p := w.pick(of...)
	if strings.Contains(p, "&") {
		p = strings.Replace(p, "&", fmt.Sprint("&a", w.anchors), 1)
		w.anchors++
	}
	w.WriteString(p)
}

// value writes what follows "name:" or "-" in a collection at indent.
func (w *yamlWriter) value(indent, depth int, mapping bool) {
	kind := w.rng.IntN(16)
	w.tabs = mapping
	if depth > 4 && kind >= 9 {
		kind = 0
	}
	switch kind {
	case 0, 1, 2, 3:
		w.WriteString(w.pick(" ", " ", "  ") + w.pick(w.scalar(), w.quoted(), w.scalar()+"\n"+w.spaces(indent+1)+"more"))
		w.end()
	case 4:
		w.end()
	case 5:
		w.block(indent)
	case 6:
		w.WriteString(" " + w.flow(0))
		w.end()
	case 7:
		w.WriteString(" " + w.alias())
		w.end()
	case 8:
		w.property(" &", " !t", " !!str", " !!int", " & !t", " !t &")
		w.WriteString(" " + w.pick("x", "12", "'y'"))
		w.end()
	case 9, 10, 11:
		w.property("", "", " &", " !t")
		w.end()
		w.mapping(indent+1+w.rng.IntN(4), depth+1, true)
	case 12, 13:
		w.property("", "", " &")
		w.end()
		w.sequence(indent+1+w.rng.IntN(3), depth+1, true)
	case 14:
		w.end()
		if mapping {
			w.sequence(indent, depth+1, true)
		} else {
			w.sequence(indent+2, depth+1, true)
		}
	case 15:
		if mapping {
			w.WriteString("\n" + w.spaces(indent+2) + w.pick(w.scalar(), w.quoted()))
			w.end()
			return
		}
		n := 1 + w.rng.IntN(3)
		w.WriteString(w.spaces(n))
		if w.rng.IntN(2) == 0 {
			w.mapping(indent+1+n, depth+1, false)
		} else {
			w.sequence(indent+1+n, depth+1, false)
		}
	}
}

func (w *yamlWriter) mapping(indent, depth int, indented bool) {
	for i := range 1 + w.rng.IntN(5) {
		if i > 0 || indented {
			w.WriteString(w.spaces(indent))
		}
		w.WriteString(w.name() + w.pick(":", ":", ":", " :"))
		w.value(indent, depth, true)
	}
}

func (w *yamlWriter) sequence(indent, depth int, indented bool) {
	for i := range 1 + w.rng.IntN(4) {
		if i > 0 || indented {
			w.WriteString(w.spaces(indent))
		}
		w.WriteString("-")
		w.value(indent, depth, false)
	}
}

func (w *yamlWriter) file() string {
	w.WriteString(w.pick("", "", bom) + w.pick("", "# head\n", "---\n", "\n"))
	for i := range 1 + w.rng.IntN(3)/2 {
		if i > 0 {
			w.WriteString(w.pick("---\n", "...\n---\n", "--- # next\n"))
		}
		switch w.rng.IntN(8) {
		case 0:
			w.sequence(0, 0, true)
		case 1:
			w.WriteString(w.flow(0) + "\n")
		default:
			w.mapping(0, 0, true)
		}
	}
	text := w.String()
	switch w.rng.IntN(6) {
	case 0:
		text = strings.ReplaceAll(text, "\n", "\r\n")
	case 1:
		text = strings.TrimRight(text, "\n")
	}
	return text
}

func TestYAMLGenerated(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	n, read, wrong, bytes := 2_000, 0, 0, 0
	for i := range n {
		w := yamlWriter{rng: rng}
		text := w.file()
		bytes += len(text)
		if agree(t, fmt.Sprint("file ", i), []byte(text)) {
			read++
		} else if _, err := parsedYAML(text); err != nil {
			wrong++
		} else if testing.Verbose() && read+wrong < i-100 {
			t.Logf("not read: %q", text)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d files of %d bytes, %d read by yamlScan, %d refused by yaml.v3", n, bytes, read, wrong)
	if read < (n-wrong)*95/100 || read < n/2 {
		t.Errorf("of %d files %d were read by yamlScan and %d refused by yaml.v3", n, read, wrong)
	}
}
