package vcs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// CloneOptions say what Clone makes. The zero value is a working copy of git,
// at the newest commit of the remote's default branch.
type CloneOptions struct {
	Options

	// System is "git", "svn" or "hg"; "" is git.
	System string

	// Revision is what the working copy shall be at, as for
	// WorkingCopy.Resolve; "" is the newest of the default branch. A branch of
	// git or hg is checked out, so that updates follow it. With a tag or an id
	// git has the default branch checked out, at that commit.
	Revision string

	// Linked says that the files will get further hard links, which changes their
	// ctime: git is configured to look at everything else (core.trustctime).
	Linked bool
}

// Clone makes a working copy in dir, which must be missing or empty, of the
// repository at a URL or path (for svn, of a directory in one). It asks
// nothing: a password that is needed is in the URL, in Options, or where the
// client keeps it.
//
// After an error dir is as it was. A Clone that was killed leaves a part, which
// another does not write over.
//
// For git no client is needed, but for what *UnsupportedError names. Its
// default branch is one at which the remote's HEAD is: main or master before
// others.
func Clone(ctx context.Context, from, dir string, o CloneOptions) error {
	if err := cloneInto(ctx, from, dir, o); err != nil {
		return fmt.Errorf("clone %s: %w", publicURL(from), err)
	}
	return nil
}

// cloners make a working copy in an empty directory. from is no option.
var cloners = map[string]func(ctx context.Context, from, dir string, o CloneOptions) error{
	"git": cloneGit,
	"svn": cloneSvn,
	"hg":  cloneHg,
}

func cloneInto(ctx context.Context, from, dir string, o CloneOptions) (err error) {
	clone, ok := cloners[cmp.Or(o.System, "git")]
	switch {
	case !ok:
		return fmt.Errorf("no version control system is called %q", o.System)
	case from == "" || strings.HasPrefix(from, "-") || strings.ContainsAny(from, "\n\x00"):
		return fmt.Errorf("%q is no URL", from)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	// A relative path would mean another place in the new directory.
	if info, err := os.Stat(from); err == nil && info.IsDir() {
		if from, err = filepath.Abs(from); err != nil {
			return err
		}
	}
	there, err := os.ReadDir(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing:
		err = os.MkdirAll(dir, 0o777)
	case len(there) > 0:
		err = fmt.Errorf("%q is not empty", dir)
	}
	if err != nil {
		return err
	}
	if err := clone(ctx, from, dir, o); err != nil {
		return errors.Join(err, undoClone(dir, missing))
	}
	return nil
}

func undoClone(dir string, missing bool) error {
	if missing {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

func cloneGit(ctx context.Context, from, dir string, o CloneOptions) error {
	if err := Create(ctx, dir); err != nil {
		return err
	}
	git := filepath.Join(dir, ".git")
	if err := nameRemote(git, from); err != nil {
		return err
	}
	if o.Linked {
		if err := appendFile(filepath.Join(git, "config"), "[core]\n\ttrustctime = false\n"); err != nil {
			return err
		}
	}
	wc, err := openGit(ctx, dir, o.Options)
	if err != nil {
		return err
	}
	branch, rest, err := wc.(*gitCopy).branchFor(ctx, o.Revision)
	if err != nil {
		return err
	}
	if err := followBranch(git, branch); err != nil {
		return err
	}
	t, err := wc.Resolve(ctx, rest, nil)
	if err != nil {
		return err
	}
	return wc.Update(ctx, t, Update{Write: func(_ context.Context, writes []Write) error {
		return writeNew(dir, writes)
	}})
}

// nameRemote calls where the repository came from origin.
func nameRemote(git, from string) error {
	return appendFile(filepath.Join(git, "config"),
		fmt.Sprintf("[remote \"origin\"]\n\turl = %s\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n", gitQuoted(from)))
}

// gitQuoted is a value as git's configuration files quote it.
func gitQuoted(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(value) + `"`
}

// followBranch puts HEAD on a branch that follows the remote's.
func followBranch(git, branch string) error {
	if err := os.WriteFile(filepath.Join(git, "HEAD"), []byte("ref: refs/heads/"+branch+"\n"), 0o666); err != nil {
		return err
	}
	return appendFile(filepath.Join(git, "config"),
		fmt.Sprintf("[branch %s]\n\tremote = origin\n\tmerge = %s\n", gitQuoted(branch), gitQuoted("refs/heads/"+branch)))
}

func appendFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// branchFor returns the branch to check out for a wanted revision: that one,
// when it is a branch of the remote; otherwise the default one, and what Resolve
// is to be asked for then.
func (g *gitCopy) branchFor(ctx context.Context, want string) (branch, rest string, err error) {
	s, err := g.look(ctx)
	if err != nil {
		return "", "", err
	}
	defer s.close()
	refs, err := g.host.list(ctx, s, "origin", []string{"HEAD", "refs/heads/*"})
	if err != nil {
		return "", "", err
	}
	name := strings.TrimPrefix(strings.TrimPrefix(want, "refs/heads/"), "origin/")
	if _, ok := refs["refs/heads/"+name]; ok && want != "" {
		return name, "", nil
	}
	head, known := refs["HEAD"]
	for _, usual := range []string{"main", "master"} {
		if id, ok := refs["refs/heads/"+usual]; ok && (!known || id == head) {
			return usual, want, nil
		}
	}
	for ref, id := range refs {
		if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok && known && id == head && (branch == "" || name < branch) {
			branch = name
		}
	}
	if branch == "" {
		return "", "", errors.New("the remote's HEAD is at no branch: name one")
	}
	return branch, want, nil
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

func cloneSvn(ctx context.Context, from, dir string, o CloneOptions) error {
	wc, err := openSvn(ctx, dir, o.Options)
	if err != nil {
		return err
	}
	if filepath.IsAbs(from) {
		from = (&url.URL{Scheme: "file", Path: from}).String()
	}
	args := []string{"checkout", "--quiet"}
	switch m := svnNumber().FindStringSubmatch(o.Revision); {
	case m != nil:
		args = append(args, "--revision", m[1])
	case o.Revision != "" && o.Revision != "HEAD":
		return &UnknownRevisionError{Want: o.Revision}
	}
	// An @ behind the URL, so that one in it names no revision.
	_, err = wc.(*svnCopy).svn(ctx, append(args, from+"@", ".")...)
	return err
}

func cloneHg(ctx context.Context, from, dir string, o CloneOptions) error {
	path, err := exec.LookPath("hg")
	if err != nil {
		return &UnsupportedError{System: "hg", Feature: "a Mercurial repository", Install: "mercurial"}
	}
	hg := client{path: path, dir: dir, env: hgEnv(), log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler))}
	args := []string{"clone", "--noninteractive", "--quiet"}
	if o.Revision != "" {
		args = append(args, "--updaterev="+o.Revision)
	}
	_, err = hg.run(ctx, append(args, "--", from, dir)...)
	return err
}
