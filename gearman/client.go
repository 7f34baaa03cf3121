// Package gearman is a client, a worker and an admin of Gearman job servers.
//
// A Client submits tasks and asks for their status, a Worker runs jobs, and an
// Admin speaks the text commands. Any job server will do that speaks gearmand's
// protocol; its file PROTOCOL and the behaviour of version 1.1.20 are the source
// of what is said here about servers.
package gearman

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"revstamp/gearman/wire"
)

// A Client submits tasks to job servers. It keeps one connection to each, opens
// it when it is needed, and sends the requests of all callers through it without
// one waiting for another's answer. Its methods may be called from any number of
// goroutines. The fields must not be changed after the first call.
//
// A cancelled call stops waiting; what it sent is not unsent. A server that owes
// an answer for 15 s is given up, and so is the connection.
type Client struct {
	// Servers are the addresses of the job servers, host:port; without a port
	// it is 4730. Submissions with the same unique key go to the same server,
	// chosen by the key from the set of servers, whatever their order here. The
	// others take over only where SafeToRetry holds.
	Servers []string

	// Dial opens connections; nil is net.Dialer's. It has 10 s.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// TLS secures the connections; nil leaves them plain. Its ServerName, when
	// empty, is the server's host. Debian's gearmand 1.1.20 takes --ssl and goes
	// on in plain text: with TLS it cannot be reached.
	TLS *tls.Config

	// Logger is told of connections lost; nil discards.
	Logger *slog.Logger

	mu     sync.Mutex
	closed bool
	links  map[string]*link
	turn   atomic.Uint32 // of the servers, for tasks without a unique key
}

// Close ends all connections, and every call under way with ErrClientClosed. It
// returns when nothing of the client runs any longer. The error is always nil.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	links := c.links
	c.links = nil
	c.mu.Unlock()
	for _, l := range links {
		l.close()
	}
	return nil
}

// Do submits t as a foreground task and waits for its end. A job that failed is
// a *FailedError or *ExceptionError, a refused one a *ServerError. When ctx ends
// first the job stays as it is: the job server drops a foreground job only when
// it is still queued and its last client's connection is closed.
//
// Do is not for waiting for a background job by its unique key: the job becomes
// a foreground one too, and is lost when this client leaves while it is queued.
func (c *Client) Do(ctx context.Context, t Task) (Result, error) {
	result, err := c.do(ctx, t)
	var failed *FailedError
	var exception *ExceptionError
	switch {
	case err == nil:
		return result, nil
	case errors.As(err, &failed): // which names function and server
		return result, failed
	case errors.As(err, &exception):
		return result, exception
	}
	return result, fmt.Errorf("do %q: %w", t.Function, err)
}

func (c *Client) do(ctx context.Context, t Task) (Result, error) {
	if err := t.check(); err != nil {
		return Result{}, err
	}
	if !t.At.IsZero() {
		return Result{}, errors.New("a delayed task runs in the background")
	}
	var result Result
	err := c.inOrder(ctx, t.Unique, func(server string, patient bool) error {
		return c.with(ctx, server, patient, func(x *session) error {
			task := newForeground(server, &t)
			v, err := x.request(ctx, func(x *session) error { return x.submitForeground(task, &t) })
			if err != nil {
				return err
			}
			if v != nil {
				v.read(ctx, func() bool { return len(task.wake) > 0 })
			}
			result, err = task.wait(ctx, t.OnEvent)
			return err
		})
	})
	return result, err
}

// Submit submits t as a background task and returns its job once the job server
// has acknowledged it. After an error that is not SafeToRetry, the end of ctx
// among them, the job may have been queued or not; StatusUnique tells.
func (c *Client) Submit(ctx context.Context, t Task) (Job, error) {
	if err := t.check(); err != nil {
		return Job{}, fmt.Errorf("submit %q: %w", t.Function, err)
	}
	var job Job
	err := c.inOrder(ctx, t.Unique, func(server string, patient bool) error {
		var err error
		job, err = c.submitTo(ctx, server, patient, t)
		return err
	})
	if err != nil {
		err = fmt.Errorf("submit %q: %w", t.Function, err)
	}
	return job, err
}

// submitTo submits a checked task to exactly that server.
func (c *Client) submitTo(ctx context.Context, server string, patient bool, t Task) (Job, error) {
	var job Job
	q := &query{parse: func(p wire.Packet) error {
		job = Job{server, string(p.Args[0])}
		return nil
	}}
	err := c.ask(ctx, server, patient, q, func(x *session) error { return x.submitBackground(q, 0, &t) })
	if err != nil {
		return Job{}, err
	}
	return job, nil
}

// Status asks server, and no other, for the job of a handle. The server need not
// be one of Servers.
func (c *Client) Status(ctx context.Context, server, handle string) (Status, error) {
	return c.status(ctx, server, "handle", handle, wire.GetStatus, wire.StatusRes)
}

