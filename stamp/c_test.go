package stamp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"revstamp/testdata/need"
)

// cSources are headers that are installed and sources of others.
func cSources(t *testing.T) []source {
	t.Helper()
	dirs := append(need.Corpus(t, "gnulib", "catch2"), "/usr/include", "/usr/lib/gcc")
	all := sources(t, "c", dirs...)
	all = slices.DeleteFunc(all, func(s source) bool { return len(s.text) > 60<<10 })
	var some []source
	for i := 0; i < len(all); i += 4 {
		some = append(some, all[i])
	}
	t.Logf("every fourth of %d files", len(all))
	return some
}

const cMarker = "REVSTAMP_NEXT_FILE"

// gccDirectives returns each source as gcc prints it when it strips comments
// and blanks, and neither conditionals nor macros are acted upon. It does not
// splice lines then, so the sources must have none.
func gccDirectives(t *testing.T, texts []string) []string {
	t.Helper()
	need.Program(t, "g++")
	cmd := exec.Command("g++", "-fpreprocessed", "-dD", "-E", "-P", "-w", "-std=gnu++20", "-fno-operator-names", "-x", "c++", "-")
	cmd.Stdin = strings.NewReader(strings.Join(texts, "\n#define "+cMarker+"\n"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, _ := cmd.Output() // it fails on files that its own #pragma poison forbids
	got := strings.Split(string(out), "#define "+cMarker+" \n")
	if len(got) != len(texts) {
		t.Fatalf("gcc answered %d of %d sources: %.2000s", len(got), len(texts), &stderr)
	}
	return got
}

var (
	cSplicePattern = regexp.MustCompile(`\\[ \t\v\f]*\r?\n`)
	cIndented      = regexp.MustCompile(`(?m)^[ \t\v\f]+#`) // gcc prints it as it is
	cKnownBranch   = regexp.MustCompile(`(?m)^([ \t]*#[ \t]*(?:if|elif)[ \t]+)([0-9])`)
	cDefineLine    = regexp.MustCompile(`(?m)^#define ([^ (]+)(\(.*| .*)$`)
	cOneLiteral    = regexp.MustCompile(`^(?:(?:u8|[LuU])?"(?:[^"\\]|\\.)*"(?:s|sv)?|-?(?:0[xX][0-9a-fA-F']+|0[bB][01']+|[0-9][0-9']*)(?:[uU]?[lLzZ]{0,2}|[lL]{1,2}[uU])|` +
		`-?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+[eE][-+]?[0-9]+)(?:[eE][-+]?[0-9]+)?[fFlL]?|true|false|nullptr)$`)
)

// TestCCorpus compares with gcc which macros there are, in whatever branch of
// a conditional, and which have one literal for a value; and that we see the
// same tokens when gcc has stripped the comments, so no comment begins or ends
// elsewhere.
func TestCCorpus(t *testing.T) {
	t.Parallel()
	all := cSources(t)
	var read []source
	var texts, names []string
	refused := 0
	for _, src := range all {
		text := cKnownBranch.ReplaceAllString(string(src.text), "${1}UNKNOWN$2")
		if _, err := collect(cLang{}, text); err != nil {
			refused++
			t.Log(Target{File: src.name}.locate([]byte(text), err))
			continue
		}
		read = append(read, source{src.name, []byte(text)})
		texts = append(texts, cIndented.ReplaceAllString(cSplicePattern.ReplaceAllString(text, ""), "#"))
		names = append(names, src.name)
	}
	macros, literals := 0, 0
	for i, printed := range gccDirectives(t, texts) {
		m, n := compareCMacros(t, names[i], string(read[i].text), printed)
		macros, literals = macros+m, literals+n
		compareCTokens(t, names[i], string(read[i].text), printed)
	}
	t.Logf("%d of %d files compared, %d macros, %d of them literals; %d files refused", len(read), len(all), macros, literals, refused)
	if len(read) < 1000 || macros < 10_000 || refused > len(all)/500 {
		t.Error("too few of them are compared")
	}
}

func compareCMacros(t *testing.T, name, src, printed string) (macros, literals int) {
	t.Helper()
	found, err := collect(cLang{}, src)
	if err != nil {
		t.Fatal(err)
	}
	found = slices.DeleteFunc(found, func(l literal) bool { return !strings.HasPrefix(l.key, "#define ") })
	want := cDefineLine.FindAllStringSubmatch(printed, -1)
	for i, w := range want {
		if i >= len(found) || found[i].key != "#define "+w[1] {
			t.Errorf("%s: gcc finds the macro %s, we do not", name, w[1])
			return
		}
		l, value := found[i], strings.TrimSpace(w[2])
		plain := cOneLiteral.MatchString(value) && !cTrigraphs.MatchString(value)
		if plain != (l.refused == "") && l.refused != severalLines {
			t.Errorf("%s: %s is refused as %q, and gcc finds %s", name, l.key, l.refused, value)
		}
		if l.refused == "" {
			literals++
			if !strings.Contains(value, src[l.start:l.end]) {
				t.Errorf("%s: %s is %s, and gcc finds %s", name, l.key, src[l.start:l.end], value)
			}
		}
	}
	if len(found) != len(want) {
		t.Errorf("%s: gcc finds %d macros, we find %d", name, len(want), len(found))
	}
	return len(want), literals
}

var cTrigraphs = regexp.MustCompile(`\?\?[=/'()!<>-]`)

// compareCTokens compares what is no directive.
func compareCTokens(t *testing.T, name, src, printed string) {
	t.Helper()
	tokens := func(src string) (texts []string) {
		l := cLexer{src: src}
		if err := l.run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, t := range l.tokens {
			texts = append(texts, strings.ReplaceAll(cText(src[t.start:t.end]), "\r\n", "\n"))
		}
		return texts
	}
	if got, want := tokens(src), tokens(printed); !slices.Equal(got, want) {
		t.Errorf("%s (-gcc +ours): %.600s", name, cmp.Diff(want, got))
	}
}

// TestCOnPieces compares with gcc where tokens, comments and strings begin and
// end, in sources put together at random from what is hard: gcc expands names
// that are tokens of their own, and nothing in a string. What we refuse gcc may
// read.
func TestCOnPieces(t *testing.T) {
	t.Parallel()
	need.Program(t, "gcc")
	pieces := strings.Split(`"|"|'|\|\"|//|/*|*/|/|*|a|b|L|u8|u|U|R|R"(|R"x(|)"|)x"|(|)|1|.5|1e+|0x1p-|1'0|.|+|-|=|==|<|>|<:|<::|<%|%>|%:|::|?|??|??/|??=|##|x|sv|_x|$|@| |\t|"\"a"|"a"|"/*"|/* " */|// '`, "|")
	pieces = append(pieces, "\\\n", "\\ \n", "\\\r\n", "\n", "\r\n", "\r", "\n#pragma x ", "\n%:pragma y ", "\n#if 0\n", "\n#else\n", "\n#endif\n", "\n??=pragma", "\f", "||")
	rng := rand.New(rand.NewPCG(1, 2))
	for _, std := range []string{"gnu17", "c17"} {
		var docs, want []string
		tried := 40_000
		for range tried {
			var b strings.Builder
			for range 1 + rng.IntN(9) {
				b.WriteString(pieces[rng.IntN(len(pieces))])
			}
			b.WriteByte('\n')
			if text, ok := expanded(b.String(), std); ok {
				docs, want = append(docs, b.String()), append(want, text)
			}
		}
		t.Logf("%s: %d of %d sources compared", std, len(docs), tried)
		if len(docs) < tried/5 {
			t.Error("too few of them can be compared")
		}
		args := []string{"-std=" + std}
		for _, name := range cMarked {
			args = append(args, "-D"+name+"=EXPANDED_"+name)
		}
		for i, printed := range gccPreprocessed(t, docs, args...) {
			var b strings.Builder
			for line := range strings.Lines(printed) {
				if !strings.HasPrefix(line, "#pragma") && !strings.HasPrefix(line, "%:pragma") {
					b.WriteString(line)
				}
			}
			if got := withoutBlanks(b.String()); got != want[i] {
				t.Errorf("%s: %q: gcc reads %q, we read %q", std, docs[i], got, want[i])
			}
		}
	}
}

var cMarked = []string{"a", "b", "L", "u8", "u", "U", "R", "x", "sv", "_x"}

func withoutBlanks(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n\f\v", r) {
			return -1
		}
		return r
	}, s)
}

