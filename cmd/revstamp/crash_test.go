package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/gearman"
	"revstamp/gearman/gearmantest"
	"revstamp/testdata/need"
	"revstamp/vcs"
)

// result is what a run of revstamp ended with.
type result struct {
	status int // -9 when it was killed
	output string
}

// programVar in the environment names another build of the command to run.
const programVar = "REVSTAMP_TEST_PROGRAM"

// revstamp runs the command in dir, with env added to the environment.
func revstamp(t *testing.T, dir string, env []string, args ...string) result {
	t.Helper()
	program := "revstamp"
	for _, v := range env {
		if path, ok := strings.CutPrefix(v, programVar+"="); ok {
			program = path
		}
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "XDG_STATE_HOME="+dir+"-state"), env...)
	out, err := cmd.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok {
		if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
			return result{-int(ws.Signal()), string(out)}
		}
		return result{exit.ExitCode(), string(out)}
	}
	if err != nil {
		t.Fatal(err)
	}
	return result{0, string(out)}
}

// contents are all files below dir but those of the version control system and
// of revstamp, by path.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", ".svn", ".hg", ".revstamp":
				return fs.SkipDir
			}
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			all[strings.TrimPrefix(path, dir)] = "-> " + target
			return err
		}
		data, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// crashSite makes, in dir, a site whose first release is live and whose
// upstream has changed every kind of file since.
func crashSite(t *testing.T, dir, jobServer string, p plumbing) {
	t.Helper()
	files := map[string]string{
		"config/config.php": "<?php\n$config['svn'] = '0';\n$config['n'] = 1;\n",
		"public/index.php":  "<link href=\"/a.css\">\n<img src=\"/b.png\">\n",
		"public/old.php":    "<link href=\"/a.css\">\n",
		"public/a.css":      "a{}\n",
		"public/b.png":      "b\n",
		"public/kept.php":   "<link href=\"/a.css\">\n",
		"lib/gone.php":      "<?php\n",
		"lib/mode.php":      "<?php\n",
		"revstamp.yaml": "site: crash\n" + p.layout(dir) + "stamp:\n  - { file: config/config.php, key: \"$config['svn']\", value: \"{{.Short}}\" }\n" +
			"assets: { root: public, rewrite: [\"public/**/*.php\"] }\n" +
			"jobs:\n  servers: [\"" + jobServer + "\"]\n  follow: 0s\n  queue: [{ function: warm, workload: \"{{.Revision}}\" }]\n",
	}
	work := filepath.Join(dir, "work")
	write(t, work, files)
	p.create(t, dir)
	if p.source != nil {
		check(t, os.Mkdir(filepath.Join(dir, "site"), 0o755))
		check(t, os.Rename(filepath.Join(work, "revstamp.yaml"), filepath.Join(dir, "site", "revstamp.yaml")))
	}
	if r := revstamp(t, filepath.Join(dir, "site"), nil, "release"); r.status != exitDone {
		t.Fatalf("first release: %+v", r)
	}
	write(t, work, map[string]string{
		"config/config.php": "<?php\n// new\n$config['svn'] = '0';\n$config['n'] = 2;\n",
		"public/index.php":  "<link href=\"/a.css\">\n<p>new</p><img src=\"/b.png\"><img src=\"/c.png\">\n",
		"public/a.css":      "a{color:red}\n",
		"public/c.png":      "c\n",
		"lib/new.php":       "<?php\n",
		"public/big.txt":    strings.Repeat("easy to pack ", 20000),
	})
	if err := os.Remove(filepath.Join(work, "public/old.php")); err != nil {
		t.Fatal(err)
	}
	p.commit(t, dir)
	p.spoil(t, filepath.Join(dir, "site"))
}

