package main

import (
	"fmt"
	"strings"
	"testing"

	"revstamp/stamp/atomicfile"
)

func TestHintOwner(t *testing.T) {
	err := fmt.Errorf("replace %q: %w: chown to 0:0: operation not permitted", "a", atomicfile.ErrOwner)
	if got, want := hint(err), "--owner-best-effort"; !strings.Contains(got, want) {
		t.Errorf("hint(%v) = %q, want it to name %s", err, got, want)
	}
}
