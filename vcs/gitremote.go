package vcs

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"revstamp/vcs/internal/gitdir"
)

// directory is where a URL leads when that is on this machine, else "".
func (s *gitState) directory(address string) string {
	path, isFile := strings.CutPrefix(address, "file://")
	switch {
	case isFile:
		if plain, err := url.PathUnescape(path); err == nil { // as git does, of URLs alone
			return plain
		}
		return path
	case address == "" || strings.Contains(address, "://") || remoteHelper(address) != "" || scpLike(address):
		return ""
	case filepath.IsAbs(address):
		return address
	}
	return filepath.Join(s.Work, address)
}

// remoteHelper is the program that a URL of the form helper::address names.
func remoteHelper(url string) string {
	helper, _, ok := strings.Cut(url, "::")
	if !ok || strings.ContainsAny(helper, "/:[") {
		return ""
	}
	return helper
}

// scpLike reports whether a URL is of the form host:path.
func scpLike(url string) bool {
	host, _, ok := strings.Cut(url, ":")
	return ok && !strings.Contains(host, "/")
}

// listPlain lists the refs of a repository on this machine as git would, without
// the three processes that this takes git. It is not ok where git might answer
// otherwise: it hides refs, refuses the repository of another user, and reads
// bundles and formats that we do not.
func listPlain(dir string) (all map[string]gitdir.ID, ok bool) {
	repo, err := gitdir.OpenBare(dir)
	if err != nil {
		return nil, false
	}
	info, err := os.Stat(repo.Git)
	if err != nil || !ours(info.Sys().(*syscall.Stat_t).Uid) {
		return nil, false
	}
	config, whole, err := userConfig(repo)
	if err != nil || !whole || config.All("transfer.hiderefs") != nil || config.All("uploadpack.hiderefs") != nil {
		return nil, false
	}
	all, err = listRepo(repo)
	return all, err == nil
}

// listDirectory lists the refs of a repository on this machine.
func listDirectory(dir string) (map[string]gitdir.ID, error) {
	repo, err := gitdir.OpenBare(dir)
	if err != nil {
		return nil, err
	}
	return listRepo(repo)
}

// listRepo lists refs as "git ls-remote" does: an annotated tag has a second
// line, its name and "^{}", for the commit it ends at.
func listRepo(repo *gitdir.Repo) (map[string]gitdir.ID, error) {
	objects, err := repo.Objects()
	if err != nil {
		return nil, err
	}
	defer objects.Close() // only read
	head, err := repo.Head()
	if err != nil {
		return nil, err
	}
	refs, err := repo.Refs("refs/")
	if err != nil {
		return nil, err
	}
	all := make(map[string]gitdir.ID, len(refs)+1)
	if !head.ID.IsZero() {
		all["HEAD"] = head.ID
	}
	for name, ref := range refs {
		all[name] = ref.ID
		peeled := ref.Peeled
		if !ref.Told && strings.HasPrefix(name, "refs/tags/") {
			if c, err := objects.Commit(ref.ID); err == nil && c.ID != ref.ID {
				peeled = c.ID
			}
		}
		if !peeled.IsZero() {
			all[name+"^{}"] = peeled
		}
	}
	return all, nil
}

// among keeps the refs that are among patterns, which may end in a star. What git
// would not let be the name of a ref is left out: it is the remote's to choose, and
// is to name a file here.
func among(all map[string]gitdir.ID, patterns []string) map[string]gitdir.ID {
	for name := range all {
		ref := strings.TrimSuffix(name, "^{}")
		if !validRef(ref) || !matches(ref, patterns) {
			delete(all, name)
		}
	}
	return all
}

func matches(name string, patterns []string) bool {
	for _, p := range patterns {
		prefix, star := strings.CutSuffix(p, "*")
		if name == p || star && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
