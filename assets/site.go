// Package assets puts versions on the references to a site's assets: it finds
// the URLs in HTML, CSS, JavaScript, SVG, web manifests and templates that name
// an existing file under the asset root, and gives each the query parameter v, or
// a name with a fingerprint, so that browsers may keep the file for a year.
//
// Only the bytes of such URLs change, and those of integrity attributes whose file
// is rewritten itself. Every other byte of a document stays as it was, and
// rewriting the result again changes nothing.
//
// References are looked for where these languages have URLs by their grammar. In
// HTML that is in the attributes href, src, srcset, imagesrcset, poster, data,
// background and xlink:href of the elements that define them, in style attributes
// and elements, in the metas of Open Graph, X and Windows tiles, in import maps and
// module scripts; in CSS, in url(), src(), @import and image-set(). In SVG any
// element's href counts, and in a web manifest the src of icons and screenshots.
// In JavaScript there are the literals that import, export, import() and
// new URL(…, import.meta.url) have, and in the comment that ends a script or a
// style sheet sourceMappingURL. Other comments, strings and scripts in pages, the
// text of textarea and title, template code and unknown attributes are not looked
// into.
//
// Some URLs are identities. Those of a <link> to a manifest, to a canonical or
// alternate page stay. Those of modules have versions everywhere or nowhere, as
// Modules says.
//
// A relative URL resolves against the document, or against its first base
// element from where that stands. Its query and fragment, percent-encoding,
// entities and escapes are taken into account but never spelled anew.
package assets

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"sync"
)

// Site is a set of assets as it stands at one moment: what a file is and what
// its digest is are looked up once and kept, so make a new Site when files may
// have changed. A Site is safe for concurrent use; its fields must not change
// after the first call of a method, and it must not be copied.
type Site struct {
	// FS is the asset root, such as a Dir or a layer over it. Required.
	FS fs.FS
	// URL is the path the root is served under; "" is "/".
	URL string
	// Hosts are the hosts, with their port where a URL has one, that serve
	// this site, as Host takes them: absolute URLs to them are references too.
	Hosts []string
	// Param is the name of the query parameter; "" is "v". It is made of
	// ASCII letters, digits, '.', '_' and '-'.
	Param string
	// Rev is the version of every asset. It may hold anything and is
	// percent-encoded as a URL needs. If it is empty and VersionOf is nil, an
	// asset's version is the digest of its content, as it will be once it is
	// rewritten itself: it changes with whatever the asset references, at any
	// depth, and so does the URL of who references it.
	Rev string
	// VersionOf, if not nil, gives each asset a version of its own, such as the
	// revision that last changed the file at path; Rev is empty then. It may be
	// called by several goroutines. For a file without one, which it says by "",
	// the digest of its content, as it will be once it is rewritten, stands in.
	//
	// An asset that references others is followed by a digest of all versions
	// that it covers, "4168-3fa9c1e2": what is cached of it has the URLs of
	// others in it, and must be asked for again when those change although the
	// file did not.
	VersionOf func(path string) (string, error)
	// VersionsAt names what VersionOf goes by besides the file itself, as a commit
	// does: as long as that and the file are the same, so is what VersionOf says, and
	// a Cache does not ask again. With "" it does.
	VersionsAt string
	// Rewrites reports whether an asset that may have references, as a style
	// sheet has, is rewritten itself. One that is not is versioned by its own
	// bytes or revision alone. With nil all are taken to be.
	Rewrites func(path string) bool
	// Style is where versions stand; "" is ByQuery. With ByName they stand in the
	// names of files, which Copies writes, and are digests: Rev is empty and
	// VersionOf nil. An asset whose name has no extension or is not UTF-8, or that is reached
	// through a link to a directory, has its version in the query all the same.
	// References that are in the other style are brought to this one.
	Style Style
	// Attributes name further attributes of HTML, as data-src, that hold the URL of an
	// asset on any element. One whose name ends in srcset holds a list of such.
	Attributes []string
	// Written reports whether the file at path is a copy under a fingerprinted
	// name, as a Ledger knows: it is no asset, and a reference to it is one to the
	// asset. With nil none is. A fingerprinted name where no file is, is that of a
	// copy too, if there is a file of the name without; but with nil and ByQuery
	// no name is looked at in this way.
	Written func(path string) bool
	// Modules says whether the URLs of JavaScript modules have versions; "" is
	// ModulesWhenKnown. Rewrites is asked for pages, too, then.
	Modules Modules
	// Strict makes missing files an error.
	Strict bool

	once   sync.Once
	config *siteConfig
	err    error
}

