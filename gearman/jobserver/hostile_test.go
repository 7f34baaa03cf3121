package jobserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"revstamp/gearman/wire"
)

func TestGarbage(t *testing.T) {
	t.Parallel()
	addr := start(t, &Server{MaxPacket: 1 << 20})
	tests := map[string]string{
		"half a header":   "\x00REQ\x00\x00",
		"half a packet":   "\x00REQ\x00\x00\x00\x07\x00\x00\x00\x09f\x00",
		"half a line":     "stat",
		"http":            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"tls":             "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"magic":           "\x00GET\x00\x00\x00\x10\x00\x00\x00\x00",
		"huge":            "\x00REQ\x00\x00\x00\x10\xff\xff\xff\xff",
		"one too large":   "\x00REQ\x00\x00\x00\x10\x00\x10\x00\x01",
		"unknown type":    "\x00REQ\x7f\xff\xff\xff\x00\x00\x00\x01x",
		"endless line":    strings.Repeat("x", 1<<20),
		"NUL in text":     "status\x00 and \x00 more\n",
		"arguments short": "\x00REQ\x00\x00\x00\x0c\x00\x00\x00\x01f",
	}
	for name, garbage := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := dial(t, addr)
			go io.Copy(io.Discard, p.nc)
			p.nc.Write([]byte(garbage)) // fails if the server is fed up before the end
			p.nc.Close()
			dial(t, addr).ask("ECHO_RES well", wire.EchoReq, "well")
		})
	}
}

// A web page can have a browser send anything to loopback behind the head of a
// request.
func TestHTTPRequest(t *testing.T) {
	t.Parallel()
	addr := start(t, new(Server))
	body := raw(wire.Request, wire.SubmitJobBg, []string{"f", "u", "work"})
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+"/x?y", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := http.DefaultTransport.RoundTrip(request); err == nil {
			answer.Body.Close()
			t.Errorf("%s is answered: %s", method, answer.Status)
		}
	}
	a := dial(t, addr)
	a.write([]byte("status\n"))
	if line, err := a.r.Line(); err != nil || string(line) != "." {
		t.Errorf("status: %q, %v, want no function", line, err)
	}
}

// settle waits until s has as many connections as that.
func settle(t *testing.T, s *Server, conns int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		n := len(s.conns)
		s.mu.Unlock()
		if n == conns {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d connections, want %d", n, conns)
		}
	}
}

// A client that does not read its results is disconnected; the worker and the
// other client notice nothing.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	s := &Server{HandlePrefix: "S", MaxPending: 1 << 20}
	addr := start(t, s)
	slow, quick, w := dial(t, addr), dial(t, addr), dial(t, addr)
	slow.ask("JOB_CREATED S:1", wire.SubmitJob, "f", "u", "work")
	quick.ask("JOB_CREATED S:1", wire.SubmitJob, "f", "u", "work")
	w.say(wire.CanDo, "f")
	w.ask("JOB_ASSIGN S:1|f|work", wire.GrabJob)

	data := strings.Repeat("x", 1<<20)
	for range 64 {
		w.say(wire.WorkData, "S:1", data)
		if got, err := quick.read(); err != nil || len(got) != len("WORK_DATA S:1|")+len(data) {
			t.Fatalf("quick client got %d bytes, %v", len(got), err)
		}
	}
	settle(t, s, 2)
	w.ask("STATUS_RES_UNIQUE u|1|1|0|0|1", wire.GetStatusUnique, "u")
	w.say(wire.WorkComplete, "S:1", "done")
	quick.hears("WORK_COMPLETE S:1|done")
}

