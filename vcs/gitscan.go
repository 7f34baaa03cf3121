package vcs

import (
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"revstamp/vcs/internal/gitdir"
)

// suspect is a tracked file that its stat data do not prove to be as committed.
type suspect struct {
	path   string
	head   gitdir.Entry // zero when HEAD does not have it
	index  gitdir.Entry // zero when the index does not have it
	disk   diskFile
	stat   gitdir.Stat
	staged bool
}

// scan is what a look at the stat data of the tracked files finds.
type scan struct {
	index      *gitdir.Index
	suspects   []suspect // in order of their paths
	conflicts  []string
	submodules bool // one is checked out, which is git's to look at
}

// scan looks at every tracked file, or at those of c.only, at what is staged, and
// at what the index does not know for sure. It waits for little but system calls,
// so the processors share it, as git's do.
func (g *gitCopy) scan(s *gitState, c *comparison) (*scan, error) {
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	return g.scanIndex(s, index, c)
}

func (g *gitCopy) scanIndex(s *gitState, index *gitdir.Index, c *comparison) (*scan, error) {
	changed, gone, err := s.staged(index)
	if err != nil {
		return nil, err
	}
	whole := &scan{index: index}
	var next atomic.Int32 // block
	var merge sync.Mutex
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), index.Blocks()) {
		all.Go(func() {
			found := &scan{index: index}
			failed := g.scanBlocks(s, found, &next, changed, c)
			merge.Lock()
			defer merge.Unlock()
			err = errors.Join(err, failed)
			whole.suspects = append(whole.suspects, found.suspects...)
			whole.conflicts = append(whole.conflicts, found.conflicts...)
			whole.submodules = whole.submodules || found.submodules
		})
	}
	all.Wait()
	if err != nil {
		return nil, err
	}
	slices.Sort(whole.conflicts)
	whole.conflicts = slices.Compact(whole.conflicts)
	dirs := diskTree{root: g.dir}
	defer dirs.close()
	for path, head := range gone {
		d := dirs.lstat(path)
		whole.suspects = append(whole.suspects, suspect{path: path, head: head, disk: d, stat: d.stat(), staged: true})
	}
	slices.SortFunc(whole.suspects, func(a, b suspect) int { return strings.Compare(a.path, b.path) })
	return whole, nil
}

// scanAhead scans while something else is waited for, such as the answer of a
// remote. The function that it returns waits for the end.
//
// It reads no objects, for those are not to be read by two at once: where the
// index is not of HEAD's tree, and they are needed, the scan waits as well.
func (g *gitCopy) scanAhead(s *gitState) func() (*scan, error) {
	var index *gitdir.Index
	var found *scan
	var err error
	var all sync.WaitGroup
	all.Go(func() {
		if index, err = s.index(); err == nil && index.Tree == s.tree() {
			found, err = g.scanIndex(s, index, &comparison{})
		}
	})
	return func() (*scan, error) {
		all.Wait()
		if found == nil && err == nil {
			found, err = g.scanIndex(s, index, &comparison{})
		}
		return found, err
	}
}

// scanBlocks adds to found what it finds in one block of its index after
// another, as long as next has any.
func (g *gitCopy) scanBlocks(s *gitState, found *scan, next *atomic.Int32, changed map[string]gitdir.Entry, c *comparison) error {
	index := found.index
	dirs := diskTree{root: g.dir}
	defer dirs.close()
	sparse := s.sparse()
	trustCtime := s.config.Bool("core.trustctime", true)
	look := func(path []byte, e *gitdir.Tracked) {
		if e.Stage > 0 {
			found.conflicts = append(found.conflicts, string(path))
			return
		}
		head, staged := changed[string(path)]
		if !staged {
			head, staged = e.Entry, e.IntentToAdd
		}
		if c.only != nil && !c.only[string(path)] && !staged && !e.Stat.Racy(index.Written) {
			return
		}
		if e.Mode == gitdir.ModeGitlink && !staged {
			found.submodules = found.submodules || marked(filepath.Join(g.dir, string(path)), ".git")
			return
		}
		there := dirs.stat(path)
		d := diskFile{there: there, info: dirs.info}
		stat := d.stat()
		if !trustCtime {
			stat.CtimeSec, stat.CtimeNsec = e.Stat.CtimeSec, e.Stat.CtimeNsec
		}
		if !staged {
			_, judged := c.others[string(path)]
			// Of a sparse checkout git looks at the files that are there after all.
			skipped := e.SkipWorktree && !(sparse && d.there)
			trusted := (e.AssumeValid || skipped) && !judged
			if trusted || e.Stat.Same(stat) && s.sameMode(e.Mode, d.mode()) && !e.Stat.Racy(index.Written) {
				return
			}
		}
		d.root, d.path = g.dir, string(path)
		found.suspects = append(found.suspects, suspect{d.path, head, e.Entry, d, stat, staged})
	}
	var b gitdir.IndexBuffer
	for {
		block := int(next.Add(1)) - 1
		if block >= index.Blocks() {
			return nil
		}
		if err := index.Visit(block, &b, look); err != nil {
			return err
		}
	}
}

// staged compares the index with HEAD: changed is what HEAD has, zero for
// nothing, at the paths where the index has something else; gone is what the
// index lacks.
func (s *gitState) staged(index *gitdir.Index) (changed, gone map[string]gitdir.Entry, err error) {
	if index.Tree == s.tree() && !index.Tree.IsZero() {
		return nil, nil, nil
	}
	gone = make(map[string]gitdir.Entry, index.Len())
	if s.commit != nil {
		err := s.objects.Files(s.tree(), func(path string, e gitdir.Entry) { gone[path] = e })
		if err != nil {
			return nil, nil, err
		}
	}
	changed = make(map[string]gitdir.Entry)
	for e, err := range index.All() {
		if err != nil {
			return nil, nil, err
		}
		head := gone[e.Path]
		delete(gone, e.Path)
		if head != e.Entry {
			changed[e.Path] = head
		}
	}
	return changed, gone, nil
}
