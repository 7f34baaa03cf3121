package assets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"revstamp/stamp/atomicfile"
)

// manyFiles is the number of files from which one syncfs is cheaper than an fsync
// of each.
const manyFiles = 16

// Write makes the directory hold all of these copies, which are those of a new
// release, and returns the names of those that were not there. When it returns,
// they are durable, and whatever refers to them may be put in place. Copies of
// earlier releases stay until Clean is called; a set that is the same as the last
// one is no new release, and costs a stat for each copy.
//
// A copy has the permission bits, the owner and the modification time of its
// original. It shares the original's blocks where the file system can do that, and
// is no hard link: somebody who edits the original in place would change what lies
// under a URL that promises never to change. What is written is digested once more,
// so that an original that changes meanwhile is an error, and appears under its
// name whole and at once.
//
// A file that is there already and holds the same is left, and never removed. One
// that holds something else is an error, and so is a copy that was changed. After
// an error some of the copies may be there, and nothing refers to them.
func (l *Ledger) Write(ctx context.Context, copies []Copy) (written []string, err error) {
	err = l.locked(ctx, func(root *os.Root, save func(book) error) error {
		p := placing{root: root, copies: copies, entries: make([]entry, len(copies)), now: time.Now().UTC()}
		if err := p.look(ctx, l.book); err != nil {
			return err
		}
		if len(p.todo) > 0 {
			if err := save(p.intended(l.book)); err != nil {
				return err
			}
			if err := p.place(ctx); err != nil {
				return err
			}
		}
		for _, i := range p.todo {
			written = append(written, copies[i].Name)
		}
		return save(p.done(l.book))
	})
	if err != nil {
		return nil, fmt.Errorf("copies: %w", err)
	}
	return written, nil
}

// placing is one call of Write.
type placing struct {
	root    *os.Root
	copies  []Copy
	entries []entry // of the copies
	todo    []int   // those that are not there
	now     time.Time
}

// look finds out which copies are there.
func (p *placing) look(ctx context.Context, b book) error {
	missing := make([]bool, len(p.copies))
	err := each(ctx, len(p.copies), func(i int) (err error) {
		missing[i], err = p.lookAt(i, b)
		return err
	})
	for i, m := range missing {
		if m {
			p.todo = append(p.todo, i)
		}
	}
	return err
}

func (p *placing) lookAt(i int, b book) (missing bool, err error) {
	c := p.copies[i]
	sum, err := c.digest()
	if err != nil {
		return false, err
	}
	e, known := b.Copies[c.Name]
	want := hex.EncodeToString(sum)
	info, err := p.root.Lstat(c.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.entries[i] = entry{Of: c.Path, Digest: want}
		return true, nil
	case err != nil:
		return false, err
	case known && e.Digest == want && e.is(info):
		p.entries[i] = e
		return false, nil
	case info.Mode().IsRegular():
		is, err := digestIn(p.root, c.Name)
		if err != nil {
			return false, err
		}
		if is == want {
			p.entries[i] = entry{Of: c.Path, Digest: want, Foreign: !known || e.Foreign}.seen(info)
			return false, nil
		}
	}
	if known {
		return false, fmt.Errorf("%q was changed since it was written as a copy of %q: move it away", c.Name, c.Path)
	}
	return false, fmt.Errorf("%q is no copy of %q, which should have that name: move it away", c.Name, c.Path)
}

