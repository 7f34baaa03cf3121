package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"revstamp/stamp/atomicfile"
)

// temps is what a command without a state directory remembers of its
// temporary files, so that those of a killed run are swept by the next one.
// Each process writes its own list, in the user's state directory, and holds
// its lock: a list without one is of a dead process. The zero temps remembers
// nothing.
type temps struct {
	list  *flock.Flock
	names *os.File     // the list, to append to
	left  atomic.Int64 // files of the list that may be there
}

// openTemps sweeps what dead processes left, and begins this one's list. Both
// happen under a lock, for a list that was just begun has none yet.
func openTemps(ctx context.Context) (*temps, error) {
	dir, err := userStateDir()
	if err != nil {
		return nil, err
	}
	gate := flock.New(filepath.Join(dir, "temps.lock"))
	if _, err := gate.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		return nil, fmt.Errorf("list of temporary files: %w", err)
	}
	defer gate.Close()
	lists, err := filepath.Glob(filepath.Join(dir, "temps-*"))
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		// What cannot be removed today stays in its list for another run, and is
		// no reason for this one to go without.
		_ = sweepDead(list)
	}
	return beginTemps(dir)
}

func beginTemps(dir string) (*temps, error) {
	file, err := os.CreateTemp(dir, "temps-*")
	if err != nil {
		return nil, fmt.Errorf("list of temporary files: %w", err)
	}
	t := &temps{list: flock.New(file.Name(), flock.SetFlag(os.O_RDWR)), names: file}
	if ok, err := t.list.TryLock(); err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("list of temporary files: %q is locked", file.Name()), err, file.Close())
	}
	return t, nil
}

// userStateDir is where programs keep state of their own, by the XDG base
// directory specification.
func userStateDir() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("state directory: %w", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	dir = filepath.Join(dir, "revstamp")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	return dir, nil
}

// sweepDead removes the temporary files of list, and it, unless its process
// lives.
func sweepDead(list string) error {
	lock := flock.New(list, flock.SetFlag(os.O_RDWR))
	ok, err := lock.TryLock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !ok {
		return err
	}
	defer lock.Close()
	return sweepList(list)
}

// sweepList removes the temporary files of list, and it when none is left.
func sweepList(list string) error {
	data, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	// A name without its end was not wholly recorded, and so its file not made.
	names := strings.Split(string(data), "\x00")
	if err := atomicfile.Sweep(names[:len(names)-1]); err != nil {
		return err
	}
	return removeList(list)
}

func removeList(list string) error {
	if err := os.Remove(list); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// follow has the list told of the temporary files that are made with o.
func (t *temps) follow(o *atomicfile.Options) { o.Record, o.Gone = t.record, t.gone }

// record notes a temporary file that is about to be created.
func (t *temps) record(path string) error {
	if t.list == nil {
		return nil
	}
	t.left.Add(1)
	_, err := t.names.WriteString(path + "\x00")
	return err
}

// gone notes that a temporary file of the list is not there any more.
func (t *temps) gone(string) { t.left.Add(-1) }

// Close ends the list. Every temporary file has been dealt with, or it stays in
// the list, which stays for the next run, and the error tells of it.
func (t *temps) Close() error {
	if t.list == nil {
		return nil
	}
	end := sweepList
	if t.left.Load() == 0 {
		end = removeList // to look for each of thousands of names takes a while
	}
	return errors.Join(t.names.Close(), end(t.list.Path()), t.list.Close())
}
