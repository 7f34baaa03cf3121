package vcs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// childEnv makes this test program a process that updates the working copy it
// names, to be killed.
const childEnv = "REVSTAMP_TEST_UPDATE"

func init() {
	if os.Getenv(childEnv) != "" {
		runtime.LockOSThread() // strace counts the system calls of one thread
	}
}

// child updates $childEnv to the revision in the first argument, stamping 2.
func child(dir, want string, o vcs.Options) error {
	ctx := context.Background()
	wc, err := vcs.Open(ctx, dir, o)
	if err != nil {
		return err
	}
	target, err := wc.Resolve(ctx, want, stampOwn)
	if err != nil {
		return err
	}
	return wc.Update(ctx, target, vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, never)})
}

func childMain() {
	if err := child(os.Getenv(childEnv), os.Args[1], vcs.Options{NoGit: len(os.Args) > 2}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// resumed completes an interrupted update to want and looks at the result.
func resumed(t *testing.T, dir, want, rev string, o vcs.Options, files vcstest.Files) {
	t.Helper()
	wc := open(t, dir, o)
	target := resolve(t, wc, want)
	err := wc.Update(t.Context(), target, vcs.Update{
		Own: stampOwn, Edit: stampEdit(rev), Write: put(dir, never), Resume: true,
	})
	if err != nil {
		t.Fatalf("resume: %v", err)
	}
	if d := cmp.Diff(files, vcstest.Snapshot(t, dir)); d != "" {
		t.Error(d)
	}
	if got := revision(t, wc); got.ID != want || got.Modified != nil {
		t.Errorf("Revision = %+v", got)
	}
}

// TestGitWriteFails stops Write before each file, by an error and by a panic,
// and then resumes, or goes back.
func TestGitWriteFails(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		for n := 0; ; n++ {
			up, dir, first, second := gitSite(t)
			before := vcstest.Snapshot(t, dir)
			wc := open(t, dir, o)
			target := resolve(t, wc, "")
			u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, n)}
			if n%3 == 2 {
				write := u.Write
				u.Write = func(ctx context.Context, w []vcs.Write) error {
					if err := write(ctx, w); err != nil {
						panic(err)
					}
					return nil
				}
			}
			err := recovered(func() error { return wc.Update(t.Context(), target, u) })
			if err == nil {
				if n < 10 {
					t.Errorf("only %d writes", n)
				}
				return
			}
			if !errors.Is(err, errStopped) {
				t.Fatalf("stopped before file %d: %v", n, err)
			}
			var interrupted *vcs.InterruptedError
			switch {
			case n == 0:
				if errors.As(err, &interrupted) {
					t.Errorf("nothing was written, and yet: %v", err)
				}
				whole(t, dir, " M config.php") // nothing happened, and nothing is due
				if d := cmp.Diff(before, vcstest.Snapshot(t, dir)); d != "" {
					t.Error(d)
				}
				continue
			case n%3 != 2 && !errors.As(err, &interrupted):
				t.Errorf("stopped before file %d: %v", n, err)
			}
			var locked *vcs.LockedError
			if err := wc.Update(t.Context(), target, u); !errors.As(err, &locked) || !locked.Interrupted || locked.Target != second {
				t.Errorf("an update after an interrupted one: %v", err)
			}
			if n%2 == 0 {
				resumed(t, dir, second, "2", o, released(t, up.Dir, "2"))
			} else {
				resumed(t, dir, first, "1", o, before)
			}
			whole(t, dir, " M config.php")
		}
	})
}

func recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = p.(error)
		}
	}()
	return f()
}

