package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/config"
	"revstamp/vcs"
)

// byFile gives each asset of site the revision that last changed it, where the
// working copy wc is at rev. What the configuration stamps changes with every one.
func (s *assetSite) byFile(ctx context.Context, site *assets.Site, rev vcs.Revision, wc vcs.WorkingCopy) error {
	cfg, err := s.configured()
	if err != nil {
		return err
	}
	if cfg != nil && cfg.Layout == config.Releases {
		return s.byFileOfRelease(ctx, site)
	}
	if wc == nil {
		return &usageError{msg: "no working copy tells which revision last changed an asset", hint: "use --version revision or digest in what was exported"}
	}
	root, err1 := filepath.Abs(s.root)
	root, err2 := filepath.EvalSymlinks(root)
	top, err3 := filepath.EvalSymlinks(wc.Dir())
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	last := sync.OnceValues(func() (map[string]string, error) { return s.lastChanged(ctx, site, rev, wc, top, root) })
	stamped, err := stampedFiles(cfg)
	if err != nil {
		return err
	}
	_, short, err := s.nameOf(rev)
	if err != nil {
		return err
	}
	site.VersionsAt = fmt.Sprintf("%q %q %q %q %v", rev.ID, short, rev.Mixed, rev.Modified, stamped)
	site.VersionOf = func(name string) (string, error) {
		file := filepath.Join(root, filepath.FromSlash(name))
		if stamped[file] {
			return short, nil
		}
		all, err := last()
		if err != nil {
			return "", err
		}
		path, err := filepath.Rel(top, file)
		return vcs.Short(all[filepath.ToSlash(path)]), err
	}
	return nil
}

// stampedFiles are those that cfg stamps, without links in their directories' paths.
func stampedFiles(cfg *config.Config) (map[string]bool, error) {
	if cfg == nil {
		return nil, nil
	}
	dir, err := filepath.EvalSymlinks(cfg.Abs("."))
	files := make(map[string]bool, len(cfg.Stamp))
	for _, st := range cfg.Stamp {
		files[filepath.Join(dir, filepath.FromSlash(st.File))] = true
	}
	return files, err
}

// byFileOfRelease is byFile in the releases layout, where the live release is no
// working copy.
func (s *assetSite) byFileOfRelease(ctx context.Context, site *assets.Site) error {
	released, err := s.site()
	if err != nil {
		return err
	}
	live, err := released.Current()
	if err != nil {
		return err
	}
	same, err := released.LiveAssets(ctx, live)
	if err != nil {
		return err
	}
	site.VersionOf = same.VersionOf
	return nil
}

// lastChanged tells for every tracked file under root the revision that last changed
// it, less those that are modified: what they hold has none yet. To have versions in
// it is no modification.
func (s *assetSite) lastChanged(ctx context.Context, site *assets.Site, rev vcs.Revision, wc vcs.WorkingCopy, top, root string) (map[string]string, error) {
	all, err := wc.LastChanged(ctx, "")
	if err != nil || len(rev.Modified) == 0 {
		return all, err
	}
	now, err := wc.Revision(ctx, func(path string, base, got []byte) bool {
		doc := assets.Document{Name: path}
		if rel, err := filepath.Rel(root, filepath.Join(top, filepath.FromSlash(path))); err == nil && filepath.IsLocal(rel) {
			doc.Path = filepath.ToSlash(rel)
		}
		return bytes.Equal(site.Normalize(doc, base), site.Normalize(doc, got))
	})
	if err != nil {
		return nil, err
	}
	modified := make(map[string]bool)
	for _, path := range rev.Modified {
		modified[path] = true
	}
	for _, path := range now.Modified {
		if modified[path] { // neither stamped nor versioned by revstamp
			delete(all, path)
		}
	}
	return all, nil
}
