package stamp

import (
	"slices"
	"sync"
)

// used keeps the memory of slices that grow with the file from one scan for the
// next: to make a change takes two, and memory that is touched for the first time
// is most of what a process of some milliseconds takes.
type used[T any] struct{ pool sync.Pool }

// slice returns an empty slice, which has room for n when it is new.
func (u *used[T]) slice(n int) []T {
	if s, ok := u.pool.Get().(*[]T); ok {
		return (*s)[:0]
	}
	return make([]T, 0, n)
}

// keep takes a slice that is not used any more.
func (u *used[T]) keep(s []T) { u.pool.Put(&s) }

var usedLiterals used[literal]

// twice appends to such a slice, and doubles it when it is full: append alone
// makes a large one larger by a quarter, again and again.
func twice[T any](all []T, one T) []T { return append(roomier(all), one) }

// roomier returns all with room for one more, and for as many again when there was
// none.
func roomier[T any](all []T) []T {
	if len(all) == cap(all) {
		all = slices.Grow(all, max(len(all), 64))
	}
	return all
}
