package main

import (
	"context"
	"errors"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/cmd/revstamp/internal/release"
	"revstamp/stamp"
	"revstamp/vcs"
)

// The exit statuses of every command.
const (
	exitDone        = 0   // done, or nothing to do
	exitFailed      = 1   // failed, nothing changed
	exitUsage       = 2   // usage or configuration
	exitRolledBack  = 3   // failed and rolled back
	exitUnfinished  = 4   // failed and needs resume or abort
	exitLocked      = 5   // locked by another release
	exitJobs        = 6   // released, but a job failed or was lost
	exitInterrupted = 130 // interrupted, resumable
)

// usageError is a command line that makes no sense.
type usageError struct {
	msg, hint string
}

func (e *usageError) Error() string { return e.msg }

// Hint is what to type instead.
func (e *usageError) Hint() string { return e.hint }

func exitStatus(err error) int {
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[*release.LockedError](err); ok {
		return exitLocked
	}
	if _, ok := errors.AsType[*release.DueError](err); ok {
		return exitUnfinished
	}
	if _, ok := errors.AsType[*release.JobsError](err); ok {
		return exitJobs
	}
	if _, ok := errors.AsType[*outcomeError](err); ok {
		return exitJobs
	}
	if isUsage(err) {
		return exitUsage
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	if failed, ok := errors.AsType[*release.Error](err); ok {
		return exitOf(failed.Effect)
	}
	return exitFailed
}

func exitOf(e release.Effect) int {
	switch e {
	case release.RolledBack:
		return exitRolledBack
	case release.Interrupted:
		return exitUnfinished
	case release.Following:
		return exitJobs
	}
	return exitFailed
}

func isUsage(err error) bool {
	if _, ok := errors.AsType[config.Errors](err); ok {
		return true
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return true
	}
	if stampErr, ok := errors.AsType[*stamp.Error](err); ok {
		return stampErr.Kind == stamp.BadSelector
	}
	_, ok := errors.AsType[*config.FileError](err)
	return ok
}

// hint is what to do about err: its own advice, or what its kind calls for.
func hint(err error) string {
	var hinter interface{ Hint() string }
	if errors.As(err, &hinter) && hinter.Hint() != "" {
		return hinter.Hint()
	}
	if stampErr, ok := errors.AsType[*stamp.Error](err); ok && stampErr.Hint != "" {
		return stampErr.Hint
	}
	if _, ok := errors.AsType[*release.LockedError](err); ok {
		return "wait for it, or try again with --wait=15m"
	}
	if _, ok := errors.AsType[*release.DueError](err); ok {
		return "finish it with 'revstamp resume', or undo it with 'revstamp abort'"
	}
	if _, ok := errors.AsType[*release.JobsError](err); ok {
		return "'revstamp follow' goes on, 'revstamp show' tells what became of each job"
	}
	if failed, ok := errors.AsType[*release.Error](err); ok {
		return hintOf(failed.Effect)
	}
	return ""
}

func hintOf(e release.Effect) string {
	switch e {
	case release.Interrupted:
		return "finish it with 'revstamp resume', or undo it with 'revstamp abort'"
	case release.Following:
		return "follow them with 'revstamp follow'"
	}
	return ""
}

// fields are what --json tells of err besides its text.
func fields(err error) []any {
	all := []any{"status", exitStatus(err)}
	if e, ok := errors.AsType[*stamp.Error](err); ok {
		all = append(all, "kind", e.Kind, "file", e.File, "line", e.Line, "column", e.Column, "key", e.Key)
	}
	if e, ok := errors.AsType[*release.Error](err); ok {
		all = append(all, "release", e.Release, "step", e.Step)
	}
	if e, ok := errors.AsType[*vcs.LocalChangesError](err); ok {
		all = append(all, "files", e.Files, "diff", e.Diff)
	}
	return all
}
