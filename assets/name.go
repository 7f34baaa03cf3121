package assets

import (
	"bytes"
	"context"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Style says where versions stand in URLs.
type Style string

// The styles. Zero is ByQuery.
const (
	ByQuery Style = "query" // /css/site.css?v=3fa9c1e2
	ByName  Style = "name"  // /css/site.3fa9c1e2.css
)

// FingerprintDigits is how many hexadecimal digits, in lower case, there are in a
// fingerprinted name between the dot and that of the extension. At least one is a
// letter, so that no number or date, as in report.20260131.pdf, looks like one.
const FingerprintDigits = digestLen

// fingerprintLen is that of the digits and the dot before them.
const fingerprintLen = 1 + FingerprintDigits

// isFingerprint reports whether b is one.
func isFingerprint(b []byte) bool {
	if len(b) != fingerprintLen || b[0] != '.' {
		return false
	}
	letter := false
	for _, c := range b[1:] {
		switch {
		case 'a' <= c && c <= 'f':
			letter = true
		case !isDigit(c):
			return false
		}
	}
	return letter
}

// fingerprintIn returns where the fingerprint of a slash path begins, or -1. What
// is left of the name without it has a stem and an extension.
func fingerprintIn(name []byte) int {
	dot := bytes.LastIndexByte(name, '.')
	i := dot - fingerprintLen
	if i < 1 || name[i-1] == '/' || dot+1 == len(name) || !isFingerprint(name[i:dot]) {
		return -1
	}
	return i
}

// Original returns the path of the asset that the slash path name is a
// fingerprinted name of: css/site.css for css/site.3fa9c1e2.css. It is false for
// names that have no fingerprint. Whether such files exist it does not know.
func Original(name string) (path string, ok bool) {
	i := fingerprintIn([]byte(name))
	if i < 0 {
		return "", false
	}
	return name[:i] + name[i+fingerprintLen:], true
}

// fingerprinted is the path under which the asset at name is released.
func fingerprinted(name, version string) string {
	ext := path.Ext(name)
	return name[:len(name)-len(ext)] + "." + version + ext
}

// knowsNames reports whether names may have fingerprints at all.
func (s *siteConfig) knowsNames() bool { return s.style == ByName || s.wrote != nil }

// written reports whether the file at a path is a copy of ours, and no asset.
func (s *siteConfig) written(name string) bool {
	return s.wrote != nil && s.wrote(name)
}

// isVariant reports whether a file holds another one's content, precompressed.
func (s *siteConfig) isVariant(name string) bool {
	for _, c := range codings {
		if base, ok := strings.CutSuffix(name, c.ext); ok && s.catalog.lookup(s.fs, []byte(base)).regular {
			return true
		}
	}
	return false
}

// find returns the asset at a slash path, or the one of which a fingerprinted
// copy is, or was, there.
func (s *siteConfig) find(name []byte) (a *asset, isCopy bool) {
	a = s.catalog.lookup(s.fs, name)
	if !s.knowsNames() {
		return a, false
	}
	i := fingerprintIn(name)
	if i < 0 || a.exists && !s.written(a.path) {
		return a, false
	}
	of := s.catalog.lookup(s.fs, slices.Concat(name[:i], name[i+fingerprintLen:]))
	if of.exists || a.exists {
		return of, true
	}
	return a, false
}

// canHaveName reports whether a fingerprint finds room in the name of a path, and
// the ledger, which is JSON, can tell it.
func canHaveName(p string) bool {
	return path.Ext(p) != "" && len(path.Base(p)) <= maxBase && utf8.ValidString(p)
}

// hasName reports whether the version of an asset stands in its name: of all that
// are listed and have an extension. Others may be reached through a link out of
// the root, say, where no copy can be put.
func (s *siteConfig) hasName(a *asset) (bool, error) {
	if s.style != ByName || !canHaveName(a.path) {
		return false, nil
	}
	names, err := s.names()
	return names[a.path], err
}

// listNames is what names of siteConfig calls once. What is in a directory that cannot
// be read is not listed: nobody can copy it.
func (s *siteConfig) listNames() (map[string]bool, error) {
	paths, _, err := s.assets(context.Background())
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(paths))
	for _, p := range paths {
		names[p] = true
	}
	return names, nil
}
