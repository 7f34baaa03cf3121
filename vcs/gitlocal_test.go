package vcs_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// situation is a state of a clone in which git and we are asked what is
// modified.
type situation struct {
	name  string
	make  func(t *testing.T, dir string)
	needs bool // the client: without it an *UnsupportedError is right

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
	}
}

// TestGitModified compares with git status.
func TestGitModified(t *testing.T) {
	t.Parallel()
	for _, s := range situations() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			_, dir, _, _ := gitSite(t)
			vcstest.Write(t, dir, "config.php", site["config.php"]) // not stamped
			s.make(t, dir)
			for _, o := range []vcs.Options{{}, {NoGit: true}} {
				wc := open(t, dir, o)
				got, err := wc.Revision(t.Context(), nil)
				var unsupported *vcs.UnsupportedError
				if o.NoGit && s.needs {
					if !errors.As(err, &unsupported) || unsupported.Install != "git" {
						t.Errorf("Revision without git = %+v, %v", got, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				want := gitModified(t, dir)
				if s.ours != "" {
					want = slices.DeleteFunc([]string{s.ours}, func(n string) bool { return n == "-" })
				}
				if d := cmp.Diff(want, got.Modified, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("%+v: git and we differ: %s", o, d)
				}
			}
		})
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

// TestGitFilters updates files that git converts.
func TestGitFilters(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config     [][2]string
		attributes string
		old        string // of the attributes before the update
		upstream   string // of text.txt there; "One\n" when empty
		want       string // of text.txt after the update
	}{
		"autocrlf":     {config: [][2]string{{"core.autocrlf", "true"}}, want: "One\r\n"},
		"eol":          {attributes: "*.txt eol=crlf\n", old: "*.txt eol=crlf\n", want: "One\r\n"},
		"eol from now": {attributes: "*.txt eol=crlf\n", want: "One\r\n"},
		"eol till now": {old: "*.txt eol=crlf\n", want: "One\n"},
		"filter": {
			config:     [][2]string{{"filter.up.clean", "tr a-z A-Z"}, {"filter.up.smudge", "tr A-Z a-z"}},
			attributes: "text.txt filter=up\n", old: "text.txt filter=up\n", upstream: "ONE\n", want: "one\n",
		},
		"utf-16": {
			attributes: "text.txt working-tree-encoding=UTF-16LE\n",
			upstream:   "O\x00n\x00e\x00\n\x00", want: "O\x00n\x00e\x00\n\x00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := vcstest.NewGit(t)
			attributes := func(text string) string { return "# none\n" + text }
			up.Commit("one", vcstest.Files{
				"text.txt": "ZERO\n", "same.txt": "same\n", "config.php": site["config.php"], ".gitattributes": attributes(test.old),
			})
			dir := filepath.Join(t.TempDir(), "copy")
			args := []string{"clone", "--quiet"}
			for _, c := range test.config {
				args = append(args, "-c", c[0]+"="+c[1])
			}
			vcstest.Run(t, "", nil, "git", append(args, up.Dir, dir)...)
			want := up.Commit("two", vcstest.Files{"text.txt": orElse(test.upstream, "One\n"), "config.php": next["config.php"], ".gitattributes": attributes(test.attributes)})
			before := everything(t, dir)

			wc := open(t, dir, vcs.Options{NoGit: true})
			target, err := wc.Resolve(t.Context(), "", stampOwn)
			if err == nil {
				err = wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, 0)})
			}
			var unsupported *vcs.UnsupportedError
			if test.attributes+test.old != "" && name != "eol till now" || test.config != nil {
				if !errors.As(err, &unsupported) || unsupported.Install != "git" {
					t.Errorf("without git: %v", err)
				}
			}
			if d := cmp.Diff(before, everything(t, dir)); d != "" {
				t.Error(d)
			}

			wc = open(t, dir, vcs.Options{})
			update(t, wc, "", "2")
			if got := vcstest.Snapshot(t, dir)["text.txt"]; got != test.want {
				t.Errorf("text.txt = %q, want %q", got, test.want)
			}
			// The tree is what a clone would be, in the files that stay too.
			clone := filepath.Join(t.TempDir(), "clone")
			vcstest.Run(t, "", nil, "git", append(args, up.Dir, clone)...)
			stamp(t, clone, "config.php", "2")
			if d := cmp.Diff(vcstest.Snapshot(t, clone), vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if got := revision(t, wc); got.ID != want || got.Modified != nil {
				t.Errorf("Revision = %+v", got)
			}
			whole(t, dir, " M config.php")
			got, err := wc.Read(t.Context(), resolve(t, wc, ""), "text.txt")
			if err != nil || string(got) != test.want {
				t.Errorf("Read = %q, %v", got, err)
			}
		})
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// TestGitOwnEditFiltered keeps our edit in a file with CRLF, by attribute.
func TestGitOwnEditFiltered(t *testing.T) {
	t.Parallel()
	up := vcstest.NewGit(t)
	up.Commit("one", vcstest.Files{"config.php": site["config.php"], ".gitattributes": "*.php eol=crlf\n"})
	dir := up.Clone()
	stamp(t, dir, "config.php", "1")
	wc := open(t, dir, vcs.Options{})
	if got := revision(t, wc); got.Modified != nil {
		t.Errorf("Modified = %q", got.Modified)
	}
	up.Commit("two", vcstest.Files{"config.php": next["config.php"]})
	update(t, wc, "", "2")
	want := strings.ReplaceAll(stampText(next["config.php"], "2"), "\n", "\r\n")
	if got := vcstest.Snapshot(t, dir)["config.php"]; got != want {
		t.Errorf("config.php = %q, want %q", got, want)
	}
}

