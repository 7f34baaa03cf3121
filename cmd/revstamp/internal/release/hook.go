package release

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/vcs"
)

// withHooks puts the configured hooks around the steps.
func (r *run) withHooks(steps []Step) []Step {
	var all []Step
	for _, step := range steps {
		all = append(all, r.hooksAt("before", step.Name())...)
		all = append(all, step)
		all = append(all, r.hooksAt("after", step.Name())...)
	}
	return all
}

func (r *run) hooksAt(when, step string) []Step {
	var all []Step
	for _, h := range r.cfg.Hooks {
		if when == "before" && h.Before == step || when == "after" && h.After == step {
			all = append(all, hookStep{run: r, hook: h, at: when + " " + step, to: r.plan.To, token: rand.Text()})
		}
	}
	return all
}

// hookStep does something of the user's. It is done again when a release is
// resumed.
type hookStep struct {
	*run
	hook  config.Hook
	at    string       // as "after activate"
	to    vcs.Revision // what visitors have, or will have
	token string       // of this one hook in this one process
}

func (hookStep) Name() string { return "hook" }

func (s hookStep) mark() string { return s.token }

func (s hookStep) Run(ctx context.Context) (string, error) {
	err := s.do(ctx)
	if err == nil {
		return s.at + ": " + s.what(), nil
	}
	err = fmt.Errorf("%s: %s: %w", s.at, s.what(), err)
	if s.hook.OnFailure == config.Warn && ctx.Err() == nil {
		s.site.observer().Warn("hook %v", err)
		return "", Skip(s.at + ": failed, which is no reason to stop")
	}
	return "", err
}

// what is the hook in short.
func (s hookStep) what() string {
	switch {
	case s.hook.PIDFile != "":
		return "reload " + s.hook.PIDFile
	case s.hook.Shell != "":
		first, _, more := strings.Cut(strings.TrimSpace(s.hook.Shell), "\n")
		if more {
			first += " …"
		}
		return first
	}
	return strings.Join(s.hook.Command, " ")
}

func (s hookStep) do(ctx context.Context) (err error) {
	if s.hook.PIDFile != "" {
		return reload(s.hook.File(s.cfg))
	}
	if s.hook.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.hook.Timeout, fmt.Errorf("not done after %v", s.hook.Timeout))
		defer cancel()
	}
	file, err := s.site.state.openLog(s.release.ID)
	if err != nil {
		return err
	}
	out := &capped{to: file, left: mostLogged}
	log := &redacted{to: out, redact: s.site.redact}
	defer func() { err = errors.Join(err, log.flush(), file.Close()) }()
	fmt.Fprintf(log, "%s %s: %s\n", time.Now().UTC().Format(time.RFC3339), s.at, s.what())
	last := &lastBytes{} // without secrets: of one that is cut the rest is not known any more
	log.to = io.MultiWriter(out, last)
	err = s.command(ctx, log)
	if flushErr := log.flush(); flushErr != nil {
		return errors.Join(err, flushErr)
	}
	if log.to = file; out.dropped > 0 {
		fmt.Fprintf(log, "\n… and %d bytes more, which end in:\n%s\n", out.dropped, last)
	}
	fmt.Fprintf(log, "%s %s\n", time.Now().UTC().Format(time.RFC3339), outcome(err))
	if err != nil && len(last.kept) > 0 {
		err = fmt.Errorf("%w: %s (all of it is in %s)", err, last, file.Name())
	}
	return err
}

// outcome is how a hook ended, for the log.
func outcome(err error) string {
	if err == nil {
		return "succeeded"
	}
	return "failed: " + err.Error()
}

// strict is what goes before a script: it ends where a command fails or a
// variable is not set, and, where the shell can tell, in the middle of a pipe.
// That the shell of many systems cannot, so a script gets bash where there is one,
// which in its POSIX mode takes it as that shell would.
const strict = "set -eu\nif (set -o pipefail) 2>/dev/null; then set -o pipefail; fi\n"

// killAfter is how long a hook has to end, once it was told to.
const killAfter = 5 * time.Second

