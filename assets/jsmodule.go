package assets

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// importing takes what follows the keyword import, which ends at i.
func (j *jsScanner) importing(i int) int {
	k := j.blank(i)
	if k == len(j.src) {
		return k
	}
	switch c := j.src[k]; {
	case c == '(':
		s, end, ok := j.literal(j.blank(k + 1))
		if ok && j.follows(end, ",)") {
			j.specifier(s)
		}
		return i
	case len(j.open) > 0: // import.meta, or a property's name
		return i
	case c == '"' || c == '\'':
		return j.from(k, i)
	}
	return j.clause(k, i)
}

// exporting takes what follows the keyword export, which ends at i.
func (j *jsScanner) exporting(i int) int {
	k := j.blank(i)
	if len(j.open) > 0 || k == len(j.src) || j.src[k] != '{' && j.src[k] != '*' {
		return i
	}
	return j.clause(k, i)
}

// maxClause is how many words, lists and marks there are at most before from, as
// in import a, * as b from.
const maxClause = 6

// clause takes the names at k that an import or export has before the word from
// and a specifier. It returns the index after that, or else i.
func (j *jsScanner) clause(k, i int) int {
	b := j.src
	for range maxClause {
		if k = j.blank(k); k == len(b) {
			return i
		}
		switch c := b[k]; {
		case c == '*', c == ',':
			k++
		case c == '{':
			if k = j.names(k + 1); k < 0 {
				return i
			}
		case c == '"' || c == '\'': // the name of an export
			var ok bool
			if _, k, ok = jsString(b, k); !ok {
				return i
			}
		case jsClass[c] == jsWord, jsClass[c] == jsWide:
			end := jsWordEnd(b, k)
			if string(b[k:end]) == "from" {
				if s := j.blank(end); s < len(b) && (b[s] == '"' || b[s] == '\'') {
					return j.from(s, i)
				}
			}
			k = end
		default:
			return i
		}
	}
	return i
}

// names returns the index after the list of names in braces from k on, or -1 if it
// is none.
func (j *jsScanner) names(k int) int {
	b := j.src
	for {
		if k = j.blank(k); k == len(b) {
			return -1
		}
		switch c := b[k]; {
		case c == '}':
			return k + 1
		case c == ',':
			k++
		case jsClass[c] == jsWord, jsClass[c] == jsWide:
			k = jsWordEnd(b, k)
		case c == '"' || c == '\'':
			var ok bool
			if _, k, ok = jsString(b, k); !ok {
				return -1
			}
		default:
			return -1
		}
	}
}

// from takes the string at k, a specifier, with which a statement ends but for its
// attributes. It returns the index after it, or i if it is no string.
func (j *jsScanner) from(k, i int) int {
	s, end, ok := j.literal(k)
	if !ok {
		return i
	}
	j.after(false, true)
	j.specifier(s)
	return end
}

// newURL looks for what follows the keyword new, which ends at i: URL, a literal,
// and the URL of the module.
func (j *jsScanner) newURL(i int) {
	k, ok := j.expect(i, "URL", "(")
	if !ok {
		return
	}
	s, k, ok := j.literal(k)
	if !ok {
		return
	}
	if k, ok = j.expect(k, ",", "import", ".", "meta", ".", "url"); !ok || !j.follows(k, ",)") {
		return
	}
	j.sink.module(j.decoded(s), "&")
}

// expect returns the index of what follows the tokens at i, if these are there.
func (j *jsScanner) expect(i int, tokens ...string) (int, bool) {
	i = j.blank(i)
	for _, t := range tokens {
		if !bytes.HasPrefix(j.src[i:], []byte(t)) || isLetter(t[0]) && jsWordEnd(j.src, i) != i+len(t) {
			return i, false
		}
		i = j.blank(i + len(t))
	}
	return i, true
}

// follows reports whether one of the marks is next.
func (j *jsScanner) follows(i int, marks string) bool {
	i = j.blank(i)
	return i < len(j.src) && bytes.IndexByte([]byte(marks), j.src[i]) >= 0
}

// literal returns the place of the content of the string at i, or of the template
// without substitutions, and the index after it.
func (j *jsScanner) literal(i int) (s span, next int, ok bool) {
	b := j.src
	if i >= len(b) {
		return s, i, false
	}
	if b[i] == '"' || b[i] == '\'' {
		end, next, ok := jsString(b, i)
		return span{i + 1, end}, next, ok
	}
	if b[i] != '`' {
		return s, i, false
	}
	for k := i + 1; k < len(b); k++ {
		switch b[k] {
		case '\\':
			k++
		case '`':
			return span{i + 1, k}, k + 1, true
		case '$':
			if k+1 < len(b) && b[k+1] == '{' {
				return s, i, false
			}
		}
	}
	return s, i, false
}

// specifier hands on what a module is imported by, if it is a URL.
func (j *jsScanner) specifier(s span) {
	if u := j.decoded(s); isURLSpecifier(u.b) {
		j.sink.module(u, "&")
	}
}

// isURLSpecifier reports whether a module specifier is a URL, by the HTML standard:
// an import map says what all others mean.
func isURLSpecifier(b []byte) bool {
	return bytes.HasPrefix(b, []byte("/")) || bytes.HasPrefix(b, []byte("./")) || bytes.HasPrefix(b, []byte("../")) || schemeLen(b) > 0
}

// decoded is the content of a string.
func (j *jsScanner) decoded(s span) text {
	return j.dec.escapes(text{b: j.src[s.start:s.end], base: s.start}, jsEscape)
}

// jsEscape decodes the escape that b begins with, and returns its length.
func jsEscape(b []byte) (string, int) {
	if len(b) == 1 {
		return `\`, 1
	}
	switch c := b[1]; {
	case c == 'v':
		return "\v", 2
	case c == '\r' && len(b) > 2 && b[2] == '\n':
		return "", 3
	case c == '\n', c == '\r':
		return "", 2
	case bytes.HasPrefix(b[1:], []byte("\u2028")), bytes.HasPrefix(b[1:], []byte("\u2029")):
		return "", 4
	case c == 'x' && len(b) > 3 && isHex(b[2]) && isHex(b[3]):
		return string(rune(unhex(b[2])<<4 | unhex(b[3]))), 4
	case bytes.HasPrefix(b, []byte(`\u{`)):
		if n := jsBraceEnd(b); n > 0 {
			if r, err := strconv.ParseUint(string(b[3:n]), 16, 32); err == nil && r <= utf8.MaxRune {
				return string(rune(r)), n + 1
			}
		}
	case '0' <= c && c <= '7':
		n, v := 1, 0
		for n < len(b) && n < 4 && '0' <= b[n] && b[n] <= '7' && v<<3|int(b[n]-'0') <= 0xff {
			v = v<<3 | int(b[n]-'0')
			n++
		}
		return string(rune(v)), n
	case c >= utf8.RuneSelf:
		_, n := utf8.DecodeRune(b[1:])
		return string(b[1 : 1+n]), 1 + n
	}
	return jsonEscape(b) // the rest is as in JSON
}
