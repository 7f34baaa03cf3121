package main

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
)

// What TestReleaseKilledInUpdate does is in the environment, if need be: how many
// releases it kills for each system, in updates of how many files, and what the
// moments come from.
const (
	killsVar = "REVSTAMP_TEST_KILLS"
	filesVar = "REVSTAMP_TEST_FILES"
	seedVar  = "REVSTAMP_TEST_SEED"
)

var hgPlumbing = plumbing{
	create: func(t *testing.T, dir string) {
		sh(t, dir, "hg", "init", "work")
		sh(t, dir, "hg", "commit", "--cwd", "work", "-q", "-A", "-u", "Ada <ada@example.org>", "-d", "1767323045 0", "-m", "one")
		sh(t, dir, "hg", "clone", "-q", "work", "site")
	},
	commit: func(t *testing.T, dir string) {
		sh(t, dir, "hg", "commit", "--cwd", "work", "-q", "-A", "-u", "Ada <ada@example.org>", "-d", "1767409445 0", "-m", "two")
	},
}

// TestReleaseKilledInUpdate kills a release at random moments of an update of
// many files, with all that it started. The next release says that it is to be
// resumed, and resumed it ends with the tree of the revision, stamped.
func TestReleaseKilledInUpdate(t *testing.T) {
	need.Program(t, "git", "svn", "svnadmin", "hg")
	kills, files := 50, 5000
	if testing.Short() {
		kills, files = 2, 300
	}
	kills, files = number(killsVar, kills), number(filesVar, files)
	seed := uint64(number(seedVar, int(time.Now().UnixNano())))
	program := programVar + "=" + buildStatic(t)
	for i, c := range []*killing{
		{name: "git", plumbing: gitPlumbing, env: []string{program}},
		{name: "go-git", plumbing: gitPlumbing, env: []string{program, "PATH=" + pathWithout(t, "git")}},
		{name: "svn", plumbing: svnPlumbing, env: []string{program}},
		{name: "hg", plumbing: hgPlumbing, env: []string{program}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			c.files = files
			c.prepare(t)
			killed, halfway := 0, 0
			for n := range kills {
				// A moment of all that an update does, and one of its writing.
				share, event := random.Float64(), 1+random.IntN(c.events)
				if n%2 == 0 {
					event = never
				}
				dead, half := c.kill(t, share, event)
				if dead {
					killed++
				}
				if half {
					halfway++
				}
				if t.Failed() {
					t.Fatalf("after a kill at %.4f of an update, or at its event %d; %s=%d", share, event, seedVar, seed)
				}
			}
			t.Logf("%s=%d: of %d releases %d were killed, %d of them with a part of the files written; an update takes %v and makes %d events",
				seedVar, seed, kills, killed, halfway, c.update, c.events)
			if killed == 0 {
				t.Error("no release was killed")
			}
		})
	}
}

// number is the value of a variable in the environment, or def.
func number(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// killing is a site whose second release updates many files.
type killing struct {
	name string
	plumbing
	env   []string
	files int // that the update changes

	base   string
	after  map[string]string // what an undisturbed release leaves
	update time.Duration     // that its update took
	events int               // that were seen of it in the directories of the files
}

// never is the number of an event that no update has.
const never = 1 << 30

func (c *killing) prepare(t *testing.T) {
	c.base = t.TempDir()
	work := filepath.Join(c.base, "work")
	files := map[string]string{
		"config/config.php": "<?php\n$config['svn'] = '0';\n$config['n'] = 1;\n",
		"public/old.php":    "<?php\n",
		"revstamp.yaml":     "site: killed\nstamp:\n  - { file: config/config.php, key: \"$config['svn']\", value: \"{{.Short}}\" }\n",
	}
	maps.Copy(files, c.many(1))
	write(t, work, files)
	c.create(t, c.base)
	if r := revstamp(t, filepath.Join(c.base, "site"), c.env, "release"); r.status != exitDone {
		t.Fatalf("first release: %+v", r)
	}
	files = c.many(2)
	files["config/config.php"] = "<?php\n// new\n$config['svn'] = '0';\n$config['n'] = 2;\n"
	write(t, work, files)
	check(t, os.Remove(filepath.Join(work, "public/old.php")))
	c.commit(t, c.base)

	undisturbed := copyOf(t, c.base)
	reached, stop := watchEvents(t, filepath.Join(undisturbed, "lib"), never)
	if r := revstamp(t, undisturbed, c.env, "release"); r.status != exitDone {
		t.Fatalf("undisturbed release: %+v", r)
	}
	if c.events = stop(); c.events < c.files {
		t.Fatalf("%d events of %d files (%v)", c.events, c.files, reached)
	}
	c.after = contents(t, undisturbed)
	if !strings.Contains(c.after["/config/config.php"], "// new\n") || strings.Contains(c.after["/config/config.php"], "= '0'") {
		t.Fatalf("config.php = %q", c.after["/config/config.php"])
	}
	times := stepTimes(t, undisturbed, "update")
	c.update = times[1].Sub(times[0])
}

// many are the files that an update changes, the n-th time.
func (c *killing) many(n int) map[string]string {
	files := make(map[string]string)
	for i := range c.files {
		files[fmt.Sprintf("lib/%02d/%04d.php", i%50, i)] = fmt.Sprintf("<?php\n// the %d. version of file %d\n", n, i)
	}
	return files
}

// stepTimes are when a step of the newest release began and ended.
func stepTimes(t *testing.T, site, step string) []time.Time {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(site, ".revstamp", "journal", "2.jsonl"))
	check(t, err)
	var times []time.Time
	for line := range strings.Lines(string(data)) {
		if !strings.Contains(line, `"step":"`+step+`"`) {
			continue
		}
		_, rest, _ := strings.Cut(line, `"time":"`)
		text, _, _ := strings.Cut(rest, `"`)
		when, err := time.Parse(time.RFC3339Nano, text)
		check(t, err)
		times = append(times, when)
	}
	if len(times) != 2 {
		t.Fatalf("step %s is recorded %d times", step, len(times))
	}
	return times
}

