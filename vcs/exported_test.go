package vcs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// gitArchival is what setuptools_scm has people commit.
const gitArchival = "node: $Format:%H$\nnode-date: $Format:%cI$\ndescribe-name: $Format:%(describe:tags=true)$\nref-names: $Format:%D$\n"

// TestExportedGit has git expand the file, on a branch, at a tag, after one, and
// detached.
func TestExportedGit(t *testing.T) {
	t.Parallel()
	up := vcstest.NewGit(t)
	first := up.Commit("one", vcstest.Files{".git_archival.txt": gitArchival, ".gitattributes": ".git_archival.txt export-subst\n"})
	up.Run("tag", "-a", "-m", "x", "v1.0")
	up.Run("tag", "other")
	second := up.Commit("two", vcstest.Files{"a": "a\n"})
	archive := func(rev string) string {
		dir := t.TempDir()
		vcstest.Run(t, up.Dir, nil, "sh", "-c", "git archive "+rev+" | tar -x -C "+dir)
		return dir
	}
	date := func(rev string) time.Time {
		d, err := time.Parse(time.RFC3339, up.Run("log", "-1", "--format=%cI", rev))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for rev, want := range map[string]vcs.Revision{
		"HEAD": {System: "git", ID: second, Short: second[:12], Branch: "main", Describe: "v1.0-1-g" + second[:7], Date: date("HEAD")},
		"v1.0": {System: "git", ID: first, Short: first[:12], Tag: "v1.0", Describe: "v1.0", Date: date("v1.0"), Detached: true},
	} {
		got, err := vcs.Exported(archive(rev))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("Exported at %s: %v %s", rev, err, d)
		}
	}
	// A checkout is no export.
	var bad *vcs.ExportError
	if got, err := vcs.Exported(up.Dir); !errors.As(err, &bad) || !strings.Contains(bad.Hint(), "export-subst") {
		t.Errorf("Exported of placeholders = %+v, %v", got, err)
	}
	// Who made a release of it knows more.
	dir := archive("HEAD")
	vcstest.Write(t, dir, "REVISION", first+"\n")
	if got, err := vcs.Exported(dir); err != nil || got.ID != first {
		t.Errorf("Exported = %+v, %v", got, err)
	}
}

// TestExportedHg has hg archive write the file.
func TestExportedHg(t *testing.T) {
	t.Parallel()
	need.Program(t, "hg")
	dir := filepath.Join(t.TempDir(), "repository")
	env := []string{"HGPLAIN=1", "HGRCPATH=", "HGUSER=Ada <ada@example.com>"}
	hg := func(args ...string) string { return vcstest.Run(t, dir, env, "hg", args...) }
	vcstest.Run(t, "", env, "hg", "init", dir)
	vcstest.Write(t, dir, "a", "a\n")
	hg("commit", "-q", "-A", "-m", "one")
	first := hg("log", "-r", ".", "-T", "{node}")
	hg("tag", "-q", "v1 rc")
	second := hg("log", "-r", ".", "-T", "{node}")
	for rev, want := range map[string]vcs.Revision{
		"0":   {System: "hg", ID: first, Short: first[:12], Branch: "default", Tag: "v1 rc", Describe: "v1 rc"},
		"tip": {System: "hg", ID: second, Short: second[:12], Branch: "default", Describe: "v1 rc-1-m" + second[:12]},
	} {
		to := filepath.Join(t.TempDir(), "export")
		hg("archive", "-q", "-r", rev, to)
		got, err := vcs.Exported(to)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("Exported at %s: %v %s", rev, err, d)
		}
	}
}

func TestExportedFiles(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0123456789", 4)
	for text, want := range map[string]vcs.Revision{
		hash:               {ID: hash, Short: hash[:12]},
		hash + "\n":        {ID: hash, Short: hash[:12]},
		hash + "\r\n":      {ID: hash, Short: hash[:12]},
		hash + hash[:24]:   {ID: hash + hash[:24], Short: hash[:12]},
		"4168\n":           {System: "svn", ID: "4168", Short: "4168", Number: 4168},
		"r123456789":       {System: "svn", ID: "123456789", Short: "123456789", Number: 123456789},
		"1234567":          {}, // could be a hash, shortened
		"r4168":            {System: "svn", ID: "4168", Short: "4168", Number: 4168},
		"":                 {},
		"main\n":           {},
		hash[:12] + "\n":   {},
		hash + "\n" + hash: {},
		hash + "\x00":      {},
		"4123:4168M\n":     {},
		"\xff" + hash:      {},
		strings.ToUpper("abcdef0123456789abcdef0123456789abcdef01"): {},
		strings.Repeat(" ", 64<<10) + hash:                          {},
		"Unversioned directory\n":                                   {},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "REVISION"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := vcs.Exported(dir)
		var bad *vcs.ExportError
		if d := cmp.Diff(want, got); d != "" || (err != nil) != (want.ID == "") || err != nil && !errors.As(err, &bad) {
			t.Errorf("Exported with %.60q: %v %s", text, err, d)
		}
	}
}

// TestExportedOdd has what is no file of text where one is expected.
func TestExportedOdd(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(file string) error{
		"link":      func(file string) error { return os.Symlink("/etc/hostname", file) },
		"dangling":  func(file string) error { return os.Symlink("none", file) },
		"directory": func(file string) error { return os.Mkdir(file, 0o755) },
		"fifo":      func(file string) error { return syscall.Mkfifo(file, 0o644) },
	} {
		dir := t.TempDir()
		if err := put(filepath.Join(dir, ".git_archival.txt")); err != nil {
			t.Fatal(err)
		}
		var bad *vcs.ExportError
		if got, err := vcs.Exported(dir); !errors.As(err, &bad) {
			t.Errorf("%s: Exported = %+v, %v", name, got, err)
		}
	}
	if got, err := vcs.Exported(t.TempDir()); !errors.Is(err, vcs.ErrNotExported) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Exported of an empty directory = %+v, %v", got, err)
	}
}

// FuzzExported holds every file to what a revision may be.
func FuzzExported(f *testing.F) {
	hash := strings.Repeat("ab", 20)
	f.Add("REVISION", hash)
	f.Add(".git_archival.txt", "node: "+hash+"\nnode-date: 2024-05-01T12:00:00Z\ndescribe-name: v1\nref-names: HEAD -> main, tag: v1, origin/main\n")
	f.Add(".git_archival.txt", gitArchival)
	f.Add(".hg_archival.txt", "repo: 0\nnode: "+hash+"\nbranch: default\nlatesttag: null\nlatesttagdistance: 3\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name, text string) {
		if name != "REVISION" && name != ".git_archival.txt" && name != ".hg_archival.txt" {
			return
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(file)
		r, err := vcs.Exported(dir)
		if err != nil {
			if d := cmp.Diff(vcs.Revision{}, r); d != "" {
				t.Errorf("an error, and %+v", r)
			}
			return
		}
		if r.ID == "" || !strings.HasPrefix(r.ID, r.Short) || len(r.ID) > 64 {
			t.Errorf("Exported = %+v", r)
		}
		for _, s := range []string{r.ID, r.Branch, r.Tag, r.Describe} {
			if strings.ContainsAny(s, "\n\x00\x1b") || len(s) > len(text)+24 {
				t.Errorf("Exported = %+v", r)
			}
		}
	})
}
