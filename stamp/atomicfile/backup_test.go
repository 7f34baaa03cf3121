package atomicfile

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestBackups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "config/config.php"), "v0", 0o644)
	store := &Backups{Dir: filepath.Join(dir, "state/backups"), Keep: 3}
	begin := time.Now().UTC()
	for i := 1; i <= 5; i++ {
		b := Batch{Backups: store}
		b.Add(mustOpen(t, name, Options{}), fmt.Append(nil, "v", i))
		if err := b.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	list, err := store.List(name)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, b := range list {
		data, err := os.ReadFile(b.Path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(data))
		if b.Original != name || b.Mode != 0o644 || b.Time.Before(begin) {
			t.Errorf("backup %+v, want one of %q, mode 0644, after %v", b, name, begin)
		}
		if i > 0 && (b.Path <= list[i-1].Path || !b.Time.After(list[i-1].Time)) {
			t.Errorf("%q sorts before %q", b.Path, list[i-1].Path)
		}
	}
	if want := []string{"v2", "v3", "v4"}; !slices.Equal(got, want) {
		t.Errorf("backups hold %q, want %q", got, want)
	}
	for path, want := range map[string]fs.FileMode{store.Dir: 0o700 | fs.ModeDir, list[0].Path: 0o640} {
		if st, err := os.Stat(path); err != nil || st.Mode() != want {
			t.Errorf("mode of %s = %v, %v, want %v", path, st.Mode(), err, want)
		}
	}
	wantNoLeftovers(t, dir)

	// A file that is gone still leads to its backups.
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if list, err := store.List(name); err != nil || len(list) != 3 {
		t.Errorf("List = %d backups, %v, want 3", len(list), err)
	}
	if list, err := store.List(filepath.Join(dir, "other")); err != nil || len(list) != 0 {
		t.Errorf("List of another file = %v, %v, want none", list, err)
	}
}

func TestBackupTightensTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "secret", 0o666)
	store := &Backups{Dir: filepath.Join(dir, "b")}
	if err := os.Mkdir(store.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Save(mustOpen(t, name, Options{})); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(store.Dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("mode = %v, %v, want 0700", st.Mode(), err)
	}
}

func TestBackupWhenTheClockStands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "x", 0o600)
	store := &Backups{Dir: filepath.Join(dir, "b")}
	future := time.Now().Add(time.Hour).UTC()
	write(t, filepath.Join(store.Dir, name, backupName(future, 0o600)), "from the future", 0o600)
	b, err := store.Save(mustOpen(t, name, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if !b.Time.After(future.Truncate(time.Nanosecond)) {
		t.Errorf("Time = %v, want after %v", b.Time, future)
	}
	if list, _ := store.List(name); len(list) != 2 || list[1].Path != b.Path {
		t.Errorf("List = %v, want the new one last", list)
	}
}
