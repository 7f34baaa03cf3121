package release

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// processes are those that run on this machine now, without this one.
func processes() (pids []int, err error) {
	names, err := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// environ is what revstamp told a process, or one that started it, when that was
// started: its variables that begin with REVSTAMP_. One that has ended has none, and
// nor has another user's, or one with an environment of its own, as sudo gives it.
func environ(pid int) map[string]string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil
	}
	told := make(map[string]string)
	for entry := range bytes.SplitSeq(text, []byte{0}) {
		if name, value, ok := bytes.Cut(entry, []byte("=")); ok && bytes.HasPrefix(name, []byte("REVSTAMP_")) {
			told[string(name)] = string(value)
		}
	}
	return told
}
