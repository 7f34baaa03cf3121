package gearman_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"revstamp/gearman"
	"revstamp/gearman/gearmantest"
	"revstamp/gearman/jobserver"
	"revstamp/gearman/wire"
)

// limit ends what hangs; nothing here waits for it to pass.
const limit = 30 * time.Second

// eachServer runs f against every job server there is.
func eachServer(t *testing.T, f func(t *testing.T, addr string)) {
	t.Run("gearmand", func(t *testing.T) {
		t.Parallel()
		f(t, gearmantest.Start(t).Addr)
	})
	t.Run("jobserver", func(t *testing.T) {
		t.Parallel()
		f(t, startJobserver(t))
	})
}

func startJobserver(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, served := new(jobserver.Server), make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return l.Addr().String()
}

// pipeJobserver starts a job server inside a synctest bubble and returns the way
// to it. It ends with the test.
func pipeJobserver(t testing.TB) func(ctx context.Context, network, addr string) (net.Conn, error) {
	s := new(jobserver.Server)
	var serving sync.WaitGroup
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
	})
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		serving.Go(func() { s.ServeConn(far) })
		return near, nil
	}
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func newClient(t testing.TB, servers ...string) *gearman.Client {
	c := &gearman.Client{Servers: servers}
	t.Cleanup(func() { c.Close() })
	return c
}

// A peer speaks raw packets over one connection: a worker of another make, or,
// at the other end, a job server.
type peer struct {
	t  testing.TB
	nc net.Conn
	r  *wire.Reader
}

func dialPeer(t testing.TB, addr string) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(limit))
	return &peer{t, nc, wire.NewReader(nc)}
}

func (p *peer) send(m wire.Magic, typ wire.Type, args ...string) {
	p.t.Helper()
	packet := wire.Packet{Magic: m, Type: typ}
	for _, arg := range args {
		packet.Args = append(packet.Args, []byte(arg))
	}
	b, err := wire.Append(nil, packet)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.nc.Write(b); err != nil {
		p.t.Errorf("write of %s: %v", typ, err)
	}
}

func (p *peer) request(typ wire.Type, args ...string) {
	p.t.Helper()
	p.send(wire.Request, typ, args...)
}

func (p *peer) respond(typ wire.Type, args ...string) {
	p.t.Helper()
	p.send(wire.Response, typ, args...)
}

// expect reads one packet, of type typ, and returns its arguments.
func (p *peer) expect(typ wire.Type) []string {
	p.t.Helper()
	packet, err := p.r.Next()
	if err != nil || packet.Type != typ {
		p.t.Errorf("got %s, %v, want %s", packet.Type, err, typ)
		return make([]string, typ.NumArgs())
	}
	var args []string
	for _, arg := range packet.Args {
		args = append(args, string(arg))
	}
	return args
}

// sync returns once the server has done all that was sent before.
func (p *peer) sync() {
	p.t.Helper()
	p.request(wire.EchoReq, "sync")
	p.expect(wire.EchoRes)
}

// canDo makes the peer a worker.
func (p *peer) canDo(functions ...string) *peer {
	p.t.Helper()
	for _, f := range functions {
		p.request(wire.CanDo, f)
	}
	p.sync()
	return p
}

// grab takes the next job, which must be there: handle, function, unique,
// workload.
func (p *peer) grab() (handle, function, unique, workload string) {
	p.t.Helper()
	p.request(wire.GrabJobUniq)
	args := p.expect(wire.JobAssignUniq)
	return args[0], args[1], args[2], args[3]
}

// await takes the next job, waiting for it as a worker does.
func (p *peer) await() (handle, workload string) {
	p.t.Helper()
	p.request(wire.PreSleep)
	p.expect(wire.Noop)
	handle, _, _, workload = p.grab()
	return handle, workload
}