// expanded returns the tokens of a source as gcc prints them when it expands
// the names of cMarked, without blanks. ok is false when standards or
// compilers differ about it, and when gcc's output cannot be compared.
func expanded(src, std string) (text string, ok bool) {
	l := cLexer{src: src}
	spliced := cSplicePattern.ReplaceAllString(src, "")
	if l.run() != nil || cTrigraphs.MatchString(spliced) && !cTrigraphs.MatchString(src) {
		return "", false
	}
	var b strings.Builder
	for _, t := range l.tokens {
		text := cText(src[t.start:t.end])
		switch {
		case t.trigraph, std == "c17" && t.kind == cRaw, t.kind == cRaw && strings.Contains(src[t.start:t.end], "\n"),
			strings.HasPrefix(text, "u8'"), t.kind == cNumber && strings.Contains(text, "'"), cLiteralSuffix(text):
			return "", false
		case t.kind == cName && slices.Contains(cMarked, text):
			text = "EXPANDED_" + text
		}
		b.WriteString(text)
	}
	return withoutBlanks(b.String()), true
}

// cLiteralSuffix reports whether a literal ends as only C++ knows it.
func cLiteralSuffix(text string) bool {
	return strings.HasSuffix(text, `"s`) || strings.HasSuffix(text, `"sv`) || strings.HasSuffix(text, `'s`) || strings.HasSuffix(text, `'sv`)
}

