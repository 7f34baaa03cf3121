package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// tree returns what lies under dir: contents, links as "-> target".
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		switch {
		case d.IsDir():
			got[rel+"/"] = ""
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			got[rel] = "-> " + target
			return err
		default:
			data, err := os.ReadFile(path)
			got[rel] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// site makes a tree and a batch that does everything a batch can do to it.
func site(t testing.TB) (dir string, b *Batch) {
	t.Helper()
	dir = t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path("a.css"), "old a", 0o644)
	write(t, path("sub/b.css"), "old b", 0o600)
	write(t, path("gone.css"), "old gone", 0o644)
	write(t, path("was-file"), "old file", 0o644)
	for name, target := range map[string]string{"current": "r1", "was-link": "a.css", "gone-link": "a.css"} {
		if err := os.Symlink(target, path(name)); err != nil {
			t.Fatal(err)
		}
	}
	b = &Batch{}
	o := Options{Root: dir}
	add := func(name, data string, o Options) { b.Add(mustOpen(t, path(name), o), []byte(data)) }
	b.Remove(path("gone.css"), o)
	b.Remove(path("gone-link"), o)
	b.Remove(path("never-was"), o)
	add("a.css", "new a", o)
	add("sub/b.css", "new b", o)
	add("was-link", "new file", Options{Root: dir, NoFollow: true})
	add("made/deep/c.css", "new c", Options{Root: dir, Create: true, MkdirAll: true})
	add("made/deep/d.css", "new d", Options{Root: dir, Create: true, MkdirAll: true})
	b.Symlink(path("current"), "r2", o)
	b.Symlink(path("was-file"), "a.css", o)
	b.Symlink(path("fresh"), "r2", o)
	return dir, b
}

var newSite = map[string]string{
	"./": "", "sub/": "", "made/": "", "made/deep/": "",
	"a.css": "new a", "sub/b.css": "new b", "was-link": "new file",
	"made/deep/c.css": "new c", "made/deep/d.css": "new d",
	"current": "-> r2", "was-file": "-> a.css", "fresh": "-> r2",
}

func TestBatch(t *testing.T) {
	t.Parallel()
	dir, b := site(t)
	if got, want := b.Len(), 10; got != want {
		t.Errorf("Len = %d, want %d", got, want)
	}
	if err := b.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(newSite, tree(t, dir)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

// The last member of the batch cannot be put in place: everything goes back,
// the very same files.
func TestBatchPutsAllBack(t *testing.T) {
	t.Parallel()
	dir, b := site(t)
	before := tree(t, dir)
	id := mustOpen(t, filepath.Join(dir, "a.css"), Options{}).identity
	last := write(t, filepath.Join(t.TempDir(), "last"), "old", 0o644)
	mountOver(t, last)
	b.Add(mustOpen(t, last, Options{}), []byte("new"))
	if err := b.Commit(context.Background()); !errors.Is(err, ErrBusy) {
		t.Fatalf("Commit: %v, want %v", err, ErrBusy)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if now := mustOpen(t, filepath.Join(dir, "a.css"), Options{}).identity; !now.moved(id) {
		t.Errorf("a.css came back as %+v, want %+v", now, id)
	}
	wantContent(t, last, "old")
	wantNoLeftovers(t, filepath.Dir(last))
}

func TestBatchOfMany(t *testing.T) {
	t.Parallel()
	dir := fastDir(t)
	const files, dirs = 600, 30
	name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("d%d/f%d", i%dirs, i)) }
	for i := range files {
		write(t, name(i), fmt.Sprint("old ", i), 0o644)
	}
	b := Batch{Backups: &Backups{Dir: filepath.Join(fastDir(t), "backups")}}
	for i := range files {
		b.Add(mustOpen(t, name(i), Options{}), fmt.Append(nil, "new ", i))
	}
	if got := len(b.dirs); got != dirs {
		t.Errorf("the batch holds %d directories open, want %d", got, dirs)
	}
	if err := b.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		wantContent(t, name(i), fmt.Sprint("new ", i))
	}
	list, err := b.Backups.List(name(7))
	if err != nil || len(list) != 1 {
		t.Fatalf("List = %v, %v, want one backup", list, err)
	}
	wantContent(t, list[0].Path, "old 7")
	wantNoLeftovers(t, dir)
	wantNoLeftovers(t, b.Backups.Dir)
}

