package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/gearman"
	"revstamp/gearman/jobserver"
)

// embedded is the name, in the journal, of the job server inside the process.
const embedded = "embedded"

// hub is where a release's jobs go: the configured job servers, or, when
// there are none, a job server and workers inside this process.
type hub struct {
	client   *gearman.Client
	embedded string // its address; empty with configured job servers
	close    func(context.Context) error
}

func openHub(cfg *config.Config) (*hub, error) {
	if len(cfg.Jobs.Servers) > 0 {
		c := &gearman.Client{Servers: cfg.Jobs.Servers}
		return &hub{client: c, close: func(context.Context) error { return c.Close() }}, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("embedded job server: %w", err)
	}
	server := &jobserver.Server{}
	go server.Serve(listener)
	h := &hub{embedded: listener.Addr().String()}
	worker := Worker(cfg, []string{h.embedded})
	go worker.Serve()
	h.client = &gearman.Client{Servers: []string{h.embedded}}
	h.close = func(ctx context.Context) error {
		return errors.Join(h.client.Close(), worker.Shutdown(ctx), server.Shutdown(ctx))
	}
	return h, nil
}

// server is the address of the job server that the journal calls name.
func (h *hub) server(name string) string {
	if name == embedded {
		return h.embedded
	}
	return name
}

// name is what the journal calls the job server at addr.
func (h *hub) name(addr string) string {
	if addr == h.embedded {
		return embedded
	}
	return addr
}

// Worker is a worker for cfg's configured commands. It reports each job's end
// to whoever follows its release.
func Worker(cfg *config.Config, servers []string) *gearman.Worker {
	w := &gearman.Worker{Servers: servers, Report: gearman.ReportReleases}
	for _, function := range slices.Sorted(maps.Keys(cfg.Jobs.Workers)) {
		c := cfg.Jobs.Workers[function]
		w.Concurrency += max(c.Concurrency, 1)
		w.Handle(function, c.Timeout, &gearman.Command{Args: c.Command, Env: c.Env, Dir: cfg.Dir})
	}
	return w
}

// jobsStep queues the jobs that a live release owes.
type jobsStep struct{ *followed }

func (jobsStep) Name() string { return "jobs" }

func (s jobsStep) Run(ctx context.Context) (string, error) {
	open := s.release.pending()
	if len(open) == 0 {
		return "", Skip("no jobs")
	}
	n := 0
	for _, job := range open {
		queued, err := s.queue(ctx, job)
		if err != nil {
			return "", fmt.Errorf("queue %s: %w", job.Function, err)
		}
		if queued {
			n++
		}
	}
	if n == 0 {
		return "", Skip("already queued")
	}
	return plural(n, "job") + " queued", nil
}

// queue submits job unless a job server has it, or had it. A background job
// that may have been submitted before is looked for first: its worker reports
// its end before the job server forgets it, so that at every moment either the
// job is known or its report is waiting.
func (s jobsStep) queue(ctx context.Context, job Job) (bool, error) {
	again := s.release.did("jobs")
	lives := job.State == jobSubmitted && job.Server != embedded
	if lives || job.Foreground {
		return false, nil
	}
	server := s.hub.client.ServerFor(job.Unique)
	if again && s.hub.embedded == "" {
		found, err := s.find(ctx, server, job)
		if err != nil || found {
			return false, err
		}
	}
	where, err := s.hub.client.Submit(ctx, task(job))
	if err != nil {
		return false, err
	}
	return true, s.submitted(job.Unique, s.hub.name(where.Server), where.Handle)
}

// find looks for a job that a killed run may have submitted.
func (s jobsStep) find(ctx context.Context, server string, job Job) (bool, error) {
	status, err := s.hub.client.StatusUnique(ctx, server, job.Unique)
	if err != nil {
		return false, err
	}
	if status.Known {
		return true, s.submitted(job.Unique, server, "")
	}
	if err := s.drain(ctx, server); err != nil {
		return false, err
	}
	return s.job(job.Unique).Over(), nil
}

func task(job Job) gearman.Task {
	t := gearman.Task{Function: job.Function, Unique: job.Unique, Workload: []byte(job.Workload)}
	switch config.Priority(job.Priority) {
	case config.High:
		t.Priority = gearman.High
	case config.Low:
		t.Priority = gearman.Low
	}
	return t
}
