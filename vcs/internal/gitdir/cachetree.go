package gitdir

import (
	"fmt"
	"strconv"
	"strings"
)

// cachedDir is a directory in the TREE extension of an index: a record of its name,
// the numbers of its files and of its subdirectories, and its tree's id, and
// then the records of those subdirectories.
type cachedDir struct {
	id    ID
	files int // in all of it
	dirs  int // directly in it
	below string
	rest  string // what follows the record itself
}

// parseCacheTree reads the first record of body. It is false for one that is
// out of date, which has -1 files and no id, and for anything else.
func parseCacheTree(body string) (cachedDir, bool) {
	_, line, named := strings.Cut(body, "\x00")
	line, rest, ended := strings.Cut(line, "\n")
	files, dirs, counted := strings.Cut(line, " ")
	f, err1 := strconv.Atoi(files)
	d, err2 := strconv.Atoi(dirs)
	if !named || !ended || !counted || err1 != nil || err2 != nil || f < 0 || d < 0 || len(rest) < len(ID{}) {
		return cachedDir{}, false
	}
	return cachedDir{id: ID([]byte(rest[:len(ID{})])), files: f, dirs: d, rest: rest[len(ID{}):]}, true
}

// cachedTrees are the directories that x tells of, by the ids of their trees;
// nil unless it tells of all.
func (x *Index) cachedTrees() map[ID]cachedDir {
	all := make(map[ID]cachedDir)
	// read takes one directory off the beginning of body.
	var read func(body string) (rest string, ok bool)
	read = func(body string) (string, bool) {
		c, ok := parseCacheTree(body)
		if !ok {
			return "", false
		}
		rest := c.rest
		for range c.dirs {
			if rest, ok = read(rest); !ok {
				return "", false
			}
		}
		c.below = c.rest[:len(c.rest)-len(rest)]
		all[c.id] = c
		return rest, true
	}
	if _, ok := read(x.cacheTree); !ok {
		return nil
	}
	return all
}

// CacheTree returns the TREE extension of an index that holds exactly a tree's
// files: each directory's number of files, of subdirectories, and id, so that
// nobody need read the trees to know that nothing is staged. A directory that
// old has, too, is not read.
func (o *Objects) CacheTree(tree ID, old *Index) ([]byte, error) {
	body, _, err := o.cacheTree("", tree, old.cachedTrees())
	return body, err
}

func (o *Objects) cacheTree(name string, id ID, known map[ID]cachedDir) (body []byte, files int, err error) {
	if c, ok := known[id]; ok {
		return append(record(name, id, c.files, c.dirs), c.below...), c.files, nil
	}
	entries, err := o.Tree(id)
	if err != nil {
		return nil, 0, err
	}
	var below []byte
	dirs := 0
	for _, e := range entries {
		if e.Mode != ModeDir {
			files++
			continue
		}
		sub, n, err := o.cacheTree(e.Name, e.ID, known)
		if err != nil {
			return nil, 0, err
		}
		below = append(below, sub...)
		files += n
		dirs++
	}
	return append(record(name, id, files, dirs), below...), files, nil
}

func record(name string, id ID, files, dirs int) []byte {
	return append(fmt.Appendf(nil, "%s\x00%d %d\n", name, files, dirs), id[:]...)
}
