package stamp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const xmlBlank = " \t\r\n"

// What a byte can be.
const (
	xmlSpace = 1 << iota
	xmlNameStart
	xmlNameByte
	xmlControl // allowed nowhere
)

var xmlClass = func() (class [256]byte) {
	for c := range 256 {
		switch {
		case strings.IndexByte(xmlBlank, byte(c)) >= 0:
			class[c] = xmlSpace
		case c < ' ':
			class[c] = xmlControl
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':', c >= utf8.RuneSelf:
			class[c] = xmlNameStart | xmlNameByte
		case c >= '0' && c <= '9', c == '-', c == '.':
			class[c] = xmlNameByte
		}
	}
	return class
}()

// xmlNameRanges are NameStartChar above ASCII (section 2.3); xmlMoreRanges are
// what NameChar allows besides.
var (
	xmlNameRanges = [][2]rune{
		{0xc0, 0xd6}, {0xd8, 0xf6}, {0xf8, 0x2ff}, {0x370, 0x37d}, {0x37f, 0x1fff}, {0x200c, 0x200d},
		{0x2070, 0x218f}, {0x2c00, 0x2fef}, {0x3001, 0xd7ff}, {0xf900, 0xfdcf}, {0xfdf0, 0xfffd}, {0x10000, 0xeffff},
	}
	xmlMoreRanges = [][2]rune{{0xb7, 0xb7}, {0x300, 0x36f}, {0x203f, 0x2040}}
)

// xmlIsName reports whether s is a Name.
func xmlIsName(s string) bool {
	for i, r := range s {
		class := byte(0)
		switch {
		case r < utf8.RuneSelf:
			class = xmlClass[r]
		case xmlInRanges(r, xmlNameRanges):
			class = xmlNameStart
		case xmlInRanges(r, xmlMoreRanges):
			class = xmlNameByte
		}
		if class&xmlNameStart == 0 && (i == 0 || class&xmlNameByte == 0) {
			return false
		}
	}
	return s != ""
}

func xmlInRanges(r rune, ranges [][2]rune) bool {
	for _, span := range ranges {
		if r >= span[0] && r <= span[1] {
			return true
		}
	}
	return false
}

// xmlIsChar reports whether a document can hold r, at least as a reference
// (section 2.2).
func xmlIsChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r < 0xd800 || r >= 0xe000 && r < 0xfffe || r >= 0x10000 && r <= utf8.MaxRune
}

var xmlEntities = map[string]rune{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''}

// xmlReference decodes the reference to a character or to one of the five
// entities of XML itself that s begins with, and returns its length; 0 for any
// other.
func xmlReference(s string) (r rune, n int) {
	n = strings.IndexByte(s, ';') + 1
	if n < 3 {
		return 0, 0
	}
	name := s[1 : n-1]
	if r, ok := xmlEntities[name]; ok {
		return r, n
	}
	if name[0] != '#' {
		return 0, 0
	}
	digits, base := name[1:], 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil || v > utf8.MaxRune || !xmlIsChar(rune(v)) {
		return 0, 0
	}
	return rune(v), n
}
