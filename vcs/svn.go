package vcs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// svnCopy is a Subversion working copy. Its files are svn's to write, which it
// does by a rename; see svnMerge for those that carry an edit of ours.
type svnCopy struct {
	client
	version client // svnversion
	login   Credentials
	direct  bool // the server is not behind a tunnel of somebody's
}

func openSvn(_ context.Context, top string, o Options) (WorkingCopy, error) {
	log := cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	w := &svnCopy{login: o.Svn}
	for name, c := range map[string]*client{"svn": &w.client, "svnversion": &w.version} {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, &UnsupportedError{System: "svn", Feature: "a Subversion working copy", Install: "subversion"}
		}
		*c = client{path: path, dir: top, env: svnEnv(), log: log}
	}
	return w, nil
}

// svnEnv is the environment of every svn: English, and a locale in which every
// path can be written (in the plain C one svn refuses names beyond ASCII).
func svnEnv() []string {
	env := append(os.Environ(), "LC_ALL=C.UTF-8", "LANGUAGE=")
	if os.Getenv("SVN_SSH") == "" {
		env = append(env, "SVN_SSH=ssh -q -oBatchMode=yes")
	}
	return env
}

func (w *svnCopy) System() string { return "svn" }
func (w *svnCopy) Dir() string    { return w.dir }

// Locked implements Locker.
func (w *svnCopy) Locked(ctx context.Context) error {
	st, err := w.status(ctx)
	if err == nil && st.interrupted {
		err = &LockedError{System: "svn", Path: w.dir, Interrupted: true}
	}
	return err
}

// svn runs a subcommand, which asks nothing and reads at most the password.
func (w *svnCopy) svn(ctx context.Context, args ...string) ([]byte, error) {
	args, stdin := w.withLogin(args)
	out, err := w.call(ctx, stdin, nil, args...)
	return out, w.meant(err)
}

// withLogin returns the arguments of a subcommand with those by which the server is
// told who asks, and what it is to read.
func (w *svnCopy) withLogin(args []string) (_ []string, stdin io.Reader) {
	args = append(args, "--non-interactive")
	if w.login.User != "" {
		args = append(args, "--no-auth-cache", "--username", w.login.User)
	}
	if w.login.Password != "" {
		args = append(args, "--password-from-stdin")
		stdin = strings.NewReader(w.login.Password)
	}
	return args, stdin
}

// server refuses a working copy whose URL makes svn run a program that is not
// ssh, before svn is asked for anything that the server has: svn+x is what the
// line "x =" in somebody's [tunnels] says, and the URL is what is on disk.
func (w *svnCopy) server(ctx context.Context) error {
	if w.direct {
		return nil
	}
	info, err := w.info(ctx)
	if err != nil {
		return err
	}
	return w.serverOf(info)
}

func (w *svnCopy) serverOf(info *svnInfo) error {
	scheme, _, _ := strings.Cut(info.URL, ":")
	if strings.HasPrefix(scheme, "svn+") && scheme != "svn+ssh" {
		return &UnsupportedError{System: "svn", Feature: "the tunnel " + scheme + "://"}
	}
	w.direct = true
	return nil
}

// meant makes an error of our own of those failures of svn that have one.
func (w *svnCopy) meant(err error) error {
	var failed *ClientError
	if !errors.As(err, &failed) {
		return err
	}
	switch code := svnCode().FindString(failed.Stderr); code {
	case "E155004", "E155037":
		// The last operation did not end, or another one goes on: svn cannot
		// tell the two apart.
		return &LockedError{System: "svn", Path: w.dir, Interrupted: true}
	case "E200033": // the database is busy, after ten seconds of waiting
		return &LockedError{Path: filepath.Join(w.dir, ".svn", "wc.db")}
	case "E155021":
		return &UnsupportedError{System: "svn", Feature: "a working copy of a newer Subversion"}
	case "E155036":
		return &UnsupportedError{System: "svn", Feature: "a working copy of an older Subversion, before svn upgrade,"}
	case "E170001", "E215004":
		return &CredentialsError{System: "svn", Err: err}
	}
	return err
}

// svnCode are the failures that meant knows, of svn_error_codes.h.
var svnCode = lazily(`\b(E155004|E155037|E200033|E155021|E155036|E170001|E215004)\b`)

// arg names a versioned path, whatever its name: without the second @ svn would
// take what follows the first for a revision.
func arg(path string) string { return "./" + path + "@" }

// span is what svnversion says.
type span struct {
	low, high int64
	flags     string // of "MSP": modified, switched, partial
}

var svnversionText = lazily(`^(\d+)(?::(\d+))?(M?S?P?)$`)

// parseSpan reads svnversion's one line. Whatever is no number there is an
// error, though svnversion ends with status 0: "Unversioned directory" has been
// stamped into configurations.
func parseSpan(text string) (span, error) {
	m := svnversionText().FindStringSubmatch(text)
	if m == nil {
		return span{}, fmt.Errorf("svnversion: %q is no revision", text)
	}
	low, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return span{}, fmt.Errorf("svnversion: %w", err)
	}
	high, err := strconv.ParseInt(cmp.Or(m[2], m[1]), 10, 64)
	if err != nil || high < low {
		return span{}, fmt.Errorf("svnversion: %q is no range", text)
	}
	return span{low, high, m[3]}, nil
}

