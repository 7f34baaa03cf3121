package gearman_test

import (
	"cmp"
	"context"
	"errors"
	"net"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"revstamp/gearman"
	"revstamp/gearman/wire"
)

// rounds is how often the tests of lone callers do what they do: whether a caller
// reads by himself depends on how soon he is after the one before.
const rounds = 50

// scriptedTCP returns a client of a job server that the test plays itself, over
// TCP: on other connections nobody reads by himself.
func scriptedTCP(t *testing.T) (c *gearman.Client, addr string, conns <-chan *peer) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ends := make(chan *peer, 10)
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			ends <- &peer{t, nc, wire.NewReader(nc)}
		}
	}()
	return newClient(t, l.Addr().String()), l.Addr().String(), ends
}

// echoes has c say data to s, which the test plays, and back.
func echoes(t *testing.T, c *gearman.Client, addr string, s *peer, data string) {
	t.Helper()
	answered := make(chan error)
	go func() { answered <- c.Echo(t.Context(), addr, []byte(data)) }()
	s.expect(wire.EchoReq)
	s.respond(wire.EchoRes, data)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
}

// first is the connection that c opens, on which it has asked and been answered.
func first(t *testing.T, c *gearman.Client, addr string, conns <-chan *peer) *peer {
	t.Helper()
	answered := make(chan error)
	go func() { answered <- c.Echo(t.Context(), addr, nil) }()
	var s *peer
	select {
	case s = <-conns:
	case err := <-answered:
		t.Fatalf("no connection was opened: %v", err)
	}
	t.Cleanup(func() { s.nc.Close() })
	s.expect(wire.EchoReq)
	s.respond(wire.EchoRes, "")
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	return s
}

// A caller who is alone returns when he is cancelled, without an answer, and what
// comes for him later is for nobody.
func TestLoneCancelled(t *testing.T) {
	t.Parallel()
	c, addr, conns := scriptedTCP(t)
	s := first(t, c, addr, conns)
	for range rounds {
		ctx, cancel := context.WithCancel(deadline(t))
		answered := make(chan error)
		go func() {
			_, err := c.Status(ctx, addr, "H:1")
			answered <- err
		}()
		s.expect(wire.GetStatus)
		cancel()
		if err := <-answered; !errors.Is(err, context.Canceled) {
			t.Fatalf("Status = %v, want %v", err, context.Canceled)
		}
		s.respond(wire.StatusRes, "H:1", "1", "1", "2", "3")
		echoes(t, c, addr, s, "after")
		echoes(t, c, addr, s, "and again")
	}
}

// A connection that its server closed while it owed nothing is replaced without
// anybody noticing, whether or not somebody was reading from it.
func TestLoneHungUp(t *testing.T) {
	t.Parallel()
	c, addr, conns := scriptedTCP(t)
	for range rounds {
		s := first(t, c, addr, conns)
		echoes(t, c, addr, s, "once more")
		hangUp(t, s.nc.(*net.TCPConn))
	}
}

// hangUp closes nc and returns when the peer's kernel knows: until then nobody can.
func hangUp(t *testing.T, nc *net.TCPConn) {
	t.Helper()
	defer nc.Close()
	if err := nc.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	raw, err := nc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const finWait2 = 5 // TCP_FIN_WAIT2 of Linux's net/tcp_states.h: the FIN is acknowledged
	for ctx := deadline(t); ; runtime.Gosched() {
		var info *unix.TCPInfo
		if cerr := raw.Control(func(fd uintptr) {
			info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		}); cmp.Or(cerr, err, ctx.Err()) != nil {
			t.Fatal(cmp.Or(cerr, err, ctx.Err()))
		}
		if info.State >= finWait2 {
			return
		}
	}
}

// Who comes while another reads for himself gets his answer, whether it comes
// before the other's or thereafter.
func TestLoneJoined(t *testing.T) {
	t.Parallel()
	c, addr, conns := scriptedTCP(t)
	s := first(t, c, addr, conns)
	for i := range rounds {
		ctx, one, two := deadline(t), make(chan error, 1), make(chan error, 1)
		go func() { one <- c.Echo(ctx, addr, []byte("one")) }()
		s.expect(wire.EchoReq)
		go func() { two <- c.Echo(ctx, addr, []byte("two")) }()
		s.expect(wire.EchoReq)
		s.respond(wire.EchoRes, "one")
		if i%2 == 0 {
			s.respond(wire.EchoRes, "two")
		}
		if err := <-one; err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			s.respond(wire.EchoRes, "two")
		}
		if err := <-two; err != nil {
			t.Fatal(err)
		}
	}
}

// A lone caller whose OnEvent takes its time holds up nobody, and his own job ends
// when it does.
func TestLoneSlowEvent(t *testing.T) {
	t.Parallel()
	c, addr, conns := scriptedTCP(t)
	s := first(t, c, addr, conns)
	for i := range rounds {
		told, goOn, done := make(chan gearman.Event), make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := c.Do(deadline(t), gearman.Task{Function: "f", OnEvent: func(e gearman.Event) {
				told <- e
				<-goOn
			}})
			done <- err
		}()
		if i == 0 {
			s.expect(wire.OptionReq)
			s.respond(wire.OptionRes, "exceptions")
		}
		s.expect(wire.SubmitJob)
		s.respond(wire.JobCreated, "H:1")
		s.respond(wire.WorkData, "H:1", "part")
		if e := <-told; string(e.Data) != "part" {
			t.Fatalf("event %+v, want part", e)
		}
		echoes(t, c, addr, s, "beside")
		s.respond(wire.WorkComplete, "H:1", "")
		close(goOn)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// A connection that is reset at any moment of a lone caller's request ends it with
// an error that tells whether it was sent, or is replaced; the next request is
// answered.
func TestLoneReset(t *testing.T) {
	t.Parallel()
	for n := range 13 {
		c, addr, conns := scriptedTCP(t)
		s := first(t, c, addr, conns)
		echoes(t, c, addr, s, "warm")
		answered := make(chan error, 1)
		go func() { answered <- c.Echo(deadline(t), addr, []byte("x")) }()
		s.expect(wire.EchoReq)
		answer, err := wire.Append(nil, wire.Packet{Magic: wire.Response, Type: wire.EchoRes, Args: [][]byte{[]byte("x")}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.nc.Write(answer[:n]); err != nil {
			t.Fatal(err)
		}
		s.nc.(*net.TCPConn).SetLinger(0)
		s.nc.Close()
		if err := <-answered; err == nil || gearman.SafeToRetry(err) {
			t.Errorf("after %d bytes: Echo = %v, want an error that is not safe to retry", n, err)
		}
		first(t, c, addr, conns)
	}
}
