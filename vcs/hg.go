package vcs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// hgCopy is a Mercurial working copy. hg reads and fetches; files are written
// by Update.Write only, so that an update is as atomic as git's.
//
// The repository's own configuration runs nothing: hg does not read it, see
// hgrc. What the system's and the user's own say holds, extensions and hooks
// included, as for every other hg that this user runs.
type hgCopy struct {
	client
}

func openHg(_ context.Context, top string, o Options) (WorkingCopy, error) {
	if _, err := openHgRepo(top); err != nil {
		return nil, err
	}
	path, err := exec.LookPath("hg")
	if err != nil {
		return nil, &UnsupportedError{System: "hg", Feature: "a Mercurial working copy", Install: "mercurial"}
	}
	log := cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return &hgCopy{client{path: path, dir: top, env: hgEnv(), log: log}}, nil
}

// hgEnv is the environment of every hg: scripts' output, paths and texts in
// UTF-8, and without the variables by which a hook of hg's tells its children
// what is pending, or by which aliases would come back.
func hgEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch {
		case strings.HasPrefix(name, "HG_"), name == "HGPLAINEXCEPT", name == "HGPLAIN",
			name == "HGENCODING", name == "HGENCODINGMODE", name == "HGENCODINGAMBIGUOUS":
			continue
		}
		env = append(env, e)
	}
	return append(env, "LC_ALL=C", "LANGUAGE=", "HGPLAIN=1", "HGENCODING=UTF-8",
		"HGRCSKIPREPO=1", "SSH_ASKPASS_REQUIRE=never")
}

// hgOptions are those of every command: no question, no long wait for a lock,
// and an exit status for each kind of failure.
func (w *hgCopy) hgOptions() []string {
	return []string{"--noninteractive", "-R", w.dir,
		"--config", "ui.timeout=2", "--config", "ui.detailed-exit-code=true",
		"--config", "ui.report_untrusted=false", "--config", "ui.portablefilenames=ignore"}
}

func (w *hgCopy) System() string { return "hg" }
func (w *hgCopy) Dir() string    { return w.dir }

// nullHg is the revision of an empty repository, and of a working copy without
// any.
const nullHg = "0000000000000000000000000000000000000000"

// hgState is one look at a working copy. close it.
type hgState struct {
	*hgServer
	*hgRepo
	top       string
	p1        hgChangeset // what is on disk; the null revision's node before the first
	merging   bool        // there is a second parent
	bookmark  string      // the active one
	bookmarks map[string]string
	network   []string                      // options for commands that reach upstream
	upstream  string                        // the URL of it; "" when there is none
	untrusted string                        // the file that might have named one, of another owner
	manifests map[string]map[string]hgEntry // by node, of those that were listed
}

// hgChangeset is a changeset as hgRecord tells it.
type hgChangeset struct {
	Node     string    `json:"node"`
	Branch   string    `json:"branch"`
	Phase    string    `json:"phase"`
	Author   string    `json:"author"`
	Date     time.Time `json:"date"`
	Subject  string    `json:"subject"`
	Tags     []string  `json:"tags"`
	Latest   []string  `json:"latest"`
	Distance int       `json:"distance"`
}

// hgRecord and hgShort are templates for one line of JSON per changeset.
const (
	hgRecord = `{dict(node=node, branch=branch, phase=phase, author=author|person, date=date|rfc3339date,` +
		` subject=desc|firstline, tags=tags, latest=latesttag, distance=latesttagdistance)|json}\n`
	hgShort = `{dict(node=node, author=author|person, date=date|rfc3339date, subject=desc|firstline)|json}\n`
)

