package stamp

import "unicode/utf8"

// cursor is a place in a text that a scanner moves on.
type cursor struct {
	src string
	at  int
}

// wrong is a parse error here.
func (c *cursor) wrong(format string, args ...any) *Error {
	return refuse(ParseError, c.at, format, args...)
}

// byte returns the next byte, or 0 at the end.
func (c *cursor) byte() byte {
	if c.at < len(c.src) {
		return c.src[c.at]
	}
	return 0
}

// next returns the next character.
func (c *cursor) next() string {
	_, n := utf8.DecodeRuneInString(c.src[c.at:])
	return c.src[c.at : c.at+n]
}