func gccPreprocessed(t *testing.T, docs []string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("gcc", append(args, "-E", "-P", "-w", "-x", "c", "-")...)
	var in strings.Builder
	for i, doc := range docs {
		fmt.Fprintf(&in, "%s\n#pragma %s %d\n", doc, cMarker, i)
	}
	cmd.Stdin = strings.NewReader(in.String())
	out, _ := cmd.Output() // directives that it does not know are no matter
	rest := string(out)
	var got []string
	for i, doc := range docs {
		printed, after, ok := strings.Cut(rest, fmt.Sprintf("#pragma %s %d\n", cMarker, i))
		if !ok {
			t.Fatalf("gcc did not come to the end of %q", doc)
		}
		got, rest = append(got, printed), after
	}
	return got
}

// TestCConditionals compares with gcc what may be compiled: what is, for one of
// the possible values of each macro that decides it.
func TestCConditionals(t *testing.T) {
	t.Parallel()
	need.Program(t, "gcc")
	rng := rand.New(rand.NewPCG(1, 2))
	var docs []string
	for range 60 {
		docs = append(docs, cRandomConditionals(rng))
	}
	var all []string
	for _, doc := range docs {
		for bits := range 1 << cUnknowns {
			var b strings.Builder
			for i := range cUnknowns {
				fmt.Fprintf(&b, "#undef A%d\n#define A%d %d\n", i, i, bits>>i&1)
			}
			all = append(all, b.String()+doc)
		}
	}
	hidden := 0
	printed := gccPreprocessed(t, all)
	for i, doc := range docs {
		var want []string
		for bits := range 1 << cUnknowns {
			want = append(want, strings.Fields(printed[i<<cUnknowns+bits])...)
		}
		slices.Sort(want)
		want = slices.Compact(want)
		l := cLexer{src: doc}
		if err := l.run(); err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		var got []string
		for _, t := range l.tokens {
			if t.kind == cName {
				got = append(got, doc[t.start:t.end])
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-gcc +ours):\n%s", doc, diff)
		}
		hidden += strings.Count(doc, "T") - len(got)
	}
	if hidden < 100 {
		t.Errorf("only %d lines are never compiled", hidden)
	}
}

const cUnknowns = 4

