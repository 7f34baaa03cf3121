package gearman

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"

	"revstamp/gearman/wire"
)

// A Handler does jobs. ServeJob returns the job's result, which becomes
// WORK_COMPLETE, or an error: an *ExceptionError becomes WORK_EXCEPTION with its
// Data, every other error, and a panic, WORK_FAIL.
//
// ctx is done when the function's timeout has passed, when the connection that
// brought the job is lost (the job server then gives the job to somebody else),
// and when the worker is shut down for good; context.Cause tells which. ServeJob
// is called from several goroutines at once when the worker's Concurrency allows.
type Handler interface {
	ServeJob(ctx context.Context, j *Request) ([]byte, error)
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, j *Request) ([]byte, error)

// ServeJob calls f.
func (f HandlerFunc) ServeJob(ctx context.Context, j *Request) ([]byte, error) { return f(ctx, j) }

var errJobOver = errors.New("job is over")

// A Request is a job given to a Handler, whose own it is. Its methods may be
// called from several goroutines until ServeJob returns. Those of a Request that
// no Worker made have nobody to tell anything and do nothing.
type Request struct {
	Server   string // which gave it, as in Worker.Servers
	Handle   string
	Function string
	Unique   string
	Workload []byte

	// ExitStatus and Output are for the Handler to set before it returns: what
	// the report tells besides the outcome. The error's text stands in for an
	// empty Output.
	ExitStatus int
	Output     []string

	post *post
	over atomic.Bool
}

// Progress tells the job server that n of d are done, for everybody who asks for
// the job's status or waits for it.
func (j *Request) Progress(n, d int) error {
	return j.send(wire.WorkStatus, strconv.AppendInt(nil, int64(n), 10), strconv.AppendInt(nil, int64(d), 10))
}

// Data sends a part of the result to the clients that wait: at most 64 MiB, as with
// all that a Handler sends or returns. More is wire.ErrTooLarge here, and the end of
// a job that returns it is WORK_FAIL.
func (j *Request) Data(b []byte) error { return j.send(wire.WorkData, b) }

// Warning sends a warning to the clients that wait.
func (j *Request) Warning(b []byte) error { return j.send(wire.WorkWarning, b) }

func (j *Request) send(t wire.Type, args ...[]byte) error {
	if j.over.Load() {
		return errJobOver
	}
	if j.post == nil {
		return nil
	}
	if err := checkSize(t.String(), len(j.Handle), len(args[0])); err != nil {
		return err
	}
	return j.post.work(t, j.Handle, args...)
}
