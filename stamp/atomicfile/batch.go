package atomicfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// manyFiles is the number of files in a batch from which one syncfs per file
// system is cheaper than an fsync per file.
const manyFiles = 16

// Batch changes several files together: either all of them or, as long as the
// process lives, none. The zero value is ready. It is not safe for concurrent
// use, and it is used once.
type Batch struct {
	// Backups, if not nil, keeps a copy of each regular file before it is
	// changed or removed.
	Backups *Backups

	entries []*entry
	dirs    map[dirID]*dir
	opened  map[parent]*dir // by Batch.Open
	store   *store          // of Backups, open until Close
	made    []madeDir
	errs    []error
}

type dirID struct{ dev, ino uint64 }

// parent is a directory as the name of a file has it, and the root that it was
// found to lie under.
type parent struct{ name, root string }

type madeDir struct {
	parent *dir
	name   string
}

// Open is the function Open for a file that may go into b. Files of one directory
// share its descriptor, which b keeps until Commit or Close: the File is of no use
// after that.
func (b *Batch) Open(name string, o Options) (*File, error) {
	if b.opened == nil {
		b.opened = make(map[parent]*dir)
	}
	return openIn(name, o, b.opened)
}

// Add puts data in the place of f's content when the batch is committed. A
// file that has this content and the wanted mode already is dropped, and
// nothing of it is touched. The batch closes f; data belongs to the batch until
// Commit returns.
func (b *Batch) Add(f *File, data []byte) {
	if f.closed {
		b.errs = append(b.errs, fmt.Errorf("replace %q: %w", f.name, fs.ErrClosed))
		return
	}
	same := f.regular() && bytes.Equal(f.data, data) && (f.perm == nil || *f.perm == f.bits())
	if same {
		f.Close()
		return
	}
	b.take(&entry{op: replace, file: f, data: data})
}

// Symlink makes name a symbolic link to target when the batch is committed,
// in the place of a link or regular file of that name. The link appears at
// once: there is no moment without one. Options.Create and NoFollow are implied.
// A link that leads there already is dropped.
func (b *Batch) Symlink(name, target string, o Options) {
	o.Create, o.NoFollow = true, true
	f, err := Open(name, o)
	if err != nil {
		b.errs = append(b.errs, err)
		return
	}
	if f.exists && !f.regular() && f.link == target {
		f.Close()
		return
	}
	b.take(&entry{op: symlink, file: f, target: target})
}

// Remove removes the file or the symbolic link name, not what it points to,
// when the batch is committed, after everything else. A missing name is dropped.
// Directories stay, also when they become empty.
func (b *Batch) Remove(name string, o Options) {
	o.Create, o.NoFollow = false, true
	f, err := Open(name, o)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		b.errs = append(b.errs, err)
		return
	}
	b.take(&entry{op: remove, file: f})
}

// take owns the entry's directory from now on. Files of one directory share
// one descriptor: a batch of thousands must not run out of them.
func (b *Batch) take(e *entry) {
	e.file.closed = true
	e.file.dir = b.share(e.file.dir)
	b.entries = append(b.entries, e)
}

func (b *Batch) share(d *dir) *dir {
	id := dirID{d.dev, d.ino}
	if have, ok := b.dirs[id]; ok {
		if have != d && !d.shared {
			d.close()
		}
		return have
	}
	if b.dirs == nil {
		b.dirs = make(map[dirID]*dir)
	}
	b.dirs[id] = d
	return d
}

// Len returns the number of changes that Commit would make.
func (b *Batch) Len() int { return len(b.entries) }

// Close lets go of what the batch holds open, for a batch that is not
// committed. It may be called again and after Commit.
func (b *Batch) Close() error {
	var errs []error
	for _, d := range b.dirs {
		errs = append(errs, d.close())
	}
	for _, d := range b.opened {
		errs = append(errs, d.close())
	}
	if b.store != nil {
		errs = append(errs, b.store.close())
	}
	b.dirs, b.opened, b.entries, b.store = nil, nil, nil, nil
	return errors.Join(errs...)
}

// Commit makes the changes: backups are saved and synced, every temporary file
// is written and synced, every original is looked at again, and only then are
// all put in place in the order they were added, and removals last. Each
// directory is synced once. When Commit returns nil the new content is durable.
//
// A failure anywhere puts every file back as it was and removes every temporary
// file; should putting back fail too, the error names what could not be put
// back and where its earlier content is. A cancelled ctx stops it before the
// first file is put in place, and not after.
//
// Errors: ErrChanged, ErrOwner, ErrBusy, those of the errors that Symlink and
// Remove met, and those of the file system, which errors.Is finds by their
// number (syscall.ENOSPC).
func (b *Batch) Commit(ctx context.Context) (err error) {
	defer b.Close() // unlocks
	if err := b.ready(ctx); err != nil {
		return err
	}
	defer func() { err = b.settle(err) }()
	if err := b.backup(ctx); err != nil {
		return err
	}
	if err := b.stage(ctx); err != nil {
		return err
	}
	if err := b.lock(ctx); err != nil {
		return err
	}
	for _, e := range b.ordered() {
		if err := e.apply(); err != nil {
			return e.explain(err)
		}
	}
	for _, e := range b.entries {
		e.drop()
	}
	return b.syncDirs()
}

