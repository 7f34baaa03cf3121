package stamp

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"revstamp/testdata/need"
)

// pyReading is what testdata/python/keys.py says of a source.
type pyReading struct {
	Error  string
	Tokens string
	Keys   [][]any // start, end, key, kind, text (base64), refused
}

func readPython(t *testing.T, all []source) []pyReading {
	t.Helper()
	readings := make([]pyReading, len(all))
	ask(t, all, func(i int) any { return &readings[i] }, need.DebianPython, "-I", "testdata/python/keys.py")
	return readings
}

// pyRead returns what we say of a source, in the same form.
func pyRead(src string) (r pyReading, err error) {
	l, err := newPyLexer(src)
	if err != nil {
		return r, err
	}
	names := map[pyKind]string{pyName: "name", pyNumber: "number", pyString: "string", pyFString: "interpolated", pyOp: "op"}
	var tokens []string
	for {
		if err := l.line(); err != nil {
			return r, err
		}
		if len(l.tokens) == 0 {
			break
		}
		for _, t := range l.tokens {
			tokens = append(tokens, fmt.Sprintf("%s %d %d", names[t.kind], t.start, t.end))
		}
	}
	r.Tokens = strings.Join(tokens, "\n")
	all, err := collect(python{}, src)
	for _, f := range all {
		text := base64.StdEncoding.EncodeToString([]byte(f.text))
		kind := f.kind
		if f.refused != "" {
			kind, text = "", ""
		}
		r.Keys = append(r.Keys, []any{float64(f.start), float64(f.end), f.key, kind, text, f.refused})
	}
	return r, err
}

// comparePython compares tokens and keys with those that Python finds. Python
// reads what is counted as refused, and we do not.
func comparePython(t *testing.T, all []source) (compared, refused, keys int) {
	t.Helper()
	for i, want := range readPython(t, all) {
		name := all[i].name
		got, err := pyRead(string(all[i].text))
		switch {
		case want.Error != "":
			continue // what does not parse may be refused or not
		case err != nil:
			t.Logf("%s: %v", name, err.(*Error).Detail)
			refused++
			continue
		}
		compared++
		keys += len(got.Keys)
		if got.Tokens != want.Tokens {
			t.Errorf("%s: tokens (-python +ours):\n%.600s", name, cmp.Diff(strings.Split(want.Tokens, "\n"), strings.Split(got.Tokens, "\n")))
		}
		for j := range want.Keys {
			if want.Keys[j][5] != "" {
				want.Keys[j][3], want.Keys[j][4] = "", ""
			}
		}
		if diff := cmp.Diff(want.Keys, got.Keys); len(want.Keys)+len(got.Keys) > 0 && diff != "" {
			t.Errorf("%s: keys (-python +ours):\n%.600s", name, diff)
		}
	}
	return compared, refused, keys
}

func pySources(t *testing.T) []source {
	t.Helper()
	return sources(t, "python", append(need.Corpus(t, "python3-django"), "/usr/lib/python3", "/usr/lib/python3.11")...)
}

func TestPythonCorpus(t *testing.T) {
	t.Parallel()
	all := pySources(t)
	some := every(3, all)
	compared, refused, keys := comparePython(t, some)
	t.Logf("%d of %d files and %d keys compared, %d refused", compared, len(all), keys, refused)
	if compared < 600 || refused > compared/100 {
		t.Error("too few files can be compared")
	}
}

// TestPythonPieces compares on sources put together at random from what is
// hard.
func TestPythonPieces(t *testing.T) {
	t.Parallel()
	pieces := strings.Split("A|B.c|D['k']|'|\"|'''|\"\"\"|\\|\n|\r\n|\r|\n\n| |  |\t|#|# x|=|==|:=|:|,|;|(|)|[|]|{|}|r'x'|f'{A}'|f\"{x:'>9}\"|b'x'|'x'|\"y\"|u'x'|rb'x'|"+
		"1|-1|1.5|0x1f|1_0|1e3|2j|007|True|None|lambda x, y=1: x|for x in y|if A:|else:|def f():|class C:|try:|with x:|match x:|case 1:|*|**|+=|->|...|é|\f|yield|pass", "|")
	starts := strings.Split("A = |A = |B.c: str = |D['k'] = |D[\"\\x41\"][-1] = |a, *b = |A = B = |[a, (b, c)] = |(A) = |A += |A: int = |class C:\n  a = 1\n  b = |if 1: c = |"+
		"try:\n\td = |def f():\n  e = |async def f(): g = |if x:\n  class D(E): h = |match x:\n case 1:\n  i = |match[x]: int = |case = |D[k] = |f(x).y = |D[0:1] = |with open(x) as f, g: j =|A =\\\n ", "|")
	values := strings.Split("'x'|'x'|\"y\\n\"|1|-1|- 1|1.5|0x1f|True|None|b'\\xff'|r'\\'|f'{A}'|'''z'''|'''z\n'''|'a' 'b'|u'ü'|'\\N{DEGREE SIGN}'|'\\ud800'|'\\777'|x|(|)|(|)|[|]|[|]|{|}|{|}|,|,|:|:|'k':|'k':|**d|*d|"+
		"lambda x, y=1:|for x in y|if A else|=| |\n|# c\n|\\\n|;|;A=|yield|+|.z|(y)|'''q\\\n'''|1j", "|")
	rng := rand.New(rand.NewPCG(1, 2))
	var all []source
	add := func(start string, pieces []string, most int, end string) {
		for range rng.IntN(most) {
			start += pieces[rng.IntN(len(pieces))]
		}
		all = append(all, source{fmt.Sprintf("%d %q", len(all), start+end), []byte(start + end)})
	}
	for range 6000 {
		start := starts[rng.IntN(len(starts))]
		add("", pieces, 12, "")
		add(start, values, 5, "")
		add(start+"[", values, 5, "]")
		add(start+"{'k':", values, 5, "}")
	}
	compared, refused, keys := comparePython(t, all)
	t.Logf("%d of %d sources and %d keys compared, %d refused", compared, len(all), keys, refused)
	if compared < 4000 || keys < 4000 || refused > compared/100 {
		t.Error("too few of them can be compared")
	}
}

