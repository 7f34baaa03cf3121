package vcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"revstamp/vcs/internal/gitdir"
)

// OwnerError says that a git working copy belongs to another user, who could
// have this one run any program by what is configured there (core.sshCommand,
// a filter). Git refuses it for the same reason, by the same rules.
type OwnerError struct {
	Dir   string // the working copy
	Path  string // what belongs to somebody else: it, .git or the git directory
	Owner string // a name, or a number without one
}

func (e *OwnerError) Error() string {
	return fmt.Sprintf("dubious ownership: %q belongs to %s", e.Path, e.Owner)
}

// Hint says what to do next.
func (e *OwnerError) Hint() string {
	return "to trust it: git config --global --add safe.directory " + e.Dir
}

// trust refuses the working copy of another user, unless the system's or the
// user's configuration names it (safe.directory), see git-config(1).
func (g *gitCopy) trust(ctx context.Context, repo *gitdir.Repo) error {
	foreign, err := foreignPart(repo)
	if foreign == nil || err != nil {
		return err
	}
	safe, err := g.host.safeDirectories(ctx)
	if err != nil {
		return err
	}
	if listedSafe(safe, g.dir) {
		return nil
	}
	return foreign
}

// foreignPart looks at the parts that git looks at.
func foreignPart(repo *gitdir.Repo) (*OwnerError, error) {
	for _, path := range []string{filepath.Join(repo.Work, ".git"), repo.Work, repo.Git} {
		info, err := os.Lstat(path)
		if err != nil {
			return nil, err
		}
		uid := info.Sys().(*syscall.Stat_t).Uid
		if ours(uid) {
			continue
		}
		owner := strconv.FormatUint(uint64(uid), 10)
		if u, err := user.LookupId(owner); err == nil {
			owner = u.Username
		}
		return &OwnerError{Dir: repo.Work, Path: path, Owner: owner}, nil
	}
	return nil, nil
}

// ours reports whether a user's files are trusted: our own, and for a root that
// came by sudo those of who called it.
func ours(uid uint32) bool {
	self := os.Geteuid()
	if int64(uid) == int64(self) {
		return true
	}
	caller, err := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32)
	return self == 0 && err == nil && uint64(uid) == caller
}

// listedSafe judges by values of safe.directory. An empty one begins anew.
func listedSafe(values []string, dir string) bool {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir
	}
	safe := false
	for _, v := range values {
		if rest, home := strings.CutPrefix(v, "~/"); home {
			v = filepath.Join(os.Getenv("HOME"), rest)
		}
		switch below, star := strings.CutSuffix(v, "/*"); {
		case v == "":
			safe = false
		case v == "*":
			safe = true
		case star:
			safe = safe || strings.HasPrefix(real, below+"/")
		default:
			v = filepath.Clean(v)
			safe = safe || v == dir || v == real
		}
	}
	return safe
}

// safeDirectories reads safe.directory where a repository has no say.
func safeDirectories(more ...string) (values []string, whole bool, err error) {
	if configuredByEnv() {
		return nil, false, nil
	}
	c := new(gitdir.Config)
	for _, file := range configFiles(more) {
		if err := c.Read(file); err != nil && !errors.Is(err, fs.ErrPermission) {
			return nil, false, err
		}
	}
	return c.All("safe.directory"), len(c.Includes) == 0, nil
}
