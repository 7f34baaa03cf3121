package stamp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"revstamp/testdata/need"
)

// expatAnswer is what testdata/xml/values.py says about a document.
type expatAnswer struct {
	Error string
	Keys  [][2]*string
}

func expat(t testing.TB, sources []source) []expatAnswer {
	t.Helper()
	need.Program(t, need.DebianPython)
	var in bytes.Buffer
	for _, src := range sources {
		fmt.Fprintln(&in, base64.StdEncoding.EncodeToString(src.text))
	}
	cmd := exec.Command(need.DebianPython, "testdata/xml/values.py")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v", err)
	}
	var all []expatAnswer
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var a expatAnswer
		if err := d.Decode(&a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if len(all) != len(sources) {
		t.Fatalf("python answered %d of %d documents", len(all), len(sources))
	}
	return all
}

// compareXML compares keys and values, and who refuses the document.
func compareXML(t *testing.T, sources []source) (compared, values int) {
	t.Helper()
	for i, want := range expat(t, sources) {
		src := sources[i]
		all, err := collect(xmlLang{}, string(src.text))
		switch {
		case err == nil && want.Error != "":
			t.Errorf("%s: expat: %s, and we read it", src.name, want.Error)
		case err != nil && want.Error == "":
			t.Errorf("%s: %v, and expat reads it", src.name, Target{File: src.name}.locate(src.text, err))
		case err == nil:
			compared++
			values += compareXMLValues(t, src, all, want)
		}
	}
	return compared, values
}

func compareXMLValues(t *testing.T, src source, all []literal, want expatAnswer) (values int) {
	t.Helper()
	if len(all) != len(want.Keys) {
		t.Errorf("%s: %d keys, want %d", src.name, len(all), len(want.Keys))
		return
	}
	text := string(src.text)
	for i, l := range all {
		key, value := *want.Keys[i][0], want.Keys[i][1]
		holds := l.refused == "an element that holds others" || l.refused == "a text with a comment or an instruction in it" ||
			l.refused == "made with an entity" && !strings.Contains(key, "@")
		switch {
		case l.key != key:
			t.Errorf("%s: key %s, want %s", src.name, l.key, key)
			return
		case holds != (value == nil):
			t.Errorf("%s: %s is refused as %q, and expat finds %v", src.name, key, l.refused, value)
		case l.refused == "":
			values++
			if got := withLayout(text, l); got != *value {
				t.Errorf("%s: %s is %q, want %q", src.name, key, got, *value)
			}
		}
	}
	return values
}

// withLayout returns the text of l and what surrounds it in its element.
func withLayout(src string, l literal) string {
	if l.style == '"' || l.style == '\'' {
		return l.text
	}
	before := src[strings.LastIndexByte(src[:l.start], '>')+1 : l.start]
	after, _, _ := strings.Cut(src[l.end:], "<")
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	return lines.Replace(before) + l.text + lines.Replace(after)
}

var xmlCorpora = []string{"mediawiki", "wordpress", "python3-django", "docbook-xsl"}

// xmlSources are those that are not long lists of the same.
func xmlSources(t *testing.T) []source {
	t.Helper()
	all := sources(t, "xml", need.Corpus(t, xmlCorpora...)...)
	return slices.DeleteFunc(all, func(s source) bool { return len(s.text) > 100<<10 })
}

func TestXMLCorpus(t *testing.T) {
	t.Parallel()
	all := xmlSources(t)
	compared, values := compareXML(t, all)
	t.Logf("%d of %d files and %d values compared, the others are refused by expat too", compared, len(all), values)
	if compared < 2000 || values < 100_000 || compared < len(all)*95/100 {
		t.Error("too few of them are compared")
	}
}

func TestXMLOnPieces(t *testing.T) {
	t.Parallel()
	pieces := strings.Split(`<a>|</a>|<a|<b>|</b>|<b/>|<c x="1"/>|<c x='1' y = "2">|</c>|</c >|>|/>| x="y"| x='&lt;'|"|'|=|&amp;|&|&#65;|&#x41;|&#0;|&x;|;|<![CDATA[|]]>|]]|`+
		"<!--|-->|--|<?p q?>|<?p|?>|<?xml version=\"1.0\"?>|text| |\n|\t|\r\n|\r|<|é|\xff|<é:ü/>|<1>|<!DOCTYPE a>|<!DOCTYPE a SYSTEM 'a'>|<!DOCTYPE a [<!ENTITY x 'y'>]>|\x01|\ufeff|\ufffe", "|")
	rng := rand.New(rand.NewPCG(1, 2))
	var all []source
	for i := range 8000 {
		var text []byte
		if rng.IntN(2) == 0 {
			text = append(text, `<?xml version="1.0"?>`...)
		}
		wrap := rng.IntN(4) > 0
		if wrap {
			text = append(text, "<a>"...)
		}
		for range rng.IntN(6) {
			text = append(text, pieces[rng.IntN(len(pieces))]...)
		}
		if wrap {
			text = append(text, "</a>"...)
		}
		all = append(all, source{fmt.Sprintf("%d %q", i, text), text})
	}
	compared, values := compareXML(t, all)
	t.Logf("%d of %d documents and %d values compared, the others are refused by expat too", compared, len(all), values)
	if compared < len(all)/10 {
		t.Error("too few of them are compared")
	}
}

