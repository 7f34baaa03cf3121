package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/cmd/revstamp/internal/release"
	"revstamp/gearman"
)

// graceful is how long a server or worker that is told to stop may take to
// finish what runs.
const graceful = time.Minute

func newWorker(a *app) *cobra.Command {
	var servers []string
	var function string
	var timeout time.Duration
	var tls tlsFiles
	cmd := &cobra.Command{
		Use:   "worker [--function NAME -- COMMAND [ARG]...]",
		Short: "Run configured commands as Gearman jobs",
		Long: `Worker takes jobs from the configured job servers and runs for each the command
that jobs.workers names for its function, or the one on the command line. The
workload is the command's standard input; lines "progress N/M" that it writes to
the descriptor numbered in REVSTAMP_PROGRESS_FD are its progress; its exit
status is the outcome, which is reported to whoever follows the release. On
SIGTERM it finishes what runs and ends.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.worker(function, timeout, servers, args)
			if err != nil {
				return err
			}
			if w.TLS, err = tls.client(a, w.Servers...); err != nil {
				return err
			}
			w.Logger = a.out.Warnings()
			w.Failed = a.jobFailed
			a.out.Info("working for %v", w.Servers)
			return a.serve(cmd.Context(), w.Serve, w.Shutdown, gearman.ErrWorkerClosed)
		},
	}
	tls.clientFlags(cmd)
	f := cmd.Flags()
	f.StringSliceVarP(&servers, "server", "s", nil, "job `servers`, instead of the configured ones")
	f.StringVarP(&function, "function", "f", "", "the `function` that the command line's command does")
	f.Var((*duration)(&timeout), "timeout", "how long such a command may run; 0 is for ever")
	return cmd
}

func (a *app) worker(function string, timeout time.Duration, servers, args []string) (*gearman.Worker, error) {
	if (function == "") != (len(args) == 0) {
		return nil, &usageError{msg: "a function and its command belong together", hint: "revstamp worker --function NAME -- COMMAND"}
	}
	if function != "" {
		if len(servers) == 0 {
			servers = []string{defaultServer}
		}
		w := &gearman.Worker{Servers: servers, Report: gearman.ReportReleases}
		w.Handle(function, timeout, &gearman.Command{Args: args})
		return w, nil
	}
	s, err := a.site()
	if err != nil {
		return nil, err
	}
	if len(servers) == 0 {
		servers = s.Config.Jobs.Servers
	}
	switch {
	case len(servers) == 0:
		return nil, noServers(s.Config)
	case len(s.Config.Jobs.Workers) == 0:
		return nil, &usageError{msg: s.Config.File + " has no jobs.workers", hint: "name the command of each function there"}
	}
	return release.Worker(s.Config, servers), nil
}

// jobFailed tells of a job that failed, with the last that its command printed:
// whoever submitted it may not be there to be told.
func (a *app) jobFailed(r gearman.Report, err error) {
	text := fmt.Sprintf("job %s  %s: %v", r.Handle, r.Function, err)
	for _, line := range r.Output {
		text += "\n  | " + line
	}
	a.out.Warn("%s", text)
}

func noServers(cfg *config.Config) error {
	return &usageError{
		msg:  cfg.File + " has no jobs.servers: a release does its jobs by itself, on the embedded job server",
		hint: "name the job servers there, or with --server",
	}
}

// serve runs until it ends or ctx does, and then shuts down gracefully. closed
// is what run returns after that.
func (a *app) serve(ctx context.Context, run func() error, shutdown func(context.Context) error, closed error) error {
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	var stopErr error
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		a.out.Info("stopping: jobs have %v to end; a second signal ends it at once", graceful)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceful)
		defer cancel()
		stopErr = shutdown(limited)
	}
	if err := <-ended; !errors.Is(err, closed) {
		return errors.Join(stopErr, err)
	}
	return stopErr
}
