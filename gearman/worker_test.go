package gearman_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/gearman"
	"revstamp/gearman/gearmantest"
	"revstamp/gearman/wire"
)

// serveWorker runs w until the test ends.
func serveWorker(t testing.TB, w *gearman.Worker) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- w.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		w.Shutdown(ctx)
		if err := <-served; !errors.Is(err, gearman.ErrWorkerClosed) {
			t.Errorf("Serve = %v, want %v", err, gearman.ErrWorkerClosed)
		}
	})
}

func handle(f func(ctx context.Context, j *gearman.Request) ([]byte, error)) gearman.Handler {
	return gearman.HandlerFunc(f)
}

func TestWorker(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		w := &gearman.Worker{Servers: []string{addr}, Concurrency: 2}
		w.Handle("complete", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			j.Data([]byte("a\x00"))
			j.Progress(3, 10)
			j.Warning([]byte("careful"))
			return append([]byte(j.Server+" "+j.Function+" "+j.Unique+" "), j.Workload...), nil
		}))
		w.Handle("fail", time.Hour, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			return []byte("ignored"), errors.New("no")
		}))
		w.Handle("exception", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			return nil, fmt.Errorf("wrapped: %w", &gearman.ExceptionError{Data: []byte("boom")})
		}))
		w.Handle("panic", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) { panic("at the disco") }))
		w.Handle("goexit", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			runtime.Goexit()
			return nil, nil
		}))
		w.Handle("timeout", time.Millisecond, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			<-ctx.Done()
			return nil, &gearman.ExceptionError{Data: []byte(context.Cause(ctx).Error())}
		}))
		serveWorker(t, w)

		var events []gearman.Event
		result, err := c.Do(ctx, gearman.Task{Function: "complete", Unique: "u", Workload: []byte("w\x00"), OnEvent: func(e gearman.Event) { events = append(events, e) }})
		if want := addr + " complete u w\x00"; err != nil || string(result.Data) != want {
			t.Errorf("Do = %q, %v, want %q", result.Data, err, want)
		}
		want := []gearman.Event{
			{Kind: gearman.Data, Data: []byte("a\x00")},
			{Kind: gearman.Progress, Numerator: 3, Denominator: 10},
			{Kind: gearman.Warning, Data: []byte("careful")},
		}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		for _, function := range []string{"fail", "panic", "goexit", "fail"} {
			var failed *gearman.FailedError
			if _, err := c.Do(ctx, gearman.Task{Function: function}); !errors.As(err, &failed) {
				t.Errorf("Do %s = %v, want failed", function, err)
			}
		}
		for function, want := range map[string]string{"exception": "boom", "timeout": gearman.ErrTimeout.Error()} {
			var exception *gearman.ExceptionError
			if _, err := c.Do(ctx, gearman.Task{Function: function}); !errors.As(err, &exception) || string(exception.Data) != want {
				t.Errorf("Do %s = %v, want exception %q", function, err, want)
			}
		}
	})
}

// So many handlers run at once, and no more; those that run hold up neither
// the connection nor each other.
func TestWorkerConcurrency(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		const n = 5
		ctx, c := deadline(t), newClient(t, addr)
		var now, most atomic.Int32
		all, release := make(chan struct{}), make(chan struct{})
		w := &gearman.Worker{Servers: []string{addr}, Concurrency: n}
		w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			running := now.Add(1)
			defer now.Add(-1)
			most.Store(max(most.Load(), running))
			if running == n {
				close(all)
			}
			<-release
			return nil, nil
		}))
		jobs, err := c.SubmitAll(ctx, make([]gearman.Task, 0))
		if err != nil || len(jobs) != 0 {
			t.Errorf("SubmitAll of nothing = %v, %v", jobs, err)
		}
		tasks := make([]gearman.Task, 4*n)
		for i := range tasks {
			tasks[i].Function = "f"
		}
		if jobs, err = c.SubmitAll(ctx, tasks); err != nil {
			t.Fatal(err)
		}
		serveWorker(t, w)
		<-all
		for i, want := range map[int]bool{0: true, n - 1: true, n: false, 4*n - 1: false} {
			if s, err := c.Status(ctx, addr, jobs[i].Handle); err != nil || s.Running != want {
				t.Errorf("job %d running: %v, %v, want %v", i, s.Running, err, want)
			}
		}
		close(release)
		waitFor(t, func() bool {
			s, err := c.Status(ctx, addr, jobs[4*n-1].Handle)
			return err == nil && !s.Known
		})
		if got := most.Load(); got != n {
			t.Errorf("at most %d at once, want %d", got, n)
		}
	})
}

