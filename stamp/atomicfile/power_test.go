package atomicfile

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"revstamp/testdata/need"
)

// A file system in a file: what the file holds at a moment is what a disk
// without a cache would hold after a power cut.
func loopDisk(t *testing.T, image string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	out, err := exec.Command("mount", "-o", "loop,noauto_da_alloc", image, dir).CombinedOutput()
	if err != nil {
		t.Skipf("loop mounts are not allowed here: %v, %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v, %s", err, out)
		}
	})
	return dir
}

func TestPowerCutAfterSuccess(t *testing.T) {
	t.Parallel()
	need.Root(t)
	need.Program(t, "mkfs.ext4", "mount")
	for _, files := range []int{1, manyFiles + 4} {
		t.Run(fmt.Sprint(files, " files"), func(t *testing.T) {
			t.Parallel()
			image := filepath.Join(t.TempDir(), "disk")
			if err := os.WriteFile(image, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(image, 32<<20); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput(); err != nil {
				t.Fatalf("mkfs.ext4: %v, %s", err, out)
			}
			disk := loopDisk(t, image)
			b := Batch{Backups: &Backups{Dir: filepath.Join(disk, "state/backups")}}
			var names []string
			for i := range files {
				names = append(names, fmt.Sprintf("d%d/f%d", i%18, i))
				write(t, filepath.Join(disk, names[i]), content(names[i], "earlier"), 0o644)
			}
			unix.Sync()
			for _, name := range names {
				b.Add(mustOpen(t, filepath.Join(disk, name), Options{}), []byte(content(name, "new")))
			}
			b.Add(mustOpen(t, filepath.Join(disk, "made/here"), Options{Create: true, MkdirAll: true}), []byte(content("here", "new")))
			if err := b.Commit(context.Background()); err != nil {
				t.Fatal(err)
			}
			list, err := b.Backups.List(filepath.Join(disk, names[0]))
			if err != nil || len(list) != 1 {
				t.Fatalf("List = %v, %v, want one", list, err)
			}
			cut := filepath.Join(t.TempDir(), "cut")
			copyFile(t, image, cut)
			after := loopDisk(t, cut)
			for _, name := range names {
				wantContent(t, filepath.Join(after, name), content(name, "new"))
			}
			wantContent(t, filepath.Join(after, "made/here"), content("here", "new"))
			backup, err := filepath.Rel(disk, list[0].Path)
			if err != nil {
				t.Fatal(err)
			}
			wantContent(t, filepath.Join(after, backup), content(names[0], "earlier"))
		})
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
