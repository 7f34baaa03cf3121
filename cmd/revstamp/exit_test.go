package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"revstamp/stamp/atomicfile"
	"revstamp/testdata/need"
)

func TestHintOwner(t *testing.T) {
	err := fmt.Errorf("replace %q: %w: chown to 0:0: operation not permitted", "a", atomicfile.ErrOwner)
	if got, want := hint(err), "--owner-best-effort"; !strings.Contains(got, want) {
		t.Errorf("hint(%v) = %q, want it to name %s", err, got, want)
	}
}

// TestHintDenied names whose the first thing is that is there.
func TestHintDenied(t *testing.T) {
	need.Root(t)
	dir := t.TempDir()
	state := filepath.Join(dir, ".revstamp")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	denied := fmt.Errorf("lock: %w", &fs.PathError{Op: "open", Path: filepath.Join(state, "journal", "1.jsonl"), Err: syscall.EACCES})
	if got := hint(denied); got != "" {
		t.Errorf("of this user: %q", got)
	}
	if err := os.Chown(state, 12345, -1); err != nil {
		t.Fatal(err)
	}
	if got, want := hint(denied), state+" belongs to 12345: do this as that user, or give it away with chown"; got != want {
		t.Errorf("hint = %q, want %q", got, want)
	}
}
