package config

import (
	"fmt"
	"maps"
	"net"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/bmatcuk/doublestar/v4"
	"gopkg.in/yaml.v3"
)

// gearmanPort is where Gearman job servers listen, as registered with IANA.
const gearmanPort = "4730"

// notYet are keys that revstamp will have but does not have yet, by their
// path, and what they are for.
var notYet = map[string]string{
	"notify":  "notification",
	"rollout": "a rollout to several hosts",
}

// config reads the whole file.
func (r *reader) config(v value) *Config {
	c := &Config{
		Source:  Source{Pos: r.pos(v.node), Path: ".", Number: Highest, Local: RefuseLocal, System: Git},
		State:   ".revstamp",
		Jobs:    Jobs{Follow: 15 * time.Minute, OnFailure: Warn},
		Backups: Backups{Keep: 10},
		Owner:   KeepOwner,
		Umask:   -1,
		Layout:  InPlace,
		Keep:    5,
		KeepFor: 5 * time.Minute,

		Unchanged: Copy,
	}
	var root, state value // of assets.root and state
	var queue []value     // of jobs.queue
	known := keys{
		"site":    r.checked(&c.Site, checkSite),
		"source":  r.source(&c.Source),
		"state":   func(v value) { state = v; r.checked(&c.State, r.checkState)(v) },
		"stamp":   r.list(func(v value) { c.Stamp = append(c.Stamp, r.stamp(v)) }),
		"assets":  func(v value) { c.Assets, root = r.assets(v) },
		"hooks":   r.list(func(v value) { c.Hooks = append(c.Hooks, r.hook(v)) }),
		"check":   r.checks(&c.Checks),
		"jobs":    func(v value) { queue = r.jobs(v, &c.Jobs) },
		"backups": func(v value) { r.mapping(v, keys{"keep": r.number(&c.Backups.Keep, 0, 100_000)}) },
		"umask":   r.umask(&c.Umask),
		"owner":   oneOf(r, &c.Owner, KeepOwner, OwnerBestEffort),
	}
	maps.Copy(known, r.layout(c))
	r.mapping(v, known, "site")
	r.checkLayout(v, c)
	r.checkHooks(c)
	if root.node != nil && c.Layout == InPlace && contains(r.abs(c.Assets.Root), r.abs(c.State)) {
		r.fail(root, "set state to a directory outside, as in ../"+c.Site+".revstamp",
			"the state directory %q, with backups of the configuration, would be served to visitors", c.State)
	}
	if state.node != nil && c.Layout == InPlace && !contains(r.abs(c.State), r.dir) && contains(r.abs(c.State), r.abs(c.Source.Path)) {
		r.fail(state, "name a directory of its own, as in .revstamp", "%q would put the working copy into the state directory", c.State)
	}
	r.checkWorkers(c, queue)
	return c
}

func (r *reader) source(s *Source) setter {
	return func(v value) {
		s.Pos = r.pos(v.node)
		r.mapping(v, keys{
			"path":   r.checked(&s.Path, checkPath),
			"update": r.update(&s.Update),
			"number": oneOf(r, &s.Number, Highest, AsText, LastChanged),
			"local":  oneOf(r, &s.Local, RefuseLocal, KeepLocal, SaveLocal, OverwriteLocal),
			"url":    r.checked(&s.URL, checkSource),
			"system": oneOf(r, &s.System, Git, Svn, Hg),
		})
	}
}

// update reads the name of a revision. It ends up as an argument of a VCS
// client, which must not take it for an option.
func (r *reader) update(dst *string) setter {
	return func(v value) {
		var s string
		r.free(&s)(v)
		switch problem, hint := checkText(s); {
		case s == "" && problem != "": // not text, or empty: the default
		case problem != "":
			r.fail(v, hint, "%s", problem)
		case strings.HasPrefix(s, "-"):
			r.fail(v, "name a branch, a tag or an id", "%q begins with a dash", s)
		default:
			*dst = s
		}
	}
}

