package gitdir

import (
	"cmp"
	"math"
	"slices"
)

// Compare tells which commits lie on only one side of two: left, reachable from
// a but not from b, and right, reachable from b but not from a, both newest
// first. b is a fast-forward of a exactly when left is empty. Below the commits
// in cut history is not followed.
//
// That left is empty, or is not, is exact. Commits whose clocks ran backwards
// may be listed though the other side reaches them by a roundabout way.
func (o *Objects) Compare(a, b ID, cut map[ID]bool) (left, right []*Commit, err error) {
	w := walk{objects: o, cut: cut, sides: make(map[ID]side)}
	if err := w.mark(a, sideA); err != nil {
		return nil, nil, err
	}
	if err := w.mark(b, sideB); err != nil {
		return nil, nil, err
	}
	oldest := int64(math.MaxInt64) // of the one-sided commits
	var seen []*Commit
	for len(w.queue) > 0 && (w.single > 0 || w.queue[0].Committed >= oldest) {
		c := w.queue.pop()
		s := w.sides[c.ID]
		if s != both {
			w.single--
			oldest = min(oldest, c.Committed)
			seen = append(seen, c)
		}
		if cut[c.ID] {
			continue
		}
		for _, p := range c.Parents {
			if err := w.mark(p, s); err != nil {
				return nil, nil, err
			}
		}
	}
	slices.SortStableFunc(seen, func(x, y *Commit) int { return cmp.Compare(y.Committed, x.Committed) })
	listed := make(map[ID]bool)
	for _, c := range seen {
		if listed[c.ID] {
			continue
		}
		listed[c.ID] = true
		switch w.sides[c.ID] {
		case sideA:
			left = append(left, c)
		case sideB:
			right = append(right, c)
		}
	}
	return left, right, nil
}

type side byte

const (
	sideA side = 1 << iota
	sideB
	both = sideA | sideB
)

// walk paints history from two ends. A commit whose colour grows is queued
// again, so that its ancestors are repainted: dates only decide the order.
type walk struct {
	objects *Objects
	cut     map[ID]bool
	sides   map[ID]side
	queue   byDate
	single  int // queued commits of one colour when queued
}

func (w *walk) mark(id ID, s side) error {
	had := w.sides[id]
	if had|s == had {
		return nil
	}
	w.sides[id] = had | s
	if had != 0 && w.queue.has(id) {
		w.single-- // it waits, and will be popped with both colours
		return nil
	}
	c, err := w.objects.Commit(id)
	if err != nil {
		return err
	}
	if had|s != both {
		w.single++
	}
	w.queue.insert(c)
	return nil
}

// byDate is a list of commits, newest first; of equal ones, first come first.
type byDate []*Commit

func (q *byDate) insert(c *Commit) {
	at, _ := slices.BinarySearchFunc(*q, c.Committed, func(e *Commit, date int64) int {
		if e.Committed >= date {
			return -1
		}
		return 1
	})
	*q = slices.Insert(*q, at, c)
}

func (q *byDate) pop() *Commit {
	c := (*q)[0]
	*q = (*q)[1:]
	return c
}

func (q byDate) has(id ID) bool {
	return slices.ContainsFunc(q, func(c *Commit) bool { return c.ID == id })
}