// A worker serves all its servers, and one it loses it comes back to.
func TestWorkerServers(t *testing.T) {
	t.Parallel()
	first, second := gearmantest.Start(t), gearmantest.Start(t)
	w := &gearman.Worker{Servers: []string{first.Addr, second.Addr}}
	w.Handle("where", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) { return []byte(j.Server), nil }))
	serveWorker(t, w)
	ask := func(addr string) {
		t.Helper()
		result, err := newClient(t, addr).Do(deadline(t), gearman.Task{Function: "where"})
		if err != nil || string(result.Data) != addr {
			t.Errorf("Do = %q, %v, want %s", result.Data, err, addr)
		}
	}
	ask(first.Addr)
	ask(second.Addr)
	first.Kill()
	ask(second.Addr)
	first.Restart()
	ask(first.Addr)
}

// Shutdown lets finish what runs, tells the server, and takes nothing more.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := pipeJobserver(t)
		c := &gearman.Client{Servers: []string{"pipe"}, Dial: dial}
		defer c.Close()
		release := make(chan struct{})
		w := &gearman.Worker{Servers: []string{"pipe"}, Dial: dial}
		w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			<-release
			return []byte("done"), nil
		}))
		served := make(chan error, 1)
		go func() { served <- w.Serve() }()
		var wg sync.WaitGroup
		wg.Go(func() {
			result, err := c.Do(t.Context(), gearman.Task{Function: "f"})
			if err != nil || string(result.Data) != "done" {
				t.Errorf("Do = %q, %v, want done", result.Data, err)
			}
		})
		synctest.Wait() // until the handler waits
		left, err := c.Submit(t.Context(), gearman.Task{Function: "f"})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := w.Shutdown(t.Context()); err != nil {
				t.Errorf("Shutdown = %v", err)
			}
		})
		synctest.Wait() // until Shutdown waits
		close(release)
		wg.Wait()
		if err := <-served; err != gearman.ErrWorkerClosed {
			t.Errorf("Serve = %v, want %v", err, gearman.ErrWorkerClosed)
		}
		if s, err := c.Status(t.Context(), "pipe", left.Handle); err != nil || !s.Known || s.Running {
			t.Errorf("the other job = %+v, %v, want queued", s, err)
		}
		if err := w.Serve(); err != gearman.ErrWorkerClosed {
			t.Errorf("Serve again = %v, want %v", err, gearman.ErrWorkerClosed)
		}
	})
}

// A Shutdown that cannot wait gives the jobs back.
func TestShutdownAborts(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		started, cause := make(chan struct{}), make(chan error, 1)
		w := &gearman.Worker{Servers: []string{addr}}
		w.Handle("f", time.Hour, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			close(started)
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return nil, nil
		}))
		served := make(chan error, 1)
		go func() { served <- w.Serve() }()
		job, err := c.Submit(ctx, gearman.Task{Function: "f"})
		if err != nil {
			t.Fatal(err)
		}
		<-started
		now, cancel := context.WithCancel(ctx)
		cancel()
		if err := w.Shutdown(now); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown = %v, want canceled", err)
		}
		if got := <-cause; got != gearman.ErrWorkerClosed {
			t.Errorf("cause = %v, want %v", got, gearman.ErrWorkerClosed)
		}
		<-served
		waitFor(t, func() bool {
			s, err := c.Status(ctx, addr, job.Handle)
			return err == nil && s.Known && !s.Running
		})
	})
}

// When the connection is lost the job is somebody else's, and its handler is
// told.
func TestWorkerConnectionLost(t *testing.T) {
	t.Parallel()
	s := gearmantest.Start(t)
	started, cause := make(chan struct{}), make(chan error, 1)
	w := &gearman.Worker{Servers: []string{s.Addr}}
	w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
		close(started)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		if err := j.Progress(1, 2); err == nil {
			t.Error("Progress on a lost connection: no error")
		}
		return nil, nil
	}))
	serveWorker(t, w)
	if _, err := newClient(t, s.Addr).Submit(deadline(t), gearman.Task{Function: "f"}); err != nil {
		t.Fatal(err)
	}
	<-started
	s.Kill()
	if got := <-cause; got != gearman.ErrConnectionLost {
		t.Errorf("cause = %v, want %v", got, gearman.ErrConnectionLost)
	}
}

