package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"revstamp/gearman"
)

// jobs is the command job, and what its commands share.
type jobs struct {
	*app
	tls tlsFiles
}

func newJob(a *app) *cobra.Command {
	j := &jobs{app: a}
	cmd := &cobra.Command{
		Use:   "job",
		Short: "Submit and follow single Gearman jobs, ask job servers",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{msg: "what to do with a job is not said", hint: "it is job submit, job status, job follow or job admin"}
		},
	}
	j.tls.clientFlags(cmd)
	cmd.AddCommand(newJobSubmit(j), newJobStatus(j), newJobFollow(j), newJobAdmin(j))
	return cmd
}

// client is a client of servers.
func (j *jobs) client(servers []string) (*gearman.Client, error) {
	tls, err := j.tls.client(j.app, servers...)
	if err != nil {
		return nil, err
	}
	return &gearman.Client{Servers: servers, TLS: tls, Logger: j.out.Logger()}, nil
}

// servers are the job servers named on the command line, or in the
// configuration, or the usual one.
func (a *app) servers(flag []string) []string {
	if len(flag) > 0 {
		return flag
	}
	if s, err := a.site(); err == nil && len(s.Config.Jobs.Servers) > 0 {
		return s.Config.Jobs.Servers
	}
	return []string{defaultServer}
}

func newJobStatus(j *jobs) *cobra.Command {
	return &cobra.Command{
		Use:   "status SERVER HANDLE",
		Short: "Ask exactly one job server how a job is doing",
		Long: `Status asks SERVER about the job HANDLE. A job server forgets a background job
the moment it ends: "unknown" tells nothing about its outcome.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, err := j.client(args[:1])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			status, err := c.Status(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return j.out.Result(status, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, statusText(status))
				return err
			})
		},
	}
}

func statusText(s gearman.Status) string {
	switch {
	case !s.Known:
		return "unknown"
	case !s.Running:
		return "queued"
	case s.Denominator == 0:
		return "running"
	}
	return fmt.Sprintf("running %d/%d", s.Numerator, s.Denominator)
}

func newJobFollow(j *jobs) *cobra.Command {
	return &cobra.Command{
		Use:   "follow SERVER HANDLE [UNIQUE]",
		Short: "Follow a background job to its outcome",
		Long: `Follow watches a job until it ends. Given its unique key, as "job submit
--background" tells it, it also receives the report of a revstamp worker, and
with it the outcome; other workers do not report, and the outcome stays
"unknown".`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			unique := optional(args[2:])
			return j.follow(cmd.Context(), gearman.Job{Server: args[0], Handle: args[1]}, unique)
		},
	}
}

// jobEvent passes on what a worker sends while its job runs.
func (j *jobs) event(t gearman.Task, e gearman.Event) {
	switch e.Kind {
	case gearman.Progress:
		j.out.Job(t.Unique, t.Function, "running", e.Numerator, e.Denominator)
	case gearman.Warning:
		j.out.Warn("%s: %s", t.Function, e.Data)
	case gearman.Data:
		j.out.Info("%s: %s", t.Function, e.Data)
	}
}
