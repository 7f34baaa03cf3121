package gearman

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstDelay = 50 * time.Millisecond
	lastDelay  = 5 * time.Second
)

// A link is a client's way to one job server: a session when there is one, and
// the memory of failures when there is not. It connects when asked to, once for
// all who ask at the same time.
type link struct {
	server string
	dialer dialer
	logger *slog.Logger

	mu       sync.Mutex
	closed   bool
	session  *session // the last one, perhaps ended
	dialing  *attempt // nil: nobody connects
	failures int      // in a row
	err      error    // the last of them
	next     time.Time
}

// attempt is one try to connect. It belongs to the link: a caller that leaves
// does not end it for those who still wait.
type attempt struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // read it after done
}

// connected returns a session that had not failed a moment ago. After a failure
// the next try has to wait: a patient caller waits too, an impatient one is
// given the last failure.
func (l *link) connected(ctx context.Context, patient bool) (*session, error) {
	for {
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return nil, ErrClientClosed
		}
		if x := l.session; x != nil && x.failure() == nil {
			l.mu.Unlock()
			return x, nil
		}
		delay := time.Until(l.next)
		if delay > 0 && !patient {
			defer l.mu.Unlock()
			return nil, &unsentError{l.err}
		}
		a := l.dialing
		if a == nil {
			a = l.begin(ctx, delay)
		}
		l.mu.Unlock()
		select {
		case <-a.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if a.err != nil {
			return nil, &unsentError{a.err}
		}
	}
}

// begin starts an attempt after delay, with mu held.
func (l *link) begin(ctx context.Context, delay time.Duration) *attempt {
	a := &attempt{done: make(chan struct{})}
	ctx, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.dialing = a
	last := l.session
	go func() {
		defer close(a.done)
		defer a.cancel()
		if last != nil {
			<-last.done
		}
		a.err = l.connect(ctx, delay)
	}()
	return a
}

func (l *link) connect(ctx context.Context, delay time.Duration) error {
	err := sleep(ctx, delay)
	if err != nil {
		return ErrClientClosed // nothing else cancels an attempt
	}
	nc, err := l.dialer.connect(ctx, l.server)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dialing = nil
	switch {
	case l.closed && err == nil:
		nc.Close()
		fallthrough
	case l.closed:
		return ErrClientClosed
	case err != nil:
		l.failed(err)
		return err
	}
	x := newSession(l.server, newStream(nc))
	l.session = x
	x.run(func(err error) { l.lost(x, err) })
	return nil
}

// lost is called when a session has ended.
func (l *link) lost(x *session, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.logger.Info("connection lost", "server", l.server, "error", err)
	if x.answered.Load() == 0 {
		l.failed(err)
		return
	}
	l.failures, l.next = 0, time.Time{}
}

// failed counts a failure, with mu held. A server that accepts and says nothing
// fails as one that refuses does.
func (l *link) failed(err error) {
	l.err = err
	l.next = time.Now().Add(backoff(l.failures, lastDelay))
	l.failures++
}

// close ends what the link has and waits for it.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	x, a := l.session, l.dialing
	l.mu.Unlock()
	if a != nil {
		a.cancel()
		<-a.done
	}
	if x != nil {
		x.fail(ErrClientClosed)
		<-x.done
	}
}

// backoff returns how long to wait after so many failures in a row before this
// one: twice as long each time, up to last, of which half is chance, so that
// those who failed together do not return together.
func backoff(failures int, last time.Duration) time.Duration {
	d := last
	if failures < 16 {
		d = min(firstDelay<<failures, last)
	}
	return d/2 + rand.N(d/2)
}

// sleep waits for d or for ctx, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
