package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTraits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := write(t, filepath.Join(dir, "secret"), "old", 0o640)
	setAttr(t, secret, "user.site", "shop")
	setAttr(t, secret, aclAttr, string(acl))
	before, err := TraitsOf(secret)
	if err != nil {
		t.Fatal(err)
	}
	want := attributes(t, secret)
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	write(t, secret, "new", 0o644)
	now, err := TraitsOf(secret)
	if err != nil || now.Equal(before) {
		t.Errorf("another program's: %+v, %v; before %+v", now, err, before)
	}
	if err := before.Give(secret, Options{}); err != nil {
		t.Fatal(err)
	}
	now, err = TraitsOf(secret)
	if err != nil || !now.Equal(before) {
		t.Errorf("after Give: %+v, %v, want %+v", now, err, before)
	}
	if d := cmp.Diff(want, attributes(t, secret)); d != "" {
		t.Error(d)
	}
	if data, err := os.ReadFile(secret); err != nil || string(data) != "new" {
		t.Errorf("content %q, %v", data, err)
	}
	if err := before.Mine(); err != nil {
		t.Error(err)
	}

	link := filepath.Join(dir, "link")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{link: ErrNotRegular, dir: ErrNotRegular, filepath.Join(dir, "none"): fs.ErrNotExist} {
		if _, err := TraitsOf(name); !errors.Is(err, want) {
			t.Errorf("TraitsOf(%q): %v, want %v", name, err, want)
		}
		if err := before.Give(name, Options{}); !errors.Is(err, want) {
			t.Errorf("Give(%q): %v, want %v", name, err, want)
		}
	}
}
