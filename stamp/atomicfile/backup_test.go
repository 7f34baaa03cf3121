package atomicfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
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

// Several files have a copy each, few or many of them; or, when one cannot be copied,
// none has.
func TestSaveAll(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, manyFiles - 1, manyFiles, 3 * manyFiles} {
		dir := t.TempDir()
		store := &Backups{Dir: filepath.Join(dir, "backups"), Keep: 2}
		var files []*File
		for i := range n {
			name := write(t, filepath.Join(dir, fmt.Sprint("site/", i%3, "/f", i)), fmt.Sprint("content of ", i), 0o640)
			files = append(files, mustOpen(t, name, Options{}))
		}
		for range 3 {
			saved, err := store.SaveAll(context.Background(), files)
			if err != nil || len(saved) != n {
				t.Fatalf("SaveAll of %d files: %d, %v", n, len(saved), err)
			}
			for i, b := range saved {
				if b.Original != files[i].Path() || b.Mode.Perm() != 0o640 {
					t.Errorf("copy %d of %d is %+v", i, n, b)
				}
				wantContent(t, b.Path, fmt.Sprint("content of ", i))
			}
		}
		if n > 0 {
			if list, err := store.List(files[n-1].Path()); err != nil || len(list) != store.Keep {
				t.Errorf("%d copies are kept, %v, want %d", len(list), err, store.Keep)
			}
		}
		wantNoLeftovers(t, dir)
		wantPrivate(t, store.Dir)

		link := filepath.Join(dir, "link")
		if err := os.Symlink("nowhere", link); err != nil {
			t.Fatal(err)
		}
		other := &Backups{Dir: filepath.Join(dir, "other")}
		if _, err := other.SaveAll(context.Background(), append(files, mustOpen(t, link, Options{NoFollow: true}))); !errors.Is(err, ErrNotRegular) {
			t.Errorf("SaveAll with a link: %v, want %v", err, ErrNotRegular)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := other.SaveAll(ctx, files); n > 0 && !errors.Is(err, context.Canceled) {
			t.Errorf("SaveAll without time: %v", err)
		}
		if originals, err := other.Originals(); err != nil || len(originals) != 0 {
			t.Errorf("after failures the store has copies of %v, %v", originals, err)
		}
		wantNoLeftovers(t, dir)
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

// A store is nobody else's directory, and it is not taken from the net.
func TestBackupRefusesDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(dir, "public")
	name := write(t, filepath.Join(dir, "config/a"), "old", 0o644)
	write(t, filepath.Join(public, "css/site.css"), "a{}", 0o644)
	write(t, filepath.Join(public, ".old/x", backupName(time.Now(), 0o644)), "a backup", 0o600)
	for what, store := range map[string]string{
		"a document root": public, "the directory of the file": filepath.Dir(name), "one above it": dir, "none": "",
		"a file": name, "below a file": name + "/backups",
	} {
		b := Batch{Backups: &Backups{Dir: store}}
		b.Add(mustOpen(t, name, Options{}), []byte("new"))
		if err := b.Commit(context.Background()); err == nil {
			t.Errorf("%s is accepted as the backup directory", what)
		}
		wantContent(t, name, "old")
	}
	for _, path := range []string{dir, public, filepath.Dir(name)} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o755 {
			t.Errorf("mode of %s = %v, %v, want 0755", path, st.Mode(), err)
		}
	}
	if err := os.Chmod(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Backups{Dir: filepath.Dir(name)}).Save(mustOpen(t, name, Options{})); err == nil {
		t.Error("the private directory of the file is accepted as its backup directory")
	}
}

