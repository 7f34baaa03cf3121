package gearman

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
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

	restLimit = 100 * time.Millisecond // how long nobody reads, at least

	// maxReceived is what a job server makes of the largest packet that it takes:
	// it puts a handle, of 64 bytes at most, before a task.
	maxReceived = wire.DefaultMaxSize + 128

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
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return secured, nil
}

// A stream is one connection to a job server. Whoever sends appends to a
// buffer; one goroutine writes what has gathered there, in one write, and
// another reads packets and hands them to receive. Both have ended when done is
// closed.
//
// Who is alone writes by himself, which is sooner done than to wake the one that
// gathers, and reads by himself: while nothing is to come the reading goroutine
// lets go of the connection, for the next who is alone. After a moment without
// requests it is back, to see the connection end.
//
// It ends on the first error of reading, writing or receive, and counts the
// bytes that left, so that afterwards each request knows whether any of it did.
type stream struct {
	nc   net.Conn
	raw  syscall.RawConn // nc's, if it is a plain TCP connection
	wake chan struct{}   // capacity 1: there is something to write
	done chan struct{}

	writing sync.Mutex // held by who writes; mu may be taken under it
	spare   []byte     // who writes exchanges it for out

	// Of who reads.
	reader  *wire.Reader
	receive func(wire.Packet) error
	back    chan struct{} // capacity 1: the reading goroutine is to read again

	mu      sync.Mutex
	out     []byte
	queued  int64         // bytes ever put into out
	written int64         // bytes ever written; settled once done is closed
	owed    func() bool   // whether the server owes an answer; called with mu
	since   time.Time     // when it last had nothing to answer, or answered
	armed   bool          // there is a deadline for reading
	quiet   func() bool   // whether nothing is to come; called by who reads, with mu
	vacant  bool          // nobody reads
	guest   *visit        // who reads instead of the reading goroutine
	room    chan struct{} // closed when out was taken; nil when nobody waits
	err     error         // why it ends
}

// newStream returns a stream that does nothing before start.
func newStream(nc net.Conn) *stream {
	s := &stream{
		nc:    nc,
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		back:  make(chan struct{}, 1),
		owed:  func() bool { return false },
		quiet: func() bool { return false },
	}
	s.reader = wire.NewReader(renewing{s})
	s.reader.MaxSize = maxReceived
	if tcp, ok := nc.(*net.TCPConn); ok {
		s.raw, _ = tcp.SyscallConn()
	}
	return s
}

// start runs the stream. receive is called for every packet, by whoever reads, never
// by two at once; the packet's arguments are valid during the call. When it returns an
// error the stream ends with it. ended is called once, after the last receive and the
// last write, with the error that fail got first.
func (s *stream) start(receive func(wire.Packet) error, ended func(error)) {
	s.receive = receive
	writer := make(chan struct{})
	go func() {
		defer close(writer)
		s.write()
	}()
	go func() {
		defer close(s.done)
		s.fail(s.read())
		<-writer
		s.writing.Lock() // for who is alone
		err := s.failure()
		s.writing.Unlock()
		ended(err)
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
		s.recall()
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
	for range s.wake {
		for more := true; more; {
			// Let those who can run add theirs first: with 128 callers this
			// makes few writes of many and took 108,000 requests a second to
			// 180,000.
			runtime.Gosched()
			s.writing.Lock()
			n, err := s.writeAll()
			s.writing.Unlock()
			if err != nil {
				return
			}
			more = n > 0
		}
	}
}

// leave unlocks mu, under which something was queued, and has it written: at once,
// if it is alone and nobody writes. If it is alone and nobody reads, the caller is
// to do so, by v.
func (s *stream) leave(alone bool) (v *visit) {
	switch {
	case alone && s.vacant:
		v = &visit{s: s}
		s.vacant, s.guest = false, v
	case s.owed():
		s.recall()
	}
	s.dispatch(alone)
	return v
}

// dispatch does leave's writing.
func (s *stream) dispatch(alone bool) {
	if !alone || s.raw == nil || len(s.out) > writeChunk || !s.writing.TryLock() {
		s.mu.Unlock()
		s.signal()
		return
	}
	batch := s.take()
	s.mu.Unlock()
	n, err := s.writeNow(batch)
	if err != nil {
		s.fail(fmt.Errorf("write: %w", err))
	} else if rest := batch[n:]; len(rest) > 0 {
		s.putBack(rest)
	}
	s.writing.Unlock()
	s.mu.Lock()
	more := len(s.out) > 0
	s.mu.Unlock()
	if more {
		s.signal()
	}
}

// writeAll writes what is in out, with writing held, and returns how much that
// was. The stream has failed when there is an error.
func (s *stream) writeAll() (n int, err error) {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return 0, s.err
	}
	batch := s.take()
	s.mu.Unlock()
	if err := s.writeBatch(batch); err != nil {
		s.fail(fmt.Errorf("write: %w", err))
		return 0, err
	}
	return len(batch), nil
}

