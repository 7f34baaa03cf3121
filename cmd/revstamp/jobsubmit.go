package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"revstamp/gearman"
)

// jobJSON is a submitted job as --json shows it.
type jobJSON struct {
	Server string `json:"server"`
	Handle string `json:"handle"`
	Unique string `json:"unique"`
}

// A submission is the command job submit.
type submission struct {
	*jobs
	servers    []string
	task       gearman.Task
	file       string
	priority   string
	at         string
	background bool
	wait       bool
}

func newJobSubmit(j *jobs) *cobra.Command {
	s := &submission{jobs: j}
	cmd := &cobra.Command{
		Use:   "submit FUNCTION [WORKLOAD]",
		Short: "Submit a job; WORKLOAD - is standard input",
		Long: `Submit submits a job and waits for its result, which it writes to standard
output. With --background it writes the job's server, handle and unique key
instead, which "job status" and "job follow" take; with --wait, too, it follows
the job to its outcome as "job follow" does.

The workload is the second argument, or standard input when that is -, or the
file that --file names, or nothing.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.read(args); err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringSliceVarP(&s.servers, "server", "s", nil, "job `servers`; by default the configured ones, else "+defaultServer)
	f.StringVarP(&s.file, "file", "f", "", "`file` with the workload")
	f.BoolVarP(&s.background, "background", "b", false, "do not wait for the result")
	f.BoolVarP(&s.wait, "wait", "w", false, "with --background: wait for the outcome")
	f.StringVarP(&s.priority, "priority", "p", "normal", "low, normal or high")
	f.StringVarP(&s.task.Unique, "unique", "u", "", "unique `key`: equal ones of a function are one job while it lasts")
	f.StringVar(&s.at, "at", "", "with --background: not before this `time`, as 2026-01-31T04:00:00Z, or after so long, as 1h30m")
	return cmd
}

// read reads the command line.
func (s *submission) read(args []string) (err error) {
	switch {
	case s.wait && !s.background:
		return &usageError{msg: "--wait without --background", hint: "without either, the result is waited for"}
	case s.at != "" && !s.background:
		return &usageError{msg: "--at without --background", hint: "only jobs in the background can be for later"}
	case len(s.task.Unique) > gearman.MaxUnique:
		return &usageError{
			msg:  fmt.Sprintf("the unique key %q has %d bytes", s.task.Unique, len(s.task.Unique)),
			hint: fmt.Sprintf("it may have %d at most", gearman.MaxUnique),
		}
	case s.file != "" && len(args) > 1:
		return &usageError{msg: "two workloads", hint: "it is an argument or --file"}
	}
	s.task.Function = args[0]
	if s.task.Priority, err = parsePriority(s.priority); err != nil {
		return err
	}
	if s.task.At, err = parseAt(s.at, time.Now()); err != nil {
		return err
	}
	if !s.task.At.IsZero() && s.task.Priority != gearman.Normal {
		return &usageError{msg: "--at with --priority " + s.priority, hint: "jobs for later have normal priority"}
	}
	if s.task.Unique == "" {
		s.task.Unique = newUnique(s.background)
	}
	s.task.Workload, err = s.workload(args[1:])
	return err
}

// Of the unique keys that are made here: for a background job with an end by which
// a worker reports the outcome, until somebody follows.
const (
	uniqueSite   = "job/"
	uniqueRandom = 12 // letters
	uniqueNumber = "/1"
)

func newUnique(background bool) string {
	unique := uniqueSite + strings.ToLower(rand.Text()[:uniqueRandom])
	if background {
		unique += uniqueNumber
	}
	return unique
}

// alone reports whether newUnique made the key of a background job: no other job
// is reported to the same function.
func alone(unique string) bool {
	random, ok := strings.CutPrefix(unique, uniqueSite)
	random, background := strings.CutSuffix(random, uniqueNumber)
	return ok && background && len(random) == uniqueRandom && strings.Trim(random, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func (s *submission) workload(args []string) ([]byte, error) {
	switch {
	case s.file != "":
		return os.ReadFile(s.file)
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

// parseAt reads a time, or how long after now it is. Nothing is the zero time.
func parseAt(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, &usageError{msg: fmt.Sprintf("no time %q", s), hint: "it is as 2026-01-31T04:00:00Z, or as 1h30m from now"}
	}
	return t, nil
}

func (s *submission) run(ctx context.Context) (err error) {
	c, err := s.client(s.app.servers(s.servers))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if !s.background {
		return s.do(ctx, c)
	}
	job, err := c.Submit(ctx, s.task)
	switch {
	case err != nil:
		return err
	case s.wait:
		s.out.Info("job %s of %s, unique key %s", job.Handle, job.Server, s.task.Unique)
		return s.follow(ctx, job, s.task.Unique)
	}
	return s.app.did(jobJSON{job.Server, job.Handle, s.task.Unique}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, job.Server, job.Handle, s.task.Unique)
		return err
	})
}

// do submits the job in the foreground.
func (s *submission) do(ctx context.Context, c *gearman.Client) error {
	s.task.OnEvent = func(e gearman.Event) { s.event(s.task, e) }
	result, err := c.Do(ctx, s.task)
	if err != nil {
		// Any other error says nothing of how the job ended, or if there is one.
		_, failed := errors.AsType[*gearman.FailedError](err)
		_, exception := errors.AsType[*gearman.ExceptionError](err)
		if failed || exception {
			s.out.Job(s.task.Unique, s.task.Function, "failed", 0, 0)
		}
		return err
	}
	s.out.Job(s.task.Unique, s.task.Function, "succeeded", 0, 0)
	return s.out.Result(map[string]string{"data": string(result.Data)}, func(w io.Writer) error {
		_, err := w.Write(result.Data)
		return err
	})
}