// Document says what is to be rewritten.
type Document struct {
	// Name stands in messages and results.
	Name string
	// Path is the slash path under the root that the document is served from;
	// its relative URLs resolve against it. Empty for a template that lies
	// elsewhere: then only URLs that begin with a slash or a host resolve.
	Path string
	// Kind is what the document is written in; zero: by Name, or by Path if that is empty.
	Kind Kind
}

// Result is a rewritten document.
type Result struct {
	// Out is the new content: the source itself when nothing changed, and
	// otherwise a new slice.
	Out []byte
	// References are all references found, in order, changed or not.
	References []Reference
	// Missing are the URLs that by their extension name an asset, but no file
	// is there.
	Missing []Reference
	// Mismatched are the URLs of elements whose integrity attribute, which is Old,
	// does not hold for the file, and that was left as it is: nobody rewrites the
	// file, and browsers will refuse it. New is what would hold.
	Mismatched []Reference
	// Skipped says why the document was not scanned; "" if it was.
	Skipped string
}

// Reference is a URL that names an asset.
type Reference struct {
	File   string `json:"file"` // the document's Name
	Line   int    `json:"line"` // of the URL's first byte; both count from 1, columns in bytes
	Column int    `json:"column"`
	URL    string `json:"url"`           // as it was written
	Path   string `json:"path"`          // of the file it names, under the root
	Old    string `json:"old,omitempty"` // versions; Old is empty when there was none, New in Missing
	New    string `json:"new,omitempty"`
}

// MissingError is what a strict Site says of a document whose references name
// files that are not there.
type MissingError struct {
	References []Reference // at least one
}

func (e *MissingError) Error() string {
	r := e.References[0]
	msg := fmt.Sprintf("%s:%d:%d: %q names no file", r.File, r.Line, r.Column, r.URL)
	if n := len(e.References) - 1; n > 0 {
		msg += fmt.Sprintf(" (and %d more)", n)
	}
	return msg
}

// Rewrite gives the references in src their versions. It never changes src.
// When the site is strict, missing files are a *MissingError, along with the
// result. All other errors come from the site's settings or its file system, and
// there is no result.
func (s *Site) Rewrite(doc Document, src []byte) (*Result, error) {
	config, err := s.ready()
	if err != nil {
		return nil, err
	}
	kind, why := doc.readable(src)
	if why != "" {
		return &Result{Out: src, Skipped: why}, nil
	}
	r, err := config.rewrite(doc, kind, src)
	if err != nil {
		return nil, fmt.Errorf("references of %q: %w", doc.Name, err)
	}
	if s.Strict && len(r.Missing) > 0 {
		return r, &MissingError{References: r.Missing}
	}
	return r, nil
}

// readable returns what src, the document's content, is written in, or why it is
// not scanned.
func (d Document) readable(src []byte) (k Kind, why string) {
	if k, why = d.kind(); why == "" {
		why = unreadable(src)
	}
	return k, why
}

// kind returns what the document is written in, or why it is not scanned.
func (d Document) kind() (k Kind, why string) {
	if d.Kind != 0 {
		return d.Kind, ""
	}
	name := d.Name
	if name == "" {
		name = d.Path
	}
	k, ok := KindOf(name)
	if !ok {
		return 0, "its name tells no language that has references"
	}
	return k, ""
}

