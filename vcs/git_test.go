package vcs_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

var site = vcstest.Files{
	"config.php":       "<?php\n$name = 'shop';\n$rev = '0';\n$debug = false;\n",
	"index.html":       "<h1>one</h1>\n",
	"css/site.css":     "a{}\n",
	"bin/run":          "#!/bin/sh\necho one\n",
	"link":             "-> index.html",
	"old/gone.txt":     "gone\n",
	"with space é\n-x": "odd\n",
	"-dash":            "dash\n",
	"img/far/er/a.bin": "\x00\x01\x02",
	"turns/into/dir":   "a file\n",
	"turns/dir/a":      "in a directory\n",
}

// next changes every kind of thing, the lines beside the stamped one included.
var next = vcstest.Files{
	"config.php":         "<?php\n$name = 'Shop';\n$rev = '00';\n$debug = true;\n",
	"index.html":         "#!/bin/sh\n",
	"css/new.css":        "b{}\n",
	"bin/run":            "#!/bin/sh\necho two\n",
	"link":               "-> css/site.css",
	"old/gone.txt":       "",
	"with space é\n-x":   "odder\n",
	"-dash":              "dasher\n",
	"img/far/er/a.bin":   "",
	"turns/into/dir":     "",
	"turns/into/dir/now": "in a directory\n",
	"turns/dir/a":        "",
	"turns/dir":          "a file\n",
}

// gitSite is a clone of the site, stamped with 1, of an upstream that is one
// commit further. Each call copies what the first one made.
func gitSite(t testing.TB) (up *vcstest.Git, dir, first, second string) {
	t.Helper()
	up = vcstest.NewGit(t)
	siteOnce.Do(func() { makeSite(t) })
	if siteHome == "" {
		t.Fatal("the site was not made")
	}
	dir = filepath.Join(filepath.Dir(up.Dir), "copy")
	vcstest.Run(t, "", nil, "cp", "-a", filepath.Join(siteHome, "upstream")+"/.", up.Dir)
	vcstest.Run(t, "", nil, "cp", "-a", filepath.Join(siteHome, "copy"), dir)
	vcstest.Run(t, dir, nil, "git", "config", "remote.origin.url", up.Dir)
	vcstest.Run(t, dir, nil, "git", "update-index", "--refresh") // inodes
	stamp(t, dir, "config.php", "1")
	up.Commits = 2
	ids := strings.Fields(up.Run("rev-list", "--reverse", "main"))
	return up, dir, ids[0], ids[1]
}

var (
	siteOnce sync.Once
	siteHome string // below TestMain's directory
)

func makeSite(t testing.TB) {
	t.Helper()
	up := vcstest.NewGit(t)
	up.Commit("one", site)
	copied := up.Clone()
	up.Commit("two\n\nbody", next)
	home := filepath.Join(os.Getenv("HOME"), "site")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	vcstest.Run(t, "", nil, "cp", "-a", up.Dir, filepath.Join(home, "upstream"))
	vcstest.Run(t, "", nil, "cp", "-a", copied, filepath.Join(home, "copy"))
	siteHome = home
}

// released is what the tree holds at an upstream's state, stamped with rev.
func released(t testing.TB, upstream, rev string) vcstest.Files {
	t.Helper()
	want := vcstest.Snapshot(t, upstream)
	want["config.php"] = stampText(want["config.php"], rev)
	return want
}

