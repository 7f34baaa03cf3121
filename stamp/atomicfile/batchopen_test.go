package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBatchOpenSharesDirectories(t *testing.T) {
	dir := t.TempDir()
	var b Batch
	defer b.Close()
	before := descriptors(t)
	for i := range 100 {
		name := write(t, filepath.Join(dir, fmt.Sprint(i)), "old", 0o644)
		f, err := b.Open(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			b.Add(f, []byte("new"))
		} else if err := f.Close(); err != nil { // as one that stays
			t.Fatal(err)
		}
	}
	if n := descriptors(t) - before; n != 1 {
		t.Errorf("%d descriptors for the files of one directory", n)
	}
	if err := b.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		wantContent(t, filepath.Join(dir, fmt.Sprint(i)), []string{"new", "old"}[i%2])
	}
	if n := descriptors(t) - before; n != 0 {
		t.Errorf("%d descriptors left open", n)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestBatchOpenManySpellings(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "old", 0o644)
	write(t, filepath.Join(dir, "b"), "old", 0o644)
	write(t, filepath.Join(dir, "c"), "old", 0o644)
	var b Batch
	open := func(name string) *File {
		t.Helper()
		f, err := b.Open(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, second, third := open(dir+"/a"), open(dir+"/./b"), open(dir+"//c")
	b.Add(third, []byte("new"))
	b.Add(second, []byte("new"))
	b.Add(first, []byte("new"))
	if err := b.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		wantContent(t, filepath.Join(dir, name), "new")
	}

	b = Batch{}
	b.Add(open(dir+"/a"), []byte("newer"))
	b.Add(open(dir+"/./a"), []byte("newest"))
	if err := b.Commit(context.Background()); err == nil || !strings.Contains(err.Error(), "twice in one batch") {
		t.Errorf("Commit of two spellings of one file = %v", err)
	}
	wantContent(t, filepath.Join(dir, "a"), "new")
}

func TestBatchOpenAsksEachName(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "site/a"), "old", 0o644)
	write(t, filepath.Join(dir, "b"), "old", 0o644)
	if err := os.Symlink("../b", filepath.Join(dir, "site/link")); err != nil {
		t.Fatal(err)
	}
	var b Batch
	defer b.Close()
	for _, c := range []struct {
		name, root string
		want       error
	}{
		{"site/a", "", nil},
		{"site/a", "site", nil},
		{"site/link", "site", ErrOutsideRoot}, // though its directory is open, and under the root
		{"site/link", "", nil},
		{"b", "", nil},
		{"b", "site", ErrOutsideRoot}, // though its directory is open
		{"site/none", "site", os.ErrNotExist},
		{"site/..", "site", ErrOutsideRoot},
	} {
		o := Options{}
		if c.root != "" {
			o.Root = filepath.Join(dir, c.root)
		}
		f, err := b.Open(dir+"/"+c.name, o)
		if !errors.Is(err, c.want) || err == nil && c.want != nil {
			t.Errorf("Open(%q) under %q = %v, want %v", c.name, c.root, err, c.want)
		}
		if err == nil {
			f.Close()
		}
	}
}

func TestMemory(t *testing.T) {
	name := write(t, filepath.Join(t.TempDir(), "a"), "content", 0o644)
	memory := make([]byte, 100)
	f := mustOpen(t, name, Options{Memory: func(size int64) []byte { return memory[:size] }})
	if got := f.Data(); string(got) != "content" || &got[0] != &memory[0] || cap(got) != len(got) {
		t.Errorf("Data() = %q, with room for %d, not in the memory given", got, cap(got))
	}
}

func TestTempNames(t *testing.T) {
	for _, name := range []string{"a", ".a", "config.php", strings.Repeat("ä", 200)} {
		if temp := tempName(name); !isTempName(temp) || isTempName(keptName(temp)) || isTempName(temp+"x") {
			t.Errorf("tempName(%q) = %q, which is not told from others", name, temp)
		}
	}
	for _, name := range []string{"", ".revstamp", "..abcdefghijklmnop.revstamp", ".a.abcdefghijklmno1.revstamp", ".a.abcdefghijklmno.revstamp", "aabcdefghijklmnop.revstamp"} {
		if isTempName(name) {
			t.Errorf("isTempName(%q)", name)
		}
	}
}
