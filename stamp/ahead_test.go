package stamp

import (
	"slices"
	"testing"
)

// guessing is a language that guesses one place, and counts what is found in the
// first half.
type guessing struct {
	language
	from  seam
	first *counting
	t     *testing.T
}

func (g guessing) guess(string, int) seam { return g.from }

func (g guessing) scan(src string, from seam, found sink) error {
	if from.at == 0 {
		g.first.sink, found = found, g.first
	} else {
		found = &once{found, g.t, false}
	}
	return g.language.scan(src, from, found)
}

type counting struct {
	sink
	n int
}

func (c *counting) add(l *literal) {
	c.n++
	c.sink.add(l)
}

// once is a sink that is handed on nothing when the text is read anew.
type once struct {
	sink
	t    *testing.T
	over bool
}

func (o *once) again() bool {
	o.over = true
	return o.sink.again()
}

func (o *once) add(l *literal) {
	if o.over {
		o.t.Error("what was given up ahead is read from the beginning")
	}
	o.sink.add(l)
}

// Wherever reading ahead begins, as much is found as without; and where there is
// a seam of the state that was guessed, it is not read twice.
func TestAhead(t *testing.T) {
	t.Parallel()
	for _, f := range formats {
		d, ok := f.language.(divisible)
		if !ok {
			continue
		}
		read := func(src string, from seam) (r *reading, first int, err error) {
			lang := guessing{f.language, from, new(counting), t}
			some := func(key string) bool { return len(key)%2 > 0 }
			r, err = newReading([]byte(src), []request{{lang: lang, named: some}})
			return r, lang.first.n, err
		}
		texts := seamTexts(t, f.name)
		guess := d.guess(texts[len(texts)-1], 1)
		seams, others := 0, 0
		for _, src := range texts {
			whole, all, err := read(src, seam{})
			if err != nil {
				continue
			}
			for at := 1; at < len(src); at++ {
				from := seam{at, guess.state}
				r, first, err := read(src, from)
				if err != nil || r.tally.count != whole.tally.count || !slices.Equal(r.named, whole.named) || !slices.Equal(r.seams, whole.seams) {
					t.Fatalf("%s: with a guess at %d: %v, %d found, %v, %v\nwant %d, %v, %v, in\n%s", f.name, at, err,
						r.tally.count, r.named, r.seams, whole.tally.count, whole.named, whole.seams, src)
				}
				i := slices.IndexFunc(whole.seams, func(s stage) bool { return s.seam == from })
				switch {
				case i < 0 && first != all, i >= 0 && first != whole.seams[i].count:
					t.Fatalf("%s: with a guess at %d the first half is %d of %d, in\n%s", f.name, at, first, all, src)
				case i < 0:
					others++
				default:
					seams++
				}
			}
		}
		if seams < 20 || others < 20 {
			t.Errorf("%s: guessed %d seams, and %d other places", f.name, seams, others)
		}
	}
}

// Of a large text the second half is read ahead.
func TestGuess(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"php", "yaml"} {
		texts := seamTexts(t, name)
		src := texts[len(texts)-1]
		f, _ := formatNamed(name)
		whole := &seamed{src: src}
		if err := f.scan(src, seam{}, whole); err != nil {
			t.Fatal(err)
		}
		got := f.language.(divisible).guess(src, len(src)/2)
		if got.at < len(src)/2 || got.at > len(src)*3/4 || !slices.ContainsFunc(whole.seams, func(s tallied) bool { return s.seam == got }) {
			t.Errorf("%s: guessed %v, which is no seam", name, got)
		}
	}
}
