package stamp

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rbPlace is where a value stands.
type rbPlace byte

const (
	rbRight    rbPlace = iota // right of an equals sign
	rbArgument                // the last argument of set
	rbElement                 // in an array or a hash
)

// value adds what key is given by the tokens from i on; those of an element go
// up to stop.
func (s *rbScanner) value(key string, i int, place rbPlace, stop int) {
	if place == rbElement {
		i, stop = s.trim(i, stop)
	}
	if i >= len(s.tokens) || place == rbElement && i == stop {
		return
	}
	l := literal{key: key, start: int(s.tokens[i].start)}
	last := i
	switch {
	case s.negative(i):
		last = i + 1
	case s.is(i, "[") || s.is(i, "{"):
		last = int(s.tokens[i].pair)
	}
	l.end = int(s.tokens[last].end)
	after := last + 1
	if s.is(after, ".") && s.text(after+1) == "freeze" && s.freezes(i) {
		after += 2
	}
	ends := func(i int) bool {
		switch place {
		case rbElement:
			return i == stop
		case rbArgument:
			return s.ends(i) || s.word(i, "rescue")
		}
		return s.ends(i)
	}
	switch {
	case place == rbRight && s.is(after, ","):
		l.refused = "an array"
	case ends(after):
		s.classify(&l, i)
	default:
		l.refused = "an expression"
		for after = i; s.stringly(after); after++ {
		}
		if after > i && ends(after) {
			l.refused = "several literals"
		}
	}
	if l.refused != "" {
		l.end, l.text = l.start, ""
	}
	s.found = twice(s.found, l)
	switch {
	case l.refused == "an array" && last+1 < len(s.tokens) && s.is(after, ",") && place == rbRight:
		s.elements(key, i, s.list(i))
	case l.refused == "an array":
		s.elements(key, i+1, last)
	case l.refused == "a hash":
		s.pairs(key, i+1, last)
	}
}

// negative reports whether token i is the sign of a number.
func (s *rbScanner) negative(i int) bool {
	return s.is(i, "-") && s.kind(i+1) == rbNumber && s.tokens[i].end == s.tokens[i+1].start
}

// freezes reports whether .freeze after token i makes no other value.
func (s *rbScanner) freezes(i int) bool {
	return s.kind(i) == rbString || s.kind(i) == rbInterp || s.kind(i) == rbWords || s.is(i, "[") || s.is(i, "{")
}

// stringly reports whether token i may be a part of one string in several
// literals.
func (s *rbScanner) stringly(i int) bool {
	switch s.kind(i) {
	case rbString, rbChar, rbPercent, rbHeredoc:
		return true
	}
	return s.kind(i) == rbInterp && !s.label(i)
}

// list returns the end of the values that begin at token i.
func (s *rbScanner) list(i int) int {
	for !s.ends(i) && !s.word(i, "rescue") {
		i = s.past(i)
	}
	return i
}

// classify tells what a value is that is one literal, or a word.
func (s *rbScanner) classify(l *literal, i int) {
	if s.charset != charsetUTF8 {
		l.style = rbASCII
	}
	switch s.kind(i) {
	case rbString:
		p, err := s.parseString(s.tokens[i])
		if err != nil && s.bad == nil {
			s.bad = err
		}
		l.text, l.refused, l.kind, l.style = p.text, p.refused, "string", l.style|p.style
	case rbSymbol:
		name, ok := s.symbol(i)
		if l.text, l.kind = name, "symbol"; !ok {
			l.refused = rbUndecoded
		}
	case rbNumber, rbOp:
		s.number(l, i)
	case rbKeyword:
		switch word := s.text(i); word {
		case "true", "false":
			l.kind, l.text = "bool", word
		case "nil":
			l.kind, l.text = "null", "null"
		default:
			l.refused = "an expression"
		}
	default:
		l.refused = rbRefused[s.kind(i)]
	}
}

var rbRefused = map[rbKind]string{
	rbName: "an expression", rbConst: "an expression", rbVariable: "an expression",
	rbInterp: "interpolated", rbHeredoc: "a block of text", rbPercent: "a string in other than quotes", rbWords: "a list of words",
	rbQuotedSymbol: "a symbol in quotes", rbChar: "a character", rbRegexp: "a regular expression", rbShell: "a shell command",
	rbLabel: "an expression", rbQuotedLabel: "an expression",
}

// number classifies a number, perhaps with a sign, and brackets.
func (s *rbScanner) number(l *literal, i int) {
	l.text = s.src[l.start:l.end]
	hex := strings.ContainsAny(l.text, "xX")
	switch {
	case s.is(i, "["):
		l.refused = "an array"
	case s.is(i, "{"):
		l.refused = "a hash"
	case s.kind(i) == rbOp && !s.negative(i):
		l.refused = "an expression"
	case strings.ContainsAny(l.text, "ri"):
		l.refused = "a rational or complex number"
	case !hex && strings.ContainsAny(l.text, ".eE"):
		l.kind = "float"
	default:
		l.kind = "int"
	}
}

const (
	rbDouble byte = 1 << iota // a string is in ", else in '
	rbASCII                   // in a file that holds other characters only as escapes
)

const rbUndecoded = "in an encoding that is not decoded here"

// rbLiteral is a string as it was read.
type rbLiteral struct {
	text    string
	style   byte
	refused string
}

