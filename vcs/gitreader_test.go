package vcs_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// TestGitReader lets a reader loop over a file of two megabytes, which it must
// always find whole, during 200 updates to and fro.
func TestGitReader(t *testing.T) {
	t.Parallel()
	updates := 200
	if testing.Short() {
		updates = 20
	}
	up := vcstest.NewGit(t)
	var ids []string
	var whole []string // files of what it may hold
	for _, size := range []int{2 << 20, 2<<20 + 4096} {
		var b strings.Builder
		for n := 0; b.Len() < size; n++ {
			fmt.Fprintln(&b, size, n)
		}
		ids = append(ids, up.Commit(fmt.Sprint(size), vcstest.Files{"js/site.js": b.String(), "index.html": fmt.Sprint(size)}))
		dir := t.TempDir()
		vcstest.Write(t, dir, "site.js", b.String())
		whole = append(whole, filepath.Join(dir, "site.js"))
	}
	hosts(t, func(t *testing.T, o vcs.Options) {
		dir := up.Clone()
		wc := open(t, dir, o)
		stop := read(t, filepath.Join(dir, "js/site.js"), whole...)
		for i := range updates {
			update(t, wc, ids[i%2], "")
		}
		stop()
		if got := revision(t, wc); got.ID != ids[1] || got.Modified != nil {
			t.Errorf("Revision = %+v", got)
		}
	})
}

// read has PHP, as a web server would, read a file again and again until the
// function it returns is called, and fails the test unless it always found what
// one of the other files holds.
func read(t *testing.T, file string, good ...string) (stop func()) {
	t.Helper()
	need.Program(t, "php")
	const loop = `$file = $argv[1];
		$good = array_map('file_get_contents', array_slice($argv, 2));
		stream_set_blocking(STDIN, false);
		for ($n = 0; !feof(STDIN); $n++) {
			$s = @file_get_contents($file);
			if (!in_array($s, $good, true)) {
				exit("read $n: " . ($s === false ? "nothing" : strlen($s) . " bytes"));
			}
			fread(STDIN, 1);
		}
		fwrite(STDERR, "$n reads");`
	cmd := exec.Command("php", append([]string{"-r", loop, "--", file}, good...)...)
	var out, reads strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &reads
	end, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	wait := sync.OnceFunc(func() {
		end.Close()
		if err := cmd.Wait(); err != nil || out.Len() > 0 {
			t.Errorf("the reader: %v: %s", err, out.String())
		}
		t.Log(reads.String())
	})
	t.Cleanup(wait)
	return wait
}
