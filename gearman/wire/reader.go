package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// DefaultMaxSize is a Reader's limit when its MaxSize is zero.
	DefaultMaxSize = 64 << 20

	// MaxLine limits a line of admin text, its end included.
	MaxLine = 4096

	// A Reader begins with the buffer of an idle connection, of which a job
	// server holds thousands, and grows it up to largeBuffer while reads fill
	// it. Only one packet larger than that takes more, and only until the next.
	smallBuffer = 2 << 10
	largeBuffer = 64 << 10
)

// ErrMagic says that what follows is no packet: neither "\0REQ" nor "\0RES"
// begins it. The connection is of no further use.
var ErrMagic = errors.New("bad magic")

// A Reader reads packets, and the admin protocol's lines between them, from a
// stream. It reads ahead. It is not safe for concurrent use.
//
// An error of the underlying reader loses nothing: after a passing one, such as
// a deadline, the same call may be made again.
type Reader struct {
	// MaxSize is the most bytes of data a packet may announce; zero means
	// DefaultMaxSize. The announced size is never allocated before the bytes
	// have come.
	MaxSize int

	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] is read and not yet returned
	full bool
	args [maxArgs][]byte
}

// NewReader returns a Reader of src.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src}
}

// Next returns the next packet. Its Args lie in the Reader's buffer and are
// valid until the next call of any method but Buffered. A packet of a type the
// protocol does not have is returned with all its data as one argument.
//
// The error is io.EOF when the stream ends between packets and
// io.ErrUnexpectedEOF when it ends within one; ErrMagic and ErrTooLarge, after
// which the stream cannot be followed any longer; an *ArgumentError, after which
// it can; or the underlying reader's.
func (r *Reader) Next() (Packet, error) {
	if err := r.need(headerSize); err != nil {
		return Packet{}, err
	}
	head := r.buf[r.r : r.r+headerSize]
	p := Packet{Magic: Magic(head[:4]), Type: Type(binary.BigEndian.Uint32(head[4:]))}
	if p.Magic != Request && p.Magic != Response {
		return Packet{}, fmt.Errorf("%w %q", ErrMagic, head[:4])
	}
	size := binary.BigEndian.Uint32(head[8:])
	if uint64(size) > uint64(r.maxSize()) {
		return Packet{}, fmt.Errorf("%s of %d bytes: %w", p.Type, size, ErrTooLarge)
	}
	if err := r.need(headerSize + int(size)); err != nil {
		return Packet{}, err
	}
	data := r.buf[r.r+headerSize : r.r+headerSize+int(size)]
	r.r += headerSize + int(size)
	var err error
	p.Args, err = r.split(p.Type, data)
	return p, err
}

// Text reports whether admin text is next rather than a packet, by its first
// byte: a packet begins with NUL and text does not. It waits for that byte.
func (r *Reader) Text() (bool, error) {
	if err := r.need(1); err != nil {
		return false, err
	}
	return r.buf[r.r] != 0, nil
}

// Line returns the next line of admin text without its end, LF or CR LF. It is
// valid until the next call, as a packet's Args are. A line longer than MaxLine
// is ErrTooLarge, and text that ends without a line end io.ErrUnexpectedEOF.
func (r *Reader) Line() ([]byte, error) {
	for seen := 0; ; {
		if i := bytes.IndexByte(r.buf[r.r+seen:r.w], '\n'); i >= 0 {
			line := r.buf[r.r : r.r+seen+i]
			r.r += seen + i + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		if seen = r.w - r.r; seen >= MaxLine {
			return nil, fmt.Errorf("line of more than %d bytes: %w", MaxLine, ErrTooLarge)
		}
		if err := r.need(seen + 1); err != nil {
			return nil, err
		}
	}
}

// Buffered returns how many bytes are read and not yet returned. A server that
// holds its answers back while there are some answers a pipelined conversation
// in few writes.
func (r *Reader) Buffered() int { return r.w - r.r }

func (r *Reader) maxSize() int {
	if r.MaxSize > 0 {
		return r.MaxSize
	}
	return DefaultMaxSize
}

func (r *Reader) split(t Type, data []byte) ([][]byte, error) {
	n := t.NumArgs()
	if n == 0 {
		if len(data) > 0 {
			return nil, &ArgumentError{t, fmt.Sprintf("%d bytes given, none wanted", len(data))}
		}
		return nil, nil
	}
	for i := range n - 1 {
		end := bytes.IndexByte(data, 0)
		if end < 0 {
			return nil, &ArgumentError{t, fmt.Sprintf("%d given, %d wanted", i+1, n)}
		}
		r.args[i] = data[:end:end]
		data = data[end+1:]
	}
	r.args[n-1] = data[:len(data):len(data)]
	return r.args[:n:n], nil
}

// need reads until buf[r.r:] holds n bytes.
func (r *Reader) need(n int) error {
	if r.w-r.r >= n {
		return nil
	}
	r.makeRoom(n)
	for empty := 0; r.w-r.r < n; {
		if r.w == len(r.buf) {
			r.resize(min(2*len(r.buf), max(n, largeBuffer)))
		}
		m, err := r.src.Read(r.buf[r.w:])
		r.w += m
		r.full = r.w == len(r.buf)
		if r.w-r.r >= n {
			return nil // a lasting err comes again with the next read
		}
		if err != nil {
			return r.readError(err)
		}
		if empty++; m > 0 {
			empty = 0
		} else if empty == 100 {
			return io.ErrNoProgress
		}
	}
	return nil
}

// makeRoom prepares buf for a read of up to n bytes at r.r, which it moves to
// the front when they would not fit behind it.
func (r *Reader) makeRoom(n int) {
	if r.r == r.w {
		r.r, r.w = 0, 0
		switch {
		case r.buf == nil:
			r.resize(smallBuffer)
		case len(r.buf) > largeBuffer:
			r.resize(largeBuffer)
		case r.full && len(r.buf) < largeBuffer:
			r.resize(2 * len(r.buf))
		}
	}
	if len(r.buf)-r.r < n && r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
}

func (r *Reader) resize(n int) {
	buf := make([]byte, n)
	r.w = copy(buf, r.buf[r.r:r.w])
	r.r = 0
	r.buf = buf
}

func (r *Reader) readError(err error) error {
	if err == io.EOF && r.w > r.r {
		return io.ErrUnexpectedEOF
	}
	return err
}
