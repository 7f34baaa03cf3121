package stamp

import (
	"math"
	"strings"
)

// phpLexer splits a PHP file (8.x, short_open_tag off) as PHP's own tokenizer
// does, as far as it matters where text and code begin and end.
type phpLexer struct {
	src      string
	at       int
	codeOnly bool    // leave out comments, <?php and what lies outside of <?php ?>, and pair brackets
	inCode   bool    // at is inside of <?php ?>
	quoted   int     // in so many strings, of which it is the code
	property bool    // the last token was -> or ?->, after which a b begins no string and #[ no attribute
	paused   bool    // by statements, in code
	open     []int32 // brackets that are not closed yet
	enough   int     // where it may pause
	tokens   phpTokens
}

// lexPHP returns the tokens of src, or only those that are code. Unterminated
// strings and comments are parse errors.
func lexPHP(src string, codeOnly bool) (*phpTokens, error) {
	l := phpLexer{src: src, codeOnly: codeOnly}
	err := l.read(never)
	return &l.tokens, err
}

// statements reads the tokens of whole statements, up to the first that ends at
// the offset or behind, after a ; that stands for what precedes them. It forgets
// those that it read before.
func (l *phpLexer) statements(end int) error {
	l.tokens.cut(0)
	l.tokens.add(';', l.at, l.at)
	return l.read(end)
}

// read reads tokens, up to the first ; in no brackets that is at the offset or
// behind, or all.
func (l *phpLexer) read(end int) error {
	if len(l.src) > math.MaxInt32 {
		return refuse(ParseError, -1, "the file is larger than 2 GB")
	}
	l.enough = end
	for l.at < len(l.src) {
		if !l.inCode {
			l.inCode = true
			if err := l.html(); err != nil {
				return err
			}
		}
		if _, err := l.code(0); err != nil {
			return err
		}
		if l.paused {
			l.paused = false
			return nil
		}
		l.inCode = false
	}
	if n := len(l.open); n > 0 {
		i := int(l.open[n-1])
		return refuse(ParseError, l.tokens.start(i), "%q is never closed", l.tokens.what[i])
	}
	return nil
}

func (l *phpLexer) emit(kind phpKind, end int) {
	if !l.codeOnly || kind != phpComment && kind != phpHTML && kind != phpData {
		l.tokens.add(byte(kind), l.at, end)
	}
	l.property = false
	l.at = end
}

func (l *phpLexer) emitOp(length int) error {
	c, end := l.src[l.at], l.at+length
	if phpBracket(c) {
		return l.emitBracket(c)
	}
	op := max(c, byte(phpOp)) // a control character is none that matters
	l.property = false
	if length > 1 {
		text := l.src[l.at:end]
		l.property = text == "->" || text == "?->"
		op = byte(phpOp)
		if text == "=>" {
			op = phpArrow
		}
	}
	l.tokens.add(op, l.at, end)
	l.at = end
	return nil
}

// emitBracket emits the bracket c, and pairs it with the one that it closes.
func (l *phpLexer) emitBracket(c byte) error {
	t, i, start := &l.tokens, l.tokens.len(), l.at
	l.tokens.add(c, start, start+1)
	l.property = false
	l.at++
	switch last := len(l.open) - 1; {
	case !l.codeOnly || l.quoted > 0:
	case c == '(' || c == '[' || c == '{':
		l.open = append(l.open, int32(i))
	case last < 0 || t.what[l.open[last]] != phpOpening(c):
		return refuse(ParseError, start, "%q closes nothing", c)
	default:
		other := int(l.open[last])
		t.spans[i], t.spans[other] = phpSpan(start, other), phpSpan(t.start(other), i)
		l.open = l.open[:last]
	}
	return nil
}

func (l *phpLexer) has(text string) bool { return strings.HasPrefix(l.src[l.at:], text) }

func (l *phpLexer) hasAt(n int, c byte) bool { return l.at+n < len(l.src) && l.src[l.at+n] == c }

// html goes to the first token of code.
func (l *phpLexer) html() error {
	for at := l.at; ; at += 2 {
		n := strings.Index(l.src[at:], "<?")
		if n < 0 {
			l.emit(phpHTML, len(l.src))
			return nil
		}
		at += n
		if n := phpOpenTag(l.src[at:]); n > 0 {
			if at > l.at {
				l.emit(phpHTML, at)
			}
			if l.codeOnly && n != len(phpEcho) {
				l.at = at + n
			} else {
				l.emit(phpOpen, at+n)
			}
			return nil
		}
	}
}

const phpEcho = "<?=" // what follows is an expression, not a statement

