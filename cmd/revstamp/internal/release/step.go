package release

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Step is one step of a release. It is safe to run again: a step that finds
// its work done skips or does nothing.
type Step interface {
	Name() string
	// Run does the step. The detail is for the people who watch. A Skip as
	// error says that there was nothing to do.
	Run(ctx context.Context) (detail string, err error)
}

// Undoer is a step whose work can be taken back.
type Undoer interface {
	Undo(ctx context.Context) error
}

// marked is a step that marks all that it starts, so that it can be found when the
// release is killed meanwhile.
type marked interface {
	mark() string // of this run of the step alone
}

// Skip is the error of a step that had nothing to do: the reason.
type Skip string

func (s Skip) Error() string { return string(s) }

// undoLimit is how long undoing may take.
const undoLimit = 10 * time.Minute

// runner runs steps, and does for each what is the same for all: it journals
// them, tells the observer, and undoes them when one fails.
type runner struct {
	journal  *Journal
	observer Observer
	begun    func(step ...string) bool // by an earlier run of the release; nil: none was
}

// run runs steps in order. A step that fails is undone with every step before
// it, and those that an earlier run had begun, last first; the error says what
// state that left. A cancelled context is no failure: the release stays as it is,
// to be resumed; unless its time is over.
func (r *runner) run(ctx context.Context, steps []Step) error {
	for i, step := range steps {
		err := r.one(ctx, step)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
			if _, over := errors.AsType[*TimeoutError](err); !over {
				return &Error{Step: step.Name(), Effect: Interrupted, Err: err}
			}
		}
		undoCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
		effect, undoErr := r.undo(undoCtx, steps, i)
		cancel()
		return &Error{Step: step.Name(), Effect: effect, Err: errors.Join(err, undoErr)}
	}
	return nil
}

func (r *runner) one(ctx context.Context, step Step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := step.Name()
	started := Record{Kind: kindStep, Step: name, State: stepStarted}
	if m, ok := step.(marked); ok {
		started.Mark = m.mark()
	}
	if err := r.journal.Append(started); err != nil {
		return err
	}
	r.observer.StepStarted(name)
	detail, err := step.Run(ctx)
	if err != nil && err == ctx.Err() {
		err = context.Cause(ctx) // which says who ended it
	}
	rec := Record{Kind: kindStep, Step: name, State: stepDone, Detail: detail}
	skip, skipped := errors.AsType[Skip](err)
	switch {
	case skipped:
		rec.State, rec.Detail = stepSkipped, string(skip)
		r.observer.StepSkipped(name, string(skip))
		err = nil
	case err != nil:
		rec.State, rec.Detail = stepFailed, err.Error()
		r.observer.StepFailed(name, err)
	default:
		r.observer.StepDone(name, detail)
	}
	return errors.Join(err, r.journal.Append(rec))
}

// undo takes back, last first, what the steps up to number last have done, and
// what any step did that an earlier run had begun.
func (r *runner) undo(ctx context.Context, steps []Step, last int) (Effect, error) {
	effect := Unchanged
	for i := len(steps) - 1; i >= 0; i-- {
		u, ok := steps[i].(Undoer)
		if !ok || i > last && (r.begun == nil || !r.begun(steps[i].Name())) {
			continue
		}
		err := u.Undo(ctx)
		if _, skipped := errors.AsType[Skip](err); skipped {
			continue
		}
		if err != nil {
			return Interrupted, fmt.Errorf("undo of %s: %w", steps[i].Name(), err)
		}
		effect = RolledBack
	}
	return effect, nil
}
