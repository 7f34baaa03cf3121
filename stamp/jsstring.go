package stamp

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// encode keeps the quotes: each kind can hold any value. </script and <!-- are
// written with a backslash that means nothing, for the browser that reads the
// code inside of a page would end it, or read on, there (HTML, section
// 4.12.1.3).
func (js) encode(old literal, value string, asString bool) (string, error) {
	if !asString {
		return jsBare(old, value)
	}
	if !utf8.ValidString(value) {
		return "", refuse(ControlCharacter, -1, "the value %q is not UTF-8, as JavaScript must be", value)
	}
	quote := old.style
	if quote == 0 {
		quote = '\''
	}
	var b strings.Builder
	b.WriteByte(quote)
	for i, r := range value {
		rest := value[i:]
		switch {
		case r == '\n':
			b.WriteString(`\n`)
			continue
		case r == '\\', r == rune(quote), r == '$' && quote == '`' && strings.HasPrefix(rest, "${"):
			b.WriteByte('\\')
		case r == '/' && i > 0 && value[i-1] == '<' && len(rest) >= 7 && strings.EqualFold(rest[:7], "/script"),
			r == '!' && i > 0 && value[i-1] == '<' && strings.HasPrefix(rest, "!--"):
			b.WriteByte('\\')
		case r >= utf8.RuneSelf && old.ascii:
			for _, unit := range utf16.AppendRune(nil, r) {
				b.WriteString(`\u` + strconv.FormatUint(0x10000+uint64(unit), 16)[1:])
			}
			continue
		}
		b.WriteRune(r)
	}
	b.WriteByte(quote)
	return b.String(), nil
}

// jsBare writes a value that is no string. A number is a double: it gets no
// more digits than that keeps.
func jsBare(old literal, value string) (string, error) {
	if old.kind == "bigint" && bareInt().MatchString(value) {
		return value + "n", nil
	}
	text, err := encodeBare(old, value)
	if err == nil && old.kind == "number" && !jsExact(strings.TrimPrefix(value, "-")) {
		return "", refuse(TypeChange, -1, "a number cannot hold all digits of %q", value).
			hint(toString)
	}
	return text, err
}

// jsExact reports whether a double is read back as the same decimal number.
func jsExact(digits string) bool {
	n, err := strconv.ParseInt(digits, 10, 64)
	return err == nil && n <= 1<<53 || err != nil && len(digits) <= len("0.")+14
}

// jsDecode returns the value of a string or a template without its quotes. It
// reports whether all escapes are good.
func jsDecode(body string) (string, bool) {
	if strings.IndexByte(body, '\\') < 0 {
		return body, true
	}
	var b strings.Builder
	var high rune // half of a character
	for i := 0; i < len(body); {
		r, n := rune(body[i]), 1
		if body[i] == '\\' {
			if r, n = jsEscape(body[i:]); n == 0 {
				return "", false
			}
		}
		whole := utf16.DecodeRune(high, r)
		switch {
		case whole != utf8.RuneError:
			r = whole
		case high != 0:
			b.WriteRune(utf8.RuneError)
		}
		high = 0
		switch {
		case utf16.IsSurrogate(r):
			high = r
		case body[i] != '\\':
			b.WriteByte(body[i])
		case r >= 0:
			b.WriteRune(r)
		}
		i += n
	}
	if high != 0 {
		b.WriteRune(utf8.RuneError)
	}
	return b.String(), true
}

// jsEscape decodes the escape that s begins with (ECMAScript, sections 12.9.4
// and B.1.2) and returns its length, 0 if it is none. An escaped line end is
// nothing, -1.
func jsEscape(s string) (r rune, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch c := s[1]; c {
	case 'n':
		return '\n', 2
	case 't':
		return '\t', 2
	case 'r':
		return '\r', 2
	case 'b':
		return '\b', 2
	case 'v':
		return '\v', 2
	case 'f':
		return '\f', 2
	case '\r':
		if strings.HasPrefix(s[2:], "\n") {
			return -1, 3
		}
		return -1, 2
	case '\n':
		return -1, 2
	case 'x':
		return jsHex(s, 2, 2)
	case 'u':
		return jsUnicodeEscape(s)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n = span(s[1:], 2, "01234567")
		if c <= '3' {
			n = span(s[1:], 3, "01234567")
		}
		v, _ := strconv.ParseUint(s[1:1+n], 8, 16)
		return rune(v), 1 + n
	}
	r, n = utf8.DecodeRuneInString(s[1:])
	if jsLineEnd(r) {
		r = -1
	}
	return r, 1 + n
}

// jsUnicodeEscape decodes \u00e4 or \u{e4}.
func jsUnicodeEscape(s string) (r rune, n int) {
	if !strings.HasPrefix(s, `\u{`) {
		if !strings.HasPrefix(s, `\u`) {
			return 0, 0
		}
		return jsHex(s, 2, 4)
	}
	digits := span(s[3:], len(s), "0123456789abcdefABCDEF")
	v, err := strconv.ParseUint(s[3:3+digits], 16, 32)
	if err != nil || v > utf8.MaxRune || !strings.HasPrefix(s[3+digits:], "}") {
		return 0, 0
	}
	return rune(v), 3 + digits + 1
}

func jsHex(s string, at, digits int) (r rune, n int) {
	if span(s[min(at, len(s)):], digits, "0123456789abcdefABCDEF") < digits {
		return 0, 0
	}
	v, _ := strconv.ParseUint(s[at:at+digits], 16, 32)
	return rune(v), at + digits
}

// jsNameText returns the name that an identifier writes, perhaps with escapes.
func jsNameText(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	name, _ := jsDecode(text)
	return name
}

// jsNumberName returns the name of the property that a number names: ToString
// of it (section 6.1.6.1.20).
func jsNumberName(text string) string {
	if bareInt().MatchString(text) && len(text) <= 15 {
		return text
	}
	text = strings.ReplaceAll(text, "_", "")
	if digits, ok := strings.CutSuffix(text, "n"); ok && strings.Trim(digits, "0123456789") == "" {
		return digits
	}
	var v float64
	if n, err := strconv.ParseUint(strings.TrimSuffix(text, "n"), 0, 64); err == nil {
		v = float64(n)
	} else if v, err = strconv.ParseFloat(text, 64); err != nil && v == 0 {
		return text
	}
	if math.IsInf(v, 0) {
		return "Infinity"
	}
	if v >= 1e21 || v != 0 && v < 1e-6 {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
		return mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
