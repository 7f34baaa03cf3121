package jobserver

import (
	"iter"
	"maps"
	"slices"
)

// pageSize is how many jobs share a page: a job that stays when all that came
// with it have ended holds on to a page of 2 KiB.
const pageSize = 256

// A table holds jobs by their numbers. Those are given out one after the other,
// so that pages of an array serve better than one large map: submits to a growing
// queue take a third less time. The zero table is empty.
type table struct {
	pages map[uint64]*page
	last  *page // the page jobs were last added to
	at    uint64
	n     int
}

type page struct {
	jobs [pageSize]*job
	n    int
}

func (t *table) add(j *job) {
	if at := j.number / pageSize; t.last == nil || t.at != at {
		if t.pages == nil {
			t.pages = map[uint64]*page{}
		}
		if t.pages[at] == nil {
			t.pages[at] = new(page)
		}
		t.last, t.at = t.pages[at], at
	}
	t.last.jobs[j.number%pageSize] = j
	t.last.n++
	t.n++
}

// get returns the job of that number, nil if there is none.
func (t *table) get(number uint64) *job {
	if p := t.pages[number/pageSize]; p != nil {
		return p.jobs[number%pageSize]
	}
	return nil
}

// remove removes j, which is in t.
func (t *table) remove(j *job) {
	at := j.number / pageSize
	p := t.pages[at]
	p.jobs[j.number%pageSize] = nil
	p.n--
	t.n--
	if p.n > 0 {
		return
	}
	delete(t.pages, at)
	if t.last == p {
		t.last = nil
	}
}

// all returns the jobs in the order of their numbers.
func (t *table) all() iter.Seq[*job] {
	return func(yield func(*job) bool) {
		for _, at := range slices.Sorted(maps.Keys(t.pages)) {
			for _, j := range t.pages[at].jobs {
				if j != nil && !yield(j) {
					return
				}
			}
		}
	}
}
