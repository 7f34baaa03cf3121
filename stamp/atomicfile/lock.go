package atomicfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// lockPoll is how often a held lock is tried again: flock cannot be waited for
// together with a context, and another batch holds it for milliseconds.
const lockPoll = 5 * time.Millisecond

// lockPatience is how long a batch waits for a lock. Whoever holds it longer is
// no batch: "flock /srv/shop deploy.sh" does, and may be what started this one.
const lockPatience = 10 * time.Second

// lockDirs takes flock on every directory, in the order of their inodes so
// that two batches cannot wait for each other. Closing a directory unlocks it.
//
// It does without a lock that it cannot get, and says so: an exchange notices
// by itself when somebody else was quicker.
func lockDirs(ctx context.Context, dirs []*dir, warn func(msg string)) error {
	dirs = slices.Clone(dirs)
	slices.SortFunc(dirs, func(a, b *dir) int {
		return cmp.Or(cmp.Compare(a.dev, b.dev), cmp.Compare(a.ino, b.ino))
	})
	for _, d := range dirs {
		switch held, err := d.lock(ctx); {
		case err != nil:
			return fmt.Errorf("lock directory %q: %w", d.path, err)
		case held:
			warn(fmt.Sprintf("another process has locked the directory %q for more than %v; went on without", d.path, lockPatience))
		}
	}
	return nil
}

// lock reports whether somebody else held the lock all the time.
func (d *dir) lock(ctx context.Context) (held bool, err error) {
	for end := time.Now().Add(lockPatience); time.Now().Before(end); {
		err := retry(func() error { return unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB) })
		if err == nil || noLocks(err) {
			return false, nil
		}
		if err != unix.EWOULDBLOCK {
			return false, err
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
	return true, nil
}

// noLocks reports whether the file system has no locks to give: some network
// file systems lock only files that are open for writing, as no directory is.
func noLocks(err error) bool {
	return unsupported(err) || errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EBADF)
}
