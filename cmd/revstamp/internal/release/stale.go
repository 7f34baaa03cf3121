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
}

// noting is own, and notes what it takes for ours.
func (o *ownFiles) noting(own vcs.Own) vcs.Own {
	if own == nil {
		return nil
	}
	return func(path string, base, got []byte) bool {
		if !own(path, base, got) {
			return false
		}
		if !bytes.Equal(base, got) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.paths[path] = true
		}
		return true
	}
}

// stale are those of them that w edits no more, as its configuration calls them, less
// those that its target changes. What a release once wrote there stays, the version of
// an asset that has another by now, or the name of a copy that is removed.
func (o *ownFiles) stale(w *work) []string {
	changes := make(map[string]bool, len(w.target.Changes))
	for _, c := range w.target.Changes {
		changes[c.Path] = true
	}
	var all []string
	for path := range o.paths {
		abs := filepath.Join(w.wc.Dir(), filepath.FromSlash(path))
		manifest := w.cfg.Assets != nil && w.cfg.Assets.Manifest != "" && abs == w.cfg.Abs(w.cfg.Assets.Manifest)
		if !changes[path] && !manifest && w.edits.role(abs) == RoleOther {
			all = append(all, w.edits.name(abs))
		}
	}
	slices.Sort(all)
	return all
}

// reverting is how a file becomes what the repository has.
var reverting = map[string]string{"git": "git checkout", "svn": "svn revert", "hg": "hg revert --no-backup"}

// StaleText tells of p.Stale, and what to do about it; both are "" when there are none.
func (p *Plan) StaleText() (text, remedy string) {
	if len(p.Stale) == 0 {
		return "", ""
	}
	return "what an earlier release wrote stays in " + listed(p.Stale) + ", which the configuration edits no more",
		"bring back what the repository has, with " + reverting[p.work.wc.System()]
}