// spoil makes the local changes that a site is to have.
func (p plumbing) spoil(t *testing.T, site string) {
	t.Helper()
	if p.local == "" {
		return
	}
	change := func(name, old, new string) {
		data, err := os.ReadFile(filepath.Join(site, name))
		check(t, err)
		if !strings.Contains(string(data), old) {
			t.Fatalf("%s has no %q: %q", name, old, data)
		}
		write(t, site, map[string]string{name: strings.Replace(string(data), old, new, 1)})
	}
	change("public/kept.php", "<link", "mine <link")
	write(t, site, map[string]string{"untracked": "mine\n"})
	if p.local != "keep" {
		change("config/config.php", "= 1;", "= 'mine';")
		change("public/index.php", "<img", "mine <img")
		change("public/old.php", "<link", "mine <link")
		change("public/a.css", "a{}", "mine{}")
	}
	if p.bare { // of what only the tree tells
		check(t, os.Remove(filepath.Join(site, "lib/gone.php")))
		check(t, os.Chmod(filepath.Join(site, "lib/mode.php"), 0o755))
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// plumbing is a version control system as the crash tests need it.
type plumbing struct {
	create, commit func(t *testing.T, dir string)

	// source is what a site in the releases layout is cloned from; nil is the
	// layout in place, and then create makes the site, too.
	source func(dir string) string

	// local is what becomes of local changes in a site in place, which has some
	// then: in files that the update touches unless they are kept.
	local string
	bare  bool // a file is gone, and another executable, too, which svn would mend or not see
}

// layout is what the configuration says of it.
func (p plumbing) layout(dir string) string {
	if p.source == nil {
		if p.local != "" {
			return "source: { local: " + p.local + " }\n"
		}
		return ""
	}
	return "layout: releases\nsource: " + p.source(dir) + "\nshared: [uploads/]\n"
}

// view is what visitors see of a site.
func (p plumbing) view(t *testing.T, site string) map[string]string {
	t.Helper()
	if p.source == nil {
		all := contents(t, site)
		if p.local != "" {
			for name := range all {
				info, err := os.Lstat(site + name)
				check(t, err)
				all[name] += info.Mode().String()
			}
		}
		return all
	}
	live, err := filepath.EvalSymlinks(filepath.Join(site, "current"))
	check(t, err)
	return contents(t, live)
}

var gitPlumbing = plumbing{
	create: func(t *testing.T, dir string) {
		ctx, work := t.Context(), filepath.Join(dir, "work")
		check(t, vcs.Create(ctx, work))
		_, err := vcs.CommitAll(ctx, work, "one", "Ada <ada@example.org>", time.Unix(1767323045, 0))
		check(t, err)
		check(t, vcs.Clone(ctx, work, filepath.Join(dir, "site"), vcs.CloneOptions{}))
	},
	commit: func(t *testing.T, dir string) {
		_, err := vcs.CommitAll(t.Context(), filepath.Join(dir, "work"), "two", "Ada <ada@example.org>", time.Unix(1767409445, 0))
		check(t, err)
	},
}

// In the releases layout the repository is where revstamp.yaml is taken out of.
var gitReleases = plumbing{
	create: func(t *testing.T, dir string) {
		ctx, work := t.Context(), filepath.Join(dir, "work")
		check(t, vcs.Create(ctx, work))
		_, err := vcs.CommitAll(ctx, work, "one", "Ada <ada@example.org>", time.Unix(1767323045, 0))
		check(t, err)
	},
	commit: gitPlumbing.commit,
	source: func(dir string) string { return fmt.Sprintf("{ url: %q }", filepath.Join(dir, "work")) },
}

var svnReleases = plumbing{
	create: func(t *testing.T, dir string) {
		trunk := "file://" + dir + "/repo/trunk"
		sh(t, dir, "svnadmin", "create", "repo")
		sh(t, dir, "svn", "import", "-q", "-m", "one", "work", trunk)
		sh(t, dir, "svn", "checkout", "-q", "--force", trunk, "work")
	},
	commit: func(t *testing.T, dir string) {
		sh(t, dir, "svn", "rm", "-q", "--force", "work/revstamp.yaml")
		svnPlumbing.commit(t, dir)
	},
	source: func(dir string) string { return fmt.Sprintf("{ url: %q, system: svn }", "file://"+dir+"/repo/trunk") },
}

var hgReleases = plumbing{
	create: func(t *testing.T, dir string) {
		sh(t, dir, "hg", "init", "work")
		sh(t, dir, "hg", "commit", "--cwd", "work", "-q", "-A", "-u", "Ada <ada@example.org>", "-d", "1767323045 0", "-m", "one")
	},
	commit: hgPlumbing.commit,
	source: func(dir string) string { return fmt.Sprintf("{ url: %q, system: hg }", filepath.Join(dir, "work")) },
}

var svnPlumbing = plumbing{
	create: func(t *testing.T, dir string) {
		trunk := "file://" + dir + "/repo/trunk"
		sh(t, dir, "svnadmin", "create", "repo")
		sh(t, dir, "svn", "import", "-q", "-m", "one", "work", trunk)
		sh(t, dir, "svn", "checkout", "-q", "--force", trunk, "work")
		sh(t, dir, "svn", "checkout", "-q", trunk, "site")
	},
	commit: func(t *testing.T, dir string) {
		sh(t, dir, "svn", "add", "-q", "--force", "work")
		sh(t, dir, "svn", "rm", "-q", "--force", "work/public/old.php")
		sh(t, dir, "svn", "commit", "-q", "-m", "two", "work")
	},
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sh(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// TestResumeAfterKill kills a release after each of its journal records in
// turn. Resume must end in the very state of an undisturbed release, abort in
// the one before it, and the job must be queued once.
func TestResumeAfterKill(t *testing.T) { disturb(t, syscall.SIGKILL, -int(syscall.SIGKILL)) }

// TestResumeAfterInterrupt does the same with SIGINT, which ends with a status
// of its own and, where the release was live already, late.
func TestResumeAfterInterrupt(t *testing.T) { disturb(t, syscall.SIGINT, exitInterrupted) }

// TestResumeRollback kills a rollback in the same way: in the releases layout it
// builds nothing, and has fewer records.
func TestResumeRollback(t *testing.T) {
	need.Program(t, "gearmand", "svn", "svnadmin")
	program := programVar + "=" + buildStatic(t)
	for _, c := range []crash{
		{name: "git", plumbing: gitPlumbing, command: "rollback", records: 15},
		{name: "svn", plumbing: svnPlumbing, command: "rollback", records: 15},
		{name: "git, releases", plumbing: gitReleases, command: "rollback", records: 10},
	} {
		if testing.Short() && c.name == "svn" {
			continue // which does the same, slowly
		}
		c.env = []string{program}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, syscall.SIGKILL, -int(syscall.SIGKILL))
		})
	}
}

// TestResumeLocal kills releases of sites with local changes in the same way:
// resumed, what was decided about them has been done; aborted, they are all there
// again, and still somebody else's.
func TestResumeLocal(t *testing.T) {
	need.Program(t, "gearmand", "git", "svn", "svnadmin", "hg")
	program := programVar + "=" + buildStatic(t)
	for _, local := range []string{"keep", "save", "overwrite"} {
		for _, c := range []crash{
			{name: "git", plumbing: gitPlumbing, env: []string{program}},
			{name: "go-git", plumbing: gitPlumbing, env: []string{program, "PATH=" + pathWithout(t, "git")}},
			{name: "hg", plumbing: hgPlumbing, env: []string{program}},
			{name: "svn", plumbing: svnPlumbing, env: []string{program}},
		} {
			if c.name != "git" && local != "save" || testing.Short() && c.name+local != "gitsave" {
				continue // what differs from git does so in saving, too, and takes long
			}
			c.command, c.records, c.local, c.bare = "release", 15, local, c.name != "svn"
			t.Run(c.name+", "+local, func(t *testing.T) {
				t.Parallel()
				c.run(t, syscall.SIGKILL, -int(syscall.SIGKILL))
			})
		}
	}
}

func disturb(t *testing.T, sig syscall.Signal, status int) {
	need.Program(t, "gearmand", "git", "svn", "svnadmin", "hg")
	// More than a thousand processes are run: without the race detector, under
	// which the scripts run.
	program := programVar + "=" + buildStatic(t)
	all := []crash{
		{name: "git", plumbing: gitPlumbing, env: []string{program}},
		{name: "go-git", plumbing: gitPlumbing, env: []string{program, "PATH=" + pathWithout(t, "git")}},
		{name: "git, releases", plumbing: gitReleases, env: []string{program}},
	}
	if !testing.Short() || sig == syscall.SIGKILL { // svn takes a second for each record
		all = append(all,
			crash{name: "svn", plumbing: svnPlumbing, env: []string{program}},
			crash{name: "svn, releases", plumbing: svnReleases, env: []string{program}})
	}
	if !testing.Short() { // hg starts slowly
		all = append(all,
			crash{name: "hg", plumbing: hgPlumbing, env: []string{program}},
			crash{name: "hg, releases", plumbing: hgReleases, env: []string{program}})
	}
	for _, c := range all {
		c.command, c.records = "release", 15
		if testing.Short() && strings.HasPrefix(c.name, "svn") {
			c.step = 3
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, sig, status)
		})
	}
}

