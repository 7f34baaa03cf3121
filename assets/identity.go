package assets

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// identity is what stat tells of a file: as long as it is the same, so is the
// file's content. The zero identity is no file's.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds since 1970; nobody can set ctime
}

// identify returns the identity of the file that info is of, or zero if it
// cannot be told: the file changed so short a time ago that it may change again
// and look the same, as git says of a "racily clean" one.
func identify(info fs.FileInfo, now time.Time) identity { return identityOf(info).at(now) }

// identityOf is identify for who knows that the content is that of this moment.
func identityOf(info fs.FileInfo) identity {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{} // no file of a disk
	}
	return identity{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}
}

// at is id, if what was looked at at that time will not look the same after a change.
func (id identity) at(now time.Time) identity {
	if now.UnixNano()-max(id.mtime, id.ctime) < int64(clockStep(id.ctime)) {
		return identity{}
	}
	return id
}

// stater identifies files of which those of one directory follow each other. It holds
// that directory open: a short path is found sooner.
type stater struct {
	parent string
	dir    int // its descriptor, if parent is not ""
}

// identify returns the identity of the file at name, following links; zero if there
// is none, or it cannot be told.
func (s *stater) identify(name string) identity {
	parent, base := filepath.Split(name)
	if parent == "" {
		parent = "."
	}
	if parent != s.parent {
		s.close()
		dir, err := unix.Open(parent, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return identity{}
		}
		s.parent, s.dir = parent, dir
	}
	now := time.Now()
	var st unix.Stat_t
	if err := unix.Fstatat(s.dir, base, &st, 0); err != nil {
		return identity{}
	}
	return identity{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}.at(now)
}

func (s *stater) close() {
	if s.parent != "" {
		unix.Close(s.dir)
	}
	s.parent = ""
}

// clockStep is longer than the steps in which a file system counts time that has
// the time ns. Linux counts in steps of at most 10 ms; where no more than
// milliseconds are kept, and so perhaps whole seconds, two seconds are the
// longest step of all.
func clockStep(ns int64) time.Duration {
	if ns%int64(time.Millisecond) == 0 {
		return 3 * time.Second
	}
	return 20 * time.Millisecond
}
