package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/release"
)

func newLock(a *app) *cobra.Command {
	var o release.Options
	cmd := &cobra.Command{
		Use:   "lock [-- COMMAND [ARG]...]",
		Short: "Tell who works at the site, or keep releases away from it",
		Long: `Lock tells who holds the site's lock: a release, or whoever else took it. With a
command it takes the lock itself, so that nobody releases meanwhile, and runs the
command. The lock ends with the process, whatever ends that: there is none to
be removed by hand.

The exit status is then that of the command: 128 and the signal's number when a
signal ended it, 127 when it is not found, 126 when it cannot be run. Where the
lock is not had, the command is not run, and the status is 5.`,
		Example: "  revstamp lock --wait -- ./bin/restore-database",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.showLock(s)
			}
			unlock, err := s.Lock(cmd.Context(), o.Wait, args[0])
			if err != nil {
				return err
			}
			c := exec.CommandContext(cmd.Context(), args[0], args[1:]...)
			c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
			c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
			c.WaitDelay = 10 * time.Second
			if err := c.Run(); err != nil {
				return errors.Join(&commandError{args[0], err}, unlock())
			}
			return unlock()
		},
	}
	waitFlag(cmd, &o)
	return cmd
}

// commandError is that a command did not succeed that revstamp ran for its user. Who
// runs it this way has its exit status, as with env(1).
type commandError struct {
	name string
	err  error // of [exec.Cmd.Run]
}

func (e *commandError) Error() string {
	if _, ok := errors.AsType[*exec.Error](e.err); ok {
		return e.err.Error() // names it
	}
	return e.name + ": " + e.err.Error()
}

func (e *commandError) Unwrap() error { return e.err }

// status is the exit status that stands for e, as shells have it.
func (e *commandError) status() int {
	if ended, ok := errors.AsType[*exec.ExitError](e.err); ok {
		if state := ended.Sys().(syscall.WaitStatus); state.Signaled() {
			return exitSignal + int(state.Signal())
		}
		return ended.ExitCode()
	}
	switch {
	case errors.Is(e.err, context.Canceled):
		return exitInterrupted
	case errors.Is(e.err, exec.ErrNotFound), errors.Is(e.err, fs.ErrNotExist):
		return exitNotFound
	}
	return exitCannotRun
}

// showLock fails as a release would that does not wait.
func (a *app) showLock(s *release.Site) error {
	h, err := s.Locked()
	if err != nil {
		return err
	}
	if h != nil {
		return &release.LockedError{Holder: *h}
	}
	return a.out.Result(map[string]bool{"locked": false}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "nobody is at "+s.Config.Site)
		return err
	})
}
