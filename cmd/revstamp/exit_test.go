package main

import (
	"context"
	"errors"
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

// TestSignalled: what only says that it was cancelled is told as the signal, and what
// says more is not.
func TestSignalled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	other := errors.New("other")
	if got := signalled(ctx, context.Canceled); got != context.Canceled {
		t.Errorf("without a signal: %v", got)
	}
	signal := fmt.Errorf("signal received: %w", context.Canceled)
	cancel(signal)
	left := fmt.Errorf("process 7 goes on by itself: %w", signal)
	for _, c := range []struct{ err, want error }{
		{nil, nil},
		{other, other},
		{fmt.Errorf("read: %w", context.Canceled), signal},
		{left, left},
	} {
		if got := signalled(ctx, c.err); got != c.want {
			t.Errorf("signalled(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}
