package jobserver

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"sync"

	"revstamp/gearman/wire"
)

const (
	// maxHandle is the longest job handle the protocol allows.
	maxHandle = 63

	// maxID is how much gearmand keeps of a SET_CLIENT_ID.
	maxID = 127

	// unused is the type the protocol leaves out. It is answered as one that is
	// not expected; those the protocol does not have end the connection.
	unused wire.Type = 5
)

// A conn is one connection, of a client, a worker, an administrator, or all of
// them.
type conn struct {
	number uint64
	host   string
	log    *slog.Logger
	out    *outbox
	reader *wire.Reader
	writes sync.WaitGroup // goroutines that write what others sent to it

	// Of the goroutine that reads from it.
	group   *group  // its last background submits are answered with; may be nil
	errands []*conn // that it has sent something to and is to deliver

	// What follows is guarded by the queue's mutex.
	id         string
	exceptions bool // WORK_EXCEPTION is forwarded to it
	asleep     bool // as a worker, until it is sent a NOOP
	abilities  []*ability
	holds      list[*job]
	waiting    list[*waiter]
}

func newConn(nc net.Conn, s *Server, number uint64) *conn {
	c := &conn{
		number: number,
		host:   hostOf(nc),
		log:    s.log,
		out:    newOutbox(nc, s.maxPending()),
		id:     "-",
	}
	c.reader = wire.NewReader(input{nc, c})
	c.reader.MaxSize = s.MaxPacket
	return c
}

func hostOf(nc net.Conn) string {
	addr := nc.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// An input reads from a connection, after all that came of what was read before
// is written, for others and then for itself: what comes of a pipelined
// conversation leaves together, and the goroutine that reads needs no other to
// write it.
type input struct {
	nc net.Conn
	c  *conn
}

func (in input) Read(p []byte) (int, error) {
	in.c.deliver()
	if err := in.c.out.flush(); err != nil {
		return 0, err
	}
	return in.nc.Read(p)
}

// deliver has written what c sent to others. It does not wait for them, but is
// to be called before anything that c waits for.
func (c *conn) deliver() {
	deliver(c.errands)
	clear(c.errands)
	c.errands = c.errands[:0]
}

func deliver(to []*conn) {
	for _, c := range to {
		c.out.offer(&c.writes)
	}
}

// drain waits until all that is queued for c is written. Only the goroutine that
// reads from c calls it.
func (c *conn) drain() error {
	c.deliver()
	return c.out.drain()
}

// reply queues an answer to what c asked.
func (c *conn) reply(t wire.Type, args ...[]byte) {
	c.out.add(t, args)
}

// refuse queues an ERROR, unless r is nil.
func (c *conn) refuse(r *refusal) {
	if r != nil {
		c.reply(wire.Error, []byte(r.code), []byte(r.text))
	}
}

// rise has c, as a worker, awake: no NOOP is due to it.
func (c *conn) rise() {
	if !c.asleep {
		return
	}
	c.asleep = false
	for _, a := range c.abilities {
		a.asleep.remove()
	}
}

func (c *conn) setID(id []byte) {
	c.id = string(id[:min(len(id), maxID)])
}

func (c *conn) option(name []byte) *refusal {
	if !bytes.EqualFold(word(name), []byte("exceptions")) {
		return errOption
	}
	c.exceptions = true
	c.reply(wire.OptionRes, name)
	return nil
}

// serve answers c's requests until it ends, and returns why it did: io.EOF when
// the peer went.
func (s *Server) serve(c *conn) error {
	for {
		if c.out.full() {
			if err := c.drain(); err != nil {
				return err
			}
		}
		text, err := c.reader.Text()
		if err != nil {
			return err
		}
		if text {
			c.settle()
			err = s.serveText(c)
		} else {
			err = s.servePacket(c)
		}
		if err != nil {
			return err
		}
	}
}

func (s *Server) servePacket(c *conn) error {
	p, err := c.reader.Next()
	var wrong *wire.ArgumentError
	if errors.As(err, &wrong) {
		c.settle()
		c.refuse(&refusal{"INVALID_PACKET", wrong.Error()})
		return errors.Join(err, c.drain())
	}
	if err != nil {
		return err
	}
	if !p.Type.Known() && p.Type != unused {
		return &wire.ArgumentError{Type: p.Type, Detail: "no such type"}
	}
	if refused := s.queue.handle(c, p); refused != nil {
		c.settle()
		c.refuse(refused)
	}
	return nil
}
