package stamp

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pyStyle is how a string is written: a set of these.
type pyStyle byte

const (
	pyDouble     pyStyle = 1 << iota // in ", else in '
	pyTriple                         // the quote three times
	pyRaw                            // with an r
	pyUpperRaw                       // which is an R
	pyBytes                          // with a b
	pyUpperBytes                     // which is a B
	pyASCII                          // in a file that holds other characters only as escapes
)

// pyLiteral is a string as it was read.
type pyLiteral struct {
	start   int // without a u, which stays
	text    string
	style   pyStyle
	refused string
}

// parseString reads a string without fields. The error is of kind ParseError.
func (s *pyScanner) parseString(t pyToken) (pyLiteral, error) {
	p := pyLiteral{start: t.start}
	at := t.start
	for ; s.src[at] != '\'' && s.src[at] != '"'; at++ {
		switch s.src[at] {
		case 'r':
			p.style |= pyRaw
		case 'R':
			p.style |= pyRaw | pyUpperRaw
		case 'b':
			p.style |= pyBytes
		case 'B':
			p.style |= pyBytes | pyUpperBytes
		default: // u, alone
			p.start = at + 1
		}
	}
	if s.src[at] == '"' {
		p.style |= pyDouble
	}
	n := 1
	if t.end-at >= 6 && s.src[at+1] == s.src[at] && s.src[at+2] == s.src[at] {
		p.style |= pyTriple
		n = 3
	}
	body, ok := s.charset.decode(s.src[at+n : t.end-n])
	switch {
	case strings.ContainsAny(body, "\r\n"):
		p.refused = "a block of text"
	case !ok:
		p.refused = "in an encoding that is not decoded here"
	case p.style&pyBytes != 0 && !ascii(body):
		return p, refuse(ParseError, t.start, "bytes can only be written in ASCII")
	}
	if p.text = body; p.refused != "" || p.style&pyRaw != 0 || strings.IndexByte(body, '\\') < 0 {
		return p, nil
	}
	if p.style&pyBytes == 0 && pyNamed(body) {
		p.refused = `written with a \N{name}`
		return p, nil
	}
	text, bad := pyUnescape(body, p.style&pyBytes != 0)
	if bad != "" {
		return p, refuse(ParseError, t.start, "%s is no character", bad)
	}
	p.text = text
	return p, nil
}

// pyNamed reports whether a character is escaped by its name in Unicode, of
// which there is no list here.
func pyNamed(body string) bool {
	for i := 0; i+1 < len(body); i++ {
		if body[i] == '\\' {
			if i++; body[i] == 'N' {
				return true
			}
		}
	}
	return false
}

// pyUnescape decodes the escapes of a string or of bytes (reference 2.4.1).
// What is no escape stands for itself, with its backslash. bad is an escape
// that Python does not read.
func pyUnescape(body string, bytes bool) (text, bad string) {
	var b strings.Builder
	for {
		i := strings.IndexByte(body, '\\')
		if i < 0 {
			b.WriteString(body)
			return b.String(), ""
		}
		b.WriteString(body[:i])
		body = body[i:]
		n := pyEscape(&b, body, bytes)
		if n < 0 {
			return "", body[:min(-n, len(body))]
		}
		body = body[n:]
	}
}

// pyEscape decodes the escape that s begins with and returns its length,
// negative when it is wrong.
func pyEscape(b *strings.Builder, s string, bytes bool) int {
	c := s[1]
	if i := strings.IndexByte(`\'"abfnrtv`, c); i >= 0 {
		b.WriteByte("\\'\"\a\b\f\n\r\t\v"[i])
		return 2
	}
	digits, base := 0, 16
	switch {
	case c >= '0' && c <= '7':
		digits, base = -span(s[1:], 3, "01234567"), 8
	case c == 'x':
		digits = 2
	case c == 'u' && !bytes:
		digits = 4
	case c == 'U' && !bytes:
		digits = 8
	default:
		b.WriteString(s[:1])
		return 1
	}
	at := 2
	if digits < 0 {
		at, digits = 1, -digits
	}
	if len(s) < at+digits {
		return -at - digits
	}
	v, err := strconv.ParseUint(s[at:at+digits], base, 32)
	switch {
	case err != nil || v > utf8.MaxRune:
		return -at - digits
	case bytes:
		b.WriteByte(byte(v))
	case v >= 0xd800 && v < 0xe000: // half a pair, which Python keeps as it is
		b.Write([]byte{0xed, byte(0x80 | v>>6&0x3f), byte(0x80 | v&0x3f)})
	default:
		b.WriteRune(rune(v))
	}
	return at + digits
}

// pyQuote writes a string as it is in keys.
func pyQuote(text string) string { return pyEncode(text, 0) }

// encode keeps quotes and prefixes, but for an r when there is something to
// escape.
func (python) encode(old literal, value string, asString bool) (string, error) {
	style := pyStyle(old.style)
	switch {
	case old.kind == "bytes" && !asString:
		return pyEncode(value, style), nil
	case !asString:
		return pyBare(old, value)
	case !utf8.ValidString(value):
		return "", refuse(ControlCharacter, -1, "the value %q is not UTF-8, and a string of Python is characters", value)
	}
	return pyEncode(value, style&^(pyBytes|pyUpperBytes)), nil
}

func pyBare(old literal, value string) (string, error) {
	text, err := encodeBare(old, value)
	if err == nil && old.kind == "bool" {
		return map[string]string{"true": "True", "false": "False"}[text], nil
	}
	if old.kind == "bool" && (value == "True" || value == "False") {
		return "", refuse(TypeChange, -1, "the value %q is text", value).hint("the value of a bool is true or false here, in all formats")
	}
	return text, err
}

// pyEncode writes a string or bytes.
func pyEncode(value string, style pyStyle) string {
	quote, prefix := "'", ""
	if style&pyDouble != 0 {
		quote = `"`
	}
	body := value
	if style&pyRaw != 0 && pyHoldsRaw(value, quote, style) {
		prefix = "r"
		if style&pyUpperRaw != 0 {
			prefix = "R"
		}
	} else {
		body = pyEscapeAll(value, quote[0], style)
	}
	switch {
	case style&pyUpperBytes != 0:
		prefix = "B" + prefix
	case style&pyBytes != 0:
		prefix = "b" + prefix
	}
	if style&pyTriple != 0 {
		quote += quote + quote
	}
	return prefix + quote + body + quote
}

// pyHoldsRaw reports whether the value can be written without escapes: a raw
// string cannot end in a backslash, and there is none before a quote.
func pyHoldsRaw(value, quote string, style pyStyle) bool {
	return !strings.Contains(value, quote) && !strings.HasSuffix(value, `\`) && !strings.Contains(value, "\n") &&
		(style&(pyASCII|pyBytes) == 0 || ascii(value))
}

func pyEscapeAll(value string, quote byte, style pyStyle) string {
	var b strings.Builder
	for i := 0; i < len(value); {
		c := value[i]
		switch {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\\' || c == quote:
			b.WriteString(`\` + string(rune(c)))
		case c < ' ' || c == 0x7f || style&pyBytes != 0 && c >= utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c < utf8.RuneSelf:
			b.WriteByte(c)
		default:
			r, n := utf8.DecodeRuneInString(value[i:])
			pyRune(&b, r, value[i:i+n], style)
			i += n - 1
		}
		i++
	}
	return b.String()
}

func pyRune(b *strings.Builder, r rune, text string, style pyStyle) {
	switch {
	case style&pyASCII == 0:
		b.WriteString(text)
	case r < 0x100:
		fmt.Fprintf(b, `\x%02x`, r)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}
