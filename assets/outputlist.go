package assets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"
)

// OutputName is the file in a directory that Output writes which tells what of it is
// Output's work.
const OutputName = ".revstamp-output.json"

const outputLock = ".revstamp-output.lock"

// outputs is the list of what was written to a directory, by the root that it was made
// of: several may be written to the same one. Roots are named as seen from the
// directory, so that both may move.
type outputs struct {
	Format int                `json:"format"`
	Roots  map[string]*output `json:"roots"`
}

// output is what was written of one root. A name that is not UTF-8, which JSON cannot
// tell, is not on the list, and what it names stays for good.
type output struct {
	Files map[string][]string `json:"files"`          // by slash path: digests of what each may hold
	Dirs  []string            `json:"dirs,omitempty"` // that were not there before
}

// readOutputs reads the list, and returns what it says of this root as well.
func (w *outputting) readOutputs() error {
	w.list = outputs{Format: 1, Roots: make(map[string]*output)}
	name := path.Join(w.Dir, OutputName)
	data, err := w.dir.ReadFile(OutputName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	default:
		if err := w.list.parse(data); err != nil {
			return fmt.Errorf("%s: %w: move it away, and what it lists stays", name, err)
		}
	}
	dir, err1 := filepath.Abs(w.Dir)
	root, err2 := filepath.Abs(w.Root)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if root, err = filepath.Rel(dir, root); err != nil {
		return err
	}
	w.mine = w.list.Roots[filepath.ToSlash(root)]
	if w.mine == nil {
		w.mine = new(output)
		w.list.Roots[filepath.ToSlash(root)] = w.mine
	}
	if w.mine.Files == nil {
		w.mine.Files = make(map[string][]string)
	}
	return nil
}

// parse reads l, so that all of it can be gone by.
func (l *outputs) parse(data []byte) error {
	if err := json.Unmarshal(data, l); err != nil {
		return err
	}
	switch {
	case l.Format != 1:
		return fmt.Errorf("its format is %d, and 1 is known", l.Format)
	case l.Roots == nil:
		return errors.New("it has no roots")
	}
	for root, o := range l.Roots {
		if o == nil {
			return fmt.Errorf("it says nothing of the root %q", root)
		}
		for _, p := range slices.AppendSeq(slices.Clone(o.Dirs), maps.Keys(o.Files)) {
			if !fs.ValidPath(p) {
				return fmt.Errorf("it lists %q, which is no path below the directory", p)
			}
		}
	}
	return nil
}

