package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Holder tells who does something to a site, for whoever has to wait.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host,omitempty"`
	User  string    `json:"user,omitempty"`
	CI    string    `json:"ci,omitempty"` // address of the CI job
	Since time.Time `json:"since"`

	Command string `json:"command,omitempty"` // of [Site.Lock]: what it runs, where that is no release
}

func (h Holder) String() string {
	s := fmt.Sprintf("%s@%s, process %d, since %s", h.User, h.Host, h.PID, h.Since.Local().Format(time.DateTime))
	if h.CI != "" {
		s += ", " + h.CI
	}
	if h.Command != "" {
		s += ", running " + h.Command
	}
	return s
}

// who is the holder in short.
func (h Holder) who() string { return h.User + "@" + h.Host }

// Myself is this process as a holder. ci is the address of the CI job it runs
// in, or empty.
func Myself(ci string) Holder {
	h := Holder{PID: os.Getpid(), CI: ci, Since: time.Now().UTC()}
	h.Host, _ = os.Hostname()
	h.User = strconv.Itoa(os.Geteuid()) // containers have users without a name
	if u, err := user.LookupId(h.User); err == nil {
		h.User = u.Username
	}
	return h
}

// LockedError says that another process holds the site's lock.
type LockedError struct{ Holder Holder }

func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return "the site is locked by another process, which has not signed yet"
	}
	if e.Holder.Command != "" {
		return fmt.Sprintf("the site is locked for a command (%v)", e.Holder)
	}
	return fmt.Sprintf("the site is locked by another release (%v)", e.Holder)
}

// glance is how long a lock is waited for at the least: somebody who only
// looks whether it is held holds it for a moment too.
const glance = 250 * time.Millisecond

// lock takes the site's lock, a kernel flock(2), so that the death of its
// holder frees it. It waits up to wait.
func (s *Site) lock(ctx context.Context, wait time.Duration) (*flock.Flock, error) {
	return s.lockAs(ctx, wait, s.Holder)
}

// lockAs is lock for h.
func (s *Site) lockAs(ctx context.Context, wait time.Duration, h Holder) (*flock.Flock, error) {
	if err := s.state.create(); err != nil {
		return nil, err
	}
	l, err := exclusive(ctx, s.state.lockFile(), 0)
	if l == nil && err == nil && wait > 0 {
		s.observer().Warn("%v: waiting for up to %v", &LockedError{Holder: readHolder(s.state.lockFile())}, wait)
		l, err = exclusive(ctx, s.state.lockFile(), wait)
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if l == nil {
		holder := readHolder(s.state.lockFile())
		if holder.dead() {
			l, err = exclusive(ctx, s.state.lockFile(), max(wait, lingering))
		}
		if l == nil {
			return nil, errors.Join(err, &LockedError{Holder: holder})
		}
	}
	if err := sign(s.state.lockFile(), h); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Lock takes the site's lock for a command that does something to it outside of
// revstamp, as a release does, and waits for it up to wait. Others are told the
// command's name; its arguments may be secret. It fails with a *LockedError.
func (s *Site) Lock(ctx context.Context, wait time.Duration, command string) (unlock func() error, err error) {
	h := s.Holder
	h.Command = s.redact(command)
	l, err := s.lockAs(ctx, wait, h)
	if err != nil {
		return nil, err
	}
	return l.Close, nil
}

// Locked is who holds the site's lock; nil when nobody does.
func (s *Site) Locked() (*Holder, error) {
	held, err := isLocked(s.state.lockFile())
	if err != nil || !held {
		return nil, err
	}
	h := readHolder(s.state.lockFile())
	return &h, nil
}

// lingering is how long a lock may outlive its holder, in a child that was being
// started and has yet to become its program.
const lingering = 10 * time.Second

// dead reports whether the holder was a process of this machine and is none.
func (h Holder) dead() bool {
	host, _ := os.Hostname()
	return h.PID > 0 && h.Host == host && errors.Is(syscall.Kill(h.PID, 0), syscall.ESRCH)
}

// exclusive takes the lock on the file at path, which it creates if need be,
// and waits for it up to wait; nil when another process has it for longer.
func exclusive(ctx context.Context, path string, wait time.Duration) (*flock.Flock, error) {
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	limited, cancel := context.WithTimeout(ctx, max(wait, glance))
	defer cancel()
	ok, err := l.TryLockContext(limited, glance/10)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil
	}
	if err != nil || !ok {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// readHolder reads who holds the lock at path. The file's text is only a
// courtesy: the lock itself is in the kernel.
func readHolder(path string) Holder {
	var h Holder
	if data, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(data, &h)
	}
	return h
}

// sign writes the holder into the lock file, in place: the lock is on this
// very inode, so it must not be replaced.
func sign(path string, h Holder) error {
	line, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if err := os.WriteFile(path, append(line, '\n'), 0o600); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return nil
}

// locked reports whether a process holds the lock at path, as far as can be seen.
func locked(path string) bool {
	held, err := isLocked(path)
	return err == nil && held
}

// isLocked reports whether a process holds the lock at path.
func isLocked(path string) (bool, error) {
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	ok, err := l.TryRLock()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock: %w", err)
	}
	return !ok, l.Close()
}
