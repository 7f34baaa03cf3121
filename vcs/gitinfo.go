package vcs

import (
	"context"
	"errors"

	"revstamp/vcs/internal/gitdir"
)

// Count equals "git rev-list --count HEAD".
func (g *gitCopy) Count(ctx context.Context) (int64, error) {
	s, err := g.look(ctx)
	if err != nil {
		return 0, err
	}
	defer s.close()
	switch {
	case s.cut != nil:
		return 0, &ShallowError{System: "git", What: "the number of commits"}
	case s.commit == nil:
		return 0, nil
	}
	limit := 0
	client, faster := g.host.(gitWalker)
	if faster {
		limit = farthestWalk
	}
	n, err := s.objects.Count(ctx, s.commit.ID, limit)
	if errors.Is(err, gitdir.ErrTooFar) {
		return client.count(ctx, s.commit.ID)
	}
	return n, s.explain(err)
}

// Changes equals "git diff --name-status --no-renames"; a submodule counts as a
// file without a mode.
func (g *gitCopy) Changes(ctx context.Context, from, to string) ([]Change, error) {
	s, err := g.look(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	old, err := g.findCommit(ctx, s, from)
	if err != nil {
		return nil, s.explain(err)
	}
	new, err := g.findCommit(ctx, s, to)
	if err != nil {
		return nil, s.explain(err)
	}
	list, _, err := s.differences(old.Tree, new.Tree)
	return list, s.explain(err)
}

// LastChanged equals "git log -1" of each file.
func (g *gitCopy) LastChanged(ctx context.Context, rev string) (map[string]string, error) {
	s, err := g.look(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	switch {
	case s.cut != nil:
		return nil, &ShallowError{System: "git", What: "the commit that last changed a file"}
	case s.commit == nil && rev == "":
		return map[string]string{}, nil
	}
	at := s.commit
	if rev != "" {
		if at, err = g.findCommit(ctx, s, rev); err != nil {
			return nil, s.explain(err)
		}
	}
	last, err := s.objects.LastChanged(ctx, at.ID)
	if err != nil {
		return nil, s.explain(err)
	}
	ids := make(map[string]string, len(last))
	names := make(map[gitdir.ID]string) // a commit changes many files
	for path, id := range last {
		name, ok := names[id]
		if !ok {
			name = id.String()
			names[id] = name
		}
		ids[path] = name
	}
	return ids, nil
}

// ContentIDs are those of the commit that is checked out, as "git ls-tree -r
// HEAD" tells them: what is staged is not in the repository yet. The index has
// them without a tree to read where nothing is staged.
func (g *gitCopy) ContentIDs(ctx context.Context) (map[string]string, error) {
	s, err := g.look(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ids := make(map[string]string)
	if s.commit == nil {
		return ids, nil
	}
	add := func(path string, e gitdir.Entry) {
		if e.Mode != gitdir.ModeGitlink {
			ids[path] = e.ID.String()
		}
	}
	// An index that cannot be read is not needed.
	if index, err := s.index(); err == nil && index.Tree == s.commit.Tree {
		for e, err := range index.All() {
			if err != nil {
				return nil, err
			}
			add(e.Path, e.Entry)
		}
		return ids, nil
	}
	return ids, s.explain(s.objects.Files(s.commit.Tree, add))
}
