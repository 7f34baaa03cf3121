package stamp

import (
	"strings"
	"unicode/utf8"
)

// charset is how the bytes of a file stand for characters. In each of them
// the bytes below 0x80 are ASCII, wherever they stand.
type charset byte

const (
	charsetUTF8   charset = iota
	charsetLatin1         // ISO 8859-1
	charsetOther          // one that is not decoded here
)

// decode returns text as UTF-8, if it can be told.
func (c charset) decode(text string) (string, bool) {
	if c == charsetUTF8 || ascii(text) {
		return text, true
	}
	if c == charsetOther {
		return "", false
	}
	var b strings.Builder
	for i := range len(text) {
		b.WriteRune(rune(text[i]))
	}
	return b.String(), true
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// wordClass tells which bytes may be in a name: all above 0x7f may be a part of
// a letter.
var wordClass = func() (class [256]byte) {
	for c := range class {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80:
			class[c] = wordLetter
		case c >= '0' && c <= '9':
			class[c] = wordDigit
		}
	}
	return class
}()

const (
	wordLetter byte = 1 + iota
	wordDigit
)
