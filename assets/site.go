// Package assets puts versions on the references to a site's assets: it finds
// the URLs in HTML, CSS and templates that name an existing file under the
// asset root, and gives each the query parameter v, so that browsers may keep
// the file for a year.
//
// Only the bytes of such URLs change. Every other byte of a document stays as
// it was, and rewriting the result again changes nothing.
package assets

import (
	"errors"
	"fmt"
	"io/fs"
)

// Site is a set of assets as it stands at one moment: what a file is and what
// its digest is are looked up once and kept, so make a new Site when files may
// have changed. A Site is safe for concurrent use; its fields must not change
// after the first call of a method, and it must not be copied.
type Site struct {
	// FS is the asset root, such as os.DirFS or a layer over it. Required.
	FS fs.FS
	// URL is the path the root is served under; "" is "/".
	URL string
	// Hosts are the hosts, with their port where a URL has one, that serve
	// this site: absolute URLs to them are references too.
	Hosts []string
	// Param is the name of the query parameter; "" is "v". It is made of
	// ASCII letters, digits, '.', '_' and '-'.
	Param string
	// Rev is the version of every asset. It may hold anything and is
	// percent-encoded as a URL needs. If it is empty, an asset's version is the
	// digest of its content.
	Rev string
	// Strict makes missing files an error.
	Strict bool
}

// Document says what is to be rewritten.
type Document struct {
	// Name stands in messages and results.
	Name string
	// Path is the slash path under the root that the document is served from;
	// its relative URLs resolve against it. Empty for a template that lies
	// elsewhere: then only URLs that begin with a slash or a host resolve.
	Path string
	// Kind is what the document is written in; zero: by Name.
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
	// Skipped says why the document was not scanned; "" if it was.
	Skipped string
}

// Reference is a URL that names an asset.
type Reference struct {
	File         string // the document's Name
	Line, Column int    // of the URL's first byte; both count from 1, columns in bytes
	URL          string // as it was written
	Path         string // of the file it names, under the root
	Old, New     string // versions; Old is empty when there was none, New in Missing
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
// Missing files are a *MissingError when the site is strict, along with the
// result; every other error comes from the site's settings or its file system
// and leaves no result.
func (s *Site) Rewrite(doc Document, src []byte) (*Result, error) {
	return nil, errors.ErrUnsupported
}

// Version returns the version of the asset at path, a slash path under the
// root. With Rev set that is Rev, for any path.
func (s *Site) Version(path string) (string, error) {
	return "", errors.ErrUnsupported
}

// Normalize returns src without the versions in its URLs, so that a document
// and its rewritten form become equal: two documents equal under it differ in
// nothing but versions and empty queries. It needs no site, and therefore does
// this to the URLs of all hosts. An empty param is "v". src itself is returned
// when there is nothing to take out.
func Normalize(doc Document, src []byte, param string) []byte {
	return src
}
