package release

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/stamp/atomicfile"
	"revstamp/vcs"
)

// LocalFile is a tracked file of a site in place that somebody else changed, and
// what a release does with it.
type LocalFile struct {
	Path string `json:"path"` // below the top of the working copy, with slashes
	Fate Fate   `json:"fate"`
	File string `json:"file"` // as the journal names it

	Deleted bool `json:"deleted,omitempty"` // the revision that is released has no such file
}

// Fate is what becomes of a local change.
type Fate string

// The fates. Those of the last two are backed up before anything is written, and
// put back when the release is undone; once it is live, nothing puts back any.
const (
	Kept        Fate = "kept"        // it stays
	Saved       Fate = "saved"       // it is written over, and is among the backups
	Overwritten Fate = "overwritten" // it is written over, and its backup is removed once the release is live
)

// fates are what the choices of the configuration mean for each file.
var fates = map[config.Local]Fate{
	config.KeepLocal: Kept, config.SaveLocal: Saved, config.OverwriteLocal: Overwritten,
}

// UndecidedError refuses a release because of local changes about which nothing
// is said. It wraps a *vcs.LocalChangesError.
type UndecidedError struct{ Err error }

func (e *UndecidedError) Error() string { return e.Err.Error() }

func (e *UndecidedError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *UndecidedError) Hint() string {
	return "revert them, or say what becomes of them: --local=keep, --local=save or --local=overwrite"
}

// decide says what becomes of the local changes that refused makes known, of
// which t is the target all the same: what the configuration says, or, of a
// release that was interrupted, what was decided when it began. diff shows them.
// Files to be written over are then among those that t changes.
func (s *Site) decide(in intent, wc vcs.WorkingCopy, t *vcs.Target, refused error) (local []LocalFile, diff string, err error) {
	found, ok := errors.AsType[*vcs.LocalChangesError](refused)
	if refused != nil && !ok {
		return nil, "", refused
	}
	if ok {
		diff = found.Diff
	}
	fate := fates[s.Config.Source.Local]
	switch {
	case in.resume != nil:
		local = in.resume.Local
	case ok && fate == "" && s.Config.Layout == config.InPlace:
		return nil, "", &UndecidedError{refused}
	case ok:
		for _, path := range found.Files {
			abs := filepath.Join(wc.Dir(), filepath.FromSlash(path))
			local = append(local, LocalFile{Path: path, Fate: fate, File: s.state.name(abs)})
		}
	}
	if err := acceptLocal(local, t, refused); err != nil {
		return nil, "", err
	}
	for i, l := range local {
		at := slices.IndexFunc(t.Changes, func(c vcs.Change) bool { return c.Path == l.Path })
		switch {
		case in.resume == nil && at >= 0:
			local[i].Deleted = t.Changes[at].Op == vcs.Deleted
		case l.Fate != Kept && !l.Deleted && at < 0:
			t.Changes = append(t.Changes, vcs.Change{Path: l.Path, Op: vcs.Changed})
		}
	}
	slices.SortFunc(t.Changes, func(a, b vcs.Change) int { return strings.Compare(a.Path, b.Path) })
	return local, diff, nil
}

// acceptLocal returns what of refused is not answered by what was decided.
func acceptLocal(local []LocalFile, t *vcs.Target, refused error) error {
	if found, ok := errors.AsType[*vcs.LocalChangesError](refused); ok && t != nil {
		return found.Decide(t, decisions(local))
	}
	return refused
}

// decisions tell the version control system what was decided.
func decisions(local []LocalFile) map[string]vcs.Local {
	all := make(map[string]vcs.Local, len(local))
	for _, l := range local {
		switch l.Fate {
		case Kept:
			all[l.Path] = vcs.Keep
		case Saved, Overwritten:
			all[l.Path] = vcs.Overwrite
		}
	}
	return all
}

// withFate are the paths of the files that have one.
func withFate(local []LocalFile, f Fate) []string {
	var paths []string
	for _, l := range local {
		if l.Fate == f {
			paths = append(paths, l.Path)
		}
	}
	return paths
}

// undecided leaves out the modified files of which something was decided: when
// the update is over, those are the kept ones.
func (r *run) undecided(modified []string) []string {
	kept := withFate(r.release.Local, Kept)
	return slices.DeleteFunc(slices.Clone(modified), func(path string) bool { return slices.Contains(kept, path) })
}

