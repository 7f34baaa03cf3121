package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

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

func openHub(cfg *config.Config, o Observer) (*hub, error) {
	if len(cfg.Jobs.Servers) > 0 {
		tls, err := cfg.Jobs.TLS.Client()
		if err != nil {
			return nil, fmt.Errorf("jobs.tls: %w", err)
		}
		c := &gearman.Client{Servers: cfg.Jobs.Servers, TLS: tls}
		return &hub{client: c, close: func(context.Context) error { return c.Close() }}, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("embedded job server: %w", err)
	}
	h := &hub{embedded: listener.Addr().String()}
	h.client = &gearman.Client{Servers: []string{h.embedded}}
	server := &jobserver.Server{}
	worker := Worker(cfg, []string{h.embedded})
	var serving sync.WaitGroup
	serve := func(run func() error, closed error) {
		serving.Go(func() {
			if err := run(); !errors.Is(err, closed) {
				o.Warn("embedded job server: %v", err)
			}
		})
	}
	serve(func() error { return server.Serve(listener) }, jobserver.ErrServerClosed)
	serve(worker.Serve, gearman.ErrWorkerClosed)
	h.close = func(ctx context.Context) error {
		defer serving.Wait()
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
		if ctx.Err() != nil {
			cancel() // what runs is done again by whoever resumes
		}
		defer cancel()
		err := h.client.Close()
		if ending := worker.Shutdown(limited); ctx.Err() == nil {
			err = errors.Join(err, ending)
		}
		return errors.Join(err, server.Close())
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
		w.Handle(function, c.Timeout, &gearman.Command{Args: c.Command, Env: c.Env, Dir: cfg.Abs(".")})
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
		if s.waits && !job.due(time.Now()) {
			continue // the follow step queues it
		}
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
	if again && s.hub.embedded == "" {
		found, err := s.find(ctx, job)
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

// find looks for a job that a killed run may have submitted, on every job
// server: the one of its unique key may not have been there.
func (s jobsStep) find(ctx context.Context, job Job) (bool, error) {
	for _, server := range s.servers() {
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
