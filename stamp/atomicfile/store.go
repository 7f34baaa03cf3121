package atomicfile

import (
	"context"
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
	p, err := locate(b.Dir, Options{Create: true, MkdirAll: true}, nil)
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
		if _, ok := parseBackup(d.Name()); !d.Type().IsRegular() || !ok && !isTempName(d.Name()) {
			return foreign
		}
		return nil
	})
	if err == foreign {
		return false, nil
	}
	return err == nil, err
}

// copied is a copy on its way into the store.
type copied struct {
	store   *store
	file    *File
	dir     *dir   // of all copies of the file
	temp    string // its name until it is entered
	saved   Backup // once it is entered
	crowded bool   // there are more copies then than are to be kept
}

// stage writes a copy of f under a temporary name.
func (s *store) stage(f *File, sync bool) (*copied, error) {
	c := &copied{store: s, file: f}
	if err := c.stage(sync); err != nil {
		return nil, c.explain(errors.Join(err, c.discard()))
	}
	return c, nil
}

func (c *copied) explain(err error) error {
	return fmt.Errorf("back up %q: %w", c.file.Path(), err)
}

func (c *copied) stage(sync bool) (err error) {
	top, path := c.store.root, c.file.Path()
	if !c.file.regular() {
		return ErrNotRegular
	}
	if rel, err := filepath.Rel(top.path, path); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("it lies in the backup directory %q itself", top.path)
	}
	if len(top.path)+len(path)+len(stampLayout)+len("/-0640\x00") > unix.PathMax {
		return fmt.Errorf("the path in the backup directory is too long: %w", unix.ENAMETOOLONG)
	}
	if c.dir, err = top.descend(elements(path), sync); err != nil {
		return err
	}
	c.temp, _, err = c.twin().stageData(c.file.data, sync)
	return err
}

// saveAll copies files into the store: their content is on the disk before it bears
// the name of a backup, also after a power cut. It returns the copies that it has
// made, with an error too: they are the caller's to discard.
func (s *store) saveAll(ctx context.Context, files []*File) (copies []*copied, err error) {
	many := len(files) >= manyFiles && syncfsTells()
	for _, f := range files {
		if ctx.Err() != nil {
			return copies, context.Cause(ctx)
		}
		c, err := s.stage(f, !many)
		if err != nil {
			return copies, err
		}
		copies = append(copies, c)
		if many {
			err = c.close()
		} else {
			err = c.enter(true)
		}
		if err != nil {
			return copies, err
		}
	}
	if !many {
		return copies, nil
	}
	if err := s.root.syncfs(); err != nil {
		return copies, err
	}
	for _, c := range copies {
		if err := c.enter(false); err != nil {
			return copies, err
		}
	}
	return copies, s.root.syncfs()
}

// enter gives the copy its name.
func (c *copied) enter(sync bool) error {
	err := c.open()
	if err == nil {
		err = c.name()
	}
	if err == nil && sync {
		err = c.dir.sync()
	}
	if err != nil {
		return c.explain(errors.Join(err, c.discard()))
	}
	return c.close()
}

func (c *copied) open() (err error) {
	if c.dir == nil {
		c.dir, err = c.store.root.descend(elements(c.file.Path()), false)
	}
	return err
}

// close lets go of the directory: a batch of thousands must not run out of
// descriptors.
func (c *copied) close() error {
	if c.dir == nil {
		return nil
	}
	d := c.dir
	c.dir = nil
	return d.close()
}

// name chooses a time after that of every older copy.
func (c *copied) name() error {
	names, err := c.dir.names()
	if err != nil {
		return err
	}
	at, older := time.Now().UTC(), 0
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
		name := backupName(at, c.file.bits())
		if err = c.dir.renameNew(c.temp, name); err == nil {
			c.saved, _ = parseBackup(name)
			c.saved.Path, c.saved.Original = c.dir.join(name), c.file.Path()
			c.temp, c.crowded = "", c.store.Keep > 0 && older >= c.store.Keep
			return nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return err
		}
		at = at.Add(1) // somebody else was as quick
	}
	return err
}

// discard removes the copy.
func (c *copied) discard() error {
	name := c.temp
	if c.saved.Path != "" {
		name = c.saved.ID()
	}
	if name == "" {
		return c.close()
	}
	err := c.open()
	if err == nil {
		err = ignoreMissing(c.dir.unlink(name))
	}
	c.temp, c.saved = "", Backup{}
	return errors.Join(err, c.close())
}

// prune removes the oldest copies of the file beyond those to be kept.
func (c *copied) prune() error {
	if !c.crowded {
		return nil
	}
	if err := c.open(); err != nil {
		return err
	}
	copies, err := c.dir.copies()
	errs := []error{err}
	for ; len(copies) > c.store.Keep; copies = copies[1:] {
		errs = append(errs, ignoreMissing(c.dir.unlink(copies[0])))
	}
	return errors.Join(append(errs, c.close())...)
}

// copies are the names of the copies in d, the oldest first.
func (d *dir) copies() (copies []string, err error) {
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		if _, ok := parseBackup(name); !ok {
			continue
		}
		at, err := d.look(name)
		if err != nil {
			return nil, err
		}
		if at.is(unix.S_IFREG) { // and not the directory of a file that lies below this one's name
			copies = append(copies, name)
		}
	}
	return copies, nil
}

// twin is the file as its copy will look.
func (c *copied) twin() *File {
	twin := *c.file
	twin.place = place{dir: c.dir, base: c.file.base}
	twin.opts.Owner = OwnerBestEffort
	twin.opts.Warn = nil
	perm := twin.mode & 0o770
	if unix.Geteuid() != 0 && twin.gid != uint32(unix.Getegid()) {
		perm &= 0o700 // the group may not be ours to give
	}
	twin.perm = &perm
	return &twin
}

func elements(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
