package vcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"revstamp/vcs/internal/gitdir"
)

// gitUpdate is one update under way.
type gitUpdate struct {
	g       *gitCopy
	s       *gitState
	t       *Target
	u       Update
	lock    *updateLock
	commit  *gitdir.Commit // the target
	touched []touched      // sorted by path
	content *gitContents   // of the target's tree
	local   *gitLocal
	stats   map[string]gitdir.Stat // of what was written, zero where it was edited

	mu        sync.Mutex
	published map[string]publication
}

// publication is what Write was given for a path.
type publication struct {
	hash   gitdir.ID // of the bytes, as a blob
	edited bool      // they are not those of the repository
}

// Update works in this order, and a kill leaves what was done so far:
//
//  1. index.lock, which names both ends, keeps git away and stays to the end;
//  2. every tracked file, or with Fresh every one to be written, is compared
//     once more, and refused if foreign and not decided about;
//  3. the files, by Update.Write, deletions last;
//  4. the index, by a rename;
//  5. the branch, its remote-tracking branch, new tags;
//  6. index.lock goes;
//  7. every tracked file is compared with the target.
//
// Resume starts again at 2 and takes for its own what any of the commits named
// in the lock has at a path, edited or not.
func (g *gitCopy) Update(ctx context.Context, t *Target, u Update) error {
	if u.Write == nil {
		return errors.New("git update: no Update.Write to write files with")
	}
	s, err := g.look(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.fixed(); err != nil {
		return err
	}
	j := &gitUpdate{
		g: g, s: s, t: t, u: u,
		stats: make(map[string]gitdir.Stat), published: make(map[string]publication),
	}
	if err := s.explain(j.run(ctx)); err != nil {
		return err
	}
	return g.confirmTarget(ctx, t, u)
}

func (j *gitUpdate) run(ctx context.Context) (err error) {
	id, err := gitdir.ParseID(j.t.Revision.ID)
	if err != nil {
		return err
	}
	if j.commit, err = j.s.objects.Commit(id); err != nil {
		return err
	}
	from := ""
	if j.s.commit != nil {
		from = j.s.commit.ID.String()
	}
	if j.lock, err = lockForUpdate(j.s.Git, from, j.t.Revision.ID, j.u.Resume); err != nil {
		return err
	}
	defer j.lock.close()
	defer func() { j.content.close() }()
	if err := j.prepare(ctx, from); err != nil {
		return j.stop(err, false)
	}
	if err := j.write(ctx); err != nil {
		return j.stop(err, true)
	}
	for _, step := range []func(context.Context) error{j.settle, j.writeIndex, j.moveRefs} {
		if err := step(ctx); err != nil {
			return &InterruptedError{Target: j.t.Revision.ID, Err: err}
		}
	}
	return j.lock.remove()
}

// stop ends an update that failed: where everything is as it was the lock goes,
// where something was written it stays for Resume.
func (j *gitUpdate) stop(err error, wrote bool) error {
	fresh := len(j.lock.to) == 1 && !j.u.Resume
	if fresh && (!wrote || j.unchanged()) {
		return errors.Join(err, j.lock.remove())
	}
	if !wrote {
		return err // what was interrupted before is no less so now
	}
	return &InterruptedError{Target: j.t.Revision.ID, Err: err}
}

// unchanged reports whether a failed Write left, or put back, every file.
func (j *gitUpdate) unchanged() bool {
	ctx := context.Background() // the caller's may be what ended the update
	l, err := j.g.check(ctx, j.s, comparison{own: j.u.Own})
	if err != nil || l.unable() != nil || !sameLocal(l.foreign, j.local.foreign) {
		return false
	}
	for _, c := range j.t.Changes {
		// A directory where a file is to be is one of files that are tracked.
		if d := (&diskTree{root: j.g.dir}).one(c.Path); c.Op == Added && !d.noFile() {
			return false
		}
	}
	return true
}

// write hands every touched file to the caller's Write.
func (j *gitUpdate) write(ctx context.Context) error {
	all := make([]Write, len(j.touched))
	for i, t := range j.touched {
		all[i] = Write{Path: t.path, Delete: true}
		if t.entry != (gitdir.Entry{}) {
			all[i] = Write{
				Path: t.path, Mode: fileMode(t.entry.Mode),
				Content: func() ([]byte, error) { return j.publish(t) },
			}
		}
	}
	return putAll(ctx, j.g.dir, all, j.u.Write)
}

// publish returns what a touched file is to hold.
func (j *gitUpdate) publish(t touched) ([]byte, error) {
	data, err := j.content.read(t.path, t.entry)
	if err != nil {
		return nil, err
	}
	out := data
	if j.u.Edit != nil && regular(t.entry.Mode) {
		if out, err = j.u.Edit(t.path, data); err != nil {
			return nil, err
		}
	}
	p := publication{gitdir.HashOf(gitdir.KindBlob, out), !bytes.Equal(out, data)}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.published[t.path] = p
	return out, nil
}

// settle reads back what was written and takes its stat data for the index.
func (j *gitUpdate) settle(ctx context.Context) error {
	dirs := diskTree{root: j.g.dir}
	defer dirs.close()
	for _, t := range j.touched {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		d := dirs.lstat(t.path)
		if t.entry == (gitdir.Entry{}) {
			if !d.missing() && d.mode() != 0 {
				return fmt.Errorf("%q is still there", t.path)
			}
			continue
		}
		stat := d.stat()
		if err := d.read(); err != nil {
			return err
		}
		p, ok := j.published[t.path]
		if !ok { // Write knew without asking
			if _, err := j.publish(t); err != nil {
				return err
			}
			p = j.published[t.path]
		}
		if d.hash != p.hash || !j.s.sameMode(d.mode(), t.entry.Mode) {
			return fmt.Errorf("%q is not as it was to be written", t.path)
		}
		if p.edited {
			stat = gitdir.Stat{} // git must look at it, and will see the edit
		}
		j.stats[t.path] = stat
	}
	return nil
}

// writeIndex makes the index of the target's tree. What git remembers of files
// that were not touched stays, unless it was written so close to them that a
// newer index would make it look proven.
func (j *gitUpdate) writeIndex(context.Context) error {
	old := j.local.index
	cacheTree, err := j.s.objects.CacheTree(j.commit.Tree, old)
	if err != nil {
		return err
	}
	var failed error
	entries := func(yield func(gitdir.IndexEntry) bool) {
		failed = j.targetFiles(func(path string, e gitdir.Entry, was gitdir.IndexEntry) {
			entry := gitdir.IndexEntry{Path: path}
			entry.Entry, entry.AssumeValid, entry.SkipWorktree = e, was.AssumeValid, was.SkipWorktree
			if was.Entry == e && !was.Stat.Racy(old.Written) {
				entry.Stat = was.Stat
			}
			if stat, ok := j.local.fresh[path]; ok {
				entry.Stat = stat
			}
			if stat, ok := j.stats[path]; ok {
				entry.Stat = stat
			}
			yield(entry)
		})
	}
	data := gitdir.EncodeIndex(entries, old.Len(), cacheTree)
	if failed != nil {
		return failed
	}
	return j.s.SetIndex(data)
}

// targetFiles visits the files of the target's tree, in order, each with what
// the index had of it, or the zero entry. Where the index is that of HEAD's tree, nothing
// but the touched files differs, and no tree is read.
func (j *gitUpdate) targetFiles(visit func(path string, e gitdir.Entry, was gitdir.IndexEntry)) error {
	old := j.local.index
	if old.Tree.IsZero() || old.Tree != j.s.tree() {
		was, err := old.ByPath()
		if err != nil {
			return err
		}
		return j.s.objects.Files(j.commit.Tree, func(path string, e gitdir.Entry) { visit(path, e, was[path]) })
	}
	rest := j.touched
	next := func(was gitdir.IndexEntry) {
		if t := rest[0]; t.entry != (gitdir.Entry{}) {
			visit(t.path, t.entry, was)
		}
		rest = rest[1:]
	}
	for was, err := range old.All() {
		if err != nil {
			return err
		}
		for len(rest) > 0 && rest[0].path < was.Path {
			next(gitdir.IndexEntry{})
		}
		switch {
		case len(rest) > 0 && rest[0].path == was.Path:
			next(was)
		case !was.IntentToAdd: // which is of no tree
			visit(was.Path, was.Entry, was)
		}
	}
	for len(rest) > 0 {
		next(gitdir.IndexEntry{})
	}
	return nil
}

// moveRefs moves HEAD's branch, and what stands for the remote's refs here:
// only tags that do not exist yet.
func (j *gitUpdate) moveRefs(ctx context.Context) error {
	var moves []refMove
	if j.s.head.ID != j.commit.ID {
		moves = append(moves, refMove{"HEAD", j.s.head.ID, j.commit.ID})
	}
	for _, m := range j.t.refs {
		now, err := j.s.Ref(m.name)
		if err != nil && !errors.Is(err, gitdir.ErrNotFound) {
			return err
		}
		if now == m.to || !now.IsZero() && strings.HasPrefix(m.name, "refs/tags/") {
			continue
		}
		moves = append(moves, refMove{m.name, now, m.to})
	}
	if j.u.Resume {
		if err := j.clearRefLocks(ctx, moves); err != nil {
			return err
		}
	}
	if len(moves) == 0 {
		return nil
	}
	return j.g.host.moveRefs(ctx, j.s, moves, "revstamp: update to "+j.t.Revision.Short)
}

// refLockAge is the age from which the lock of a ref is nobody's: who moves a ref
// holds it for some milliseconds.
const refLockAge = time.Second

// clearRefLocks removes the locks that the killed update left on the refs it was
// moving, which may be others than are to be moved now: it may have been on its way to
// another commit. They hold an id that a ref was to get, or are empty if the ref is one
// that is moved now, too, or HEAD's branch or one of a remote; others are left alone, and
// so is any that may be held this moment.
func (j *gitUpdate) clearRefLocks(ctx context.Context, moves []refMove) error {
	ids := slices.Clone(j.lock.to)
	ours := []string{"HEAD", j.s.head.Branch}
	for _, m := range moves {
		ids, ours = append(ids, m.to.String()), append(ours, m.name)
	}
	for _, remote := range j.s.remotes() {
		ours = append(ours, j.s.tracking(remote, j.s.head.Branch))
	}
	locks, err := j.s.RefLocks()
	if err != nil {
		return err
	}
	for name, lock := range locks {
		held := ids
		if slices.Contains(ours, name) {
			held = append(ids[:len(ids):len(ids)], "")
		}
		if err := clearRefLock(ctx, lock, held); err != nil {
			return err
		}
	}
	return nil
}

// clearRefLock removes a lock that holds one of ids.
func clearRefLock(ctx context.Context, file string, ids []string) error {
	var made, seen time.Time // seen here first
	for {
		info, err := os.Lstat(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !info.ModTime().Equal(made) {
			made, seen = info.ModTime(), time.Now()
		}
		// What is of before the clock was set back is as old as it has been seen.
		left := refLockAge - max(time.Since(made), time.Since(seen))
		if left <= 0 {
			break
		}
		select {
		case <-time.After(min(left, refLockAge/20)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !slices.Contains(ids, strings.TrimSpace(string(data))) {
		return nil // which git will tell of
	}
	return os.Remove(file)
}

// confirmTarget looks again, as at the beginning: nothing is taken on trust.
func (g *gitCopy) confirmTarget(ctx context.Context, t *Target, u Update) error {
	s, err := g.look(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if s.head.ID.String() != t.Revision.ID {
		return fmt.Errorf("after the update HEAD is at %s, not at %s", s.head.ID, t.Revision.ID)
	}
	l, err := g.check(ctx, s, comparison{own: u.Own})
	if err != nil {
		return err
	}
	if err = l.unable(); err == nil {
		err = refuseLocal(unkept(l.foreign, u.Local))
	}
	if err != nil {
		return fmt.Errorf("after the update: %w", err)
	}
	return nil
}
