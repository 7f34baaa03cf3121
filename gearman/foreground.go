package gearman

import (
	"bytes"
	"context"
	"sync"

	"revstamp/gearman/wire"
)

// A foreground is a task whose end somebody waits for. The session's reading
// goroutine fills it; events gather here, so that a slow OnEvent holds up
// nobody else.
type foreground struct {
	server, function string
	wake             chan struct{} // capacity 1

	mu     sync.Mutex
	keep   bool // events are wanted
	job    Job
	events []Event
	ended  bool
	data   []byte
	err    error
}

func newForeground(server string, t *Task) *foreground {
	return &foreground{
		server:   server,
		function: t.Function,
		wake:     make(chan struct{}, 1),
		keep:     t.OnEvent != nil,
	}
}

// wait calls onEvent for each event until the task has ended or ctx is done.
func (f *foreground) wait(ctx context.Context, onEvent func(Event)) (Result, error) {
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			f.mu.Lock()
			f.keep, f.events = false, nil
			f.mu.Unlock()
			return Result{}, ctx.Err()
		}
		f.mu.Lock()
		events, ended := f.events, f.ended
		f.events = nil
		f.mu.Unlock()
		for _, e := range events {
			onEvent(e)
		}
		if ended {
			return Result{f.job, f.data}, f.err
		}
	}
}

// answer takes the answer to the submission.
func (f *foreground) answer(_ int, p wire.Packet, err error) error {
	if err != nil {
		f.end(nil, err)
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.job = Job{f.server, string(p.Args[0])}
	return nil
}

// work takes a packet about the job and reports whether it was the last.
func (f *foreground) work(p wire.Packet) (ended bool) {
	switch p.Type {
	case wire.WorkData:
		f.event(Event{Kind: Data, Data: p.Args[1]})
	case wire.WorkWarning:
		f.event(Event{Kind: Warning, Data: p.Args[1]})
	case wire.WorkStatus:
		f.event(Event{Kind: Progress, Numerator: number(p.Args[1]), Denominator: number(p.Args[2])})
	case wire.WorkComplete:
		f.end(bytes.Clone(p.Args[1]), nil)
		return true
	case wire.WorkFail:
		f.end(nil, &FailedError{f.job, f.function})
		return true
	case wire.WorkException:
		// gearmand ends the job with it: no WORK_FAIL follows.
		f.end(nil, &ExceptionError{f.job, f.function, bytes.Clone(p.Args[1])})
		return true
	}
	return false
}

func (f *foreground) event(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.keep {
		return
	}
	e.Data = bytes.Clone(e.Data)
	f.events = append(f.events, e)
	f.signal()
}

func (f *foreground) end(data []byte, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended, f.data, f.err = true, data, err
	f.signal()
}

func (f *foreground) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
