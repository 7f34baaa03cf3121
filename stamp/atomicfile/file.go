package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// identity is what a name was when it was looked at. Two equal identities are
// the same file with the same content, as far as the clock of the file system
// can tell.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
	mode         uint32 // type and permission bits
	uid, gid     uint32
}

func identityOf(st *unix.Stat_t) identity {
	return identity{
		dev: st.Dev, ino: st.Ino, size: st.Size,
		mtime: st.Mtim, ctime: st.Ctim,
		mode: st.Mode, uid: st.Uid, gid: st.Gid,
	}
}

// moved reports whether id, seen after a rename, is the same unchanged file:
// a rename sets ctime.
func (id identity) moved(before identity) bool {
	id.ctime = before.ctime
	return id == before
}

// File is a file as Open found it. It is not safe for concurrent use.
type File struct {
	place
	name   string
	opts   Options
	exists bool
	id     identity
	nlink  uint64
	data   []byte
	link   string // where the symbolic link points that NoFollow keeps us from following
	attrs  []attr
	perm   *uint32 // Chmod
	closed bool    // the directory is closed, or a batch will close it
}

// Open resolves name, reads the file whole and remembers what it was. It
// refuses with ErrNotRegular what is not a regular file, and never blocks on
// it; with ErrOutsideRoot what lies outside Options.Root; with ErrChanged a
// file that changes while it is read. A missing file is an error that matches
// fs.ErrNotExist, unless Options.Create. Nothing is written.
//
// The caller closes the File, or hands it to Batch.Add, which does.
func Open(name string, o Options) (*File, error) {
	f, err := open(name, o)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	return f, nil
}

func open(name string, o Options) (*File, error) {
	p, err := locate(name, o)
	if err != nil {
		return nil, err
	}
	f := &File{place: p, name: name, opts: o}
	if len(p.missing) == 0 {
		err = f.read()
	}
	if err == nil && !f.exists && !o.Create {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// read looks before it opens: opening a device can already do something.
func (f *File) read() error {
	st, err := f.dir.stat(f.base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.exists, f.id, f.nlink = true, identityOf(&st), st.Nlink
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return f.readRegular()
	case unix.S_IFLNK:
		if f.opts.NoFollow {
			f.link, err = f.dir.readlink(f.base)
			return err
		}
		return ErrChanged // it was no link when the name was resolved
	}
	return fmt.Errorf("%s: %w", typeName(st.Mode), ErrNotRegular)
}

func (f *File) readRegular() error {
	// Non-blocking, should a FIFO have come between stat and open.
	in, err := f.dir.open(f.base, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := f.unchanged(in); err != nil {
		return err
	}
	if f.data, err = readAll(in, f.id.size); err != nil {
		return err
	}
	if f.attrs, err = readAttrs(int(in.Fd())); err != nil {
		return fmt.Errorf("read attributes: %w", err)
	}
	return f.unchanged(in)
}

// unchanged fails with ErrChanged when in is not the file that f remembers.
func (f *File) unchanged(in *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(in.Fd()), &st); err != nil {
		return err
	}
	if identityOf(&st) != f.id {
		return ErrChanged
	}
	return nil
}

func readAll(in io.Reader, size int64) ([]byte, error) {
	data := make([]byte, 0, size+1) // one more, so that EOF is met without growing
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := in.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// verify looks again at the name and fails with ErrChanged when it is not what
// Open found.
func (f *File) verify() error {
	st, err := f.dir.stat(f.base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if f.exists {
			return ErrChanged
		}
		return nil
	case err != nil:
		return err
	case !f.exists || identityOf(&st) != f.id:
		return ErrChanged
	}
	return nil
}

// regular reports whether there is a regular file at the name.
func (f *File) regular() bool { return f.exists && f.id.mode&unix.S_IFMT == unix.S_IFREG }

// Name returns the name that was given to Open.
func (f *File) Name() string { return f.name }

// Path returns the absolute path of the file itself, after symbolic links.
func (f *File) Path() string {
	return filepath.Join(f.dir.path, filepath.Join(f.missing...), f.base)
}

// Data returns the content that Open read, nil for a missing file or a link
// that is not followed. It is shared: the caller must not modify it.
func (f *File) Data() []byte { return f.data[:len(f.data):len(f.data)] }

// Exists reports whether there was a file.
func (f *File) Exists() bool { return f.exists }

// Mode returns the permission bits of the file, with ModeSymlink for a link
// that is not followed, and zero for a missing file.
func (f *File) Mode() fs.FileMode {
	if !f.exists {
		return 0
	}
	mode := fs.FileMode(f.id.mode & 0o777)
	for bit, m := range map[uint32]fs.FileMode{
		unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky,
	} {
		if f.id.mode&bit != 0 {
			mode |= m
		}
	}
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

// Close lets go of the directory. It may be called again and after Batch.Add.
func (f *File) Close() error {
	if f.dir == nil || f.closed {
		return nil
	}
	f.closed = true
	return f.dir.close()
}
