package atomicfile

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
	o := Options{Warn: func(msg string) { t.Errorf("warning: %s", msg) }}
	if _, err := Replace(context.Background(), name, o, set("new")); !errors.Is(err, syscall.EROFS) {
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
	full := errors.New("journal is full")
	o.RecordInPlace = func(string, Backup) error {
		wantContent(t, name, "newer, and longer")
		return full
	}
	b.Add(mustOpen(t, last, o), []byte("new"))
	if err := b.Commit(context.Background()); !errors.Is(err, full) {
		t.Errorf("Commit: %v, want %v", err, full)
	}
	wantContent(t, name, "new")
	wantContent(t, last, "old")
	wantNoLeftovers(t, dir)
}

// A container's configuration: the one file can be written, and nothing beside
// it.
func TestBindMountInReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t)
	name := write(t, filepath.Join(dir, "a"), "old", 0o644)
	other := write(t, filepath.Join(dir, "other"), "old", 0o644)
	writable := write(t, filepath.Join(t.TempDir(), "mounted"), "old", 0o640)
	if err := unix.Mount(writable, name, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(name, unix.MNT_DETACH) })
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	store := &Backups{Dir: filepath.Join(t.TempDir(), "backups")}
	commit := func(o Options, op func(b *Batch, o Options)) error {
		b := Batch{Backups: store}
		op(&b, o)
		return b.Commit(context.Background())
	}
	add := func(b *Batch, o Options) { b.Add(mustOpen(t, name, o), []byte("new, and longer")) }
	if err := commit(Options{}, add); !errors.Is(err, ErrBusy) {
		t.Errorf("Commit: %v, want %v", err, ErrBusy)
	}
	if list, err := store.List(name); len(list) != 0 {
		t.Errorf("backups of a file that was refused: %v, %v", list, err)
	}
	for what, op := range map[string]func(b *Batch, o Options){
		"remove": func(b *Batch, o Options) { b.Remove(name, o) },
		"link":   func(b *Batch, o Options) { b.Symlink(name, "x", o) },
	} {
		if err := commit(Options{InPlace: true}, op); !errors.Is(err, ErrBusy) {
			t.Errorf("%s: %v, want %v", what, err, ErrBusy)
		}
	}
	want := errors.New("journal is full")
	record := func(string, Backup) error { return want }
	if err := commit(Options{InPlace: true, RecordInPlace: record}, add); !errors.Is(err, want) {
		t.Errorf("Commit: %v, want %v", err, want)
	}
	edit := func(string, Backup) error { return os.WriteFile(name, []byte("theirs"), 0) }
	if err := commit(Options{InPlace: true, RecordInPlace: edit}, add); !errors.Is(err, ErrChanged) {
		t.Errorf("Commit: %v, want %v", err, ErrChanged)
	}
	wantContent(t, name, "theirs")
	if err := commit(Options{InPlace: true}, add); err != nil {
		t.Errorf("Commit in place: %v", err)
	}
	wantContent(t, writable, "new, and longer")
	wantContent(t, newest(t, store, name).Path, "theirs")
	// The other file cannot be replaced, and so the first is put back.
	err := commit(Options{InPlace: true}, func(b *Batch, o Options) {
		b.Add(mustOpen(t, name, o), []byte("newer"))
		b.Add(mustOpen(t, other, o), []byte("new"))
	})
	if !errors.Is(err, syscall.EROFS) {
		t.Errorf("Commit: %v, want %v", err, syscall.EROFS)
	}
	wantContent(t, writable, "new, and longer")
	// Nor can the mounted file, when its mount is read-only as well.
	if err := unix.Mount("", name, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	err = commit(Options{InPlace: true}, func(b *Batch, o Options) { b.Add(mustOpen(t, name, o), []byte("newest")) })
	if !errors.Is(err, syscall.EROFS) {
		t.Errorf("Commit: %v, want %v", err, syscall.EROFS)
	}
	wantContent(t, writable, "new, and longer")
}

// setFlag gives name an attribute of chattr(1), and takes it away at the end.
func setFlag(t *testing.T, name string, flag int) {
	t.Helper()
	set := func(on bool) error {
		fd, err := unix.Open(name, unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
		if err != nil {
			return err
		}
		flags &^= flag
		if on {
			flags |= flag
		}
		return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags)
	}
	if err := set(true); err != nil {
		t.Skip("no such flag here:", err)
	}
	t.Cleanup(func() { set(false) })
}

