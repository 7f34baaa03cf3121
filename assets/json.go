package assets

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonObject calls do with the key, its escapes as they stand, and the place of each
// value of the object at i, and returns the index after it. do returns the index
// after the value. A negative one ends the scan: something else than JSON is there.
func jsonObject(src []byte, i int, do func(key text, i int) int) int {
	if i = skipJSONBlank(src, i); i >= len(src) || src[i] != '{' {
		return -1
	}
	for i++; ; {
		if i = skipJSONBlank(src, i); i >= len(src) {
			return -1
		}
		switch src[i] {
		case '}':
			return i + 1
		case ',':
			i++
			continue
		case '"':
		default:
			return -1
		}
		end := jsonStringEnd(src, i)
		if end < 0 {
			return -1
		}
		key := text{b: src[i+1 : end-1], base: i + 1}
		if i = skipJSONBlank(src, end); i >= len(src) || src[i] != ':' {
			return -1
		}
		if i = do(key, skipJSONBlank(src, i+1)); i < 0 {
			return -1
		}
	}
}

func skipJSONBlank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n' || b[i] == 0) {
		i++
	}
	if i == 0 && bytes.HasPrefix(b, []byte("\ufeff")) {
		return skipJSONBlank(b, len("\ufeff"))
	}
	return i
}

// jsonStringEnd returns the index after the string at i, or -1.
func jsonStringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		case '\n':
			return -1
		}
	}
	return -1
}

// json decodes the escapes of a JSON string.
func (d *decoder) json(t text) text { return d.escapes(t, jsonEscape) }

// jsonEscape decodes the escape that b begins with, and returns its length.
func jsonEscape(b []byte) (string, int) {
	if len(b) == 1 {
		return `\`, 1
	}
	switch b[1] {
	case 'b':
		return "\b", 2
	case 'f':
		return "\f", 2
	case 'n':
		return "\n", 2
	case 'r':
		return "\r", 2
	case 't':
		return "\t", 2
	case 'u':
	default:
		return string(b[1:2]), 2
	}
	r, ok := hex4(b)
	if !ok {
		return string(b[1:2]), 2
	}
	if !utf16.IsSurrogate(r) {
		return string(r), 6
	}
	if low, ok := hex4(b[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return string(pair), 12
		}
	}
	return string(utf8.RuneError), 6
}

// hex4 is the number of the escape, \u and four hexadecimal digits, that b begins with.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}