// TestGitForeignWhileInterrupted keeps what somebody else did to a half-updated
// tree.
func TestGitForeignWhileInterrupted(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up, dir, _, second := gitSite(t)
		wc := open(t, dir, o)
		target := resolve(t, wc, "")
		err := wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, 6)})
		if !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
		vcstest.Write(t, dir, "index.html", "mine")
		before := everything(t, dir)
		target = resolve(t, wc, second)
		err = wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Write: put(dir, never), Resume: true})
		var local *vcs.LocalChangesError
		if !errors.As(err, &local) || len(local.Files) != 1 || local.Files[0] != "index.html" {
			t.Errorf("resume over a foreign change: %v", err)
		}
		if d := cmp.Diff(before, everything(t, dir)); d != "" {
			t.Error(d)
		}
		vcstest.Write(t, dir, "index.html", site["index.html"])
		resumed(t, dir, second, "2", o, released(t, up.Dir, "2"))
		whole(t, dir, " M config.php")
	})
}

// oldLock makes the lock of a ref as who died a minute ago leaves it.
func oldLock(t *testing.T, dir, name, content string) string {
	t.Helper()
	vcstest.Write(t, dir, ".git/"+name+".lock", content)
	file := filepath.Join(dir, ".git", name+".lock")
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestGitRefLocksGoingBack leaves the locks of an update that is not resumed but
// undone, which moves other refs.
func TestGitRefLocksGoingBack(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		_, dir, first, second := gitSite(t)
		before := vcstest.Snapshot(t, dir)
		wc := open(t, dir, o)
		u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, 6)}
		if err := wc.Update(t.Context(), resolve(t, wc, ""), u); !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
		theirs := oldLock(t, dir, "refs/remotes/origin/other", "") // as while it is pruned
		oldLock(t, dir, "refs/heads/main", "")
		oldLock(t, dir, "refs/remotes/origin/main", second+"\n")
		resumed(t, dir, first, "1", o, before)
		if _, err := os.Lstat(theirs); err != nil {
			t.Errorf("the lock of another ref: %v", err)
		}
		u.Write = put(dir, never)
		if err := wc.Update(t.Context(), resolve(t, wc, ""), u); err != nil {
			t.Errorf("the next update: %v", err)
		}
		whole(t, dir, " M config.php")
	})
}

// TestGitRefLocks resumes an update whose git was killed while it moved the refs,
// with its locks left behind. A lock that says something else is somebody's.
func TestGitRefLocks(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up, dir, first, second := gitSite(t)
		wc := open(t, dir, o)
		target := resolve(t, wc, "")
		err := wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, 6)})
		if !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
		lock := func(name, content string) string { return oldLock(t, dir, name, content) }
		theirs := lock("refs/heads/main", first+"\n")
		u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, never), Resume: true}
		if err := wc.Update(t.Context(), resolve(t, wc, second), u); err == nil {
			t.Error("updated over the lock of another")
		}
		if err := os.Remove(theirs); err != nil {
			t.Error(err)
		}
		lock("HEAD", "")
		lock("refs/heads/main", second+"\n")
		late := lock("refs/remotes/origin/main", "")
		future := time.Now().Add(24 * time.Hour) // the clock was set back
		if err := os.Chtimes(late, future, future); err != nil {
			t.Fatal(err)
		}
		resumed(t, dir, second, "2", o, released(t, up.Dir, "2"))
		whole(t, dir, " M config.php")
	})
}

// TestGitKilled kills an update at each system call that changes a file, or
// starts a program, and then resumes it, or goes back.
func TestGitKilled(t *testing.T) {
	t.Parallel()
	need.Program(t, "strace", "git")
	hosts(t, func(t *testing.T, o vcs.Options) {
		kills := 0
		for _, calls := range []string{"linkat", "renameat", "unlinkat", "fsync", "clone,clone3,vfork"} {
			for n := 1; ; n++ {
				up, dir, first, second := gitSite(t)
				before := vcstest.Snapshot(t, dir)
				if o.NoGit {
					vcstest.Run(t, dir, nil, "git", "fetch", "--quiet") // its commit is here already
				} else {
					resolve(t, open(t, dir, o), "")
				}
				if !killedAt(t, dir, calls, n, second, o) {
					break
				}
				kills++
				if n%2 == 0 {
					resumed(t, dir, second, "2", o, released(t, up.Dir, "2"))
				} else {
					resumed(t, dir, first, "1", o, before)
				}
				whole(t, dir, " M config.php")
				if t.Failed() {
					t.Fatalf("after a kill at %s number %d", calls, n)
				}
			}
		}
		t.Logf("killed %d times", kills)
		if kills < 20 {
			t.Errorf("killed only %d times", kills)
		}
	})
}

