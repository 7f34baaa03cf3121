package vcs

import (
	"context"

	"revstamp/vcs/internal/gitdir"
)

func (w *hgCopy) Resolve(ctx context.Context, want string, own Own) (*Target, error) {
	if err := namesHg(want); err != nil {
		return nil, err
	}
	s, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	f, err := s.find(ctx, want)
	if err != nil {
		return nil, err
	}
	t, err := s.target(ctx, f)
	if err != nil {
		return nil, err
	}
	if s.updating != "" {
		return t, s.addInterrupted(ctx, t)
	}
	return refused(t, s.refuse(ctx, t, own))
}

// target compares what was found with what is on disk.
func (s *hgState) target(ctx context.Context, f *hgFound) (*Target, error) {
	if err := s.refresh(ctx); err != nil { // what was fetched may have brought tags
		return nil, err
	}
	list, err := s.changesets(ctx, hgRecord, "-r", f.node)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, &UnknownRevisionError{Want: f.node}
	}
	t := &Target{Revision: s.revision(list[0]), Now: s.now(), From: s.p1.Node}
	if f.tag != "" {
		t.Revision.Tag, t.Revision.Describe = f.tag, f.tag
	}
	here, err := s.commits(ctx, f.node, s.p1.Node)
	if err != nil {
		return nil, err
	}
	t.Commits, err = s.commits(ctx, s.p1.Node, f.node)
	if err != nil {
		return nil, err
	}
	if f.line != "" && len(here) > 0 {
		return nil, &DivergedError{
			Branch: f.line, Upstream: f.line + "@default",
			From: s.p1.Node, To: f.node, Ahead: len(here), Behind: len(t.Commits),
		}
	}
	t.Changes, err = s.changes(ctx, s.p1.Node, f.node)
	return t, err
}

// commits are those that lead to one changeset and not to the other, newest
// first.
func (s *hgState) commits(ctx context.Context, not, to string) ([]Commit, error) {
	if to == nullHg || to == not {
		return nil, nil
	}
	list, err := s.changesets(ctx, hgShort, "-r", "sort(only("+to+","+not+"), -rev)")
	if err != nil {
		return nil, err
	}
	var commits []Commit
	for _, c := range list {
		commits = append(commits, Commit{ID: c.Node, Short: Short(c.Node), Author: c.Author, Subject: c.Subject, Date: c.Date})
	}
	return commits, nil
}

// hgOps are the letters of hg's status between two revisions.
var hgOps = map[string]Op{"A": Added, "M": Changed, "R": Deleted}

// changes lists what differs between two revisions, sorted by path.
func (s *hgState) changes(ctx context.Context, from, to string) ([]Change, error) {
	if from == to {
		return nil, nil
	}
	rows, err := s.rows(ctx, 2, "status", "--rev", from, "--rev", to, "-mar", "-T", `{status}\0{path}\0`)
	if err != nil {
		return nil, err
	}
	var list []Change
	var there []string
	for _, r := range rows {
		op, path := hgOps[r[0]], r[1]
		if op == 0 || !safeHgPath(path) {
			return nil, &UnsupportedError{System: "hg", Feature: "the path " + path}
		}
		switch path {
		case ".hgsub", ".hgsubstate":
			return nil, errHgSub
		}
		if list = append(list, Change{Path: path, Op: op}); op != Deleted {
			there = append(there, path)
		}
	}
	entries, err := s.entries(ctx, to, there)
	if err != nil {
		return nil, err
	}
	for i, c := range list {
		list[i].Mode = fileMode(entries[c.Path].mode)
	}
	sortChanges(list)
	return list, nil
}

// addInterrupted adds what a half-done update may have left to the changes.
func (s *hgState) addInterrupted(ctx context.Context, t *Target) error {
	known := make(map[string]bool)
	for _, c := range t.Changes {
		known[c.Path] = true
	}
	nodes, err := s.interruptedNodes()
	if err != nil {
		return err
	}
	for _, node := range nodes {
		list, err := s.changes(ctx, node, t.Revision.ID)
		if err != nil {
			return err
		}
		for _, c := range list {
			if !known[c.Path] {
				known[c.Path] = true
				t.Changes = append(t.Changes, c)
			}
		}
	}
	sortChanges(t.Changes)
	return nil
}

// refuse is the error for whatever an update to t would lose, or could not do.
func (s *hgState) refuse(ctx context.Context, t *Target, own Own) error {
	if err := s.settled(); err != nil {
		return err
	}
	l, err := s.check(ctx, own, nil)
	if err != nil {
		return err
	}
	if err := l.unable(); err != nil {
		return err
	}
	added, err := s.contents(ctx, t.Revision.ID, present(s.top, t.Changes))
	if err != nil {
		return err
	}
	defer added.close()
	return refuseBoth(l.foreign, s.inTheWay(t.Changes, []*hgContents{added}, own))
}

// settled refuses what somebody began here and did not end.
func (s *hgState) settled() error {
	what := s.unfinished()
	if s.merging {
		what = "an unfinished merge"
	}
	if what == "" {
		return nil
	}
	return &ConflictError{Detail: what}
}

// present lists the paths to be added where something lies already.
func present(root string, changes []Change) []string {
	dirs := diskTree{root: root}
	defer dirs.close()
	var list []string
	for _, c := range changes {
		if c.Op != Added {
			continue
		}
		if d := dirs.lstat(c.Path); d.there && d.mode() != 0 && d.mode() != gitdir.ModeDir {
			list = append(list, c.Path)
		}
	}
	return list
}
