package vcs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// hgManifests has hg's own library tell the files of every changeset.
const hgManifests = `
import json, sys
from mercurial import hg, ui
repo = hg.repository(ui.ui.load(), sys.argv[1].encode())
out = {}
for r in repo:
    c = repo[r]
    m = c.manifest()
    out[c.hex().decode()] = {
        "parents": [p.hex().decode() for p in c.parents() if p.rev() >= 0],
        "files": {f.decode(): m[f].hex() + m.flags(f).decode() for f in m},
    }
json.dump(out, sys.stdout)
`

type hgChangeset struct {
	Parents []string
	Files   map[string]string
}

// TestHgHistory compares what is told of a history with branches and merges to
// what hg tells.
func TestHgHistory(t *testing.T) {
	t.Parallel()
	need.Program(t, "hg", need.DebianPython)
	dir := filepath.Join(t.TempDir(), "repo")
	vcstest.RunHg(t, "", "init", dir)
	vcstest.RunHg(t, dir, "debugbuilddag", "--new-file", "--mergeable-file", "+5:a+5:b<a+7/b+3:c<b+4/c+6")
	vcstest.RunHg(t, dir, "update", "--quiet", "tip")
	vcstest.RunHg(t, dir, "rename", "--quiet", "mf", "renamed")
	up := vcstest.HgAt(t, dir, 1)
	os.Chmod(filepath.Join(dir, "nf1"), 0o755) // a change of mode alone
	last := up.Commit("last", vcstest.Files{"nf2": ""})

	var history map[string]hgChangeset
	out := vcstest.Run(t, "", nil, need.DebianPython, "-c", hgManifests, dir)
	if err := json.Unmarshal([]byte(out), &history); err != nil {
		t.Fatal(err)
	}
	wc := open(t, dir, vcs.Options{})
	changed, err := wc.LastChanged(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	merged := false
	for path := range history[last].Files {
		want[path] = lastChanged(history, last, path, &merged)
	}
	if d := cmp.Diff(want, changed); d != "" {
		t.Error(d)
	}
	if !merged || len(want) < 20 {
		t.Errorf("the history has no merges to follow, or only %d files", len(want))
	}
	// hg's own answer, where there is one file to ask about.
	for _, path := range []string{"renamed", "nf1", "nf9"} {
		if got := vcstest.RunHg(t, dir, "log", "-r", "last(::. and file('path:"+path+"'))", "-T", "{node}"); got != changed[path] {
			t.Errorf("LastChanged[%q] = %s, want %s", path, changed[path], got)
		}
	}
	if n, err := wc.Count(t.Context()); err != nil || int(n) != ancestors(history, last) {
		t.Errorf("Count = %d, %v, want %d", n, err, ancestors(history, last))
	}

	ids, err := wc.ContentIDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	contents := make(map[string]string)
	for path, id := range history[last].Files {
		contents[path] = id[:40]
	}
	if d := cmp.Diff(contents, ids); d != "" {
		t.Error(d)
	}
}

// lastChanged is its definition: back to where the file is as in no parent, by
// way of the first parent in which it is the same.
func lastChanged(history map[string]hgChangeset, node, path string, merged *bool) string {
	for {
		same := slices.IndexFunc(history[node].Parents, func(p string) bool {
			return history[p].Files[path] == history[node].Files[path]
		})
		if same < 0 {
			return node
		}
		*merged = *merged || same > 0
		node = history[node].Parents[same]
	}
}

func ancestors(history map[string]hgChangeset, node string) int {
	seen := make(map[string]bool)
	todo := []string{node}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[n] {
			seen[n] = true
			todo = append(todo, history[n].Parents...)
		}
	}
	return len(seen)
}

// TestHgChangesAndExport compares both with hg status and hg archive.
func TestHgChangesAndExport(t *testing.T) {
	t.Parallel()
	_, dir, first, second := hgSite(t)
	wc := open(t, dir, vcs.Options{})
	changes, err := wc.Changes(t.Context(), "", "default") // which is not here yet
	if err != nil {
		t.Fatal(err)
	}
	letters := map[vcs.Op]string{vcs.Added: "A", vcs.Changed: "M", vcs.Deleted: "R"}
	var got []string
	for _, c := range changes {
		got = append(got, letters[c.Op]+" "+c.Path)
	}
	want := strings.Split(vcstest.RunHg(t, dir, "status", "--rev", first, "--rev", second), "\n")
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if id := vcstest.RunHg(t, dir, "id", "--debug", "-i"); id != first+"+" {
		t.Errorf("hg id = %s", id)
	}

	for _, rev := range []string{"", second} {
		out := filepath.Join(t.TempDir(), "out {node}%h")
		if err := wc.Export(t.Context(), rev, out); err != nil {
			t.Fatal(err)
		}
		archive := filepath.Join(t.TempDir(), "archive")
		node := rev
		if node == "" {
			node = first // less the stamp
		}
		vcstest.RunHg(t, dir, "archive", "--config", "ui.archivemeta=false", "--rev", node, archive)
		if d := cmp.Diff(modes(t, archive), modes(t, out)); d != "" {
			t.Error(d)
		}
		if err := wc.Export(t.Context(), rev, out); err == nil {
			t.Error("Export to a directory with files succeeded")
		}
	}
}

// modes is Snapshot with the modes of files.
func modes(t *testing.T, dir string) vcstest.Files {
	t.Helper()
	files := vcstest.Snapshot(t, dir)
	for path, content := range files {
		info, err := os.Lstat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		files[path] = info.Mode().String() + " " + content
	}
	return files
}

