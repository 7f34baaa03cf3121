package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/config"
	"revstamp/stamp/atomicfile"
	"revstamp/vcs"
)

// lockStep tells who has the lock. It was taken, and signed, before the plan was
// made, so that the plan stays true.
type lockStep struct{ *run }

func (lockStep) Name() string { return "lock" }

func (s lockStep) Run(context.Context) (string, error) {
	return s.site.Holder.who(), nil
}

// backupStep keeps every file that stamping or rewriting will change, as it
// was before the release. A resumed release keeps the first run's backups.
type backupStep struct{ *run }

func (backupStep) Name() string { return "backup" }

func (s backupStep) Run(ctx context.Context) (string, error) {
	if s.release.did("update", "activate") {
		return "", Skip("done before")
	}
	backups := s.site.Backups()
	var due []string
	for _, abs := range s.endangered() {
		kept, err := s.backedUp(abs)
		if err != nil {
			return "", err
		}
		if !kept {
			due = append(due, abs)
		}
	}
	for rest := due; len(rest) > 0; {
		n, err := s.backup(ctx, backups, rest)
		if err != nil {
			return "", err
		}
		rest = rest[n:]
	}
	if err := s.noteMissing(); err != nil {
		return "", err
	}
	if len(due) == 0 {
		return "", Skip("nothing to back up")
	}
	return plural(len(due), "file"), nil
}

// noteMissing notes the files that somebody removed and the release brings back:
// undone, it removes them again.
func (s backupStep) noteMissing() error {
	for _, l := range s.release.Local {
		_, err := os.Lstat(s.site.state.path(l.File))
		if l.Fate == Kept || !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := s.journal.Note(Record{Kind: kindAdded, Path: l.File}); err != nil {
			return err
		}
	}
	return nil
}

// backedUp reports whether an earlier run of the release kept the file at abs.
// Somebody else's change is to be kept as it is now.
func (s backupStep) backedUp(abs string) (bool, error) {
	name := s.site.state.name(abs)
	if s.release.backups[name] == "" || s.replaced[name] == nil {
		return s.release.backups[name] != "", nil
	}
	now, err := os.ReadFile(abs)
	return s.release.saved[name] == digest(now), err
}

// endangered are the files that hold edits of ours and will be changed, by
// new edits or by the update, and those that will hold the first ones; and those
// in which a change of somebody else is written over.
func (s backupStep) endangered() []string {
	var all []string
	for _, edit := range s.plan.Edits {
		if edit.Before != nil {
			all = append(all, s.file(edit.Path))
		}
	}
	for _, c := range s.target.Changes {
		if abs := s.abs(c.Path); c.Op == vcs.Deleted && s.edits.role(abs) != RoleOther {
			all = append(all, abs)
		}
	}
	for _, l := range s.release.Local {
		abs := s.site.state.path(l.File)
		if info, err := os.Lstat(abs); l.Fate != Kept && err == nil && info.Mode().IsRegular() && !slices.Contains(all, abs) {
			all = append(all, abs)
		}
	}
	return all
}

// So many files, and bytes of them, are backed up together at most: each is open, and
// in memory, until all are on the disk.
const (
	backupFiles = 256
	backupBytes = 16 << 20
)

// backup keeps the first of the files, and returns how many.
func (s backupStep) backup(ctx context.Context, backups *atomicfile.Backups, names []string) (n int, err error) {
	opts := s.files()
	opts.MaxSize = -1 // it lies there already
	var files []*atomicfile.File
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
	}()
	for size := 0; len(files) < min(len(names), backupFiles) && size < backupBytes; {
		f, err := atomicfile.Open(names[len(files)], opts)
		if err != nil {
			return 0, err
		}
		files, size = append(files, f), size+len(f.Data())
	}
	saved, err := backups.SaveAll(ctx, files)
	if err != nil {
		return 0, err
	}
	state := s.site.state
	for i, f := range files {
		r := Record{Kind: kindBackup, Path: state.name(names[i]), Backup: state.name(saved[i].Path), SHA256: digest(f.Data()), Mode: uint32(f.Mode().Perm())}
		s.mayHold(r.Path, r.SHA256)
		write := s.journal.Note
		if i == len(files)-1 {
			write = s.journal.Append // and sync them all
		}
		if err := write(r); err != nil {
			return 0, err
		}
	}
	return len(files), nil
}

// updateStep brings the working copy to the target. What revstamp edits
// arrives edited: no reader sees an unstamped file.
type updateStep struct{ *run }

func (updateStep) Name() string { return "update" }

