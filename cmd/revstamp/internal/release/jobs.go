package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/gearman"
	"revstamp/gearman/jobserver"
)

// embedded is the name of the job server inside the process, to the journal and
// to clients.
const embedded = "embedded"

// hub is where a release's jobs go: the configured job servers, or, when
// there are none, a job server and workers inside this process.
type hub struct {
	client   *gearman.Client
	embedded bool
	close    func(context.Context) error
}

// openHub opens the hub of release id, whose journal this process has.
func (s *Site) openHub(cfg *config.Config, id string) (*hub, error) {
	if len(cfg.Jobs.Servers) > 0 {
		c, err := jobClient(cfg)
		if err != nil {
			return nil, err
		}
		return &hub{client: c, close: func(context.Context) error { return c.Close() }}, nil
	}
	listener, err := listenEmbedded(s.state.socket(id))
	if err != nil {
		return nil, fmt.Errorf("embedded job server: %w", err)
	}
	h := &hub{client: embeddedClient(listener.Addr()), embedded: true}
	server := &jobserver.Server{}
	worker := Worker(cfg, h.client.Servers)
	worker.Dial = h.client.Dial
	var serving sync.WaitGroup
	serve := func(run func() error, closed error) {
		serving.Go(func() {
			if err := run(); !errors.Is(err, closed) {
				s.observer().Warn("embedded job server: %v", err)
			}
		})
	}
	serve(func() error { return server.Serve(listener) }, jobserver.ErrServerClosed)
	if len(cfg.Jobs.Workers) > 0 {
		serve(worker.Serve, gearman.ErrWorkerClosed)
	}
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

// jobClient is a client of the configured job servers.
func jobClient(cfg *config.Config) (*gearman.Client, error) {
	tls, err := cfg.Jobs.TLS.Client()
	if err != nil {
		return nil, fmt.Errorf("jobs.tls: %w", err)
	}
	return &gearman.Client{Servers: cfg.Jobs.Servers, TLS: tls}, nil
}

// watching is a client that asks how the jobs of release id are doing, which
// another process follows.
func (s *Site) watching(id string) (*gearman.Client, error) {
	if len(s.Config.Jobs.Servers) > 0 {
		return jobClient(s.Config)
	}
	return embeddedClient(&net.UnixAddr{Net: "unix", Name: s.state.socket(id)}), nil
}

// listenEmbedded opens the socket of the embedded job server, which is in a
// directory of this user's alone: nobody else can give the workers something to
// do. Where the file system has no sockets, or the path is longer than those may
// be, it is a free port on loopback.
func listenEmbedded(path string) (net.Listener, error) {
	err := os.Remove(path) // of one that was killed
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		if l, err := net.Listen("unix", path); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// embeddedClient is a client of the embedded job server at addr, which it calls
// embedded.
func embeddedClient(addr net.Addr) *gearman.Client {
	return &gearman.Client{
		Servers: []string{embedded},
		Dial: func(ctx context.Context, network, server string) (net.Conn, error) {
			var d net.Dialer
			if server == net.JoinHostPort(embedded, gearman.DefaultPort) {
				return d.DialContext(ctx, addr.Network(), addr.String())
			}
			return d.DialContext(ctx, network, server) // that had a job once
		},
	}
}

// admin is for the text protocol of one of the job servers.
func (h *hub) admin(server string) *gearman.Admin {
	return &gearman.Admin{Addr: server, Dial: h.client.Dial, TLS: h.client.TLS}
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
	if _, ours := s.cfg.Jobs.Workers[job.Function]; s.hub.embedded && !ours {
		return false, errors.New("nobody does it: there are neither jobs.servers nor a worker for it in jobs.workers")
	}
	if again && !s.hub.embedded {
		found, err := s.find(ctx, job)
		if err != nil || found {
			return false, err
		}
	}
	where, err := s.hub.client.Submit(ctx, task(job))
	if err != nil {
		return false, err
	}
	return true, s.submitted(job.Unique, where.Server, where.Handle)
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
