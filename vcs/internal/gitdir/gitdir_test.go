package gitdir

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
	"revstamp/vcs/vcstest"
)

func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "gitdir-home-")
	if err == nil {
		err = vcstest.Isolate(home)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(home)
	os.Exit(code)
}

// history makes a repository of n commits, some of them merges, with tags of
// both kinds; some commits are dated before their parents.
func history(t *testing.T, seed uint64, n int) *vcstest.Git {
	t.Helper()
	g := vcstest.NewGit(t)
	r := rand.New(rand.NewPCG(seed, 1))
	var ids []string
	for i := range n {
		vcstest.Write(t, g.Dir, fmt.Sprintf("d%d/f%d", i%3, r.IntN(5)), strings.Repeat(fmt.Sprintln("line", r.IntN(50)), 40))
		g.Run("add", "--all")
		tree := g.Run("write-tree")
		args := []string{"commit-tree", tree, "-m", fmt.Sprintf("commit %d", i)}
		for p := range min(len(ids), 1+r.IntN(2)) {
			back := 1 + r.IntN(min(len(ids), 6))
			if p == 0 && r.IntN(3) > 0 {
				back = 1
			}
			if parent := ids[len(ids)-back]; !slices.Contains(args, parent) {
				args = append(args, "-p", parent)
			}
		}
		when := i
		if r.IntN(5) == 0 {
			when -= r.IntN(4)
		}
		id := vcstest.Run(t, g.Dir, vcstest.GitEnv(when), "git", args...)
		ids = append(ids, id)
		switch r.IntN(12) {
		case 0:
			g.Run("tag", fmt.Sprintf("light-%d", i), id)
		case 1:
			g.Run("tag", "-a", "-m", "tag", fmt.Sprintf("heavy-%d", i), id)
		}
	}
	g.Run("update-ref", "refs/heads/main", ids[len(ids)-1])
	for i := 0; i < n; i += 3 {
		g.Run("update-ref", fmt.Sprintf("refs/heads/b%d", i), ids[i])
	}
	return g
}

func openRepo(t *testing.T, dir string) (*Repo, *Objects) {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	o, err := r.Objects()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return r, o
}

func mustID(t *testing.T, s string) ID {
	t.Helper()
	id, err := ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestObjects reads every object of a repository as git does: loose, packed
// with deltas of both kinds, and borrowed.
func TestObjects(t *testing.T) {
	t.Parallel()
	g := history(t, 1, 40)
	for _, form := range []struct {
		name string
		make func() string
	}{
		{"loose", func() string { return g.Dir }},
		{"borrowed", func() string { return g.Clone("--shared") }},
		{"packed", func() string {
			dir := g.Clone()
			vcstest.Run(t, dir, nil, "git", "repack", "-adfq", "--depth=50", "--window=50")
			return dir
		}},
		{"ref deltas", func() string {
			dir := g.Clone()
			vcstest.Run(t, dir, nil, "git", "-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq", "--depth=50", "--window=50")
			return dir
		}},
	} {
		t.Run(form.name, func(t *testing.T) {
			dir := form.make()
			_, o := openRepo(t, dir)
			list := vcstest.Run(t, dir, nil, "git", "cat-file", "--batch-all-objects", "--batch-check")
			count := 0
			for line := range strings.Lines(list) {
				f := strings.Fields(line)
				kind, data, err := o.Read(mustID(t, f[0]))
				if err != nil {
					t.Fatal(err)
				}
				if kind.String() != f[1] || fmt.Sprint(len(data)) != f[2] || HashOf(kind, data).String() != f[0] {
					t.Errorf("Read(%s) = %s of %d bytes, want %s", f[0], kind, len(data), line)
				}
				count++
			}
			if count < 100 {
				t.Errorf("only %d objects", count)
			}
			if _, _, err := o.Read(ID{1}); !errors.Is(err, ErrNotFound) {
				t.Errorf("Read of a missing object: %v", err)
			}
			head := vcstest.Run(t, dir, nil, "git", "rev-parse", "HEAD")
			ids, err := o.Find(head[:7])
			if err != nil || len(ids) != 1 || ids[0].String() != head {
				t.Errorf("Find(%q) = %v, %v", head[:7], ids, err)
			}
		})
	}
}

// TestWalks compares with rev-list and describe.
func TestWalks(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			g := history(t, seed+10, 40)
			if seed%2 == 1 {
				g.Run("pack-refs", "--all")
			}
			r, o := openRepo(t, g.Dir)
			tags, err := r.Tags(o, nil)
			if err != nil {
				t.Fatal(err)
			}
			refs, err := r.Refs("refs/heads/")
			if err != nil {
				t.Fatal(err)
			}
			main := refs["refs/heads/main"].ID
			for name, ref := range refs {
				want := g.Run("describe", "--tags", "--always", "--abbrev=12", ref.ID.String())
				if got, err := o.Describe(ref.ID, tags, 0); err != nil || got != want {
					t.Errorf("Describe(%s) = %q, %v, want %q", name, got, err, want)
				}
				left, right, err := o.Compare(ref.ID, main, nil)
				if err != nil {
					t.Fatal(err)
				}
				got := fmt.Sprintf("%d\t%d", len(left), len(right))
				if want := g.Run("rev-list", "--left-right", "--count", ref.ID.String()+"..."+main.String()); got != want {
					t.Errorf("Compare(%s, main) = %s, want %s", name, got, want)
				}
			}
		})
	}
}

