package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sys/unix"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/gearman"
	"revstamp/vcs"
)

// Finding is one thing that Inspect looked at.
type Finding struct {
	Topic  string `json:"topic"`
	Level  Level  `json:"level"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// Level says how bad a finding is.
type Level string

// The levels.
const (
	Good    Level = "good"
	Doubt   Level = "doubt"   // a release may go well
	Problem Level = "problem" // a release will fail, or hurt somebody
)

// Inspect looks at everything that a release needs, and changes nothing. remedy
// tells what to do about an error.
func (s *Site) Inspect(ctx context.Context, remedy func(error) string) []Finding {
	i := &inspection{site: s, cfg: s.Config, remedy: remedy}
	i.plan(ctx)
	i.state()
	i.space()
	i.files()
	i.exposed()
	i.webServer(nginxConf)
	i.hooks()
	i.jobs(ctx)
	return i.found
}

type inspection struct {
	site   *Site
	cfg    *config.Config
	remedy func(error) string
	found  []Finding
	view   *tree // the site as it will be; nil when that could not be told
}

func (i *inspection) add(topic string, l Level, remedy, format string, args ...any) {
	i.found = append(i.found, Finding{topic, l, fmt.Sprintf(format, args...), remedy})
}

func (i *inspection) fail(topic string, err error) {
	i.add(topic, Problem, i.remedy(err), "%v", err)
}

// plan finds out whether a release could be computed: the repository answers,
// every key is there, nothing foreign lies in the tree.
func (i *inspection) plan(ctx context.Context) {
	p, err := i.site.plan(ctx, intent{closely: true})
	if err != nil {
		i.fail("source", err)
		return
	}
	i.view = p.work.view
	i.locked(ctx, p.work.wc)
	coming := "nothing to release"
	if !p.Standing() {
		coming = plural(len(p.Edits), "edited file") + " to release"
		if p.From.ID == p.To.ID || len(p.Commits) > 0 { // else they are not known
			coming = plural(len(p.Commits), "commit") + " and " + coming
		}
	}
	i.add("source", Good, "", "the repository answers; %s is next, %s", short(p.To), coming)
	if n := len(p.Local); n > 0 {
		i.add("local", Doubt, "see them with 'revstamp plan'", "local changes in %s, which a release would %s", plural(n, "file"), i.cfg.Source.Local)
	}
	if text, remedy := p.StaleText(); text != "" {
		i.add("edits", Doubt, remedy, "%s", text)
	}
	if len(p.mixed) > 0 {
		i.add("edits", Doubt, p.bringBack()+", and release", "what a release with another configuration wrote stays in %s", listed(p.mixed))
	}
	if n := len(i.cfg.Stamp); n > 0 {
		i.add("stamp", Good, "", "%s found", plural(n, "key"))
	}
	switch {
	case len(p.Missing) > 0:
		m := p.Missing[0]
		i.add("assets", Doubt, "mend them, or refuse them with assets.strict: true",
			"%s without a file, the first in %s:%d: %s", plural(len(p.Missing), "reference"), m.File, m.Line, m.URL)
	case len(p.Mismatched) > 0:
		m := p.Mismatched[0]
		i.add("assets", Problem, "correct the attribute, or the file",
			"browsers will refuse %s: its integrity is not what %s:%d says", m.URL, m.File, m.Line)
	case p.Unseen != "":
		i.add("assets", Doubt, "add it to assets.rewrite, or choose with assets.modules",
			"modules get no version, for %s imports some by URLs that are not rewritten", p.Unseen)
	case i.cfg.Assets != nil:
		i.add("assets", Good, "", "no reference leads nowhere")
	}
	i.patterns(p.work.documents)
}

// locked looks whether another program has the working copy, or has left it so. What an
// unfinished release of our own left, that will see to.
func (i *inspection) locked(ctx context.Context, wc vcs.WorkingCopy) {
	due, err := i.site.due()
	if locker, ok := wc.(vcs.Locker); ok && err == nil && due == nil {
		err = locker.Locked(ctx)
	}
	if err != nil {
		i.fail("source", err)
	}
}

// patterns looks for those that match none of documents, and for a root that is not
// there: one that is misspelt does nothing, and nobody is told.
func (i *inspection) patterns(documents []string) {
	if i.cfg.Assets == nil {
		return
	}
	root := path.Clean(i.cfg.Assets.Root)
	brought := errors.New("the target brings it")
	_, err := i.view.Stat(root)
	if errors.Is(err, fs.ErrNotExist) {
		err = i.view.walkChanges(i.view.abs(root), func(string, func() (fs.FileInfo, error)) error { return brought })
		if err == nil {
			i.add("assets", Doubt, "correct the path, or see that something makes it before", "assets.root: %s is not there", root)
		}
	}
	for n, glob := range i.cfg.Assets.Rewrite {
		matches := func(name string) bool { return doublestar.MatchUnvalidated(glob, name) }
		stamped := func(s config.Stamp) bool { return matches(s.File) }
		if !slices.ContainsFunc(documents, matches) && !slices.ContainsFunc(i.cfg.Stamp, stamped) {
			i.add("assets", Doubt, "correct the pattern, or remove it", "assets.rewrite[%d]: %q matches no file", n, glob)
		}
	}
}

// state looks at the lock and at what was interrupted.
func (i *inspection) state() {
	s := i.site
	info, err := os.Stat(s.state.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if i.writable(filepath.Dir(s.state.dir)) {
			i.add("state", Good, "", "no release yet")
		}
		return
	case err != nil:
		i.fail("state", err)
		return
	case info.Mode().Perm()&0o077 != 0:
		i.add("state", Problem, "chmod 700 "+s.state.dir, "others may read %s, which has backups of the configuration", s.state.dir)
	}
	if !i.writable(s.state.dir, s.state.journals(), s.state.lockFile()) {
		return
	}
	if locked(s.state.lockFile()) {
		i.add("lock", Doubt, "", "held by %v", readHolder(s.state.lockFile()))
	}
	due, err := s.due()
	switch {
	case err != nil:
		i.fail("state", err)
	case due != nil && s.watched(due).Status != Running:
		i.add("state", Problem, i.remedy(asError(due)), "%v", asError(due))
	default:
		i.add("state", Good, "", "nothing is unfinished")
		if live, err := s.Current(); err == nil && due == nil && s.Astray(live) {
			i.add("current", Problem, "put it right with 'revstamp release'", "%s does not lead to release %s, which is live", s.Config.Current(), live.ID)
		}
	}
}

// writable reports whether this user may write all of names, and tells of the
// first that he may not. What is not there a release makes.
func (i *inspection) writable(names ...string) bool {
	for _, name := range names {
		if err := unix.Access(name, unix.W_OK); err != nil && !errors.Is(err, fs.ErrNotExist) {
			i.add("state", Problem, "release as the user to whom it belongs, and see that it can be written", "%s: %v", name, err)
			return false
		}
	}
	return true
}

// few is how much is little, and least what a release needs for its journal alone.
const (
	fewBytes    = 256 << 20
	fewInodes   = 10_000
	leastBytes  = 1 << 20
	leastInodes = 16
)

func (i *inspection) space() {
	var st unix.Statfs_t
	if err := unix.Statfs(i.cfg.Dir, &st); err != nil {
		i.fail("space", err)
		return
	}
	free := st.Bavail * uint64(st.Bsize)
	level := Doubt
	if free < leastBytes || st.Files > 0 && st.Ffree < leastInodes {
		level = Problem
	}
	switch {
	case free < fewBytes:
		i.add("space", level, "make room", "only %s are free", megabytes(free))
	case st.Files > 0 && st.Ffree < fewInodes:
		i.add("space", level, "remove files", "only %d inodes are free", st.Ffree)
	default:
		i.add("space", Good, "", "%s are free", megabytes(free))
	}
}

// files looks whether this user may replace what is stamped, and keep its owner.
func (i *inspection) files() {
	if i.cfg.Layout == config.Releases {
		i.unwritable(i.cfg.Dir)
		return
	}
	for _, st := range i.cfg.Stamp {
		abs := i.cfg.Abs(st.File)
		if i.unwritable(filepath.Dir(abs)) {
			continue
		}
		info, err := os.Stat(abs)
		if err != nil {
			continue // the plan has said so, or the target brings it
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if ok && int(owner.Uid) != os.Geteuid() && os.Geteuid() != 0 && ownerPolicy(i.cfg) == 0 {
			i.add("files", Problem, "release as that user, or allow it with owner: best-effort",
				"%s belongs to user %d, which could not be kept", st.File, owner.Uid)
		}
	}
}

// unwritable reports whether this user may write no file in dir, and tells of it. Of one
// that is not there the plan has told, or the target brings it.
func (i *inspection) unwritable(dir string) bool {
	err := unix.Access(dir, unix.W_OK)
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return false
	case errors.Is(err, unix.EROFS):
		i.add("files", Problem, "mount it for writing", "%s: %v", dir, err)
	default:
		i.add("files", Problem, "release as the user to whom it belongs", "%s: %v", dir, err)
	}
	return true
}

// exposed looks for what visitors could read and should not.
func (i *inspection) exposed() {
	if i.cfg.Assets == nil || i.cfg.Layout == config.Releases {
		return
	}
	root := i.cfg.Abs(i.cfg.Assets.Root)
	for _, name := range []string{".git", ".svn", ".hg", filepath.Base(i.cfg.File)} {
		if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
			i.add("exposed", Doubt, `see that the server refuses it: "revstamp conf nginx", and "revstamp check --url"`,
				"%s lies in %s, which is served", name, i.cfg.Assets.Root)
			return
		}
	}
}

func (i *inspection) hooks() {
	for _, h := range i.cfg.Hooks {
		switch {
		case h.PIDFile != "":
			if _, err := os.Stat(h.File(i.cfg)); err != nil {
				i.add("hooks", Problem, "start the server, or correct the path", "%v", err)
			}
		case h.Shell == "":
			i.program("hooks", h.Pos, h.Command[0], i.around(h))
		}
	}
}

// around is what hook h finds where it runs; nil when that could not be told. Until the
// release's files are there, that is what is there now.
func (i *inspection) around(h config.Hook) *tree {
	if h.BeforeFiles(i.cfg.Layout) {
		return &tree{base: i.cfg.Dir}
	}
	return i.view
}

// program looks whether a release can run the program that the configuration names at
// pos: a file in v, or one that is installed.
func (i *inspection) program(topic string, pos config.Pos, name string, v *tree) {
	if !strings.Contains(name, "/") || filepath.IsAbs(name) {
		if _, err := exec.LookPath(name); err != nil {
			i.add(topic, Problem, "install it, or correct the name", "%v: %v", pos, err)
		}
		return
	}
	if v == nil || !filepath.IsLocal(name) {
		return
	}
	info, err := v.Stat(path.Clean(name))
	_, brought := info.(coming) // whose mode Subversion does not tell
	switch {
	case errors.Is(err, fs.ErrNotExist):
		i.add(topic, Doubt, "correct the path, or see that something makes it before", "%v: %s is not there", pos, name)
	case err != nil:
		i.add(topic, Problem, i.remedy(err), "%v: %v", pos, err)
	case info.IsDir() || !brought && info.Mode()&0o111 == 0:
		i.add(topic, Problem, "make it executable, or name what runs it, as in [sh, "+name+"]", "%v: %s is no program", pos, name)
	}
}

// serverTime is how long a job server has to answer.
const serverTime = 3 * time.Second

// jobs asks the job servers whether somebody would do what is queued.
func (i *inspection) jobs(ctx context.Context) {
	tls, err := i.cfg.Jobs.TLS.Client()
	if err != nil {
		i.add("jobs", Problem, "correct jobs.tls", "%v", err)
		return
	}
	if len(i.cfg.Jobs.Servers) == 0 {
		for _, function := range slices.Sorted(maps.Keys(i.cfg.Jobs.Workers)) {
			w := i.cfg.Jobs.Workers[function]
			i.program("jobs", w.Pos, w.Command[0], i.view)
		}
	}
	for _, server := range i.cfg.Jobs.Servers {
		ctx, cancel := context.WithTimeoutCause(ctx, serverTime, fmt.Errorf("no answer in %v", serverTime))
		functions, err := (&gearman.Admin{Addr: server, TLS: tls}).Status(ctx)
		cancel()
		if err != nil {
			i.add("jobs", Problem, "start it, or correct jobs.servers", "job server %s: %v", server, err)
			continue
		}
		workers := make(map[string]int)
		for _, f := range functions {
			workers[f.Function] = f.Workers
		}
		var idle []string
		for _, q := range i.cfg.Jobs.Queue {
			if workers[q.Function] == 0 {
				idle = append(idle, q.Function)
			}
		}
		if len(idle) > 0 {
			i.add("jobs", Doubt, "start one, as with \"revstamp worker\"", "job server %s has no worker for %s", server, strings.Join(idle, ", "))
			continue
		}
		i.add("jobs", Good, "", "job server %s answers, with workers for all that is queued", server)
	}
}
