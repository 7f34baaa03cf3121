package stamp

import (
	"math"
	"strings"
)

// pyKind is what a token of Python is. Blanks, comments and line ends are no
// tokens.
type pyKind byte

const (
	pyName    pyKind = iota // a word, keywords too
	pyNumber                // without a sign
	pyString                // with its prefix and quotes
	pyFString               // f'...' whether or not there are fields in it
	pyOp                    // an operator or punctuation
)

// pyToken is src[start:end].
type pyToken struct {
	kind       pyKind
	start, end int
	pair       int // of a bracket: the index of the other one; else -1
}

// pyLexer splits a Python file into logical lines, and those into tokens, as
// the language reference has it in chapter 2 (3.11, and the f-strings of 3.12).
type pyLexer struct {
	src     string
	at      int
	charset charset
	tokens  []pyToken  // of one logical line
	open    []int      // of tokens: brackets that wait for their partner
	indents []pyIndent // of the blocks that the line is in; the first is the file
	fields  int        // how deep in f-strings
}

// pyIndent is how far a line is indented when a tab goes to the next multiple
// of eight, and when it counts one. Blocks must nest alike both ways.
type pyIndent struct{ eight, one int }

// CPython reads no more than this either (MAXINDENT, MAXLEVEL and
// MAXFSTRINGLEVEL in its tokenizer).
const (
	pyMaxIndents  = 100
	pyMaxBrackets = 200
	pyMaxFields   = 100
)

func newPyLexer(src string) (*pyLexer, error) {
	if len(src) > math.MaxInt32 {
		return nil, refuse(ParseError, -1, "the file is larger than 2 GB")
	}
	l := &pyLexer{src: src, at: bomLen(src), indents: []pyIndent{{}}}
	var err error
	if l.charset, err = pyCharsetOf(src); err != nil {
		return nil, err
	}
	if at := strings.IndexByte(src, 0); at >= 0 {
		return nil, refuse(ParseError, at, "the file holds the byte 0")
	}
	return l, nil
}

// line reads the next logical line that holds something into l.tokens. At the
// end of the file there are none.
func (l *pyLexer) line() error {
	l.tokens, l.open = l.tokens[:0], l.open[:0]
	if err := l.indentation(); err != nil {
		return err
	}
	for l.at < len(l.src) {
		switch c := l.src[l.at]; c {
		case ' ', '\t', '\f':
			l.at++
		case '\n', '\r':
			l.at++
			if len(l.open) == 0 {
				return nil
			}
		case '#':
			l.comment()
		case '\\':
			if err := l.continuation(); err != nil {
				return err
			}
		default:
			if err := l.token(c); err != nil {
				return err
			}
		}
	}
	if n := len(l.open); n > 0 {
		at := l.tokens[l.open[n-1]].start
		return refuse(ParseError, at, "%q is never closed", l.src[at])
	}
	return nil
}

