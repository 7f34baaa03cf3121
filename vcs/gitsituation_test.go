package vcs_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// situation is a state of a clone in which git and we are asked about everything
// that a revision tells.
type situation struct {
	name  string
	clone func(t *testing.T, up *vcstest.Git) string // how the clone is made; the usual one when nil
	make  func(t *testing.T, dir string)             // what is done to it then
	needs bool                                       // the client: without it an *UnsupportedError is right

	// refused is the feature that is not supported at all, with the client or
	// without.
	refused string

	// ours is what we say where git answers something else: "-" for nothing.
	ours string
}

func situations() []situation {
	git := func(args ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { vcstest.Run(t, dir, vcstest.GitEnv(5), "git", args...) }
	}
	write := func(path, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { vcstest.Write(t, dir, path, content) }
	}
	both := func(steps ...func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, s := range steps {
				s(t, dir)
			}
		}
	}
	touch := func(path string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			when := time.Now().Add(time.Hour)
			if err := os.Chtimes(filepath.Join(dir, path), when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	mode := func(path string, perm os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, path), perm); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(path string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return []situation{
		{name: "clean", make: git("status")},
		{name: "touched", make: touch("index.html")},
		{name: "same size", make: write("css/site.css", "b{}\n")},
		// git looks at whole seconds only.
		{name: "same size and time", ours: "css/site.css", make: func(t *testing.T, dir string) {
			// As a second write within the same tick of the clock.
			file := filepath.Join(dir, "css/site.css")
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			git("update-index", "--refresh")(t, dir)
			if err := os.WriteFile(file, []byte("b{}\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "racy", make: both(git("rm", "-q", "--cached", "css/site.css"), write("css/site.css", "a{}\n"),
			git("add", "css/site.css"), write("css/site.css", "b{}\n"))},
		{name: "all at once", make: both(write("index.html", "x"), remove("old"), mode("bin/run", 0o644), write("link", "-> x"))},
		{name: "deleted", make: remove("index.html")},
		{name: "deleted directory", make: remove("img")},
		{name: "untracked", make: write("mine", "x")},
		{name: "staged", make: both(write("index.html", "x"), git("add", "index.html"))},
		{name: "staged and changed", make: both(write("index.html", "x"), git("add", "index.html"), write("index.html", "y"))},
		{name: "staged and taken back", make: both(write("index.html", "x"), git("add", "index.html"), write("index.html", site["index.html"]))},
		{name: "added", make: both(write("mine", "x"), git("add", "mine"))},
		{name: "intent to add", make: both(write("mine", "x"), git("add", "-N", "mine"))},
		{name: "removed from the index", make: git("rm", "-q", "--cached", "index.html")},
		{name: "moved", make: git("mv", "index.html", "other.html")},
		{name: "executable", make: mode("index.html", 0o755)},
		{name: "group executable", make: mode("index.html", 0o654)},
		{name: "no fileMode", make: both(git("config", "core.fileMode", "false"), mode("index.html", 0o755))},
		{name: "no fileMode, changed", make: both(git("config", "core.fileMode", "false"), write("index.html", "#!x"))},
		{name: "assume unchanged", make: both(git("update-index", "--assume-unchanged", "index.html"), write("index.html", "x"))},
		{name: "skip worktree", make: both(git("update-index", "--skip-worktree", "index.html"), write("index.html", "x"))},
		{name: "skipped and missing", make: both(git("update-index", "--skip-worktree", "index.html"), remove("index.html"))},
		{name: "file for link", make: both(remove("link"), write("link", "index.html"))},
		{name: "directory for file", make: both(remove("index.html"), write("index.html/x", "x"))},
		{name: "link for directory", make: both(git("mv", "css", "css2"), func(t *testing.T, dir string) {
			if err := os.Symlink("css2", filepath.Join(dir, "css")); err != nil {
				t.Fatal(err)
			}
		})},
		{name: "no index", make: remove(".git/index")},
		{name: "index v4", make: both(git("update-index", "--index-version", "4"), write("index.html", "x"))},
		{name: "untracked cache", make: both(git("update-index", "--force-untracked-cache"), git("status"), write("index.html", "x"))},
		{name: "split index", needs: true, make: both(git("update-index", "--split-index"), write("index.html", "x"))},
		// git calls a file of another size modified without converting it, though
		// a checkout would write just that, and git diff shows nothing.
		{name: "autocrlf, CRLF on disk", needs: true, ours: "-", make: both(git("config", "core.autocrlf", "true"), write("index.html", "<h1>one</h1>\r\n"))},
		{name: "autocrlf, LF on disk", make: both(git("config", "core.autocrlf", "true"), touch("index.html"))},
		{name: "autocrlf, changed", needs: true, make: both(git("config", "core.autocrlf", "true"), write("index.html", "x\r\n"))},
		{name: "included autocrlf", needs: true, ours: "-", make: func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "../more", "[core]\n\tautocrlf = true\n")
			git("config", "include.path", filepath.Join(dir, "../more"))(t, dir)
			vcstest.Write(t, dir, "index.html", "<h1>one</h1>\r\n")
		}},
		{name: "eol attribute", needs: true, ours: "-", make: both(write(".gitattributes", "*.html text eol=crlf\n"), git("add", "."), git("commit", "-qm", "x"),
			write("index.html", "<h1>one</h1>\r\n"))},
		{name: "ident", needs: true, make: both(write("index.html", "$Id$\n"), write(".gitattributes", "*.html ident\n"), git("add", "."), git("commit", "-qm", "x"),
			remove("index.html"), git("checkout", "--", "."), touch("index.html"))},
		{name: "filter", needs: true, make: both(git("config", "filter.up.clean", "tr a-z A-Z"), git("config", "filter.up.smudge", "tr A-Z a-z"),
			write(".gitattributes", "*.css filter=up\n"), git("add", "--renormalize", "."), git("commit", "-qm", "x"), touch("css/site.css"))},
		{name: "filter, changed", needs: true, make: both(git("config", "filter.up.clean", "tr a-z A-Z"), git("config", "filter.up.smudge", "tr A-Z a-z"),
			write(".gitattributes", "*.css filter=up\n"), git("add", "--renormalize", "."), git("commit", "-qm", "x"), write("css/site.css", "b{}\n"))},
		{name: "text=auto", make: both(write(".gitattributes", "* text=auto\n"), git("add", "."), git("commit", "-qm", "x"), write("index.html", "x\n"))},
		{name: "new submodule", needs: true, make: func(t *testing.T, dir string) {
			sub := vcstest.NewGit(t)
			sub.Commit("sub", vcstest.Files{"a": "1"})
			vcstest.Run(t, dir, nil, "git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", sub.Dir, "sub")
			git("commit", "-qm", "x")(t, dir)
			vcstest.Write(t, dir, "sub/a", "2")
		}},
		{name: "empty submodule", make: func(t *testing.T, dir string) {
			git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",sub")(t, dir)
			git("commit", "-qm", "x")(t, dir)
			if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "renamed", make: both(git("mv", "index.html", "css/index.html"), write("css/index.html", "x"))},
		{name: "unstaged rename", make: both(remove("index.html"), write("other.html", site["index.html"]))},
		{name: "deleted and staged", make: git("rm", "-q", "index.html")},
		{name: "deleted, staged and there again", make: both(git("rm", "-q", "index.html"), write("index.html", site["index.html"]))},
		{name: "mode staged", make: git("update-index", "--chmod=+x", "index.html")},
		{name: "truncated", make: func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, "index.html"), 0); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "unreadable name", make: both(write("\xff\xfe", "x"), git("add", "."))},
		{name: "ignored and tracked", make: both(write(".git/info/exclude", "*.html\n"), write("index.html", "x"))},
		{name: "checkStat minimal", make: both(git("config", "core.checkStat", "minimal"), git("config", "core.trustctime", "false"), write("index.html", "x"))},
		{name: "fsmonitor in the index", make: both(git("update-index", "--fsmonitor"), write("index.html", "x"))},
		{name: "index v2", make: both(git("update-index", "--index-version", "2"), write("index.html", "x"))},
		{name: "index v3", make: both(git("update-index", "--skip-worktree", "css/site.css"), git("update-index", "--index-version", "3"), write("index.html", "x"))},
		{name: "index v4, staged", make: both(git("update-index", "--index-version", "4"), write("css/z", "x"), git("add", "."))},
		{name: "index with offsets", make: both(git("-c", "index.threads=2", "read-tree", "HEAD"), write("index.html", "x"))},
		{name: "split index, staged", needs: true, make: both(git("update-index", "--split-index"), write("index.html", "x"), git("add", "."))},
		{name: "CRLF without attributes", make: write("index.html", "<h1>one</h1>\r\n")},
		{name: "utf-16", needs: true, make: both(write(".gitattributes", "*.u working-tree-encoding=UTF-16LE\n"), write("a.u", "o\x00"), git("add", "."), git("commit", "-qm", "x"), touch("a.u"))},
		{name: "LFS pointer", refused: "Git LFS", make: both(write("a.png", "x"), git("add", "."), git("commit", "-qm", "x"),
			write(".gitattributes", "*.png filter=lfs diff=lfs merge=lfs -text\n"), write("a.png", "version https://git-lfs.github.com/spec/v1\n"))},
		{name: "LFS", needs: true, make: both(git("config", "filter.lfs.clean", "sed s/big/pointer/"), git("config", "filter.lfs.smudge", "sed s/pointer/big/"), git("config", "filter.lfs.required", "true"),
			write(".gitattributes", "*.png filter=lfs diff=lfs merge=lfs -text\n"), write("a.png", "big\n"), write("b.png", "big\n"), git("add", "."), git("commit", "-qm", "x"), touch("a.png"), write("b.png", "bigger\n"))},
		{name: "filter of nobody", make: both(write(".gitattributes", "*.css filter=none\n"), git("add", "."), git("commit", "-qm", "x"), write("css/site.css", "b{}\n"))},

		{name: "detached", make: git("checkout", "-q", "--detach")},
		{name: "detached at a tag", make: both(git("tag", "v1"), git("checkout", "-q", "v1"), git("branch", "-qD", "main"))},
		{name: "branch with a slash", make: both(git("checkout", "-qb", "feature/one"), git("commit", "-q", "--allow-empty", "-m", "x"))},
		{name: "branch of odd name", make: git("checkout", "-qb", `$(id>&2);"x'`)},
		{name: "packed refs", make: both(git("tag", "-am", "x", "v1"), git("pack-refs", "--all"), git("commit", "-q", "--allow-empty", "-m", "x"))},
		{name: "gc", make: both(git("tag", "-am", "x", "v1"), git("commit", "-q", "--allow-empty", "-m", "x"), git("gc", "-q"), write("index.html", "x"))},
		{name: "commit-graph", make: both(git("tag", "light"), git("commit", "-q", "--allow-empty", "-m", "x"), git("commit-graph", "write", "--reachable"))},
		{name: "multi-pack index", make: both(git("repack", "-q"), git("commit", "-q", "--allow-empty", "-m", "x"), git("repack", "-q"), git("multi-pack-index", "write"))},
		{name: "light tag", make: git("tag", "light")},
		{name: "annotated tag", make: git("tag", "-am", "x", "v1")},
		{name: "several tags", make: both(git("tag", "a"), git("tag", "-am", "x", "b"), git("tag", "-am", "x", "c"), git("tag", "z"))},
		{name: "several light tags", make: both(git("tag", "b"), git("tag", "a"), git("tag", "c/d"))},
		{name: "tag of a tag", make: both(git("tag", "-am", "x", "v1"), git("tag", "-am", "x", "signed", "v1"))},
		{name: "tag of a tree", make: git("tag", "tree", "HEAD^{tree}")},
		{name: "tags behind", make: both(git("tag", "-am", "x", "v1"), git("tag", "light"), git("commit", "-q", "--allow-empty", "-m", "x"), git("commit", "-q", "--allow-empty", "-m", "x"))},
		{name: "octopus", make: both(git("tag", "v0"), git("checkout", "-qb", "a"), write("a", "a"), git("add", "."), git("commit", "-qm", "a"),
			git("checkout", "-qb", "b", "main"), write("b", "b"), git("add", "."), git("commit", "-qm", "b"), git("tag", "side"), git("checkout", "-q", "main"),
			write("index.html", "x"), git("commit", "-qam", "c"), git("merge", "-q", "-m", "octopus", "a", "b"))},
		{name: "unborn branch", clone: func(t *testing.T, _ *vcstest.Git) string { return vcstest.NewGit(t).Dir }, make: write("mine", "x")},
		{name: "unborn branch, staged", clone: func(t *testing.T, _ *vcstest.Git) string { return vcstest.NewGit(t).Dir }, make: both(write("mine", "x"), git("add", "."))},
		{name: "orphan branch", make: both(git("checkout", "-q", "--orphan", "new"), write("index.html", "x"))},
		{name: "empty tree", make: both(git("rm", "-rqf", "."), git("commit", "-qm", "x"), git("commit", "-q", "--allow-empty", "-m", "x"))},

		{name: "merge in conflict", make: merge("both")},
		{name: "deleted by us", make: merge("us")},
		{name: "deleted by them", make: merge("them")},
		{name: "both added", make: merge("added")},
		{name: "merge not committed", make: both(git("checkout", "-qb", "side"), write("index.html", "x"), git("commit", "-qam", "x"), git("checkout", "-q", "main"), git("merge", "-q", "--no-ff", "--no-commit", "side"))},
		{name: "rebase in conflict", make: both(sides("both"), fails("rebase", "-q", "side"))},
		{name: "cherry-pick in conflict", make: both(sides("both"), fails("cherry-pick", "side"))},
		{name: "revert in conflict", make: both(write("index.html", "x"), git("commit", "-qam", "x"), write("index.html", "y"), git("commit", "-qam", "y"), fails("revert", "--no-edit", "HEAD^"))},
		{name: "stashed", make: both(write("index.html", "x"), git("stash", "-q"), write("css/site.css", "x"))},
		{name: "bisecting", make: both(git("commit", "-q", "--allow-empty", "-m", "x"), git("commit", "-q", "--allow-empty", "-m", "x"), git("bisect", "start", "-q", "HEAD", "HEAD~2"))},

		{name: "linked worktree", clone: func(t *testing.T, up *vcstest.Git) string {
			dir := filepath.Join(t.TempDir(), "tree")
			vcstest.Run(t, up.Clone(), nil, "git", "worktree", "add", "-q", "-b", "live", dir)
			return dir
		}, make: write("index.html", "x")},
		{name: "separate git dir", clone: func(t *testing.T, up *vcstest.Git) string {
			return up.Clone("--separate-git-dir", filepath.Join(t.TempDir(), "elsewhere"))
		}, make: write("index.html", "x")},
		{name: "inside a submodule", clone: func(t *testing.T, up *vcstest.Git) string {
			super := vcstest.NewGit(t)
			super.Run("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", up.Dir, "sub")
			return filepath.Join(super.Dir, "sub")
		}, make: write("index.html", "x")},
		{name: "borrowed objects", clone: func(t *testing.T, up *vcstest.Git) string { return up.Clone("--shared") }, make: write("index.html", "x")},
		{name: "shallow", clone: cloneURL("--depth=1"), make: write("index.html", "x")},
		{name: "shallow, tagged", clone: cloneURL("--depth=1"), make: git("tag", "v9")},
		{name: "partial clone", clone: cloneURL("--filter=blob:none"), make: write("index.html", "x")},
		{name: "partial clone without trees", clone: cloneURL("--filter=tree:0"), make: write("index.html", "x")},
		{name: "sparse", make: both(git("sparse-checkout", "set", "css"), write("css/site.css", "x"))},
		{name: "sparse, file there", make: both(git("sparse-checkout", "set", "css"), write("img/far/er/a.bin", "x"))},
		{name: "sparse, same file there", make: both(git("sparse-checkout", "set", "css"), write("img/far/er/a.bin", site["img/far/er/a.bin"]))},
		{name: "sparse by patterns", make: both(git("sparse-checkout", "set", "--no-cone", "/css", "!/index.html"), write("css/site.css", "x"))},
		{name: "sparse index", needs: true, make: both(git("sparse-checkout", "set", "--sparse-index", "css"), write("css/site.css", "x"))},
		{name: "worktree config", make: both(git("config", "extensions.worktreeConfig", "true"), git("config", "--worktree", "core.fileMode", "false"), mode("index.html", 0o755))},
		{name: "sha256", refused: "object format sha256", clone: func(t *testing.T, _ *vcstest.Git) string {
			dir := t.TempDir()
			git("init", "-q", "--object-format=sha256")(t, dir)
			return dir
		}},
		{name: "reftable", refused: "ref storage reftable", make: func(t *testing.T, dir string) { // newer than the git at hand
			git("config", "extensions.refStorage", "reftable")(t, dir)
		}},
		{name: "replaced object", refused: "a replaced object (refs/replace)", make: both(git("commit", "-q", "--allow-empty", "-m", "x"), git("replace", "HEAD", "HEAD^"))},
		{name: "graft", refused: "a graft (info/grafts)", make: write(".git/info/grafts", "")},
	}
}

