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
)

// Create makes an empty git repository in dir, which is created if missing,
// with the branch main. It needs no git client, and is for new repositories
// only: a dir that is one already is an error.
func Create(_ context.Context, dir string) error {
	git := filepath.Join(dir, ".git")
	if _, err := os.Lstat(git); err == nil {
		return fmt.Errorf("create git repository %q: it is there already", dir)
	}
	for _, sub := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(git, sub), 0o777); err != nil {
			return err
		}
	}
	const config = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"
	// HEAD last: without it a directory is no repository.
	return errors.Join(
		os.WriteFile(filepath.Join(git, "config"), []byte(config), 0o666),
		os.WriteFile(filepath.Join(git, "HEAD"), []byte("ref: refs/heads/main\n"), 0o666),
	)
}

// Clone copies a git repository, by URL or path, into dir, which must be
// missing or empty, and checks out the remote's default branch, which main, or
// else the only branch, is taken for. It needs no git client, and knows no
// filters, submodules or authentication but what the URL holds. A Clone that
// fails leaves what it did so far.
func Clone(ctx context.Context, url, dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("clone into %q: not empty", dir)
	}
	if err := Create(ctx, dir); err != nil {
		return err
	}
	if err := configureClone(url, dir); err != nil {
		return err
	}
	wc, err := Open(ctx, dir, Options{NoGit: true})
	if err != nil {
		return err
	}
	g := wc.(*gitCopy)
	branch, err := g.remoteDefault(ctx)
	if err != nil {
		return fmt.Errorf("clone %s: %w", publicURL(url), err)
	}
	if err := followBranch(filepath.Join(dir, ".git"), branch); err != nil {
		return err
	}
	t, err := wc.Resolve(ctx, "", nil)
	if err != nil {
		return err
	}
	return wc.Update(ctx, t, Update{Write: func(_ context.Context, writes []Write) error {
		return writeNew(dir, writes)
	}})
}

// configureClone names the remote. Relative paths become absolute: they would
// mean another place in the new directory.
func configureClone(url, dir string) error {
	if info, err := os.Stat(url); err == nil && info.IsDir() {
		if url, err = filepath.Abs(url); err != nil {
			return err
		}
	}
	if strings.ContainsAny(url, "\n\"\\") {
		return fmt.Errorf("clone %q: not a URL", url)
	}
	return appendFile(filepath.Join(dir, ".git", "config"),
		fmt.Sprintf("[remote \"origin\"]\n\turl = %q\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n", url))
}

// followBranch puts HEAD on a branch that follows the remote's.
func followBranch(gitDir, branch string) error {
	if err := os.WriteFile(filepath.Join(gitDir, "HEAD"), []byte("ref: refs/heads/"+branch+"\n"), 0o666); err != nil {
		return err
	}
	return appendFile(filepath.Join(gitDir, "config"),
		fmt.Sprintf("[branch %q]\n\tremote = origin\n\tmerge = refs/heads/%s\n", branch, branch))
}

func appendFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func (g *gitCopy) remoteDefault(ctx context.Context) (string, error) {
	s, err := g.look(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	heads, err := g.host.list(ctx, s, "origin", []string{"refs/heads/*"})
	if err != nil {
		return "", err
	}
	var names []string
	for name := range heads {
		names = append(names, strings.TrimPrefix(name, "refs/heads/"))
	}
	slices.Sort(names)
	for _, usual := range []string{"main", "master"} {
		if slices.Contains(names, usual) {
			return usual, nil
		}
	}
	if len(names) != 1 {
		return "", fmt.Errorf("which of the branches %q is meant", names)
	}
	return names[0], nil
}

// writeNew writes files where nobody looks yet.
func writeNew(dir string, writes []Write) error {
	for _, w := range writes {
		file := filepath.Join(dir, filepath.FromSlash(w.Path))
		if w.Delete {
			continue // nothing was there
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		content, err := w.Content()
		if err != nil {
			return err
		}
		if w.Mode&fs.ModeSymlink != 0 {
			err = os.Symlink(string(content), file)
		} else {
			err = os.WriteFile(file, content, w.Mode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
