package vcs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"revstamp/vcs/internal/gitdir"
)

// gitCopy is a git working copy. What is on disk is read by this process; host
// does what needs a network, a filter, or a ref moved.
type gitCopy struct {
	dir  string
	host gitHost
	log  *slog.Logger
}

// gitHost is what is done by the git client, or by go-git without one.
type gitHost interface {
	// config is everything that is configured, system and user included.
	config(ctx context.Context, repo *gitdir.Repo) (*gitdir.Config, error)

	// safeDirectories are the values of safe.directory, of system and user.
	safeDirectories(ctx context.Context) ([]string, error)

	// list returns the remote's branches and tags among names, which may end
	// in "*"; the commit of an annotated tag is under its name and "^{}".
	list(ctx context.Context, s *gitState, remote string, names []string) (map[string]gitdir.ID, error)

	// fetch adds the objects of refs (full names, or ids) and moves none.
	fetch(ctx context.Context, s *gitState, remote string, refs []string) error

	// moveRefs moves refs, each only from where it is believed to be.
	moveRefs(ctx context.Context, s *gitState, moves []refMove, message string) error

	// modified asks for the tracked files that are not as committed where that
	// is not for this package to judge.
	modified(ctx context.Context, feature string) ([]string, error)

	// checkout writes files of a tree, converted as a checkout would, to a
	// private directory, and returns it.
	checkout(ctx context.Context, s *gitState, tree gitdir.ID, paths []string, feature string) (string, error)

	// archive has unpack read a commit as a tar archive of what git archive
	// makes of it.
	archive(ctx context.Context, s *gitState, commit gitdir.ID, feature string, unpack func(io.Reader) error) error
}

// refMove is a ref, its full name or HEAD, and where from and to it moves.
// The zero ID stands for a ref that does not exist.
type refMove struct {
	name     string
	from, to gitdir.ID
}

func openGit(_ context.Context, top string, o Options) (WorkingCopy, error) {
	if _, err := gitdir.Open(top); err != nil {
		return nil, gitOpenError(top, err)
	}
	g := &gitCopy{dir: top, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler))}
	path, err := exec.LookPath("git")
	if o.NoGit || err != nil {
		g.host = &goGit{log: g.log}
		return g, nil
	}
	g.host = &gitClient{client: client{path: path, dir: top, env: gitEnv(), log: g.log}}
	return g, nil
}

func gitOpenError(top string, err error) error {
	var unknown *gitdir.UnknownError
	switch {
	case errors.As(err, &unknown):
		return &UnsupportedError{System: "git", Feature: unknown.Feature}
	case errors.Is(err, fs.ErrNotExist):
		return &NotWorkingCopyError{Dir: top, Detail: ".git is no git directory"}
	}
	return err
}

func (g *gitCopy) System() string { return "git" }
func (g *gitCopy) Dir() string    { return g.dir }

// gitState is one look at a repository. close it.
type gitState struct {
	*gitdir.Repo
	config  *gitdir.Config
	head    gitdir.Head
	commit  *gitdir.Commit // of head; nil before the first commit
	objects *gitdir.Objects
	cut     map[gitdir.ID]bool // where a shallow clone ends
	indexes []*gitdir.Index    // to close
}

