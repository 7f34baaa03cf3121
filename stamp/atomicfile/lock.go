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

// lockDirs takes flock on every directory, in the order of their inodes so
// that two batches cannot wait for each other. Closing a directory unlocks it.
func lockDirs(ctx context.Context, dirs []*dir) error {
	dirs = slices.Clone(dirs)
	slices.SortFunc(dirs, func(a, b *dir) int {
		return cmp.Or(cmp.Compare(a.dev, b.dev), cmp.Compare(a.ino, b.ino))
	})
	for _, d := range dirs {
		if err := d.lock(ctx); err != nil {
			return fmt.Errorf("lock directory %q: %w", d.path, err)
		}
	}
	return nil
}

func (d *dir) lock(ctx context.Context) error {
	for {
		err := retry(func() error { return unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB) })
		if err == nil || noLocks(err) {
			return nil
		}
		if err != unix.EWOULDBLOCK {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
}

// noLocks reports whether the file system has no locks to give: some network
// file systems lock only files that are open for writing, as no directory is.
func noLocks(err error) bool {
	return unsupported(err) || errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EBADF)
}
