package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/stamp/atomicfile"
)

// CurrentError says that where the link to the live release should be there is
// something else.
type CurrentError struct{ Path string }

func (e *CurrentError) Error() string {
	return fmt.Sprintf("%s is no symbolic link", e.Path)
}

// Hint tells what to do about it.
func (e *CurrentError) Hint() string {
	return "move it away: it becomes the link to the live release, which the web server is to serve"
}

// checkCurrent refuses a site whose link cannot be switched.
func (s *Site) checkCurrent() error {
	info, err := os.Lstat(s.Config.Current())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && info.Mode()&fs.ModeSymlink == 0:
		return &CurrentError{Path: s.Config.Current()}
	}
	return err
}

// leadsTo reports whether visitors have the release in dir.
func (s *Site) leadsTo(dir string) bool {
	now, err1 := os.Stat(s.Config.Current())
	want, err2 := os.Stat(dir)
	return err1 == nil && err2 == nil && os.SameFile(now, want)
}

// Astray reports whether visitors have something else than the live release: in the
// releases layout, where the link or the directory was removed, or changed by hand.
func (s *Site) Astray(live *Release) bool {
	return s.Config.Layout == config.Releases && live.Dir != "" && !s.leadsTo(s.state.path(live.Dir))
}

// switchStep makes a release the one that visitors have: the computed files are
// put in place in it, all of it is brought to the disk, and then the link
// current leads there, from one moment to the next.
type switchStep struct{ *run }

func (switchStep) Name() string { return "activate" }

func (s switchStep) Run(ctx context.Context) (string, error) {
	if !s.built {
		if err := s.complete(ctx); err != nil {
			return "", err
		}
	} else if err := s.inheritAssets(ctx); err != nil {
		s.site.observer().Warn("open pages may miss their assets: %v", err)
	}
	s.tellEdited()
	target, err := filepath.Rel(s.cfg.Dir, s.dir)
	if err != nil {
		return "", err
	}
	if err := s.point(ctx, target); err != nil {
		return "", err
	}
	if !s.site.leadsTo(s.dir) {
		return "", fmt.Errorf("after the switch %s does not lead to %s", s.cfg.Current(), s.dir)
	}
	return "current → " + filepath.ToSlash(target), nil
}

// complete puts the last files into a new release and writes down what it is
// made of.
func (s switchStep) complete(ctx context.Context) error {
	if _, err := s.commit(ctx); err != nil {
		return err
	}
	if _, err := s.compress(ctx); err != nil {
		return err
	}
	if err := s.site.state.writeTree(s.dir, s.skip); err != nil {
		return err
	}
	return syncfs(s.dir)
}

// tellEdited warns of configuration in the live release that somebody changed
// by hand: it stays there, and visitors will have another.
func (s switchStep) tellEdited() {
	since := s.plan.Since
	if since == nil || since.Dir == s.release.Dir {
		return
	}
	for _, name := range s.site.handEdited(since) {
		s.site.observer().Warn("%s was edited by hand in release %s; the edit stays there", name, since.ID)
	}
}

// point makes current lead to target.
func (r *run) point(ctx context.Context, target string) error {
	var batch atomicfile.Batch
	batch.Symlink(r.cfg.Current(), target, r.files())
	return batch.Commit(ctx)
}

// Undo makes current lead where it did before.
func (s switchStep) Undo(ctx context.Context) error {
	if !s.site.leadsTo(s.dir) {
		return Skip("never switched")
	}
	if s.release.Before != "" {
		return s.point(ctx, s.release.Before)
	}
	var batch atomicfile.Batch
	batch.Remove(s.cfg.Current(), s.files())
	return batch.Commit(ctx)
}

// syncfs brings everything on the file system of dir to the disk.
func syncfs(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: dir, Err: err}
	}
	return nil
}