func (r *reader) stamp(v value) Stamp {
	s := Stamp{Pos: r.pos(v.node), Value: "{{.Revision}}"}
	var occurrence string
	r.mapping(v, keys{
		"file":        r.checked(&s.File, checkFile),
		"key":         r.text(&s.Key),
		"match":       r.text(&s.Match),
		"placeholder": r.text(&s.Placeholder),
		"value":       r.template(&s.Value),
		"format":      r.text(&s.Format),
		"type":        r.text(&s.Type),
		"occurrence":  oneOf(r, &occurrence, "one", "all"),
		"newlines":    r.boolean(&s.Newlines),
	}, "file")
	s.All = occurrence == "all"
	var given []string
	for _, by := range []struct{ name, text string }{{"key", s.Key}, {"match", s.Match}, {"placeholder", s.Placeholder}} {
		if by.text != "" {
			given = append(given, by.name)
		}
	}
	if len(given) > 1 {
		r.fail(v, "keep one of them", "has both %s", strings.Join(given, " and "))
	}
	return s
}

func (r *reader) assets(v value) (a *Assets, root value) {
	a = &Assets{Pos: r.pos(v.node), URL: "/", Param: "v", Style: ByQuery, Modules: ModulesWhenKnown, Keep: 5}
	r.mapping(v, keys{
		"root": func(v value) {
			root = v
			r.checked(&a.Root, checkPath)(v)
		},
		"url":     r.checked(&a.URL, checkURL),
		"hosts":   r.list(r.each(&a.Hosts, checkHost)),
		"version": oneOf(r, &a.Version, ByRevision, ByFile, ByDigest),
		"param":   r.checked(&a.Param, checkParam),
		"rewrite": r.list(r.each(&a.Rewrite, checkGlob)),
		"strict":  r.boolean(&a.Strict),

		"attributes": r.list(r.each(&a.Attributes, checkAttribute)),

		"style":    oneOf(r, &a.Style, ByQuery, ByName),
		"modules":  oneOf(r, &a.Modules, ModulesWhenKnown, AllModules, NoModules),
		"keep":     r.number(&a.Keep, 0, 100_000),
		"manifest": r.checked(&a.Manifest, checkFile),
		"compress": r.list(func(v value) {
			var c Coding
			if oneOf(r, &c, Gzip, Brotli, Zstd)(v); c != "" && !slices.Contains(a.Compress, c) {
				a.Compress = append(a.Compress, c)
			}
		}),
	}, "root")
	switch {
	case a.Style == ByName && (a.Version == ByRevision || a.Version == ByFile):
		r.fail(child(v, "version"), "remove it: it is digest", "a name must change when the file does, and at no other time")
	case a.Version == "" && a.Style == ByName:
		a.Version = ByDigest
	case a.Version == "":
		a.Version = ByRevision
	}
	if given := child(v, "keep"); given.node != nil && a.Style != ByName {
		r.fail(given, "remove it, or choose style: name", "only fingerprinted names are kept")
	}
	if a.Root == "" {
		root.node = nil
	}
	return a, root
}

// each reads entries of a list of texts.
func (r *reader) each(dst *[]string, check func(string) (string, string)) setter {
	return func(v value) {
		var s string
		if r.checked(&s, check)(v); s != "" {
			*dst = append(*dst, s)
		}
	}
}

// jobs also returns the value of each function to queue, in order.
func (r *reader) jobs(v value, j *Jobs) (functions []value) {
	j.Workers = map[string]Worker{}
	r.mapping(v, keys{
		"servers": r.list(r.server(&j.Servers)),
		"tls":     func(v value) { r.tls(v, &j.TLS) },
		"queue": r.list(func(v value) {
			job := r.job(v)
			j.Queue = append(j.Queue, job)
			functions = append(functions, v)
		}),
		"workers": func(v value) {
			r.pairs(v, func(name string, key, child value) {
				if problem, hint := checkFunction(name); problem != "" {
					r.fail(key, hint, "%s", problem)
				} else if r.usable(child) {
					j.Workers[name] = r.worker(child)
				}
			})
		},
		"follow":     r.duration(&j.Follow),
		"on_failure": oneOf(r, &j.OnFailure, Rollback, Warn),
	})
	if j.TLS != (TLS{}) && len(j.Servers) == 0 {
		r.fail(child(v, "tls"), "name the job servers in servers", "the embedded job server is in the process: no TLS leads to it")
	}
	if j.OnFailure == Rollback && j.Follow == 0 {
		r.fail(child(v, "on_failure"), "let follow say for how long", "a release that does not wait for its jobs cannot be undone by them")
	}
	return functions
}

