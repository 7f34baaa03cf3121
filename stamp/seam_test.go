package stamp

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestMain has all tests read with as many seams as there are, and every text by two
// processors that can be.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" {
		seamDistance, aheadSize = 1, 0
	}
	os.Exit(m.Run())
}

// seamed keeps what a scan hands on, and its seams.
type seamed struct {
	src   string
	tally tally
	seams []tallied
}

// tallied is a seam, and what is before it.
type tallied struct {
	seam
	tally tally
}

func (s *seamed) add(l *literal) {
	s.tally.add(l.mark(s.src))
}

func (s *seamed) again() bool {
	*s = seamed{src: s.src}
	return true
}

func (s *seamed) seam(at seam) int {
	s.seams = append(s.seams, tallied{at, s.tally})
	return at.at + 1
}

// seamTexts are texts of a format: those of the golden cases, and sections.
func seamTexts(t testing.TB, format string) (texts []string) {
	for _, c := range goldenCases(t) {
		if got, _ := FormatOf(c.target.File); got == format && c.in != nil && !slices.Contains(texts, string(c.in)) {
			texts = append(texts, string(c.in))
		}
	}
	s := sections[format]
	var b strings.Builder
	b.WriteString(s.head)
	for i := range 20 {
		fmt.Fprintf(&b, s.section, i)
	}
	b.WriteString(s.tail)
	if format == "php" { // which PHP does not take, but the next statement is another here too
		texts = append(texts, "<?php use function fn; define('D', 'x');")
	}
	return append(texts, b.String())
}

// A scan that is taken up at a seam finds what a scan of the whole finds from
// there on, and what it found before has to do with the text before alone.
func TestSeams(t *testing.T) {
	t.Parallel()
	seams := map[string]int{}
	for _, f := range formats {
		for _, src := range seamTexts(t, f.name) {
			whole := &seamed{src: src}
			if f.scan(src, seam{}, whole) != nil {
				continue
			}
			seams[f.name] += len(whole.seams)
			for i, from := range whole.seams {
				if from.at <= 0 || i > 0 && from.at <= whole.seams[i-1].at {
					t.Fatalf("%s: a seam at %d, in\n%s", f.name, from.at, src)
				}
				rest := &seamed{src: src, tally: from.tally}
				if err := f.scan(src, from.seam, rest); err != nil || rest.tally != whole.tally {
					t.Fatalf("%s: scan from %d = %v, %v, want %v, in\n%s", f.name, from.at, rest.tally, err, whole.tally, src)
				}
				if more := whole.seams[i+1:]; len(rest.seams) < len(more) || !slices.Equal(rest.seams[len(rest.seams)-len(more):], more) {
					t.Fatalf("%s: seams from %d are %v, want %v, in\n%s", f.name, from.at, rest.seams, more, src)
				}
				if f.name == "ini" {
					continue // its state says what the whole file shows
				}
				for _, tail := range []string{"", "\n", " ", "'\"\n}]);", "---\n", "\x00", "-", "\\\n x=1"} {
					other := &seamed{src: src[:min(from.at+1, len(src))] + tail}
					f.scan(other.src, seam{}, other)
					if n := i + 1; len(other.seams) < n || !slices.Equal(other.seams[:n], whole.seams[:n]) {
						// Another reader of YAML may have read it, which has none.
						if f.name == "yaml" && len(other.seams) == 0 {
							continue
						}
						t.Fatalf("%s: seams before %q at %d are %v, want %v, in\n%s", f.name, tail, from.at+1, other.seams, whole.seams[:n], src)
					}
				}
			}
		}
	}
	for _, name := range []string{"php", "yaml", "json", "jsonc", "ini", "properties", "env"} {
		if seams[name] < 20 {
			t.Errorf("%s has %d seams", name, seams[name])
		}
	}
}

// raw is a language that writes one text, whatever the value.
type raw struct {
	language
	text string
}

func (r raw) encode(literal, string, bool) (string, error) { return r.text, nil }

