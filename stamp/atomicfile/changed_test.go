package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// edits are what somebody else may do to a file that holds "before" meanwhile.
var edits = map[string]func(name string) error{
	"content": func(name string) error { return os.WriteFile(name, []byte("theirs"), 0o644) },
	"longer":  func(name string) error { return os.WriteFile(name, []byte("theirs, and more"), 0o644) },
	"content, and the old time": func(name string) error {
		st, err := os.Stat(name)
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(name, []byte("theirs"), 0o644), os.Chtimes(name, time.Time{}, st.ModTime()))
	},
	"time": func(name string) error { return os.Chtimes(name, time.Time{}, time.Unix(1, 0)) },
	"mode": func(name string) error { return os.Chmod(name, 0o600) },
	"replaced": func(name string) error {
		return errors.Join(os.WriteFile(name+"~", []byte("before"), 0o644), os.Rename(name+"~", name))
	},
	"removed":   os.Remove,
	"a link":    func(name string) error { return errors.Join(os.Remove(name), os.Symlink("elsewhere", name)) },
	"a FIFO":    func(name string) error { return errors.Join(os.Remove(name), unix.Mkfifo(name, 0o644)) },
	"directory": func(name string) error { return errors.Join(os.Remove(name), os.Mkdir(name, 0o755)) },
}

// there is what is at a name, in a form to be compared.
func there(name string) any {
	at, err := look(unix.AT_FDCWD, name)
	if err != nil {
		return err.Error()
	}
	at.ctime, at.nlink, at.flags = 0, 0, 0
	if at.is(unix.S_IFDIR) {
		at.mtime = 0
	}
	if !at.is(unix.S_IFREG) {
		return at
	}
	data, _ := os.ReadFile(name)
	return []any{at, string(data)}
}

// meddle runs work, which makes theirs at a moment of its choice, for every
// edit: it must fail with ErrChanged, and their edit must survive.
func meddle(t *testing.T, work func(t *testing.T, name string, theirs func()) error) {
	for what, edit := range edits {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			name := write(t, filepath.Join(dir, "a"), "before", 0o644)
			var want any
			err := work(t, name, func() {
				if want != nil {
					return
				}
				if err := edit(name); err != nil {
					t.Fatal(err)
				}
				want = there(name)
			})
			if !errors.Is(err, ErrChanged) {
				t.Errorf("error %v, want %v", err, ErrChanged)
			}
			if got := there(name); !equal(got, want) {
				t.Errorf("there is %+v, want %+v", got, want)
			}
			for _, path := range leftovers(t, dir) {
				if !strings.HasSuffix(path, keptSuffix) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s was left behind", path)
				} else {
					wantContent(t, path, "before")
				}
			}
		})
	}
}

func equal(a, b any) bool {
	x, ok1 := a.([]any)
	y, ok2 := b.([]any)
	if ok1 && ok2 {
		return x[0] == y[0] && x[1] == y[1]
	}
	return ok1 == ok2 && a == b
}

func TestChangedAfterOpen(t *testing.T) {
	t.Parallel()
	meddle(t, func(t *testing.T, name string, theirs func()) error {
		var b Batch
		b.Add(mustOpen(t, name, Options{}), []byte("ours!!"))
		theirs()
		return b.Commit(context.Background())
	})
}

func TestChangedInEdit(t *testing.T) {
	t.Parallel()
	meddle(t, func(t *testing.T, name string, theirs func()) error {
		_, err := Replace(context.Background(), name, Options{}, func([]byte) ([]byte, error) {
			theirs()
			return []byte("ours!!"), nil
		})
		return err
	})
}

func TestChangedWhileStaging(t *testing.T) {
	t.Parallel()
	meddle(t, func(t *testing.T, name string, theirs func()) error {
		record := func(string) error { theirs(); return nil }
		_, err := Replace(context.Background(), name, Options{Record: record}, set("ours!!"))
		return err
	})
}

func TestChangedBeforeRemoval(t *testing.T) {
	t.Parallel()
	meddle(t, func(t *testing.T, name string, theirs func()) error {
		var b Batch
		b.Remove(name, Options{Record: func(string) error { theirs(); return nil }})
		return b.Commit(context.Background())
	})
}

