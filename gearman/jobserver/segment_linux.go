package jobserver

import (
	"net"
	"syscall"
)

// maxSegment is the most bytes in a TCP segment. On loopback there may be 64 KiB,
// twice the receive buffer that libgearman sets, and then the kernel waits some
// 40 ms for the acknowledgement of each: PHP takes 9 s to read 16 MB of gearmand's,
// and 0.2 s of what comes in such segments. On other networks they are smaller
// anyway.
const maxSegment = 30 << 10

// limitSegments limits the segments of connections that l is yet to accept. If
// that cannot be done, or l is no TCP listener, they are as they were.
func limitSegments(l net.Listener) {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, maxSegment)
	})
}
