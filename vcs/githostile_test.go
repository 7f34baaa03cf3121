package vcs_test

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// bait makes a program that leaves its name in a file, which must never be
// there.
func bait(t *testing.T) (program, marker string) {
	t.Helper()
	dir := t.TempDir()
	marker = filepath.Join(dir, "marker")
	vcstest.Write(t, dir, "evil", "#!/bin/sh\necho \"$0 $*\" >>'"+marker+"'\n")
	return filepath.Join(dir, "evil"), marker
}

func untouched(t *testing.T, marker, during string) {
	t.Helper()
	if data, err := os.ReadFile(marker); err == nil {
		t.Errorf("%s ran %s", during, data)
		os.Remove(marker)
	}
}

// lay configures a program wherever git might run one that it does not need.
func lay(t *testing.T, dir, evil string) {
	t.Helper()
	var config strings.Builder
	for _, key := range []string{
		"core.fsmonitor", "core.pager", "core.editor", "core.askPass", "core.sshCommand", "core.gitProxy",
		"core.alternateRefsCommand", "pager.status", "pager.config", "pager.ls-remote", "diff.external",
		"diff.evil.textconv", "diff.evil.command", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process",
		"merge.evil.driver", "gpg.program", "uploadpack.packObjectsHook", "remote.origin.uploadpack",
		"remote.origin.receivepack", "sequence.editor", "credential.helper", "tar.tar.command", "tar.tgz.command",
	} {
		config.WriteString(key + "=" + evil + "\n")
	}
	for _, verb := range []string{
		"config", "ls-remote", "fetch", "status", "describe", "update-ref", "rev-list", "checkout-index", "archive", "upload-pack",
	} {
		config.WriteString("alias." + verb + "=!" + evil + "\n")
	}
	config.WriteString("submodule.sub.update=!" + evil + "\ngc.auto=1\ngc.autoDetach=false\nmaintenance.auto=true\n" +
		"log.showSignature=true\nmerge.verifySignatures=true\nfetch.recurseSubmodules=true\nstatus.submoduleSummary=true\n" +
		"core.hooksPath=" + filepath.Join(dir, ".git/hooks") + "\ncore.untrackedCache=true\n")
	for line := range strings.Lines(config.String()) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		vcstest.Run(t, dir, nil, "git", "config", key, value)
	}
	for _, hook := range []string{
		"fsmonitor-watchman", "post-checkout", "post-commit", "post-index-change", "post-merge", "post-rewrite",
		"post-update", "pre-auto-gc", "pre-commit", "pre-merge-commit", "pre-rebase", "reference-transaction", "update",
	} {
		if err := os.Symlink(evil, filepath.Join(dir, ".git/hooks", hook)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGitRunsNothing reads and updates a repository in which every program that
// git could be made to run leaves a mark.
func TestGitRunsNothing(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		evil, marker := bait(t)
		up := vcstest.NewGit(t)
		up.Commit("one", site)
		up.Commit("attributes", vcstest.Files{".gitattributes": "*.php diff=evil merge=evil\n"})
		dir := up.Clone("--shared")
		second := up.Commit("two", next)
		up.Run("tag", "-am", "x", "v2")
		stamp(t, dir, "config.php", "1")
		lay(t, dir, evil)
		wc := open(t, dir, o)
		out := filepath.Join(t.TempDir(), "out")
		var target *vcs.Target
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"Revision", func() error { _, err := wc.Revision(t.Context(), stampOwn); return err }},
			{"Count", func() error { _, err := wc.Count(t.Context()); return err }},
			{"LastChanged", func() error { _, err := wc.LastChanged(t.Context(), ""); return err }},
			{"ContentIDs", func() error { _, err := wc.ContentIDs(t.Context()); return err }},
			{"Resolve", func() (err error) { target, err = wc.Resolve(t.Context(), "", stampOwn); return err }},
			{"Resolve of an id", func() error { _, err := wc.Resolve(t.Context(), second, stampOwn); return err }},
			{"Changes", func() error { _, err := wc.Changes(t.Context(), "", "main"); return err }},
			{"Read", func() error { _, err := wc.Read(t.Context(), target, "config.php"); return err }},
			{"Export", func() error { return wc.Export(t.Context(), "v2", out) }},
			{"Update", func() error {
				return wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, never)})
			}},
			{"Revision again", func() error { _, err := wc.Revision(t.Context(), nil); return err }},
		} {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			untouched(t, marker, step.name)
		}
		if got := vcstest.Run(t, dir, nil, "git", "-c", "core.fsmonitor=", "rev-parse", "HEAD"); got != second {
			t.Errorf("HEAD = %s", got)
		}
		vcstest.Run(t, dir, nil, "git", "status", "--porcelain")
		vcstest.Run(t, dir, vcstest.GitEnv(9), "git", "commit", "-q", "--allow-empty", "--no-edit", "-m", "x")
		if data, _ := os.ReadFile(marker); strings.Count(string(data), "\n") < 3 {
			t.Errorf("git itself ran only %q: the baits are no good", data)
		}
	})
}

