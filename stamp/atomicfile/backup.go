package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stampLayout sorts as text in the order of time.
const stampLayout = "20060102T150405.000000000Z"

// Backups is a store of earlier contents. The backups of /srv/shop/config.php
// are files in Dir/srv/shop/config.php/ that are named for their UTC time and
// the permission bits of the original, "20261123T101500.000000000Z-0640": they
// sort by time, and their path leads back to what they are copies of.
//
// It holds no state: values may be copied and used at the same time by several
// goroutines and processes.
type Backups struct {
	// Dir is made, and kept, with mode 0700. It belongs outside of everything
	// that a web server serves, for the server may be of the same user. One
	// that others may enter is taken only when it is empty or a store already,
	// and one that the files themselves lie in is refused.
	Dir string
	// Keep is how many backups of one file are kept, the newest; 0 keeps all.
	Keep int
}

// Backup is one saved copy.
type Backup struct {
	Path     string      // of the copy
	Original string      // absolute path of the file it is a copy of
	Time     time.Time   // when it was saved, UTC
	Mode     fs.FileMode // permission bits of the original, with set-user-ID and its like
}

// ID is the name of the copy among those of one file, as Backups.Find takes it.
func (b Backup) ID() string { return filepath.Base(b.Path) }

// Save writes what Open read of f into the store, by the same sequence as a
// replacement and as durable. The copy has the mode of the original without
// the bits for others, and its owner where this user may give it (without also
// the bits for the group where not). Then it removes the copies beyond Keep.
//
// A Batch with Backups does the same, and removes nothing before it succeeded.
func (b *Backups) Save(f *File) (Backup, error) {
	saved, err := b.SaveAll(context.Background(), []*File{f})
	if err != nil {
		return Backup{}, err
	}
	return saved[0], nil
}

// SaveAll is Save of several files, in their order: all of them, or none. For many
// it costs a sync of the store's file system instead of several of each.
func (b *Backups) SaveAll(ctx context.Context, files []*File) ([]Backup, error) {
	s, err := b.open()
	if err != nil {
		return nil, err
	}
	defer s.close()
	copies, err := s.saveAll(ctx, files)
	if err != nil {
		errs := []error{err}
		for _, c := range copies {
			errs = append(errs, c.discard())
		}
		return nil, errors.Join(errs...)
	}
	saved := make([]Backup, len(copies))
	for i, c := range copies {
		saved[i] = c.saved
		if err := c.prune(); err != nil {
			c.file.opts.warn(fmt.Sprintf("old backup not removed: %v", err))
		}
	}
	return saved, nil
}

// List returns the backups of the file name, which need not exist any more,
// the oldest first.
func (b *Backups) List(name string) ([]Backup, error) {
	list, err := b.list(name, false)
	if len(list) > 0 {
		return list, nil
	}
	// What is a link today was a file once, perhaps.
	if list, err2 := b.list(name, true); len(list) > 0 || err == nil {
		return list, err2
	}
	return nil, err
}

func (b *Backups) list(name string, noFollow bool) ([]Backup, error) {
	path, err := absolute(name)
	if err == nil {
		path, _, err = resolve(path, Options{Create: true, MkdirAll: true, NoFollow: noFollow})
	}
	if err != nil {
		return nil, fmt.Errorf("list backups of %q: %w", name, err)
	}
	entries, err := os.ReadDir(filepath.Join(b.Dir, path))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list backups of %q: %w", name, err)
	}
	var list []Backup
	for _, e := range entries { // sorted by name, which is by time
		if backup, ok := parseBackup(e.Name()); ok && e.Type().IsRegular() {
			backup.Path, backup.Original = filepath.Join(b.Dir, path, e.Name()), path
			list = append(list, backup)
		}
	}
	return list, nil
}

// Find returns the one backup of the file name whose ID begins with id, or
// whose time is id in the format of RFC 3339. Colons and hyphens do not matter,
// so that "2026-11-23T10:15" finds it too. An error that matches
// fs.ErrNotExist says that there is none.
func (b *Backups) Find(name, id string) (Backup, error) {
	list, err := b.List(name)
	if err != nil {
		return Backup{}, err
	}
	plain := strings.NewReplacer(":", "", "-", "")
	at, notTime := time.Parse(time.RFC3339Nano, id)
	var found []Backup
	for _, have := range list {
		if have.ID() == id || notTime == nil && have.Time.Equal(at) {
			return have, nil
		}
		if strings.HasPrefix(plain.Replace(have.ID()), plain.Replace(id)) {
			found = append(found, have)
		}
	}
	switch len(found) {
	case 0:
		return Backup{}, fmt.Errorf("backup %q of %q: %w", id, name, fs.ErrNotExist)
	case 1:
		return found[0], nil
	}
	return Backup{}, fmt.Errorf("backup %q of %q: %d begin so, from %s to %s", id, name, len(found), found[0].ID(), found[len(found)-1].ID())
}

// Originals returns the absolute paths of all files that have backups in the
// store, sorted; none when there is no store.
func (b *Backups) Originals() ([]string, error) {
	var all []string
	err := filepath.WalkDir(b.Dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // there is none yet, or it is being pruned
		}
		if err != nil {
			return err
		}
		original := "/" + strings.TrimPrefix(strings.TrimPrefix(filepath.Dir(path), filepath.Clean(b.Dir)), "/")
		if _, ok := parseBackup(d.Name()); ok && d.Type().IsRegular() {
			all = append(all, original)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Restore puts the content of a copy back where it came from, by the same
// sequence as any replacement. What is there now is saved first, so that a
// restoration can be undone as well. The file keeps the mode and owner that it
// has; one that is gone is made anew, with the mode it had and the owner and
// attributes of the copy. It reports whether anything changed.
func (b *Backups) Restore(ctx context.Context, from Backup, o Options) (changed bool, err error) {
	saved, err := from.open()
	if err != nil {
		return false, err
	}
	defer saved.Close()
	o.Create, o.MkdirAll = true, true
	f, err := Open(from.Original, o)
	if err != nil {
		return false, err
	}
	if !f.Exists() {
		bits := unixMode(from.Mode)
		f.like, f.perm = saved, &bits
	}
	batch := Batch{Backups: b}
	batch.Add(f, saved.Data())
	changed = batch.Len() > 0
	if err := batch.Commit(ctx); err != nil {
		return false, err
	}
	return changed, nil
}

// Read returns the content of the copy.
func (b Backup) Read() ([]byte, error) {
	f, err := b.open()
	if err != nil {
		return nil, err
	}
	return f.Data(), f.Close()
}

func (b Backup) open() (*File, error) {
	f, err := Open(b.Path, Options{NoFollow: true, MaxSize: -1})
	if err != nil {
		return nil, err
	}
	if !f.regular() {
		f.Close()
		return nil, fmt.Errorf("read backup %q: %w", b.Path, ErrNotRegular)
	}
	return f, nil
}

func backupName(t time.Time, mode uint32) string {
	return fmt.Sprintf("%s-%04o", t.Format(stampLayout), mode)
}

func parseBackup(name string) (Backup, bool) {
	stamp, bits, ok := strings.Cut(name, "-")
	if !ok {
		return Backup{}, false
	}
	t, err := time.Parse(stampLayout, stamp)
	mode, err2 := strconv.ParseUint(bits, 8, 12)
	if err != nil || err2 != nil {
		return Backup{}, false
	}
	return Backup{Time: t, Mode: fileMode(uint32(mode))}, true
}
