package release

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// printFile adds to h what stat tells of a file: a file whose content changed
// has another inode, size, modification or change time.
func printFile(h io.Writer, name string, info fs.FileInfo) {
	fmt.Fprintf(h, "%s\x00%d\x00%d\x00", name, info.Size(), info.ModTime().UnixNano())
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		fmt.Fprintf(h, "%d\x00%d\x00%d\x00", st.Dev, st.Ino, st.Ctim.Nano())
	}
	fmt.Fprintln(h)
}

// readSeen is the fingerprint that the last release left, or empty.
func (s *state) readSeen() string {
	data, _ := os.ReadFile(s.seen())
	return string(data)
}

// writeSeen keeps print. It is a cache: without it, or with a torn one, the
// next release only looks closer.
func (s *state) writeSeen(print string) error {
	return os.WriteFile(s.seen(), []byte(print), 0o600)
}
