package vcs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
