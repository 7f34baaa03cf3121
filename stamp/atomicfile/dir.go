package atomicfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// dir is an open directory. What lies in it is reached by its descriptor
// only; path is for messages and records. It is no os.File, for which the
// runtime makes eight system calls that a regular file has no use for.
type dir struct {
	info
	fd     int    // -1 when closed
	path   string // absolute, without symbolic links
	shared bool   // by the files of a batch, which closes it
}

// openDir opens the directory at the absolute path. A symbolic link anywhere
// in it is ELOOP.
func openDir(path string) (*dir, error) {
	fd, err := openReal(path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return newDir(fd, filepath.Clean(path))
}

func openReal(path string) (fd int, err error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	err = retry(func() error { fd, err = unix.Openat2(unix.AT_FDCWD, path, &how); return err })
	if err == unix.ENOSYS || err == unix.EPERM {
		return openStepwise(path) // Linux before 5.6; container runtimes that do not know the call
	}
	return fd, err
}

// openStepwise is openReal by older means: one name after another.
func openStepwise(path string) (int, error) {
	at := unix.AT_FDCWD
	for _, name := range append([]string{"/"}, strings.Split(path, "/")...) {
		if name == "" {
			continue
		}
		next, err := openat(at, name, unix.O_PATH|unix.O_DIRECTORY, 0)
		closeFD(at)
		if err == unix.ENOTDIR {
			err = unix.ELOOP // or a file: both are not what was found before
		}
		if err != nil {
			return -1, err
		}
		at = next
	}
	defer closeFD(at)
	return openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
}

// newDir owns fd, also when it fails.
func newDir(fd int, path string) (*dir, error) {
	at, err := look(fd, "")
	if err != nil {
		closeFD(fd)
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return &dir{info: at, fd: fd, path: path}, nil
}

func (d *dir) join(name string) string { return filepath.Join(d.path, name) }

func (d *dir) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: d.join(name), Err: err}
}

// look looks at name itself, following no link.
func (d *dir) look(name string) (info, error) {
	at, err := look(d.fd, name)
	return at, d.fail("stat", name, err)
}

// open never follows a link at name.
func (d *dir) open(name string, flags int, perm uint32) (fd int, err error) {
	fd, err = openat(d.fd, name, flags, perm)
	return fd, d.fail("open", name, err)
}

// rename takes the flags of renameat2; with none it is the older call, which
// every file system has.
func (d *dir) rename(from, to string, flags uint) error {
	err := retry(func() error {
		if flags == 0 {
			return unix.Renameat(d.fd, from, d.fd, to)
		}
		return unix.Renameat2(d.fd, from, d.fd, to, flags)
	})
	if err != nil {
		return &os.LinkError{Op: "rename", Old: d.join(from), New: d.join(to), Err: err}
	}
	return nil
}

// renameNew fails with EEXIST rather than replace what is there.
func (d *dir) renameNew(from, to string) error {
	err := d.rename(from, to, unix.RENAME_NOREPLACE)
	if noFlags(err) {
		return d.linkNew(from, to)
	}
	return err
}

// linkNew is renameNew for file systems without such a rename: a second name
// and the removal of the first are as good. Where there are no hard links
// either, there is a look and then a rename.
func (d *dir) linkNew(from, to string) error {
	err := d.fail("link", to, retry(func() error { return unix.Linkat(d.fd, from, d.fd, to, 0) }))
	switch {
	case err == nil:
		if err := d.unlink(from); err != nil {
			return errors.Join(err, d.unlink(to))
		}
		return nil
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		return err
	}
	if _, err := d.look(to); err == nil {
		return d.fail("rename to", to, unix.EEXIST)
	}
	return d.rename(from, to, 0)
}

// noFlags reports whether renameat2 is not known to the kernel or its flag not
// to the file system.
func noFlags(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)
}

func (d *dir) unlink(name string) error {
	return d.fail("remove", name, retry(func() error { return unix.Unlinkat(d.fd, name, 0) }))
}

func (d *dir) rmdir(name string) error {
	return d.fail("rmdir", name, retry(func() error { return unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) }))
}

func (d *dir) readlink(name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n := 0
	err := retry(func() (err error) { n, err = unix.Readlinkat(d.fd, name, buf); return err })
	if err != nil {
		return "", d.fail("readlink", name, err)
	}
	return string(buf[:n]), nil
}