// evalPython returns what Python's exec makes of each source, in its variable
// got, as bytes.
func evalPython(t *testing.T, all []source) []string {
	t.Helper()
	need.Program(t, need.DebianPython)
	var in bytes.Buffer
	for _, s := range all {
		fmt.Fprintln(&in, base64.StdEncoding.EncodeToString(s.text))
	}
	program := `import base64, sys, warnings
warnings.simplefilter('ignore')
for line in sys.stdin:
    names = {}
    exec(compile(base64.b64decode(line), 'f', 'exec'), names)
    got = names['got']
    print(base64.b64encode(got if isinstance(got, bytes) else got.encode()).decode(), type(got).__name__)
`
	cmd := exec.Command(need.DebianPython, "-I", "-c", program)
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v, %s", err, &stderr)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		text, kind, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if kind == "bytes" {
			value = append([]byte("bytes "), value...)
		}
		got = append(got, string(value))
	}
	return got
}

func TestValuesInPython(t *testing.T) {
	t.Parallel()
	values := append([]string{"a\nb", "\n", "\\\n'\"", "'''", `"""`, `\N{DEGREE SIGN}`, `\U0001f680`, `{x}`, `a\\`, `#`}, nasty...)
	forms := map[string]string{
		"single": "got = 'x'\n", "double": "got: str = \"x\" # c\n", "triple": "got = '''x''';a=1\n", "triple double": "got = \"\"\"x\"\"\"\n",
		"raw": "got = r'x'\n", "raw double": "got = R\"x\"", "raw triple": "got = r\"\"\"x\"\"\"\r\n", "unicode": "got = U\"x\"\n", "brackets": "got = ('x')\n",
		"Latin-1": "# coding: latin-1\r# \xe9\rgot = r'x'\r", "koi8": "# coding: koi8-r\n# \xe9\ngot = \"x\"\n", "BOM": "\ufeffgot = 'x'",
		"bytes": "got = b'x'\n", "raw bytes": "got = bR\"x\"\n", "triple bytes": "got = B'''x'''\n",
	}
	for form, text := range forms {
		values := append([]string{}, values...)
		if strings.Contains(form, "bytes") {
			values = append(values, bytesOnly...)
		}
		var all []source
		for i, value := range values {
			target := Target{File: "f.py", Key: "got", Value: value, Newlines: true}
			out, _, err := target.Edit([]byte(text))
			if err != nil {
				t.Fatalf("%s: Edit(%q): %v", form, value, err)
			}
			all = append(all, source{value, out})
			if strings.Contains(form, "bytes") {
				values[i] = "bytes " + value
			}
		}
		compareValues(t, "python, "+form, evalPython(t, all), values)
	}
}

// TestPythonCorpusKeys has Python read the whole stamped files and tell what has
// the key there.
func TestPythonCorpusKeys(t *testing.T) {
	t.Parallel()
	testCorpusKeys(t, "python", pySources(t), 1000, func(t *testing.T, all []stamped) []string {
		var files []source
		for _, s := range all {
			files = append(files, s.source)
		}
		var got []string
		for i, reading := range readPython(t, files) {
			value := "nothing, " + reading.Error
			for _, k := range reading.Keys {
				if k[2] == all[i].key && k[0] == float64(all[i].start) && k[1] == float64(all[i].end) && k[3] == "string" {
					text, err := base64.StdEncoding.DecodeString(k[4].(string))
					if err != nil {
						t.Fatal(err)
					}
					value = string(text)
				}
			}
			got = append(got, value)
		}
		return got
	})
}
