package stamp

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// rbKind is what a token of Ruby is. Blanks, and line ends that end no
// statement, are no tokens.
type rbKind byte

const (
	rbNewline      rbKind = iota // a line end that ends a statement
	rbName                       // a method or a local variable
	rbConst                      // a name with a capital
	rbVariable                   // @a, @@a, $a
	rbKeyword                    // a word of the language, where it is one
	rbLabel                      // a:
	rbQuotedLabel                // "a":
	rbSymbol                     // :a
	rbQuotedSymbol               // :"a", %s(a)
	rbNumber                     // without a sign
	rbString                     // '...' or "..." without interpolation
	rbInterp                     // "..." with interpolation
	rbPercent                    // %q(a), %Q(a), %(a)
	rbWords                      // %w[a b] and its kin
	rbChar                       // ?a
	rbRegexp                     // with its options
	rbShell                      // `a`, %x(a)
	rbHeredoc                    // what stands for it in the code, <<A
	rbOp                         // an operator or punctuation
	rbComment                    // of a line, or =begin to =end
	rbBody                       // of a heredoc, with its end
	rbData                       // __END__ and what follows
)

// rbToken is src[start:end].
type rbToken struct {
	kind       rbKind
	first      bool  // a statement begins here
	index      bool  // of a [: what is before it is subscripted
	block      bool  // of a {: it begins a block, and no hash
	start, end int32 // offsets
	pair       int32 // of a bracket, or a word that an end belongs to: the index of the other one; else -1
}

// rbState is what may come next: the lex_state of Ruby's own lexer (parse.y of
// 3.1), with its names. A / begins a regular expression after an operator, and
// divides after a value.
type rbState uint16

const (
	rbBeg     rbState = 1 << iota // an expression begins
	rbEnd                         // one has ended
	rbEndFn                       // the name and parameters of a method have ended
	rbArg                         // a method was named, perhaps with arguments
	rbCmdArg                      // the same, at the beginning of a statement
	rbMid                         // return and its kin, perhaps with a value
	rbDot                         // after a dot
	rbClassly                     // after class
	rbLabelly                     // a label may come
	rbLabeled                     // after a label
)

const (
	rbBegs = rbBeg | rbMid | rbClassly
	rbEnds = rbEnd | rbEndFn
	rbArgs = rbArg | rbCmdArg
)

// rbLexer splits a Ruby file into tokens. What is a local variable makes a
// difference for what follows it, so it knows about scopes and blocks too.
type rbLexer struct {
	src     string
	at      int
	utf8    bool
	charset charset
	tokens  []rbToken
	others  []rbToken // comments, bodies of heredocs, data

	state   rbState
	command bool // a statement begins, for Ruby's lexer
	first   bool // and in truth
	space   bool // there was a blank before the token
	opened  bool // the last token began a block, which may have parameters
	nested  int  // how deep in interpolations

	frames  []rbFrame
	lambda  int  // of a lambda that waits for its body: the number of frames, and one
	bar     int  // of |parameters|: the same
	bare    int  // of parameters without brackets: the same
	several bool // a, b = in it the names become variables
	pattern bool // the same between in and then
	targets bool // the same between for and in
	rescue  bool // the same after =>

	names []string       // the local variables of the frames, in order
	known map[string]int // how often each is among those that can be seen

	jumpAt, jumpTo int // where the line ends that heredocs began in, and where they end
	jumps          int // how many of these there were
}

// rbFrame is an open bracket, or a word that waits for its end.
type rbFrame struct {
	kind   rbFrameKind
	params bool // of a bracket: names in it become variables
	cond   bool // of a loop: its do is yet to come
	forIn  bool // of a loop: its in is yet to come
	token  int32
	names  int // how many of names are older
	outer  map[string]int
}

type rbFrameKind byte

