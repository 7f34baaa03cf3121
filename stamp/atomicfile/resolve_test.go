package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"revstamp/testdata/need"
)

func TestOpenRefusesSpecialFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	words := map[string]string{"socket": "socket", ".": "directory", "fifo": "FIFO"}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Opening a watchdog would already start it. Number 10:130 is one.
	if unix.Mknod(filepath.Join(dir, "watchdog"), unix.S_IFCHR|0o600, int(unix.Mkdev(10, 130))) == nil {
		words["watchdog"] = "device"
	}
	if unix.Mknod(filepath.Join(dir, "disk"), unix.S_IFBLK|0o600, int(unix.Mkdev(7, 0))) == nil {
		words["disk"] = "device"
	}
	for name, word := range words {
		link := filepath.Join(dir, "to "+name)
		if err := os.Symlink(name, link); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{dir + "/" + name, link} {
			for _, o := range []Options{{}, {Create: true, MkdirAll: true}, {Root: dir}} {
				_, err := Open(path, o)
				if want := ErrNotRegular; name == "." && o.Root != "" && errors.Is(err, ErrOutsideRoot) {
					continue // the root is not under itself
				} else if !errors.Is(err, want) || !strings.Contains(err.Error(), word) {
					t.Errorf("Open(%q, %+v): %v, want %v: %s", path, o, err, want, word)
				}
			}
		}
	}
}