func TestGitUpdate(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up, dir, first, second := gitSite(t)
		before := vcstest.Snapshot(t, dir)
		wc := open(t, dir, o)
		now := revision(t, wc)
		if now.ID != first || now.Modified != nil {
			t.Errorf("Revision = %+v", now)
		}
		stop := watch(t, filepath.Join(dir, "config.php"), func(b []byte) bool {
			return bytes.Contains(b, []byte("$rev = '1'")) || bytes.Contains(b, []byte("$rev = '2'"))
		})
		target := update(t, wc, "", "2")
		stop()
		if d := cmp.Diff(gitTarget(now, second), target, cmp.FilterPath(unexported, cmp.Ignore())); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(released(t, up.Dir, "2"), vcstest.Snapshot(t, dir)); d != "" {
			t.Error(d)
		}
		whole(t, dir, " M config.php")
		if got := revision(t, wc); got.ID != second || got.Modified != nil || got.Branch != "main" {
			t.Errorf("Revision = %+v", got)
		}
		if got := vcstest.Run(t, dir, nil, "git", "rev-parse", "main", "origin/main"); got != second+"\n"+second {
			t.Errorf("refs = %s", got)
		}

		update(t, wc, first, "1") // a rollback
		if d := cmp.Diff(before, vcstest.Snapshot(t, dir)); d != "" {
			t.Error(d)
		}
		whole(t, dir, " M config.php")
		log := vcstest.Run(t, dir, nil, "git", "reflog", "--format=%H %gs", "main")
		want := first + " revstamp: update to " + first[:12] + "\n" +
			second + " revstamp: update to " + second[:12] + "\n" + first + " clone: from "
		if !strings.HasPrefix(log, want) {
			t.Errorf("reflog = %s", log)
		}

		update(t, wc, "", "2") // and on again
		// The stat data in the index prove nothing of the file that we edited,
		// even when the index is too young to distrust them.
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(dir, ".git", "index"), later, later); err != nil {
			t.Fatal(err)
		}
		if got, err := wc.Revision(t.Context(), nil); err != nil || !slices.Equal(got.Modified, []string{"config.php"}) {
			t.Errorf("Revision = %+v, %v", got, err)
		}
		whole(t, dir, " M config.php")
	})
}

func unexported(p cmp.Path) bool {
	f, ok := p.Last().(cmp.StructField)
	return ok && strings.ToLower(f.Name()[:1]) == f.Name()[:1]
}

// gitTarget is what Resolve tells of the second commit.
func gitTarget(now vcs.Revision, second string) *vcs.Target {
	r := vcs.Revision{
		System: "git", ID: second, Short: second[:12], Branch: "main", Describe: second[:12],
		Author: vcstest.Author, Date: vcstest.Epoch.Add(time.Hour), URL: now.URL,
	}
	t := &vcs.Target{Revision: r, Now: now, From: now.ID, Commits: []vcs.Commit{{
		ID: second, Short: second[:12], Author: vcstest.Author, Subject: "two", Date: r.Date,
	}}}
	t.Changes = []vcs.Change{
		{"-dash", vcs.Changed, 0o644}, {"bin/run", vcs.Changed, 0o755}, {"config.php", vcs.Changed, 0o644},
		{"css/new.css", vcs.Added, 0o644}, {"img/far/er/a.bin", vcs.Deleted, 0},
		{"index.html", vcs.Changed, 0o755}, {"link", vcs.Changed, fs.ModeSymlink | 0o777},
		{"old/gone.txt", vcs.Deleted, 0}, {"turns/dir", vcs.Added, 0o644}, {"turns/dir/a", vcs.Deleted, 0},
		{"turns/into/dir", vcs.Deleted, 0}, {"turns/into/dir/now", vcs.Added, 0o644},
		{"with space é\n-x", vcs.Changed, 0o644},
	}
	return t
}

// whole has git look at a working copy.
func whole(t testing.TB, dir, want string) {
	t.Helper()
	if got := status(t, dir); got != want {
		t.Errorf("git status = %q, want %q", got, want)
	}
	if got := vcstest.Run(t, dir, nil, "git", "fsck", "--strict", "--no-dangling"); got != "" {
		t.Errorf("git fsck: %s", got)
	}
	if got := vcstest.Run(t, dir, nil, "git", "diff", "--cached", "--name-only"); got != "" {
		t.Errorf("staged: %s", got)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".git", "index.lock")); err == nil {
		t.Error("index.lock stays")
	}
}