// crash is a site to be disturbed in its second release, or in going back from it.
type crash struct {
	name string
	plumbing
	env     []string
	command string // what is disturbed
	records int    // how many journal records that has at the least
	step    int    // from one record to the next after which it is; zero is one

	server        *gearmantest.Server
	base          string
	before, after map[string]string // the site before that release, and after
	queued        int               // jobs that must be waiting
}

// run sends sig to the command after each of its records in turn, or some of them.
func (c *crash) run(t *testing.T, sig syscall.Signal, status int) {
	c.prepare(t)
	n := 1
	for c.disturbed(t, n, sig, status) {
		n += max(c.step, 1)
	}
	if n <= c.records {
		t.Errorf("the %s had only %d records", c.command, n-1)
	}
	t.Logf("%v after %d records, or each %d. of them", sig, n-1, max(c.step, 1))
}

func (c *crash) prepare(t *testing.T) {
	c.server = gearmantest.Start(t)
	c.base = t.TempDir()
	crashSite(t, c.base, c.server.Addr, c.plumbing)
	c.queued = 1 // by the first release
	if c.command == "rollback" {
		if r := revstamp(t, filepath.Join(c.base, "site"), c.env, "release"); r.status != exitDone {
			t.Fatalf("second release: %+v", r)
		}
		c.queued++
	}
	c.before = c.view(t, filepath.Join(c.base, "site"))
	undisturbed := copyOf(t, c.base)
	if r := revstamp(t, undisturbed, c.env, c.command); r.status != exitDone {
		t.Fatalf("undisturbed %s: %+v", c.command, r)
	}
	c.after = c.view(t, undisturbed)
	c.queued++
}

