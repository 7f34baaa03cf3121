package stamp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// jsKind is what a token is. Punctuation of one character has that character
// as its kind.
type jsKind byte

const (
	jsEOF      jsKind = iota
	jsName            // an identifier or a keyword
	jsPrivate         // #name
	jsString          // '...' or "..."
	jsNumber          // of any form, with the n of a bigint
	jsRegexp          // with its flags
	jsChunk           // of a template: the text between ` ${ } and `
	jsComment         // of any form, the #! line too
	jsArrow           // =>
	jsDots            // ...
	jsOptional        // ?.
	jsStep            // ++ and --
	jsAssign          // = with an operator: += ??= and so on
	jsBinary          // an operator of several characters with two operands
)

// jsToken is src[start:end].
type jsToken struct {
	kind       jsKind
	newline    bool // a line ends between the token before and this one
	start, end int
}

// jsLexer splits JavaScript (ECMAScript 2025, section 12, and annex B.1) or
// TypeScript one token ahead of its parser. Whether / divides or begins a
// regular expression, and } ends code or the code in a template, depends on the
// grammar: the parser knows, and has such a token read again.
type jsLexer struct {
	src  string
	ts   bool
	at   int     // of the character after tok
	tok  jsToken // what comes next
	last int     // the end of the token before tok
	html int     // 1 + where a comment <!-- or --> begins, if there is one
	err  error   // the first one; after it there is only jsEOF

	trying int               // how many attempts are going on: their errors are not told
	log    func(tok jsToken) // told of tokens and comments by tests
	undo   func(before int)  // told which of them are to be forgotten
}

// errJSAttempt is the error of an attempt.
var errJSAttempt = refuse(ParseError, -1, "an attempt")

// fail ends the reading.
func (l *jsLexer) fail(at int, format string, args ...any) {
	switch {
	case l.err != nil:
	case l.trying > 0:
		l.err = errJSAttempt
	default:
		l.err = refuse(ParseError, at, format, args...)
	}
	l.at = len(l.src)
	l.tok = jsToken{kind: jsEOF, start: l.at, end: l.at}
}

// unexpected refuses the token that comes next.
func (l *jsLexer) unexpected() {
	if l.tok.kind == jsEOF {
		l.fail(l.tok.start, "the file ends too early")
		return
	}
	l.fail(l.tok.start, "%q is not expected here", l.text())
}

func (l *jsLexer) text() string { return l.textOf(l.tok) }

func (l *jsLexer) textOf(tok jsToken) string { return l.src[tok.start:tok.end] }

// is reports whether the next token is the word, written without escapes.
func (l *jsLexer) is(word string) bool { return l.tok.kind == jsName && l.text() == word }

// peek returns the token after the next one.
func (l *jsLexer) peek() jsToken {
	ahead := jsLexer{src: l.src, ts: l.ts, at: l.at, tok: l.tok, trying: 1}
	ahead.next()
	return ahead.tok
}

// next goes one token on.
func (l *jsLexer) next() {
	if l.err != nil {
		return
	}
	l.last = l.tok.end
	l.tok.newline = false
	c := l.char(0)
	if jsClass[c] == 0 {
		l.space()
		c = l.char(0)
	}
	l.tok.start = l.at
	switch {
	case jsClass[c] == jsLetter:
		l.name()
	case jsClass[c] == jsAlone:
		l.tok.kind = jsKind(c)
		l.at++
	case l.at < len(l.src):
		l.token(c)
	default:
		l.tok.kind = jsEOF
	}
	if l.err != nil {
		l.tok.kind = jsEOF
		return
	}
	l.tok.end = l.at
	if l.log != nil {
		l.log(l.tok)
	}
}

// jsClass tells what a token can be that begins with a character. All others
// may be blanks, or begin a comment or several kinds of token.
const (
	jsLetter = 1 << iota // $ and _ too
	jsDigit
	jsAlone // always a token of its own

	jsWord = jsLetter | jsDigit
)