const (
	rbBracket   rbFrameKind = iota // ( or [
	rbBrace                        // {
	rbInterpol                     // #{
	rbWord                         // if, case, begin
	rbLoop                         // while, until, for
	rbDo                           // do, of a block
	rbDef                          // def
	rbEndless                      // def without an end
	rbClassBody                    // class, module
)

const rbMaxNested = 100

// lexRuby returns the tokens of src, and apart from them what is no code.
func lexRuby(src string) (*rbLexer, error) {
	if len(src) > math.MaxInt32/2 {
		return nil, refuse(ParseError, -1, "the file is larger than 1 GB")
	}
	l := &rbLexer{src: src, at: bomLen(src), state: rbBeg, command: true, first: true}
	var err error
	if l.charset, err = rbCharsetOf(src); err != nil {
		return nil, err
	}
	l.tokens = usedRbTokens.slice(len(src)/6 + 8)
	l.utf8 = l.charset != charsetUTF8 || utf8.ValidString(src)
	if err := l.code(-1); err != nil {
		return nil, err
	}
	l.endless()
	if n := len(l.frames); n > 0 {
		t := l.tokens[l.frames[n-1].token]
		return nil, refuse(ParseError, int(t.start), "%q is never closed", src[t.start:t.end])
	}
	return l, nil
}

// peek returns the byte n after the place, or 0.
func (l *rbLexer) peek(n int) byte {
	if l.at+n < len(l.src) {
		return l.src[l.at+n]
	}
	return 0
}

func (l *rbLexer) has(text string) bool { return strings.HasPrefix(l.src[l.at:], text) }

// emit adds the token from start to end, and goes to its end.
func (l *rbLexer) emit(kind rbKind, start, end int) *rbToken {
	l.tokens = twice(l.tokens, rbToken{kind: kind, first: l.first, start: int32(start), end: int32(end), pair: -1})
	l.first, l.space, l.opened, l.at = false, false, false, end
	return &l.tokens[len(l.tokens)-1]
}

// last returns the text of the token before, or "".
func (l *rbLexer) last() string {
	if len(l.tokens) == 0 {
		return ""
	}
	t := l.tokens[len(l.tokens)-1]
	return l.src[t.start:t.end]
}

func (l *rbLexer) is(states rbState) bool { return l.state&states != 0 }

// begins reports whether an expression begins (IS_BEG in parse.y).
func (l *rbLexer) begins() bool { return l.is(rbBegs) || l.is(rbArg) && l.is(rbLabeled) }

// argues reports whether what comes is the argument of the method before the
// blank, and not the right side of an operator (IS_SPCARG in parse.y).
func (l *rbLexer) argues(next byte) bool { return l.is(rbArgs) && l.space && !rbSpace(next) }

func (l *rbLexer) labels(command bool) bool {
	return l.is(rbLabelly|rbEndFn) && !command || l.is(rbArgs)
}

func rbSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// rbWordly reports whether a name may hold c: any byte above 0x7f may be in
// one.
func rbWordly(c byte) bool { return wordClass[c] != 0 }

// code reads tokens up to the end of the file, or up to the } of the
// interpolation that is the frame of that number.
func (l *rbLexer) code(inside int) error {
	for l.at < len(l.src) {
		switch c := l.src[l.at]; c {
		case ' ', '\t', '\r', '\f', '\v':
			l.at++
			l.space = true
		case '\n':
			l.newline()
		case '#':
			l.comment()
		case '\\':
			if !l.has("\\\n") && !l.has("\\\r\n") {
				return refuse(ParseError, l.at, `\ is not the last character of its line`)
			}
			l.at += strings.IndexByte(l.src[l.at:], '\n')
			l.nextLine()
			l.space = true
		case '}':
			l.endless()
			if inside >= 0 && len(l.frames)-1 == inside {
				l.pop()
				l.at++
				return nil
			}
			if err := l.close(c); err != nil {
				return err
			}
		default:
			if (c == '=' || c == '_') && l.lineStart() {
				at := l.at
				if err := l.document(); err != nil {
					return err
				}
				if l.at > at {
					continue
				}
			}
			if err := l.token(c); err != nil {
				return err
			}
		}
	}
	if inside >= 0 {
		return refuse(ParseError, int(l.tokens[l.frames[inside].token].start), "the interpolation is never closed")
	}
	return nil
}

