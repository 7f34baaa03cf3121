package gitdir

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Stat is what an index remembers of a file, each field cut to 32 bits. The
// zero Stat matches no file.
type Stat struct {
	CtimeSec, CtimeNsec, MtimeSec, MtimeNsec uint32
	Dev, Ino, UID, GID, Size                 uint32
}

// StatOf takes the fields from what lstat(2) returned.
func StatOf(st *unix.Stat_t) Stat {
	return Stat{
		CtimeSec: uint32(st.Ctim.Sec), CtimeNsec: uint32(st.Ctim.Nsec),
		MtimeSec: uint32(st.Mtim.Sec), MtimeNsec: uint32(st.Mtim.Nsec),
		Dev: uint32(st.Dev), Ino: uint32(st.Ino), UID: st.Uid, GID: st.Gid, Size: uint32(st.Size),
	}
}

// Same reports whether a file that now has the stat data now is surely the one
// remembered. False means only that its content must be looked at.
//
// Device numbers are not compared, as in git: they change when a file system is
// mounted again. Nanoseconds are, where the index has them: git does not always.
func (s Stat) Same(now Stat) bool {
	if s.MtimeNsec == 0 || now.MtimeNsec == 0 {
		now.MtimeNsec = s.MtimeNsec
	}
	if s.CtimeNsec == 0 || now.CtimeNsec == 0 {
		now.CtimeNsec = s.CtimeNsec
	}
	now.Dev = s.Dev
	return s == now && s != Stat{}
}

// tick is longer than the steps of the clock that stamps files: a kernel that
// counts 100 times a second has the longest, 10 ms.
const tick = 20 * time.Millisecond

// Racy reports whether a file with this stat data may have been changed at the
// same instant, as far as its clock tells, as the index was written: then its
// stat data prove nothing (git's Documentation/technical/racy-git.txt). Git
// itself compares whole seconds, which makes it read every file of a fresh
// clone; nanoseconds, where there are any, need only a tick.
func (s Stat) Racy(written time.Time) bool {
	if s.MtimeNsec == 0 {
		return int64(s.MtimeSec) >= int64(uint32(written.Unix()))
	}
	mtime := time.Unix(int64(s.MtimeSec), int64(s.MtimeNsec))
	return !mtime.Add(tick).Before(written)
}

// FileMode is the mode that a file in the working tree is tracked with, zero
// for what git does not track (a directory, a device). Where git is told not to
// look at executable bits, or the file system has no links, that is the
// caller's to know.
func FileMode(st *unix.Stat_t) Mode {
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return ModeSymlink
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return 0
	case st.Mode&unix.S_IXUSR != 0:
		return ModeExecutable
	}
	return ModeRegular
}

// keepAccess gives f the permissions of the file it will replace, and its owner
// where that is allowed: root's update of another's repository leaves it theirs.
func keepAccess(f *os.File, old string) error {
	info, err := os.Stat(old)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return f.Chmod(info.Mode().Perm())
}
