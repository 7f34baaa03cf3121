package stamp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	phpSingleEscaper   = strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	phpDoubleEscaper   = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`)
	phpSingleUnescaper = strings.NewReplacer(`\\`, `\`, `\'`, `'`)
)

// encode keeps the quotes, unless there is a line feed to write: both kinds can
// hold any other value.
func (php) encode(old literal, value string, asString bool) (string, error) {
	if !asString {
		return encodeBare(old, value)
	}
	if old.style == '"' || strings.Contains(value, "\n") {
		return `"` + phpDoubleEscaper.Replace(value) + `"`, nil
	}
	return `'` + phpSingleEscaper.Replace(value) + `'`, nil
}

// phpDecode returns the value of a string in its quotes, perhaps after a b,
// without interpolation.
func phpDecode(text string) string {
	if text[0] == 'b' || text[0] == 'B' {
		text = text[1:]
	}
	quote, body := text[0], text[1:len(text)-1]
	if strings.IndexByte(body, '\\') < 0 {
		return body
	}
	if quote == '\'' {
		return phpSingleUnescaper.Replace(body)
	}
	var b strings.Builder
	for i := 0; i < len(body); {
		if body[i] != '\\' || i+1 == len(body) {
			b.WriteByte(body[i])
			i++
			continue
		}
		decoded, n := phpEscape(body[i:])
		b.WriteString(decoded)
		i += n
	}
	return b.String()
}

var phpEscapes = map[byte]string{
	'n': "\n", 't': "\t", 'r': "\r", 'v': "\v", 'e': "\x1b", 'f': "\f", '\\': `\`, '$': "$", '"': `"`,
}

// phpEscape decodes the escape that s begins with and returns its length. What
// is no escape stands for itself, with its backslash.
func phpEscape(s string) (string, int) {
	c := s[1]
	if text, ok := phpEscapes[c]; ok {
		return text, 2
	}
	switch {
	case c >= '0' && c <= '7':
		n := span(s[1:], 3, "01234567")
		v, _ := strconv.ParseUint(s[1:1+n], 8, 16)
		return string([]byte{byte(v)}), 1 + n
	case c == 'x':
		if n := span(s[2:], 2, "0123456789abcdefABCDEF"); n > 0 {
			v, _ := strconv.ParseUint(s[2:2+n], 16, 8)
			return string([]byte{byte(v)}), 2 + n
		}
	case c == 'u' && strings.HasPrefix(s[2:], "{"):
		end := strings.IndexByte(s, '}')
		if end > 3 {
			if v, err := strconv.ParseUint(s[3:end], 16, 21); err == nil && v <= utf8.MaxRune {
				return string(utf8.AppendRune(nil, rune(v))), end + 1
			}
		}
	}
	return s[:2], 2
}

// span returns how many of the first bytes of s, at most limit, are in set.
func span(s string, limit int, set string) int {
	n := 0
	for n < len(s) && n < limit && strings.IndexByte(set, s[n]) >= 0 {
		n++
	}
	return n
}
