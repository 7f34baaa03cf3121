package release

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A site has all of the time that it is given: it is asked until that is over, and
// once more then.
func TestPersist(t *testing.T) {
	t.Parallel()
	errDown := errors.New("down")
	for name, c := range map[string]struct {
		within time.Duration
		up     time.Duration // from when on it works; 0 is never
		want   []time.Duration
		err    error
	}{
		"never":         {within: 350 * time.Millisecond, want: []time.Duration{0, 100, 300, 350}, err: errDown},
		"no time":       {want: []time.Duration{0}, err: errDown},
		"at the end":    {within: 350 * time.Millisecond, up: 350 * time.Millisecond, want: []time.Duration{0, 100, 300, 350}},
		"pauses end":    {within: 8 * time.Second, want: []time.Duration{0, 100, 300, 700, 1500, 3100, 5100, 7100, 8000}, err: errDown},
		"in the middle": {within: time.Minute, up: 200 * time.Millisecond, want: []time.Duration{0, 100, 300}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var tried []time.Duration
				n, err := persist(t.Context(), c.within, func() error {
					now := time.Since(began)
					tried = append(tried, now/time.Millisecond)
					if c.up > 0 && now >= c.up {
						return nil
					}
					return errDown
				})
				if err != c.err || n != len(tried) {
					t.Errorf("persist = %d, %v, want %d, %v", n, err, len(tried), c.err)
				}
				if diff := cmp.Diff(c.want, tried); diff != "" {
					t.Errorf("tried after so many milliseconds (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Who ends it is what is told.
func TestPersistCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("interrupted")
		time.AfterFunc(150*time.Millisecond, func() { cancel(why) })
		if n, err := persist(ctx, time.Minute, func() error { return errors.New("down") }); n != 2 || err != why {
			t.Errorf("persist = %d, %v, want 2, %v", n, err, why)
		}
	})
}
