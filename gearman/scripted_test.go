package gearman_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"revstamp/gearman"
	"revstamp/gearman/wire"
)

// scripted dials, in a synctest bubble, servers that the test plays itself.
func scripted(t *testing.T) (dial func(context.Context, string, string) (net.Conn, error), conns <-chan *peer) {
	ends := make(chan *peer, 10)
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		ends <- &peer{t, far, wire.NewReader(far)}
		return near, nil
	}, ends
}

// A job server that takes a connection and then says nothing, as one does whose
// backlog is full, is given up after a while; what was sent may have arrived.
func TestSilentServer(t *testing.T) {
	tests := map[string]func(p *peer){
		"reads":         func(p *peer) { io.Copy(io.Discard, p.nc) },
		"does not read": func(*peer) {},
	}
	for name, serve := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial, conns := scripted(t)
				c := &gearman.Client{Servers: []string{"s"}, Dial: dial}
				defer c.Close()
				go func() { serve(<-conns) }()
				began := time.Now()
				_, err := c.Status(t.Context(), "s", "H:1")
				var timeout net.Error
				if !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("Status = %v, want a timeout", err)
				}
				if got, want := time.Since(began), 15*time.Second; got != want {
					t.Errorf("given up after %s, want %s", got, want)
				}
				if got, want := gearman.SafeToRetry(err), name != "reads"; got != want {
					t.Errorf("SafeToRetry = %v, want %v", got, want)
				}
			})
		})
	}
}

// A server may be as slow as it likes as long as it says something, and a
// connection may stand idle as long as nothing is owed.
func TestSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, conns := scripted(t)
		c := &gearman.Client{Servers: []string{"s"}, Dial: dial}
		defer c.Close()
		go func() {
			s := <-conns
			asked := make(chan struct{}, 10) // takes what comes, as a kernel does
			go func() {
				for range asked {
					time.Sleep(10 * time.Second)
					s.respond(wire.JobCreated, "H:1")
				}
			}()
			defer close(asked)
			for {
				if _, err := s.r.Next(); err != nil {
					return
				}
				asked <- struct{}{}
			}
		}()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, err := c.Submit(t.Context(), gearman.Task{Function: "f"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		time.Sleep(24 * time.Hour)
		if _, err := c.Submit(t.Context(), gearman.Task{Function: "f"}); err != nil {
			t.Errorf("after a day: %v", err)
		}
	})
}

// The end of a fast job may follow its beginning in the same segment.
func TestFastComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, conns := scripted(t)
		c := &gearman.Client{Servers: []string{"s"}, Dial: dial}
		defer c.Close()
		go func() {
			s := <-conns
			s.expect(wire.OptionReq)
			s.expect(wire.SubmitJob)
			io.WriteString(s.nc, "\x00RES\x00\x00\x00\x1b\x00\x00\x00\x0aexceptions"+
				"\x00RES\x00\x00\x00\x08\x00\x00\x00\x03H:1"+"\x00RES\x00\x00\x00\x0d\x00\x00\x00\x06H:1\x00ok")
		}()
		if result, err := c.Do(t.Context(), gearman.Task{Function: "f"}); err != nil || string(result.Data) != "ok" {
			t.Errorf("Do = %q, %v, want ok", result.Data, err)
		}
	})
}

// A server without the exceptions option still serves.
func TestExceptionsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, conns := scripted(t)
		c := &gearman.Client{Servers: []string{"s"}, Dial: dial}
		defer c.Close()
		go func() {
			s := <-conns
			s.expect(wire.OptionReq)
			s.expect(wire.SubmitJob)
			s.respond(wire.Error, "UNKNOWN_OPTION", "")
			s.respond(wire.JobCreated, "H:1")
			s.respond(wire.WorkFail, "H:1\x00")
		}()
		var failed *gearman.FailedError
		if _, err := c.Do(t.Context(), gearman.Task{Function: "f"}); !errors.As(err, &failed) || failed.Job.Handle != "H:1" {
			t.Errorf("Do = %v, want H:1 failed", err)
		}
	})
}