// parseString reads '...' or "..." without interpolation. The error is of kind
// ParseError.
func (s *rbScanner) parseString(t rbToken) (p rbLiteral, err error) {
	body, ok := s.charset.decode(s.src[t.start+1 : t.end-1])
	if s.src[t.start] == '"' {
		p.style = rbDouble
	}
	switch {
	case strings.ContainsAny(body, "\r\n"):
		p.refused = "a block of text"
	case !ok:
		p.refused = rbUndecoded
	case strings.IndexByte(body, '\\') < 0:
		p.text = body
	case p.style == 0:
		p.text = rbSingle.Replace(body)
	default:
		var bad string
		if p.text, p.refused, bad = rbUnescape(body, s.charset); bad != "" {
			err = refuse(ParseError, int(t.start), "%s is no character", bad)
		}
	}
	return p, err
}

var rbSingle = strings.NewReplacer(`\\`, `\`, `\'`, `'`)

// rbUnescape decodes what is between two ". bad is an escape that Ruby does not
// read.
func rbUnescape(body string, c charset) (text, refused, bad string) {
	var b strings.Builder
	for {
		i := strings.IndexByte(body, '\\')
		if i < 0 {
			b.WriteString(body)
			return b.String(), "", ""
		}
		b.WriteString(body[:i])
		body = body[i:]
		if strings.IndexByte("cCM", body[1]) >= 0 {
			return "", `written with a control escape`, ""
		}
		before := b.Len()
		n := rbEscape(&b, body)
		if n == 0 {
			return "", "", body[:min(len(body), 6)]
		}
		if c != charsetUTF8 && body[1] != 'u' && !ascii(b.String()[before:]) {
			return "", rbUndecoded, ""
		}
		body = body[n:]
	}
}

// rbEscape decodes the escape that s begins with and returns its length, or 0
// when it is wrong. What is no escape stands for itself, without its backslash.
func rbEscape(b *strings.Builder, s string) int {
	c := s[1]
	if i := strings.IndexByte("abefnrstv", c); i >= 0 {
		b.WriteByte("\a\b\x1b\f\n\r \t\v"[i])
		return 2
	}
	switch {
	case c >= '0' && c <= '7':
		n := span(s[1:], 3, "01234567")
		v, _ := strconv.ParseUint(s[1:1+n], 8, 16)
		b.WriteByte(byte(v))
		return 1 + n
	case c == 'x':
		n := span(s[2:], 2, rbHex)
		v, err := strconv.ParseUint(s[2:2+n], 16, 8)
		if err != nil {
			return 0
		}
		b.WriteByte(byte(v))
		return 2 + n
	case c == 'u':
		return rbUnicode(b, s)
	}
	b.WriteByte(c)
	return 2
}

const rbHex = "0123456789abcdefABCDEF"

// rbUnicode decodes \u00e4 or \u{e4 f6}.
func rbUnicode(b *strings.Builder, s string) int {
	if !strings.HasPrefix(s, `\u{`) {
		if span(s[2:], 4, rbHex) < 4 || !rbRune(b, s[2:6]) {
			return 0
		}
		return 6
	}
	end := strings.IndexByte(s, '}')
	for _, code := range strings.Fields(s[3:max(end, 3)]) {
		if !rbRune(b, code) {
			return 0
		}
	}
	return end + 1
}

func rbRune(b *strings.Builder, code string) bool {
	v, err := strconv.ParseUint(code, 16, 32)
	if err != nil || v > utf8.MaxRune || v >= 0xd800 && v < 0xe000 {
		return false
	}
	b.WriteRune(rune(v))
	return true
}

// encode keeps the quotes, unless there is something that only " can hold.
func (ruby) encode(old literal, value string, asString bool) (string, error) {
	switch {
	case !asString && old.kind == "symbol":
		if !rbPlainSymbol(value) {
			return "", refuse(TypeChange, -1, "the value there is a symbol, which %q cannot be without quotes", value).
				hint(toString)
		}
		return ":" + value, nil
	case !asString:
		return encodeBare(old, value)
	}
	valid := utf8.ValidString(value)
	if !valid && old.style&rbASCII != 0 {
		return "", refuse(ControlCharacter, -1, "the value %q is not UTF-8, and the file is in another encoding", value)
	}
	if old.style&rbDouble == 0 && valid && !strings.Contains(value, "\n") && (old.style&rbASCII == 0 || ascii(value)) {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'", nil
	}
	return `"` + rbEscapeAll(value, old.style) + `"`, nil
}

// rbEscapeAll writes what is between two ".
func rbEscapeAll(value string, style byte) string {
	var b strings.Builder
	for i, r := range value {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\\' || r == '"':
			b.WriteString(`\` + string(r))
		case r == '#' && i+1 < len(value) && strings.IndexByte("{$@", value[i+1]) >= 0:
			b.WriteString(`\#`)
		case r == utf8.RuneError && !strings.HasPrefix(value[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02X`, value[i])
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02X`, r)
		case r >= utf8.RuneSelf && style&rbASCII != 0:
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// rbPlainSymbol reports whether a symbol needs no quotes.
func rbPlainSymbol(name string) bool {
	if n := len(name) - 1; n > 0 && (name[n] == '?' || name[n] == '!') {
		name = name[:n]
	}
	return name != "" && ascii(name) && rbWordLen(name) == len(name)
}

// rbSymbolKey writes a symbol as it is in keys.
func rbSymbolKey(name string) string {
	if rbPlainSymbol(name) {
		return ":" + name
	}
	return `:"` + rbEscapeAll(name, 0) + `"`
}

// rbStringKey writes a string as it is in keys.
func rbStringKey(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return `"` + rbEscapeAll(text, 0) + `"`
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
