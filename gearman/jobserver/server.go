package jobserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// ErrServerClosed is what Serve and ServeConn return after Close, Shutdown or an
// administrator's shutdown.
var ErrServerClosed = errors.New("job server closed")

// A Server is a Gearman job server. Its zero value, whose jobs are in memory, is
// ready to Serve. Fields are to be set before and left alone after; methods are
// safe for concurrent use. A Server that was closed stays closed.
//
// Whoever can connect can submit, take and cancel jobs: which addresses that
// are is decided by the listener it is given. Listen on loopback.
type Server struct {
	// Logger gets a warning for a job that timed out, for a peer that was
	// disconnected because it does not read, and when no connections can be
	// accepted for want of descriptors; an error when the Store fails; and a debug
	// record for each connection that ends with an error. Nil discards.
	Logger *slog.Logger

	// Version is what the admin command version answers. Empty means 1.1.20,
	// the gearmand whose behaviour this is.
	Version string

	// HandlePrefix begins every job handle; a colon and a number follow. Empty
	// means "H:" and the host name. It is text without spaces and NULs; more than
	// 40 bytes are cut off.
	HandlePrefix string

	// AllowShutdown lets any peer end the server by the admin commands shutdown
	// and shutdown graceful. Without it they are unknown, as to gearmand 1.1.20.
	AllowShutdown bool

	// MaxPacket is the most bytes of data a request may bring; zero means
	// wire.DefaultMaxSize. Who sends more is disconnected, a worker with too large
	// a result, too, whose job is then queued again.
	MaxPacket int

	// MaxJobs is the most jobs not yet ended, waiting clients counted too; zero
	// means a million. What exceeds it is refused as by a full queue.
	MaxJobs int

	// MaxFunctions is the most functions, for those once heard of stay until
	// they are dropped; zero means 65,536.
	MaxFunctions int

	// MaxConns is the most connections; zero means 16,384. Further ones are
	// closed as soon as they are accepted.
	MaxConns int

	// MaxPending is how many bytes may wait for a peer to read what others send
	// to it; zero means 16 MiB, and one packet more is let through. Past it the
	// peer is disconnected. One that asks without reading the answers is only not
	// read from, once the buffers of its connection are full.
	MaxPending int

	// Store, if there is one, has the background jobs outlive the server: it
	// takes up those that the store has, and acknowledges no background job that
	// is not there. What has ended is removed a moment later: what ended in the
	// last moments before a crash is done again. Foreground jobs are never
	// stored. A Store must be with one Server only, and is to be closed, if
	// ever, after that.
	Store Store

	once  sync.Once
	log   *slog.Logger
	queue queue
	err   error // why nothing can be served, if the store could not be loaded

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]net.Conn
	accepted  uint64
	refused   uint64        // past MaxConns
	ending    chan struct{} // closed when the server is
	gone      chan struct{} // closed when thereafter the last connection is gone
	draining  bool
}

func (s *Server) init() {
	s.once.Do(func() {
		s.log = s.Logger
		if s.log == nil {
			s.log = slog.New(slog.DiscardHandler)
		}
		s.listeners = map[net.Listener]struct{}{}
		s.conns = map[*conn]net.Conn{}
		s.ending, s.gone = make(chan struct{}), make(chan struct{})
		s.queue = queue{
			prefix:       handlePrefix(s.HandlePrefix),
			maxJobs:      or(s.MaxJobs, 1_000_000),
			maxFunctions: or(s.MaxFunctions, 1<<16),
			functions:    map[string]*function{},
			index:        map[string]*job{},
		}
		if s.Store != nil {
			s.queue.mu.Lock()
			defer s.queue.mu.Unlock()
			if err := s.queue.load(s.Store, s.log); err != nil {
				s.err = fmt.Errorf("job store: %w", err)
			}
		}
	})
}

func (s *Server) maxPending() int { return or(s.MaxPending, 16<<20) }

func or(n, zero int) int {
	if n > 0 {
		return n
	}
	return zero
}

func handlePrefix(p string) string {
	if p == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "localhost"
		}
		p = "H:" + host
	}
	return p[:min(len(p), 40)] + ":"
}

// Serve accepts connections from l, which it closes in the end, and serves each.
// On Linux it limits the segments of a TCP listener's connections to 30 KiB, for
// peers with small buffers.
// It returns when accepting fails, with that error, or when the server was
// closed, with ErrServerClosed and after the last connection has ended.
func (s *Server) Serve(l net.Listener) error {
	s.init()
	defer l.Close()
	if s.err != nil {
		return s.err
	}
	if !s.listen(l) {
		return ErrServerClosed
	}
	defer s.unlisten(l)
	limitSegments(l)
	for {
		nc, err := s.accept(l)
		if err != nil {
			return err
		}
		if c := s.join(nc); c != nil {
			go s.serveConn(c, nc)
		} else {
			nc.Close()
		}
	}
}

