// Package gitdir reads the files of a git repository in plain Go: layout,
// configuration, refs, objects and the index. It runs no program and uses no
// library, which is what makes looking at a repository with nothing to do cost
// a few milliseconds. What it writes is an index, loose objects and refs, by
// git's own lock files.
//
// The formats are those of git's Documentation/gitformat-*.txt and
// gitrepository-layout.txt. What is in use but not understood here is an
// *UnknownError that names it.
package gitdir

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotFound says that an object or a ref is not there.
var ErrNotFound = errors.New("not found")

// UnknownError says that a repository uses something this package does not
// know how to read.
type UnknownError struct {
	Feature string // as git's documentation calls it
}

func (e *UnknownError) Error() string { return e.Feature + " is not understood" }

// ID is the SHA-1 name of an object. The zero ID names none.
type ID [20]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id names no object.
func (id ID) IsZero() bool { return id == ID{} }

// ParseID reads 40 hexadecimal digits, in either case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return ID{}, fmt.Errorf("object id %q: want %d digits", s, 2*len(id))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("object id %q: %w", s, err)
	}
	return id, nil
}

// Repo is where the parts of a repository lie.
type Repo struct {
	Work   string // top of the working tree; "" when bare
	Git    string // HEAD and index: .git, or .git/worktrees/<name>
	Common string // objects, refs and config
	Config *Config
}

// Open finds the repository of the working tree whose top is top: a .git
// directory, or a .git file naming one, as linked worktrees, submodules and
// --separate-git-dir have. Only the repository's own configuration is read.
func Open(top string) (*Repo, error) {
	git := filepath.Join(top, ".git")
	info, err := os.Stat(git)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if git, err = readLink(git); err != nil {
			return nil, err
		}
	}
	r, err := open(git)
	if err != nil {
		return nil, err
	}
	r.Work = top
	return r, r.check()
}

// OpenBare opens a repository by its git directory, or by the working tree
// around it: whatever a path may name as a remote.
func OpenBare(dir string) (*Repo, error) {
	for _, try := range []string{filepath.Join(dir, ".git"), dir, dir + ".git"} {
		info, err := os.Stat(try)
		if err != nil {
			continue
		}
		if !info.IsDir() {
			if try, err = readLink(try); err != nil {
				continue
			}
		}
		if r, err := open(try); err == nil {
			return r, r.check()
		}
	}
	return nil, fmt.Errorf("%q is not a git repository", dir)
}

// readLink follows a .git file.
func readLink(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	dir, ok := strings.CutPrefix(strings.TrimRight(string(data), "\r\n"), "gitdir: ")
	if !ok {
		return "", fmt.Errorf("%q: not a git file", file)
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(file), dir)
	}
	return dir, nil
}

func open(git string) (*Repo, error) {
	if _, err := os.Lstat(filepath.Join(git, "HEAD")); err != nil {
		return nil, err
	}
	r := &Repo{Git: git, Common: git}
	data, err := os.ReadFile(filepath.Join(git, "commondir"))
	switch {
	case err == nil:
		r.Common = strings.TrimRight(string(data), "\r\n")
		if !filepath.IsAbs(r.Common) {
			r.Common = filepath.Join(git, r.Common)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if r.Config, err = r.readConfig(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Repo) readConfig() (*Config, error) {
	c := new(Config)
	if err := c.Read(filepath.Join(r.Common, "config")); err != nil {
		return nil, err
	}
	if c.Bool("extensions.worktreeconfig", false) {
		if err := c.Read(filepath.Join(r.Git, "config.worktree")); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// known are the extensions that change nothing of what is read here. A partial
// clone is noticed by whoever misses an object.
var known = map[string]bool{
	"noop": true, "noop-v1": true, "preciousobjects": true, "partialclone": true,
	"worktreeconfig": true, "relativeworktrees": true,
}

func (r *Repo) check() error {
	for _, key := range r.Config.Keys("extensions.") {
		name := strings.TrimPrefix(key, "extensions.")
		value := r.Config.String(key)
		switch {
		case known[name]:
		case name == "objectformat" && value == "sha1", name == "refstorage" && value == "files":
		case name == "objectformat":
			return &UnknownError{"object format " + value}
		case name == "refstorage":
			return &UnknownError{"ref storage " + value}
		default:
			return &UnknownError{"repository extension " + name}
		}
	}
	return nil
}

// Shallow returns the commits at which history is cut off.
func (r *Repo) Shallow() (map[ID]bool, error) {
	data, err := os.ReadFile(filepath.Join(r.Common, "shallow"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cut := make(map[ID]bool)
	for line := range strings.Lines(string(data)) {
		id, err := ParseID(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("shallow file: %w", err)
		}
		cut[id] = true
	}
	return cut, nil
}
