package jobserver

import (
	"net"
	"syscall"
	"testing"

	"revstamp/gearman/wire"
)

// A peer on loopback sends and gets segments that fit into its buffer.
func TestSegments(t *testing.T) {
	t.Parallel()
	addr := start(t, new(Server))
	dial(t, addr).ask("ECHO_RES served", wire.EchoReq, "served") // no longer only listened to
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var size int
	var sockErr error
	if err := raw.Control(func(fd uintptr) {
		size, sockErr = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG)
	}); err != nil || sockErr != nil {
		t.Fatal(err, sockErr)
	}
	if size > maxSegment || size < maxSegment/2 {
		t.Errorf("segments of %d bytes, want at most %d", size, maxSegment)
	}
}