func TestImmutableAndAppendOnly(t *testing.T) {
	t.Parallel()
	need.Root(t)
	for _, flag := range []int{unix.STATX_ATTR_IMMUTABLE, unix.STATX_ATTR_APPEND} {
		word := map[int]string{unix.STATX_ATTR_IMMUTABLE: "immutable", unix.STATX_ATTR_APPEND: "append-only"}[flag]
		for _, directory := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, directory %v", word, directory), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				name := write(t, filepath.Join(dir, "sub/a"), "old", 0o644)
				fine := write(t, filepath.Join(dir, "b"), "old", 0o644)
				if directory {
					setFlag(t, filepath.Dir(name), flag)
				} else {
					setFlag(t, name, flag)
				}
				store := &Backups{Dir: filepath.Join(dir, "state")}
				for what, op := range map[string]func(b *Batch){
					"replace": func(b *Batch) { b.Add(mustOpen(t, name, Options{}), []byte("new")) },
					"remove":  func(b *Batch) { b.Remove(name, Options{}) },
					"link":    func(b *Batch) { b.Symlink(name, "x", Options{}) },
				} {
					b := Batch{Backups: store}
					b.Add(mustOpen(t, fine, Options{}), []byte("new"))
					op(&b)
					err := b.Commit(context.Background())
					if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), " is "+word) {
						t.Errorf("%s: %v, want %v: is %s", what, err, syscall.EPERM, word)
					}
					wantContent(t, name, "old")
					wantContent(t, fine, "old")
					if all, err := store.Originals(); len(all) != 0 {
						t.Errorf("%s: backups of %q, %v, and nothing was changed", what, all, err)
					}
				}
				wantNoLeftovers(t, dir)
			})
		}
	}
}

// Made immutable after it was looked at.
func TestImmutableMeanwhile(t *testing.T) {
	t.Parallel()
	need.Root(t)
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "old", 0o644)
	e := step(t, name, replace)
	setFlag(t, name, unix.STATX_ATTR_IMMUTABLE)
	if err := e.apply(); !errors.Is(err, syscall.EPERM) {
		t.Errorf("apply: %v, want %v", err, syscall.EPERM)
	}
	if err := e.undo(); err != nil {
		t.Errorf("undo: %v", err)
	}
	e.clean()
	wantContent(t, name, "old")
	wantNoLeftovers(t, dir)
}

func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	need.Root(t)
	const nobody = 65534
	dir := openTempDir(t)
	name := write(t, filepath.Join(dir, "a"), content("a", "earlier"), 0o444)
	if err := os.Chown(name, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	j := job{Dir: dir, Changes: replaces("a"), UID: nobody}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	status, out := run(t, child(t, j))
	if status != 1 || !strings.Contains(out, "make a file in its directory") || !strings.Contains(out, "permission denied") || strings.Contains(out, "warning:") {
		t.Errorf("status %d, %s, want a word about the directory, and no other", status, out)
	}
	wantContent(t, name, content("a", "earlier"))
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	// Nobody may write to the file; that is no matter for who replaces it.
	if status, out := run(t, child(t, j)); status != 0 {
		t.Errorf("status %d, %s", status, out)
	}
	wantContent(t, name, content("a", "new"))
	if got, want := mustOpen(t, name, Options{}).Mode(), fs.FileMode(0o444); got != want {
		t.Errorf("Mode = %v, want %v", got, want)
	}
	// In a directory as /tmp, only the owner may.
	if err := errors.Join(os.Chmod(dir, 0o777|fs.ModeSticky), os.Chown(name, 1234, 1234)); err != nil {
		t.Fatal(err)
	}
	j.BestEffort = true
	j.Changes[0].Before, j.Changes[0].After = "new", "earlier"
	if status, out := run(t, child(t, j)); status != 1 {
		t.Errorf("another user's file in a sticky directory: status %d, %s, want an error", status, out)
	}
	wantContent(t, name, content("a", "new"))
	wantNoLeftovers(t, dir)
}

func TestDirectoryRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "site/a"), "old", 0o644)
	for _, o := range []Options{{}, {Create: true, MkdirAll: true}} {
		var b Batch
		b.Add(mustOpen(t, name, o), []byte("new"))
		if err := os.RemoveAll(filepath.Dir(name)); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(context.Background()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Commit: %v, want %v", err, fs.ErrNotExist)
		}
		write(t, name, "old", 0o644)
	}
	wantContent(t, name, "old")
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
