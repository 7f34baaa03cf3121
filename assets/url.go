package assets

import (
	"bytes"
	"maps"
	"slices"
)

// parts are the ends of a URL reference's parts, as indices into its decoded text.
type parts struct {
	path  int // where the path begins: after the scheme and host, if there are any
	query int // of '?', or of the end of the path
	end   int // of '#', or of the text
}

// split takes a URL reference apart. It is false for what can name no asset of
// ours: an empty reference, a fragment or query alone, and the scheme or host
// of somebody else.
func split(b []byte, isOurs func(host []byte) bool) (parts, bool) {
	if len(b) == 0 || b[0] == '#' || b[0] == '?' {
		return parts{}, false
	}
	p := parts{end: len(b)}
	if i := bytes.IndexByte(b, '#'); i >= 0 {
		p.end = i
	}
	p.query = p.end
	if i := bytes.IndexByte(b[:p.end], '?'); i >= 0 {
		p.query = i
	}
	head := b[:p.query]
	n := schemeLen(head)
	if n > 0 && !equalFold(head[:n], "http:") && !equalFold(head[:n], "https:") {
		return p, false
	}
	if !twoSlashes(head[n:]) {
		return p, n == 0
	}
	host := head[n+2:]
	if i := bytes.IndexAny(host, `/\`); i >= 0 {
		host = host[:i]
	}
	p.path = n + 2 + len(host)
	return p, isOurs(host)
}

// schemeLen returns the length of the scheme that b begins with, its colon
// included, or 0.
func schemeLen(b []byte) int {
	for i, c := range b {
		switch {
		case c == ':' && i > 0:
			return i + 1
		case isLetter(c), i > 0 && (isDigit(c) || c == '+' || c == '-' || c == '.'):
		default:
			return 0
		}
	}
	return 0
}

// twoSlashes reports whether b begins a host. URL parsers read a backslash as a
// slash.
func twoSlashes(b []byte) bool {
	return len(b) > 1 && isSlash(b[0]) && isSlash(b[1])
}

func isSlash(c byte) bool { return c == '/' || c == '\\' }

// hasTemplateCode reports whether b holds code of a template language: masked,
// or as it looks in a document that is not known to be a template. At its end half
// of a delimiter is enough: the '?' or '#' after a URL's path makes it whole.
func hasTemplateCode(b []byte) bool {
	for i, c := range b {
		switch {
		case c == 0:
			return true
		case i+1 == len(b):
			return c == '<' || c == '{'
		case c == '{' && (b[i+1] == '{' || b[i+1] == '%' || b[i+1] == '#'),
			c == '<' && (b[i+1] == '?' || b[i+1] == '%'):
			return true
		}
	}
	return false
}

// percentDecode appends b to dst, its percent-encoded bytes decoded. What is no
// encoding stays.
func percentDecode(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '%' && i+2 < len(b) && isHex(b[i+1]) && isHex(b[i+2]) {
			c = unhex(b[i+1])<<4 | unhex(b[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

// percentEncode makes a version fit to stand in a query in every context: all
// but the unreserved characters of RFC 3986 are encoded.
func percentEncode(s string) string {
	const digits = "0123456789ABCDEF"
	var out []byte
	for i := range len(s) {
		if c := s[i]; isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~' {
			out = append(out, c)
		} else {
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(out)
}

// join appends to dst, which holds an absolute path and ends with a slash, the
// decoded relative path rel, without "." and ".." and empty segments. It is
// false when that leads above the top or to a directory.
func join(dst, rel []byte) ([]byte, bool) {
	for {
		seg, more := rel, false
		if i := bytes.IndexAny(rel, `/\`); i >= 0 {
			seg, rel, more = rel[:i], rel[i+1:], true
		}
		switch {
		case len(seg) == 0, string(seg) == ".":
			if !more {
				return dst, false
			}
		case string(seg) == "..":
			if !more || len(dst) == 1 {
				return dst, false
			}
			dst = dst[:bytes.LastIndexByte(dst[:len(dst)-1], '/')+1]
		default:
			dst = append(dst, seg...)
			if !more {
				return dst, true
			}
			dst = append(dst, '/')
		}
	}
}

// extension returns the file name extension of a slash path, with its dot, in
// lower case, in buf; empty if there is none or buf is too short for it.
func extension(path []byte, buf *[12]byte) []byte {
	for n := 1; n <= len(buf) && n <= len(path); n++ {
		c := lower(path[len(path)-n])
		if c == '/' {
			return nil
		}
		buf[len(buf)-n] = c
		if c == '.' {
			return buf[len(buf)-n:]
		}
	}
	return nil
}

// documents are the extensions of files that are pages, or the source of pages,
// and never assets.
var documents = map[string]bool{
	".txt": true, ".md": true, ".xhtml": true, ".shtml": true,
	".asp": true, ".aspx": true, ".cgi": true,
}

func init() {
	for ext, kind := range kindsByExt {
		if kind&assetKinds == 0 {
			documents[ext] = true
		}
	}
}

// expected are the extensions that name a file even when none is there. What
// has another one, or none, may as well be a route of the application.
var expected = map[string]bool{}

func init() {
	for _, ext := range []string{
		".css", ".js", ".mjs", ".map", ".wasm", ".webmanifest",
		".png", ".apng", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif", ".ico", ".cur", ".bmp", ".tif", ".tiff", ".jxl", ".heic",
		".woff", ".woff2", ".ttf", ".otf", ".eot",
		".mp3", ".m4a", ".ogg", ".oga", ".opus", ".wav", ".flac", ".mp4", ".m4v", ".webm", ".ogv", ".mov", ".vtt",
		".pdf", ".zip", ".gz", ".tgz", ".swf",
	} {
		expected[ext] = true
	}
}

// Extensions are those of file names that assets have, sorted, with their dots.
// There are assets with others: whatever is no document.
func Extensions() []string { return slices.Sorted(maps.Keys(expected)) }
