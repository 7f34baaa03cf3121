package vcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"revstamp/vcs/internal/gitdir"
)

// goGit does without the git program: go-git talks to servers, and repositories
// on this machine are read and copied as files, for which go-git would run
// git-upload-pack. Of go-git's working tree nothing is used: its Pull moves HEAD
// before it fails on a locally stamped file, and its Status does not know git's
// filters. Nor is anything that brings in its support of ssh and signatures,
// which takes a process longer to initialise than to look at a working copy.
type goGit struct {
	log *slog.Logger
}

func (h *goGit) config(_ context.Context, repo *gitdir.Repo) (*gitdir.Config, error) {
	c, whole, err := userConfig(repo)
	if err != nil {
		return nil, err
	}
	if !whole {
		return nil, &UnsupportedError{System: "git", Feature: "configuration that includes other files", Install: "git"}
	}
	return c, nil
}

func (h *goGit) safeDirectories(context.Context) ([]string, error) {
	values, whole, err := safeDirectories()
	if err == nil && !whole {
		err = &UnsupportedError{System: "git", Feature: "configuration that includes other files", Install: "git"}
	}
	return values, err
}

// where is the URL to talk to, and the directory when it is one of this machine.
func (h *goGit) where(s *gitState, remote string) (url, dir string, err error) {
	url = insteadOf(s.config, s.url(remote))
	if url == "" {
		return "", "", fmt.Errorf("git remote %q has no URL", remote)
	}
	if dir := s.directory(url); dir != "" {
		return url, dir, nil
	}
	feature := ""
	switch scheme, _, isURL := strings.Cut(url, "://"); {
	case remoteHelper(url) != "":
		feature = "the remote helper " + remoteHelper(url)
	case !isURL || strings.Contains(scheme, "ssh"):
		feature = "an ssh remote"
	default:
		return url, "", nil
	}
	return "", "", &UnsupportedError{System: "git", Feature: feature, Install: "git"}
}

func (h *goGit) list(ctx context.Context, s *gitState, remote string, names []string) (map[string]gitdir.ID, error) {
	url, dir, err := h.where(s, remote)
	if err != nil {
		return nil, err
	}
	var all map[string]gitdir.ID
	if dir != "" {
		all, err = listDirectory(dir)
	} else {
		all, err = listURL(ctx, s, url)
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", publicURL(url), err)
	}
	return among(all, names), nil
}

func (h *goGit) fetch(ctx context.Context, s *gitState, remote string, refs []string) error {
	url, dir, err := h.where(s, remote)
	if err != nil {
		return err
	}
	if s.partial() { // deltas may build on what is not here
		return &UnsupportedError{System: "git", Feature: "a fetch into a partial clone", Install: "git"}
	}
	start := time.Now()
	if dir != "" {
		err = fetchFiles(ctx, s, dir, refs)
	} else {
		err = fetchURL(ctx, s, url, refs)
	}
	h.log.DebugContext(ctx, "fetched", "url", publicURL(url), "refs", refs, "took", time.Since(start), "err", err)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", publicURL(url), err)
	}
	return s.objects.Sync()
}

func (h *goGit) moveRefs(_ context.Context, s *gitState, moves []refMove, message string) error {
	who := gitdir.Signature{
		Name: s.config.String("user.name"), Email: s.config.String("user.email"), When: time.Now(),
	}
	if who.Name == "" {
		who.Name = "revstamp"
	}
	for _, m := range moves {
		name := m.name
		if name == "HEAD" && s.head.Branch != "" {
			name = s.head.Branch
		}
		if err := s.SetRef(name, m.to, m.from, who, message); err != nil {
			return err
		}
	}
	return nil
}

func (h *goGit) modified(_ context.Context, feature string) ([]string, error) {
	return nil, &UnsupportedError{System: "git", Feature: feature, Install: "git"}
}

func (h *goGit) checkout(_ context.Context, _ *gitState, _ gitdir.ID, _ []string, feature string) (string, error) {
	return "", &UnsupportedError{System: "git", Feature: "conversion by " + feature, Install: "git"}
}

func (h *goGit) archive(_ context.Context, _ *gitState, _ gitdir.ID, feature string, _ func(io.Reader) error) error {
	return &UnsupportedError{System: "git", Feature: feature, Install: "git"}
}

// fetchFiles copies what refs (full names, or ids) reach from a repository on
// this machine.
func fetchFiles(ctx context.Context, s *gitState, dir string, refs []string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return errors.Join(fmt.Errorf("%q is no directory", dir), err)
	}
	from, err := gitdir.OpenBare(dir)
	if err != nil {
		return err
	}
	if cut, err := from.Shallow(); err != nil || cut != nil {
		return errors.Join(&UnsupportedError{System: "git", Feature: "a shallow remote", Install: "git"}, err)
	}
	objects, err := from.Objects()
	if err != nil {
		return err
	}
	defer objects.Close() // only read
	for _, ref := range refs {
		id, err := gitdir.ParseID(ref)
		if err != nil {
			if id, err = from.Ref(ref); err != nil {
				return err
			}
		}
		if err := s.objects.Copy(ctx, objects, id); err != nil {
			return err
		}
	}
	return nil
}
