// Package templates gives templates the URLs of a site's assets with their
// versions, from the manifest that a release wrote: in Go by a FuncMap, and in
// PHP, Twig, Jinja, ERB and JavaScript by helpers that it generates (see
// Helper), all with the same three functions:
//
//	asset("css/site.css")      /css/site.css?v=42
//	integrity("css/site.css")  sha384-…
//	revision()                 42
//
// A path may begin with a slash, and may have a query or a fragment, which
// stays: asset("icons.svg#cart") is /icons.svg?v=42#cart. A file that the
// manifest does not have gets its URL without a version, so that a page is
// never worse than it was without this package; see Options.Strict.
package templates

import (
	"fmt"
	"strings"

	"revstamp/assets"
)

// view is a manifest as templates ask it.
type view struct {
	*assets.Manifest
}

// cut splits what a template asks for into the path under the root and what
// follows it: a query or a fragment.
func cut(path string) (name, rest string) {
	path = strings.TrimLeft(path, "/")
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// asset returns the URL of what is at path. It is false for what the manifest
// does not have.
func (v view) asset(path string) (url string, known bool) {
	name, rest := cut(path)
	a, known := v.Assets[name]
	if !known {
		return v.URL + name + rest, false
	}
	if strings.HasPrefix(rest, "?") && strings.Contains(a.URL, "?") {
		rest = "&" + rest[1:]
	}
	return a.URL + rest, true
}

// UnknownAssetError says that a manifest does not have what a template asks for.
type UnknownAssetError struct {
	Path     string // as it was asked for
	Manifest string // the file
	Near     string // a path that the manifest has, by the same file name; may be empty
}

func (e *UnknownAssetError) Error() string {
	s := fmt.Sprintf("asset %q is not in %q", e.Path, e.Manifest)
	if e.Near != "" {
		s += fmt.Sprintf(", which has %q", e.Near)
	}
	return s
}

// unknown is the error for a path, with the first that has the same name.
func (v view) unknown(path, file string) *UnknownAssetError {
	name, _ := cut(path)
	base := name[strings.LastIndexByte(name, '/')+1:]
	e := &UnknownAssetError{Path: path, Manifest: file}
	for p := range v.Assets {
		if base != "" && p[strings.LastIndexByte(p, '/')+1:] == base && (e.Near == "" || p < e.Near) {
			e.Near = p
		}
	}
	return e
}