// killedAt runs the child under strace, which kills it on entry to the n-th of
// some system calls. False is an update that was done before.
func killedAt(t *testing.T, dir, calls string, n int, want string, o vcs.Options) bool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-qq", "-o", "/dev/null", "-e", "trace=" + calls,
		"-e", "inject=" + calls + ":signal=SIGKILL:when=" + strconv.Itoa(n), self, want}
	if o.NoGit {
		args = append(args, "without git")
	}
	cmd := exec.Command("strace", args...)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && !exit.Exited(): // strace dies as its child did
		return true
	case errors.As(err, &exit) && exit.ExitCode() == 128+9:
		return true
	}
	t.Fatalf("%v: %s", err, out)
	return false
}

// TestSvnKilled does the same to svn itself.
func TestSvnKilled(t *testing.T) {
	t.Parallel()
	need.Program(t, "strace")
	up := vcstest.NewSvn(t)
	first := up.Commit("one", svnFiles(site))
	origin := up.Checkout("")
	stamp(t, origin, "config.php", "1")
	second := up.Commit("two", svnFiles(next))
	svn, err := exec.LookPath("svn")
	if err != nil {
		t.Fatal(err)
	}
	kills := 0
	for _, n := range []int{1, 4, 8, 9, 11, 13, 16, 19} {
		dir := filepath.Join(t.TempDir(), "copy")
		vcstest.Run(t, "", nil, "cp", "-a", origin, dir)
		before := vcstest.Snapshot(t, dir)
		good := func(b []byte) bool { return stamped.Match(b) && string(stamped.FindSubmatch(b)[1]) != "00" }
		stop := watch(t, filepath.Join(dir, "config.php"), good)
		_, err := vcstest.Try(dir, []string{"LC_ALL=C.UTF-8"}, "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=rename",
			"-e", "inject=rename:signal=SIGKILL:when="+strconv.Itoa(n),
			svn, "update", "--quiet", "--non-interactive", "--accept", "postpone", "--diff3-cmd", answer(t, up))
		if err == nil {
			stop()
			break
		}
		kills++
		os.Remove(filepath.Join(dir, "link.tmp")) // svn's own, which its cleanup leaves
		wc := open(t, dir, vcs.Options{})
		target := resolve(t, wc, "")
		var locked *vcs.LockedError
		if err := wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, never)}); !errors.As(err, &locked) || !locked.Interrupted {
			t.Errorf("killed at %d: Update without Resume: %v", n, err)
		}
		if _, err := wc.Revision(t.Context(), stampOwn); !errors.As(err, &locked) {
			t.Errorf("killed at %d: Revision: %v", n, err)
		}
		if n%2 == 0 {
			resumed(t, dir, second, "2", vcs.Options{}, released(t, up.WC, "2"))
		} else {
			resumed(t, dir, first, "1", vcs.Options{}, before)
		}
		stop()
		if t.Failed() {
			t.Fatalf("after a kill at rename number %d", n)
		}
	}
	t.Logf("killed %d times", kills)
	if kills < 5 {
		t.Errorf("killed only %d times", kills)
	}
}

// answer is a program that merges as ours does, for the upstream's config.php.
func answer(t *testing.T, up *vcstest.Svn) string {
	t.Helper()
	dir := t.TempDir()
	text := stampText(vcstest.Snapshot(t, up.WC)["config.php"], "2")
	vcstest.Write(t, dir, "text", text)
	vcstest.Write(t, dir, "merge", "#!/bin/sh\ncat '"+dir+"/text'\n")
	return filepath.Join(dir, "merge")
}