func TestBackupTightensAgain(t *testing.T) {
	t.Parallel()
	name, store, _ := saved(t)
	write(t, filepath.Join(store.Dir, name, tempName("a")), "of a killed run", 0o600)
	if err := os.Chmod(store.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Save(mustOpen(t, name, Options{})); err != nil {
		t.Fatal(err)
	}
	wantPrivate(t, store.Dir)
}

// wantPrivate fails if others could read something below dir.
func wantPrivate(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() && st.Mode().Perm() != 0o700 || st.Mode().Perm()&0o007 != 0 {
			t.Errorf("mode of %s is %v", path, st.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestBackupsArePrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "secret", 0o666)
	store := &Backups{Dir: filepath.Join(dir, "open/state/backups")}
	if err := os.Mkdir(filepath.Join(dir, "open"), 0o777); err != nil {
		t.Fatal(err)
	}
	// Everything made in there is for everybody to read.
	if err := unix.Setxattr(filepath.Join(dir, "open"), "system.posix_acl_default", bytes.Replace(acl, []byte("\x01\x00\x06"), []byte("\x01\x00\x07"), 1), 0); err != nil {
		t.Log("no access lists here:", err)
	}
	saved, err := store.Save(mustOpen(t, name, Options{Record: func(temp string) error {
		wantPrivate(t, store.Dir)
		return nil
	}}))
	if err != nil {
		t.Fatal(err)
	}
	wantPrivate(t, filepath.Join(dir, "open/state"))
	if st, err := os.Stat(saved.Path); err != nil || st.Mode().Perm() != 0o660 {
		t.Errorf("mode of the copy = %v, %v, want 0660", st.Mode(), err)
	}
}

// Of a file that nobody can stamp, the backups of better days stay.
func TestFailureKeepsTheBackups(t *testing.T) {
	t.Parallel()
	name, store, first := saved(t)
	for range 5 {
		b := Batch{Backups: store}
		b.Add(mustOpen(t, name, Options{}), []byte("third"))
		if err := os.Chtimes(name, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(context.Background()); !errors.Is(err, ErrChanged) {
			t.Fatalf("Commit: %v, want %v", err, ErrChanged)
		}
	}
	if list, err := store.List(name); err != nil || len(list) != 1 || list[0] != first {
		t.Errorf("List = %v, %v, want %v", list, err, first)
	}
}

func TestBackupNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := &Backups{Dir: filepath.Join(dir, "state")}
	names := []string{
		"plain", "with space", "new\nline", "-rf", "~", "*?[]", "tab\t", "\xff\xfe not UTF-8", "ünï/cödé", "..config", "...",
		"a/b", "file", "file/as directory before", backupName(time.Now(), 0o644), backupName(time.Now(), 0o644) + "/below",
		strings.Repeat("x", 255), strings.Repeat("ä", 127), strings.Repeat(strings.Repeat("d", 200)+"/", 8) + "deep",
	}
	var want []string
	for _, base := range names {
		name := filepath.Join(dir, "site", base)
		if err := os.RemoveAll(filepath.Dir(name)); err != nil { // what was a file may be a directory now
			t.Fatal(err)
		}
		write(t, name, "old "+base, 0o644)
		saved, err := store.Save(mustOpen(t, name, Options{}))
		if err != nil {
			t.Errorf("Save(%q): %v", base, err)
			continue
		}
		list, err := store.List(name)
		if err != nil || len(list) != 1 || list[0] != saved || saved.Original != name {
			t.Errorf("List(%q) = %v, %v, want %v", base, list, err, saved)
		}
		if data, err := saved.Read(); err != nil || string(data) != "old "+base {
			t.Errorf("Read of the backup of %q = %.40q, %v", base, data, err)
		}
		want = append(want, name)
	}
	slices.Sort(want)
	got, err := store.Originals()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Originals (-want +got):\n%s", diff)
	}
	wantNoLeftovers(t, store.Dir)
}

// The path of a backup is longer than that of the file. One that is too long
// is refused before anything happens.
func TestBackupPathTooLong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "site")
	for len(name) < 3900 {
		name = filepath.Join(name, strings.Repeat("d", min(200, 4000-len(name))))
	}
	write(t, name, "old", 0o644)
	b := Batch{Backups: &Backups{Dir: filepath.Join(dir, strings.Repeat("s", 200))}}
	b.Add(mustOpen(t, name, Options{}), []byte("new"))
	if err := b.Commit(context.Background()); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Errorf("Commit: %v, want %v", err, unix.ENAMETOOLONG)
	}
	wantContent(t, name, "old")
}

func TestOriginalsOfNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, store := range []string{dir, filepath.Join(dir, "missing")} {
		if got, err := (&Backups{Dir: store}).Originals(); len(got) != 0 || err != nil {
			t.Errorf("Originals = %q, %v, want none", got, err)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "x", 0o600)
	store := &Backups{Dir: filepath.Join(dir, "state")}
	var all []Backup
	for _, at := range []string{"2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z", "2026-11-23T10:15:00.5Z"} {
		when, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		id := backupName(when, 0o4755)
		all = append(all, Backup{write(t, filepath.Join(store.Dir, name, id), at, 0o600), name, when, 0o755 | fs.ModeSetuid})
	}
	tests := map[string]int{
		all[0].ID(): 0, "20260102T030406": 1, "2026-01-02T03:04:05": 0, "2026-11": 2, "20261123T101500.500000000Z": 2,
		all[2].Time.Format(time.RFC3339Nano): 2, "2026-01-02": -1, "": -1, "2027": -1, "x": -1, "../a": -1,
	}
	for id, want := range tests {
		got, err := store.Find(name, id)
		if want < 0 {
			if err == nil {
				t.Errorf("Find(%q) = %v, want an error", id, got)
			}
		} else if err != nil || got != all[want] {
			t.Errorf("Find(%q) = %v, %v, want %v", id, got, err, all[want])
		}
	}
	if _, err := store.Find(name, "2027"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Find: %v, want %v", err, fs.ErrNotExist)
	}
}

// All of them want the nanosecond after the newest.
func TestSaversMeet(t *testing.T) {
	t.Parallel()
	dir := fastDir(t)
	name := write(t, filepath.Join(dir, "a"), "x", 0o600)
	store := Backups{Dir: filepath.Join(dir, "b")}
	write(t, filepath.Join(store.Dir, name, backupName(time.Now().Add(time.Hour).UTC(), 0o600)), "from the future", 0o600)
	const savers, each = 8, 25
	var wg sync.WaitGroup
	for i := range savers {
		wg.Go(func() {
			for n := range each {
				f, err := Open(name, Options{})
				if err != nil {
					t.Error(err)
					return
				}
				f.data = fmt.Append(nil, i, ":", n)
				if _, err := store.Save(f); err != nil {
					t.Error(err)
				}
				f.Close()
			}
		})
	}
	wg.Wait()
	list, err := store.List(name)
	if got, want := len(list), savers*each+1; err != nil || got != want {
		t.Errorf("%d backups, %v, want %d", got, err, want)
	}
	seen := map[string]bool{}
	for i, b := range list {
		data, err := b.Read()
		if err != nil || seen[string(data)] {
			t.Errorf("backup %q: twice, or %v", data, err)
		}
		seen[string(data)] = true
		if i > 0 && !b.Time.After(list[i-1].Time) {
			t.Errorf("%v is not after %v", b.Time, list[i-1].Time)
		}
	}
	wantNoLeftovers(t, store.Dir)
	store.Keep = 3
	for range savers {
		wg.Go(func() {
			f, err := Open(name, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if _, err := store.Save(f); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, err := store.List(name); err != nil || len(list) != store.Keep {
		t.Errorf("%d backups, %v, want %d", len(list), err, store.Keep)
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
