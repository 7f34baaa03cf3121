package vcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"syscall"
)

// putAll hands all that is to be done below root to put, which is an
// Update.Write: in one call, the deletions last; before it, in a call of their
// own, those that make room for others. A file that is to be deleted and is not
// there is left out. Directories that deletions leave empty go, as git and hg
// have it.
func putAll(ctx context.Context, root string, all []Write, put func(context.Context, []Write) error) error {
	if len(all) == 0 {
		return nil
	}
	room, rest, err := inOrder(root, all)
	if err != nil {
		return err
	}
	for _, writes := range [][]Write{room, rest} {
		if len(writes) > 0 {
			if err := put(ctx, writes); err != nil {
				return err
			}
		}
		removeEmptyDirs(root, all)
	}
	return nil
}

// inOrder splits what is to be done: a deleted file lies in the way where a
// directory of its name, or a file by the name of its directory, is to come.
//
// It refuses a file that is a directory of others as well: if it is a symbolic link,
// those would be written to where that leads. No tree that git or hg makes has one.
func inOrder(root string, all []Write) (room, rest []Write, err error) {
	dirs := make(map[string]bool)  // that will hold files
	files := make(map[string]bool) // that will be
	for _, w := range all {
		if w.Delete {
			continue
		}
		files[w.Path] = true
		for dir := path.Dir(w.Path); dir != "."; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	for _, w := range all {
		if !w.Delete && dirs[w.Path] {
			return nil, nil, fmt.Errorf("the revision has %q both as a file and as a directory", w.Path)
		}
	}
	var deletions []Write
	disk := diskTree{root: root}
	defer disk.close()
	for _, w := range all {
		if !w.Delete {
			rest = append(rest, w)
			continue
		}
		if d := disk.lstat(w.Path); d.noFile() {
			continue // the interrupted update came so far
		}
		blocks := dirs[w.Path]
		for dir := path.Dir(w.Path); dir != "."; dir = path.Dir(dir) {
			blocks = blocks || files[dir]
		}
		if blocks {
			room = append(room, w)
		} else {
			deletions = append(deletions, w)
		}
	}
	return room, append(rest, deletions...), nil
}

func removeEmptyDirs(root string, all []Write) {
	for _, w := range all {
		if !w.Delete {
			continue
		}
		for dir := path.Dir(w.Path); dir != "."; dir = path.Dir(dir) {
			err := syscall.Rmdir(filepath.Join(root, filepath.FromSlash(dir)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				break // not empty, or a file by now
			}
		}
	}
}
