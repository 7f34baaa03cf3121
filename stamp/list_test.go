package stamp

import (
	"errors"
	"slices"
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