func (l *rbLexer) lineStart() bool { return l.at == bomLen(l.src) || l.src[l.at-1] == '\n' }

// lineIs reports whether the line begins with that word.
func (l *rbLexer) lineIs(word string) bool {
	if !l.has(word) {
		return false
	}
	c := l.peek(len(word))
	return c == 0 || rbSpace(c)
}

// document goes past what is from =begin to =end, or from __END__ to the end of
// the file.
func (l *rbLexer) document() error {
	start := l.at
	switch {
	case l.lineIs("=begin"):
		for !l.lineIs("=end") {
			n := strings.IndexByte(l.src[l.at:], '\n')
			if n < 0 {
				return refuse(ParseError, start, "=begin without =end")
			}
			l.at += n + 1
		}
		l.at += rbLine(l.src[l.at:])
		l.other(rbComment, start)
	case l.has("__END__") && strings.TrimRight(l.src[l.at:l.at+rbLine(l.src[l.at:])], "\r") == "__END__":
		l.at = len(l.src)
		l.other(rbData, start)
	}
	return nil
}

func (l *rbLexer) other(kind rbKind, start int) {
	l.others = append(l.others, rbToken{kind: kind, start: int32(start), end: int32(l.at), pair: -1})
}

// rbLine returns the length of the first line without its end.
func rbLine(s string) int {
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return n
	}
	return len(s)
}

func (l *rbLexer) comment() {
	start := l.at
	l.at += rbLine(l.src[l.at:])
	l.other(rbComment, start)
}

// nextLine goes past a line feed, and past the heredocs that begin in the line.
func (l *rbLexer) nextLine() {
	l.at++
	if l.at == l.jumpAt {
		l.at, l.jumpAt = l.jumpTo, 0
		l.jumps++
	}
}

// newline handles a line end: it is a token when it ends a statement.
func (l *rbLexer) newline() {
	at := l.at
	l.nextLine()
	goesOn := l.is(rbBeg|rbClassly|rbDot) && !l.is(rbLabeled) || l.is(rbArg) && l.is(rbLabeled) && !l.pattern && l.bare == 0
	if goesOn || l.dotFollows() {
		l.space = true
		return
	}
	to := l.at
	l.emit(rbNewline, at, at+1)
	l.at = to
	l.statement()
}

// statement is what a line end and a semicolon do. Between ( and ) what follows
// is a part of an expression.
func (l *rbLexer) statement() {
	l.state, l.command, l.first, l.space = rbBeg, true, true, false
	l.several, l.pattern, l.rescue, l.bare = false, false, false, 0
	l.endless()
	if n := len(l.frames); n > 0 {
		l.frames[n-1].cond = false
		l.first = l.frames[n-1].kind != rbBracket
	}
}

// dotFollows reports whether the next line that is no comment begins with .name
// or &.name, which goes on with the statement.
func (l *rbLexer) dotFollows() bool {
	for at := l.at; ; {
		for at < len(l.src) && l.src[at] != '\n' && rbSpace(l.src[at]) {
			at++
		}
		rest := l.src[at:]
		switch {
		case strings.HasPrefix(rest, "#"):
			if at += rbLine(rest) + 1; at > len(l.src) {
				return false
			}
		case strings.HasPrefix(rest, "."):
			return !strings.HasPrefix(rest, "..")
		default:
			return strings.HasPrefix(rest, "&.")
		}
	}
}

