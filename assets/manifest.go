package assets

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// ManifestFormat is the number of the shape that Manifest has as JSON. Fields
// are added without a new one.
const ManifestFormat = 1

// Manifest tells all that a template has to know of a site's assets. As JSON it
// is what the helpers of package templates read.
type Manifest struct {
	Format   int              `json:"format"`             // ManifestFormat
	Revision string           `json:"revision,omitempty"` // of the site
	URL      string           `json:"url"`                // what the URL of any file begins with; ends in a slash
	Assets   map[string]Asset `json:"assets"`             // by slash path under the root
}

// Asset is one file of a manifest. Its content is what visitors get: of an asset
// that is rewritten itself, as Site.Rewrites and Style say, what it becomes.
type Asset struct {
	URL       string `json:"url"`            // versioned: to be used as it is, once escaped for HTML
	Name      string `json:"name,omitempty"` // path under the root of the fingerprinted copy, if there is one
	Version   string `json:"version"`        // as it stands in URL
	Digest    string `json:"digest"`         // SHA-256 of the content, in hexadecimal
	Integrity string `json:"integrity"`      // of the content, as the attribute of that name wants it: sha384-…
	Size      int64  `json:"size"`           // bytes
}

// ManifestOptions add to a manifest what its site does not know.
type ManifestOptions struct {
	// Revision stands in the manifest. It is no version: that comes from the Site.
	Revision string

	// Origins are where the assets are served from, as "https://a.example", in
	// place of the page's own host. Of several each asset has one, by its path:
	// the same for as long as the list is.
	Origins []string
}

// Manifest reads every asset under the root: regular files that are no
// documents, without those whose path has an element that begins with a dot,
// without copies under fingerprinted names, without precompressed variants of
// others, without what editors, merges, backups and dumps leave behind, and without
// those whose names JSON cannot hold. Their number is what memory it takes.
func (s *Site) Manifest(ctx context.Context, o ManifestOptions) (*Manifest, error) {
	config, err := s.ready()
	if err != nil {
		return nil, err
	}
	paths, hidden, err := config.assets(ctx)
	if err == nil {
		err = hidden
	}
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	paths = slices.DeleteFunc(paths, func(p string) bool { return !utf8.ValidString(p) })
	m := &Manifest{Format: ManifestFormat, Revision: o.Revision, URL: config.base(), Assets: make(map[string]Asset, len(paths))}
	found := make([]Asset, len(paths))
	err = each(ctx, len(paths), func(i int) (err error) {
		found[i], err = s.asset(paths[i])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	for i, p := range paths {
		a := found[i]
		a.URL = origin(o.Origins, p) + m.URL
		if a.Name != "" {
			a.URL += escapePath(a.Name)
		} else {
			a.URL += escapePath(p) + "?" + config.param + "=" + a.Version
		}
		m.Assets[p] = a
	}
	return m, nil
}

// assets lists the paths of all assets, sorted. That of a directory that cannot be read
// is hidden: an *UnreadableError of the first one.
func (s *siteConfig) assets(ctx context.Context) (paths []string, hidden, err error) {
	err = fs.WalkDir(s.fs, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case p != "." && forbidden(d, err):
			if hidden == nil {
				hidden = explain(p, d, err)
			}
			return fs.SkipDir
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case p != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir(), documents[strings.ToLower(path.Ext(p))], s.written(p), s.isVariant(p):
			return nil
		case leftBehind().MatchString("/" + p):
			return nil // a copy of it, by another name, would be served
		case d.Type()&fs.ModeSymlink != 0:
			// A link to a file is the file to whoever serves it.
			if a := s.catalog.lookup(s.fs, []byte(p)); !a.regular {
				return a.err
			}
		case !d.Type().IsRegular():
			return nil
		}
		paths = append(paths, p)
		return nil
	})
	slices.Sort(paths)
	return paths, hidden, err
}

// asset reads one, for all but its URL.
func (s *Site) asset(p string) (a Asset, err error) {
	if a.Version, err = s.Version(p); err != nil {
		return a, err
	}
	config := s.config
	found := config.catalog.lookup(config.fs, []byte(p))
	named, err := config.hasName(found)
	if err != nil {
		return a, err
	}
	if named {
		a.Name = fingerprinted(p, a.Version)
	}
	digest, integrity := sha256.New(), sha512.New384()
	if a.Size, err = config.writeFinal(io.MultiWriter(digest, integrity), found); err != nil {
		return a, err
	}
	a.Digest = hex.EncodeToString(digest.Sum(nil))
	a.Integrity = "sha384-" + base64.StdEncoding.EncodeToString(integrity.Sum(nil))
	return a, nil
}

// base is the prefix as it stands in URLs.
func (s *siteConfig) base() string {
	return "/" + escapePath(strings.TrimPrefix(string(s.prefix), "/"))
}

// escapePath makes a slash path fit to stand in a URL, in every context: what
// is neither unreserved in RFC 3986 nor a slash is percent-encoded.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = percentEncode(parts[i])
	}
	return strings.Join(parts, "/")
}

// origin returns that of all which a path has; "" for the page's own.
func origin(all []string, p string) string {
	if len(all) == 0 {
		return ""
	}
	return strings.TrimRight(all[crc32.ChecksumIEEE([]byte(p))%uint32(len(all))], "/")
}

// ParseManifest reads a manifest as JSON.
func ParseManifest(data []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	switch {
	case m.Format == 0:
		return nil, errors.New("manifest: not one of revstamp's: it has no format")
	case m.Format > ManifestFormat:
		return nil, fmt.Errorf("manifest: its format is %d, and %d the newest that is known", m.Format, ManifestFormat)
	}
	return m, nil
}
