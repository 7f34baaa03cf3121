// Package vcstest makes real repositories for tests: git's, Subversion's and
// Mercurial's own programs, fixed authors and dates, so that git's and hg's ids
// are constants.
// Servers listen on free loopback ports and end with their test.
package vcstest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Author and Address sign every commit.
const (
	Author  = "Ada Lovelace"
	Address = "ada@example.com"
)

// Epoch is the time of a repository's first commit; each further one is an hour
// later.
var Epoch = time.Date(2024, time.May, 1, 12, 0, 0, 0, time.UTC)

// Isolate keeps the configuration of the machine and its user away from every
// git, svn and hg that this process runs. Call it from TestMain, with a directory
// that stands for the home directory.
func Isolate(home string) error {
	for _, name := range []string{"GIT_SSL_CAINFO", "GIT_SSL_NO_VERIFY", "GIT_PROXY_COMMAND", "GIT_SSH_COMMAND"} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, ".config"),
		"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": filepath.Join(home, ".gitconfig"),
		"HGRCPATH": filepath.Join(home, ".hgrc"),
		"LC_ALL":   "C", "TZ": "UTC",
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// Run runs a program in dir and returns its output, less the final newline. Its
// failure fails the test.
func Run(t testing.TB, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := Try(dir, env, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSuffix(out, "\n")
}

// Try is Run for what may fail.
func Try(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String() + errs.String(), err
	}
	return out.String(), nil
}

// Write writes a file below dir, and its directories. A content that begins
// with "-> " makes a symbolic link, one with "#!" an executable file.
func Write(t testing.TB, dir, path, content string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(file); err != nil {
		t.Fatal(err)
	}
	if target, ok := strings.CutPrefix(content, "-> "); ok {
		if err := os.Symlink(target, file); err != nil {
			t.Fatal(err)
		}
		return
	}
	mode := os.FileMode(0o644)
	if strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// Files are paths and what they are to hold, as Write understands it; "" removes.
type Files map[string]string

// Apply writes and removes files below dir.
func (f Files) Apply(t testing.TB, dir string) {
	t.Helper()
	for path, content := range f {
		if content != "" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(path))); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range f {
		if content != "" {
			Write(t, dir, path, content)
		}
	}
}

// Snapshot returns the files below dir, as Write would have them, without the
// directories of version control.
func Snapshot(t testing.TB, dir string) Files {
	t.Helper()
	files := make(Files)
	err := filepath.WalkDir(dir, func(file string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ".git" || d.Name() == ".svn" || d.Name() == ".hg" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil || d.IsDir() {
			return err
		}
		if d.Type()&os.ModeSymlink != 0 {
			target, err := os.Readlink(file)
			files[filepath.ToSlash(rel)] = "-> " + target
			return err
		}
		data, err := os.ReadFile(file)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
