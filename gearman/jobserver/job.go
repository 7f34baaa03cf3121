package jobserver

import (
	"bytes"
	"slices"
	"strconv"
)

// A priority is a job's rank within its function, the most urgent first.
type priority uint8

const (
	high priority = iota
	normal
	low
	priorities
)

// A job is what a client submitted, from then until its end. It is queued,
// delayed, held by a worker, unready or parked; which, its fields tell.
//
// Everything about it is guarded by the server's mutex. Its strings and its
// workload never change.
//
// There may be a million of them, which the collector has to go through: what
// can be told by one field has no second.
type job struct {
	number   uint64 // the handle's
	function *function
	unique   string
	coalesce string // the key, within the function, under which an equal submit finds the job
	reducer  string
	workload []byte
	waiting  []*conn // clients in the foreground, each as often as it submitted

	worker *conn // who holds it
	lease  *lease
	place  link[*job] // in its function's queue, or among what its worker holds
	newer  *job       // of those with the same unique, in whatever function
	older  *job
	due    int64 // Unix time, zero unless it is delayed
	index  int32 // in the heap of delayed jobs

	retries                int32 // how often a worker lost it
	numerator, denominator uint32

	priority priority
	storage  storage
	answers  int32 // due to clients of the background, when the store has it

	unready bool // new, and in no queue before the store has it
	parked  bool // in no queue any longer, for the server that shuts down

	// background says that somebody wants the job done without waiting for it.
	// It only ever becomes true: a client that comes and goes takes nothing away.
	background bool
	cancelled  bool // while held: never to be put back, and nobody is told of its end
}

// wanted reports whether anybody still wants the job done.
func (j *job) wanted() bool {
	return !j.cancelled && (j.background || len(j.waiting) > 0 || j.answers > 0)
}

// dismiss forgets c as a client that waits for j.
func (j *job) dismiss(c *conn) {
	j.waiting = slices.DeleteFunc(j.waiting, func(w *conn) bool { return w == c })
}

// parseHandle returns the job number of a handle under the server's prefix. Only
// the very text that appendHandle writes is a handle.
func parseHandle(prefix string, handle []byte) (uint64, bool) {
	digits, ok := bytes.CutPrefix(handle, []byte(prefix))
	if !ok || len(digits) == 0 || len(digits) > 19 || digits[0] == '0' || digits[0] == '+' {
		return 0, false
	}
	var n uint64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = 10*n + uint64(d-'0')
	}
	return n, true
}

func appendHandle(dst []byte, prefix string, number uint64) []byte {
	return strconv.AppendUint(append(dst, prefix...), number, 10)
}
