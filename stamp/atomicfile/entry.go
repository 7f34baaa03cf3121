package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// op is what an entry does to its file.
type op string

const (
	replace op = "replace"
	symlink op = "link"
	remove  op = "remove"
)

// state is how far an entry has come, and so how it is put back.
type state int

const (
	staged    state = iota // the original is untouched
	created                // there was none, ours is there
	exchanged              // ours is there, the original has the temporary name
	renamed                // ours is there, the original is gone but for its bytes
	aside                  // nothing is there, the original has the temporary name
	inPlace                // the original holds our bytes
)

// entry is one change of a batch.
type entry struct {
	op     op
	file   *File
	data   []byte // replace
	target string // symlink
	temp   string // a name in file.dir that is ours to remove; "" for none
	ours   identity
	state  state
	saved  *Backup
}

func (e *entry) explain(err error) error {
	return fmt.Errorf("%s %q: %w", e.op, e.file.Path(), err)
}

// stage makes the temporary file. For a removal it only chooses the name that
// the original is moved to.
func (e *entry) stage(sync bool) (err error) {
	switch e.op {
	case replace:
		e.temp, e.ours, err = e.file.stageData(e.data, sync)
	case symlink:
		e.temp, e.ours, err = e.file.stageLink(e.target)
	case remove:
		e.temp, err = e.file.recordTemp()
	}
	return err
}

// apply puts the change in place.
func (e *entry) apply() error {
	if e.file.regular() && e.file.nlink > 1 && e.op != symlink {
		e.file.opts.warn(fmt.Sprintf("%q has %d hard links; the others keep the old content", e.file.Path(), e.file.nlink))
	}
	var err error
	switch {
	case e.op == remove:
		err = e.moveAside()
	case !e.file.exists:
		err = e.create()
	default:
		err = e.exchange()
	}
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if e.op == replace && e.file.regular() {
		return e.overwrite(err)
	}
	return fmt.Errorf("%w: %w", ErrBusy, err)
}

// create refuses to replace a file that appeared meanwhile.
func (e *entry) create() error {
	err := e.file.dir.rename(e.temp, e.file.base, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) {
		return ErrChanged
	}
	if noFlags(err) {
		if err = e.file.verify(); err == nil {
			err = e.file.dir.rename(e.temp, e.file.base, 0)
		}
	}
	if err != nil {
		return err
	}
	e.state, e.temp = created, ""
	return nil
}

// exchange swaps the temporary file and the original, and swaps back when it
// was not the original that came out. Thus nobody's edit is lost, and putting
// back needs no space on the disk.
func (e *entry) exchange() error {
	d := e.file.dir
	err := d.rename(e.temp, e.file.base, unix.RENAME_EXCHANGE)
	if noFlags(err) {
		return e.rename()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	e.state = exchanged
	if err := e.cameOut(); err != nil {
		return errors.Join(err, e.undo())
	}
	return nil
}

// cameOut fails with ErrChanged unless the original has the temporary name.
func (e *entry) cameOut() error {
	st, err := e.file.dir.stat(e.temp)
	if err != nil {
		return err
	}
	if !identityOf(&st).moved(e.file.id) {
		return ErrChanged
	}
	return nil
}

// rename is for file systems that cannot exchange.
func (e *entry) rename() error {
	if err := e.file.verify(); err != nil {
		return err
	}
	if err := e.file.dir.rename(e.temp, e.file.base, 0); err != nil {
		return err
	}
	e.state, e.temp = renamed, ""
	return nil
}

// moveAside takes the name away and keeps the file until all is well.
func (e *entry) moveAside() error {
	d := e.file.dir
	err := d.rename(e.file.base, e.temp, unix.RENAME_NOREPLACE)
	if noFlags(err) {
		if err = e.file.verify(); err == nil {
			err = d.rename(e.file.base, e.temp, 0)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	e.state = aside
	if err := e.cameOut(); err != nil {
		return errors.Join(err, e.undo())
	}
	return nil
}

// noFlags reports whether renameat2 is not known to the kernel or its flag not
// to the file system.
func noFlags(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)
}

// undo puts the original back. It leaves a file alone that somebody else has
// changed since, and keeps the original under its temporary name then.
func (e *entry) undo() (err error) {
	d, base := e.file.dir, e.file.base
	was := e.state
	e.state = staged
	switch was {
	case created:
		if err = e.stillOurs(); err == nil {
			err = d.unlink(base)
		}
	case exchanged:
		if err = e.stillOurs(); err == nil {
			err = d.rename(e.temp, base, unix.RENAME_EXCHANGE)
		}
	case renamed:
		if err = e.stillOurs(); err == nil {
			err = e.restore()
		}
	case aside:
		err = d.rename(e.temp, base, unix.RENAME_NOREPLACE)
		if noFlags(err) {
			err = d.rename(e.temp, base, 0)
		}
		if err == nil {
			e.temp = ""
		}
	case inPlace:
		err = e.writeInPlace(e.file.data, e.file.id.mode&0o7777)
	}
	if err != nil && (was == exchanged || was == aside) {
		err = fmt.Errorf("%w; its earlier content is in %q", err, d.join(e.temp))
		e.temp = ""
	} else if err != nil && e.saved != nil {
		err = fmt.Errorf("%w; its earlier content is in %q", err, e.saved.Path)
	}
	return err
}

// stillOurs fails with ErrChanged unless the file we put in place is there.
func (e *entry) stillOurs() error {
	st, err := e.file.dir.stat(e.file.base)
	if err != nil {
		return err
	}
	if !identityOf(&st).moved(e.ours) {
		return ErrChanged
	}
	return nil
}

// restore makes the original anew from what was read of it.
func (e *entry) restore() (err error) {
	if e.file.regular() {
		original := *e.file
		original.perm = nil
		e.temp, _, err = original.stageData(e.file.data, true)
	} else {
		e.temp, _, err = e.file.stageLink(e.file.link)
	}
	if err != nil {
		return err
	}
	if err := e.file.dir.rename(e.temp, e.file.base, 0); err != nil {
		return err
	}
	e.temp = ""
	return nil
}

// clean removes the temporary file: ours after a failure, the original after a
// success.
func (e *entry) clean() {
	if e.temp == "" {
		return
	}
	if err := e.file.dir.unlink(e.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.file.opts.warn(fmt.Sprintf("temporary file left behind: %v", err))
	}
}