func (w *hgCopy) look(ctx context.Context) (_ *hgState, err error) {
	repo, err := openHgRepo(w.dir)
	if err != nil {
		return nil, err
	}
	server, err := startHg(ctx, &w.client, w.hgOptions()...)
	if err != nil {
		return nil, err
	}
	s := &hgState{hgServer: server, hgRepo: repo, top: w.dir, manifests: make(map[string]map[string]hgEntry)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := s.configure(ctx); err != nil {
		return nil, err
	}
	return s, s.refresh(ctx)
}

// refresh asks where the working copy is.
func (s *hgState) refresh(ctx context.Context) error {
	parents, err := s.changesets(ctx, hgRecord, "-r", ".")
	if err != nil {
		return err
	}
	if len(parents) != 1 {
		return fmt.Errorf("hg log: %d changesets for the working copy's parent", len(parents))
	}
	s.p1 = parents[0]
	second, err := s.changesets(ctx, hgShort, "-r", "p2()")
	if err != nil {
		return err
	}
	s.merging = len(second) > 0
	rows, err := s.rows(ctx, 3, "bookmarks", "-T", `{bookmark}\0{node}\0{active}\0`)
	if err != nil {
		return err
	}
	s.bookmarks, s.bookmark = make(map[string]string), ""
	for _, r := range rows {
		s.bookmarks[r[0]] = r[1]
		if r[2] == "True" {
			s.bookmark = r[0]
		}
	}
	return nil
}

// changesets runs log with one of the two templates.
func (s *hgState) changesets(ctx context.Context, template string, args ...string) ([]hgChangeset, error) {
	out, err := s.run(ctx, append([]string{"log", "-T", template}, args...)...)
	if err != nil {
		return nil, s.why(err)
	}
	var list []hgChangeset
	for line := range bytes.Lines(out) {
		var c hgChangeset
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("hg log: %w", err)
		}
		list = append(list, c)
	}
	return list, nil
}

// rows runs a command whose template ends each of n fields with a NUL. Status 1
// is hg's word for an empty list.
func (s *hgState) rows(ctx context.Context, n int, args ...string) ([][]string, error) {
	out, err := s.run(ctx, args...)
	var failed *ClientError
	if errors.As(err, &failed) && failed.Status == 1 && len(out) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, s.why(err)
	}
	return hgRows(string(out), n)
}

// hgRows splits fields that are ended by NULs into rows of n.
func hgRows(out string, n int) ([][]string, error) {
	if out == "" {
		return nil, nil
	}
	rest, whole := strings.CutSuffix(out, "\x00")
	fields := strings.Split(rest, "\x00")
	if !whole || len(fields)%n != 0 {
		return nil, fmt.Errorf("hg: %d fields where %d make a row", len(fields), n)
	}
	return slices.Collect(slices.Chunk(fields, n)), nil
}

// hgBadState is hg's status for a lock that is held, and for a state in which a
// command may not run.
const hgBadState = 20

// why finds the lock that made a command fail.
func (s *hgState) why(err error) error {
	var failed *ClientError
	if errors.As(err, &failed) && failed.Status == hgBadState {
		if path := s.locked(); path != "" {
			return &LockedError{Path: path}
		}
	}
	return err
}

// configure learns what is configured, refuses extensions that write files in
// their own way, and finds where updates come from.
func (s *hgState) configure(ctx context.Context) error {
	rows, err := s.rows(ctx, 2, "config", "-T", `{name}\0{value}\0`,
		"extensions", "trusted", "encode", "decode", "ui.ssh", "paths")
	if err != nil {
		return err
	}
	user := new(hgrc)
	for _, r := range rows {
		section, name, _ := strings.Cut(r[0], ".")
		user.set(section, name, r[1])
	}
	own, err := s.config(hgTrust(user.get("trusted", "users"), user.get("trusted", "groups")))
	if err != nil {
		return err
	}
	if err := s.converted(user, own); err != nil {
		return err
	}
	s.untrusted = own.untrusted
	if s.upstream, err = hgUpstream(s.top, cmp.Or(own.get("paths", "default"), user.get("paths", "default"))); err != nil {
		return err
	}
	ssh := cmp.Or(user.get("ui", "ssh"), "ssh") + " -oBatchMode=yes"
	s.network = append(own.options(), "--config", "ui.ssh="+ssh,
		"--config", "paths.default="+s.upstream, "--config", "paths.default:pushurl="+s.upstream,
		"--config", "paths.default-push="+s.upstream,
		// Bookmarks are moved by Update, not by a pull.
		"--config", "paths.default:bookmarks.mode=ignore")
	return nil
}