var jsClass = func() (class [256]byte) {
	for c := range class {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '$' || c == '_':
			class[c] = jsLetter
		case c >= '0' && c <= '9':
			class[c] = jsDigit
		case strings.IndexByte("(){}[];,:~@`", byte(c)) >= 0:
			class[c] = jsAlone
		}
	}
	return class
}()

func (l *jsLexer) has(text string) bool { return strings.HasPrefix(l.src[l.at:], text) }

// char returns the nth byte from here, or 0.
func (l *jsLexer) char(n int) byte {
	if l.at+n < len(l.src) {
		return l.src[l.at+n]
	}
	return 0
}

// space goes over blanks, line ends and comments.
func (l *jsLexer) space() {
	for l.at < len(l.src) {
		switch c := l.src[l.at]; {
		case c == ' ' || c == '\t' || c == '\v' || c == '\f':
			l.at++
		case c == '\n' || c == '\r':
			l.at++
			l.tok.newline = true
		case c == '/' && l.char(1) == '/' || c == '#' && l.char(1) == '!' && l.at == bomLen(l.src):
			l.lineComment()
		case c == '/' && l.char(1) == '*':
			l.blockComment()
		case c == '<' && !l.ts && l.has("<!--"),
			c == '-' && !l.ts && (l.tok.newline || l.last == 0) && l.has("-->"):
			l.html = l.at + 1
			l.lineComment()
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(l.src[l.at:])
			if r != 0xfeff && !unicode.Is(unicode.Zs, r) && !jsLineEnd(r) {
				return
			}
			l.tok.newline = l.tok.newline || jsLineEnd(r)
			l.at += n
		default:
			return
		}
	}
}

// jsLineEnd reports whether r is one of the two line ends that are not ASCII.
func jsLineEnd(r rune) bool { return r == 0x2028 || r == 0x2029 }

func (l *jsLexer) lineComment() {
	start := l.at
	for ; l.at < len(l.src); l.at++ {
		if c := l.src[l.at]; c == '\n' || c == '\r' || c == 0xe2 && (l.has("\u2028") || l.has("\u2029")) {
			break
		}
	}
	l.comment(start)
}

func (l *jsLexer) blockComment() {
	start := l.at
	n := strings.Index(l.src[start+2:], "*/")
	if n < 0 {
		l.fail(start, "the comment is never closed")
		return
	}
	l.at += 2 + n + 2
	text := l.src[start:l.at]
	if strings.ContainsAny(text, "\n\r") || strings.Contains(text, "\u2028") || strings.Contains(text, "\u2029") {
		l.tok.newline = true
	}
	l.comment(start)
}

func (l *jsLexer) comment(start int) {
	if l.log != nil {
		l.log(jsToken{kind: jsComment, start: start, end: l.at})
	}
}

// token reads a token that begins with c and is not told by that.
func (l *jsLexer) token(c byte) {
	switch {
	case jsClass[c] == jsDigit || c == '.' && jsClass[l.char(1)] == jsDigit:
		l.number()
	case c == '\'' || c == '"':
		l.str(c)
	case c == '#':
		l.at++
		l.name()
		l.tok.kind = jsPrivate
	case c == '\\' || c >= utf8.RuneSelf:
		l.name()
	case c <= ' ' || c == 0x7f:
		l.fail(l.at, "the character %q is not expected here", c)
	default:
		l.punctuation(c)
	}
}

// name reads an identifier (section 12.7). A byte that is not UTF-8 counts as
// a letter: in Latin-1 it most likely is one.
func (l *jsLexer) name() {
	start := l.at
	l.tok.kind = jsName
	for {
		for l.at < len(l.src) && jsClass[l.src[l.at]]&jsWord != 0 {
			l.at++
		}
		n := l.nameRune(l.at > start)
		if n == 0 {
			break
		}
		l.at += n
	}
	if l.at == start || jsClass[l.src[start]] == jsDigit {
		r, _ := utf8.DecodeRuneInString(l.src[start:])
		l.fail(start, "the character %q is not expected here", r)
	}
}

