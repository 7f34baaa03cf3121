//go:build !(amd64 || arm64 || riscv64 || ppc64le || s390x)

package vcs

import "golang.org/x/sys/unix"

func fstatat(dir int, name []byte, st *unix.Stat_t) error {
	return unix.Fstatat(dir, string(name[:len(name)-1]), st, unix.AT_SYMLINK_NOFOLLOW)
}