func cRandomConditionals(rng *rand.Rand) string {
	var b strings.Builder
	depth, unknown := 0, 0
	condition := func() string {
		known := []string{"0", "1", "00", "0x0L", "2", "1u", "0 /* c */", "\\\n1"}
		if n := rng.IntN(12); n < len(known) || unknown == cUnknowns {
			return known[n%len(known)]
		}
		unknown++
		return fmt.Sprint("A", unknown-1)
	}
	elseMet := map[int]bool{}
	for i := range 30 {
		switch rng.IntN(5) {
		case 0:
			depth++
			elseMet[depth] = false
			fmt.Fprintf(&b, "# if %s\n", condition())
		case 1:
			if depth > 0 && !elseMet[depth] {
				fmt.Fprintf(&b, "#elif %s\n", condition())
			}
		case 2:
			if depth > 0 && !elseMet[depth] {
				elseMet[depth] = true
				b.WriteString("#else // c\n")
			}
		case 3:
			if depth > 0 {
				depth--
				b.WriteString("#endif\n")
			}
		}
		fmt.Fprintf(&b, "T%d\n", i)
	}
	b.WriteString(strings.Repeat("#endif\n", depth))
	return b.String()
}

func TestValuesInC(t *testing.T) {
	t.Parallel()
	values := append(append([]string{}, nasty...), "a\nb", "\n", "??/", "????=", "?\"?", "%:", "a\n1", "\\n", "\\u00e4")
	bytes := append(append([]string{}, values...), bytesOnly...)
	c := "#include <stdio.h>\n#include <string.h>\nstatic void p(const char *s) { for (; *s; s++) printf(\"%02x\", (unsigned char)*s); puts(\"\"); }\n"
	cpp := "#include <cstdio>\n#include <string>\nusing namespace std::literals;\nstatic void p(std::string_view s) { for (unsigned char c : s) printf(\"%02x\", c); puts(\"\"); }\n"
	tests := []struct{ name, head, line, key, use, values string }{
		{"macro", c, "#define K%d \"x\" // c\n", "#define K%d", "K%d", "bytes"},
		{"array", c, "static const char K%d[] = \"x\";\n", "K%d", "K%d", "bytes"},
		{"pointer", c, "const char *const K%d = \"x\", *k%[1]d;\n", "const char *K%d", "K%d", "bytes"},
		{"list", c, "static struct { int n; struct { const char *s[2]; } rev; } K%d = { .n = 3, .rev = { .s = { \"y\", \"x\" } } };\n", "K%d.rev.s[1]", "K%d.rev.s[1]", "bytes"},
		{"designators", c, "static struct { int n; struct { const char *s[2]; } rev; } K%d = { 3, .rev.s[1] = \"x\" };\n", "K%d.rev.s[1]", "K%d.rev.s[1]", "bytes"},
		{"u8", c, "static const char K%d[] = u8\"x\";\n", "K%d", "K%d", ""},
		{"C++, view", cpp, "namespace app { inline constexpr auto K%d = \"x\"sv; }\n", "app::K%d", "app::K%d", "bytes"},
		{"C++, braces", cpp, "static const std::string K%d{\"x\"};\n", "K%d", "K%d", "bytes"},
		{"C++, class", cpp, "template <int N = 3> class T%d : std::string { public: static constexpr const char *K = \"x\"; };\n", "T%d::K", "T%d<>::K", "bytes"},
	}
	for _, tt := range tests {
		values := values
		if tt.values == "bytes" {
			values = bytes
		}
		src := []byte(tt.head)
		program := "int main() {\n"
		for i, value := range values {
			in := tt.head + fmt.Sprintf(tt.line, i)
			target := Target{File: "a.c", Key: fmt.Sprintf(tt.key, i), Value: value, Newlines: true}
			out, _, err := target.Edit([]byte(in))
			if err != nil {
				t.Fatalf("%s: Edit(%q): %v", tt.name, value, err)
			}
			src = append(src, out[len(tt.head):]...)
			program += fmt.Sprintf("p("+tt.use+");\n", i)
		}
		src = append(src, program+"}\n"...)
		compilers := [][]string{{"gcc", "-x", "c", "-std=gnu17"}, {"gcc", "-x", "c", "-std=c11", "-trigraphs"}, {"g++", "-x", "c++", "-std=gnu++17"}}
		switch {
		case strings.HasPrefix(tt.name, "C++"):
			compilers = [][]string{{"g++", "-x", "c++", "-std=c++17", "-trigraphs"}, {"g++", "-x", "c++", "-std=gnu++20"}}
		case tt.name == "designators":
			compilers = compilers[:2]
		}
		for _, compiler := range compilers {
			compareValues(t, tt.name+", "+strings.Join(compiler, " "), compileAndRun(t, compiler, src), values)
		}
	}
}

