package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/cmd/revstamp/internal/release"
	"revstamp/gearman/gearmantest"
	"revstamp/testdata/need"
)

// What tests put into the environment of revstamp: after which journal record
// it sends itself a signal, and which.
const (
	signalAt = "REVSTAMP_TEST_SIGNAL_AT"
	signalNo = "REVSTAMP_TEST_SIGNAL"
)

// lockThread, when set in the environment, keeps the command on one thread, as
// strace needs that counts system calls by thread.
const lockThread = "REVSTAMP_TEST_LOCK_THREAD"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"revstamp": func() {
		if os.Getenv(lockThread) != "" {
			runtime.LockOSThread()
		}
		if at, err := strconv.Atoi(os.Getenv(signalAt)); err == nil {
			number, _ := strconv.Atoi(os.Getenv(signalNo))
			n := 0
			onRecord = func(release.Record) {
				if n++; n == at {
					syscall.Kill(os.Getpid(), syscall.Signal(number))
				}
			}
		}
		main()
	}})
}

// TestScript runs testdata/script. Each script is one behaviour of one command;
// besides testscript's own commands it has those of scriptCommands.
func TestScript(t *testing.T) {
	need.Program(t, "git", "svn", "svnserve", "svnadmin", "hg", "gearmand", "gearman", "gearadmin", "php", "openssl", "curl")
	c := &scriptCommands{t: t}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("REVSTAMP_UPDATE") != "",
		Setup:               setup,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":    await,
			"commit":   commit,
			"gearmand": c.gearmand,
			"path":     path,
			"port":     port,
			"status":   status,
			"same":     same,
			"site":     site,
		},
	})
}

// possible are the conditions that scripts may ask for: what this machine may not
// allow, and what finds out.
var possible = map[string]string{
	"root":      `test "$(id -u)" = 0`,
	"mounts":    `unshare -m sh -c 'touch "$1/f" && mount --bind /dev/null "$1/f" && mount -t tmpfs none "$1"' sh "$1"`,
	"immutable": `touch "$1/f" && chattr +i "$1/f" && chattr -i "$1/f"`,
	"xattrs":    `touch "$1/f" && setfattr -n user.site -v shop "$1/f"`,
}

func condition(name string) (bool, error) {
	script, ok := possible[name]
	if !ok {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	dir, err := os.MkdirTemp("", "possible")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	return exec.Command("sh", "-c", script, "sh", dir).Run() == nil, nil
}

// setup gives every script the same people, dates and places.
func setup(e *testscript.Env) error {
	e.Vars = append(e.Vars,
		"HOME="+e.WorkDir,
		"LC_ALL=C.UTF-8",
		"TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
		"HGRCPATH=", "HGPLAIN=1", "HGUSER=Ada <ada@example.org>",
		"BASH_ENV=", "CI=",
		"GORACE="+os.Getenv("GORACE"),
	)
	return nil
}

// scriptCommands are commands that keep something running for a test.
type scriptCommands struct {
	t       *testing.T
	servers sync.Map // *gearmantest.Server by script and variable
}

// gearmand starts a real gearmand: "gearmand VAR" sets VAR to its address,
// "gearmand stop VAR" and "gearmand restart VAR" do so.
func (c *scriptCommands) gearmand(ts *testscript.TestScript, neg bool, args []string) {
	server := func() *gearmantest.Server {
		s, ok := c.servers.Load(ts.Name() + " " + args[1])
		if !ok {
			ts.Fatalf("no gearmand %q", args[1])
		}
		return s.(*gearmantest.Server)
	}
	switch {
	case len(args) == 1:
		s := gearmantest.Start(c.t)
		ts.Setenv(args[0], s.Addr)
		c.servers.Store(ts.Name()+" "+args[0], s)
		ts.Defer(s.Kill)
	case len(args) == 2 && args[0] == "stop":
		server().Kill()
	case len(args) == 2 && args[0] == "restart":
		server().Restart()
	default:
		ts.Fatalf("usage: gearmand [stop|restart] VAR")
	}
}

// path sets PATH to revstamp and the named programs, and nothing else.
func path(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs("only-" + strings.Join(args, "-"))
	ts.Check(os.MkdirAll(dir, 0o755))
	for _, name := range append([]string{"revstamp"}, args...) {
		program, err := exec.LookPath(name)
		if name == "revstamp" {
			program, err = lookIn(ts.Getenv("PATH"), name)
		}
		ts.Check(err)
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			ts.Check(os.Symlink(program, filepath.Join(dir, name)))
		}
	}
	ts.Setenv("PATH", dir)
}