func TestChangedWhileWaitingForTheLock(t *testing.T) {
	t.Parallel()
	meddle(t, func(t *testing.T, name string, theirs func()) error {
		holder, err := openDir(filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		defer holder.close()
		if held, err := holder.lock(context.Background()); held || err != nil {
			t.Fatal(held, err)
		}
		staged := make(chan bool)
		done := make(chan error)
		go func() {
			record := func(string) error { close(staged); return nil }
			_, err := Replace(context.Background(), name, Options{Record: record}, set("ours!!"))
			done <- err
		}()
		<-staged
		theirs()
		holder.close()
		return <-done
	})
}

// step is an entry for name, as a batch would work at it.
func step(t *testing.T, name string, op op) *entry {
	t.Helper()
	e := &entry{op: op, file: mustOpen(t, name, Options{NoFollow: true, Create: true}), data: []byte("ours!!"), target: "ours"}
	if err := e.stage(true); err != nil {
		t.Fatal(err)
	}
	if err := e.file.verify(); err != nil {
		t.Fatal(err)
	}
	return e
}

// The last look is behind us, and yet somebody else comes first.
func TestChangedAfterTheLastLook(t *testing.T) {
	t.Parallel()
	for _, op := range []op{replace, symlink, remove} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			meddle(t, func(t *testing.T, name string, theirs func()) error {
				e := step(t, name, op)
				defer e.clean()
				theirs()
				return errors.Join(e.apply(), e.undo())
			})
		})
	}
}

// On a file system that cannot exchange, the very last look is all there is.
func TestChangedBeforePlainRename(t *testing.T) {
	t.Parallel()
	meddle(t, func(t *testing.T, name string, theirs func()) error {
		e := step(t, name, replace)
		defer e.clean()
		theirs()
		return errors.Join(e.rename(), e.undo())
	})
}

// Nor does a second name replace what is there.
func TestLinkNew(t *testing.T) {
	t.Parallel()
	d, err := openDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	write(t, d.join("ours"), "ours", 0o644)
	write(t, d.join("theirs"), "theirs", 0o644)
	if err := os.Mkdir(d.join("directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"theirs", "directory"} {
		if err := d.linkNew("ours", to); !errors.Is(err, unix.EEXIST) {
			t.Errorf("linkNew to %s: %v, want %v", to, err, unix.EEXIST)
		}
	}
	if err := d.linkNew("missing", "new"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("linkNew from nothing: %v, want %v", err, unix.ENOENT)
	}
	// A directory has no second name, so that this is the look and the rename.
	if err := d.linkNew("directory", "theirs"); !errors.Is(err, unix.EEXIST) {
		t.Errorf("linkNew of a directory: %v, want %v", err, unix.EEXIST)
	}
	if err := errors.Join(d.linkNew("directory", "new directory"), d.linkNew("ours", "new")); err != nil {
		t.Error(err)
	}
	wantContent(t, d.join("new"), "ours")
	wantContent(t, d.join("theirs"), "theirs")
	if names, err := d.names(); len(names) != 3 {
		t.Errorf("names = %q, %v, want 3", names, err)
	}
}

// Ours is in place, somebody else changes it, and the batch fails.
func TestChangedBeforeUndo(t *testing.T) {
	t.Parallel()
	for _, dropped := range []bool{false, true} {
		name := map[bool]string{false: "displaced", true: "gone"}[dropped]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			meddle(t, func(t *testing.T, name string, theirs func()) error {
				e := step(t, name, replace)
				defer e.clean()
				if err := e.apply(); err != nil {
					t.Fatal(err)
				}
				if dropped {
					e.drop()
				}
				theirs()
				return e.undo()
			})
		})
	}
}

func TestTakenBeforeRemovalIsUndone(t *testing.T) {
	t.Parallel()
	for _, dropped := range []bool{false, true} {
		dir := t.TempDir()
		name := write(t, filepath.Join(dir, "a"), "before", 0o644)
		e := step(t, name, remove)
		if err := e.apply(); err != nil {
			t.Fatal(err)
		}
		if dropped {
			e.drop()
		}
		write(t, name, "theirs", 0o600)
		err := e.undo()
		if !errors.Is(err, ErrChanged) {
			t.Errorf("undo: %v, want %v", err, ErrChanged)
		}
		e.clean()
		wantContent(t, name, "theirs")
		left := leftovers(t, dir)
		if len(left) != 1 || !strings.HasSuffix(left[0], keptSuffix) || !strings.Contains(err.Error(), left[0]) {
			t.Errorf("left behind: %q, want the original, and its name in %q", left, err)
		} else {
			wantContent(t, left[0], "before")
			if err := Sweep(left); err == nil {
				t.Error("Sweep accepts the name under which the original is kept")
			}
		}
	}
}

