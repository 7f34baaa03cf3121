package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"revstamp/testdata/need"
)

// benchTrees are other people's sites, small to large, unpacked where .ci/test has
// its corpora: Debian packages by "dpkg-deb --extract", npm packages by "npm pack"
// and tar. Links lead to libjs-jquery, libjs-jquery-ui and libjs-underscore, which may
// be unpacked in the same directories. That they are not there is no failure, for
// nobody needs them but this benchmark.
var benchTrees = []struct{ name, dir string }{
	{"sb-admin-2", "startbootstrap-sb-admin-2/package"},
	{"python-doc", "python3.11-doc/usr/share/doc/python3.11/html"},
	{"openjdk-doc", "openjdk-17-doc/usr/share/doc/openjdk-17-jre-headless/api"},
	{"monaco-editor", "monaco-editor/package"},
}

// BenchmarkAssetsRewrite rewrites a tree in place, by a whole process, beside what
// others do to the same tree on the same tmpfs. Of interest are the ratios, each of
// the fastest runs:
//
//	x-sed, x-cp      by revision, as many times as long as sed -i with two regular
//	                 expressions and as cp -r
//	x-sha256sum      by digest, as sha256sum of all files
//	x-walk           nothing changed, as find that looks at each file
//	peak-MB          memory by revision
//	gulp/names …     as many times as long does a peer take as --style name --out, which
//	                 is the same work, and as in place by revision; see benchPeers
//
// What cp -r does with a file is 11 system calls and one copy of its bytes, inside the
// kernel. What a document that changes takes here is 23, and the bytes are read, looked
// through twice, put together, written, and, if the file changed a moment ago, as all
// have that cp made, read again before the original is let go. Two processors make
// good for some of that, when nobody else wants them.
//
// Runs on an idle machine: go test -run - -bench AssetsRewrite -benchtime 5x ./cmd/revstamp
func BenchmarkAssetsRewrite(b *testing.B) {
	need.Program(b, "cp", "sed", "find", "xargs", "sha256sum")
	corpora := os.Getenv("REVSTAMP_CORPORA")
	if cache, err := os.UserCacheDir(); corpora == "" && err == nil {
		corpora = filepath.Join(cache, "revstamp-corpora")
	}
	program := buildCommand(b)
	for _, tree := range benchTrees {
		b.Run(tree.name, func(b *testing.B) {
			from := filepath.Join(corpora, filepath.FromSlash(tree.dir))
			if _, err := os.Stat(from); err != nil {
				b.Skipf("%s is not unpacked in %s", tree.dir, corpora)
			}
			benchRewrite(b, program, corpora, from)
		})
	}
}

func benchRewrite(b *testing.B, program, corpora, from string) {
	dir := onTmpfs(b)
	original, site := filepath.Join(dir, "original"), filepath.Join(dir, "site")
	// Links are made what they lead to, and those of packages that are not there
	// stay out: cp complains of them.
	_ = exec.Command("cp", "-rL", from, original).Run()
	best := fastest{}
	fresh := func(as string) {
		b.Helper()
		if err := os.RemoveAll(site); err != nil {
			b.Fatal(err)
		}
		best.time(b, as, runIn(dir, "cp", "-r", original, site))
	}
	shell := func(script string) func() error { return runIn(dir, "sh", "-c", script) }
	rewrite := func(args ...string) func() error {
		return runIn(dir, program, append([]string{"assets", "rewrite", "--quiet", "--root", site}, args...)...)
	}
	var peak int64
	for b.Loop() {
		fresh("cp")
		best.time(b, "walk", shell("find site -type f -size +1000000k"))
		best.time(b, "sha256sum", shell("find site -type f -print0 | xargs -0 sha256sum"))
		best.time(b, "sed", shell(`find site -name '*.html' -o -name '*.css' | xargs sed -i -E 's/(href|src)="([^"?#:]+\.(css|js|png|svg|gif))"/\1="\2?v=42"/g; s/url\(([^)?#:]+)\)/url(\1?v=42)/g'`))
		for _, by := range []string{"revision", "digest"} {
			fresh("cp")
			args := []string{"--rev", "42", "--version", by}
			best.time(b, by, rewrite(args...))
			best.time(b, "settled", rewrite(args...)) // what had just changed is read once more
			best.time(b, "unchanged", rewrite(args...))
		}
		fresh("cp")
		if err := os.RemoveAll(filepath.Join(dir, "out")); err != nil {
			b.Fatal(err)
		}
		best.time(b, "names", rewrite("--rev", "42", "--style", "name", "--out", filepath.Join(dir, "out")))
		peak = max(peak, peakOf(b, program, "assets", "rewrite", "--no-cache", "--quiet", "--root", site, "--rev", "42"))
	}
	benchAgainstPeers(b, corpora, original, dir, best)
	b.ReportMetric(best.ratio("revision", "sed"), "x-sed")
	b.ReportMetric(best.ratio("revision", "cp"), "x-cp")
	b.ReportMetric(best.ratio("digest", "sha256sum"), "x-sha256sum")
	b.ReportMetric(best.ratio("unchanged", "walk"), "x-walk")
	b.ReportMetric(float64(best["revision"].Milliseconds()), "ms/revision")
	b.ReportMetric(float64(best["unchanged"].Milliseconds()), "ms/unchanged")
	b.ReportMetric(float64(peak)/1024, "peak-MB")
}

// onTmpfs is a directory in memory where there is one: the times of a disk tell of
// the disk.
func onTmpfs(b *testing.B) string {
	dir, err := os.MkdirTemp("/dev/shm", "revstamp-bench-")
	if err != nil {
		return b.TempDir()
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			b.Error(err)
		}
	})
	return dir
}

// peakOf is the largest resident memory of a process, in KiB.
func peakOf(b *testing.B, name string, args ...string) int64 {
	b.Helper()
	cmd := exec.Command(name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
}

// fastest keeps the least time of each of several commands.
type fastest map[string]time.Duration

func (f fastest) time(b *testing.B, name string, do func() error) {
	b.Helper()
	watch := stopwatch{}
	watch.time(b, name, do)
	if was, ok := f[name]; !ok || watch[name] < was {
		f[name] = watch[name]
	}
}

func (f fastest) ratio(of, to string) float64 { return float64(f[of]) / float64(f[to]) }
