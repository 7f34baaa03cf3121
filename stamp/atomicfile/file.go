package atomicfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is longer than the steps in which any file system counts time, two
// seconds being the longest: a file that changed within it can change again and
// look the same.
const clockTick = 3 * time.Second

// File is a file as Open found it. It is not safe for concurrent use.
type File struct {
	place
	name   string
	opts   Options
	exists bool
	info   // zero when nothing exists
	data   []byte
	link   string // where the symbolic link points that NoFollow keeps us from following
	attrs  []attr
	young  bool     // changed within clockTick before it was read
	perm   *uint32  // Chmod
	ours   identity // of what took its place
	like   *File    // what a file that does not exist takes everything but its content from
	closed bool     // the directory is closed, or a batch will close it
}

// Open resolves name, reads the file whole and remembers what it was. It
// refuses with ErrNotRegular what is not a regular file, and never blocks on
// it; with ErrOutsideRoot what lies outside Options.Root; with ErrTooLarge what
// is larger than Options.MaxSize; with ErrChanged a file that changes while it
// is read. A missing file is an error that matches fs.ErrNotExist, unless
// Options.Create. Nothing is written.
//
// The caller closes the File, or hands it to Batch.Add, which does.
func Open(name string, o Options) (*File, error) { return openIn(name, o, nil) }

// openIn is Open with the directories that are open already.
func openIn(name string, o Options, opened map[parent]*dir) (*File, error) {
	f, err := open(name, o, opened)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	return f, nil
}

func open(name string, o Options, opened map[parent]*dir) (*File, error) {
	p, err := locate(name, o, opened)
	if err != nil {
		return nil, err
	}
	f := &File{place: p, name: name, opts: o}
	if p.found != nil {
		f.exists, f.info = true, *p.found
		err = f.read()
	} else if !o.Create {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// read follows a look at the name: opening a device can already do something.
func (f *File) read() (err error) {
	switch {
	case f.is(unix.S_IFREG):
		return f.readRegular()
	case f.is(unix.S_IFLNK) && f.opts.NoFollow:
		f.link, err = f.dir.readlink(f.base)
		return err
	case f.is(unix.S_IFLNK):
		return ErrChanged // it was no link when the name was resolved
	}
	return fmt.Errorf("%s: %w", typeName(f.mode), ErrNotRegular)
}

func (f *File) readRegular() error {
	limit := f.opts.maxSize()
	if f.size > limit {
		return tooLarge(f.size, limit)
	}
	f.young = time.Since(time.Unix(0, max(f.ctime, f.mtime))) < clockTick
	// Non-blocking, should a FIFO have come between look and open.
	fd, err := f.dir.open(f.base, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, fs.ErrNotExist) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	defer closeFD(fd)
	data, readErr := readAll(fd, f.opts.memory(f.size+1), f.size, limit)
	attrs, attrsErr := readAttrs(fd)
	f.data, f.attrs = data, attrs
	// Whatever it was that was read, perhaps in vain: that it is the file and has
	// not changed is known only now.
	if err := f.unchanged(fd); err != nil {
		return err
	}
	return cmp.Or(f.dir.fail("read", f.base, readErr), f.dir.fail("read attributes of", f.base, attrsErr))
}

func tooLarge(size, limit int64) error {
	return fmt.Errorf("%d bytes, and the limit is %d: %w", size, limit, ErrTooLarge)
}

// unchanged fails with ErrChanged when fd is not the file that f remembers.
func (f *File) unchanged(fd int) error {
	now, err := look(fd, "")
	if err != nil {
		return f.dir.fail("stat", f.base, err)
	}
	if now.identity != f.identity {
		return ErrChanged
	}
	return nil
}

// verify looks again at the name and fails with ErrChanged when it is not what
// Open found.
func (f *File) verify() error {
	now, err := f.dir.look(f.base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if f.exists {
			return ErrChanged
		}
		return nil
	case err != nil:
		return err
	case !f.exists || now.identity != f.identity:
		return ErrChanged
	}
	return nil
}

// reread fails with ErrChanged unless name in f's directory has the content
// that f has, and as many bytes. Only a young file needs that: for others the
// clock tells.
func (f *File) reread(name string) error {
	if !f.young || !f.regular() {
		return nil
	}
	return f.holds(name, f.data)
}

// holds fails with ErrChanged unless the regular file name in f's directory,
// which has as many bytes as data, has that content.
func (f *File) holds(name string, data []byte) error {
	fd, err := f.dir.open(name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	same, err := readsAs(fd, data)
	if err != nil {
		return f.dir.fail("read", name, err)
	}
	if !same {
		return ErrChanged
	}
	return nil
}

// regular reports whether there is a regular file at the name.
func (f *File) regular() bool { return f.exists && f.is(unix.S_IFREG) }

// Name returns the name that was given to Open.
func (f *File) Name() string { return f.name }

// Path returns the absolute path of the file itself, after symbolic links.
func (f *File) Path() string {
	return filepath.Join(f.dir.path, filepath.Join(f.missing...), f.base)
}

// Data returns the content that Open read, nil for a missing file or a link
// that is not followed. It is shared: the caller must not modify it. It lies in
// Options.Memory, if there is one.
func (f *File) Data() []byte { return f.data[:len(f.data):len(f.data)] }

// Exists reports whether there was a file.
func (f *File) Exists() bool { return f.exists }

// Mode returns the permission bits of the file, with ModeSymlink for a link
// that is not followed, and zero for a missing file.
func (f *File) Mode() fs.FileMode {
	if !f.exists {
		return 0
	}
	mode := fileMode(f.mode)
	if !f.regular() {
		mode |= fs.ModeSymlink
	}
	return mode
}

// Chmod gives the replacement these permission bits instead of the file's own
// or of Options.Perm; umask does not lessen them. Nothing happens until a
// batch is committed.
func (f *File) Chmod(perm fs.FileMode) {
	bits := uint32(perm.Perm())
	f.perm = &bits
}

// Stat is what stat tells of a file. One of which it tells something else is another,
// or has been changed.
type Stat struct {
	Dev, Ino     uint64
	Size         int64
	Mtime, Ctime int64 // nanoseconds since 1970
}

// Stat tells of the file as Open found it; zero if it was missing.
func (f *File) Stat() Stat { return Stat{f.dev, f.ino, f.size, f.mtime, f.ctime} }

// Placed tells of the file that a batch has put in f's place, but for its Ctime, which
// is zero; so are all others before the batch is committed.
func (f *File) Placed() Stat { return Stat{f.ours.dev, f.ours.ino, f.ours.size, f.ours.mtime, 0} }

// Close lets go of the directory. It may be called again and after Batch.Add.
func (f *File) Close() error {
	if f.dir == nil || f.closed {
		return nil
	}
	if f.closed = true; f.dir.shared {
		return nil
	}
	return f.dir.close()
}

// special are the permission bits that the kernel and fs.FileMode have in
// different places.
var special = map[uint32]fs.FileMode{
	unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky,
}

func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for bit, to := range special {
		if mode&bit != 0 {
			m |= to
		}
	}
	return m
}

func unixMode(m fs.FileMode) uint32 {
	mode := uint32(m.Perm())
	for bit, from := range special {
		if m&from != 0 {
			mode |= bit
		}
	}
	return mode
}
