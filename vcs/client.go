package vcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// maxOutput bounds what a client may answer: a status of millions of files
	// fits, a client gone wild does not take the machine's memory.
	maxOutput = 512 << 20

	// maxStderr is how much of the end of a client's complaints is kept.
	maxStderr = 4 << 10

	// graceAfterKill is how long the pipes of a killed client may stay open.
	// Its whole group is killed, so only what left the group can hold them.
	graceAfterKill = 2 * time.Second
)

// client runs one program in one directory: by argument vector, with nothing
// to read, no terminal to ask, and its own process group.
type client struct {
	path string
	dir  string
	env  []string
	log  *slog.Logger
}

// run returns what the program wrote. Its verb is the first argument that is
// not an option, and names the call in errors.
func (c *client) run(ctx context.Context, args ...string) ([]byte, error) {
	return c.call(ctx, nil, nil, args...)
}

// call is run with standard input and with additions to the environment.
func (c *client) call(ctx context.Context, stdin io.Reader, env []string, args ...string) ([]byte, error) {
	stdout := &limited{max: maxOutput}
	err := c.stream(ctx, stdin, stdout, env, args...)
	if stdout.over && ctx.Err() == nil {
		return nil, fmt.Errorf("%s: more than %d bytes of output", c.name(args), maxOutput)
	}
	if err != nil {
		return nil, err
	}
	return stdout.Bytes(), nil
}

// name is what a call is named in errors.
func (c *client) name(args []string) string { return filepath.Base(c.path) + " " + verb(args) }

// stream is call for output of any size, which goes to stdout.
func (c *client) stream(ctx context.Context, stdin io.Reader, stdout io.Writer, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, c.path, args...)
	cmd.Dir = c.dir
	cmd.Env = append(c.env[:len(c.env):len(c.env)], env...)
	cmd.Stdin = stdin
	stderr := &tail{max: maxStderr}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	ownGroup(cmd)

	name := c.name(args)
	start := time.Now()
	// A parent-death signal is sent when the thread that forked ends, so the
	// goroutine keeps its thread for as long as the client runs.
	runtime.LockOSThread()
	err := cmd.Run()
	runtime.UnlockOSThread()
	c.log.DebugContext(ctx, "client ran", "command", name,
		"args", redactAll(args), "took", time.Since(start), "err", err)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", name, context.Cause(ctx))
	case err == nil:
		return nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &ClientError{Command: name, Status: exit.ExitCode(), Stderr: redact(stderr.String())}
	}
	return fmt.Errorf("%s: %w", name, err)
}

// ownGroup makes a cancelled command die with everything it started: git runs
// ssh and git-remote-https, which would outlive it and hold its pipes. A command
// also dies with this process: an update that went on behind the back of whoever
// resumes or aborts would undo their work.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = graceAfterKill
}

// verb is the first argument that is no option, skipping the values of git's
// own -c and --work-tree, which precede it.
func verb(args []string) string {
	for i := 0; i < len(args); i++ {
		if args[i] == "-c" {
			i++
			continue
		}
		if !strings.HasPrefix(args[i], "-") {
			return args[i]
		}
	}
	return ""
}

// limited keeps up to max bytes and fails the writer beyond, which ends the
// client by SIGPIPE.
type limited struct {
	bytes.Buffer
	max  int
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > l.max {
		l.over = true
		return 0, errors.New("too much output")
	}
	return l.Buffer.Write(p)
}

// tail keeps the last max bytes.
type tail struct {
	buf []byte
	max int
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.buf), "?") }