func TestGitUnsupported(t *testing.T) {
	t.Parallel()
	config := func(key, value string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { vcstest.Run(t, dir, nil, "git", "config", key, value) }
	}
	for feature, make := range map[string]func(t *testing.T, dir string){
		"a sparse checkout":                   config("core.sparseCheckout", "true"),
		"a partial clone":                     config("remote.origin.promisor", "true"),
		"core.symlinks=false":                 config("core.symlinks", "false"),
		"core.worktree elsewhere":             config("core.worktree", "/"),
		"repository extension future":         config("extensions.future", "1"),
		"a replaced object (refs/replace)":    func(t *testing.T, dir string) { vcstest.Run(t, dir, nil, "git", "replace", "HEAD", "origin/main") },
		"a split index":                       func(t *testing.T, dir string) { vcstest.Run(t, dir, nil, "git", "update-index", "--split-index") },
		"an update of the submodule sub/here": nil,
		"Git LFS":                             nil,
	} {
		t.Run(feature, func(t *testing.T) {
			t.Parallel()
			up, dir, _, _ := gitSite(t)
			switch feature {
			case "an update of the submodule sub/here":
				up.Run("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",sub/here")
				up.Run("commit", "-qm", "submodule")
			case "Git LFS":
				up.Commit("lfs", vcstest.Files{".gitattributes": "*.png filter=lfs diff=lfs merge=lfs -text\n", "x.png": "version https://git-lfs\n"})
			case "a replaced object (refs/replace)":
				vcstest.Run(t, dir, nil, "git", "fetch", "-q")
				make(t, dir)
			default:
				make(t, dir)
			}
			var unsupported *vcs.UnsupportedError
			wc, err := vcs.Open(t.Context(), dir, vcs.Options{})
			var target *vcs.Target
			if err == nil {
				target, err = wc.Resolve(t.Context(), "", stampOwn)
			}
			if err == nil {
				err = wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Write: put(dir, 0)})
			}
			if !errors.As(err, &unsupported) || unsupported.Feature != feature {
				t.Errorf("%v", err)
			}
		})
	}
}
