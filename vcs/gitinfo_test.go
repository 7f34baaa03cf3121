package vcs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// TestGitLastChanged asks git log about every file of a history of 2,000 commits
// with merges, and for the rest of what history tells.
func TestGitLastChanged(t *testing.T) {
	t.Parallel()
	up := vcstest.NewGit(t)
	up.History(1, 2000)
	up.Run("commit-graph", "write", "--reachable", "--changed-paths") // for git's speed
	want := make(map[string]string)
	for path := range gitContentIDs(t, up.Dir) {
		want[path] = up.Run("--literal-pathspecs", "log", "-1", "--format=%H", "--", path)
	}
	if len(want) < 60 {
		t.Errorf("only %d files", len(want))
	}
	old := up.Run("rev-list", "--skip=100", "--max-count=1", "HEAD")
	for _, o := range []vcs.Options{{}, {NoGit: true}} {
		wc := open(t, up.Dir, o)
		got, err := wc.LastChanged(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%+v: %s", o, d)
		}
		told(t, wc)
		for _, pair := range [][2]string{{old, ""}, {"", old}, {old[:9], "main"}} {
			sameChanges(t, wc, pair[0], pair[1])
		}
	}
}

// gitContentIDs is what git ls-tree says of HEAD, less submodules.
func gitContentIDs(t testing.TB, dir string) map[string]string {
	t.Helper()
	ids := make(map[string]string)
	out, err := vcstest.Try(dir, nil, "git", "ls-tree", "-r", "-z", "HEAD")
	if err != nil {
		return ids // no commit yet
	}
	for item := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		info, path, _ := strings.Cut(item, "\t")
		if f := strings.Fields(info); len(f) == 3 && f[1] == "blob" {
			ids[path] = f[2]
		}
	}
	return ids
}

// told compares Count and ContentIDs with git.
func told(t testing.TB, wc vcs.WorkingCopy) {
	t.Helper()
	want := "0"
	if out, err := vcstest.Try(wc.Dir(), nil, "git", "rev-list", "--count", "HEAD"); err == nil {
		want = strings.TrimSpace(out)
	}
	if got, err := wc.Count(t.Context()); err != nil || strconv.FormatInt(got, 10) != want {
		t.Errorf("Count = %d, %v, want %s", got, err, want)
	}
	ids, err := wc.ContentIDs(t.Context())
	if d := cmp.Diff(gitContentIDs(t, wc.Dir()), ids); d != "" || err != nil {
		t.Errorf("ContentIDs: %v: %s", err, d)
	}
}

// sameChanges compares Changes with git diff; "" is HEAD.
func sameChanges(t testing.TB, wc vcs.WorkingCopy, from, to string) {
	t.Helper()
	name := func(s string) string { return orElse(s, "HEAD") }
	out := vcstest.Run(t, wc.Dir(), nil, "git", "diff", "--raw", "--no-renames", "--no-abbrev", "-z", name(from), name(to))
	var want []vcs.Change
	for f := strings.Split(out, "\x00"); len(f) > 1; f = f[2:] {
		info := strings.Fields(f[0])
		c := vcs.Change{Path: f[1], Op: vcs.Changed}
		switch info[4] {
		case "A":
			c.Op = vcs.Added
		case "D":
			c.Op = vcs.Deleted
		}
		c.Mode = map[string]fs.FileMode{"100644": 0o644, "100755": 0o755, "120000": fs.ModeSymlink | 0o777}[info[1]]
		want = append(want, c)
	}
	slices.SortFunc(want, func(a, b vcs.Change) int { return strings.Compare(a.Path, b.Path) })
	got, err := wc.Changes(t.Context(), from, to)
	if err != nil {
		t.Errorf("Changes(%q, %q): %v", from, to, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Changes(%q, %q): %s", from, to, d)
	}
}

// TestGitChanges compares with git diff over every kind of change, and over
// commits that are not here yet, of any branch.
func TestGitChanges(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up, dir, first, second := gitSite(t)
		up.Run("checkout", "--quiet", "-b", "side", first)
		up.Run("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",sub")
		side := up.Commit("side", vcstest.Files{"css": "a file\n"})
		up.Run("checkout", "--quiet", "main")
		before := everything(t, dir)
		wc := open(t, dir, o)
		got, err := wc.Changes(t.Context(), "", "main")
		if d := cmp.Diff(gitTarget(vcs.Revision{}, second).Changes, got); d != "" || err != nil {
			t.Errorf("Changes: %v: %s", err, d)
		}
		for _, pair := range [][2]string{{first, second}, {second, first}, {"", ""}, {"", second}} {
			sameChanges(t, wc, pair[0], pair[1])
		}
		if _, err := wc.Changes(t.Context(), "side", first); err != nil {
			t.Error(err)
		}
		sameChanges(t, wc, side, "")
		sameChanges(t, wc, "", side)
		var unknown *vcs.UnknownRevisionError
		if _, err := wc.Changes(t.Context(), "none", ""); !errors.As(err, &unknown) {
			t.Errorf("Changes from nothing: %v", err)
		}
		if d := cmp.Diff(before, everything(t, dir)); d != "" {
			t.Error(d)
		}
	})
}

