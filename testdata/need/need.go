// Package need tells a test whether the real programs it runs are installed.
package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Program skips t unless every named program is on PATH. Under
// REVSTAMP_REQUIRE=all, as .ci/test sets it, a missing program fails the test
// instead: what is not installed there is not tested anywhere.
func Program(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, name)
		}
	}
}

// Root skips t unless it runs as root, under the same rule as Program.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "root")
	}
}

// DebianPython is Debian's own Python, which alone finds the modules of
// Debian's packages.
const DebianPython = "/usr/bin/python3"

// Corpus returns the directories in which the named Debian packages were
// unpacked by .ci/test, or skips t under the same rule as Program. It skips t
// under -short too: to read thousands of files takes long, and .ci/test does it
// without the race detector.
func Corpus(t testing.TB, packages ...string) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("other people's files are read without -short")
	}
	top := os.Getenv("REVSTAMP_CORPORA")
	if top == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			missing(t, "a cache directory")
		}
		top = filepath.Join(cache, "revstamp-corpora")
	}
	var dirs []string
	for _, name := range packages {
		dir := filepath.Join(top, name)
		if _, err := os.Stat(dir); err != nil {
			missing(t, "the unpacked Debian package "+name)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("REVSTAMP_REQUIRE") == "all" {
		t.Fatalf("%s is required by REVSTAMP_REQUIRE=all and is not here", what)
	}
	t.Skipf("%s is not here", what)
}
