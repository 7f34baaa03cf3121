package vcs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"revstamp/vcs/internal/gitdir"
)

// touched is a path that an update changes, and what it becomes: zero when it
// is deleted.
type touched struct {
	path      string
	entry     gitdir.Entry
	converted bool // it stays the same in the repository, see addConverted
}

// prepare finds out what to write and refuses whatever would be lost by it.
func (j *gitUpdate) prepare(ctx context.Context, from string) error {
	if from != j.t.From && !slices.Contains(j.lock.to, from) {
		return fmt.Errorf("update to %s: HEAD is at %q, and was at %q when this was planned",
			j.t.Revision.Short, from, j.t.From)
	}
	if what := j.s.unfinished(); what != "" {
		return &ConflictError{Detail: what}
	}
	trees, err := j.trees()
	if err != nil {
		return err
	}
	if err := j.findTouched(trees); err != nil {
		return err
	}
	others, done, err := j.others(ctx, trees)
	defer done()
	if err != nil {
		return err
	}
	compared := comparison{own: j.u.Own, others: others}
	if j.u.Fresh && !j.u.Resume {
		compared.only = make(map[string]bool, len(j.touched)+len(j.u.Local))
		for _, t := range j.touched {
			compared.only[t.path] = true
		}
		for path := range j.u.Local {
			compared.only[path] = true
		}
	}
	if j.local, err = j.g.check(ctx, j.s, compared); err != nil {
		return err
	}
	if err := j.local.unable(); err != nil {
		return err
	}
	if err := j.overwrite(); err != nil {
		return err
	}
	if j.content, err = j.g.contents(ctx, j.s, j.commit.Tree, j.paths(regularOnly)); err != nil {
		return err
	}
	return j.refuseUntracked(ctx, others)
}

// overwrite adds the files that lose a foreign change to the touched ones. One that
// keeps it is not converted otherwise.
func (j *gitUpdate) overwrite() error {
	foreign := make(map[string]bool, len(j.local.foreign))
	for _, c := range j.local.foreign {
		foreign[c.path] = true
	}
	j.touched = slices.DeleteFunc(j.touched, func(t touched) bool {
		return t.converted && foreign[t.path] && j.u.Local[t.path] == Keep
	})
	known := make(map[string]bool, len(j.touched))
	changes := make([]Change, len(j.touched))
	for i, t := range j.touched {
		known[t.path], changes[i].Path = true, t.path
	}
	paths, err := decide(j.local.foreign, j.u.Local, changes)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if known[path] {
			continue
		}
		e, err := j.s.objects.Lookup(j.commit.Tree, path)
		if err != nil {
			return err
		}
		j.touched = append(j.touched, touched{path: path, entry: e})
	}
	j.sortTouched()
	return nil
}

// trees are those whose files may lie around: HEAD's, and those of the
// interrupted updates.
func (j *gitUpdate) trees() ([]gitdir.ID, error) {
	trees := []gitdir.ID{j.s.tree()}
	for _, id := range j.lock.commits() {
		tree, err := j.s.tree0(id)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(trees, tree) {
			trees = append(trees, tree)
		}
	}
	return trees, nil
}

func (j *gitUpdate) findTouched(trees []gitdir.ID) error {
	entries := make(map[string]gitdir.Entry)
	for _, tree := range trees {
		if _, err := j.s.changes(tree, j.commit.Tree); err != nil {
			return err // for instance a submodule
		}
		err := j.s.objects.Diff(tree, j.commit.Tree, func(path string, _, e gitdir.Entry) { entries[path] = e })
		if err != nil {
			return err
		}
	}
	for path, e := range entries {
		j.touched = append(j.touched, touched{path: path, entry: e})
	}
	if err := j.addConverted(trees, entries); err != nil {
		return err
	}
	j.sortTouched()
	return nil
}

func (j *gitUpdate) sortTouched() {
	slices.SortFunc(j.touched, func(a, b touched) int { return strings.Compare(a.path, b.path) })
}

