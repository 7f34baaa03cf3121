package gearman

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"

	"revstamp/gearman/wire"
)

const (
	// DefaultPort is the port of a job server whose address has none.
	DefaultPort = "4730"

	// answerTimeout is how long a job server may owe an answer, or take nothing
	// of what is sent, before its connection is given up. It begins with the
	// connection: of 1,000 connecting at once to a gearmand with its backlog of
	// 32, six stayed open and silent for more than 90 s.
	answerTimeout = 15 * time.Second

	dialTimeout = 10 * time.Second

	writeChunk = 256 << 10 // the deadline is renewed after so many bytes
	highWater  = 1 << 20   // senders wait while more is queued
)

// errStreamClosed is the end of a stream that was closed from this side.
var errStreamClosed = errors.New("connection closed")

// dialer is how clients, workers and admins reach a job server.
type dialer struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	tls  *tls.Config
}

// connect opens a connection to server, which may lack a port.
func (d dialer) connect(ctx context.Context, server string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		host, port = strings.Trim(server, "[]"), DefaultPort
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dial := d.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil || d.tls == nil {
		return nc, err
	}
	config := d.tls
	if config.ServerName == "" && !config.InsecureSkipVerify {
		config = config.Clone()
		config.ServerName = host
	}
	secured := tls.Client(nc, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return secured, nil
}

// A stream is one connection to a job server. Whoever sends appends to a
// buffer; one goroutine writes what has gathered there, in one write, and
// another reads packets and hands them to receive. Both have ended when done is
// closed.
//
// It ends on the first error of reading, writing or receive, and counts the
// bytes that left, so that afterwards each request knows whether any of it did.
type stream struct {
	nc   net.Conn
	wake chan struct{} // capacity 1: there is something to write
	done chan struct{}

	mu      sync.Mutex
	out     []byte
	queued  int64         // bytes ever put into out
	written int64         // bytes ever written; settled once done is closed
	owed    func() bool   // whether the server owes an answer; called with mu
	room    chan struct{} // closed when out was taken; nil when nobody waits
	err     error         // why it ends
}

// newStream returns a stream that does nothing before start.
func newStream(nc net.Conn) *stream {
	return &stream{
		nc:   nc,
		wake: make(chan struct{}, 1),
		done: make(chan struct{}),
		owed: func() bool { return false },
	}
}

// start runs the stream. receive is called from one goroutine for every packet,
// whose arguments are valid during the call; when it returns an error the stream
// ends with it. ended is called once, after the last receive and the last write,
// with the error that fail got first.
func (s *stream) start(receive func(wire.Packet) error, ended func(error)) {
	writer := make(chan struct{})
	go func() {
		defer close(writer)
		s.write()
	}()
	go func() {
		defer close(s.done)
		s.fail(s.read(receive))
		<-writer
		ended(s.failure())
	}()
}

// fail ends the stream with err, unless it has ended already. It does not wait.
func (s *stream) fail(err error) {
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.err = err
		if s.room != nil {
			close(s.room)
			s.room = nil
		}
	}
	s.mu.Unlock()
	if first {
		s.nc.Close()
		s.signal()
	}
}

// failure returns why the stream ends, nil while it does not.
func (s *stream) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// lock waits until there is room in out, or ctx is done, and returns with mu
// held when it returns nil.
func (s *stream) lock(ctx context.Context) error {
	for {
		s.mu.Lock()
		if s.err != nil {
			defer s.mu.Unlock()
			return s.err
		}
		if len(s.out) < highWater {
			return nil
		}
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		s.signal()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// queue appends a request to out, with mu held.
func (s *stream) queue(t wire.Type, args ...[]byte) error {
	before := len(s.out)
	var err error
	s.out, err = wire.Append(s.out, wire.Packet{Magic: wire.Request, Type: t, Args: args})
	s.queued += int64(len(s.out) - before)
	return err
}

// send queues one request that has no answer, or one that its caller waits for.
func (s *stream) send(ctx context.Context, t wire.Type, args ...[]byte) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	err := s.queue(t, args...)
	s.mu.Unlock()
	s.signal()
	return err
}

// signal tells the writer that something waits.
func (s *stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// write writes what gathers in out until the stream fails.
func (s *stream) write() {
	var batch []byte
	for range s.wake {
		for {
			// Let those who can run add theirs first: with 128 callers this
			// makes few writes of many and took 108,000 requests a second to
			// 180,000.
			runtime.Gosched()
			var ok bool
			if batch, ok = s.take(batch); !ok {
				return
			}
			if len(batch) == 0 {
				break
			}
			if err := s.writeBatch(batch); err != nil {
				s.fail(fmt.Errorf("write: %w", err))
				return
			}
		}
	}
}

// take exchanges out for spare, a buffer already written. ok is false once the
// stream has failed.
func (s *stream) take(spare []byte) (batch []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, false
	}
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
	if cap(spare) > 2*highWater {
		spare = nil
	}
	batch, s.out = s.out, spare[:0]
	return batch, true
}

func (s *stream) writeBatch(batch []byte) error {
	for len(batch) > 0 {
		s.renew()
		s.nc.SetWriteDeadline(time.Now().Add(answerTimeout))
		n, err := s.nc.Write(batch[:min(len(batch), writeChunk)])
		s.mu.Lock()
		s.written += int64(n)
		s.mu.Unlock()
		if err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// renew gives the server its time to answer, or all the time it wants when it
// owes nothing. It is called before bytes leave and before more are read, never
// after a write: the answer could have been read by then.
func (s *stream) renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var deadline time.Time
	if s.owed() {
		deadline = time.Now().Add(answerTimeout)
	}
	s.nc.SetReadDeadline(deadline)
}

func (s *stream) read(receive func(wire.Packet) error) error {
	r := wire.NewReader(renewing{s})
	for {
		p, err := r.Next()
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if p.Magic != wire.Response {
			return fmt.Errorf("%s came as a request", p.Type)
		}
		if err := receive(p); err != nil {
			return err
		}
	}
}

// renewing reads from a stream's connection, whose deadline it renews first.
type renewing struct{ s *stream }

func (r renewing) Read(p []byte) (int, error) {
	r.s.renew()
	return r.s.nc.Read(p)
}
