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
	// that a web server serves.
	Dir string
	// Keep is how many backups of one file are kept, the newest; 0 keeps all.
	Keep int
}

// Backup is one saved copy.
type Backup struct {
	Path     string      // of the copy
	Original string      // absolute path of the file it is a copy of
	Time     time.Time   // when it was saved, UTC
	Mode     fs.FileMode // permission bits of the original
}

// Save writes what Open read of f into the store, by the same sequence as a
// replacement and as durable. The copy has the mode of the original without
// the bits for others, and its owner where this user may give it (without also
// the bits for the group where not). Then it removes the copies beyond Keep.
func (b *Backups) Save(f *File) (Backup, error) {
	s, err := b.open()
	if err != nil {
		return Backup{}, err
	}
	defer s.close()
	return s.save(f, true)
}

// List returns the backups of the file name, which need not exist any more,
// the oldest first.
func (b *Backups) List(name string) ([]Backup, error) {
	path, _, err := resolve(name, Options{Create: true, MkdirAll: true})
	if err != nil {
		return nil, fmt.Errorf("list backups of %q: %w", name, err)
	}
	entries, err := os.ReadDir(filepath.Join(b.Dir, path))
	if errors.Is(err, fs.ErrNotExist) {
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

// Restore puts the content of a copy back where it came from, by the same
// sequence as any replacement. What is there now is saved first, so that a
// restoration can be undone as well. The file keeps the mode and owner that it
// has; one that is gone is made anew, with the mode it had. It reports whether
// anything changed.
func (b *Backups) Restore(ctx context.Context, from Backup, o Options) (changed bool, err error) {
	data, err := from.Read()
	if err != nil {
		return false, err
	}
	o.Create, o.MkdirAll, o.Perm = true, true, from.Mode
	f, err := Open(from.Original, o)
	if err != nil {
		return false, err
	}
	if !f.Exists() {
		f.Chmod(from.Mode)
	}
	batch := Batch{Backups: b}
	batch.Add(f, data)
	changed = batch.Len() > 0
	if err := batch.Commit(ctx); err != nil {
		return false, err
	}
	return changed, nil
}

// Read returns the content of the copy.
func (b Backup) Read() ([]byte, error) {
	f, err := Open(b.Path, Options{NoFollow: true})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !f.regular() {
		return nil, fmt.Errorf("read backup %q: %w", b.Path, ErrNotRegular)
	}
	return f.Data(), nil
}

// Originals returns the absolute paths, sorted, of the files of which backups
// are kept. The files themselves need not exist any more.
func (b *Backups) Originals() ([]string, error) {
	var all []string
	err := filepath.WalkDir(b.Dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // there is none yet, or it is being pruned
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(b.Dir, filepath.Dir(path))
		if _, ok := parseBackup(d.Name()); !ok || err != nil {
			return err
		}
		if original := "/" + rel; len(all) == 0 || all[len(all)-1] != original {
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
	return Backup{Time: t, Mode: fs.FileMode(mode & 0o777)}, true
}

// store is an open backup directory.
type store struct {
	Backups
	root *dir
}

func (b *Backups) open() (*store, error) {
	fail := func(err error) (*store, error) {
		return nil, fmt.Errorf("open backup directory %q: %w", b.Dir, err)
	}
	if b.Dir == "" {
		return fail(fs.ErrNotExist)
	}
	p, err := locate(b.Dir, Options{Create: true, MkdirAll: true})
	if err != nil {
		return fail(err)
	}
	root, err := p.dir.descend(append(p.missing, p.base), true)
	p.dir.close()
	if err != nil {
		return fail(err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(root.fd(), &st); err == nil && st.Mode&0o077 != 0 {
		err = unix.Fchmod(root.fd(), 0o700)
	}
	if err != nil {
		root.close()
		return fail(err)
	}
	return &store{Backups{Dir: root.path, Keep: b.Keep}, root}, nil
}

func (s *store) close() error { return s.root.close() }

func (s *store) save(f *File, sync bool) (Backup, error) {
	backup, err := s.write(f, sync)
	if err != nil {
		return Backup{}, fmt.Errorf("back up %q: %w", f.Path(), err)
	}
	return backup, nil
}

func (s *store) write(f *File, sync bool) (Backup, error) {
	if !f.regular() {
		return Backup{}, ErrNotRegular
	}
	d, err := s.root.descend(strings.Split(strings.Trim(f.Path(), "/"), "/"), sync)
	if err != nil {
		return Backup{}, err
	}
	defer d.close()
	old, err := s.List(f.Path())
	if err != nil {
		return Backup{}, err
	}
	at := time.Now().UTC()
	if n := len(old); n > 0 && !at.After(old[n-1].Time) {
		at = old[n-1].Time.Add(1) // the clock went back, or is coarse
	}
	mode := f.id.mode & 0o7777
	name := backupName(at, mode)
	if err := s.place(f, d, name, sync); err != nil {
		return Backup{}, err
	}
	s.prune(f, d, old)
	return Backup{Path: d.join(name), Original: f.Path(), Time: at, Mode: fs.FileMode(mode & 0o777)}, nil
}

// place writes the copy as a replacement of f would be written, but in d.
func (s *store) place(f *File, d *dir, name string, sync bool) error {
	twin := *f
	twin.place = place{dir: d, base: name}
	twin.opts.Owner = OwnerBestEffort
	twin.opts.Warn = nil
	perm := f.id.mode & 0o770
	if unix.Geteuid() != 0 && f.id.gid != uint32(unix.Getegid()) {
		perm &= 0o700 // the group may not be ours to give
	}
	twin.perm = &perm
	temp, _, err := twin.stageData(f.data, sync)
	if err == nil {
		err = d.rename(temp, name, unix.RENAME_NOREPLACE)
		if noFlags(err) {
			err = d.rename(temp, name, 0)
		}
	}
	if err != nil {
		if temp != "" {
			err = errors.Join(err, ignoreMissing(d.unlink(temp)))
		}
		return err
	}
	if sync {
		return d.sync()
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// prune removes the oldest copies, so that with the new one Keep are left.
func (s *store) prune(f *File, d *dir, old []Backup) {
	if s.Keep <= 0 || len(old) < s.Keep {
		return
	}
	for _, b := range old[:len(old)-s.Keep+1] {
		if err := ignoreMissing(d.unlink(filepath.Base(b.Path))); err != nil {
			f.opts.warn(fmt.Sprintf("old backup not removed: %v", err))
		}
	}
}