// tellLocal tells those who watch what becomes of local changes.
func (s *Site) tellLocal(local []LocalFile) {
	tell := func(f Fate, format string) {
		if paths := withFate(local, f); paths != nil {
			s.observer().Warn(format, listed(paths))
		}
	}
	tell(Kept, "local changes stay in %s")
	tell(Saved, "local changes in %s are written over; 'revstamp backups' has them")
	tell(Overwritten, "local changes in %s are written over")
}

// replaced are the files in which a change of somebody else is written over, with
// what the journal knows them to have held.
func (r *Release) replaced() map[string]map[string]bool {
	all := make(map[string]map[string]bool)
	for _, l := range r.Local {
		if l.Fate != Kept {
			all[l.File] = map[string]bool{r.saved[l.File]: true, r.wrote[l.File]: true}
		}
	}
	return all
}

// mayHold notes that the file of that name may hold content of that digest.
func (r *run) mayHold(name, digest string) {
	if known := r.replaced[name]; known != nil {
		known[digest] = true
	}
}

// mayReplace refuses to write over a change that somebody made after the backup
// was.
func (r *run) mayReplace(abs string, f *atomicfile.File) error {
	known := r.replaced[r.site.state.name(abs)]
	if known != nil && f.Exists() && !known[digest(f.Data())] {
		return fmt.Errorf("%q: %w", abs, atomicfile.ErrChanged)
	}
	return nil
}

// unseen is mayReplace for a file that a batch has looked at already: should it
// change from now on, the batch finds that out.
func (r *run) unseen(abs string) error {
	known := r.replaced[r.site.state.name(abs)]
	if known == nil {
		return nil
	}
	data, err := readOptional(abs)
	if err == nil && data != nil && !known[digest(data)] {
		err = fmt.Errorf("%q: %w", abs, atomicfile.ErrChanged)
	}
	return err
}

// own is the site's own, and for what the target's configuration edits, too: from the
// update on that is ours.
func (r *run) own() (vcs.Own, error) {
	own, err := r.site.own(r.wc)
	if err != nil || own == nil {
		return own, err
	}
	return func(path string, base, got []byte) bool {
		return own(path, base, got) || r.edits.same(r.abs(path), base, got)
	}, nil
}

// ownAndSaved is own, for whom it is ours as well what the backups of the release hold
// and is about to be put back: a change that was written over, and what was edited by
// the configuration of before.
func (r *run) ownAndSaved() (vcs.Own, error) {
	own, err := r.own()
	if err != nil {
		return nil, err
	}
	release, err := r.site.read(r.release.ID)
	if err != nil {
		return nil, err
	}
	return func(path string, base, got []byte) bool {
		saved := release.saved[r.site.state.name(r.abs(path))]
		return own(path, base, got) || saved != "" && digest(got) == saved
	}, nil
}

// giveBack announces in the journal that changes are about to be put back, after
// which what is there is not ours, whatever else the journal says.
func (r *run) giveBack() error {
	for _, l := range r.release.Local {
		if l.Fate == Kept {
			continue
		}
		if err := r.journal.Note(Record{Kind: kindTheirs, Path: l.File}); err != nil {
			return err
		}
	}
	return nil
}

// giveUp removes the backups that were for undoing the release alone.
func (r *run) giveUp() {
	release, err := r.site.read(r.release.ID)
	if err != nil {
		return // they stay a while longer
	}
	for _, l := range r.release.Local {
		backup := release.backups[l.File]
		if l.Fate != Overwritten || backup == "" || r.edits.role(r.site.state.path(l.File)) != RoleOther {
			continue
		}
		if err := os.Remove(r.site.state.path(backup)); err != nil {
			r.site.observer().Warn("the backup of a local change is not removed: %v", err)
		}
	}
}

// localChange is what there is to a local change: kind, mode and content.
func (s *Site) localChange(l LocalFile) ([]byte, error) {
	file := s.state.path(l.File)
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR): // its directory is a file now
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return []byte(info.Mode().String()), nil
	}
	data, err := os.ReadFile(file)
	return fmt.Appendf(nil, "%v\n%s", info.Mode(), data), err
}
