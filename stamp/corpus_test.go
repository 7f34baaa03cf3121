package stamp

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"revstamp/stamp/atomicfile"
)

// source is a file of somebody else's.
type source struct {
	name string
	text []byte
}

// sources reads the files below dirs that the format is known by.
func sources(t *testing.T, format string, dirs ...string) []source {
	t.Helper()
	var all []source
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			if f, _ := FormatOf(path); f != format {
				return nil
			}
			text, err := os.ReadFile(path)
			if err == nil && len(text) < 1<<20 {
				all = append(all, source{path, text})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// stamped is a file of somebody else's after one key of it was stamped.
type stamped struct {
	source
	key        string
	start, end int // of the new literal in text
	line       int
	value      string
}

// testCorpusKeys stamps n keys of the sources, drawn by chance and one at a
// time, on a disk, with the values of nasty. read returns, for each, what the
// language itself finds there. Then the file is put back from its backup, and
// must be what it was.
func testCorpusKeys(t *testing.T, format string, all []source, n int, read func(t *testing.T, all []stamped) []string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var done []stamped
	var want []string
	for tries := 0; len(done) < n; tries++ {
		if tries > 100*n {
			t.Fatalf("only %d of %d keys found to stamp", len(done), n)
		}
		src := all[rng.IntN(len(all))]
		entries, err := List(src.name, format, src.text)
		if err != nil {
			continue // refused: nothing will be stamped here
		}
		var can []Entry
		for _, e := range entries {
			if e.Refused == "" && e.Type == "string" && e.Times == 1 {
				can = append(can, e)
			}
		}
		if len(can) == 0 {
			continue
		}
		target := Target{File: src.name, Format: format, Key: can[rng.IntN(len(can))].Key, Value: nasty[rng.IntN(len(nasty))]}
		if s, ok := stampAndUndo(t, src, target); ok {
			done, want = append(done, s), append(want, target.Value)
		}
	}
	got := read(t, done)
	if len(got) != len(want) {
		t.Fatalf("%s: %d values read back, want %d", format, len(got), len(want))
	}
	for i, s := range done {
		if got[i] != want[i] {
			t.Errorf("%s:%d: %s: %q was read as %q", s.name, s.line, s.key, want[i], got[i])
		}
	}
	t.Logf("%d keys of %d files stamped, read back and undone", len(done), len(all))
}

// stampAndUndo reports whether the place can hold the value.
func stampAndUndo(t *testing.T, src source, target Target) (_ stamped, ok bool) {
	t.Helper()
	dir := memoryDir(t)
	target.File = filepath.Join(dir, filepath.Base(src.name))
	if err := os.WriteFile(target.File, src.text, 0o600); err != nil {
		t.Fatal(err)
	}
	backups := &atomicfile.Backups{Dir: filepath.Join(dir, "backups")}
	plan, err := Stamper{Backups: backups}.Plan([]Target{target})
	var e *Error
	if errors.As(err, &e) && e.Kind == ControlCharacter {
		return stamped{}, false
	}
	if err != nil {
		t.Fatalf("%s: %v", src.name, err)
	}
	if err := plan.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(target.File)
	if err != nil {
		t.Fatal(err)
	}
	values, err := target.Find(text)
	if err != nil {
		t.Fatalf("%s: stamped: %v", src.name, err)
	}
	v := values[0]
	if len(plan.Files[0].Changes) > 0 {
		list, err := backups.List(target.File)
		if err != nil || len(list) != 1 {
			t.Fatalf("backups of %s: %v, %v", target.File, list, err)
		}
		if _, err := backups.Restore(context.Background(), list[0], atomicfile.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	back, err := os.ReadFile(target.File)
	if err != nil || !bytes.Equal(back, src.text) {
		t.Errorf("%s: %s: undone, it is not what it was: %v", src.name, target.Key, err)
	}
	return stamped{source{src.name, text}, target.Key, v.Start, v.End, v.Line, target.Value}, true
}

// memoryDir is in memory where it can be: a thousand syncs to a disk take long.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "revstamp-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
