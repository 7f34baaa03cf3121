package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
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
be removed by hand.`,
		Example: "  revstamp lock --wait -- ./bin/restore-database",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.showLock(s)
			}
			unlock, err := s.Lock(cmd.Context(), o.Wait)
			if err != nil {
				return err
			}
			c := exec.CommandContext(cmd.Context(), args[0], args[1:]...)
			c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
			c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
			c.WaitDelay = 10 * time.Second
			if err := c.Run(); err != nil {
				return errors.Join(fmt.Errorf("%s: %w", args[0], err), unlock())
			}
			return unlock()
		},
	}
	waitFlag(cmd, &o)
	return cmd
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
