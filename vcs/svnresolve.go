package vcs

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (w *svnCopy) Resolve(ctx context.Context, want string, own Own) (*Target, error) {
	t, st, err := w.resolve(ctx, want)
	if err != nil {
		return nil, err
	}
	if st.interrupted {
		return t, nil
	}
	l, err := w.judge(ctx, st, own)
	if err != nil {
		return nil, err
	}
	if err := l.refuse(); err != nil {
		return nil, err
	}
	_, err = w.inTheWay(ctx, t, own)
	return t, err
}

var svnNumber = regexp.MustCompile(`^r?(\d{1,18})$`)

// resolve asks the server once for its newest revision, or whether it has the
// one asked for, and for what is to come.
func (w *svnCopy) resolve(ctx context.Context, want string) (*Target, *svnStatus, error) {
	at := "HEAD"
	if want != "" && want != "HEAD" {
		m := svnNumber.FindStringSubmatch(want)
		if m == nil {
			return nil, nil, &UnknownRevisionError{Want: want, Detail: "svn wants a number, or HEAD"}
		}
		at = m[1]
	}
	st, err := w.status(ctx, "-u", "-r", at)
	var failed *ClientError
	if errors.As(err, &failed) && strings.Contains(failed.Stderr, "E160006") {
		return nil, nil, &UnknownRevisionError{Want: want, Detail: "the repository has none of that number"}
	}
	if err != nil {
		return nil, nil, err
	}
	s, err := w.span(ctx)
	if err != nil {
		return nil, nil, err
	}
	t := &Target{From: s.String(false)}
	info, err := w.info(ctx)
	if err != nil {
		return nil, nil, err
	}
	t.Now, t.Revision = s.revision(info), info.revision(st.against)
	return t, st, w.describe(ctx, t, st, s)
}

// describe fills in the changes and the commits, for which the server is only
// asked when there are any.
func (w *svnCopy) describe(ctx context.Context, t *Target, st *svnStatus, s span) error {
	incoming := make(map[string]bool)
	for _, e := range st.entries {
		if !plain(e.Remote.Item) || !plain(e.Remote.Props) {
			incoming[e.Path] = true
		}
	}
	if len(incoming) == 0 {
		return nil
	}
	from, to := strconv.FormatInt(s.low, 10), t.Revision.ID
	files, err := w.differences(ctx, from, to)
	if err != nil {
		return err
	}
	if s.low != s.high {
		if files, err = w.mixedDifferences(ctx, files, incoming, s, to); err != nil {
			return err
		}
	}
	for _, f := range files {
		op := Changed
		switch f.Item {
		case "added":
			op = Added
		case "deleted":
			op = Deleted
		}
		t.Changes = append(t.Changes, Change{Path: f.Path, Op: op})
	}
	slices.SortFunc(t.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	if st.against > s.low {
		if t.Commits, err = w.history(ctx, strconv.FormatInt(s.low+1, 10), to); err != nil {
			return err
		}
	}
	if len(t.Commits) > 0 {
		t.Revision.Author, t.Revision.Date = t.Commits[0].Author, t.Commits[0].Date
		return nil
	}
	then, err := w.info(ctx, "-r", to)
	if err != nil {
		return err
	}
	t.Revision.Author, t.Revision.Date = then.Commit.Author, then.Commit.Date
	return nil
}

// mixedDifferences corrects the differences from a mixed working copy's lowest
// revision by those from its highest, and by what status says is out of date:
// files that were updated already do not change, and files that are newer than
// the target do.
func (w *svnCopy) mixedDifferences(ctx context.Context, low []svnPath, incoming map[string]bool, s span, to string) ([]svnPath, error) {
	high, err := w.differences(ctx, strconv.FormatInt(s.high, 10), to)
	if err != nil {
		return nil, err
	}
	var files []svnPath
	met := make(map[string]bool)
	for _, f := range append(low, high...) {
		if !met[f.Path] && arrives(incoming, f.Path) {
			met[f.Path] = true
			files = append(files, f)
		}
	}
	for path := range incoming { // changed and changed back in between
		info, err := os.Lstat(filepath.Join(w.dir, filepath.FromSlash(path)))
		if err == nil && !info.IsDir() && !met[path] {
			files = append(files, svnPath{Path: path, Item: "modified"})
		}
	}
	return files, nil
}

// arrives reports whether a path, or a directory it lies in, is out of date.
func arrives(incoming map[string]bool, path string) bool {
	for {
		if incoming[path] {
			return true
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return false
		}
		path = path[:i]
	}
}

// inTheWay looks for files that are not under version control where others will
// be added. Those that will come anyway may stay, which svn must be told.
func (w *svnCopy) inTheWay(ctx context.Context, t *Target, own Own) (force bool, err error) {
	var blocked []string
	for _, c := range t.Changes {
		if c.Op != Added {
			continue
		}
		file := filepath.Join(w.dir, filepath.FromSlash(c.Path))
		info, err := os.Lstat(file)
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