// push opens a frame that belongs to the last token.
func (l *rbLexer) push(kind rbFrameKind) *rbFrame {
	f := rbFrame{kind: kind, token: int32(len(l.tokens) - 1), names: len(l.names)}
	if kind == rbDef || kind == rbClassBody {
		f.outer, l.known = l.known, nil
	}
	l.frames = append(l.frames, f)
	return &l.frames[len(l.frames)-1]
}

// pop closes the last frame, and the variables in it are gone.
func (l *rbLexer) pop() {
	f := l.frames[len(l.frames)-1]
	l.frames = l.frames[:len(l.frames)-1]
	switch f.kind {
	case rbDef, rbEndless, rbClassBody:
		l.known = f.outer
	case rbBrace, rbDo:
		for _, name := range l.names[f.names:] {
			l.known[name]--
		}
	default:
		return
	}
	l.names = l.names[:f.names]
}

// endless ends methods that have no end.
func (l *rbLexer) endless() {
	for n := len(l.frames); n > 0 && l.frames[n-1].kind == rbEndless; n-- {
		l.pop()
	}
}

// define makes a name a local variable.
func (l *rbLexer) define(name string) {
	if l.known == nil {
		l.known = map[string]int{}
	}
	if l.known[name] == 0 {
		l.known[name]++
		l.names = append(l.names, name)
	}
}

// pairUp pairs the last token with the one that opened the last frame, and
// closes that.
func (l *rbLexer) pairUp() {
	i, j := l.frames[len(l.frames)-1].token, int32(len(l.tokens)-1)
	l.tokens[i].pair, l.tokens[j].pair = j, i
	l.pop()
}

// close handles a closing bracket.
func (l *rbLexer) close(c byte) error {
	l.endless()
	n := len(l.frames)
	if n == 0 || l.frames[n-1].kind > rbBrace || l.src[l.tokens[l.frames[n-1].token].start] != opener(c) {
		return refuse(ParseError, l.at, "%q closes nothing", c)
	}
	params, before := l.frames[n-1].params, l.tokens[l.frames[n-1].token]
	l.emit(rbOp, l.at, l.at+1)
	l.pairUp()
	l.state, l.command = rbEnd, false
	if c == ')' {
		l.state = rbEndFn
	}
	if n > 1 && params && l.frames[n-2].kind == rbDef && before.first {
		l.afterParams()
	}
	return nil
}

// afterParams begins the body of a method after its parameters in brackets.
func (l *rbLexer) afterParams() {
	l.tokens[l.tokens[len(l.tokens)-1].pair].first = false
	l.state, l.command, l.first = rbBeg, true, true
	if at := l.blanks(); rbEquals(l.src[at:]) {
		l.frames[len(l.frames)-1].kind = rbEndless
	}
}

// blanks returns where the next thing in the line is.
func (l *rbLexer) blanks() int {
	at := l.at
	for at < len(l.src) && (l.src[at] == ' ' || l.src[at] == '\t') {
		at++
	}
	return at
}

// rbEquals reports whether s begins with the sign of an assignment.
func rbEquals(s string) bool {
	return strings.HasPrefix(s, "=") && !strings.HasPrefix(s, "==") && !strings.HasPrefix(s, "=~") && !strings.HasPrefix(s, "=>")
}

// rbAssigns reports whether s begins with an operator that assigns.
func rbAssigns(s string) bool {
	if rbEquals(s) {
		return true
	}
	n := 1
	for _, op := range []string{"**", "||", "&&", "<<", ">>"} {
		if strings.HasPrefix(s, op) {
			n = 2
		}
	}
	return len(s) > n && strings.IndexByte("+-*/%|&^<>", s[0]) >= 0 && s[n] == '=' && (n == 2 || s[0] != '<' && s[0] != '>')
}

// rbIsConst reports whether a name is that of a constant.
func rbIsConst(name string) bool {
	if c := name[0]; c < utf8.RuneSelf {
		return c >= 'A' && c <= 'Z'
	}
	r, _ := utf8.DecodeRuneInString(name)
	return unicode.IsUpper(r) || unicode.IsTitle(r)
}
