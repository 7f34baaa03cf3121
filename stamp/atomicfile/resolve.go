package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// place is where a name leads: an open directory, the directories still to be
// made below it, the last element and what is there.
type place struct {
	dir     *dir
	missing []string
	base    string
	found   *info // nil for nothing
}

// locate resolves name and opens its directory, or the deepest one that
// exists when the others may be made. It looks first among those that are open,
// and adds to them, unless that is nil.
func locate(name string, o Options, opened map[parent]*dir) (place, error) {
	name, err := absolute(name)
	if err != nil {
		return place{}, err
	}
	dirName, base := filepath.Split(name)
	at := parent{dirName, o.Root}
	if d := opened[at]; d != nil {
		if p, err := lookIn(d, base, o); err == nil {
			return p, nil
		}
	}
	p, ok := direct(dirName, base, o)
	if !ok {
		if p, err = indirect(name, o); err != nil {
			return place{}, err
		}
	}
	if o.Root != "" {
		path := filepath.Join(p.dir.path, filepath.Join(p.missing...), p.base)
		if err := within(path, o.Root); err != nil {
			p.dir.close()
			return place{}, err
		}
	}
	if ok && opened != nil && opened[at] == nil {
		p.dir.shared, opened[at] = true, p.dir
	}
	return p, nil
}

func absolute(name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("empty file name: %w", fs.ErrNotExist)
	}
	if filepath.IsAbs(name) {
		return name, nil
	}
	wd, err := os.Getwd()
	return wd + "/" + name, err // not Join: "link/.." is not "."
}

// direct is for what most names are: no symbolic link on the way, no directory
// missing. The kernel says so in one call.
func direct(dirName, base string, o Options) (p place, ok bool) {
	d, err := openDir(dirName)
	if err != nil {
		return p, false
	}
	if p, err = lookIn(d, base, o); err != nil {
		d.close()
		return place{}, false
	}
	return p, true
}

// lookIn is the place of a name in d. It is an error if the name leads elsewhere.
func lookIn(d *dir, base string, o Options) (place, error) {
	if base == "" || base == "." || base == ".." {
		return place{}, fs.ErrInvalid
	}
	at, err := d.look(base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return place{dir: d, base: base}, nil
	case err != nil:
		return place{}, err
	case at.is(unix.S_IFLNK) && !o.NoFollow:
		return place{}, fs.ErrInvalid
	}
	return place{dir: d, base: base, found: &at}, nil
}

// indirect is for all other names, and knows what is wrong with a wrong one.
func indirect(name string, o Options) (place, error) {
	path, missing, err := resolve(name, o)
	if err != nil {
		return place{}, err
	}
	p := place{base: filepath.Base(path)}
	parent := filepath.Dir(path)
	for range missing {
		p.missing = append(p.missing, filepath.Base(parent))
		parent = filepath.Dir(parent)
	}
	slices.Reverse(p.missing)
	if p.dir, err = openDir(parent); err != nil {
		if errors.Is(err, unix.ELOOP) {
			err = ErrChanged // there was no link in it a moment ago
		}
		return place{}, err
	}
	if missing > 0 {
		return p, nil
	}
	at, err := p.dir.look(p.base)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		p.dir.close()
		return place{}, err
	}
	p.found = &at
	return p, nil
}

// resolve returns the absolute path of the absolute name without symbolic
// links and how many of its parent directories do not exist.
func resolve(name string, o Options) (path string, missing int, err error) {
	if !o.NoFollow {
		switch path, err := filepath.EvalSymlinks(name); {
		case err == nil:
			return path, 0, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", 0, linkError(name, err)
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
			return "", 0, linkError(parent, err)
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

// linkError names a loop of links, for which EvalSymlinks has no error value
// and the kernel has one.
func linkError(name string, err error) error {
	var st unix.Stat_t
	if unix.Stat(name, &st) == unix.ELOOP {
		return fmt.Errorf("symbolic links lead round in a circle: %w", ErrNotRegular)
	}
	return err
}

// within fails unless path, which has no symbolic links in it, lies under root.
func within(path, root string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	if fd, err := openReal(root); err == nil {
		closeFD(fd) // no links in it
	} else if root, err = filepath.EvalSymlinks(root); err != nil {
		return err
	}
	if rel, err := filepath.Rel(root, path); err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%q is not under %q: %w", path, root, ErrOutsideRoot)
	}
	return nil
}
