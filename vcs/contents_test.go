package vcs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// many is a site of 300 pages, some of whose names look like something else.
func many(letter string) vcstest.Files {
	files := vcstest.Files{"a@b.html": letter + "@", "with space é%20.html": letter + " ", "-r.html": letter, "binary.bin": letter + "\x00\r\n\xff"}
	for n := range 300 {
		files[fmt.Sprintf("pages/%03d.html", n)] = strings.Repeat(letter, n+1)
	}
	return files
}

// contentsEqual holds Contents, read by several goroutines, against what the target
// is known to have and against Read, and returns how many clients Contents ran, by
// command.
func contentsEqual(t *testing.T, dir string, o vcs.Options, want vcstest.Files, absent ...string) map[string]int {
	t.Helper()
	var log bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	wc := open(t, dir, o)
	target := resolve(t, wc, "")
	paths := absent
	for path := range want {
		paths = append(paths, path)
	}
	log.Reset()
	c, err := wc.Contents(t.Context(), target, paths)
	if err != nil {
		t.Fatal(err)
	}
	ran := make(map[string]int)
	for line := range strings.Lines(log.String()) {
		_, command, _ := strings.Cut(line, "command=")
		command, _, _ = strings.Cut(command, " args=")
		command, _, _ = strings.Cut(command, " took=")
		ran[strings.Trim(command, `"`)]++
	}
	var readers errgroup.Group
	readers.SetLimit(4)
	for path, text := range want {
		readers.Go(func() error {
			if got, err := c.Read(path); err != nil || string(got) != text {
				t.Errorf("Contents.Read(%q) = %.50q, %v, want %.50q", path, got, err, text)
			}
			return nil
		})
	}
	readers.Wait()
	for _, path := range absent {
		if got, err := c.Read(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Contents.Read(%q) = %q, %v", path, got, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for path, text := range want {
		if strings.HasPrefix(path, "pages/") && path != "pages/007.html" {
			continue // one is enough of those that differ in nothing
		}
		if got, err := wc.Read(t.Context(), target, path); err != nil || string(got) != text {
			t.Errorf("Read(%q) = %.50q, %v, want %.50q", path, got, err, text)
		}
	}
	return ran
}

// linked has many, an empty file and a link committed to a repository, after what is
// cloned to dir: one of the files there is deleted. The target is to hold want.
func linked(t *testing.T, repository string, commit func(string, vcstest.Files) string, clone func() string) (dir string, want vcstest.Files) {
	t.Helper()
	files, next := many("a"), many("b")
	files["gone.html"], next["gone.html"] = "gone", "" // deleted
	commit("a", files)
	dir = clone()
	vcstest.Write(t, repository, "empty.html", "")
	if err := os.Symlink("a@b.html", filepath.Join(repository, "link.html")); err != nil {
		t.Fatal(err)
	}
	commit("b", next)
	want = many("b")
	want["link.html"], want["empty.html"] = "a@b.html", ""
	return dir, want
}

func TestGitContents(t *testing.T) {
	t.Parallel()
	up := vcstest.NewGit(t)
	dir, want := linked(t, up.Dir, up.Commit, func() string { return up.Clone() })
	hosts(t, func(t *testing.T, o vcs.Options) {
		contentsEqual(t, dir, o, want, "gone.html", "none", "none/none")
	})
}

// TestHgContents also counts: one server reads all files by one command.
func TestHgContents(t *testing.T) {
	t.Parallel()
	up := vcstest.NewHg(t)
	dir, want := linked(t, up.Dir, up.Commit, func() string { return up.Clone(up.Dir) })
	ran := contentsEqual(t, dir, vcs.Options{}, want, "gone.html", "none", "none/none")
	if ran["hg serve"] != 1 || ran["hg cat"] != 1 {
		t.Errorf("clients: %v, want one server and one cat", ran)
	}
}

// TestSvnContents also counts: the URLs of all files are asked for at once.
func TestSvnContents(t *testing.T) {
	t.Parallel()
	up := vcstest.NewSvn(t)
	files := many("a")
	files["gone.html"] = "gone"
	next := many("b")
	next["gone.html"] = "" // deleted
	up.Commit("a", files)
	dir := up.Checkout("")
	next["new/deep.html"] = "new"
	up.Commit("b", next)
	other := up.Checkout("")
	vcstest.Write(t, other, "empty.html", "")
	up.Run(other, "add", "-q", "empty.html")
	up.Run(other, "commit", "-q", "-m", "empty")
	want := many("b")
	want["new/deep.html"], want["empty.html"] = "new", ""
	ran := contentsEqual(t, dir, vcs.Options{}, want, "gone.html")
	if ran["svn info"] > 4 || ran["svn cat"] != len(want)+1 {
		t.Errorf("clients: %v, want a few infos and %d cats", ran, len(want)+1)
	}
	contentsEqual(t, dir, vcs.Options{}, vcstest.Files{"a@b.html": "b@"}, "gone.html", "none", "none/none")
}