// tls reads the files for connections to job servers.
func (r *reader) tls(v value, t *TLS) {
	r.mapping(v, keys{"ca": r.text(&t.CA), "cert": r.text(&t.Cert), "key": r.text(&t.Key)})
	if (t.Cert == "") != (t.Key == "") {
		r.fail(v, "name both", "cert and key belong together")
	}
}

// server reads host:port, the port of which may be left out.
func (r *reader) server(dst *[]string) setter {
	return func(v value) {
		s, ok := r.scalar(v, true)
		if !ok {
			return
		}
		addr, ok := address(s)
		if !ok {
			r.fail(v, "write it as host:port, as in 127.0.0.1:4730 or [::1]:4730", "%q is not the address of a job server", s)
			return
		}
		for _, other := range *dst {
			if other == addr {
				r.fail(v, "keep one of the two", "%q is given twice", addr)
				return
			}
		}
		*dst = append(*dst, addr)
	}
}

func address(s string) (string, bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), gearmanPort
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", false
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if _, number := strconv.Atoi(host); number == nil {
		return "", false // a port without a host
	}
	if err != nil || n == 0 || host == "" || strings.ContainsFunc(host, notHost) {
		return "", false
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), true
}

func (r *reader) job(v value) Job {
	j := Job{Pos: r.pos(v.node), Priority: Normal, Wait: Background, Attempts: 1, Backoff: 10 * time.Second}
	r.mapping(v, keys{
		"function": r.checked(&j.Function, checkFunction),
		"workload": r.template(&j.Workload),
		"priority": oneOf(r, &j.Priority, Low, Normal, High),
		"wait":     oneOf(r, &j.Wait, Background, Foreground),
		"attempts": r.number(&j.Attempts, 1, 100),
		"backoff":  r.duration(&j.Backoff),
	}, "function")
	if j.Wait == Foreground && j.Attempts > 1 {
		r.fail(child(v, "attempts"), "leave wait out", "only jobs in the background are done again")
	}
	return j
}

func (r *reader) worker(v value) Worker {
	w := Worker{Pos: r.pos(v.node), Concurrency: 1}
	r.mapping(v, keys{
		"command":     r.command(&w.Command),
		"timeout":     r.duration(&w.Timeout),
		"concurrency": r.number(&w.Concurrency, 1, 1000),
		"env":         r.env(&w.Env),
	}, "command")
	return w
}

// command reads a program and its arguments.
func (r *reader) command(dst *[]string) setter {
	args := r.list(func(v value) {
		if s, ok := r.scalar(v, true); ok {
			*dst = append(*dst, s)
		}
	})
	return func(v value) {
		args(v)
		if c := v.node.Content; v.node.Kind == yaml.SequenceNode && (len(c) == 0 || c[0].Value == "") {
			r.fail(v, "write it as [program, argument]", "names no program")
		}
	}
}

// env reads a mapping of names to values.
func (r *reader) env(dst *[]string) setter {
	return func(v value) {
		r.pairs(v, func(name string, key, child value) {
			var s string
			if strings.ContainsAny(name, "=\x00") {
				r.fail(key, "write NAME: value", "%q cannot name an environment variable", name)
			} else if r.usable(child) {
				r.free(&s)(child)
				*dst = append(*dst, name+"="+s)
			}
		})
	}
}

// checkWorkers sees that every job has somebody to run it: without job
// servers, workers elsewhere cannot.
func (r *reader) checkWorkers(c *Config, queue []value) {
	if len(c.Jobs.Servers) > 0 {
		return
	}
	for i, job := range c.Jobs.Queue {
		if _, ok := c.Jobs.Workers[job.Function]; !ok && job.Function != "" {
			r.fail(queue[i], "add it to jobs.workers, or name the job server whose workers run it in jobs.servers",
				"no worker runs %q", job.Function)
		}
	}
}

var sitePattern = lazily(`^[a-z0-9][a-z0-9._-]{0,31}$`)

