package release

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/stamp/atomicfile"
	"revstamp/vcs"
)

// run is one release being carried out: what its steps share.
type run struct {
	*work
	plan     *Plan
	release  *Release // as its journal tells it up to when this run began
	journal  *Journal
	pending  []Edit // computed by stamp and assets, put in place by activate
	halfway  bool   // an update stopped between two writes
	verified bool   // an update found the tree to be the target

	// Of the files in which a change of somebody else is written over, by their
	// name in the journal: digests of all that may lie there.
	replaced map[string]map[string]bool

	traits map[string]atomicfile.Traits // what files have to look like again, by their name in the journal
}

// steps is a release: in place, where the working copy is the live tree, or in
// a directory of its own.
func (r *run) steps() []Step {
	switch {
	case r.built:
		return r.withHooks([]Step{lockStep{r}, switchStep{r}, checkStep{r}})
	case r.cfg.Layout == config.Releases:
		return r.withHooks([]Step{
			lockStep{r},
			mirrorStep{r},
			revisionStep{r},
			buildStep{r},
			stampStep{r},
			assetsStep{r},
			switchStep{r},
			checkStep{r},
		})
	}
	return r.withHooks([]Step{
		lockStep{r},
		backupStep{r},
		updateStep{r},
		revisionStep{r},
		stampStep{r},
		assetsStep{r},
		activateStep{r},
		checkStep{r},
	})
}

// Release brings the site to a revision and returns the release that did. With
// nothing to do it returns the live release, touches nothing and is done. Its
// errors are *[Error], *[DueError], *[LockedError], *[JobsError] and whatever
// made the plan impossible.
func (s *Site) Release(ctx context.Context, o Options) (r *Release, done bool, err error) {
	r, done, err = s.change(ctx, o, func() (intent, error) {
		if due, err := s.due(); err != nil || due != nil {
			return intent{}, errors.Join(err, asError(due))
		}
		if o.Plan != nil {
			o.Want, s.Config.Source.Local = o.Plan.Want, o.Plan.Local
		}
		return intent{want: o.Want}, nil
	})
	if jobs, ok := errors.AsType[*JobsError](err); ok && jobs.decided() && s.Config.Jobs.OnFailure == config.Rollback {
		return nil, false, s.takeBack(ctx, r, jobs)
	}
	return r, done, err
}

// takeBack rolls back release r, whose jobs failed, to the one before it, unless
// something else is live by now. It returns what is to be told of r.
func (s *Site) takeBack(ctx context.Context, r *Release, failed *JobsError) error {
	back, _, err := s.change(ctx, Options{}, func() (intent, error) {
		live, err := s.Current()
		if err == nil && live.ID != r.ID {
			err = fmt.Errorf("release %s has replaced it", live.ID)
		}
		if err != nil {
			return intent{}, err
		}
		to, err := s.newest(func(o *Release) bool { return o.Status == Live && o.before(r.ID) })
		if IsNotFound(err) {
			err = fmt.Errorf("there is no earlier release than %s to go back to", r.ID)
		}
		if err == nil && to.To.ID == r.To.ID && s.Config.Layout == config.InPlace {
			err = fmt.Errorf("release %s, before it, is of the same revision", to.ID)
		}
		if err != nil {
			return intent{}, err
		}
		return intent{want: to.To.ID, rollback: to}, nil
	})
	if back == nil || back.Status != Live {
		return errors.Join(failed, err)
	}
	return &Error{Release: r.ID, Step: "follow", Effect: RolledBack, Err: errors.New("of its jobs " + Tally(failed.Jobs))}
}

// decided reports whether jobs have failed, and not only are without an outcome.
func (e *JobsError) decided() bool {
	return slices.ContainsFunc(e.Jobs, func(j Job) bool { return j.Over() })
}

// Rollback brings the site back to what it was at release id, or, when id is
// empty, at the newest release of another revision before the live one.
func (s *Site) Rollback(ctx context.Context, id string, o Options) (*Release, bool, error) {
	return s.change(ctx, o, func() (intent, error) {
		if due, err := s.due(); err != nil || due != nil {
			return intent{}, errors.Join(err, asError(due))
		}
		to, err := s.rollbackTarget(id)
		if err != nil {
			return intent{}, err
		}
		return intent{want: to.To.ID, rollback: to}, nil
	})
}

// Resume finishes the release that was interrupted, or queues and follows the
// jobs that the live one still owes. It returns no release when none was
// interrupted and none is live.
func (s *Site) Resume(ctx context.Context, o Options) (*Release, bool, error) {
	return s.change(ctx, o, func() (intent, error) {
		r, err := s.newest(func(*Release) bool { return true })
		if IsNotFound(err) || err == nil && r.Status != Unfinished {
			return intent{owed: true}, nil
		}
		if err != nil {
			return intent{}, err
		}
		return intent{want: r.To.ID, resume: r}, s.mayGoOn(r)
	})
}

