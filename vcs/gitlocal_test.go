package vcs_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

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

// TestGitLFS updates a file that a server of large files has, by git-lfs itself.
func TestGitLFS(t *testing.T) {
	t.Parallel()
	need.Program(t, "git-lfs")
	up := vcstest.NewGit(t)
	up.Run("lfs", "install", "--local")
	big := func(n string) string { return strings.Repeat(n, 10000) }
	up.Commit("one", vcstest.Files{
		".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "a.bin": big("a"), "b.bin": big("b"), "config.php": site["config.php"],
	})
	dir := filepath.Join(t.TempDir(), "copy")
	config := []string{"-c", "filter.lfs.process=git-lfs filter-process", "-c", "filter.lfs.required=true", "-c", "filter.lfs.clean=git-lfs clean -- %f", "-c", "filter.lfs.smudge=git-lfs smudge -- %f"}
	vcstest.Run(t, "", nil, "git", append(append([]string{"clone", "--quiet"}, config...), "file://"+up.Dir, dir)...)
	for i := 1; i < len(config); i += 2 { // clone -c is for the clone alone
		key, value, _ := strings.Cut(config[i], "=")
		vcstest.Run(t, dir, nil, "git", "config", key, value)
	}
	up.Commit("two", vcstest.Files{"a.bin": big("A"), "new.bin": big("n"), "config.php": next["config.php"]})
	stamp(t, dir, "config.php", "1")
	before := everything(t, dir)
	var unsupported *vcs.UnsupportedError
	without := open(t, dir, vcs.Options{NoGit: true})
	target, err := without.Resolve(t.Context(), "", stampOwn)
	if err == nil {
		err = without.Update(t.Context(), target, vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, 0)})
	}
	if !errors.As(err, &unsupported) || unsupported.Feature != "conversion by filter=lfs" || unsupported.Install != "git" {
		t.Errorf("without git: %v", err)
	}
	if d := cmp.Diff(before, everything(t, dir)); d != "" {
		t.Error(d)
	}
	wc := open(t, dir, vcs.Options{})
	update(t, wc, "", "2")
	got := vcstest.Snapshot(t, dir)
	if got["a.bin"] != big("A") || got["b.bin"] != big("b") || got["new.bin"] != big("n") {
		t.Errorf("the files hold %.40q, %.40q, %.40q", got["a.bin"], got["b.bin"], got["new.bin"])
	}
	if r := revision(t, wc); r.Modified != nil {
		t.Errorf("Modified = %q", r.Modified)
	}
	whole(t, dir, " M config.php")
	out := filepath.Join(t.TempDir(), "out")
	if err := wc.Export(t.Context(), "", out); err != nil || vcstest.Snapshot(t, out)["a.bin"] != big("A") {
		t.Errorf("Export: %v", err)
	}
}

// TestGitPartial reads a partial clone as far as it goes, and has it left alone.
func TestGitPartial(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		for _, filter := range []string{"blob:none", "tree:0"} {
			up := vcstest.NewGit(t)
			up.Commit("one", site)
			up.Commit("two", next)
			dir := cloneURL("--filter="+filter)(t, up)
			stamp(t, dir, "config.php", "1")
			wc := open(t, dir, o)
			if got := revision(t, wc); got.Modified != nil {
				t.Errorf("Modified = %q", got.Modified)
			}
			var unsupported *vcs.UnsupportedError
			last, err := wc.LastChanged(t.Context(), "")
			switch {
			case filter == "tree:0":
				if !errors.As(err, &unsupported) || unsupported.Feature != "what a partial clone left out" {
					t.Errorf("LastChanged = %v, %v", last, err)
				}
			case err != nil || len(last) == 0:
				t.Errorf("LastChanged: %v", err)
			default:
				told(t, wc)
			}
			third := up.Commit("three", vcstest.Files{"index.html": "three"})
			changes, err := wc.Changes(t.Context(), "", third)
			switch {
			case o.NoGit:
				if !errors.As(err, &unsupported) || unsupported.Install != "git" {
					t.Errorf("Changes = %v, %v", changes, err)
				}
			case filter == "blob:none":
				if err != nil || len(changes) != 1 {
					t.Errorf("Changes = %v, %v", changes, err)
				}
			}
			before := everything(t, dir)
			if _, err := wc.Resolve(t.Context(), "", stampOwn); !errors.As(err, &unsupported) || unsupported.Feature != "a partial clone" {
				t.Errorf("Resolve: %v", err)
			}
			if d := cmp.Diff(before, everything(t, dir)); d != "" {
				t.Error(d)
			}
		}
	})
}

// An update that is refused when its files have been converted leaves none of them.
func TestGitRefusedLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	up := vcstest.NewGit(t)
	up.Commit("one", vcstest.Files{"a.txt": "a\n", ".gitattributes": "*.txt eol=crlf\n"})
	dir := up.Clone()
	up.Commit("two", vcstest.Files{"b.txt": "b\n"})
	wc := open(t, dir, vcs.Options{})
	target := resolve(t, wc, "")
	vcstest.Write(t, dir, "b.txt", "somebody's\n")
	t.Setenv("TMPDIR", temp)
	var untracked *vcs.UntrackedError
	if err := wc.Update(t.Context(), target, vcs.Update{Write: put(dir, never)}); !errors.As(err, &untracked) {
		t.Errorf("Update: %v", err)
	}
	if left := vcstest.Snapshot(t, temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