// saveOutputs puts the list in place, if it has become another one.
func (w *outputting) saveOutputs() error {
	text, err := json.MarshalIndent(w.list, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	now, err := w.dir.ReadFile(OutputName)
	switch {
	case err == nil && bytes.Equal(now, text):
		return nil
	case errors.Is(err, fs.ErrNotExist) && len(w.mine.Files)+len(w.mine.Dirs) == 0:
		return nil // nothing to list, and no list
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	list := &outputFile{path: OutputName, mode: 0o644}
	return errors.Join(
		w.make(list, func(to *os.File) error { _, err := to.Write(text); return errors.Join(err, to.Sync()) }),
		w.dir.Rename(path.Join(staging, OutputName), OutputName),
	)
}

// note says on the list what is about to be put in place, beside what is there until
// then.
func (w *outputting) note() {
	for _, f := range w.files {
		if f.staged && utf8.ValidString(f.path) && !slices.Contains(w.mine.Files[f.path], f.sum) {
			w.mine.Files[f.path] = append(w.mine.Files[f.path], f.sum)
		}
	}
}

// settle says on the list what is in place.
func (w *outputting) settle() {
	for _, f := range w.files {
		switch {
		case !utf8.ValidString(f.path):
		case f.staged:
			w.mine.Files[f.path] = []string{f.sum}
		case w.mine.Files[f.path] == nil: // it was there: if another root wrote it, it is of both
			if sums := w.ofAnother(f.path); sums != nil {
				w.mine.Files[f.path] = sums
			}
		}
	}
}

// makeDirs makes the directories of the root, and notes those that were not there.
func (w *outputting) makeDirs() error {
	for _, p := range w.dirs {
		switch err := w.dir.Mkdir(p, 0o777); {
		case err == nil:
			if utf8.ValidString(p) && !slices.Contains(w.mine.Dirs, p) {
				w.mine.Dirs = append(w.mine.Dirs, p)
			}
		case errors.Is(err, fs.ErrExist):
			if info, err := w.dir.Stat(p); err != nil || !info.IsDir() {
				return errors.Join(err, fmt.Errorf("%q is no directory: move it away", path.Join(w.Dir, p)))
			}
		default:
			return err
		}
	}
	slices.Sort(w.mine.Dirs)
	return nil
}

// removeGone removes what was written of this root earlier and is gone from it, with its
// precompressed variants. What holds something else now, or is behind a link, is
// somebody else's, and stays.
func (w *outputting) removeGone(ctx context.Context) (removed []string, err error) {
	there := make(map[string]bool, len(w.files)+len(w.dirs)+len(w.stays))
	for _, f := range w.files {
		there[f.path] = true
	}
	for _, p := range slices.Concat(w.dirs, w.stays) {
		there[p] = true
	}
	w.real = map[string]bool{".": true}
	for p, sums := range w.mine.Files {
		if there[p] {
			continue
		}
		if !w.site.written(p) && w.ofAnother(p) == nil {
			ours, err := w.stillHolds(p, sums)
			if err != nil {
				return nil, err
			}
			if ours {
				removed = append(removed, p)
			}
		}
		delete(w.mine.Files, p)
	}
	slices.Sort(removed)
	if _, err := Uncompress(ctx, w.Dir, removed, w.Files); err != nil {
		return nil, err
	}
	for _, p := range removed {
		if err := remove(w.dir, p); err != nil {
			return nil, err
		}
	}
	return removed, w.removeDirs(there)
}

// stillHolds reports whether the file at p is one that was written.
func (w *outputting) stillHolds(p string, sums []string) (bool, error) {
	if real, err := w.isReal(path.Dir(p)); err != nil || !real {
		return false, err
	}
	info, err := w.dir.Lstat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.Mode().IsRegular():
		f, err := w.dir.Open(p)
		if err != nil {
			return false, err
		}
		defer f.Close() // only read
		sum, err := hexSumOf(f)
		if err != nil || slices.Contains(sums, sum) {
			return err == nil, err
		}
	}
	w.warn("%q is gone from the asset root, but was changed since it was written, and stays", p)
	return false, nil
}

// takeOver takes from roots that do not exist any longer what this one has as well, and
// forgets those that have nothing else: builds that each have a root of their own would
// leave one each, for good. What only the other has stays, and stays listed as long as it
// is there: that root may just be away, and is written again when it is back.
func (w *outputting) takeOver() error {
	dir, err := filepath.Abs(w.Dir)
	if err != nil {
		return err
	}
	for root, o := range w.list.Roots {
		if o == w.mine || !isNothing(os.Lstat(filepath.Join(dir, filepath.FromSlash(root)))) {
			continue
		}
		maps.DeleteFunc(o.Files, func(p string, _ []string) bool {
			return w.mine.Files[p] != nil || isNothing(w.dir.Lstat(p))
		})
		o.Dirs = slices.DeleteFunc(o.Dirs, func(p string) bool {
			mine := slices.Contains(w.dirs, p)
			if mine && !slices.Contains(w.mine.Dirs, p) {
				w.mine.Dirs = append(w.mine.Dirs, p)
			}
			return mine || isNothing(w.dir.Lstat(p))
		})
		if len(o.Files)+len(o.Dirs) == 0 {
			delete(w.list.Roots, root)
		}
	}
	slices.Sort(w.mine.Dirs)
	return nil
}

// isNothing reports whether there certainly is nothing where Lstat looked.
func isNothing(_ fs.FileInfo, err error) bool { return errors.Is(err, fs.ErrNotExist) }

// isReal reports whether p is a directory, reached by directories alone. What is behind
// a link is somebody else's, who put the link there: removing would follow it.
func (w *outputting) isReal(p string) (bool, error) {
	if real, known := w.real[p]; known {
		return real, nil
	}
	real, err := w.isReal(path.Dir(p))
	if err != nil || !real {
		return false, err
	}
	info, err := w.dir.Lstat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, err
	case info.Mode()&fs.ModeSymlink != 0:
		w.warn("%q is a link now, and what is behind it stays", path.Join(w.Dir, p))
	}
	w.real[p] = err == nil && info.IsDir()
	return w.real[p], nil
}

// ofAnother is what the list says of the file at p that was written of another root;
// nil for none.
func (w *outputting) ofAnother(p string) []string {
	for _, o := range w.list.Roots {
		if o != w.mine && o.Files[p] != nil {
			return o.Files[p]
		}
	}
	return nil
}

// removeDirs removes the directories that were made, are gone from the root, and are
// empty, the deepest first.
func (w *outputting) removeDirs(there map[string]bool) error {
	var left []string
	slices.SortFunc(w.mine.Dirs, func(a, b string) int { return strings.Compare(b, a) })
	for _, p := range w.mine.Dirs {
		if there[p] {
			left = append(left, p)
			continue
		}
		real, err := w.isReal(p)
		if real {
			err = w.dir.Remove(p)
		}
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, syscall.EEXIST):
			left = append(left, p) // it goes when what is in there does
		default:
			return err
		}
	}
	slices.Sort(left)
	w.mine.Dirs = left
	return nil
}

func hexSumOf(r io.Reader) (string, error) {
	h := sha256.New()
	buffer := copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(buffer)
	_, err := io.CopyBuffer(h, struct{ io.Reader }{r}, buffer[:])
	return hex.EncodeToString(h.Sum(nil)), err
}
