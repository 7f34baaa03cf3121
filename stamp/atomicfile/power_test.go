package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"revstamp/testdata/need"
)

// A file system in a file: what the file holds at a moment is what a disk
// without a cache would hold after a power cut.

// newDisk makes an ext4 file system in a file and mounts it.
func newDisk(t *testing.T) (image, dir string) {
	t.Helper()
	need.Root(t)
	need.Program(t, "mkfs.ext4", "mount", "umount")
	image = filepath.Join(fastDir(t), "disk")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 16<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v, %s", err, out)
	}
	dir, unmount := mountImage(t, image)
	t.Cleanup(unmount)
	return image, dir
}

// mountImage mounts a file system in a file, without the kindness by which ext4
// makes up for programs that do not sync.
func mountImage(t *testing.T, image string) (dir string, unmount func()) {
	t.Helper()
	dir = t.TempDir()
	mount := func() error {
		out, err := exec.Command("mount", "-t", "ext4", "-o", "loop,noauto_da_alloc", image, dir).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
		}
		return nil
	}
	err := mount()
	if err != nil && makeLoops() {
		err = mount()
	}
	if err != nil {
		t.Skipf("a power cut cannot be played here, for a file system in a file cannot be mounted; TestDurable holds the order of system calls all the same: %v", err)
	}
	return dir, func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v, %s", err, out)
		}
	}
}

// makeLoops makes the devices by which files are mounted, where a container has
// the right and not the devices.
func makeLoops() (made bool) {
	node := func(name string, mode uint32, major, minor uint32) {
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			made = unix.Mknod(name, mode, int(unix.Mkdev(major, minor))) == nil || made
		}
	}
	node("/dev/loop-control", unix.S_IFCHR|0o600, 10, 237)
	for i := range 16 {
		node(fmt.Sprint("/dev/loop", i), unix.S_IFBLK|0o600, 7, uint32(i))
	}
	return made
}

// flush writes out what is on the disk so far, and waits for no other disk.
func flush(t *testing.T, dir string) {
	t.Helper()
	d, err := openDir(dir)
	if err == nil {
		err = errors.Join(d.syncfs(), d.close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// cut mounts what is on the disk at this moment.
func cut(t *testing.T, image string) (dir string, unmount func()) {
	t.Helper()
	copied := filepath.Join(fastDir(t), "cut")
	copyFile(t, image, copied)
	dir, umount := mountImage(t, copied)
	return dir, func() {
		umount()
		os.Remove(copied)
	}
}

func TestPowerCutAfterSuccess(t *testing.T) {
	t.Parallel()
	for _, files := range []int{1, manyFiles + 4} {
		t.Run(fmt.Sprint(files, " files"), func(t *testing.T) {
			t.Parallel()
			image, disk := newDisk(t)
			b := Batch{Backups: &Backups{Dir: filepath.Join(disk, "state/backups")}}
			var names []string
			for i := range files {
				names = append(names, fmt.Sprintf("d%d/f%d", i%18, i))
				write(t, filepath.Join(disk, names[i]), content(names[i], "earlier"), 0o644)
			}
			gone := write(t, filepath.Join(disk, "gone/f"), "earlier", 0o644)
			flush(t, disk)
			for _, name := range names {
				b.Add(mustOpen(t, filepath.Join(disk, name), Options{}), []byte(content(name, "new")))
			}
			b.Add(mustOpen(t, filepath.Join(disk, "made/here"), Options{Create: true, MkdirAll: true}), []byte(content("here", "new")))
			b.Symlink(filepath.Join(disk, "current"), "new", Options{})
			b.Remove(gone, Options{})
			if err := b.Commit(context.Background()); err != nil {
				t.Fatal(err)
			}
			list, err := b.Backups.List(filepath.Join(disk, names[0]))
			if err != nil || len(list) != 1 {
				t.Fatalf("List = %v, %v, want one", list, err)
			}
			after, unmount := cut(t, image)
			defer unmount()
			for _, name := range names {
				wantContent(t, filepath.Join(after, name), content(name, "new"))
			}
			wantContent(t, filepath.Join(after, "made/here"), content("here", "new"))
			for name, want := range map[string]string{"current": "-> new", "gone/f": absent} {
				if got := shows(filepath.Join(after, name)); got != want {
					t.Errorf("%s shows %q, want %q", name, got, want)
				}
			}
			backup, err := filepath.Rel(disk, list[0].Path)
			if err != nil {
				t.Fatal(err)
			}
			wantContent(t, filepath.Join(after, backup), content(names[0], "earlier"))
			wantNoLeftovers(t, after)
		})
	}
}

// TestPowerCutAnywhere cuts the power after every system call of one
// replacement that changes something: the file is wholly old or wholly new, and
// what is left behind can be swept.
func TestPowerCutAnywhere(t *testing.T) {
	t.Parallel()
	image, disk := newDisk(t)
	s := scenario{changes: replaces("f.php")}
	found, _ := trace(t, s.fresh(t, disk))
	seen, cuts := map[int]int{}, 0
	for i, p := range found {
		if i == 0 || !slices.Contains(modifying, found[i-1].call) {
			continue
		}
		cuts++
		if err := os.RemoveAll(filepath.Join(disk, "site")); err != nil {
			t.Fatal(err)
		}
		j := s.fresh(t, disk)
		j.Journal = filepath.Join(fastDir(t), "journal") // synced, so to say
		flush(t, disk)
		what := fmt.Sprintf("power cut at %s #%d (%.150s)", p.call, p.nth, p.line)
		if status, out := inject(t.Context(), t, j, p, fmt.Sprint("signal=SIGKILL:when=", p.nth)); status >= 0 {
			t.Errorf("%s: it lived: %s", what, out)
		}
		after, unmount := cut(t, image)
		j.Dir = filepath.Join(after, "site")
		seen[j.whole(t, what)]++
		temps, _, _ := j.journaled(t)
		for i, temp := range temps {
			temps[i] = filepath.Join(after, strings.TrimPrefix(temp, disk))
		}
		if err := Sweep(temps); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		wantNoLeftovers(t, after)
		unmount()
	}
	t.Logf("%d power cuts: %d old, %d new", cuts, seen[0], seen[1])
	if seen[0] == 0 || seen[1] == 0 {
		t.Error("the power cuts missed a stage of the work")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