func TestXMLCorpusKeys(t *testing.T) {
	t.Parallel()
	testCorpusKeys(t, "xml", xmlSources(t), 1000, func(t *testing.T, done []stamped) (got []string) {
		var files []source
		for _, s := range done {
			files = append(files, s.source)
		}
		for i, answer := range expat(t, files) {
			value := fmt.Sprintf("nothing (%s)", answer.Error)
			for _, pair := range answer.Keys {
				if *pair[0] == done[i].key && pair[1] != nil {
					value = *pair[1]
				}
			}
			// The layout around a text stays, and is not what was stamped.
			src, want := string(done[i].text), done[i].value
			if before, after := src[:done[i].start], src[done[i].end:]; strings.HasPrefix(after, "<") || strings.TrimLeft(after, xmlBlank) != after {
				l := literal{start: len(before), end: len(before), text: want}
				if value == withLayout(before+after, l) {
					value = want
				}
			}
			got = append(got, value)
		}
		return got
	})
}

func TestValuesInXML(t *testing.T) {
	t.Parallel()
	values := append(append([]string{}, nasty...), "a\nb", "\n", "\n\n x\n", " ", "  ", "]]>", "]]", "a]]>b\nc", "&amp;", "&#65;", "<b>", "</v>", "<!-- -->", "<![CDATA[x]]>", "\ufffd", "<?x?>")
	forms := map[string]string{
		"double": "<v a=\"x\"/>\n", "single": "<v  a = 'x' ></v>\n", "text": "<v>x</v>\n", "empty": "<v></v>\n", "section": "<v><![CDATA[x]]></v>\n",
	}
	for form, line := range forms {
		for _, head := range []string{"", "<?xml version='1.0' encoding='iso-8859-1'?>\n<!-- \xe9 -->", "<?xml version=\"1.0\" encoding=\"US-ASCII\"?>"} {
			src := []byte(head + "<c>\n")
			target := Target{File: "a.xml", Key: "/c/v", Newlines: true}
			if line[2] == ' ' {
				target.Key += "/@a"
			}
			for _, target.Value = range values {
				out, _, err := target.Edit([]byte(head + "<c>" + line + "</c>"))
				if err != nil {
					t.Fatalf("Edit(%q) of %s: %v", target.Value, line, err)
				}
				src = append(src, out[len(head)+len("<c>"):len(out)-len("</c>")]...)
			}
			path := tempFile(t, "a.xml", append(src, "</c>\n"...))
			read := `foreach (simplexml_load_file($argv[1])->v as $v) { echo base64_encode(isset($v['a']) ? $v['a'] : $v), "\n"; }`
			compareValues(t, form+", php", base64Lines(t, output(t, "php", "-r", read, path)), values)
			read = "import base64, sys, xml.etree.ElementTree as e\nfor v in e.parse(sys.argv[1]).getroot(): print(base64.b64encode((v.get('a', v.text) or '').encode()).decode())"
			compareValues(t, form+", python", base64Lines(t, output(t, need.DebianPython, "-c", read, path)), values)
		}
	}
}

func TestXMLRefusesCharacters(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"\xff", "a\ufffe", "\uffff"} {
		_, _, err := Target{File: "a.xml", Key: "a", Value: value}.Edit([]byte("<a>x</a>"))
		if got := describe(err); !strings.HasPrefix(got, string(ControlCharacter)) {
			t.Errorf("Edit with %q: %v, want %s", value, err, ControlCharacter)
		}
	}
}

// A reader of names agrees with a list of the runes that are allowed.
func TestXMLNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a": true, "_": true, ":": true, "a-b.c1": true, "ä": true, "分支": true, "a·": true, "": false,
		"1a": false, "-a": false, ".a": false, "·a": false, "a b": false, "a×": false, "\u2028": false, "a\u0300": true,
	} {
		if got := xmlIsName(name); got != want {
			t.Errorf("xmlIsName(%q) = %v, want %v", name, got, want)
		}
	}
	if utf8.RuneError != '\ufffd' || !xmlIsChar('\ufffd') || xmlIsChar(0xd800) {
		t.Error("xmlIsChar is wrong about what is no character")
	}
}
