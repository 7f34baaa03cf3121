package gitdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Signature is who and when, for a reflog.
type Signature struct {
	Name, Email string
	When        time.Time
}

func (s Signature) String() string {
	return fmt.Sprintf("%s <%s> %d %s", s.Name, s.Email, s.When.Unix(), s.When.Format("-0700"))
}

// ErrMoved says that a ref is not where it was believed to be.
var ErrMoved = errors.New("moved by somebody else")

// SetRef moves a ref from old to id, by git's lock file and a rename, synced.
// The zero old means that the ref must not exist. The move is noted in the
// ref's reflog where it has one or is a branch, and in HEAD's.
func (r *Repo) SetRef(name string, id, old ID, who Signature, message string) error {
	path := filepath.Join(r.refDir(name), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	lock, err := os.OpenFile(path+lockSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("ref %q: %w", name, err)
	}
	defer os.Remove(lock.Name())
	defer lock.Close()
	now, err := r.directRef(name)
	if err != nil {
		return err
	}
	if now != old {
		return fmt.Errorf("ref %q: %w", name, ErrMoved)
	}
	if _, err := fmt.Fprintln(lock, id); err != nil {
		return err
	}
	if err := errors.Join(lock.Sync(), lock.Close()); err != nil {
		return err
	}
	line := fmt.Sprintf("%s %s %s\t%s\n", old, id, who, message)
	if err := r.log(name, line); err != nil {
		return err
	}
	if err := os.Rename(lock.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// lockSuffix makes the name of a ref's lock file, git's and ours, of that of the ref.
const lockSuffix = ".lock"

// RefLocks returns the lock files that there are of HEAD and of refs that all worktrees
// share, by the name of the ref. Where it may not look it finds none.
func (r *Repo) RefLocks() (map[string]string, error) {
	files := make(map[string]string)
	head := filepath.Join(r.refDir("HEAD"), "HEAD"+lockSuffix)
	if _, err := os.Lstat(head); err == nil {
		files["HEAD"] = head
	}
	common := r.refDir("refs/heads")
	err := filepath.WalkDir(filepath.Join(common, "refs"), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil // removed meanwhile, or nothing that a ref of ours can be in
		}
		if err != nil {
			return err
		}
		if ref, ok := strings.CutSuffix(path, lockSuffix); ok && !entry.IsDir() {
			name, err := filepath.Rel(common, ref)
			if err != nil {
				return err
			}
			files[filepath.ToSlash(name)] = path
		}
		return nil
	})
	return files, err
}

// directRef is the ref's value, zero when it does not exist. HEAD counts as
// itself: only a detached one is moved.
func (r *Repo) directRef(name string) (ID, error) {
	id, err := r.Ref(name)
	if errors.Is(err, ErrNotFound) {
		return ID{}, nil
	}
	return id, err
}

// log appends to the reflog of a branch, of HEAD where it is on that branch or
// is itself moved, and to any other that exists.
func (r *Repo) log(name, line string) error {
	err := r.appendLog(name, line)
	if head, herr := r.Head(); herr == nil && head.Branch == name {
		err = errors.Join(err, r.appendLog("HEAD", line))
	}
	return err
}

func (r *Repo) appendLog(name, line string) error {
	path := filepath.Join(r.refDir(name), "logs", filepath.FromSlash(name))
	flags := os.O_WRONLY | os.O_APPEND
	if name == "HEAD" || strings.HasPrefix(name, "refs/heads/") || strings.HasPrefix(name, "refs/remotes/") {
		flags |= os.O_CREATE
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, flags, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// SetIndex replaces the index by a file of that content, synced and renamed
// into place under a name that only the holder of index.lock writes to. Its
// permissions, and as far as allowed its owner, are the old one's.
func (r *Repo) SetIndex(content []byte) (err error) {
	path := filepath.Join(r.Git, "index")
	f, err := os.OpenFile(filepath.Join(r.Git, "index.revstamp"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := keepAccess(f, path); err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(r.Git)
}