// disturbed sends sig to a release after its record n, and reports false when
// it had fewer.
func (c *crash) disturbed(t *testing.T, n int, sig syscall.Signal, status int) bool {
	site := copyOf(t, c.base)
	r := revstamp(t, site, append(c.env, fmt.Sprint(signalAt, "=", n), fmt.Sprintf("%s=%d", signalNo, sig)), c.command)
	if r.status == exitDone && !strings.Contains(r.output, "interrupt") && n > c.records {
		c.queued++
		return false
	}
	if r.status != status && !live(t, site, c.env) {
		t.Fatalf("after record %d: %+v, want status %d", n, r, status)
	}
	other := copyOf(t, filepath.Dir(site))
	finish(t, site, c.env, "resume")
	if diff := cmp.Diff(c.after, c.view(t, site)); diff != "" {
		t.Fatalf("after record %d, resumed (-undisturbed +got):\n%s", n, diff)
	}
	c.queued++
	if got := waiting(t, c.server.Addr, "warm"); got != c.queued {
		t.Fatalf("after record %d: %d jobs are queued, want %d", n, got, c.queued)
	}
	want := c.before
	if live(t, other, c.env) {
		want = c.after
	}
	finish(t, other, c.env, "abort")
	if diff := cmp.Diff(want, c.view(t, other)); diff != "" {
		t.Fatalf("after record %d, aborted (-want +got):\n%s", n, diff)
	}
	if c.local != "" && !live(t, other, c.env) {
		r := revstamp(t, other, c.env, "plan", "--local=refuse")
		if r.status != exitFailed || !strings.Contains(r.output, "local changes in") || !strings.Contains(r.output, "+mine <link") {
			t.Fatalf("after record %d, aborted, the local changes are not somebody else's any more: %+v", n, r)
		}
	}
	leftovers(t, site)
	leftovers(t, other)
	return true
}

