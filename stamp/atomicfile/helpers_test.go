package atomicfile

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"revstamp/testdata/need"
)

func write(t testing.TB, name, data string, perm os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, perm); err != nil {
		t.Fatal(err)
	}
	return name
}

func wantContent(t testing.TB, name, want string) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
		return
	}
	if string(got) != want {
		t.Errorf("content of %s = %.60q, want %.60q", name, got, want)
	}
}

// leftovers returns the temporary files under dir.
func leftovers(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, tempSuffix) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return found
}

func wantNoLeftovers(t testing.TB, dir string) {
	t.Helper()
	if found := leftovers(t, dir); len(found) > 0 {
		t.Errorf("temporary files left behind: %q", found)
	}
}

func set(data string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return []byte(data), nil }
}

func mustReplace(t testing.TB, name string, o Options, data string) {
	t.Helper()
	changed, err := Replace(context.Background(), name, o, set(data))
	if err != nil || !changed {
		t.Fatalf("Replace(%q) = %v, %v, want true, nil", name, changed, err)
	}
}

func mustOpen(t testing.TB, name string, o Options) *File {
	t.Helper()
	f, err := Open(name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// mountOver makes name a mount point of its own.
func mountOver(t testing.TB, name string) {
	t.Helper()
	need.Root(t)
	if err := unix.Mount(name, name, "", unix.MS_BIND, ""); err != nil {
		t.Skip("bind mounts are not allowed here:", err)
	}
	t.Cleanup(func() { unix.Unmount(name, unix.MNT_DETACH) })
}