// TestHgSituations compares Revision with what hg says of itself.
func TestHgSituations(t *testing.T) {
	t.Parallel()
	hg := func(args ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { vcstest.RunHg(t, dir, args...) }
	}
	both := func(steps ...func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, s := range steps {
				s(t, dir)
			}
		}
	}
	write := func(path, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { vcstest.Write(t, dir, path, content) }
	}
	nothing := func(*testing.T, string) {}
	commit := hg("commit", "--quiet", "--addremove", "-m", "draft", "--user", "Local <x@y>", "--date", "0 3600")
	for name, make := range map[string]func(t *testing.T, dir string){
		"clean":         nothing,
		"modified":      write("index.html", "mine"),
		"touched":       write("index.html", site["index.html"]),
		"removed":       hg("remove", "index.html"),
		"missing":       func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "index.html")) },
		"added":         both(write("new", "x"), hg("add", "new")),
		"copied":        hg("copy", "index.html", "copy.html"),
		"mode":          func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, "index.html"), 0o755) },
		"link":          write("link", "-> elsewhere"),
		"untracked":     write("new", "x"),
		"ignored":       write("new.log", "x"),
		"draft":         both(write("new", "x"), commit),
		"branch":        hg("branch", "--quiet", hgBranch),
		"bookmark":      hg("bookmark", "a b é"),
		"bookmark left": both(hg("bookmark", "x"), hg("bookmark", "--inactive", "x")),
		"local tag":     hg("tag", "--local", "v1"),
		"tag":           both(hg("tag", "--user", "Local <x@y>", "v2"), hg("tag", "--local", "-r", "v2", "a"), hg("update", "--quiet", "v2")),
		"after a tag":   hg("tag", "--user", "Local <x@y>", "v2"),
		"tagged before": both(hg("tag", "--local", "v 1"), write("new", "x"), commit),
		"null":          both(hg("revert", "--all", "--quiet", "--no-backup"), hg("update", "--quiet", "null")),
		"copied list":   both(hg("update", "--quiet", "null"), hg("update", "--quiet", "tip"), hg("debugrebuilddirstate")),
		"upgraded":      hg("debugupgraderepo", "--quiet", "--run", "--no-backup", "--config", "format.use-share-safe=no"),
	} {
		if testing.Short() && !slices.Contains([]string{"modified", "missing", "mode", "draft", "branch", "bookmark", "local tag", "tag", "null"}, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dir, _, _ := hgSite(t)
			vcstest.Write(t, dir, "config.php", site["config.php"]) // as committed
			make(t, dir)
			likeHg(t, dir)
		})
	}
	t.Run("shared", func(t *testing.T) {
		t.Parallel()
		_, dir, _, second := hgSite(t)
		share := filepath.Join(t.TempDir(), "share")
		vcstest.RunHg(t, "", "--config", "extensions.share=", "share", "--quiet", "--bookmarks", dir, share)
		likeHg(t, share)
		wc := open(t, share, vcs.Options{})
		if got := resolve(t, wc, ""); got.Revision.ID != second { // from the source's upstream
			t.Errorf("Resolve = %+v", got.Revision)
		}
		update(t, wc, second, "2")
		if got := hgStatus(t, share); got != "M config.php" {
			t.Errorf("hg status = %q", got)
		}
	})
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		likeHg(t, vcstest.NewHg(t).Dir)
	})
}

// likeHg compares Revision with one hg log and one hg identify.
func likeHg(t *testing.T, dir string) {
	t.Helper()
	wc := open(t, dir, vcs.Options{})
	got, err := wc.Revision(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var id []struct {
		ID        string
		Dirty     string
		Branch    string
		Bookmarks []string
	}
	out := vcstest.RunHg(t, dir, "identify", "--debug", "--template", "json")
	if err := json.Unmarshal([]byte(out), &id); err != nil {
		t.Fatal(err)
	}
	if dirty := id[0].Dirty == "+"; got.ID != strings.TrimSuffix(id[0].ID, "+") || dirty != (got.Modified != nil) || got.Branch != id[0].Branch {
		t.Errorf("Revision = %+v, hg identify says %s", got, out)
	}
	const template = "{phase}|{author|person}|{date|hgdate}|{activebookmark}|{latesttag}|{latesttagdistance}|{node|short}"
	f := strings.Split(vcstest.RunHg(t, dir, "log", "-r", ".", "-T", template), "|")
	describe := f[6]
	switch {
	case got.ID == nullID:
		f[1], describe = "", ""
	case f[4] != "null" && f[5] == "0":
		describe = f[4]
	case f[4] != "null":
		describe = f[4] + "-" + f[5] + "-m" + f[6]
	}
	if got.Phase != f[0] || got.Author != f[1] || got.Bookmark != f[3] || got.Describe != describe || got.Short != f[6] {
		t.Errorf("Revision = %+v, hg log says %q", got, f)
	}
	if when := got.Date; got.ID != nullID {
		_, zone := when.Zone()
		if hg := strings.Fields(f[2]); hg[0] != itoa(when.Unix()) || hg[1] != itoa(int64(-zone)) {
			t.Errorf("Date = %v, hg log says %q", when, f[2])
		}
	}
	if got.Modified == nil {
		return
	}
	status := strings.Fields(vcstest.RunHg(t, dir, "status", "-mard", "--no-status"))
	slices.Sort(status)
	if d := cmp.Diff(status, got.Modified); d != "" {
		t.Error(d)
	}
}