// unreadable says why src cannot be scanned byte by byte; "" if it can.
func unreadable(src []byte) string {
	switch {
	case bytes.HasPrefix(src, []byte("\xff\xfe")), bytes.HasPrefix(src, []byte("\xfe\xff")):
		return "UTF-16"
	case bytes.IndexByte(src, 0) >= 0:
		return "binary: holds a NUL byte"
	}
	return ""
}

func (s *siteConfig) rewrite(doc Document, kind Kind, src []byte) (*Result, error) {
	c, err := s.collectFrom(doc, kind, src)
	if err != nil {
		return nil, err
	}
	defer c.release()
	e, err := s.edits(c)
	if err != nil {
		return nil, err
	}
	r := &Result{References: locate(doc.Name, src, c.refs), Missing: locate(doc.Name, src, c.missing)}
	for i := range r.References {
		old := c.refs[i].old()
		r.References[i].Old, r.References[i].New = string(src[old.start:old.end]), e.versions[i]
	}
	if r.Mismatched, err = s.mismatched(doc.Name, src, e.wrong, nil); err != nil {
		return nil, err
	}
	r.Out = splice(src, e.patches, fresh)
	return r, nil
}

// collectFrom is collect for a document.
func (s *siteConfig) collectFrom(doc Document, kind Kind, src []byte) (*collector, error) {
	if doc.Path != "" && !ValidPath(doc.Path) {
		return nil, fmt.Errorf("path %q: %w", doc.Path, fs.ErrInvalid)
	}
	return s.collect(src, kind, doc.Path)
}

// edits are the changes to a document.
type edits struct {
	versions []string // of its references
	patches  []patch
	wrong    []integritySum // that nobody changes
}

// edits returns the changes that what c has found makes necessary.
func (s *siteConfig) edits(c *collector) (e edits, err error) {
	if e.versions, err = s.versions(c.refs); err != nil {
		return edits{}, err
	}
	e.patches = patches(c.refs, e.versions, s.param)
	if len(c.sums) == 0 {
		return e, nil
	}
	sums, wrong, err := s.integrities(c.sums)
	if err != nil {
		return edits{}, err
	}
	e.patches, e.wrong = append(e.patches, sums...), wrong
	return e, nil
}

// locate makes references of what was found in src, in order.
func locate(file string, src []byte, found []reference) []Reference {
	if len(found) == 0 {
		return nil
	}
	out := make([]Reference, len(found))
	line, lineStart, done := 1, 0, 0
	for i, f := range found {
		between := src[done:f.url.start]
		if n := bytes.Count(between, []byte("\n")); n > 0 {
			line += n
			lineStart = done + bytes.LastIndexByte(between, '\n') + 1
		}
		done = f.url.start
		out[i] = Reference{
			File: file, Line: line, Column: f.url.start - lineStart + 1,
			URL: string(src[f.url.start:f.url.end]), Path: f.asset.path,
		}
	}
	return out
}

// Version returns the version of the asset at path, a slash path under the
// root, as it stands in a URL. With Rev set that is Rev, for any path; otherwise
// it is an error, such as fs.ErrNotExist, when no regular file is there.
func (s *Site) Version(path string) (string, error) {
	config, err := s.ready()
	if err != nil {
		return "", err
	}
	if config.rev != "" {
		return config.rev, nil
	}
	a := config.catalog.lookup(config.fs, []byte(path))
	switch {
	case a.err != nil:
		err = a.err
	case !a.exists:
		err = fs.ErrNotExist
	case !a.regular:
		err = errors.New("not a regular file")
	default:
		var v string
		if v, err = config.version(a); err == nil {
			return v, nil
		}
	}
	return "", fmt.Errorf("version of %q: %w", path, err)
}