// TestGitConstant holds the ids that fixed authors and dates make.
func TestGitConstant(t *testing.T) {
	t.Parallel()
	up := vcstest.NewGit(t)
	const want = "9122299a556fca5f63b3d2498c2c94bce82ed066"
	if got := up.Commit("one", vcstest.Files{"a": "1\n"}); got != want {
		t.Errorf("commit = %s, want %s", got, want)
	}
}

// TestGitResolveWritesNothing looks at every file of tree and .git, but objects.
func TestGitResolveWritesNothing(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up, dir, _, second := gitSite(t)
		up.Run("tag", "-a", "-m", "x", "v2")
		vcstest.Run(t, dir, nil, "git", "config", "remote.origin.prune", "true")
		before := everything(t, dir)
		wc := open(t, dir, o)
		target := resolve(t, wc, "")
		if target.Revision.Tag != "v2" || target.Revision.Describe != "v2" {
			t.Errorf("the new tag is not seen: %+v", target.Revision)
		}
		revision(t, wc)
		if d := cmp.Diff(before, everything(t, dir)); d != "" {
			t.Error(d)
		}
		got, err := wc.Read(t.Context(), target, "turns/into/dir/now")
		if err != nil || string(got) != "in a directory\n" {
			t.Errorf("Read = %q, %v", got, err)
		}
		if got, err := wc.Read(t.Context(), target, "link"); err != nil || string(got) != "css/site.css" {
			t.Errorf("Read = %q, %v", got, err)
		}
		for _, path := range []string{"old/gone.txt", "none", "index.html/x"} {
			if _, err := wc.Read(t.Context(), target, path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Read(%q): %v", path, err)
			}
		}
		update(t, wc, "", "2")
		if got := vcstest.Run(t, dir, nil, "git", "describe"); got != "v2" {
			t.Errorf("git describe = %q, want the tag that came with %s", got, second)
		}
		if got := revision(t, wc); got.Tag != "v2" {
			t.Errorf("Revision = %+v", got)
		}
	})
}

// everything is each file's name, mode and content.
func everything(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "objects" {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		if d.Type()&fs.ModeSymlink != 0 {
			data, err = nil, nil // its own time tells of a change
		}
		all[file] = info.Mode().String() + info.ModTime().String() + string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// clients counts the programs that were run.
type clients struct {
	slog.Handler
	count *int
	names *[]string
}

func countClients() (*slog.Logger, *int, *[]string) {
	n, names := new(int), new([]string)
	return slog.New(clients{slog.DiscardHandler, n, names}), n, names
}

func (c clients) Enabled(context.Context, slog.Level) bool { return true }

func (c clients) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "client ran" {
		*c.count++
		r.Attrs(func(a slog.Attr) bool {
			*c.names = append(*c.names, a.String())
			return true
		})
	}
	return nil
}

// TestGitNothingToDo counts the processes of a look at an up-to-date, stamped,
// tagged working copy: none when the remote is on this machine, and git may be
// expected to show all of it.
func TestGitNothingToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config []string // of the remote
		want   int
	}{
		"plain":  {nil, 0},
		"hiding": {[]string{"uploadpack.hideRefs", "refs/tags/inside"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gitNothingToDo(t, c.config, c.want)
		})
	}
}

