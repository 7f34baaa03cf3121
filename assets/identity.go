package assets

import (
	"io/fs"
	"syscall"
	"time"
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
func identify(info fs.FileInfo, now time.Time) identity {
	id := identityOf(info)
	if now.UnixNano()-max(id.mtime, id.ctime) < int64(clockStep(id.ctime)) {
		return identity{}
	}
	return id
}

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
