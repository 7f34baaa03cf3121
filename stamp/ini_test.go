package stamp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revstamp/testdata/need"
)

// iniAnswer is what the readers find in a file, by the name of the reader. One
// that refuses the file is not there.
type iniAnswer map[string]*iniValues

type iniValues struct {
	byKey map[string]string
	keys  [][]string // what each key can be called: PHP tells no section from an array
}

// iniReaders asks parse_ini_string (normal, raw, typed) and configparser (py.raw,
// py.basic, py.extended), each in one process, what is in the sources.
func iniReaders(t *testing.T, sources []string) []iniAnswer {
	t.Helper()
	need.Program(t, "php", need.DebianPython)
	var in bytes.Buffer
	for _, src := range sources {
		fmt.Fprintln(&in, base64.StdEncoding.EncodeToString([]byte(src)))
	}
	answers := make([]iniAnswer, len(sources))
	for i := range answers {
		answers[i] = iniAnswer{}
	}
	for prefix, command := range map[string][]string{
		"":    {"php", "-d", "output_buffering=65536", "testdata/ini/read.php"},
		"py.": {need.DebianPython, "testdata/ini/read.py"},
	} {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stdin = bytes.NewReader(in.Bytes())
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", command[0], err)
		}
		blocks := strings.Split(strings.TrimSuffix(string(out), ".\n"), ".\n")
		if len(blocks) != len(sources) {
			t.Fatalf("%s answered %d of %d sources", command[0], len(blocks), len(sources))
		}
		for i, block := range blocks {
			for line := range strings.Lines(block) {
				var w [4]string
				for n, word := range strings.Fields(line) {
					encoded, ok := strings.CutPrefix(word, ":")
					if !ok {
						w[n] = word
						continue
					}
					text, err := base64.StdEncoding.DecodeString(encoded)
					if err != nil {
						t.Fatal(err)
					}
					w[n] = string(text)
				}
				reader := prefix + w[0]
				if answers[i][reader] == nil {
					answers[i][reader] = &iniValues{byKey: map[string]string{}}
				}
				answers[i][reader].add(w[1], w[2], w[3])
			}
			if basic := answers[i]["py.basic"]; basic != nil && !strings.Contains(sources[i], "$") {
				answers[i]["py.extended"] = basic // they differ in nothing else that is found here
			}
		}
	}
	return answers
}

func (v *iniValues) add(section, key, value string) {
	names := []string{iniKey(key)}
	if section != "" {
		names = []string{iniKey(section, key), iniKey(section + "[" + key + "]")}
	}
	if !strings.HasPrefix(key, "#") { // a comment to all but PHP
		v.keys = append(v.keys, names)
	}
	for _, name := range names {
		v.byKey[name] = value
	}
}

// compareINI compares what is found in a file with what the readers that it is
// for find. It returns how many values it compared with each of the families.
func compareINI(t *testing.T, name, src string, answer iniAnswer) (php, python int) {
	t.Helper()
	all, err := collect(ini{}, src)
	if err != nil {
		return 0, 0
	}
	r := iniLookAt(src).iniReader
	times := map[string]int{}
	for _, l := range all {
		times[l.key]++
	}
	wrong := func(reader, key, theirs, ours string) {
		t.Errorf("%s: %+v\n%s\n%s: %s has %q, we %q", name, r, src, key, reader, theirs, ours)
	}
	check := func(reader string, l literal, want string) bool {
		values, ok := answer[reader]
		if !ok {
			return false
		}
		if got, ok := values.byKey[l.key]; !ok || got != want {
			wrong(reader, l.key, got, want)
		}
		return true
	}
	for _, l := range all {
		if times[l.key] > 1 || l.refused != "" || strings.HasSuffix(strings.Trim(l.key, `"`), "[]") {
			continue
		}
		replaced := l.style == 0 && slices.ContainsFunc(strings.Fields(l.text), iniReplaced)
		if !r.plain && !replaced && check("normal", l, l.text) {
			php++
		}
		if !r.python && l.style != '\'' && !strings.Contains(src[l.start:l.end], `\\`) && check("raw", l, l.text) {
			php++
		}
		if !r.quotes() && !strings.Contains(l.key, "[") {
			interpolates := strings.ContainsAny(l.text, "%$")
			for _, reader := range []string{"py.raw", "py.basic", "py.extended"} {
				if (reader == "py.raw" || !interpolates) && check(reader, l, src[l.start:l.end]) {
					python++
				}
			}
		}
	}
	// What the readers find that the file is for, we find.
	for reader, values := range answer {
		if strings.HasPrefix(reader, "py.") && r.quotes() || reader == "normal" && r.plain || reader == "typed" || reader == "raw" && r.python {
			continue
		}
		for _, names := range values.keys {
			found := slices.ContainsFunc(names, func(name string) bool {
				beforeColon, _, _ := strings.Cut(name, ":")
				return times[name] > 0 || times[strings.TrimRight(beforeColon, " \t")] > 0
			})
			if !found && !strings.HasSuffix(names[0], `[]`) {
				wrong(reader, names[0], values.byKey[names[0]], "nothing")
			}
		}
	}
	return php, python
}