func gitNothingToDo(t *testing.T, config []string, want int) {
	up := vcstest.NewGit(t)
	up.Commit("one", site)
	up.Run("tag", "-a", "-m", "x", "v1")
	up.Commit("two", next)
	dir := up.Clone()
	up.Run("tag", "inside", "HEAD~")
	up.Run("pack-refs", "--all")
	up.Run("tag", "-a", "-m", "x", "later", "HEAD~")
	if config != nil {
		up.Run(append([]string{"config"}, config...)...)
	}
	vcstest.Run(t, dir, nil, "git", "fetch", "-q", "--tags")
	stamp(t, dir, "config.php", "1")
	log, count, names := countClients()
	wc := open(t, dir, vcs.Options{Logger: log})
	target := resolve(t, wc, "")
	r := revision(t, wc)
	if *count != want {
		t.Errorf("%d client processes: %q", *count, *names)
	}
	if target.From != target.Revision.ID || target.Changes != nil || target.Commits != nil {
		t.Errorf("Resolve = %+v", target)
	}
	if d := cmp.Diff(r, target.Revision); d != "" {
		t.Errorf("Resolve and Revision differ: %s", d)
	}
	if want := vcstest.Run(t, dir, nil, "git", "describe", "--abbrev=12"); r.Describe != want {
		t.Errorf("Describe = %q, want %q", r.Describe, want)
	}
	if r.Modified != nil {
		t.Errorf("Modified = %q", r.Modified)
	}
	before := everything(t, dir)
	if err := wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Write: put(dir, 0)}); err != nil {
		t.Errorf("an update with nothing to do: %v", err)
	}
	after := everything(t, dir)
	delete(before, filepath.Join(dir, ".git/index"))
	delete(after, filepath.Join(dir, ".git/index"))
	if d := cmp.Diff(before, after); d != "" {
		t.Error(d)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	_, dir, _, _ := gitSite(t)
	plain := t.TempDir()
	for _, sub := range []string{"hg/.hg", "empty/.git", "file"} {
		if err := os.MkdirAll(filepath.Join(plain, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_, err := vcs.Open(t.Context(), filepath.Join(dir, "css"), vcs.Options{})
	var not *vcs.NotWorkingCopyError
	if !errors.As(err, &not) || not.Top != dir || !errors.Is(err, vcs.ErrNotWorkingCopy) {
		t.Errorf("Open below the top: %v", err)
	}
	if _, err := vcs.Open(t.Context(), filepath.Join(plain, "file"), vcs.Options{}); !errors.Is(err, vcs.ErrNotWorkingCopy) {
		t.Errorf("Open of a plain directory: %v", err)
	}
	if _, err := vcs.Open(t.Context(), filepath.Join(plain, "empty"), vcs.Options{}); !errors.Is(err, vcs.ErrNotWorkingCopy) {
		t.Errorf("Open with an empty .git: %v", err)
	}
	if _, err := vcs.Open(t.Context(), filepath.Join(plain, "none"), vcs.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of nothing: %v", err)
	}
	if _, err := vcs.Open(t.Context(), filepath.Join(plain, "hg"), vcs.Options{}); !errors.Is(err, vcs.ErrNotWorkingCopy) {
		t.Errorf("Open with an empty .hg: %v", err)
	}
}

// TestGitLayouts updates what .git can be, with refs and objects packed or not.
func TestGitLayouts(t *testing.T) {
	t.Parallel()
	layouts := map[string]func(t *testing.T, up *vcstest.Git) string{
		"packed": func(t *testing.T, up *vcstest.Git) string {
			dir := up.Clone()
			vcstest.Run(t, dir, nil, "git", "pack-refs", "--all")
			vcstest.Run(t, dir, nil, "git", "gc", "--quiet")
			return dir
		},
		"worktree": func(t *testing.T, up *vcstest.Git) string {
			dir := filepath.Join(t.TempDir(), "tree")
			vcstest.Run(t, up.Clone(), nil, "git", "worktree", "add", "--quiet", "-b", "live", dir, "origin/main")
			return dir
		},
		"separate": func(t *testing.T, up *vcstest.Git) string {
			return up.Clone("--separate-git-dir", filepath.Join(t.TempDir(), "elsewhere"))
		},
		"borrowing": func(t *testing.T, up *vcstest.Git) string { return up.Clone("--shared") },
		"index v4": func(t *testing.T, up *vcstest.Git) string {
			dir := up.Clone()
			vcstest.Run(t, dir, nil, "git", "update-index", "--index-version", "4")
			return dir
		},
		"worktree config": func(t *testing.T, up *vcstest.Git) string {
			dir := up.Clone()
			vcstest.Run(t, dir, nil, "git", "config", "extensions.worktreeConfig", "true")
			return dir
		},
	}
	for name, layout := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosts(t, func(t *testing.T, o vcs.Options) {
				up := vcstest.NewGit(t)
				up.Commit("one", site)
				dir := layout(t, up)
				second := up.Commit("two", next)
				wc := open(t, dir, o)
				update(t, wc, "main", "2")
				if got := revision(t, wc); got.ID != second || got.Modified != nil {
					t.Errorf("Revision = %+v", got)
				}
				if d := cmp.Diff(released(t, up.Dir, "2"), vcstest.Snapshot(t, dir)); d != "" {
					t.Error(d)
				}
				whole(t, dir, " M config.php")
			})
		})
	}
}