// take exchanges out for spare, with writing and mu held. What it returns becomes
// spare: it is valid as long as writing is held.
func (s *stream) take() []byte {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
	if cap(s.spare) > 2*highWater {
		s.spare = nil
	}
	s.out, s.spare = s.spare[:0], s.out
	return s.spare
}

// putBack puts what was not written back before the rest.
func (s *stream) putBack(rest []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = slices.Concat(rest, s.out)
}

func (s *stream) writeBatch(batch []byte) error {
	for len(batch) > 0 {
		chunk := batch[:min(len(batch), writeChunk)]
		n, err := s.writeNow(chunk)
		if n == 0 && err == nil {
			n, err = s.writeSoon(chunk)
		}
		if err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// writeNow writes what the connection has room for, without waiting.
func (s *stream) writeNow(b []byte) (n int, err error) {
	if s.raw == nil {
		return 0, nil
	}
	s.renew()
	closed := s.raw.Write(func(fd uintptr) bool {
		for {
			n, err = syscall.Write(int(fd), b)
			if err != syscall.EINTR {
				return true
			}
		}
	})
	if err == syscall.EAGAIN {
		err = nil
	}
	n = max(n, 0)
	s.count(n)
	return n, cmp.Or(closed, err)
}

// writeSoon writes b, for which the server has its time.
func (s *stream) writeSoon(b []byte) (n int, err error) {
	s.renew()
	s.nc.SetWriteDeadline(time.Now().Add(answerTimeout))
	n, err = s.nc.Write(b)
	s.nc.SetWriteDeadline(time.Time{}) // one that has passed would be writeNow's
	s.count(n)
	return n, err
}

func (s *stream) count(written int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += int64(written)
}

// renew gives the server its time to answer anew. It is called before bytes leave
// and before more are read, never after a write: the answer could have been read by
// then.
//
// A deadline that is set stays: to move it for each request costs more than the
// request. When it has passed, expired says what it means.
func (s *stream) renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = time.Now()
	if !s.armed && s.owed() {
		s.arm(s.since.Add(answerTimeout))
	}
}

// arm sets the deadline for reading, or none when it is zero, with mu held.
func (s *stream) arm(deadline time.Time) {
	s.armed = !deadline.IsZero()
	s.nc.SetReadDeadline(deadline)
}

// expired reports, when the deadline for reading has passed, whether the server
// had its time. If not, there is another deadline, or none while it owes nothing.
func (s *stream) expired() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	deadline := s.since.Add(answerTimeout)
	switch {
	case s.guest != nil && s.guest.kicked:
		return true
	case !s.owed():
		s.arm(time.Time{})
	case time.Now().Before(deadline):
		s.arm(deadline)
	default:
		return true
	}
	return false
}

// read is the reading goroutine's.
func (s *stream) read() error {
	for {
		if err := s.next(); err != nil {
			return err
		}
		s.mu.Lock()
		s.vacant = s.mayRest()
		vacant := s.vacant
		s.mu.Unlock()
		if vacant {
			s.rest()
			if err := s.failure(); err != nil {
				return err
			}
		}
	}
}

// next reads a packet and hands it to receive.
func (s *stream) next() error {
	p, err := s.reader.Next()
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if p.Magic != wire.Response {
		return fmt.Errorf("%s came as a request", p.Type)
	}
	return s.receive(p)
}

// renewing reads from a stream's connection, for which the server has its time.
type renewing struct{ s *stream }

func (r renewing) Read(p []byte) (int, error) {
	r.s.renew()
	for {
		n, err := r.s.nc.Read(p)
		switch {
		case n > 0 || !errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		case r.s.expired():
			return 0, silent(err)
		}
	}
}

// silent is err, that a deadline has passed, in words of what it means.
func silent(err error) error { return fmt.Errorf("no answer for %v: %w", answerTimeout, err) }