// digestIn is the SHA-256 of a file.
func digestIn(root *os.Root, name string) (string, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// intended is the ledger with all that is going to be written.
func (p *placing) intended(b book) book {
	b.Copies = maps.Clone(b.Copies)
	for _, i := range p.todo {
		e := p.entries[i]
		e.Release = b.Release + 1
		b.Copies[p.copies[i].Name] = e
	}
	return b
}

// done is the ledger of the new release.
func (p *placing) done(b book) book {
	now := make(map[string]bool, len(p.copies))
	for _, c := range p.copies {
		now[c.Name] = true
	}
	before := maps.Clone(b.Copies)
	maps.DeleteFunc(before, func(_ string, e entry) bool { return !e.Until.IsZero() })
	b.Copies = maps.Clone(b.Copies)
	if len(p.todo) > 0 || len(before) != len(now) || slices.ContainsFunc(p.copies, func(c Copy) bool { _, ok := before[c.Name]; return !ok }) {
		b.Release++
	}
	for name, e := range before {
		if !now[name] {
			e.Until = p.now
			b.Copies[name] = e
		}
	}
	for i, c := range p.copies {
		e := p.entries[i]
		e.Release, e.Until = b.Release, time.Time{}
		b.Copies[c.Name] = e
	}
	return b
}

// place writes what is to do: all of it under temporary names, and then, once that
// is durable, each under its own.
func (p *placing) place(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			for _, i := range p.todo {
				remove(p.root, tempOf(p.copies[i].Name)) // the next run tries again
			}
		}
	}()
	dirs := make(map[string]bool)
	for _, i := range p.todo {
		dir := path.Dir(p.copies[i].Name)
		if !dirs[dir] {
			if err := p.root.MkdirAll(dir, 0o777); err != nil {
				return err
			}
		}
		for ; !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	one := len(p.todo) < manyFiles
	err = each(ctx, len(p.todo), func(n int) error {
		c := p.copies[p.todo[n]]
		if err := p.stage(c.Name, p.entries[p.todo[n]].Digest, one, c.fill); err != nil {
			return fmt.Errorf("copy %q: %w", c.Path, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !one {
		if err := p.syncAll(); err != nil {
			return err
		}
	}
	err = each(ctx, len(p.todo), func(n int) error {
		i := p.todo[n]
		if err := p.publish(p.copies[i].Name); err != nil {
			return err
		}
		info, err := p.root.Lstat(p.copies[i].Name)
		if err == nil {
			p.entries[i] = p.entries[i].seen(info)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !one {
		return p.syncAll()
	}
	for dir := range dirs {
		if err := p.syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// stage makes the temporary file of a copy. fill writes what it holds, and tells
// what the original is.
func (p *placing) stage(name, want string, sync bool, fill func(*os.File) (fs.FileInfo, error)) (err error) {
	temp := tempOf(name)
	f, err := p.root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	info, err := fill(f)
	if err != nil {
		return err
	}
	if err := verify(f, want); err != nil {
		return err
	}
	if err := takeOver(f, info); err != nil {
		return err
	}
	if err := p.root.Chtimes(temp, info.ModTime(), info.ModTime()); err != nil {
		return err
	}
	if sync {
		return f.Sync()
	}
	return nil
}

// fill writes what the copy holds to f, and tells what its original is.
func (c Copy) fill(f *os.File) (fs.FileInfo, error) {
	from, err := c.site.fs.Open(c.Path)
	if err != nil {
		return nil, err
	}
	defer from.Close() // only read
	info, err := from.Stat()
	if err != nil {
		return nil, err
	}
	data, err := c.Content()
	switch {
	case err != nil:
	case data != nil:
		_, err = f.Write(data)
	default:
		_, err = io.Copy(f, from) // by copy_file_range, which shares the blocks if it can
	}
	return info, err
}

var errChanging = errors.New("it changes while it is copied: release it again")

// verify wants f to hold what was digested.
func verify(f *os.File, want string) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != want {
		return errChanging
	}
	return nil
}

// takeOver gives f the permission bits and the owner of its original. Where that
// is not allowed, others must be able to read it.
func takeOver(f *os.File, info fs.FileInfo) error {
	perm := info.Mode().Perm()
	if perm == 0 {
		perm = 0o644 // of a file system that has none
	}
	is, ok := info.Sys().(*syscall.Stat_t)
	if ok && (int(is.Uid) != os.Geteuid() || int(is.Gid) != os.Getegid()) {
		err := f.Chown(int(is.Uid), int(is.Gid))
		if errors.Is(err, fs.ErrPermission) && perm&0o004 == 0 {
			return fmt.Errorf("%w: %w", atomicfile.ErrOwner, err)
		}
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return f.Chmod(perm)
}

// publish gives a whole file its name, which nobody has.
func (p *placing) publish(name string) error {
	temp := tempOf(name)
	err := p.root.Link(temp, name)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		// A file system without hard links.
		if _, err := p.root.Lstat(name); err == nil {
			return &fs.PathError{Op: "copy", Path: name, Err: fs.ErrExist}
		}
		return p.root.Rename(temp, name)
	}
	if err != nil {
		return err
	}
	return p.root.Remove(temp)
}

func (p *placing) syncDir(name string) error {
	d, err := p.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close() // only synced
	return d.Sync()
}

// syncAll writes out the whole file system.
func (p *placing) syncAll() error {
	d, err := p.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close() // only synced
	return unix.Syncfs(int(d.Fd()))
}
