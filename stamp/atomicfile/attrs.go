package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// attr is one extended attribute.
type attr struct {
	name  string
	value []byte
}

const aclAttr = "system.posix_acl_access"

// keptAttr reports whether a replacement takes the attribute over. Others
// describe the content (security.ima, security.evm, security.capability) or
// belong to the system (trusted.*).
func keptAttr(name string) bool {
	return strings.HasPrefix(name, "user.") || name == aclAttr || name == "security.selinux"
}

func unsupported(err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS)
}

// readAttrs returns the attributes of fd that a replacement takes over.
func readAttrs(fd int) ([]attr, error) {
	names, err := attrNames(fd)
	if err != nil {
		return nil, err
	}
	var attrs []attr
	for _, name := range names {
		value, err := readAttr(fd, name)
		if errors.Is(err, unix.ENODATA) || unsupported(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		attrs = append(attrs, attr{name, value})
	}
	return attrs, nil
}

// attrNames lists the attributes of fd that a replacement takes over.
func attrNames(fd int) ([]string, error) {
	// Most files have none, and the question after how many bytes takes no memory.
	if n, err := unix.Flistxattr(fd, nil); err == nil && n == 0 || unsupported(err) {
		return nil, nil
	}
	list, err := growing(func(buf []byte) (int, error) { return unix.Flistxattr(fd, buf) })
	if unsupported(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
	return slices.DeleteFunc(names, func(name string) bool { return !keptAttr(name) }), nil
}

func readAttr(fd int, name string) ([]byte, error) {
	return growing(func(buf []byte) (int, error) { return unix.Fgetxattr(fd, name, buf) })
}

// growing calls read with more and more room until the answer fits.
func growing(read func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n := 0
		err := retry(func() (err error) { n, err = read(buf); return err })
		if err == unix.ERANGE && size < 1<<20 {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}

// copyAttrs gives fd the wanted attributes, and takes away an ACL that it
// inherited from its directory and that the original does not have.
func copyAttrs(fd int, want []attr) error {
	have, err := attrNames(fd)
	if err != nil {
		return err
	}
	inherited := slices.Contains(have, aclAttr)
	for _, a := range want {
		inherited = inherited && a.name != aclAttr
		if slices.Contains(have, a.name) {
			// A label is the same as a rule, and setting one needs a right.
			if value, err := readAttr(fd, a.name); err == nil && bytes.Equal(value, a.value) {
				continue
			}
		}
		err := retry(func() error { return unix.Fsetxattr(fd, a.name, a.value, 0) })
		if err != nil && !unsupported(err) {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if !inherited {
		return nil
	}
	err = retry(func() error { return unix.Fremovexattr(fd, aclAttr) })
	if err != nil && !errors.Is(err, unix.ENODATA) {
		return fmt.Errorf("%s: %w", aclAttr, err)
	}
	return nil
}

// takeOver makes fd, a file of ours, look like f, and tells what it is then:
// attributes, then owner, then permission bits, because chown takes
// set-user-ID bits away.
func (f *File) takeOver(fd int) (identity, error) {
	bits := f.bits()
	if f.perm != nil {
		bits = *f.perm
	}
	if err := f.tolerate(copyAttrs(fd, f.attrs)); err != nil {
		return identity{}, err
	}
	is, err := look(fd, "")
	if err != nil {
		return identity{}, err
	}
	if is.uid != f.uid || is.gid != f.gid {
		kept, err := f.chown(fd)
		if err != nil {
			return identity{}, err
		}
		if !kept {
			bits &^= unix.S_ISUID | unix.S_ISGID // they were the old owner's to give
		}
	} else if is.bits() == bits {
		return is.identity, nil
	}
	if err := retry(func() error { return unix.Fchmod(fd, bits) }); err != nil {
		return identity{}, fmt.Errorf("chmod: %w", err)
	}
	if is.uid == f.uid && is.gid == f.gid && bits&(unix.S_ISUID|unix.S_ISGID) == 0 {
		is.mode = is.mode&^0o7777 | bits // for sure
		return is.identity, nil
	}
	if is, err = look(fd, ""); err == nil && is.bits() != bits {
		// The kernel takes set-group-ID away without a word from whoever is not
		// of the group.
		err = f.tolerate(fmt.Errorf("mode %04o became %04o: %w", bits, is.bits(), unix.EPERM))
	}
	return is.identity, err
}

// chown gives fd the owner of f. Where that is tolerated it reports that the
// owner was not kept.
func (f *File) chown(fd int) (kept bool, err error) {
	err = retry(func() error { return unix.Fchown(fd, int(f.uid), int(f.gid)) })
	if err == nil {
		return true, nil
	}
	if err := f.tolerate(fmt.Errorf("chown to %d:%d: %w", f.uid, f.gid, err)); err != nil {
		return false, err
	}
	_ = retry(func() error { return unix.Fchown(fd, -1, int(f.gid)) }) // the group alone is often allowed
	return false, nil
}

// tolerate turns a refusal by the kernel into ErrOwner, or into a warning
// where the options say so. EINVAL is the answer to an owner that has no number
// in this container's user namespace.
func (f *File) tolerate(err error) error {
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	if f.opts.Owner == OwnerBestEffort {
		f.opts.warn(fmt.Sprintf("%q: owner or attributes not kept: %v", f.Path(), err))
		return nil
	}
	return fmt.Errorf("%w: %w", ErrOwner, err)
}
