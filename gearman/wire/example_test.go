package wire_test

import (
	"bytes"
	"fmt"

	"revstamp/gearman/wire"
)

// A request is encoded by appending, so that several leave in one write; a
// Reader takes them apart again.
func Example() {
	var stream []byte
	for _, handle := range []string{"H:web1:7", "H:web1:8"} {
		stream, _ = wire.Append(stream, wire.Packet{
			Magic: wire.Request,
			Type:  wire.GetStatus,
			Args:  [][]byte{[]byte(handle)},
		})
	}

	r := wire.NewReader(bytes.NewReader(stream))
	for {
		p, err := r.Next()
		if err != nil {
			break
		}
		fmt.Printf("%s %s\n", p.Type, p.Args[0])
	}
	// Output:
	// GET_STATUS H:web1:7
	// GET_STATUS H:web1:8
}
