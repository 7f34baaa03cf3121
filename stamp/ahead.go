package stamp

import (
	"runtime"
	"sync/atomic"
)

// divisible is a language of which the second half of a text can be read while
// the first is.
type divisible interface {
	// guess returns a place at the offset or behind that looks like a seam from
	// there; the zero seam when none does.
	guess(src string, from int) seam
}

// aheadSize is how long a text is that is read by two processors: a shorter one is
// read before the second has begun. It is a variable for tests, which divide all.
var aheadSize = 128 << 10

// ahead is the reading of what follows from a place that may be a seam. Nobody
// knows before what precedes it is read: when that ends at just this seam, with
// the same state, what was found behind holds, and otherwise nothing of it does.
type ahead struct {
	*reading
	from     seam
	unwanted atomic.Bool // it is to end where it is
	failed   bool
	done     chan struct{} // closed when it has ended
}

// readAhead begins to read the second half, if that is of use.
func (r *reading) readAhead(lang language) {
	d, ok := lang.(divisible)
	if !ok || len(r.text) < aheadSize || runtime.GOMAXPROCS(0) == 1 {
		return
	}
	from := d.guess(r.text, len(r.text)/2)
	if from.at == 0 {
		return
	}
	rest := *r
	rest.seams, rest.summed = make([]stage, 0, cap(r.seams)), false
	a := &ahead{reading: &rest, from: from, done: make(chan struct{})}
	r.ahead = a
	go func() {
		defer close(a.done)
		if lang.scan(r.text, from, a) != nil {
			a.failed = true
		}
	}()
}

// again is not wanted: it would read the whole, for nothing.
func (a *ahead) again() bool {
	a.failed = true
	return false
}

func (a *ahead) seam(s seam) (next int) {
	if a.unwanted.Load() {
		return -1
	}
	if s.at == a.from.at { // which the first half tells of
		return s.at + seamDistance
	}
	return a.reading.seam(s)
}

// stop ends it, if it has not ended; what it reads is the caller's afterwards.
func (a *ahead) stop() {
	if a != nil {
		a.unwanted.Store(true)
		<-a.done
	}
}

// meet reports whether the text has been read to its end, now that it has been up
// to a seam: the rest ahead.
func (r *reading) meet(s seam) bool {
	a := r.ahead
	if a == nil || s.at < a.from.at {
		return false
	}
	r.ahead = nil
	if s != a.from {
		a.stop()
		return false
	}
	<-a.done
	if a.failed { // and is read once more for the error
		return false
	}
	count, named := r.tally.count, len(r.named)
	for _, l := range a.named {
		l.nth += count
		r.named = append(r.named, l)
	}
	for _, g := range a.seams {
		r.seams = append(r.seams, stage{g.seam, count + g.count, named + g.named})
	}
	r.tally.count += a.tally.count
	return true
}
