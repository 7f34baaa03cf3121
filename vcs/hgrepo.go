package vcs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// hgRepo is what the files of .hg tell without hg.
type hgRepo struct {
	dir      string // .hg
	source   string // .hg of the repository that holds the history: dir, unless shared
	safe     bool   // configuration and requirements are shared too (share-safe)
	branch   string // that the next commit would be on
	updating string // the node that an interrupted update was to; "" when there is none
}

// hgRequirements are those of .hg/requires under which everything here works;
// "hg help internals.requirements" and Mercurial's mercurial/requirements.py
// describe them.
var hgRequirements = map[string]bool{
	"revlogv1": true, "store": true, "fncache": true, "dotencode": true,
	"generaldelta": true, "sparserevlog": true, "persistent-nodemap": true,
	"revlog-compression-zstd": true, "exp-compression-zstd": true, "exp-compression-none": true,
	"dirstate-v2": true, "dirstate-tracked-key-v1": true, "share-safe": true, "shared": true, "relshared": true,
	"bookmarksinstore": true, "treemanifest": true, "internal-phase": true, "internal-phase-2": true,
}

// hgFeatures are the words for requirements of other features.
var hgFeatures = map[string]string{
	"largefiles":                        "the largefiles extension",
	"lfs":                               "the lfs extension",
	"exp-sparse":                        "a sparse working copy",
	"narrowhg-experimental":             "a narrow clone",
	"exp-remotefilelog-repo-req-1":      "the remotefilelog extension",
	"exp-remotefilelog-ellipsis-repo-1": "the remotefilelog extension",
}

// errHgSub refuses what is of several repositories.
var errHgSub = &UnsupportedError{
	System: "hg", Feature: "a subrepository (.hgsub)", Remedy: "commit its files themselves, and remove .hgsub",
}

func openHgRepo(top string) (*hgRepo, error) {
	r := &hgRepo{dir: filepath.Join(top, ".hg"), branch: "default"}
	r.source = r.dir
	info, err := os.Stat(r.dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &NotWorkingCopyError{Dir: top, Detail: ".hg is no directory"}
	}
	if err := r.require(filepath.Join(r.dir, "requires")); err != nil {
		return nil, err
	}
	if r.source != r.dir || r.safe {
		if err := r.require(filepath.Join(r.source, "store", "requires")); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(filepath.Join(r.source, "store")); err != nil {
		return nil, &NotWorkingCopyError{Dir: top, Detail: ".hg is no Mercurial repository"}
	}
	if _, err := os.Lstat(filepath.Join(top, ".hgsub")); err == nil {
		return nil, errHgSub
	}
	if text, err := r.text("branch"); err != nil {
		return nil, err
	} else if text != "" {
		r.branch = text
	}
	r.updating, err = r.text("updatestate")
	return r, err
}

// text is a small file of .hg, "" when there is none.
func (r *hgRepo) text(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

func (r *hgRepo) require(file string) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an old repository has none
	}
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(data)) {
		if !hgRequirements[name] {
			feature := hgFeatures[name]
			if feature == "" {
				feature = "the requirement " + name
			}
			return &UnsupportedError{System: "hg", Feature: feature}
		}
		switch name {
		case "share-safe":
			r.safe = true
		case "shared", "relshared":
			path, err := r.text("sharedpath")
			if err != nil {
				return err
			}
			if !filepath.IsAbs(path) {
				path = filepath.Join(r.dir, path)
			}
			r.source = path
		}
	}
	return nil
}

// config reads the repository's own configuration files, in hg's order.
func (r *hgRepo) config(trust func(uid, gid uint32) bool) (*hgrc, error) {
	var files []string
	if r.safe && r.source != r.dir {
		files = append(files, filepath.Join(r.source, "hgrc"))
	}
	files = append(files, filepath.Join(r.dir, "hgrc"), filepath.Join(r.dir, "hgrc-not-shared"))
	c := new(hgrc)
	for _, file := range files {
		if err := c.read(file, trust); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// unfinished names the operation that somebody began here and did not end; a
// merge has a second parent instead of a file.
func (r *hgRepo) unfinished() string {
	for _, u := range []struct{ file, what string }{
		{"graftstate", "an unfinished graft"},
		{"rebasestate", "an unfinished rebase"},
		{"histedit-state", "an unfinished histedit"},
		{"shelvedstate", "an unfinished unshelve"},
		{"evolvestate", "an unfinished evolve"},
		{"transplant/journal", "an unfinished transplant"},
	} {
		if marked(r.dir, u.file) {
			return u.what
		}
	}
	return ""
}

// locked is the lock that a living process, or one of another machine, has; ""
// when nobody does. Locks are symbolic links to "host[/namespace]:pid", as in
// Mercurial's mercurial/lock.py.
func (r *hgRepo) locked() string {
	for _, path := range []string{r.wlock(), filepath.Join(r.source, "store", "lock")} {
		if holder, err := os.Readlink(path); err == nil && !deadHgLock(holder) {
			return path
		}
	}
	return ""
}

func (r *hgRepo) wlock() string { return filepath.Join(r.dir, "wlock") }

// lockWorkingCopy takes the lock that keeps every hg from changing the working
// copy, and returns what lets it go. One that a dead process left is broken,
// under a lock of its own as hg does it.
func (r *hgRepo) lockWorkingCopy() (unlock func() error, err error) {
	path, me := r.wlock(), hgLockHolder()
	err = os.Symlink(me, path)
	if holder, _ := os.Readlink(path); errors.Is(err, fs.ErrExist) && deadHgLock(holder) {
		if err := os.Symlink(me, path+".break"); err != nil {
			return nil, &LockedError{Path: path}
		}
		if holder, _ := os.Readlink(path); deadHgLock(holder) {
			os.Remove(path)
		}
		err = errors.Join(os.Remove(path+".break"), os.Symlink(me, path))
	}
	if errors.Is(err, fs.ErrExist) {
		return nil, &LockedError{Path: path}
	}
	if err != nil {
		return nil, err
	}
	return func() error {
		if holder, err := os.Readlink(path); err != nil || holder != me {
			return fmt.Errorf("%q was taken away", path)
		}
		return os.Remove(path)
	}, nil
}

// hgHost is this machine, or container, in hg's locks.
func hgHost() string {
	host, _ := os.Hostname()
	var st syscall.Stat_t
	if syscall.Stat("/proc/self/ns/pid", &st) == nil {
		host += fmt.Sprintf("/%x", st.Ino)
	}
	return host
}

func hgLockHolder() string { return hgHost() + ":" + strconv.Itoa(os.Getpid()) }

// deadHgLock reports whether a lock's holder was of this machine and is no more.
func deadHgLock(holder string) bool {
	host, pid, _ := strings.Cut(holder, ":")
	n, err := strconv.Atoi(pid)
	return err == nil && n > 0 && host == hgHost() && errors.Is(syscall.Kill(n, 0), syscall.ESRCH)
}

// safeHgPath reports whether a path of a manifest may be written to: hg itself
// would refuse the others, which name the repository or what is outside.
func safeHgPath(path string) bool {
	parts := strings.Split(path, "/")
	return !slices.ContainsFunc(parts, func(p string) bool {
		return p == "" || p == "." || p == ".." || strings.EqualFold(p, ".hg") || strings.IndexByte(p, 0) >= 0
	})
}
