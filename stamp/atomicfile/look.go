package atomicfile

import (
	"golang.org/x/sys/unix"
)

// identity is what a name was when it was looked at. Two equal identities are
// the same file with the same content, as far as the clock of the file system
// can tell.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64  // nanoseconds since 1970
	mode         uint32 // type and permission bits
	uid, gid     uint32
}

// moved reports whether id, seen after a rename, is the same unchanged file:
// a rename sets ctime.
func (id identity) moved(before identity) bool {
	id.ctime = before.ctime
	return id == before
}

func (id identity) is(fileType uint32) bool { return id.mode&unix.S_IFMT == fileType }

// bits are the permission bits with set-user-ID, set-group-ID and sticky.
func (id identity) bits() uint32 { return id.mode & 0o7777 }

// info is an identity and what may change without a change of the file.
type info struct {
	identity
	nlink uint64
	flags uint64 // unix.STATX_ATTR_*, as far as the file system tells
}

// look tells what name is in the directory fd, following no link, or what fd
// itself is when name is empty.
func look(fd int, name string) (info, error) {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	var st unix.Statx_t
	err := retry(func() error { return unix.Statx(fd, name, flags, unix.STATX_BASIC_STATS, &st) })
	if err == unix.ENOSYS || err == unix.EPERM {
		return lookWithoutFlags(fd, name, flags) // Linux before 4.11; container runtimes that do not know the call
	}
	if err != nil {
		return info{}, err
	}
	return info{
		identity: identity{
			dev: unix.Mkdev(st.Dev_major, st.Dev_minor), ino: st.Ino, size: int64(st.Size),
			mtime: nanoseconds(st.Mtime), ctime: nanoseconds(st.Ctime),
			mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid,
		},
		nlink: uint64(st.Nlink),
		flags: st.Attributes & st.Attributes_mask,
	}, nil
}

func nanoseconds(t unix.StatxTimestamp) int64 { return t.Sec*1e9 + int64(t.Nsec) }

func lookWithoutFlags(fd int, name string, flags int) (info, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstatat(fd, name, &st, flags) }); err != nil {
		return info{}, err
	}
	return info{
		identity: identity{
			dev: st.Dev, ino: st.Ino, size: st.Size,
			mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
			mode: st.Mode, uid: st.Uid, gid: st.Gid,
		},
		nlink: uint64(st.Nlink),
	}, nil
}

// typeName says what a mode is, for messages.
func typeName(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "regular file"
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFLNK:
		return "symbolic link"
	case unix.S_IFIFO:
		return "FIFO"
	case unix.S_IFSOCK:
		return "socket"
	}
	return "device"
}
