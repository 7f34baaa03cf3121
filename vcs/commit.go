package vcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
	"golang.org/x/sys/unix"

	"revstamp/vcs/internal/gitdir"
)

// CommitAll commits every file of a repository that Create made, deletions
// included and ignored files left out, and returns the commit's id. author is
// "Name <address>" and is the committer too; with the same files, parents,
// author and time the id is always the same. It is not for working copies with
// filters, large files or submodules, which it does not know, and refuses
// repositories inside, and a commit that would change nothing.
func CommitAll(ctx context.Context, dir, message, author string, when time.Time) (string, error) {
	id, err := commitAll(ctx, dir, message, author, when)
	if err != nil {
		return "", fmt.Errorf("commit in %q: %w", dir, err)
	}
	return id.String(), nil
}

func commitAll(ctx context.Context, dir, message, author string, when time.Time) (id gitdir.ID, err error) {
	wc, err := openGit(ctx, dir, Options{NoGit: true})
	if err != nil {
		return id, err
	}
	s, err := wc.(*gitCopy).look(ctx)
	if err != nil {
		return id, err
	}
	defer func() { err = errors.Join(err, s.objects.Sync()); s.close() }()
	ignored, err := gitignore.ReadPatterns(osfs.New(dir), nil)
	if err != nil {
		return id, err
	}
	a := adder{s: s, dir: dir, ignored: gitignore.NewMatcher(ignored)}
	tree, err := a.tree("")
	if err != nil {
		return id, err
	}
	if tree == s.tree() || s.commit == nil && len(a.tracked) == 0 {
		return id, errors.New("nothing has changed")
	}
	slices.SortFunc(a.tracked, func(x, y gitdir.IndexEntry) int { return strings.Compare(x.Path, y.Path) })
	text := fmt.Sprintf("tree %s\n", tree)
	if s.commit != nil {
		text += fmt.Sprintf("parent %s\n", s.commit.ID)
	}
	name, address, _ := strings.Cut(strings.TrimSuffix(author, ">"), "<")
	who := gitdir.Signature{Name: strings.TrimSpace(name), Email: strings.TrimSpace(address), When: when}
	text += fmt.Sprintf("author %s\ncommitter %s\n\n%s\n", who, who, strings.TrimRight(message, "\n"))
	if id, err = s.objects.Put(gitdir.KindCommit, []byte(text)); err != nil {
		return id, err
	}
	cacheTree, err := s.objects.CacheTree(tree, new(gitdir.Index))
	if err != nil {
		return id, err
	}
	if err := s.objects.Sync(); err != nil {
		return id, err
	}
	subject, _, _ := strings.Cut(message, "\n")
	branch := s.head.Branch
	if branch == "" {
		branch = "HEAD"
	}
	if err := s.SetRef(branch, id, s.head.ID, who, "commit: "+subject); err != nil {
		return id, err
	}
	return id, s.SetIndex(gitdir.EncodeIndex(slices.Values(a.tracked), len(a.tracked), cacheTree))
}

// adder stores the files of a directory.
type adder struct {
	s       *gitState
	dir     string
	ignored gitignore.Matcher
	tracked []gitdir.IndexEntry
}

// tree stores what is in a directory, whose path is empty or ends in a slash,
// and returns its tree, zero when it has no file.
func (a *adder) tree(path string) (id gitdir.ID, err error) {
	entries, err := os.ReadDir(filepath.Join(a.dir, path))
	if err != nil {
		return id, err
	}
	var found []gitdir.TreeEntry
	for _, e := range entries {
		name := path + e.Name()
		if name == ".git" || a.ignored.Match(strings.Split(name, "/"), e.IsDir()) {
			continue
		}
		if e.Name() == ".git" {
			return id, fmt.Errorf("%q is a repository of its own", strings.TrimSuffix(path, "/"))
		}
		var entry gitdir.Entry
		if e.IsDir() {
			entry.Mode = gitdir.ModeDir
			entry.ID, err = a.tree(name + "/")
		} else {
			entry, err = a.file(name)
		}
		if err != nil {
			return id, err
		}
		if !entry.ID.IsZero() {
			found = append(found, gitdir.TreeEntry{Name: e.Name(), Entry: entry})
		}
	}
	if len(found) == 0 && path != "" {
		return id, nil
	}
	return a.s.objects.Put(gitdir.KindTree, gitdir.EncodeTree(found))
}

// file stores a file or a symbolic link.
func (a *adder) file(path string) (gitdir.Entry, error) {
	name := filepath.Join(a.dir, path)
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return gitdir.Entry{}, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	e := gitdir.Entry{Mode: gitdir.FileMode(&st)}
	var content []byte
	var err error
	switch e.Mode {
	case gitdir.ModeSymlink:
		var target string
		target, err = os.Readlink(name)
		content = []byte(target)
	case gitdir.ModeRegular, gitdir.ModeExecutable:
		content, err = os.ReadFile(name)
	default:
		err = fmt.Errorf("%q is neither a file nor a link", path)
	}
	if err != nil {
		return e, err
	}
	if e.ID, err = a.s.objects.Put(gitdir.KindBlob, content); err != nil {
		return e, err
	}
	a.tracked = append(a.tracked, gitdir.IndexEntry{Path: path, Tracked: gitdir.Tracked{Entry: e, Stat: gitdir.StatOf(&st)}})
	return e, nil
}
