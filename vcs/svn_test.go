package vcs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

func TestSvnUpdate(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"file", "svn"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			up := vcstest.NewSvn(t)
			first := up.Commit("one", svnFiles(site))
			url := up.URL
			if scheme == "svn" {
				url = up.Serve()
			}
			dir := up.Checkout(url)
			stamp(t, dir, "config.php", "1")
			wc := open(t, dir, vcs.Options{})
			if got := revision(t, wc); got.ID != first || got.Modified != nil || got.Mixed != "" {
				t.Errorf("Revision = %+v", got)
			}
			second := up.Commit("two\n\nbody", svnFiles(next))
			target := resolve(t, wc, "")
			t.Logf("%+v", target)
			stop := watch(t, filepath.Join(dir, "config.php"), func(b []byte) bool {
				return bytes.Contains(b, []byte("$rev = '1'")) || bytes.Contains(b, []byte("$rev = '2'"))
			})
			update(t, wc, "", "2")
			stop()
			want := vcstest.Snapshot(t, up.WC)
			want["config.php"] = stampText(want["config.php"], "2")
			if d := cmp.Diff(want, vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if got := vcstest.Version(t, dir); got != second+"M" {
				t.Errorf("svnversion = %q", got)
			}
			t.Logf("%+v", revision(t, wc))
			update(t, wc, first, "1")
			if got := revision(t, wc); got.ID != first || got.Modified != nil || got.Mixed != "" {
				t.Errorf("Revision = %+v", got)
			}
		})
	}
}

// svnFiles leaves out what svn cannot hold: newlines in names.
func svnFiles(files vcstest.Files) vcstest.Files {
	out := make(vcstest.Files)
	for path, content := range files {
		if path != "with space é\n-x" {
			out[path] = content
		}
	}
	out["with space é-x@1"] = "odd\n"
	return out
}

func stampText(text, rev string) string {
	out, _ := stampEdit(rev)("config.php", []byte(text))
	return string(out)
}

// stamp writes rev into a config.php, as an earlier release did.
func stamp(t testing.TB, dir, path, rev string) {
	t.Helper()
	file := filepath.Join(dir, path)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(stampText(string(data), rev)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// watch reads a file again and again until the function it returns is called,
// and fails the test whenever the content is not good.
func watch(t *testing.T, file string, good func([]byte) bool) (stop func()) {
	t.Helper()
	end, done := make(chan struct{}), make(chan int)
	go func() {
		reads := 0
		for {
			data, err := os.ReadFile(file)
			reads++
			if err != nil || !good(data) {
				t.Errorf("a reader saw %q, %v", data, err)
				<-end
				done <- reads
				return
			}
			select {
			case <-end:
				done <- reads
				return
			default:
			}
		}
	}()
	return func() {
		close(end)
		t.Logf("%d reads", <-done)
	}
}
