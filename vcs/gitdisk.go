package vcs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"revstamp/vcs/internal/gitdir"
)

// diskFile is what lies at a path of the working tree.
type diskFile struct {
	root, path string
	there      bool
	info       unix.Stat_t
	hash       gitdir.ID // of content, as a blob; zero when there is none
	content    []byte
}

func (d *diskFile) file() string { return filepath.Join(d.root, filepath.FromSlash(d.path)) }

func (d *diskFile) missing() bool { return !d.there }

// one is lstat for a single path.
func (t *diskTree) one(path string) diskFile {
	defer t.close()
	return t.lstat(path)
}

// noFile reports that nothing is there, or a directory.
func (d *diskFile) noFile() bool { return !d.there || d.info.Mode&unix.S_IFMT == unix.S_IFDIR }

func (d *diskFile) mode() gitdir.Mode {
	if !d.there {
		return 0
	}
	return gitdir.FileMode(&d.info)
}

func (d *diskFile) stat() gitdir.Stat {
	if !d.there {
		return gitdir.Stat{}
	}
	return gitdir.StatOf(&d.info)
}

// read takes in the content: a file's bytes, or what a symbolic link says.
func (d *diskFile) read() (err error) {
	switch d.mode() {
	case gitdir.ModeSymlink:
		var target string
		target, err = os.Readlink(d.file())
		d.content = []byte(target)
	case gitdir.ModeRegular, gitdir.ModeExecutable:
		d.content, err = readRegular(d.file())
	default:
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		d.there, d.content = false, nil // gone since
		return nil
	}
	d.hash = gitdir.HashOf(gitdir.KindBlob, d.content)
	return err
}

// readRegular reads a file that was just seen to be one, without following a
// link or waiting for a pipe that somebody put in its place since.
func readRegular(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(int(info.Size()) + bytes.MinRead)
	_, err = b.ReadFrom(f)
	return b.Bytes(), err
}

// diskTree looks at files without going through symbolic links: a directory
// that was replaced by a link has none of its files any more. It keeps the
// directories on the way to the last file open, so that files asked for in the
// order of their paths cost little more than a system call each. close it.
type diskTree struct {
	root string
	open []openDir // root, then ever deeper
	name []byte    // of the last file, with a NUL at its end
	info unix.Stat_t
}

type openDir struct {
	path string // below root, with a slash at the end; "" for root
	fd   int
}

func (d *openDir) leadsTo(path []byte) bool {
	return len(path) >= len(d.path) && string(path[:len(d.path)]) == d.path
}

func (t *diskTree) close() {
	for _, d := range t.open {
		unix.Close(d.fd)
	}
	t.open = nil
}

// lstat never fails: what cannot be looked at is not there, which makes it a
// foreign change of a tracked file.
func (t *diskTree) lstat(path string) diskFile {
	there := t.stat([]byte(path))
	return diskFile{root: t.root, path: path, there: there, info: t.info}
}

// stat does so for a path that is used no longer, and puts what it sees in
// t.info: nothing is allocated.
func (t *diskTree) stat(path []byte) (there bool) {
	t.info = unix.Stat_t{}
	slash := bytes.LastIndexByte(path, '/') + 1
	fd, ok := t.dir(path[:slash])
	if !ok {
		return false
	}
	t.name = append(append(t.name[:0], path[slash:]...), 0)
	for {
		err := fstatat(fd, t.name, &t.info)
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// dir opens a directory, given with its final slash, by way of those that are
// open.
func (t *diskTree) dir(path []byte) (fd int, ok bool) {
	for i := len(t.open) - 1; i > 0 && !t.open[i].leadsTo(path); i-- {
		unix.Close(t.open[i].fd)
		t.open = t.open[:i]
	}
	if len(t.open) == 0 && !t.enter(unix.AT_FDCWD, t.root, "") {
		return -1, false
	}
	for {
		last := t.open[len(t.open)-1]
		rest := path[len(last.path):]
		if len(rest) == 0 {
			return last.fd, true
		}
		name, _, _ := bytes.Cut(rest, []byte("/"))
		if !t.enter(last.fd, string(name), last.path+string(name)+"/") {
			return -1, false
		}
	}
}

func (t *diskTree) enter(at int, name, path string) bool {
	flags := unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	if path != "" {
		flags |= unix.O_NOFOLLOW // the root may be a link, such as current
	}
	for {
		fd, err := unix.Openat(at, name, flags, 0)
		if err == nil {
			t.open = append(t.open, openDir{path, fd})
			return true
		}
		if err != syscall.EINTR {
			return false
		}
	}
}
