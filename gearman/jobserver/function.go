package jobserver

import (
	"slices"
	"time"
)

// A function is a name that jobs were submitted to or workers announced. It
// stays until it is dropped.
type function struct {
	name    string
	queues  [priorities]list[*job]
	delayed int // of its jobs; they count as queued with normal priority
	unready int // of its jobs
	running int
	workers int
	asleep  list[*ability] // workers to wake when a job comes
	limit   [priorities]int
}

// jobs returns how many jobs are submitted and not yet ended.
func (f *function) jobs() int {
	n := f.delayed + f.unready + f.running
	for i := range f.queues {
		n += f.queues[i].n
	}
	return n
}

// queued returns how many jobs of priority p wait.
func (f *function) queued(p priority) int {
	n := f.queues[p].n
	if p == normal {
		n += f.delayed
	}
	return n
}

// full reports whether maxqueue forbids one more job of priority p. As in
// gearmand the limit is a priority's own, but every job of the function counts.
func (f *function) full(p priority) bool {
	return f.limit[p] > 0 && f.jobs() >= f.limit[p]
}

// first returns the job to run next, nil when none waits.
func (f *function) first() *job {
	for i := range f.queues {
		if k := f.queues[i].front; k != nil {
			return k.of
		}
	}
	return nil
}

// An ability is one function that one worker announced.
type ability struct {
	function *function
	worker   *conn
	timeout  time.Duration // zero: a job may take as long as it takes
	asleep   link[*ability]
}

// ability returns what c announced of f, nil if it did not.
func (c *conn) ability(f *function) *ability {
	i := slices.IndexFunc(c.abilities, func(a *ability) bool { return a.function == f })
	if i < 0 {
		return nil
	}
	return c.abilities[i]
}
