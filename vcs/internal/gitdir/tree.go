package gitdir

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Mode is git's mode of a tree or index entry.
type Mode uint32

// The modes git writes.
const (
	ModeDir        Mode = 0o040000
	ModeRegular    Mode = 0o100644
	ModeExecutable Mode = 0o100755
	ModeSymlink    Mode = 0o120000
	ModeGitlink    Mode = 0o160000 // the commit of a submodule
)

// Entry is one file of a tree: what lies at a path.
type Entry struct {
	Mode Mode
	ID   ID
}

// TreeEntry is one line of a tree object.
type TreeEntry struct {
	Name string
	Entry
}

// ParseTree reads the content of a tree object. A name that would leave its
// directory, or reach into .git, is an error: no tree that git accepts has one.
func ParseTree(data []byte) ([]TreeEntry, error) {
	var entries []TreeEntry
	for len(data) > 0 {
		mode, rest, ok := bytes.Cut(data, []byte(" "))
		name, rest, ok2 := bytes.Cut(rest, []byte{0})
		m, err := strconv.ParseUint(string(mode), 8, 32)
		if !ok || !ok2 || err != nil || len(rest) < len(ID{}) {
			return nil, errors.New("malformed tree")
		}
		e := TreeEntry{string(name), Entry{Mode(m), ID(rest[:len(ID{})])}}
		if !SafeName(e.Name) {
			return nil, fmt.Errorf("tree with a file named %q", e.Name)
		}
		if e.Mode = canonical(e.Mode); e.Mode == 0 {
			return nil, fmt.Errorf("tree with mode %o", m)
		}
		entries = append(entries, e)
		data = rest[len(ID{}):]
	}
	return entries, nil
}

// SafeName reports whether a file of that name may lie in a working tree.
func SafeName(name string) bool {
	return name != "" && name != "." && name != ".." &&
		!strings.ContainsAny(name, "/\x00") && !strings.EqualFold(name, ".git")
}

// canonical maps the modes of ancient trees to those written today.
func canonical(m Mode) Mode {
	switch m & 0o170000 {
	case 0o100000:
		if m&0o100 != 0 {
			return ModeExecutable
		}
		return ModeRegular
	case ModeDir, ModeSymlink, ModeGitlink:
		return m & 0o170000
	}
	return 0
}

// Tree reads a tree object.
func (o *Objects) Tree(id ID) ([]TreeEntry, error) {
	kind, data, err := o.Read(id)
	if err != nil {
		return nil, err
	}
	if kind != KindTree {
		return nil, fmt.Errorf("object %s is a %s, not a tree", id, kind)
	}
	entries, err := ParseTree(data)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", id, err)
	}
	return entries, nil
}

// Files calls f with every file below a tree, in the tree's order, which is
// that of the whole paths' bytes: the order of an index.
func (o *Objects) Files(tree ID, f func(path string, e Entry)) error {
	return o.files(tree, "", f)
}

func (o *Objects) files(tree ID, prefix string, f func(string, Entry)) error {
	entries, err := o.Tree(tree)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Mode != ModeDir {
			f(prefix+e.Name, e.Entry)
			continue
		}
		if err := o.files(e.ID, prefix+e.Name+"/", f); err != nil {
			return err
		}
	}
	return nil
}

// Lookup returns what lies at a path of a tree. ErrNotFound.
func (o *Objects) Lookup(tree ID, path string) (Entry, error) {
	for {
		entries, err := o.Tree(tree)
		if err != nil {
			return Entry{}, err
		}
		name, rest, deeper := strings.Cut(path, "/")
		at, ok := find(entries, name)
		switch {
		case !ok, deeper && at.Mode != ModeDir:
			return Entry{}, fmt.Errorf("file %q: %w", path, ErrNotFound)
		case !deeper:
			return at, nil
		}
		tree, path = at.ID, rest
	}
}

func find(entries []TreeEntry, name string) (Entry, bool) {
	for _, e := range entries {
		if e.Name == name {
			return e.Entry, true
		}
	}
	return Entry{}, false
}

// Diff calls f with every path at which two trees differ; old or new is the
// zero Entry where the path is missing. Equal subtrees are not read. The zero
// ID is the empty tree.
func (o *Objects) Diff(old, new ID, f func(path string, old, new Entry)) error {
	return o.diff(old, new, "", f)
}

func (o *Objects) diff(old, new ID, prefix string, f func(string, Entry, Entry)) error {
	if old == new {
		return nil
	}
	names, before, after, err := o.both(old, new)
	if err != nil {
		return err
	}
	for _, name := range names {
		a, b := before[name], after[name]
		if a == b {
			continue
		}
		var subA, subB ID
		if a.Mode == ModeDir {
			subA, a = a.ID, Entry{}
		}
		if b.Mode == ModeDir {
			subB, b = b.ID, Entry{}
		}
		if a != b {
			f(prefix+name, a, b)
		}
		if err := o.diff(subA, subB, prefix+name+"/", f); err != nil {
			return err
		}
	}
	return nil
}

// both reads two trees and the names in either, each once.
func (o *Objects) both(old, new ID) (names []string, before, after map[string]Entry, err error) {
	read := func(id ID) (map[string]Entry, error) {
		if id.IsZero() {
			return nil, nil
		}
		entries, err := o.Tree(id)
		m := make(map[string]Entry, len(entries))
		for _, e := range entries {
			if _, seen := before[e.Name]; !seen {
				names = append(names, e.Name)
			}
			m[e.Name] = e.Entry
		}
		return m, err
	}
	if before, err = read(old); err != nil {
		return nil, nil, nil, err
	}
	after, err = read(new)
	return names, before, after, err
}
