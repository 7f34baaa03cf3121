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
	replaced               // ours is there, the original is gone but for its bytes
	aside                  // nothing is there, the original has the temporary name
	removed                // nothing is there, the original is gone but for its bytes
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
	copy   *copied // nil for none
}

func (e *entry) explain(err error) error {
	return fmt.Errorf("%s %q: %w", e.op, e.file.Path(), err)
}

// possible refuses what is known to fail, before anything is touched.
func (e *entry) possible(backups bool) error {
	for _, of := range []struct {
		what  string
		flags uint64
	}{{"the file", e.file.flags}, {"its directory", e.file.dir.flags}} {
		switch {
		case of.flags&unix.STATX_ATTR_IMMUTABLE != 0:
			return fmt.Errorf("%s is immutable (see chattr(1), +i): %w", of.what, unix.EPERM)
		case of.flags&unix.STATX_ATTR_APPEND != 0:
			return fmt.Errorf("%s is append-only (see chattr(1), +a): %w", of.what, unix.EPERM)
		}
	}
	if e.file.mounted() {
		return e.mayOverwrite(backups)
	}
	return nil
}

// stage makes the temporary file. For a removal it only chooses the name that
// the original is moved to.
func (e *entry) stage(sync bool) (err error) {
	if e.file.mounted() {
		return nil // there is nothing to rename; its directory may be read-only
	}
	switch e.op {
	case replace:
		e.temp, e.ours, err = e.file.stageData(e.data, sync)
		e.file.ours = e.ours
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
	case e.file.mounted():
		return e.overwrite()
	case e.op == remove:
		err = e.moveAside()
	case !e.file.exists:
		err = e.create()
	default:
		err = e.exchange()
	}
	if !errors.Is(err, unix.EBUSY) || e.state != staged {
		return err
	}
	// Before Linux 5.8 only the rename tells that it is a mount point.
	if err := e.mayOverwrite(e.copy != nil); err != nil {
		return err
	}
	return e.overwrite()
}

// create refuses to replace a file that appeared meanwhile.
func (e *entry) create() error {
	err := e.file.dir.renameNew(e.temp, e.file.base)
	if errors.Is(err, unix.EEXIST) {
		return ErrChanged
	}
	if err == nil {
		e.state = created
	}
	return err
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
	return e.cameOut()
}

// cameOut fails with ErrChanged unless the original has the temporary name.
func (e *entry) cameOut() error {
	now, err := e.file.dir.look(e.temp)
	if err != nil {
		return err
	}
	if !now.moved(e.file.identity) {
		return ErrChanged
	}
	return e.file.reread(e.temp)
}

// rename is for file systems that cannot exchange.
func (e *entry) rename() error {
	if err := e.file.verify(); err != nil {
		return err
	}
	if err := e.file.reread(e.file.base); err != nil {
		return err
	}
	if err := e.file.dir.rename(e.temp, e.file.base, 0); err != nil {
		return err
	}
	e.state = replaced
	e.gone()
	return nil
}

// moveAside takes the name away and keeps the file until all is well.
func (e *entry) moveAside() error {
	err := e.file.dir.renameNew(e.file.base, e.temp)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	e.state = aside
	return e.cameOut()
}

// drop removes the original that was displaced. That comes before the last
// sync, or a power cut after it would bring back a file that nobody knows of.
func (e *entry) drop() {
	var gone state
	switch e.state {
	case exchanged:
		gone = replaced
	case aside:
		gone = removed
	default:
		return
	}
	if e.file.dir.unlink(e.temp) == nil {
		e.state = gone
		e.gone()
	}
}

// gone is called when there is no temporary file any more.
func (e *entry) gone() {
	if say := e.file.opts.Gone; say != nil {
		say(e.file.dir.join(e.temp))
	}
	e.temp = ""
}

