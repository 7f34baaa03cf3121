package vcs

import (
	"context"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Externals are other working copies, or single files of other places, inside
// of this one, which the property svn:externals of a directory names. What they
// hold follows from this working copy's revision only when each is pinned to a
// revision of its own. So updates and exports want that, and an update that
// would move one is refused: it is neither judged, nor planned, nor made atomic.

// svnProperty is the value of a property of one path.
type svnProperty struct {
	path, value string
}

// externals are the definitions of externals in what the arguments name.
func (w *svnCopy) externals(ctx context.Context, args ...string) ([]svnProperty, error) {
	var doc struct {
		Targets []struct {
			Path  string `xml:"path,attr"`
			Value string `xml:"property"`
		} `xml:"target"`
	}
	if err := w.xmlOf(ctx, &doc, append([]string{"propget", "svn:externals"}, args...)...); err != nil {
		return nil, err
	}
	var all []svnProperty
	for _, t := range doc.Targets {
		all = append(all, svnProperty{w.relative(t.Path), t.Value})
	}
	return all, nil
}

// sameExternals refuses an update that changes what is external: paths are what
// it changes, now are the externals of the working copy.
func (w *svnCopy) sameExternals(ctx context.Context, paths []svnPath, now []svnProperty, to string) error {
	was := make(map[string]string)
	for _, e := range now {
		was[e.path] = e.value
	}
	dirs, err := w.urlsOf(ctx, paths)
	if err != nil || len(dirs) == 0 {
		return err
	}
	var urls []string
	for _, u := range dirs {
		urls = append(urls, u+"@"+to)
	}
	props, err := w.propertiesOf(ctx, urls, unescape)
	if err != nil {
		return err
	}
	for dir, u := range dirs {
		if props[unescape(u)]["svn:externals"] != was[dir] {
			return &UnsupportedError{System: "svn", Feature: "a change of svn:externals, on " + dir + ",", Of: ErrExternals}
		}
	}
	return nil
}

// urlsOf are the URLs of the directories among paths that are there afterwards,
// by path. One that is new lies in one that is here, whatever that is of.
func (w *svnCopy) urlsOf(ctx context.Context, paths []svnPath) (map[string]string, error) {
	added := make(map[string]bool)
	for _, p := range paths {
		added[p.Path] = p.Item == "added"
	}
	here := make(map[string]string) // by directory, the one that its URL is known by
	for _, p := range paths {
		if p.Kind != "dir" || p.Item == "deleted" {
			continue
		}
		known := p.Path
		for known != "." && added[known] {
			known = path.Dir(known)
		}
		here[p.Path] = known
	}
	infos, err := w.infos(ctx, slices.Compact(slices.Sorted(maps.Values(here)))...)
	if err != nil {
		return nil, err
	}
	urls := make(map[string]string)
	for _, i := range infos {
		for dir, known := range here {
			if known == i.Path {
				urls[dir] = join(i.URL, below(known, dir))
			}
		}
	}
	return urls, nil
}

// below is dir as seen from a directory above it, or "" when they are one.
func below(top, dir string) string {
	if top == "." && dir != "." {
		return dir
	}
	return strings.TrimPrefix(strings.TrimPrefix(dir, top), "/")
}

// join is the URL of a path below a directory's.
func join(dir, path string) string {
	if path == "" {
		return dir
	}
	return dir + "/" + escapePath(path)
}

// unescape makes URLs comparable, of which svn escapes less than it may.
func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// unpinned is the refusal of externals that may be anything tomorrow, or that
// make svn run somebody's program; see svnCopy.server.
func unpinned(externals []svnProperty) error {
	for _, e := range externals {
		for line := range strings.Lines(e.value) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			why, remedy := "", ""
			switch tunnel := externalTunnel().FindStringSubmatch(line); {
			case tunnel != nil && tunnel[1] != "ssh":
				why, remedy = "through a tunnel", "have it by https, svn or svn+ssh"
			case !pinned(line):
				why, remedy = "without a revision", "name one in the property, as in \"-r 42 ^/lib lib\""
			default:
				continue
			}
			return &UnsupportedError{System: "svn", Feature: "svn:externals " + why + ", on " + e.path + " (" + redact(line) + "),", Remedy: remedy}
		}
	}
	return nil
}

var (
	externalRevision = lazily(`(^|\s)-r\s*\d+(\s|$)`)
	externalURL      = lazily(`^"?(\^/|//|/|\.\./|[A-Za-z][A-Za-z0-9+.-]*://)`)
	externalTunnel   = lazily(`(?:^|[\s"])svn\+([^:/\s]*)://`)
	externalPeg      = lazily(`@\d+"?$`)
)

// pinned reports whether the definition of an external names a revision: by -r,
// or behind its URL. The grammar, in which the URL comes first or last, is that
// of svn_wc_parse_externals_description3.
func pinned(line string) bool {
	return externalRevision().MatchString(line) || slices.ContainsFunc(strings.Fields(line), func(word string) bool {
		return externalURL().MatchString(word) && externalPeg().MatchString(word)
	})
}