// finish runs command, before which a plain release says that it is due.
func finish(t *testing.T, site string, env []string, command string) {
	t.Helper()
	if !live(t, site, env) {
		r := revstamp(t, site, env, "release")
		if r.status != exitUnfinished || !strings.Contains(r.output, "revstamp resume") {
			t.Fatalf("release after a kill: %+v", r)
		}
	}
	if r := revstamp(t, site, env, command); r.status != exitDone {
		t.Fatalf("%s: %+v", command, r)
	}
}

// live reports whether the newest release is complete.
func live(t *testing.T, site string, env []string) bool {
	return strings.Contains(revstamp(t, site, env, "--json", "show").output, `"status":"live"`)
}

// leftovers fails the test when a temporary file was left behind.
func leftovers(t *testing.T, site string) {
	t.Helper()
	for name := range contents(t, site) {
		if strings.HasSuffix(name, ".revstamp") {
			t.Errorf("%s was left behind", name)
		}
	}
}

// copyOf copies the directory that holds a site and returns the site's copy.
func copyOf(t *testing.T, base string) string {
	t.Helper()
	dir := t.TempDir()
	sh(t, dir, "cp", "-a", filepath.Join(base, "site"), "site")
	return filepath.Join(dir, "site")
}

// waiting counts the jobs of function on the job server at addr.
func waiting(t *testing.T, addr, function string) int {
	t.Helper()
	functions, err := (&gearman.Admin{Addr: addr}).Status(context.Background())
	check(t, err)
	for _, f := range functions {
		if f.Function == function {
			return f.Total
		}
	}
	return 0
}

// pathWithout is a PATH without the named program.
func pathWithout(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range filepath.SplitList(os.Getenv("PATH")) {
		entries, _ := os.ReadDir(from)
		for _, e := range entries {
			if e.Name() != name && !strings.HasPrefix(e.Name(), name+"-") {
				_ = os.Symlink(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name()))
			}
		}
	}
	return dir
}

// stampRun is a file that "revstamp stamp" is to change, with a state
// directory, both in a directory of their own.
type stampRun struct {
	program, dir string
}

const unstamped, stamped = "<?php\n$config['svn'] = '1';\n", "<?php\n$config['svn'] = '2';\n"

func (s stampRun) file() string  { return filepath.Join(s.dir, "site", "config.php") }
func (s stampRun) state() string { return filepath.Join(s.dir, "state") }

// run stamps, under strace if it is given options.
func (s stampRun) run(t *testing.T, options ...string) (status int, output string) {
	t.Helper()
	var args []string
	if len(options) > 0 {
		args = append([]string{"strace", "-f", "-qq", "-e", "signal=none"}, options...)
	}
	args = append(args, s.program, "stamp", "--file", s.file(), "--key", "$config['svn']", "--value", "2", "--backups", filepath.Join(s.dir, "backups"))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+s.state(), "GOMAXPROCS=1", lockThread+"=1")
	out, err := cmd.CombinedOutput()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Error(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// point is the nth call of a name in the first thread.
type point struct {
	call string
	nth  int
	line string
}

// inert are the calls of Go's runtime, which touch no file.
var inert = map[string]bool{
	"futex": true, "mmap": true, "munmap": true, "madvise": true, "rt_sigaction": true, "rt_sigprocmask": true, "rt_sigreturn": true,
	"sigaltstack": true, "nanosleep": true, "getrandom": true, "sched_yield": true, "tgkill": true, "getpid": true, "gettid": true,
	"clone": true, "clone3": true, "epoll_create1": true, "epoll_ctl": true, "epoll_pwait": true, "eventfd2": true, "fcntl": true,
	"prlimit64": true, "restart_syscall": true, "geteuid": true, "getegid": true, "uname": true,
}

// points returns the calls on files that a stamp makes, from the first one on
// that names the directory.
func (s stampRun) points(t *testing.T) (points []point) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	s.make(t)
	if status, out := s.run(t, "-s", "200", "-o", trace); status != 0 {
		t.Fatalf("status %d, %s", status, out)
	}
	data, err := os.ReadFile(trace)
	check(t, err)
	count, thread, begun := map[string]int{}, "", false
	for line := range strings.Lines(string(data)) {
		m := regexp.MustCompile(`^(\d+) +([a-z0-9_]+)\(`).FindStringSubmatch(line)
		if m == nil || thread != "" && m[1] != thread {
			continue
		}
		thread = m[1]
		count[m[2]]++
		begun = begun || strings.Contains(line, s.dir) && m[2] != "execve"
		if begun && !inert[m[2]] {
			points = append(points, point{m[2], count[m[2]], strings.TrimSpace(line)})
		}
	}
	if len(points) < 50 {
		t.Fatalf("only %d calls in %s", len(points), data)
	}
	return points
}

