package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

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
	s := &store{Backups{Dir: root.path, Keep: b.Keep}, root}
	if err := s.tighten(); err != nil {
		s.close()
		return fail(err)
	}
	return s, nil
}

func (s *store) close() error { return s.root.close() }

// tighten keeps others out. It does so to nobody's directory: a document root
// that was named by mistake would be taken off the net.
func (s *store) tighten() error {
	if s.root.mode&0o077 == 0 {
		return nil
	}
	ours, err := s.ours()
	if err != nil {
		return err
	}
	if !ours {
		return fmt.Errorf("mode %04o lets others in, and it holds what is no backup: name a directory of its own", s.root.bits())
	}
	return retry(func() error { return unix.Fchmod(s.root.fd, 0o700) })
}

// ours reports whether nothing but backups is in the directory.
func (s *store) ours() (bool, error) {
	foreign := errors.New("foreign")
	err := filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if _, ok := parseBackup(d.Name()); !d.Type().IsRegular() || !ok && !tempPattern.MatchString(d.Name()) {
			return foreign
		}
		return nil
	})
	if err == foreign {
		return false, nil
	}
	return err == nil, err
}

// save reports also whether there are now more copies than are to be kept.
func (s *store) save(f *File, sync bool) (saved Backup, crowded bool, err error) {
	saved, crowded, err = s.write(f, sync)
	if err != nil {
		return Backup{}, false, fmt.Errorf("back up %q: %w", f.Path(), err)
	}
	return saved, crowded, nil
}

func (s *store) write(f *File, sync bool) (saved Backup, crowded bool, err error) {
	if !f.regular() {
		return saved, false, ErrNotRegular
	}
	if rel, err := filepath.Rel(s.root.path, f.Path()); err == nil && filepath.IsLocal(rel) {
		return saved, false, fmt.Errorf("it lies in the backup directory %q itself", s.root.path)
	}
	if len(s.root.path)+len(f.Path())+len(stampLayout)+len("/-0640\x00") > unix.PathMax {
		return saved, false, fmt.Errorf("the path in the backup directory is too long: %w", unix.ENAMETOOLONG)
	}
	d, err := s.root.descend(elements(f.Path()), sync)
	if err != nil {
		return saved, false, err
	}
	defer d.close()
	temp, _, err := twin(f, d).stageData(f.data, sync)
	if err != nil {
		return saved, false, errors.Join(err, d.discard(temp))
	}
	name, older, err := enter(d, temp, f.bits())
	if err != nil {
		return saved, false, errors.Join(err, d.discard(temp))
	}
	if sync {
		if err := d.sync(); err != nil {
			return saved, false, errors.Join(err, d.discard(name))
		}
	}
	saved, _ = parseBackup(name)
	saved.Path, saved.Original = d.join(name), f.Path()
	return saved, s.Keep > 0 && older >= s.Keep, nil
}

// twin is f as a file of d, as its copy will look.
func twin(f *File, d *dir) *File {
	twin := *f
	twin.place = place{dir: d, base: f.base}
	twin.opts.Owner = OwnerBestEffort
	twin.opts.Warn = nil
	perm := f.mode & 0o770
	if unix.Geteuid() != 0 && f.gid != uint32(unix.Getegid()) {
		perm &= 0o700 // the group may not be ours to give
	}
	twin.perm = &perm
	return &twin
}

// enter gives a copy its name, of a time after that of every older one.
func enter(d *dir, temp string, mode uint32) (name string, older int, err error) {
	names, err := d.names()
	if err != nil {
		return "", 0, err
	}
	at := time.Now().UTC()
	for _, name := range names {
		have, ok := parseBackup(name)
		if !ok {
			continue
		}
		older++
		if !at.After(have.Time) {
			at = have.Time.Add(1) // the clock went back, or is coarse
		}
	}
	for range interrupts {
		name = backupName(at, mode)
		if err = d.renameNew(temp, name); !errors.Is(err, unix.EEXIST) {
			break
		}
		at = at.Add(1) // somebody else was as quick
	}
	return name, older, err
}

// discard removes a file that came to nothing; an empty name is none.
func (d *dir) discard(name string) error {
	if name == "" {
		return nil
	}
	return ignoreMissing(d.unlink(name))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// prune removes the oldest copies of f beyond Keep.
func (s *store) prune(f *File) {
	err := s.in(f, func(d *dir) error {
		names, err := d.names()
		if err != nil {
			return err
		}
		slices.Sort(names)
		var copies []string
		for _, name := range names {
			if _, ok := parseBackup(name); !ok {
				continue
			}
			at, err := d.look(name)
			if err != nil {
				return err
			}
			if at.is(unix.S_IFREG) { // and not the directory of a file that lies below f's name
				copies = append(copies, name)
			}
		}
		var errs []error
		for ; len(copies) > s.Keep; copies = copies[1:] {
			errs = append(errs, d.discard(copies[0]))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		f.opts.warn(fmt.Sprintf("old backup not removed: %v", err))
	}
}

// forget removes a copy.
func (s *store) forget(f *File, saved Backup) {
	if err := s.in(f, func(d *dir) error { return d.discard(saved.ID()) }); err != nil {
		f.opts.warn(fmt.Sprintf("useless backup not removed: %v", err))
	}
}

// in opens the directory of f's copies for do.
func (s *store) in(f *File, do func(*dir) error) error {
	d, err := s.root.descend(elements(f.Path()), false)
	if err != nil {
		return err
	}
	defer d.close()
	return do(d)
}

func elements(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }
