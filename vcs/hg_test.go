package vcs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// hgFiles leaves out what hg cannot hold, a newline in a name, and adds names
// that mean something to hg: a pattern, a template, a format, bytes that are no
// UTF-8.
func hgFiles(files vcstest.Files) vcstest.Files {
	out := make(vcstest.Files)
	for path, content := range files {
		if !strings.Contains(path, "\n") {
			out[path] = content
		}
	}
	for _, path := range []string{"set:all()", "with space é {node}%p", "caf\xe9", "re:.*", "ignored.log"} {
		out[path] = path + files["-dash"]
	}
	out[".hgignore"] = "syntax: glob\n*.log\n"
	return out
}

// hgSite is a clone of the site, stamped with 1, of an upstream that is one
// changeset further. Each call copies what the first one made.
func hgSite(t testing.TB) (up *vcstest.Hg, dir, first, second string) {
	t.Helper()
	return hgSiteOf(t, "copy")
}

// hgPulled is hgSite with that changeset pulled.
func hgPulled(t testing.TB) (up *vcstest.Hg, dir, first, second string) {
	t.Helper()
	return hgSiteOf(t, "pulled")
}

func hgSiteOf(t testing.TB, name string) (up *vcstest.Hg, dir, first, second string) {
	t.Helper()
	need.Program(t, "hg")
	hgSiteOnce.Do(func() { makeHgSite(t) })
	if hgSiteHome == "" {
		t.Fatal("the site was not made")
	}
	home := t.TempDir()
	up = vcstest.HgAt(t, filepath.Join(home, "upstream"), 2)
	dir = filepath.Join(home, name)
	vcstest.Run(t, "", nil, "cp", "-a", filepath.Join(hgSiteHome, "upstream"), filepath.Join(hgSiteHome, name), home)
	hgrc(t, dir, "[paths]\ndefault = "+up.Dir+"\n")
	stamp(t, dir, "config.php", "1")
	return up, dir, hgFirst, hgSecond
}

var (
	hgSiteOnce        sync.Once
	hgSiteHome        string // below TestMain's directory
	hgFirst, hgSecond string
)

func makeHgSite(t testing.TB) {
	t.Helper()
	up := vcstest.NewHg(t)
	vcstest.Write(t, up.Dir, "ignored.log", "to be added by name")
	up.Run("add", "ignored.log")
	hgFirst = up.Commit("one", hgFiles(site))
	copied := up.Clone("")
	hgSecond = up.Commit("two\n\nbody", hgFiles(next))
	home := filepath.Join(os.Getenv("HOME"), "hgsite")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	vcstest.Run(t, "", nil, "cp", "-a", up.Dir, filepath.Join(home, "upstream"))
	vcstest.Run(t, "", nil, "cp", "-a", copied, filepath.Join(home, "copy"))
	vcstest.RunHg(t, copied, "pull", "--quiet")
	vcstest.Run(t, "", nil, "cp", "-a", copied, filepath.Join(home, "pulled"))
	hgSiteHome = home
}

// hgrc is the repository's own configuration.
func hgrc(t testing.TB, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, ".hg", "hgrc"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func hgStatus(t testing.TB, dir string) string {
	t.Helper()
	return vcstest.RunHg(t, dir, "status")
}

// TestHgUpdate goes forward and back, from a directory and over http, with a
// reader of the stamped file, in which upstream changes the stamped line and
// both beside.
func TestHgUpdate(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"directory", "http"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			up, dir, first, second := hgSite(t)
			url := up.Dir
			if scheme == "http" {
				url = up.HTTP()
				hgrc(t, dir, "[paths]\ndefault = "+strings.Replace(url, "//", "//user:secret@", 1)+"/?token=1\n")
				url += "/"
			}
			before := vcstest.Snapshot(t, dir)
			wc := open(t, dir, vcs.Options{})
			now := vcs.Revision{
				System: "hg", ID: first, Short: first[:12], Branch: "default", Phase: "public", Describe: first[:12],
				Author: vcstest.Author, Date: vcstest.Epoch, URL: url,
			}
			if d := cmp.Diff(now, revision(t, wc)); d != "" {
				t.Error(d)
			}
			if scheme == "http" { // hg serve wants no password, nor a query
				hgrc(t, dir, "[paths]\ndefault = "+url+"\n")
			}
			target := resolve(t, wc, "")
			if d := cmp.Diff(hgTarget(now, second), target, cmp.FilterPath(unexported, cmp.Ignore())); d != "" {
				t.Error(d)
			}
			if got := revision(t, wc); got.ID != first {
				t.Errorf("Revision after Resolve = %+v", got)
			}
			stop := watch(t, filepath.Join(dir, "config.php"), func(b []byte) bool {
				return bytes.Contains(b, []byte("$rev = '1'")) || bytes.Contains(b, []byte("$rev = '2'"))
			})
			update(t, wc, "", "2")
			stop()
			if d := cmp.Diff(released(t, up.Dir, "2"), vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if got := hgStatus(t, dir); got != "M config.php" {
				t.Errorf("hg status = %q", got)
			}
			if got := vcstest.RunHg(t, dir, "id", "--debug", "-i"); got != second+"+" {
				t.Errorf("hg id = %q", got)
			}
			again := resolve(t, wc, "default")
			if again.From != second || again.Changes != nil || again.Commits != nil {
				t.Errorf("Resolve with nothing to do = %+v", again)
			}
			if d := cmp.Diff(revision(t, wc), again.Revision); d != "" {
				t.Errorf("Resolve and Revision differ: %s", d)
			}
			update(t, wc, first[:12], "1") // a rollback
			if d := cmp.Diff(before, vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if got := hgStatus(t, dir); got != "M config.php" {
				t.Errorf("hg status = %q", got)
			}
			if got := revision(t, wc); got.ID != first || got.Modified != nil {
				t.Errorf("Revision = %+v", got)
			}
			for _, left := range []string{"updatestate", "revstamp.lock", "wlock"} {
				if _, err := os.Lstat(filepath.Join(dir, ".hg", left)); err == nil {
					t.Errorf("%s is left", left)
				}
			}
		})
	}
}

func hgTarget(now vcs.Revision, second string) *vcs.Target {
	r := now
	r.ID, r.Short, r.Describe = second, second[:12], second[:12]
	r.Date = vcstest.Epoch.Add(time.Hour)
	changes := gitTarget(now, second).Changes
	var list []vcs.Change
	for _, c := range changes {
		if !strings.Contains(c.Path, "\n") {
			list = append(list, c)
		}
	}
	for path, content := range hgFiles(next) {
		if hgFiles(site)[path] != content && next[path] == "" && content != "" {
			list = append(list, vcs.Change{Path: path, Op: vcs.Changed, Mode: 0o644})
		}
	}
	slices.SortFunc(list, func(a, b vcs.Change) int { return strings.Compare(a.Path, b.Path) })
	return &vcs.Target{
		Revision: r, Now: now, From: now.ID, Changes: list,
		Commits: []vcs.Commit{{ID: second, Short: second[:12], Author: vcstest.Author, Subject: "two", Date: r.Date}},
	}
}

// TestHgRefuses holds what stops an update, in Resolve and again in Update,
// with nothing changed, and what Revision says of it.
func TestHgRefuses(t *testing.T) {
	t.Parallel()
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
	conflict := func(detail string, files ...string) func(error) bool {
		return func(err error) bool {
			var e *vcs.ConflictError
			return errors.As(err, &e) && e.Detail == detail && slices.Equal(e.Files, files)
		}
	}
	write := func(path, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { vcstest.Write(t, dir, path, content) }
	}
	_, dir, _, second := hgSite(t)
	target := resolve(t, open(t, dir, vcs.Options{}), "") // the same for every copy
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		check func(error) bool
		clean bool // in the eyes of Revision
		short bool // done under -short, too
	}{
		{"touched", write("-dash", "mine\n"), local("-dash"), false, false},
		{"not touched", write("css/site.css", "mine\n"), local("css/site.css"), false, false},
		{"beside the stamp", write("config.php", "<?php\n$name = 'Mine';\n$rev = '1';\n$debug = false;\n"), local("config.php"), false, true},
		{"missing", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "-dash")) }, local("-dash"), false, false},
		{"removed and forgotten", func(t *testing.T, dir string) {
			vcstest.RunHg(t, dir, "forget", "--quiet", "index.html", "path:set:all()")
			vcstest.RunHg(t, dir, "remove", "--quiet", "path:-dash")
		}, local("-dash", "index.html", "set:all()"), false, true},
		{"added", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "mine", "mine\n")
			vcstest.RunHg(t, dir, "add", "mine")
		}, local("mine"), false, false},
		{"renamed", func(t *testing.T, dir string) {
			vcstest.RunHg(t, dir, "rename", "--quiet", "index.html", "home.html")
		}, local("home.html", "index.html"), false, false},
		{"mode and link", func(t *testing.T, dir string) {
			os.Chmod(filepath.Join(dir, "-dash"), 0o755)
			vcstest.Write(t, dir, "link", "-> config.php")
			vcstest.Write(t, dir, "index.html", "-> config.php")
		}, local("-dash", "index.html", "link"), false, true},
		{"untracked", write("css/new.css", "mine\n"), untracked("css/new.css"), true, false},
		{"untracked directory", write("css/new.css/x", "mine\n"), untracked("css/new.css/x"), true, false},
		{"untracked beside", write("turns/dir/mine", "mine\n"), untracked("turns/dir/mine"), true, true},
		{"conflict", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "index.html", "mine\n")
			if out, err := vcstest.Try(dir, nil, "hg", "update", "--tool", ":merge", second); err == nil {
				t.Fatalf("no conflict: %s", out)
			}
			vcstest.RunHg(t, dir, "debugsetparents", target.From)
		}, func(err error) bool {
			var e *vcs.ConflictError
			return errors.As(err, &e) && e.Detail == "" && slices.Contains(e.Files, "index.html")
		}, false, true},
		{"merge", func(t *testing.T, dir string) {
			vcstest.RunHg(t, dir, "debugsetparents", target.From, second)
		}, conflict("an unfinished merge"), false, true},
		{"graft", write(".hg/graftstate", second+"\n"), conflict("an unfinished graft"), true, false},
	} {
		if testing.Short() && !test.short {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, dir, _, _ := hgPulled(t)
			wc := open(t, dir, vcs.Options{})
			test.spoil(t, dir)
			before := vcstest.Snapshot(t, dir)
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
			if _, err := wc.Resolve(t.Context(), second, stampOwn); !test.check(err) {
				t.Errorf("Resolve: %v", err)
			}
			if d := cmp.Diff(before, vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if marked(dir, filepath.Join(".hg", "updatestate")) || marked(dir, filepath.Join(".hg", "revstamp.lock")) || marked(dir, filepath.Join(".hg", "wlock")) {
				t.Error("a refused update left its marks")
			}
			got, err := wc.Revision(t.Context(), stampOwn)
			if test.name == "merge" {
				if !test.check(err) {
					t.Errorf("Revision: %v", err)
				}
			} else if err != nil || (got.Modified == nil) != test.clean {
				t.Errorf("Revision = %+v, %v", got, err)
			}
		})
	}
}