func TestLinkChains(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "real/deep/a"), "old", 0o644)
	links := map[string]string{
		"up":        "real/deep/../deep/a",
		"absolute":  file,
		"dir":       "real",
		"dir2":      "dir/deep",
		"other/out": "../dir2/a",
	}
	if err := os.Mkdir(filepath.Join(dir, "other"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	last := "other/out"
	for i := range 30 {
		name := fmt.Sprint("chain", i)
		if err := os.Symlink(last, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		last = name
	}
	for i, name := range []string{"up", "absolute", "dir/deep/a", "dir2/a", "other/out", "dir2/../deep/a", "./real//deep/./a", last, "real/deep/a"} {
		for j, o := range []Options{{Root: dir}, {Root: filepath.Join(dir, "dir2")}} {
			data := fmt.Sprint("new ", i, j)
			mustReplace(t, dir+"/"+name, o, data)
			wantContent(t, file, data)
			if got := mustOpen(t, dir+"/"+name, o).Path(); got != file {
				t.Errorf("Path of %s = %q, want %q", name, got, file)
			}
		}
	}
	for name, target := range links {
		if got, err := os.Readlink(filepath.Join(dir, name)); got != target {
			t.Errorf("%s leads to %q, %v, want %q as before", name, got, err, target)
		}
	}
	wantNoLeftovers(t, dir)
}

func TestRootIsNotLeft(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	root := filepath.Join(top, "root")
	inside := write(t, filepath.Join(root, "a"), "inside", 0o644)
	outside := write(t, filepath.Join(top, "outside/secret"), "outside", 0o644)
	write(t, filepath.Join(top, "root-not/a"), "neighbour", 0o644)
	for name, target := range map[string]string{
		"dir": "../outside", "file": "../outside/secret", "absolute": outside, "back": "../outside/../root", "rootdir": "/",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	linked := filepath.Join(top, "linked")
	if err := os.Symlink("root", linked); err != nil {
		t.Fatal(err)
	}
	for _, r := range []string{root, linked, root + "/", root + "/."} {
		o := Options{Root: r, Create: true, MkdirAll: true}
		for _, name := range []string{"dir/secret", "file", "absolute", "dir/new", "dir/made/new", "../root-not/a", "../root-not/new", "rootdir/new", "..", "../new"} {
			if _, err := Open(root+"/"+name, o); !errors.Is(err, ErrOutsideRoot) && !(name == ".." && errors.Is(err, ErrNotRegular)) {
				t.Errorf("Open(%q) under %q: %v, want %v", name, r, err, ErrOutsideRoot)
			}
		}
		for _, name := range []string{root + "/a", linked + "/a", root + "/back/a", root + "/dir/../root/a"} {
			if got := mustOpen(t, name, o).Path(); got != inside {
				t.Errorf("Path of %q = %q, want %q", name, got, inside)
			}
		}
		mustOpen(t, root+"/back/made/new", o)
	}
	if _, err := Open(inside, Options{Root: filepath.Join(top, "missing")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open under a missing root: %v, want %v", err, fs.ErrNotExist)
	}
	// A link that is replaced itself, and not followed, is where it is.
	if got := mustOpen(t, root+"/file", Options{Root: root, NoFollow: true}).Path(); got != root+"/file" {
		t.Errorf("Path of the link = %q", got)
	}
}

// Between the resolution of a name and the opening of its directory, somebody
// puts a link there.
func TestDirectoryBecomesALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "evil/a"), "x", 0o644)
	if err := os.Symlink("evil", filepath.Join(dir, "site")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir + "/site", dir + "/site/", dir + "/./site"} {
		for name, open := range map[string]func(string) (int, error){"openReal": openReal, "openStepwise": openStepwise} {
			if fd, err := open(path); err != unix.ELOOP {
				t.Errorf("%s(%q) = %d, %v, want %v", name, path, fd, err, unix.ELOOP)
			}
		}
	}
}

// What is done where the kernel lacks a call does the same.
func TestOlderCalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sub/a"), "x", 0o4751)
	if err := os.Symlink("a", filepath.Join(dir, "sub/link")); err != nil {
		t.Fatal(err)
	}
	fd, err := openStepwise(dir + "/../" + filepath.Base(dir) + "//./sub/")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, name := range []string{"", "a", "link"} {
		flags := unix.AT_SYMLINK_NOFOLLOW
		if name == "" {
			flags |= unix.AT_EMPTY_PATH
		}
		want, err := look(fd, name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := lookWithoutFlags(fd, name, flags)
		want.flags = 0
		if err != nil || got != want {
			t.Errorf("lookWithoutFlags(%q) = %+v, %v, want %+v", name, got, err, want)
		}
	}
	if _, err := openStepwise(dir + "/missing/sub"); err != unix.ENOENT {
		t.Errorf("openStepwise of what is missing: %v, want %v", err, unix.ENOENT)
	}
}

// A child under a kernel that knows neither statx nor openat2 nor renameat2,
// and a file system without links.
func TestOldKernel(t *testing.T) {
	t.Parallel()
	need.Program(t, "strace")
	for _, rules := range [][]string{
		{"inject=statx,openat2,renameat2:error=ENOSYS"},
		{"inject=statx,openat2:error=EPERM"}, // as an old libseccomp says
		{"inject=statx,openat2,renameat2:error=ENOSYS", "inject=linkat:error=EPERM"},
		{"inject=flock:error=ENOLCK", "inject=fallocate:error=EOPNOTSUPP"},
	} {
		s := scenario{changes: slices.Concat(files, links)}
		j := s.fresh(t, fastDir(t))
		trace(t, j, rules...)
		if got := j.whole(t, fmt.Sprint(rules)); got != len(j.Changes) {
			t.Errorf("%s: %d of %d changes are made", rules, got, len(j.Changes))
		}
		wantNoLeftovers(t, j.Dir)
	}
}

func TestKernelRelease(t *testing.T) {
	t.Parallel()
	for release, want := range map[string]bool{
		"5.8.0": true, "5.10.0-28-amd64": true, "6.1.0": true, "10.0": true, "5.7.19": false, "4.18.0-513.el8": false,
		"5.8-rc1": true, "": false, "unknown": false,
	} {
		if got := atLeast(release, 5, 8); got != want {
			t.Errorf("atLeast(%q, 5, 8) = %v, want %v", release, got, want)
		}
	}
}

func TestMaxSize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "12345678", 0o644)
	for size, ok := range map[int64]bool{0: true, -1: true, 8: true, 9: true, 7: false, 1: false} {
		f, err := Open(name, Options{MaxSize: size})
		if ok != (err == nil) || !ok && !errors.Is(err, ErrTooLarge) {
			t.Errorf("Open of 8 bytes, at most %d: %v", size, err)
		}
		if err == nil {
			f.Close()
		}
	}
	// A terabyte of nothing: reading it would end the process.
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<40); err != nil {
		t.Skip("no sparse files here:", err)
	}
	if _, err := Open(huge, Options{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Open of a terabyte: %v, want %v", err, ErrTooLarge)
	}
	// A file that says it is empty, and is not.
	if _, err := Open("/proc/self/status", Options{MaxSize: 10}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Open of /proc/self/status: %v, want %v", err, ErrTooLarge)
	}
	if got := mustOpen(t, "/proc/self/status", Options{}); !strings.HasPrefix(string(got.Data()), "Name:") {
		t.Errorf("/proc/self/status holds %.20q", got.Data())
	}
}