// addConverted adds to the touched files, those that change, the ones that stay the
// same in the repository and may be converted otherwise from now on, because
// attributes change: git itself leaves them as they are, and the tree not what a fresh
// checkout would be.
func (j *gitUpdate) addConverted(trees []gitdir.ID, changed map[string]gitdir.Entry) error {
	var below []string
	for file := range changed {
		if path.Base(file) != ".gitattributes" {
			continue
		}
		var texts []string
		for _, tree := range append(trees, j.commit.Tree) {
			text, err := j.s.treeAttributes(tree, []string{file})
			if err != nil {
				return err
			}
			texts = append(texts, text...)
		}
		conv, err := j.g.conversion(j.s, texts)
		if err != nil {
			return err
		}
		if conv.smudge != "" {
			below = append(below, strings.TrimSuffix(file, ".gitattributes"))
		}
	}
	if below == nil {
		return nil
	}
	return j.s.objects.Files(j.commit.Tree, func(file string, e gitdir.Entry) {
		if _, ok := changed[file]; ok || !regular(e.Mode) {
			return
		}
		if slices.ContainsFunc(below, func(dir string) bool { return strings.HasPrefix(file, dir) }) {
			j.touched = append(j.touched, touched{path: file, entry: e, converted: true})
		}
	})
}

func regularOnly(e gitdir.Entry) bool { return regular(e.Mode) }

func (j *gitUpdate) paths(want func(gitdir.Entry) bool) []string {
	var paths []string
	for _, t := range j.touched {
		if want(t.entry) {
			paths = append(paths, t.path)
		}
	}
	return paths
}

// others are the contents that a resumed update accepts besides HEAD's.
func (j *gitUpdate) others(ctx context.Context, trees []gitdir.ID) (map[string][]version, func(), error) {
	var open []*gitContents
	done := func() {
		for _, c := range open {
			c.close()
		}
	}
	if !j.u.Resume {
		return nil, done, nil
	}
	others := make(map[string][]version)
	touched := j.paths(func(gitdir.Entry) bool { return true })
	for _, tree := range trees {
		entries, err := j.s.objects.Entries(tree, touched)
		if err != nil {
			return nil, done, err
		}
		var files []string
		for _, path := range touched {
			if regular(entries[path].Mode) {
				files = append(files, path)
			}
		}
		from, err := j.g.contents(ctx, j.s, tree, files)
		if err != nil {
			return nil, done, err
		}
		open = append(open, from)
		for _, path := range touched {
			others[path] = append(others[path], version{entries[path], from})
		}
	}
	return others, done, nil
}

// refuseUntracked looks at the paths that HEAD does not have. Of a resumed
// update they may hold what any of its commits has there.
func (j *gitUpdate) refuseUntracked(ctx context.Context, others map[string][]version) error {
	changes, err := j.s.changes(j.s.tree(), j.commit.Tree)
	if err != nil {
		return err
	}
	if j.u.Resume {
		// A file that some commit of the update has, and HEAD and the target
		// have not, is the update's to remove; check has judged it if the index
		// has it, and here it is taken for removed.
		for _, t := range j.touched {
			if t.entry == (gitdir.Entry{}) {
				changes = append(changes, Change{Path: t.path, Op: Deleted})
			}
		}
	}
	err = j.g.inTheWay(ctx, j.s, j.commit.Tree, changes, j.u.Own)
	var untracked *UntrackedError
	if !j.u.Resume || !errors.As(err, &untracked) {
		return err
	}
	untracked.Files = slices.DeleteFunc(untracked.Files, func(path string) bool {
		return j.known(path, others[path])
	})
	if len(untracked.Files) == 0 {
		return nil
	}
	return untracked
}

// known reports whether what lies at a path is one of its versions.
func (j *gitUpdate) known(path string, versions []version) bool {
	dirs := diskTree{root: j.g.dir}
	defer dirs.close()
	sus := suspect{path: path, disk: dirs.lstat(path)}
	if sus.disk.read() != nil {
		return false
	}
	for _, v := range versions {
		if _, equal, err := j.g.equal(j.s, &sus, v, j.u.Own); err == nil && equal.yes {
			return true
		}
	}
	return false
}
