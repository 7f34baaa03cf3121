package gearman_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"

	"revstamp/gearman"
	"revstamp/gearman/gearmantest"
)

// A cutConn resets the connection under it once a number of bytes has passed.
type cutConn struct {
	net.Conn
	mu          sync.Mutex
	read, write int // what is left
}

func (c *cutConn) Read(p []byte) (int, error) {
	return c.pass(&c.read, p, c.Conn.Read)
}

func (c *cutConn) Write(p []byte) (int, error) {
	n, err := c.pass(&c.write, p, c.Conn.Write)
	if err == nil && n < len(p) {
		m, err := c.pass(&c.write, p[n:], c.Conn.Write)
		return n + m, err
	}
	return n, err
}

// pass lets through as much of p as is left, and cuts when nothing is.
func (c *cutConn) pass(left *int, p []byte, op func([]byte) (int, error)) (int, error) {
	c.mu.Lock()
	allowed := min(len(p), *left)
	c.mu.Unlock()
	if allowed == 0 {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Conn.Close()
		return 0, syscall.ECONNRESET
	}
	n, err := op(p[:allowed])
	c.mu.Lock()
	*left -= n
	c.mu.Unlock()
	return n, err
}

// passed returns how many bytes were let through of a conn that had plenty.
func (c *cutConn) passed() (reads, writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return plenty - c.read, plenty - c.write
}

// cutOnce dials conns of which the first is cut after so many bytes.
func cutOnce(read, write int) (dial dialFunc, first *cutConn) {
	return cutFirst(new(net.Dialer).DialContext, read, write)
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// cutFirst is cutOnce for what another function dials.
func cutFirst(dial dialFunc, read, write int) (_ dialFunc, first *cutConn) {
	first = &cutConn{read: read, write: write}
	used := false
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err != nil || used {
			return nc, err
		}
		used, first.Conn = true, nc
		return first, nil
	}, first
}

const plenty = 1 << 30

// However far a conversation got before its connection was reset: nothing hangs,
// an error that is safe to retry means that there is no job, success means that
// there is one, and what is asked next is answered as if nothing had been.
func TestReset(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, other := deadline(t), newClient(t, addr)
		converse := func(c *gearman.Client, unique string) error {
			job, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: unique})
			known, statusErr := other.StatusUnique(ctx, addr, unique)
			if statusErr != nil {
				t.Error(statusErr)
			}
			if err == nil && !known.Known {
				t.Errorf("%s: Submit = %v, but there is no job", unique, job)
			}
			if gearman.SafeToRetry(err) && known.Known {
				t.Errorf("%s: Submit = %v, safe to retry, but there is a job", unique, err)
			}
			_, statusErr = c.StatusUnique(ctx, addr, unique)
			return errors.Join(err, statusErr)
		}
		dial, whole := cutOnce(plenty, plenty)
		c := &gearman.Client{Servers: []string{addr}, Dial: dial}
		if err := converse(c, "whole"); err != nil {
			t.Fatal(err)
		}
		c.Close()
		reads, writes := whole.passed()
		if reads < 30 || writes < 30 {
			t.Fatalf("conversation of %d and %d bytes is too short", reads, writes)
		}
		failed := 0
		try := func(name string, read, write int) {
			dial, _ := cutOnce(read, write)
			c := &gearman.Client{Servers: []string{addr}, Dial: dial}
			defer c.Close()
			if err := converse(c, name); err != nil {
				failed++
			}
			if err := converse(c, name); err != nil {
				t.Errorf("%s, a second time: %v", name, err)
			}
		}
		for n := range reads {
			try(fmt.Sprintf("read%d", n), n, plenty)
		}
		for n := range writes {
			try(fmt.Sprintf("write%d", n), plenty, n)
		}
		// Only where nothing of a request had left was it sent again.
		if failed < reads/2 || failed >= reads+writes {
			t.Errorf("%d of %d conversations failed", failed, reads+writes)
		}
	})
}

// A job server restarted between two requests is asked on a new connection, and
// knows nothing.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := gearmantest.Start(t)
	ctx, c := deadline(t), newClient(t, s.Addr)
	job, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: "u"})
	if err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Restart()
	// A request written before the loss was noticed fails; none after.
	waitFor(t, func() bool {
		got, err := c.Status(ctx, s.Addr, job.Handle)
		return err == nil && !got.Known
	})
	if got, err := c.StatusUnique(ctx, s.Addr, "u"); err != nil || got.Known {
		t.Errorf("StatusUnique = %+v, %v, want unknown", got, err)
	}
	again, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: "other"})
	if err != nil || again.Handle != job.Handle {
		t.Errorf("Submit = %v, %v, want the handle %s again: handles are counted from the start", again, err, job.Handle)
	}
}