func TestCreateMeetsWhatAppeared(t *testing.T) {
	t.Parallel()
	appear := map[string]func(name string) error{
		"file":      func(name string) error { return os.WriteFile(name, []byte("theirs"), 0o644) },
		"directory": func(name string) error { return os.Mkdir(name, 0o755) },
		"link":      func(name string) error { return os.Symlink("elsewhere", name) },
	}
	for what, make := range appear {
		for _, op := range []op{replace, symlink} {
			t.Run(what+" before "+string(op), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				name := filepath.Join(dir, "a")
				e := step(t, name, op)
				if err := make(name); err != nil {
					t.Fatal(err)
				}
				want := there(name)
				if err := e.apply(); !errors.Is(err, ErrChanged) {
					t.Errorf("apply: %v, want %v", err, ErrChanged)
				}
				if err := e.undo(); err != nil {
					t.Errorf("undo: %v", err)
				}
				e.clean()
				if got := there(name); !equal(got, want) {
					t.Errorf("there is %+v, want %+v", got, want)
				}
				wantNoLeftovers(t, dir)
			})
			t.Run(what+" instead of "+string(op), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				name := filepath.Join(dir, "a")
				e := step(t, name, op)
				if err := errors.Join(e.apply(), os.Remove(name), make(name)); err != nil {
					t.Fatal(err)
				}
				want := there(name)
				if err := e.undo(); !errors.Is(err, ErrChanged) {
					t.Errorf("undo: %v, want %v", err, ErrChanged)
				}
				e.clean()
				if got := there(name); !equal(got, want) {
					t.Errorf("there is %+v, want %+v", got, want)
				}
				wantNoLeftovers(t, dir)
			})
		}
	}
}

// A file of which the original is gone already is made anew, and looks the same.
func TestUndoFromMemory(t *testing.T) {
	t.Parallel()
	for _, op := range []op{replace, symlink, remove} {
		dir := t.TempDir()
		name := write(t, filepath.Join(dir, "a"), "before", 0o640)
		e := step(t, name, op)
		if err := e.apply(); err != nil {
			t.Fatal(err)
		}
		e.drop()
		wantNoLeftovers(t, dir)
		if err := e.undo(); err != nil {
			t.Errorf("%s: undo: %v", op, err)
		}
		e.clean()
		wantContent(t, name, "before")
		if got := mustOpen(t, name, Options{}); got.Mode() != 0o640 || got.uid != e.file.uid {
			t.Errorf("%s: mode %v, owner %d", op, got.Mode(), got.uid)
		}
		wantNoLeftovers(t, dir)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "link")
	if err := os.Symlink("before", name); err != nil {
		t.Fatal(err)
	}
	e := step(t, name, remove)
	if err := e.apply(); err != nil {
		t.Fatal(err)
	}
	e.drop()
	if err := e.undo(); err != nil {
		t.Errorf("undo: %v", err)
	}
	if got, err := os.Readlink(name); got != "before" {
		t.Errorf("Readlink = %q, %v, want %q", got, err, "before")
	}
	wantNoLeftovers(t, dir)
}

// A file that changes while it is read is not taken for what was read of it,
// not even until it is written.
func TestChangedWhileReading(t *testing.T) {
	t.Parallel()
	s := scenario{changes: replaces("a")}
	found, _ := trace(t, s.fresh(t, fastDir(t)))
	i := slices.IndexFunc(found, func(p point) bool { return strings.Contains(p.line, `"a", O_RDONLY`) })
	for i >= 0 && found[i].call != "read" {
		i++
	}
	if i < 0 {
		t.Fatalf("no read of the file in %v", found)
	}
	j := s.fresh(t, fastDir(t))
	name := filepath.Join(j.Dir, "a")
	done := make(chan bool)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
				if err := os.WriteFile(name, []byte(time.Now().String()), 0o640); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	status, out := inject(t.Context(), t, j, found[i], fmt.Sprintf("delay_exit=500000:when=%d", found[i].nth))
	done <- true
	if temps, _, _ := j.journaled(t); status != 5 || len(temps) > 0 {
		t.Errorf("status %d, %s, temporary files %q, want ErrChanged before any", status, out, temps)
	}
}