// mayGoOn refuses to finish or undo r as long as that could spoil it.
func (s *Site) mayGoOn(r *Release) error {
	if err := s.sameEnvironment(r); err != nil {
		return err
	}
	return s.hookOver(r)
}

// sameEnvironment refuses to go on with a release under another environment
// than it was begun with: it would be stamped half with this, half with that.
func (s *Site) sameEnvironment(r *Release) error {
	if env := s.environment(); env != r.Environment {
		return &EnvironmentError{Release: r.ID, Began: r.Environment, Now: env}
	}
	return nil
}

// settle queues and follows the jobs that the live release, if there is one, still
// owes; done is true when it owes none, or another process is at them.
func (s *Site) settle(ctx context.Context, unlock func() error) (*Release, bool, error) {
	r, err := s.Current()
	if IsNotFound(err) {
		return nil, true, nil
	}
	if err != nil || len(r.pending()) == 0 {
		return r, true, err
	}
	now, done, err := s.finishAlone(ctx, r, manner{unlock: unlock})
	if errors.Is(err, errFollowed) {
		return r, true, nil // another process sees to them
	}
	return now, done, err
}

// owed are the jobs that settle would queue for r: those that are not on a job server
// already, nor with another process.
func (s *Site) owed(r *Release) []Job {
	if locked(s.state.journal(r.ID)) {
		return nil
	}
	return slices.DeleteFunc(r.pending(), func(j Job) bool {
		return j.State == jobSubmitted && (j.Server != embedded || j.Foreground)
	})
}

// change takes the lock, plans what decide asks for, and carries it out.
func (s *Site) change(ctx context.Context, o Options, decide func() (intent, error)) (r *Release, done bool, err error) {
	before := ""
	if o.Wait > 0 {
		before = s.liveID()
	}
	lock, err := s.lock(ctx, o.Wait)
	if err != nil {
		return nil, false, err
	}
	defer lock.Close()
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.Timeout, &TimeoutError{o.Timeout})
		defer cancel()
	}
	in, err := decide()
	if err != nil {
		return nil, false, err
	}
	if in.owed {
		return s.settle(ctx, lock.Close)
	}
	in.locked = true
	p, err := s.plan(ctx, in)
	if err != nil {
		return nil, false, &Error{Step: "plan", Effect: effectOf(in), Err: err}
	}
	if o.Plan != nil {
		now, err := p.Pin(o.Plan.Want)
		if err == nil {
			err = o.Plan.check(now)
		}
		if err != nil {
			return nil, false, &Error{Step: "plan", Err: err}
		}
	}
	if o.Wait > 0 && in.rollback == nil && in.resume == nil && p.backward() && s.liveID() != before {
		s.observer().Warn("%s is not released: what went live while this waited is newer", short(p.To))
		return s.settle(ctx, lock.Close)
	}
	s.tellLocal(p.Local)
	if text, remedy := p.StaleText(); text != "" {
		s.observer().Warn("%s: %s", text, remedy)
	}
	if p.Standing() && in.resume == nil {
		return s.settle(ctx, lock.Close)
	}
	run, err := s.begin(ctx, p, in)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, run.journal.Close()) }()
	r, err = run.carryOut(ctx)
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Effect != Interrupted {
		s.clean(context.WithoutCancel(ctx), run.cfg.Layout)
	}
	if err != nil {
		return r, false, err
	}
	return s.finish(ctx, p.work.cfg, run.journal, r, manner{unlock: lock.Close})
}

// clean removes what is kept no longer, of releases that are over.
func (s *Site) clean(ctx context.Context, layout config.Layout) {
	if layout == config.Releases {
		s.prune(ctx)
	}
	s.tidy(ctx)
}

// liveID is the id of the live release; empty when there is none.
func (s *Site) liveID() string {
	if r, err := s.Current(); err == nil {
		return r.ID
	}
	return ""
}

// effectOf is the state of the site when in could not even be planned.
func effectOf(in intent) Effect {
	if in.resume != nil {
		return Interrupted
	}
	return Unchanged
}