// TestINIOnPieces puts files together at random from what is hard.
func TestINIOnPieces(t *testing.T) {
	t.Parallel()
	starts := []string{"a = ", "b = ", "c=", "d = ", "e: ", "f:", " g = ", "  h = ", "\ti = ", "[s]", "[t]\n[u.v]", "; ", "# ", "j", " ", "", "k[x] = ", "l.m = ", "n o = ", "p:q = ", "%r = ", "yes = ", "#s = ", `"t" = `, "u;v = ", "é = "}
	pieces := []string{"x", "x", "y z", "41", "0123", "1.50", `"`, "'", `"q r"`, "'s'", `"a;b"`, `"a\b"`, `"\"`, `"\\"`, `'"'`, `"'"`, ";", " ; ", "#", " # ", "=", " ", "\t", `\`, "$x", "${x}", "%", "%(a)s", "it's", "|", "&", "(x)", "!", "~", "^", "{x}", "[x]", "]", "E_ALL", "yes", "null", ":", "/", "é", "\u00a0", "?", "<", "*", "`", "-", "+", "\v"}
	ends := []string{"\n", "\n", "\n", "\n", "\n\n", "\r\n", "\r", " \n"}
	rng := rand.New(rand.NewPCG(1, 2))
	var sources []string
	for i := range 5000 {
		src := []string{"[z]\n", "[z]\n", "", bom + "[z]\n"}[rng.IntN(4)]
		simple := i%2 == 0 // without it hardly any file is whole
		for range 1 + rng.IntN(5) {
			if simple {
				src += starts[rng.IntN(4)]
			} else {
				src += starts[rng.IntN(len(starts))]
			}
			for range rng.IntN(3) {
				piece := pieces[rng.IntN(len(pieces))]
				if piece == "[x]" && strings.Contains(src, "#") {
					continue // a header to PHP, in what is a comment to others
				}
				src += piece
			}
			src += ends[rng.IntN(len(ends))]
		}
		sources = append(sources, src)
	}
	var php, python int
	for i, answer := range iniReaders(t, sources) {
		a, b := compareINI(t, fmt.Sprint(i), sources[i], answer)
		php, python = php+a, python+b
	}
	t.Logf("%d values compared with PHP, %d with Python", php, python)
	if php < 4000 || python < 4000 {
		t.Error("too few values to compare")
	}
}

// iniForPHP returns PHP's own files.
func iniForPHP(t *testing.T) (all []source) {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/php/*/php.ini-*", "/etc/php/*/mods-available/*.ini"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, source{name, text})
		}
	}
	if len(all) == 0 {
		t.Error("PHP's own files are not where Debian has them")
	}
	return all
}

// iniForPython returns files that configparser reads, nearly all of them.
func iniForPython(t *testing.T) []source {
	t.Helper()
	return sources(t, "ini", need.Corpus(t, "cura", "neutron-common", "ansible-core", "mediawiki")...)
}

func TestINICorpus(t *testing.T) {
	t.Parallel()
	all := append(iniForPython(t), iniForPHP(t)...)
	var texts []string
	for _, s := range all {
		texts = append(texts, string(s.text))
	}
	var php, python, refused, phpFiles, pythonFiles int
	for i, answer := range iniReaders(t, texts) {
		if _, err := collect(ini{}, texts[i]); err != nil {
			refused++
			t.Logf("%s: %v", all[i].name, err)
		}
		a, b := compareINI(t, all[i].name, texts[i], answer)
		php, python = php+a, python+b
		phpFiles, pythonFiles = phpFiles+min(a, 1), pythonFiles+min(b, 1)
	}
	t.Logf("%d files, %d refused; %d values of %d compared with PHP, %d of %d with Python", len(all), refused, php, phpFiles, python, pythonFiles)
	if phpFiles < 4000 || pythonFiles < 4000 || refused > len(all)/100 {
		t.Error("too few files to compare")
	}
}

func TestINICorpusKeys(t *testing.T) {
	t.Parallel()
	need.Program(t, "php", need.DebianPython)
	for name, all := range map[string][]source{"python": iniForPython(t), "php": iniForPHP(t)} {
		testCorpusKeys(t, "ini", all, 400, func(t *testing.T, all []stamped) []string {
			var texts []string
			for _, s := range all {
				texts = append(texts, string(s.text))
			}
			var values []string
			for i, answer := range iniReaders(t, texts) {
				reader := answer["normal"]
				if name == "python" {
					reader = answer["py.raw"]
				}
				literal := texts[i][all[i].start:all[i].end]
				if reader == nil || iniReplaced(literal) { // some of Ansible's are for neither; a word that was one of PHP's became another
					reader = answer["raw"]
				}
				value := reader.byKey[all[i].key]
				if name == "python" && value == literal {
					value = strings.Trim(value, `"`) // which it keeps
				}
				values = append(values, value)
			}
			return values
		})
	}
}

// TestValuesInINI stamps values into files that show different readers, and has
// those read them. What cannot be written there is refused.
func TestValuesInINI(t *testing.T) {
	t.Parallel()
	php := []string{"normal", "raw", "typed"}
	python := []string{"py.raw", "py.basic", "py.extended"}
	everybody := slices.Concat(php, python)
	values := append(append([]string{}, nasty...), bytesOnly...)
	values = append(values, "</script>", "main", "HEAD", "E_ALL", "PHP_OS x", "x on", "1.10", "01.5", "a  b", "é ", "\u00a0x", "[section]", "key = value", "x # y", "x ; y", "%(k0)s", "%%(k0)s", "${k0}", "$${k0}", "s}", "C:\\new", "a\\\"b", `it's "x"`, "-.5", "1.", "+5", "0.5", "1,5")
	tests := []struct {
		name       string
		head, line string
		quote      string // that the readers keep
		readers    []string
		least      int // values that can be written
	}{
		{"nothing shown", "[s]\n", "k%d = x\n", "", everybody, 45},
		{"number, nothing shown", "[s]\r\n", "k%d=41\r\n", "", slices.Concat(php[:2], python), 45},
		{"empty, nothing shown", "[s]\n", "k%d =\n", "", everybody, 45},
		{"double quotes", "[s]\n", "k%d = \"x\"\n", "", php, 130},
		{"bare in a quoting file", "[s]\nz = \"z\" ; z\n", "k%d = x ; c\n", "", php, 130},
		{"double, both kinds", "[s]\nz = 'z'\n", "k%d = \"x\" ; c\n", "", []string{"normal", "typed"}, 145},
		{"single quotes", "[s]\n", "k%d = 'x'\n", "", []string{"normal", "typed"}, 145},
		{"bare, single quotes", "[s]\nz = 'z'\n", "k%d = x\n", "", []string{"normal", "typed"}, 145},
		{"python", "[s]\nz: z\n", "k%d = x\n", "", slices.Concat(php[1:2], python), 90},
		{"python, colon", "[s]\nz: z\n", "k%d: x\n", "", python, 90},
		{"colon alone", "[s]\n", "k%d: x\n", "", python, 90},
		{"equals alone", "[s]\n", "k%d = x=y\n", "", python, 45},
		{"python, continued", "[s]\nz = z\n  more\n", "k%d = (x)\n", "", slices.Concat(php[1:2], python), 90},
		{"python, double quotes", "[s]\nz: z\n", "k%d = \"x\"\n", `"`, python, 80},
		{"python, single quotes", "[s]\nz: z\n", "k%d = 'x'\n", `'`, python, 80},
	}
	var files []string
	written := make([][]string, len(tests))
	for n, tt := range tests {
		src := tt.head
		for _, value := range values {
			i := len(written[n])
			line := strings.ReplaceAll(tt.line, "%d", fmt.Sprint(i))
			out, _, err := Target{File: "a.ini", Key: fmt.Sprintf("s.k%d", i), Value: value}.Edit([]byte(tt.head + line))
			var e *Error
			if errors.As(err, &e) && e.Kind == ControlCharacter {
				continue
			}
			if err != nil {
				t.Fatalf("%s: Edit(%q): %v", tt.name, value, err)
			}
			src += string(out[len(tt.head):])
			written[n] = append(written[n], value)
		}
		if len(written[n]) < tt.least {
			t.Errorf("%s: only %d of %d values can be written", tt.name, len(written[n]), len(values))
		}
		t.Logf("%s: %d of %d values written", tt.name, len(written[n]), len(values))
		files = append(files, src)
	}
	for n, answer := range iniReaders(t, files) {
		for _, reader := range tests[n].readers {
			if answer[reader] == nil {
				t.Errorf("%s: %s refuses the file", tests[n].name, reader)
				continue
			}
			for i, value := range written[n] {
				want := tests[n].quote + value + tests[n].quote
				if got := answer[reader].byKey[fmt.Sprintf("s.k%d", i)]; got != want {
					t.Errorf("%s: %s: %q was read as %q", tests[n].name, reader, want, got)
				}
			}
		}
	}
}
