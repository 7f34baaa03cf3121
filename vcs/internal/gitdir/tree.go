package gitdir

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
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

// EncodeTree returns the content of the tree object with these entries, which
// it sorts as git does: a directory as if its name ended in a slash.
func EncodeTree(entries []TreeEntry) []byte {
	sorted := func(e TreeEntry) string {
		if e.Mode == ModeDir {
			return e.Name + "/"
		}
		return e.Name
	}
	slices.SortFunc(entries, func(a, b TreeEntry) int { return strings.Compare(sorted(a), sorted(b)) })
	var data []byte
	for _, e := range entries {
		data = fmt.Appendf(data, "%o %s\x00", uint32(e.Mode), e.Name)
		data = append(data, e.ID[:]...)
	}
	return data
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

// Entries returns what lies at some paths of a tree, but for directories: of those,
// and of what is not there, it tells nothing. It reads each tree once, which Lookup
// does for each path anew.
func (o *Objects) Entries(tree ID, paths []string) (map[string]Entry, error) {
	wanted := newPathSet()
	for _, path := range paths {
		wanted.add(path)
	}
	found := make(map[string]Entry, len(paths))
	err := o.diff(ID{}, tree, "", wanted.below, func(path string, _, e Entry) {
		if _, ok := wanted.paths[path]; ok {
			found[path] = e
		}
	})
	return found, err
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
	return o.diff(old, new, "", nil, f)
}

// diff reads two trees side by side. Of the directories in them, given with
// their final slash, only those are entered that enter answers for; all when it
// is nil.
func (o *Objects) diff(old, new ID, prefix string, enter func(string) bool, f func(string, Entry, Entry)) error {
	if old == new || enter != nil && !enter(prefix) {
		return nil
	}
	a, err := o.treeReader(old)
	if err != nil {
		return err
	}
	b, err := o.treeReader(new)
	if err != nil {
		return err
	}
	for a.name != nil || b.name != nil {
		var before, after Entry
		c := a.compare(b)
		if c == 0 && a.Entry == b.Entry {
			if err := errors.Join(a.next(), b.next()); err != nil {
				return err
			}
			continue
		}
		name := b.name
		if c <= 0 {
			before, name = a.Entry, a.name
		}
		if c >= 0 {
			after = b.Entry
		}
		path := prefix + string(name)
		if !SafeName(path[len(prefix):]) {
			return fmt.Errorf("tree with a file named %q", path)
		}
		if before.Mode == ModeDir || after.Mode == ModeDir {
			err = o.diff(before.ID, after.ID, path+"/", enter, f)
		} else {
			f(path, before, after)
		}
		if c <= 0 {
			err = errors.Join(err, a.next())
		}
		if c >= 0 {
			err = errors.Join(err, b.next())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// treeReader steps through the entries of a tree object, in its order.
type treeReader struct {
	id   ID
	rest []byte
	name []byte // of the entry that Entry is; nil at the end
	Entry
}

// treeReader begins to read a tree, the empty one by the zero ID.
func (o *Objects) treeReader(id ID) (*treeReader, error) {
	t := &treeReader{id: id}
	if id.IsZero() {
		return t, nil
	}
	kind, data, err := o.Read(id)
	if err != nil {
		return nil, err
	}
	if kind != KindTree {
		return nil, fmt.Errorf("object %s is a %s, not a tree", id, kind)
	}
	t.rest = data
	return t, t.next()
}

// next goes to the next entry. A tree that is not sorted as git sorts them is an
// error: two of them could not be compared.
func (t *treeReader) next() error {
	if len(t.rest) == 0 {
		t.name, t.Entry = nil, Entry{}
		return nil
	}
	last := treeReader{name: t.name, Entry: t.Entry}
	mode, at := Mode(0), 0
	for ; at < len(t.rest) && at < 7 && t.rest[at] != ' '; at++ {
		mode = mode<<3 | Mode(t.rest[at]-'0')
	}
	end := bytes.IndexByte(t.rest, 0)
	if end <= at || t.rest[at] != ' ' || len(t.rest) < end+1+len(ID{}) {
		return fmt.Errorf("tree %s: malformed tree", t.id)
	}
	t.name = t.rest[at+1 : end]
	t.Entry = Entry{canonical(mode), ID(t.rest[end+1:])}
	t.rest = t.rest[end+1+len(ID{}):]
	switch {
	case t.Mode == 0:
		return fmt.Errorf("tree %s: tree with mode %o", t.id, mode)
	case last.name != nil && last.compare(t) >= 0:
		return fmt.Errorf("tree %s is not sorted", t.id)
	}
	return nil
}

// compare orders entries as a tree does: the name of a directory ends in a
// slash. The end comes last.
func (t *treeReader) compare(u *treeReader) int {
	switch {
	case t.name == nil && u.name == nil:
		return 0
	case t.name == nil:
		return 1
	case u.name == nil:
		return -1
	}
	n := min(len(t.name), len(u.name))
	if c := bytes.Compare(t.name[:n], u.name[:n]); c != 0 {
		return c
	}
	return cmp.Compare(t.after(n), u.after(n))
}

// after is the n-th byte of the name as it is sorted.
func (t *treeReader) after(n int) byte {
	switch {
	case n < len(t.name):
		return t.name[n]
	case t.Mode == ModeDir:
		return '/'
	}
	return 0
}
