package stamp

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// quoted reads a string of one line, basic or literal.
func (s *tomlScanner) quoted(quote byte) (text string, err *Error) {
	start, escaped := s.at+1, false
	for i := start; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == quote:
			s.at = i + 1
			if text = s.src[start:i]; escaped {
				text = tomlDecode(text)
			}
			return text, nil
		case c == '\\' && quote == '"':
			n := tomlEscape(s.src[i:])
			if n == 0 {
				s.at = i
				return "", s.wrong("a \\ that begins no escape of TOML")
			}
			escaped = true
			i += n - 1
		case c == '\n' || c == '\r':
			return "", s.wrong("the string is not closed in its line")
		case tomlControl(c):
			s.at = i
			return "", s.wrong("the control character %U in a string", c)
		}
	}
	return "", s.wrong("the string is never closed")
}

// tripled reads a string in triple quotes. Up to two quotes more, before the
// last three, belong to its text.
func (s *tomlScanner) tripled(quotes string) (text string, err *Error) {
	start := s.at + len(quotes)
	for i := start; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == quotes[0] && strings.HasPrefix(s.src[i:], quotes):
			for n := 0; n < 2 && strings.HasPrefix(s.src[i+1:], quotes); n++ {
				i++
			}
			s.at = i + len(quotes)
			return tomlLines(s.src[start:i], quotes[0] == '"'), nil
		case c == '\\' && quotes[0] == '"':
			n := max(tomlEscape(s.src[i:]), tomlLineEscape(s.src[i:]))
			if n == 0 {
				s.at = i
				return "", s.wrong("a \\ that begins no escape of TOML")
			}
			i += n - 1
		case c == '\n' || c == '\r' && strings.HasPrefix(s.src[i:], "\r\n"):
		case tomlControl(c):
			s.at = i
			return "", s.wrong("the control character %U in a string", c)
		}
	}
	return "", s.wrong("the string is never closed")
}

