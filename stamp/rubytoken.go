package stamp

import (
	"strings"
	"unicode/utf8"
)

// token reads the token that begins with c.
func (l *rbLexer) token(c byte) error {
	command := l.command
	l.command = false
	switch {
	case rbWordly(c) && (c < '0' || c > '9'):
		return l.word(command)
	case c >= '0' && c <= '9':
		return l.number()
	case c == '\'' || c == '"':
		return l.quoted(c, l.labels(command))
	case c == '`' && !l.is(rbDot):
		return l.literal(rbShell, l.at, l.at, '`', '`', true)
	case c == '@' || c == '$':
		n := rbVariableLen(l.src[l.at:])
		if n == 0 {
			return refuse(ParseError, l.at, "%q is not followed by a name", c)
		}
		l.emit(rbVariable, l.at, l.at+n)
		l.state = rbEnd
		return nil
	}
	return l.punctuation(c)
}

// punctuation reads operators, and the literals that begin like one.
func (l *rbLexer) punctuation(c byte) error {
	next := l.peek(1)
	switch c {
	case '(', '[', '{':
		return l.open(c)
	case ')', ']':
		return l.close(c)
	case ';':
		l.emit(rbOp, l.at, l.at+1)
		l.statement()
		return nil
	case ',':
		l.emit(rbOp, l.at, l.at+1)
		l.state = rbBeg | rbLabelly
		return nil
	case '/':
		if l.begins() || next != '=' && l.argues(next) {
			return l.literal(rbRegexp, l.at, l.at, '/', '/', true)
		}
	case '%':
		if l.begins() || next != '=' && l.argues(next) {
			return l.percent()
		}
	case '<':
		if next == '<' && !l.is(rbDot|rbClassly|rbEnds) && (!l.is(rbArgs) || l.is(rbLabeled) || l.space) {
			if read, err := l.heredoc(); read || err != nil {
				return err
			}
		}
	case '?':
		if !l.is(rbEnds) {
			if n := rbCharLen(l.src[l.at:]); n > 0 {
				l.emit(rbChar, l.at, l.at+n)
				l.state = rbEnd
				return nil
			}
		}
	case ':':
		return l.colon(next)
	case '|':
		if l.bars() {
			return nil
		}
	}
	return l.operator(c)
}

// operator reads an operator that is no more than that.
func (l *rbLexer) operator(c byte) error {
	n := rbOperatorLen(l.src[l.at:])
	if l.is(rbDot) {
		if m := rbMethodOperator(l.src[l.at:]); m > 0 {
			l.emit(rbOp, l.at, l.at+m)
			l.state = rbArg
			return nil
		}
	}
	if n == 0 {
		return refuse(ParseError, l.at, "the character %q has no meaning in Ruby", c)
	}
	class := l.is(rbClassly)
	op := l.src[l.at : l.at+n]
	l.emit(rbOp, l.at, l.at+n)
	l.state = rbBeg
	switch op {
	case ".", "&.":
		l.state = rbDot
	case "|", "=>": // the second may be before a pattern
		l.state = rbBeg | rbLabelly
	case "->":
		l.state = rbEndFn
		l.lambda = len(l.frames) + 1
		if at := l.blanks(); at == len(l.src) || l.src[at] != '(' {
			l.bare = len(l.frames) + 1
		}
	case "<<":
		l.command = class
	case "=":
		l.several = false
	case "*":
		if l.tokens[len(l.tokens)-1].first {
			l.several = true
		}
	}
	return nil
}

// bars reads the | and || around the parameters of a block.
func (l *rbLexer) bars() bool {
	depth := len(l.frames) + 1
	switch {
	case l.bar == depth: // the second
		l.bar = 0
		l.emit(rbOp, l.at, l.at+1)
		l.state, l.command, l.first = rbBeg|rbLabelly, true, true
		return true
	case !l.opened:
		return false
	}
	l.first = false
	l.emit(rbOp, l.at, l.at+1)
	l.state, l.bar = rbBeg|rbLabelly, depth
	return true
}

