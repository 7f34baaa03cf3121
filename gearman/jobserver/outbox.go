package jobserver

import (
	"errors"
	"net"
	"sync"

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
	limit int

	mu      sync.Mutex
	ready   sync.Cond // when writing ends
	bufs    net.Buffers
	size    int  // of bufs
	open    bool // the last of bufs is our own, to append to
	spare   []byte
	writing bool
	err     error // why nothing can be written any longer
}

func newOutbox(nc net.Conn, limit int) *outbox {
	o := &outbox{nc: nc, limit: limit}
	o.ready.L = &o.mu
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
// it that run is called.
func (o *outbox) push(t wire.Type, args [][]byte, encoded []byte) (start bool) {
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
	start = !o.writing
	o.writing = true
	return start
}

// start reports whether the caller must see to it that run is called, for what
// add has queued.
func (o *outbox) start() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing || len(o.bufs) == 0 {
		return false
	}
	o.writing = true
	return true
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

// run writes what is queued, for the caller of push or start that is to do so.
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
		bufs := o.bufs
		o.bufs, o.size, o.open = nil, 0, false
		o.mu.Unlock()
		err := writeAll(o.nc, bufs)
		o.mu.Lock()
		if first := bufs[0]; cap(first) <= keepBuffer && o.spare == nil {
			o.spare = first[:0]
		}
		if err != nil {
			o.fail(err)
		}
	}
	o.writing = false
	o.ready.Broadcast()
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
	o.bufs, o.size, o.open = nil, 0, false
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
