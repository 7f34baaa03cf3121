package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// treeFile is a file, directory or link of a tree.
type treeFile struct {
	name    string // slash path in the tree
	mode    fs.FileMode
	size    int64
	changed time.Time
}

// listTree lists what is in dir, a directory before what is in it, without the
// directories that skip names.
func listTree(dir string, skip func(abs string) bool) ([]treeFile, error) {
	var all []treeFile
	err := filepath.WalkDir(dir, func(abs string, d fs.DirEntry, err error) error {
		if err != nil || abs == dir {
			return err
		}
		if d.IsDir() && skip(abs) {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all = append(all, treeFile{filepath.ToSlash(abs[len(dir)+1:]), info.Mode(), info.Size(), info.ModTime()})
		return nil
	})
	return all, err
}

// copier copies trees. Modes and modification times stay.
type copier struct {
	from, to string                 // to is made
	link     func(name string) bool // a regular file may be one with the original

	count   int         // regular files copied or linked
	noClone atomic.Bool // the file system shares no blocks
}

// copy copies the listed files, each directory's by one goroutine. They are not
// synced one by one: that is for the whole file system, once.
func (c *copier) copy(ctx context.Context, files []treeFile) error {
	if err := os.Mkdir(c.to, 0o755); err != nil {
		return err
	}
	in := make(map[string][]treeFile)
	dirs := []string{"."}
	for _, f := range files {
		if f.mode.IsDir() {
			to := filepath.Join(c.to, filepath.FromSlash(f.name))
			if err := errors.Join(os.Mkdir(to, 0o700), os.Chmod(to, f.mode.Perm()|0o700)); err != nil {
				return err
			}
			dirs = append(dirs, f.name)
			continue
		}
		if f.mode.IsRegular() {
			c.count++
		}
		dir := path.Dir(f.name)
		in[dir] = append(in[dir], f)
	}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for _, dir := range dirs {
		group.Go(func() error { return c.dir(running, dir, in[dir]) })
	}
	return group.Wait()
}

// dir copies the files of one directory, by names in it.
func (c *copier) dir(ctx context.Context, dir string, files []treeFile) (err error) {
	from, err := os.Open(filepath.Join(c.from, filepath.FromSlash(dir)))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Open(filepath.Join(c.to, filepath.FromSlash(dir)))
	if err != nil {
		return err
	}
	defer to.Close()
	for _, f := range files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := c.file(int(from.Fd()), int(to.Fd()), f); err != nil {
			return fmt.Errorf("copy of %s to %s: %w", filepath.Join(c.from, f.name), c.to, err)
		}
	}
	return nil
}

func (c *copier) file(from, to int, f treeFile) error {
	name := path.Base(f.name)
	switch {
	case f.mode&fs.ModeSymlink != 0:
		target := make([]byte, f.size+1)
		n, err := unix.Readlinkat(from, name, target)
		if err != nil {
			return err
		}
		return unix.Symlinkat(string(target[:n]), to, name)
	case !f.mode.IsRegular():
		return errors.New("neither file, directory nor link")
	case c.link(f.name):
		err := unix.Linkat(from, name, to, name, 0)
		// Another file system, or too many links to this file already.
		if !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EMLINK) {
			return err
		}
	}
	return c.regular(from, to, name, f)
}

func (c *copier) regular(from, to int, name string, f treeFile) (err error) {
	in, err := unix.Openat(from, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(in)
	perm := uint32(f.mode.Perm())
	out, err := unix.Openat(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(out)) }()
	if err := c.content(in, out, f.size); err != nil {
		return err
	}
	if err := unix.Fchmod(out, perm); err != nil { // past the umask
		return err
	}
	when := unix.NsecToTimespec(f.changed.UnixNano())
	return unix.UtimesNanoAt(to, name, []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW)
}

var copyBuffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// content copies what is in a file, by sharing its blocks where that is possible.
func (c *copier) content(in, out int, size int64) error {
	if size > 0 && !c.noClone.Load() {
		if unix.IoctlFileClone(out, in) == nil {
			return nil
		}
		c.noClone.Store(true)
	}
	buf := copyBuffers.Get().(*[128 << 10]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := ignoringEINTR(func() (int, error) { return unix.Read(in, buf[:]) })
		if err != nil || n == 0 {
			return err
		}
		for rest := buf[:n]; len(rest) > 0; rest = rest[n:] {
			n, err = ignoringEINTR(func() (int, error) { return unix.Write(out, rest) })
			if err != nil {
				return err
			}
			if n == 0 {
				return io.ErrShortWrite
			}
		}
	}
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