// colon reads ::, a symbol, or the colon of a ?:.
func (l *rbLexer) colon(next byte) error {
	switch {
	case next == ':':
		top := l.begins() || l.is(rbClassly) || l.is(rbArgs) && l.space
		l.emit(rbOp, l.at, l.at+2)
		if l.state = rbDot; top {
			l.state = rbBeg
		}
		return nil
	case l.is(rbEnds) || rbSpace(next) || next == '#' || next == 0:
		l.emit(rbOp, l.at, l.at+1)
		l.state = rbBeg
		return nil
	case next == '"' || next == '\'':
		l.state = rbBeg
		return l.literal(rbQuotedSymbol, l.at, l.at+1, next, next, next == '"')
	}
	n := rbMethodName(l.src[l.at+1:])
	if next == '@' || next == '$' {
		n = rbVariableLen(l.src[l.at+1:])
	}
	if n == 0 {
		return refuse(ParseError, l.at, "the colon begins no symbol")
	}
	if err := l.valid(l.at, l.at+1+n); err != nil {
		return err
	}
	l.emit(rbSymbol, l.at, l.at+1+n)
	l.state = rbEnd
	return nil
}

// open reads an opening bracket.
func (l *rbLexer) open(c byte) error {
	if l.is(rbDot) && c == '[' {
		if n := rbMethodOperator(l.src[l.at:]); n > 0 {
			l.emit(rbOp, l.at, l.at+n)
			l.state = rbArg
			return nil
		}
	}
	if len(l.frames) >= 10000 {
		return refuse(ParseError, l.at, "brackets are nested too deep")
	}
	index := c == '[' && !l.begins() && !(l.is(rbArgs) && (l.space || l.is(rbLabeled)))
	lambda := l.lambda == len(l.frames)+1
	block := c == '{' && (lambda || !l.is(rbLabeled) && l.is(rbArgs|rbEnds))
	before := l.last()
	params := c == '(' && (lambda && before == "->" || l.parameters() && (before == "(" || before == "," || before == "|" || before == "*"))
	t := l.emit(rbOp, l.at, l.at+1)
	t.index, t.block = index, block
	kind := rbBracket
	if c == '{' {
		kind = rbBrace
	}
	l.push(kind).params = params
	if l.state = rbBeg | rbLabelly; block {
		l.beginBlock(lambda)
	}
	return nil
}

// beginBlock is what { and do have in common.
func (l *rbLexer) beginBlock(lambda bool) {
	l.state, l.command, l.first, l.opened = rbBeg, true, true, true
	if lambda {
		l.lambda, l.bare = 0, 0
	}
}

// parameters reports whether the names that come are those of parameters.
func (l *rbLexer) parameters() bool {
	n := len(l.frames)
	return l.bar == n+1 || l.bare == n+1 || n > 0 && l.frames[n-1].params
}

// word reads a name, a keyword or a label.
func (l *rbLexer) word(command bool) error {
	start, end := l.at, l.at
	for end < len(l.src) && rbWordly(l.src[end]) {
		end++
	}
	if end < len(l.src) && (l.src[end] == '!' || l.src[end] == '?') && !strings.HasPrefix(l.src[end+1:], "=") {
		end++
	}
	if err := l.valid(start, end); err != nil {
		return err
	}
	name, rest := l.src[start:end], l.src[end:]
	if l.labels(command) && strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "::") {
		l.pattern = l.pattern || l.last() == "=>"
		if l.parameters() || l.pattern {
			l.define(name)
		}
		l.emit(rbLabel, start, end+1)
		l.state = rbArg | rbLabeled
		return nil
	}
	if !l.is(rbDot) {
		if state := rbKeywordState(name); state != 0 {
			return l.keyword(name, state)
		}
	}
	l.name(name, rest, command)
	return nil
}

// name handles a word that is no keyword and no label.
func (l *rbLexer) name(name, rest string, command bool) {
	kind, before := rbName, l.state
	if rbIsConst(name) {
		kind = rbConst
	}
	switch {
	case !l.is(rbBegs | rbArgs | rbDot):
		l.state = rbEnd
	case command:
		l.state = rbCmdArg
	default:
		l.state = rbArg
	}
	last := l.last()
	t := l.emit(kind, l.at, l.at+len(name))
	if kind == rbConst || before&rbDot != 0 || strings.HasSuffix(name, "?") || strings.HasSuffix(name, "!") {
		return
	}
	after := strings.TrimLeft(rest, " \t")
	if t.first && strings.HasPrefix(after, ",") {
		l.several = true
	}
	if l.variable(last, after) {
		l.define(name)
	}
	if l.known[name] > 0 || len(name) == 2 && name[0] == '_' && name[1] >= '1' && name[1] <= '9' {
		l.state = rbEnd | rbLabelly
	}
}

