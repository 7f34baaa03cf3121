package jobserver

import (
	"cmp"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"

	"revstamp/gearman/wire"
)

const (
	// A packet of this size or more is queued as it is, shared between the
	// clients that get it, instead of being copied for each.
	shareSize = 16 << 10

	// keepBuffer is the largest buffer an outbox keeps for its next write.
	keepBuffer = 64 << 10
)

var errSlow = errors.New("peer does not read what is sent to it")

// An outbox holds what waits to be written to a connection. One goroutine at a
// time writes, all there is in one write; who adds something meanwhile leaves it
// to that one. Its methods are safe for concurrent use.
type outbox struct {
	nc    net.Conn
	raw   syscall.RawConn // nc's, if it is a plain TCP connection
	limit int

	mu      sync.Mutex
	ready   sync.Cond // when writing ends
	bufs    net.Buffers
	size    int  // of bufs
	open    bool // the last of bufs is our own, to append to
	spare   []byte
	writing bool
	owed    bool  // somebody is to call offer
	err     error // why nothing can be written any longer
}

func newOutbox(nc net.Conn, limit int) *outbox {
	o := &outbox{nc: nc, limit: limit}
	o.ready.L = &o.mu
	if tcp, ok := nc.(*net.TCPConn); ok {
		o.raw, _ = tcp.SyscallConn()
	}
	return o
}

// add queues a packet. The arguments are copied.
func (o *outbox) add(t wire.Type, args [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.append(func(b []byte) []byte { return encode(b, t, args) })
	}
}

// text queues text, which is copied.
func (o *outbox) text(s []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.append(func(b []byte) []byte { return append(b, s...) })
	}
}

func (o *outbox) append(to func([]byte) []byte) {
	if !o.open {
		o.bufs = append(o.bufs, o.spare[:0])
		o.spare, o.open = nil, true
	}
	last := &o.bufs[len(o.bufs)-1]
	o.size -= len(*last)
	*last = to(*last)
	o.size += len(*last)
}

// push is add, or for a large packet its encoding, on behalf of another
// connection: nothing is added behind more than limit bytes that the peer does
// not read; the outbox breaks instead. It reports whether the caller must see to
// it that offer is called.
func (o *outbox) push(t wire.Type, args [][]byte, encoded []byte) (owed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil:
		return false
	case o.size > o.limit:
		o.fail(errSlow)
		return false
	case encoded != nil:
		o.bufs = append(o.bufs, encoded)
		o.size += len(encoded)
		o.open = false
	default:
		o.append(func(b []byte) []byte { return encode(b, t, args) })
	}
	return o.owe()
}

// due reports whether the caller must see to it that offer is called, for what
// add has queued.
func (o *outbox) due() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.bufs) > 0 && o.owe()
}

func (o *outbox) owe() bool {
	if o.writing || o.owed {
		return false
	}
	o.owed = true
	return true
}

// offer writes as much of what is queued as the peer takes at once, and leaves the
// rest to a goroutine of writers. It does not wait for the peer.
func (o *outbox) offer(writers *sync.WaitGroup) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing || len(o.bufs) == 0 {
		o.owed = false
		return
	}
	o.writing = true
	if len(o.bufs) == 1 && o.raw != nil {
		o.attempt()
	}
	if len(o.bufs) > 0 {
		writers.Go(o.run)
		return
	}
	o.writing = false
	o.ready.Broadcast()
}

// attempt writes what the peer takes of the only one of bufs, and puts the rest
// back. It is called with mu held and writing true.
func (o *outbox) attempt() {
	all := o.take()[0]
	o.mu.Unlock()
	n, err := writeNow(o.raw, all)
	o.mu.Lock()
	switch {
	case err != nil:
		o.fail(err)
	case o.err != nil:
	case n < len(all):
		o.bufs = slices.Insert(o.bufs, 0, all[n:])
		o.size += len(all) - n
		return // all is in use
	}
	o.keep(all)
}

// writeNow writes as much as there is room for.
func writeNow(raw syscall.RawConn, b []byte) (n int, err error) {
	closed := raw.Write(func(fd uintptr) bool {
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
	return max(n, 0), cmp.Or(closed, err)
}

func encode(dst []byte, t wire.Type, args [][]byte) []byte {
	// What the arguments come from has been through the codec once already.
	dst, _ = wire.Append(dst, wire.Packet{Magic: wire.Response, Type: t, Args: args})
	return dst
}

// flush writes what is queued, unless another goroutine is at it.
func (o *outbox) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing || len(o.bufs) == 0 {
		return o.err
	}
	o.writing = true
	o.write()
	return o.err
}

// run writes what offer has left.
func (o *outbox) run() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.write()
}

// drain waits until everything queued is written.
func (o *outbox) drain() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing {
		o.ready.Wait()
	}
	o.writing = true
	o.write()
	return o.err
}

// full reports whether as much is queued as may be.
func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.size > o.limit
}

// write is called with mu held and writing true.
func (o *outbox) write() {
	for len(o.bufs) > 0 && o.err == nil {
		bufs := o.take()
		o.mu.Unlock()
		err := writeAll(o.nc, bufs)
		o.mu.Lock()
		o.keep(bufs[0])
		if err != nil {
			o.fail(err)
		}
	}
	o.writing = false
	o.ready.Broadcast()
}

// take takes all that is queued.
func (o *outbox) take() net.Buffers {
	bufs := o.bufs
	o.bufs, o.size, o.open, o.owed = nil, 0, false, false
	return bufs
}

// keep keeps a buffer that is written for what is queued next.
func (o *outbox) keep(b []byte) {
	if cap(b) <= keepBuffer && o.spare == nil {
		o.spare = b[:0]
	}
}

func writeAll(nc net.Conn, bufs net.Buffers) error {
	if len(bufs) == 1 {
		_, err := nc.Write(bufs[0])
		return err
	}
	rest := bufs // WriteTo takes from it what is written
	_, err := rest.WriteTo(nc)
	return err
}

// fail breaks the outbox for good, and with it the connection.
func (o *outbox) fail(err error) {
	if o.err == nil {
		o.err = err
		o.nc.Close()
	}
	o.bufs, o.size, o.open, o.owed = nil, 0, false, false
}

// cause returns why the outbox broke, if it did before err came.
func (o *outbox) cause(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	return err
}

// close breaks the outbox.
func (o *outbox) close(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail(err)
}