func TestGitTellsShallow(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up := vcstest.NewGit(t)
		up.Commit("one", site)
		up.Commit("two", next)
		dir := filepath.Join(t.TempDir(), "copy")
		vcstest.Run(t, "", nil, "git", "clone", "--quiet", "--depth=1", "file://"+up.Dir, dir)
		wc := open(t, dir, o)
		var shallow *vcs.ShallowError
		if _, err := wc.Count(t.Context()); !errors.As(err, &shallow) {
			t.Errorf("Count: %v", err)
		}
		if _, err := wc.LastChanged(t.Context(), ""); !errors.As(err, &shallow) {
			t.Errorf("LastChanged: %v", err)
		}
		if ids, err := wc.ContentIDs(t.Context()); err != nil || !cmp.Equal(ids, gitContentIDs(t, dir)) {
			t.Errorf("ContentIDs: %v", err)
		}
	})
}

// TestGitExport compares with git archive.
func TestGitExport(t *testing.T) {
	t.Parallel()
	files := vcstest.Files{
		"index.php": "<?php\n", "run": "#!/bin/sh\n", "link": "-> index.php", "é a/b c": "x\n",
		"tests/a": "1", "tests/b/c": "2", "src/tests/x": "3", "src/keep": "4", "src/deep/docs/y": "5", "only/ignored": "6",
		".gitattributes":     "/tests export-ignore\n*.md export-ignore\nonly/* export-ignore\n[attr]dev export-ignore\nsrc/deep/** dev\n.gitattributes export-ignore\n",
		"src/.gitattributes": "keep.md !export-ignore\n", "src/keep.md": "7", "README.md": "8",
		"long/" + strings.Repeat("x", 120) + "/" + strings.Repeat("y", 120): "9",
	}
	for name, test := range map[string]struct {
		files   vcstest.Files
		config  [][2]string
		info    string // info/attributes
		feature string // without git
	}{
		"plain":        {},
		"info":         {info: "run export-ignore\n/tests -export-ignore\n"},
		"eol":          {files: vcstest.Files{"src/.gitattributes": "*.md text eol=crlf\n", "src/a.md": "a\nb\n"}, info: "*.md -export-ignore\n", feature: "conversion by eol=crlf"},
		"autocrlf":     {config: [][2]string{{"core.autocrlf", "true"}}, feature: "conversion by core.autocrlf=true"},
		"filter":       {files: vcstest.Files{".gitattributes": "*.php filter=up\n"}, config: [][2]string{{"filter.up.smudge", "tr a-z A-Z"}, {"filter.up.clean", "cat"}}, feature: "conversion by filter=up"},
		"no filter":    {files: vcstest.Files{".gitattributes": "*.php filter=up\n"}},
		"export-subst": {files: vcstest.Files{".gitattributes": "src/v export-subst\n", "src/v": "$Format:%H %an$\n"}, feature: "the attribute export-subst"},
		"ignore case":  {config: [][2]string{{"core.ignoreCase", "true"}}, feature: "core.ignoreCase=true"},
		"Git LFS":      {files: vcstest.Files{".gitattributes": "*.png filter=lfs -text\n", "x.png": "version"}, feature: "Git LFS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := vcstest.NewGit(t)
			up.Commit("one", files)
			up.Run("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",sub/module")
			id := up.Commit("two", test.files)
			up.Commit("three", vcstest.Files{"later": "1", ".gitattributes": "later"})
			for _, c := range test.config {
				up.Run("config", c[0], c[1])
			}
			vcstest.Write(t, up.Dir, ".git/info/attributes", "# none\n"+test.info)
			vcstest.Write(t, up.Dir, "index.php", "local\n")
			vcstest.Write(t, up.Dir, ".gitattributes", "* export-ignore\n") // not committed
			want := filepath.Join(t.TempDir(), "want")
			vcstest.Run(t, up.Dir, nil, "sh", "-c", `mkdir "$2"; git archive "$1" | tar -x -C "$2"`, "sh", id, want)
			for _, o := range []vcs.Options{{}, {NoGit: true}} {
				got := filepath.Join(t.TempDir(), "got", "here")
				err := open(t, up.Dir, o).Export(t.Context(), id, got)
				if test.feature != "" && (o.NoGit || name == "Git LFS") {
					var unsupported *vcs.UnsupportedError
					if !errors.As(err, &unsupported) || unsupported.Feature != test.feature {
						t.Errorf("%+v: Export: %v", o, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%+v: Export: %v", o, err)
				}
				if d := cmp.Diff(tree(t, want), tree(t, got)); d != "" {
					t.Errorf("%+v: %s", o, d)
				}
				if err := open(t, up.Dir, o).Export(t.Context(), "", got); err == nil {
					t.Error("Export over another succeeded")
				}
			}
		})
	}
}

// tree is Snapshot with directories and executables.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for path, content := range vcstest.Snapshot(t, dir) {
		all[path] = content
	}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if d.IsDir() {
			all[rel] = "a directory"
		} else if info.Mode()&0o111 != 0 {
			all[rel] += "(executable)"
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestGitUnborn(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		wc := open(t, vcstest.NewGit(t).Dir, o)
		told(t, wc)
		last, err := wc.LastChanged(t.Context(), "")
		if d := cmp.Diff(map[string]string{}, last, cmpopts.EquateEmpty()); d != "" || err != nil {
			t.Errorf("LastChanged: %v: %s", err, d)
		}
		var unknown *vcs.UnknownRevisionError
		dir := filepath.Join(t.TempDir(), "out")
		if err := wc.Export(t.Context(), "", dir); !errors.As(err, &unknown) {
			t.Errorf("Export: %v", err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("Export of nothing made a directory")
		}
	})
}
