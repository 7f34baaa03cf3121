package stamp

import (
	"strconv"
	"strings"
)

// cKind is what a token of C or C++ is. Blanks and comments are no tokens.
type cKind byte

const (
	cName cKind = iota
	cNumber
	cString
	cChar
	cRaw    // a raw string
	cQuote  // one that is not closed in its line
	cOp     // punctuation
	cLine   // the end of a line
	cBranch // where a conditional begins, goes on or ends
	cEnd    // of the file
)

// cToken is src[start:end], with the line splices that are in it.
type cToken struct {
	kind       cKind
	op         byte // of cOp and cBranch: which one; 0 for what does not matter
	spliced    bool
	trigraph   bool // in a string: readers differ about it
	start, end int
}

// What cToken.op is for more than one character.
const (
	cScope  = 'S' // ::
	cShift  = 'R' // >>
	cAnd    = 'A' // &&
	cBegin  = 'B' // the first branch of a conditional
	cSwitch = 'E' // another one
	cFinish = 'F'
)

// cLexer splits a file into tokens as far as they are compiled, and finds its
// macros. It goes by C17 and C++20 and, where they say nothing, by gcc.
type cLexer struct {
	src    string
	at     int
	tokens []cToken
	open   []cConditional
	macros []literal
	rest   []cToken // of a directive, behind its name
}

// cConditional is an #if whose #endif is to come.
type cConditional struct {
	at      int
	outer   bool // the code around it is compiled, or may be
	active  bool // this branch is
	sure    bool // this branch or one before it is compiled in any case
	marked  bool // in the tokens
	elseMet bool
}

func cError(at int, format string, args ...any) error {
	return refuse(ParseError, at, format, args...)
}

// What a byte can be.
const (
	cBlank = 1 << iota
	cLetter
	cDigit
)

var cClass = func() (class [256]byte) {
	for c := range 256 {
		switch {
		case c == ' ' || c == '\t' || c == '\v' || c == '\f':
			class[c] = cBlank
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= 0x80:
			class[c] = cLetter
		case c >= '0' && c <= '9':
			class[c] = cDigit
		}
	}
	return class
}()

// run reads the whole file.
func (l *cLexer) run() error {
	l.at = bomLen(l.src)
	lineStart := true
	for {
		t, err := l.next()
		switch {
		case err != nil:
			return err
		case t.kind == cEnd:
			if n := len(l.open); n > 0 {
				return cError(l.open[n-1].at, "the conditional is never closed")
			}
			return nil
		case t.kind == cLine:
			lineStart = true
			continue
		case lineStart && t.op == '#':
			if err := l.directive(t.start); err != nil {
				return err
			}
			continue // and its end was read
		}
		lineStart = false
		if !l.active() {
			continue
		}
		if t.kind == cQuote {
			return cError(t.start, "the quote is never closed")
		}
		l.tokens = twice(l.tokens, t)
	}
}

// active reports whether the code here may be compiled.
func (l *cLexer) active() bool { return len(l.open) == 0 || l.open[len(l.open)-1].active }

// splice returns the length of the line splice at an offset, 0 for none. Like
// gcc it takes blanks between the backslash and the end of the line.
func (l *cLexer) splice(at int) int {
	if at >= len(l.src) || l.src[at] != '\\' {
		return 0
	}
	i := at + 1
	for i < len(l.src) && cClass[l.src[i]] == cBlank {
		i++
	}
	if l.peek(i) == '\r' {
		i++
	}
	if l.peek(i) == '\n' {
		return i + 1 - at
	}
	return 0
}

// past returns the first offset from at on that is in no line splice.
func (l *cLexer) past(at int) int {
	for {
		n := l.splice(at)
		if n == 0 {
			return at
		}
		at += n
	}
}

// peek returns the character at an offset, where no splice begins, or 0.
func (l *cLexer) peek(at int) byte {
	if at < len(l.src) {
		return l.src[at]
	}
	return 0
}

// next reads a token.
func (l *cLexer) next() (cToken, error) {
	for l.at < len(l.src) {
		c := l.src[l.at]
		switch class := cClass[c]; {
		case class == cBlank:
			l.at++
		case class == cLetter:
			return l.word()
		case class == cDigit:
			return l.number(), nil
		case c == '\n' || c == '\r':
			return l.line()
		case c == '"' || c == '\'':
			return l.quoted(l.at)
		case c == '\\' && l.splice(l.at) > 0:
			l.at = l.past(l.at)
		case c == '/':
			second := l.past(l.at + 1)
			if kind := l.peek(second); kind != '/' && kind != '*' {
				return l.punctuation(), nil
			} else if err := l.skipComment(kind, second+1); err != nil {
				return cToken{}, err
			}
		case c == '.' && cClass[l.peek(l.past(l.at+1))] == cDigit:
			return l.number(), nil
		case c == 0:
			return cToken{}, cError(l.at, "a NUL")
		case c == '?' && cTrigraph(l.src[l.at:]):
			return cToken{}, cError(l.at, "a trigraph, which compilers read differently")
		default:
			return l.punctuation(), nil
		}
	}
	return cToken{kind: cEnd, start: l.at, end: l.at}, nil
}