func TestGitShallow(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up := vcstest.NewGit(t)
		for _, n := range []string{"1", "2", "3"} {
			up.Commit(n, vcstest.Files{"a": n})
		}
		dir := filepath.Join(t.TempDir(), "copy")
		vcstest.Run(t, "", nil, "git", "clone", "--quiet", "--depth=1", "file://"+up.Dir, dir)
		wc := open(t, dir, o)
		if got := revision(t, wc); !got.Shallow || got.Describe != "" {
			t.Errorf("Revision = %+v", got)
		}
		want := up.Commit("4", vcstest.Files{"a": "4"})
		update(t, wc, "", "")
		if got := revision(t, wc); got.ID != want {
			t.Errorf("Revision = %+v", got)
		}
		whole(t, dir, "")
	})
}

func TestGitLocalOnly(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up := vcstest.NewGit(t)
		first := up.Commit("one", site)
		second := up.Commit("two", next)
		wc := open(t, up.Dir, o)
		for want, id := range map[string]string{"": second, "main": second, "HEAD": second, first[:8]: first} {
			if got := resolve(t, wc, want); got.Revision.ID != id {
				t.Errorf("Resolve(%q) = %s, want %s", want, got.Revision.ID, id)
			}
		}
		update(t, wc, first, "1")
		whole(t, up.Dir, " M config.php")
	})
}

// TestGitFollowed asks for a branch by a name that the remote does not know: that of one
// that follows another there, and that of one that is no more.
func TestGitFollowed(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up, dir, first, second := gitSite(t)
		vcstest.Run(t, dir, nil, "git", "branch", "--move", "main", "production")
		wc := open(t, dir, o)
		if got := resolve(t, wc, "production"); got.Now.ID != first || got.Revision.ID != second {
			t.Errorf("Resolve = %+v, want what it follows, %s", got, second)
		}
		update(t, wc, "production", "2")

		up.Run("branch", "--move", "main", "renamed")
		for _, want := range []string{"", "production"} {
			var unknown *vcs.UnknownRevisionError
			if got, err := wc.Resolve(t.Context(), want, nil); !errors.As(err, &unknown) || unknown.Detail != "no such branch at origin" {
				t.Errorf("Resolve(%q) = %+v, %v, want that the branch is no more", want, got, err)
			}
		}
	})
}

func TestGitDetached(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		_, dir, first, second := gitSite(t)
		vcstest.Run(t, dir, nil, "git", "checkout", "--quiet", "--detach")
		wc := open(t, dir, o)
		if got := revision(t, wc); !got.Detached || got.Branch != "" {
			t.Errorf("Revision = %+v", got)
		}
		if got := resolve(t, wc, ""); got.Revision.ID != first {
			t.Errorf("Resolve = %+v", got)
		}
		update(t, wc, "main", "2")
		if got := revision(t, wc); !got.Detached || got.ID != second {
			t.Errorf("Revision = %+v", got)
		}
		if got := vcstest.Run(t, dir, nil, "git", "rev-parse", "main"); got != first {
			t.Errorf("main = %s: only HEAD moves", got)
		}
	})
}

