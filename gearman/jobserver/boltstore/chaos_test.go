package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"revstamp/gearman"
	"revstamp/gearman/gearmantest"
)

const chaosRelease = "chaos/1"

// work is a worker that reports, of jobs that have nothing to do.
func work(addr, _ string) error {
	w := &gearman.Worker{Servers: []string{addr}, Report: gearman.ReportReleases}
	w.Handle("f", 0, gearman.HandlerFunc(func(context.Context, *gearman.Request) ([]byte, error) { return nil, nil }))
	return w.Serve()
}

// follow is a follower whose journal is file, a line for every job. It
// acknowledges a report when the journal has it.
func follow(addr, file string) error {
	journal, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	recorded := map[string]bool{}
	for s := bufio.NewScanner(journal); s.Scan(); {
		unique, _, _ := strings.Cut(s.Text(), " ")
		recorded[unique] = true
	}
	w := &gearman.Worker{Servers: []string{addr}}
	w.Handle(gearman.OutcomeFunction(chaosRelease), 0, gearman.HandlerFunc(func(_ context.Context, r *gearman.Request) ([]byte, error) {
		report, err := gearman.ParseReport(r.Workload)
		if err != nil || recorded[report.Unique] {
			return nil, err
		}
		recorded[report.Unique] = true
		if _, err := fmt.Fprintln(journal, report.Unique, report.Outcome); err != nil {
			return nil, err
		}
		return nil, journal.Sync()
	}))
	return w.Serve()
}

// Whatever is killed, and however often: each job that was acknowledged ends with
// one outcome in the journal, and it is succeeded.
func TestChaos(t *testing.T) {
	servers := map[string]func(t *testing.T) chaosServer{
		"gearmand": func(t *testing.T) chaosServer {
			s := gearmantest.Start(t, "--queue-type", "libsqlite3", "--libsqlite3-db", filepath.Join(t.TempDir(), "queue"))
			return chaosServer{s.Addr, s.Kill, s.Restart}
		},
		"ours": func(t *testing.T) chaosServer {
			s := startServer(t, filepath.Join(t.TempDir(), "queue"))
			return chaosServer{s.Addr, s.Kill, s.Restart}
		},
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &chaos{t: t, server: start(t), jobs: 20_000, kills: 100, news: make(chan struct{}, 1)}
			if testing.Short() {
				c.jobs, c.kills = 400, 4
			}
			c.run()
		})
	}
}

type chaosServer struct {
	addr          string
	kill, restart func()
}

// A chaos is one run. All but submit is the test's goroutine's.
type chaos struct {
	t      *testing.T
	server chaosServer
	jobs   int
	kills  int // of the server

	journal  *os.File
	partial  string
	outcomes map[string][]string // by unique
	recorded atomic.Int64        // how many
	news     chan struct{}       // when recorded has grown, for those who submit

	acknowledged, refused atomic.Int64
}

const (
	chaosClients = 4
	chaosWorkers = 4
	chaosAhead   = 200 // jobs submitted before others are recorded
)

func (c *chaos) run() {
	file := filepath.Join(c.t.TempDir(), "journal")
	follower := newProcess(c.t, "follower", c.server.addr, file)
	var workers []*process
	for range chaosWorkers {
		workers = append(workers, newProcess(c.t, "worker", c.server.addr, ""))
	}
	c.open(file)

	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	for i := range chaosClients {
		clients.Go(func() { c.submit(ctx, i) })
	}

	every := c.jobs / (c.kills + 1)
	server, worker, followed := 0, 0, 0
	for n := range c.kills {
		c.await(n*every + rand.IntN(every) + 1)
		switch rand.IntN(3) {
		case 0:
			workers[rand.IntN(len(workers))].Restart()
			worker++
		case 1:
			follower.Restart()
			followed++
		}
		c.server.kill()
		c.server.restart()
		server++
	}
	c.await(c.jobs)
	clients.Wait()
	c.awaitEmpty()
	c.check()
	c.t.Logf("%d jobs acknowledged and succeeded, each recorded once; killed: server %d times, a worker %d, the follower %d; submits without an answer: %d",
		c.acknowledged.Load(), server, worker, followed, c.refused.Load())
}

