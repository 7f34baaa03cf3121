package gearman_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"net"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"revstamp/gearman"
	"revstamp/gearman/gearmantest"
	"revstamp/gearman/jobserver"
	"revstamp/gearman/wire"
)

func TestReleaseOf(t *testing.T) {
	tests := map[string]string{
		"shop/12/1": "shop/12", "shop/12/10": "shop/12", "": "", "shop": "", "shop/12": "",
		"shop/12/x": "", "/12/1": "", "shop//1": "", "shop/12/": "", "shop/12/1/2": "", "shop/12/-1": "",
		"shop/12/1.2": "shop/12", "shop/12/1.": "", "shop/12/.2": "", "shop/12/1.2.3": "", "shop/12/1.x": "",
	}
	for unique, want := range tests {
		got, ok := gearman.ReleaseOf(unique)
		if got != want || ok != (want != "") {
			t.Errorf("ReleaseOf(%q) = %q, %v, want %q", unique, got, ok, want)
		}
		function, ok := gearman.ReportReleases(unique)
		if ok != (want != "") || ok && function != gearman.OutcomeFunction(want) {
			t.Errorf("ReportReleases(%q) = %q, %v", unique, function, ok)
		}
	}
}

func TestParseReport(t *testing.T) {
	for _, bad := range []string{"", "[]", "{}", `{"outcome":"well","unique":"u"}`, `{"outcome":"failed"}`} {
		if r, err := gearman.ParseReport([]byte(bad)); err == nil {
			t.Errorf("ParseReport(%q) = %+v, no error", bad, r)
		}
	}
}

// follow serves release until n reports have come and returns them.
func follow(t *testing.T, addr, release string, n int) []gearman.Report {
	t.Helper()
	reports := make(chan gearman.Report)
	w := &gearman.Worker{Servers: []string{addr}}
	w.Handle(gearman.OutcomeFunction(release), 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
		r, err := gearman.ParseReport(j.Workload)
		if err != nil {
			t.Error(err)
		}
		select {
		case reports <- r:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}))
	serveWorker(t, w)
	var all []gearman.Report
	for range n {
		select {
		case r := <-reports:
			all = append(all, r)
		case <-deadline(t).Done():
			t.Fatalf("%d reports came, want %d", len(all), n)
		}
	}
	return all
}

// Whoever follows, and whenever, gets the true outcome of each job of a release.
func TestReports(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		w := &gearman.Worker{Servers: []string{addr}, Concurrency: 3, Report: gearman.ReportReleases}
		w.Handle("good", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			j.Output = []string{"all", "well"}
			return nil, nil
		}))
		w.Handle("bad", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			j.ExitStatus = 3
			return nil, errors.New("it broke\nin two")
		}))
		serveWorker(t, w)
		before := time.Now()
		jobs, err := c.SubmitAll(ctx, []gearman.Task{
			{Function: "good", Unique: "shop/7/1"}, {Function: "bad", Unique: "shop/7/2"}, {Function: "good", Unique: "other"},
		})
		if err != nil {
			t.Fatal(err)
		}
		// No outcome function of the third was ever heard of, and the follower
		// comes when all is over.
		for _, job := range jobs {
			waitFor(t, func() bool {
				s, err := c.Status(ctx, addr, job.Handle)
				return err == nil && !s.Known
			})
		}
		want := []gearman.Report{
			{Unique: "shop/7/1", Server: addr, Handle: jobs[0].Handle, Function: "good", Outcome: gearman.Succeeded, Output: []string{"all", "well"}},
			{Unique: "shop/7/2", Server: addr, Handle: jobs[1].Handle, Function: "bad", Outcome: gearman.Failed, ExitStatus: 3, Output: []string{"it broke", "in two"}},
		}
		got := follow(t, addr, "shop/7", 2)
		if diff := cmp.Diff(want, got,
			cmpopts.IgnoreFields(gearman.Report{}, "Started", "Ended"),
			cmpopts.SortSlices(func(a, b gearman.Report) bool { return a.Unique < b.Unique })); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
		for _, r := range got {
			if r.Started.Before(before.Add(-time.Second)) || r.Ended.Before(r.Started) {
				t.Errorf("report from %v to %v, begun after %v", r.Started, r.Ended, before)
			}
		}
	})
}