// line reads the end of a line. A lone CR ends one for some compilers.
func (l *cLexer) line() (cToken, error) {
	start := l.at
	if l.src[l.at] == '\r' {
		if l.peek(l.at+1) != '\n' {
			return cToken{}, cError(l.at, "a carriage return without a line feed")
		}
		l.at++
	}
	l.at++
	return cToken{kind: cLine, start: start, end: l.at}, nil
}

// skipComment goes past a comment whose text begins at an offset.
func (l *cLexer) skipComment(kind byte, text int) error {
	if kind == '*' {
		for i := text; ; {
			n := strings.IndexByte(l.src[min(i, len(l.src)):], '*')
			if n < 0 {
				return cError(l.at, "the comment is never closed")
			}
			i += n + 1
			if slash := l.past(i); l.peek(slash) == '/' {
				l.at = slash + 1
				return nil
			}
		}
	}
	for i := text; ; {
		n := strings.IndexByte(l.src[i:], '\n')
		if n < 0 {
			l.at = len(l.src)
			return nil
		}
		line := strings.TrimRight(l.src[i:i+n], " \t\v\f\r")
		switch {
		case strings.ContainsRune(line, '\r'):
			return cError(i+strings.IndexByte(line, '\r'), "a carriage return without a line feed")
		case strings.HasSuffix(line, "??/"):
			return cError(i+len(line)-3, "a trigraph, which compilers read differently")
		case !strings.HasSuffix(line, `\`):
			l.at = i + n
			if l.src[l.at-1] == '\r' && n > 0 {
				l.at--
			}
			return nil
		}
		i += n + 1
	}
}

// take goes on from an offset as long as characters are of the classes, and
// reports whether a splice was among them.
func (l *cLexer) take(at int, classes byte) (end int, spliced bool) {
	for at < len(l.src) {
		if c := l.src[at]; cClass[c]&classes == 0 {
			next := l.past(at)
			if next == at || cClass[l.peek(next)]&classes == 0 || next >= len(l.src) {
				return at, spliced
			}
			at, spliced = next, true
		}
		at++
	}
	return at, spliced
}

func (l *cLexer) word() (cToken, error) {
	t := cToken{kind: cName, start: l.at}
	t.end, t.spliced = l.take(l.at, cLetter|cDigit)
	after := l.past(t.end)
	if c := l.peek(after); (c == '"' || c == '\'') && t.end-t.start < 20 {
		switch cText(l.src[t.start:t.end]) {
		case "L", "u", "U", "u8":
			l.at = after
			return l.quoted(t.start)
		case "R", "LR", "uR", "UR", "u8R":
			if c == '"' {
				return l.raw(t.start, after)
			}
		}
	}
	l.at = t.end
	return t, nil
}

// cText returns a token without its splices.
func cText(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	l := cLexer{src: text}
	var b strings.Builder
	for i := l.past(0); i < len(text); i = l.past(i + 1) {
		b.WriteByte(text[i])
	}
	return b.String()
}

// number reads a preprocessing number, of which the numbers are a part.
func (l *cLexer) number() cToken {
	t := cToken{kind: cNumber, start: l.at}
	last := byte(0)
	for at := l.at; ; {
		next := l.past(at)
		c := l.peek(next)
		switch {
		case cClass[c]&(cLetter|cDigit) != 0 || c == '.':
		case (c == '+' || c == '-') && strings.IndexByte("eEpP", last) >= 0 && last != 0:
		case c == '\'' && last != 0 && cClass[l.peek(next+1)]&(cLetter|cDigit) != 0: // a separator of digits
		default:
			l.at, t.end = at, at
			return t
		}
		t.spliced = t.spliced || next > at
		last, at = c, next+1
	}
}

// quoted reads a string or a character, whose token begins at start and whose
// quote is here.
func (l *cLexer) quoted(start int) (cToken, error) {
	quote := l.src[l.at]
	t := cToken{kind: cString, start: start}
	if quote == '\'' {
		t.kind = cChar
	}
	t.spliced = strings.IndexByte(l.src[start:l.at], '\\') >= 0
	for i := l.at + 1; i < len(l.src); i++ {
		switch c := l.src[i]; c {
		case quote:
			l.at, t.end = i+1, i+1
			if t.trigraph && cTrigraphEnds().MatchString(l.src[start:l.at]) {
				return t, cError(start, "a trigraph, which compilers read differently")
			}
			return l.suffix(t), nil
		case '\\':
			if n := l.splice(i); n > 0 {
				t.spliced = true
				i += n - 1
				continue
			}
			escaped := l.past(i + 1)
			t.spliced = t.spliced || escaped > i+1
			i = escaped
			switch l.peek(i) {
			case '?':
				t.trigraph = t.trigraph || cTrigraph(l.src[i:])
			case '\r':
				return t, cError(i, "a carriage return without a line feed")
			}
		case '?':
			t.trigraph = t.trigraph || cTrigraph(l.src[i:])
		case '\r':
			if l.peek(i+1) != '\n' {
				return t, cError(i, "a carriage return without a line feed")
			}
		case '\n':
			l.at = i
			if l.src[i-1] == '\r' {
				l.at--
			}
			t.kind, t.end = cQuote, l.at
			return t, nil
		}
	}
	l.at = len(l.src)
	t.kind, t.end = cQuote, l.at
	return t, nil
}

// suffix adds what a literal of C++ can end with: "x"sv.
func (l *cLexer) suffix(t cToken) cToken {
	if cClass[l.peek(l.at)] != cLetter {
		return t
	}
	end, spliced := l.take(l.at, cLetter|cDigit)
	switch l.src[l.at:end] {
	case "s", "sv":
		l.at, t.end, t.spliced = end, end, t.spliced || spliced
	}
	return t
}

// raw reads a raw string, in which nothing is special and lines are not spliced.
func (l *cLexer) raw(start, quote int) (cToken, error) {
	rest := l.src[quote+1:]
	open := strings.IndexByte(rest, '(')
	if open < 0 || open > 16 || strings.ContainsAny(rest[:open], " )\\\t\v\f\r\n\"") {
		return cToken{}, cError(start, "a raw string without (")
	}
	closer := ")" + rest[:open] + `"`
	n := strings.Index(rest[open+1:], closer)
	if n < 0 {
		return cToken{}, cError(start, "the raw string is never closed")
	}
	body := strings.ReplaceAll(rest[:open+1+n], "\r\n", "\n")
	if strings.Contains(body, "\r") {
		return cToken{}, cError(start, "a carriage return without a line feed")
	}
	l.at = quote + 1 + open + 1 + n + len(closer)
	return cToken{kind: cRaw, start: start, end: l.at}, nil
}

// cTrigraphEnds matches trigraphs that make a quote longer or shorter.
var cTrigraphEnds = lazily(`\?\?/["'\\\r\n]|\?\?'`)

// cTrigraph reports whether s begins with one.
func cTrigraph(s string) bool {
	return len(s) > 2 && s[1] == '?' && s[0] == '?' && strings.IndexByte("=/'()!<>-", s[2]) >= 0
}

// cOps are those of several characters that must be told from others; digraphs
// stand for one (C17 6.4.6).
var cOps = []struct {
	text string
	op   byte
}{
	{"%:%:", 0}, {"<=>", 0}, {"<<=", 0}, {">>=", 0}, {"->*", 0},
	{"<%", '{'}, {"%>", '}'}, {"<:", '['}, {":>", ']'}, {"%:", '#'},
	{"::", cScope}, {">>", cShift}, {"&&", cAnd},
	{"==", 0}, {"!=", 0}, {"<=", 0}, {">=", 0}, {"+=", 0}, {"-=", 0}, {"*=", 0}, {"/=", 0}, {"%=", 0}, {"&=", 0}, {"|=", 0}, {"^=", 0},
	{"<<", 0}, {"->", 0}, {"++", 0}, {"--", 0}, {"||", 0}, {"##", 0}, {".*", 0},
}

func (l *cLexer) punctuation() cToken {
	t := cToken{kind: cOp, op: l.src[l.at], start: l.at}
	if t.op >= 'A' && t.op <= 'Z' {
		t.op = 0
	}
	second := l.past(l.at + 1)
	if strings.IndexByte("<>=:%-+*&|.#", l.peek(second)) < 0 {
		l.at++
		t.end = l.at
		return t
	}
	for _, o := range cOps {
		if o.text[0] != l.src[l.at] {
			continue
		}
		end := l.at
		i := 0
		for ; i < len(o.text) && l.peek(l.past(end)) == o.text[i]; i++ {
			end = l.past(end) + 1
		}
		// <:: is < and :: unless another : or > follows (C++20, lex.pptoken).
		if third := l.past(end); i < len(o.text) || o.text == "<:" && l.peek(third) == ':' && strings.IndexByte(":>", l.peek(l.past(third+1))) < 0 {
			continue
		}
		l.at, t.op, t.end = end, o.op, end
		return t
	}
	l.at++
	t.end = l.at
	return t
}

// directive reads a line that begins with #, and its end.
func (l *cLexer) directive(start int) error {
	word, tokens := "", l.rest[:0]
	for first := true; ; first = false {
		t, err := l.next()
		switch {
		case err != nil:
			return err
		case t.kind == cRaw && strings.IndexByte(l.src[t.start:t.end], '\n') >= 0:
			return cError(t.start, "a raw string of several lines in a directive")
		case t.kind == cLine || t.kind == cEnd:
			l.rest = tokens
			return l.direct(start, word, tokens)
		case !first:
			tokens = append(tokens, t)
		case t.kind == cName:
			word = cText(l.src[t.start:t.end])
			if word == "include" || word == "include_next" || word == "import" || word == "embed" {
				l.headerName()
			}
		}
	}
}

// direct does what a directive says.
func (l *cLexer) direct(start int, word string, tokens []cToken) error {
	switch word {
	case "define":
		if l.active() {
			return l.define(start, tokens)
		}
	case "if", "ifdef", "ifndef":
		l.begin(start, word, tokens)
	case "elif", "elifdef", "elifndef", "else":
		return l.branch(start, word, tokens)
	case "endif":
		return l.end(start)
	}
	return nil
}

// headerName goes past <name>, in which // and quotes are not special.
func (l *cLexer) headerName() {
	i := l.at
	for cClass[l.peek(i)] == cBlank {
		i++
	}
	if l.peek(i) != '<' {
		return
	}
	if n := strings.IndexAny(l.src[i:], ">\n"); n > 0 && l.src[i+n] == '>' {
		l.at = i + n + 1
	}
}

// cCondition tells what an #if or #elif decides whatever is compiled.
func (l *cLexer) cCondition(word string, tokens []cToken) (never, always bool) {
	if (word != "if" && word != "elif") || len(tokens) != 1 {
		return false, false
	}
	text := cText(l.src[tokens[0].start:tokens[0].end])
	if tokens[0].kind == cName {
		return text == "false", false
	}
	v, err := strconv.ParseUint(strings.TrimRight(text, "uUlL"), 0, 64)
	if tokens[0].kind != cNumber || err != nil {
		return false, false
	}
	return v == 0, v != 0
}

func (l *cLexer) begin(start int, word string, tokens []cToken) {
	outer := l.active()
	never, always := l.cCondition(word, tokens)
	c := cConditional{at: start, outer: outer, active: outer && !never, sure: always}
	if c.active && !always {
		l.mark(&c, start)
	}
	l.open = append(l.open, c)
}

// mark notes in the tokens that a branch begins here.
func (l *cLexer) mark(c *cConditional, start int) {
	op := byte(cBegin)
	if c.marked {
		op = cSwitch
	}
	c.marked = true
	l.tokens = append(l.tokens, cToken{kind: cBranch, op: op, start: start, end: start})
}

func (l *cLexer) branch(start int, word string, tokens []cToken) error {
	n := len(l.open)
	if n == 0 || l.open[n-1].elseMet {
		return cError(start, "#%s without #if", word)
	}
	c := &l.open[n-1]
	never, always := l.cCondition(word, tokens)
	c.elseMet = word == "else"
	c.active = c.outer && !c.sure && !never
	if c.active && (c.marked || !always && !c.elseMet) {
		l.mark(c, start)
	}
	c.sure = c.sure || always
	return nil
}

func (l *cLexer) end(start int) error {
	n := len(l.open)
	if n == 0 {
		return cError(start, "#endif without #if")
	}
	if l.open[n-1].marked {
		l.tokens = append(l.tokens, cToken{kind: cBranch, op: cFinish, start: start, end: start})
	}
	l.open = l.open[:n-1]
	return nil
}

// define adds the macro that the tokens after #define make.
func (l *cLexer) define(start int, tokens []cToken) error {
	if len(tokens) == 0 || tokens[0].kind != cName {
		return cError(start, "#define without a name")
	}
	name := tokens[0]
	m := literal{key: "#define " + cText(l.src[name.start:name.end]), start: name.end, end: name.end}
	if len(tokens) > 1 && tokens[1].op == '(' && l.past(name.end) == tokens[1].start {
		m.refused = "a macro with parameters"
	} else {
		cLiteral(l.src, tokens[1:], &m)
	}
	l.macros = twice(l.macros, m)
	return nil
}
