package assets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"revstamp/stamp/atomicfile"
)

// Output writes a site into a directory of its own: all files that lie under the
// root, documents with the versions of their references. The root stays as it is.
type Output struct {
	// Site gives the versions. It is used for one call of Write.
	Site *Site
	// Root is the directory that Site.FS is, and Dir the one that is written. Dir is
	// made if it is missing.
	Root, Dir string
	// Skip reports whether a file or a directory, by its slash path under the root, is
	// left out; nil for none. Links to directories are left out in any case.
	Skip func(path string) bool
	// Files are the options by which precompressed variants are removed.
	Files atomicfile.Options
}

// staging is where files are until all of them are whole: what a run that was killed
// left there, the next one removes.
const staging = ".revstamp-output"

// Outputted is what Write did. Its names are slash paths under Dir, sorted.
type Outputted struct {
	Documents []Rewritten // in their order; Changed is that the file in Dir has become another one
	Written   []string    // all files that have
	Removed   []string    // files that are gone from the root
}

// Write writes the site, with documents, which lie under the root, rewritten.
//
// A file that holds what it should, with the permission bits that it should have, is
// not touched. What an earlier call wrote to Dir of the same root, and is gone from
// there, is removed, if it still holds what was written; all else in Dir stays, and so
// does what was written of a link that leads nowhere now. That is known from a list in
// Dir, OutputName, on which every file is before it is in its place. It knows a root by
// its path: what a root wrote that does not exist any longer passes to one that has the
// same files, and what else it wrote stays.
//
// All files are made, and are durable, before the first is put in place, assets before
// the documents that refer to them, each at once, and what is gone goes last. After an
// error before that Dir is as it was. What goes wrong with one document is told there,
// and its file is not written.
func (o *Output) Write(ctx context.Context, docs []Document) (did *Outputted, err error) {
	config, err := o.Site.ready()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o777); err != nil {
		return nil, err
	}
	dir, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close() // only a descriptor
	w := &outputting{Output: o, site: config, dir: dir}
	unlock, err := w.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	did = &Outputted{Documents: make([]Rewritten, len(docs))}
	for i, d := range docs {
		did.Documents[i].Document = d
	}
	if err := errors.Join(w.readOutputs(), w.find(ctx, did.Documents)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.RemoveAll(staging)) }()
	if err := dir.RemoveAll(staging); err != nil {
		return nil, err
	}
	if err := each(ctx, len(w.files), func(i int) error { return w.stage(w.files[i]) }); err != nil {
		return nil, err
	}
	if did.Written, err = w.publish(ctx); err != nil {
		return nil, err
	}
	w.settle()
	if did.Removed, err = w.removeGone(ctx); err != nil {
		return nil, err
	}
	return did, errors.Join(w.takeOver(), w.saveOutputs())
}

// outputting is one call of Write.
type outputting struct {
	*Output
	site  *siteConfig
	dir   *os.Root
	dirs  []string
	files []*outputFile
	stays []string // links under Root that lead nowhere: they are not gone
	list  outputs
	mine  *output         // what the list says of Root
	real  map[string]bool // what isReal has found
}

// outputFile is a file under the root.
type outputFile struct {
	path   string
	info   fs.FileInfo
	mode   fs.FileMode // permission bits
	doc    *Rewritten  // nil for one that is only copied
	staged bool        // it is not in its place yet
	sum    string      // digest of what it is to hold, if staged
}

