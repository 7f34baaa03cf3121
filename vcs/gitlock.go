package vcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// updateLock is git's index.lock while an update of ours goes on (for hg it is a
// file that only we look at). Every git
// respects it by its mere existence; its content is a line that no index begins
// with, the commits the update is from and to, and, where a resumed update went
// on to another target, that one too:
//
//	revstamp update
//	from <id>
//	to <id>
//
// It stays until the update is whole, so that a killed one is known by it. The
// process that is at work holds a kernel lock on it, which dies with it.
type updateLock struct {
	path string
	file *os.File
	from string
	to   []string

	whole int64 // bytes of its whole lines: a power cut may leave a torn one behind them
}

const lockTitle = "revstamp update\n"

func lockPath(gitDir string) string { return filepath.Join(gitDir, "index.lock") }

// commits are all those whose files may lie in the tree, oldest first.
func (l *updateLock) commits() []string { return append([]string{l.from}, l.to...) }

// close leaves the lock as it is, for nobody's process. The kernel's lock is let
// go by name: a child that was just forked and has not yet become its program
// still has the file open too.
func (l *updateLock) close() {
	syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	l.file.Close() // what was written is synced
}

// readUpdateLock returns the lock of an update of ours, nil without one or when
// it is another program's.
func readUpdateLock(gitDir string) (*updateLock, error) { return readUpdateLockAt(lockPath(gitDir)) }

func readUpdateLockAt(path string) (*updateLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	const most = 1 << 16 // another's lock may be a whole index
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	body, ours := strings.CutPrefix(string(data), lockTitle)
	if !ours {
		f.Close()
		return nil, nil
	}
	l := &updateLock{path: path, file: f, whole: int64(len(lockTitle))}
	for line := range strings.Lines(body) {
		if !strings.HasSuffix(line, "\n") {
			break // torn: its update did not begin
		}
		l.whole += int64(len(line))
		switch key, id, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); key {
		case "from":
			l.from = id
		case "to":
			l.to = append(l.to, id)
		}
	}
	return l, nil
}

// Locked implements Locker.
func (g *gitCopy) Locked(ctx context.Context) error {
	s, err := g.look(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	l, err := readUpdateLock(s.Git)
	if err != nil {
		return err
	}
	if l != nil {
		l.close()
		return nil
	}
	path := lockPath(s.Git)
	if _, err = os.Lstat(path); err == nil {
		return &LockedError{Path: path}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// lockForUpdate takes index.lock. One that an interrupted update left is taken
// over when resume says so.
func lockForUpdate(gitDir, from, to string, resume bool) (*updateLock, error) {
	l, err := newUpdateLock(gitDir, from, to)
	if !errors.Is(err, fs.ErrExist) {
		return l, err
	}
	if l, err = readUpdateLock(gitDir); err != nil {
		return nil, err
	}
	path := lockPath(gitDir)
	if l == nil {
		return nil, &LockedError{Path: path}
	}
	if err := l.hold(); err != nil {
		l.close()
		return nil, err
	}
	if !resume {
		l.close()
		e := &LockedError{System: "git", Path: path, Interrupted: true}
		if len(l.to) > 0 {
			e.Target = l.to[len(l.to)-1]
		}
		return nil, e
	}
	return l.with(to)
}

// with is l with one more target, or closed when that cannot be noted.
func (l *updateLock) with(to string) (*updateLock, error) {
	if err := l.add(to); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// add notes one more target, before anything of it is written.
func (l *updateLock) add(to string) error {
	if slices.Contains(l.to, to) {
		return nil
	}
	if err := l.file.Truncate(l.whole); err != nil { // a torn line would swallow this one
		return err
	}
	n, err := fmt.Fprintf(l.file, "to %s\n", to)
	if err != nil {
		return err
	}
	l.to = append(l.to, to)
	l.whole += int64(n)
	return l.file.Sync()
}

// hold takes the kernel lock: whoever has it is at work this moment.
func (l *updateLock) hold() error {
	err := syscall.Flock(int(l.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &LockedError{Path: l.path}
	}
	return err
}

// newUpdateLock creates the lock together with its content: an unnamed file is
// written first and then linked, so that no kill leaves an empty lock that
// nobody could tell from git's. The link fails with fs.ErrExist as O_EXCL does.
func newUpdateLock(gitDir, from, to string) (*updateLock, error) {
	return newUpdateLockAt(lockPath(gitDir), from, to)
}

func newUpdateLockAt(path, from, to string) (*updateLock, error) {
	l := &updateLock{path: path, from: from, to: []string{to}}
	var err error
	l.file, err = os.OpenFile(filepath.Dir(path), os.O_RDWR|unix.O_TMPFILE, 0o644)
	named := err != nil // a file system without unnamed files
	if named {
		l.file, err = os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	}
	if err != nil {
		return nil, err
	}
	if err := l.write(named); err != nil {
		l.close()
		if named {
			err = errors.Join(err, os.Remove(l.path))
		}
		return nil, err
	}
	return l, nil
}

func (l *updateLock) write(named bool) error {
	if err := l.hold(); err != nil {
		return err
	}
	n, err := fmt.Fprintf(l.file, "%sfrom %s\nto %s\n", lockTitle, l.from, l.to[0])
	if err != nil {
		return err
	}
	l.whole = int64(n)
	if err := l.file.Sync(); err != nil {
		return err
	}
	if !named {
		self := fmt.Sprintf("/proc/self/fd/%d", l.file.Fd())
		if err := unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, l.path, unix.AT_SYMLINK_FOLLOW); err != nil {
			return &os.PathError{Op: "link", Path: l.path, Err: err}
		}
	}
	return syncDir(filepath.Dir(l.path))
}

// remove ends the update.
func (l *updateLock) remove() error {
	if err := os.Remove(l.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(l.path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