func checkSite(s string) (problem, hint string) {
	if sitePattern().MatchString(s) {
		return "", ""
	}
	return fmt.Sprintf("%q cannot name a site", s), "use 1 to 32 of a-z 0-9 . _ - and begin with a letter or digit"
}

// checkPath accepts paths inside the configuration's directory.
func checkPath(s string) (problem, hint string) {
	if problem, hint = checkRelative(s); problem == "" && !inside(s) {
		return fmt.Sprintf("%q leaves the directory of the configuration", s), "move revstamp.yaml up, or the file down"
	}
	return problem, hint
}

// checkFile accepts what can be a file inside the configuration's directory.
func checkFile(s string) (problem, hint string) {
	if path.Clean(s) == "." || strings.HasSuffix(s, "/") {
		return fmt.Sprintf("%q is a directory", s), "name the file in it"
	}
	return checkPath(s)
}

// checkState accepts a relative path to a directory that does not hold the
// site itself.
func (r *reader) checkState(s string) (problem, hint string) {
	if problem, hint = checkRelative(s); problem == "" && contains(r.abs(s), r.dir) {
		return fmt.Sprintf("%q would put the site itself into the state directory", s), "name a directory of its own, as in .revstamp"
	}
	return problem, hint
}

func checkRelative(s string) (problem, hint string) {
	if path.IsAbs(s) {
		return fmt.Sprintf("%q is absolute", s), "write it relative to the directory of the configuration"
	}
	return "", ""
}

func inside(s string) bool { return filepath.IsLocal(filepath.FromSlash(s)) }

func (r *reader) abs(s string) string { return filepath.Join(r.dir, filepath.FromSlash(s)) }

// contains reports whether name is dir or lies below it; both are absolute.
func contains(dir, name string) bool {
	rel, err := filepath.Rel(dir, name)
	return err == nil && filepath.IsLocal(rel)
}

func checkURL(s string) (problem, hint string) {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
		return fmt.Sprintf("%q does not begin with one slash", s), "write the path that root is served under; hosts are listed in assets.hosts"
	}
	if strings.ContainsAny(s, "?# \\") {
		return fmt.Sprintf("%q is not the path of a URL", s), "write it as /static/"
	}
	return "", ""
}

func checkHost(s string) (problem, hint string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, "443"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || host == "" || strings.ContainsFunc(host, notHost) {
		return fmt.Sprintf("%q is not a host", s), "write the name alone, without https:// and without a path"
	}
	return "", ""
}

func notHost(c rune) bool {
	return c <= ' ' || c == 0x7f || strings.ContainsRune("/\\@?#,;*%<>|[]\"'", c)
}

var paramPattern = lazily(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

func checkParam(s string) (problem, hint string) {
	if paramPattern().MatchString(s) {
		return "", ""
	}
	return fmt.Sprintf("%q cannot name a query parameter", s), "use letters, digits and _ . -"
}

var attributePattern = lazily(`^[A-Za-z][A-Za-z0-9_:.-]*$`)

func checkAttribute(s string) (problem, hint string) {
	if attributePattern().MatchString(s) {
		return "", ""
	}
	return fmt.Sprintf("%q cannot name an attribute", s), "name it as in the page, as data-src"
}

func checkGlob(s string) (problem, hint string) {
	if !doublestar.ValidatePattern(s) {
		return fmt.Sprintf("%q is not a pattern", s), "close every [ and {; as in templates/**/*.{html,php}"
	}
	return checkPath(s)
}

// maxFunction is the longest function name that gearmand takes
// (GEARMAN_FUNCTION_MAX_SIZE).
const maxFunction = 512

func checkFunction(s string) (problem, hint string) {
	switch {
	case len(s) >= maxFunction:
		return fmt.Sprintf("a function name has less than %d bytes", maxFunction), "shorten it"
	case strings.ContainsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }):
		return fmt.Sprintf("%q cannot name a function", s), "remove the white space"
	case strings.HasPrefix(s, "revstamp."):
		return fmt.Sprintf("%q is one of revstamp's own", s), "choose a name that does not begin with revstamp."
	}
	return "", ""
}
