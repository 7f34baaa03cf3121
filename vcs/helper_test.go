package vcs_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// put writes files as a caller of Update would: whole, by rename, deletions
// last. It stops with an error before the n-th file when stop is n.
func put(dir string, stop int) func(context.Context, []vcs.Write) error {
	done := 0
	return func(_ context.Context, writes []vcs.Write) error {
		for _, w := range writes {
			if done == stop {
				return errStopped
			}
			done++
			if err := putOne(dir, w); err != nil {
				return err
			}
		}
		return nil
	}
}

var errStopped = errors.New("stopped")

const never = -1

func putOne(dir string, w vcs.Write) error {
	file, temp := filepath.Join(dir, filepath.FromSlash(w.Path)), dir+".tmp"
	if _, err := os.Lstat(temp); err == nil {
		os.Remove(temp) // of a killed process
	}
	if w.Delete {
		err := os.Remove(file)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	}
	content, err := w.Content()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if w.Mode&fs.ModeSymlink != 0 {
		err = os.Symlink(string(content), temp)
	} else {
		err = errors.Join(os.WriteFile(temp, content, 0o644), os.Chmod(temp, w.Mode))
	}
	if err != nil {
		return err
	}
	return os.Rename(temp, file)
}

// The stamp of these tests: config.php holds `$rev = '…';`, which we write.
var stamped = regexp.MustCompile(`\$rev = '([^']*)';`)

func stampOwn(path string, base, got []byte) bool {
	blank := []byte("$rev = '';")
	return filepath.Base(path) == "config.php" &&
		bytes.Equal(stamped.ReplaceAllLiteral(base, blank), stamped.ReplaceAllLiteral(got, blank))
}

func stampEdit(rev string) func(string, []byte) ([]byte, error) {
	return func(path string, content []byte) ([]byte, error) {
		if filepath.Base(path) != "config.php" {
			return content, nil
		}
		return stamped.ReplaceAllLiteral(content, []byte("$rev = '"+rev+"';")), nil
	}
}

func open(t testing.TB, dir string, o vcs.Options) vcs.WorkingCopy {
	t.Helper()
	wc, err := vcs.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return wc
}

func resolve(t testing.TB, wc vcs.WorkingCopy, want string) *vcs.Target {
	t.Helper()
	target, err := wc.Resolve(t.Context(), want, stampOwn)
	if err != nil {
		t.Fatalf("Resolve(%q): %v", want, err)
	}
	return target
}

// update goes to want, stamping rev.
func update(t testing.TB, wc vcs.WorkingCopy, want, rev string) *vcs.Target {
	t.Helper()
	target := resolve(t, wc, want)
	err := wc.Update(t.Context(), target, vcs.Update{
		Own: stampOwn, Edit: stampEdit(rev), Write: put(wc.Dir(), never),
	})
	if err != nil {
		t.Fatalf("Update(%q): %v", want, err)
	}
	return target
}

func revision(t testing.TB, wc vcs.WorkingCopy) vcs.Revision {
	t.Helper()
	r, err := wc.Revision(t.Context(), stampOwn)
	if err != nil {
		t.Fatalf("Revision: %v", err)
	}
	return r
}

// hosts runs a test with the git client and without.
func hosts(t *testing.T, test func(t *testing.T, o vcs.Options)) {
	t.Run("client", func(t *testing.T) { t.Parallel(); test(t, vcs.Options{}) })
	t.Run("without", func(t *testing.T) { t.Parallel(); test(t, vcs.Options{NoGit: true}) })
}

func status(t testing.TB, dir string) string {
	t.Helper()
	return vcstest.Run(t, dir, nil, "git", "status", "--porcelain")
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
				t.Errorf("a reader saw %d bytes, %.200q, %v", len(data), data, err)
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
