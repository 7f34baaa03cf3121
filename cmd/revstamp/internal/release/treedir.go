package release

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"revstamp/assets"
	"revstamp/vcs"
)

// ReadDir implements fs.ReadDirFS. A directory that the target empties is listed.
func (v *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	if !assets.ValidPath(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	abs := v.abs(name)
	now, err := os.ReadDir(abs)
	var changed map[string]fs.DirEntry
	if v.listing != nil {
		changed = v.listing()[abs]
	}
	if err != nil && (len(changed) == 0 || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)) {
		return nil, err
	}
	if len(changed) == 0 {
		return now, nil
	}
	all := make(map[string]fs.DirEntry, len(now)+len(changed))
	for _, d := range now {
		all[d.Name()] = d
	}
	maps.Copy(all, changed)
	maps.DeleteFunc(all, func(_ string, d fs.DirEntry) bool { return d == nil })
	return slices.SortedFunc(maps.Values(all), func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) }), nil
}

// list says by directory, and name in it, what the target changes: nil is a file
// that it takes away. Directories are there up to the root of the file system.
func list(changes map[string]vcs.Change) map[string]map[string]fs.DirEntry {
	all := map[string]map[string]fs.DirEntry{}
	in := func(dir string) map[string]fs.DirEntry {
		if all[dir] == nil {
			all[dir] = map[string]fs.DirEntry{}
		}
		return all[dir]
	}
	for abs, c := range changes {
		dir, name := filepath.Split(abs)
		dir = filepath.Clean(dir)
		if c.Op == vcs.Deleted {
			if in(dir)[name] == nil { // unless a directory takes its place
				in(dir)[name] = nil
			}
			continue
		}
		in(dir)[name] = fs.FileInfoToDirEntry(coming{c})
		for parent := filepath.Dir(dir); parent != dir; dir, parent = parent, filepath.Dir(parent) {
			name := filepath.Base(dir)
			if d := in(parent)[name]; d != nil && d.IsDir() {
				break
			}
			in(parent)[name] = comingDir(name)
		}
	}
	return all
}

// comingDir is a directory that the target has files in, which need not be there.
type comingDir string

func (d comingDir) Name() string               { return string(d) }
func (d comingDir) IsDir() bool                { return true }
func (d comingDir) Type() fs.FileMode          { return fs.ModeDir }
func (d comingDir) Info() (fs.FileInfo, error) { return nil, fs.ErrNotExist }
