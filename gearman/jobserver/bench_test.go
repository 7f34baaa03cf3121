package jobserver_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"revstamp/gearman/gearmantest"
	"revstamp/gearman/wire"
)

// The benchmarks put the same load, through bare sockets, on gearmand and on
// "revstamp jobserver", in turns and each time on a new process, and report the
// medians of the turns:
//
//	req/s       requests answered
//	x-gearmand  how many times as many as by gearmand
//	cpu-s       processor time of the server for 100,000 requests, of all turns
//	gearmand-…  the same of gearmand
//
//	go test -run - -bench . -benchtime 9x ./gearman/jobserver

// A contender starts a job server for n requests.
type contender struct {
	n     int
	start func() *gearmantest.Server
}

// A benchLoad makes a load of n requests for the job server on addr.
type benchLoad func(b *testing.B, addr string, n int) *gearmantest.Load

var benchWorkload = strings.Repeat("x", 64)

func background(unique string) benchLoad {
	return func(_ *testing.B, _ string, n int) *gearmantest.Load {
		return gearmantest.NewLoad(n, wire.JobCreated, wire.SubmitJobBg, "f", unique, benchWorkload)
	}
}

// foreground has a worker do the jobs.
func foreground(b *testing.B, addr string, n int) *gearmantest.Load {
	go gearmantest.Work(addr, "f", 64)
	first := gearmantest.NewLoad(1, wire.WorkComplete, wire.SubmitJob, "f", "", "")
	if _, err := first.Run(addr); err != nil {
		b.Fatal(err)
	}
	return gearmantest.NewLoad(n, wire.WorkComplete, wire.SubmitJob, "f", "", benchWorkload)
}

func status(_ *testing.B, _ string, n int) *gearmantest.Load {
	return gearmantest.NewLoad(n, wire.StatusRes, wire.GetStatus, "H:nowhere:1")
}

func BenchmarkMemory(b *testing.B) {
	program := build(b)
	for _, c := range []struct {
		name string
		load benchLoad
		n    int // with one request in flight a tenth
	}{
		{"background", background(""), 200_000},
		{"background-unique", background("#"), 50_000},
		{"status", status, 500_000},
		{"foreground", foreground, 50_000},
	} {
		for _, way := range []struct{ conns, window int }{{1, 1}, {1, 16}, {16, 1}, {1, 1024}, {4, 256}} {
			n := c.n
			if way.window == 1 {
				n /= 10
			}
			b.Run(fmt.Sprintf("%s/conns=%d/window=%d", c.name, way.conns, way.window), func(b *testing.B) {
				beside(b, c.load, way.conns, way.window, map[string]contender{
					"gearmand": {n, func() *gearmantest.Server { return gearmantest.Start(b) }},
					"ours":     {n, func() *gearmantest.Server { return revstamp(b, program) }},
				})
			})
		}
	}
}

// BenchmarkDurable has both keep their queues in files on one file system.
// gearmand, which syncs its file for each job, has turns of fewer jobs.
func BenchmarkDurable(b *testing.B) {
	program := build(b)
	for _, way := range []struct{ conns, window, n int }{{1, 1, 200}, {16, 1, 2000}, {1, 1024, 50_000}, {4, 256, 50_000}} {
		b.Run(fmt.Sprintf("background/conns=%d/window=%d", way.conns, way.window), func(b *testing.B) {
			file := func() string { return filepath.Join(b.TempDir(), "queue") }
			beside(b, background(""), way.conns, way.window, map[string]contender{
				"gearmand": {min(way.n, 200), func() *gearmantest.Server {
					return gearmantest.Start(b, "--queue-type", "libsqlite3", "--libsqlite3-db", file())
				}},
				"ours": {way.n, func() *gearmantest.Server { return revstamp(b, program, "--queue", file()) }},
			})
		})
	}
}

func beside(b *testing.B, load benchLoad, conns, window int, contenders map[string]contender) {
	rates := gearmantest.Turns{}
	cpu := map[string]time.Duration{}
	for b.Loop() {
		for name, c := range contenders {
			s := c.start()
			l := load(b, s.Addr, c.n)
			l.Conns, l.Window = conns, window
			before := s.CPU()
			took, err := l.Run(s.Addr)
			if err != nil {
				b.Fatal(err)
			}
			rates.Note(name, c.n, took)
			cpu[name] += s.CPU() - before
			s.Kill()
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rates.Rate("ours"), "req/s")
	b.ReportMetric(rates.Rate("gearmand"), "gearmand-req/s")
	b.ReportMetric(rates.Ratio("ours", "gearmand"), "x-gearmand")
	for name, unit := range map[string]string{"ours": "cpu-s", "gearmand": "gearmand-cpu-s"} {
		b.ReportMetric(cpu[name].Seconds()/float64(b.N*contenders[name].n)*100_000, unit)
	}
}

// build returns the program revstamp.
func build(b *testing.B) string {
	program := filepath.Join(b.TempDir(), "revstamp")
	if out, err := exec.Command("go", "build", "-o", program, "revstamp/cmd/revstamp").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return program
}

func revstamp(b *testing.B, program string, args ...string) *gearmantest.Server {
	return gearmantest.StartProcess(b, func(addr string) *exec.Cmd {
		return exec.Command(program, append([]string{"jobserver", "--listen", addr}, args...)...)
	})
}