// tomlLines decodes what stands between triple quotes: the first line's end is
// not part of it, if it is there at once.
func tomlLines(text string, basic bool) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.TrimPrefix(text, "\n")
	if basic && strings.Contains(text, `\`) {
		return tomlDecode(text)
	}
	return text
}

// tomlEscapes are the escapes of one letter. The last is of TOML 1.1.
var tomlEscapes = [256]byte{'b': '\b', 't': '\t', 'n': '\n', 'f': '\f', 'r': '\r', '"': '"', '\\': '\\', 'e': '\x1b'}

// tomlEscape returns the length of the escape that s begins with, or 0.
func tomlEscape(s string) int {
	if len(s) < 2 {
		return 0
	}
	digits := 0
	switch s[1] {
	case 'x': // of TOML 1.1
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		if tomlEscapes[s[1]] != 0 {
			return 2
		}
		return 0
	}
	if span(s[2:], digits, hexDigits) < digits {
		return 0
	}
	if code, err := strconv.ParseUint(s[2:2+digits], 16, 31); err != nil || !utf8.ValidRune(rune(code)) {
		return 0
	}
	return 2 + digits
}

// tomlLineEscape returns the length of a \ with nothing but blanks behind it in
// its line, and of the blanks and line ends up to the next character, or 0.
func tomlLineEscape(s string) int {
	n := len(s) - len(strings.TrimLeft(s[1:], " \t"))
	if n == len(s) || s[n] != '\n' && !strings.HasPrefix(s[n:], "\r\n") {
		return 0
	}
	for n < len(s) && (strings.IndexByte(" \t\n", s[n]) >= 0 || strings.HasPrefix(s[n:], "\r\n")) {
		n++
	}
	return n
}

func tomlDecode(text string) string {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			out = append(out, text[i])
			i++
			continue
		}
		n := tomlEscape(text[i:])
		switch {
		case n == 0:
			n = tomlLineEscape(text[i:])
		case n == 2:
			out = append(out, tomlEscapes[text[i+1]])
		default:
			code, _ := strconv.ParseUint(text[i+2:i+n], 16, 31)
			out = utf8.AppendRune(out, rune(code))
		}
		i += n
	}
	return string(out)
}

// word reads a value without quotes.
func (s *tomlScanner) word() (kind string, err *Error) {
	rest := s.src[s.at:]
	n := tomlWord(rest)
	// A blank may stand between date and time.
	if n == 10 && len(rest) > 11 && rest[10] == ' ' && isDigit(rest[11]) && tomlDate(rest[:10]) {
		n = 11 + tomlWord(rest[11:])
	}
	if n == 0 {
		return "", s.noValue()
	}
	if kind = tomlWordKind(rest[:n]); kind == "" {
		return "", s.wrong("%.40q is no value of TOML", rest[:n])
	}
	s.at += n
	return kind, nil
}

// tomlWord returns how long the word is that s begins with.
func tomlWord(s string) int {
	n := 0
	for n < len(s) && (tomlBareKey(s[n]) || s[n] == '+' || s[n] == '.' || s[n] == ':') {
		n++
	}
	return n
}

func (s *tomlScanner) noValue() *Error {
	if s.at == len(s.src) || strings.IndexByte("\r\n#,]}=", s.src[s.at]) >= 0 {
		return s.wrong("a value is missing")
	}
	return s.wrong("%q where a value should be", s.next())
}

// tomlWordKind returns the type that a word has, or "" if it has none.
func tomlWordKind(word string) string {
	unsigned := tomlUnsigned(word)
	switch {
	case word == "true" || word == "false":
		return "bool"
	case tomlInt(word):
		return "int"
	case unsigned == "inf" || unsigned == "nan" || tomlFloat(unsigned):
		return "float"
	case tomlTime(word):
		return "time"
	case len(word) < 10 || !tomlDate(word[:10]):
		return ""
	case len(word) == 10:
		return "date"
	case strings.IndexByte("Tt ", word[10]) < 0:
		return ""
	}
	clock := word[11:]
	switch at := strings.IndexAny(clock, "Zz+-"); {
	case at < 0 && tomlTime(clock):
		return "local-datetime"
	case at > 0 && tomlTime(clock[:at]) && tomlOffset(clock[at:]):
		return "datetime"
	}
	return ""
}

func tomlUnsigned(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

// tomlInt reports whether word is an integer that 64 bits hold.
func tomlInt(word string) bool {
	if !tomlDecimal(tomlUnsigned(word)) && !tomlPrefixed(word) {
		return false
	}
	if len(word) <= 18 && word[0] != '0' {
		return true
	}
	_, err := strconv.ParseInt(strings.ReplaceAll(word, "_", ""), 0, 64)
	return err == nil
}

// tomlPrefixed reports whether word is a hexadecimal, octal or binary number.
func tomlPrefixed(word string) bool {
	if len(word) < 3 || word[0] != '0' {
		return false
	}
	switch word[1] {
	case 'x':
		return tomlDigits(word[2:], func(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' })
	case 'o':
		return tomlDigits(word[2:], func(c byte) bool { return '0' <= c && c <= '7' })
	case 'b':
		return tomlDigits(word[2:], func(c byte) bool { return c == '0' || c == '1' })
	}
	return false
}

// tomlDecimal reports whether s is digits without a leading zero.
func tomlDecimal(s string) bool { return tomlDigits(s, isDigit) && (s[0] != '0' || len(s) == 1) }

// tomlDigits reports whether s is digits, and single underscores between them.
func tomlDigits(s string, digit func(byte) bool) bool {
	for i := range len(s) {
		if !digit(s[i]) && !(s[i] == '_' && i > 0 && s[i-1] != '_') {
			return false
		}
	}
	return s != "" && s[len(s)-1] != '_'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// tomlFloat reports whether s is a float without its sign.
func tomlFloat(s string) bool {
	whole := s
	exponent, fraction := "0", "0"
	if i := strings.IndexAny(whole, "eE"); i >= 0 {
		whole, exponent = whole[:i], tomlUnsigned(whole[i+1:])
	}
	if i := strings.IndexByte(whole, '.'); i >= 0 {
		whole, fraction = whole[:i], whole[i+1:]
	}
	return len(whole) < len(s) && tomlDecimal(whole) && tomlDigits(fraction, isDigit) && tomlDigits(exponent, isDigit)
}

// tomlPattern reports whether s has digits where the pattern has 0, and else
// what the pattern has.
func tomlPattern(s, pattern string) bool {
	for i := range len(pattern) {
		if i == len(s) || s[i] != pattern[i] && !(pattern[i] == '0' && isDigit(s[i])) {
			return false
		}
	}
	return len(s) == len(pattern)
}

func tomlDate(s string) bool {
	if !tomlPattern(s, "0000-00-00") {
		return false
	}
	year, _ := strconv.Atoi(s[:4])
	month, _ := strconv.Atoi(s[5:7])
	day, _ := strconv.Atoi(s[8:])
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC) // makes March of the 30th of February
	return int(date.Month()) == month && date.Day() == day
}

// tomlTime reports whether s is a time of day. Seconds may be missing since
// TOML 1.1, and have a fraction.
func tomlTime(s string) bool {
	if i := strings.IndexByte(s, '.'); i >= 0 {
		if fraction := s[i+1:]; fraction == "" || strings.Trim(fraction, "0123456789") != "" || i != len("00:00:00") {
			return false
		}
		s = s[:i]
	}
	return (tomlPattern(s, "00:00") || tomlPattern(s, "00:00:00") && s[6:] < "60") && s[:2] < "24" && s[3:5] < "60"
}

func tomlOffset(s string) bool {
	signed := s[0] == '+' || s[0] == '-'
	return s == "Z" || s == "z" || signed && tomlPattern(s[1:], "00:00") && s[1:3] < "24" && s[4:] < "60"
}