// TestGitSubmoduleRunsNothing has git look into a submodule.
func TestGitSubmoduleRunsNothing(t *testing.T) {
	t.Parallel()
	evil, marker := bait(t)
	up := vcstest.NewGit(t)
	up.Commit("one", site)
	sub := vcstest.NewGit(t)
	sub.Commit("sub", vcstest.Files{"a": "1"})
	vcstest.Run(t, up.Dir, nil, "git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", sub.Dir, "sub")
	up.Commit("submodule", nil)
	vcstest.Run(t, filepath.Join(up.Dir, "sub"), nil, "git", "config", "core.fsmonitor", evil)
	vcstest.Write(t, up.Dir, "sub/a", "2")
	got, err := open(t, up.Dir, vcs.Options{}).Revision(t.Context(), nil)
	if err != nil || len(got.Modified) != 1 || got.Modified[0] != "sub" {
		t.Errorf("Revision = %+v, %v", got, err)
	}
	untouched(t, marker, "Revision")
}

// TestGitHostileRemotes asks remotes that are options or commands.
func TestGitHostileRemotes(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		evil, marker := bait(t)
		_, dir, _, second := gitSite(t)
		file := filepath.Join(dir, ".git/config")
		config, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, url := range []string{
			"ext::" + evil + " x", "hidden:x", "--upload-pack=" + evil, "-u" + evil, "-oProxyCommand=" + evil + ":x",
			"ssh://-oProxyCommand=" + evil + "/x", "git://-c" + evil + "/x", "$(" + evil + ")", "file://$(" + evil + ")", "fd::7", "x\n" + evil,
		} {
			for _, key := range []string{"remote.origin.url", "branch.main.remote"} {
				if err := os.WriteFile(file, config, 0o644); err != nil {
					t.Fatal(err)
				}
				for _, c := range [][2]string{
					{"protocol.ext.allow", "always"}, {"protocol.allow", "always"}, {"url.ext::" + evil + " .insteadOf", "hidden:"}, {key, url},
				} {
					vcstest.Run(t, dir, nil, "git", "config", c[0], c[1])
				}
				wc := open(t, dir, o)
				for _, want := range []string{"", second} {
					if got, err := wc.Resolve(t.Context(), want, stampOwn); err == nil {
						t.Errorf("Resolve(%q) with %s %q = %+v", want, key, url, got)
					}
				}
				untouched(t, marker, key+" "+url)
			}
		}
		vcstest.Try(dir, nil, "git", "ls-remote", "hidden:x")
		if _, err := os.Stat(marker); err != nil {
			t.Errorf("git itself did not run it: %v", err)
		}
	})
}

// TestGitHostileBranch updates a branch whose name is a command in a shell.
func TestGitHostileBranch(t *testing.T) {
	t.Parallel()
	const branch = "a$(>marker)`>marker`;>marker&>marker|>marker\"'"
	hosts(t, func(t *testing.T, o vcs.Options) {
		up := vcstest.NewGit(t)
		up.Commit("one", site)
		up.Run("checkout", "-qb", branch)
		dir := up.Clone()
		second := up.Commit("two", next)
		wc := open(t, dir, o)
		if got := revision(t, wc); got.Branch != branch {
			t.Errorf("Branch = %q", got.Branch)
		}
		if got := resolve(t, wc, branch); got.Revision.ID != second {
			t.Errorf("Resolve = %+v", got)
		}
		update(t, wc, "", "2")
		if got := revision(t, wc); got.ID != second || got.Branch != branch {
			t.Errorf("Revision = %+v", got)
		}
		if _, ok := vcstest.Snapshot(t, filepath.Dir(dir))["copy/marker"]; ok {
			t.Error("the name of the branch ran")
		}
	})
}

// homeConfig is held while the configuration in the home directory is written.
var homeConfig sync.Mutex