// cloneURL clones by a URL, as a server is cloned.
func cloneURL(args ...string) func(*testing.T, *vcstest.Git) string {
	return func(t *testing.T, up *vcstest.Git) string {
		up.Run("config", "uploadpack.allowFilter", "true")
		dir := filepath.Join(t.TempDir(), "copy")
		vcstest.Run(t, "", nil, "git", append(append([]string{"clone", "-q"}, args...), "file://"+up.Dir, dir)...)
		return dir
	}
}

// sides makes two branches, main and side, that cannot be merged.
func sides(kind string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		commit := func(change func()) {
			change()
			vcstest.Run(t, dir, nil, "git", "add", "-A")
			vcstest.Run(t, dir, vcstest.GitEnv(5), "git", "commit", "-qm", "x")
		}
		path := map[bool]string{true: "both/new", false: "index.html"}[kind == "added"]
		change := func(text string, gone bool) func() {
			return func() {
				if gone {
					vcstest.Files{path: ""}.Apply(t, dir)
				} else {
					vcstest.Write(t, dir, path, text)
				}
			}
		}
		vcstest.Run(t, dir, nil, "git", "checkout", "-qb", "side")
		commit(change("theirs\n", kind == "them"))
		vcstest.Run(t, dir, nil, "git", "checkout", "-q", "main")
		commit(change("ours\n", kind == "us"))
	}
}