// A foreground task whose server dies ends with an error, and is not sent again.
func TestDoLost(t *testing.T) {
	t.Parallel()
	s, spare := gearmantest.Start(t), gearmantest.Start(t)
	ctx, c := deadline(t), newClient(t, s.Addr)
	errs := make(chan error, 1)
	go func() {
		_, err := c.Do(ctx, gearman.Task{Function: "f", Unique: "u"})
		errs <- err
	}()
	waitFor(t, func() bool {
		got, err := c.StatusUnique(ctx, s.Addr, "u")
		return err == nil && got.Known
	})
	s.Kill()
	if err := <-errs; err == nil || gearman.SafeToRetry(err) {
		t.Errorf("Do = %v, want an error that is not safe to retry", err)
	}
	if got, err := c.StatusUnique(ctx, spare.Addr, "u"); err != nil || got.Known {
		t.Errorf("on the other server: %+v, %v, want unknown", got, err)
	}
}

// Tasks of one unique meet, from whatever client; the next server takes over for
// one that cannot be reached, and only then.
func TestServers(t *testing.T) {
	t.Parallel()
	up, also := gearmantest.Start(t), gearmantest.Start(t)
	servers := []string{up.Addr, also.Addr, gearmantest.FreeAddr(t)}
	down := servers[2]
	ctx := deadline(t)
	one := newClient(t, servers...)
	two := newClient(t, servers[2], servers[0], servers[1])
	var tasks []gearman.Task
	for i := range 60 {
		tasks = append(tasks, gearman.Task{Function: "f", Unique: fmt.Sprint("shop/1/", i)})
	}
	jobs, err := one.SubmitAll(ctx, tasks)
	if err != nil {
		t.Fatal(err)
	}
	went := map[string]int{}
	for i, task := range tasks {
		wanted := one.ServerFor(task.Unique)
		went[wanted]++
		if got := two.ServerFor(task.Unique); got != wanted {
			t.Errorf("ServerFor(%s) = %s and %s", task.Unique, wanted, got)
		}
		if jobs[i].Server != wanted && wanted != down || jobs[i].Server == down {
			t.Errorf("%s went to %s, want %s", task.Unique, jobs[i].Server, wanted)
		}
		if got, err := two.Submit(ctx, task); err != nil || got != jobs[i] {
			t.Errorf("Submit of %s = %v, %v, want %v", task.Unique, got, err, jobs[i])
		}
	}
	for _, server := range servers {
		if went[server] < 8 {
			t.Errorf("%d of %d keys for %s", went[server], len(tasks), server)
		}
	}
	seen := map[string]bool{}
	for range 6 {
		job, err := one.Submit(ctx, gearman.Task{Function: "f"})
		if err != nil {
			t.Fatal(err)
		}
		seen[job.Server] = true
	}
	if len(seen) != 2 || one.ServerFor("") != "" {
		t.Errorf("tasks without a unique went to %v, want both servers", seen)
	}
}

// When no server can be reached every error is safe to retry.
func TestAllServersDown(t *testing.T) {
	t.Parallel()
	ctx, c := deadline(t), newClient(t, gearmantest.FreeAddr(t), gearmantest.FreeAddr(t))
	task := gearman.Task{Function: "f", Unique: "u"}
	if _, err := c.Submit(ctx, task); !gearman.SafeToRetry(err) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Submit = %v, want refused, safe to retry", err)
	}
	if _, err := c.Do(ctx, task); !gearman.SafeToRetry(err) {
		t.Errorf("Do = %v, want safe to retry", err)
	}
	jobs, err := c.SubmitAll(ctx, []gearman.Task{task, task})
	var all *gearman.BatchError
	if !errors.As(err, &all) || !gearman.SafeToRetry(err) || len(jobs) != 2 || jobs[0].Handle != "" {
		t.Errorf("SubmitAll = %v, %v, want safe to retry", jobs, err)
	}
	if _, err := c.Status(ctx, c.Servers[0], "H:1"); !gearman.SafeToRetry(err) {
		t.Errorf("Status = %v, want safe to retry", err)
	}
}

// A connection that turns out to be dead before anything has left on it is
// replaced without anybody noticing.
func TestIdleLost(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, first := deadline(t), gearman.Task{Function: "f", Unique: "first"}
		const sent = 12 + len("f\x00first\x00")
		calls := map[string]func(c *gearman.Client) error{
			"Submit":    func(c *gearman.Client) error { _, err := c.Submit(ctx, first); return err },
			"SubmitAll": func(c *gearman.Client) error { _, err := c.SubmitAll(ctx, []gearman.Task{first, first}); return err },
			"StatusAll": func(c *gearman.Client) error {
				_, err := c.StatusAll(ctx, addr, []string{"H:nowhere:1", "H:nowhere:2"})
				return err
			},
			"Echo": func(c *gearman.Client) error { return c.Echo(ctx, addr, nil) },
		}
		for name, call := range calls {
			dial, _ := cutOnce(plenty, sent)
			c := &gearman.Client{Servers: []string{addr}, Dial: dial}
			defer c.Close()
			if _, err := c.Submit(ctx, first); err != nil {
				t.Fatal(err)
			}
			if err := call(c); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
