package assets

import "bytes"

// A sink takes what the scanners find, in the order of the document. A text is
// valid during the call only.
type sink interface {
	// url takes a URL, with all escapes decoded but the URL's own. amp is how
	// '&' is spelled where it stands.
	url(u text, amp string)
	// module takes the URL of a module where that is its identity: one that it is
	// imported by, or the same.
	module(u text, amp string)
	// base takes the href of the document's first base element.
	base(u text)
	// integrity takes the attribute of that name and the URL of what it is for.
	integrity(value, url text)
}

// cssScanner finds URLs in CSS by the tokens of CSS Syntax Level 3: url(),
// src() and @import, and the strings that image-set() has for URLs.
type cssScanner struct {
	sink sink
	dec  decoder
	t    text
	amp  string
	// sets has a bit for each open parenthesis, the innermost lowest: set for
	// image-set( alone, where a string is a URL.
	sets    uint64
	comment span // the last that names a source map
	mapURL  span
}

// cssStop marks the bytes at which something begins or ends.
var cssStop = [256]bool{'/': true, '"': true, '\'': true, '(': true, ')': true, '@': true, '\\': true}

func (c *cssScanner) scan(t text, amp string) {
	c.t, c.amp, c.sets, c.comment = t, amp, 0, span{}
	b := t.b
	for i := 0; i < len(b); {
		if !cssStop[b[i]] {
			i++
			continue
		}
		switch b[i] {
		case '/':
			i = c.slash(i)
		case '\\':
			i = c.escapedName(i)
		case '"', '\'':
			i = c.str(i, c.sets&1 == 1)
		case '(':
			i = c.open(i, nameBefore(b, i))
		case ')':
			c.sets >>= 1
			i++
		case '@':
			i = c.atRule(i + 1)
		}
	}
	if c.comment.end > 0 && skipBlank(b, c.comment.end) == len(b) && c.sink != nil {
		c.sink.url(t.sub(c.mapURL.start, c.mapURL.end), amp)
	}
}

// slash takes a comment, if one is at i.
func (c *cssScanner) slash(i int) int {
	end := skipComment(c.t.b, i)
	if end > i+3 && bytes.HasSuffix(c.t.b[i+2:end], []byte("*/")) {
		if u := sourceMapURL(c.t.b, i+2, end-2); u.end > 0 {
			c.comment, c.mapURL = span{i, end}, u
		}
	}
	return end
}

// skipComment returns the index after the comment at i, or after the byte at i
// if none is there.
func skipComment(b []byte, i int) int {
	if i+1 >= len(b) || b[i+1] != '*' {
		return i + 1
	}
	n := bytes.Index(b[i+2:], []byte("*/"))
	if n < 0 {
		return len(b)
	}
	return i + 2 + n + 2
}

// skipBlank returns the index after the white space and comments at i.
func skipBlank(b []byte, i int) int {
	for i < len(b) {
		switch {
		case isSpace(b[i]):
			i++
		case b[i] == '/' && i+1 < len(b) && b[i+1] == '*':
			i = skipComment(b, i)
		default:
			return i
		}
	}
	return i
}

// str returns the index after the string that begins at i, and hands the
// string on if it is a URL.
func (c *cssScanner) str(i int, isURL bool) int {
	start, b := i+1, c.t.b
	end, next, ok := cssString(b, i)
	if ok && isURL {
		c.emit(start, end)
	}
	return next
}

// cssString returns the end of the content of the string that begins at i, the
// index after it, and whether it is whole: a bare line end breaks it, the end of
// the text closes it.
func cssString(b []byte, i int) (end, next int, ok bool) {
	quote := b[i]
	for i++; i < len(b); {
		switch b[i] {
		case quote:
			return i, i + 1, true
		case '\\':
			i += escapeLen(b[i:])
		case '\n', '\r', '\f':
			return i, i, false
		default:
			i++
		}
	}
	return len(b), len(b), true
}

// open takes the parenthesis at i, of the function with that name, and what may
// be the URL after it.
func (c *cssScanner) open(i int, name []byte) int {
	b := c.t.b
	i++
	switch {
	case equalFold(name, "url"):
		return c.urlToken(i)
	case equalFold(name, "src"):
		c.sets <<= 1
		if i = skipBlank(b, i); i < len(b) && (b[i] == '"' || b[i] == '\'') {
			return c.str(i, true)
		}
	case equalFold(name, "image-set"), equalFold(name, "-webkit-image-set"):
		c.sets = c.sets<<1 | 1
	default:
		c.sets <<= 1
	}
	return i
}