// TestHgNames finds what names mean, and where they lead.
func TestHgNames(t *testing.T) {
	t.Parallel()
	up, dir, first, second := hgSite(t)
	up.Run("update", "--quiet", "--rev", first)
	up.Run("branch", "--quiet", hgBranch)
	side := up.Commit("side", vcstest.Files{"side": "1"})
	up.Run("bookmark", "--rev", second, "--", "-mark $(x) 'q' é")
	up.Run("update", "--quiet", "default")
	up.Tag("v1 rc", first)
	third := up.Run("log", "--rev", "tip", "--template", "{node}")
	wc := open(t, dir, vcs.Options{})
	for _, test := range []struct{ want, id, tag string }{
		{"", third, ""}, {"default", third, ""}, {"v1 rc", first, "v1 rc"}, {"-mark $(x) 'q' é", second, ""},
		{first, first, "v1 rc"}, {second[:12], second, ""}, {side[:7], side, ""}, {side, side, ""}, {nullID, nullID, ""},
	} {
		got, err := wc.Resolve(t.Context(), test.want, stampOwn)
		if err != nil || got.Revision.ID != test.id || got.Revision.Tag != test.tag {
			t.Errorf("Resolve(%q) = %+v, %v, want %s", test.want, got, err, test.id)
		}
	}
	for _, want := range []string{
		"none", strings.Repeat("1", 40), "--config=x", "all()", "tip", ".", "1", "\x00",
	} {
		var unknown *vcs.UnknownRevisionError
		if got, err := wc.Resolve(t.Context(), want, stampOwn); !errors.As(err, &unknown) {
			t.Errorf("Resolve(%q) = %+v, %v", want, got, err)
		}
	}
	var branch *vcs.BranchError
	if _, err := wc.Resolve(t.Context(), hgBranch, nil); !errors.As(err, &branch) || branch.Current != "default" || branch.Want != hgBranch {
		t.Errorf("Resolve of another branch: %v", err)
	}
	if got := vcstest.RunHg(t, dir, "bookmarks"); got != "no bookmarks set" {
		t.Errorf("bookmarks = %q", got)
	}

	// By id to another branch, on which the working copy then is, as by hg.
	target := update(t, wc, side, "2")
	want := revision(t, wc)
	if want.Branch != hgBranch || target.Revision.Branch != hgBranch || want.ID != side {
		t.Errorf("Revision on another branch = %+v", want)
	}
	if got := vcstest.RunHg(t, dir, "id", "--branch"); got != hgBranch {
		t.Errorf("hg id --branch = %q", got)
	}
	if got := resolve(t, wc, "").Revision; got.ID != side {
		t.Errorf("Resolve(\"\") on another branch = %+v", got)
	}
	update(t, wc, nullID, "2") // to nothing
	if got := vcstest.Snapshot(t, dir); len(got) != 0 {
		t.Errorf("files of no revision: %v", got)
	}
	if got := revision(t, wc); got.ID != nullID || got.Short != nullID[:12] || !got.Date.IsZero() {
		t.Errorf("Revision = %+v", got)
	}
	if n, err := wc.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("Count = %d, %v", n, err)
	}
	update(t, wc, "v1 rc", "3")
	if got := revision(t, wc); got.Tag != "v1 rc" || got.Describe != "v1 rc" {
		t.Errorf("Revision = %+v", got)
	}
	if got := hgStatus(t, dir); got != "M config.php" {
		t.Errorf("hg status = %q", got)
	}
}