// command runs the hook's program and all that it starts in a group of its own.
func (s hookStep) command(ctx context.Context, out io.Writer) error {
	args := s.hook.Command
	if s.hook.Shell != "" {
		args = []string{"sh", "-c", strict + s.hook.Shell}
		if _, err := exec.LookPath("bash"); err == nil {
			args = append([]string{"bash", "--posix"}, args[1:]...)
		}
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = s.hookDir()
	cmd.Env = append(cmd.Environ(), s.environ()...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = killAfter
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	err := cmd.Run()
	if ctx.Err() != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what did not listen
		return errors.Join(context.Cause(ctx), err)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		// The program has succeeded. What it left running holds its output.
		s.site.observer().Warn("hook %s: %s: what it left running holds its output, which is not read any more: redirect it",
			s.at, s.what())
		return nil
	}
	return err
}

// hookDir is where the release's files are by now.
func (s hookStep) hookDir() string {
	if dir := s.file("."); isDir(dir) {
		return dir
	}
	return s.cfg.Dir
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// hookMark is the variable by which the processes of a hook are known, whatever
// else of the release still runs.
const hookMark = "REVSTAMP_HOOK_MARK"

// environ is what a hook is told.
func (s hookStep) environ() []string {
	return []string{
		"REVSTAMP_SITE=" + s.cfg.Site,
		"REVSTAMP_RELEASE=" + s.release.ID,
		"REVSTAMP_REVISION=" + s.to.ID,
		"REVSTAMP_SHORT=" + s.to.Short,
		"REVSTAMP_PREVIOUS=" + s.release.From.ID,
		"REVSTAMP_DIR=" + s.hookDir(),
		"REVSTAMP_HOOK=" + s.at,
		hookMark + "=" + s.token,
	}
}

// hooksOfBefore does, when what was activated has been taken back, the hooks for
// what visitors have again. The release has failed already: they only warn.
func (r *run) hooksOfBefore(ctx context.Context) {
	for _, step := range r.hooksAt("after", "activate") {
		h := step.(hookStep)
		h.to, h.hook.OnFailure = r.release.From, config.Warn
		if r.plan.Since != nil && r.plan.Since.Dir != "" {
			h.run = &run{work: &work{site: r.site, cfg: r.cfg, dir: r.site.state.path(r.plan.Since.Dir)}, release: r.release}
		}
		_, _ = h.Run(ctx)
	}
}

// reload tells the process named in a process id file to take up its
// configuration and code anew, as php-fpm does upon SIGUSR2.
func reload(pidFile string) error {
	data, err := os.ReadFile(pidFile)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid < 2 {
		return fmt.Errorf("%s holds no process id: %.40q", pidFile, data)
	}
	if err := syscall.Kill(pid, syscall.SIGUSR2); err != nil {
		return fmt.Errorf("process %d of %s: %w", pid, pidFile, err)
	}
	return nil
}

// openLog opens what the commands of a release print.
func (s *state) openLog(id string) (*os.File, error) { return s.log(id, os.O_APPEND) }

// DetachedLog opens, empty, what a release prints that goes on by itself.
func (s *Site) DetachedLog() (*os.File, error) {
	if err := s.state.create(); err != nil {
		return nil, err
	}
	return s.state.log("detached-"+strconv.Itoa(os.Getpid()), os.O_APPEND|os.O_TRUNC)
}

func (s *state) log(name string, flags int) (*os.File, error) {
	if err := os.MkdirAll(s.logs(), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(s.logs(), name+".log"), os.O_RDWR|os.O_CREATE|flags, 0o600)
}

// mostLogged is how much of what a hook prints is written to the log, besides its end.
const mostLogged = 4 << 20

// capped writes the beginning of what is written to it.
type capped struct {
	to            io.Writer
	left, dropped int
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	c.dropped += len(p) - n
	if _, err := c.to.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// lastBytes keeps the end of what is written to it.
type lastBytes struct{ kept []byte }

// mostKept is how much of a command's output an error tells.
const mostKept = 1000

func (l *lastBytes) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p...)
	if extra := len(l.kept) - mostKept; extra > 0 {
		l.kept = append(l.kept[:0], l.kept[extra:]...)
	}
	return len(p), nil
}

func (l *lastBytes) String() string {
	text := bytes.TrimSpace(l.kept)
	if len(l.kept) == mostKept {
		if _, rest, ok := bytes.Cut(text, []byte("\n")); ok {
			text = rest // the first line is cut
		}
	}
	return strings.ToValidUTF8(string(text), "\ufffd")
}
