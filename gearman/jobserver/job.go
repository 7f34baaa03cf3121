package jobserver

import (
	"bytes"
	"crypto/sha256"
	"iter"
	"strconv"
	"strings"
)

// A priority is a job's rank within its function, the most urgent first.
type priority uint8

const (
	high priority = iota
	normal
	low
	priorities
)

// A job is what a client submitted, from then until its end.
//
// Everything about it is guarded by the server's mutex. Its strings and its
// workload never change.
//
// There may be a million of them, which the collector has to go through: what
// can be told by one field has no second. One is 160 bytes, which is a size that
// the allocator has; the next is 176.
type job struct {
	number   uint64 // the handle's
	function *function
	key      string  // indexKey's
	reducer  *string // mostly nil
	workload []byte
	waiting  *waiter // the last of the clients in the foreground; nil for none

	worker *conn // who holds it
	lease  *lease
	place  link[*job] // in its function's queue, or among what its worker holds
	newer  *job       // of those with the same key, in whatever function
	older  *job
	index  int32 // in the schedule, when it is delayed

	retries                int32 // how often a worker lost it
	numerator, denominator uint32
	answers                int32 // due to clients of the background, when the store has it

	state    state
	priority priority
	storage  storage

	// background says that somebody wants the job done without waiting for it.
	// It only ever becomes true: a client that comes and goes takes nothing away.
	background bool
}

// A state is where a job is, as far as its worker and its place do not tell.
type state uint8

const (
	ready     state = iota // in its function's queue, or in a worker's hands
	delayed                // in the schedule
	unready                // new, and in no queue before the store has it
	parked                 // in no queue any longer, for the server that shuts down
	cancelled              // in a worker's hands, never to be put back; nobody is told of its end
)

// indexKey returns what a job of this unique and workload is found by: its unique,
// or for the unique "-" a NUL, which no other has, and the digest of its workload,
// if there is a workload. It needs no lock.
func indexKey(unique, workload []byte) []byte {
	switch {
	case string(unique) != "-":
		return unique
	case len(workload) == 0:
		return []byte{0}
	}
	sum := sha256.Sum256(workload)
	return append([]byte{0}, sum[:]...)
}

// indexed reports whether a job of that key can be found by it.
func indexed(key string) bool { return key != "" && key != "\x00" }

// coalesces reports whether a submit of that key may be for a job that there is.
func coalesces(key []byte) bool { return indexed(string(key)) && len(key) < maxUnique }

// unique returns the unique that the job was submitted with.
func (j *job) unique() string {
	if strings.HasPrefix(j.key, "\x00") {
		return "-"
	}
	return j.key
}

// reducerName returns what the job's results are for; "" for nothing.
func (j *job) reducerName() string {
	if j.reducer == nil {
		return ""
	}
	return *j.reducer
}

// wanted reports whether anybody still wants the job done.
func (j *job) wanted() bool {
	return j.state != cancelled && (j.background || j.waiting != nil || j.answers > 0)
}

// A waiter is one submit of a client that waits for a job in the foreground. It
// has a place in the ring of its job's, in their order, and among its client's.
type waiter struct {
	client     *conn
	job        *job
	prev, next *waiter
	place      link[*waiter]
}

// await adds c to the clients that wait for j.
func (j *job) await(c *conn) {
	w := &waiter{client: c, job: j}
	w.prev, w.next = w, w
	if last := j.waiting; last != nil {
		w.prev, w.next = last, last.next
		w.prev.next, w.next.prev = w, w
	}
	j.waiting = w
	c.waiting.pushBack(&w.place, w)
}

// dismiss takes w back.
func (w *waiter) dismiss() {
	w.prev.next, w.next.prev = w.next, w.prev
	switch j := w.job; {
	case w.next == w:
		j.waiting = nil
	case j.waiting == w:
		j.waiting = w.prev
	}
	w.place.remove()
}

// clients returns those that wait for j, each as often as it submitted, in their
// order.
func (j *job) clients() iter.Seq[*conn] {
	return func(yield func(*conn) bool) {
		if j.waiting == nil {
			return
		}
		for w := j.waiting.next; yield(w.client) && w != j.waiting; w = w.next {
		}
	}
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