func TestGitNames(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up := vcstest.NewGit(t)
		first := up.Commit("one", site)
		up.Run("tag", "-a", "-m", "x", "v1")
		dir := up.Clone()
		second := up.Commit("two", next)
		up.Run("tag", "v2")
		up.Run("tag", "twice")
		up.Run("branch", "twice")
		up.Run("checkout", "--quiet", "-b", "side", first)
		side := up.Commit("side", vcstest.Files{"side": "1"})
		up.Run("checkout", "--quiet", "main")
		wc := open(t, dir, o)
		for _, test := range []struct{ want, id string }{
			{"", second}, {"main", second}, {"origin/main", second}, {"refs/heads/main", second},
			{"refs/remotes/origin/main", second}, {"v1", first}, {"refs/tags/v1", first}, {"v2", second},
			{first, first}, {first[:7], first}, {strings.ToUpper(second[:9]), second},
			{side, side}, {side[:10], side}, {"refs/tags/twice", second}, {"HEAD", first},
		} {
			got, err := wc.Resolve(t.Context(), test.want, nil)
			if err != nil || got.Revision.ID != test.id {
				t.Errorf("Resolve(%q) = %+v, %v, want %s", test.want, got, err, test.id)
			}
		}
		for _, want := range []string{
			"none", "twice", "0123456789", strings.Repeat("1", 40), "--upload-pack=x", "a..b", "ma*", "main~1", "x y", "\x00",
		} {
			var unknown *vcs.UnknownRevisionError
			if got, err := wc.Resolve(t.Context(), want, nil); !errors.As(err, &unknown) {
				t.Errorf("Resolve(%q) = %+v, %v", want, got, err)
			}
		}
		var branch *vcs.BranchError
		if _, err := wc.Resolve(t.Context(), "side", nil); !errors.As(err, &branch) || branch.Current != "main" || branch.Want != "side" {
			t.Errorf("Resolve of another branch: %v", err)
		}
		update(t, wc, side, "2") // sideways, by id
		if got := vcstest.Run(t, dir, nil, "git", "rev-parse", "main"); got != side {
			t.Errorf("main = %s", got)
		}
		whole(t, dir, "")
	})
}

