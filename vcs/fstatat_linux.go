//go:build amd64 || arm64 || riscv64 || ppc64le || s390x

package vcs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// fstatat is unix.Fstatat, without following links, for a name that ends with
// NUL. It saves the copies of the name that a string would need.
func fstatat(dir int, name []byte, st *unix.Stat_t) error {
	_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(dir), uintptr(unsafe.Pointer(unsafe.SliceData(name))),
		uintptr(unsafe.Pointer(st)), unix.AT_SYMLINK_NOFOLLOW, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
