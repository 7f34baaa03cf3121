package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/vcs"
)

// mirror is the site's own working copy, of which releases are made and which
// no visitor sees. It is named after where it is from: another repository or
// branch is cloned anew.
func (s *Site) mirror() string {
	src := s.Config.Source
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", src.System, src.URL, src.Update))
	return filepath.Join(s.state.dir, "mirror-"+hex.EncodeToString(sum[:4]))
}

// openMirror opens the mirror, and clones it first where there is none. That
// takes the site's lock, unless the caller has it already.
func (s *Site) openMirror(ctx context.Context, locked bool) (vcs.WorkingCopy, error) {
	dir := s.mirror()
	if _, err := os.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return vcs.Open(ctx, dir, s.vcsOptions())
	}
	if !locked {
		lock, err := s.lock(ctx, 0)
		if err != nil {
			return nil, err
		}
		defer lock.Close()
	}
	// A clone that was killed leaves a part under the other name.
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return nil, err
	}
	src := s.Config.Source
	err := vcs.Clone(ctx, src.URL, part, vcs.CloneOptions{
		Options: s.vcsOptions(), System: string(src.System), Revision: src.Update, Linked: true,
	})
	if err != nil {
		return nil, err
	}
	if err := os.Rename(part, dir); err != nil {
		return nil, err
	}
	return vcs.Open(ctx, dir, s.vcsOptions())
}

// ForcedError says that a branch was forced to commits that do not come after
// those that releases were made of. A mirror has no commits of its own.
type ForcedError struct{ *vcs.DivergedError }

func (e *ForcedError) Error() string {
	return fmt.Sprintf("%s was forced: %.12s does not come after %.12s, of which the last release was made", e.Branch, e.To, e.From)
}

// Hint tells what to do about it.
func (e *ForcedError) Hint() string {
	return fmt.Sprintf("if that is meant, name it: revstamp release %.12s", e.To)
}

func (e *ForcedError) Unwrap() error { return e.DivergedError }

// UnmirroredError says that an update asks of a mirror what nobody will do in it by
// hand. It wraps a *vcs.UnsupportedError.
type UnmirroredError struct {
	Err    error
	remedy string
}

func (e *UnmirroredError) Error() string { return e.Err.Error() }

func (e *UnmirroredError) Unwrap() error { return e.Err }

// Hint tells what to do about it.
func (e *UnmirroredError) Hint() string { return e.remedy }

// unmirrored is err, of the working copy of s, with the remedy that there is when
// that is a mirror.
func (s *Site) unmirrored(err error) error {
	switch {
	case s.Config.Layout != config.Releases:
	case errors.Is(err, vcs.ErrSubmodule):
		return &UnmirroredError{err, "commit its files themselves, as git subtree does; or choose layout: in-place, and update that working copy by hand"}
	case errors.Is(err, vcs.ErrExternals): // which a new clone has
		return &UnmirroredError{err, "remove " + s.mirror() + ", which is cloned anew"}
	}
	return err
}

// mirrorStep brings the mirror to the target. It stays there when the release
// fails: it is only what releases are made of.
type mirrorStep struct{ *run }

func (mirrorStep) Name() string { return "update" }

func (s mirrorStep) Run(ctx context.Context) (string, error) {
	u := vcs.Update{Write: s.put, Fresh: true}
	err := s.wc.Update(ctx, s.target, u)
	if locked, ok := errors.AsType[*vcs.LockedError](err); ok && locked.Interrupted {
		u.Resume = true
		err = s.wc.Update(ctx, s.target, u)
	}
	if err != nil {
		return "", err
	}
	s.verified = true
	if s.plan.From.ID == "" {
		return "first release, of " + short(s.plan.To), nil
	}
	text := short(s.plan.From) + " → " + short(s.plan.To)
	if n := len(s.plan.Files); n > 0 {
		text += ", " + plural(n, "file")
	}
	return text, nil
}

// compareLive makes the plan tell what changes for visitors: the live release is
// what they have, wherever the mirror is.
func (s *Site) compareLive(ctx context.Context, p *Plan, view *tree) error {
	if err := s.checkCurrent(); err != nil {
		return err
	}
	if err := sharedThere(s.Config, view); err != nil {
		return err
	}
	mirror := p.From.ID
	p.From = vcs.Revision{}
	live := ""
	if p.Since != nil {
		p.From = p.Since.To
		live = s.state.path(p.Since.Dir)
		p.astray = !s.leadsTo(live) || !sharedLinked(s.Config, live)
	}
	view.live = func(name string) ([]byte, error) {
		if live == "" {
			return nil, nil
		}
		return readOptional(filepath.Join(live, filepath.FromSlash(name)))
	}
	if p.From.ID == mirror {
		return nil
	}
	// After a rollback, say. Of commits the mirror knows only those to come.
	p.Commits, p.Files = nil, nil
	if p.From.ID == "" || p.From.ID == p.To.ID {
		return nil
	}
	var err error
	p.Files, err = p.work.wc.Changes(ctx, p.From.ID, p.To.ID)
	if _, ok := errors.AsType[*vcs.UnknownRevisionError](err); ok {
		s.observer().Warn("what is live, %s, is not in %s: which files change is not known", short(p.From), s.Config.Source.URL)
		return nil // the release is made of the target alone
	}
	return err
}

// locate says in the first record of a release where it will be, and what
// visitors have until then.
func (s *Site) locate(w *work, b *Begin) error {
	if s.Config.Layout != config.Releases {
		return nil
	}
	if w.dir == "" {
		w.dir = filepath.Join(s.Config.ReleasesDir(), b.ID+"-"+b.To.Short)
	}
	b.Dir = s.state.name(w.dir)
	var err error
	b.Before, err = os.Readlink(s.Config.Current())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}