// nameRune returns the length of the character here, which is no ASCII or an
// escape, if it belongs to a name, and otherwise 0.
func (l *jsLexer) nameRune(continued bool) int {
	c := l.char(0)
	if c != '\\' && c < utf8.RuneSelf {
		return 0
	}
	r, n := utf8.DecodeRuneInString(l.src[l.at:])
	if c == '\\' {
		r, n = jsUnicodeEscape(l.src[l.at:])
	}
	if r == utf8.RuneError && n == 1 || jsNameRune(r, continued) {
		return n
	}
	return 0
}

// jsNameRune reports whether r can be in a name: ID_Start or ID_Continue of
// Unicode's annex 31, $, _ and, but for the first, two joiners.
func jsNameRune(r rune, continued bool) bool {
	if r == '$' || r == '_' || unicode.IsLetter(r) || unicode.In(r, unicode.Nl, unicode.Other_ID_Start) {
		return true
	}
	return continued && (r == 0x200c || r == 0x200d || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue))
}

// number reads a number of any form (section 12.9.3) and makes sure that no
// name follows at once.
func (l *jsLexer) number() {
	start := l.at
	l.tok.kind = jsNumber
	whole := true
	if set := jsDigits(l.src[start], l.char(1)); set != "" {
		l.at += 2
		n := span(l.src[l.at:], len(l.src), set)
		if l.at += n; n == 0 {
			l.fail(start, "the number has no digits")
			return
		}
	} else {
		whole = l.decimal()
	}
	if whole && l.char(0) == 'n' {
		l.at++
	}
	r, _ := utf8.DecodeRuneInString(l.src[l.at:])
	if jsClass[l.char(0)]&jsWord != 0 || l.char(0) == '\\' || r >= utf8.RuneSelf && jsNameRune(r, false) {
		l.fail(start, "the number runs into a name")
	}
}

// jsDigits returns those of a number that begins with 0x, 0o or 0b.
func jsDigits(zero, letter byte) string {
	switch {
	case zero != '0':
	case letter|0x20 == 'x':
		return "0123456789abcdefABCDEF_"
	case letter|0x20 == 'o':
		return "01234567_"
	case letter|0x20 == 'b':
		return "01_"
	}
	return ""
}

// decimal reads a decimal number, and reports whether it has neither fraction
// nor exponent. One that begins with 0 and has octal digits only ends before a
// dot.
func (l *jsLexer) decimal() (whole bool) {
	start := l.at
	l.digits()
	text := l.src[start:l.at]
	if len(text) > 1 && text[0] == '0' && strings.Trim(text, "01234567") == "" {
		return false
	}
	whole = true
	if l.char(0) == '.' {
		whole = false
		l.at++
		l.digits()
	}
	if l.char(0)|0x20 == 'e' {
		whole = false
		l.at++
		if c := l.char(0); c == '+' || c == '-' {
			l.at++
		}
		if jsClass[l.char(0)] != jsDigit {
			l.fail(start, "the exponent has no digits")
			return false
		}
		l.digits()
	}
	return whole
}

func (l *jsLexer) digits() {
	for jsClass[l.char(0)] == jsDigit || l.char(0) == '_' {
		l.at++
	}
}

// str reads a string, whose lines may be continued by a backslash.
func (l *jsLexer) str(quote byte) {
	start := l.at
	l.tok.kind = jsString
	for l.at++; l.at < len(l.src); {
		switch l.src[l.at] {
		case quote:
			l.at++
			return
		case '\\':
			_, n := jsEscape(l.src[l.at:])
			if n == 0 {
				l.fail(l.at, "the string holds a bad escape")
				return
			}
			l.at += n
		case '\n', '\r':
			l.fail(start, "the string is never closed")
			return
		default:
			l.at++
		}
	}
	l.fail(start, "the string is never closed")
}

