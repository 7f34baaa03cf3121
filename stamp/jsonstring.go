package stamp

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

func (jsonLang) encode(old literal, value string, asString bool) (string, error) {
	if !asString {
		return encodeBare(old, value)
	}
	if !utf8.ValidString(value) {
		return "", refuse(ControlCharacter, -1, "the value %q is not UTF-8, as JSON must be", value)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`, nil
}

// str reads a string. Without an escape in it, it is a part of the source.
func (s *jsonScanner) str() (text string, err *Error) {
	start, escaped := s.at+1, false
	for i := start; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == '"':
			s.at = i + 1
			if text = s.src[start:i]; escaped {
				text = jsonDecode(text)
			}
			return text, nil
		case c == '\\':
			n := jsonEscape(s.src[i:])
			if n == 0 {
				s.at = i
				return "", s.wrong("a \\ that begins no escape of JSON")
			}
			escaped = true
			i += n - 1
		case c == '\n' || c == '\r':
			return "", s.wrong("the string is not closed in its line")
		case c < ' ':
			s.at = i
			return "", s.wrong("the control character %U in a string", c)
		}
	}
	return "", s.wrong("the string is never closed")
}

// jsonEscape returns the length of the escape that s begins with, or 0.
func jsonEscape(s string) int {
	if _, ok := unitEscape(s); ok {
		return 6
	}
	if len(s) > 1 && strings.IndexByte(`"\/bfnrt`, s[1]) >= 0 {
		return 2
	}
	return 0
}

var jsonEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// jsonDecode decodes what stands between the quotes.
func jsonDecode(text string) string {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		switch {
		case text[i] != '\\':
			out = append(out, text[i])
			i++
		case text[i+1] != 'u':
			out = append(out, jsonEscapes[text[i+1]])
			i += 2
		default:
			r, n := unitEscapes(text[i:])
			out = utf8.AppendRune(out, r)
			i += n
		}
	}
	return string(out)
}

// unitEscapes decodes the \u that s begins with, and a second one where both
// are one character. Half of a pair is U+FFFD. It returns their length, or 0
// when there is none.
func unitEscapes(s string) (r rune, n int) {
	high, ok := unitEscape(s)
	if !ok {
		return 0, 0
	}
	if low, ok := unitEscape(s[6:]); ok {
		if pair := utf16.DecodeRune(high, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	if utf16.IsSurrogate(high) {
		return utf8.RuneError, 6
	}
	return high, 6
}

// unitEscape returns the UTF-16 unit of the \u that s begins with.
func unitEscape(s string) (unit rune, ok bool) {
	if len(s) < 6 || s[:2] != `\u` || span(s[2:], 4, hexDigits) < 4 {
		return 0, false
	}
	code, _ := strconv.ParseUint(s[2:6], 16, 16)
	return rune(code), true
}

const hexDigits = "0123456789abcdefABCDEF"