func TestBatchRefusesBeforeTouching(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "old", 0o644)
	if err := os.Symlink("a", filepath.Join(dir, "alias")); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	closed := mustOpen(t, name, Options{})
	closed.Close()
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := map[string]struct {
		ctx  context.Context
		make func(b *Batch)
		want string
	}{
		"twice": {context.Background(), func(b *Batch) {
			b.Add(mustOpen(t, filepath.Join(dir, "alias"), Options{}), []byte("2"))
		}, "twice in one batch"},
		"remove fifo": {context.Background(), func(b *Batch) { b.Remove(fifo, Options{}) }, "FIFO"},
		"link fifo":   {context.Background(), func(b *Batch) { b.Symlink(fifo, "a", Options{}) }, "FIFO"},
		"closed":      {context.Background(), func(b *Batch) { b.Add(closed, []byte("2")) }, "closed"},
		"cancelled":   {cancelled, func(*Batch) {}, "canceled"},
	}
	for what, tt := range tests {
		var b Batch
		b.Add(mustOpen(t, name, Options{}), []byte("1"))
		tt.make(&b)
		if err := b.Commit(tt.ctx); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Commit: %v, want %q", what, err, tt.want)
		}
		wantContent(t, name, "old")
		wantNoLeftovers(t, dir)
	}
}

// Two batches that read the same content: one wins, the other is told.
func TestBatchesMeet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const files, rivals = 5, 4
	var names []string
	for i := range files {
		names = append(names, write(t, filepath.Join(dir, fmt.Sprintf("%d/f", i)), "old", 0o644))
	}
	batches := make([]Batch, rivals)
	for r := range rivals {
		for i := range files {
			n := (i*(r+1) + r) % files // each in another order
			if r == 3 {
				n = files - 1 - i
			}
			b := &batches[r]
			b.Add(mustOpen(t, names[n], Options{}), fmt.Append(nil, r))
		}
	}
	errs := make([]error, rivals)
	var wg sync.WaitGroup
	for r := range rivals {
		wg.Go(func() { errs[r] = batches[r].Commit(context.Background()) })
	}
	wg.Wait()
	winner := -1
	for r, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = r
		case err == nil:
			t.Errorf("both %d and %d succeeded", winner, r)
		case !errors.Is(err, ErrChanged):
			t.Errorf("batch %d: %v, want %v", r, err, ErrChanged)
		}
	}
	for _, name := range names {
		wantContent(t, name, fmt.Sprint(winner))
	}
	wantNoLeftovers(t, dir)
}

func TestLockIsWaitedForUntilCancelled(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	open := func() *dir {
		d, err := openDir(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.close() })
		return d
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	first, second := open(), open()
	if err := lockDirs(cancelled, []*dir{first}, nil); err != nil {
		t.Errorf("lockDirs of a free directory: %v", err)
	}
	if err := lockDirs(cancelled, []*dir{second}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("lockDirs of a locked directory: %v, want %v", err, context.Canceled)
	}
	first.close()
	if err := lockDirs(cancelled, []*dir{second}, nil); err != nil {
		t.Errorf("lockDirs after the holder closed: %v", err)
	}
}

// A shell script may hold the lock while it runs us.
func TestLockIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		name := write(t, filepath.Join(path, "a"), "old", 0o644)
		d, err := openDir(path)
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		if held, err := d.lock(t.Context()); held || err != nil {
			t.Fatalf("lock = %v, %v, want false, nil", held, err)
		}
		var warned []string
		begin := time.Now()
		mustReplace(t, name, Options{Warn: func(msg string) { warned = append(warned, msg) }}, "new")
		if took := time.Since(begin); took < lockPatience || took > 2*lockPatience {
			t.Errorf("waited for %v, want %v", took, lockPatience)
		}
		if len(warned) != 1 || !strings.Contains(warned[0], "locked") {
			t.Errorf("warnings = %q, want one of the lock", warned)
		}
		wantContent(t, name, "new")
	})
}

// Cancelled when all is staged: nothing is put in place.
func TestCancelledBeforeTheFirstRename(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "a"), "old", 0o644)
	ctx, cancel := context.WithCancel(context.Background())
	o := Options{Record: func(string) error { cancel(); return nil }}
	if _, err := Replace(ctx, name, o, set("new")); !errors.Is(err, context.Canceled) {
		t.Errorf("Replace: %v, want %v", err, context.Canceled)
	}
	wantContent(t, name, "old")
	wantNoLeftovers(t, dir)
}