func TestDescribeLimit(t *testing.T) {
	t.Parallel()
	g := vcstest.NewGit(t)
	g.Commit("0", vcstest.Files{"a": "0"})
	g.Run("tag", "v0")
	for i := range 5 {
		g.Commit(fmt.Sprint(i), vcstest.Files{"a": fmt.Sprint(i + 1)})
	}
	r, o := openRepo(t, g.Dir)
	tags, err := r.Tags(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	head, err := r.Head()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Describe(head.ID, tags, 3); !errors.Is(err, ErrTooFar) {
		t.Errorf("Describe with a limit: %v", err)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	g := vcstest.NewGit(t)
	a := g.Commit("a", vcstest.Files{"a": "1", "d/e": "1", "d/f": "1", "x/y/z": "1", "l": "-> a", "s": "1"})
	b := g.Commit("b", vcstest.Files{"a": "", "a/b": "1", "d": "", "l": "-> b", "s": "#!1"})
	_, o := openRepo(t, g.Dir)
	ca, err := o.Commit(mustID(t, a))
	if err != nil {
		t.Fatal(err)
	}
	cb, err := o.Commit(mustID(t, b))
	if err != nil {
		t.Fatal(err)
	}
	for _, trees := range [][2]ID{{ca.Tree, cb.Tree}, {cb.Tree, ca.Tree}} {
		var got []string
		err := o.Diff(trees[0], trees[1], func(path string, old, new Entry) {
			got = append(got, fmt.Sprintf("%06o %06o %s", old.Mode, new.Mode, path))
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		var want []string
		for line := range strings.Lines(g.Run("diff-tree", "-r", "--no-renames", "--raw", trees[0].String(), trees[1].String())) {
			f := strings.Fields(line)
			want = append(want, f[0][1:]+" "+f[1]+" "+f[5])
		}
		slices.Sort(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

// What Entries finds at some paths of a tree, Lookup finds at each.
func TestEntries(t *testing.T) {
	t.Parallel()
	g := vcstest.NewGit(t)
	id := g.Commit("one", vcstest.Files{"a": "1", "a.b/c": "2", "d/e/f": "3", "d/e.f": "4", "d-e": "5", "g/h/i/j": "6"})
	_, o := openRepo(t, g.Dir)
	c, err := o.Commit(mustID(t, id))
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"a", "a.b/c", "d/e/f", "d/e", "d", "d/e.f", "g/h/i/j", "g/h/i/j/k", "none", "d/none", "none/a"}
	want := make(map[string]Entry)
	for _, path := range paths {
		switch e, err := o.Lookup(c.Tree, path); {
		case err == nil && e.Mode != ModeDir:
			want[path] = e
		case err != nil && !errors.Is(err, ErrNotFound):
			t.Fatal(err)
		}
	}
	if len(want) != 5 {
		t.Errorf("Lookup finds %v", want)
	}
	for tree, want := range map[ID]map[string]Entry{c.Tree: want, {}: {}} {
		got, err := o.Entries(tree, paths)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("Entries of %s: %v, %s", tree, err, d)
		}
	}
}

// TestIndex reads indexes of all versions, and has git read what EncodeIndex wrote.
func TestIndex(t *testing.T) {
	t.Parallel()
	files := vcstest.Files{"a": "1", "d/e": "1", "d/f/g": "#!1", "é \n": "1", "l": "-> a"}
	files["n/"+strings.Repeat("x", 250)] = "1"
	for _, version := range []string{"2", "3", "4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			g := vcstest.NewGit(t)
			g.Commit("one", files)
			g.Run("update-index", "--index-version", version)
			g.Run("read-tree", "HEAD") // with a cache tree
			g.Run("update-index", "--refresh")
			if version != "2" {
				g.Run("update-index", "--skip-worktree", "a")
			}
			g.Run("update-index", "--assume-unchanged", "d/e")
			want := g.Run("ls-files", "--stage", "-v", "-z")
			r, o := openRepo(t, g.Dir)
			x, err := r.Index()
			if err != nil {
				t.Fatal(err)
			}
			head, err := r.Head()
			if err != nil {
				t.Fatal(err)
			}
			c, err := o.Commit(head.ID)
			if err != nil {
				t.Fatal(err)
			}
			tree, err := o.CacheTree(c.Tree, new(Index))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.SetIndex(EncodeIndex(slices.Values(entriesOf(t, x)), x.Len(), tree)); err != nil {
				t.Fatal(err)
			}
			if got := g.Run("ls-files", "--stage", "-v", "-z"); got != want {
				t.Errorf("git ls-files = %q, want %q", got, want)
			}
			if got := g.Run("-c", "core.fsyncMethod=fsync", "fsck", "--strict"); got != "" {
				t.Errorf("git fsck: %s", got)
			}
			again, err := r.Index()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(entriesOf(t, x), entriesOf(t, again)); d != "" || again.Tree != c.Tree {
				t.Error(d)
			}
			if known, err := o.CacheTree(c.Tree, again); err != nil || !bytes.Equal(known, tree) {
				t.Errorf("cache tree made of itself: %q (%v), want %q", known, err, tree)
			}
			g.Run("diff-files", "--quiet")
		})
	}
}

func TestStat(t *testing.T) {
	t.Parallel()
	const sec = 1700000000
	at := func(nsec int64) time.Time { return time.Unix(sec, nsec) }
	for _, test := range []struct {
		nsec    uint32
		written time.Time
		racy    bool
	}{
		{500e6, at(500e6), true},
		{500e6, at(510e6), true},
		{500e6, at(521e6), false},
		{500e6, at(400e6), true},
		{0, at(900e6), true}, // a file system without nanoseconds
		{0, at(1000e6), false},
	} {
		s := Stat{MtimeSec: sec, MtimeNsec: test.nsec, Size: 1}
		if got := s.Racy(test.written); got != test.racy {
			t.Errorf("Racy(%d ns, index of %v) = %v", test.nsec, test.written, got)
		}
	}
	s := Stat{CtimeSec: 1, CtimeNsec: 2, MtimeSec: 3, MtimeNsec: 4, Dev: 5, Ino: 6, UID: 7, GID: 8, Size: 9}
	for _, test := range []struct {
		name   string
		change func(*Stat)
		same   bool
	}{
		{"nothing", func(*Stat) {}, true},
		{"device", func(s *Stat) { s.Dev++ }, true},
		{"no nanoseconds", func(s *Stat) { s.MtimeNsec, s.CtimeNsec = 0, 0 }, true},
		{"nanoseconds", func(s *Stat) { s.MtimeNsec++ }, false},
		{"ctime", func(s *Stat) { s.CtimeNsec++ }, false},
		{"inode", func(s *Stat) { s.Ino++ }, false},
		{"owner", func(s *Stat) { s.UID++ }, false},
		{"size", func(s *Stat) { s.Size++ }, false},
	} {
		now := s
		test.change(&now)
		if got := s.Same(now); got != test.same {
			t.Errorf("Same with another %s = %v", test.name, got)
		}
	}
	if (Stat{}).Same(Stat{}) {
		t.Error("the zero Stat matches")
	}
}

func TestIndexTree(t *testing.T) {
	t.Parallel()
	g := vcstest.NewGit(t)
	g.Commit("one", vcstest.Files{"a": "1", "b/c": "1"})
	r, _ := openRepo(t, g.Dir)
	tree := func() ID {
		x, err := r.Index()
		if err != nil {
			t.Fatal(err)
		}
		return x.Tree
	}
	if got, want := tree().String(), g.Run("rev-parse", "HEAD^{tree}"); got != want {
		t.Errorf("Tree = %s, want %s", got, want)
	}
	vcstest.Write(t, g.Dir, "a", "2")
	g.Run("add", "a")
	if got := tree(); !got.IsZero() {
		t.Errorf("Tree = %s with something staged", got)
	}
}

func TestIndexUnknown(t *testing.T) {
	t.Parallel()
	g := vcstest.NewGit(t)
	g.Commit("one", vcstest.Files{"a": "1"})
	g.Run("update-index", "--split-index")
	r, _ := openRepo(t, g.Dir)
	_, err := r.Index()
	var unknown *UnknownError
	if !errors.As(err, &unknown) || unknown.Feature != "a split index" {
		t.Errorf("Index = %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	need.Program(t, "git")
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"sha256", []string{"init", "-q", "--object-format=sha256"}, "object format sha256"},
		{"reftable", nil, "ref storage reftable"},
		{"future", nil, "repository extension future"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if test.args == nil { // newer than the git at hand
				vcstest.Run(t, dir, nil, "git", "init", "-q")
				key := "extensions.future"
				if test.name == "reftable" {
					key = "extensions.refstorage"
				}
				vcstest.Run(t, dir, nil, "git", "config", "--file", ".git/config", key, "reftable")
			} else {
				vcstest.Run(t, dir, nil, "git", test.args...)
			}
			_, err := Open(dir)
			var unknown *UnknownError
			if !errors.As(err, &unknown) || unknown.Feature != test.want {
				t.Errorf("Open = %v, want %s", err, test.want)
			}
		})
	}
}

// TestConfig compares with git's own reading.
func TestConfig(t *testing.T) {
	t.Parallel()
	need.Program(t, "git")
	const text = `; comment
[core]
	bare = false # comment
	Editor = "vi -c \"set x\"" ; comment
[remote "Ori.gin\"x"]
	url = https://example.com/a\\b#no
	fetch = +refs/heads/*:refs/remotes/o/*
	fetch = second ` + `
[branch "main"] merge = refs/heads/main
	flag
[Old.Style]
	continued = one \
  two	
	quoted = "  a;b#c  "  
	tabs =	x y	
	empty =
[a]b=c
`
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	want := make(map[string][]string)
	out, err := exec.Command("git", "config", "-z", "--list", "--file", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	for item := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		key, value, ok := strings.Cut(item, "\n")
		if !ok {
			value = "true"
		}
		want[key] = append(want[key], value)
	}
	var c Config
	if err := c.Read(file); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, c.values); d != "" {
		t.Error(d)
	}
}

func TestConfigMalformed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"[core", "x = 1", "[a]\n1 2", "[a]\nb = \"x", "[a]\nb = \\q", "[a \"b]\n", "[]\n"} {
		if err := new(Config).Parse([]byte(text)); err == nil {
			t.Errorf("Parse(%q) succeeded", text)
		}
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	g := vcstest.NewGit(t)
	first := g.Commit("one", vcstest.Files{"a": "1"})
	g.Run("tag", "-a", "-m", "x", "heavy")
	g.Run("tag", "light")
	g.Run("branch", "a/b")
	g.Run("pack-refs", "--all")
	second := g.Commit("two", vcstest.Files{"a": "2"})
	r, _ := openRepo(t, g.Dir)
	refs, err := r.Refs("refs/")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for name, ref := range refs {
		got = append(got, ref.ID.String()+" "+name)
	}
	slices.Sort(got)
	want := strings.Split(g.Run("show-ref"), "\n")
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if refs["refs/tags/heavy"].Peeled.String() != first {
		t.Errorf("Peeled = %s", refs["refs/tags/heavy"].Peeled)
	}
	for name, want := range map[string]string{"refs/heads/main": second, "refs/heads/a/b": first} {
		if id, err := r.Ref(name); err != nil || id.String() != want {
			t.Errorf("Ref(%q) = %s, %v", name, id, err)
		}
	}
	for _, name := range []string{"refs/heads/a", "refs/heads/main/x", "refs/heads/none"} {
		if _, err := r.Ref(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("Ref(%q): %v", name, err)
		}
	}
}

