package jobserver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"revstamp/gearman/wire"
)

// pipe returns a peer of s within the process.
func pipe(t *testing.T, s *Server) *peer {
	client, server := net.Pipe()
	go s.ServeConn(server)
	return newPeer(t, client)
}

// say sends a request that has no answer, and waits until it was heard.
func (p *peer) say(typ wire.Type, args ...string) {
	p.t.Helper()
	p.write(raw(wire.Request, typ, args))
	p.ask("ECHO_RES heard", wire.EchoReq, "heard")
}

// ask sends a request and fails the test unless it is answered by want.
func (p *peer) ask(want string, typ wire.Type, args ...string) {
	p.t.Helper()
	p.write(raw(wire.Request, typ, args))
	p.hears(want)
}

func (p *peer) hears(want string) {
	p.t.Helper()
	if got, err := p.read(); got != want || err != nil {
		p.t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

func in(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }

func TestDelayedJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{HandlePrefix: "T"}
		defer s.Close()
		c, w := pipe(t, s), pipe(t, s)
		w.say(wire.CanDo, "f")
		w.say(wire.PreSleep)
		begin := time.Now()
		c.ask("JOB_CREATED T:1", wire.SubmitJobEpoch, "f", "", in(10*time.Second), "second")
		c.ask("JOB_CREATED T:2", wire.SubmitJobEpoch, "f", "", in(5*time.Second), "first")
		c.ask("JOB_CREATED T:3", wire.SubmitJobEpoch, "f", "", in(7*time.Second), "cancelled")
		c.ask("JOB_CREATED T:4", wire.SubmitJobEpoch, "f", "", in(10*time.Second), "third")
		c.write([]byte("cancel job T:3\n"))
		if got := c.text(); got != "OK" {
			t.Fatalf("cancel job = %q, want OK", got)
		}

		w.hears("NOOP")
		if got, want := time.Since(begin), 5*time.Second; got != want {
			t.Errorf("NOOP for the first after %v, want %v", got, want)
		}
		w.ask("JOB_ASSIGN T:2|f|first", wire.GrabJob)
		w.ask("NO_JOB", wire.GrabJob)
		w.say(wire.PreSleep)
		w.hears("NOOP")
		if got, want := time.Since(begin), 10*time.Second; got != want {
			t.Errorf("NOOP for the others after %v, want %v", got, want)
		}
		w.ask("JOB_ASSIGN T:1|f|second", wire.GrabJob)
		w.ask("JOB_ASSIGN T:4|f|third", wire.GrabJob)
		w.ask("NO_JOB", wire.GrabJob)
		for _, handle := range []string{"T:1", "T:2", "T:4"} {
			w.say(wire.WorkComplete, handle, "")
		}
		checkEmpty(t, s)
	})
}

func TestTimeTooFar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(Server)
		defer s.Close()
		c := pipe(t, s)
		for _, at := range []string{"99999999999999999999999", "2147483647001"} {
			c.ask("ERROR ARGUMENT_TOO_LARGE|Time too large", wire.SubmitJobEpoch, "f", "", at, "work")
		}
	})
}

func TestTimeouts(t *testing.T) {
	tests := map[string]struct {
		timeout string
		want    time.Duration
	}{
		"as asked":             {"1500", 1500 * time.Millisecond},
		"never under a second": {"5", time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Server{HandlePrefix: "T"}
				defer s.Close()
				c, w, v := pipe(t, s), pipe(t, s), pipe(t, s)
				c.ask("JOB_CREATED T:1", wire.SubmitJobBg, "f", "", "work")
				w.say(wire.CanDoTimeout, "f", tt.timeout)
				w.ask("JOB_ASSIGN T:1|f|work", wire.GrabJob)
				v.say(wire.CanDo, "f")
				v.say(wire.PreSleep)
				begin := time.Now()
				v.hears("NOOP")
				if got := time.Since(begin); got != tt.want {
					t.Errorf("put back after %v, want %v", got, tt.want)
				}
				v.ask("JOB_ASSIGN T:1|f|work", wire.GrabJob)
				time.Sleep(time.Hour) // v has no timeout
				c.ask("STATUS_RES T:1|1|1|0|0", wire.GetStatus, "T:1")
			})
		})
	}
}

