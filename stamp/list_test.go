package stamp

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// What List shows can be typed as a key, and the positions are those of Find.
func TestListNamesWhatFindFinds(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range goldenCases(t) {
		format := c.target.Format
		if format == "" {
			format, _ = FormatOf(c.target.File)
		}
		if format == plainFormat || format == "" || c.in == nil || seen[format+string(c.in)] {
			continue
		}
		seen[format+string(c.in)] = true
		entries, err := List(c.target.File, format, c.in)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%s: List: %v", c.name, err)
			}
			continue
		}
		for _, e := range entries {
			values, err := Target{File: c.target.File, Format: format, Key: e.Key, All: true}.Find(c.in)
			if e.Refused != "" {
				var refused *Error
				if !errors.As(err, &refused) || refused.Kind != NotALiteral {
					t.Errorf("%s: Find(%s) = %v, %v, want %s", c.name, e.Key, values, err, NotALiteral)
				}
				continue
			}
			at := func(v Value) bool { return v.Line == e.Line && v.Column == e.Column && v.Type == e.Type }
			var refused *Error
			if !slices.ContainsFunc(values, at) && !(errors.As(err, &refused) && refused.Kind == NotALiteral) {
				t.Errorf("%s: Find(%s) = %v, %v, want one at %d:%d", c.name, e.Key, values, err, e.Line, e.Column)
			}
		}
	}
	if len(seen) < len(formats) {
		t.Errorf("only %d inputs listed", len(seen))
	}
}

// A walker tells what position tells, in whatever order it is asked.
func TestWalker(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, src := range []string{"", "\n", bom, bom + "a\n\nb", "é\r\nüß\n日本\n", "\xe9\n\xfcx", strings.Repeat("ab\n", 20)} {
		var places []int
		for i := range src + "." {
			places = append(places, i)
		}
		at := newWalker(src)
		for n := range 3 * len(places) {
			offset := places[n%len(places)]
			if n >= 2*len(places) {
				offset = places[rng.IntN(len(places))]
			}
			line, column := at.position(offset)
			if wantLine, wantColumn := position([]byte(src), offset); line != wantLine || column != wantColumn {
				t.Errorf("%q at %d: %d:%d, want %d:%d", src, offset, line, column, wantLine, wantColumn)
			}
		}
	}
}
