package atomicfile

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Traits are what a replacement takes over from a file besides its name: for files
// that another program replaces, which does not.
type Traits struct {
	UID   uint32            `json:"uid"`
	GID   uint32            `json:"gid"`
	Bits  uint32            `json:"bits"`            // permission bits, set-user-ID and its like among them
	Attrs map[string][]byte `json:"attrs,omitempty"` // user.*, the ACL and the label
}

// TraitsOf tells those of a regular file. Of anything else, a symbolic link too, it
// returns ErrNotRegular.
func TraitsOf(name string) (Traits, error) {
	fd, is, err := openRegular(name)
	if err != nil {
		return Traits{}, fmt.Errorf("traits of %q: %w", name, err)
	}
	defer closeFD(fd)
	attrs, err := readAttrs(fd)
	if err != nil {
		return Traits{}, fmt.Errorf("traits of %q: %w", name, err)
	}
	t := Traits{UID: is.uid, GID: is.gid, Bits: is.bits()}
	for _, a := range attrs {
		if t.Attrs == nil {
			t.Attrs = make(map[string][]byte)
		}
		t.Attrs[a.name] = a.value
	}
	return t, nil
}

// Equal reports whether t and u are the same.
func (t Traits) Equal(u Traits) bool {
	return t.UID == u.UID && t.GID == u.GID && t.Bits == u.Bits && maps.EqualFunc(t.Attrs, u.Attrs, bytes.Equal)
}

// Mine returns ErrOwner when this process may not give a file of its own that owner
// and group.
func (t Traits) Mine() error {
	euid := unix.Geteuid()
	if euid == 0 {
		return nil
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return err
	}
	if t.UID != uint32(euid) || t.GID != uint32(unix.Getegid()) && !slices.Contains(groups, int(t.GID)) {
		return fmt.Errorf("%w: it belongs to %d:%d", ErrOwner, t.UID, t.GID)
	}
	return nil
}

// Give gives them to a regular file, whose content stays. Of the options Owner and Warn
// matter, as for a replacement.
func (t Traits) Give(name string, o Options) error {
	fd, _, err := openRegular(name)
	if err != nil {
		return fmt.Errorf("give %q its traits: %w", name, err)
	}
	defer closeFD(fd)
	f := &File{place: place{dir: &dir{fd: -1, path: filepath.Dir(name)}, base: filepath.Base(name)}, opts: o}
	f.uid, f.gid, f.mode = t.UID, t.GID, unix.S_IFREG|t.Bits
	for _, name := range slices.Sorted(maps.Keys(t.Attrs)) {
		f.attrs = append(f.attrs, attr{name, t.Attrs[name]})
	}
	if _, err := f.takeOver(fd); err != nil {
		return fmt.Errorf("give %q its traits: %w", name, err)
	}
	return nil
}

// openRegular opens a regular file, and follows no link.
func openRegular(name string) (fd int, is info, err error) {
	// Opening a device can already do something.
	if is, err = look(unix.AT_FDCWD, name); err == nil && !is.is(unix.S_IFREG) {
		err = fmt.Errorf("%s: %w", typeName(is.mode), ErrNotRegular)
	}
	if err != nil {
		return -1, info{}, err
	}
	if fd, err = openat(unix.AT_FDCWD, name, unix.O_RDONLY|unix.O_NONBLOCK, 0); err != nil {
		return -1, info{}, err
	}
	if is, err = look(fd, ""); err == nil && !is.is(unix.S_IFREG) {
		err = ErrChanged
	}
	if err != nil {
		closeFD(fd)
		return -1, info{}, err
	}
	return fd, is, nil
}
