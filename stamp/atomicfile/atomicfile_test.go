package atomicfile

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReplaceKeepsTheRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "config.php"), "old", 0o640)
	if err := unix.Setxattr(name, "user.origin", []byte("editor\x00"), 0); err != nil {
		t.Skip("no user attributes here:", err)
	}
	mustReplace(t, name, Options{}, "new content")
	wantContent(t, name, "new content")
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := st.Mode(), fs.FileMode(0o640); got != want {
		t.Errorf("mode = %v, want %v", got, want)
	}
	buf := make([]byte, 64)
	n, err := unix.Getxattr(name, "user.origin", buf)
	if got, want := string(buf[:max(n, 0)]), "editor\x00"; err != nil || got != want {
		t.Errorf("user.origin = %q, %v, want %q", got, err, want)
	}
	wantNoLeftovers(t, dir)
}

func TestReplaceTouchesNothingWithoutChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "same", 0o600)
	before := mustOpen(t, name, Options{}).identity
	o := Options{Record: func(temp string) error { t.Errorf("%q is made", temp); return nil }}
	changed, err := Replace(context.Background(), name, o, set("same"))
	if changed || err != nil {
		t.Errorf("Replace = %v, %v, want false, nil", changed, err)
	}
	b := Batch{Backups: &Backups{Dir: filepath.Join(dir, "state")}}
	b.Add(mustOpen(t, name, o), []byte("same"))
	if err := b.Commit(context.Background()); err != nil {
		t.Errorf("Commit: %v", err)
	}
	if after := mustOpen(t, name, Options{}).identity; after != before {
		t.Errorf("identity = %+v, want %+v", after, before)
	}
	if _, err := os.Stat(b.Backups.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a backup directory was made: %v", err)
	}
}

func TestReplaceReturnsTheErrorOfEdit(t *testing.T) {
	t.Parallel()
	name := write(t, filepath.Join(t.TempDir(), "a"), "old", 0o600)
	want := errors.New("no such key")
	_, err := Replace(context.Background(), name, Options{}, func([]byte) ([]byte, error) { return nil, want })
	if err != want {
		t.Errorf("Replace: %v, want %v", err, want)
	}
	wantContent(t, name, "old")
}

func TestOpenFollowsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := write(t, filepath.Join(dir, "shared/config.php"), "old", 0o644)
	link := filepath.Join(dir, "config.php")
	if err := os.Symlink("shared/../shared/config.php", link); err != nil {
		t.Fatal(err)
	}
	mustReplace(t, link, Options{Root: dir}, "new")
	wantContent(t, target, "new")
	if got, err := os.Readlink(link); got != "shared/../shared/config.php" {
		t.Errorf("Readlink = %q, %v, want the link as it was", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	outside := write(t, filepath.Join(t.TempDir(), "secret"), "x", 0o600)
	for link, target := range map[string]string{
		"dangling": "nowhere", "loop": "loop", "ring": "gnir", "gnir": "ring", "out": outside, "null": "/dev/null",
	} {
		if err := os.Symlink(target, path(link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path("sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		o    Options
		want error
	}{
		{"fifo", Options{}, ErrNotRegular},
		{"sub", Options{}, ErrNotRegular},
		{"null", Options{}, ErrNotRegular},
		{"dangling", Options{}, ErrNotRegular},
		{"dangling", Options{Create: true, MkdirAll: true}, ErrNotRegular},
		{"dangling/file", Options{Create: true, MkdirAll: true}, ErrNotRegular},
		{"loop", Options{}, ErrNotRegular},
		{"ring", Options{Create: true}, ErrNotRegular},
		{"ring/file", Options{Create: true, MkdirAll: true}, ErrNotRegular},
		{"out", Options{Root: dir}, ErrOutsideRoot},
		{"../secret", Options{Root: dir, Create: true}, ErrOutsideRoot},
		{"missing", Options{}, fs.ErrNotExist},
		{"no/such/dir", Options{Create: true}, fs.ErrNotExist},
	}
	for _, tt := range tests {
		if _, err := Open(dir+"/"+tt.name, tt.o); !errors.Is(err, tt.want) {
			t.Errorf("Open(%q, %+v): %v, want %v", tt.name, tt.o, err, tt.want)
		}
	}
	if _, err := Open("", Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf(`Open(""): %v, want %v`, err, fs.ErrNotExist)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "a/b/c.txt")
	f := mustOpen(t, name, Options{Create: true, MkdirAll: true, Root: dir, Perm: 0o666})
	if f.Exists() || f.Path() != name || f.Data() != nil && len(f.Data()) > 0 {
		t.Errorf("Exists, Path, Data = %v, %q, %q, want false, %q, none", f.Exists(), f.Path(), f.Data(), name)
	}
	if _, err := os.Lstat(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open made a directory: %v", err)
	}
	var b Batch
	b.Add(f, nil)
	if err := b.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantContent(t, name, "")
	umask := unix.Umask(0)
	unix.Umask(umask)
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := st.Mode(), fs.FileMode(0o666&^umask); got != want {
		t.Errorf("mode = %v, want %v", got, want)
	}
	wantNoLeftovers(t, dir)
}

func TestChmod(t *testing.T) {
	t.Parallel()
	name := write(t, filepath.Join(t.TempDir(), "a"), "same", 0o644)
	f := mustOpen(t, name, Options{})
	f.Chmod(0o755)
	var b Batch
	b.Add(f, []byte("same"))
	if err := b.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, want := mustOpen(t, name, Options{}).Mode(), fs.FileMode(0o755); got != want {
		t.Errorf("Mode = %v, want %v", got, want)
	}
}

func TestSetgidKept(t *testing.T) {
	t.Parallel()
	name := write(t, filepath.Join(t.TempDir(), "a"), "old", 0o644)
	want := fs.FileMode(0o755) | fs.ModeSetuid | fs.ModeSetgid
	if err := os.Chmod(name, want); err != nil {
		t.Fatal(err)
	}
	mustReplace(t, name, Options{}, "new")
	if got := mustOpen(t, name, Options{}).Mode(); got != want {
		t.Errorf("Mode = %v, want %v", got, want)
	}
}

func TestHardLinksWarn(t *testing.T) {
	t.Parallel()
	name := write(t, filepath.Join(t.TempDir(), "a"), "old", 0o644)
	if err := os.Link(name, name+"2"); err != nil {
		t.Fatal(err)
	}
	var warned []string
	mustReplace(t, name, Options{Warn: func(msg string) { warned = append(warned, msg) }}, "new")
	wantContent(t, name, "new")
	wantContent(t, name+"2", "old")
	if len(warned) != 1 || !strings.Contains(warned[0], "2 hard links") {
		t.Errorf("warnings = %q, want one of 2 hard links", warned)
	}
}

func TestRecordComesFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "old", 0o644)
	var temps, gone []string
	record := func(temp string) error {
		if _, err := os.Lstat(temp); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q is there before it is recorded: %v", temp, err)
		}
		if base := filepath.Base(temp); !isTempName(base) || !strings.HasPrefix(base, ".a.") {
			t.Errorf("temporary name %q, want .a.<random>.revstamp", base)
		}
		temps = append(temps, temp)
		return nil
	}
	mustReplace(t, name, Options{Record: record, Gone: func(temp string) { gone = append(gone, temp) }}, "new")
	if len(temps) != 1 || !slices.Equal(gone, temps) {
		t.Errorf("recorded %q and gone %q, want the same one", temps, gone)
	}
	want := errors.New("journal is full")
	_, err := Replace(context.Background(), name, Options{Record: func(string) error { return want }}, set("newer"))
	if !errors.Is(err, want) {
		t.Errorf("Replace: %v, want %v", err, want)
	}
	wantContent(t, name, "new")
	wantNoLeftovers(t, dir)
}

func TestLongName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, base := range []string{strings.Repeat("x", 255), strings.Repeat("ä", 127)} {
		name := write(t, filepath.Join(dir, base), "old", 0o644)
		mustReplace(t, name, Options{}, "new")
		wantContent(t, name, "new")
	}
}

func TestRelativeNameThroughLink(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "real/config"), "real", 0o644)
	write(t, filepath.Join(dir, "config"), "wrong", 0o644)
	if err := os.Mkdir(filepath.Join(dir, "real/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real/sub", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if got := string(mustOpen(t, "link/../config", Options{}).Data()); got != "real" {
		t.Errorf("link/../config holds %q, want %q", got, "real")
	}
}

func TestDirectoryMovedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, staging := range []bool{false, true} {
		dir := t.TempDir()
		name := write(t, filepath.Join(dir, "site/a"), "old", 0o644)
		move := func(string) error {
			if err := os.Rename(filepath.Join(dir, "site"), filepath.Join(dir, "moved")); err != nil {
				return err
			}
			write(t, name, "other", 0o644)
			return nil
		}
		var o Options
		if staging {
			o.Record = move
		}
		var b Batch
		b.Add(mustOpen(t, name, o), []byte("new"))
		if !staging {
			if err := move(""); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
		wantContent(t, filepath.Join(dir, "moved/a"), "new")
		wantContent(t, name, "other")
		wantNoLeftovers(t, dir)
	}
}

func TestReadOnlyFileIsReplaced(t *testing.T) {
	t.Parallel()
	name := write(t, filepath.Join(t.TempDir(), "a"), "old", 0o444)
	mustReplace(t, name, Options{}, "new")
	if got, want := mustOpen(t, name, Options{}).Mode(), fs.FileMode(0o444); got != want {
		t.Errorf("Mode = %v, want %v", got, want)
	}
}

func BenchmarkReplace(b *testing.B) {
	for what, dir := range map[string]string{"disk": b.TempDir(), "memory": fastDir(b)} {
		b.Run(what, func(b *testing.B) {
			name := write(b, filepath.Join(dir, "a"), "old", 0o640)
			data := bytes.Repeat([]byte("x"), 1<<20)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				data[0]++
				mustReplace(b, name, Options{}, string(data))
			}
		})
	}
}