func TestGitDiverged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ahead, behind int
		local, forced bool
	}{
		"diverged":         {ahead: 1, behind: 1, local: true},
		"forced":           {ahead: 1, behind: 1, forced: true},
		"forced back":      {ahead: 1, forced: true},
		"only local is on": {ahead: 1, local: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosts(t, func(t *testing.T, o vcs.Options) {
				up := vcstest.NewGit(t)
				up.Commit("zero", vcstest.Files{"z": "z"})
				up.Commit("one", site)
				dir := up.Clone()
				if test.forced {
					up.Run("reset", "--quiet", "--hard", "HEAD^")
				}
				if test.behind > 0 {
					up.Commit("two", vcstest.Files{"index.html": "upstream"})
				}
				if test.local {
					vcstest.Write(t, dir, "index.html", "local")
					vcstest.Run(t, dir, vcstest.GitEnv(9), "git", "commit", "--quiet", "-am", "local")
				}
				before := everything(t, dir)
				_, err := open(t, dir, o).Resolve(t.Context(), "", nil)
				var diverged *vcs.DivergedError
				if !errors.As(err, &diverged) || diverged.Ahead != test.ahead || diverged.Behind != test.behind {
					t.Errorf("Resolve: %v", err)
				}
				if d := cmp.Diff(before, everything(t, dir)); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// TestGitRefuses holds what stops an update, in Resolve and again in Update,
// with nothing changed.
func TestGitRefuses(t *testing.T) {
	t.Parallel()
	type refusal struct {
		name  string
		spoil func(t *testing.T, dir string)
		check func(err error) bool
	}
	local := func(files ...string) func(error) bool {
		return func(err error) bool {
			var e *vcs.LocalChangesError
			return errors.As(err, &e) && slices.Equal(e.Files, files) && e.Diff != ""
		}
	}
	untracked := func(files ...string) func(error) bool {
		return func(err error) bool {
			var e *vcs.UntrackedError
			return errors.As(err, &e) && slices.Equal(e.Files, files)
		}
	}
	conflict := func(err error) bool {
		var e *vcs.ConflictError
		return errors.As(err, &e)
	}
	write := func(path, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { vcstest.Write(t, dir, path, content) }
	}
	git := func(args ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { vcstest.Run(t, dir, vcstest.GitEnv(5), "git", args...) }
	}
	remove := func(path string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { os.RemoveAll(filepath.Join(dir, path)) }
	}
	for _, test := range []refusal{
		{"touched", write("-dash", "mine\n"), local("-dash")},
		{"not touched", write("css/site.css", "mine\n"), local("css/site.css")},
		{"beside the stamp", write("config.php", "<?php\n$name = 'Mine';\n$rev = '1';\n$debug = false;\n"), local("config.php")},
		{"deleted", remove("-dash"), local("-dash")},
		{"staged deletion", git("rm", "--quiet", "--cached", "--", "-dash"), local("-dash")},
		{"staged", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "new", "mine\n")
			git("add", "new")(t, dir)
		}, local("new")},
		{"staged and taken back", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "css/site.css", "mine\n")
			git("add", "css/site.css")(t, dir)
			vcstest.Write(t, dir, "css/site.css", site["css/site.css"])
		}, local("css/site.css")},
		{"executable", func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, "-dash"), 0o755) }, local("-dash")},
		{"link", write("link", "-> config.php"), local("link")},
		{"file for link", write("link", "index.html"), local("link")},
		{"directory for file", func(t *testing.T, dir string) {
			remove("-dash")(t, dir)
			vcstest.Write(t, dir, "-dash/x", "mine")
		}, local("-dash")},
		{"link for directory", func(t *testing.T, dir string) {
			os.Rename(filepath.Join(dir, "css"), filepath.Join(dir, "css2"))
			os.Symlink("css2", filepath.Join(dir, "css"))
		}, local("css/site.css")},
		{"pipe", func(t *testing.T, dir string) {
			remove("-dash")(t, dir)
			vcstest.Run(t, dir, nil, "mkfifo", "./-dash")
		}, local("-dash")},
		{"untracked", write("css/new.css", "mine\n"), untracked("css/new.css")},
		{"untracked directory", write("css/new.css/x", "mine\n"), untracked("css/new.css/x")},
		{"untracked beside", write("turns/dir/mine", "mine\n"), untracked("turns/dir/mine")},
		{"ignored", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, ".git/info/exclude", "*.css\n")
			vcstest.Write(t, dir, "css/new.css", "mine\n")
		}, untracked("css/new.css")},
		{"unfinished merge", func(t *testing.T, dir string) {
			git("update-ref", "MERGE_HEAD", "HEAD")(t, dir)
		}, conflict},
		{"conflict", func(t *testing.T, dir string) {
			blob := vcstest.Run(t, dir, nil, "git", "rev-parse", "HEAD:-dash")
			info := strings.NewReplacer("ID", blob).Replace("0 " + strings.Repeat("0", 40) + "\t-dash\n" +
				"100644 ID 1\t-dash\n100644 ID 2\t-dash\n100644 ID 3\t-dash\n")
			vcstest.Run(t, dir, nil, "sh", "-c", `printf %s "$1" | git update-index --index-info`, "sh", info)
		}, conflict},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hosts(t, func(t *testing.T, o vcs.Options) {
				_, dir, _, second := gitSite(t)
				wc := open(t, dir, o)
				target := resolve(t, wc, "")
				test.spoil(t, dir)
				var before map[string]string
				if test.name != "pipe" {
					before = everything(t, dir)
				}
				if _, err := wc.Resolve(t.Context(), second, stampOwn); !test.check(err) {
					t.Errorf("Resolve: %v", err)
				}
				err := wc.Update(t.Context(), target, vcs.Update{
					Own: stampOwn, Edit: stampEdit("2"),
					Write: func(context.Context, []vcs.Write) error {
						t.Error("Write is called")
						return nil
					},
				})
				if !test.check(err) {
					t.Errorf("Update: %v", err)
				}
				if before != nil {
					if d := cmp.Diff(before, everything(t, dir)); d != "" {
						t.Error(d)
					}
				}
			})
		})
	}
}

