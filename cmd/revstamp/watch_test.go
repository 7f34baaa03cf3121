package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/ui"
)

// siteFiles are the files below root with their content.
func siteFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(root, p))
		all[p] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// freshly is what a run over all files makes of them.
func freshly(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	root := t.TempDir()
	var docs []assets.Document
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, ok := assets.KindOf(name); ok {
			docs = append(docs, assets.Document{Name: file, Path: name})
		}
	}
	in := assets.InPlace{Site: &assets.Site{FS: os.DirFS(root)}, Root: root}
	all, err := in.Rewrite(t.Context(), docs)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if d.Err != nil {
			t.Fatal(d.Err)
		}
	}
	return siteFiles(t, root)
}

// TestWatchStorm writes 10,000 files, in place and by a rename, in directories that
// are made and removed meanwhile: in the end the tree is what a fresh run makes of it.
func TestWatchStorm(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	root := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	read, write := io.Pipe()
	w := &watching{rewriting: rewriting{assetSite: assetSite{app: &app{
		json: true, config: filepath.Join(root, "none.yaml"), out: ui.New(ui.Options{Out: write, JSON: true}),
	}, root: root, version: "digest", style: "query", modules: "auto", rev: "1", url: "/", param: "v", given: func(string) bool { return true }}}}
	ended := make(chan error, 1)
	go func() {
		ended <- w.watch(ctx, nil)
		write.Close()
	}()
	lines := make(chan []byte, 1<<16)
	go func() {
		defer close(lines)
		var rest []byte
		buf := make([]byte, 64<<10)
		for {
			n, err := read.Read(buf)
			rest = append(rest, buf[:n]...)
			for {
				line, after, ok := bytes.Cut(rest, []byte("\n"))
				if !ok {
					break
				}
				lines <- bytes.Clone(line)
				rest = after
			}
			if err != nil {
				return
			}
		}
	}()
	awaitLine := func(text string) {
		t.Helper()
		for line := range lines {
			if bytes.Contains(line, []byte(text)) {
				return
			}
		}
		t.Fatalf("ended without %q: %v", text, <-ended)
	}
	awaitLine(`"directories":1`)
	storm(t, root, 10_000)
	for {
		files := siteFiles(t, root)
		delete(files, "last.html")
		want := freshly(t, files)
		// Whatever is seen after this was made has been seen before.
		page := `<img src=/0/0/img0.png>`
		if err := os.WriteFile(filepath.Join(root, "last.html"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		awaitLine("last.html")
		got := siteFiles(t, root)
		delete(got, "last.html")
		if diff := cmp.Diff(want, got); diff == "" {
			t.Logf("%d files are as a fresh run makes them", len(got))
			break
		} else {
			t.Logf("not yet: %.300s", diff)
		}
	}
	interrupt()
	for range lines {
	}
	if err := <-ended; err != nil {
		t.Errorf("interrupted: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(root, "*", "*", ".*.revstamp"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// storm makes n writes, by four programs at once.
func storm(t *testing.T, root string, n int) {
	t.Helper()
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range n / 4 {
				if err := gust(root, i, random); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	if err := os.MkdirAll(filepath.Join(root, "0", "0"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "0", "0", "img0.png"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// gust is one write below a directory of its program's own.
func gust(root string, program int, random *rand.Rand) error {
	dir := filepath.Join(root, fmt.Sprint(program), fmt.Sprint(random.IntN(5)))
	if random.IntN(100) == 0 {
		if err := os.RemoveAll(dir); !errors.Is(err, syscall.ENOTEMPTY) { // a temporary file of the watcher's
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	url := fmt.Sprintf("/%d/%d/img%d.png", program, random.IntN(5), random.IntN(3))
	kinds := []struct{ name, text string }{
		{fmt.Sprintf("page%d.html", random.IntN(10)), fmt.Sprintf("<link rel=stylesheet href=style.css><img src=%s>%d", url, random.IntN(1000))},
		{"style.css", fmt.Sprintf("a { background: url(%s) } /* %d */", url, random.IntN(1000))},
		{fmt.Sprintf("img%d.png", random.IntN(3)), fmt.Sprint(random.IntN(1000))},
	}
	kind := kinds[random.IntN(len(kinds))]
	name := filepath.Join(dir, kind.name)
	if random.IntN(2) == 0 {
		return os.WriteFile(name, []byte(kind.text), 0o644)
	}
	temp := name + "~"
	if err := os.WriteFile(temp, []byte(kind.text), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, name)
}

// TestWatchLimit: what to do is told when the kernel gives no more watches.
func TestWatchLimit(t *testing.T) {
	err := limitError(fmt.Errorf("add: %w", os.NewSyscallError("inotify_add_watch", syscall.ENOSPC)))
	const limit = "fs.inotify.max_user_watches"
	if got := err.Error(); !strings.Contains(got, limit) {
		t.Errorf("%q does not name %s", got, limit)
	}
	if got := hint(err); !strings.Contains(got, "sysctl "+limit+"=") {
		t.Errorf("hint %q does not say how to raise it", got)
	}
	if err := limitError(fs.ErrExist); err != fs.ErrExist {
		t.Errorf("another error became %v", err)
	}
}

// TestWatchRests: what a look itself writes below the root is no reason for another.
func TestWatchRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(chan fsnotify.Event)
		w := &watching{watcher: &fsnotify.Watcher{Events: events, Errors: make(chan error)}}
		ended := make(chan error, 1)
		go func() { ended <- w.changed(t.Context(), false) }()
		for _, name := range []string{".revstamp-names.lock", ".revstamp-names.json", ".site.css.abcdefghijklmnop.revstamp"} {
			events <- fsnotify.Event{Name: "/srv/shop/public/" + name, Op: fsnotify.Write}
		}
		time.Sleep(time.Hour) // of the bubble's clock
		select {
		case err := <-ended:
			t.Fatalf("a file of revstamp counted as a change: %v", err)
		default:
		}
		events <- fsnotify.Event{Name: "/srv/shop/public/site.css", Op: fsnotify.Write}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
