package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"revstamp/testdata/need"
)

// saved makes a file that held "first" and holds "second", with a backup.
func saved(t *testing.T) (name string, store *Backups, first Backup) {
	t.Helper()
	dir := t.TempDir()
	name = write(t, filepath.Join(dir, "a"), "first", 0o640)
	store = &Backups{Dir: filepath.Join(dir, "state"), Keep: 1}
	b := Batch{Backups: store}
	b.Add(mustOpen(t, name, Options{}), []byte("second"))
	if err := b.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	return name, store, newest(t, store, name)
}

func newest(t *testing.T, store *Backups, name string) Backup {
	t.Helper()
	list, err := store.List(name)
	if err != nil || len(list) == 0 {
		t.Fatalf("List = %v, %v, want a backup", list, err)
	}
	return list[len(list)-1]
}

func mustRestore(t *testing.T, store *Backups, from Backup, want bool) {
	t.Helper()
	if changed, err := store.Restore(context.Background(), from, Options{}); changed != want || err != nil {
		t.Fatalf("Restore = %v, %v, want %v, nil", changed, err, want)
	}
}

func TestRestoreAndUndoIt(t *testing.T) {
	t.Parallel()
	name, store, first := saved(t)
	if err := os.Chmod(name, 0o604); err != nil {
		t.Fatal(err)
	}
	mustRestore(t, store, first, true)
	wantContent(t, name, "first")
	if got, want := mustOpen(t, name, Options{}).Mode(), fs.FileMode(0o604); got != want {
		t.Errorf("Mode = %v, want %v: that of the file, not of the backup", got, want)
	}
	second := newest(t, store, name)
	mustRestore(t, store, second, true)
	wantContent(t, name, "second")
	same, err := store.Save(mustOpen(t, name, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	mustRestore(t, store, same, false)
	if list, err := store.List(name); err != nil || len(list) != 1 {
		t.Errorf("List = %v, %v, want the one to keep", list, err)
	}
	wantNoLeftovers(t, filepath.Dir(name))
}

func TestRestoreMissing(t *testing.T) {
	t.Parallel()
	need.Root(t)
	const nobody = 65534
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "sub/a"), "first", 0o640)
	want := fs.FileMode(0o754) | fs.ModeSetuid
	attrs := unix.Setxattr(name, "user.origin", []byte("editor"), 0) == nil
	acls := unix.Setxattr(name, aclAttr, acl, 0) == nil
	if err := errors.Join(os.Chown(name, nobody, nobody), os.Chmod(name, want)); err != nil {
		t.Fatal(err)
	}
	store := &Backups{Dir: filepath.Join(dir, "state")}
	first, err := store.Save(mustOpen(t, name, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if first.Mode != want {
		t.Errorf("Mode of the backup = %v, want %v", first.Mode, want)
	}
	if err := os.RemoveAll(filepath.Dir(name)); err != nil {
		t.Fatal(err)
	}
	mustRestore(t, store, first, true)
	wantContent(t, name, "first")
	f := mustOpen(t, name, Options{})
	if f.Mode() != want || f.uid != nobody || f.gid != nobody {
		t.Errorf("mode %v, owner %d:%d, want %v, %d:%d", f.Mode(), f.uid, f.gid, want, nobody, nobody)
	}
	found := map[string]string{}
	for _, a := range f.attrs {
		found[a.name] = string(a.value)
	}
	if attrs && found["user.origin"] != "editor" {
		t.Errorf("user.origin = %q, want %q", found["user.origin"], "editor")
	}
	if acls && found[aclAttr] == "" {
		t.Error("the access list is not restored")
	}
}

func TestRestoreMeetsAnEdit(t *testing.T) {
	t.Parallel()
	name, store, first := saved(t)
	o := Options{Record: func(string) error { return os.WriteFile(name, []byte("theirs"), 0o640) }}
	if _, err := store.Restore(context.Background(), first, o); !errors.Is(err, ErrChanged) {
		t.Errorf("Restore: %v, want %v", err, ErrChanged)
	}
	wantContent(t, name, "theirs")
	// The backup is the only one to keep, and yet it is there for the next try.
	if now := newest(t, store, name); now != first {
		t.Errorf("the newest backup is %+v, want %+v", now, first)
	}
	mustRestore(t, store, first, true)
	wantContent(t, name, "first")
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	name, store, first := saved(t)
	if err := os.Symlink(first.Path, first.Path+".link"); err != nil {
		t.Fatal(err)
	}
	linked := first
	linked.Path += ".link"
	if _, err := store.Restore(context.Background(), linked, Options{}); !errors.Is(err, ErrNotRegular) {
		t.Errorf("Restore of a link: %v, want %v", err, ErrNotRegular)
	}
	if _, err := store.Restore(context.Background(), first, Options{Root: store.Dir}); !errors.Is(err, ErrOutsideRoot) {
		t.Errorf("Restore outside the root: %v, want %v", err, ErrOutsideRoot)
	}
	if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(context.Background(), first, Options{}); !errors.Is(err, ErrNotRegular) {
		t.Errorf("Restore over a directory: %v, want %v", err, ErrNotRegular)
	}
	if err := os.Remove(first.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read: %v, want %v", err, fs.ErrNotExist)
	}
}

// What was a file is a link now: its backups are still found, and restored to
// where the link leads, for links stay.
func TestBackupsOfWhatIsALinkNow(t *testing.T) {
	t.Parallel()
	name, store, first := saved(t)
	target := write(t, filepath.Join(filepath.Dir(name), "shared/a"), "shared", 0o640)
	if err := errors.Join(os.Remove(name), os.Symlink(target, name)); err != nil {
		t.Fatal(err)
	}
	if got := newest(t, store, name); got != first {
		t.Errorf("List ends in %+v, want %+v", got, first)
	}
	mustRestore(t, store, first, true)
	wantContent(t, target, "first")
	if _, err := os.Readlink(name); err != nil {
		t.Error(err)
	}
}