// watchEvents counts the changes in the directories below dir, and closes
// reached at the n-th. stop returns how many there were.
func watchEvents(t *testing.T, dir string, n int) (reached <-chan struct{}, stop func() int) {
	t.Helper()
	w, err := fsnotify.NewWatcher()
	check(t, err)
	dirs, err := filepath.Glob(filepath.Join(dir, "*"))
	check(t, err)
	for _, d := range dirs {
		check(t, w.Add(d))
	}
	at, count := make(chan struct{}), make(chan int)
	go func() {
		seen := 0
		for range w.Events {
			if seen++; seen == n {
				close(at)
			}
		}
		count <- seen
	}()
	go func() {
		for range w.Errors { // a queue that ran over: fewer were seen
		}
	}()
	return at, func() int {
		w.Close()
		return <-count
	}
}

// kill kills a release at the n-th event of its update, or once a share of the
// time that its update takes has passed since that began. It reports whether it
// was killed at all, and whether with only some of the files written.
func (c *killing) kill(t *testing.T, share float64, n int) (killed, halfway bool) {
	site := copyOf(t, c.base)
	defer os.RemoveAll(filepath.Dir(site)) // thousands of files
	cmd := exec.Command(strings.TrimPrefix(c.env[0], programVar+"="), "release")
	cmd.Dir = site
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "XDG_STATE_HOME="+site+"-state"), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	reached, stop := watchEvents(t, filepath.Join(site, "lib"), n)
	defer stop()
	check(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	journal := filepath.Join(site, ".revstamp", "journal", "2.jsonl")
	if awaitUpdate(journal, ended) {
		moment := make(<-chan time.Time)
		if n == never {
			timer := time.NewTimer(time.Duration(share * float64(c.update)))
			defer timer.Stop()
			moment = timer.C
		}
		select {
		case <-moment:
		case <-reached:
		case err := <-ended:
			ended <- err
		}
	}
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	err := <-ended
	var exit *exec.ExitError
	if killed = errors.As(err, &exit) && !exit.Exited(); !killed && err != nil {
		t.Fatal(err)
	}
	written := 0
	for path, content := range contents(t, site) {
		if strings.HasPrefix(path, "/lib/") && c.after[path] == content {
			written++
		}
	}
	halfway = written > 0 && written < c.files
	if !live(t, site, c.env) {
		finish(t, site, c.env, "resume")
	}
	if diff := cmp.Diff(c.after, contents(t, site)); diff != "" {
		t.Errorf("killed with %d files written, and resumed (-undisturbed +got):\n%.2000s", written, diff)
	}
	leftovers(t, site)
	if r := revstamp(t, site, c.env, "release"); r.status != exitDone || !strings.Contains(r.output, "nothing to do") {
		t.Errorf("release after all: %+v", r)
	}
	if r := revstamp(t, site, c.env, "revision"); r.status != exitDone || strings.ContainsAny(r.output, "+M:") {
		t.Errorf("revision after all: %+v", r)
	}
	return killed, halfway
}

// awaitUpdate waits for the journal to tell that the update has begun. False is
// a release that ended before.
func awaitUpdate(journal string, ended chan error) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if data, err := os.ReadFile(journal); err == nil && strings.Contains(string(data), `"step":"update","state":"started"`) {
			return true
		}
		select {
		case <-tick.C:
		case err := <-ended:
			ended <- err
			return false
		}
	}
}
