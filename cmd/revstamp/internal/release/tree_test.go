package release

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
)

// siteTree is a tree over real files of which the target changes some.
func siteTree(t *testing.T) *tree {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"public/kept.css": "kept", "public/changed.css": "old", "public/gone.css": "gone", "lib/kept.php": "kept", ".git/x.css": "x",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	changes := map[string]vcs.Change{}
	for _, c := range []vcs.Change{
		{Path: "public/changed.css", Op: vcs.Changed, Mode: 0o644},
		{Path: "public/gone.css", Op: vcs.Deleted},
		{Path: "public/new/added.css", Op: vcs.Added, Mode: 0o644},
		{Path: "public/link.css", Op: vcs.Added, Mode: fs.ModeSymlink | 0o777},
	} {
		changes[filepath.Join(dir, c.Path)] = c
	}
	return changedTree(dir, changes, func(c vcs.Change) ([]byte, error) { return []byte("new " + c.Path), nil })
}

// TestTreeDir: directories have what the target adds, and not what it takes away.
func TestTreeDir(t *testing.T) {
	v := siteTree(t)
	var got []string
	err := fs.WalkDir(v, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, name)
		}
		return err
	})
	want := []string{".git/x.css", "lib/kept.php", "public/changed.css", "public/kept.css", "public/link.css", "public/new/added.css"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, name := range []string{"nowhere", "public/kept.css", "../x"} {
		if all, err := v.ReadDir(name); err == nil {
			t.Errorf("ReadDir(%q) = %v", name, all)
		}
	}
}

// A file that becomes a directory, and a directory that becomes a file, are what
// they become.
func TestTreeDirExchanged(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "a"), nil, 0o644), os.Mkdir(filepath.Join(dir, "d"), 0o755)); err != nil {
		t.Fatal(err)
	}
	v := changedTree(dir, map[string]vcs.Change{
		filepath.Join(dir, "a"):     {Path: "a", Op: vcs.Deleted},
		filepath.Join(dir, "a/b/c"): {Path: "a/b/c", Op: vcs.Added, Mode: 0o644},
		filepath.Join(dir, "d"):     {Path: "d", Op: vcs.Added, Mode: 0o644},
		filepath.Join(dir, "d/e"):   {Path: "d/e", Op: vcs.Deleted},
	}, nil)
	all, err := v.ReadDir(".")
	if err != nil || len(all) != 2 || !all[0].IsDir() || all[1].IsDir() {
		t.Errorf("ReadDir(.) = %v, %v, want a directory and a file", all, err)
	}
	if all, err := v.ReadDir("a"); err != nil || len(all) != 1 || all[0].Name() != "b" {
		t.Errorf("ReadDir(a) = %v, %v, want b", all, err)
	}
}

func TestTreeIsTheTarget(t *testing.T) {
	v := siteTree(t).sub("public")
	for name, want := range map[string]string{
		"kept.css": "kept", "changed.css": "new public/changed.css", "new/added.css": "new public/new/added.css",
	} {
		got, err := fs.ReadFile(v, name)
		if err != nil || string(got) != want {
			t.Errorf("ReadFile(%q) = %q, %v, want %q", name, got, err, want)
		}
		file, err := v.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
			t.Errorf("Open(%q).Stat() = %v, %v, want a regular file", name, info, err)
		}
		file.Close()
	}
	for _, name := range []string{"gone.css", "never.css"} {
		if _, err := fs.Stat(v, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat(%q): %v, want %v", name, err, fs.ErrNotExist)
		}
		if _, err := v.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open(%q): %v, want %v", name, err, fs.ErrNotExist)
		}
	}
	for _, name := range []string{"../lib/kept.php", "/etc/passwd"} {
		if _, err := fs.ReadFile(v, name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("ReadFile(%q): %v, want %v", name, err, fs.ErrInvalid)
		}
	}
}

func TestTreeWalk(t *testing.T) {
	v := siteTree(t)
	for _, test := range []struct {
		roots []string
		want  []string
	}{
		{[]string{"."}, []string{"lib/kept.php", "public/changed.css", "public/kept.css", "public/new/added.css"}},
		{[]string{"lib", "nowhere"}, []string{"lib/kept.php"}},
		{[]string{"public/new"}, []string{"public/new/added.css"}},
	} {
		var got []string
		err := v.walk(test.roots, func(abs string) bool { return filepath.Base(abs) == ".git" }, func(name string, _ func() (fs.FileInfo, error)) error {
			got = append(got, name)
			return nil
		})
		slices.Sort(got)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("walk(%q): %v (-want +got):\n%s", test.roots, err, diff)
		}
	}
}

func TestOutermost(t *testing.T) {
	for _, test := range []struct{ dirs, want []string }{
		{[]string{"a/b", "a", "a-b", "c/d", "a/b/c"}, []string{"a", "a-b", "c/d"}},
		{[]string{"x", "."}, []string{"."}},
		{nil, nil},
	} {
		if diff := cmp.Diff(test.want, outermost(test.dirs)); diff != "" {
			t.Errorf("outermost(%q) (-want +got):\n%s", test.dirs, diff)
		}
	}
}