// ready refuses what cannot work before anything is touched.
func (b *Batch) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := errors.Join(b.errs...); err != nil {
		return err
	}
	seen := make(map[target]bool, len(b.entries))
	for _, e := range b.entries {
		at := target{e.file.dir, filepath.Join(filepath.Join(e.file.missing...), e.file.base)}
		if seen[at] {
			return fmt.Errorf("%s %q: twice in one batch", e.op, e.file.Path())
		}
		seen[at] = true
		if err := e.possible(b.Backups != nil); err != nil {
			return e.explain(err)
		}
	}
	return nil
}

// target is what an entry changes: a name in an open directory, or below it.
type target struct {
	dir  *dir
	name string
}

func (b *Batch) ordered() []*entry {
	var first, last []*entry
	for _, e := range b.entries {
		if e.op == remove {
			last = append(last, e)
		} else {
			first = append(first, e)
		}
	}
	return append(first, last...)
}

func (b *Batch) many() bool { return len(b.entries) >= manyFiles && syncfsTells() }

func (b *Batch) backup(ctx context.Context) (err error) {
	if b.Backups == nil || len(b.entries) == 0 {
		return nil
	}
	if b.store, err = b.Backups.open(); err != nil {
		return err
	}
	var changed []*entry
	var files []*File
	for _, e := range b.entries {
		if e.file.regular() {
			changed, files = append(changed, e), append(files, e.file)
		}
	}
	copies, err := b.store.saveAll(ctx, files)
	for i, c := range copies {
		changed[i].copy = c
	}
	return err
}

func (b *Batch) stage(ctx context.Context) error {
	for _, e := range b.entries {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := b.makeDirs(e.file); err != nil {
			return e.explain(err)
		}
		if err := e.stage(!b.many()); err != nil {
			return e.explain(err)
		}
	}
	if !b.many() {
		return nil
	}
	return b.syncFileSystems()
}

// makeDirs makes the missing directories of f and moves f into the last.
func (b *Batch) makeDirs(f *File) error {
	for len(f.missing) > 0 {
		name := f.missing[0]
		sub, made, err := f.dir.mkdir(name, 0o777)
		if made {
			b.made = append(b.made, madeDir{f.dir, name})
		}
		if err != nil {
			return err
		}
		f.dir, f.missing = b.share(sub), f.missing[1:]
	}
	return nil
}

// lock keeps other batches out and looks at every original again.
func (b *Batch) lock(ctx context.Context) error {
	dirs := make([]*dir, 0, len(b.dirs))
	for _, d := range b.dirs {
		dirs = append(dirs, d)
	}
	if len(dirs) == 0 {
		return nil
	}
	if err := lockDirs(ctx, dirs, b.entries[0].file.opts.warn); err != nil {
		return err
	}
	for _, e := range b.entries {
		if err := e.file.verify(); err != nil {
			return e.explain(err)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (b *Batch) syncDirs() error {
	if len(b.dirs) >= manyFiles && syncfsTells() {
		return b.syncFileSystems()
	}
	for _, d := range b.dirs {
		if err := d.sync(); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) syncFileSystems() error {
	done := make(map[uint64]bool)
	for _, d := range b.dirs {
		if done[d.dev] {
			continue
		}
		done[d.dev] = true
		if err := d.syncfs(); err != nil {
			return err
		}
	}
	return nil
}

// settle ends a commit: after an error it puts everything back, last change
// first; in any case it removes the temporary files, and the backups that are
// not needed.
func (b *Batch) settle(err error) error {
	errs := []error{err}
	if err != nil {
		errs = append(errs, b.putBack()...)
	}
	for _, e := range b.entries {
		e.clean()
	}
	switch {
	case err == nil:
		b.eachCopy((*copied).prune, "old backup not removed")
	case len(errs) == 1:
		// Of what is in place again. In the long run these would push out the
		// backups that are of use.
		b.eachCopy((*copied).discard, "useless backup not removed")
	}
	if err != nil {
		b.unmake()
	}
	if len(errs) == 1 {
		return err
	}
	return errors.Join(errs...)
}

func (b *Batch) eachCopy(do func(*copied) error, failure string) {
	for _, e := range b.entries {
		if e.copy == nil {
			continue
		}
		if err := do(e.copy); err != nil {
			e.file.opts.warn(fmt.Sprintf("%s: %v", failure, err))
		}
	}
}

func (b *Batch) putBack() (errs []error) {
	ordered := b.ordered()
	touched := false
	for i := len(ordered) - 1; i >= 0; i-- {
		e := ordered[i]
		touched = touched || e.state != staged
		if err := e.undo(); err != nil {
			errs = append(errs, fmt.Errorf("put back %q: %w", e.file.Path(), err))
		}
	}
	if touched {
		if err := b.syncDirs(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// unmake removes the directories that were made, unless somebody uses them.
func (b *Batch) unmake() {
	for i := len(b.made) - 1; i >= 0; i-- {
		m := b.made[i]
		m.parent.rmdir(m.name)
	}
}