// phpOpenTag returns the length of the opening tag, with the one blank or line
// end that belongs to it, that s begins with, or 0. s begins with <?.
func phpOpenTag(s string) int {
	switch {
	case strings.HasPrefix(s, phpEcho):
		return len(phpEcho)
	case len(s) < 5 || !strings.EqualFold(s[2:5], "php"):
		return 0
	case len(s) == 5:
		return 5
	case strings.HasPrefix(s[5:], "\r\n"):
		return 7
	case strings.IndexByte(" \t\n\r", s[5]) >= 0:
		return 6
	}
	return 0
}

// What a token can begin with.
const (
	phpOther  byte = iota
	phpBlank       // between tokens
	phpLetter      // of a name, in whatever encoding
	phpDigit
	phpLonger // second character of operators that have one
	phpBrackets
	phpApostrophe
	phpSemicolon
)

var phpClasses = func() (classes [256]byte) {
	for c := range classes {
		switch b := byte(c); {
		case strings.IndexByte(" \t\r\n\v\f", b) >= 0:
			classes[c] = phpBlank
		case b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80:
			classes[c] = phpLetter
		case b >= '0' && b <= '9':
			classes[c] = phpDigit
		case strings.IndexByte("=<>.-:*&|+?", b) >= 0:
			classes[c] = phpLonger
		case strings.IndexByte("()[]{}", b) >= 0:
			classes[c] = phpBrackets
		case b == '\'':
			classes[c] = phpApostrophe
		case b == ';':
			classes[c] = phpSemicolon
		}
	}
	return classes
}()

