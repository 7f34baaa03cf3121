package stamp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"revstamp/testdata/need"
)

// javaSource is a file that Java reads as UTF-8, or as Latin-1.
type javaSource struct {
	text   []byte
	latin1 bool
}

// java returns the keys and values that java.util.Properties reads in each
// source, in the order of the file; nil when it refuses it.
func java(t *testing.T, sources []javaSource) [][][2]string {
	t.Helper()
	need.Program(t, "javac") // without it there is no compiler to run a source file
	var in bytes.Buffer
	for _, s := range sources {
		fmt.Fprintf(&in, "%s%s\n", map[bool]string{false: "u", true: "l"}[s.latin1], base64.StdEncoding.EncodeToString(s.text))
	}
	var all [][][2]string
	for _, answer := range answers(t, &in, len(sources), "java", "-XX:TieredStopAtLevel=1", "testdata/java/Read.java") {
		var pairs [][2]string
		if err := json.Unmarshal(answer, &pairs); err != nil {
			t.Fatalf("java: %v", err)
		}
		all = append(all, pairs)
	}
	return all
}

// javaPairs returns what we find, in the same form. Java also finds an empty
// key with an empty value where the file ends in a \ of its own.
func javaPairs(src string) ([][2]string, error) {
	all, err := collect(properties{}, src)
	var pairs [][2]string
	for _, l := range all {
		pairs = append(pairs, [2]string{l.key, l.text})
	}
	return pairs, err
}

func compareProperties(t *testing.T, names []string, texts [][]byte) (compared, refused int) {
	t.Helper()
	var sources []javaSource
	for _, text := range texts {
		sources = append(sources, javaSource{text, !utf8.Valid(text)})
	}
	for i, want := range java(t, sources) {
		text := string(texts[i])
		if sources[i].latin1 {
			text = fromLatin1(text)
		}
		got, err := javaPairs(text)
		if want == nil || err != nil {
			refused++
			if (want == nil) != (err != nil) {
				t.Errorf("%s: error %v, Java finds %q", names[i], err, want)
			}
			continue
		}
		compared++
		empty := func(pair [2]string) bool { return pair == [2]string{} }
		want, got = slices.DeleteFunc(want, empty), slices.DeleteFunc(got, empty)
		if !slices.Equal(want, got) {
			t.Errorf("%s (-java +ours):\n%s", names[i], cmp.Diff(want, got))
		}
	}
	return compared, refused
}

func fromLatin1(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteRune(rune(text[i]))
	}
	return b.String()
}

// TestPropertiesOnPieces compares on texts put together at random from what is
// hard.
func TestPropertiesOnPieces(t *testing.T) {
	t.Parallel()
	pieces := strings.Split(`a b a.b = : # ! \ \\ \= \: \# \t \n \r \f \u0041 \u00e4 \ud83d \ude80 \u12 \q \u é 🚀 " ' [a] `+"\xe4", " ")
	pieces = append(pieces, " ", "\t", "\f", "\n", "\n", "\r", "\r\n", "\\\n", "\\\r\n", "\\\r", "\\\n  ", "\n#", "\n!", "\n  ", "x = ", "\ny=", "\nz: ")
	rng := rand.New(rand.NewPCG(1, 2))
	var names []string
	var texts [][]byte
	for i := range 6000 {
		var text []byte
		for range rng.IntN(14) {
			text = append(text, pieces[rng.IntN(len(pieces))]...)
		}
		names, texts = append(names, fmt.Sprintf("%d %q", i, text)), append(texts, text)
	}
	compared, refused := compareProperties(t, names, texts)
	t.Logf("%d texts compared, %d refused by both", compared, refused)
	if compared < 4000 || refused < 500 {
		t.Error("too few of them")
	}
}

func TestPropertiesCorpus(t *testing.T) {
	t.Parallel()
	dirs := need.Corpus(t, "libreoffice-common", "jetty9", "tomcat10", "pdf.js-common")
	installed, err := filepath.Glob("/etc/java-*")
	if err != nil {
		t.Fatal(err)
	}
	all := sources(t, "properties", append(dirs, installed...)...)
	var names []string
	var texts [][]byte
	for _, s := range all {
		names, texts = append(names, s.name), append(texts, bytes.TrimPrefix(s.text, []byte(bom)))
	}
	compared, refused := compareProperties(t, names, texts)
	t.Logf("%d files compared with Java, %d refused by both", compared, refused)
	if compared < 100 || refused > 1 {
		t.Error("too few files compared, or too many refused")
	}
	testCorpusKeys(t, "properties", all, 500, func(t *testing.T, all []stamped) []string {
		var sources []javaSource
		for i, s := range all {
			sources = append(sources, javaSource{s.text, i%2 == 0})
		}
		var got []string
		for i, pairs := range java(t, sources) {
			at := slices.IndexFunc(pairs, func(p [2]string) bool { return p[0] == all[i].key })
			if at < 0 {
				t.Fatalf("%s: Java does not find %s", all[i].name, all[i].key)
			}
			got = append(got, pairs[at][1])
		}
		return got
	})
}

func TestValuesInProperties(t *testing.T) {
	t.Parallel()
	values := append(append([]string{"=", ":x", "= x", " = ", "#", "!x", "  x", "x  ", " ", "  "}, multiline...), nasty...)
	forms := map[string]string{
		"equals": "k%d=x\n", "colon": "k%d : x\n", "blank": "k%d x\n", "tab": "\tk%d\tx\r\n", "bare": "k%d\n", "empty": "k%d=\r\n", "empty after blank": "k%d \n", "escapes": `k%d = \u0041\=\ ` + "\n",
	}
	var names []string
	var sources []javaSource
	for form, line := range forms {
		src := stampAll(t, "properties", "# head\n", "end = 1\n", values,
			func(i int) string { return fmt.Sprintf(line, i) },
			func(i int) string { return fmt.Sprint("k", i) })
		names = append(names, form+", UTF-8", form+", Latin-1")
		sources = append(sources, javaSource{src, false}, javaSource{src, true})
	}
	for i, pairs := range java(t, sources) {
		var got []string
		for n, pair := range pairs[:len(pairs)-1] {
			if want := fmt.Sprint("k", n); pair[0] != want {
				t.Errorf("%s: key %q, want %q", names[i], pair[0], want)
			}
			got = append(got, pair[1])
		}
		compareValues(t, "java, "+names[i], got, values)
	}
}