// A follower killed before it acknowledged leaves the report to the next.
func TestFollowerKilled(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		w := &gearman.Worker{Servers: []string{addr}, Report: gearman.ReportReleases}
		w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) { return nil, nil }))
		serveWorker(t, w)
		first := dialPeer(t, addr).canDo(gearman.OutcomeFunction("shop/7"))
		if _, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: "shop/7/1"}); err != nil {
			t.Fatal(err)
		}
		first.await()
		first.nc.Close()
		if got := follow(t, addr, "shop/7", 1); got[0].Unique != "shop/7/1" || got[0].Outcome != gearman.Succeeded {
			t.Errorf("report = %+v", got[0])
		}
	})
}

// The end of a job is not told before its report is acknowledged; a report that
// is refused is sent again, with the same unique, and meanwhile the job runs on.
func TestReportComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conns := make(chan *peer)
		w := &gearman.Worker{Servers: []string{"s"}, Report: gearman.ReportReleases, Dial: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			conns <- &peer{t, far, wire.NewReader(far)}
			return near, nil
		}}
		w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) { return []byte("result"), nil }))
		var serving sync.WaitGroup
		serving.Go(func() { w.Serve() })

		worker, reports := <-conns, <-conns
		worker.expect(wire.CanDo)
		worker.expect(wire.GrabJobUniq)
		worker.respond(wire.JobAssignUniq, "H:1", "f", "shop/7/1", "")
		first := reports.expect(wire.SubmitJobHighBg)
		if first[0] != gearman.OutcomeFunction("shop/7") {
			t.Errorf("report to %s", first[0])
		}
		told := make(chan []string, 1)
		go func() { told <- worker.expect(wire.WorkComplete) }()
		quiet := func(when string) {
			t.Helper()
			synctest.Wait()
			if len(told) > 0 {
				t.Errorf("end of job told %s", when)
			}
		}
		quiet("before the report was answered")
		reports.respond(wire.Error, "QUEUE_ERROR", "full")
		quiet("though the report was refused")
		second := reports.expect(wire.SubmitJobHighBg)
		if !cmp.Equal(first, second) {
			t.Errorf("second report %q, want %q", second, first)
		}
		reports.nc.Close()
		quiet("though the connection was lost")
		reports = <-conns
		reports.expect(wire.SubmitJobHighBg)
		quiet("before the report was acknowledged")
		reports.respond(wire.JobCreated, "H:2")
		if got := <-told; got[0] != "H:1" || got[1] != "result" {
			t.Errorf("WORK_COMPLETE %q", got)
		}

		worker.expect(wire.GrabJobUniq)
		worker.respond(wire.NoJob)
		worker.expect(wire.PreSleep)
		serving.Go(func() {
			worker.expect(wire.EchoReq)
			worker.respond(wire.EchoRes, "")
		})
		if err := w.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		serving.Wait()
	})
}

// A job whose report cannot be queued is not ended by Shutdown either: it goes
// back to the queue.
func TestReportNeverAccepted(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		function := gearman.OutcomeFunction("shop/7")
		if _, err := c.Submit(ctx, gearman.Task{Function: function}); err != nil {
			t.Fatal(err)
		}
		text := dialPeer(t, addr)
		fmt.Fprintf(text.nc, "maxqueue %s 1\n", function)
		if line, err := text.r.Line(); err != nil || string(line) != "OK" {
			t.Fatalf("maxqueue: %q, %v", line, err)
		}
		done := make(chan struct{})
		w := &gearman.Worker{Servers: []string{addr}, Report: gearman.ReportReleases}
		w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
			close(done)
			return nil, nil
		}))
		served := make(chan error, 1)
		go func() { served <- w.Serve() }()
		job, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: "shop/7/1"})
		if err != nil {
			t.Fatal(err)
		}
		<-done
		now, cancel := context.WithCancel(ctx)
		cancel()
		if err := w.Shutdown(now); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown = %v", err)
		}
		<-served
		waitFor(t, func() bool {
			s, err := c.Status(ctx, addr, job.Handle)
			return err == nil && s.Known && !s.Running
		})
	})
}