func lookIn(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("no %s in %s", name, path)
}

// port sets a variable to a loopback port that is free.
func port(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	_, number, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], number)
}

// awaitLimit is how long await waits before it calls it a failure.
const awaitLimit = 30 * time.Second

// await waits until FILE holds a match of REGEXP, or, as "await port N", until
// something listens there, or, as "await exec PROG ARG...", until PROG succeeds.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: await FILE REGEXP | await port N | await exec PROG ARG...")
	}
	var last string
	ready := func() bool {
		switch args[0] {
		case "port":
			conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", args[1]))
			if err == nil {
				conn.Close()
			}
			return err == nil
		case "exec":
			err := ts.Exec(args[1], args[2:]...)
			return err == nil
		}
		data, _ := os.ReadFile(ts.MkAbs(args[0]))
		last = string(data)
		return regexp.MustCompile("(?m)" + args[1]).Match(data)
	}
	deadline := time.Now().Add(awaitLimit)
	for !ready() {
		if time.Now().After(deadline) {
			ts.Fatalf("await %v: not within %v\n%s", args, awaitLimit, last)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// status runs a program and compares its exit status: "status N PROG ARG...".
func status(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%v: exit status %d, want %d", args[1:], got, want)
	}
}

// site makes a repository of the script's directory work and a site that is
// released from it, configured by the script's revstamp.yaml: "site LAYOUT [DIR]",
// where DIR is "site" unless said.
func site(ts *testscript.TestScript, neg bool, args []string) {
	top := ts.Getenv("WORK")
	work, dir := filepath.Join(top, "work"), filepath.Join(top, append(args, "site")[1])
	conf := "source: { path: . }\n"
	if config.Layout(args[0]) == config.Releases {
		conf = "layout: releases\nsource: { url: " + strconv.Quote(work) + " }\n"
	}
	if _, err := os.Stat(filepath.Join(work, ".git")); err != nil {
		ts.Check(ts.Exec("git", "init", "-q", "-b", "main", work))
		ts.Check(os.WriteFile(filepath.Join(work, ".gitignore"), []byte("/revstamp*.yaml\n"), 0o644))
		commit(ts, false, []string{"first"})
	}
	if config.Layout(args[0]) == config.Releases {
		ts.Check(os.Mkdir(dir, 0o755))
	} else {
		ts.Check(ts.Exec("git", "clone", "-q", work, dir))
	}
	conf += strings.ReplaceAll(ts.ReadFile(filepath.Join(top, "revstamp.yaml")), "$WORK", top)
	ts.Check(os.WriteFile(filepath.Join(dir, "revstamp.yaml"), []byte(conf), 0o644))
}

// commit commits all that is in the script's directory work.
func commit(ts *testscript.TestScript, neg bool, args []string) {
	work := filepath.Join(ts.Getenv("WORK"), "work")
	ts.Check(ts.Exec("git", "-C", work, "add", "-A"))
	ts.Check(ts.Exec("git", "-C", work, "commit", "-q", "--allow-empty", "-m", strings.Join(args, " ")))
}

// same compares two directories, all files in them, their bytes and modes.
func same(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("diff", append([]string{"-r", "--no-dereference"}, args...)...)
	if (err == nil) == neg {
		ts.Fatalf("same %v: %v", args, err)
	}
}
