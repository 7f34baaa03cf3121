package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
			case ".git", ".svn", ".revstamp":
				return fs.SkipDir
			}
			return nil
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
		"revstamp.yaml": "site: crash\nstamp:\n  - { file: config/config.php, key: \"$config['svn']\", value: \"{{.Short}}\" }\n" +
			"assets: { root: public, rewrite: [\"public/**/*.php\"] }\n" +
			"jobs:\n  servers: [\"" + jobServer + "\"]\n  follow: 0s\n  queue: [{ function: warm, workload: \"{{.Revision}}\" }]\n",
	}
	work := filepath.Join(dir, "work")
	write(t, work, files)
	p.create(t, dir)
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
}

var gitPlumbing = plumbing{
	create: func(t *testing.T, dir string) {
		ctx, work := t.Context(), filepath.Join(dir, "work")
		check(t, vcs.Create(ctx, work))
		_, err := vcs.CommitAll(ctx, work, "one", "Ada <ada@example.org>", time.Unix(1767323045, 0))
		check(t, err)
		check(t, vcs.Clone(ctx, work, filepath.Join(dir, "site")))
	},
	commit: func(t *testing.T, dir string) {
		_, err := vcs.CommitAll(t.Context(), filepath.Join(dir, "work"), "two", "Ada <ada@example.org>", time.Unix(1767409445, 0))
		check(t, err)
	},
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

// records is how many journal records a release has at the least.
const records = 15

func disturb(t *testing.T, sig syscall.Signal, status int) {
	need.Program(t, "gearmand", "git", "svn", "svnadmin")
	// More than a thousand processes are run: without the race detector, under
	// which the scripts run.
	program := programVar + "=" + buildStatic(t)
	for _, c := range []crash{
		{name: "git", plumbing: gitPlumbing, env: []string{program}},
		{name: "go-git", plumbing: gitPlumbing, env: []string{program, "PATH=" + pathWithout(t, "git")}},
		{name: "svn", plumbing: svnPlumbing, env: []string{program}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.prepare(t)
			n := 1
			for c.disturbed(t, n, sig, status) {
				n++
			}
			if n <= records {
				t.Errorf("the release had only %d records", n-1)
			}
			t.Logf("%v after each of %d records", sig, n-1)
		})
	}
}

// crash is a site to be disturbed in its second release.
type crash struct {
	name string
	plumbing
	env []string

	server        *gearmantest.Server
	base          string
	before, after map[string]string // the site before that release, and after
	queued        int               // jobs that must be waiting
}

func (c *crash) prepare(t *testing.T) {
	c.server = gearmantest.Start(t)
	c.base = t.TempDir()
	crashSite(t, c.base, c.server.Addr, c.plumbing)
	c.before = contents(t, filepath.Join(c.base, "site"))
	undisturbed := copyOf(t, c.base)
	if r := revstamp(t, undisturbed, c.env, "release"); r.status != exitDone {
		t.Fatalf("undisturbed release: %+v", r)
	}
	c.after = contents(t, undisturbed)
	c.queued = 2 // by the first release and the undisturbed one
}

// disturbed sends sig to a release after its record n, and reports false when
// it had fewer.
func (c *crash) disturbed(t *testing.T, n int, sig syscall.Signal, status int) bool {
	site := copyOf(t, c.base)
	r := revstamp(t, site, append(c.env, fmt.Sprint(signalAt, "=", n), fmt.Sprintf("%s=%d", signalNo, sig)), "release")
	if r.status == exitDone && !strings.Contains(r.output, "interrupt") && n > records {
		c.queued++
		return false
	}
	if r.status != status && !live(t, site, c.env) {
		t.Fatalf("after record %d: %+v, want status %d", n, r, status)
	}
	other := copyOf(t, filepath.Dir(site))
	finish(t, site, c.env, "resume")
	if diff := cmp.Diff(c.after, contents(t, site)); diff != "" {
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
	if diff := cmp.Diff(want, contents(t, other)); diff != "" {
		t.Fatalf("after record %d, aborted (-want +got):\n%s", n, diff)
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

// TestStampKilled kills "revstamp stamp" at each system call that its main
// thread makes: the file is wholly old or wholly new each time, and the next
// run leaves nothing behind.
func TestStampKilled(t *testing.T) {
	need.Program(t, "strace")
	program := buildStatic(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "config.php")
	const old, want = "<?php\n$config['svn'] = '1';\n", "<?php\n$config['svn'] = '2';\n"
	stamp := func(options ...string) ([]byte, error) {
		check(t, os.WriteFile(file, []byte(old), 0o640))
		args := append(append([]string{"-f", "-qq"}, options...), program, "stamp", "--file", file, "--key", "$config['svn']", "--value", "2")
		cmd := exec.Command("strace", args...)
		cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+dir+"/state", "GOMAXPROCS=1", lockThread+"=1")
		return cmd.CombinedOutput()
	}
	trace := filepath.Join(t.TempDir(), "trace")
	if out, err := stamp("-o", trace); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	calls := mainThreadCalls(t, trace)
	counts := map[string]int{}
	for n := 1; n <= calls; n++ {
		_, err := stamp("-o", "/dev/null", "-e", fmt.Sprintf("inject=all:signal=SIGKILL:when=%d", n))
		got, readErr := os.ReadFile(file)
		check(t, readErr)
		switch {
		case string(got) == old && err != nil:
			counts["old"]++
		case string(got) == want:
			counts["new"]++
		default:
			t.Fatalf("killed at system call %d (%v): %q", n, err, got)
		}
	}
	if counts["old"] == 0 || counts["new"] == 0 {
		t.Errorf("killed at %d system calls: %v, want some of each", calls, counts)
	}
	t.Logf("killed at %d system calls: %v", calls, counts)
	if _, err := stamp("-o", "/dev/null"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		if e.Name() != "config.php" && e.Name() != "state" {
			t.Errorf("%s was left behind", e.Name())
		}
	}
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

// mainThreadCalls counts the system calls of the first thread in trace.
func mainThreadCalls(t *testing.T, trace string) int {
	t.Helper()
	data, err := os.ReadFile(trace)
	check(t, err)
	pid, _, _ := bytes.Cut(data, []byte(" "))
	n := 0
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(line, pid) && !bytes.Contains(line, []byte("resumed>")) && bytes.Contains(line, []byte("(")) {
			n++
		}
	}
	return n
}