func TestServeRefuses(t *testing.T) {
	if err := new(gearman.Worker).Serve(); err != gearman.ErrNoServers {
		t.Errorf("Serve without servers = %v", err)
	}
	if err := (&gearman.Worker{Servers: []string{"192.0.2.1"}}).Serve(); err == nil {
		t.Error("Serve without functions: no error")
	}
	if err := new(gearman.Worker).Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown before Serve = %v", err)
	}
	does := handle(func(context.Context, *gearman.Request) ([]byte, error) { return nil, nil })
	for name, h := range map[string]gearman.Handler{"": does, "a\x00b": does, "twice": does, "nil": nil} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Handle did not panic")
				}
			}()
			w := new(gearman.Worker)
			w.Handle("twice", 0, does)
			w.Handle(name, 0, h)
		})
	}
}

// Nothing is said about a job that is over.
func TestRequestIsOver(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		c := newClient(t, addr)
		jobs := make(chan *gearman.Request, 1)
		w := &gearman.Worker{Servers: []string{addr}}
		w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			jobs <- j
			return nil, nil
		}))
		serveWorker(t, w)
		if _, err := c.Do(deadline(t), gearman.Task{Function: "f"}); err != nil {
			t.Fatal(err)
		}
		if err := (<-jobs).Progress(1, 2); err == nil {
			t.Error("Progress after the end: no error")
		}
	})
}

// A worker of ours beside a raw one: whoever announces last is as good.
func TestWorkerBesideAnother(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		other := dialPeer(t, addr).canDo("f")
		w := &gearman.Worker{Servers: []string{addr}}
		w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) { return []byte("ours"), nil }))
		serveWorker(t, w)
		if result, err := c.Do(ctx, gearman.Task{Function: "f"}); err != nil || string(result.Data) != "ours" {
			t.Errorf("Do = %q, %v, want ours", result.Data, err)
		}
		other.request(wire.GrabJobUniq)
		other.expect(wire.NoJob)
	})
}

// The largest task comes to its worker, and a result that is larger than that fails
// the job once. The job server ends the connection over one that is sent, and has the
// job done again.
func TestTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of megabytes")
	}
	addr := startJobserver(t)
	ctx, c := deadline(t), newClient(t, addr)
	w := &gearman.Worker{Servers: []string{addr}}
	var runs atomic.Int32
	too := make([]byte, wire.DefaultMaxSize)
	w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
		runs.Add(1)
		if err := j.Data(too); !errors.Is(err, wire.ErrTooLarge) {
			t.Errorf("Data of %d bytes = %v, want %v", len(too), err, wire.ErrTooLarge)
		}
		switch j.Unique {
		case "result":
			return too, nil
		case "exception":
			return nil, &gearman.ExceptionError{Data: too}
		}
		return fmt.Append(nil, len(j.Workload)), nil
	}))
	serveWorker(t, w)
	most := len(too) - len("f") - 2
	if got, err := c.Do(ctx, gearman.Task{Function: "f", Workload: too[:most]}); err != nil || string(got.Data) != fmt.Sprint(most) {
		t.Errorf("Do with %d bytes = %q, %v, want that the worker has all", most, got.Data, err)
	}
	if _, err := c.Do(ctx, gearman.Task{Function: "f", Workload: too[:most+1]}); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("Do with %d bytes = %v, want %v", most+1, err, wire.ErrTooLarge)
	}
	for _, unique := range []string{"result", "exception"} {
		runs.Store(0)
		_, err := c.Do(ctx, gearman.Task{Function: "f", Unique: unique})
		if failed := new(gearman.FailedError); !errors.As(err, &failed) || runs.Load() != 1 {
			t.Errorf("%s: Do = %v after %d runs, want that it failed after 1", unique, err, runs.Load())
		}
	}
}

// A job for a moment between two seconds begins at the second, not at the first. A
// bubble's clock begins at a whole one.
func TestDelayedTaskIsNotEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := pipeJobserver(t)
		c := &gearman.Client{Servers: []string{"pipe"}, Dial: dial}
		defer c.Close()
		began := make(chan time.Time, 1)
		w := &gearman.Worker{Servers: []string{"pipe"}, Dial: dial}
		w.Handle("f", 0, handle(func(context.Context, *gearman.Request) ([]byte, error) {
			began <- time.Now()
			return nil, nil
		}))
		served := make(chan error, 1)
		go func() { served <- w.Serve() }()
		now := time.Now()
		for at, want := range map[time.Duration]time.Duration{1500 * time.Millisecond: 2 * time.Second, 5 * time.Second: 5 * time.Second} {
			if _, err := c.Submit(t.Context(), gearman.Task{Function: "f", At: now.Add(at)}); err != nil {
				t.Fatal(err)
			}
			if got := (<-began).Sub(now); got != want {
				t.Errorf("a job for %v began after %v, want %v", at, got, want)
			}
			now = time.Now()
		}
		w.Shutdown(t.Context())
		<-served
	})
}
