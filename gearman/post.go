package gearman

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"revstamp/gearman/wire"
)

// idleCheck is how long a worker sleeps at most before it asks for a job again,
// unwoken: a connection that died in silence is found so. Half of it is chance.
const idleCheck = time.Minute

// A post is a worker's place at one job server: one connection, on which it
// takes jobs and tells how they go.
//
//	CAN_DO for each function
//	wait for a free slot
//	GRAB_JOB_UNIQ → JOB_ASSIGN_UNIQ: the handler runs, go for the next slot
//	              → NO_JOB: PRE_SLEEP, wait for NOOP
//
// The handlers run beside this loop and the reading goroutine, so a slow one
// holds up neither.
type post struct {
	*stream
	w      *Worker
	server string

	grabbed  chan *Request // answers to GRAB_JOB_UNIQ, nil for NO_JOB
	noop     chan struct{} // capacity 1
	echo     chan struct{}
	asked    atomic.Int64 // GRAB_JOB_UNIQ and ECHO_REQ without an answer
	answered atomic.Bool  // the server has answered at least once

	jobs sync.WaitGroup // those that have not been answered
}

func newPost(w *Worker, server string, nc net.Conn) *post {
	p := &post{
		stream:  newStream(nc),
		w:       w,
		server:  server,
		grabbed: make(chan *Request, 1),
		noop:    make(chan struct{}, 1),
		echo:    make(chan struct{}, 1),
	}
	p.owed = func() bool { return p.asked.Load() > 0 }
	return p
}

// serve takes jobs until the connection is lost or the worker shut down.
func (p *post) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.start(p.receive, func(error) { cancel(ErrConnectionLost) })
	for _, f := range p.w.functions {
		if err := p.send(ctx, wire.CanDo, []byte(f.name)); err != nil {
			break // the stream has failed, which take sees
		}
	}
	p.take(ctx)
	p.drain(ctx)
	p.fail(errStreamClosed)
	<-p.done
	return p.failure()
}

// take takes jobs until there is a reason to stop.
func (p *post) take(ctx context.Context) {
	for !p.w.stopping() {
		select {
		case p.w.slots <- struct{}{}:
		case <-p.w.stop:
			return
		case <-p.done:
			return
		}
		j, err := p.grab(ctx)
		if j != nil {
			p.begin(ctx, j)
			continue
		}
		<-p.w.slots
		if err != nil || p.sleep(ctx) != nil {
			return
		}
	}
}

// grab asks for a job. Both results are nil when there is none.
func (p *post) grab(ctx context.Context) (*Request, error) {
	p.asked.Add(1)
	if err := p.send(ctx, wire.GrabJobUniq); err != nil {
		return nil, err
	}
	select {
	case j := <-p.grabbed:
		return j, nil
	case <-p.done:
		return nil, p.failure()
	}
}

// sleep waits until the server has work, it is time to ask again, or there is a
// reason to stop, which is no error when it is the worker's.
func (p *post) sleep(ctx context.Context) error {
	if err := p.send(ctx, wire.PreSleep); err != nil {
		return err
	}
	t := time.NewTimer(idleCheck/2 + rand.N(idleCheck/2))
	defer t.Stop()
	select {
	case <-p.noop:
	case <-t.C:
	case <-p.w.stop:
	case <-p.done:
		return p.failure()
	}
	return nil
}

// begin runs a job, for which a slot is held until its handler has returned.
func (p *post) begin(ctx context.Context, j *Request) {
	p.jobs.Add(1)
	p.w.running.Go(func() {
		started := time.Now()
		d, returned := p.w.run(ctx, j)
		j.over.Store(true)
		p.end(ctx, j, d, started)
		p.jobs.Done()
		<-returned
		<-p.w.slots
	})
}

// end reports and then tells the job server how the job ended, unless it is the
// server's again.
func (p *post) end(ctx context.Context, j *Request, d done, started time.Time) {
	if ctx.Err() != nil {
		return
	}
	d = d.fitting(j)
	r := Report{
		Unique: j.Unique, Server: j.Server, Handle: j.Handle, Function: j.Function,
		Outcome: Succeeded, ExitStatus: j.ExitStatus, Output: j.Output,
		Started: started.UTC(), Ended: time.Now().UTC(),
	}
	if d.err != nil {
		r.Outcome = Failed
		if p.w.Failed != nil {
			p.w.Failed(r, d.err)
		}
		if len(r.Output) == 0 {
			r.Output = strings.Split(d.err.Error(), "\n")
		}
	}
	err := p.w.report(ctx, j, r)
	if err == nil {
		err = p.answer(j, d)
	}
	if err != nil {
		p.w.logger().Warn("end of job not told", "server", j.Server, "handle", j.Handle, "error", err)
	}
}

// fitting is d, or that it has more to say than goes into a packet.
func (d done) fitting(j *Request) done {
	var exception *ExceptionError
	var err error
	switch {
	case d.err == nil:
		err = checkSize("result", len(j.Handle), len(d.result))
	case errors.As(d.err, &exception):
		err = checkSize("exception", len(j.Handle), len(exception.Data))
	}
	if err != nil {
		return done{err: err}
	}
	return d
}

// answer sends the one packet that ends a job.
func (p *post) answer(j *Request, d done) error {
	var exception *ExceptionError
	switch {
	case d.err == nil:
		return p.work(wire.WorkComplete, j.Handle, d.result)
	case errors.As(d.err, &exception):
		return p.work(wire.WorkException, j.Handle, exception.Data)
	}
	return p.work(wire.WorkFail, j.Handle)
}

// work sends a packet about a job. It waits for nothing but room, and the
// stream's end, which a server that takes nothing brings about, makes room.
func (p *post) work(t wire.Type, handle string, args ...[]byte) error {
	return p.send(context.Background(), t, append([][]byte{[]byte(handle)}, args...)...)
}

// drain waits until every job has been answered and the server has seen it: a
// connection closed at once can take the last answer with it. It does not wait
// once the connection is lost or ctx done.
func (p *post) drain(ctx context.Context) {
	answered := make(chan struct{})
	p.w.running.Go(func() {
		p.jobs.Wait()
		close(answered)
	})
	select {
	case <-answered:
	case <-ctx.Done():
		return
	}
	p.asked.Add(1)
	if p.send(ctx, wire.EchoReq, nil) != nil {
		return
	}
	select {
	case <-p.echo:
	case <-ctx.Done():
	}
}

// receive is called by the stream for each packet.
func (p *post) receive(packet wire.Packet) error {
	p.answered.Store(true)
	switch packet.Type {
	case wire.Noop:
		select {
		case p.noop <- struct{}{}:
		default:
		}
		return nil
	case wire.Error:
		// No request of a worker is answered so, except for a job that is not
		// its own any longer.
		p.w.logger().Info("job server refused", "server", p.server, "code", string(packet.Args[0]), "text", string(packet.Args[1]))
		return nil
	}
	if p.asked.Add(-1) < 0 {
		return fmt.Errorf("%s came unasked", packet.Type)
	}
	switch packet.Type {
	case wire.NoJob:
		p.grabbed <- nil
	case wire.JobAssignUniq:
		p.grabbed <- p.newRequest(packet.Args)
	case wire.EchoRes:
		p.echo <- struct{}{}
	default:
		return fmt.Errorf("%s came to a worker", packet.Type)
	}
	return nil
}

func (p *post) newRequest(args [][]byte) *Request {
	return &Request{
		Server:   p.server,
		Handle:   string(args[0]),
		Function: string(args[1]),
		Unique:   string(args[2]),
		Workload: bytes.Clone(args[3]),
		post:     p,
	}
}