// chunk reads the text of a template from l.at on, and reports whether code
// follows: whether it ends with ${ rather than the closing backtick.
func (l *jsLexer) chunk(template int) (code bool) {
	if l.err != nil {
		return false
	}
	start := l.at
	for ; l.at < len(l.src); l.at++ {
		switch c := l.src[l.at]; {
		case c == '\\':
			l.at++
		case c == '`' || c == '$' && l.char(1) == '{':
			if l.log != nil {
				l.log(jsToken{kind: jsChunk, start: start, end: l.at})
			}
			l.at++
			if c == '$' {
				l.at++
			}
			l.tok.end = l.at
			return c == '$'
		}
	}
	l.fail(template, "the template is never closed")
	return false
}

// regexp reads the next token, / or /=, again: a regular expression begins
// there (section 12.9.5).
func (l *jsLexer) regexp() {
	class := false
	for l.at = l.tok.start + 1; l.at < len(l.src); l.at++ {
		c := l.src[l.at]
		switch {
		case c == '\\' && l.char(1) != '\n' && l.char(1) != '\r':
			l.at++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '\n' || c == '\r' || c == '\\' || c == 0xe2 && (l.has("\u2028") || l.has("\u2029")):
			l.fail(l.tok.start, "the regular expression is never closed")
			return
		case c == '/' && !class:
			l.at++
			for jsClass[l.char(0)]&jsWord != 0 {
				l.at++
			}
			l.again(jsRegexp)
			return
		}
	}
	l.fail(l.tok.start, "the regular expression is never closed")
}

// greater reads the next token, >, again, as the operator that begins there.
// In types each > is one of its own.
func (l *jsLexer) greater() {
	n := span(l.src[l.tok.start:], 3, ">")
	l.at = l.tok.start + n
	switch {
	case l.char(0) == '=':
		l.at++
		if n > 1 {
			l.again(jsAssign)
			return
		}
		fallthrough
	case n > 1:
		l.again(jsBinary)
	}
}

// less reads the next token, which begins with <, again as that alone.
func (l *jsLexer) less() {
	l.at = l.tok.start + 1
	l.again('<')
}

// again ends a token at l.at that ended elsewhere before.
func (l *jsLexer) again(kind jsKind) {
	l.tok.kind, l.tok.end = kind, l.at
	if l.log != nil {
		l.undo(l.tok.start)
		l.log(l.tok)
	}
}

// punctuation reads an operator or a bracket.
func (l *jsLexer) punctuation(c byte) {
	kind, n := jsKind(c), 1
	next, third := l.char(1), l.char(2)
	switch c {
	case '+', '-':
		if next == c {
			kind, n = jsStep, 2
		} else if next == '=' {
			kind, n = jsAssign, 2
		}
	case '*', '&', '|', '<':
		switch {
		case next == c && third == '=':
			kind, n = jsAssign, 3
		case next == c, next == '=' && c == '<':
			kind, n = jsBinary, 2
		case next == '=':
			kind, n = jsAssign, 2
		}
	case '?':
		switch {
		case next == '?' && third == '=':
			kind, n = jsAssign, 3
		case next == '?':
			kind, n = jsBinary, 2
		case next == '.' && jsClass[third] != jsDigit:
			kind, n = jsOptional, 2
		}
	case '/', '%', '^':
		if next == '=' {
			kind, n = jsAssign, 2
		}
	case '=', '!':
		switch {
		case next == '=' && third == '=':
			kind, n = jsBinary, 3
		case next == '=':
			kind, n = jsBinary, 2
		case c == '=' && next == '>':
			kind, n = jsArrow, 2
		}
	case '.':
		if next == '.' && third == '.' {
			kind, n = jsDots, 3
		}
	}
	l.tok.kind = kind
	l.at += n
}
