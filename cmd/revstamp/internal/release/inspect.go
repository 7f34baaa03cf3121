package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/gearman"
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
	coming := "nothing to release"
	if !p.Empty() {
		coming = fmt.Sprintf("%s and %s to release", plural(len(p.Commits), "commit"), plural(len(p.Edits), "edited file"))
	}
	i.add("source", Good, "", "the repository answers; %s is next, %s", short(p.To), coming)
	if n := len(p.Local); n > 0 {
		i.add("local", Doubt, "see them with 'revstamp plan'", "local changes in %s, which a release would %s", plural(n, "file"), i.cfg.Source.Local)
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

// few is how much is little.
const (
	fewBytes  = 256 << 20
	fewInodes = 10_000
)

func (i *inspection) space() {
	var st unix.Statfs_t
	if err := unix.Statfs(i.cfg.Dir, &st); err != nil {
		i.fail("space", err)
		return
	}
	free := st.Bavail * uint64(st.Bsize)
	switch {
	case free < fewBytes:
		i.add("space", Doubt, "make room", "only %s are free", megabytes(free))
	case st.Files > 0 && st.Ffree < fewInodes:
		i.add("space", Doubt, "remove files", "only %d inodes are free", st.Ffree)
	default:
		i.add("space", Good, "", "%s are free", megabytes(free))
	}
}

// files looks whether this user may replace what is stamped, and keep its owner.
func (i *inspection) files() {
	if i.cfg.Layout == config.Releases {
		if err := unix.Access(i.cfg.Dir, unix.W_OK); err != nil {
			i.add("files", Problem, "release as the user to whom it belongs", "%s: %v", i.cfg.Dir, err)
		}
		return
	}
	for _, st := range i.cfg.Stamp {
		abs := i.cfg.Abs(st.File)
		if err := unix.Access(filepath.Dir(abs), unix.W_OK); err != nil {
			i.add("files", Problem, "release as the user to whom it belongs", "%s: %v", filepath.Dir(abs), err)
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
			program := h.Command[0]
			if strings.Contains(program, "/") && !filepath.IsAbs(program) {
				continue // a file of the release
			}
			if _, err := exec.LookPath(program); err != nil {
				i.add("hooks", Problem, "install it, or correct the name", "%v", err)
			}
		}
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
