package vcs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
)

func (w *svnCopy) Resolve(ctx context.Context, want string, own Own) (*Target, error) {
	t, st, err := w.resolve(ctx, want)
	if err != nil {
		return nil, err
	}
	if st.interrupted {
		return t, nil
	}
	l, err := w.judge(ctx, st, own, nil)
	if err != nil {
		return nil, err
	}
	if err := l.unable(); err != nil {
		return nil, err
	}
	_, err = w.inTheWay(ctx, t, own)
	return refused(t, refuseBoth(l.foreign, err))
}

// resolve asks the server once for its newest revision, or whether it has the
// one asked for, and for what is to come.
func (w *svnCopy) resolve(ctx context.Context, want string) (*Target, *svnStatus, error) {
	at, err := svnRevision(cmp.Or(want, "HEAD"))
	if err != nil {
		return nil, nil, err
	}
	info, err := w.info(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := w.serverOf(info); err != nil {
		return nil, nil, err
	}
	st, s, err := w.look(ctx, "-u", "-r", at, "--ignore-externals")
	if err != nil {
		return nil, nil, unknownRevision(err, want)
	}
	t := &Target{From: s.String(false)}
	t.Now, t.Revision = s.revision(info), info.revision(st.against)
	if s.mixed() {
		if t.Now.LastChanged, err = w.lastChanged(ctx); err != nil {
			return nil, nil, err
		}
	}
	var externals []svnProperty
	if len(st.externals) > 0 {
		if externals, err = w.externals(ctx, "-R", "."); err != nil {
			return nil, nil, err
		}
		if err := unpinned(externals); err != nil {
			return nil, nil, err
		}
	}
	return t, st, w.describe(ctx, t, st, s, externals)
}

// describe fills in the changes and the commits, for which the server is only
// asked when there are any.
func (w *svnCopy) describe(ctx context.Context, t *Target, st *svnStatus, s span, externals []svnProperty) error {
	if !slices.ContainsFunc(st.entries, svnEntry.outOfDate) {
		return nil
	}
	from, to := "BASE", t.Revision.ID
	if !s.mixed() {
		from = strconv.FormatInt(s.low, 10) // all that svn need not look at the files for
	}
	var paths []svnPath
	err := both(func() (err error) {
		paths, err = w.differences(ctx, st, from, to)
		return err
	}, func() (err error) {
		if st.against > s.low {
			t.Commits, err = w.history(ctx, strconv.FormatInt(s.low+1, 10), to)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := w.sameExternals(ctx, paths, externals, to); err != nil {
		return err
	}
	t.Changes = changesOf(paths)
	if len(t.Commits) > 0 {
		t.Revision.Author, t.Revision.Date = t.Commits[0].Author, t.Commits[0].Date
		t.Revision.LastChanged, err = strconv.ParseInt(t.Commits[0].ID, 10, 64)
		return err
	}
	then, err := w.info(ctx, "-r", to)
	if err != nil {
		return err
	}
	t.Revision.Author, t.Revision.Date, t.Revision.LastChanged = then.Commit.Author, then.Commit.Date, then.Commit.Revision
	return nil
}

// inTheWay looks for files that are not under version control where others will
// be added. Those that will come anyway may stay, which svn must be told.
func (w *svnCopy) inTheWay(ctx context.Context, t *Target, own Own) (force bool, err error) {
	var blocked []string
	gone := deletions(t.Changes)
	for _, c := range t.Changes {
		if c.Op != Added {
			continue
		}
		file := filepath.Join(w.dir, filepath.FromSlash(c.Path))
		info, err := os.Lstat(file)
		if gone.above(c.Path) || err == nil && info.IsDir() && gone.all(w.dir, c.Path) {
			continue // a file becomes a directory, or a directory a file
		}
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Lstat(filepath.Dir(file)); err == nil && filepath.Dir(c.Path) != "." {
				force = true // an empty directory is enough for svn to stumble
			}
			continue
		}
		if err != nil {
			blocked = append(blocked, c.Path) // below what is no directory
			continue
		}
		same := info.Mode().IsRegular()
		if same {
			if same, err = w.sameAsTarget(ctx, t, c.Path, own); err != nil {
				return false, err
			}
		}
		if !same {
			blocked = append(blocked, c.Path)
		}
		force = true
	}
	if len(blocked) > 0 {
		return false, &UntrackedError{Files: blocked}
	}
	return force, nil
}

// deleted are the files that changes delete; the value is false for the
// directories above them.
type deleted map[string]bool

func deletions(changes []Change) deleted {
	d := make(deleted)
	for _, c := range changes {
		if c.Op != Deleted {
			continue
		}
		for dir := path.Dir(c.Path); dir != "."; dir = path.Dir(dir) {
			if !d[dir] {
				d[dir] = false
			}
		}
		d[c.Path] = true
	}
	return d
}

// above reports whether one of the directories of name is a file that goes.
func (d deleted) above(name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if d[dir] {
			return true
		}
	}
	return false
}

// all reports whether the directory name in top holds nothing but what goes.
func (d deleted) all(top, name string) bool {
	err := fs.WalkDir(os.DirFS(top), name, func(name string, e fs.DirEntry, err error) error {
		file, known := d[name]
		if err == nil && (!known || file == e.IsDir()) {
			err = fs.ErrExist
		}
		return err
	})
	return err == nil
}

func (w *svnCopy) sameAsTarget(ctx context.Context, t *Target, path string, own Own) (bool, error) {
	want, err := w.Read(ctx, t, path)
	if err != nil {
		return false, err
	}
	got, err := readRegular(filepath.Join(w.dir, filepath.FromSlash(path)))
	if err != nil {
		return false, err
	}
	return bytes.Equal(want, got) || own != nil && own(path, want, got), nil
}