const (
	nullID   = "0000000000000000000000000000000000000000"
	hgBranch = `$(touch x) "; 'q' é\`
)

// TestHgLines holds what a branch and a bookmark have to be to be followed.
func TestHgLines(t *testing.T) {
	t.Parallel()
	up, dir, first, second := hgSite(t)
	wc := open(t, dir, vcs.Options{})
	vcstest.RunHg(t, dir, "bookmark", "live")
	up.Run("bookmark", "--rev", second, "live")
	up.Run("bookmark", "--rev", second, "other")
	up.Run("update", "--quiet", "--rev", first)
	other := up.Commit("other head", vcstest.Files{"other": "1"})

	// The active bookmark is followed, whatever the branch, and moves along.
	if got := resolve(t, wc, ""); got.Revision.ID != second || got.Revision.Bookmark != "live" {
		t.Errorf("Resolve with an active bookmark = %+v", got.Revision)
	}
	if got := vcstest.RunHg(t, dir, "bookmarks", "--template", "{bookmark} {node} {active}"); got != "live "+first+" True" {
		t.Errorf("bookmarks after Resolve = %q", got)
	}
	var branch *vcs.BranchError
	if _, err := wc.Resolve(t.Context(), "other", nil); !errors.As(err, &branch) || branch.Current != "live" || branch.Want != "other" {
		t.Errorf("Resolve of another bookmark: %v", err)
	}
	var heads *vcs.HeadsError
	if _, err := wc.Resolve(t.Context(), "default", stampOwn); !errors.As(err, &heads) ||
		!slices.Equal(heads.Heads, []string{other, second}) || !strings.Contains(err.Error(), second[:12]) {
		t.Errorf("Resolve of a branch with two heads: %v", err)
	}
	update(t, wc, "", "2")
	if got := vcstest.RunHg(t, dir, "bookmarks", "--template", "{bookmark} {node} {active}"); got != "live "+second+" True" {
		t.Errorf("bookmarks after Update = %q", got)
	}

	// Commits that are only here.
	vcstest.RunHg(t, dir, "bookmark", "--inactive", "live")
	vcstest.RunHg(t, dir, "revert", "--quiet", "--no-backup", "config.php")
	vcstest.Write(t, dir, "index.html", "local")
	vcstest.RunHg(t, dir, "commit", "--quiet", "--user", "x", "-m", "local")
	var diverged *vcs.DivergedError
	if _, err := wc.Resolve(t.Context(), "live", stampOwn); !errors.As(err, &diverged) || diverged.Ahead != 1 || diverged.Behind != 0 {
		t.Errorf("Resolve of an old bookmark: %v", err)
	}
	up.Run("update", "--quiet", "--rev", second)
	up.Run("merge", "--quiet", "--tool", ":local", other)
	up.Commit("merged", nil)
	if _, err := wc.Resolve(t.Context(), "", stampOwn); !errors.As(err, &diverged) || diverged.Ahead != 1 || diverged.Behind != 2 {
		t.Errorf("Resolve of a branch: %v", err)
	}
	vcstest.RunHg(t, dir, "phase", "--secret", "--force", ".")
	if _, err := wc.Resolve(t.Context(), "", stampOwn); !errors.As(err, &diverged) || diverged.Ahead != 1 {
		t.Errorf("Resolve with a secret commit: %v", err)
	}
	if got := revision(t, wc); got.Phase != "secret" {
		t.Errorf("Revision = %+v", got)
	}
}

// TestHgAlreadyThere lets an added file stay that is what the update brings.
func TestHgAlreadyThere(t *testing.T) {
	t.Parallel()
	up, dir, _, _ := hgSite(t)
	vcstest.Write(t, dir, "css/new.css", next["css/new.css"])
	up.Commit("three", vcstest.Files{"sub/config.php": site["config.php"]})
	vcstest.Write(t, dir, "sub/config.php", stampText(site["config.php"], "1"))
	wc := open(t, dir, vcs.Options{})
	target := update(t, wc, "", "2")
	if d := cmp.Diff(stampText(site["config.php"], "2"), vcstest.Snapshot(t, dir)["sub/config.php"]); d != "" {
		t.Error(d)
	}
	if got := hgStatus(t, dir); got != "M config.php\nM sub/config.php" {
		t.Errorf("hg status = %q", got)
	}
	if got, err := wc.Read(t.Context(), target, "css/new.css"); err != nil || string(got) != next["css/new.css"] {
		t.Errorf("Read = %q, %v", got, err)
	}
	for _, path := range []string{"old/gone.txt", "none", "css"} {
		if got, err := wc.Read(t.Context(), target, path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Read(%q) = %q, %v", path, got, err)
		}
	}
}

// TestHgLocked waits for nobody for long, and breaks the lock of the dead.
func TestHgLocked(t *testing.T) {
	t.Parallel()
	_, dir, first, second := hgSite(t)
	wc := open(t, dir, vcs.Options{})
	target := resolve(t, wc, "")
	lock := filepath.Join(dir, ".hg", "wlock")
	// What hg itself writes there, by a hook that holds the lock.
	hgrc(t, dir, "[hooks]\nprecommit = readlink .hg/wlock > holder; false\n")
	vcstest.Try(dir, nil, "hg", "commit", "-m", "x", "--user", "x")
	dead, err := os.ReadFile(filepath.Join(dir, "holder"))
	if err != nil || !strings.Contains(string(dead), ":") {
		t.Fatalf("no lock was seen: %q, %v", dead, err)
	}
	host, _, _ := strings.Cut(string(dead), ":")
	u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, never)}
	for _, holder := range []string{host + ":" + strconv.Itoa(os.Getppid()), "elsewhere:1"} {
		if err := os.Symlink(holder, lock); err != nil {
			t.Fatal(err)
		}
		var locked *vcs.LockedError
		if err := wc.Update(t.Context(), target, u); !errors.As(err, &locked) || locked.Interrupted || locked.Path != lock {
			t.Errorf("Update with a lock of %q: %v", holder, err)
		}
		if got := revision(t, wc); got.ID != first {
			t.Errorf("Revision = %+v", got)
		}
		os.Remove(lock)
	}
	if err := os.Symlink(strings.TrimSpace(string(dead)), lock); err != nil {
		t.Fatal(err)
	}
	if err := wc.Update(t.Context(), target, u); err != nil {
		t.Errorf("Update with the lock of a dead process: %v", err)
	}
	if got := revision(t, wc); got.ID != second {
		t.Errorf("Revision = %+v", got)
	}
	var moved *vcs.InterruptedError
	if err := wc.Update(t.Context(), target, u); err == nil || errors.As(err, &moved) {
		t.Errorf("Update from elsewhere than planned: %v", err)
	}
}

// TestHgUnsupported names what would make a plain reading of files wrong.
func TestHgUnsupported(t *testing.T) {
	t.Parallel()
	_, origin, _, _ := hgSite(t)
	requires := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			f, err := os.OpenFile(filepath.Join(dir, ".hg", "requires"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(f, name)
			f.Close()
		}
	}
	config := func(text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { hgrc(t, dir, text) }
	}
	for _, test := range []struct {
		feature string
		make    func(t *testing.T, dir string)
	}{
		{"the largefiles extension", requires("largefiles")},
		{"the lfs extension", requires("lfs")},
		{"a sparse working copy", requires("exp-sparse")},
		{"a narrow clone", requires("narrowhg-experimental")},
		{"the requirement something-new", requires("something-new")},
		{"a subrepository (.hgsub)", func(t *testing.T, dir string) { vcstest.Write(t, dir, ".hgsub", "sub = x\n") }},
		{"the keyword extension", config("[extensions]\nhgext.keyword =\n")},
		{"a filter (encode, decode)", config("[decode]\n** = touch ran\n")},
		{"an upstream by static-http", config("[paths]\ndefault = static-http://127.0.0.1/\n")},
	} {
		t.Run(test.feature, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "copy")
			vcstest.Run(t, "", nil, "cp", "-a", origin, dir)
			test.make(t, dir)
			wc, err := vcs.Open(t.Context(), dir, vcs.Options{})
			if err == nil {
				_, err = wc.Resolve(t.Context(), "", stampOwn)
			}
			var unsupported *vcs.UnsupportedError
			if !errors.As(err, &unsupported) || unsupported.Feature != test.feature {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestHgHostile has a repository that tries to run things.
func TestHgHostile(t *testing.T) {
	t.Parallel()
	up, dir, first, second := hgSite(t)
	ran := filepath.Join(t.TempDir(), "ran")
	evil := filepath.Join(t.TempDir(), "evil.py")
	vcstest.Write(t, filepath.Dir(evil), "evil.py", "open('"+ran+"', 'w')\n")
	run := "touch " + ran
	var hooks strings.Builder
	for _, name := range []string{"log", "status", "pull", "identify", "cat", "files", "config", "serve", "debugsetparents", "add"} {
		fmt.Fprintf(&hooks, "pre-%[1]s = %[2]s\npost-%[1]s = %[2]s\n", name, run)
	}
	hgrc(t, dir, "[paths]\ndefault = "+up.Dir+"\n[hooks]\nupdate = "+run+"\npreupdate = "+run+"\nincoming = "+run+
		"\nchangegroup = "+run+"\ntxnclose = "+run+"\n"+hooks.String()+
		"[alias]\nlog = !"+run+"\nstatus = !"+run+"\npull = !"+run+"\n[defaults]\nlog = --config extensions.evil="+evil+
		"\n[extensions]\nevil = "+evil+"\n[ui]\nssh = "+run+"\neditor = "+run+"\nmerge = evil\n"+
		"[merge-tools]\nevil.executable = "+run+"\n[pager]\npager = "+run+"\n[fsmonitor]\nmode = on\n")
	wc := open(t, dir, vcs.Options{})
	target := update(t, wc, "", "2")
	if target.Revision.ID != second {
		t.Errorf("Update to %+v", target.Revision)
	}
	revision(t, wc)
	for name, ask := range map[string]func() error{
		"Count":       func() error { _, err := wc.Count(t.Context()); return err },
		"Changes":     func() error { _, err := wc.Changes(t.Context(), first, ""); return err },
		"LastChanged": func() error { _, err := wc.LastChanged(t.Context(), ""); return err },
		"ContentIDs":  func() error { _, err := wc.ContentIDs(t.Context()); return err },
		"Export":      func() error { return wc.Export(t.Context(), "", filepath.Join(t.TempDir(), "x")) },
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, url := range []string{
		"-oProxyCommand=" + run, "ssh://-oProxyCommand=" + run + "/x", "ssh://x;" + run + "/x", "ext::" + run, "bundle:" + evil, "union:x",
		"--config=hooks.pre-pull=" + run,
	} {
		if testing.Short() && strings.Contains(url, ":") && !strings.HasPrefix(url, "ssh://-") {
			continue
		}
		hgrc(t, dir, "[paths]\ndefault = "+url+"\n[ui]\nssh = "+run+"\n")
		if got, err := wc.Resolve(t.Context(), "default", stampOwn); err == nil {
			t.Errorf("Resolve from %q = %+v", url, got)
		}
	}
	if _, err := os.Lstat(ran); err == nil {
		t.Error("something ran")
	}
}

// TestHgForeignOwner finds nothing in a configuration that hg does not trust,
// and says so. Whoever is trusted is read.
func TestHgForeignOwner(t *testing.T) {
	need.Root(t)
	_, dir, first, second := hgSite(t)
	if err := os.Chown(filepath.Join(dir, ".hg", "hgrc"), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	wc := open(t, dir, vcs.Options{})
	if got := revision(t, wc); got.ID != first || got.URL != "" {
		t.Errorf("Revision = %+v", got)
	}
	var unsupported *vcs.UnsupportedError
	for _, want := range []string{"", "v9", second} { // the last of which is not here yet
		if got, err := wc.Resolve(t.Context(), want, stampOwn); !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "hgrc") {
			t.Errorf("Resolve(%q) = %+v, %v", want, got, err)
		} else if !strings.Contains(unsupported.Hint(), "hg help config.trusted") {
			t.Errorf("hint: %s", unsupported.Hint())
		}
	}
	rc := filepath.Join(t.TempDir(), "hgrc")
	vcstest.Write(t, filepath.Dir(rc), "hgrc", "[trusted]\nusers = someone, nobody\n")
	t.Setenv("HGRCPATH", rc)
	if got := resolve(t, open(t, dir, vcs.Options{}), ""); got.Revision.ID != second {
		t.Errorf("Resolve = %+v", got.Revision)
	}
}

// TestHgUnreachable keeps what is known without upstream.
func TestHgUnreachable(t *testing.T) {
	t.Parallel()
	up, dir, first, _ := hgSite(t)
	if err := os.Rename(up.Dir, up.Dir+".away"); err != nil {
		t.Fatal(err)
	}
	wc := open(t, dir, vcs.Options{})
	if got := resolve(t, wc, first[:12]); got.Revision.ID != first || got.Changes != nil {
		t.Errorf("Resolve of what is here = %+v", got)
	}
	for _, want := range []string{"", "default", "v1", strings.Repeat("1", 40)} {
		var failed *vcs.ClientError
		if got, err := wc.Resolve(t.Context(), want, stampOwn); !errors.As(err, &failed) {
			t.Errorf("Resolve(%q) = %+v, %v", want, got, err)
		}
	}
	hgrc(t, dir, "")
	if got := resolve(t, wc, ""); got.Revision.ID != first || got.Changes != nil {
		t.Errorf("Resolve without upstream = %+v", got)
	}
}
