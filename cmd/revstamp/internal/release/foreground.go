package release

import (
	"context"
	"errors"
	"sync"

	"revstamp/gearman"
)

// foreground does the jobs of which the connection itself brings the result. One
// that could not even be sent gives following up.
func (f *followed) foreground(ctx context.Context, giveUp func(error)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, job := range f.all() {
		if job.Over() || !job.Foreground {
			continue
		}
		wg.Go(func() {
			if err := f.doForeground(ctx, job); err != nil && ctx.Err() == nil {
				f.site.observer().Warn("%s: %v", job.Function, err)
				if !f.job(job.Unique).Over() {
					giveUp(err)
				}
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

func (f *followed) doForeground(ctx context.Context, job Job) error {
	if job.State == jobSubmitted {
		// Its client was killed: a queued job went with it, a running one may
		// have ended in any way. Doing it again could do it twice.
		return f.outcome(job.Unique, gearman.Unknown, nil)
	}
	if err := f.submitted(job.Unique, f.hub.client.ServerFor(job.Unique), ""); err != nil {
		return err
	}
	t := task(job)
	t.OnEvent = func(e gearman.Event) {
		if e.Kind == gearman.Progress {
			f.site.observer().Job(job.Unique, job.Function, "running", e.Numerator, e.Denominator)
		}
	}
	_, err := f.hub.client.Do(ctx, t)
	var failed *gearman.FailedError
	var exception *gearman.ExceptionError
	switch {
	case err == nil:
		return f.outcome(job.Unique, gearman.Succeeded, nil)
	case errors.As(err, &failed), errors.As(err, &exception):
		return f.outcome(job.Unique, gearman.Failed, nil)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if gearman.SafeToRetry(err) {
		return errors.Join(err, f.update(job.Unique, func(job *Job) { job.State, job.Server = jobIntended, "" }))
	}
	// Nobody can tell any more what became of it.
	return errors.Join(err, f.outcome(job.Unique, gearman.Unknown, nil))
}
