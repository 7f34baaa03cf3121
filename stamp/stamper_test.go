package stamp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"revstamp/stamp/atomicfile"
)

func TestStamper(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, data string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o640); err != nil {
			t.Fatal(err)
		}
		return path
	}
	php := write("config.php", "<?php\n$config['svn'] = '0';\n$config['branch'] = \"x\";\n")
	env := write(".env", "REV=0\n")
	same := write("same.json", `{"rev": "4168"}`)
	link := filepath.Join(dir, "link.php")
	if err := os.Symlink("config.php", link); err != nil {
		t.Fatal(err)
	}
	s := Stamper{Options: atomicfile.Options{Root: dir}, Backups: &atomicfile.Backups{Dir: filepath.Join(t.TempDir(), "b")}}
	targets := []Target{
		{File: php, Key: "$config['svn']", Value: "4168"},
		{File: env, Key: "REV", Value: "4168"},
		{File: same, Key: "rev", Value: "4168"},
		{File: link, Key: "$config['branch']", Value: `".system("id")."`},
	}
	p, err := s.Plan(targets)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if len(p.Files) != 3 || len(p.Files[0].Changes) != 2 || len(p.Files[2].Changes) != 0 {
		t.Errorf("plan = %+v, want three files, two changes in the first, none in the last", p.Files)
	}
	if data, _ := os.ReadFile(php); string(data) != string(p.Files[0].Before) {
		t.Error("Plan wrote a file")
	}
	before, err := os.Stat(same)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		php: "<?php\n$config['svn'] = '4168';\n$config['branch'] = \"\\\".system(\\\"id\\\").\\\"\";\n",
		env: "REV=4168\n",
	} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v, want %q", name, got, err, want)
		}
		if list, err := s.Backups.List(name); err != nil || len(list) != 1 {
			t.Errorf("backups of %s = %v, %v, want one", name, list, err)
		}
	}
	if after, err := os.Stat(same); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("%s was touched: %v", same, err)
	}
	again, err := s.Plan(targets)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, f := range again.Files {
		if len(f.Changes) > 0 {
			t.Errorf("second plan changes %s: %v", f.Path, f.Changes)
		}
	}
}

func TestStamperRefusesAllTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	php := filepath.Join(dir, "config.php")
	const content = "<?php $config['svn'] = '0'; $config['sum'] = 1 + 1;"
	if err := os.WriteFile(php, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Stamper{}.Plan([]Target{
		{File: php, Key: "$config['svn']", Value: "1"},
		{File: php, Key: "$config['sum']", Value: "1"},
		{File: filepath.Join(dir, "missing.php"), Key: "$a", Value: "1"},
		{File: php, Key: "$config[", Value: "1"},
	})
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Plan: %v, want %v among others", err, fs.ErrNotExist)
	}
	for _, kind := range []Kind{NotALiteral, BadSelector} {
		if !strings.Contains(err.Error(), string(kind)) {
			t.Errorf("Plan: %v, want %s too", err, kind)
		}
	}
	if got, err := os.ReadFile(php); err != nil || string(got) != content {
		t.Errorf("content = %q, %v", got, err)
	}
}

func TestStamperSeesTheEditOfAnother(t *testing.T) {
	t.Parallel()
	env := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(env, []byte("REV=0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Stamper{}.Plan([]Target{{File: env, Key: "REV", Value: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(env, []byte("REV=0\nMORE=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(context.Background()); !errors.Is(err, atomicfile.ErrChanged) {
		t.Errorf("Commit: %v, want %v", err, atomicfile.ErrChanged)
	}
	if got, _ := os.ReadFile(env); string(got) != "REV=0\nMORE=1\n" {
		t.Errorf("content = %q: the other edit is lost", got)
	}
}

// Two who stamp different keys of one file at the same time lose nothing.
func TestTwoStampers(t *testing.T) {
	t.Parallel()
	const rounds = 200
	php := filepath.Join(memoryDir(t), "config.php")
	if err := os.WriteFile(php, []byte("<?php\n$config['a'] = '';\n$config['b'] = '';\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	find := func(key string) string {
		src, err := os.ReadFile(php)
		if err != nil {
			t.Fatal(err)
		}
		values, err := Target{File: php, Key: key}.Find(src)
		if err != nil {
			t.Fatal(err)
		}
		return values[0].Text
	}
	for round := range rounds {
		value := strconv.Itoa(round)
		var both errgroup.Group
		for _, key := range []string{"$config['a']", "$config['b']"} {
			both.Go(func() error {
				_, err := Stamper{}.Stamp(context.Background(), []Target{{File: php, Key: key, Value: value}})
				return err
			})
		}
		if err := both.Wait(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if a, b := find("$config['a']"), find("$config['b']"); a != value || b != value {
			t.Fatalf("round %d: the values are %q and %q", round, a, b)
		}
	}
}

// Somebody who never stops editing does not keep Stamp for ever.
func TestStampGivesUp(t *testing.T) {
	t.Parallel()
	env := filepath.Join(memoryDir(t), ".env")
	if err := os.WriteFile(env, []byte("REV=0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	s := Stamper{Options: atomicfile.Options{Record: func(string) error { // called between reading and writing
		n++
		return os.WriteFile(env, fmt.Appendf(nil, "REV=0\nN=%d\n", n), 0o600)
	}}}
	if _, err := s.Stamp(context.Background(), []Target{{File: env, Key: "REV", Value: "1"}}); !errors.Is(err, atomicfile.ErrChanged) {
		t.Errorf("Stamp: %v, want %v", err, atomicfile.ErrChanged)
	}
	if n != tries {
		t.Errorf("tried %d times, want %d", n, tries)
	}
}

// Of several files either all are stamped or none, whichever cannot be written.
func TestStampPutsEverythingBack(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	var targets []Target
	for _, name := range []string{"a.env", "b.env", "c.env"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("REV=0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		targets = append(targets, Target{File: file, Key: "REV", Value: "1"})
	}
	for fails := range targets {
		n := 0
		s := Stamper{Options: atomicfile.Options{Record: func(string) error {
			if n++; n == fails+1 {
				return syscall.ENOSPC
			}
			return nil
		}}}
		if _, err := s.Stamp(context.Background(), targets); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Stamp: %v, want %v", err, syscall.ENOSPC)
		}
		for _, target := range targets {
			if got, err := os.ReadFile(target.File); err != nil || string(got) != "REV=0\n" {
				t.Errorf("%s = %q, %v", target.File, got, err)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
