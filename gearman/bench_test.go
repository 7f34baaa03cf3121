package gearman_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"revstamp/gearman"
	"revstamp/gearman/gearmantest"
	"revstamp/gearman/wire"
)

var inFlight = []int{1, 16, 128, 1024}

// BenchmarkSubmit compares background submissions over one connection: a raw
// socket that writes n requests and then reads n answers, n goroutines that
// call Submit, and SubmitAll of n tasks. All run against one gearmand, whose
// queue is emptied by a worker of its own beforehand, in turns.
func BenchmarkSubmit(b *testing.B) {
	task := gearman.Task{Function: "bench", Workload: []byte(strings.Repeat("x", 64))}
	request, _ := wire.Append(nil, wire.Packet{
		Magic: wire.Request, Type: wire.SubmitJobBg,
		Args: [][]byte{[]byte(task.Function), nil, task.Workload},
	})
	for _, n := range inFlight {
		b.Run(fmt.Sprintf("raw/%d", n), func(b *testing.B) {
			benchRaw(b, gearmantest.Start(b).Addr, request, n)
		})
		b.Run(fmt.Sprintf("Submit/%d", n), func(b *testing.B) {
			c := benchClient(b)
			benchCalls(b, n, func() error {
				_, err := c.Submit(b.Context(), task)
				return err
			})
		})
		b.Run(fmt.Sprintf("SubmitAll/%d", n), func(b *testing.B) {
			c := benchClient(b)
			tasks := make([]gearman.Task, n)
			for i := range tasks {
				tasks[i] = task
			}
			for left := b.N; left > 0; left -= n {
				if _, err := c.SubmitAll(b.Context(), tasks[:min(n, left)]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
		})
	}
}

// BenchmarkStatus compares status requests in the same way.
func BenchmarkStatus(b *testing.B) {
	request, _ := wire.Append(nil, wire.Packet{Magic: wire.Request, Type: wire.GetStatus, Args: [][]byte{[]byte("H:nowhere:1")}})
	for _, n := range inFlight {
		b.Run(fmt.Sprintf("raw/%d", n), func(b *testing.B) {
			benchRaw(b, gearmantest.Start(b).Addr, request, n)
		})
		b.Run(fmt.Sprintf("Status/%d", n), func(b *testing.B) {
			c := benchClient(b)
			benchCalls(b, n, func() error {
				_, err := c.Status(b.Context(), c.Servers[0], "H:nowhere:1")
				return err
			})
		})
	}
}

func benchClient(b *testing.B) *gearman.Client {
	c := &gearman.Client{Servers: []string{gearmantest.Start(b).Addr}}
	b.Cleanup(func() { c.Close() })
	if err := c.Echo(context.Background(), c.Servers[0], nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return c
}

// benchCalls makes b.N calls from n goroutines.
func benchCalls(b *testing.B, n int, call func() error) {
	var wg sync.WaitGroup
	for i := range n {
		calls := b.N / n
		if i < b.N%n {
			calls++
		}
		wg.Go(func() {
			for range calls {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// benchRaw keeps n requests in flight: it writes n, reads n answers, and so on.
func benchRaw(b *testing.B, addr string, request []byte, n int) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	r := wire.NewReader(nc)
	window := []byte(strings.Repeat(string(request), n))
	b.ResetTimer()
	for left := b.N; left > 0; left -= n {
		m := min(n, left)
		if _, err := nc.Write(window[:m*len(request)]); err != nil {
			b.Fatal(err)
		}
		for range m {
			if _, err := r.Next(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}
