package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A working copy above the directory asked about is taken when it is the user's
// own in every part.
func TestMine(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	if err := os.Mkdir(filepath.Join(top, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if !mine(top) {
		t.Error("one's own is not one's own")
	}
	if os.Getuid() != 0 {
		if mine("/") {
			t.Error("root's is one's own")
		}
		return
	}
	for _, part := range []string{".git", "."} {
		if err := os.Chown(filepath.Join(top, part), 12345, -1); err != nil {
			t.Fatal(err)
		}
		if mine(top) {
			t.Errorf("somebody's %s is one's own", part)
		}
		if err := os.Chown(filepath.Join(top, part), 0, -1); err != nil {
			t.Fatal(err)
		}
	}
}
