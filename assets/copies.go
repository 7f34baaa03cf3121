package assets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Copy is an asset under the name that it is released by.
type Copy struct {
	Path string // of the asset
	Name string // of the copy: a slash path in the same directory, with a fingerprint

	site  *siteConfig
	asset *asset
}

// Copies are those that a site ByName needs, sorted by Path: one for each asset
// that Manifest lists and whose name has an extension. They are read for their
// digests, on all processors. A site of another style needs none.
func (s *Site) Copies(ctx context.Context) ([]Copy, error) {
	config, err := s.ready()
	if err != nil || config.style != ByName {
		return nil, err
	}
	names, err := config.names()
	if err != nil {
		return nil, fmt.Errorf("copies: %w", err)
	}
	all := make([]Copy, 0, len(names))
	for _, p := range slices.Sorted(maps.Keys(names)) {
		if canHaveName(p) {
			all = append(all, Copy{Path: p, site: config, asset: config.catalog.lookup(config.fs, []byte(p))})
		}
	}
	err = each(ctx, len(all), func(i int) error {
		version, err := config.version(all[i].asset)
		if err != nil {
			return fmt.Errorf("version of %q: %w", all[i].Path, err)
		}
		all[i].Name = fingerprinted(all[i].Path, version)
		return nil
	})
	return all, err
}

// each calls do with 0 to n-1, on all processors, up to the first error.
func each(ctx context.Context, n int, do func(i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return do(i)
		})
	}
	return group.Wait()
}

// Content returns what the copy holds: nil for what the file at Path does.
// Otherwise it is what Rewrite makes of that.
func (c Copy) Content() ([]byte, error) {
	if !c.site.rewritten(c.asset) {
		return nil, nil
	}
	src, r, err := c.site.final(c.asset)
	if err != nil || bytes.Equal(src, r.Out) {
		return nil, err
	}
	return r.Out, nil
}

// digest is the SHA-256 of what the copy holds.
func (c Copy) digest() ([]byte, error) {
	if d := c.asset.digest.Load(); d != nil && d.sum != nil {
		return d.sum, nil
	}
	h := sha256.New()
	_, err := c.site.writeFinal(h, c.asset)
	return h.Sum(nil), err
}
