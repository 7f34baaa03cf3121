package gearman_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
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
// of its own that is new, and report the medians of the turns:
//
//	req/s         of this package
//	x-libgearman  how many times as fast as libgearman from C
//	x-php         and as php-gearman
//	of-raw        and as bare sockets with as many requests in flight
//
// Every job has 64 bytes and a unique key, which those two always give it. They do
// one thing at a time or, where more are in flight, sets of tasks.
//
//	go test -run - -bench . -benchtime 9x ./gearman

var benchWorkload = strings.Repeat("x", 64)

// A turn is one client's, which does its work with the job server on addr.
type turn func(b *testing.B, addr string) time.Duration

func beside(b *testing.B, n int, turns map[string]turn) {
	rates := gearmantest.Turns{}
	for b.Loop() {
		for name, turn := range turns {
			s := gearmantest.Start(b)
			rates.Note(name, n, turn(b, s.Addr))
			s.Kill()
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rates.Rate("ours"), "req/s")
	b.ReportMetric(rates.Ratio("ours", "raw"), "of-raw")
	b.ReportMetric(rates.Ratio("ours", "libgearman"), "x-libgearman")
	b.ReportMetric(rates.Ratio("ours", "php"), "x-php")
}

// BenchmarkSubmit submits background jobs one by one.
func BenchmarkSubmit(b *testing.B) {
	benchBackground(b, 5_000, 1, benchSubmit(1))
}

// BenchmarkSubmitPipelined does so from many goroutines.
func BenchmarkSubmitPipelined(b *testing.B) {
	for _, ahead := range []int{16, 128} {
		benchBackground(b, 30_000, ahead, benchSubmit(ahead))
	}
}

// BenchmarkSubmitAll does so in sets.
func BenchmarkSubmitAll(b *testing.B) {
	for _, ahead := range []int{100, 1000} {
		benchBackground(b, 30_000, ahead, func(ctx context.Context, c *gearman.Client, tasks []gearman.Task) error {
			for set := range slices.Chunk(tasks, ahead) {
				if _, err := c.SubmitAll(ctx, set); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func benchTasks(n int) []gearman.Task {
	tasks := make([]gearman.Task, n)
	for i := range tasks {
		tasks[i] = gearman.Task{Function: "f", Unique: gearmantest.Unique(i), Workload: []byte(benchWorkload)}
	}
	return tasks
}

func benchSubmit(ahead int) benchWork {
	return func(ctx context.Context, c *gearman.Client, tasks []gearman.Task) error {
		return benchCalls(len(tasks), ahead, func(i int) error {
			_, err := c.Submit(ctx, tasks[i])
			return err
		})
	}
}

// A benchWork is what this package does for a turn.
type benchWork func(ctx context.Context, c *gearman.Client, tasks []gearman.Task) error

func benchBackground(b *testing.B, n, ahead int, ours benchWork) {
	load := gearmantest.NewLoad(n, wire.JobCreated, wire.SubmitJobBg, "f", "#", benchWorkload)
	b.Run(strconv.Itoa(ahead), func(b *testing.B) {
		beside(b, n, map[string]turn{
			"ours":       oursTurn(n, ours),
			"raw":        rawTurn(load, ahead),
			"libgearman": libgearmanTurn(b, "background", n, ahead),
			"php":        phpTurn(b, "background", n, ahead),
		})
	})
}

// BenchmarkStatus asks for the status of jobs, one by one.
func BenchmarkStatus(b *testing.B) {
	benchStatus(b, 5_000, 1, benchStatusCalls(1))
}

// BenchmarkStatusPipelined does so from many goroutines.
func BenchmarkStatusPipelined(b *testing.B) {
	for _, ahead := range []int{16, 128, 1024} {
		benchStatus(b, 100_000, ahead, benchStatusCalls(ahead))
	}
}

// BenchmarkStatusAll does so in sets.
func BenchmarkStatusAll(b *testing.B) {
	for _, ahead := range []int{100, 1000} {
		handles := slices.Repeat([]string{benchHandle}, ahead)
		benchStatus(b, 500_000, ahead, func(ctx context.Context, c *gearman.Client, tasks []gearman.Task) error {
			for range len(tasks) / ahead {
				if _, err := c.StatusAll(ctx, c.Servers[0], handles); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

const benchHandle = "H:nowhere:1"

func benchStatusCalls(ahead int) benchWork {
	return func(ctx context.Context, c *gearman.Client, tasks []gearman.Task) error {
		return benchCalls(len(tasks), ahead, func(int) error {
			_, err := c.Status(ctx, c.Servers[0], benchHandle)
			return err
		})
	}
}

// benchStatus has libgearman ask one by one, whose set of status tasks does not
// end, as testdata/bench.c says; php-gearman's, which wraps it, does.
func benchStatus(b *testing.B, n, ahead int, ours benchWork) {
	load := gearmantest.NewLoad(n, wire.StatusRes, wire.GetStatus, benchHandle)
	b.Run(strconv.Itoa(ahead), func(b *testing.B) {
		beside(b, n, map[string]turn{
			"ours":       oursTurn(n, ours),
			"raw":        rawTurn(load, ahead),
			"libgearman": scaled(n, 5_000, libgearmanTurn(b, "status", 5_000, 1)),
			"php":        phpTurn(b, "status", n, ahead),
		})
	})
}

// scaled is the turn of a client that is too slow for all n, by what few of them
// take.
func scaled(n, few int, t turn) turn {
	return func(b *testing.B, addr string) time.Duration { return t(b, addr) * time.Duration(n/few) }
}

// BenchmarkDo does foreground jobs, whose worker is a process of its own with as
// many of them in its hands as are in flight.
func BenchmarkDo(b *testing.B) {
	for _, w := range []struct{ n, ahead int }{{3_000, 1}, {20_000, 16}} {
		load := gearmantest.NewLoad(w.n, wire.WorkComplete, wire.SubmitJob, "f", "#", benchWorkload)
		turns := map[string]turn{
			"ours": oursTurn(w.n, func(ctx context.Context, c *gearman.Client, tasks []gearman.Task) error {
				return benchCalls(len(tasks), w.ahead, func(i int) error {
					_, err := c.Do(ctx, tasks[i])
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

func oursTurn(n int, do benchWork) turn {
	tasks := benchTasks(n)
	return func(b *testing.B, addr string) time.Duration {
		c := &gearman.Client{Servers: []string{addr}}
		defer c.Close()
		if err := c.Echo(b.Context(), addr, nil); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := do(b.Context(), c, tasks); err != nil {
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

// libgearmanTurn is that of testdata/bench.c, which it compiles.
func libgearmanTurn(b *testing.B, what string, n, ahead int) turn {
	need.Program(b, "gcc")
	program := filepath.Join(b.TempDir(), "libgearman")
	if out, err := exec.Command("gcc", "-O2", "-o", program, "testdata/bench.c", "-lgearman").CombinedOutput(); err != nil {
		b.Skipf("gcc with libgearman-dev: %v\n%s", err, out)
	}
	return peerTurn(what, n, ahead, program)
}

func phpTurn(b *testing.B, what string, n, ahead int) turn {
	need.Program(b, "php")
	return peerTurn(what, n, ahead, "php", "testdata/bench.php")
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
