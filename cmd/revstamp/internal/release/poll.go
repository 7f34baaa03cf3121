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
	var open []Job
	for _, job := range f.all() {
		if !job.Over() && !job.Foreground && job.State != jobIntended {
			open = append(open, job)
		}
	}
	return askJobs(ctx, f.hub.client, open, func(job Job, status gearman.Status) error { return f.polled(ctx, job, status) })
}

// askJobs asks the job servers how jobs are doing, exactly the one that has a job,
// and each for all of its own at once.
func askJobs(ctx context.Context, client *gearman.Client, jobs []Job, tell func(Job, gearman.Status) error) error {
	by := map[string][]Job{}
	for _, job := range jobs {
		by[job.Server] = append(by[job.Server], job)
	}
	var errs []error
	for server, jobs := range by {
		errs = append(errs, askServer(ctx, client, server, jobs, tell))
	}
	return errors.Join(errs...)
}

func askServer(ctx context.Context, client *gearman.Client, server string, jobs []Job, tell func(Job, gearman.Status) error) error {
	var handles []string
	for _, job := range jobs {
		if job.Handle != "" {
			handles = append(handles, job.Handle)
		}
	}
	statuses, err := client.StatusAll(ctx, server, handles)
	if err != nil {
		return err
	}
	var errs []error
	for _, job := range jobs {
		var status gearman.Status
		var err error
		if job.Handle != "" {
			status, statuses = statuses[0], statuses[1:]
		} else {
			status, err = client.StatusUnique(ctx, server, job.Unique)
		}
		if err == nil {
			err = tell(job, status)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("status of %s: %w", job.Function, err))
		}
	}
	return errors.Join(errs...)
}

// observeStatus tells o how a job that its server knows is doing.
func observeStatus(o Observer, job Job, status gearman.Status) {
	state := "queued"
	if status.Running {
		state = "running"
	}
	o.Job(job.Unique, job.Function, state, status.Numerator, status.Denominator)
}

// polled notes what the job's server says of it.
func (f *followed) polled(ctx context.Context, job Job, status gearman.Status) error {
	if status.Known {
		delete(f.gone, job.Unique)
		observeStatus(f.site.observer(), job, status)
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
	return f.giveUp(ctx, job)
}

// giveUp ends a job that its job server does not know and of which no report
// waits. Where workers of ours do the function it was lost; other people's
// workers do not report, and how the job ended cannot be known.
func (f *followed) giveUp(ctx context.Context, job Job) error {
	waiting, err := f.waiting(ctx, job.Server)
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
	functions, err := f.hub.admin(server).Status(ctx)
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