// nameStart returns where the identifier that ends at i begins, and false if it
// is none but part of a hash or an at-keyword.
func nameStart(b []byte, i int) (int, bool) {
	start := i
	for start > 0 && isIdent(b[start-1]) {
		start--
	}
	if start > 0 && (b[start-1] == '#' || b[start-1] == '@') {
		return start, false
	}
	if bytes.HasSuffix(b[:start], []byte("<!")) && bytes.HasPrefix(b[start:i], []byte("--")) &&
		!bytes.HasSuffix(b[:start], []byte(`\<!`)) {
		start += 2 // "<!--" is a token of its own
	}
	return start, true
}

// nameBefore returns the function name that ends at i.
func nameBefore(b []byte, i int) []byte {
	if start, ok := nameStart(b, i); ok {
		return b[start:i]
	}
	return nil
}

// escapedName takes the identifier with an escape in it at i, and the
// parenthesis after it if it is the name of a function.
func (c *cssScanner) escapedName(i int) int {
	b, end := c.t.b, i
	start, ok := nameStart(b, i)
	for end < len(b) {
		if isIdent(b[end]) {
			end++
		} else if b[end] == '\\' && end+1 < len(b) && newline(b[end+1:]) == 0 {
			end += escapeLen(b[end:])
		} else {
			break
		}
	}
	if end == len(b) || b[end] != '(' {
		return max(end, i+1)
	}
	var name []byte
	if ok {
		name = c.dec.escapes(text{b: b[start:end]}, cssEscape).b
	}
	return c.open(end, name)
}

func isIdent(c byte) bool {
	return isAlnum(c) || c == '-' || c == '_' || c >= 0x80 || c == 0
}

// urlToken takes what follows "url(": a string, or the URL itself.
func (c *cssScanner) urlToken(i int) int {
	b := c.t.b
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	if i < len(b) && (b[i] == '"' || b[i] == '\'') {
		c.sets <<= 1
		return c.str(i, true)
	}
	start, end := i, -1 // end is known once white space follows
	for i < len(b) && b[i] != ')' {
		switch {
		case isSpace(b[i]):
			if end < 0 {
				end = i
			}
			i++
		case end >= 0, badInURL(b[i]), b[i] == '\\' && i+1 < len(b) && newline(b[i+1:]) > 0:
			return skipBadURL(b, i)
		case b[i] == '\\':
			i += escapeLen(b[i:])
		default:
			i++
		}
	}
	if end < 0 {
		end = i
	}
	c.emit(start, end)
	return i + 1
}

// badInURL reports what an unquoted URL cannot hold. NUL stands for template
// code and may be anything.
func badInURL(c byte) bool {
	return c == '"' || c == '\'' || c == '(' || c == 0x7f || c < ' ' && c != 0
}

// skipBadURL returns the index after the parenthesis that ends a bad URL.
func skipBadURL(b []byte, i int) int {
	for i < len(b) && b[i] != ')' {
		if b[i] == '\\' {
			i += escapeLen(b[i:])
		} else {
			i++
		}
	}
	return i + 1
}

// atRule takes the at-keyword whose name begins at i.
func (c *cssScanner) atRule(i int) int {
	b, start := c.t.b, i
	for i < len(b) && isIdent(b[i]) {
		i++
	}
	switch name := b[start:i]; {
	case equalFold(name, "import"):
		if j := skipBlank(b, i); j < len(b) && (b[j] == '"' || b[j] == '\'') {
			return c.str(j, true)
		}
	case equalFold(name, "namespace"), equalFold(name, "document"), equalFold(name, "-moz-document"):
		return skipPrelude(b, i) // URLs that are names, and fetched by nobody
	}
	return i
}

// skipPrelude returns the index of what ends the at-rule's prelude at i.
func skipPrelude(b []byte, i int) int {
	for i < len(b) && b[i] != ';' && b[i] != '{' && b[i] != '}' {
		switch {
		case b[i] == '"' || b[i] == '\'':
			_, i, _ = cssString(b, i)
			if i < len(b) && newline(b[i:]) > 0 {
				i++
			}
		case b[i] == '/':
			i = skipComment(b, i)
		case b[i] == '(' && equalFold(nameBefore(b, i), "url"):
			quiet := cssScanner{t: text{b: b}}
			i = quiet.urlToken(i + 1)
		default:
			i++
		}
	}
	return i
}

func (c *cssScanner) emit(start, end int) {
	if c.sink == nil {
		return
	}
	u := c.t.sub(start, end)
	if bytes.IndexByte(u.b, '\\') >= 0 {
		if opensEscape(u.b) {
			return // as the text ends: what follows would be escaped
		}
		u = c.dec.escapes(u, cssEscape)
	}
	c.sink.url(u, c.amp)
}

// opensEscape reports whether b ends with a backslash that nothing follows.
func opensEscape(b []byte) bool {
	return (len(b)-len(bytes.TrimRight(b, `\`)))%2 == 1
}
