package gitdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Head is what HEAD says.
type Head struct {
	Branch string // full name of the ref, "refs/heads/main"; "" when detached
	ID     ID     // zero for a branch without a commit
}

// Head reads HEAD and the branch it names.
func (r *Repo) Head() (Head, error) {
	line, err := readLine(filepath.Join(r.Git, "HEAD"))
	if err != nil {
		return Head{}, err
	}
	name, symbolic := strings.CutPrefix(line, "ref: ")
	if !symbolic {
		id, err := ParseID(line)
		if err != nil {
			return Head{}, fmt.Errorf("HEAD: %w", err)
		}
		return Head{ID: id}, nil
	}
	name = strings.TrimSpace(name)
	id, err := r.Ref(name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Head{}, err
	}
	return Head{Branch: name, ID: id}, nil
}

// Ref returns what a ref, given by its full name, points to: for an annotated
// tag the tag object. Symbolic refs are followed. ErrNotFound.
func (r *Repo) Ref(name string) (ID, error) {
	const deepest = 5
	for range deepest {
		line, err := readLine(filepath.Join(r.refDir(name), filepath.FromSlash(name)))
		if err != nil && !missing(err) {
			return ID{}, err
		}
		if err != nil {
			return r.packedRef(name)
		}
		next, symbolic := strings.CutPrefix(line, "ref: ")
		if !symbolic {
			id, err := ParseID(line)
			if err != nil {
				return ID{}, fmt.Errorf("ref %q: %w", name, err)
			}
			return id, nil
		}
		name = strings.TrimSpace(next)
	}
	return ID{}, fmt.Errorf("ref %q: too many levels of symbolic refs", name)
}

// missing also takes a name for missing that runs into a file or a directory:
// refs/heads/a where refs/heads/a/b is a branch.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR)
}

// refDir is where a ref's file lies: these few belong to each linked worktree.
func (r *Repo) refDir(name string) string {
	for _, own := range []string{"refs/bisect/", "refs/worktree/", "refs/rewritten/"} {
		if strings.HasPrefix(name, own) {
			return r.Git
		}
	}
	if !strings.HasPrefix(name, "refs/") {
		return r.Git
	}
	return r.Common
}

func (r *Repo) packedRef(name string) (ID, error) {
	id, found := ID{}, false
	err := r.packed(func(ref Ref) {
		if ref.Name == name {
			id, found = ref.ID, true
		}
	})
	if err == nil && !found {
		err = fmt.Errorf("ref %q: %w", name, ErrNotFound)
	}
	return id, err
}

// packed calls f with each line of packed-refs.
func (r *Repo) packed(f func(Ref)) error {
	data, err := os.ReadFile(filepath.Join(r.Common, "packed-refs"))
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var ref Ref
	peels := false
	flush := func() {
		if ref.Name != "" {
			f(ref)
		}
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			peels = peels || strings.Contains(line, " fully-peeled")
			continue
		}
		if line[0] == '^' {
			if ref.Peeled, err = ParseID(line[1:]); err != nil {
				return fmt.Errorf("packed-refs: %w", err)
			}
			continue
		}
		flush()
		hex, name, ok := strings.Cut(line, " ")
		if !ok {
			return fmt.Errorf("packed-refs: malformed line %q", line)
		}
		id, err := ParseID(hex)
		if err != nil {
			return fmt.Errorf("packed-refs: %w", err)
		}
		ref = Ref{Name: name, ID: id, Told: peels}
	}
	flush()
	return nil
}

// Ref names and points to an object.
type Ref struct {
	Name   string
	ID     ID
	Peeled ID   // what an annotated tag ends at, where packed-refs tells
	Told   bool // packed-refs told: a zero Peeled means that ID is no tag object
}

// Refs returns the refs whose names begin with prefix, which ends in a slash,
// by name: "refs/", "refs/tags/". A loose ref hides the packed one.
func (r *Repo) Refs(prefix string) (map[string]Ref, error) {
	refs := make(map[string]Ref)
	err := r.packed(func(ref Ref) {
		if strings.HasPrefix(ref.Name, prefix) {
			refs[ref.Name] = ref
		}
	})
	if err != nil {
		return nil, err
	}
	root := filepath.Join(r.Common, filepath.FromSlash(prefix))
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if missing(err) || err == nil && d.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(r.Common, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if strings.HasSuffix(name, ".lock") {
			return nil
		}
		id, err := r.Ref(name)
		if errors.Is(err, ErrNotFound) {
			return nil // a symbolic ref to nothing, or gone since
		}
		refs[name] = Ref{Name: name, ID: id}
		return err
	})
	return refs, err
}

func readLine(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimRight(line, "\r "), nil
}
