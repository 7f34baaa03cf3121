package assets

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// jsClass tells bytes apart by what they can begin.
const (
	jsOther byte = iota
	jsBlank
	jsWide // a character beyond ASCII, or an escape: part of a word, if it is no white space
	jsWord // a letter; NUL, which stands for template code
	jsDigit
)

var jsClass = func() (class [256]byte) {
	for c := range class {
		switch b := byte(c); {
		case isLetter(b), b == '$', b == '_', b == '#', b == 0:
			class[c] = jsWord
		case b == '\\', b >= utf8.RuneSelf:
			class[c] = jsWide
		case isDigit(b):
			class[c] = jsDigit
		case isSpace(b), b == '\v':
			class[c] = jsBlank
		}
	}
	return class
}()

// jsWordEnd returns the index after the word at i, whose escapes are part of it.
func jsWordEnd(b []byte, i int) int {
	for {
		for i < len(b) && jsClass[b[i]] >= jsWord {
			i++
		}
		if i == len(b) || jsClass[b[i]] != jsWide || jsWideBlank(b[i:]) > 0 {
			return i
		}
		if bytes.HasPrefix(b[i:], []byte(`\u{`)) {
			i += max(0, jsBraceEnd(b[i:]))
		}
		i++
	}
}

// jsBraceEnd returns where the escape \u{…} that b begins with has its end, or -1.
// No character has more than six digits; zeros may be before them.
func jsBraceEnd(b []byte) int { return bytes.IndexByte(b[:min(len(b), 32)], '}') }

// jsWideBlank returns the length of the white space or line end beyond ASCII that
// b begins with.
func jsWideBlank(b []byte) int {
	if b[0] < utf8.RuneSelf {
		return 0
	}
	if r, n := utf8.DecodeRune(b); r == '\u2028' || r == '\u2029' || r == '\ufeff' || unicode.Is(unicode.Zs, r) {
		return n
	}
	return 0
}

// regexpEnd returns the index after the regular expression at i, and its flags;
// without one, false and where its line ends.
func regexpEnd(b []byte, i int) (end int, ok bool) {
	class := false
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			if i++; i < len(b) && (b[i] == '\n' || b[i] == '\r') {
				return i, false
			}
		case '[':
			class = true
		case ']':
			class = false
		case '\n', '\r':
			return i, false
		case '/':
			if !class {
				for i++; i < len(b) && isLetter(b[i]); i++ {
				}
				return i, true
			}
		}
	}
	return len(b), false
}

// jsString returns the end of the content of the string at i, the index after it,
// and whether it has an end on its line.
func jsString(b []byte, i int) (end, next int, ok bool) {
	quote := b[i]
	for i++; i < len(b); i++ {
		switch b[i] {
		case quote:
			return i, i + 1, true
		case '\\':
			if i++; i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' {
				i++
			}
		case '\n', '\r':
			return i, i, false
		}
	}
	return len(b), len(b), false
}

// jsLineEnd returns the index of the line end at or after i.
func jsLineEnd(b []byte, i int) int {
	for ; i < len(b); i++ {
		if c := b[i]; c == '\n' || c == '\r' ||
			c == 0xe2 && (bytes.HasPrefix(b[i:], []byte("\u2028")) || bytes.HasPrefix(b[i:], []byte("\u2029"))) {
			return i
		}
	}
	return len(b)
}

// beginsLine reports whether only white space is before i on its line.
func beginsLine(b []byte, i int) bool {
	for i > 0 && jsClass[b[i-1]] == jsBlank {
		if i--; b[i] == '\n' || b[i] == '\r' {
			return true
		}
	}
	return i == 0
}

// blank returns the index after the white space and comments at i.
func (j *jsScanner) blank(i int) int {
	b := j.src
	for i < len(b) {
		switch c := b[i]; {
		case jsClass[c] == jsBlank:
			i++
		case c == '/' && i+1 < len(b) && b[i+1] == '/':
			i = jsLineEnd(b, i)
		case c == '/' && i+1 < len(b) && b[i+1] == '*':
			i = skipComment(b, i)
		case c >= utf8.RuneSelf && jsWideBlank(b[i:]) > 0:
			i += jsWideBlank(b[i:])
		default:
			return i
		}
	}
	return len(b)
}