// TestMain lets the test binary be a worker process of its own, to be killed.
func TestMain(m *testing.M) {
	if addr := os.Getenv("REVSTAMP_TEST_WORKER"); addr != "" {
		if os.Getenv("REVSTAMP_TEST_COMMAND") == "" {
			fmt.Fprintln(os.Stderr, gearmantest.Work(addr, "f", 16))
			os.Exit(1)
		}
		w := &gearman.Worker{Servers: []string{addr}, Report: gearman.ReportReleases}
		w.Handle("f", 0, &gearman.Command{Args: []string{"sh", "-c", os.Getenv("REVSTAMP_TEST_COMMAND")}})
		fmt.Fprintln(os.Stderr, w.Serve())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// startWorkerProcess runs the test binary as a worker whose jobs are a command, or
// nothing at all.
func startWorkerProcess(t testing.TB, addr, command string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "REVSTAMP_TEST_WORKER="+addr, "REVSTAMP_TEST_COMMAND="+command)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// A worker process killed in the middle of a job: the job is done again, its
// command does not live on, and the report is the second run's.
func TestWorkerProcessKilled(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		fifo := t.TempDir() + "/pid"
		if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
			t.Fatalf("mkfifo: %v %s", err, out)
		}
		// The command tells its pid through the pipe and then holds it open.
		victim := startWorkerProcess(t, addr, "exec >"+fifo+"; echo $$; exec cat /dev/zero >/dev/null")
		job, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: "shop/7/1"})
		if err != nil {
			t.Fatal(err)
		}
		pipe, err := os.Open(fifo)
		if err != nil {
			t.Fatal(err)
		}
		defer pipe.Close()
		pid, err := bufio.NewReader(pipe).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if s, err := c.Status(ctx, addr, job.Handle); err != nil || !s.Running {
			t.Errorf("Status = %+v, %v, want running", s, err)
		}
		victim.Process.Kill()
		victim.Wait()
		waitFor(t, func() bool {
			_, err := os.Stat("/proc/" + strings.TrimSpace(pid))
			return err != nil || zombie(strings.TrimSpace(pid))
		})
		startWorkerProcess(t, addr, "echo second >&2; exit 3")
		got := follow(t, addr, "shop/7", 1)
		want := gearman.Report{
			Unique: "shop/7/1", Server: addr, Handle: job.Handle, Function: "f",
			Outcome: gearman.Failed, ExitStatus: 3, Output: []string{"second"},
		}
		if diff := cmp.Diff(want, got[0], cmpopts.IgnoreFields(gearman.Report{}, "Started", "Ended")); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	})
}

// zombie reports whether a process has ended and its new parent has not looked.
func zombie(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}

// A job server that is shut down while a job runs, the first that is reported, is
// given the report, and then has nothing to wait for.
func TestReportToServerThatShutsDown(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, s, served := l.Addr().String(), new(jobserver.Server), make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	ctx, c := deadline(t), newClient(t, addr)
	running, release, reported := make(chan bool), make(chan bool), make(chan gearman.Report, 1)
	w := &gearman.Worker{Servers: []string{addr}, Report: gearman.ReportReleases}
	w.Handle("f", 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
		running <- true
		<-release
		return nil, nil
	}))
	serveWorker(t, w)
	follower := &gearman.Worker{Servers: []string{addr}}
	follower.Handle(gearman.OutcomeFunction("shop/7"), 0, handle(func(ctx context.Context, j *gearman.Request) ([]byte, error) {
		r, err := gearman.ParseReport(j.Workload)
		reported <- r
		return nil, err
	}))
	serveWorker(t, follower)
	if _, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: "shop/7/1"}); err != nil {
		t.Fatal(err)
	}
	<-running
	awaitWorker(t, addr, gearman.OutcomeFunction("shop/7"))
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(ctx) }()
	awaitRefusal(t, addr)
	close(release)
	if err := <-down; err != nil {
		t.Fatalf("Shutdown = %v", err)
	}
	if r := <-reported; r.Unique != "shop/7/1" || r.Outcome != gearman.Succeeded {
		t.Errorf("report = %+v", r)
	}
}

// awaitWorker waits until a worker of function is connected to addr.
func awaitWorker(t *testing.T, addr, function string) {
	t.Helper()
	await(t, func(ctx context.Context) bool {
		all, err := (&gearman.Admin{Addr: addr}).Status(ctx)
		return err == nil && slices.ContainsFunc(all, func(f gearman.FunctionStatus) bool { return f.Function == function && f.Workers > 0 })
	})
}

// awaitRefusal waits until nobody listens on addr.
func awaitRefusal(t *testing.T, addr string) {
	t.Helper()
	await(t, func(context.Context) bool {
		nc, err := net.Dial("tcp", addr)
		if err == nil {
			nc.Close()
		}
		return err != nil
	})
}

func await(t *testing.T, until func(ctx context.Context) bool) {
	t.Helper()
	ctx := deadline(t)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !until(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
}