func (s updateStep) Run(ctx context.Context) (string, error) {
	resumed := s.release.did("update")
	if len(s.target.Changes) == 0 && s.target.From == s.target.Revision.ID && !resumed {
		return "", Skip("already at " + s.plan.To.Short)
	}
	own, err := s.own()
	if err != nil {
		return "", err
	}
	if err := s.dropVariants(ctx, s.touched(s.target)); err != nil {
		return "", err
	}
	// Pages arrive with references to copies of what arrives, too.
	if _, err := s.edits.copyAssets(ctx); err != nil {
		return "", err
	}
	u := vcs.Update{
		Own:    own,
		Local:  decisions(s.release.Local),
		Resume: resumed,
		Fresh:  true, // under this very lock
		Write:  s.put,
		Edit:   s.edit,
	}
	err = s.updated(func() error { return s.wc.Update(ctx, s.target, u) }, s.target)
	if err != nil {
		_, s.halfway = errors.AsType[*vcs.InterruptedError](err)
		return "", err
	}
	s.verified = true
	return fmt.Sprintf("%s → %s, %s", short(s.plan.From), short(s.plan.To), plural(len(s.target.Changes), "file")), nil
}

// edit is a file of the target as visitors are to have it. What svn writes itself is
// announced here.
func (s updateStep) edit(path string, content []byte) ([]byte, error) {
	abs := s.abs(path)
	edit, err := s.edits.apply(abs, content)
	if err == nil && s.plan.To.System == "svn" && !bytes.Equal(edit.After, content) {
		err = s.wrote(abs, edit.After)
	}
	return edit.After, err
}

// Undo goes back to where the working copy was, with our own edits as they
// were: from the backups, to the byte.
func (s updateStep) Undo(ctx context.Context) error {
	from := s.release.From.ID
	own, err := s.ownAndSaved()
	if err != nil {
		return err
	}
	back, err := s.wc.Resolve(ctx, from, own)
	if err = acceptLocal(s.release.Local, back, err); err != nil {
		return err
	}
	if back.From == from && !s.halfway {
		if len(s.replaced) > 0 {
			return s.restore(ctx)
		}
		return Skip("never left " + s.release.From.Short)
	}
	if err := s.dropVariants(ctx, s.touched(back)); err != nil {
		return err
	}
	release, err := s.site.read(s.release.ID)
	if err != nil {
		return err
	}
	if err := s.giveBack(); err != nil {
		return err
	}
	u := vcs.Update{
		Own:    own,
		Local:  decisions(s.release.Local),
		Resume: s.halfway,
		Fresh:  true,
		Write:  s.put,
		Edit: func(path string, content []byte) ([]byte, error) {
			backup, ok := release.backups[s.site.state.name(s.abs(path))]
			if !ok {
				return content, nil
			}
			return os.ReadFile(s.site.state.path(backup))
		},
	}
	if err := s.updated(func() error { return s.wc.Update(ctx, back, u) }, back); err != nil {
		return err
	}
	// Subversion's client brings back files that had been deleted, unedited.
	if err = s.restore(ctx); err == Skip(unchanged) {
		err = nil
	}
	if err == nil {
		s.compressAgain(ctx)
	}
	return err
}

// touched are the files that an update to t changes.
func (r *run) touched(t *vcs.Target) []string {
	var files []string
	for _, c := range t.Changes {
		files = append(files, r.abs(c.Path))
	}
	return files
}

// revisionStep makes sure that the working copy is what the plan says before
// anything is stamped. An update has just looked at every file for the same.
type revisionStep struct{ *run }

func (revisionStep) Name() string { return "revision" }

func (s revisionStep) Run(ctx context.Context) (string, error) {
	if s.verified {
		return short(s.target.Revision), nil
	}
	own, err := s.own()
	if err != nil {
		return "", err
	}
	rev, err := s.wc.Revision(ctx, own)
	switch {
	case err != nil:
		return "", err
	case rev.ID != s.target.Revision.ID:
		return "", fmt.Errorf("the working copy is at %s, not at %s", short(rev), short(s.target.Revision))
	case len(s.undecided(rev.Modified)) > 0:
		return "", &vcs.LocalChangesError{Files: s.undecided(rev.Modified)}
	case severally(rev):
		return "", fmt.Errorf("the working copy is of mixed revisions: %s", rev.Mixed)
	}
	return short(rev), nil
}

// stampStep computes what the configuration files are to hold.
type stampStep struct{ *run }

func (stampStep) Name() string { return "stamp" }

func (s stampStep) Run(context.Context) (string, error) {
	edits, now, err := s.present()
	if err != nil {
		return "", err
	}
	all, err := edits.configuration(now)
	if err != nil {
		return "", err
	}
	s.pending = append(s.pending, changed(all)...)
	for _, edit := range s.plan.Edits {
		if edit.Role == RoleConfiguration && len(edit.Stamped) > 0 {
			c := edit.Stamped[0]
			return fmt.Sprintf("%s: %s is %s", edit.Path, c.Key, c.New) + more(s.plan.Edits), nil
		}
	}
	return "", Skip("every key has its value")
}

// assetsStep computes what the files with references are to hold.
type assetsStep struct{ *run }

func (assetsStep) Name() string { return "assets" }