// variable reports whether a name between two tokens becomes a local variable.
func (l *rbLexer) variable(last, after string) bool {
	switch last {
	case "(", ",", "*", "**", "&", "|", ";", "->":
		if l.parameters() || l.several {
			return true
		}
	case "=>":
		if l.rescue {
			return true
		}
	}
	return l.targets || l.bare == len(l.frames)+1 && last != "=" || l.several && strings.HasPrefix(after, ",") ||
		l.pattern && !strings.HasPrefix(after, "(") || rbAssigns(after)
}

// rbKeywordState returns the state after a keyword, or 0 for another word (the
// table in defs/keywords of Ruby's source).
func rbKeywordState(word string) rbState {
	switch word {
	case "__ENCODING__", "__LINE__", "__FILE__", "BEGIN", "END", "end", "false", "nil", "redo", "retry", "self", "true":
		return rbEnd
	case "and", "case", "elsif", "for", "if", "in", "module", "or", "unless", "until", "when", "while", "begin", "do", "else", "ensure", "then":
		return rbBeg
	case "break", "next", "rescue", "return":
		return rbMid
	case "class":
		return rbClassly
	case "defined?", "not", "super", "yield":
		return rbArg
	case "def", "alias", "undef":
		return rbDot
	}
	return 0
}

// keyword reads a keyword, and opens or closes its frame.
func (l *rbLexer) keyword(word string, state rbState) error {
	full := l.is(rbBeg | rbLabeled | rbClassly)
	start := l.at
	l.emit(rbKeyword, start, start+len(word))
	l.state, l.command = state, state&rbBeg != 0
	switch word {
	case "if", "unless", "while", "until", "rescue":
		if !full {
			l.state = rbBeg | rbLabelly
			return nil
		}
		switch word {
		case "rescue":
			l.rescue = true
		case "while", "until":
			l.push(rbLoop).cond = true
		default:
			l.push(rbWord)
		}
	case "case", "begin":
		l.push(rbWord)
		l.first = word == "begin"
	case "else", "ensure", "then":
		l.first, l.rescue, l.pattern = true, false, false
	case "class", "module":
		l.push(rbClassBody)
	case "for":
		f := l.push(rbLoop)
		f.cond, f.forIn, l.targets = true, true, true
	case "in":
		l.in()
	case "do":
		l.do()
	case "end":
		return l.end(start)
	case "def":
		return l.def(start)
	case "alias", "undef":
		return l.alias(word == "undef")
	}
	return nil
}

// in belongs to a for, or begins a pattern.
func (l *rbLexer) in() {
	for i := len(l.frames) - 1; i >= 0 && l.targets; i-- {
		if f := &l.frames[i]; f.forIn {
			f.forIn, l.targets = false, false
			return
		}
	}
	l.state, l.command, l.pattern = rbBeg|rbLabelly, false, true
}

// do begins a block, or the body of a loop.
func (l *rbLexer) do() {
	lambda := l.lambda == len(l.frames)+1
	if !lambda && l.loops() {
		l.first = true
		return
	}
	l.push(rbDo)
	l.beginBlock(lambda)
}

// loops reports whether a do belongs to a loop that waits for it (COND_P in
// parse.y).
func (l *rbLexer) loops() bool {
	for i := len(l.frames) - 1; i >= 0; i-- {
		switch f := &l.frames[i]; f.kind {
		case rbBracket, rbBrace, rbInterpol, rbDef, rbEndless, rbClassBody:
			return false
		case rbLoop:
			if f.cond {
				f.cond = false
				return true
			}
		}
	}
	return false
}

func (l *rbLexer) end(start int) error {
	l.endless()
	if n := len(l.frames); n == 0 || l.frames[n-1].kind < rbWord {
		return refuse(ParseError, start, "end closes nothing")
	}
	l.pairUp()
	return nil
}