// converted names what makes files on disk other than they are in the
// repository. hg would apply the rules of the revision on disk to the files of
// another one, so that a file written before the revision moves would be wrong.
func (s *hgState) converted(configs ...*hgrc) error {
	for _, c := range configs {
		for name, value := range c.sections["extensions"] {
			if strings.HasPrefix(value, "!") {
				continue
			}
			switch name = strings.TrimPrefix(name, "hgext."); {
			case name == "eol" && !marked(s.top, ".hgeol"):
			case name == "eol", name == "keyword", name == "win32text":
				return &UnsupportedError{System: "hg", Feature: "the " + name + " extension"}
			}
		}
		if len(c.sections["encode"]) > 0 || len(c.sections["decode"]) > 0 {
			return &UnsupportedError{System: "hg", Feature: "a filter (encode, decode)"}
		}
	}
	return nil
}

// hgUpstream makes a path absolute as hg does: from the top, with variables.
func hgUpstream(top, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	path = expandHgPath(strings.ReplaceAll(path, "%%", "%"))
	if u, err := url.Parse(path); err == nil && len(u.Scheme) > 1 && strings.Contains(path, ":/") {
		switch u.Scheme {
		case "http", "https", "ssh", "file":
			return path, nil
		}
		return "", &UnsupportedError{System: "hg", Feature: "an upstream by " + u.Scheme}
	}
	if strings.Contains(path, "://") { // no URL, and no path that hg would understand
		return path, nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(top, path)
	}
	return path, nil
}

// revision describes a changeset, as the working copy will be at it.
func (s *hgState) revision(c hgChangeset) Revision {
	r := Revision{
		System: "hg", ID: c.Node, Short: Short(c.Node), Branch: c.Branch,
		Bookmark: s.bookmark, Phase: c.Phase, URL: publicURL(s.upstream),
	}
	if c.Node == nullHg {
		return r
	}
	r.Author, r.Date = c.Author, c.Date
	for _, tag := range c.Tags {
		if tag != "tip" { // which is a place, not a name
			r.Tag = tag
			break
		}
	}
	switch { // hg counts no local tags among the latest: nobody else has them
	case len(c.Latest) == 0 || c.Latest[0] == "null":
		r.Describe = r.Short
	case c.Distance > 0:
		r.Describe = fmt.Sprintf("%s-%d-m%s", c.Latest[0], c.Distance, r.Short)
	case slices.Contains(c.Latest, r.Tag):
		r.Describe = r.Tag
	default:
		r.Describe = c.Latest[0]
	}
	return r
}

// now is what is on disk.
func (s *hgState) now() Revision {
	r := s.revision(s.p1)
	r.Branch = s.branch
	return r
}

// Revision refuses an unfinished merge, which is at two revisions at once, and
// an interrupted update.
func (w *hgCopy) Revision(ctx context.Context, own Own) (Revision, error) {
	s, err := w.look(ctx)
	if err != nil {
		return Revision{}, err
	}
	defer s.close()
	if s.updating != "" {
		return Revision{}, s.interrupted()
	}
	if s.merging {
		return Revision{}, &ConflictError{Detail: "an unfinished merge"}
	}
	l, err := s.check(ctx, own, nil)
	if err != nil {
		return Revision{}, err
	}
	r := s.now()
	r.Modified = l.names()
	return r, nil
}

func (s *hgState) interrupted() error {
	return &LockedError{System: "hg", Path: filepath.Join(s.dir, "updatestate"), Interrupted: true, Target: s.updating}
}

func (w *hgCopy) Read(ctx context.Context, t *Target, path string) ([]byte, error) {
	return readOne(ctx, w, t, path)
}

// Contents asks one server for all.
func (w *hgCopy) Contents(ctx context.Context, t *Target, paths []string) (Contents, error) {
	s, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	c, err := s.contents(ctx, t.Revision.ID, paths)
	if err != nil {
		return nil, err
	}
	return hgTarget{c}, nil
}

// hgTarget is the Contents of a Mercurial repository.
type hgTarget struct{ *hgContents }

func (c hgTarget) Read(path string) ([]byte, error) {
	if _, ok := c.entries[path]; !ok {
		return nil, notThere(path)
	}
	return c.read(path)
}

func (c hgTarget) Close() error {
	c.close()
	return nil
}