// String is svnversion's text, its M standing for foreign changes only.
func (s span) String(modified bool) string {
	text := strconv.FormatInt(s.low, 10)
	if s.high != s.low {
		text += ":" + strconv.FormatInt(s.high, 10)
	}
	flags := strings.TrimPrefix(s.flags, "M")
	if modified {
		flags = "M" + flags
	}
	return text + flags
}

// mixed reports whether one number does not say what is there.
func (s span) mixed() bool {
	return s.low != s.high || strings.TrimPrefix(s.flags, "M") != ""
}

func (w *svnCopy) span(ctx context.Context) (span, error) {
	out, err := w.version.run(ctx, "-n", ".")
	if err != nil {
		return span{}, w.meant(err)
	}
	return parseSpan(string(out))
}

func (w *svnCopy) Revision(ctx context.Context, own Own) (Revision, error) {
	st, s, err := w.look(ctx)
	if err != nil {
		return Revision{}, err
	}
	if st.interrupted {
		return Revision{}, &LockedError{System: "svn", Path: w.dir, Interrupted: true}
	}
	info, err := w.info(ctx)
	if err != nil {
		return Revision{}, err
	}
	l, err := w.judge(ctx, st, own, nil)
	if err != nil {
		return Revision{}, err
	}
	r := s.revision(info)
	if r.Modified = l.names(); r.Mixed != "" {
		r.Mixed = s.String(len(r.Modified) > 0)
		r.LastChanged, err = w.lastChanged(ctx)
	}
	return r, err
}

// look is the status, with these options, and what svnversion says.
func (w *svnCopy) look(ctx context.Context, options ...string) (st *svnStatus, s span, err error) {
	err = both(func() (err error) {
		st, err = w.status(ctx, options...)
		return err
	}, func() (err error) {
		s, err = w.span(ctx)
		return err
	})
	return st, s, err
}

// both calls two functions at a time: a client is a process that mostly starts,
// and there is more than one processor.
func both(f, g func() error) error {
	done := make(chan error, 1)
	go func() { done <- g() }()
	err := f()
	if failed := <-done; err == nil {
		err = failed
	}
	return err
}

// revision is what an unmodified working copy of this span is at.
func (s span) revision(info *svnInfo) Revision {
	r := info.revision(s.high)
	if s.mixed() {
		r.Mixed = s.String(false)
	}
	return r
}

// revision is what a working copy at n with this information is at.
func (i *svnInfo) revision(n int64) Revision {
	id := strconv.FormatInt(n, 10)
	branch, err := url.PathUnescape(strings.TrimPrefix(strings.TrimPrefix(i.URL, i.Root), "/"))
	if err != nil {
		branch = ""
	}
	return Revision{
		System: "svn", ID: id, Short: id, Number: n, LastChanged: i.Commit.Revision,
		Branch: branch, URL: publicURL(i.URL),
		Author: i.Commit.Author, Date: i.Commit.Date,
	}
}

// lastChanged is the newest change of a mixed working copy, whose top may be
// older than what is in it.
func (w *svnCopy) lastChanged(ctx context.Context) (int64, error) {
	out, err := w.version.run(ctx, "-n", "-c", ".")
	if err != nil {
		return 0, w.meant(err)
	}
	s, err := parseSpan(string(out))
	return s.high, err
}

func (w *svnCopy) Read(ctx context.Context, t *Target, path string) ([]byte, error) {
	return readOne(ctx, w, t, path)
}

// absent reports whether svn says that there is nothing by that name.
func absent(err error) bool {
	var failed *ClientError
	return errors.As(err, &failed) && notFoundCode().MatchString(failed.Stderr)
}

var notFoundCode = lazily(`E160013|E200009|E155010|E195012`)

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// svnLocal is what a look at the versioned files found.
type svnLocal struct {
	foreign   []localChange
	own       []string          // modified by us alone, sorted
	bases     map[string][]byte // the repository's content of some of these
	conflicts []string
}