// fails runs what ends in a conflict.
func fails(args ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if out, err := vcstest.Try(dir, vcstest.GitEnv(6), "git", args...); err == nil {
			t.Fatalf("git %q succeeded: %s", args, out)
		}
	}
}

func merge(kind string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		sides(kind)(t, dir)
		fails("merge", "-q", "side")(t, dir)
	}
}

// TestGitSituations compares with git.
func TestGitSituations(t *testing.T) {
	t.Parallel()
	for _, s := range situations() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			up, dir, _, _ := gitSite(t)
			if s.clone != nil {
				dir = s.clone(t, up)
			} else {
				vcstest.Write(t, dir, "config.php", site["config.php"]) // not stamped
			}
			if s.make != nil {
				s.make(t, dir)
			}
			for _, o := range []vcs.Options{{}, {NoGit: true}} {
				wc, err := vcs.Open(t.Context(), dir, o)
				var got vcs.Revision
				if err == nil {
					got, err = wc.Revision(t.Context(), nil)
				}
				var unsupported *vcs.UnsupportedError
				if s.refused != "" || o.NoGit && s.needs {
					if !errors.As(err, &unsupported) || s.refused == "" && unsupported.Install != "git" || s.refused != "" && unsupported.Feature != s.refused {
						t.Errorf("%+v: Revision = %+v, %v", o, got, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%+v: %v", o, err)
				}
				want := gitRevision(t, dir)
				if s.ours != "" {
					want.Modified = slices.DeleteFunc([]string{s.ours}, func(n string) bool { return n == "-" })
				}
				ignored := cmpopts.IgnoreFields(vcs.Revision{}, "URL")
				if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), ignored); d != "" {
					t.Errorf("%+v: git and we differ: %s", o, d)
				}
				sameHistory(t, wc, got)
			}
		})
	}
}