// names lists what is in d, in no order.
func (d *dir) names() (names []string, err error) {
	buf := make([]byte, 16<<10)
	for {
		n := 0
		err := retry(func() (err error) { n, err = unix.Getdents(d.fd, buf); return err })
		if err != nil || n <= 0 {
			return names, d.fail("read directory", ".", err)
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// mkdir opens the directory name below d, making it if it is missing.
func (d *dir) mkdir(name string, perm uint32) (sub *dir, made bool, err error) {
	err = retry(func() error { return unix.Mkdirat(d.fd, name, perm) })
	if err != nil && err != unix.EEXIST {
		return nil, false, d.fail("mkdir", name, err)
	}
	made = err == nil
	fd, err := d.open(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, made, err
	}
	sub, err = newDir(fd, d.join(name))
	return sub, made, err
}

// descend opens the directory that names lead to, at least one, making with
// mode 0700 what is missing.
func (d *dir) descend(names []string, sync bool) (*dir, error) {
	if sub, err := d.below(names); err == nil {
		return sub, nil
	}
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

// below opens what is there already by one call, where the kernel has it.
func (d *dir) below(names []string) (*dir, error) {
	path := strings.Join(names, "/")
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH,
	}
	fd, err := unix.Openat2(d.fd, path, &how)
	if err != nil {
		return nil, err
	}
	return newDir(fd, d.join(path))
}

// sync makes the names in d durable. Some network file systems cannot sync a
// directory and say so with EINVAL: there is nothing more to be had from them.
func (d *dir) sync() error {
	err := unix.Fsync(d.fd)
	if err == unix.EINVAL || err == unix.EOPNOTSUPP {
		return nil
	}
	return d.fail("sync", ".", err)
}

// syncfs writes out the whole file system that d lies on.
func (d *dir) syncfs() error {
	return d.fail("syncfs", ".", unix.Syncfs(d.fd))
}

// close may be called again.
func (d *dir) close() error {
	if d.fd < 0 {
		return nil
	}
	fd := d.fd
	d.fd = -1
	return d.fail("close", ".", unix.Close(fd))
}

// interrupts is how often a call is made that signals interrupt. Go's scheduler
// sends some; a file system that says EINTR for ever is broken.
const interrupts = 200

// retry repeats a call that a signal interrupted. It is not for fsync, whose
// second answer means nothing, nor for close, which has closed.
func retry(call func() error) (err error) {
	for range interrupts {
		if err = call(); err != unix.EINTR {
			return err
		}
	}
	return err
}

func openat(at int, name string, flags int, perm uint32) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.Openat(at, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
		return err
	})
	return fd, err
}

// closeFD is for descriptors of which close has nothing to tell.
func closeFD(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}

// readAll reads fd to its end, which is expected after size bytes and refused
// after limit, into the memory for one more that data is.
func readAll(fd int, data []byte, size, limit int64) ([]byte, error) {
	data = data[:0]
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n := 0
		err := retry(func() (err error) { n, err = unix.Read(fd, data[len(data):cap(data)]); return err })
		if err != nil {
			return nil, err
		}
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > limit:
			return nil, tooLarge(int64(len(data)), limit)
		case n == 0, int64(len(data)) == size && size > 0: // a byte more would show in the look that follows
			return data, nil
		}
	}
}

// readsAs reports whether fd, which has as many bytes as data, holds these.
func readsAs(fd int, data []byte) (bool, error) {
	buffer := compareBuffers.Get().(*[64 << 10]byte)
	defer compareBuffers.Put(buffer)
	for len(data) > 0 {
		n := 0
		err := retry(func() (err error) { n, err = unix.Read(fd, buffer[:min(len(data), len(buffer))]); return err })
		if err != nil {
			return false, err
		}
		if n == 0 || !bytes.Equal(buffer[:n], data[:n]) {
			return false, nil
		}
		data = data[n:]
	}
	return true, nil
}

var compareBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// writeAll writes data at the beginning of fd.
func writeAll(fd int, data []byte) error {
	for done := 0; done < len(data); {
		n := 0
		err := retry(func() (err error) { n, err = unix.Pwrite(fd, data[done:], int64(done)); return err })
		if err != nil {
			return err
		}
		if n <= 0 {
			return io.ErrShortWrite
		}
		done += n
	}
	return nil
}
