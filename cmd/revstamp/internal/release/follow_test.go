package release

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// warnings keeps what it is warned of.
type warnings struct {
	silent
	told []string
}

func (w *warnings) Warn(format string, args ...any) {
	w.told = append(w.told, fmt.Sprintf(format, args...))
}

// TestTrouble tells of each trouble once, and of no job server that it is silent
// when something else is wrong.
func TestTrouble(t *testing.T) {
	t.Parallel()
	quiet := errors.Join(&silentError{"a:4730", errors.New("refused")})
	full := errors.Join(errors.New("journal: disk full"))
	const asked, tried = "refused: asked again until it answers", "journal: disk full: tried again"
	for _, c := range []struct {
		name string
		errs []error // as they follow each other
		want []string
	}{
		{"none", []error{nil, nil}, nil},
		{"silent", []error{quiet, quiet, nil, quiet}, []string{asked, asked}},
		{"other", []error{full, full}, []string{tried}},
		{"silent after other", []error{full, quiet}, []string{tried, asked}},
		{"other after silent", []error{quiet, full}, []string{asked, tried}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := &warnings{}
			s := followStep{&followed{site: &Site{Observer: w}}}
			var before error
			for _, now := range c.errs {
				s.trouble(before, now)
				before = now
			}
			if diff := cmp.Diff(c.want, w.told); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}
