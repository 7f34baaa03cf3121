package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// place is where a name leads: an open directory, the directories still to be
// made below it, and the last element.
type place struct {
	dir     *dir
	missing []string
	base    string
}

// locate resolves name and opens its directory, or the deepest one that
// exists when the others may be made.
func locate(name string, o Options) (place, error) {
	path, missing, err := resolve(name, o)
	if err != nil {
		return place{}, err
	}
	root := ""
	if o.Root != "" {
		if root, err = realRoot(path, o.Root); err != nil {
			return place{}, err
		}
	}
	p := place{base: filepath.Base(path)}
	parent := filepath.Dir(path)
	for range missing {
		p.missing = append(p.missing, filepath.Base(parent))
		parent = filepath.Dir(parent)
	}
	slices.Reverse(p.missing)
	p.dir, err = openDir(parent, root)
	return p, err
}

// resolve returns the absolute path of name without symbolic links and how
// many of its parent directories do not exist.
func resolve(name string, o Options) (path string, missing int, err error) {
	if name == "" {
		return "", 0, fmt.Errorf("empty file name: %w", fs.ErrNotExist)
	}
	if !filepath.IsAbs(name) {
		wd, err := os.Getwd()
		if err != nil {
			return "", 0, err
		}
		name = wd + "/" + name // not Join: "link/.." is not "."
	}
	if !o.NoFollow {
		switch path, err := filepath.EvalSymlinks(name); {
		case err == nil:
			return path, 0, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", 0, linkError(err)
		}
		if err := refuseLink(name); err != nil {
			return "", 0, err
		}
	}
	parent, rest := filepath.Dir(name), []string{filepath.Base(name)}
	for {
		path, err := filepath.EvalSymlinks(parent)
		if err == nil {
			return filepath.Join(append([]string{path}, rest...)...), missing, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || !o.Create || !o.MkdirAll || parent == "/" {
			return "", 0, linkError(err)
		}
		if err := refuseLink(parent); err != nil {
			return "", 0, err
		}
		rest = slices.Insert(rest, 0, filepath.Base(parent))
		parent = filepath.Dir(parent)
		missing++
	}
}

// refuseLink fails when name, which leads nowhere, is a symbolic link.
func refuseLink(name string) error {
	target, err := os.Readlink(name)
	if err != nil {
		return nil
	}
	return fmt.Errorf("symbolic link to %q, which is missing: %w", target, ErrNotRegular)
}

// linkError names a loop of links, for which EvalSymlinks has no error value.
func linkError(err error) error {
	if errors.Is(err, syscall.ELOOP) || strings.Contains(err.Error(), "too many links") {
		return fmt.Errorf("symbolic links lead round in a circle: %w", ErrNotRegular)
	}
	return err
}

// realRoot resolves root and fails unless path lies under it.
func realRoot(path, root string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(root, path); err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%q is not under %q: %w", path, root, ErrOutsideRoot)
	}
	return root, nil
}
