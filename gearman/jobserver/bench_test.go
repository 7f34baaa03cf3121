package jobserver

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"revstamp/gearman/gearmantest"
	"revstamp/gearman/wire"
)

// Each benchmark runs against gearmand and against this server in turn, over a
// loopback socket and with the same client, so that their times may be compared
// with each other and with nothing else.
func servers(b *testing.B, bench func(b *testing.B, addr string)) {
	b.Run("server=gearmand", func(b *testing.B) {
		bench(b, gearmantest.Start(b).Addr)
	})
	b.Run("server=ours", func(b *testing.B) {
		bench(b, start(b, &Server{MaxJobs: 1 << 30}))
	})
}

func BenchmarkSubmitBackground(b *testing.B) {
	workload := strings.Repeat("x", 64)
	for _, window := range []int{1, 1024} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			servers(b, func(b *testing.B, addr string) {
				ask(b, addr, window, raw(wire.Request, wire.SubmitJobBg, []string{"f", "", workload}))
			})
		})
	}
}

func BenchmarkStatus(b *testing.B) {
	for _, window := range []int{1, 1024} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			servers(b, func(b *testing.B, addr string) {
				p := dial(b, addr)
				p.write(raw(wire.Request, wire.SubmitJobBg, []string{"f", "", "x"}))
				created, err := p.read()
				if err != nil {
					b.Fatal(err)
				}
				handle := strings.TrimPrefix(created, "JOB_CREATED ")
				ask(b, addr, window, raw(wire.Request, wire.GetStatus, []string{handle}))
			})
		})
	}
}

// ask sends a request again and again, window of them at a time.
func ask(b *testing.B, addr string, window int, request []byte) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	r := wire.NewReader(nc)
	batch := []byte(strings.Repeat(string(request), (window+1)/2))
	send := func() {
		if _, err := nc.Write(batch); err != nil {
			b.Fatal(err)
		}
	}
	if window > 1 {
		send() // half a window ahead
	}
	b.ResetTimer()
	for done := 0; done < b.N; done += (window + 1) / 2 {
		send()
		for range (window + 1) / 2 {
			if _, err := r.Next(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkForeground has a worker on a connection of its own do the jobs.
func BenchmarkForeground(b *testing.B) {
	for _, window := range []int{1, 64} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			servers(b, func(b *testing.B, addr string) { foreground(b, addr, window) })
		})
	}
}

func foreground(b *testing.B, addr string, window int) {
	w := dial(b, addr)
	w.write(raw(wire.Request, wire.CanDo, []string{"f"}))
	over := make(chan struct{})
	go func() {
		defer close(over)
		work(w)
	}()
	c := dial(b, addr)
	request := raw(wire.Request, wire.SubmitJob, []string{"f", "", strings.Repeat("x", 64)})
	c.nc.Write([]byte(strings.Repeat(string(request), window-1)))
	b.ResetTimer()
	for range b.N {
		c.nc.Write(request)
		for {
			p, err := c.r.Next()
			if err != nil {
				b.Fatal(err)
			}
			if p.Type == wire.WorkComplete {
				break
			}
		}
	}
	b.StopTimer()
	w.nc.Close()
	<-over
}

// work does jobs as a worker that sleeps in between, until its connection ends.
func work(w *peer) {
	grab := raw(wire.Request, wire.GrabJob, nil)
	sleep := raw(wire.Request, wire.PreSleep, nil)
	w.nc.Write(grab)
	for {
		p, err := w.r.Next()
		switch {
		case err != nil:
			return
		case p.Type == wire.Noop:
			w.nc.Write(grab)
		case p.Type == wire.NoJob:
			w.nc.Write(sleep)
		case p.Type == wire.JobAssign:
			w.nc.Write(append(raw(wire.Request, wire.WorkComplete, []string{string(p.Args[0]), "done"}), grab...))
		}
	}
}