func (g *gitCopy) look(ctx context.Context) (_ *gitState, err error) {
	repo, err := gitdir.Open(g.dir)
	if err != nil {
		return nil, gitOpenError(g.dir, err)
	}
	if err := g.trust(ctx, repo); err != nil {
		return nil, err
	}
	s := &gitState{Repo: repo}
	if s.objects, err = repo.Objects(); err != nil {
		return nil, s.explain(err)
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.config, err = g.host.config(ctx, repo); err != nil {
		return nil, err
	}
	if err := s.unreadable(); err != nil {
		return nil, err
	}
	if s.head, err = repo.Head(); err != nil {
		return nil, err
	}
	if s.cut, err = repo.Shallow(); err != nil {
		return nil, err
	}
	if !s.head.ID.IsZero() {
		s.commit, err = s.objects.Commit(s.head.ID)
	}
	return s, s.explain(err)
}

func (s *gitState) close() { // only read
	s.objects.Close()
	for _, x := range s.indexes {
		x.Close()
	}
}

// index opens the index as it is now, until s is closed.
func (s *gitState) index() (*gitdir.Index, error) {
	x, err := s.Index()
	if err == nil {
		s.indexes = append(s.indexes, x)
	}
	return x, err
}

// tree is the one that HEAD has.
func (s *gitState) tree() gitdir.ID {
	if s.commit == nil {
		return gitdir.ID{}
	}
	return s.commit.Tree
}

// unreadable names what would make the plain reading of files wrong.
func (s *gitState) unreadable() error {
	feature := ""
	switch replaced, err := s.Refs("refs/replace/"); {
	case err != nil:
		return err
	case len(replaced) > 0:
		feature = "a replaced object (refs/replace)"
	case marked(s.Common, filepath.Join("info", "grafts")):
		feature = "a graft (info/grafts)"
	case !s.config.Bool("core.symlinks", true):
		feature = "core.symlinks=false"
	case s.config.Bool("core.bare", false):
		feature = "core.bare=true"
	case elsewhere(s.Repo):
		feature = "core.worktree elsewhere"
	default:
		return nil
	}
	return &UnsupportedError{System: "git", Feature: feature}
}

// fixed names what can be read but not updated: which files a sparse checkout
// is to hold only its patterns tell, and the files of a partial clone come one
// by one, from a server that may not answer in the middle of an update.
func (s *gitState) fixed() error {
	feature := ""
	switch {
	case s.sparse():
		feature = "a sparse checkout"
	case s.partial():
		feature = "a partial clone"
	default:
		return nil
	}
	return &UnsupportedError{System: "git", Feature: feature}
}

func (s *gitState) sparse() bool { return s.config.Bool("core.sparsecheckout", false) }

func (s *gitState) partial() bool {
	return s.config.String("extensions.partialclone") != "" ||
		slices.ContainsFunc(s.config.Keys("remote."), func(key string) bool {
			return strings.HasSuffix(key, ".promisor") && s.config.Bool(key, false)
		})
}

// explain names the feature behind an error that has one.
func (s *gitState) explain(err error) error {
	var unknown *gitdir.UnknownError
	switch {
	case errors.As(err, &unknown):
		return &UnsupportedError{System: "git", Feature: unknown.Feature}
	case errors.Is(err, gitdir.ErrNotFound) && s.config != nil && s.partial():
		return &UnsupportedError{System: "git", Feature: "what a partial clone left out"}
	}
	return err
}

// farthestWalk is how many commits are walked here before git, which has its
// commit graph, is asked instead.
const farthestWalk = 2000

// gitWalker is what a host can do besides when it is faster at it.
type gitWalker interface {
	describe(ctx context.Context, id gitdir.ID) (string, error)
	count(ctx context.Context, id gitdir.ID) (int64, error)
}

// revision describes a commit, as the working copy will be at it. more are tags
// that an update will bring.
func (g *gitCopy) revision(ctx context.Context, s *gitState, c *gitdir.Commit, more []gitdir.Ref) (Revision, error) {
	r := Revision{
		System: "git", Branch: strings.TrimPrefix(s.head.Branch, "refs/heads/"),
		Detached: s.head.Branch == "", Shallow: s.cut != nil,
		URL: publicURL(s.url(s.remote())),
	}
	if c == nil {
		return r, nil
	}
	r.ID, r.Short = c.ID.String(), Short(c.ID.String())
	r.Author, r.Date = c.Author, c.Date
	tags, err := s.Tags(s.objects, more)
	if err != nil {
		return r, fmt.Errorf("tags: %w", err)
	}
	if tag, ok := tags[c.ID]; ok {
		r.Tag, r.Describe = tag.Name, tag.Name
		return r, nil
	}
	if s.cut != nil {
		return r, nil
	}
	limit := 0
	client, faster := g.host.(gitWalker)
	if faster && len(more) == 0 {
		limit = farthestWalk
	}
	r.Describe, err = s.objects.Describe(c.ID, tags, limit)
	if errors.Is(err, gitdir.ErrTooFar) {
		r.Describe, err = client.describe(ctx, c.ID)
	}
	return r, err
}

func (g *gitCopy) Revision(ctx context.Context, own Own) (Revision, error) {
	s, err := g.look(ctx)
	if err != nil {
		return Revision{}, err
	}
	defer s.close()
	r, err := g.revision(ctx, s, s.commit, nil)
	if err != nil {
		return Revision{}, s.explain(err)
	}
	l, err := g.check(ctx, s, comparison{own: own})
	if err != nil {
		return Revision{}, s.explain(err)
	}
	r.Modified = l.names()
	return r, nil
}

// remotes are the names of the configured remotes, sorted.
func (s *gitState) remotes() []string {
	var names []string
	for _, key := range s.config.Keys("remote.") {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(key, "remote."), ".url"); ok {
			names = append(names, name)
		}
	}
	return names
}

// remote is where updates come from: the current branch's remote, else the only
// one, else origin; "" when there is none.
func (s *gitState) remote() string {
	all := s.remotes()
	configured := s.config.String(s.branchKey("remote"))
	switch {
	case configured != "":
		return configured
	case len(all) == 1:
		return all[0]
	case slices.Contains(all, "origin"):
		return "origin"
	}
	return ""
}

func (s *gitState) branchKey(name string) string {
	return "branch." + strings.TrimPrefix(s.head.Branch, "refs/heads/") + "." + name
}

// url is what a remote's name stands for: branch.x.remote may hold a URL itself.
func (s *gitState) url(remote string) string {
	if u := s.config.All("remote." + remote + ".url"); len(u) > 0 {
		return u[0]
	}
	if strings.ContainsAny(remote, "/:") {
		return remote
	}
	return ""
}

func (g *gitCopy) Read(ctx context.Context, t *Target, path string) ([]byte, error) {
	return readOne(ctx, g, t, path)
}

// Contents keeps the repository open: blobs are read when they are asked for.
func (g *gitCopy) Contents(ctx context.Context, t *Target, paths []string) (_ Contents, err error) {
	s, err := g.look(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	id, err := gitdir.ParseID(t.Revision.ID)
	if err != nil {
		return nil, err
	}
	c, err := s.objects.Commit(id)
	if err != nil {
		return nil, err
	}
	entries, err := s.objects.Entries(c.Tree, paths)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, p := range paths {
		if e, ok := entries[p]; ok && e.Mode != gitdir.ModeGitlink {
			files = append(files, p)
		}
	}
	from, err := g.contents(ctx, s, c.Tree, files)
	if err != nil {
		return nil, err
	}
	return &gitTarget{state: s, entries: entries, from: from}, nil
}

// gitTarget is the Contents of a git repository.
type gitTarget struct {
	state   *gitState
	entries map[string]gitdir.Entry
	from    *gitContents
}

func (c *gitTarget) Read(path string) ([]byte, error) {
	e, ok := c.entries[path]
	switch {
	case !ok:
		return nil, notThere(path)
	case e.Mode == gitdir.ModeGitlink:
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrInvalid}
	}
	return c.from.read(path, e)
}

func (c *gitTarget) Close() error {
	c.from.close()
	c.state.close()
	return nil
}
