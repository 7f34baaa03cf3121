package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/config"
)

// revisionFile tells, at the top of a release, which revision it is of.
const revisionFile = "REVISION"

// buildStep makes the directory of a release, beside those that visitors have
// or had: the mirror's files, links to what is shared, and REVISION. What a run
// that was killed left of it is made anew.
type buildStep struct{ *run }

func (buildStep) Name() string { return "build" }

func (s buildStep) Run(ctx context.Context) (string, error) {
	if err := os.RemoveAll(s.dir); err != nil {
		return "", err
	}
	files, err := listTree(s.wc.Dir(), s.skip)
	if err != nil {
		return "", err
	}
	link := s.cfg.Unchanged == config.Link
	if err := s.room(files, link); err != nil {
		return "", err
	}
	if err := os.MkdirAll(s.cfg.ReleasesDir(), 0o755); err != nil {
		return "", err
	}
	c := copier{from: s.wc.Dir(), to: s.dir, link: func(name string) bool { return link && !s.written(name) }}
	if err := c.copy(ctx, files); err != nil {
		return "", err
	}
	if err := s.finish(); err != nil {
		return "", err
	}
	if err := s.inheritAssets(ctx); err != nil {
		return "", err
	}
	how := "copied"
	if link {
		how = "linked"
	}
	return fmt.Sprintf("%s, %s %s", filepath.Base(s.dir), plural(c.count, "file"), how), nil
}

// finish adds what no repository has.
func (s buildStep) finish() error {
	release, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer release.Close()
	for _, shared := range s.cfg.Shared {
		if err := s.share(release, shared); err != nil {
			return err
		}
	}
	return s.writeRevision()
}

// inheritAssets brings the fingerprinted copies that visitors have now into the
// directory of a release: pages that are open or cached still ask for them.
func (r *run) inheritAssets(ctx context.Context) error {
	if r.cfg.Assets == nil {
		return nil
	}
	root := filepath.FromSlash(r.cfg.Assets.Root)
	live := filepath.Join(r.cfg.Current(), root, assets.LedgerName)
	if _, err := os.Stat(live); err != nil || r.site.leadsTo(r.dir) {
		return nil
	}
	ledger, err := assets.OpenLedger(filepath.Join(r.dir, root))
	if err == nil {
		_, err = ledger.Inherit(ctx, filepath.Dir(live))
	}
	return err
}

// written reports whether somebody writes into a file of the release, by its
// slash path: it must not be one with the mirror's.
func (s buildStep) written(name string) bool {
	for _, shared := range s.cfg.Shared {
		if name == shared.Path || strings.HasPrefix(name, shared.Path+"/") {
			return true
		}
	}
	return s.edits.role(filepath.Join(s.edits.base, filepath.FromSlash(name))) != RoleOther
}

