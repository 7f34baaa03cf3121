package release

import (
	"bytes"
	"path/filepath"
	"slices"
	"sync"

	"revstamp/vcs"
)

// ownFiles are the tracked files, by their paths in the working copy, in which a
// version control system has found edits of our own.
type ownFiles struct {
	mu    sync.Mutex
	paths map[string]bool

	// now are the present edits, nil where that is not asked, and beyond is for those
	// files that hold something else of ours too: another configuration's.
	now    *edits
	beyond map[string]bool
}

// noting is own, for files in dir, and notes what it takes for ours.
func (o *ownFiles) noting(dir string, own vcs.Own) vcs.Own {
	if own == nil {
		return nil
	}
	return func(path string, base, got []byte) bool {
		if !own(path, base, got) {
			return false
		}
		if !bytes.Equal(base, got) {
			beyond := o.now != nil && !o.now.same(filepath.Join(dir, filepath.FromSlash(path)), base, got)
			o.mu.Lock()
			defer o.mu.Unlock()
			o.paths[path] = true
			if beyond {
				o.beyond[path] = true
			}
		}
		return true
	}
}

// stale are those of them that w edits no more, as its configuration calls them, less
// those that its target changes. What a release once wrote there stays, the version of
// an asset that has another by now, or the name of a copy that is removed. And mixed are
// those that w edits, and that hold what another configuration had written: a version
// under another parameter.
func (o *ownFiles) stale(w *work) (stale, mixed []string) {
	changes := make(map[string]bool, len(w.target.Changes))
	for _, c := range w.target.Changes {
		changes[c.Path] = true
	}
	for path := range o.paths {
		abs := filepath.Join(w.wc.Dir(), filepath.FromSlash(path))
		manifest := w.cfg.Assets != nil && w.cfg.Assets.Manifest != "" && abs == w.cfg.Abs(w.cfg.Assets.Manifest)
		switch {
		case changes[path] || manifest:
		case w.edits.role(abs) == RoleOther:
			stale = append(stale, w.edits.name(abs))
		case o.beyond[path]:
			mixed = append(mixed, w.edits.name(abs))
		}
	}
	slices.Sort(stale)
	slices.Sort(mixed)
	return stale, mixed
}

// reverting is how a file becomes what the repository has.
var reverting = map[string]string{"git": "git checkout", "svn": "svn revert", "hg": "hg revert --no-backup"}

// StaleText tells of p.Stale, and what to do about it; both are "" when there are none.
func (p *Plan) StaleText() (text, remedy string) {
	if len(p.Stale) == 0 {
		return "", ""
	}
	return "what an earlier release wrote stays in " + listed(p.Stale) + ", which the configuration edits no more",
		p.bringBack()
}

func (p *Plan) bringBack() string {
	return "bring back what the repository has, with " + reverting[p.work.wc.System()]
}