// gitRevision is what git says of HEAD and of what is modified, without writing.
func gitRevision(t testing.TB, dir string) vcs.Revision {
	t.Helper()
	r := vcs.Revision{System: "git", Modified: gitModified(t, dir)}
	try := func(args ...string) string {
		out, err := vcstest.Try(dir, nil, "git", args...)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(out, "\n")
	}
	r.Branch = try("symbolic-ref", "--quiet", "--short", "HEAD")
	r.Detached = r.Branch == ""
	r.Shallow = marked(dir, ".git/shallow")
	r.ID, r.Author, r.Date = head(try("log", "-1", "--format=%H%n%an%n%aI"))
	if r.ID == "" {
		return r
	}
	r.Short = r.ID[:12]
	r.Describe = try("describe", "--tags", "--always", "--abbrev=12")
	if r.Describe != r.Short && !described.MatchString(r.Describe) {
		r.Tag = r.Describe
	} else if r.Shallow {
		r.Describe = ""
	}
	return r
}

var described = regexp.MustCompile(`-\d+-g[0-9a-f]{12}$`)

func marked(dir, mark string) bool {
	_, err := os.Lstat(filepath.Join(dir, mark))
	return err == nil
}

func head(out string) (id, author string, date time.Time) {
	f := strings.Split(out, "\n")
	if len(f) < 3 {
		return "", "", date
	}
	date, _ = time.Parse(time.RFC3339, f[2])
	return f[0], f[1], date
}

