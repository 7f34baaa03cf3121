package vcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"revstamp/vcs/internal/gitdir"
)

// hgUpdate is one update under way.
type hgUpdate struct {
	s       *hgState
	t       *Target
	u       Update
	lock    *updateLock // .hg/revstamp.lock
	fresh   bool        // nothing was interrupted before
	unlock  func() error
	touched []Change    // sorted by path; of a resumed update, relative to all it may have left
	content *hgContents // of the target
	foreign []localChange

	mu        sync.Mutex
	published map[string]gitdir.ID // hashes of the bytes that Write was given
}

// Update works in this order, and a kill leaves what was done so far:
//
//  1. .hg/revstamp.lock, which names both ends, and .hg/updatestate, by which hg
//     itself knows an interrupted update and refuses to commit;
//  2. every tracked file is compared once more, and refused if foreign and not
//     decided about;
//  3. the files, by Update.Write, deletions last, under hg's lock (.hg/wlock);
//  4. hg's own record of the working copy: its parent, its branch, its list of
//     tracked files, and the active bookmark, by commands that write no file of
//     the tree;
//  5. everything is compared with the target, by hg;
//  6. .hg/updatestate and .hg/revstamp.lock go.
//
// Resume starts again at 2 and takes for its own what any of the changesets
// named in the lock has at a path, edited or not.
//
// hg update is not used: it writes files in place, and merges those with an edit.
// Step 4 takes hg's lock anew for each command; what another hg could do in
// between is to commit, which .hg/updatestate forbids.
func (w *hgCopy) Update(ctx context.Context, t *Target, u Update) error {
	if u.Write == nil {
		return errors.New("hg update: no Update.Write to write files with")
	}
	repo, err := openHgRepo(w.dir)
	if err != nil {
		return err
	}
	if repo.updating != "" && !u.Resume {
		return &LockedError{System: "hg", Path: filepath.Join(repo.dir, "updatestate"), Interrupted: true, Target: repo.updating}
	}
	j := &hgUpdate{t: t, u: u, fresh: repo.updating == "", published: make(map[string]gitdir.ID)}
	if j.lock, err = repo.lockUpdate(t.From, t.Revision.ID); err != nil {
		return err
	}
	defer j.lock.close()
	if err := j.run(ctx, w, repo); err != nil {
		return err
	}
	return j.done()
}

func (j *hgUpdate) run(ctx context.Context, w *hgCopy, repo *hgRepo) (err error) {
	wrote := false
	defer func() {
		if err != nil {
			err = j.stop(err, wrote)
		}
		j.content.close()
		if j.s != nil {
			j.s.close()
		}
	}()
	if j.s, err = w.look(ctx); err != nil {
		return err
	}
	if !j.fresh { // hg's list of files may be that of another revision
		if err := j.rebuild(ctx); err != nil {
			return err
		}
	}
	if j.unlock, err = repo.lockWorkingCopy(); err != nil {
		return err
	}
	defer func() { // where something went wrong; else it is long unlocked
		if j.unlock != nil {
			err = errors.Join(err, j.unlock())
		}
	}()
	if err := j.prepare(ctx); err != nil {
		return err
	}
	if err := repo.writeUpdateState(j.t.Revision.ID); err != nil {
		return err
	}
	wrote = true
	if err := j.write(ctx); err != nil {
		return err
	}
	if err := j.settle(ctx); err != nil {
		return err
	}
	unlock := j.unlock
	if j.unlock = nil; unlock() != nil {
		return &LockedError{Path: repo.wlock()}
	}
	if err := j.move(ctx); err != nil {
		return err
	}
	return j.confirm(ctx)
}

// stop ends an update that failed: where everything is as it was the locks go,
// where something was written they stay for Resume.
func (j *hgUpdate) stop(err error, wrote bool) error {
	if j.fresh && (!wrote || j.unchanged()) {
		return errors.Join(err, j.done())
	}
	if !wrote {
		return err // what was interrupted before is no less so now
	}
	return &InterruptedError{Target: j.t.Revision.ID, Err: err}
}

