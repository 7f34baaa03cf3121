package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/gearman/gearmantest"
	"revstamp/testdata/need"
)

// faultySite is a site in dir whose upstream has changed since its first
// release.
func faultySite(t *testing.T, dir string) (site string, before map[string]string) {
	t.Helper()
	crashSite(t, dir, gearmantest.Start(t).Addr, gitPlumbing)
	site = filepath.Join(dir, "site")
	return site, contents(t, site)
}

// unharmed fails the test unless r is a failure that left the site as it was.
func unharmed(t *testing.T, r result, site string, before map[string]string, words ...string) {
	t.Helper()
	if r.status != exitFailed && r.status != exitRolledBack {
		t.Errorf("exit status %d, want %d or %d\n%s", r.status, exitFailed, exitRolledBack, r.output)
	}
	for _, word := range words {
		if !strings.Contains(r.output, word) {
			t.Errorf("no %q in\n%s", word, r.output)
		}
	}
	if diff := cmp.Diff(before, contents(t, site)); diff != "" {
		t.Errorf("the site is not as it was (-before +now):\n%s", diff)
	}
	leftovers(t, site)
}

// TestReleaseOnFullDisk fills the disk before an update that needs more, in
// steps, so that each of backup, update and activate meets a full disk.
func TestReleaseOnFullDisk(t *testing.T) {
	need.Root(t)
	need.Program(t, "gearmand", "git", "mount")
	dir := t.TempDir()
	site, _ := faultySite(t, dir)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m,nr_inodes=2000"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	sh(t, dir, "cp", "-a", site, filepath.Join(disk, "site"))
	site = filepath.Join(disk, "site")
	before := contents(t, site)
	filler := filepath.Join(disk, "filler")
	failures := map[int]int{}
	for free := 0; ; free += 4096 {
		fill(t, disk, filler, free)
		r := revstamp(t, site, []string{"XDG_STATE_HOME=" + dir}, "release")
		failures[r.status]++
		if r.status == exitDone {
			break
		}
		if r.status == exitUnfinished {
			check(t, os.Remove(filler))
			finish(t, site, nil, "abort")
			if diff := cmp.Diff(before, contents(t, site)); diff != "" {
				t.Fatalf("%d bytes free: aborted (-before +now):\n%s", free, diff)
			}
			continue
		}
		unharmed(t, r, site, before, "o space left on device")
	}
	t.Logf("releases by exit status: %v", failures)
	if len(failures) < 2 {
		t.Error("the disk was never full")
	}
}

// fill leaves free bytes on the disk that holds filler.
func fill(t *testing.T, disk, filler string, free int) {
	t.Helper()
	check(t, os.RemoveAll(filler))
	var fs syscall.Statfs_t
	check(t, syscall.Statfs(disk, &fs))
	size := int(fs.Bavail)*int(fs.Bsize) - free
	if size <= 0 {
		t.Fatalf("a release does not pass with %d bytes free", free)
	}
	check(t, os.WriteFile(filler, bytes.Repeat([]byte("x"), size), 0o600))
}

// TestReleaseOverImmutable meets a configuration file, and then a style sheet,
// that cannot be replaced.
func TestReleaseOverImmutable(t *testing.T) {
	need.Root(t)
	need.Program(t, "gearmand", "git", "chattr")
	for _, name := range []string{"config/config.php", "public/a.css"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			site, before := faultySite(t, t.TempDir())
			file := filepath.Join(site, name)
			sh(t, site, "chattr", "+i", file)
			t.Cleanup(func() { sh(t, site, "chattr", "-i", file) })
			unharmed(t, revstamp(t, site, nil, "release"), site, before, filepath.Base(name), "operation not permitted")
			sh(t, site, "chattr", "-i", file)
			if r := revstamp(t, site, nil, "release"); r.status != exitDone {
				t.Errorf("release once it can be replaced: %+v", r)
			}
		})
	}
}