// carryOut runs the steps that change the site, up to the moment when the
// release is live.
func (r *run) carryOut(ctx context.Context) (*Release, error) {
	runner := &runner{journal: r.journal, observer: r.site.observer(), begun: r.release.did}
	err := runner.run(ctx, r.steps())
	failed, ok := errors.AsType[*Error](err)
	if ok {
		failed.Release = r.release.ID
		if failed.Effect != Interrupted {
			err = errors.Join(failed, r.journal.Append(ended(Failed, failed.Error())))
		}
	}
	now, readErr := r.site.read(r.release.ID)
	if ok && failed.Effect == RolledBack && readErr == nil && now.did("activate") {
		r.hooksOfBefore(context.WithoutCancel(ctx))
	}
	return now, errors.Join(err, readErr)
}

// Abort undoes the release that was interrupted: the working copy goes back to
// where it was, and every file to what it held, unless somebody changed it
// since. done is true when there is none.
func (s *Site) Abort(ctx context.Context, o Options) (r *Release, done bool, err error) {
	lock, err := s.lock(ctx, o.Wait)
	if err != nil {
		return nil, false, err
	}
	defer lock.Close()
	due, err := s.due()
	if err != nil || due == nil {
		return nil, true, err
	}
	if err := s.mayGoOn(due); err != nil {
		return due, false, err
	}
	in := intent{want: due.To.ID, resume: due, locked: true}
	p, err := s.plan(ctx, in)
	if err != nil {
		return due, false, &Error{Release: due.ID, Step: "plan", Effect: Interrupted, Err: err}
	}
	run, err := s.begin(ctx, p, in)
	if err != nil {
		return due, false, err
	}
	defer func() { err = errors.Join(err, run.journal.Close()) }()
	runner := &runner{journal: run.journal, observer: s.observer(), begun: due.did}
	effect, err := runner.undo(ctx, run.steps(), -1)
	if err != nil {
		return due, false, &Error{Release: due.ID, Step: "abort", Effect: effect, Err: err}
	}
	if effect == RolledBack && due.did("activate") {
		run.hooksOfBefore(ctx)
	}
	if err := run.journal.Append(ended(Aborted, "")); err != nil {
		return due, false, err
	}
	r, err = s.read(due.ID)
	return r, false, err
}

// begin opens the journal of a new release, or of the one to resume.
func (s *Site) begin(ctx context.Context, p *Plan, in intent) (*run, error) {
	r := &run{work: p.work, plan: p}
	var first *Begin
	if in.resume != nil {
		r.release = in.resume
		r.halfway = in.resume.did("update")
		r.dir = s.state.path(in.resume.Dir)
	} else {
		id, err := s.nextID()
		if err != nil {
			return nil, err
		}
		first = p.begin(id, strings.ToLower(rand.Text()[:6]), s.Holder, in)
		if err := s.locate(r.work, first); err != nil {
			return nil, err
		}
		r.release = fold([]Record{{Kind: kindBegin, Begin: first}})
	}
	r.replaced = r.release.replaced()
	r.traits = maps.Clone(r.release.traits)
	var err error
	r.journal, err = s.openJournal(ctx, r.release.ID)
	if err != nil {
		return nil, err
	}
	if first != nil {
		err = r.journal.Append(Record{Kind: kindBegin, Begin: first})
	} else {
		err = r.sweep()
	}
	if err != nil {
		return nil, errors.Join(err, r.journal.Close())
	}
	return r, nil
}

// sweep removes the temporary files that earlier runs of the release left.
func (r *run) sweep() error {
	var temps []string
	for _, name := range r.release.temps {
		temps = append(temps, r.site.state.path(name))
	}
	return atomicfile.Sweep(temps)
}

func (s *Site) nextID() (string, error) {
	numbers, err := s.state.sequence()
	if err != nil {
		return "", err
	}
	if len(numbers) == 0 {
		return "1", nil
	}
	return strconv.Itoa(numbers[len(numbers)-1] + 1), nil
}

// due is the interrupted release that must be dealt with before another one;
// nil when there is none.
func (s *Site) due() (*Release, error) {
	r, err := s.newest(func(*Release) bool { return true })
	if IsNotFound(err) {
		return nil, nil
	}
	if err != nil || r.Status != Unfinished {
		return nil, err
	}
	return r, nil
}

// Due is a [*DueError] while an interrupted release must be finished or undone
// before another one.
func (s *Site) Due() error {
	due, err := s.due()
	if err != nil || due == nil || s.watched(due).Status == Running {
		return err
	}
	return asError(due)
}

func asError(due *Release) error {
	if due == nil {
		return nil
	}
	return &DueError{Release: due.ID, Step: due.Step, Since: due.Since}
}

// present are the files of the release as they lie there by now, and what is to
// be written into them.
func (r *run) present() (*edits, *tree, error) {
	now := &tree{base: r.cfg.Dir}
	if r.cfg.Layout == config.Releases {
		now.base = r.dir
	}
	e, err := newEdits(r.cfg, r.plan.To, now, r.edits.last)
	return e, now, err
}

