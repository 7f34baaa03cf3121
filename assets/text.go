package assets

import (
	"bytes"
	"html"
	"unicode/utf8"
)

// text is a piece of a document with its escapes decoded, and where each of
// its bytes stands in the document.
type text struct {
	b    []byte
	base int   // of b[0], when at is nil
	at   []int // start of each byte, and the end of the last: len(b)+1 entries
}

// pos returns the place in the document of byte i, or of the end.
func (t text) pos(i int) int {
	if t.at == nil {
		return t.base + i
	}
	return t.at[i]
}

func (t text) sub(i, j int) text {
	if t.at == nil {
		return text{b: t.b[i:j], base: t.base + i}
	}
	return text{b: t.b[i:j], at: t.at[i : j+1]}
}

// trim takes white space and control characters off both ends, as URL parsers
// do. NUL stays: it stands for template code.
func (t text) trim() text {
	i, j := 0, len(t.b)
	if j > 0 && t.b[0] > ' ' && t.b[j-1] > ' ' {
		return t
	}
	for i < j && t.b[i] <= ' ' && t.b[i] != 0 {
		i++
	}
	for i < j && t.b[j-1] <= ' ' && t.b[j-1] != 0 {
		j--
	}
	return t.sub(i, j)
}

// decoder builds decoded texts in memory that it uses again.
type decoder struct {
	b  []byte
	at []int
}

func (d *decoder) reset() {
	d.b, d.at = d.b[:0], d.at[:0]
}

func (d *decoder) add(c byte, pos int) {
	d.b = append(d.b, c)
	d.at = append(d.at, pos)
}

func (d *decoder) addString(s string, pos int) {
	for i := range len(s) {
		d.add(s[i], pos)
	}
}

// text returns what was added; it is valid until the next reset.
func (d *decoder) text(end int) text {
	d.at = append(d.at, end)
	return text{b: d.b, at: d.at}
}

// entities decodes character references as they are in attribute values, where
// one without its semicolon is literal before a letter, a digit or '='.
func (d *decoder) entities(t text) text {
	d.reset()
	for i := 0; i < len(t.b); {
		if t.b[i] == '&' {
			if s, n := entity(t.b[i:]); n > 0 {
				d.addString(s, t.pos(i))
				i += n
				continue
			}
		}
		d.add(t.b[i], t.pos(i))
		i++
	}
	return d.text(t.pos(len(t.b)))
}

// entity decodes the character reference that b begins with and returns its
// length, or 0 if there is none.
func entity(b []byte) (string, int) {
	const amp = "&amp;"
	if len(b) >= len(amp) && string(b[:len(amp)]) == amp {
		return "&", len(amp)
	}
	if len(b) < 2 {
		return "", 0
	}
	if b[1] == '#' {
		return numericEntity(b)
	}
	n := 1
	for n < len(b) && isAlnum(b[n]) {
		n++
	}
	name := string(b[:n])
	with := html.UnescapeString(name + ";")
	if n < len(b) && b[n] == ';' {
		// What decodes only in part, as &ampx; does in text, keeps its end.
		if with == name+";" || len(with) > 1 && with[len(with)-1] == ';' {
			return "", 0
		}
		return with, n + 1
	}
	// Only the old names need no semicolon: with and without one they mean the same.
	if n < len(b) && b[n] == '=' || html.UnescapeString(name) != with {
		return "", 0
	}
	return with, n
}

func numericEntity(b []byte) (string, int) {
	n, digit := 2, isDigit
	if n < len(b) && b[n]|0x20 == 'x' {
		n, digit = 3, isHex
	}
	start := n
	for n < len(b) && digit(b[n]) {
		n++
	}
	if n == start {
		return "", 0
	}
	s := html.UnescapeString(string(b[:n]) + ";")
	if n < len(b) && b[n] == ';' {
		n++
	}
	return s, n
}

// escapes decodes what begins with a backslash, of which escape decodes one and
// returns the length. One that the end cuts off is up to that, too.
func (d *decoder) escapes(t text, escape func(b []byte) (string, int)) text {
	if bytes.IndexByte(t.b, '\\') < 0 {
		return t
	}
	d.reset()
	for i := 0; i < len(t.b); {
		if t.b[i] != '\\' {
			d.add(t.b[i], t.pos(i))
			i++
			continue
		}
		s, n := escape(t.b[i:])
		d.addString(s, t.pos(i))
		i += n
	}
	return d.text(t.pos(len(t.b)))
}

// cssEscape decodes the escape that b begins with, and returns its length.
func cssEscape(b []byte) (string, int) {
	n, r := escapeLen(b), rune(0)
	if n == 1 || newline(b[1:]) > 0 { // an escaped line end is nothing
		return "", n
	}
	if !isHex(b[1]) {
		return string(b[1:2]), n
	}
	for _, c := range b[1:min(n, 7)] {
		if !isHex(c) {
			break
		}
		r = r<<4 | rune(unhex(c))
	}
	if r == 0 || !utf8.ValidRune(r) {
		r = utf8.RuneError
	}
	return string(r), n
}

// escapeLen returns the length of the CSS escape that b begins with: up to six
// hexadecimal digits and one white space, or a line end, or any byte.
func escapeLen(b []byte) int {
	n := 1
	for n < len(b) && n <= 6 && isHex(b[n]) {
		n++
	}
	switch {
	case n == len(b):
		return n
	case n == 1:
		return 1 + max(1, newline(b[1:]))
	case b[n] == ' ' || b[n] == '\t':
		return n + 1
	}
	return n + newline(b[n:])
}

// newline returns the length of the CSS line end that b begins with.
func newline(b []byte) int {
	switch {
	case b[0] == '\r' && len(b) > 1 && b[1] == '\n':
		return 2
	case b[0] == '\n', b[0] == '\r', b[0] == '\f':
		return 1
	}
	return 0
}

// clean takes off of a URL what URL parsers ignore: white space around it, tabs
// and line breaks within.
func (d *decoder) clean(t text) text {
	t = t.trim()
	if bytes.IndexByte(t.b, '\n') < 0 && bytes.IndexByte(t.b, '\r') < 0 && bytes.IndexByte(t.b, '\t') < 0 {
		return t
	}
	d.reset()
	for i, c := range t.b {
		if c != '\t' && c != '\n' && c != '\r' {
			d.add(c, t.pos(i))
		}
	}
	return d.text(t.pos(len(t.b)))
}

func isLetter(c byte) bool { c |= 0x20; return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isAlnum(c byte) bool  { return isLetter(c) || isDigit(c) }
func isHex(c byte) bool    { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isSpace reports white space as HTML and CSS have it.
func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// unhex returns the value of a hexadecimal digit.
func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// hasFold reports whether b begins with the lower-case ASCII text prefix, in
// whatever case.
func hasFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && equalFold(b[:len(prefix)], prefix)
}

// equalFold reports whether b is the lower-case ASCII text s, in whatever case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != s[i] {
			return false
		}
	}
	return true
}
