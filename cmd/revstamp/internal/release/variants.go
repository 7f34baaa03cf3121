package release

import (
	"context"
	"path/filepath"

	"revstamp/assets"
	"revstamp/cmd/revstamp/internal/config"
)

// A web server sends the precompressed variant of a file without a look at the file:
// one that is older than it is served to visitors, who keep it under the new URL. So
// each is removed before its file changes, and made anew once the release is in place.

// assetRoot is that of the release.
func (r *run) assetRoot() string { return r.file(r.cfg.Assets.Root) }

// dropVariants removes the variants of files that are about to change. In the
// releases layout nobody is served them before they are made anew.
func (r *run) dropVariants(ctx context.Context, files []string) error {
	if r.cfg.Assets == nil || r.cfg.Layout == config.Releases {
		return nil
	}
	var paths []string
	for _, abs := range files {
		if rel, err := filepath.Rel(r.assetRoot(), abs); err == nil && filepath.IsLocal(rel) {
			paths = append(paths, filepath.ToSlash(rel))
		}
	}
	_, err := assets.Uncompress(ctx, r.assetRoot(), paths, r.files())
	return err
}

// compress makes the variants that the configuration wants, and tells how many are
// new.
func (r *run) compress(ctx context.Context) (int, error) {
	if r.cfg.Assets == nil || len(r.cfg.Assets.Compress) == 0 {
		return 0, nil
	}
	live := ""
	if r.cfg.Layout == config.Releases {
		live = r.cfg.Abs(r.cfg.Assets.Root)
	}
	made, err := assets.CompressLike(ctx, r.assetRoot(), live, r.cfg.Assets.Codings(), r.files())
	if err != nil {
		return 0, err
	}
	for _, name := range made.Foreign {
		r.site.observer().Warn("%s is not of revstamp's making, and stays as it is", filepath.Join(r.cfg.Assets.Root, name))
	}
	return len(made.Written), nil
}

// compressAgain makes the variants of what was put back. A site without them is slow
// and right.
func (r *run) compressAgain(ctx context.Context) {
	if _, err := r.compress(ctx); err != nil {
		r.site.observer().Warn("variants are not made again: %v", err)
	}
}
