package vcs

import (
	"os"
	"path/filepath"
	"strings"

	"revstamp/vcs/internal/gitdir"
)

// userConfig reads the configuration of the system, the user and the
// repository, in that order, as git does. It is not whole when files include
// others, or the environment adds to them.
func userConfig(repo *gitdir.Repo, more ...string) (c *gitdir.Config, whole bool, err error) {
	if configuredByEnv() {
		return nil, false, nil
	}
	c = new(gitdir.Config)
	for _, file := range append(configFiles(more), filepath.Join(repo.Common, "config")) {
		if err := c.Read(file); err != nil {
			return nil, false, err
		}
	}
	if c.Bool("extensions.worktreeconfig", false) {
		if err := c.Read(filepath.Join(repo.Git, "config.worktree")); err != nil {
			return nil, false, err
		}
	}
	return c, len(c.Includes) == 0, nil
}

// configuredByEnv reports whether the environment adds to the configuration.
func configuredByEnv() bool {
	return os.Getenv("GIT_CONFIG_COUNT") != "" || os.Getenv("GIT_CONFIG_PARAMETERS") != ""
}

// configFiles are the system's and the user's files.
func configFiles(more []string) []string {
	var files []string
	switch system, set := os.LookupEnv("GIT_CONFIG_SYSTEM"); {
	case os.Getenv("GIT_CONFIG_NOSYSTEM") != "":
	case set:
		files = append(files, system)
	default:
		files = append(append(files, more...), "/etc/gitconfig")
	}
	if global, set := os.LookupEnv("GIT_CONFIG_GLOBAL"); set {
		return append(files, global)
	}
	home := os.Getenv("HOME")
	if xdg := xdgGit(); xdg != "" {
		files = append(files, filepath.Join(xdg, "config"))
	}
	if home != "" {
		files = append(files, filepath.Join(home, ".gitconfig"))
	}
	return files
}

// xdgGit is the directory of the user's git files besides ~/.gitconfig.
func xdgGit() string {
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "git")
	}
	if home := os.Getenv("HOME"); home != "" {
		return filepath.Join(home, ".config", "git")
	}
	return ""
}

// elsewhere reports whether the repository's files are told to lie in another
// directory than the one that led to it.
func elsewhere(repo *gitdir.Repo) bool {
	dir := repo.Config.String("core.worktree")
	if dir == "" {
		return false
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(repo.Git, dir)
	}
	there, err1 := os.Stat(dir)
	here, err2 := os.Stat(repo.Work)
	return err1 != nil || err2 != nil || !os.SameFile(there, here)
}

// insteadOf rewrites a URL by url.<base>.insteadOf, the longest match, as git
// does itself where it runs.
func insteadOf(c *gitdir.Config, url string) string {
	best, base := "", ""
	for _, key := range c.Keys("url.") {
		b, ok := strings.CutSuffix(strings.TrimPrefix(key, "url."), ".insteadof")
		if !ok {
			continue
		}
		for _, prefix := range c.All(key) {
			if strings.HasPrefix(url, prefix) && len(prefix) > len(best) {
				best, base = prefix, b
			}
		}
	}
	return base + strings.TrimPrefix(url, best)
}
