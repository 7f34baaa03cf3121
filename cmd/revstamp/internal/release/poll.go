package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"revstamp/gearman"
)

// poll asks the job servers how the open jobs are doing.
func (f *followed) poll(ctx context.Context) error {
	var errs []error
	for _, job := range f.all() {
		if job.Over() || job.Foreground || job.State == jobIntended {
			continue
		}
		if err := f.pollJob(ctx, job); err != nil {
			errs = append(errs, fmt.Errorf("status of %s: %w", job.Function, err))
		}
	}
	return errors.Join(errs...)
}

func (f *followed) pollJob(ctx context.Context, job Job) error {
	server := f.hub.server(job.Server)
	status, err := f.status(ctx, server, job)
	if err != nil {
		return err
	}
	if status.Known {
		delete(f.gone, job.Unique)
		state := "queued"
		if status.Running {
			state = "running"
		}
		f.site.observer().Job(job.Unique, job.Function, state, status.Numerator, status.Denominator)
		return nil
	}
	since, ok := f.gone[job.Unique]
	if !ok {
		f.gone[job.Unique] = time.Now()
		return nil
	}
	if time.Since(since) < grace {
		return nil
	}
	return f.giveUp(ctx, server, job)
}

// status asks exactly the job server that has the job.
func (f *followed) status(ctx context.Context, server string, job Job) (gearman.Status, error) {
	if job.Handle == "" {
		return f.hub.client.StatusUnique(ctx, server, job.Unique)
	}
	return f.hub.client.Status(ctx, server, job.Handle)
}

// giveUp ends a job that its job server does not know and of which no report
// waits. Where workers of ours do the function it was lost; other people's
// workers do not report, and how the job ended cannot be known.
func (f *followed) giveUp(ctx context.Context, server string, job Job) error {
	waiting, err := f.waiting(ctx, server)
	if err != nil || waiting > 0 || f.job(job.Unique).Over() {
		return err
	}
	o := gearman.Unknown
	if _, ours := f.cfg.Jobs.Workers[job.Function]; ours {
		o = gearman.Lost
	}
	return f.outcome(job.Unique, o, nil)
}

// waiting counts the reports that server holds for this release.
func (f *followed) waiting(ctx context.Context, server string) (int, error) {
	functions, err := (&gearman.Admin{Addr: server}).Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, fn := range functions {
		if fn.Function == gearman.OutcomeFunction(f.release.key()) {
			return fn.Total, nil
		}
	}
	return 0, nil
}

// drain waits until every report that server holds has been journaled.
func (f *followed) drain(ctx context.Context, server string) error {
	ticker := time.NewTicker(pollEvery / 10)
	defer ticker.Stop()
	for {
		n, err := f.waiting(ctx, server)
		if err != nil || n == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