// code reads tokens up to the end of the block of code; with a closer, which
// ends the interpolated code of a string, up to that. It reports whether it met
// the closer.
func (l *phpLexer) code(closer byte) (closed bool, err error) {
	depth := 0
	for l.at < len(l.src) {
		c := l.src[l.at]
		switch phpClasses[c] {
		case phpBlank:
			l.at++
			continue
		case phpLetter:
			err = l.word(c)
		case phpDigit:
			l.emit(phpNumber, l.at+phpNumberLen(l.src[l.at:]))
		case phpApostrophe:
			err = l.single()
		case phpSemicolon:
			l.emit(phpKind(c), l.at+1)
			if l.at >= l.enough && len(l.open) == 0 && closer == 0 {
				l.paused = true
				return false, nil
			}
		case phpBrackets:
			if c == closer && depth == 0 {
				l.at++
				return true, nil
			}
			switch c {
			case '{':
				depth++
			case '}':
				depth--
			}
			err = l.emitBracket(c)
		default:
			switch {
			case c == '?' && l.hasAt(1, '>'):
				l.emit(phpClose, l.closeTag())
				if closer == 0 {
					return false, nil
				}
				err = l.html() // odd, but PHP reads it so
			case c == '/' && (l.hasAt(1, '/') || l.hasAt(1, '*')), c == '#' && (!l.hasAt(1, '[') || l.property):
				err = l.comment()
			default:
				err = l.punctuation(c)
			}
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// closeTag returns the end of ?> with the one line end that belongs to it.
func (l *phpLexer) closeTag() int {
	rest := l.src[l.at+2:]
	switch {
	case strings.HasPrefix(rest, "\r\n"):
		return l.at + 4
	case strings.HasPrefix(rest, "\n"), strings.HasPrefix(rest, "\r"):
		return l.at + 3
	}
	return l.at + 2
}

func (l *phpLexer) comment() error {
	if l.has("/*") {
		end := strings.Index(l.src[l.at+2:], "*/")
		if end < 0 {
			return refuse(ParseError, l.at, "the comment is never closed")
		}
		l.emit(phpComment, l.at+2+end+2)
		return nil
	}
	end := l.at
	for end < len(l.src) && l.src[end] != '\n' && l.src[end] != '\r' && (l.src[end] != '?' || !strings.HasPrefix(l.src[end:], "?>")) {
		end++
	}
	l.emit(phpComment, end)
	return nil
}

// punctuation reads a token that begins with neither a letter nor a digit.
func (l *phpLexer) punctuation(c byte) error {
	switch c {
	case '\'':
		return l.single()
	case '"', '`':
		return l.double(c)
	case '$':
		if n := phpWord(l.src[l.at+1:]); n > 0 {
			l.emit(phpVariable, l.at+1+n)
			return nil
		}
	case '<':
		if h, ok := phpHeredocStart(l.src[l.at:]); ok {
			return l.heredoc(h)
		}
	case '.':
		if l.at+1 < len(l.src) && phpClasses[l.src[l.at+1]] == phpDigit {
			l.emit(phpNumber, l.at+phpNumberLen(l.src[l.at:]))
			return nil
		}
	case '\\':
		return l.word(c)
	}
	return l.emitOp(phpOpLen(l.src[l.at:]))
}

// phpOpLen returns the length of the operator that s begins with. Those of more
// than one character are told apart that a reader of assignments must tell from
// =, > and :.
func phpOpLen(s string) int {
	if len(s) < 2 || phpClasses[s[1]] != phpLonger {
		return 1
	}
	if len(s) > 2 {
		switch s[:3] {
		case "<<=", ">>=", "**=", "...", "<=>", "===", "!==", "??=", "?->":
			return 3
		}
	}
	switch s[:2] {
	case "=>", "->", "::", "==", "!=", "<>", "<=", ">=", "+=", "-=", "*=", "/=", ".=", "%=", "&=", "|=", "^=", "??", "&&", "||", "++", "--":
		return 2
	}
	return 1
}

// phpNumberLen returns the length of the number that s begins with: it begins
// with a digit, or with a point and a digit.
func phpNumberLen(s string) int {
	if len(s) > 2 && s[0] == '0' {
		n := 0
		switch s[1] {
		case 'x', 'X':
			n = phpDigits(s[2:], "0123456789abcdefABCDEF")
		case 'b', 'B':
			n = phpDigits(s[2:], "01")
		case 'o', 'O':
			n = phpDigits(s[2:], "01234567")
		}
		if n > 0 {
			return 2 + n
		}
	}
	const decimal = "0123456789"
	n := phpDigits(s, decimal)
	if n < len(s) && s[n] == '.' {
		n += 1 + phpDigits(s[n+1:], decimal)
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		exponent := n + 1
		if exponent < len(s) && (s[exponent] == '-' || s[exponent] == '+') {
			exponent++
		}
		if digits := phpDigits(s[min(exponent, len(s)):], decimal); digits > 0 {
			n = exponent + digits
		}
	}
	return n
}

// phpDigits returns the length of the digits, perhaps with single _ between
// them, that s begins with.
func phpDigits(s, digits string) int {
	n := 0
	for n < len(s) {
		switch {
		case strings.IndexByte(digits, s[n]) >= 0:
			n++
		case s[n] == '_' && n > 0 && n+1 < len(s) && strings.IndexByte(digits, s[n+1]) >= 0:
			n += 2
		default:
			return n
		}
	}
	return n
}

// word reads a name, or a string whose prefix is b.
func (l *phpLexer) word(c byte) error {
	if (c == 'b' || c == 'B') && !l.property {
		if l.hasAt(1, '\'') || l.hasAt(1, '"') {
			return l.prefixed()
		}
		if h, ok := phpHeredocStart(l.src[l.at:]); ok {
			return l.heredoc(h)
		}
	}
	n := phpNameLen(l.src[l.at:])
	if n == 0 { // a backslash before no name
		return l.emitOp(1)
	}
	name := l.src[l.at : l.at+n]
	l.emit(phpName, l.at+n)
	if c == '_' && strings.EqualFold(name, "__halt_compiler") {
		return l.halt()
	}
	return nil
}

// prefixed reads a string after a b, which belongs to it.
func (l *phpLexer) prefixed() error {
	l.at++
	if err := l.punctuation(l.src[l.at]); err != nil {
		return err
	}
	last := l.tokens.len() - 1
	l.tokens.spans[last] = phpSpan(l.tokens.start(last)-1, l.tokens.end(last))
	return nil
}

// phpWord returns the length of the identifier that s begins with. Bytes above
// 0x7f belong to it, in whatever encoding.
func phpWord(s string) int {
	if s == "" || phpClasses[s[0]] != phpLetter {
		return 0
	}
	n := 1
	for n < len(s) && (phpClasses[s[n]] == phpLetter || phpClasses[s[n]] == phpDigit) {
		n++
	}
	return n
}

// phpNameLen returns the length of the name, with namespaces, that s begins
// with.
func phpNameLen(s string) int {
	n := 0
	if s[0] == '\\' {
		n = 1
	}
	for {
		w := phpWord(s[n:])
		if w == 0 {
			return max(n-1, 0)
		}
		n += w
		if n == len(s) || s[n] != '\\' {
			return n
		}
		n++
	}
}

// halt turns all that follows __halt_compiler(); into data.
func (l *phpLexer) halt() error {
	for _, op := range []byte("();") {
		for l.at < len(l.src) && strings.IndexByte(" \t\r\n", l.src[l.at]) >= 0 {
			l.at++
		}
		if op == ';' && l.has("?>") {
			l.emit(phpClose, l.closeTag())
			break
		}
		if l.at == len(l.src) || l.src[l.at] != op {
			return refuse(ParseError, l.at, "__halt_compiler without ();")
		}
		if err := l.emitOp(1); err != nil {
			return err
		}
	}
	if l.at < len(l.src) {
		l.emit(phpData, len(l.src))
	}
	return nil
}

func (l *phpLexer) single() error {
	for i := l.at + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case '\\':
			i++
		case '\'':
			l.emit(phpString, i+1)
			return nil
		}
	}
	return refuse(ParseError, l.at, "the string is never closed")
}

// double reads "..." or `...` and the code inside it.
func (l *phpLexer) double(quote byte) error {
	start, before := l.at, l.tokens.len()
	kind := phpString
	if quote == '`' {
		kind = phpBacktick
	}
	for l.at++; l.at < len(l.src); {
		switch c := l.src[l.at]; c {
		case '\\':
			l.at += 2
		case quote:
			end := l.at + 1
			l.at = start
			l.tokens.cut(before)
			l.emit(kind, end)
			return nil
		case '$', '{':
			interpolated, err := l.interpolation()
			if err != nil {
				return err
			}
			if interpolated && kind == phpString {
				kind = phpInterp
			}
		default:
			l.at++
		}
	}
	return refuse(ParseError, start, "the string is never closed")
}

// interpolation goes past the $ or { of a string, or past the variable or the
// code that begins there.
func (l *phpLexer) interpolation() (bool, error) {
	switch {
	case l.has("{$"):
		l.at++
	case l.has("${"):
		l.at += 2
	default:
		n := 0
		if l.src[l.at] == '$' {
			n = phpWord(l.src[l.at+1:])
		}
		l.at += 1 + n
		return n > 0, nil
	}
	start := l.at
	l.quoted++
	closed, err := l.code('}')
	l.quoted--
	if err == nil && !closed {
		err = refuse(ParseError, start, "the interpolation is never closed")
	}
	return true, err
}

// phpHeredocHead is what a heredoc or, raw, a nowdoc begins with.
type phpHeredocHead struct {
	label  string
	raw    bool
	length int // with its line end
}

func phpHeredocStart(s string) (h phpHeredocHead, ok bool) {
	rest := s
	if s[0] == 'b' || s[0] == 'B' {
		rest = s[1:]
	}
	if !strings.HasPrefix(rest, "<<<") {
		return h, false
	}
	rest = strings.TrimLeft(rest[3:], " \t")
	quote := ""
	if rest != "" && (rest[0] == '\'' || rest[0] == '"') {
		quote, rest = rest[:1], rest[1:]
	}
	h.label = rest[:phpWord(rest)]
	rest, closed := strings.CutPrefix(rest[len(h.label):], quote)
	h.raw = quote == "'"
	switch {
	case h.label == "" || !closed:
		return h, false
	case strings.HasPrefix(rest, "\r\n"):
		rest = rest[2:]
	case strings.HasPrefix(rest, "\n"), strings.HasPrefix(rest, "\r"):
		rest = rest[1:]
	default:
		return h, false
	}
	h.length = len(s) - len(rest)
	return h, true
}

// heredoc reads up to the closing label, which may be indented, on a line of
// its own or before more code.
func (l *phpLexer) heredoc(h phpHeredocHead) error {
	start, before := l.at, l.tokens.len()
	l.at += h.length
	for lineStart := true; l.at < len(l.src); {
		if lineStart {
			if end := l.labelEnd(h.label); end > 0 {
				l.at = start
				l.tokens.cut(before)
				l.emit(phpHeredoc, end)
				return nil
			}
		}
		c := l.src[l.at]
		lineStart = c == '\n' || c == '\r'
		switch {
		case !h.raw && c == '\\' && l.at+1 < len(l.src) && l.src[l.at+1] != '\n' && l.src[l.at+1] != '\r':
			l.at += 2
		case !h.raw && (c == '$' || c == '{'):
			if _, err := l.interpolation(); err != nil {
				return err
			}
		default:
			l.at++
		}
	}
	return refuse(ParseError, start, "the heredoc %s is never closed", h.label)
}

// labelEnd returns the end of the label that the line at l.at begins with, or 0
// when it does not, or goes on as a longer word. At the very end of a file PHP
// finds no label.
func (l *phpLexer) labelEnd(label string) int {
	rest := strings.TrimLeft(l.src[l.at:], " \t")
	end := len(l.src) - len(rest) + len(label)
	if !strings.HasPrefix(rest, label) || end == len(l.src) {
		return 0
	}
	if class := phpClasses[l.src[end]]; class == phpLetter || class == phpDigit {
		return 0
	}
	return end
}
