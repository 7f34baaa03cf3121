package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"revstamp/gearman"
)

const (
	// pollEvery is how often a job server is asked about a followed job.
	pollEvery = 250 * time.Millisecond
	// reportWithin is how long the report of a job that its server no longer
	// knows is waited for. It was sent before the job ended.
	reportWithin = 5 * time.Second
)

// followedJSON is a followed job's end as --json shows it.
type followedJSON struct {
	Outcome gearman.Outcome `json:"outcome"`
	Report  *gearman.Report `json:"report,omitempty"`
}

// outcomeError sets the exit status for a job that did not succeed.
type outcomeError struct {
	job     gearman.Job
	outcome gearman.Outcome
}

func (e *outcomeError) Error() string {
	return fmt.Sprintf("job %s of %s: %s", e.job.Handle, e.job.Server, e.outcome)
}

// follow follows one job to its outcome and writes that. The report of the
// job's worker is acknowledged only after it has been written.
func (j *jobs) follow(ctx context.Context, job gearman.Job, unique string) (err error) {
	c, err := j.client([]string{job.Server})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	reports := make(chan gearman.Report)
	written := make(chan struct{})
	if function, ok := gearman.ReportReleases(unique); ok {
		stop := collect(ctx, c, function, reports, written)
		defer func() {
			stop()
			if alone(unique) && (err == nil || errors.As(err, new(*outcomeError))) {
				// The job server would keep the name for ever.
				_ = (&gearman.Admin{Addr: job.Server, TLS: c.TLS}).DropFunction(ctx, function)
			}
		}()
	}
	defer close(written)
	end, err := j.awaitEnd(ctx, c, job, reports)
	if err != nil {
		return err
	}
	err = j.out.Result(end, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, end.Outcome)
		return err
	})
	if end.Outcome != gearman.Succeeded {
		err = errors.Join(err, &outcomeError{job, end.Outcome})
	}
	return err
}

// collect receives reports as the worker of their function, from the servers of
// c, until stop.
func collect(ctx context.Context, c *gearman.Client, function string, reports chan<- gearman.Report, written <-chan struct{}) (stop func()) {
	w := &gearman.Worker{Servers: c.Servers, TLS: c.TLS}
	w.Handle(function, 0, gearman.HandlerFunc(func(hctx context.Context, r *gearman.Request) ([]byte, error) {
		report, err := gearman.ParseReport(r.Workload)
		if err != nil {
			return nil, err
		}
		select {
		case reports <- report:
		case <-written: // a report that came twice
			return nil, nil
		case <-hctx.Done():
			return nil, hctx.Err()
		}
		<-written
		return nil, nil
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Serve()
	}()
	return func() {
		_ = w.Shutdown(context.WithoutCancel(ctx))
		<-done
	}
}

// awaitEnd shows job's progress until its report comes, or until its server
// has not known it for a while.
func (j *jobs) awaitEnd(ctx context.Context, c *gearman.Client, job gearman.Job, reports <-chan gearman.Report) (followedJSON, error) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	var gone time.Time
	for {
		status, err := c.Status(ctx, job.Server, job.Handle)
		if err != nil {
			return followedJSON{}, err
		}
		switch {
		case status.Known && status.Running:
			j.out.Job(job.Handle, job.Handle, "running", status.Numerator, status.Denominator)
			gone = time.Time{}
		case status.Known:
			j.out.Job(job.Handle, job.Handle, "queued", 0, 0)
			gone = time.Time{}
		case gone.IsZero():
			gone = time.Now()
		case time.Since(gone) > reportWithin:
			return followedJSON{Outcome: gearman.Unknown}, nil
		}
		select {
		case <-ctx.Done():
			return followedJSON{}, ctx.Err()
		case report := <-reports:
			return followedJSON{Outcome: report.Outcome, Report: &report}, nil
		case <-ticker.C:
		}
	}
}
