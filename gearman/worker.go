package gearman

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const (
	// timeoutGrace is what a handler whose timeout has passed is given to
	// return by itself.
	timeoutGrace = 5 * time.Second

	// A worker that lost its job server comes back after 0.4 to 0.8 s at the
	// soonest, for thousands may have lost it with him, and after at most 30 s.
	reconnectFailures = 4
	reconnectDelay    = 30 * time.Second
)

var (
	// ErrWorkerClosed is what Serve returns after Shutdown.
	ErrWorkerClosed = errors.New("gearman worker closed")

	// ErrTimeout is the context.Cause of a job whose function's timeout passed.
	ErrTimeout = errors.New("job timed out")

	// ErrConnectionLost is the context.Cause of a job whose connection is lost.
	ErrConnectionLost = errors.New("connection to the job server lost")
)

// A Worker takes jobs from job servers and hands them to Handlers. Set the
// fields and call Handle before Serve; a Worker serves once.
type Worker struct {
	// Servers are the job servers to take jobs from, each host:port, the port
	// being 4730 when there is none. The worker has a connection to each and
	// comes back to one that was lost.
	Servers []string

	// Concurrency is how many handlers run at once, over all servers; zero
	// means one. A handler counts until it returns, whatever became of its job.
	Concurrency int

	// Dial, TLS and Logger are as in Client. Logger is also told of panics and
	// of reports that were not accepted.
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS    *tls.Config
	Logger *slog.Logger

	// Report names the function that is to be told the outcome of the job of a
	// unique key, if any. The end of such a job is acknowledged only when its
	// Report is queued, so keep that function's queue open. Reports have a
	// connection of their own to each server. Nil reports nothing.
	Report func(unique string) (function string, ok bool)

	// Failed is told of each job whose handler returned an error, before the job
	// server is; it is called from several goroutines. Nil tells nobody.
	Failed func(r Report, err error)

	functions []function
	reports   *Client
	slots     chan struct{}  // one for each handler that may run
	running   sync.WaitGroup // handlers

	mu      sync.Mutex
	serving bool
	stop    chan struct{} // closed: take no more jobs
	abort   chan struct{} // closed: give back those that run
	ended   chan struct{} // closed: Serve has nothing left but handlers
}

// function is what Handle was told.
type function struct {
	name    string
	timeout time.Duration
	handler Handler
}

// Handle makes h the handler of a function. A timeout above zero is how long one
// job may take: when it has passed the handler's context is done, and if it does
// not return within five seconds more its job is failed without it. The worker
// alone keeps time; CAN_DO_TIMEOUT is not used, because gearmand 1.1.20 mistakes
// jobs for each other when one runs out.
//
// A job server serves the functions in the order of the calls to Handle: as long
// as there are jobs for an earlier one, whatever their priority, the later ones
// wait.
//
// Handle panics when the name is empty, holds a NUL or has a handler already, and
// when h is nil.
func (w *Worker) Handle(name string, timeout time.Duration, h Handler) {
	if name == "" || strings.IndexByte(name, 0) >= 0 {
		panic(fmt.Sprintf("gearman: function name %q", name))
	}
	if h == nil {
		panic(fmt.Sprintf("gearman: nil handler for function %q", name))
	}
	if _, ok := w.function(name); ok {
		panic(fmt.Sprintf("gearman: function %q has a handler", name))
	}
	w.functions = append(w.functions, function{name, timeout, h})
}

func (w *Worker) function(name string) (function, bool) {
	for _, f := range w.functions {
		if f.name == name {
			return f, true
		}
	}
	return function{}, false
}

// Serve takes jobs until Shutdown and then returns ErrWorkerClosed, once the last
// handler has returned. Servers that cannot be reached are tried again for ever;
// another error means that there is nothing to serve.
func (w *Worker) Serve() error {
	if len(w.Servers) == 0 {
		return ErrNoServers
	}
	if len(w.functions) == 0 {
		return errors.New("worker without functions")
	}
	if err := w.begin(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var aborting, servers sync.WaitGroup
	aborting.Go(func() {
		select {
		case <-w.abort:
			cancel(ErrWorkerClosed)
		case <-w.ended:
		}
	})
	for _, server := range w.Servers {
		servers.Go(func() { w.serve(ctx, server) })
	}
	servers.Wait()
	close(w.ended)
	aborting.Wait()
	w.running.Wait()
	w.reports.Close()
	return ErrWorkerClosed
}

// begin makes what Serve needs; Shutdown may have come before it.
func (w *Worker) begin() error {
	w.init()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.serving || w.stopping() {
		return ErrWorkerClosed
	}
	w.serving = true
	w.slots = make(chan struct{}, max(w.Concurrency, 1))
	w.reports = &Client{Servers: w.Servers, Dial: w.Dial, TLS: w.TLS, Logger: w.Logger}
	return nil
}

func (w *Worker) init() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop == nil {
		w.stop, w.abort, w.ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
	}
}