// Who asks without reading is not read from any longer, stalls nobody else, and
// gets every answer in the end.
func TestAskingWithoutReading(t *testing.T) {
	t.Parallel()
	addr := start(t, &Server{MaxPending: 1 << 20})
	greedy := dial(t, addr)
	const n = 128
	request := raw(wire.Request, wire.EchoReq, []string{strings.Repeat("x", 1<<18)})
	sent := make(chan error, 1)
	go func() {
		_, err := greedy.nc.Write(bytes.Repeat(request, n))
		sent <- err
	}()
	for range 100 {
		dial(t, addr).ask("ECHO_RES well", wire.EchoReq, "well")
	}
	select {
	case err := <-sent:
		t.Fatalf("the server took %d MB in, %v", n/4, err)
	default:
	}
	for i := range n {
		if got, err := greedy.read(); err != nil || len(got) != len("ECHO_RES ")+1<<18 {
			t.Fatalf("answer %d: %d bytes, %v", i, len(got), err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestManyConnections(t *testing.T) {
	t.Parallel()
	s := new(Server)
	addr := start(t, s)
	const each = 100
	var peers sync.WaitGroup
	for i := range 20 {
		peers.Go(func() {
			for j := range each {
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				nc.Write(raw(wire.Request, wire.CanDo, []string{"f"}))
				nc.Write(raw(wire.Request, wire.PreSleep, nil)[:1+(i+j)%12])
				nc.Close()
			}
		})
	}
	peers.Wait()
	a := dial(t, addr)
	a.ask("ECHO_RES last", wire.EchoReq, "last") // accepted after all of them
	settle(t, s, 1)
	a.write([]byte("status\n"))
	for line := a.text(); line != "."; line = a.text() {
		if line != "f\t0\t0\t0" {
			t.Errorf("status has %q, want no worker", line)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := &Server{HandlePrefix: "L", MaxJobs: 3, MaxFunctions: 2, MaxConns: 2}
	addr := start(t, s)
	c, d := dial(t, addr), dial(t, addr)
	c.ask("JOB_CREATED L:1", wire.SubmitJobBg, "f", "u", "")
	d.ask("JOB_CREATED L:2", wire.SubmitJob, "g", "", "") // a job and a client that waits
	c.ask("ERROR QUEUE_ERROR|Job queue is full", wire.SubmitJobBg, "f", "", "")
	c.ask("ERROR QUEUE_ERROR|Job queue is full", wire.SubmitJob, "f", "u", "")
	c.ask("JOB_CREATED L:1", wire.SubmitJobBg, "f", "u", "")
	c.ask("ERROR QUEUE_ERROR|Too many functions", wire.CanDo, "h")
	c.ask("ERROR ARGUMENT_TOO_LARGE|Function name too large", wire.CanDo, strings.Repeat("x", maxName+1))
	c.write([]byte("create function h\n"))
	if got, want := c.text(), "ERR CREATE_FUNCTION h"; got != want {
		t.Errorf("create function = %q, want %q", got, want)
	}
	if got, err := dial(t, addr).read(); err != io.EOF {
		t.Errorf("a connection too many reads %q, %v, want EOF", got, err)
	}
	d.nc.Close()
	settle(t, s, 1)
	c.ask("JOB_CREATED L:3", wire.SubmitJobBg, "f", "", "")
}

// Jobs of one unique in as many functions as there may be would have everybody wait
// for each submit of another.
func TestCrowd(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, &Server{HandlePrefix: "C"}))
	for i := range maxCrowd {
		c.ask(fmt.Sprint("JOB_CREATED C:", i+1), wire.SubmitJobBg, fmt.Sprint("f", i), "u", "")
	}
	c.ask("ERROR QUEUE_ERROR|Too many jobs of that unique value", wire.SubmitJobBg, "f", "u", "")
	c.ask(fmt.Sprint("JOB_CREATED C:", maxCrowd), wire.SubmitJobBg, fmt.Sprint("f", maxCrowd-1), "u", "")
	c.ask(fmt.Sprint("JOB_CREATED C:", maxCrowd+1), wire.SubmitJobBg, "f", "v", "")
	c.ask(fmt.Sprint("JOB_CREATED C:", maxCrowd+2), wire.SubmitJobBg, "f", "", "")
}

// Nothing is kept of jobs that ended, functions that were dropped and
// connections that closed.
func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	s := &Server{HandlePrefix: "N"}
	addr := start(t, s)
	keeper := dial(t, addr)
	keeper.say(wire.CanDoTimeout, "f", "3600000")
	keeper.say(wire.PreSleep)
	gone := endInEveryWay(t, s, addr, keeper)
	keeper.say(wire.ResetAbilities)
	for _, f := range []string{"f", "g"} {
		keeper.write([]byte("drop function " + f + "\n"))
		if got := keeper.text(); got != "OK" {
			t.Errorf("drop function %s = %q, want OK", f, got)
		}
	}
	settle(t, s, 1)
	checkEmpty(t, s)
	for range 3 { // what a finalizer held goes in the next round
		runtime.GC()
	}
	for what, is := range gone {
		if is() {
			t.Errorf("%s is kept", what)
		}
	}
}

// endInEveryWay has jobs end in every way there is and returns, for each thing
// that is to be gone then, what tells whether it still is there.
func endInEveryWay(t *testing.T, s *Server, addr string, keeper *peer) map[string]func() bool {
	w, c := dial(t, addr), dial(t, addr)
	w.say(wire.CanDoTimeout, "g", "3600000")
	gone := map[string]func() bool{}
	watch := func(what string, number uint64) {
		s.queue.mu.Lock()
		defer s.queue.mu.Unlock()
		j := weak.Make(s.queue.jobs.get(number))
		gone["a job that was "+what] = func() bool { return j.Value() != nil }
		f := weak.Make(s.queue.jobs.get(number).function)
		gone["its function"] = func() bool { return f.Value() != nil }
	}
	for i, end := range []wire.Type{wire.WorkComplete, wire.WorkFail, wire.WorkException} {
		handle := fmt.Sprint("N:", i+1)
		c.ask("JOB_CREATED "+handle, wire.SubmitJob, "g", "u", "work")
		w.ask("JOB_ASSIGN "+handle+"|g|work", wire.GrabJob)
		watch(end.String(), uint64(i+1))
		if end == wire.WorkFail {
			w.say(end, handle)
		} else {
			w.say(end, handle, "")
		}
		if _, err := c.read(); err != nil {
			t.Fatal(err)
		}
	}
	c.ask("JOB_CREATED N:4", wire.SubmitJob, "g", "-", "abandoned")
	watch("abandoned", 4)
	c.ask("JOB_CREATED N:5", wire.SubmitJob, "f", "", "abandoned while it runs")
	keeper.hears("NOOP")
	keeper.ask("JOB_ASSIGN N:5|f|abandoned while it runs", wire.GrabJob)
	watch("abandoned while it ran", 5)
	c.ask("JOB_CREATED N:6", wire.SubmitJobEpoch, "f", "", in(time.Hour), "cancelled")
	watch("cancelled before it was due", 6)
	c.write([]byte("cancel job N:6\n"))
	if got := c.text(); got != "OK" {
		t.Fatalf("cancel job = %q, want OK", got)
	}
	s.mu.Lock()
	for conn := range s.conns {
		if conn.number > 1 {
			p := weak.Make(conn)
			gone[fmt.Sprint("connection ", conn.number)] = func() bool { return p.Value() != nil }
		}
	}
	s.mu.Unlock()
	c.nc.Close()
	w.nc.Close()
	settle(t, s, 1)
	keeper.say(wire.WorkComplete, "N:5", "")
	return gone
}

// Many clients and workers at once, some of which die: every job is done, every
// client that stays gets its result, and in the end nothing is left.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := new(Server)
	addr := start(t, s)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var workers, clients sync.WaitGroup
	for i := range 4 {
		workers.Go(func() { mortalWorker(ctx, t, addr, i) })
	}
	const each = 100
	for i := range 8 {
		clients.Go(func() {
			c := dial(t, addr)
			defer c.nc.Close()
			for j := range each {
				c.write(raw(wire.Request, wire.SubmitJobBg, []string{"f", "", "bg"}))
				c.write(raw(wire.Request, wire.SubmitJob, []string{"f", fmt.Sprint(j % 3 * i), "fg"}))
				for done := false; !done; {
					got, err := c.read()
					if err != nil {
						t.Error(err)
						return
					}
					done = strings.HasPrefix(got, "WORK_COMPLETE")
				}
			}
		})
	}
	clients.Wait()
	a := dial(t, addr)
	(&conversation{t: t, addr: addr, peers: map[string]*peer{"a": a}}).poll(a, "show jobs: ")
	stop()
	workers.Wait()
	settle(t, s, 1)
	checkEmpty(t, s)
}

// mortalWorker does jobs and every few jobs dies with one in its hands.
func mortalWorker(ctx context.Context, t *testing.T, addr string, n int) {
	for life := 0; ; life++ {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		stop := context.AfterFunc(ctx, func() { nc.Close() })
		nc.Write(raw(wire.Request, wire.CanDo, []string{"f"}))
		r, grab := wire.NewReader(nc), raw(wire.Request, wire.GrabJob, nil)
		nc.Write(grab)
		for jobs := 0; ; {
			p, err := r.Next()
			if err != nil {
				stop()
				nc.Close()
				return
			}
			if p.Type == wire.JobAssign {
				if jobs++; jobs > 20+n+life%7 {
					break
				}
				nc.Write(append(raw(wire.Request, wire.WorkComplete, []string{string(p.Args[0]), "done"}), grab...))
			} else if p.Type == wire.NoJob {
				nc.Write(raw(wire.Request, wire.PreSleep, nil))
			} else {
				nc.Write(grab)
			}
		}
		stop()
		nc.Close()
	}
}

func FuzzConn(f *testing.F) {
	seed := func(parts ...[]byte) { f.Add(bytes.Join(parts, nil)) }
	req := func(t wire.Type, args ...string) []byte { return raw(wire.Request, t, args) }
	seed(req(wire.CanDo, "f"), req(wire.SubmitJob, "f", "u", "w"), req(wire.GrabJobUniq),
		req(wire.WorkStatus, "F:1", "1", "2"), req(wire.WorkComplete, "F:1", "done"))
	seed(req(wire.CanDoTimeout, "f", "9"), req(wire.PreSleep), req(wire.SubmitJobEpoch, "f", "-", "1", "w"), req(wire.GrabJob))
	seed(req(wire.SubmitReduceJob, "f", "u", "r", "w"), req(wire.CanDo, "f"), req(wire.GrabJobAll), req(wire.ResetAbilities))
	seed([]byte("status\r\nworkers\nshow jobs\nmaxqueue f 1\ncreate function f\ndrop function f\n"), req(wire.EchoReq, "x"))
	seed(req(wire.SubmitJobBg, "f", "u", "w"), []byte("cancel job F:1\nshow unique jobs\nprioritystatus\n"), req(wire.GetStatus, "F:1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Server{HandlePrefix: "F", MaxPacket: 1 << 16}
		client, server := net.Pipe()
		over := make(chan error, 1)
		go func() { over <- s.ServeConn(server) }()
		go func() {
			client.Write(data)
			client.SetReadDeadline(time.Unix(1, 0))
		}()
		// All that comes back is packets and lines.
		r := wire.NewReader(client)
		for {
			text, err := r.Text()
			if err != nil {
				break
			}
			if text {
				_, err = r.Line()
			} else {
				_, err = r.Next()
			}
			if errors.Is(err, wire.ErrMagic) || errors.As(err, new(*wire.ArgumentError)) {
				t.Fatalf("answer: %v", err)
			}
			if err != nil {
				break
			}
		}
		client.Close()
		<-over
		s.Close()
		for j := range s.queue.jobs.all() {
			if j.worker != nil || !j.wanted() {
				t.Errorf("job %d is held or unwanted after its only connection went", j.number)
			}
		}
	})
}
