package gearman

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	defaultMaxOutput = 1 << 20

	// killDelay is what a command is given between SIGTERM and SIGKILL, and its
	// leftovers to let go of its output. It is shorter than a worker's
	// timeoutGrace, so that the handler returns in time.
	killDelay = 2 * time.Second

	// A command that was killed, or that cannot be started, has the exit status
	// a shell would give it.
	statusNotFound = 127
	statusSignal   = 128

	progressDescriptor = 3
)

// A Command is a Handler that does jobs by running a program.
//
// The program gets the workload on standard input. What it writes to standard
// output is the job's result; the last lines of that and of standard error are
// the report's. A line "progress N/M" on descriptor 3 becomes the job's
// progress, other lines there are passed over. Exit status 0 completes the job,
// every other fails it.
//
// Besides the environment of the process and Env it finds REVSTAMP_JOB_HANDLE,
// REVSTAMP_JOB_FUNCTION, REVSTAMP_JOB_UNIQUE and, the number of the descriptor,
// REVSTAMP_PROGRESS_FD.
//
// The program leads a process group of its own. When the job is given up, the
// whole group gets SIGTERM and two seconds later SIGKILL. When the worker itself
// is killed, the program is killed with it by the kernel; what the program
// started is then not. Processes that it leaves behind when it ends by itself live on,
// and hold the job up for two seconds if they keep its output open.
type Command struct {
	Args []string // the program and its arguments; no shell is involved
	Env  []string // NAME=value, added to the environment
	Dir  string   // where it runs; empty: where the worker does

	// MaxOutput is the most bytes of standard output that are kept as the
	// result; zero means 1 MiB. What exceeds it is dropped, with a warning to
	// the clients that wait.
	MaxOutput int
}

// ServeJob runs the program for j.
func (c *Command) ServeJob(ctx context.Context, j *Request) ([]byte, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("command without a program")
	}
	result, err := c.serve(ctx, j)
	if err != nil {
		return nil, fmt.Errorf("command %q: %w", c.Args[0], err)
	}
	return result, nil
}

func (c *Command) serve(ctx context.Context, j *Request) ([]byte, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()

	last := new(tail)
	stdout := &bounded{max: c.maxOutput()}
	outLines, errLines := &lines{to: last}, &lines{to: last}
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = append(cmd.Environ(), c.Env...)
	cmd.Env = append(cmd.Env,
		"REVSTAMP_JOB_HANDLE="+j.Handle,
		"REVSTAMP_JOB_FUNCTION="+j.Function,
		"REVSTAMP_JOB_UNIQUE="+j.Unique,
		"REVSTAMP_PROGRESS_FD="+strconv.Itoa(progressDescriptor))
	cmd.Stdin = bytes.NewReader(j.Workload)
	cmd.Stdout = io.MultiWriter(stdout, outLines)
	cmd.Stderr = errLines
	cmd.ExtraFiles = []*os.File{writer}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = killDelay

	exited, err := start(cmd)
	writer.Close()
	if err != nil {
		j.ExitStatus = statusNotFound
		return nil, err
	}
	told := make(chan struct{})
	go func() {
		defer close(told)
		readProgress(reader, j)
	}()
	await(ctx, cmd, exited)
	reader.SetReadDeadline(time.Now().Add(killDelay)) // a leftover may hold the other end
	err = cmd.Wait()
	<-told
	outLines.flush()
	errLines.flush()
	j.ExitStatus, j.Output = exitStatus(cmd.ProcessState), last.lines
	if stdout.dropped > 0 {
		j.Warning(fmt.Appendf(nil, "%d bytes of output dropped", stdout.dropped))
	}
	switch {
	case ctx.Err() != nil && j.ExitStatus != 0:
		return nil, context.Cause(ctx)
	case errors.Is(err, exec.ErrWaitDelay):
		err = nil
	}
	return stdout.kept, err
}

func (c *Command) maxOutput() int {
	if c.MaxOutput > 0 {
		return c.MaxOutput
	}
	return defaultMaxOutput
}

// start starts cmd and returns a channel that is closed when its process has
// ended, and not yet been waited for: until then its number, which is also its
// group's, cannot be another's.
//
// The thread that starts it waits there too: the kernel sends the Pdeathsig when
// that thread ends, not the process.
func start(cmd *exec.Cmd) (exited <-chan struct{}, err error) {
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		for err == nil {
			if e := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); e != unix.EINTR {
				return
			}
		}
	}()
	return ended, <-started
}

// await returns when the process has ended, and sees to it once ctx is done.
func await(ctx context.Context, cmd *exec.Cmd, exited <-chan struct{}) {
	select {
	case <-exited:
		return
	case <-ctx.Done():
	}
	group := -cmd.Process.Pid
	syscall.Kill(group, syscall.SIGTERM)
	t := time.NewTimer(killDelay)
	defer t.Stop()
	select {
	case <-exited:
	case <-t.C:
	}
	syscall.Kill(group, syscall.SIGKILL)
	<-exited
}

func exitStatus(s *os.ProcessState) int {
	if ws := s.Sys().(syscall.WaitStatus); ws.Signaled() {
		return statusSignal + int(ws.Signal())
	}
	return s.ExitCode()
}

// readProgress passes progress on until r ends. A line longer than a buffer is
// none of ours.
func readProgress(r io.Reader, j *Request) {
	b := bufio.NewReader(r)
	for {
		line, long, err := b.ReadLine()
		for long && err == nil {
			line = nil
			_, long, err = b.ReadLine()
		}
		if n, d, ok := parseProgress(string(line)); ok {
			j.Progress(n, d)
		}
		if err != nil {
			return
		}
	}
}

// parseProgress reads "progress N/M".
func parseProgress(line string) (n, d int, ok bool) {
	counts, found := strings.CutPrefix(strings.TrimSpace(line), "progress ")
	if !found {
		return 0, 0, false
	}
	left, right, found := strings.Cut(counts, "/")
	if !found {
		return 0, 0, false
	}
	n, err1 := strconv.Atoi(strings.TrimSpace(left))
	d, err2 := strconv.Atoi(strings.TrimSpace(right))
	return n, d, err1 == nil && err2 == nil && n >= 0 && d >= 0
}