func (l *svnLocal) names() []string {
	names := slices.Clone(l.conflicts)
	for _, c := range l.foreign {
		names = append(names, c.path)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unable is the error for what no decision about local changes helps against.
func (l *svnLocal) unable() error {
	if len(l.conflicts) > 0 {
		return &ConflictError{Files: l.conflicts}
	}
	return nil
}

// What svn makes of local changes by itself, or has to undo itself.
var (
	svnMissing = bound{keep: true, why: ", which svn would bring back", remedy: "save or overwrite them instead"}
	svnOther   = bound{keep: true, overwrite: true, why: ", of properties or of what is under version control", remedy: "take them back with svn revert"}
)

// judge tells our own edits from others' changes. known are the repository's
// contents of files that are known already.
func (w *svnCopy) judge(ctx context.Context, st *svnStatus, own Own, known map[string][]byte) (*svnLocal, error) {
	l := &svnLocal{bases: make(map[string][]byte)}
	var texts, missing []string
	for _, e := range st.entries {
		switch {
		case e.conflicted():
			l.conflicts = append(l.conflicts, e.Path)
		case e.Local.Item == "modified" && plain(e.Local.Props):
			texts = append(texts, e.Path)
		case e.Local.Item == "missing" && plain(e.Local.Props):
			missing = append(missing, e.Path)
		case e.changed():
			l.foreign = append(l.foreign, localChange{path: e.Path, note: e.note(), bound: svnOther})
		}
	}
	slices.Sort(l.conflicts)
	if err := w.judgeMissing(ctx, l, missing); err != nil {
		return nil, err
	}
	if err := w.judgeTexts(ctx, l, texts, own, known); err != nil {
		return nil, err
	}
	slices.Sort(l.own)
	return l, nil
}

// judgeMissing tells files that are gone from directories and links, which are not
// for us to bring back.
func (w *svnCopy) judgeMissing(ctx context.Context, l *svnLocal, missing []string) error {
	infos, err := w.infos(ctx, missing...)
	if err != nil {
		return err
	}
	props, err := w.properties(ctx, missing)
	if err != nil {
		return err
	}
	infos = slices.DeleteFunc(infos, func(i svnInfo) bool {
		_, special := props[i.Path]["svn:special"]
		return i.Kind != "file" || special
	})
	bases, err := w.converted(ctx, infos)
	if err != nil {
		return err
	}
	for _, path := range missing {
		c := localChange{path: path, note: "missing", bound: svnOther}
		if base, ok := bases[path]; ok {
			c.base, c.bound, c.perm = base, svnMissing, 0o644
			if _, ok := props[path]["svn:executable"]; ok {
				c.perm = 0o755
			}
		}
		l.foreign = append(l.foreign, c)
	}
	return nil
}

// judgeTexts compares files first with the repository's text as it is stored:
// whether svn converts that in some way is asked only where it makes a
// difference.
func (w *svnCopy) judgeTexts(ctx context.Context, l *svnLocal, texts []string, own Own, known map[string][]byte) error {
	var unknown []string
	for _, path := range texts {
		if known[path] == nil {
			unknown = append(unknown, path)
		}
	}
	infos, err := w.infos(ctx, unknown...)
	if err != nil {
		return err
	}
	sums := make(map[string]string)
	for _, i := range infos {
		sums[i.Path] = i.Checksum
	}
	var odd []svnInfo
	for _, path := range texts {
		base := known[path]
		if base == nil {
			if base, err = w.pristine(sums[path]); err != nil {
				return err
			}
		}
		got, err := w.onDisk(path)
		if err == nil && base != nil && own != nil && own(path, base, got) {
			l.own = append(l.own, path)
			l.bases[path] = base
			continue
		}
		odd = append(odd, svnInfo{Path: path, Checksum: sums[path]})
	}
	bases, err := w.converted(ctx, odd)
	if err != nil {
		return err
	}
	for _, i := range odd {
		c := localChange{path: i.Path, base: bases[i.Path]}
		if c.got, err = w.onDisk(i.Path); err != nil {
			c.note, c.bound = "not a file any more", bySymlink // a link, which svn tracks as a file
		} else if own != nil && own(c.path, c.base, c.got) {
			l.own = append(l.own, c.path)
			continue
		}
		l.foreign = append(l.foreign, c)
	}
	return nil
}

func (w *svnCopy) onDisk(path string) ([]byte, error) {
	return readRegular(filepath.Join(w.dir, filepath.FromSlash(path)))
}

// pristine is a content of the repository as svn stores it, by its checksum, or
// nil where it is stored elsewhere: those of externals are.
func (w *svnCopy) pristine(sum string) ([]byte, error) {
	if len(sum) != 40 {
		return nil, nil
	}
	data, err := os.ReadFile(filepath.Join(w.dir, ".svn", "pristine", sum[:2], sum+".svn-base"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// bases returns the repository's content of files as a checkout would have
// written it.
func (w *svnCopy) bases(ctx context.Context, paths []string) (map[string][]byte, error) {
	infos, err := w.infos(ctx, paths...)
	if err != nil {
		return nil, err
	}
	return w.converted(ctx, infos)
}

// converted is the pristine text, or, where keywords or line endings are
// converted, what svn makes of it.
func (w *svnCopy) converted(ctx context.Context, infos []svnInfo) (map[string][]byte, error) {
	var paths []string
	for _, i := range infos {
		paths = append(paths, i.Path)
	}
	props, err := w.properties(ctx, paths)
	if err != nil {
		return nil, err
	}
	bases := make(map[string][]byte)
	for _, i := range infos {
		p := props[i.Path]
		if p["svn:keywords"] == "" && p["svn:eol-style"] == "" && p["svn:special"] == "" {
			if bases[i.Path], err = w.pristine(i.Checksum); err != nil {
				return nil, err
			}
		}
		if bases[i.Path] == nil {
			if bases[i.Path], err = w.svn(ctx, "cat", "-r", "BASE", arg(i.Path)); err != nil {
				return nil, err
			}
		}
	}
	return bases, nil
}
