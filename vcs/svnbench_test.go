package vcs_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// svnLarge is a working copy of 2,000 files, one of them stamped, and the
// revisions of a change of one file and back.
func svnLarge(b *testing.B) (dir string, revs []string) {
	up := vcstest.NewSvn(b)
	files := vcstest.Files{"config.php": site["config.php"]}
	for i := range 1999 {
		files[fmt.Sprintf("d%d/f%d.php", i%20, i)] = strings.Repeat(fmt.Sprintln(i), 50)
	}
	revs = []string{up.Commit("one", files), up.Commit("two", vcstest.Files{"d1/f1.php": "changed\n"})}
	dir = up.Checkout("")
	stamp(b, dir, "config.php", "1")
	return dir, revs
}

// counting counts the clients that are told of.
type counting struct {
	slog.Handler
	n *atomic.Int64
}

func (c counting) Enabled(context.Context, slog.Level) bool { return true }

func (c counting) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "client ran" {
		c.n.Add(1)
	}
	return nil
}

// BenchmarkSvn holds what a release asks of a working copy of 2,000 files
// against the commands of a shell script that does the same.
func BenchmarkSvn(b *testing.B) {
	dir, revs := svnLarge(b)
	ours := func(name string, do func(wc vcs.WorkingCopy, i int)) {
		b.Run(name+"/revstamp", func(b *testing.B) {
			var count atomic.Int64
			wc := open(b, dir, vcs.Options{Logger: slog.New(counting{slog.DiscardHandler, &count})})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				do(wc, i)
			}
			b.ReportMetric(float64(count.Load())/float64(b.N), "processes/op")
		})
	}
	theirs := func(name string, commands func(i int) [][]string) {
		b.Run(name+"/script", func(b *testing.B) {
			n := 0
			for i := 0; b.Loop(); i++ {
				for _, c := range commands(i) {
					n++
					vcstest.Run(b, dir, utf8, c[0], c[1:]...)
				}
			}
			b.ReportMetric(float64(n)/float64(b.N), "processes/op")
		})
	}
	told := func(f func(context.Context) (map[string]string, error)) {
		if all, err := f(b.Context()); err != nil || len(all) != 2000 {
			b.Fatal(len(all), err)
		}
	}

	ours("nothing", func(wc vcs.WorkingCopy, _ int) { resolve(b, wc, "") })
	theirs("nothing", func(int) [][]string {
		return [][]string{{"svn", "update", "--quiet", "--non-interactive"}, {"svnversion"}}
	})
	ours("revision", func(wc vcs.WorkingCopy, _ int) { revision(b, wc) })
	theirs("revision", func(int) [][]string { return [][]string{{"svnversion"}} })
	ours("one file", func(wc vcs.WorkingCopy, i int) { update(b, wc, revs[i%2], "1") })
	theirs("one file", func(i int) [][]string {
		return [][]string{{"svn", "update", "--quiet", "--non-interactive", "-r", revs[i%2]}, {"svnversion"}}
	})
	ours("last changed", func(wc vcs.WorkingCopy, _ int) {
		told(func(ctx context.Context) (map[string]string, error) { return wc.LastChanged(ctx, "") })
	})
	theirs("last changed", func(int) [][]string { return [][]string{{"svn", "info", "-R", "--xml"}} })
}
