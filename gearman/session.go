package gearman

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"revstamp/gearman/wire"
)

// sendAhead is how many bytes of a batch are made before they are sent.
const sendAhead = 64 << 10

// A receiver takes the answers to requests. The session calls it from its
// reading goroutine, so it must not block, exactly once for each request: with
// the packet that answers it, a *ServerError, or the error that ended the
// connection. p's arguments are valid during the call. The error it returns
// ends the connection.
type receiver interface {
	answer(index int, p wire.Packet, err error) error
}

// pending is a request whose answer has not come.
type pending struct {
	to    receiver
	index int       // the receiver's own
	start int64     // where the request begins in what the stream sends
	want  wire.Type // of the answer, unless that is ERROR
}

// A session is a client's connection to one job server. Answers come in the
// order of requests; packets about foreground jobs come by handle, at any time.
type session struct {
	*stream
	server string

	// Guarded by the stream's mu.
	waiting    []pending // requests the reading goroutine has not taken over
	asked      int64     // requests ever made
	exceptions bool      // the option was asked for

	answered atomic.Int64 // answers ever received

	// Of who reads.
	turn []pending // requests taken over, in order
	at   int       // the next of them to be answered
	jobs map[string]*watchers
}

// watchers are the foreground tasks of one handle: several, when submissions
// coalesced. The server then sends each packet once for each of them.
type watchers struct {
	tasks []*foreground
	next  int // whose copy comes next
}

func newSession(server string, s *stream) *session {
	x := &session{stream: s, server: server, jobs: map[string]*watchers{}}
	s.owed = func() bool { return x.asked != x.answered.Load() }
	s.quiet = func() bool { return !s.owed() && len(x.jobs) == 0 }
	return x
}

// run starts the session; lost is called when it has ended and every request
// has been answered.
func (x *session) run(lost func(error)) {
	x.start(x.receive, func(err error) {
		x.end(err)
		lost(err)
	})
}

// request lets send queue a request, with mu held, and has it sent. If the caller is
// to read the answer by himself, he gets the right to.
func (x *session) request(ctx context.Context, send func(*session) error) (*visit, error) {
	if err := x.enter(ctx); err != nil {
		return nil, x.unsent(ctx, err)
	}
	err := send(x)
	return x.leave(err == nil && x.asked-x.answered.Load() == 1), err
}

