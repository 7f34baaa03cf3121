package gearman_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"revstamp/gearman"
	"revstamp/gearman/gearmantest"
	"revstamp/gearman/wire"
	"revstamp/testdata/need"
)

// The benchmarks have several clients do the same in turns, each with a gearmand
// of its own that is new, and report the ratios of the fastest turns:
//
//	req/s         of this package
//	x-libgearman  how many times as fast as libgearman from C
//	x-php         and as php-gearman
//	of-raw        and as bare sockets with as many requests in flight
//
// Every job has 64 bytes and a unique key, which those two always give it. They do
// one thing at a time or, where more are in flight, sets of tasks.
//
//	go test -run - -bench . -benchtime 5x ./gearman

var benchWorkload = strings.Repeat("x", 64)

// A turn is one client's, which does its work with the job server on addr.
type turn func(b *testing.B, addr string) time.Duration

func beside(b *testing.B, n int, turns map[string]turn) {
	rates := gearmantest.Fastest{}
	for b.Loop() {
		for name, turn := range turns {
			s := gearmantest.Start(b)
			rates.Note(name, n, turn(b, s.Addr))
			s.Kill()
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rates["ours"], "req/s")
	b.ReportMetric(rates.Ratio("ours", "raw"), "of-raw")
	b.ReportMetric(rates.Ratio("ours", "libgearman"), "x-libgearman")
	b.ReportMetric(rates.Ratio("ours", "php"), "x-php")
}

// BenchmarkSubmit submits background jobs one by one.
func BenchmarkSubmit(b *testing.B) {
	benchBackground(b, 5_000, 1, benchSubmit)
}

// BenchmarkSubmitPipelined does so from many goroutines.
func BenchmarkSubmitPipelined(b *testing.B) {
	for _, ahead := range []int{16, 128} {
		benchBackground(b, 30_000, ahead, benchSubmit)
	}
}

// BenchmarkSubmitAll does so in sets.
func BenchmarkSubmitAll(b *testing.B) {
	for _, ahead := range []int{100, 1000} {
		benchBackground(b, 30_000, ahead, func(ctx context.Context, c *gearman.Client, n, ahead int) error {
			for i := 0; i < n; i += ahead {
				tasks := make([]gearman.Task, min(ahead, n-i))
				for j := range tasks {
					tasks[j] = benchTask(i + j)
				}
				if _, err := c.SubmitAll(ctx, tasks); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func benchTask(i int) gearman.Task {
	return gearman.Task{Function: "f", Unique: gearmantest.Unique(i), Workload: []byte(benchWorkload)}
}

func benchSubmit(ctx context.Context, c *gearman.Client, n, ahead int) error {
	return benchCalls(n, ahead, func(i int) error {
		_, err := c.Submit(ctx, benchTask(i))
		return err
	})
}

type benchWork func(ctx context.Context, c *gearman.Client, n, ahead int) error

func benchBackground(b *testing.B, n, ahead int, ours benchWork) {
	load := gearmantest.NewLoad(n, wire.JobCreated, wire.SubmitJobBg, "f", "#", benchWorkload)
	b.Run(strconv.Itoa(ahead), func(b *testing.B) {
		beside(b, n, map[string]turn{
			"ours":       oursTurn(n, ahead, ours),
			"raw":        rawTurn(load, ahead),
			"libgearman": libgearmanTurn(b, "background", n, ahead),
			"php":        phpTurn(b, "background", n, ahead),
		})
	})
}

// BenchmarkStatus asks for the status of jobs, one by one and from many
// goroutines. libgearman 1.1.20 has no other way than the former: a set of status
// tasks does not end. That php-gearman, which wraps it, has one is of another
// reader of its answers.
func BenchmarkStatus(b *testing.B) {
	const handle = "H:nowhere:1"
	for _, w := range []struct{ n, ahead int }{{5_000, 1}, {200_000, 128}, {200_000, 1024}} {
		load := gearmantest.NewLoad(w.n, wire.StatusRes, wire.GetStatus, handle)
		b.Run(strconv.Itoa(w.ahead), func(b *testing.B) {
			beside(b, w.n, map[string]turn{
				"ours": oursTurn(w.n, w.ahead, func(ctx context.Context, c *gearman.Client, n, ahead int) error {
					return benchCalls(n, ahead, func(int) error {
						_, err := c.Status(ctx, c.Servers[0], handle)
						return err
					})
				}),
				"raw":        rawTurn(load, w.ahead),
				"libgearman": libgearmanTurn(b, "status", w.n, 1),
				"php":        phpTurn(b, "status", w.n, w.ahead),
			})
		})
	}
}

// BenchmarkDo does foreground jobs, whose worker is a process of its own with as
// many of them in its hands as are in flight.
func BenchmarkDo(b *testing.B) {
	for _, w := range []struct{ n, ahead int }{{3_000, 1}, {20_000, 16}} {
		load := gearmantest.NewLoad(w.n, wire.WorkComplete, wire.SubmitJob, "f", "#", benchWorkload)
		turns := map[string]turn{
			"ours": oursTurn(w.n, w.ahead, func(ctx context.Context, c *gearman.Client, n, ahead int) error {
				return benchCalls(n, ahead, func(i int) error {
					_, err := c.Do(ctx, benchTask(i))
					return err
				})
			}),
			"raw":        rawTurn(load, w.ahead),
			"libgearman": libgearmanTurn(b, "foreground", w.n, w.ahead),
			"php":        phpTurn(b, "foreground", w.n, w.ahead),
		}
		for name, bare := range turns {
			turns[name] = func(b *testing.B, addr string) time.Duration {
				cmd := startWorkerProcess(b, addr, "")
				defer cmd.Process.Kill()
				first := gearmantest.NewLoad(1, wire.WorkComplete, wire.SubmitJob, "f", "#", "")
				rawTurn(first, 1)(b, addr)
				return bare(b, addr)
			}
		}
		b.Run(strconv.Itoa(w.ahead), func(b *testing.B) { beside(b, w.n, turns) })
	}
}

func oursTurn(n, ahead int, do benchWork) turn {
	return func(b *testing.B, addr string) time.Duration {
		c := &gearman.Client{Servers: []string{addr}}
		defer c.Close()
		if err := c.Echo(b.Context(), addr, nil); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := do(b.Context(), c, n, ahead); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
}

// benchCalls makes n calls from so many goroutines.
func benchCalls(n, goroutines int, call func(i int) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, goroutines)
	for g := range goroutines {
		wg.Go(func() {
			for i := g; i < n; i += goroutines {
				if err := call(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func rawTurn(load *gearmantest.Load, ahead int) turn {
	return func(b *testing.B, addr string) time.Duration {
		load.Window = ahead
		took, err := load.Run(addr)
		if err != nil {
			b.Fatal(err)
		}
		return took
	}
}

// libgearmanTurn is that of testdata/libgearman.c, which it compiles.
func libgearmanTurn(b *testing.B, what string, n, ahead int) turn {
	need.Program(b, "gcc")
	program := filepath.Join(b.TempDir(), "libgearman")
	if out, err := exec.Command("gcc", "-O2", "-o", program, "testdata/libgearman.c", "-lgearman").CombinedOutput(); err != nil {
		b.Skipf("gcc with libgearman-dev: %v\n%s", err, out)
	}
	return peerTurn(what, n, ahead, program)
}

func phpTurn(b *testing.B, what string, n, ahead int) turn {
	need.Program(b, "php")
	return peerTurn(what, n, ahead, "php", "testdata/php-gearman.php")
}

// peerTurn runs a command that does n times what, in sets of so many, and prints
// how many seconds that took.
func peerTurn(what string, n, ahead int, command ...string) turn {
	return func(b *testing.B, addr string) time.Duration {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			b.Fatal(err)
		}
		args := append(command[1:len(command):len(command)], host, port, what, strconv.Itoa(n), strconv.Itoa(ahead))
		out, err := exec.Command(command[0], args...).Output()
		if err != nil {
			b.Fatalf("%s %q: %v", command[0], args, err)
		}
		var seconds float64
		if _, err := fmt.Sscan(string(out), &seconds); err != nil {
			b.Fatalf("%s %q: %s", command[0], args, out)
		}
		return time.Duration(seconds * float64(time.Second))
	}
}