// def reads the name of a method up to its parameters.
func (l *rbLexer) def(start int) error {
	l.push(rbDef)
	for {
		l.at = l.blanks()
		n := rbMethodName(l.src[l.at:])
		for _, owner := range []string{".", "::"} { // self.name, or Const.name=
			word := rbWordLen(l.src[l.at:])
			if rest := strings.TrimLeft(l.src[l.at+word:], " \t"); word > 0 && strings.HasPrefix(rest, owner) {
				n = word
			}
		}
		if m := rbVariableLen(l.src[l.at:]); m > 0 {
			n = m
		}
		if n == 0 {
			return refuse(ParseError, start, "def without the name of a method")
		}
		if err := l.valid(l.at, l.at+n); err != nil {
			return err
		}
		l.emit(rbMethodKind(l.src[l.at:]), l.at, l.at+n)
		l.at = l.blanks()
		switch {
		case l.has(".") && !l.has(".."):
			l.emit(rbOp, l.at, l.at+1)
			continue
		case l.has("::"):
			l.emit(rbOp, l.at, l.at+2)
			continue
		}
		break
	}
	l.state, l.command = rbEndFn|rbLabelly, false
	switch {
	case l.has("("):
		l.first = true // marks the bracket
		l.emit(rbOp, l.at, l.at+1)
		l.push(rbBracket).params = true
		l.state = rbBeg | rbLabelly
	case rbEquals(l.src[l.at:]):
		l.frames[len(l.frames)-1].kind = rbEndless
	default:
		l.bare = len(l.frames) + 1
	}
	return nil
}

// alias reads the names after alias and undef.
func (l *rbLexer) alias(list bool) error {
	for n := 0; ; n++ {
		l.at = l.blanks()
		l.state = rbBeg
		var err error
		switch size := rbMethodName(l.src[l.at:]); {
		case l.has(":"):
			err = l.colon(l.peek(1))
		case l.has("$"):
			size = rbVariableLen(l.src[l.at:])
			l.emit(rbVariable, l.at, l.at+size)
		case l.has("%s"):
			err = l.percent()
		case size > 0:
			l.emit(rbMethodKind(l.src[l.at:]), l.at, l.at+size)
		default:
			err = refuse(ParseError, l.at, "the name of a method should be here")
		}
		if err != nil {
			return err
		}
		l.state = rbEnd
		if !list && n == 1 {
			return nil
		}
		if list {
			if l.at = l.blanks(); !l.has(",") {
				return nil
			}
			l.emit(rbOp, l.at, l.at+1)
		}
	}
}

// number reads a number with its suffixes.
func (l *rbLexer) number() error {
	start, end := l.at, l.at
	digits := func() {
		for end < len(l.src) && (l.src[end] == '_' || l.src[end] >= '0' && l.src[end] <= '9') {
			end++
		}
	}
	digits()
	switch c := l.peek(1) | 0x20; {
	case l.src[start] == '0' && end == start+1 && (c == 'x' || c == 'b' || c == 'o' || c == 'd'):
		for end++; end < len(l.src) && rbWordly(l.src[end]); end++ {
		}
	default:
		if end+1 < len(l.src) && l.src[end] == '.' && l.src[end+1] >= '0' && l.src[end+1] <= '9' {
			end++
			digits()
		}
		if n := rbExponent(l.src[end:]); n > 0 {
			end += n
			digits()
		}
	}
	if l.src[end-1] == '_' {
		return refuse(ParseError, start, "the number ends in _")
	}
	suffix := end
	for suffix < len(l.src) && (l.src[suffix] == 'r' || l.src[suffix] == 'i') {
		suffix++
	}
	if suffix == len(l.src) || !rbWordly(l.src[suffix]) {
		end = suffix
	}
	l.emit(rbNumber, start, end)
	l.state = rbEnd
	return nil
}

// rbExponent returns the length of e+ before a digit.
func rbExponent(s string) int {
	n := 1
	if len(s) > 1 && (s[1] == '+' || s[1] == '-') {
		n = 2
	}
	if len(s) > n && s[0]|0x20 == 'e' && s[n] >= '0' && s[n] <= '9' {
		return n
	}
	return 0
}

// rbWordLen returns the length of the name that s begins with.
func rbWordLen(s string) int {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return 0
	}
	n := 0
	for n < len(s) && rbWordly(s[n]) {
		n++
	}
	return n
}