// Answers that cannot be are errors, and the connection is not trusted any more.
func TestBadAnswers(t *testing.T) {
	tests := map[string]struct {
		answer string
		want   string
	}{
		"other handle": {"\x00RES\x00\x00\x00\x14\x00\x00\x00\x0bH:2\x001\x000\x000\x000", `status of "H:2" came where that of "H:1" was due`},
		"other type":   {"\x00RES\x00\x00\x00\x08\x00\x00\x00\x03H:1", "JOB_CREATED came where STATUS_RES was due"},
		"a request":    {"\x00REQ\x00\x00\x00\x14\x00\x00\x00\x0bH:1\x001\x000\x000\x000", "STATUS_RES came as a request"},
		"too few":      {"\x00RES\x00\x00\x00\x14\x00\x00\x00\x03H:1", "arguments of STATUS_RES: 1 given, 5 wanted"},
		"too much":     {"\x00RES\x00\x00\x00\x14\xff\xff\xff\xff", "STATUS_RES of 4294967295 bytes: packet too large"},
		"no protocol":  {"HTTP/1.1 400 Bad Request\r\n", `bad magic "HTTP"`},
		"closed":       {"", "EOF"},
		"cut":          {"\x00RES\x00\x00", "unexpected EOF"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial, conns := scripted(t)
				c := &gearman.Client{Servers: []string{"s"}, Dial: dial}
				defer c.Close()
				go func() {
					s := <-conns
					s.expect(wire.GetStatus)
					io.WriteString(s.nc, tt.answer)
					if tt.answer == "" || name == "cut" {
						s.nc.Close()
					}
					s = <-conns
					s.expect(wire.GetStatus)
					s.respond(wire.StatusRes, "H:1", "1", "0", "0", "0")
				}()
				if _, err := c.Status(t.Context(), "s", "H:1"); err == nil || !strings.HasSuffix(err.Error(), tt.want) {
					t.Errorf("Status = %v, want %s", err, tt.want)
				}
				if got, err := c.Status(t.Context(), "s", "H:1"); err != nil || !got.Known {
					t.Errorf("Status again = %+v, %v, want known", got, err)
				}
			})
		})
	}
}

// What nobody asked for ends the connection too.
func TestUnaskedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, conns := scripted(t)
		c := &gearman.Client{Servers: []string{"s"}, Dial: dial}
		defer c.Close()
		go func() {
			s := <-conns
			s.expect(wire.EchoReq)
			s.respond(wire.EchoRes, "")
			s.respond(wire.EchoRes, "")
			if _, err := s.r.Next(); err != io.EOF {
				t.Errorf("after the unasked: %v, want EOF", err)
			}
		}()
		if err := c.Echo(t.Context(), "s", nil); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// Close ends calls under way, whatever they wait for, and leaves nothing behind:
// a goroutine left in the bubble fails the test.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, conns := scripted(t)
		c := &gearman.Client{Servers: []string{"s"}, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			switch addr {
			case "refused:4730":
				return nil, errors.New("refused")
			case "slow:4730":
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return dial(ctx, network, addr)
		}}
		go func() {
			s := <-conns
			s.expect(wire.OptionReq)
			s.expect(wire.SubmitJob)
			s.respond(wire.OptionRes, "exceptions")
			s.respond(wire.JobCreated, "H:1")
			io.Copy(io.Discard, s.nc)
		}()
		c.Status(t.Context(), "refused", "H:1")
		calls := map[string]func() error{
			"Do":      func() error { _, err := c.Do(t.Context(), gearman.Task{Function: "f"}); return err },
			"dialing": func() error { return c.Echo(t.Context(), "slow", nil) },
			"backoff": func() error { return c.Echo(t.Context(), "refused", nil) },
		}
		var wg sync.WaitGroup
		for name, call := range calls {
			wg.Go(func() {
				if err := call(); !errors.Is(err, gearman.ErrClientClosed) {
					t.Errorf("%s = %v, want %v", name, err, gearman.ErrClientClosed)
				}
			})
		}
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if _, err := c.Submit(t.Context(), gearman.Task{Function: "f"}); !errors.Is(err, gearman.ErrClientClosed) || gearman.SafeToRetry(err) {
			t.Errorf("Submit after Close = %v, want %v", err, gearman.ErrClientClosed)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A server that cannot be reached is tried more and more rarely, and whoever
// waits for it can leave.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		refused := errors.New("refused")
		c := &gearman.Client{Servers: []string{"s"}, Dial: func(context.Context, string, string) (net.Conn, error) {
			tries = append(tries, time.Now())
			return nil, refused
		}}
		defer c.Close()
		for range 12 {
			if err := c.Echo(t.Context(), "s", nil); !errors.Is(err, refused) {
				t.Fatalf("Echo = %v, want refused", err)
			}
		}
		for i := 1; i < len(tries); i++ {
			most := min(50*time.Millisecond<<(i-1), 5*time.Second)
			if got := tries[i].Sub(tries[i-1]); got < most/2 || got > most {
				t.Errorf("try %d came after %s, want %s to %s", i, got, most/2, most)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := c.Echo(ctx, "s", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Echo = %v, want the deadline", err)
		}
	})
}

// A handler deaf to its timeout is failed without, and keeps its slot.
func TestDeafHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, conns := scripted(t)
		release := make(chan struct{})
		w := &gearman.Worker{Servers: []string{"s"}, Dial: dial}
		w.Handle("f", time.Minute, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			<-release
			return []byte("too late"), nil
		}))
		served := make(chan error, 1)
		go func() { served <- w.Serve() }()
		s := <-conns
		s.expect(wire.CanDo)
		s.expect(wire.GrabJobUniq)
		s.respond(wire.JobAssignUniq, "H:1", "f", "", "")
		began := time.Now()
		s.expect(wire.WorkFail)
		if got, want := time.Since(began), time.Minute+5*time.Second; got != want {
			t.Errorf("failed after %s, want %s", got, want)
		}
		grabbed := make(chan struct{})
		go func() {
			s.expect(wire.GrabJobUniq)
			close(grabbed)
		}()
		time.Sleep(time.Hour)
		select {
		case <-grabbed:
			t.Error("another job was asked for while the handler ran")
		default:
		}
		close(release)
		<-grabbed
		s.nc.Close()
		w.Shutdown(t.Context())
		<-served
	})
}

// A worker asks again when nobody wakes it, and comes back to a server that owes
// it an answer or closes.
func TestWorkerPersists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, conns := scripted(t)
		w := &gearman.Worker{Servers: []string{"s"}, Dial: dial}
		w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) { return nil, nil }))
		served := make(chan error, 1)
		go func() { served <- w.Serve() }()
		s := <-conns
		s.expect(wire.CanDo)
		s.expect(wire.GrabJobUniq)
		s.respond(wire.NoJob)
		s.expect(wire.PreSleep)
		began := time.Now()
		s.expect(wire.GrabJobUniq)
		if got := time.Since(began); got < 30*time.Second || got > time.Minute {
			t.Errorf("asked again after %s, want 30 s to 1 min", got)
		}
		began = time.Now()
		if _, err := s.r.Next(); err != io.EOF {
			t.Errorf("unanswered: %v, want EOF", err)
		}
		if got, want := time.Since(began), 15*time.Second; got != want {
			t.Errorf("gave up after %s, want %s", got, want)
		}
		began = time.Now()
		s = <-conns
		if got := time.Since(began); got < 400*time.Millisecond || got > 800*time.Millisecond {
			t.Errorf("came back after %s, want 0.4 to 0.8 s", got)
		}
		s.expect(wire.CanDo)
		s.expect(wire.GrabJobUniq)
		s.respond(wire.NoJob)
		s.expect(wire.PreSleep)
		s.respond(wire.Noop)
		s.expect(wire.GrabJobUniq)
		s.nc.Close()
		s = <-conns
		s.expect(wire.CanDo)
		go io.Copy(io.Discard, s.nc)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.Shutdown(ctx)
		<-served
		s.nc.Close()
	})
}

