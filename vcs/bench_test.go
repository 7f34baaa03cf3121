package vcs_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// The benchmarks ask for the same thing in turn, of git and of this package, and
// report the CPU time of both, children included, and their ratio: what a busy
// machine leaves comparable.

// benchSite is a repository of n files in 200 directories, and a clone. Each of
// 300 commits changes a few of them.
func benchSite(b *testing.B, n int) (up *vcstest.Git, dir string) {
	b.Helper()
	up = vcstest.NewGit(b)
	var in strings.Builder
	file := func(i int, text string) {
		fmt.Fprintf(&in, "M 644 inline d%d/e%d/f%d.php\ndata %d\n%s\n", i%20, i/20%10, i, len(text), text)
	}
	for c := range 300 {
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter %s <%s> %d +0000\ndata 0\n", vcstest.Author, vcstest.Address, vcstest.Epoch.Unix()+int64(c))
		if c == 0 {
			fmt.Fprintf(&in, "M 644 inline config.php\ndata %d\n%s\n", len(site["config.php"]), site["config.php"])
			for i := range n {
				file(i, strings.Repeat(fmt.Sprintln(i), 50))
			}
		}
		for i := range 10 {
			file((c*7919+i*31)%n, fmt.Sprintln(c, i))
		}
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = up.Dir, strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("git fast-import: %v\n%s", err, out)
	}
	up.Run("reset", "--quiet", "--hard")
	up.Run("-c", "gc.auto=0", "repack", "-adq")
	dir = up.Clone()
	stamp(b, dir, "config.php", "1")
	return up, dir
}

// cpu is the time that this process and its children took so far.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return sum
}

// beside measures ours and theirs.
func beside(b *testing.B, name string, ours, theirs func(b *testing.B)) {
	b.Run(name, func(b *testing.B) { ratio(b, func(*testing.B) {}, ours, theirs) })
}

// ratio measures ours and theirs, each time after something that is not counted.
func ratio(b *testing.B, before, ours, theirs func(b *testing.B)) {
	var spent [2]time.Duration
	for b.Loop() {
		before(b)
		for i, do := range []func(*testing.B){ours, theirs} {
			start := cpu(b)
			do(b)
			spent[i] += cpu(b) - start
		}
	}
	n := float64(b.N)
	b.ReportMetric(spent[0].Seconds()*1000/n, "cpu-ms/op")
	b.ReportMetric(spent[1].Seconds()*1000/n, "git-cpu-ms/op")
	b.ReportMetric(spent[0].Seconds()/spent[1].Seconds(), "ratio")
}

// git runs the program as a shell script would.
func git(dir string, args ...string) func(*testing.B) {
	return func(b *testing.B) {
		if out, err := vcstest.Try(dir, vcstest.GitEnv(1), "git", args...); err != nil {
			b.Fatalf("git %q: %v: %s", args, err, out)
		}
	}
}

func all(steps ...func(*testing.B)) func(*testing.B) {
	return func(b *testing.B) {
		for _, s := range steps {
			s(b)
		}
	}
}