// file is the file of the release that a path of the configuration names.
func (r *run) file(name string) string {
	if r.cfg.Layout == config.Releases {
		return filepath.Join(r.dir, filepath.FromSlash(name))
	}
	return r.cfg.Abs(name)
}

// commit puts the computed files in place and tells how many there were.
func (r *run) commit(ctx context.Context) (int, error) {
	var batch atomicfile.Batch
	defer batch.Close() // or undoing may find no descriptor left
	var files []string
	for _, edit := range r.pending {
		abs, opts := r.file(edit.Path), r.files()
		files = append(files, abs)
		opts.Create = edit.Before == nil
		if r.cfg.Layout == config.Releases {
			opts.Root = r.dir // what lies elsewhere, visitors have already
		}
		f, err := atomicfile.Open(abs, opts)
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(f.Data(), edit.Before) {
			return 0, errors.Join(fmt.Errorf("%s: %w", edit.Path, atomicfile.ErrChanged), f.Close())
		}
		if err := r.wrote(abs, edit.After); err != nil {
			return 0, errors.Join(err, f.Close())
		}
		if !f.Exists() {
			if err := r.journal.Note(Record{Kind: kindAdded, Path: r.site.state.name(abs)}); err != nil {
				return 0, errors.Join(err, f.Close())
			}
		}
		batch.Add(f, edit.After)
	}
	n := batch.Len()
	if err := r.dropVariants(ctx, files); err != nil {
		return 0, err
	}
	return n, batch.Commit(ctx)
}

// files are the options by which every file of the site is written.
func (r *run) files() atomicfile.Options {
	return atomicfile.Options{
		Owner:  ownerPolicy(r.cfg),
		Record: func(temp string) error { return r.journal.Note(Record{Kind: kindTemp, Path: r.site.state.name(temp)}) },
		Warn:   func(msg string) { r.site.observer().Warn("%s", msg) },
	}
}

// write announces in the journal that path is to hold content, which makes it
// ours in the eyes of a later run.
func (r *run) wrote(abs string, content []byte) error {
	rec := Record{Kind: kindWrote, Path: r.site.state.name(abs)}
	if content != nil {
		rec.SHA256 = digest(content)
		r.mayHold(rec.Path, rec.SHA256)
	}
	return r.journal.Note(rec)
}

// put writes what an update brings, assets first and configuration last.
func (r *run) put(ctx context.Context, writes []vcs.Write) error {
	slices.SortStableFunc(writes, func(a, b vcs.Write) int {
		return int(r.edits.role(r.abs(a.Path))) - int(r.edits.role(r.abs(b.Path)))
	})
	var batch atomicfile.Batch
	defer batch.Close()
	for _, w := range writes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.add(&batch, w); err != nil {
			return err
		}
	}
	return batch.Commit(ctx)
}

func (r *run) add(batch *atomicfile.Batch, w vcs.Write) error {
	abs, opts := r.abs(w.Path), r.files()
	opts.Root, opts.NoFollow, opts.Create, opts.MkdirAll = r.wc.Dir(), true, true, true
	opts.MaxSize = -1 // the repository has it: it may be as large as it is
	if w.Delete {
		batch.Remove(abs, opts)
		if err := r.unseen(abs); err != nil {
			return err
		}
		return r.wrote(abs, nil)
	}
	content, err := w.Content()
	if err != nil {
		return err
	}
	if w.Mode&fs.ModeSymlink != 0 {
		batch.Symlink(abs, string(content), opts)
		if err := r.unseen(abs); err != nil {
			return err
		}
		return r.wrote(abs, content)
	}
	opts.Perm = w.Mode.Perm()
	f, err := atomicfile.Open(abs, opts)
	if err != nil {
		return err
	}
	if err := errors.Join(r.mayReplace(abs, f), r.wrote(abs, content)); err != nil {
		return errors.Join(err, f.Close())
	}
	if f.Exists() {
		f.Chmod(executable(f.Mode(), w.Mode&0o100 != 0))
	}
	batch.Add(f, content)
	return nil
}

// executable is mode with its execute bits as a version control system, which
// knows of one bit, wants them: set where reading is allowed, or cleared.
func executable(mode fs.FileMode, on bool) fs.FileMode {
	mode = mode.Perm()
	switch {
	case !on:
		return mode &^ 0o111
	case mode&0o111 != 0:
		return mode
	}
	return mode | mode>>2&0o111
}

func (r *run) abs(name string) string {
	return filepath.Join(r.wc.Dir(), filepath.FromSlash(name))
}