// enter is lock for who makes a request: it does not let him send one to a server
// that has hung up, whether or not whoever reads has seen that yet. What came before
// the end is received first.
func (x *session) enter(ctx context.Context) error {
	for {
		err := x.lock(ctx)
		if err != nil || x.raw == nil || x.owed() || !x.hungUp() {
			return err
		}
		x.recall()
		x.mu.Unlock()
		select {
		case <-x.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// requestAll lets queue queue n requests, as many at a time as are worth a write:
// while that is under way the next are made. What cannot be sent is answered so.
func (x *session) requestAll(ctx context.Context, to receiver, n int, queue func(at int) error) {
	for at := 0; at < n; {
		err := x.enter(ctx)
		if err != nil {
			err = x.unsent(ctx, err)
			for ; at < n; at++ {
				to.answer(at, wire.Packet{}, err)
			}
			return
		}
		for enough := len(x.out) + sendAhead; at < n && len(x.out) < enough; at++ {
			if err := queue(at); err != nil {
				to.answer(at, wire.Packet{}, err)
			}
		}
		x.leave(false)
	}
}

// ask queues one request, with mu held.
func (x *session) ask(to receiver, index int, want, t wire.Type, args ...[]byte) error {
	start := x.queued
	if err := x.queue(t, args...); err != nil {
		return err
	}
	x.waiting = append(x.waiting, pending{to, index, start, want})
	x.asked++
	return nil
}

// submitForeground queues a foreground task, and before the first of them on
// this connection the request for exceptions: without it gearmand makes a
// WORK_FAIL of each. mu is held.
func (x *session) submitForeground(task *foreground, t *Task) error {
	if !x.exceptions {
		x.exceptions = true
		if err := x.ask(unread{}, 0, wire.OptionRes, wire.OptionReq, []byte("exceptions")); err != nil {
			return err
		}
	}
	return x.ask(task, 0, wire.JobCreated, submitTypes[t.Priority][0],
		[]byte(t.Function), []byte(t.Unique), t.Workload)
}

// submitBackground queues a background task, with mu held.
func (x *session) submitBackground(to receiver, index int, t *Task) error {
	if t.At.IsZero() {
		return x.ask(to, index, wire.JobCreated, submitTypes[t.Priority][1],
			[]byte(t.Function), []byte(t.Unique), t.Workload)
	}
	return x.ask(to, index, wire.JobCreated, wire.SubmitJobEpoch,
		[]byte(t.Function), []byte(t.Unique), strconv.AppendInt(nil, t.due(), 10), t.Workload)
}

// unread receives an answer nobody needs.
type unread struct{}

func (unread) answer(int, wire.Packet, error) error { return nil }

// unsent marks the error of enter, unless it is the caller's own.
func (x *session) unsent(ctx context.Context, err error) error {
	if ctx.Err() != nil && err == ctx.Err() {
		return err
	}
	return &unsentError{err}
}

// receive is called by the stream for each packet.
func (x *session) receive(p wire.Packet) error {
	switch p.Type {
	case wire.WorkData, wire.WorkWarning, wire.WorkStatus,
		wire.WorkComplete, wire.WorkFail, wire.WorkException:
		x.work(p)
		return nil
	}
	call, ok := x.shift()
	if !ok {
		return fmt.Errorf("%s came unasked", p.Type)
	}
	x.answered.Add(1)
	switch p.Type {
	case call.want:
		if task, ok := call.to.(*foreground); ok {
			x.watch(string(p.Args[0]), task)
		}
		return call.to.answer(call.index, p, nil)
	case wire.Error:
		return call.to.answer(call.index, p, &ServerError{string(p.Args[0]), string(p.Args[1])})
	}
	err := fmt.Errorf("%s came where %s was due", p.Type, call.want)
	call.to.answer(call.index, p, err)
	return err
}

// shift takes the request whose turn it is. It takes over all that wait at
// once, so that mu is held once for many answers.
func (x *session) shift() (pending, bool) {
	if x.at == len(x.turn) {
		clear(x.turn)
		x.mu.Lock()
		x.turn, x.waiting, x.at = x.waiting, x.turn[:0], 0
		x.mu.Unlock()
	}
	if x.at == len(x.turn) {
		return pending{}, false
	}
	x.at++
	return x.turn[x.at-1], true
}

// watch registers a foreground task before the next packet is read: a fast
// worker's WORK_COMPLETE may be that packet.
func (x *session) watch(handle string, task *foreground) {
	w := x.jobs[handle]
	if w == nil {
		w = &watchers{}
		x.jobs[handle] = w
	}
	w.tasks = append(w.tasks, task)
}

// work hands a packet about a foreground job to the task whose copy it is.
// Packets about other jobs are of tasks given up in the meantime.
func (x *session) work(p wire.Packet) {
	handle := clean(p.Args[0])
	w := x.jobs[string(handle)]
	if w == nil {
		return
	}
	if ended := w.tasks[w.next].work(p); !ended {
		w.next = (w.next + 1) % len(w.tasks)
		return
	}
	w.tasks = append(w.tasks[:w.next], w.tasks[w.next+1:]...)
	if len(w.tasks) == 0 {
		delete(x.jobs, string(handle))
	} else {
		w.next %= len(w.tasks)
	}
}

// end answers every request and ends every task with err.
func (x *session) end(err error) {
	for {
		call, ok := x.shift()
		if !ok {
			break
		}
		lost := fmt.Errorf("connection lost before the answer: %w", err)
		if call.start >= x.written {
			lost = &unsentError{err}
		}
		call.to.answer(call.index, wire.Packet{}, lost)
	}
	for _, w := range x.jobs {
		for _, task := range w.tasks {
			task.end(nil, fmt.Errorf("connection lost before the job's end: %w", err))
		}
	}
}
