package boltstore_test

import (
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"revstamp/gearman/gearmantest"
	"revstamp/gearman/jobserver"
	"revstamp/gearman/wire"
)

// BenchmarkDurable submits background jobs of 64 bytes to this server and to
// gearmand with its libsqlite3 queue, both with their files on one file system,
// over so many connections with so many in flight on each. The times may be
// compared with each other, and with nothing else.
func BenchmarkDurable(b *testing.B) {
	servers := map[string]func(b *testing.B) string{
		"gearmand": func(b *testing.B) string {
			file := filepath.Join(b.TempDir(), "queue")
			return gearmantest.Start(b, "--queue-type", "libsqlite3", "--libsqlite3-db", file).Addr
		},
		"ours": func(b *testing.B) string {
			return serveStore(b, &jobserver.Server{MaxJobs: 1 << 30, Store: open(b, filepath.Join(b.TempDir(), "queue"))})
		},
	}
	for _, load := range []struct{ conns, window int }{{1, 1}, {16, 1}, {1, 128}, {1, 1024}, {4, 1024}} {
		for _, name := range []string{"gearmand", "ours"} {
			b.Run(fmt.Sprintf("conns=%d/window=%d/server=%s", load.conns, load.window, name), func(b *testing.B) {
				addr := servers[name](b)
				var wg sync.WaitGroup
				b.ResetTimer()
				for i := range load.conns {
					wg.Go(func() {
						if err := submitMany(addr, (b.N+i)/load.conns, load.window); err != nil {
							b.Error(err)
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
			})
		}
	}
}

// serveStore serves s until the test ends.
func serveStore(t testing.TB, s *jobserver.Server) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != jobserver.ErrServerClosed {
			t.Errorf("Serve = %v, want %v", err, jobserver.ErrServerClosed)
		}
	})
	return l.Addr().String()
}

// submitMany submits n jobs, window of them at a time.
func submitMany(addr string, n, window int) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	r := wire.NewReader(nc)
	packet := wire.Packet{Magic: wire.Request, Type: wire.SubmitJobBg, Args: [][]byte{[]byte("f"), nil, make([]byte, 64)}}
	var batch []byte
	for n > 0 {
		window = min(window, n)
		n -= window
		batch = batch[:0]
		for range window {
			batch, _ = wire.Append(batch, packet)
		}
		if _, err := nc.Write(batch); err != nil {
			return err
		}
		for range window {
			p, err := r.Next()
			if err != nil {
				return err
			}
			if p.Type != wire.JobCreated {
				return fmt.Errorf("%s %q", p.Type, p.Args)
			}
		}
	}
	return nil
}