// histories are git's answers, by HEAD: most situations have the same.
var histories sync.Map

type history struct {
	count int64
	ids   map[string]string
	last  map[string]string
}

// sameHistory compares Count, ContentIDs and LastChanged with git.
func sameHistory(t testing.TB, wc vcs.WorkingCopy, r vcs.Revision) {
	t.Helper()
	dir := wc.Dir()
	known, ok := histories.Load(r.ID)
	if !ok {
		h := history{ids: gitContentIDs(t, dir), last: make(map[string]string)}
		if r.ID != "" {
			h.count, _ = strconv.ParseInt(vcstest.Run(t, dir, nil, "git", "rev-list", "--count", "HEAD"), 10, 64)
		}
		for path := range h.ids {
			h.last[path] = vcstest.Run(t, dir, nil, "git", "--literal-pathspecs", "log", "-1", "--format=%H", "--", path)
		}
		if !r.Shallow {
			histories.Store(r.ID, h)
		}
		known = h
	}
	want := known.(history)
	if ids, err := wc.ContentIDs(t.Context()); err != nil || !cmp.Equal(want.ids, ids) {
		t.Errorf("ContentIDs: %v: %s", err, cmp.Diff(want.ids, ids))
	}
	count, err := wc.Count(t.Context())
	last, err2 := wc.LastChanged(t.Context(), "")
	if r.Shallow {
		var shallow *vcs.ShallowError
		if !errors.As(err, &shallow) || !errors.As(err2, &shallow) {
			t.Errorf("Count and LastChanged of a shallow clone: %v, %v", err, err2)
		}
		return
	}
	if err != nil || count != want.count {
		t.Errorf("Count = %d, %v, want %d", count, err, want.count)
	}
	// Whether git has fetched what the clone left out depends on who asked before.
	var left *vcs.UnsupportedError
	if errors.As(err2, &left) && left.Feature == "what a partial clone left out" &&
		vcstest.Run(t, dir, nil, "git", "config", "--default", "", "--get", "remote.origin.promisor") == "true" {
		return
	}
	if err2 != nil || !cmp.Equal(want.last, last) {
		t.Errorf("LastChanged: %v: %s", err2, cmp.Diff(want.last, last))
	}
}

// gitModified is what git status, without writing, calls modified.
func gitModified(t testing.TB, dir string) []string {
	t.Helper()
	out := vcstest.Run(t, dir, []string{"GIT_OPTIONAL_LOCKS=0"}, "git", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no")
	var names []string
	for item := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if item != "" {
			names = append(names, item[3:])
		}
	}
	slices.Sort(names)
	return names
}
