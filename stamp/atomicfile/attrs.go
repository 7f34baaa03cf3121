package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
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
	list, err := growing(func(buf []byte) (int, error) { return unix.Flistxattr(fd, buf) })
	if unsupported(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var attrs []attr
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if !keptAttr(name) {
			continue
		}
		value, err := growing(func(buf []byte) (int, error) { return unix.Fgetxattr(fd, name, buf) })
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

// growing calls read with more and more room until the answer fits.
func growing(read func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n, err := read(buf)
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
	have, err := readAttrs(fd)
	if err != nil {
		return err
	}
	value := make(map[string][]byte, len(have))
	for _, a := range have {
		value[a.name] = a.value
	}
	for _, a := range want {
		got, ok := value[a.name]
		delete(value, a.name)
		if ok && bytes.Equal(got, a.value) {
			continue
		}
		if err := unix.Fsetxattr(fd, a.name, a.value, 0); err != nil && !unsupported(err) {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if _, inherited := value[aclAttr]; inherited {
		if err := unix.Fremovexattr(fd, aclAttr); err != nil && !errors.Is(err, unix.ENODATA) {
			return fmt.Errorf("%s: %w", aclAttr, err)
		}
	}
	return nil
}

// takeOver makes fd, a file of ours, look like the original: attributes, then
// owner, then permission bits, because chown takes set-user-ID bits away.
func (f *File) takeOver(fd int) error {
	bits := f.id.mode & 0o7777
	if f.perm != nil {
		bits = *f.perm
	}
	if err := f.tolerate(copyAttrs(fd, f.attrs)); err != nil {
		return err
	}
	err := chown(fd, f.id.uid, f.id.gid)
	if err != nil {
		if err := f.tolerate(err); err != nil {
			return err
		}
		// The group alone is often allowed. The set-ID bits were the old
		// owner's to give.
		unix.Fchown(fd, -1, int(f.id.gid))
		bits &^= unix.S_ISUID | unix.S_ISGID
	}
	if err := unix.Fchmod(fd, bits); err != nil {
		return fmt.Errorf("chmod: %w", err)
	}
	return nil
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

func chown(fd int, uid, gid uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Uid == uid && st.Gid == gid {
		return nil
	}
	if err := unix.Fchown(fd, int(uid), int(gid)); err != nil {
		return fmt.Errorf("chown to %d:%d: %w", uid, gid, err)
	}
	return nil
}
