package gearman

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"revstamp/gearman/wire"
)

// MaxUnique is the longest unique key, and the longest handle that may be asked
// for, in bytes. gearmand 1.1.20 refuses a longer unique, but takes one of 64
// bytes, never coalesces it, and gives no answer at all to a status request
// for it or for a handle of that length.
const MaxUnique = 63

// Priority is a task's place in its function's queue.
type Priority int

// A worker is given jobs of High before Normal before Low.
const (
	Normal Priority = iota
	High
	Low
)

// A Task is work to be submitted.
type Task struct {
	// Function names who can do it: any text without NUL but the empty one.
	Function string

	// Unique makes submissions of the same function with the same Unique one
	// job while that is queued or running: the job server answers with the
	// handle it has. It also chooses among several job servers. Empty never
	// coalesces; "-" coalesces by workload, on the job server's side. At most
	// MaxUnique bytes without NUL.
	Unique string

	// Workload is given to the worker as it is. It must not be changed before
	// the call that was given the Task returns. With Function and Unique it is at
	// most 64 MiB, wire.DefaultMaxSize: more is wire.ErrTooLarge.
	Workload []byte

	// Priority is Normal, High or Low.
	Priority Priority

	// At is when the job may begin, at the next whole second. The zero time is at
	// once.
	// Only for background tasks of Normal priority; gearmand has it.
	At time.Time

	// OnEvent is called by Do with what the worker sends before the end, in
	// order and from Do's own goroutine, so that it may take its time. Nil
	// drops it. Background tasks have no events.
	OnEvent func(Event)
}

// An Event is what a worker sends about a running job.
type Event struct {
	Kind        EventKind
	Data        []byte // of Data and Warning; the receiver's own
	Numerator   int    // of Progress
	Denominator int
}

// EventKind tells what an Event is.
type EventKind int

// The kinds of events, named for what WORK_DATA, WORK_WARNING and WORK_STATUS
// bring.
const (
	Data EventKind = iota
	Warning
	Progress
)

// A Job is where a task went. Handles are counted from the job server's start,
// so a Job means something only until that server is restarted; across restarts
// the unique key names it.
type Job struct {
	Server string // as in Client.Servers
	Handle string
}

// A Result is what a foreground job ended with.
type Result struct {
	Job  Job
	Data []byte // of WORK_COMPLETE
}

// Status is what a job server tells about a job.
type Status struct {
	// Known is whether the job is queued or running. A background job that
	// succeeded, one that failed and one that never was are all unknown.
	Known bool `json:"known"`

	// Running is whether a worker has it.
	Running bool `json:"running"`

	// Numerator and Denominator are what the worker last said of its progress,
	// 0 and 0 before.
	Numerator   int `json:"numerator"`
	Denominator int `json:"denominator"`

	// Waiting counts the clients that wait for the job. Only StatusUnique
	// tells it.
	Waiting int `json:"waiting,omitempty"`
}

// submitTypes are the requests by priority: foreground and background.
var submitTypes = map[Priority][2]wire.Type{
	Normal: {wire.SubmitJob, wire.SubmitJobBg},
	High:   {wire.SubmitJobHigh, wire.SubmitJobHighBg},
	Low:    {wire.SubmitJobLow, wire.SubmitJobLowBg},
}

// check refuses what a job server would answer with silence or confusion.
func (t *Task) check() error {
	if t.Function == "" {
		return errors.New("task without a function")
	}
	if strings.IndexByte(t.Function, 0) >= 0 {
		return fmt.Errorf("function %q holds a NUL", t.Function)
	}
	if t.Priority < Normal || t.Priority > Low {
		return fmt.Errorf("priority %d is none", t.Priority)
	}
	if !t.At.IsZero() && t.Priority != Normal {
		return errors.New("a delayed task has no priority")
	}
	when := 0
	if !t.At.IsZero() {
		when = len(strconv.FormatInt(t.due(), 10)) + 1
	}
	if err := checkSize("task", when+len(t.Function), len(t.Unique), len(t.Workload)); err != nil {
		return err
	}
	return checkKey("unique", t.Unique)
}

// checkSize refuses what, in a packet with arguments of these sizes, whoever is to
// receive it would end the connection for. A worker's job would be queued again
// with that, and be done for ever.
func checkSize(what string, sizes ...int) error {
	total := len(sizes) - 1 // the NULs between them
	for _, n := range sizes {
		total += n
	}
	if total > wire.DefaultMaxSize {
		return fmt.Errorf("%s of %d bytes: %w: at most %d", what, sizes[len(sizes)-1], wire.ErrTooLarge, wire.DefaultMaxSize)
	}
	return nil
}

// due is At in the protocol's whole seconds, and not before it.
func (t *Task) due() int64 {
	due := t.At.Unix()
	if t.At.Nanosecond() > 0 {
		due++
	}
	return due
}

func checkKey(what, key string) error {
	if len(key) > MaxUnique {
		return fmt.Errorf("%s %q has %d bytes, more than %d", what, key, len(key), MaxUnique)
	}
	if strings.IndexByte(key, 0) >= 0 {
		return fmt.Errorf("%s %q holds a NUL", what, key)
	}
	return nil
}

// checkKeyGiven is checkKey for a key that may not be empty.
func checkKeyGiven(what, key string) error {
	if key == "" {
		return fmt.Errorf("empty %s", what)
	}
	return checkKey(what, key)
}

// number reads a count as workers send it. The protocol names no grammar: what
// is no number counts as 0, and of a fraction the whole part is taken.
func number(arg []byte) int {
	n, err := strconv.Atoi(string(arg))
	if err != nil {
		f, _ := strconv.ParseFloat(string(arg), 64)
		n = int(f)
	}
	return n
}

// clean drops the NUL that gearmand 1.1.20 puts behind the handle in the
// WORK_FAIL it makes of a WORK_EXCEPTION.
func clean(handle []byte) []byte {
	if n := len(handle); n > 0 && handle[n-1] == 0 {
		return handle[:n-1]
	}
	return handle
}
