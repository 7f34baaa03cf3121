package vcs_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// BenchmarkNothingToDo is what a release with nothing to do asks of a working
// copy of n files, one of them stamped: Resolve, or Resolve and Revision. It
// reports the client processes it takes; git's own three commands are there to
// compare.
func BenchmarkNothingToDo(b *testing.B) {
	need.Program(b, "git")
	for _, n := range []int{2000, 20000} {
		up := vcstest.NewGit(b)
		files := vcstest.Files{"config.php": site["config.php"]}
		for i := range n - 1 {
			files[fmt.Sprintf("d%d/e%d/f%d.php", i%20, i/20%10, i)] = strings.Repeat(fmt.Sprintln(i), 50)
		}
		up.Commit("one", files)
		up.Run("-c", "gc.auto=0", "repack", "-adq")
		dir := up.Clone()
		stamp(b, dir, "config.php", "1")
		for _, noGit := range []bool{false, true} {
			for _, both := range []bool{false, true} {
				b.Run(fmt.Sprintf("files=%d/NoGit=%v/Revision=%v", n, noGit, both), func(b *testing.B) {
					log, count, _ := countClients()
					wc := open(b, dir, vcs.Options{NoGit: noGit, Logger: log})
					b.ReportAllocs()
					for b.Loop() {
						resolve(b, wc, "")
						if both {
							revision(b, wc)
						}
					}
					b.ReportMetric(float64(*count)/float64(b.N), "processes/op")
				})
			}
		}
		b.Run(fmt.Sprintf("files=%d/git", n), func(b *testing.B) {
			for b.Loop() {
				vcstest.Run(b, dir, nil, "git", "ls-remote", "origin", "refs/heads/main", "refs/tags/*")
				vcstest.Run(b, dir, nil, "git", "status", "--porcelain", "--untracked-files=no")
				vcstest.Run(b, dir, nil, "git", "describe", "--always")
			}
		})
	}
}

// BenchmarkOneFile updates one changed file of 2,000 back and forth.
func BenchmarkOneFile(b *testing.B) {
	up := vcstest.NewGit(b)
	files := make(vcstest.Files)
	for i := range 2000 {
		files[fmt.Sprintf("d%d/f%d.php", i%20, i)] = strings.Repeat(fmt.Sprintln(i), 50)
	}
	ids := []string{up.Commit("one", files), up.Commit("two", vcstest.Files{"d1/f1.php": "changed\n"})}
	for _, noGit := range []bool{false, true} {
		dir := filepath.Join(b.TempDir(), "copy")
		vcstest.Run(b, "", nil, "git", "clone", "--quiet", up.Dir, dir)
		b.Run(fmt.Sprintf("NoGit=%v", noGit), func(b *testing.B) {
			wc := open(b, dir, vcs.Options{NoGit: noGit})
			for i := 0; b.Loop(); i++ {
				update(b, wc, ids[i%2], "")
			}
		})
	}
}