// make makes the directory anew.
func (s stampRun) make(t *testing.T) {
	t.Helper()
	write(t, s.dir, map[string]string{"site/config.php": unstamped})
}

// each disturbs a stamp at each of the points, a few at a time, in a directory
// of its own.
func (s stampRun) each(points []point, disturb func(p point, s stampRun)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range 3 {
		wg.Go(func() {
			for i := range next {
				disturb(points[i], stampRun{s.program, filepath.Join(s.dir, fmt.Sprint(i))})
			}
		})
	}
	for i := range points {
		next <- i
	}
	close(next)
	wg.Wait()
}

// whole reports whether the file is stamped, and fails if it is torn.
func (s stampRun) whole(t *testing.T, what string) bool {
	t.Helper()
	data, err := os.ReadFile(s.file())
	if err != nil || string(data) != unstamped && string(data) != stamped {
		t.Errorf("%s: %q, %v", what, data, err)
	}
	return string(data) == stamped
}

// left lists temporary files and lists of them.
func (s stampRun) left(t *testing.T) (left []string) {
	t.Helper()
	for name := range contents(t, s.dir) {
		if strings.HasSuffix(name, ".revstamp") || strings.Contains(name, "/temps-") {
			left = append(left, name)
		}
	}
	return left
}

// fastDir is in memory where it can be.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "revstamp-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestStamp disturbs "revstamp stamp" in every way.
func TestStamp(t *testing.T) {
	need.Program(t, "strace")
	program := buildStatic(t)
	t.Run("killed", func(t *testing.T) { stampKilled(t, stampRun{program, fastDir(t)}) })
	t.Run("failing", func(t *testing.T) { stampFailing(t, stampRun{program, fastDir(t)}) })
	t.Run("left behind", func(t *testing.T) { stampLeavesBehind(t, stampRun{program, fastDir(t)}) })
	t.Run("rivals", func(t *testing.T) { stampRivals(t, program) })
}

// stampKilled kills it before each system call on files that
// its main thread makes: the file is wholly old or wholly new each time, and
// the next run finishes the work and leaves nothing behind.
func stampKilled(t *testing.T, s stampRun) {
	points := s.points(t)
	var mu sync.Mutex
	counts := map[string]int{}
	s.each(points, func(p point, s stampRun) {
		s.make(t)
		what := fmt.Sprintf("killed at %s #%d (%.150s)", p.call, p.nth, p.line)
		if status, out := s.run(t, "-o", "/dev/null", "-e", "trace="+p.call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", p.call, p.nth)); status >= 0 {
			t.Errorf("%s: it lived: %s", what, out)
		}
		result := map[bool]string{true: "new", false: "old"}[s.whole(t, what)]
		left := len(s.left(t))
		if status, out := s.run(t); status != 0 || !s.whole(t, what) {
			t.Errorf("%s: the next run: status %d, %s", what, status, out)
		}
		if left := s.left(t); len(left) > 0 {
			t.Errorf("%s: left behind by the next run: %q", what, left)
		}
		mu.Lock()
		defer mu.Unlock()
		counts[result]++
		counts["left behind"] += left
	})
	t.Logf("killed at %d system calls: %v", len(points), counts)
	if counts["old"] == 0 || counts["new"] == 0 || counts["left behind"] == 0 {
		t.Error("the kills missed a stage of the work")
	}
}

