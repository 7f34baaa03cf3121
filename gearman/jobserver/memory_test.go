package jobserver_test

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"

	"revstamp/gearman/gearmantest"
	"revstamp/gearman/wire"
)

// BenchmarkIdleWorkers has 10,000 workers sleep again that were woken for nothing,
// and reports what of the server is in memory, and was at most.
func BenchmarkIdleWorkers(b *testing.B) {
	program := build(b)
	for name, start := range map[string]func() *gearmantest.Server{
		"gearmand": func() *gearmantest.Server { return gearmantest.Start(b) },
		"ours":     func() *gearmantest.Server { return revstamp(b, program) },
	} {
		b.Run("server="+name, func(b *testing.B) {
			for b.Loop() {
				s := start()
				idle(b, s.Addr, 10_000)
				reportMemory(b, s)
				s.Kill()
			}
		})
	}
}

// idle has n workers sleep on a server until the benchmark is over.
func idle(b *testing.B, addr string, n int) {
	workers := make([]*idleWorker, n)
	each := func(do func(i int) error) {
		var group errgroup.Group
		group.SetLimit(16)
		for i := range n {
			group.Go(func() error { return do(i) })
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	each(func(i int) (err error) {
		workers[i], err = newIdleWorker(addr)
		return err
	})
	if _, err := gearmantest.NewLoad(1, wire.JobCreated, wire.SubmitJobBg, "f", "", "").Run(addr); err != nil {
		b.Fatal(err)
	}
	each(func(i int) error { return workers[i].wake() })
	b.Cleanup(func() {
		for _, w := range workers {
			w.nc.Close()
		}
	})
}

// BenchmarkQueuedJobs queues 1,000,000 background jobs, as libgearman submits them,
// and reports what of the server is in memory, and was at most. gearmand is left
// out: its table of unique keys does not grow, and it takes minutes.
func BenchmarkQueuedJobs(b *testing.B) {
	program := build(b)
	for name, args := range map[string]func() []string{
		"memory":  func() []string { return nil },
		"durable": func() []string { return []string{"--queue", filepath.Join(b.TempDir(), "queue")} },
	} {
		b.Run("queue="+name, func(b *testing.B) {
			for b.Loop() {
				s := revstamp(b, program, args()...)
				l := gearmantest.NewLoad(1_000_000, wire.JobCreated, wire.SubmitJobBg, "f", "#", benchWorkload)
				l.Window = 1024
				if _, err := l.Run(s.Addr); err != nil {
					b.Fatal(err)
				}
				reportMemory(b, s)
				s.Kill()
			}
		})
	}
}

func reportMemory(b *testing.B, s *gearmantest.Server) {
	now, most := s.Memory()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(now)/1e6, "MB")
	b.ReportMetric(float64(most)/1e6, "most-MB")
}

// An idleWorker is a worker that does nothing.
type idleWorker struct {
	nc net.Conn
	r  *wire.Reader
}

func newIdleWorker(addr string) (*idleWorker, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	w := &idleWorker{nc, wire.NewReader(nc)}
	return w, errors.Join(w.request(wire.CanDo, "f"), w.sleep())
}

// sleep returns when the server has put the worker to sleep.
func (w *idleWorker) sleep() error {
	if err := errors.Join(w.request(wire.PreSleep), w.request(wire.EchoReq, "")); err != nil {
		return err
	}
	for {
		p, err := w.r.Next()
		if err != nil || p.Type == wire.EchoRes {
			return err
		}
	}
}

// wake takes the NOOP, and the job if there is one for it, and sleeps again.
func (w *idleWorker) wake() error {
	p, err := w.r.Next()
	if err == nil && p.Type != wire.Noop {
		err = fmt.Errorf("got %s, want NOOP", p.Type)
	}
	return errors.Join(err, w.request(wire.GrabJob), w.sleep())
}

func (w *idleWorker) request(t wire.Type, args ...string) error {
	p := wire.Packet{Magic: wire.Request, Type: t}
	for _, arg := range args {
		p.Args = append(p.Args, []byte(arg))
	}
	b, err := wire.Append(nil, p)
	if err != nil {
		return err
	}
	_, err = w.nc.Write(b)
	return err
}