// lock keeps other processes out that write to the same directory. The lock on the
// directory itself is what atomicfile takes for each file.
func (w *outputting) lock() (unlock func(), err error) {
	d, err := w.dir.OpenFile(outputLock, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if errors.Is(err, fs.ErrPermission) {
		// Another of those who share the directory made it, and only NFS wants more than
		// reading.
		if theirs, readErr := w.dir.OpenFile(outputLock, os.O_RDONLY|syscall.O_NOFOLLOW, 0); readErr == nil {
			d, err = theirs, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w", w.Dir, err)
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		d.Close()
		return nil, fmt.Errorf("another process writes to %q: %w", w.Dir, err)
	}
	// Closing alone unlocks only once no child that is being started has the file.
	return func() { _ = syscall.Flock(int(d.Fd()), syscall.LOCK_UN); d.Close() }, nil
}

// find finds the files under the root.
func (w *outputting) find(ctx context.Context, all []Rewritten) error {
	byPath := make(map[string]*Rewritten, len(all))
	for i := range all {
		byPath[all[i].Path] = &all[i]
	}
	return fs.WalkDir(w.site.fs, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return explain(p, d, err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case p == OutputName, p == outputLock:
			return nil // this root was itself written
		case p != "." && w.Skip != nil && w.Skip(p):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			w.dirs = append(w.dirs, p)
			return nil
		}
		info, err := fs.Stat(w.site.fs, p) // a link to a file is the file to whoever serves it
		switch {
		case err != nil && d.Type()&fs.ModeSymlink != 0:
			w.warn("%q is a link that leads nowhere, and left out: what was written of it stays", p)
			w.stays = append(w.stays, p)
			return nil
		case d.Type()&fs.ModeSymlink != 0 && info.IsDir():
			w.warn("%q is a link to a directory, and left out", p)
			return nil
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return nil
		}
		w.files = append(w.files, &outputFile{path: p, info: info, mode: info.Mode().Perm(), doc: byPath[p]})
		return nil
	})
}

func (w *outputting) warn(format string, args ...any) {
	if w.Files.Warn != nil {
		w.Files.Warn(fmt.Sprintf(format, args...))
	}
}

var outputMemory = sync.Pool{New: func() any { return new(memory) }}

// stage makes what f is to hold, unless it is in its place.
func (w *outputting) stage(f *outputFile) error {
	from, err := w.site.fs.Open(f.path)
	if err != nil {
		return err
	}
	defer from.Close() // only read
	if f.doc == nil {
		return w.copy(f, from)
	}
	m := outputMemory.Get().(*memory)
	defer outputMemory.Put(m)
	m.used = 0
	src, err := readAllInto(m.take(f.info.Size()+1), from)
	if err != nil {
		return err
	}
	out, err := w.Site.replace(f.doc, src, m.take)
	if err != nil {
		f.doc.Err = err
		return nil
	}
	same, err := w.holds(f, bytes.NewReader(out))
	if err != nil || same {
		return err
	}
	f.doc.Changed, f.sum = true, hexSum(out)
	return w.make(f, func(to *os.File) error { _, err := to.Write(out); return err })
}

func (w *outputting) copy(f *outputFile, from fs.File) error {
	same, err := w.holds(f, from)
	if err != nil || same {
		return err
	}
	again, err := w.site.fs.Open(f.path)
	if err != nil {
		return err
	}
	defer again.Close() // only read
	if f.sum, err = w.sumOf(f.path); err != nil {
		return err
	}
	return w.make(f, func(to *os.File) error {
		_, err := io.Copy(to, again) // by copy_file_range, which shares the blocks if it can
		return errors.Join(err, w.dir.Chtimes(path.Join(staging, f.path), f.info.ModTime(), f.info.ModTime()))
	})
}

func (w *outputting) sumOf(path string) (string, error) {
	f, err := w.site.fs.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read
	return hexSumOf(f)
}

// holds reports whether f is in its place, with this content.
func (w *outputting) holds(f *outputFile, content io.Reader) (bool, error) {
	info, err := w.dir.Lstat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, syscall.ENOTDIR):
		return false, fmt.Errorf("%q is no directory: move it away", path.Join(w.Dir, w.inTheWay(f.path)))
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%q is no regular file: move it away", path.Join(w.Dir, f.path))
	case info.Mode().Perm() != f.mode:
		return false, nil
	}
	now, err := w.dir.Open(f.path)
	if err != nil {
		return false, err
	}
	defer now.Close() // only read
	return sameContent(now, content)
}

// inTheWay is which parent of p is no directory.
func (w *outputting) inTheWay(p string) string {
	for p = path.Dir(p); p != "."; p = path.Dir(p) {
		if _, err := w.dir.Lstat(p); err == nil {
			break
		}
	}
	return p
}

func sameContent(a, b io.Reader) (bool, error) {
	x, y := copyBuffers.Get().(*[64 << 10]byte), copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(x)
	defer copyBuffers.Put(y)
	for {
		n, errA := io.ReadFull(a, x[:])
		m, errB := io.ReadFull(b, y[:])
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		if !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		if n < len(x) {
			return true, nil
		}
	}
}

// make makes f where files are until all are whole.
func (w *outputting) make(f *outputFile, fill func(*os.File) error) (err error) {
	name := path.Join(staging, f.path)
	if err := w.dir.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	to, err := w.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	f.staged = true
	err = fill(to)
	if err == nil {
		err = to.Chmod(f.mode)
	}
	return errors.Join(err, to.Close())
}

// publish puts what was made in its place.
func (w *outputting) publish(ctx context.Context) (written []string, err error) {
	for _, f := range w.files {
		if f.staged {
			written = append(written, f.path)
		}
	}
	if err := w.makeDirs(); err != nil {
		return nil, err
	}
	if len(written) == 0 {
		return nil, nil
	}
	w.note()
	if err := errors.Join(w.saveOutputs(), w.sync()); err != nil {
		return nil, err
	}
	if _, err := Uncompress(ctx, w.Dir, written, w.Files); err != nil {
		return nil, err
	}
	slices.SortStableFunc(w.files, func(a, b *outputFile) int { return a.rank() - b.rank() })
	for _, f := range w.files {
		if !f.staged {
			continue
		}
		if err := w.dir.Rename(path.Join(staging, f.path), f.path); err != nil {
			return nil, err
		}
	}
	slices.Sort(written)
	return written, w.sync()
}

// rank is what f comes after.
func (f *outputFile) rank() int {
	switch {
	case f.doc == nil:
		return 0
	case mayBeAsset([]byte(f.path)):
		return 1
	}
	return 2
}

// sync writes out the whole file system.
func (w *outputting) sync() error {
	d, err := w.dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close() // only synced
	return unix.Syncfs(int(d.Fd()))
}
