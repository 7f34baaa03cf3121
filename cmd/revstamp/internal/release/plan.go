package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/config"
	"revstamp/vcs"
)

// Plan is what a release would do, computed without changing anything. (For
// git, objects of the target may have been fetched; no ref moved.)
type Plan struct {
	Site    string       `json:"site"`
	Since   *Release     `json:"-"` // the release that is live; nil before the first
	From    vcs.Revision `json:"from"`
	To      vcs.Revision `json:"to"`
	Commits []vcs.Commit `json:"commits,omitempty"`
	Files   []vcs.Change `json:"files,omitempty"`
	Edits   []Edit       `json:"edits,omitempty"` // those that change a file

	// Local is what becomes of tracked files that somebody else changed, and
	// LocalDiff how they differ from what the repository has.
	Local     []LocalFile `json:"local,omitempty"`
	LocalDiff string      `json:"local_diff,omitempty"`

	// Stale are tracked files that hold what a release wrote, and that the
	// configuration edits no more.
	Stale []string `json:"stale,omitempty"`

	Missing []assets.Reference `json:"missing,omitempty"`

	// Mismatched are elements that browsers will refuse, for what they load has
	// another integrity than they say.
	Mismatched []assets.Reference `json:"mismatched,omitempty"`

	// Unseen is the document because of which no module has a version.
	Unseen string `json:"unseen,omitempty"`

	// Variants are the codings of precompressed variants, where those that are there
	// are in others.
	Variants []string `json:"variants,omitempty"`

	// Jobs are those that would be queued. Where nothing else is to be done these are
	// what the live release still owes.
	Jobs []Job `json:"jobs,omitempty"`

	mixed  []string // with closely: files that hold what another configuration wrote, too
	work   *work
	astray bool // in the releases layout: the live release is not what visitors have
}

// Empty reports whether there is nothing to do: the site is as it should be, and no
// job is owed.
func (p *Plan) Empty() bool { return p.Standing() && len(p.Jobs) == 0 }

// Standing reports whether the site is as it should be: the working copy is at the
// target, every file holds what it should and has the variants it should, and the
// live release is of this very revision and configuration.
func (p *Plan) Standing() bool {
	return !p.astray && p.Since != nil && p.Since.To.ID == p.To.ID && p.From.ID == p.To.ID && !severally(p.From) &&
		len(p.Files) == 0 && len(p.Edits) == 0 && len(p.Variants) == 0
}

// severally reports whether the files of a Subversion working copy are at
// several revisions.
func severally(r vcs.Revision) bool { return strings.Contains(r.Mixed, ":") }

// work is a plan with what is needed to carry it out.
type work struct {
	site   *Site
	cfg    *config.Config // the site's configuration as the target has it
	wc     vcs.WorkingCopy
	target *vcs.Target
	edits  *edits
	print  string // fingerprint of the references, see documents

	view      *tree    // the site as it will be
	documents []string // of it, those whose references are rewritten

	// Of the releases layout: the release's directory, "" while only planned, and
	// whether it stands there already, to be switched to.
	dir   string
	built bool
}

// Plan computes what releasing want would do; want is as in [Options].
func (s *Site) Plan(ctx context.Context, want string) (*Plan, error) {
	return s.plan(ctx, intent{want: want})
}

// intent is what a release is asked to bring about.
type intent struct {
	want     string
	rollback *Release // go back to this release; want is its revision's id
	resume   *Release // finish this release; want is its revision's id
	closely  bool     // look at references that have not changed, too, and at all that our own edits hold
	owed     bool     // nothing but the jobs that the live release owes
	locked   bool     // the site's lock is held
}

// backward reports whether p goes back to what the site has had already.
func (p *Plan) backward() bool {
	return p.Since != nil && p.From.ID != "" && p.From.ID != p.To.ID && len(p.Commits) == 0
}

func (s *Site) plan(ctx context.Context, in intent) (*Plan, error) {
	if back, err := s.standing(in); err != nil || back != nil {
		if err != nil {
			return nil, err
		}
		return s.planBack(back)
	}
	w, err := s.resolve(ctx, in)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Site: s.Config.Site, From: w.target.Now, To: w.to, Commits: w.target.Commits, Files: w.target.Changes,
		Local: w.local, LocalDiff: w.localDiff, work: &w.work,
	}
	if p.Since, err = s.Current(); err != nil && !IsNotFound(err) {
		return nil, err
	}
	base := w.cfg.Dir
	if w.cfg.Layout == config.Releases {
		base = w.wc.Dir()
	}
	arriving := &arrivals{work: &w.work}
	defer arriving.close()
	view := newTree(base, w.wc, w.target, func(name string) ([]byte, error) { return arriving.read(ctx, name) })
	w.view = view
	if w.cfg.Layout == config.Releases {
		if err := s.compareLive(ctx, p, view); err != nil {
			return nil, err
		}
	}
	if w.edits, err = newEdits(w.cfg, w.to, view, w.lastChanged(ctx)); err != nil {
		return nil, err
	}
	if in.resume == nil { // which finds files halfway
		p.Stale, p.mixed = w.own.stale(&w.work)
	}
	if err := w.work.preview(ctx, p, view, in.closely); err != nil {
		return nil, w.arriving(err)
	}
	if p.Variants, err = w.owedVariants(p.Since); err != nil {
		return nil, err
	}
	switch {
	case !p.Standing():
		p.Jobs, err = jobsOf(w.cfg, w.to)
	case in.resume == nil:
		p.Jobs = s.owed(p.Since)
	}
	return p, err
}

