package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/cmd/revstamp/internal/release"
	"revstamp/stamp"
	"revstamp/stamp/atomicfile"
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
	exitToDo        = 10  // plan --detailed-exitcode: there is something to do
	exitCannotRun   = 126 // lock -- COMMAND: it cannot be run
	exitNotFound    = 127 // lock -- COMMAND: it is not found
	exitSignal      = 128 // lock -- COMMAND: and the number of the signal that ended it
	exitInterrupted = 130 // interrupted, resumable
	exitPipe        = 141 // nobody reads the result: what a shell makes of SIGPIPE
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
	if err == errToDo {
		return exitToDo
	}
	if detached, ok := errors.AsType[*detachedError](err); ok {
		return detached.status
	}
	if command, ok := errors.AsType[*commandError](err); ok {
		return command.status()
	}
	if _, ok := errors.AsType[*release.LockedError](err); ok {
		return exitLocked
	}
	if _, ok := errors.AsType[*release.DueError](err); ok {
		return exitUnfinished
	}
	if _, ok := errors.AsType[*release.HookError](err); ok {
		return exitUnfinished
	}
	if _, ok := errors.AsType[*release.JobsError](err); ok {
		return exitJobs
	}
	if _, ok := errors.AsType[*release.EnvironmentError](err); ok {
		return exitUsage
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
	case release.Following, release.Owing:
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
	if _, ok := errors.AsType[*config.NoNumberError](err); ok {
		return true
	}
	if stampErr, ok := errors.AsType[*stamp.Error](err); ok {
		return stampErr.Kind == stamp.BadSelector
	}
	_, ok := errors.AsType[*config.FileError](err)
	return ok
}

// hint is what to do about err: what the state calls for that it left, or its
// own advice.
func hint(err error) string {
	if failed, ok := errors.AsType[*release.Error](err); ok && hintOf(failed.Effect) != "" {
		return hintOf(failed.Effect)
	}
	if _, ok := errors.AsType[*vcs.CredentialsError](err); ok {
		return "set REVSTAMP_SVN_USERNAME and REVSTAMP_SVN_PASSWORD, or log in once by hand as the user who releases"
	}
	var hinter interface{ Hint() string }
	if errors.As(err, &hinter) && hinter.Hint() != "" {
		return hinter.Hint()
	}
	if errors.Is(err, atomicfile.ErrBusy) {
		return "mount the directory that it is in, or write it where it is with 'revstamp stamp --in-place'"
	}
	if errors.Is(err, atomicfile.ErrOwner) {
		return "run this as the file's owner or as root, or let the owner change: --owner-best-effort, or owner: best-effort in revstamp.yaml"
	}
	if denied, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(denied, fs.ErrPermission) {
		return hintDenied(denied.Path)
	}
	if _, ok := errors.AsType[*release.LockedError](err); ok {
		return "wait for it, or try again with --wait=15m"
	}
	if _, ok := errors.AsType[*release.DueError](err); ok {
		return hintOf(release.Interrupted)
	}
	if _, ok := errors.AsType[*release.EnvironmentError](err); ok {
		return "name the same --env"
	}
	if jobs, ok := errors.AsType[*release.JobsError](err); ok {
		return hintJobs(jobs)
	}
	return ""
}

// hintDenied names the owner of what was denied to this user: a file, or the directory
// in which nothing can be seen or made.
func hintDenied(path string) string {
	info, err := os.Lstat(path)
	for err != nil && path != filepath.Dir(path) {
		path = filepath.Dir(path)
		info, err = os.Lstat(path)
	}
	if err != nil {
		return ""
	}
	uid := info.Sys().(*syscall.Stat_t).Uid
	if int(uid) == os.Geteuid() {
		return ""
	}
	owner := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	return fmt.Sprintf("%s belongs to %s: do this as that user, or give it away with chown", path, owner)
}

func hintJobs(e *release.JobsError) string {
	for _, job := range e.Jobs {
		if !job.Over() {
			return "queue and follow them with 'revstamp follow'"
		}
	}
	return "'revstamp show' tells what became of each job"
}

func hintOf(e release.Effect) string {
	switch e {
	case release.Interrupted:
		return "finish it with 'revstamp resume', or undo it with 'revstamp abort'"
	case release.Following:
		return "follow them with 'revstamp follow'"
	case release.Owing:
		return "begin them again with 'revstamp follow'"
	}
	return ""
}

// fields are what --json tells of err besides its text.
func fields(err error) []any {
	var all []any
	if e, ok := errors.AsType[*release.Error](err); ok {
		all = append(all, "release", e.Release, "step", e.Step)
	}
	if e, ok := errors.AsType[*vcs.LocalChangesError](err); ok {
		all = append(all, "files", e.Files, "diff", e.Diff)
	}
	return all
}
