package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"revstamp/testdata/need"
)

// smallDisk mounts a file system of 64 KiB.
func smallDisk(t testing.TB) string {
	t.Helper()
	need.Root(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0755"); err != nil {
		t.Skip("mounting is not allowed here:", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t)
	old := strings.Repeat("o", 20<<10)
	first := write(t, filepath.Join(dir, "first"), old, 0o644)
	second := write(t, filepath.Join(dir, "second"), old, 0o644)
	var b Batch
	b.Add(mustOpen(t, first, Options{}), []byte(strings.Repeat("n", 16<<10)))
	b.Add(mustOpen(t, second, Options{}), []byte(strings.Repeat("n", 16<<10)))
	if err := b.Commit(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Commit: %v, want %v", err, syscall.ENOSPC)
	}
	wantContent(t, first, old)
	wantContent(t, second, old)
	wantNoLeftovers(t, dir)
}

func TestFullBackupDisk(t *testing.T) {
	t.Parallel()
	store := smallDisk(t)
	name := write(t, filepath.Join(t.TempDir(), "a"), strings.Repeat("o", 100<<10), 0o644)
	b := Batch{Backups: &Backups{Dir: filepath.Join(store, "backups")}}
	b.Add(mustOpen(t, name, Options{}), []byte("new"))
	if err := b.Commit(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Commit: %v, want %v", err, syscall.ENOSPC)
	}
	wantContent(t, name, strings.Repeat("o", 100<<10))
	wantNoLeftovers(t, store)
	if list, err := b.Backups.List(name); err != nil || len(list) > 0 {
		t.Errorf("List = %v, %v, want none", list, err)
	}
}

func TestReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t)
	name := write(t, filepath.Join(dir, "a"), "old", 0o644)
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := Replace(context.Background(), name, Options{}, set("new")); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Replace: %v, want %v", err, syscall.EROFS)
	}
	wantContent(t, name, "old")
}

func TestBindMount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "old content", 0o640)
	mountOver(t, name)
	store := &Backups{Dir: filepath.Join(t.TempDir(), "backups")}
	recorded := 0
	o := Options{InPlace: true, RecordInPlace: func(path string, b Backup) error {
		recorded++
		wantContent(t, b.Path, "old content")
		wantContent(t, path, "old content")
		return nil
	}}
	commit := func(o Options, b Batch, data string) error {
		b.Add(mustOpen(t, name, o), []byte(data))
		return b.Commit(context.Background())
	}
	for _, refused := range []error{
		commit(Options{}, Batch{Backups: store}, "new"),
		commit(Options{InPlace: true}, Batch{}, "new"),
	} {
		if !errors.Is(refused, ErrBusy) || !errors.Is(refused, syscall.EBUSY) {
			t.Errorf("Commit: %v, want %v", refused, ErrBusy)
		}
		wantContent(t, name, "old content")
		wantNoLeftovers(t, dir)
	}
	if err := commit(o, Batch{Backups: store}, "new"); err != nil {
		t.Errorf("Commit in place: %v", err)
	}
	wantContent(t, name, "new")
	if recorded != 1 {
		t.Errorf("recorded %d writes in place, want 1", recorded)
	}
	if got, want := mustOpen(t, name, Options{}).Mode(), fs.FileMode(0o640); got != want {
		t.Errorf("Mode = %v, want %v", got, want)
	}
	wantNoLeftovers(t, dir)

	// A batch that fails after the write in place puts the bytes back.
	last := write(t, filepath.Join(dir, "last"), "old", 0o644)
	mountOver(t, last)
	b := Batch{Backups: store}
	b.Add(mustOpen(t, name, Options{InPlace: true}), []byte("newer, and longer"))
	b.Add(mustOpen(t, last, Options{}), []byte("new"))
	if err := b.Commit(context.Background()); !errors.Is(err, ErrBusy) {
		t.Errorf("Commit: %v, want %v", err, ErrBusy)
	}
	wantContent(t, name, "new")
	wantContent(t, last, "old")
	wantNoLeftovers(t, dir)
}

func TestOwner(t *testing.T) {
	t.Parallel()
	need.Root(t)
	const nobody = 65534
	dir := openTempDir(t)
	name := write(t, filepath.Join(dir, "a"), content("a", "earlier"), 0o644)
	if err := os.Chown(name, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	// Root keeps the owner.
	mustReplace(t, name, Options{}, content("a", "earlier")+"x")
	if id := mustOpen(t, name, Options{}); id.uid != nobody || id.gid != nobody {
		t.Errorf("owner = %d:%d, want %d:%d", id.uid, id.gid, nobody, nobody)
	}
	// Nobody cannot give a file to root.
	if err := errors.Join(os.Chown(name, 0, 0), os.WriteFile(name, []byte(content("a", "earlier")), 0), os.Chmod(name, 0o644|fs.ModeSetuid)); err != nil {
		t.Fatal(err)
	}
	if status, out := run(t, child(t, job{Dir: dir, Changes: replaces("a"), UID: nobody})); status != 3 {
		t.Errorf("as nobody: status %d, %s, want ErrOwner", status, out)
	}
	wantContent(t, name, content("a", "earlier"))
	wantNoLeftovers(t, dir)
	status, out := run(t, child(t, job{Dir: dir, Changes: replaces("a"), UID: nobody, BestEffort: true}))
	if status != 0 || !strings.Contains(out, "warning:") {
		t.Errorf("as nobody, best effort: status %d, %s, want a warning", status, out)
	}
	wantContent(t, name, content("a", "new"))
	f := mustOpen(t, name, Options{})
	if got, want := f.Mode(), fs.FileMode(0o644); f.uid != nobody || got != want {
		t.Errorf("owner %d, mode %v, want %d, %v: no set-user-ID bit for another user", f.uid, got, nobody, want)
	}
	wantNoLeftovers(t, dir)
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	ours := write(t, path(tempName("config.php")), "x", 0o600)
	link := path(tempName("current"))
	if err := os.Symlink("x", link); err != nil {
		t.Fatal(err)
	}
	subdir := path(tempName("dir"))
	if err := os.Mkdir(subdir, 0o755); err != nil {
		t.Fatal(err)
	}
	fifo := path(tempName("fifo"))
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := []string{
		fifo,
		write(t, path("config.php"), "x", 0o600),
		write(t, path(".config.php.tmp.revstamp"), "x", 0o600),
		write(t, path("x"+tempName("a")), "x", 0o600),
	}
	good := []string{ours, link, path(tempName("gone")), path("no/such/" + tempName("gone")), ours + "/" + tempName("a")}
	if err := Sweep(good); err != nil {
		t.Errorf("Sweep: %v", err)
	}
	for _, name := range []string{ours, link} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range append(foreign, subdir, tempName("relative")) {
		if err := Sweep([]string{name}); err == nil {
			t.Errorf("Sweep(%q) = nil, want an error", name)
		}
	}
	for _, name := range append(foreign, subdir) {
		if _, err := os.Lstat(name); err != nil {
			t.Error(err)
		}
	}
}
