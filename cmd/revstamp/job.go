package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"revstamp/gearman"
)

func newJob(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "job",
		Short: "Submit and follow single Gearman jobs",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{msg: "what to do with a job is not said", hint: "it is job submit, job status or job follow"}
		},
	}
	cmd.AddCommand(newJobSubmit(a), newJobStatus(a), newJobFollow(a))
	return cmd
}

// jobJSON is a submitted job as --json shows it.
type jobJSON struct {
	Server string `json:"server"`
	Handle string `json:"handle"`
	Unique string `json:"unique"`
}

func newJobSubmit(a *app) *cobra.Command {
	var (
		servers    []string
		background bool
		priority   string
		t          gearman.Task
	)
	cmd := &cobra.Command{
		Use:   "submit FUNCTION [WORKLOAD]",
		Short: "Submit a job; WORKLOAD - is standard input",
		Long: `Submit submits a job and waits for its result, which it writes to standard
output. With --background it writes the job's server, handle and unique key
instead, which "job status" and "job follow" take.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			t.Function = args[0]
			if t.Workload, err = workload(args[1:]); err != nil {
				return err
			}
			if t.Priority, err = parsePriority(priority); err != nil {
				return err
			}
			if t.Unique == "" {
				t.Unique = "job/" + strings.ToLower(rand.Text()[:12]) + "/1"
			}
			c := &gearman.Client{Servers: a.servers(servers), Logger: a.out.Logger()}
			defer func() { err = errors.Join(err, c.Close()) }()
			if background {
				return a.submit(cmd.Context(), c, t)
			}
			return a.do(cmd.Context(), c, t)
		},
	}
	f := cmd.Flags()
	f.StringSliceVarP(&servers, "server", "s", nil, "job `servers`; by default the configured ones, else "+defaultServer)
	f.BoolVarP(&background, "background", "b", false, "do not wait for the result")
	f.StringVarP(&priority, "priority", "p", "normal", "low, normal or high")
	f.StringVarP(&t.Unique, "unique", "u", "", "unique `key`: equal ones of a function are one job while it lasts")
	return cmd
}

func workload(args []string) ([]byte, error) {
	switch {
	case len(args) == 0:
		return nil, nil
	case args[0] == "-":
		return io.ReadAll(os.Stdin)
	}
	return []byte(args[0]), nil
}

func parsePriority(s string) (gearman.Priority, error) {
	switch s {
	case "low":
		return gearman.Low, nil
	case "normal":
		return gearman.Normal, nil
	case "high":
		return gearman.High, nil
	}
	return 0, &usageError{msg: fmt.Sprintf("no priority %q", s), hint: "it is low, normal or high"}
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

func (a *app) submit(ctx context.Context, c *gearman.Client, t gearman.Task) error {
	job, err := c.Submit(ctx, t)
	if err != nil {
		return err
	}
	return a.out.Result(jobJSON{job.Server, job.Handle, t.Unique}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, job.Server, job.Handle, t.Unique)
		return err
	})
}

func (a *app) do(ctx context.Context, c *gearman.Client, t gearman.Task) error {
	t.OnEvent = func(e gearman.Event) { a.jobEvent(t, e) }
	result, err := c.Do(ctx, t)
	if err != nil {
		a.out.Job(t.Unique, t.Function, "failed", 0, 0)
		return err
	}
	a.out.Job(t.Unique, t.Function, "succeeded", 0, 0)
	return a.out.Result(map[string]string{"data": string(result.Data)}, func(w io.Writer) error {
		_, err := w.Write(result.Data)
		return err
	})
}

func newJobStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status SERVER HANDLE",
		Short: "Ask exactly one job server how a job is doing",
		Long: `Status asks SERVER about the job HANDLE. A job server forgets a background job
the moment it ends: "unknown" tells nothing about its outcome.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c := &gearman.Client{Servers: args[:1], Logger: a.out.Logger()}
			defer func() { err = errors.Join(err, c.Close()) }()
			status, err := c.Status(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return a.out.Result(status, func(w io.Writer) error {
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

func newJobFollow(a *app) *cobra.Command {
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
			return a.followJob(cmd.Context(), gearman.Job{Server: args[0], Handle: args[1]}, unique)
		},
	}
}

// jobEvent passes on what a worker sends while its job runs.
func (a *app) jobEvent(t gearman.Task, e gearman.Event) {
	switch e.Kind {
	case gearman.Progress:
		a.out.Job(t.Unique, t.Function, "running", e.Numerator, e.Denominator)
	case gearman.Warning:
		a.out.Warn("%s: %s", t.Function, e.Data)
	case gearman.Data:
		a.out.Info("%s: %s", t.Function, e.Data)
	}
}