// What may have arrived is never sent to another server.
func TestNoFailoverOnceSent(t *testing.T) {
	task := gearman.Task{Function: "f", Unique: "u"}
	calls := map[string]func(ctx context.Context, c *gearman.Client) error{
		"Submit": func(ctx context.Context, c *gearman.Client) error { _, err := c.Submit(ctx, task); return err },
		"SubmitAll": func(ctx context.Context, c *gearman.Client) error {
			_, err := c.SubmitAll(ctx, []gearman.Task{task})
			return err
		},
		"Do": func(ctx context.Context, c *gearman.Client) error { _, err := c.Do(ctx, task); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial, conns := scripted(t)
				c := &gearman.Client{Servers: []string{"a", "b"}, Dial: dial}
				defer c.Close()
				go func() {
					s := <-conns
					s.r.Next()
					s.nc.Close()
				}()
				if err := call(t.Context(), c); err == nil || gearman.SafeToRetry(err) {
					t.Errorf("error = %v, want one that is not safe to retry", err)
				}
				if n := len(conns); n > 0 {
					t.Errorf("%d more connections, want none", n)
				}
			})
		})
	}
}

// While one server is down, tasks go to the next without waiting for it.
func TestFailoverIsPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := pipeJobserver(t)
		c := &gearman.Client{Servers: []string{"a", "b"}}
		task := gearman.Task{Function: "f", Unique: "u"}
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == c.ServerFor(task.Unique)+":4730" {
				return nil, errors.New("refused")
			}
			return up(ctx, network, addr)
		}
		defer c.Close()
		began := time.Now()
		for range 20 {
			job, err := c.Submit(t.Context(), task)
			if err != nil || job.Server == c.ServerFor(task.Unique) {
				t.Errorf("Submit = %v, %v, want the other server", job, err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("20 tasks took %s, want no waiting", took)
		}
	})
}

// A worker leaves a server that answers what was not asked, or takes nothing of
// what a job sends.
func TestWorkerLeaves(t *testing.T) {
	tests := map[string]func(s *peer){
		"unasked": func(s *peer) {
			s.respond(wire.NoJob)
			s.expect(wire.PreSleep)
			s.respond(wire.NoJob)
		},
		"wrong answer":   func(s *peer) { s.respond(wire.JobCreated, "H:1") },
		"deaf":           func(s *peer) { s.respond(wire.JobAssignUniq, "H:1", "f", "", "") },
		"silent":         func(*peer) {},
		"garbage":        func(s *peer) { io.WriteString(s.nc, "HTTP/1.1 400 Bad Request\r\n") },
		"too much":       func(s *peer) { io.WriteString(s.nc, "\x00RES\x00\x00\x00\x1f\xff\xff\xff\xff") },
		"half an answer": func(s *peer) { io.WriteString(s.nc, "\x00RES\x00\x00\x00\x1f\x00\x00\x00\x09H:1") },
	}
	for name, serve := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial, conns := scripted(t)
				w := &gearman.Worker{Servers: []string{"s"}, Dial: dial}
				w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
					j.Data([]byte("never read"))
					<-ctx.Done()
					return nil, ctx.Err()
				}))
				served := make(chan error, 1)
				go func() { served <- w.Serve() }()
				first := <-conns
				first.expect(wire.CanDo)
				first.expect(wire.GrabJobUniq)
				serve(first)
				began := time.Now()
				second := <-conns
				if took := time.Since(began); took > 16*time.Second {
					t.Errorf("left after %s, want at most 16 s", took)
				}
				second.nc.Close()
				w.Shutdown(t.Context())
				<-served
			})
		})
	}
}