// indentation goes to the first token of the line and finds the blocks it is
// in (reference 2.1.8). Lines that are blank or a comment count for nothing.
func (l *pyLexer) indentation() error {
	var now pyIndent
	for ; l.at < len(l.src); l.at++ {
		switch l.src[l.at] {
		case ' ':
			now.eight++
			now.one++
		case '\t':
			now.eight = (now.eight/8 + 1) * 8
			now.one++
		case '\f', '\n', '\r':
			now = pyIndent{}
		case '#':
			l.comment()
			l.at--
		case '\\':
			return refuse(ParseError, l.at, `a line that begins with \`)
		default:
			return l.block(now)
		}
	}
	l.indents = l.indents[:1]
	return nil
}

func (l *pyLexer) block(now pyIndent) error {
	n := len(l.indents)
	if now.eight > l.indents[n-1].eight {
		if now.one <= l.indents[n-1].one {
			return refuse(ParseError, l.at, "tabs and spaces are mixed in the indentation")
		}
		if n == pyMaxIndents {
			return refuse(ParseError, l.at, "blocks are nested too deep")
		}
		l.indents = append(l.indents, now)
		return nil
	}
	for now.eight < l.indents[n-1].eight {
		n--
	}
	l.indents = l.indents[:n]
	switch top := l.indents[n-1]; {
	case now.eight != top.eight:
		return refuse(ParseError, l.at, "the line is indented like no block that it could be in")
	case now.one != top.one:
		return refuse(ParseError, l.at, "tabs and spaces are mixed in the indentation")
	}
	return nil
}

// comment goes to the end of the line.
func (l *pyLexer) comment() {
	for l.at < len(l.src) && l.src[l.at] != '\n' && l.src[l.at] != '\r' {
		l.at++
	}
}

// continuation goes past a backslash and the line end that it hides.
func (l *pyLexer) continuation() error {
	n := l.newline(l.at + 1)
	if n == 0 || l.at+1+n == len(l.src) {
		return refuse(ParseError, l.at, `\ is not the last character of a line that goes on`)
	}
	l.at += 1 + n
	return nil
}

// newline returns the length of the line end at the offset: of LF, CR LF, or CR
// alone, which Python takes for one.
func (l *pyLexer) newline(at int) int {
	switch {
	case strings.HasPrefix(l.src[at:], "\r\n"):
		return 2
	case at < len(l.src) && (l.src[at] == '\n' || l.src[at] == '\r'):
		return 1
	}
	return 0
}

func (l *pyLexer) emit(kind pyKind, start, end int) {
	l.tokens = twice(l.tokens, pyToken{kind, start, end, -1})
	l.at = end
}

// token reads one token.
func (l *pyLexer) token(c byte) error {
	switch {
	case wordClass[c] == wordLetter:
		return l.word()
	case c == '\'' || c == '"':
		return l.str(l.at, "")
	case wordClass[c] == wordDigit || c == '.' && l.at+1 < len(l.src) && wordClass[l.src[l.at+1]] == wordDigit:
		return l.number()
	}
	n := pyOperator(l.src[l.at:])
	if n == 0 {
		return refuse(ParseError, l.at, "the character %q has no meaning in Python", c)
	}
	l.emit(pyOp, l.at, l.at+n)
	switch c {
	case '(', '[', '{':
		if len(l.open) == pyMaxBrackets {
			return refuse(ParseError, l.at-1, "brackets are nested too deep")
		}
		l.open = append(l.open, len(l.tokens)-1)
	case ')', ']', '}':
		return l.close(c)
	}
	return nil
}

// close pairs the bracket that was read with the one that it closes.
func (l *pyLexer) close(c byte) error {
	n, i := len(l.open), len(l.tokens)-1
	if n == 0 || l.src[l.tokens[l.open[n-1]].start] != opener(c) {
		return refuse(ParseError, l.tokens[i].start, "%q closes nothing", c)
	}
	j := l.open[n-1]
	l.open = l.open[:n-1]
	l.tokens[i].pair, l.tokens[j].pair = j, i
	return nil
}

// opener returns the bracket that c closes.
func opener(c byte) byte {
	switch c {
	case ')':
		return '('
	case ']':
		return '['
	}
	return '{'
}

// word reads a name, or the string that it is the prefix of.
func (l *pyLexer) word() error {
	start, all := l.at, byte(0)
	end := start
	for ; end < len(l.src) && wordClass[l.src[end]] != 0; end++ {
		all |= l.src[end]
	}
	if end < len(l.src) && (l.src[end] == '\'' || l.src[end] == '"') {
		if prefix := strings.ToLower(l.src[start:end]); pyPrefix(prefix) {
			l.at = end
			return l.str(start, prefix)
		}
	}
	if all >= 0x80 && !pyNames(l.charset, l.src[start:end]) {
		return refuse(ParseError, start, "%q is no name", l.src[start:end])
	}
	l.emit(pyName, start, end)
	return nil
}

// pyPrefix reports whether a string may begin with it (reference 2.4.1; t is of
// 3.14).
func pyPrefix(s string) bool {
	switch s {
	case "r", "u", "b", "f", "t", "br", "rb", "fr", "rf", "tr", "rt":
		return true
	}
	return false
}

// str reads the string whose quote is at l.at and whose prefix, in lower case,
// begins at start.
func (l *pyLexer) str(start int, prefix string) error {
	quote := l.src[l.at : l.at+1]
	if strings.HasPrefix(l.src[l.at+1:], quote+quote) {
		quote = l.src[l.at : l.at+3]
	}
	l.at += len(quote)
	fields := strings.ContainsAny(prefix, "ft")
	raw := strings.Contains(prefix, "r")
	for l.at < len(l.src) {
		switch c := l.src[l.at]; {
		case c == quote[0] && strings.HasPrefix(l.src[l.at:], quote):
			kind := pyString
			if fields {
				kind = pyFString
			}
			l.emit(kind, start, l.at+len(quote))
			return nil
		case c == '\\' && fields:
			l.fieldEscape(raw)
		case c == '\\':
			l.at += 1 + max(l.newline(l.at+1), 1)
		case (c == '\n' || c == '\r') && len(quote) == 1:
			return refuse(ParseError, start, "the string is never closed")
		case c == '{' && fields:
			if strings.HasPrefix(l.src[l.at:], "{{") {
				l.at += 2
			} else if err := l.field(quote); err != nil {
				return err
			}
		default:
			l.at++
		}
	}
	return refuse(ParseError, start, "the string is never closed")
}

// fieldEscape goes past a backslash in an f-string and what it escapes. It
// hides no brace, but one in \N{name} opens no field.
func (l *pyLexer) fieldEscape(raw bool) {
	rest := l.src[l.at+1:]
	switch {
	case strings.HasPrefix(rest, "{") || strings.HasPrefix(rest, "}"):
		l.at++
	case !raw && strings.HasPrefix(rest, "N{") && strings.IndexByte(rest, '}') > 0:
		l.at += 2 + strings.IndexByte(rest, '}')
	default:
		l.at += 1 + max(l.newline(l.at+1), 1)
	}
}

// field goes past the field of an f-string in those quotes that begins at l.at
// (reference 2.4.3). Since 3.12 it may hold strings in the same quotes.
func (l *pyLexer) field(quote string) error {
	start, before, depth := l.at, len(l.tokens), 0
	if l.fields++; l.fields > pyMaxFields {
		return refuse(ParseError, start, "f-strings are nested too deep")
	}
	for l.at++; l.at < len(l.src); {
		switch c := l.src[l.at]; {
		case c == '}' && depth == 0:
			l.at++
			l.fields--
			return nil
		case c == ':' && depth == 0:
			if err := l.formatSpec(start, quote); err != nil {
				return err
			}
		case c == '#':
			l.comment()
		case c == '\'' || c == '"' || c == '.' || wordClass[c] != 0:
			if err := l.token(c); err != nil {
				return err
			}
			l.tokens = l.tokens[:before]
		default:
			switch c {
			case '(', '[', '{':
				depth++
			case ')', ']', '}':
				depth--
			}
			if l.at++; depth < 0 {
				return refuse(ParseError, l.at-1, "%q closes nothing", c)
			}
		}
	}
	return refuse(ParseError, start, "the field of the f-string is never closed")
}

// formatSpec goes to the } of the field that begins at start. What comes after
// its colon is text, with fields in it.
func (l *pyLexer) formatSpec(start int, quote string) error {
	for l.at < len(l.src) && !strings.HasPrefix(l.src[l.at:], quote) {
		switch c := l.src[l.at]; {
		case c == '}':
			return nil
		case c == '{':
			if err := l.field(quote); err != nil {
				return err
			}
		default:
			l.at++
		}
	}
	return refuse(ParseError, start, "the field of the f-string is never closed")
}

// number reads a number (reference 2.4.4 to 2.4.7).
func (l *pyLexer) number() error {
	start, end, set := l.at, l.at, "0123456789"
	if l.src[start] == '0' && start+1 < len(l.src) {
		if s := pyRadix(l.src[start+1]); s != "" {
			set, end = s, start+2
			if strings.HasPrefix(l.src[end:], "_") {
				end++
			}
		}
	}
	if first := end; first > start {
		if end = l.digits(first, set); end == first {
			return refuse(ParseError, start, "the number has no digits")
		}
	} else if end = l.decimal(start); end < 0 {
		return refuse(ParseError, start, "the number begins with 0")
	}
	if end < len(l.src) && wordClass[l.src[end]] != 0 && !pyMayFollow(l.src[end:]) {
		return refuse(ParseError, start, "the number ends in a letter")
	}
	l.emit(pyNumber, start, end)
	return nil
}

// pyRadix returns the digits of the numbers that begin with 0 and c.
func pyRadix(c byte) string {
	switch c | 0x20 {
	case 'x':
		return "0123456789abcdefABCDEF"
	case 'o':
		return "01234567"
	case 'b':
		return "01"
	}
	return ""
}

// digits returns where digits with single underscores between them end.
func (l *pyLexer) digits(at int, set string) int {
	for at < len(l.src) {
		next := at
		if l.src[at] == '_' {
			next++
		}
		if next == len(l.src) || strings.IndexByte(set, l.src[next]) < 0 {
			break
		}
		at = next + 1
	}
	return at
}

// decimal returns where the decimal number at start ends, or -1 for an integer
// with zeros before it.
func (l *pyLexer) decimal(start int) int {
	const set = "0123456789"
	end := l.digits(start, set)
	whole := l.src[start:end]
	if end < len(l.src) && l.src[end] == '.' {
		if end++; end < len(l.src) && wordClass[l.src[end]] == wordDigit {
			end = l.digits(end, set)
		}
	}
	if end < len(l.src) && l.src[end]|0x20 == 'e' {
		at := end + 1
		if at < len(l.src) && (l.src[at] == '+' || l.src[at] == '-') {
			at++
		}
		if at < len(l.src) && wordClass[l.src[at]] == wordDigit {
			end = l.digits(at, set)
		}
	}
	if end < len(l.src) && l.src[end]|0x20 == 'j' {
		return end + 1
	}
	if end == start+len(whole) && strings.HasPrefix(whole, "0") && strings.Trim(whole, "0_") != "" {
		return -1
	}
	return end
}

// pyMayFollow reports whether s may come directly after a number, as else in
// 1if x else 2.
func pyMayFollow(s string) bool {
	for _, word := range []string{"and", "else", "for", "if", "in", "is", "not", "or"} {
		if strings.HasPrefix(s, word) {
			return true
		}
	}
	return false
}

// pyOperator returns the length of the operator that s begins with, or 0.
func pyOperator(s string) int {
	second, third := byte(0), byte(0)
	if len(s) > 1 {
		second = s[1]
	}
	if len(s) > 2 {
		third = s[2]
	}
	switch c := s[0]; c {
	case '(', ')', '[', ']', '{', '}', ',', ';', '~':
		return 1
	case '.':
		if second == '.' && third == '.' {
			return 3
		}
		return 1
	case '*', '/', '<', '>':
		switch {
		case second == c && third == '=':
			return 3
		case second == c || second == '=':
			return 2
		}
		return 1
	case '-':
		if second == '>' {
			return 2
		}
		fallthrough
	case '+', '%', '&', '|', '^', '@', '=', ':':
		if second == '=' {
			return 2
		}
		return 1
	case '!':
		if second == '=' {
			return 2
		}
	}
	return 0
}