// undo puts the original back. It leaves a name alone that somebody else has
// changed since, and keeps the original beside it then.
func (e *entry) undo() error {
	was := e.state
	e.state = staged
	var err error
	switch was {
	case staged:
		return nil
	case created:
		return e.takeAway()
	case inPlace:
		return e.name(e.writeInPlace(e.file.data, e.file.bits()), "")
	case replaced, removed:
		if err := e.remake(); err != nil {
			return e.name(fmt.Errorf("%w; the change stays", err), "")
		}
	}
	if was == aside || was == removed {
		err = e.bringBack()
	} else {
		err = e.putBack()
	}
	if err != nil && e.temp != "" {
		return e.name(err, e.keep())
	}
	return err
}

// name says where the earlier content is of a file that could not be put back.
func (e *entry) name(err error, where string) error {
	if where == "" && e.copy != nil {
		where = e.copy.saved.Path
	}
	if err == nil || where == "" {
		return err
	}
	return fmt.Errorf("%w; its earlier content is in %q", err, where)
}

// takeAway removes the file that we created, and no other that has come to its
// name.
func (e *entry) takeAway() error {
	err := e.file.dir.renameNew(e.file.base, e.temp)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else did it
	}
	if err != nil {
		return err
	}
	if err := e.stillOurs(e.temp); err != nil {
		return errors.Join(err, e.bringBack())
	}
	return nil
}

// putBack brings the original from its temporary name to where it was. When it
// is not ours that comes out, that is put back in turn.
func (e *entry) putBack() error {
	d, base := e.file.dir, e.file.base
	if err := e.stillOurs(base); err != nil {
		return err
	}
	err := d.rename(e.temp, base, unix.RENAME_EXCHANGE)
	if noFlags(err) {
		if err = d.rename(e.temp, base, 0); err == nil {
			e.temp = ""
		}
		return err
	}
	if err != nil {
		return err
	}
	if err := e.stillOurs(e.temp); err != nil {
		return errors.Join(err, d.rename(e.temp, base, unix.RENAME_EXCHANGE))
	}
	return nil
}

// bringBack gives the temporary file its name again, unless that is taken.
func (e *entry) bringBack() error {
	err := e.file.dir.renameNew(e.temp, e.file.base)
	if errors.Is(err, unix.EEXIST) {
		return ErrChanged
	}
	if err == nil {
		e.temp = ""
	}
	return err
}

// stillOurs fails with ErrChanged unless the file that we put in place has
// the name.
func (e *entry) stillOurs(name string) error {
	now, err := e.file.dir.look(name)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	if !now.moved(e.ours) {
		return ErrChanged
	}
	if e.op == replace {
		return e.file.holds(name, e.data)
	}
	return nil
}

// remake makes the original anew, from what was read of it, under a temporary
// name. Where it cannot be synced, as may be why we are here, it is better than
// nothing all the same.
func (e *entry) remake() (err error) {
	original := *e.file
	original.perm = nil
	if !original.regular() {
		e.temp, _, err = original.stageLink(original.link)
		return err
	}
	if e.temp, _, err = original.stageData(original.data, true); err != nil {
		e.clean()
		e.temp, _, err = original.stageData(original.data, false)
	}
	return err
}

// keep saves the displaced original from Sweep, and returns where it is.
func (e *entry) keep() (path string) {
	d, kept := e.file.dir, e.temp
	if name := keptName(e.temp); d.rename(e.temp, name, unix.RENAME_NOREPLACE) == nil {
		kept = name
	}
	e.temp = ""
	return d.join(kept)
}

// clean removes the temporary file that is left.
func (e *entry) clean() {
	if e.temp == "" {
		return
	}
	if e.state == created {
		e.gone() // it has its last name
		return
	}
	if err := ignoreMissing(e.file.dir.unlink(e.temp)); err != nil {
		e.file.opts.warn(fmt.Sprintf("temporary file left behind: %v", err))
		return
	}
	e.gone()
}
