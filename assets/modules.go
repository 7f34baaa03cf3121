package assets

import (
	"bytes"
	"context"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"
)

// Modules says whether the URLs of JavaScript modules get versions. Such a URL is
// the module's identity: browsers run a module once for each URL that it is
// reached by, so that all who import it have to use the same one.
type Modules string

// The choices. Zero is ModulesWhenKnown.
const (
	// ModulesWhenKnown versions them all, if every page and script under the root
	// that imports a module of the site is rewritten, and none of them otherwise.
	// An import map in a page that sends a prefix ("lib/": "/js/lib/") to the site
	// lets modules be imported by URLs that stand nowhere, and counts as a page
	// that is not rewritten. Documents outside the root are taken to be rewritten.
	//
	// This is found out when the first module is met, and costs a walk through the
	// root, the reading of its pages, and that of scripts that are not rewritten.
	ModulesWhenKnown Modules = "auto"
	// AllModules versions them all: import and export … from, import() and
	// new URL(…, import.meta.url) with literals, import maps, the sources of module
	// scripts and modulepreload. Somebody else has seen to it that all are rewritten.
	AllModules Modules = "all"
	// NoModules gives none of them a version. One that is there already, of an earlier
	// run, is kept up to date, for browsers may keep what they got under it.
	NoModules Modules = "none"
)

// answer says whether modules have versions; zero if nobody asked.
type answer int32

const (
	answerNone answer = iota + 1
	answerAll
)

// versionsModules reports whether the URLs of modules have versions.
func (s *siteConfig) versionsModules() (bool, error) {
	all, err := s.modules()
	said := answerNone
	if all {
		said = answerAll
	}
	s.answer.Store(int32(said))
	return all, err
}

// modulesAnswer is what versionsModules said, if anybody asked.
func (s *siteConfig) modulesAnswer() answer { return answer(s.answer.Load()) }

// importersAreKnown reports whether all documents under the root that have URLs of
// modules are rewritten, and have no others than those.
func (s *siteConfig) importersAreKnown() (bool, error) {
	names, hidden, err := s.importers()
	if err != nil {
		return false, err
	}
	if hidden != "" {
		s.unseen.Store(&hidden)
		return false, nil
	}
	var first atomic.Int64 // of those that have others
	first.Store(int64(len(names)))
	err = each(context.Background(), len(names), func(i int) error {
		if int64(i) > first.Load() {
			return nil
		}
		found, err := s.importsUnseen(names[i])
		for found {
			now := first.Load()
			found = int64(i) < now && !first.CompareAndSwap(now, int64(i))
		}
		return err
	})
	if i := first.Load(); err == nil && i < int64(len(names)) {
		s.unseen.Store(&names[i])
		return false, nil
	}
	return true, err
}

// Unseen is the path of the document, or of a directory that cannot be read, because
// of which no module has a version, as ModulesWhenKnown says: of several the first. It
// is "" if there is none, or if no document with a module has been rewritten.
func (s *Site) Unseen() string {
	config, err := s.ready()
	if err != nil {
		return ""
	}
	if name := config.unseen.Load(); name != nil {
		return *name
	}
	return ""
}

// importers lists the documents under the root that may import a module, and tells of a
// directory that hides some, for it cannot be read.
func (s *siteConfig) importers() (names []string, hidden string, err error) {
	err = fs.WalkDir(s.fs, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case p != "." && forbidden(d, err):
			hidden = p
			return fs.SkipDir
		case err != nil:
			return err
		case p != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir(), s.written(p):
		case importerKind(p) != 0:
			names = append(names, p)
		}
		return nil
	})
	return names, hidden, err
}

// importerKind is the kind of a file that may import a module; 0 for others.
func importerKind(name string) Kind {
	if k, ok := KindOf(path.Base(name)); ok && k&(CSS|WebManifest) == 0 {
		return k
	}
	return 0
}

// importsUnseen reports whether a document has URLs of modules that nobody rewrites.
func (s *siteConfig) importsUnseen(name string) (bool, error) {
	kind := importerKind(name)
	rewritten := s.rewrites == nil || s.rewrites(name)
	if rewritten && kind&assetKinds != 0 {
		return false, nil
	}
	if a := s.catalog.lookup(s.fs, []byte(name)); !a.regular {
		return false, a.err
	}
	src, err := fs.ReadFile(s.fs, name)
	if err != nil || unreadable(src) != "" || !mayImport(src) {
		return false, err
	}
	c := s.collector(src, kind, name)
	defer c.release()
	p := &prober{collector: c, rewritten: rewritten}
	c.html.classic = (*classicProber)(p)
	scan(p, &c.html, src, kind)
	return p.found, c.err
}

// mayImport reports whether a document has one of the words without which it
// imports nothing.
func mayImport(src []byte) bool {
	for _, word := range []string{"import", "export", "module"} {
		if bytes.Contains(src, []byte(word)) {
			return true
		}
	}
	return false
}

// prober is the sink that finds out whether a document has URLs of modules that
// nobody rewrites.
type prober struct {
	*collector
	rewritten bool
	found     bool
}

func (p *prober) url(text, string) {}

func (p *prober) integrity(_, _ text) {}

func (p *prober) module(u text, _ string) {
	parts, ours := split(u.b, p.site.isOurs)
	isPrefix := ours && isSlash(u.b[parts.query-1]) // of an import map
	p.found = p.found || isPrefix || !p.rewritten && p.leadsToFile(u)
}

func (p *prober) leadsToFile(u text) bool {
	t, ok := p.lead(u)
	return ok && t.asset.regular
}

// classicProber takes the modules that scripts in a page import. They are never
// rewritten, as the page may be.
type classicProber prober

func (p *classicProber) url(text, string) {}

func (p *classicProber) base(text) {}

func (p *classicProber) integrity(_, _ text) {}

func (p *classicProber) module(u text, _ string) {
	p.found = p.found || (*prober)(p).leadsToFile(u)
}
