package assets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"
)

// Retention says how long the copies of earlier releases are kept, of which pages
// that are open or cached somewhere still ask: as long as either says so.
type Retention struct {
	Releases int           // how many releases before the present one keep all that they had
	Age      time.Duration // for how long after a release that does not need a copy
}

// keeps reports whether e, which the present release needs no more, stays.
func (r Retention) keeps(e entry, release int, now time.Time) bool {
	return release-e.Release <= r.Releases || now.Sub(e.Until) < r.Age
}

// Clean removes the copies of earlier releases that need not be kept any more,
// with their precompressed variants, and returns their names, sorted. It is for
// after the pages that refer to new ones are in place. Only what Write wrote is
// removed, as it was written; directories stay.
func (l *Ledger) Clean(ctx context.Context, keep Retention) (removed []string, err error) {
	err = l.locked(ctx, func(root *os.Root, save func(book) error) error {
		b, now := l.book, time.Now()
		b.Copies = maps.Clone(b.Copies)
		for _, name := range slices.Sorted(maps.Keys(b.Copies)) {
			e := b.Copies[name]
			if e.Until.IsZero() || keep.keeps(e, b.Release, now) {
				continue
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			there, ours, err := e.inspect(root, name)
			switch {
			case err != nil:
				return err
			case there && !ours:
				e.Foreign = true
				b.Copies[name] = e
				continue
			case there:
				if err := removeCopy(root, name); err != nil {
					return err
				}
				removed = append(removed, name)
			}
			delete(b.Copies, name)
		}
		return save(b)
	})
	if err != nil {
		return removed, fmt.Errorf("clean copies: %w", err)
	}
	return removed, nil
}

// inspect reports whether there is a file under a copy's name, and whether it is
// the copy.
func (e entry) inspect(root *os.Root, name string) (there, ours bool, err error) {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil || e.Foreign || !info.Mode().IsRegular() {
		return true, false, err
	}
	is, err := digestIn(root, name)
	return true, is == e.Digest, err
}

// removeCopy removes a copy after its variants: it is in the ledger, and they are
// not.
func removeCopy(root *os.Root, name string) error {
	for _, c := range codings {
		info, err := root.Lstat(name + c.ext)
		if err == nil && info.Mode().IsRegular() {
			err = root.Remove(name + c.ext)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return root.Remove(name)
}
