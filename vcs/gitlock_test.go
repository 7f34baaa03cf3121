package vcs

import (
	"errors"
	"os"
	"slices"
	"testing"
)

// A power cut may tear the last line of the lock. What a resumed update goes on to
// is then a line of its own, not the end of the torn one.
func TestLockAfterTornLine(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(lockPath(dir), []byte(lockTitle+"from aaaa\nto bbbb\nto cc"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := lockForUpdate(dir, "aaaa", "dddd", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.add("eeee"); err != nil {
		t.Fatal(err)
	}
	l.close()
	again, err := readUpdateLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	if want := []string{"aaaa", "bbbb", "dddd", "eeee"}; !slices.Equal(again.commits(), want) {
		t.Errorf("commits %q, want %q", again.commits(), want)
	}
}

func TestLockClosedWhenNothingCanBeNoted(t *testing.T) {
	dir := t.TempDir()
	l, err := newUpdateLock(dir, "aaaa", "bbbb")
	if err != nil {
		t.Fatal(err)
	}
	l.close()
	if l.file, err = os.Open(lockPath(dir)); err != nil { // for reading alone
		t.Fatal(err)
	}
	if _, err := l.with("cccc"); err == nil {
		t.Error("noted in a file that cannot be written")
	}
	if _, err := l.file.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the lock's file is open: %v", err)
	}
}