// submit submits the jobs of one client, a few at a time, each again until it is
// acknowledged. It goes on while servers are killed, for it keeps no more than
// chaosAhead of the journal.
func (c *chaos) submit(ctx context.Context, client int) {
	cl := &gearman.Client{Servers: []string{c.server.addr}}
	defer cl.Close()
	var tasks []gearman.Task
	for n := client; n < c.jobs || len(tasks) > 0; {
		for ; len(tasks) < 20 && n < c.jobs; n += chaosClients {
			tasks = append(tasks, gearman.Task{Function: "f", Unique: fmt.Sprint(chaosRelease, "/", n), Workload: []byte("work")})
		}
		for int64(n) > c.recorded.Load()+chaosAhead && ctx.Err() == nil {
			c.wait(ctx)
		}
		_, err := cl.SubmitAll(ctx, tasks)
		left := unacknowledged(tasks, err)
		c.acknowledged.Add(int64(len(tasks) - len(left)))
		c.refused.Add(int64(len(left)))
		tasks = left
		if ctx.Err() != nil {
			return
		}
		if len(left) > 0 {
			c.wait(ctx)
		}
	}
}

func unacknowledged(tasks []gearman.Task, err error) []gearman.Task {
	failed, ok := errors.AsType[*gearman.BatchError](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return tasks
	}
	var left []gearman.Task
	for i, err := range failed.Errors {
		if err != nil {
			left = append(left, tasks[i])
		}
	}
	return left
}

// wait waits for something to be recorded, or a moment.
func (c *chaos) wait(ctx context.Context) {
	select {
	case <-c.news:
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
}

func (c *chaos) open(file string) {
	var err error
	if c.journal, err = os.OpenFile(file, os.O_RDONLY|os.O_CREATE, 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { c.journal.Close() })
	c.outcomes = map[string][]string{}
}

// read reads what the journal has got.
func (c *chaos) read() {
	data, err := io.ReadAll(c.journal)
	if err != nil {
		c.t.Fatal(err)
	}
	lines := strings.Split(c.partial+string(data), "\n")
	c.partial = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		unique, outcome, _ := strings.Cut(line, " ")
		c.outcomes[unique] = append(c.outcomes[unique], outcome)
	}
	c.recorded.Store(int64(len(c.outcomes)))
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// stalled is how long nothing may be recorded.
const stalled = 90 * time.Second

// await waits until n jobs are recorded.
func (c *chaos) await(n int) {
	c.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	last, since := -1, time.Now()
	for len(c.outcomes) < n {
		if len(c.outcomes) > last {
			last, since = len(c.outcomes), time.Now()
		}
		if time.Since(since) > stalled {
			c.t.Fatalf("%d of %d jobs recorded, %d acknowledged, and nothing for %v: %s",
				len(c.outcomes), c.jobs, c.acknowledged.Load(), stalled, c.status())
		}
		<-tick.C
		c.read()
	}
}

// awaitEmpty waits until the server has no job left.
func (c *chaos) awaitEmpty() {
	c.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for since := time.Now(); time.Since(since) < stalled; <-tick.C {
		a := &gearman.Admin{Addr: c.server.addr}
		if jobs, err := a.Jobs(c.t.Context()); err == nil && len(jobs) == 0 {
			return
		}
	}
	c.t.Errorf("in the end the server has jobs left: %s", c.status())
}

func (c *chaos) status() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	functions, err := (&gearman.Admin{Addr: c.server.addr}).Status(ctx)
	return fmt.Sprint(functions, err)
}

func (c *chaos) check() {
	c.read()
	if got := int(c.acknowledged.Load()); got != c.jobs {
		c.t.Errorf("%d jobs acknowledged, want %d", got, c.jobs)
	}
	for n := range c.jobs {
		unique := fmt.Sprint(chaosRelease, "/", n)
		if got := c.outcomes[unique]; len(got) != 1 || got[0] != string(gearman.Succeeded) {
			c.t.Errorf("job %s has the outcomes %q, want succeeded", unique, got)
		}
	}
	if len(c.outcomes) != c.jobs {
		c.t.Errorf("%d jobs recorded, want %d", len(c.outcomes), c.jobs)
	}
}