// writeRevision writes REVISION, unless the repository has one of its own.
func (s buildStep) writeRevision() error {
	f, err := os.OpenFile(filepath.Join(s.dir, revisionFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, s.plan.To.ID)
	return errors.Join(err, f.Close())
}

// SpaceError says that a release would not fit. Of Bytes and Inodes those are
// set of which there is too little.
type SpaceError struct {
	Dir                string
	Bytes, FreeBytes   uint64
	Inodes, FreeInodes uint64
}

func (e *SpaceError) Error() string {
	if e.Bytes > 0 {
		return fmt.Sprintf("%s: the release needs %s, and %s are free", e.Dir, megabytes(e.Bytes), megabytes(e.FreeBytes))
	}
	return fmt.Sprintf("%s: the release needs %d inodes, and %d are free", e.Dir, e.Inodes, e.FreeInodes)
}

// Hint tells what to do about it.
func (e *SpaceError) Hint() string {
	return "make room, for instance with a smaller keep, and release again"
}

func megabytes(n uint64) string { return fmt.Sprintf("%d MB", (n+1<<20-1)>>20) }

// reserve is what must be left for everybody else, and for what is edited.
const reserve = 16 << 20

// room refuses a release that does not fit.
func (s buildStep) room(files []treeFile, link bool) error {
	var st unix.Statfs_t
	if err := unix.Statfs(s.cfg.Dir, &st); err != nil {
		return &os.PathError{Op: "statfs", Path: s.cfg.Dir, Err: err}
	}
	bytes, inodes := uint64(reserve), uint64(len(files))
	for _, f := range files {
		if !f.mode.IsRegular() {
			continue
		}
		if link {
			inodes--
		} else {
			bytes += uint64(f.size)
		}
	}
	if free := st.Bavail * uint64(st.Bsize); bytes > free {
		return &SpaceError{Dir: s.cfg.Dir, Bytes: bytes, FreeBytes: free}
	}
	// Some file systems make inodes as they need them, and say 0.
	if st.Files > 0 && inodes > st.Ffree {
		return &SpaceError{Dir: s.cfg.Dir, Inodes: inodes, FreeInodes: st.Ffree}
	}
	return nil
}

// SharedError says that a shared file is nowhere to be had.
type SharedError struct{ Path, File string }

func (e *SharedError) Error() string {
	return fmt.Sprintf("shared %q: neither the repository nor %s has it", e.Path, e.File)
}

// Hint tells what to do about it.
func (e *SharedError) Hint() string {
	return "make that file, or, for a directory, write " + e.Path + "/ with the slash"
}

// sharedThere refuses, before anything is done, what share could not do.
func sharedThere(cfg *config.Config, view *tree) error {
	for _, shared := range cfg.Shared {
		file := filepath.Join(cfg.SharedDir(), filepath.FromSlash(shared.Path))
		if _, err := os.Lstat(file); err == nil || shared.Dir {
			continue
		}
		if _, err := view.Stat(shared.Path); errors.Is(err, fs.ErrNotExist) {
			return &SharedError{Path: shared.Path, File: file}
		} else if err != nil {
			return err
		}
	}
	return nil
}

// sharedLinked reports whether the release in dir has a link in the place of
// everything that is shared.
func sharedLinked(cfg *config.Config, dir string) bool {
	for _, shared := range cfg.Shared {
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(shared.Path)))
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return false
		}
	}
	return true
}

// share puts a link in the place of what all releases have in common. What the
// repository has there is where the shared one begins; after that it is not
// looked at. Links of the repository are followed within the release alone: it
// could have made one to anywhere, and what is in the way is removed.
func (s buildStep) share(release *os.Root, shared config.Shared) error {
	here := filepath.FromSlash(shared.Path)
	there := filepath.Join(s.cfg.SharedDir(), here)
	_, missing := os.Lstat(there)
	_, untracked := release.Lstat(here)
	if untracked != nil && !errors.Is(untracked, fs.ErrNotExist) {
		return fmt.Errorf("shared %q: %w", shared.Path, untracked)
	}
	var err error
	switch {
	case missing == nil:
		err = release.RemoveAll(here)
	case !errors.Is(missing, fs.ErrNotExist):
		err = missing
	case untracked == nil:
		if err = os.MkdirAll(filepath.Dir(there), 0o755); err == nil {
			err = os.Rename(filepath.Join(s.dir, here), there)
		}
	case shared.Dir:
		err = os.MkdirAll(there, 0o755)
	default:
		err = &SharedError{Path: shared.Path, File: there}
	}
	if err == nil {
		err = release.MkdirAll(filepath.Dir(here), 0o755)
	}
	if err != nil {
		return err
	}
	top, err1 := filepath.EvalSymlinks(s.dir)
	parent, err2 := filepath.EvalSymlinks(filepath.Join(s.dir, filepath.Dir(here)))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	// Where the link really is: its target counts from there.
	inside, err1 := filepath.Rel(top, parent)
	target, err2 := filepath.Rel(filepath.Join(s.dir, inside), there)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return release.Symlink(target, here)
}
