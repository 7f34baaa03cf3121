package release

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// prune removes the directories of releases that are kept no longer: of the
// complete ones all but the newest, as many as the configuration says, and of
// the failed ones all but the newest, to be looked at. What visitors have stays,
// what they had before it, and what they had a moment ago: requests and open pages
// are still at it. It removes nothing that a journal does not name.
// The release is live: what goes wrong here is a warning.
func (s *Site) prune(ctx context.Context) {
	var all []*Release
	err := s.walkBack(func(r *Release) bool {
		all = append(all, r)
		return true
	})
	if err != nil {
		s.observer().Warn("old releases are not removed: %v", err)
		return
	}
	seen := make(map[string]bool)
	keep, failed := s.Config.Keep, 1
	young := replacedSince(all, time.Now().Add(-s.Config.KeepFor))
	for _, live := range []bool{true, false} {
		for _, r := range all { // newest first
			if r.Dir == "" || seen[r.Dir] || (r.Status == Live) != live {
				continue
			}
			seen[r.Dir] = true
			left := &failed
			if live {
				left = &keep
			}
			if *left--; *left >= 0 || young[r.Dir] || ctx.Err() != nil {
				continue
			}
			if err := s.remove(s.state.path(r.Dir)); err != nil {
				s.observer().Warn("old release %s is not removed: %v", r.ID, err)
			}
		}
	}
}

// replacedSince are the directories, by name in the state directory, that visitors
// had after a moment. all are the releases, newest first.
func replacedSince(all []*Release, moment time.Time) map[string]bool {
	dirs := make(map[string]bool)
	for _, r := range all {
		if r.Status != Live {
			continue
		}
		dirs[r.Dir] = true
		if r.Ended.Before(moment) {
			break // what was before it was replaced by it, or earlier
		}
	}
	return dirs
}

// remove removes a release's directory. First it gets a name that no release
// has: what is left of it is then none.
func (s *Site) remove(dir string) error {
	trash := filepath.Join(filepath.Dir(dir), ".trash-"+filepath.Base(dir))
	if _, err := os.Lstat(dir); err == nil {
		if s.leadsTo(dir) {
			return nil
		}
		if err := os.RemoveAll(trash); err != nil {
			return err
		}
		if err := os.Rename(dir, trash); err != nil {
			return err
		}
	}
	if err := os.Remove(s.state.treeOf(dir)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.RemoveAll(trash)
}