// rbMethodName returns the length of the name of a method, as after def and in
// a symbol: with ?, ! or =, or an operator.
func rbMethodName(s string) int {
	n := rbWordLen(s)
	if n == 0 {
		return rbMethodOperator(s)
	}
	rest := s[n:]
	switch {
	case (strings.HasPrefix(rest, "?") || strings.HasPrefix(rest, "!")) && !strings.HasPrefix(rest[1:], "="):
		return n + 1
	case strings.HasPrefix(rest, "==>"):
		return n + 1
	case strings.HasPrefix(rest, "=") && !strings.HasPrefix(rest, "=~") && !strings.HasPrefix(rest, "=>") && !strings.HasPrefix(rest, "=="):
		return n + 1
	}
	return n
}

// rbMethodKind returns the kind of what stands for the name of a method.
func rbMethodKind(s string) rbKind {
	switch {
	case s[0] == '@' || s[0] == '$':
		return rbVariable
	case rbWordLen(s) == 0:
		return rbOp
	}
	return rbName
}

// rbMethodOperator returns the length of the operator that a method may have as
// its name.
func rbMethodOperator(s string) int {
	for _, op := range []string{"[]=", "<=>", "===", "[]", "==", "=~", "!~", "!=", "!@", "**", "+@", "-@", "~@", "<<", "<=", ">>", ">="} {
		if strings.HasPrefix(s, op) {
			return len(op)
		}
	}
	if s != "" && strings.IndexByte("!+-*/%<>&|^~`", s[0]) >= 0 {
		return 1
	}
	return 0
}

// rbVariableLen returns the length of the @a, @@a or $a that s begins with.
func rbVariableLen(s string) int {
	switch {
	case strings.HasPrefix(s, "@@"):
		if n := rbWordLen(s[2:]); n > 0 {
			return 2 + n
		}
	case strings.HasPrefix(s, "@"):
		if n := rbWordLen(s[1:]); n > 0 {
			return 1 + n
		}
	case len(s) > 1 && s[0] == '$':
		if n := rbWordLen(s[1:]); n > 0 {
			return 1 + n
		}
		return rbSpecialLen(s)
	}
	return 0
}

// rbSpecialLen returns the length of $1, $! and their kin.
func rbSpecialLen(s string) int {
	switch c := s[1]; {
	case c >= '0' && c <= '9':
		n := 2
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		return n
	case c == '-' && len(s) > 2 && rbWordly(s[2]):
		return 3
	case strings.IndexByte("~*$?!@/\\;,.=:<>\"&`'+", c) >= 0:
		return 2
	}
	return 0
}

// rbCharLen returns the length of the character literal ?a that s begins with,
// or 0 when its ? is an operator.
func rbCharLen(s string) int {
	switch {
	case len(s) < 2 || rbSpace(s[1]):
		return 0
	case s[1] == '\\':
		return 1 + rbEscapeLen(s[1:])
	case s[1] >= utf8.RuneSelf:
		_, n := utf8.DecodeRuneInString(s[1:])
		return 1 + n
	case rbWordly(s[1]) && len(s) > 2 && rbWordly(s[2]):
		return 0
	}
	return 2
}

// rbOperatorLen returns the length of the operator that s begins with, or 0.
func rbOperatorLen(s string) int {
	second, third := byte(0), byte(0)
	if len(s) > 1 {
		second = s[1]
	}
	if len(s) > 2 {
		third = s[2]
	}
	switch c := s[0]; c {
	case '.':
		switch {
		case second != '.':
			return 1
		case third == '.':
			return 3
		}
		return 2
	case '=', '!':
		switch {
		case c == '=' && second == '=' && third == '=':
			return 3
		case second == '=' || second == '~' || c == '=' && second == '>':
			return 2
		}
		return 1
	case '*', '&', '|', '<', '>':
		switch {
		case second == c && third == '=' || c == '<' && second == '=' && third == '>':
			return 3
		case second == c || second == '=' || c == '&' && second == '.':
			return 2
		}
		return 1
	case '+', '-', '/', '%', '^':
		if second == '=' || c == '-' && second == '>' {
			return 2
		}
		return 1
	case '~', '?', ':':
		return 1
	}
	return 0
}