// compileAndRun returns the lines that a program prints in hexadecimal.
func compileAndRun(t *testing.T, compiler []string, src []byte) (lines []string) {
	t.Helper()
	path := tempFile(t, "a.c", src)
	output(t, compiler[0], append(compiler[1:], "-w", "-o", path+".out", path)...)
	for line := range strings.Lines(output(t, path+".out")) {
		value, err := hex.DecodeString(strings.TrimSuffix(line, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(value))
	}
	return lines
}

// Strings with a prefix are converted by the compiler.
func TestWideValuesInC(t *testing.T) {
	t.Parallel()
	src := []byte("#include <stdio.h>\n#include <stddef.h>\n#include <uchar.h>\n")
	program := "int main(void) {\n"
	for i, value := range nasty {
		for _, form := range []struct{ prefix, typ string }{{"L", "wchar_t"}, {"U", "char32_t"}, {"u", "char16_t"}} {
			in := fmt.Sprintf("%s %s%d[] = %s\"x\";\n", form.typ, form.prefix, i, form.prefix)
			target := Target{File: "a.c", Key: fmt.Sprint(form.prefix, i), Value: value}
			out, _, err := target.Edit([]byte(in))
			if err != nil {
				t.Fatalf("Edit(%q): %v", value, err)
			}
			src = append(src, out...)
			program += fmt.Sprintf("for (const %s *p = %s%d; *p; p++) { unsigned c = *p; if (c >= 0xd800 && c < 0xdc00) c = 0x10000 + (c - 0xd800 << 10) + (*++p - 0xdc00); printf(\"%%08x\", c); } puts(\"\");\n", form.typ, form.prefix, i)
		}
	}
	got := compileAndRun(t, []string{"gcc", "-std=gnu17", "-x", "c"}, append(src, program+"}\n"...))
	var want []string
	for _, value := range nasty {
		text := make([]byte, 0, 4*len(value))
		for _, r := range value {
			text = binary.BigEndian.AppendUint32(text, uint32(r))
		}
		want = append(want, string(text), string(text), string(text))
	}
	compareValues(t, "gcc", got, want)
}

func TestCCorpusKeys(t *testing.T) {
	t.Parallel()
	all := slices.DeleteFunc(cSources(t), func(s source) bool {
		found, _ := collect(cLang{}, string(s.text))
		return slices.ContainsFunc(found, func(l literal) bool { return l.kind == "string" && l.room > 0 }) // too small for most values
	})
	testCorpusKeys(t, "c", all, 1000, func(t *testing.T, done []stamped) []string {
		var texts []string
		for _, s := range done {
			texts = append(texts, cIndented.ReplaceAllString(cSplicePattern.ReplaceAllString(string(s.text), ""), "#"))
		}
		macros := 0
		program := "#include <cstdio>\n#include <string_view>\nusing namespace std::literals;\n" +
			"static void p(std::string_view s) { for (unsigned char c : s) printf(\"%02x\", c); puts(\"\"); }\nint main() {\n"
		for i, printed := range gccDirectives(t, texts) {
			s := done[i]
			literal := string(s.text[s.start:s.end])
			if strings.HasPrefix(s.key, "#define ") { // as gcc found it; others as they stand there
				macros++
				literal = "\"gcc does not find it\""
				for _, m := range cDefineLine.FindAllStringSubmatch(printed, -1) {
					if "#define "+m[1] == s.key {
						literal = m[2]
					}
				}
			}
			program += "p(" + strings.TrimPrefix(strings.TrimSpace(literal), "L") + ");\n"
		}
		t.Logf("%d of them are macros", macros)
		return compileAndRun(t, []string{"g++", "-x", "c++", "-std=gnu++17"}, []byte(program+"}\n"))
	})
}