// TestGitOwner refuses what belongs to somebody else until the user says that
// it is safe, as git does.
func TestGitOwner(t *testing.T) {
	t.Parallel()
	need.Root(t)
	hosts(t, func(t *testing.T, o vcs.Options) {
		for _, part := range []string{".", ".git", "worktree"} {
			_, dir, _, second := gitSite(t)
			chown := dir
			switch part {
			case ".git":
				chown = filepath.Join(dir, ".git")
			case "worktree":
				tree := filepath.Join(filepath.Dir(dir), "tree")
				vcstest.Run(t, dir, nil, "git", "worktree", "add", "-q", "-b", "live", tree)
				dir, chown = tree, filepath.Join(tree, ".git")
			}
			// A repository does not vouch for itself.
			vcstest.Run(t, dir, nil, "git", "config", "safe.directory", "*")
			wc := open(t, dir, o)
			if _, err := wc.Revision(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if err := os.Lchown(chown, 65534, 65534); err != nil {
				t.Fatal(err)
			}
			if _, err := vcstest.Try(dir, nil, "git", "status"); err == nil {
				t.Errorf("git itself does not mind %s", chown)
			}
			var owner *vcs.OwnerError
			_, err := wc.Revision(t.Context(), nil)
			if !errors.As(err, &owner) || owner.Path != chown || owner.Owner != "nobody" ||
				owner.Hint() != "to trust it: git config --global --add safe.directory "+dir {
				t.Errorf("Revision: %v", err)
			}
			if _, err := wc.Resolve(t.Context(), second, nil); !errors.As(err, &owner) {
				t.Errorf("Resolve: %v", err)
			}
			homeConfig.Lock()
			hint := strings.Fields(owner.Hint())
			vcstest.Run(t, "/", nil, hint[3], hint[4:]...)
			homeConfig.Unlock()
			if _, err := wc.Revision(t.Context(), nil); err != nil {
				t.Errorf("Revision of a safe directory: %v", err)
			}
			if _, err := wc.Resolve(t.Context(), "", stampOwn); part == "." && err != nil {
				t.Errorf("Resolve of a safe directory: %v", err)
			}
		}
	})
}

// TestGitHostileRefs updates from a repository with tags whose names lead out of the
// directory of refs, or to where git would not have them. Git, where it serves or
// fetches, refuses some of them by itself.
func TestGitHostileRefs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../../../marker", "../../marker", "./marker", "x.lock/marker", "/marker"} {
		up := vcstest.NewGit(t)
		first := up.Commit("one", site)
		dir := up.Clone()
		second := up.Commit("two", next)
		vcstest.Write(t, up.Dir, ".git/packed-refs", first+" refs/tags/"+name+"\n")
		update(t, open(t, dir, vcs.Options{NoGit: true}), "", "2")
		if got := vcstest.Run(t, dir, nil, "git", "rev-parse", "HEAD"); got != second {
			t.Errorf("with the tag %q HEAD = %s", name, got)
		}
		err := filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "marker" {
				t.Errorf("the tag %q is %s", name, path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestGitTagInTheWay updates from a repository in which a directory of tags has
// the name of a tag that is here, and the other way round.
func TestGitTagInTheWay(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up := vcstest.NewGit(t)
		up.Commit("one", site)
		up.Run("tag", "a")
		up.Run("tag", "b/c")
		dir := up.Clone()
		up.Run("tag", "-d", "a")
		up.Run("tag", "-d", "b/c")
		second := up.Commit("two", next)
		for _, tag := range []string{"a/x", "b", "d"} {
			up.Run("tag", tag)
		}
		update(t, open(t, dir, o), "", "2")
		if got := vcstest.Run(t, dir, nil, "git", "rev-parse", "HEAD", "d"); got != second+"\n"+second {
			t.Errorf("HEAD, d = %s", got)
		}
	})
}

// TestGitHostileTree clones and updates to a tree with a file and a directory of
// one name.
func TestGitHostileTree(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up := vcstest.NewGit(t)
		first := up.Commit("one", site)
		dir := up.Clone()
		outside := t.TempDir()
		object := func(kind, content string) string {
			vcstest.Write(t, up.Dir, ".git/new", content)
			return up.Run("hash-object", "-w", "--literally", "-t", kind, ".git/new")
		}
		raw := func(id string) string {
			b, err := hex.DecodeString(id)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		below := object("tree", "100644 evil\x00"+raw(object("blob", "evil")))
		tree := object("tree", "120000 a\x00"+raw(object("blob", outside))+"100644 a.x\x00"+raw(object("blob", "x"))+"40000 a\x00"+raw(below))
		evil := up.Run("commit-tree", "-p", first, "-m", "evil", tree)
		up.Run("update-ref", "refs/heads/main", evil)
		if err := vcs.Clone(t.Context(), up.Dir, filepath.Join(t.TempDir(), "new"), vcs.CloneOptions{Options: o}); err == nil {
			t.Error("Clone accepts it")
		}
		wc := open(t, dir, o)
		target, err := wc.Resolve(t.Context(), "", stampOwn)
		if err == nil {
			err = wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Write: put(dir, never)})
		}
		if err == nil {
			t.Error("Update accepts it")
		}
		if found := vcstest.Snapshot(t, outside); len(found) > 0 {
			t.Errorf("outside of the tree: %v", found)
		}
	})
}
