package vcs

import (
	"context"
	"os"
	"path/filepath"
)

// systems are what marks the top of a working copy, in the order of looking.
var systems = []struct {
	mark string
	open func(ctx context.Context, top string, o Options) (WorkingCopy, error)
}{
	{".git", openGit},
	{".svn", openSvn},
	{".hg", openHg},
}

// Open finds the system in charge of dir, which must be the top of a working
// copy: a directory below one would silently be taken for its parent, so it is
// refused with the top's name (*NotWorkingCopyError, which is
// ErrNotWorkingCopy). Open runs no client.
func Open(ctx context.Context, dir string, o Options) (WorkingCopy, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(abs); err != nil {
		return nil, err
	}
	for _, s := range systems {
		if marked(abs, s.mark) {
			return s.open(ctx, abs, o)
		}
	}
	return nil, &NotWorkingCopyError{Dir: abs, Top: above(abs)}
}

func marked(dir, mark string) bool {
	_, err := os.Lstat(filepath.Join(dir, mark))
	return err == nil
}

// above returns the nearest directory above dir that is a working copy, or "".
func above(dir string) string {
	for parent := filepath.Dir(dir); parent != dir; dir, parent = parent, filepath.Dir(parent) {
		for _, s := range systems {
			if marked(parent, s.mark) {
				return parent
			}
		}
	}
	return ""
}
