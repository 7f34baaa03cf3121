package release

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// state is a site's state directory:
//
//	.gitignore      keeps git from seeing it
//	lock            flock(2) by whoever changes the site, with who it is
//	journal/12.jsonl  what release 12 did; flock(2) by whoever writes it
//	journal/12.jobs  socket of the job server in that process
//	journal/earlier  what releases wrote last whose journals are gone
//	backups/        configuration as it was
//	log/12.log      what the hooks of release 12 printed
//	mirror-…        releases layout: what releases are made of
//	trees/          releases layout: what each release is made of
//	seen            what the references looked like after the last release
type state struct{ dir string }

// name is what the journal calls the file at abs, and path is the way back. It
// is relative to the state directory, so that a site can be moved.
func (s *state) name(abs string) string {
	rel, err := filepath.Rel(s.dir, abs)
	if err != nil {
		return abs
	}
	return filepath.ToSlash(rel)
}

func (s *state) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, filepath.FromSlash(name))
}

func (s *state) lockFile() string { return filepath.Join(s.dir, "lock") }
func (s *state) backups() string  { return filepath.Join(s.dir, "backups") }
func (s *state) seen() string     { return filepath.Join(s.dir, "seen") }

func (s *state) journals() string { return filepath.Join(s.dir, "journal") }

func (s *state) journal(id string) string { return filepath.Join(s.journals(), id+".jsonl") }

func (s *state) earlier() string { return filepath.Join(s.journals(), "earlier") }

func (s *state) logs() string { return filepath.Join(s.dir, "log") }

func (s *state) socket(id string) string { return filepath.Join(s.journals(), id+".jobs") }

// ignoreAll keeps git from seeing the directory it is in.
const ignoreAll = "*\n"

// create makes the directory, for this user alone.
func (s *state) create() error {
	if err := os.MkdirAll(filepath.Join(s.dir, "journal"), 0o700); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	ignore := filepath.Join(s.dir, ".gitignore")
	if data, err := os.ReadFile(ignore); err != nil || string(data) != ignoreAll {
		if err := os.WriteFile(ignore, []byte(ignoreAll), 0o600); err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
	}
	return nil
}

// sequence lists the numbers of all releases, oldest first. Order is by
// number alone: clocks and modification times lie.
func (s *state) sequence() ([]int, error) {
	entries, err := os.ReadDir(s.journals())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	var all []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".jsonl")
		if n, err := strconv.Atoi(name); ok && err == nil && n > 0 {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}
