package jobserver

import (
	"io"
	"net"
	"testing"

	"revstamp/gearman/wire"
)

// What two clients get of one large packet is theirs to go on behind.
func TestSharedPackets(t *testing.T) {
	shared := append(make([]byte, 0, 100), "shared"...)
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		var out [2]*outbox
		var peers [2]net.Conn
		for i, after := range []string{" a", " b"} {
			client, server := net.Pipe()
			defer client.Close()
			out[i], peers[i] = newOutbox(server, 1<<20), client
			out[i].text([]byte("before "))
			if !out[i].push(wire.WorkData, nil, shared) {
				t.Fatal("push does not start the writer")
			}
			out[i].text([]byte(after))
		}
		for _, i := range order {
			go func() {
				out[i].run()
				out[i].close(net.ErrClosed)
			}()
			got, err := io.ReadAll(peers[i])
			if want := "before shared" + []string{" a", " b"}[i]; string(got) != want || err != nil {
				t.Errorf("client %d got %q, %v, want %q", i, got, err, want)
			}
		}
	}
}

func TestReplyAllocatesNothing(t *testing.T) {
	client, server := net.Pipe()
	go io.Copy(io.Discard, client)
	c := &conn{out: newOutbox(server, 1<<20)}
	defer c.out.close(net.ErrClosed)
	q := &queue{prefix: "H:web1:"}
	q.jobs.add(&job{number: 7, numerator: 3, denominator: 10})
	handle := []byte("H:web1:7")
	got := testing.AllocsPerRun(1000, func() {
		q.status(c, handle)
		c.out.flush()
	})
	if got > 1 { // the slice of what is to be written
		t.Errorf("a status allocates %v times, want at most once", got)
	}
}
