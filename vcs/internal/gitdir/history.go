package gitdir

import (
	"context"
	"strings"
)

// Count returns how many commits are reachable from one, itself included.
// Beyond limit commits it gives up with ErrTooFar; no limit when zero.
func (o *Objects) Count(ctx context.Context, head ID, limit int) (int64, error) {
	met := map[ID]bool{head: true}
	todo := []ID{head}
	for len(todo) > 0 {
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
		if limit > 0 && len(met) > limit {
			return 0, ErrTooFar
		}
		c, err := o.node(todo[len(todo)-1])
		if err != nil {
			return 0, err
		}
		todo = todo[:len(todo)-1]
		for _, p := range c.Parents {
			if !met[p] {
				met[p] = true
				todo = append(todo, p)
			}
		}
	}
	return int64(len(met)), nil
}

// LastChanged tells, for every file of a commit, submodules excepted, the commit
// that last changed it, as `git log -1 -- file` does. That follows a file from
// the commit to the first parent that has the same at its path, and so on, and
// ends where no parent has.
//
// Here all files are followed at once: each commit that is come by holds the set
// of files whose way leads through it, and hands to its first parent all that is
// the same there, to the second what remains and is the same there, and so on.
// The sets of two commits never share a file. Subtrees that are equal, or hold
// no file of the set, are not read.
func (o *Objects) LastChanged(ctx context.Context, head ID) (map[string]ID, error) {
	c, err := o.node(head)
	if err != nil {
		return nil, err
	}
	all := newPathSet()
	err = o.Files(c.Tree, func(path string, e Entry) {
		if e.Mode != ModeGitlink {
			all.add(path)
		}
	})
	if err != nil {
		return nil, err
	}
	t := tracer{objects: o, active: make(map[ID]*pathSet), last: make(map[string]ID, len(all.paths))}
	t.give(c, all)
	for len(t.queue) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if err := t.step(t.queue.pop()); err != nil {
			return nil, err
		}
	}
	return t.last, nil
}

// tracer follows files through history. The order of the queue decides only
// about speed: a commit that is given files again is visited again.
type tracer struct {
	objects *Objects
	queue   byDate
	active  map[ID]*pathSet // of the queued commits
	last    map[string]ID
}

// give adds files to a commit's set. The set is the tracer's from now on.
func (t *tracer) give(c *Commit, set *pathSet) {
	if len(set.paths) == 0 {
		return
	}
	had, queued := t.active[c.ID]
	if !queued {
		t.active[c.ID] = set
		t.queue.insert(c)
		return
	}
	if len(had.paths) < len(set.paths) {
		had, set = set, had
		t.active[c.ID] = had
	}
	for path := range set.paths {
		had.add(path)
	}
}

func (t *tracer) step(c *Commit) error {
	set := t.active[c.ID]
	delete(t.active, c.ID)
	for _, id := range c.Parents {
		p, err := t.objects.node(id)
		if err != nil {
			return err
		}
		rest := newPathSet()
		err = t.objects.diff(p.Tree, c.Tree, "", set.below, func(path string, _, _ Entry) {
			if set.remove(path) {
				rest.add(path)
			}
		})
		if err != nil {
			return err
		}
		t.give(p, set)
		if set = rest; len(set.paths) == 0 {
			return nil
		}
	}
	for path := range set.paths {
		t.last[path] = c.ID
	}
	return nil
}

// pathSet is a set of files that knows which directories hold any.
type pathSet struct {
	paths map[string]struct{}
	dirs  map[string]int // how many files lie below; the names end in a slash
}

func newPathSet() *pathSet {
	return &pathSet{make(map[string]struct{}), make(map[string]int)}
}

// add adds a path that is not there.
func (s *pathSet) add(path string) {
	s.paths[path] = struct{}{}
	for i := strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(path[:i], '/') {
		s.dirs[path[:i+1]]++
	}
}

// remove reports whether the path was there.
func (s *pathSet) remove(path string) bool {
	if _, ok := s.paths[path]; !ok {
		return false
	}
	delete(s.paths, path)
	for i := strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(path[:i], '/') {
		s.dirs[path[:i+1]]--
	}
	return true
}

// below reports whether a directory holds files of the set.
func (s *pathSet) below(dir string) bool { return dir == "" || s.dirs[dir] > 0 }