// The time of one job does not count for the next, nor for the same job in other
// hands: what gearmand's issue 301 is about.
func TestTimeoutIsOneJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{HandlePrefix: "T"}
		defer s.Close()
		c, w := pipe(t, s), pipe(t, s)
		for _, handle := range []string{"T:1", "T:2", "T:3"} {
			c.ask("JOB_CREATED "+handle, wire.SubmitJobBg, "f", "", "work")
		}
		w.say(wire.CanDoTimeout, "f", "2000")
		w.ask("JOB_ASSIGN T:1|f|work", wire.GrabJob)
		time.Sleep(1500 * time.Millisecond)
		w.say(wire.WorkComplete, "T:1", "")
		w.ask("JOB_ASSIGN T:2|f|work", wire.GrabJob)
		late := s.queue.jobs.get(2).lease
		w.say(wire.CantDo, "f") // puts T:2 back
		w.say(wire.CanDoTimeout, "f", "2000")
		time.Sleep(time.Second)
		w.ask("JOB_ASSIGN T:2|f|work", wire.GrabJob)
		w.ask("JOB_ASSIGN T:3|f|work", wire.GrabJob)
		s.queue.expire(late) // its timer could not be stopped any longer
		c.ask("STATUS_RES T:2|1|1|0|0", wire.GetStatus, "T:2")
		time.Sleep(1900 * time.Millisecond)
		w.say(wire.WorkComplete, "T:2", "")
		w.say(wire.WorkComplete, "T:3", "")
		checkEmpty(t, s)
	})
}

// Shutdown waits for the jobs, those submitted meanwhile too, and for the
// results to be read.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{HandlePrefix: "T"}
		c, w := pipe(t, s), pipe(t, s)
		w.say(wire.CanDo, "f")
		c.ask("JOB_CREATED T:1", wire.SubmitJob, "f", "", "work")
		w.ask("JOB_ASSIGN T:1|f|work", wire.GrabJob)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Fatalf("Shutdown while a job runs = %v, want %v", err, context.DeadlineExceeded)
		}
		client, server := net.Pipe()
		defer client.Close()
		if err := s.ServeConn(server); err != ErrServerClosed {
			t.Errorf("ServeConn while shutting down = %v, want %v", err, ErrServerClosed)
		}

		down := make(chan error, 1)
		go func() { down <- s.Shutdown(t.Context()) }()
		w.ask("JOB_CREATED T:2", wire.SubmitJobBg, "f", "", "more")
		w.say(wire.WorkComplete, "T:1", "done")
		synctest.Wait()
		select {
		case err := <-down:
			t.Fatalf("Shutdown before the last job = %v", err)
		default:
		}
		c.hears("WORK_COMPLETE T:1|done")
		w.ask("JOB_ASSIGN T:2|f|more", wire.GrabJob)
		w.write(raw(wire.Request, wire.WorkComplete, []string{"T:2", ""}))
		if err := <-down; err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if got, err := c.read(); err == nil {
			t.Errorf("client reads %q after Shutdown, want the end", got)
		}
		if err := s.Serve(closer{}); err != ErrServerClosed {
			t.Errorf("Serve after Shutdown = %v, want %v", err, ErrServerClosed)
		}
	})
}

// A result that is queued for a client when the last job ends still reaches it.
func TestShutdownDeliversResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{HandlePrefix: "T"}
		c, w := pipe(t, s), pipe(t, s)
		w.say(wire.CanDo, "f")
		c.ask("JOB_CREATED T:1", wire.SubmitJob, "f", "", "work")
		w.ask("JOB_ASSIGN T:1|f|work", wire.GrabJob)
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(t.Context()) }()
		synctest.Wait()
		w.write(raw(wire.Request, wire.WorkComplete, []string{"T:1", "done"}))
		synctest.Wait() // nobody reads the result yet
		c.hears("WORK_COMPLETE T:1|done")
		if err := <-down; err != nil {
			t.Errorf("Shutdown = %v", err)
		}
	})
}

// A closer is a listener that nobody may ask anything but to close.
type closer struct{ net.Listener }

func (closer) Close() error { return nil }

func TestAcceptWaitsForDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &failing{errs: []error{tooManyFiles{}, tooManyFiles{}, errors.New("broken")}}
		begin := time.Now()
		var log bytes.Buffer
		s := &Server{Logger: slog.New(slog.NewTextHandler(&log, nil))}
		if err := s.Serve(l); err == nil || err.Error() != "broken" {
			t.Errorf("Serve = %v, want broken", err)
		}
		if got, want := time.Since(begin), 15*time.Millisecond; got != want {
			t.Errorf("waited %v, want %v", got, want)
		}
		if got := strings.Count(log.String(), "level=WARN"); got != 1 || !strings.Contains(log.String(), "too many open files") {
			t.Errorf("told %d times, want once:\n%s", got, &log)
		}
	})
}

type failing struct {
	net.Listener
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	err := f.errs[0]
	f.errs = f.errs[1:]
	return nil, err
}

func (f *failing) Close() error { return nil }

type tooManyFiles struct{}

func (tooManyFiles) Temporary() bool { return true }
func (tooManyFiles) Error() string   { return "too many open files" }
