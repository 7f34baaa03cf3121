package stamp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Styles of literals besides '"'.
const (
	cWide     = 'L' // a string with a prefix: its bytes are read as UTF-8
	cUnsigned = 'u' // a number that ends in u, and perhaps in more
	cSuffixed = 'l' // a number that ends in something else
)

var (
	cInt = lazily(`^(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)((?:[uU](?:ll|LL|[lLzZ])?|(?:ll|LL|[lLzZ])[uU]?)?)$`)
	// Decimal or hexadecimal (C17 6.4.4.2).
	cFloat = lazily(`^((?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|` +
		`0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+)([fFlL]?)$`)
)

// cLiteral completes l, whose value the tokens are. What ends or begins a
// literal (a prefix, a suffix) is left out of it, and stays.
func cLiteral(src string, tokens []cToken, l *literal) {
	if len(tokens) == 0 {
		l.refused = "missing"
		return
	}
	l.start, l.end = tokens[0].start, tokens[len(tokens)-1].end
	first := tokens[0]
	switch {
	case len(tokens) == 1 && first.spliced:
		l.refused = severalLines
	case len(tokens) == 1:
		l.refused = cSingle(src, first, l)
	case len(tokens) == 2 && first.op == '-' && tokens[1].kind == cNumber && tokens[1].start == first.end && !tokens[1].spliced:
		l.refused = cNumberLiteral(src, l)
	case cOnlyStrings(tokens):
		l.refused = "several literals"
	case cHas(tokens, cBranch):
		l.refused = "chosen by the preprocessor"
	default:
		l.refused = "an expression"
	}
	if l.refused != "" {
		l.end = l.start
		l.text, l.kind, l.style = "", "", 0
	}
}

func cOnlyStrings(tokens []cToken) bool {
	for _, t := range tokens {
		if t.kind != cString && t.kind != cRaw {
			return false
		}
	}
	return true
}

func cHas(tokens []cToken, kind cKind) bool {
	for _, t := range tokens {
		if t.kind == kind {
			return true
		}
	}
	return false
}

// cSingle reads a value of one token and returns why it is none.
func cSingle(src string, t cToken, l *literal) (refused string) {
	text := src[t.start:t.end]
	switch t.kind {
	case cString:
		return cStringLiteral(src, t, l)
	case cNumber:
		return cNumberLiteral(src, l)
	case cChar:
		return "a character"
	case cRaw:
		return "a raw string"
	case cQuote:
		return "a quote that is not closed"
	}
	switch text {
	case "true", "false":
		l.kind, l.text = "bool", text
	case "nullptr":
		l.kind, l.text = "null", text
	default:
		return "an expression"
	}
	return ""
}

func cStringLiteral(src string, t cToken, l *literal) (refused string) {
	if t.trigraph {
		return "a text with a trigraph"
	}
	l.kind, l.style = "string", '"'
	quote := strings.IndexByte(src[l.start:l.end], '"')
	if quote > 0 {
		l.style = cWide
	}
	l.start += quote
	l.end = l.start + 1 + strings.LastIndexByte(src[l.start+1:l.end], '"') + 1
	var ok bool
	if l.text, ok = cDecode(src[l.start+1:l.end-1], l.style == cWide); !ok {
		return "a text with an escape that is not understood"
	}
	return ""
}

// cNumberLiteral reads a number, perhaps after a minus sign.
func cNumberLiteral(src string, l *literal) (refused string) {
	text := src[l.start:l.end]
	minus := strings.HasPrefix(text, "-")
	plain := strings.ReplaceAll(strings.TrimPrefix(text, "-"), "'", "")
	l.kind = "int"
	suffix := ""
	if span(plain, len(plain), "0123456789") < len(plain) { // most are nothing else
		m := cInt().FindStringSubmatch(plain)
		if m == nil {
			l.kind = "float"
			if m = cFloat().FindStringSubmatch(plain); m == nil {
				return "an expression"
			}
		}
		plain, suffix = m[1], m[2]
	}
	switch {
	case strings.ContainsAny(suffix, "uU"):
		l.style = cUnsigned
	case suffix != "":
		l.style = cSuffixed
	}
	l.end -= len(suffix)
	l.text = plain
	if minus {
		l.text = "-" + plain
	}
	return ""
}

