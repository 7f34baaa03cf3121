package assets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Inherit takes over the copies in another directory, that of a release which
// visitors have, or had, under the same URLs: its pages are still open or cached
// somewhere. Here they count as copies of an earlier release, until Clean removes
// them. Where a file has the name of one, it stays. Without a ledger in the other
// directory there is nothing to take over.
func (l *Ledger) Inherit(ctx context.Context, dir string) (names []string, err error) {
	if _, err := os.Lstat(filepath.Join(dir, LedgerName)); err != nil {
		return nil, ignoreMissing(err)
	}
	other, err := OpenLedger(dir)
	if err != nil {
		return nil, err
	}
	from, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer from.Close() // only a descriptor
	err = l.locked(ctx, func(root *os.Root, save func(book) error) error {
		p := placing{root: root}
		b := l.book
		b.Copies = maps.Clone(b.Copies)
		b.Release = max(b.Release, other.book.Release)
		var todo []string
		for name, e := range other.book.Copies {
			if _, known := b.Copies[name]; known || e.Foreign {
				continue
			}
			if _, err := root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
				continue
			}
			e.Size, e.Changed = 0, time.Time{} // known only once it is here
			todo, b.Copies[name] = append(todo, name), e
		}
		if len(todo) == 0 {
			return nil
		}
		slices.Sort(todo)
		if err := save(b); err != nil {
			return err
		}
		b.Copies = maps.Clone(b.Copies)
		for _, name := range todo {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			e, ok, err := p.takeFrom(from, name, b.Copies[name])
			if err != nil {
				return err
			}
			if !ok {
				delete(b.Copies, name)
				continue
			}
			b.Copies[name], names = e, append(names, name)
		}
		return errors.Join(p.syncAll(), save(b))
	})
	if err != nil {
		return nil, fmt.Errorf("copies of %s: %w", dir, err)
	}
	return names, nil
}

// takeFrom makes the copy name of what it is in another directory. It is not ok
// when it is not there any more, or was changed.
func (p *placing) takeFrom(from *os.Root, name string, e entry) (_ entry, ok bool, err error) {
	file, err := from.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	defer file.Close() // only read
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return e, false, err
	}
	if err := p.root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return e, false, err
	}
	err = p.stage(name, e.Digest, false, func(to *os.File) (fs.FileInfo, error) {
		_, err := io.Copy(to, file)
		return info, err
	})
	if err != nil {
		err = errors.Join(err, remove(p.root, tempOf(name)))
		if errors.Is(err, errChanging) {
			err = nil // it was changed where it is
		}
		return e, false, err
	}
	if err := p.publish(name); err != nil {
		return e, false, err
	}
	if info, err = p.root.Lstat(name); err != nil {
		return e, false, err
	}
	return e.seen(info), true, nil
}
