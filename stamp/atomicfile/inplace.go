package atomicfile

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// mounted reports whether the file is a mount point of its own: no rename
// reaches it. Linux tells since 5.8.
func (f *File) mounted() bool { return f.flags&unix.STATX_ATTR_MOUNT_ROOT != 0 }

// mayOverwrite says why a file that is a mount point is left as it is.
func (e *entry) mayOverwrite(backup bool) error {
	switch {
	case e.op != replace || !e.file.regular():
		return fmt.Errorf("%w: %w", ErrBusy, unix.EBUSY)
	case !e.file.opts.InPlace:
		return fmt.Errorf("%w, so no rename can replace it: mount its directory, or allow it to be written in place: %w", ErrBusy, unix.EBUSY)
	case !backup:
		return fmt.Errorf("%w: to write it in place a backup is needed: %w", ErrBusy, unix.EBUSY)
	}
	return nil
}

// overwrite writes over the bytes of a file, once its backup is on the disk.
func (e *entry) overwrite() error {
	if record := e.file.opts.RecordInPlace; record != nil {
		if err := record(e.file.Path(), e.copy.saved); err != nil {
			return fmt.Errorf("record write in place: %w", err)
		}
	}
	mode := e.file.bits()
	if e.file.perm != nil {
		mode = *e.file.perm
	}
	if err := errors.Join(e.file.verify(), e.file.reread(e.file.base)); err != nil {
		return err
	}
	e.state = inPlace
	return e.writeInPlace(e.data, mode)
}

// writeInPlace never truncates first: at every moment there is either old or
// new content, never an empty file.
func (e *entry) writeInPlace(data []byte, mode uint32) error {
	d, base := e.file.dir, e.file.base
	fd, err := d.open(base, unix.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err := e.overwriteOpen(fd, data, mode); err != nil {
		closeFD(fd)
		return d.fail("write in place", base, err)
	}
	return d.fail("close", base, unix.Close(fd))
}

func (e *entry) overwriteOpen(fd int, data []byte, mode uint32) error {
	is, err := look(fd, "")
	if err != nil {
		return err
	}
	if is.dev != e.file.dev || is.ino != e.file.ino {
		return ErrChanged
	}
	if err := reserve(fd, int64(len(data)), unix.FALLOC_FL_KEEP_SIZE); err != nil {
		return err
	}
	if err := writeAll(fd, data); err != nil {
		return err
	}
	if err := retry(func() error { return unix.Ftruncate(fd, int64(len(data))) }); err != nil {
		return err
	}
	if is.bits() != mode {
		if err := retry(func() error { return unix.Fchmod(fd, mode) }); err != nil {
			return err
		}
	}
	return unix.Fsync(fd)
}
