// Package wire is the codec of the Gearman protocol. It knows packets, not
// connections: Append encodes, a Reader decodes.
//
// A packet is a header of twelve bytes and its data, numbers in network order:
//
//	0        4        8        12            12+size
//	| magic  | type   | size   | arguments   |
//
// Magic is "\0REQ" towards a job server and "\0RES" from one. The type decides
// the number of arguments. Arguments are separated, not ended, by a NUL; the
// last reaches to the end of the data and may hold NULs itself. The source is
// the file PROTOCOL of gearmand.
package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Magic is the first four bytes of a packet and tells its direction.
type Magic [4]byte

// The two directions: requests go to a job server, responses come from one.
var (
	Request  = Magic{0, 'R', 'E', 'Q'}
	Response = Magic{0, 'R', 'E', 'S'}
)

// headerSize is the length of magic, type and size.
const headerSize = 12

// ErrTooLarge says that a packet's data is longer than a Reader's MaxSize, or
// than the protocol's size field can tell.
var ErrTooLarge = errors.New("packet too large")

// An ArgumentError says that a packet's arguments do not fit its type. After
// one from Reader.Next the Reader stands at the next packet.
type ArgumentError struct {
	Type   Type
	Detail string
}

// Error returns the type's protocol name and what is wrong.
func (e *ArgumentError) Error() string {
	return fmt.Sprintf("arguments of %s: %s", e.Type, e.Detail)
}

// A Packet is one request or response.
//
// Args has as many elements as Type.NumArgs says. The last may hold NUL bytes;
// the others may not, for a NUL is what ends them.
type Packet struct {
	Magic Magic
	Type  Type
	Args  [][]byte
}

// Append appends the encoding of p to dst and returns the extended slice. On
// error, an *ArgumentError or ErrTooLarge, it returns dst as it was: a packet
// with a wrong number of arguments makes gearmand take bytes of the next one
// and never leaves here. Append keeps nothing of p.
func Append(dst []byte, p Packet) ([]byte, error) {
	if err := check(p); err != nil {
		return dst, err
	}
	size := 0
	for _, arg := range p.Args {
		size += len(arg)
	}
	size += max(len(p.Args)-1, 0)
	if uint64(size) > math.MaxUint32 {
		return dst, fmt.Errorf("%s of %d bytes: %w", p.Type, size, ErrTooLarge)
	}
	dst = append(dst, p.Magic[:]...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.Type))
	dst = binary.BigEndian.AppendUint32(dst, uint32(size))
	for i, arg := range p.Args {
		if i > 0 {
			dst = append(dst, 0)
		}
		dst = append(dst, arg...)
	}
	return dst, nil
}

func check(p Packet) error {
	if want := p.Type.NumArgs(); len(p.Args) != want {
		return &ArgumentError{p.Type, fmt.Sprintf("%d given, %d wanted", len(p.Args), want)}
	}
	for i := 0; i < len(p.Args)-1; i++ {
		if bytes.IndexByte(p.Args[i], 0) >= 0 {
			return &ArgumentError{p.Type, fmt.Sprintf("NUL in number %d of %d", i+1, len(p.Args))}
		}
	}
	return nil
}