func (s assetsStep) Run(ctx context.Context) (string, error) {
	if s.edits.assets == nil {
		return "", Skip("none configured")
	}
	edits, now, err := s.present()
	if err != nil {
		return "", err
	}
	names, _, err := edits.documents(now, s.skip)
	if err != nil {
		return "", err
	}
	all, err := edits.references(ctx, now, names)
	if err != nil {
		return "", err
	}
	for _, m := range s.plan.Mismatched {
		s.site.observer().Warn("%s:%d:%d: browsers will refuse %s: its integrity is not what the page says", m.File, m.Line, m.Column, m.URL)
	}
	if name := s.plan.Unseen; name != "" {
		s.site.observer().Warn("modules get no version, for %s imports some by URLs that are not rewritten", name)
	}
	s.pending = append(changed(all), s.pending...)
	copies, err := edits.copyAssets(ctx)
	if err != nil {
		return "", err
	}
	if s.cfg.Layout == config.Releases { // where nobody sees it yet; in place it is for later
		s.cleanAssets(ctx)
	}
	refs, files := 0, 0
	for _, edit := range s.plan.Edits {
		if len(edit.Refs) > 0 {
			refs, files = refs+len(edit.Refs), files+1
		}
	}
	detail := fmt.Sprintf("%s in %s", plural(refs, "reference"), plural(files, "file"))
	switch {
	case copies > 0:
		detail += ", " + plural(copies, "copy")
	case files == 0:
		return "", Skip("every reference has its version")
	}
	return detail, nil
}

// copyAssets puts assets under the names that references are about to have, and
// tells how many there were not yet. Nobody asks for them before activation.
func (e *edits) copyAssets(ctx context.Context) (int, error) {
	if e.assets == nil {
		return 0, nil
	}
	copies, err := e.assets.Copies(ctx)
	if err != nil || copies == nil {
		return 0, err
	}
	copies = slices.DeleteFunc(copies, func(c assets.Copy) bool { return c.Path == e.manifestAsset() })
	written, err := e.ledger.Write(ctx, copies)
	return len(written), err
}

// cleanAssets removes copies that only the pages of old releases refer to.
func (r *run) cleanAssets(ctx context.Context) {
	e, _, err := r.present()
	if err == nil && e.ledger != nil {
		_, err = e.ledger.Clean(ctx, assets.Retention{Releases: r.cfg.Assets.Keep})
	}
	if err != nil {
		r.site.observer().Warn("copies of old assets are not removed: %v", err)
	}
}

// changed leaves out the edits that change nothing.
func changed(all []Edit) []Edit {
	var out []Edit
	for _, edit := range all {
		if !bytes.Equal(edit.Before, edit.After) {
			out = append(out, edit)
		}
	}
	return out
}

// activateStep puts the computed files in place, references first and
// configuration last. Then visitors have the release.
type activateStep struct{ *run }

func (activateStep) Name() string { return "activate" }

func (s activateStep) Run(ctx context.Context) (string, error) {
	n, err := s.commit(ctx)
	if err != nil {
		return "", err
	}
	variants, err := s.compress(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case n == 0 && variants == "":
		return "", Skip("every file is in place")
	case n == 0:
		return variants, nil
	case variants != "":
		return fmt.Sprintf("%s, %s", plural(n, "file"), variants), nil
	}
	return plural(n, "file"), nil
}

// live records that the release is complete, with the jobs that it owes.
func (s *run) live() error {
	for _, job := range s.plan.Jobs {
		job.Unique = fmt.Sprintf("%s/%d", s.release.key(), job.N)
		if err := s.journal.Append(Record{Kind: kindJob, Job: &job}); err != nil {
			return err
		}
	}
	if err := s.journal.Append(Record{Kind: kindLive}); err != nil {
		return err
	}
	s.giveUp()
	if s.edits == nil {
		return nil // nothing was computed, so nothing was seen
	}
	live := ""
	if s.dir != "" {
		live = s.site.state.name(s.dir)
	}
	if _, print, err := s.edits.documents(&tree{base: s.edits.base}, s.skip); err == nil {
		_ = s.site.state.writeSeen(s.fingerprint(s.plan.To, print, live))
	}
	return nil
}

// Undo puts back what had been in place. Where the update is undone too, that
// does it: until then what the update brought is in the way.
func (s activateStep) Undo(ctx context.Context) error {
	if s.release.From.ID != s.release.To.ID {
		return Skip("left to the update")
	}
	if err := s.restore(ctx); err != nil {
		return err
	}
	s.compressAgain(ctx)
	return nil
}

// did reports whether one of the named steps was begun before this run.
func (r *Release) did(names ...string) bool {
	for _, step := range r.Steps {
		for _, name := range names {
			if step.Name == name {
				return true
			}
		}
	}
	return false
}

func ownerPolicy(cfg *config.Config) atomicfile.OwnerPolicy {
	if cfg.Owner == config.OwnerBestEffort {
		return atomicfile.OwnerBestEffort
	}
	return atomicfile.KeepOwner
}

func short(r vcs.Revision) string {
	if r.System == "svn" {
		return "r" + r.Short
	}
	return r.Short
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok && !strings.HasSuffix(stem, "e") {
		noun = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// more says how many values are stamped besides the first.
func more(edits []Edit) string {
	n := -1
	for _, edit := range edits {
		n += len(edit.Stamped)
	}
	if n < 1 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}