// unchanged reports whether a failed Write left, or put back, every file.
func (j *hgUpdate) unchanged() bool {
	ctx := context.Background() // the caller's may be what ended the update
	if j.unlock == nil {
		return false // past the files
	}
	s := j.s
	if !s.ready { // ended with the caller's context
		return false
	}
	l, err := s.check(ctx, j.u.Own, nil)
	if err != nil || l.unable() != nil || !sameLocal(l.foreign, j.foreign) {
		return false
	}
	for _, c := range j.t.Changes {
		if d := (&diskTree{root: s.top}).one(c.Path); c.Op == Added && !d.noFile() {
			return false
		}
	}
	return true
}

// done removes what tells of an update: .hg/updatestate first, without which
// .hg/revstamp.lock means nothing.
func (j *hgUpdate) done() error {
	dir := filepath.Dir(j.lock.path)
	if err := os.Remove(filepath.Join(dir, "updatestate")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return j.lock.remove()
}

func (r *hgRepo) updateLockPath() string { return filepath.Join(r.dir, "revstamp.lock") }

// lockUpdate takes .hg/revstamp.lock, which is held by a kernel lock while the
// process lives. One without .hg/updatestate is of an update that wrote nothing,
// or that came to its end.
func (r *hgRepo) lockUpdate(from, to string) (*updateLock, error) {
	path := r.updateLockPath()
	l, err := readUpdateLockAt(path)
	if err != nil {
		return nil, err
	}
	if l != nil {
		if err := l.hold(); err != nil {
			l.close()
			return nil, err
		}
		if r.updating != "" {
			return l.with(to)
		}
		err := l.remove()
		l.close()
		if err != nil {
			return nil, err
		}
	}
	first := to
	if r.updating != "" { // hg's own update was interrupted
		first = r.updating
	}
	if l, err = newUpdateLockAt(path, from, first); errors.Is(err, fs.ErrExist) {
		return nil, &LockedError{Path: path}
	}
	if err != nil {
		return nil, err
	}
	return l.with(to)
}

// writeUpdateState tells hg that an update has begun, as hg's own does.
func (r *hgRepo) writeUpdateState(node string) error {
	temp := filepath.Join(r.dir, "revstamp.updatestate")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(node)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, filepath.Join(r.dir, "updatestate"))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(r.dir)
}

// interruptedNodes are the changesets whose files may lie in the tree.
func (s *hgState) interruptedNodes() ([]string, error) {
	nodes := []string{s.p1.Node}
	if s.updating != "" {
		nodes = append(nodes, s.updating)
	}
	l, err := readUpdateLockAt(s.updateLockPath())
	if err != nil {
		return nil, err
	}
	if l != nil {
		l.close()
		nodes = append(nodes, l.commits()...)
	}
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	for _, n := range nodes {
		if !hgFullID().MatchString(n) {
			return nil, fmt.Errorf("an interrupted update names the changeset %q", n)
		}
	}
	return nodes, nil
}

// prepare finds out what to write and refuses whatever would be lost by it.
func (j *hgUpdate) prepare(ctx context.Context) error {
	nodes := []string{j.s.p1.Node}
	if !j.fresh {
		nodes = append(j.lock.commits(), nodes...)
		slices.Sort(nodes)
		nodes = slices.Compact(nodes)
	} else if j.s.p1.Node != j.t.From {
		return fmt.Errorf("update to %s: the working copy is at %q, and was at %q when this was planned",
			j.t.Revision.Short, j.s.p1.Node, j.t.From)
	}
	if err := j.s.settled(); err != nil {
		return err
	}
	if err := j.findTouched(ctx, nodes); err != nil {
		return err
	}
	var versions []*hgContents
	defer func() {
		for _, v := range versions {
			v.close()
		}
	}()
	paths := j.paths()
	var err error
	if j.content, err = j.s.contents(ctx, j.t.Revision.ID, paths); err != nil {
		return err
	}
	if !j.fresh {
		for _, node := range nodes {
			v, err := j.s.contents(ctx, node, paths)
			if err != nil {
				return err
			}
			versions = append(versions, v)
		}
	}
	if err := j.refuse(ctx, append([]*hgContents{j.content}, versions...)); err != nil {
		return err
	}
	return j.overwrite(ctx)
}

