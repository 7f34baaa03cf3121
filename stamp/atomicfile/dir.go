package atomicfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// dir is an open directory. What lies in it is reached by its descriptor
// only; path is for messages and records.
type dir struct {
	file     *os.File
	path     string // absolute, without symbolic links
	dev, ino uint64
}

// openDir opens the directory at path, which has no symbolic links in it, as
// far as root allows: a link put there meanwhile leads out of root nowhere.
func openDir(path, root string) (*dir, error) {
	if root == "" {
		f, err := os.OpenFile(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err != nil {
			return nil, err
		}
		return newDir(f, path)
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return nil, err
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := r.OpenFile(rel, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return newDir(f, path)
}

func newDir(f *os.File, path string) (*dir, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "fstat", Path: path, Err: err}
	}
	return &dir{file: f, path: path, dev: st.Dev, ino: st.Ino}, nil
}

func (d *dir) fd() int { return int(d.file.Fd()) }

func (d *dir) join(name string) string { return filepath.Join(d.path, name) }

func (d *dir) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: d.join(name), Err: err}
}

// stat looks at name itself, following no link.
func (d *dir) stat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return st, d.fail("stat", name, err)
}

// open never follows a link at name.
func (d *dir) open(name string, flags int, perm uint32) (*os.File, error) {
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat(d.fd(), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
		return err
	})
	if err != nil {
		return nil, d.fail("open", name, err)
	}
	return os.NewFile(uintptr(fd), d.join(name)), nil
}

// rename takes the flags of renameat2; with none it is the older call, which
// every file system has.
func (d *dir) rename(from, to string, flags uint) error {
	err := retry(func() error {
		if flags == 0 {
			return unix.Renameat(d.fd(), from, d.fd(), to)
		}
		return unix.Renameat2(d.fd(), from, d.fd(), to, flags)
	})
	if err != nil {
		return &os.LinkError{Op: "rename", Old: d.join(from), New: d.join(to), Err: err}
	}
	return nil
}

func (d *dir) unlink(name string) error {
	return d.fail("remove", name, retry(func() error { return unix.Unlinkat(d.fd(), name, 0) }))
}

func (d *dir) rmdir(name string) error {
	return d.fail("rmdir", name, retry(func() error { return unix.Unlinkat(d.fd(), name, unix.AT_REMOVEDIR) }))
}

func (d *dir) readlink(name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(d.fd(), name, buf)
	if err != nil {
		return "", d.fail("readlink", name, err)
	}
	return string(buf[:n]), nil
}

// mkdir opens the directory name below d, making it if it is missing.
func (d *dir) mkdir(name string, perm uint32) (sub *dir, made bool, err error) {
	err = retry(func() error { return unix.Mkdirat(d.fd(), name, perm) })
	if err != nil && err != unix.EEXIST {
		return nil, false, d.fail("mkdir", name, err)
	}
	made = err == nil
	f, err := d.open(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, made, err
	}
	sub, err = newDir(f, d.join(name))
	return sub, made, err
}

// descend opens the directory that names lead to, at least one, making with
// mode 0700 what is missing.
func (d *dir) descend(names []string, sync bool) (*dir, error) {
	at := d
	for _, name := range names {
		sub, made, err := at.mkdir(name, 0o700)
		if err == nil && made && sync {
			err = at.sync()
		}
		if at != d {
			at.close()
		}
		if err != nil {
			if sub != nil {
				sub.close()
			}
			return nil, err
		}
		at = sub
	}
	return at, nil
}

// sync makes the names in d durable. Some network file systems cannot sync a
// directory and say so with EINVAL: there is nothing more to be had from them.
func (d *dir) sync() error {
	err := unix.Fsync(d.fd())
	if err == unix.EINVAL || err == unix.EOPNOTSUPP {
		return nil
	}
	return d.fail("sync", ".", err)
}

// syncfs writes out the whole file system that d lies on. Since Linux 5.8 it
// reports what could not be written.
func (d *dir) syncfs() error {
	return d.fail("syncfs", ".", unix.Syncfs(d.fd()))
}

func (d *dir) close() error { return d.file.Close() }

// retry repeats a call that a signal interrupted; Go's own scheduler sends
// them. It is not for fsync, whose second answer means nothing.
func retry(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}

// typeName says what a mode is, for messages.
func typeName(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "regular file"
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFLNK:
		return "symbolic link"
	case unix.S_IFIFO:
		return "FIFO"
	case unix.S_IFSOCK:
		return "socket"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "device"
	}
	return fmt.Sprintf("file of type %#o", mode&unix.S_IFMT)
}
