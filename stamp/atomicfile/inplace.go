package atomicfile

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// overwrite is for a file that is a mount point of its own: no rename reaches
// it, so its bytes are written over, if that is allowed and a backup is on the
// disk.
func (e *entry) overwrite(cause error) error {
	o := &e.file.opts
	if !o.InPlace {
		return fmt.Errorf("%w, so no rename can replace it: mount its directory, or allow it to be written in place: %w", ErrBusy, cause)
	}
	if e.saved == nil {
		return fmt.Errorf("%w: to write it in place a backup is needed: %w", ErrBusy, cause)
	}
	if o.RecordInPlace != nil {
		if err := o.RecordInPlace(e.file.Path(), *e.saved); err != nil {
			return fmt.Errorf("record write in place: %w", err)
		}
	}
	mode := e.file.id.mode & 0o7777
	if e.file.perm != nil {
		mode = *e.file.perm
	}
	if err := e.file.verify(); err != nil {
		return err
	}
	e.state = inPlace
	if err := e.writeInPlace(e.data, mode); err != nil {
		return errors.Join(err, e.undo())
	}
	return nil
}

// writeInPlace never truncates first: at every moment there is either old or
// new content, never an empty file.
func (e *entry) writeInPlace(data []byte, mode uint32) error {
	d, base := e.file.dir, e.file.base
	out, err := d.open(base, unix.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	fd := int(out.Fd())
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Dev != e.file.id.dev || st.Ino != e.file.id.ino {
		return ErrChanged
	}
	if err := reserve(fd, int64(len(data)), unix.FALLOC_FL_KEEP_SIZE); err != nil {
		return d.fail("reserve space for", base, err)
	}
	if _, err := out.WriteAt(data, 0); err != nil {
		return err
	}
	if err := retry(func() error { return unix.Ftruncate(fd, int64(len(data))) }); err != nil {
		return d.fail("truncate", base, err)
	}
	if st.Mode&0o7777 != mode {
		if err := unix.Fchmod(fd, mode); err != nil {
			return d.fail("chmod", base, err)
		}
	}
	if err := unix.Fsync(fd); err != nil {
		return d.fail("sync", base, err)
	}
	return out.Close()
}