func (j *hgUpdate) paths() []string {
	paths := make([]string, len(j.touched))
	for i, c := range j.touched {
		paths[i] = c.Path
	}
	return paths
}

// overwrite adds the files that lose a foreign change to the touched ones.
func (j *hgUpdate) overwrite(ctx context.Context) error {
	paths, err := decide(j.foreign, j.u.Local, j.touched)
	if err != nil {
		return err
	}
	paths = slices.DeleteFunc(paths, func(path string) bool {
		return slices.ContainsFunc(j.touched, func(c Change) bool { return c.Path == path })
	})
	if len(paths) == 0 {
		return nil
	}
	entries, err := j.s.entries(ctx, j.t.Revision.ID, paths)
	if err != nil {
		return err
	}
	for _, path := range paths {
		j.touched = append(j.touched, Change{Path: path, Op: Changed, Mode: fileMode(entries[path].mode)})
	}
	sortChanges(j.touched)
	j.content.close()
	j.content, err = j.s.contents(ctx, j.t.Revision.ID, j.paths())
	return err
}

func (j *hgUpdate) findTouched(ctx context.Context, nodes []string) error {
	known := make(map[string]bool)
	for _, node := range nodes {
		list, err := j.s.changes(ctx, node, j.t.Revision.ID)
		if err != nil {
			return err
		}
		for _, c := range list {
			if !known[c.Path] {
				known[c.Path] = true
				j.touched = append(j.touched, c)
			}
		}
	}
	sortChanges(j.touched)
	return nil
}

// refuse judges what is on disk; after an interrupted update every touched path
// may hold any of the versions.
func (j *hgUpdate) refuse(ctx context.Context, versions []*hgContents) error {
	var others []*hgContents
	if !j.fresh {
		others = versions
	}
	l, err := j.s.check(ctx, j.u.Own, others)
	if err != nil {
		return err
	}
	if err := l.unable(); err != nil {
		return err
	}
	j.foreign = l.foreign
	if _, err := decide(j.foreign, j.u.Local, j.touched); err != nil {
		return err
	}
	if j.fresh {
		return j.s.inTheWay(j.touched, versions, j.u.Own)
	}
	changes, err := j.s.changes(ctx, j.s.p1.Node, j.t.Revision.ID)
	if err != nil {
		return err
	}
	// What some changeset of the update has, and neither the parent nor the
	// target, is the update's to remove, if it is as there.
	here, err := j.s.manifest(ctx, j.s.p1.Node)
	if err != nil {
		return err
	}
	for _, c := range j.touched {
		if _, tracked := here[c.Path]; c.Op == Deleted && !tracked {
			changes = append(changes, c)
			if d := (&diskTree{root: j.s.top}).one(c.Path); d.noFile() {
				continue
			}
			changes = append(changes, Change{Path: c.Path, Op: Added})
		}
	}
	return j.s.inTheWay(changes, versions, j.u.Own)
}

// write hands every touched file to the caller's Write.
func (j *hgUpdate) write(ctx context.Context) error {
	all := make([]Write, len(j.touched))
	for i, c := range j.touched {
		all[i] = Write{Path: c.Path, Delete: true}
		if c.Op != Deleted {
			all[i] = Write{
				Path: c.Path, Mode: c.Mode,
				Content: func() ([]byte, error) { return j.publish(c) },
			}
		}
	}
	return putAll(ctx, j.s.top, all, j.u.Write)
}

