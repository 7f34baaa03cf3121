package vcs

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// hgLocal is what a look at the tracked files found.
type hgLocal struct {
	foreign   []localChange
	conflicts []string
}

// names lists what is not as committed, sorted.
func (l *hgLocal) names() []string {
	names := slices.Clone(l.conflicts)
	for _, c := range l.foreign {
		names = append(names, c.path)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unable is the error for what no decision about local changes helps against.
func (l *hgLocal) unable() error {
	if len(l.conflicts) > 0 {
		return &ConflictError{Files: l.conflicts}
	}
	return nil
}

// hgScheduled is of what the next commit would add or remove: an update tells hg
// anew which files are tracked.
var hgScheduled = bound{keep: true, overwrite: true, why: " that are scheduled for a commit", remedy: "take that back with hg forget or hg revert"}

// hgStatus are the letters of hg's status for tracked files that are not as in
// the working copy's parent, and what to say of those whose texts do not tell.
var hgStatus = map[string]string{"M": "", "A": "added", "R": "deleted", "!": "deleted"}

// check compares the tracked files with the working copy's parent, as hg does. A
// difference for which own answers is none. others are contents that are as good
// as the parent's: those of an interrupted update.
func (s *hgState) check(ctx context.Context, own Own, others []*hgContents) (*hgLocal, error) {
	rows, err := s.rows(ctx, 2, "status", "-mard", "-T", `{status}\0{path}\0`)
	if err != nil {
		return nil, err
	}
	l := new(hgLocal)
	notes, scheduled := make(map[string]string), make(map[string]bool)
	for _, r := range rows {
		notes[r[1]], scheduled[r[1]] = hgStatus[r[0]], r[0] == "A" || r[0] == "R"
	}
	if l.conflicts, err = s.unresolved(ctx); err != nil {
		return nil, err
	}
	if len(notes) == 0 {
		return l, nil
	}
	var paths []string
	for path := range notes {
		if !slices.Contains(l.conflicts, path) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	base, err := s.contents(ctx, s.p1.Node, paths)
	if err != nil {
		return nil, err
	}
	defer base.close()
	dirs := diskTree{root: s.top}
	defer dirs.close()
	for _, path := range paths {
		c, err := judgeHg(&dirs, path, append([]*hgContents{base}, others...), own, scheduled[path])
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		if c.note == "" {
			c.note = notes[path]
		}
		l.foreign = append(l.foreign, *c)
	}
	return l, nil
}

// unresolved lists the files whose merge was left to people.
func (s *hgState) unresolved(ctx context.Context) ([]string, error) {
	if !marked(s.dir, "merge") {
		return nil, nil
	}
	rows, err := s.rows(ctx, 2, "resolve", "--list", "-T", `{mergestatus}\0{path}\0`)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, r := range rows {
		if r[0] == "U" {
			list = append(list, r[1])
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// judgeHg compares a file on disk with the versions that it may have, and tells
// how it differs from the first one when it has none of them. What is scheduled
// to be added or removed is somebody's work even if a version is like that.
func judgeHg(dirs *diskTree, path string, versions []*hgContents, own Own, scheduled bool) (*localChange, error) {
	disk := dirs.lstat(path)
	if err := disk.read(); err != nil {
		return nil, err
	}
	c := &localChange{path: path, got: disk.content, bound: byDisk(disk.root, 0, &disk)}
	for i, v := range versions {
		e, there := v.entries[path]
		if !there {
			if v.asked[path] && disk.noFile() && !scheduled {
				return nil, nil
			}
			continue
		}
		text, err := v.read(path)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			c.base = text
			c.note, c.bound = hgNote(&disk, e, text), byDisk(disk.root, e.mode, &disk)
		}
		if e.mode != disk.mode() || scheduled {
			continue
		}
		if bytes.Equal(text, disk.content) || own != nil && regular(e.mode) && own(path, text, disk.content) {
			return nil, nil
		}
	}
	if scheduled {
		c.bound = hgScheduled
	}
	return c, nil
}

func hgNote(disk *diskFile, e hgEntry, text []byte) string {
	switch {
	case disk.missing():
		return "deleted"
	case disk.mode() == 0:
		return "not a file any more"
	case e.mode != disk.mode() && bytes.Equal(text, disk.content):
		return "mode changed"
	}
	return ""
}

// inTheWay looks for what lies where files will be added: nothing may, but what
// will be there anyway, what an interrupted update put there, and what the
// update removes. versions are the contents that may lie there.
func (s *hgState) inTheWay(changes []Change, versions []*hgContents, own Own) error {
	removed := make(map[string]bool)
	for _, c := range changes {
		removed[c.Path] = removed[c.Path] || c.Op == Deleted
	}
	dirs := diskTree{root: s.top}
	defer dirs.close()
	var blocked []string
	for _, c := range changes {
		if c.Op != Added {
			continue
		}
		if dir := blockedDir(s.top, c.Path); dir != "" {
			if !removed[dir] {
				blocked = append(blocked, dir)
			}
			continue
		}
		info, err := os.Lstat(filepath.Join(s.top, filepath.FromSlash(c.Path)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case info.IsDir():
			strange, err := strangers(s.top, c.Path, removed)
			if err != nil {
				return err
			}
			blocked = append(blocked, strange...)
			continue
		}
		if other, err := judgeHg(&dirs, c.Path, versions, own, false); err != nil {
			return err
		} else if other != nil {
			blocked = append(blocked, c.Path)
		}
	}
	if len(blocked) == 0 {
		return nil
	}
	slices.Sort(blocked)
	return &UntrackedError{Files: slices.Compact(blocked)}
}

// blockedDir returns the part of a path that should be a directory and is
// something else, or "".
func blockedDir(root, path string) string {
	for i, b := range path {
		if b != '/' {
			continue
		}
		info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(path[:i])))
		if err != nil {
			return ""
		}
		if !info.IsDir() {
			return path[:i]
		}
	}
	return ""
}

// strangers lists the files below a directory that an update does not remove.
func strangers(root, dir string, removed map[string]bool) ([]string, error) {
	var found []string
	err := filepath.WalkDir(filepath.Join(root, filepath.FromSlash(dir)), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if path := filepath.ToSlash(rel); !removed[path] {
			found = append(found, path)
		}
		return err
	})
	return found, err
}

func sortChanges(list []Change) {
	slices.SortFunc(list, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
}