// readBack is what verify must find out, by reading both texts from end to end.
func readBack(lang language, b *edit, out string) bool {
	was, err := collect(lang, b.text)
	is, err2 := collect(lang, out)
	if err != nil || err2 != nil || len(was) != len(is) {
		return false
	}
	for i := range was {
		s := slices.IndexFunc(b.splices, func(s splice) bool { return s.start == was[i].start && was[i].refused == "" })
		switch {
		case s < 0 && was[i].mark(b.text) != is[i].mark(out):
			return false
		case s >= 0 && (is[i].key != was[i].key || is[i].kind != was[i].kind || is[i].text != b.by[b.splices[s].of].value || is[i].refused != ""):
			return false
		}
	}
	return true
}

// What is written so that it is not read back, or so that anything else is read
// otherwise, is refused, and nothing else is: whether one value changes or many.
func TestVerify(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, f := range formats {
		var accepted, refused int
		for _, src := range seamTexts(t, f.name) {
			all, err := collect(f.language, src)
			if err != nil {
				continue
			}
			all = slices.DeleteFunc(all, func(l literal) bool { return l.refused != "" })
			for range 60 {
				if len(all) == 0 {
					break
				}
				var requests []request
				value := []string{"v", "1", "false", ""}[rng.IntN(4)]
				for range 1 + rng.IntN(3) {
					l := all[rng.IntN(len(all))]
					text := pieceOf(rng, src)
					if encoded, err := f.encode(l, value, l.kind == "string"); err == nil {
						text = []string{encoded, encoded, encoded + text, encoded + asMuch[rng.IntN(len(asMuch))], text}[rng.IntN(5)]
					}
					r := request{Target{File: "f", Value: value, All: true}, &raw{f.language, text}, func(k string) bool { return k == l.key }, value}
					if len(requests) > 0 {
						r.lang = requests[0].lang
					}
					requests = append(requests, r)
				}
				b, _, err := newEdit([]byte(src), requests)
				if err != nil || len(b.splices) == 0 {
					continue
				}
				slices.SortFunc(b.splices, func(x, y splice) int { return x.start - y.start })
				out := b.spliced()
				err = b.verify(out)
				if want := readBack(f.language, b, string(out)); want != (err == nil) {
					t.Errorf("%s: verify: %v, want %v, of\n%s\nafter\n%s", f.name, err, want, out, src)
				} else if want {
					accepted++
				} else {
					refused++
				}
			}
		}
		t.Logf("%s: %d accepted, %d refused", f.name, accepted, refused)
		if accepted < 10 || refused < 10 {
			t.Errorf("%s: too few of a kind", f.name)
		}
	}
}

// asMuch are texts that, behind a value, are more keys in some language, or make
// others of those below.
var asMuch = []string{"; $z = 1", "; namespace Z", "\nz: 1", "\n---\nz: 1", ", \"z\": 1", "}, \"z\": {\"y\": 1", "], [1", "\nz = 1", "\n[z]", "\n[z]\nz = \"z\"", "\nZ=1"}

// pieceOf is a text that may well be wrong where a value is.
func pieceOf(rng *rand.Rand, src string) string {
	if rng.IntN(2) == 0 {
		from := rng.IntN(len(src))
		return src[from : from+rng.IntN(min(40, len(src)-from)+1)]
	}
	pieces := []string{"'", `"`, "v", "\n", "\\", "#", " ", ",", ";", "=", ":", "[a]", "{", "}", "]", "-", "/*", "*/", "//", "?>", "<?php ", "$a = 1", "a: 1", "<<E\n", "--- ", "&a", "é"}
	var b strings.Builder
	for range 1 + rng.IntN(5) {
		b.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return b.String()
}

// A seam in the middle of what was written is none of the old text, though one may
// be as far from the end: here the first value hides all up to the second.
func TestVerifyInside(t *testing.T) {
	t.Parallel()
	const src, value = "<?php $a = 1; $b = 2; $c = 3;", `'v'/*/; 123456`
	stamp := func(key string) request {
		named := func(k string) bool { return k == key }
		return request{Target{Value: "v", Type: "string"}, &raw{php{}, value}, named, "v"}
	}
	requests := []request{stamp("$a"), stamp("$b")}
	requests[1].lang = requests[0].lang
	b, _, err := newEdit([]byte(src), requests)
	if err != nil {
		t.Fatal(err)
	}
	out := b.spliced()
	if err := b.verify(out); err == nil {
		t.Errorf("verify accepts, of $a and $b with the value v in %s,\n%s", src, out)
	}
}