// publish returns what a touched file is to hold.
func (j *hgUpdate) publish(c Change) ([]byte, error) {
	data, err := j.content.read(c.Path)
	if err != nil {
		return nil, err
	}
	if j.u.Edit != nil && c.Mode.IsRegular() {
		if data, err = j.u.Edit(c.Path, data); err != nil {
			return nil, err
		}
	}
	hash := gitdir.HashOf(gitdir.KindBlob, data)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.published[c.Path] = hash
	return data, nil
}

// settle reads back what was written.
func (j *hgUpdate) settle(ctx context.Context) error {
	dirs := diskTree{root: j.s.top}
	defer dirs.close()
	for _, c := range j.touched {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		d := dirs.lstat(c.Path)
		if c.Op == Deleted {
			if !d.noFile() {
				return fmt.Errorf("%q was to be removed", c.Path)
			}
			continue
		}
		if err := d.read(); err != nil {
			return err
		}
		if d.hash != j.published[c.Path] || fileMode(d.mode()) != c.Mode {
			return fmt.Errorf("%q is not as it was to be written", c.Path)
		}
	}
	return nil
}

// move tells hg what is on disk now, which hg takes for given without looking.
func (j *hgUpdate) move(ctx context.Context) error {
	node := j.t.Revision.ID
	if err := j.hg(ctx, "debugsetparents", node); err != nil {
		return err
	}
	if branch := j.t.Revision.Branch; branch != j.s.branch {
		if err := j.hg(ctx, "branch", "--quiet", "--force", "--", branch); err != nil {
			return err
		}
	}
	if err := j.track(ctx); err != nil {
		return err
	}
	if name := j.s.bookmark; name != "" && j.s.bookmarks[name] != node {
		return j.hg(ctx, "bookmark", "--force", "--rev", node, "--", name)
	}
	return nil
}

// track makes hg's list of tracked files (the dirstate) that of the new parent.
// It remembers sizes and modes, by which files that we wrote would be taken for
// modified: hg forgets what it knew of those, and looks at them next time.
func (j *hgUpdate) track(ctx context.Context) error {
	if !j.fresh {
		return j.rebuild(ctx)
	}
	if len(j.touched) == 0 {
		return nil
	}
	if err := j.hg(ctx, "debugrebuilddirstate", "--minimal"); err != nil {
		return err
	}
	var changed []string
	for _, c := range j.touched {
		if c.Op == Changed {
			changed = append(changed, c.Path)
		}
	}
	for some := range slices.Chunk(changed, manyHgPaths) { // more take longer than their number
		for _, verb := range []string{"forget", "add"} {
			if err := j.hg(ctx, append([]string{verb, "--quiet"}, hgPatterns(some)...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// rebuild makes the list anew, so that hg looks at every file next time. What
// somebody scheduled to be added or removed is untracked or missing afterwards.
func (j *hgUpdate) rebuild(ctx context.Context) error { return j.hg(ctx, "debugrebuilddirstate") }

func (j *hgUpdate) hg(ctx context.Context, args ...string) error {
	_, err := j.s.run(ctx, args...)
	return j.s.why(err)
}

// confirm looks again, as at the beginning: nothing is taken on trust.
func (j *hgUpdate) confirm(ctx context.Context) error {
	if err := j.s.refresh(ctx); err != nil {
		return err
	}
	if j.s.p1.Node != j.t.Revision.ID || j.s.merging {
		return fmt.Errorf("after the update the working copy is at %s, not at %s", j.s.p1.Node, j.t.Revision.ID)
	}
	l, err := j.s.check(ctx, j.u.Own, nil)
	if err != nil {
		return err
	}
	if err = l.unable(); err == nil {
		err = refuseLocal(unkept(l.foreign, j.u.Local))
	}
	if err != nil {
		return fmt.Errorf("after the update: %w", err)
	}
	return nil
}