// TestGitFresh changes files between a plan and an update that trusts it: one
// that is to be written is refused still, and any other one found afterwards.
func TestGitFresh(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		for _, test := range []struct {
			file  string
			first bool // refused before the first write
		}{{"-dash", true}, {"css/site.css", false}} {
			_, dir, first, second := gitSite(t)
			wc := open(t, dir, o)
			target := resolve(t, wc, "")
			vcstest.Write(t, dir, test.file, "mine\n")
			err := wc.Update(t.Context(), target, vcs.Update{
				Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, never), Fresh: true,
			})
			var local *vcs.LocalChangesError
			if !errors.As(err, &local) || !slices.Equal(local.Files, []string{test.file}) {
				t.Errorf("%s: %v", test.file, err)
			}
			want := second
			if test.first {
				want = first
			}
			if now := revision(t, wc); now.ID != want || !slices.Equal(now.Modified, []string{test.file}) {
				t.Errorf("%s: %+v", test.file, now)
			}
			if got := vcstest.Snapshot(t, dir)[test.file]; got != "mine\n" {
				t.Errorf("%s = %q", test.file, got)
			}
		}
	})
}

func TestGitDiffText(t *testing.T) {
	t.Parallel()
	_, dir, _, _ := gitSite(t)
	vcstest.Write(t, dir, "index.html", "<h1>mine</h1>\n")
	vcstest.Write(t, dir, "img/far/er/a.bin", "\x00")
	os.Chmod(filepath.Join(dir, "css/site.css"), 0o755)
	_, err := open(t, dir, vcs.Options{}).Resolve(t.Context(), "", stampOwn)
	var e *vcs.LocalChangesError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	const want = `--- a/css/site.css
+++ b/css/site.css (mode changed)
Binary files a/img/far/er/a.bin and b/img/far/er/a.bin differ
--- a/index.html
+++ b/index.html
@@ -1,1 +1,1 @@
-<h1>one</h1>
+<h1>mine</h1>
`
	if d := cmp.Diff(want, e.Diff); d != "" {
		t.Error(d)
	}
}

// TestGitAlreadyThere lets an added file stay that is what the update brings.
func TestGitAlreadyThere(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up, dir, _, _ := gitSite(t)
		vcstest.Write(t, dir, "css/new.css", next["css/new.css"])
		up.Commit("three", vcstest.Files{"sub/config.php": site["config.php"]})
		vcstest.Write(t, dir, "sub/config.php", stampText(site["config.php"], "1"))
		update(t, open(t, dir, o), "", "2")
		if d := cmp.Diff(stampText(site["config.php"], "2"), vcstest.Snapshot(t, dir)["sub/config.php"]); d != "" {
			t.Error(d)
		}
		whole(t, dir, " M config.php\n M sub/config.php")
	})
}

func TestGitLocked(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		for _, content := range []string{"", "DIRC\x00\x00"} {
			_, dir, _, _ := gitSite(t)
			wc := open(t, dir, o)
			target := resolve(t, wc, "")
			lock := filepath.Join(dir, ".git", "index.lock")
			if err := os.WriteFile(lock, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			before := everything(t, dir)
			for _, resume := range []bool{false, true} {
				err := wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Write: put(dir, never), Resume: resume})
				var locked *vcs.LockedError
				if !errors.As(err, &locked) || locked.Interrupted || locked.Path != lock {
					t.Errorf("Update with a lock of %q: %v", content, err)
				}
			}
			if d := cmp.Diff(before, everything(t, dir)); d != "" {
				t.Error(d)
			}
		}
	})
}

// TestGitMoved refuses a plan that is out of date.
func TestGitMoved(t *testing.T) {
	t.Parallel()
	_, dir, first, second := gitSite(t)
	wc := open(t, dir, vcs.Options{})
	target := resolve(t, wc, "")
	vcstest.Run(t, dir, vcstest.GitEnv(7), "git", "commit", "--quiet", "--allow-empty", "-m", "x")
	if err := wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Write: put(dir, never)}); err == nil {
		t.Errorf("an update to %s from elsewhere than %s succeeded", second, first)
	}
}
