package vcs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"revstamp/vcs/internal/gitdir"
)

func (g *gitCopy) Resolve(ctx context.Context, want string, own Own) (*Target, error) {
	s, err := g.look(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.fixed(); err != nil {
		return nil, err
	}
	scanned := g.scanAhead(s)
	defer scanned() // of s
	f, err := g.find(ctx, s, want)
	if err != nil {
		return nil, s.explain(err)
	}
	t, err := g.target(ctx, s, f)
	if err != nil {
		return nil, s.explain(err)
	}
	lock, err := readUpdateLock(s.Git)
	if err != nil {
		return nil, err
	}
	if lock != nil {
		lock.close()
		return t, g.addInterrupted(s, t, lock)
	}
	return refused(t, g.refuse(ctx, s, t, own, scanned))
}

// refused is a target that err refuses: local changes may be decided about.
func refused(t *Target, err error) (*Target, error) {
	var local *LocalChangesError
	if err != nil && !errors.As(err, &local) {
		t = nil
	}
	return t, err
}

// target compares what was found with HEAD.
func (g *gitCopy) target(ctx context.Context, s *gitState, f *found) (*Target, error) {
	c, err := s.objects.Commit(f.id)
	if err != nil {
		return nil, err
	}
	t := &Target{refs: f.refs}
	if s.commit != nil {
		t.From = s.commit.ID.String()
		left, right, err := s.objects.Compare(s.commit.ID, c.ID, s.cut)
		if err != nil {
			return nil, err
		}
		if f.branch != "" && len(left) > 0 {
			return nil, &DivergedError{
				Branch: strings.TrimPrefix(s.head.Branch, "refs/heads/"), Upstream: f.branch,
				From: s.commit.ID.String(), To: c.ID.String(),
				Ahead: len(left), Behind: len(right), Shallow: s.cut != nil,
			}
		}
		for _, c := range right {
			t.Commits = append(t.Commits, Commit{
				ID: c.ID.String(), Short: Short(c.ID.String()),
				Author: c.Author, Subject: c.Subject, Date: c.Date,
			})
		}
	}
	if t.Revision, err = g.revision(ctx, s, c, f.tags); err != nil {
		return nil, err
	}
	t.Now = t.Revision
	if s.commit == nil || s.commit.ID != c.ID {
		if t.Now, err = g.revision(ctx, s, s.commit, nil); err != nil {
			return nil, err
		}
	}
	if f.tag != "" {
		t.Revision.Tag, t.Revision.Describe = f.tag, f.tag
	}
	t.Changes, err = s.changes(s.tree(), c.Tree)
	return t, err
}

// changes lists what an update from one tree to another changes, sorted by path.
func (s *gitState) changes(old, new gitdir.ID) ([]Change, error) {
	list, submodule, err := s.differences(old, new)
	if err == nil && submodule != "" {
		err = &UnsupportedError{System: "git", Feature: "an update of the submodule " + submodule, Of: ErrSubmodule}
	}
	return list, err
}

// differences lists what differs between two trees, sorted by path, and names
// a submodule among it.
func (s *gitState) differences(old, new gitdir.ID) (list []Change, submodule string, err error) {
	err = s.objects.Diff(old, new, func(path string, a, b gitdir.Entry) {
		if a.Mode == gitdir.ModeGitlink || b.Mode == gitdir.ModeGitlink {
			submodule = path
		}
		c := Change{Path: path, Op: Changed, Mode: fileMode(b.Mode)}
		switch {
		case a == (gitdir.Entry{}):
			c.Op = Added
		case b == (gitdir.Entry{}):
			c.Op = Deleted
		}
		list = append(list, c)
	})
	slices.SortFunc(list, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return list, submodule, err
}

// fileMode is the mode of a file to be written for an entry.
func fileMode(m gitdir.Mode) fs.FileMode {
	switch m {
	case gitdir.ModeRegular:
		return 0o644
	case gitdir.ModeExecutable:
		return 0o755
	case gitdir.ModeSymlink:
		return fs.ModeSymlink | 0o777
	}
	return 0
}

// addInterrupted adds what a half-done update may have left to the changes.
func (g *gitCopy) addInterrupted(s *gitState, t *Target, lock *updateLock) error {
	ops := make(map[string]bool)
	for _, c := range t.Changes {
		ops[c.Path] = true
	}
	target, err := s.tree0(t.Revision.ID)
	if err != nil {
		return err
	}
	for _, id := range lock.commits() {
		tree, err := s.tree0(id)
		if err != nil {
			return err
		}
		list, err := s.changes(tree, target)
		if err != nil {
			return err
		}
		for _, c := range list {
			if !ops[c.Path] {
				ops[c.Path] = true
				t.Changes = append(t.Changes, c)
			}
		}
	}
	slices.SortFunc(t.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// tree0 is the tree of a commit by its id, the empty one of none.
func (s *gitState) tree0(id string) (gitdir.ID, error) {
	if id == "" {
		return gitdir.ID{}, nil
	}
	parsed, err := gitdir.ParseID(id)
	if err != nil || parsed.IsZero() {
		return gitdir.ID{}, err
	}
	c, err := s.objects.Commit(parsed)
	if err != nil {
		return gitdir.ID{}, err
	}
	return c.Tree, nil
}

// refuse is the error for whatever an update to t would lose, or could not do.
func (g *gitCopy) refuse(ctx context.Context, s *gitState, t *Target, own Own, scanned func() (*scan, error)) error {
	if what := s.unfinished(); what != "" {
		return &ConflictError{Detail: what}
	}
	local, err := scanned()
	l, err := g.judgeScan(ctx, s, local, err, &comparison{own: own})
	if err != nil {
		return err
	}
	if err := l.unable(); err != nil {
		return err
	}
	tree, err := s.tree0(t.Revision.ID)
	if err != nil {
		return err
	}
	return refuseBoth(l.foreign, g.inTheWay(ctx, s, tree, t.Changes, own))
}

// unfinished names the operation that somebody began here and did not end.
func (s *gitState) unfinished() string {
	for _, u := range []struct{ file, what string }{
		{"MERGE_HEAD", "an unfinished merge"},
		{"CHERRY_PICK_HEAD", "an unfinished cherry-pick"},
		{"REVERT_HEAD", "an unfinished revert"},
		{"rebase-merge", "an unfinished rebase"},
		{"rebase-apply", "an unfinished rebase"},
	} {
		if marked(s.Git, u.file) {
			return u.what
		}
	}
	return ""
}

// inTheWay looks for what lies where files will be added: nothing may, but what
// will be there anyway, and what the update removes.
func (g *gitCopy) inTheWay(ctx context.Context, s *gitState, tree gitdir.ID, changes []Change, own Own) error {
	removed := make(map[string]bool)
	for _, c := range changes {
		removed[c.Path] = removed[c.Path] || c.Op == Deleted
	}
	var blocked, present []string
	for _, c := range changes {
		if c.Op != Added {
			continue
		}
		if dir := blockedDir(g.dir, c.Path); dir != "" {
			if !removed[dir] {
				blocked = append(blocked, dir)
			}
			continue
		}
		info, err := os.Lstat(filepath.Join(g.dir, filepath.FromSlash(c.Path)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case info.IsDir():
			strange, err := strangers(g.dir, c.Path, removed)
			if err != nil {
				return err
			}
			blocked = append(blocked, strange...)
		default:
			present = append(present, c.Path)
		}
	}
	different, err := g.different(ctx, s, tree, present, own)
	if err != nil {
		return err
	}
	blocked = append(blocked, different...)
	if len(blocked) == 0 {
		return nil
	}
	slices.Sort(blocked)
	return &UntrackedError{Files: slices.Compact(blocked)}
}

// different returns which of the paths are not on disk as in the tree, nor as
// the caller itself would have made them.
func (g *gitCopy) different(ctx context.Context, s *gitState, tree gitdir.ID, paths []string, own Own) ([]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	content, err := g.contents(ctx, s, tree, paths)
	if err != nil {
		return nil, err
	}
	defer content.close()
	entries, err := s.objects.Entries(tree, paths)
	if err != nil {
		return nil, err
	}
	dirs := diskTree{root: g.dir}
	defer dirs.close()
	var list []string
	for _, path := range paths {
		sus := suspect{path: path, disk: dirs.lstat(path)}
		if err := sus.disk.read(); err != nil {
			return nil, err
		}
		if _, equal, err := g.equal(s, &sus, version{entries[path], content}, own); err != nil {
			return nil, err
		} else if !equal.yes && !sus.disk.missing() {
			list = append(list, path)
		}
	}
	return list, nil
}
