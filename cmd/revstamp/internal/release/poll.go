package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	errs := askJobs(ctx, f.hub.client, open, func(job Job, status gearman.Status) error { return f.polled(ctx, job, status) })
	if err := f.orphans(open, errs); err != nil && ctx.Err() == nil {
		return err
	}
	return errors.Join(errs...)
}

// orphans is an *OrphanedError when of the jobs that have yet to end all are on job
// servers that do not answer, as errs tell, and are configured no longer. Of servers
// that are configured it is expected that they come back.
func (f *followed) orphans(open []Job, errs []error) error {
	away := make(map[string]error)
	for _, err := range errs {
		silent, ok := errors.AsType[*silentError](err)
		if ok && !slices.Contains(f.hub.client.Servers, silent.server) {
			away[silent.server] = silent.err
		}
	}
	if len(open) == 0 || len(open) < f.open() {
		return nil
	}
	e := &OrphanedError{}
	for _, job := range open {
		err, ok := away[job.Server]
		if !ok {
			return nil
		}
		e.Server, e.Functions, e.Err = job.Server, append(e.Functions, job.Function), err
	}
	return e
}

// OrphanedError says that of jobs that have yet to end only a job server could tell
// that does not answer and is not configured any more. They are not waited for.
type OrphanedError struct {
	Server    string // one of them, if there are several
	Functions []string
	Err       error
}

func (e *OrphanedError) Error() string {
	return fmt.Sprintf("%s: on job server %s, which jobs.servers does not name any more: %v", listed(e.Functions), e.Server, e.Err)
}

func (e *OrphanedError) Unwrap() error { return e.Err }

// Hint tells what to do about it.
func (e *OrphanedError) Hint() string {
	return "start that job server and follow again, or name it in jobs.servers, to wait for it"
}

// silentError is of a job server that could not be asked.
type silentError struct {
	server string
	err    error
}

func (e *silentError) Error() string { return e.err.Error() }

func (e *silentError) Unwrap() error { return e.err }

// askJobs asks the job servers how jobs are doing, exactly the one that has a job,
// and each for all of its own at once. The errors are one for each server, or nil.
func askJobs(ctx context.Context, client *gearman.Client, jobs []Job, tell func(Job, gearman.Status) error) []error {
	by := map[string][]Job{}
	for _, job := range jobs {
		by[job.Server] = append(by[job.Server], job)
	}
	var errs []error
	for server, jobs := range by {
		errs = append(errs, askServer(ctx, client, server, jobs, tell))
	}
	return errs
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
		return &silentError{server, err}
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
