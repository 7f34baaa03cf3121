package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
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
		rel, err := filepath.Rel(dir, abs)
		all = append(all, treeFile{filepath.ToSlash(rel), info.Mode(), info.Size(), info.ModTime()})
		return err
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

// copy copies the listed files. Files are not synced one by one: that is for the
// whole file system, once.
func (c *copier) copy(ctx context.Context, files []treeFile) error {
	if err := os.Mkdir(c.to, 0o755); err != nil {
		return err
	}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for _, f := range files {
		if running.Err() != nil {
			break
		}
		from, to := c.abs(c.from, f), c.abs(c.to, f)
		var err error
		switch {
		case f.mode.IsDir():
			err = errors.Join(os.Mkdir(to, 0o700), os.Chmod(to, f.mode.Perm()|0o700))
		case f.mode&fs.ModeSymlink != 0:
			var target string
			if target, err = os.Readlink(from); err == nil {
				err = os.Symlink(target, to)
			}
		case f.mode.IsRegular():
			c.count++
			group.Go(func() error { return c.file(from, to, f) })
		default:
			err = fmt.Errorf("%s is neither file, directory nor link", from)
		}
		if err != nil {
			return errors.Join(err, group.Wait())
		}
	}
	return errors.Join(group.Wait(), context.Cause(ctx))
}

func (c *copier) abs(dir string, f treeFile) string {
	return filepath.Join(dir, filepath.FromSlash(f.name))
}

func (c *copier) file(from, to string, f treeFile) (err error) {
	if c.link(f.name) {
		err := os.Link(from, to)
		if err == nil {
			return nil
		}
		// Another file system, or too many links to this file already.
		if !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EMLINK) {
			return err
		}
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := c.content(in, out, f.size); err != nil {
		return err
	}
	if err := out.Chmod(f.mode.Perm()); err != nil {
		return err
	}
	return os.Chtimes(to, f.changed, f.changed)
}

// content copies what is in a file, by sharing its blocks where that is possible.
func (c *copier) content(in, out *os.File, size int64) error {
	if size > 0 && !c.noClone.Load() {
		err := unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
		if err == nil {
			return nil
		}
		c.noClone.Store(true)
	}
	_, err := io.Copy(out, in)
	return err
}
