package assets

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
)

const crashDir = "REVSTAMP_TEST_COPIES" // tells the child where its site is

// TestCopiesChild is no test but the process that TestWriteKilled kills.
func TestCopiesChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("not a child")
	}
	l, _ := release(t, dir, dir)
	if _, err := l.Clean(t.Context(), Retention{}); err != nil {
		t.Fatal(err)
	}
}

// TestWriteKilled kills a release before each of its system calls in turn: what is
// there is whole, and the next one leaves all as if nothing had happened.
func TestWriteKilled(t *testing.T) {
	t.Parallel()
	need.Program(t, "strace")
	// A release that writes, keeps and removes copies.
	earlier := map[string]string{"a.css": "a{b:url(c.png)}", "c.png": "1", "d/e.js": "old", "d/gone.js": "gone"}
	later := map[string]string{"c.png": "2", "d/e.js": "new", "f.js": "f"}
	contents := map[string]bool{}
	prepare := func() string {
		dir := t.TempDir()
		put(t, dir, earlier)
		release(t, dir, dir)
		for _, data := range dirOf(t, dir) {
			contents[data] = true
		}
		put(t, dir, later)
		if err := os.Remove(filepath.Join(dir, "d/gone.js")); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	dir := prepare()
	l, _ := release(t, dir, dir)
	if _, err := l.Clean(t.Context(), Retention{}); err != nil {
		t.Fatal(err)
	}
	want := dirOf(t, dir)
	for _, data := range want {
		contents[data] = true
	}
	killed := 0
	for _, call := range []string{"openat", "write", "ioctl", "linkat", "unlinkat", "renameat2", "fsync", "fchmod", "utimensat", "copy_file_range"} {
		step := 1
		if testing.Short() && call == "openat" || call == "write" {
			step = 5
		}
		for n := 1; ; n += step {
			dir := prepare()
			if !killedAt(t, dir, call, n) {
				break
			}
			killed++
			for name, data := range dirOf(t, dir) {
				if !strings.HasSuffix(name, ".revstamp") && !contents[data] {
					t.Errorf("killed at %s %d: %s holds %q", call, n, name, data)
				}
			}
			l, _ := release(t, dir, dir)
			if _, err := l.Clean(t.Context(), Retention{}); err != nil {
				t.Errorf("killed at %s %d: Clean: %v", call, n, err)
			}
			if d := cmp.Diff(want, dirOf(t, dir)); d != "" {
				t.Errorf("killed at %s %d, and then released (-want +got):\n%s", call, n, d)
			}
			known := slices.Sorted(maps.Keys(l.book.Copies))
			for _, name := range known {
				if _, ok := want[name]; !ok {
					t.Errorf("killed at %s %d: the ledger knows %s", call, n, name)
				}
			}
		}
	}
	t.Logf("killed %d times", killed)
	if killed < 20 {
		t.Errorf("killed %d times", killed)
	}
}

// killedAt runs a release that is killed on entry to the n-th of a system call,
// and reports whether it got that far.
func killedAt(t *testing.T, dir, call string, n int) bool {
	t.Helper()
	inject := fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n)
	cmd := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", "trace="+call, "-e", inject,
		os.Args[0], "-test.run=^TestCopiesChild$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, "GOMAXPROCS=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && !exit.Exited(): // strace dies as its child did
		return true
	}
	t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	return false
}