// BenchmarkQuery asks what a release asks, and more, of 2,000 and of 20,000
// files.
func BenchmarkQuery(b *testing.B) {
	need.Program(b, "git")
	for _, n := range []int{2000, 20000} {
		_, dir := benchSite(b, n)
		check := func(err error) {
			if err != nil {
				b.Fatal(err)
			}
		}
		for _, noGit := range []bool{false, true} {
			wc := open(b, dir, vcs.Options{NoGit: noGit})
			run := func(what string, ours func(ctx context.Context) error, theirs func(*testing.B)) {
				beside(b, fmt.Sprintf("%s/files=%d/NoGit=%v", what, n, noGit), func(b *testing.B) { check(ours(b.Context())) }, theirs)
			}
			run("nothing to do", func(ctx context.Context) error { _, err := wc.Resolve(ctx, "", stampOwn); return err },
				all(git(dir, "fetch"), git(dir, "status", "--porcelain", "-uno"), git(dir, "describe", "--always")))
			run("tracked check", func(ctx context.Context) error { _, err := wc.Revision(ctx, stampOwn); return err },
				git(dir, "status", "--porcelain", "-uno"))
			run("describe", func(ctx context.Context) error { _, err := wc.Revision(ctx, stampOwn); return err },
				all(git(dir, "describe", "--always", "--tags", "--dirty")))
			run("count", func(ctx context.Context) error { _, err := wc.Count(ctx); return err },
				git(dir, "rev-list", "--count", "HEAD"))
			run("last changed", func(ctx context.Context) error { _, err := wc.LastChanged(ctx, ""); return err },
				git(dir, "log", "--name-only", "--format=%H", "-c", "-z"))
			run("content ids", func(ctx context.Context) error { _, err := wc.ContentIDs(ctx); return err },
				git(dir, "ls-files", "-s"))
			run("changes", func(ctx context.Context) error { _, err := wc.Changes(ctx, "HEAD", ""); return err },
				git(dir, "diff", "--name-status", "--no-renames", "HEAD", "HEAD"))
			out := filepath.Join(b.TempDir(), "out")
			again := func(b *testing.B) { check(os.RemoveAll(out)) }
			beside(b, fmt.Sprintf("export/files=%d/NoGit=%v", n, noGit),
				func(b *testing.B) { again(b); check(wc.Export(b.Context(), "", out)) },
				func(b *testing.B) {
					again(b)
					vcstest.Run(b, dir, nil, "sh", "-c", `mkdir "$1" && git archive HEAD | tar -x -C "$1"`, "sh", out)
				})
		}
	}
}

// BenchmarkOneCommit fetches and checks out a commit of one file, again and
// again a new one.
func BenchmarkOneCommit(b *testing.B) {
	need.Program(b, "git")
	for _, n := range []int{2000, 20000} {
		for _, scheme := range []string{"file", "http"} {
			for _, noGit := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/files=%d/NoGit=%v", scheme, n, noGit), func(b *testing.B) {
					oneCommit(b, n, scheme, vcs.Options{NoGit: noGit})
				})
			}
		}
	}
}

func oneCommit(b *testing.B, n int, scheme string, o vcs.Options) {
	up, dir := benchSite(b, n)
	theirs := up.Clone()
	url := "file://" + up.Dir
	if scheme == "http" {
		url = up.HTTP()
	}
	for _, d := range []string{dir, theirs} {
		vcstest.Run(b, d, nil, "git", "config", "remote.origin.url", url)
	}
	wc := open(b, dir, o)
	commits := 0
	next := func(b *testing.B) {
		commits++
		up.Commit("next", vcstest.Files{"d1/e0/f1.php": fmt.Sprintln("changed", commits)})
	}
	ratio(b, next, func(b *testing.B) { update(b, wc, "", "1") }, git(theirs, "pull", "--quiet", "--ff-only"))
}

// BenchmarkPeakMemory updates 20,000 files by one commit, without git, in a
// process of its own, and reports what that took at most.
func BenchmarkPeakMemory(b *testing.B) {
	need.Program(b, "git")
	up, dir := benchSite(b, 20000)
	url := up.HTTP()
	commits := 0
	for _, remote := range []string{"file://" + up.Dir, url} {
		scheme, _, _ := strings.Cut(remote, ":")
		b.Run(scheme, func(b *testing.B) {
			vcstest.Run(b, dir, nil, "git", "config", "remote.origin.url", remote)
			most := int64(0)
			for b.Loop() {
				commits++
				up.Commit("next", vcstest.Files{"d1/e0/f1.php": fmt.Sprintln("changed", commits)})
				cmd := exec.Command(os.Args[0], "", "without git")
				cmd.Env = append(os.Environ(), childEnv+"="+dir)
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				most = max(most, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
			}
			b.ReportMetric(float64(most)/1024, "peak-MB")
		})
	}
}
