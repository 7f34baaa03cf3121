package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	randomLen  = 16 // of base32: 80 bits, so that a name is never met twice
	tempSuffix = ".revstamp"
	keptSuffix = ".kept" + tempSuffix
	nameMax    = 255 // bytes in one element of a path, on every file system we meet
)

// tempName is hidden, says what it belongs to, and cannot be guessed.
func tempName(base string) string {
	if room := nameMax - len("..") - randomLen - len(keptSuffix); len(base) > room {
		base = base[:room]
		for !utf8.ValidString(base) && len(base) > room-utf8.UTFMax {
			base = base[:len(base)-1] // some file systems take no broken UTF-8
		}
	}
	return "." + base + "." + strings.ToLower(rand.Text()[:randomLen]) + tempSuffix
}

// isTempName reports whether tempName makes such names.
func isTempName(name string) bool {
	name, ok := strings.CutSuffix(name, tempSuffix)
	dot := len(name) - randomLen - 1
	if !ok || dot < 2 || name[0] != '.' || name[dot] != '.' {
		return false
	}
	return strings.Trim(name[dot+1:], "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// keptName is what a temporary file is called that must not be swept.
func keptName(temp string) string { return strings.TrimSuffix(temp, tempSuffix) + keptSuffix }

// recordTemp chooses a name for a temporary file in f's directory and tells
// the caller's journal of it.
func (f *File) recordTemp() (string, error) {
	temp := tempName(f.base)
	if f.opts.Record != nil {
		if err := f.opts.Record(f.dir.join(temp)); err != nil {
			return "", fmt.Errorf("record temporary file: %w", err)
		}
	}
	return temp, nil
}

// stageData writes data into a new temporary file that has everything else of
// the original. It returns the file's name, also after an error if the file may
// exist, and what it is.
func (f *File) stageData(data []byte, sync bool) (temp string, id identity, err error) {
	temp, err = f.recordTemp()
	if err != nil {
		return "", id, err
	}
	perm := uint32(0o600)
	if f.model() == nil {
		// Created with the bits that it will have: the kernel takes the umask
		// off, or applies the directory's default ACL instead.
		perm = uint32(f.opts.Perm.Perm())
		if perm == 0 {
			perm = 0o644
		}
	}
	fd, err := f.dir.open(temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, perm)
	if err != nil {
		return f.ifThere(temp), id, fmt.Errorf("make a file in its directory: %w", err)
	}
	id, err = f.fill(fd, data, sync)
	if cerr := unix.Close(fd); err == nil && cerr != nil {
		err = f.dir.fail("close", temp, cerr) // network file systems tell of a full disk here
	}
	return temp, id, err
}

// ifThere is temp if a call that failed has made it all the same.
func (f *File) ifThere(temp string) string {
	if _, err := f.dir.look(temp); err != nil {
		return ""
	}
	return temp
}

// model is the file from which the replacement takes everything but its
// content; nil for none.
func (f *File) model() *File {
	if f.regular() {
		return f
	}
	return f.like
}

func (f *File) fill(fd int, data []byte, sync bool) (id identity, err error) {
	if err := reserve(fd, int64(len(data)), 0); err != nil {
		return id, f.dir.fail("reserve space for", f.base, err)
	}
	if err := writeAll(fd, data); err != nil {
		return id, f.dir.fail("write", f.base, err)
	}
	if like := f.model(); like == f {
		id, err = f.takeOver(fd)
	} else if like != nil {
		as := *like
		as.place, as.opts, as.perm = f.place, f.opts, f.perm
		id, err = as.takeOver(fd)
	} else {
		id, err = f.chmodNew(fd)
	}
	if err != nil {
		return id, err
	}
	if sync {
		// Once: after an error the kernel drops the pages, and a second fsync
		// would say that all is well.
		err = unix.Fsync(fd)
	}
	return id, f.dir.fail("sync", f.base, err)
}

func (f *File) chmodNew(fd int) (identity, error) {
	if f.perm != nil {
		if err := retry(func() error { return unix.Fchmod(fd, *f.perm) }); err != nil {
			return identity{}, f.dir.fail("chmod", f.base, err)
		}
	}
	is, err := look(fd, "")
	return is.identity, f.dir.fail("stat", f.base, err)
}

// reserve takes the space before anything is changed, so that a full disk or
// quota is met now.
func reserve(fd int, size int64, mode uint32) error {
	if size == 0 {
		return nil
	}
	err := retry(func() error { return unix.Fallocate(fd, mode, 0, size) })
	if unsupported(err) {
		return nil
	}
	return err
}

// stageLink makes a symbolic link under a temporary name.
func (f *File) stageLink(target string) (temp string, id identity, err error) {
	temp, err = f.recordTemp()
	if err != nil {
		return "", id, err
	}
	if err := retry(func() error { return unix.Symlinkat(target, f.dir.fd, temp) }); err != nil {
		return f.ifThere(temp), id, f.dir.fail("symlink", temp, err)
	}
	is, err := f.dir.look(temp)
	return temp, is.identity, err
}

// Sweep removes the temporary files of a killed process, whose names its
// Options.Record was given. What is not there is no error; a name that is not of
// our pattern, and anything but a regular file or a symbolic link, is refused
// and left. It goes on after an error and returns all of them.
//
// Call it only when that process is known to be dead. A temporary file may
// hold the earlier content of the file it stood for; backups are there for
// whoever wants that.
func Sweep(temps []string) error {
	var errs []error
	var s sweeping
	defer s.leave()
	for _, temp := range temps {
		if err := s.sweep(temp); err != nil {
			errs = append(errs, fmt.Errorf("sweep %q: %w", temp, err))
		}
	}
	return errors.Join(errs...)
}

// sweeping holds open the directory of the file before, in which most of the next
// ones lie, too.
type sweeping struct {
	parent string
	dir    *dir // nil when parent is not there
}

// enter opens a directory. Through links too: it may have been moved and linked
// since, and nobody else has a file of such a name.
func (s *sweeping) enter(parent string) error {
	if parent == s.parent {
		return nil
	}
	s.leave()
	fd, err := unix.Open(parent, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	switch {
	case err == unix.ENOENT || err == unix.ENOTDIR:
	case err != nil:
		return err
	default:
		if s.dir, err = newDir(fd, parent); err != nil {
			return err
		}
	}
	s.parent = parent
	return nil
}

func (s *sweeping) leave() {
	if s.dir != nil {
		s.dir.close()
	}
	*s = sweeping{}
}

func (s *sweeping) sweep(temp string) error {
	parent, base := filepath.Split(temp)
	if !filepath.IsAbs(temp) || !isTempName(base) {
		return errors.New("not the name of a temporary file of revstamp")
	}
	if err := s.enter(parent); err != nil || s.dir == nil {
		return err
	}
	d := s.dir
	at, err := d.look(base)
	if err != nil {
		return ignoreMissing(err)
	}
	if !at.is(unix.S_IFREG) && !at.is(unix.S_IFLNK) {
		return fmt.Errorf("%s: %w", typeName(at.mode), ErrNotRegular)
	}
	return ignoreMissing(d.unlink(base))
}