func TestSetRef(t *testing.T) {
	t.Parallel()
	g := vcstest.NewGit(t)
	first := mustID(t, g.Commit("one", vcstest.Files{"a": "1"}))
	second := mustID(t, g.Commit("two", vcstest.Files{"a": "2"}))
	r, _ := openRepo(t, g.Dir)
	who := Signature{Name: "A", Email: "a@b", When: vcstest.Epoch}
	if err := r.SetRef("refs/heads/main", first, ID{1}, who, "no"); !errors.Is(err, ErrMoved) {
		t.Errorf("SetRef from elsewhere: %v", err)
	}
	if err := r.SetRef("refs/heads/main", first, second, who, "back"); err != nil {
		t.Fatal(err)
	}
	if err := r.SetRef("refs/tags/new", first, ID{}, who, "tag"); err != nil {
		t.Fatal(err)
	}
	if got := g.Run("rev-parse", "HEAD", "refs/tags/new"); got != first.String()+"\n"+first.String() {
		t.Errorf("git rev-parse = %s", got)
	}
	if got := g.Run("reflog", "-1", "--format=%gs %gn"); got != "back A" {
		t.Errorf("git reflog = %q", got)
	}
	if _, err := os.Stat(filepath.Join(r.Git, "refs/heads/main.lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock stays: %v", err)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	g := history(t, 5, 20)
	g.Run("tag", "-a", "-m", "x", "last")
	_, from := openRepo(t, g.Dir)
	dir := t.TempDir()
	vcstest.Run(t, dir, nil, "git", "init", "-q")
	r, o := openRepo(t, dir)
	tag := mustID(t, g.Run("rev-parse", "refs/tags/last"))
	if err := o.Copy(t.Context(), from, tag); err != nil {
		t.Fatal(err)
	}
	if err := o.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := r.SetRef("refs/tags/last", tag, ID{}, Signature{}, ""); err != nil {
		t.Fatal(err)
	}
	vcstest.Run(t, dir, nil, "git", "fsck", "--strict")
	if got, want := vcstest.Run(t, dir, nil, "git", "rev-list", "last"), g.Run("rev-list", "last"); got != want {
		t.Errorf("rev-list = %s, want %s", got, want)
	}
}

func TestParseTreeRefuses(t *testing.T) {
	t.Parallel()
	id := bytes.Repeat([]byte{1}, 20)
	for _, name := range []string{"..", ".", "", ".git", ".GIT", "a/b"} {
		data := append([]byte("100644 "+name+"\x00"), id...)
		if _, err := ParseTree(data); err == nil {
			t.Errorf("a tree with %q is read", name)
		}
	}
}

func entriesOf(t *testing.T, x *Index) (all []IndexEntry) {
	t.Helper()
	for e, err := range x.All() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func parseIndex(data []byte) (*Index, error) {
	return ParseIndex(bytes.NewReader(data), int64(len(data)))
}

// An index of many blocks tells the same as git, in each version, whether entries
// end where blocks do or not.
func TestIndexBlocks(t *testing.T) {
	t.Parallel()
	g := vcstest.NewGit(t)
	const id = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
	var list strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&list, "100644 %s 0\tdir%03d/%s%d\n", id, i/50, strings.Repeat("x", i%97), i)
	}
	add := exec.Command("git", "update-index", "--index-info")
	add.Dir, add.Stdin = g.Dir, strings.NewReader(list.String())
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	g.Run("update-index", "--skip-worktree", "dir010/"+strings.Repeat("x", 500%97)+"500") // makes it version 3
	for _, version := range []string{"2", "4"} {
		g.Run("update-index", "--index-version", version)
		x, err := OpenIndex(filepath.Join(g.Dir, ".git", "index"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { x.Close() })
		if x.Blocks() < 3 {
			t.Errorf("%d blocks are too few to tell of", x.Blocks())
		}
		var got strings.Builder
		for _, e := range entriesOf(t, x) {
			mark := "H"
			if e.SkipWorktree {
				mark = "S"
			}
			fmt.Fprintf(&got, "%s %o %s %d\t%s\n", mark, e.Mode, e.ID, e.Stage, e.Path)
		}
		if d := cmp.Diff(strings.Split(g.Run("ls-files", "--stage", "-v"), "\n"), strings.Split(strings.TrimSpace(got.String()), "\n")); d != "" {
			t.Errorf("version %s, -git +got:\n%s", version, d)
		}
	}
}

// A path may be longer than a block.
func TestIndexLongPath(t *testing.T) {
	t.Parallel()
	entries := []IndexEntry{{"a", Tracked{}}, {strings.Repeat("b", 3*blockSize), Tracked{}}, {"c", Tracked{}}}
	data := EncodeIndex(slices.Values(entries), 3, nil)
	x, err := parseIndex(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(entries, entriesOf(t, x)); d != "" {
		t.Error(d)
	}
	for _, n := range []int{1, 8, 100, blockSize, 2 * blockSize} {
		if _, err := parseIndex(data[:len(data)-n]); err == nil {
			t.Errorf("without its last %d bytes it is read", n)
		}
	}
}

func FuzzParseIndex(f *testing.F) {
	entries := slices.Values([]IndexEntry{{"a", Tracked{Entry: Entry{ModeRegular, ID{1}}}}, {"b/c", Tracked{SkipWorktree: true}}})
	f.Add(string(EncodeIndex(entries, 2, nil)))
	f.Add(string(EncodeIndex(entries, 2, []byte("\x002 0\n"+strings.Repeat("x", 20)))))
	f.Fuzz(func(t *testing.T, data string) {
		x, err := ParseIndex(strings.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		again, err := parseIndex(EncodeIndex(slices.Values(entriesOf(t, x)), x.Len(), nil))
		if err != nil {
			t.Skip("paths with NUL or of odd length") // only a damaged index has them
		}
		if again.Len() != x.Len() {
			t.Errorf("%d entries, then %d", x.Len(), again.Len())
		}
	})
}

func FuzzApplyDelta(f *testing.F) {
	f.Add([]byte("base text"), []byte("\x09\x0d\x90\x09\x04more"))
	f.Fuzz(func(t *testing.T, base, delta []byte) { applyDelta(base, delta) })
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte("[a \"b\"]\n\tc = \"d\" \\\n e # f\n"))
	f.Fuzz(func(t *testing.T, data []byte) { new(Config).Parse(data) })
}

func FuzzParseCommit(f *testing.F) {
	f.Add([]byte("tree " + strings.Repeat("0", 40) + "\nauthor A <a> 1 +0130\ncommitter A <a> 1 +0130\n\nx\ny\n\nz"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ParseCommit(data)
		ParseTree(data)
	})
}
