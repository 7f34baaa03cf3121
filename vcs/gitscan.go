package vcs

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

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

// leastPart is how many files are worth a goroutine of their own.
const leastPart = 500

// scan looks at every tracked file, or at those of c.only, at what is staged, and
// at what the index does not know for sure. It waits for little but system calls,
// so the processors share it, as git's do.
func (g *gitCopy) scan(s *gitState, c *comparison) (*scan, error) {
	index, err := s.Index()
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
	entries := index.Entries
	size := max(leastPart, (len(entries)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var parts []*scan
	var all sync.WaitGroup
	for part := range slices.Chunk(entries, size) {
		found := new(scan)
		parts = append(parts, found)
		all.Go(func() { g.scanPart(s, found, index, part, changed, c) })
	}
	all.Wait()
	whole := &scan{index: index}
	for _, p := range parts {
		whole.suspects = append(whole.suspects, p.suspects...)
		whole.conflicts = append(whole.conflicts, p.conflicts...)
		whole.submodules = whole.submodules || p.submodules
	}
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
		if index, err = s.Index(); err == nil && index.Tree == s.tree() {
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

func (g *gitCopy) scanPart(s *gitState, found *scan, index *gitdir.Index, entries []gitdir.IndexEntry,
	changed map[string]gitdir.Entry, c *comparison) {
	dirs := diskTree{root: g.dir}
	defer dirs.close()
	sparse := s.sparse()
	trustCtime := s.config.Bool("core.trustctime", true)
	for i := range entries {
		e := &entries[i]
		if e.Stage > 0 {
			found.conflicts = append(found.conflicts, e.Path)
			continue
		}
		head, staged := changed[e.Path]
		if !staged {
			head, staged = e.Entry, e.IntentToAdd
		}
		if c.only != nil && !c.only[e.Path] && !staged && !e.Stat.Racy(index.Written) {
			continue
		}
		if e.Mode == gitdir.ModeGitlink && !staged {
			found.submodules = found.submodules || marked(filepath.Join(g.dir, e.Path), ".git")
			continue
		}
		d := dirs.lstat(e.Path)
		stat := d.stat()
		if !trustCtime {
			stat.CtimeSec, stat.CtimeNsec = e.Stat.CtimeSec, e.Stat.CtimeNsec
		}
		if !staged {
			_, judged := c.others[e.Path]
			// Of a sparse checkout git looks at the files that are there after all.
			skipped := e.SkipWorktree && !(sparse && d.there)
			trusted := (e.AssumeValid || skipped) && !judged
			if trusted || e.Stat.Same(stat) && s.sameMode(e.Mode, d.mode()) && !e.Stat.Racy(index.Written) {
				continue
			}
		}
		found.suspects = append(found.suspects, suspect{e.Path, head, e.Entry, d, stat, staged})
	}
}

// staged compares the index with HEAD: changed is what HEAD has, zero for
// nothing, at the paths where the index has something else; gone is what the
// index lacks.
func (s *gitState) staged(index *gitdir.Index) (changed, gone map[string]gitdir.Entry, err error) {
	if index.Tree == s.tree() && !index.Tree.IsZero() {
		return nil, nil, nil
	}
	gone = make(map[string]gitdir.Entry, len(index.Entries))
	if s.commit != nil {
		err := s.objects.Files(s.tree(), func(path string, e gitdir.Entry) { gone[path] = e })
		if err != nil {
			return nil, nil, err
		}
	}
	changed = make(map[string]gitdir.Entry)
	for _, e := range index.Entries {
		head := gone[e.Path]
		delete(gone, e.Path)
		if head != e.Entry {
			changed[e.Path] = head
		}
	}
	return changed, gone, nil
}
