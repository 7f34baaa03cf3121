package release

import (
	"context"
	"path/filepath"
	"slices"

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

// owedVariants are the codings that the configuration wants variants in, if those that
// are there are in others; nil if not. Where it wants none, they may stay.
func (w *work) owedVariants(live *Release) ([]string, error) {
	if w.cfg.Assets == nil || len(w.cfg.Assets.Compress) == 0 {
		return nil, nil
	}
	want := slices.Compact(slices.Sorted(slices.Values(w.cfg.Assets.Codings())))
	dir := w.cfg.Dir
	if w.cfg.Layout == config.Releases {
		if live == nil {
			return want, nil
		}
		dir = w.site.state.path(live.Dir)
	}
	have, err := assets.CompressedIn(filepath.Join(dir, filepath.FromSlash(w.cfg.Assets.Root)))
	if err != nil || slices.Equal(want, have) {
		return nil, err
	}
	return want, nil
}

// compress makes the variants that the configuration wants, and tells what it did;
// "" if nothing.
func (r *run) compress(ctx context.Context) (string, error) {
	if r.cfg.Assets == nil || len(r.cfg.Assets.Compress) == 0 {
		return "", nil
	}
	live := ""
	if r.cfg.Layout == config.Releases {
		live = r.cfg.Abs(r.cfg.Assets.Root)
	}
	made, err := assets.CompressLike(ctx, r.assetRoot(), live, r.cfg.Assets.Codings(), r.files())
	if err != nil {
		return "", err
	}
	for _, name := range made.Foreign {
		r.site.observer().Warn("%s is not of revstamp's making, and stays as it is", filepath.Join(r.cfg.Assets.Root, name))
	}
	for _, name := range made.Unreadable {
		r.site.observer().Warn("%s cannot be read, and nothing in it is compressed", filepath.Join(r.cfg.Assets.Root, name))
	}
	switch {
	case len(made.Written) > 0:
		return plural(len(made.Written), "variant"), nil
	case len(made.Removed) > 0:
		return plural(len(made.Removed), "variant") + " removed", nil
	}
	return "", nil
}

// compressAgain makes the variants of what was put back. A site without them is slow
// and right.
func (r *run) compressAgain(ctx context.Context) {
	if _, err := r.compress(ctx); err != nil {
		r.site.observer().Warn("variants are not made again: %v", err)
	}
}
