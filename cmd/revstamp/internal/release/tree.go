package release

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"revstamp/assets"
	"revstamp/vcs"
)

// tree is the site as it will be once the working copy is at a target: what
// the target changes comes from the version control system, everything else
// from the disk. It is an fs.FS rooted at base. It keeps no content.
type tree struct {
	base    string                                   // absolute directory
	changes map[string]vcs.Change                    // by absolute path
	content func(change vcs.Change) ([]byte, error)  // at the target
	listing func() map[string]map[string]fs.DirEntry // what list says of the changes; nil without any

	// live says what visitors have of a file now, nil for nothing; without it that
	// is what lies in base.
	live func(name string) ([]byte, error)
}

// newTree is the site below dir as target t of wc will leave it.
func newTree(dir string, wc vcs.WorkingCopy, t *vcs.Target, read func(string) ([]byte, error)) *tree {
	changes := make(map[string]vcs.Change, len(t.Changes))
	for _, c := range t.Changes {
		changes[filepath.Join(wc.Dir(), filepath.FromSlash(c.Path))] = c
	}
	return changedTree(dir, changes, func(c vcs.Change) ([]byte, error) { return read(c.Path) })
}

func changedTree(dir string, changes map[string]vcs.Change, content func(vcs.Change) ([]byte, error)) *tree {
	return &tree{
		base: dir, changes: changes, content: content,
		listing: sync.OnceValue(func() map[string]map[string]fs.DirEntry { return list(changes) }),
	}
}

// sub is the tree below dir, a path relative to v's base.
func (v *tree) sub(dir string) *tree {
	w := *v
	w.base = filepath.Join(v.base, filepath.FromSlash(dir))
	return &w
}

func (v *tree) abs(name string) string { return filepath.Join(v.base, filepath.FromSlash(name)) }

// ReadFile implements fs.ReadFileFS.
func (v *tree) ReadFile(name string) ([]byte, error) {
	if !assets.ValidPath(name) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	abs := v.abs(name)
	c, ok := v.changes[abs]
	switch {
	case !ok:
		return os.ReadFile(abs)
	case c.Op == vcs.Deleted:
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return v.content(c)
}

// Stat implements fs.StatFS.
func (v *tree) Stat(name string) (fs.FileInfo, error) {
	if !assets.ValidPath(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrInvalid}
	}
	abs := v.abs(name)
	c, ok := v.changes[abs]
	switch {
	case !ok:
		return os.Stat(abs)
	case c.Op == vcs.Deleted:
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return coming{c}, nil
}

// Open implements fs.FS.
func (v *tree) Open(name string) (fs.File, error) {
	if !assets.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if _, ok := v.changes[v.abs(name)]; !ok {
		return os.Open(v.abs(name))
	}
	data, err := v.ReadFile(name)
	if err != nil {
		return nil, err
	}
	info, err := v.Stat(name)
	if err != nil {
		return nil, err
	}
	return &comingFile{Reader: bytes.NewReader(data), info: info}, nil
}

// before is what visitors have of the file, of which the tree has content.
func (v *tree) before(name string, content []byte) ([]byte, error) {
	switch _, changes := v.changes[v.abs(name)]; {
	case v.live != nil:
		return v.live(name)
	case changes:
		return readOptional(v.abs(name))
	}
	return content, nil
}

// readOptional reads a file; one that is not there has nothing.
func readOptional(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return data, err
}

// walk visits the regular files below roots, slash paths relative to base of
// which none lies in another. Directories for which skip is true are passed
// over; a root that is not there is empty.
func (v *tree) walk(roots []string, skip func(abs string) bool, visit func(name string, info func() (fs.FileInfo, error)) error) error {
	for _, root := range roots {
		err := filepath.WalkDir(v.abs(root), func(abs string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case errors.Is(err, fs.ErrPermission) && d != nil && d.IsDir():
				return &assets.UnreadableError{Dir: v.rel(abs), Err: fs.ErrPermission}
			case err != nil:
				return err
			case d.IsDir():
				if skip(abs) {
					return fs.SkipDir
				}
				return nil
			}
			if _, ok := v.changes[abs]; ok || !d.Type().IsRegular() {
				return nil
			}
			return visit(v.rel(abs), d.Info)
		})
		if err != nil {
			return err
		}
		if err := v.walkChanges(v.abs(root), visit); err != nil {
			return err
		}
	}
	return nil
}

// walkChanges visits the files below root that the target brings.
func (v *tree) walkChanges(root string, visit func(name string, info func() (fs.FileInfo, error)) error) error {
	for abs, c := range v.changes {
		rel, err := filepath.Rel(root, abs)
		if c.Op == vcs.Deleted || !c.Mode.IsRegular() || err != nil || !filepath.IsLocal(rel) {
			continue
		}
		if err := visit(v.rel(abs), func() (fs.FileInfo, error) { return coming{c}, nil }); err != nil {
			return err
		}
	}
	return nil
}

func (v *tree) rel(abs string) string {
	return filepath.ToSlash(strings.TrimPrefix(abs, v.base+string(filepath.Separator)))
}

// coming is the file information of a file that the target brings.
type coming struct{ c vcs.Change }

func (f coming) Name() string       { return path.Base(f.c.Path) }
func (f coming) Size() int64        { return 0 }
func (f coming) Mode() fs.FileMode  { return f.c.Mode }
func (f coming) ModTime() time.Time { return time.Time{} }
func (f coming) IsDir() bool        { return false }
func (f coming) Sys() any           { return nil }

type comingFile struct {
	*bytes.Reader
	info fs.FileInfo
}

func (f *comingFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *comingFile) Close() error               { return nil }