// StatusUnique asks server, and no other, for the job of a unique key, whatever
// its function.
func (c *Client) StatusUnique(ctx context.Context, server, unique string) (Status, error) {
	return c.status(ctx, server, "unique", unique, wire.GetStatusUnique, wire.StatusResUnique)
}

func (c *Client) status(ctx context.Context, server, what, key string, t, want wire.Type) (Status, error) {
	var status Status
	err := checkKeyGiven(what, key)
	if err == nil {
		q := &query{parse: func(p wire.Packet) (err error) {
			status, err = statusOf(key, p)
			return err
		}}
		err = c.ask(ctx, server, true, q, func(x *session) error { return x.ask(q, 0, want, t, []byte(key)) })
	}
	if err != nil {
		return Status{}, fmt.Errorf("status of %s %s on %s: %w", what, key, server, err)
	}
	return status, nil
}

// statusOf reads an answer to the request for the status of key.
func statusOf(key string, p wire.Packet) (Status, error) {
	if string(p.Args[0]) != key {
		return Status{}, fmt.Errorf("status of %q came where that of %q was due", p.Args[0], key)
	}
	s := Status{
		Known:       string(p.Args[1]) == "1",
		Running:     string(p.Args[2]) == "1",
		Numerator:   number(p.Args[3]),
		Denominator: number(p.Args[4]),
	}
	if len(p.Args) > 5 {
		s.Waiting = number(p.Args[5])
	}
	return s, nil
}

// Echo sends data to server and back: it answers, and speaks the protocol.
func (c *Client) Echo(ctx context.Context, server string, data []byte) error {
	q := &query{parse: func(p wire.Packet) error {
		if !bytes.Equal(p.Args[0], data) {
			return errors.New("it came back changed")
		}
		return nil
	}}
	err := c.ask(ctx, server, true, q, func(x *session) error {
		return x.ask(q, 0, wire.EchoRes, wire.EchoReq, data)
	})
	if err != nil {
		return fmt.Errorf("echo of %s: %w", server, err)
	}
	return nil
}

// query is a request with one answer, which parse reads.
type query struct {
	parse func(wire.Packet) error
	done  chan struct{}
	err   error // read it after done
}

func (q *query) answer(_ int, p wire.Packet, err error) error {
	defer func() { q.done <- struct{}{} }()
	if err != nil {
		q.err = err
		return nil
	}
	q.err = q.parse(p)
	return q.err
}

// ask lets send queue the request of q, with the session's mu held, and waits
// for the answer.
func (c *Client) ask(ctx context.Context, server string, patient bool, q *query, send func(*session) error) error {
	return c.with(ctx, server, patient, func(x *session) error {
		q.done = make(chan struct{}, 1)
		v, err := x.request(ctx, send)
		if err != nil {
			return err
		}
		if v != nil {
			v.read(ctx, func() bool { return len(q.done) > 0 })
		}
		select {
		case <-q.done:
			return q.err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// ServerFor returns the server that tasks with the unique key go to while it can
// be reached; "" when unique is empty, for then the servers take turns.
func (c *Client) ServerFor(unique string) string {
	if unique == "" || len(c.Servers) == 0 {
		return ""
	}
	return rank(c.Servers, unique)[0]
}

// order returns the servers as a task with the unique key tries them.
func (c *Client) order(unique string) []string {
	if len(c.Servers) < 2 {
		return c.Servers
	}
	if unique != "" {
		return rank(c.Servers, unique)
	}
	first := int(c.turn.Add(1)) % len(c.Servers)
	return slices.Concat(c.Servers[first:], c.Servers[:first])
}

// inOrder calls f for one server after the other, as long as nothing was sent.
// Only the last one is worth waiting for.
func (c *Client) inOrder(ctx context.Context, unique string, f func(server string, patient bool) error) error {
	servers := c.order(unique)
	err := ErrNoServers
	for i, server := range servers {
		if err = f(server, i == len(servers)-1); err == nil {
			return nil
		}
		err = &onServer{server, err}
		if !SafeToRetry(err) {
			return err
		}
	}
	return err
}

// with calls f with a session to server. f is called again when a session that
// was of use before ended before anything was sent: it may have stood idle while
// the server was restarted.
func (c *Client) with(ctx context.Context, server string, patient bool, f func(*session) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := c.link(server)
	if err != nil {
		return err
	}
	for again := false; ; again = true {
		x, err := l.connected(ctx, patient)
		if err != nil {
			return err
		}
		if err = f(x); again || !SafeToRetry(err) || x.answered.Load() == 0 {
			return err
		}
	}
}

func (c *Client) link(server string) (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClientClosed
	}
	l := c.links[server]
	if l == nil {
		l = &link{server: server, dialer: dialer{c.Dial, c.TLS}, logger: orDiscard(c.Logger)}
		if c.links == nil {
			c.links = map[string]*link{}
		}
		c.links[server] = l
	}
	return l, nil
}

func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