// resolved is what the version control system says of an intent.
type resolved struct {
	work
	to vcs.Revision // as it is called: by the release gone back to, say

	local     []LocalFile
	localDiff string
	own       *ownFiles
}

// resolve finds the target and reads the configuration as the target has it:
// a commit that needs a new key stamped brings the line that says so.
func (s *Site) resolve(ctx context.Context, in intent) (*resolved, error) {
	wc, err := s.workingCopy(ctx, in.locked)
	if err != nil {
		return nil, s.unmirrored(err)
	}
	own, err := s.own(wc)
	if err != nil {
		return nil, err
	}
	want := in.want
	if want == "" {
		want = s.Config.Source.Update
	}
	found := &ownFiles{paths: make(map[string]bool)}
	if in.closely && own != nil {
		if found.now, err = s.present(); err != nil {
			return nil, err
		}
		found.beyond = make(map[string]bool)
	}
	target, err := wc.Resolve(ctx, want, found.noting(wc.Dir(), own))
	if diverged, ok := errors.AsType[*vcs.DivergedError](err); ok && s.Config.Layout == config.Releases {
		return nil, &ForcedError{diverged}
	}
	local, diff, err := s.decide(in, wc, target, s.unmirrored(err))
	if err != nil {
		return nil, err
	}
	r := &resolved{work: work{site: s, wc: wc, target: target}, to: target.Revision, local: local, localDiff: diff, own: found}
	switch {
	case in.rollback != nil:
		r.to = in.rollback.To
	case in.resume != nil:
		r.to = in.resume.To
	}
	r.to.Modified = withFate(local, Kept)
	if r.cfg, err = s.configAt(ctx, wc, target); err != nil {
		return nil, r.arriving(err)
	}
	return r, nil
}

// arriving says of an error in the site's files as they will be which revision has
// them so: those that are there now may be others.
func (w *work) arriving(err error) error {
	if w.target.Now.ID == w.target.Revision.ID {
		return err
	}
	return fmt.Errorf("at %s: %w", short(w.target.Revision), err)
}

// configAt is the site's configuration at target.
func (s *Site) configAt(ctx context.Context, wc vcs.WorkingCopy, target *vcs.Target) (*config.Config, error) {
	base, baseChanged, err := fileAt(ctx, wc, target, s.Config.File)
	if err != nil {
		return nil, err
	}
	over, overChanged, err := fileAt(ctx, wc, target, s.Config.Overlay)
	if err != nil || !baseChanged && !overChanged {
		return s.Config, err
	}
	cfg, err := config.ParseEnv(s.Config.File, base, s.Config.Overlay, over)
	if err == nil && s.Validate != nil {
		err = s.Validate(cfg)
	}
	return cfg, err
}

// fileAt is the content of a file, named by path, at target, and whether the
// target changes it. An empty path is an empty file.
func fileAt(ctx context.Context, wc vcs.WorkingCopy, target *vcs.Target, file string) ([]byte, bool, error) {
	if file == "" {
		return nil, false, nil
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, false, err
	}
	rel, err := filepath.Rel(wc.Dir(), abs)
	if err != nil {
		return nil, false, err
	}
	name := filepath.ToSlash(rel)
	i := slices.IndexFunc(target.Changes, func(c vcs.Change) bool { return c.Path == name })
	if i < 0 || target.Changes[i].Op == vcs.Deleted {
		data, err := os.ReadFile(abs)
		return data, false, err
	}
	data, err := wc.Read(ctx, target, name)
	return data, true, err
}

// own tells the version control system which local differences are ours:
// those in nothing but what the present configuration stamps and rewrites, and
// files that hold, to the byte, what a release wrote. In a mirror nothing is.
func (s *Site) own(wc vcs.WorkingCopy) (vcs.Own, error) {
	if s.Config.Layout == config.Releases {
		return nil, nil
	}
	now, err := s.present()
	if err != nil {
		return nil, err
	}
	past := s.state.writings()
	return func(path string, base, got []byte) bool {
		abs := filepath.Join(wc.Dir(), filepath.FromSlash(path))
		return past.wrote(abs, got) || now.same(abs, base, got)
	}, nil
}

