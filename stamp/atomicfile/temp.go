package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	randomLen  = 16 // of base32: 80 bits, so that a name is never met twice
	tempSuffix = ".revstamp"
	nameMax    = 255 // bytes in one element of a path, on every file system we meet
)

var tempPattern = regexp.MustCompile(`^\..+\.[a-z2-7]{16}\.revstamp$`)

// tempName is hidden, says what it belongs to, and cannot be guessed.
func tempName(base string) string {
	if room := nameMax - len("..") - randomLen - len(tempSuffix); len(base) > room {
		base = base[:room]
		for !utf8.ValidString(base) && len(base) > room-utf8.UTFMax {
			base = base[:len(base)-1] // some file systems take no broken UTF-8
		}
	}
	return "." + base + "." + strings.ToLower(rand.Text()[:randomLen]) + tempSuffix
}

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
	if !f.regular() {
		// Created with the bits that it will have: the kernel takes the umask
		// off, or applies the directory's default ACL instead.
		perm = uint32(f.opts.Perm.Perm())
		if perm == 0 {
			perm = 0o644
		}
	}
	out, err := f.dir.open(temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, perm)
	if err != nil {
		return "", id, err
	}
	id, err = f.fill(out, data, sync)
	if cerr := out.Close(); err == nil {
		err = cerr // network file systems tell of a full disk here
	}
	return temp, id, err
}

func (f *File) fill(out *os.File, data []byte, sync bool) (id identity, err error) {
	fd := int(out.Fd())
	if err := reserve(fd, int64(len(data)), 0); err != nil {
		return id, f.dir.fail("reserve space for", f.base, err)
	}
	if _, err := out.Write(data); err != nil {
		return id, err
	}
	if f.regular() {
		err = f.takeOver(fd)
	} else if f.perm != nil {
		err = unix.Fchmod(fd, *f.perm)
	}
	if err != nil {
		return id, err
	}
	if sync {
		// Once: after an error the kernel drops the pages, and a second fsync
		// would say that all is well.
		if err := unix.Fsync(fd); err != nil {
			return id, f.dir.fail("sync", f.base, err)
		}
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return identityOf(&st), err
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
	if err := retry(func() error { return unix.Symlinkat(target, f.dir.fd(), temp) }); err != nil {
		return "", id, f.dir.fail("symlink", temp, err)
	}
	st, err := f.dir.stat(temp)
	return temp, identityOf(&st), err
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
	for _, temp := range temps {
		if err := sweep(temp); err != nil {
			errs = append(errs, fmt.Errorf("sweep %q: %w", temp, err))
		}
	}
	return errors.Join(errs...)
}

func sweep(temp string) error {
	base := filepath.Base(temp)
	if !filepath.IsAbs(temp) || !tempPattern.MatchString(base) {
		return errors.New("not the name of a temporary file of revstamp")
	}
	d, err := openDir(filepath.Dir(temp), "")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	st, err := d.stat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if t := st.Mode & unix.S_IFMT; t != unix.S_IFREG && t != unix.S_IFLNK {
		return fmt.Errorf("%s: %w", typeName(st.Mode), ErrNotRegular)
	}
	return d.unlink(base)
}
