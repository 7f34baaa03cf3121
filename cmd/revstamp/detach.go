package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"revstamp/cmd/revstamp/internal/release"
	"revstamp/cmd/revstamp/internal/ui"
)

// detachFlag has a release go on in a process of its own.
const detachFlag = "detach"

// detachedError is what a process that was to go on by itself ended with at once.
// It has told why.
type detachedError struct{ status int }

func (e *detachedError) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// detach does what the command line says in a process that no closed terminal
// and no broken connection ends, and returns once it has begun a release; or,
// when it ends before, with all that it had to tell.
func (a *app) detach(ctx context.Context, s *release.Site) error {
	log, err := s.DetachedLog()
	if err != nil {
		return err
	}
	defer log.Close() // the other process writes it
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		name, value, _ := strings.Cut(arg, "=")
		return name == "--"+detachFlag && value != "false"
	})
	child := &exec.Cmd{
		Path: self, Args: append(os.Args[:1:1], args...), Stdout: log, Stderr: log,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := child.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			return a.detachedEnd(log, err)
		case <-ctx.Done():
			return fmt.Errorf("process %d goes on by itself: %w", child.Process.Pid, context.Cause(ctx))
		case <-look.C:
		}
		if r := s.BegunBy(child.Process.Pid); r != nil {
			a.out.End(fmt.Sprintf("release %s goes on in process %d: watch it with 'revstamp follow %s'; what it tells is in %s",
				r.ID, child.Process.Pid, r.ID, log.Name()), "release", r.ID)
			return a.did(r, nothing)
		}
	}
}

// detachedEnd tells what a process told that has ended already.
func (a *app) detachedEnd(log *os.File, err error) error {
	if _, seekErr := log.Seek(0, io.SeekStart); seekErr != nil {
		return errors.Join(err, seekErr)
	}
	to := os.Stderr
	if a.json {
		to = os.Stdout
		a.out = ui.New(ui.Options{}) // which begins no JSON of its own behind that
	}
	if _, copyErr := io.Copy(to, log); copyErr != nil {
		a.out.Warn("not told here what %s holds: %v", log.Name(), copyErr)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return &detachedError{exit.ExitCode()}
	}
	return err
}