// stampFailing lets each of these calls fail: success and new, or an error
// and old, and the next run leaves nothing behind.
func stampFailing(t *testing.T, s stampRun) {
	points := s.points(t)
	for i, errno := range []string{"EIO", "ENOSPC", "EINTR"} {
		var mu sync.Mutex
		statuses := map[int]int{}
		top := stampRun{s.program, filepath.Join(s.dir, errno)}
		top.each(points, func(p point, s stampRun) {
			if p.call == "exit_group" {
				return
			}
			s.make(t)
			what := fmt.Sprintf("%s at %s #%d (%.150s)", errno, p.call, p.nth, p.line)
			status, out := s.run(t, "--seccomp-bpf", "-o", "/dev/null", "-e", "trace="+p.call, "-e", fmt.Sprintf("inject=%s:error=%s:when=%d", p.call, errno, p.nth))
			// The work is done by then.
			printing := strings.Contains(p.line, "write(1, ") || strings.Contains(p.line, "write(2, ")
			if made := s.whole(t, what); made != (status == exitDone) && !(made && printing) {
				t.Errorf("%s: status %d, but stamped: %v: %s", what, status, made, out)
			}
			if left := s.left(t); len(left) > 0 && i == 0 {
				s.run(t)
				if left := s.left(t); len(left) > 0 {
					t.Errorf("%s: left behind by the next run: %q", what, left)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
		t.Logf("%s at %d system calls: %v by exit status", errno, len(points), statuses)
		if statuses[exitDone] == 0 || statuses[exitFailed] == 0 {
			t.Error("the failures missed a stage of the work")
		}
	}
}

// stampLeavesBehind has a temporary file that cannot be removed: the list
// keeps it, and the next run that can removes it.
func stampLeavesBehind(t *testing.T, s stampRun) {
	s.make(t)
	// Every removal fails: of the temporary file, and of the list at the end.
	status, out := s.run(t, "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=unlinkat", "-e", "inject=unlinkat:error=EIO")
	if status != exitDone || !s.whole(t, "unlinkat") || !strings.Contains(out, "temporary file left behind") {
		t.Errorf("status %d, %s, want a warning", status, out)
	}
	if left := s.left(t); len(left) != 2 {
		t.Errorf("left behind: %q, want the file and its list", left)
	}
	// Nor can the next run, which does its work all the same and remembers both.
	check(t, os.WriteFile(s.file(), []byte(unstamped), 0o644))
	if status, out := s.run(t, "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=unlinkat", "-e", "inject=unlinkat:error=EIO"); status != exitDone || !s.whole(t, "unlinkat") {
		t.Errorf("the next run: status %d, %s", status, out)
	}
	if left := s.left(t); len(left) != 4 {
		t.Errorf("left behind: %q, want two files and two lists", left)
	}
	if status, out := s.run(t); status != exitDone {
		t.Errorf("the run after: status %d, %s", status, out)
	}
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left behind: %q, want nothing", left)
	}
}

// stampRivals runs two commands on one file at once, each for its own key
// and again when it is told that somebody else was quicker. Neither loses the
// other's value.
func stampRivals(t *testing.T, program string) {
	const rounds = 40
	dir := filepath.Join(fastDir(t), "site")
	file := filepath.Join(dir, ".env")
	write(t, dir, map[string]string{".env": "A=000\nB=000\n"})
	var again atomic.Int32
	for n := 1; n <= rounds; n++ {
		value := fmt.Sprintf("%03d", n)
		var wg sync.WaitGroup
		for _, key := range []string{"A", "B"} {
			wg.Go(func() {
				for {
					r := revstamp(t, dir, []string{programVar + "=" + program}, "stamp", "--file", file, "--key", key, "--value", value)
					if r.status == exitDone {
						return
					}
					if r.status != exitFailed || !strings.Contains(r.output, "changed by somebody else") {
						t.Errorf("round %d: %+v", n, r)
						return
					}
					again.Add(1)
				}
			})
		}
		wg.Wait()
		data, err := os.ReadFile(file)
		if want := "A=" + value + "\nB=" + value + "\n"; err != nil || string(data) != want {
			t.Fatalf("round %d: %q, %v, want %q", n, data, err, want)
		}
	}
	leftovers(t, dir)
	t.Logf("%d rounds, %d times somebody else was quicker", rounds, again.Load())
}

// buildStatic builds the command without the race detector, which makes system
// calls of its own. It is this test's binary, called by the command's name.
func buildStatic(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "revstamp")
	cmd := exec.Command("go", "test", "-c", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}