// present are the edits of the present configuration, to tell what is our own.
func (s *Site) present() (*edits, error) {
	return editsOf(s.Config, places(s.Config), "0", &tree{base: s.Config.Dir}, nil)
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// lastChanged asks the version control system once, if anybody does.
func (w *work) lastChanged(ctx context.Context) lastChanged {
	return sync.OnceValues(func() (map[string]string, error) { return w.wc.LastChanged(ctx, w.target.Revision.ID) })
}

// preview computes the edits against view, and tells p of them. What the live release
// has seen to is not looked at again, unless closely says so.
func (w *work) preview(ctx context.Context, p *Plan, view *tree, closely bool) error {
	all, err := w.edits.configuration(view)
	if err != nil {
		return err
	}
	names, print, err := w.edits.documents(view, w.skip)
	if err != nil {
		return err
	}
	w.documents = names
	live := ""
	if p.Since != nil {
		live = p.Since.Dir
	}
	w.print = w.fingerprint(p.To, print, live)
	if closely || len(w.target.Changes) > 0 || w.print != w.site.state.readSeen() {
		refs, err := w.edits.references(ctx, view, names)
		if err != nil {
			return err
		}
		all = append(refs, all...)
	}
	for _, edit := range all {
		p.Missing = append(p.Missing, edit.Missing...)
		p.Mismatched = append(p.Mismatched, edit.Mismatched...)
		if !bytes.Equal(edit.Before, edit.After) {
			p.Edits = append(p.Edits, edit)
		}
	}
	if w.edits.assets != nil {
		if name := w.edits.assets.Unseen(); name != "" {
			p.Unseen = path.Join(w.cfg.Assets.Root, name)
		}
	}
	return nil
}

// fingerprint is of all that decides what the references look like, and, in the releases
// layout, of the directory where they do: a rollback makes another one live.
func (w *work) fingerprint(to vcs.Revision, files, live string) string {
	return digest(fmt.Appendf(nil, "%s\n%s\n%+v\n%s\n", to.ID, files, w.cfg.Assets, live))
}

// skip names the directories in which nothing of the site lies.
func (w *work) skip(abs string) bool {
	switch filepath.Base(abs) {
	case ".git", ".svn", ".hg":
		return true
	}
	return abs == w.site.state.dir
}

// jobsOf are the jobs that cfg queues after a release of rev, not yet part of
// any release.
func jobsOf(cfg *config.Config, rev vcs.Revision) ([]Job, error) {
	var jobs []Job
	for i, q := range cfg.Jobs.Queue {
		workload, err := config.Expand(q.Workload, values(cfg, rev))
		if err != nil {
			return nil, fmt.Errorf("%v: %w", q.Pos, err)
		}
		jobs = append(jobs, Job{
			N: i + 1, Function: q.Function, Workload: workload, Priority: string(q.Priority),
			Foreground: q.Wait == config.Foreground, State: jobIntended,
			Attempts: q.Attempts, Backoff: q.Backoff,
		})
	}
	return jobs, nil
}

// Diff is the plan's unified diff of the files that revstamp itself edits.
// Configuration is shown without neighbouring lines, which may hold secrets.
func (p *Plan) Diff() []byte {
	var out []byte
	for _, e := range p.Edits {
		before, context := e.Before, 3
		if e.Role == RoleConfiguration {
			context = 0
			if before == nil {
				before = e.Source // a new file is no reason to show all of it
			}
		}
		out = append(out, Diff(e.Path, before, e.After, context)...)
	}
	return out
}

// IsNotFound reports whether err says that there is no such release.
func IsNotFound(err error) bool {
	_, ok := errors.AsType[*NotFoundError](err)
	return ok
}

// begin is the first record of a release that carries p out.
func (p *Plan) begin(id, token string, h Holder, in intent) *Begin {
	b := &Begin{ID: id, Token: token, Site: p.Site, Environment: p.work.site.environment(), Want: in.want, From: p.From, To: p.To, Local: p.Local, Holder: h}
	b.Since = time.Now().UTC()
	if in.rollback != nil {
		b.Rollback = in.rollback.ID
	}
	return b
}

// Revision tells what the site's working copy is at, or, in the releases layout,
// the live release. Edits of revstamp's own are no modification.
func (s *Site) Revision(ctx context.Context) (vcs.Revision, error) {
	if s.Config.Layout == config.Releases {
		live, err := s.Current()
		if err != nil {
			return vcs.Revision{}, err
		}
		return live.To, nil
	}
	wc, err := s.workingCopy(ctx, false)
	if err != nil {
		return vcs.Revision{}, err
	}
	own, err := s.own(wc)
	if err != nil {
		return vcs.Revision{}, err
	}
	rev, err := wc.Revision(ctx, own)
	if err == nil {
		err = Committed(rev)
	}
	return rev, err
}

// Committed is an error for the revision of a git working copy on a branch without a
// commit: it has no id, and nothing must be stamped or versioned with none.
func Committed(rev vcs.Revision) error {
	if rev.ID != "" {
		return nil
	}
	return &vcs.UnknownRevisionError{Want: "HEAD", Detail: "there is no commit yet"}
}