// ServeConn serves one connection, which it closes, until the peer goes: then it
// returns nil. It returns ErrServerClosed when the server was closed, and
// otherwise why it gave the connection up.
func (s *Server) ServeConn(nc net.Conn) error {
	s.init()
	if s.err != nil {
		nc.Close()
		return s.err
	}
	c := s.join(nc)
	if c == nil {
		nc.Close()
		if s.stopping() {
			return ErrServerClosed
		}
		return errors.New("too many connections")
	}
	return s.serveConn(c, nc)
}

// accept is l.Accept, which waits while the process has no descriptors left.
func (s *Server) accept(l net.Listener) (net.Conn, error) {
	const first = 5 * time.Millisecond
	for delay := first; ; delay = min(2*delay, time.Second) {
		nc, err := l.Accept()
		if err == nil {
			return nc, nil
		}
		if s.stopping() {
			s.wait()
			return nil, ErrServerClosed
		}
		var passing interface{ Temporary() bool }
		if !errors.As(err, &passing) || !passing.Temporary() {
			return nil, err
		}
		if delay == first {
			s.log.Warn("job server: connections are not accepted", "error", err)
		}
		select {
		case <-time.After(delay):
		case <-s.ending:
		}
	}
}

// serveConn serves c, which has joined, to its end.
func (s *Server) serveConn(c *conn, nc net.Conn) error {
	defer s.leave(c)
	err := c.out.cause(s.serve(c))
	c.settle()
	c.deliver()
	s.queue.mu.Lock()
	s.queue.leave(c)
	s.queue.tally.ended(err)
	s.queue.unlock(nil)
	switch {
	case s.closed():
		err = ErrServerClosed
		c.out.drain() // the last results; Close ends it
	case errors.Is(err, io.EOF):
		err = nil
		c.out.drain() // for a peer that has said all and still reads
	case errors.Is(err, errSlow):
		c.log.Warn("job server: connection dropped", "peer", c.host, "error", err)
	default:
		c.log.Debug("job server: connection ended", "peer", c.host, "error", err)
	}
	c.out.close(net.ErrClosed)
	c.writes.Wait()
	return err
}

// Shutdown closes the listeners and then waits until no job is left, queued,
// delayed or running, before it closes every connection. Peers that are
// connected may go on until then, and submit: a worker's report of a job's end
// is a job itself. With a Store, which keeps them for the next server,
// background jobs that nobody runs are not waited for and given to no worker.
// When ctx is done first it returns ctx's error and leaves the rest to Close.
func (s *Server) Shutdown(ctx context.Context) error {
	s.init()
	s.drain()
	select {
	case <-s.gone:
		s.wait()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes the listeners and all connections and waits for their end. Jobs
// that have not ended are lost, but for those in the Store.
func (s *Server) Close() error {
	s.init()
	err := s.close(func(nc net.Conn) { nc.Close() })
	s.wait()
	return err
}

// wait waits for the last connection to go after close, and for the store to
// have all.
func (s *Server) wait() {
	<-s.gone
	s.queue.close()
}

// drain begins a shutdown.
func (s *Server) drain() {
	s.mu.Lock()
	s.draining = true
	s.closeListeners()
	s.mu.Unlock()

	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	s.queue.drain(s.drained)
}

// drained ends every connection as soon as what is queued for it is written.
func (s *Server) drained() {
	s.close(func(nc net.Conn) { nc.SetReadDeadline(time.Unix(1, 0)) })
}

// close closes the server and ends its connections by end.
func (s *Server) close(end func(net.Conn)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.closeListeners()
	for _, nc := range s.conns {
		end(nc)
	}
	if !s.closed() {
		close(s.ending)
		if len(s.conns) == 0 {
			close(s.gone)
		}
	}
	return err
}

func (s *Server) closeListeners() error {
	var errs []error
	for l := range s.listeners {
		errs = append(errs, l.Close())
		delete(s.listeners, l)
	}
	return errors.Join(errs...)
}

// closed reports whether close was called.
func (s *Server) closed() bool {
	select {
	case <-s.ending:
		return true
	default:
		return false
	}
}

// stopping reports whether the server is closed or shutting down.
func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining || s.closed()
}

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining || s.closed() {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) unlisten(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// join counts nc among the connections, if there is room.
func (s *Server) join(nc net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining || s.closed() {
		return nil
	}
	if len(s.conns) >= or(s.MaxConns, 16384) {
		s.refused++
		return nil
	}
	s.accepted++
	c := newConn(nc, s, s.accepted)
	s.conns[c] = nc
	return c
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if len(s.conns) == 0 && s.closed() {
		close(s.gone)
	}
}