// encode keeps the kind of literal. In strings of C a value in UTF-8 arrives as
// it is. ? is escaped after another, so that no trigraph is made.
func (cLang) encode(old literal, value string, asString bool) (string, error) {
	if !asString {
		text, err := encodeBare(old, value)
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(text, "-") && old.style == cUnsigned:
			return "", refuse(TypeChange, -1, "the value there is unsigned, which %q is not", value)
		case old.room > 0 && old.kind == "int" && !cFits(text, old.room):
			return "", refuse(TypeChange, -1, "the type there may not hold %s", value).hint("declare it as long long or int64_t")
		}
		return text, nil
	}
	switch {
	case old.style == cUnsigned || old.style == cSuffixed:
		return "", refuse(TypeChange, -1, "the number there ends in a suffix, which a string cannot").hint("remove the suffix first")
	case old.style == cWide && !utf8.ValidString(value):
		return "", refuse(ControlCharacter, -1, "the value %q is not UTF-8, as a string with a prefix must be", value)
	case old.room > 0 && old.kind == "string" && len(value) >= old.room:
		return "", refuse(NotALiteral, -1, "the array there has room for %d bytes, and %q needs %d", old.room, value, len(value)+1).
			hint("leave its size to the compiler, as in NAME[]")
	}
	text := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value)
	for strings.Contains(text, "??") {
		text = strings.Replace(text, "??", `?\?`, 1)
	}
	return `"` + text + `"`, nil
}

// cFits reports whether an integer can be held in so many bits and a sign.
func cFits(text string, bits int) bool {
	v, err := strconv.ParseInt(text, 10, 64)
	return err == nil && v < 1<<bits && v >= -1<<bits
}

var cEscapes = map[byte]byte{
	'n': '\n', 't': '\t', 'r': '\r', 'a': '\a', 'b': '\b', 'f': '\f', 'v': '\v', 'e': 0x1b,
	'\\': '\\', '\'': '\'', '"': '"', '?': '?',
}

// cDecode returns the value of a string; numbers in a wide one are characters
// instead of bytes.
func cDecode(body string, wide bool) (text string, ok bool) {
	if strings.IndexByte(body, '\\') < 0 {
		return body, true
	}
	var b strings.Builder
	for i := 0; i < len(body); {
		if body[i] != '\\' {
			b.WriteByte(body[i])
			i++
			continue
		}
		if i+1 == len(body) {
			return "", false
		}
		c := body[i+1]
		i += 2
		digits, set, limit, most := i, "", 0, uint64(0xff)
		switch {
		case cEscapes[c] != 0:
			b.WriteByte(cEscapes[c])
			continue
		case c >= '0' && c <= '7':
			digits, set, limit = i-1, "01234567", 3
		case c == 'x':
			set, limit = "0123456789abcdefABCDEF", len(body)
		case c == 'u' || c == 'U':
			set, limit, most = "0123456789abcdefABCDEF", map[byte]int{'u': 4, 'U': 8}[c], utf8.MaxRune
		}
		n := span(body[digits:], limit, set)
		base := map[bool]int{true: 8, false: 16}[limit == 3]
		if wide {
			most = utf8.MaxRune
		}
		v, err := strconv.ParseUint(body[digits:digits+n], base, 64)
		if n == 0 || most == utf8.MaxRune && limit >= 4 && c != 'x' && n < limit || err != nil || v > most {
			return "", false
		}
		if wide || c == 'u' || c == 'U' {
			b.WriteRune(rune(v))
		} else {
			b.WriteByte(byte(v))
		}
		i = digits + n
	}
	return b.String(), true
}