// Shutdown takes no more jobs, waits until those that run have ended and the job
// servers know it, and closes the connections. When ctx is done before that, it
// cancels the handlers and closes the connections, upon which the servers queue
// the jobs again, and returns ctx's error. It may be called from any goroutine, more
// than once, and before Serve, which then returns ErrWorkerClosed.
func (w *Worker) Shutdown(ctx context.Context) error {
	w.init()
	if !w.closeOnce(w.stop) {
		return nil
	}
	select {
	case <-w.ended:
		return nil
	case <-ctx.Done():
		w.closeOnce(w.abort)
		return fmt.Errorf("shutdown of worker: %w", ctx.Err())
	}
}

// closeOnce closes c unless it is closed, and reports whether the worker serves.
func (w *Worker) closeOnce(c chan struct{}) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-c:
	default:
		close(c)
	}
	return w.serving
}

// serve takes jobs from one server until Shutdown.
func (w *Worker) serve(ctx context.Context, server string) {
	for failures := 0; ; failures++ {
		answered, err := w.visit(ctx, server)
		if w.stopping() {
			return
		}
		if answered {
			failures = 0
		}
		delay := backoff(failures+reconnectFailures, reconnectDelay)
		w.logger().Warn("job server lost", "server", server, "error", err, "retry", delay)
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-w.stop:
		}
		t.Stop()
		if w.stopping() {
			return
		}
	}
}

// visit connects to server once and takes jobs until the connection is lost or
// the worker shut down.
func (w *Worker) visit(ctx context.Context, server string) (answered bool, err error) {
	connecting, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-w.stop:
			cancel()
		case <-connecting.Done():
		}
	}()
	nc, err := w.connect(connecting, server)
	cancel()
	<-stopped
	if err != nil {
		return false, err
	}
	p := newPost(w, server, nc)
	err = p.serve(ctx)
	return p.answered.Load(), err
}

// connect opens the connection for jobs, and one for their reports: a job server
// that shuts down while a job runs takes a report from who is connected, and nobody
// else.
func (w *Worker) connect(ctx context.Context, server string) (net.Conn, error) {
	nc, err := dialer{w.Dial, w.TLS}.connect(ctx, server)
	if err != nil || w.Report == nil {
		return nc, err
	}
	if err := w.reports.with(ctx, server, true, func(*session) error { return nil }); err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

func (w *Worker) stopping() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

func (w *Worker) logger() *slog.Logger { return orDiscard(w.Logger) }

// done is how a handler ended.
type done struct {
	result []byte
	err    error
}

// run runs the handler of a job and returns how it ended and a channel that is
// closed when it has returned, which after a timeout may be later.
func (w *Worker) run(ctx context.Context, j *Request) (done, <-chan struct{}) {
	f, ok := w.function(j.Function)
	if !ok {
		returned := make(chan struct{})
		close(returned)
		return done{err: fmt.Errorf("function %q has no handler", j.Function)}, returned
	}
	cancel := context.CancelFunc(func() {})
	if f.timeout > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, f.timeout, ErrTimeout)
	}
	ended, returned := make(chan done, 1), make(chan struct{})
	go func() {
		defer close(returned)
		defer cancel()
		w.call(ctx, f.handler, j, ended)
	}()
	select {
	case d := <-ended:
		return d, returned
	case <-ctx.Done():
	}
	grace := time.NewTimer(timeoutGrace)
	defer grace.Stop()
	select {
	case d := <-ended:
		return d, returned
	case <-grace.C:
		return done{err: context.Cause(ctx)}, returned
	}
}

// call calls the handler and tells ended, whatever the handler does: a panic
// fails the job and not the worker.
func (w *Worker) call(ctx context.Context, h Handler, j *Request, ended chan<- done) {
	d := done{err: errors.New("handler ended its goroutine")}
	defer func() { ended <- d }()
	defer func() {
		if reason := recover(); reason != nil {
			d = done{err: fmt.Errorf("handler panicked: %v", reason)}
			w.logger().Error("handler panicked", "function", j.Function, "handle", j.Handle, "panic", reason, "stack", string(debug.Stack()))
		}
	}()
	result, err := h.ServeJob(ctx, j)
	d = done{result, err}
}
