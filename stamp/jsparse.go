package stamp

import (
	"strings"
	"unicode/utf8"
)

// jsScanner is a parser that builds no tree: it goes over statements and
// expressions only to know what is a value and what has which key. It accepts
// everything that is JavaScript, and more: it does not know, for one, which
// operators bind how tightly, nor what can be assigned to.
type jsScanner struct {
	jsLexer
	found  literals
	levels []int32 // of found: in how many functions and classes each is

	level     int32
	nesting   int
	types     int    // how many a type is inside of
	prefix    string // of declarations, the namespace they are in
	function  bool   // inside of one
	async     bool   // inside of one in which await is an operator
	generator bool   // inside of one in which yield is an operator
	context   jsContext
	module    bool         // it has an import or an export
	ascii     bool         // the file is not UTF-8
	condition bool         // between the extends and ? of a conditional type
	noArrow   map[int]bool // where an attempt to read an arrow function failed
}

// jsContext is what brackets end.
type jsContext struct {
	noIn        bool // in is no operator: the head of a for statement
	beforeColon bool // between the ? and : of a conditional expression
}

// How deep a file can be nested: nobody writes as much. Types and attempts can
// be read again for each bracket around them, so there must not be many.
const (
	jsDepth        = 5000
	jsTypeDepth    = 300
	jsAttemptDepth = 50
)

func newJSScanner(src string, ts bool) *jsScanner {
	return &jsScanner{
		jsLexer: jsLexer{src: src, ts: ts, at: bomLen(src)},
		found:   usedLiterals.slice(len(src) / 64),
		levels:  make([]int32, 0, len(src)/64),
		ascii:   !utf8.ValidString(src),
	}
}

// deeper is called where something can hold more of its kind.
func (s *jsScanner) deeper() {
	if s.nesting++; s.nesting > jsDepth {
		s.fail(s.tok.start, "it is nested more than %d deep", jsDepth)
	}
}

func (s *jsScanner) program() {
	s.next()
	for s.tok.kind != jsEOF {
		s.statement()
	}
	if s.module && s.html > 0 {
		s.fail(s.html-1, "a module has no such comments")
	}
}

// jsBracket is an open one.
type jsBracket struct {
	at      int
	context jsContext
}

func (s *jsScanner) open() jsBracket {
	b := jsBracket{s.tok.start, s.context}
	s.context = jsContext{}
	s.next()
	return b
}

// inside reports whether more comes before the bracket that closes.
func (s *jsScanner) inside(closer jsKind) bool {
	return s.tok.kind != closer && s.tok.kind != jsEOF
}

func (s *jsScanner) close(b jsBracket, closer jsKind) {
	s.context = b.context
	if s.tok.kind == jsEOF && s.err == nil {
		s.fail(b.at, "%q is never closed", s.src[b.at])
	}
	s.expect(closer)
}

func (s *jsScanner) expect(kind jsKind) {
	if s.tok.kind != kind {
		s.unexpected()
		return
	}
	s.next()
}

// semicolon ends a statement; a line end does so too, and } (section 12.10).
func (s *jsScanner) semicolon() {
	switch {
	case s.tok.kind == ';':
		s.next()
	case s.tok.kind == '}', s.tok.kind == jsEOF, s.tok.newline:
	default:
		s.unexpected()
	}
}

func (s *jsScanner) statement() {
	s.deeper()
	switch s.tok.kind {
	case '{':
		s.block()
	case ';':
		s.next()
	case '@':
		s.decorators()
		s.statement()
	case jsName:
		if s.wordStatement() {
			break
		}
		fallthrough
	default:
		s.statementExpression()
		s.semicolon()
	}
	s.nesting--
}

func (s *jsScanner) block() {
	b := s.open()
	for s.inside('}') {
		s.statement()
	}
	s.close(b, '}')
}

// wordStatement reads a statement that begins with a word, unless it is an
// expression.
func (s *jsScanner) wordStatement() bool {
	switch s.text() {
	case "var":
		s.variables()
	case "const":
		if s.ts && s.peekIs("enum") {
			s.next()
			s.enum()
			return true
		}
		s.variables()
	case "let", "using":
		if !s.declares() {
			return s.label()
		}
		s.variables()
	case "function":
		s.next()
		s.functionAfterWord(false)
	case "async":
		if next := s.peek(); next.newline || s.textOf(next) != "function" {
			return s.label()
		}
		s.next()
		s.next()
		s.functionAfterWord(true)
	case "class":
		s.classDeclaration("")
	case "import":
		if next := s.peek(); next.kind == '(' || next.kind == '.' {
			return false
		}
		s.importDeclaration()
	case "export":
		s.exportDeclaration()
	default:
		return s.control() || s.ts && s.tsStatement() || s.label()
	}
	return true
}

func (s *jsScanner) peekIs(word string) bool {
	next := s.peek()
	return next.kind == jsName && s.textOf(next) == word
}

// label reads a labelled statement.
func (s *jsScanner) label() bool {
	if strings.IndexByte(".=([,;", s.char(0)) >= 0 || jsReserved(s.text()) || s.peek().kind != ':' {
		return false // mostly without a second look
	}
	s.next()
	s.next()
	s.statement()
	return true
}

// declares reports whether let or using, which may be names too, begins a
// declaration.
func (s *jsScanner) declares() bool {
	next := s.peek()
	switch next.kind {
	case jsName:
		text := s.textOf(next)
		return !jsReserved(text) && (s.is("let") || !next.newline && text != "of")
	case '[', '{':
		return s.is("let")
	}
	return false
}

// variables reads var, let or const and what it declares.
func (s *jsScanner) variables() {
	s.declarators()
	s.semicolon()
}

func (s *jsScanner) declarators() {
	for more := true; more; more = s.tok.kind == ',' {
		s.next()
		key := ""
		if s.tok.kind == jsName {
			key = jsKey(s.prefix, jsNameText(s.text()))
		}
		s.binding()
		if s.ts {
			s.annotation()
		}
		if s.tok.kind == '=' {
			s.next()
			s.initializer(key)
		}
	}
}

// binding reads a name or a pattern.
func (s *jsScanner) binding() {
	switch s.tok.kind {
	case '[':
		s.array("")
	case '{':
		s.object("")
	default:
		s.bindingName()
	}
}

func (s *jsScanner) bindingName() {
	if s.tok.kind != jsName || jsReserved(s.text()) {
		s.unexpected()
		return
	}
	s.next()
}

// control reads a statement that begins with a reserved word and controls the
// flow.
func (s *jsScanner) control() bool {
	switch s.text() {
	case "if":
		s.next()
		s.head()
		s.statement()
		if s.is("else") {
			s.next()
			s.statement()
		}
	case "while", "with":
		s.next()
		s.head()
		s.statement()
	case "for":
		s.next()
		s.loop()
	case "do":
		s.next()
		s.statement()
		s.word("while")
		s.head()
		if s.tok.kind == ';' {
			s.next()
		}
	case "switch":
		s.next()
		s.head()
		s.cases()
	case "try":
		s.next()
		s.try()
	case "return", "throw", "break", "continue", "debugger":
		s.next()
		if !s.tok.newline && s.tok.kind != ';' && s.tok.kind != '}' && s.tok.kind != jsEOF {
			s.expression()
		}
		s.semicolon()
	default:
		return false
	}
	return true
}

func (s *jsScanner) word(word string) {
	if !s.is(word) {
		s.unexpected()
		return
	}
	s.next()
}

// head reads an expression in parentheses.
func (s *jsScanner) head() {
	if s.tok.kind != '(' {
		s.unexpected()
		return
	}
	b := s.open()
	s.expression()
	s.close(b, ')')
}

// loop reads a for statement, of any kind, after its word.
func (s *jsScanner) loop() {
	if s.is("await") {
		s.next()
	}
	if s.tok.kind != '(' {
		s.unexpected()
		return
	}
	b := s.open()
	s.context.noIn = true
	switch {
	case s.tok.kind == ';':
	case s.is("var") || s.is("const") || (s.is("let") || s.is("using")) && s.declares():
		s.declarators()
	default:
		s.expression()
	}
	s.context.noIn = false
	if s.is("in") || s.is("of") {
		s.next()
		s.expression()
	} else {
		for range 2 {
			s.expect(';')
			if s.tok.kind != ';' && s.tok.kind != ')' {
				s.expression()
			}
		}
	}
	s.close(b, ')')
	s.statement()
}

func (s *jsScanner) cases() {
	if s.tok.kind != '{' {
		s.unexpected()
		return
	}
	b := s.open()
	for s.inside('}') {
		if s.is("case") {
			s.next()
			s.expression()
		} else {
			s.word("default")
		}
		s.expect(':')
		for s.inside('}') && !s.is("case") && !s.is("default") {
			s.statement()
		}
	}
	s.close(b, '}')
}

func (s *jsScanner) try() {
	s.braces()
	caught := s.is("catch")
	if caught {
		s.next()
		if s.tok.kind == '(' {
			b := s.open()
			s.binding()
			if s.ts {
				s.annotation()
			}
			s.close(b, ')')
		}
		s.braces()
	}
	if s.is("finally") {
		s.next()
		s.braces()
	} else if !caught {
		s.unexpected()
	}
}

// braces reads a block that must be there.
func (s *jsScanner) braces() {
	if s.tok.kind != '{' {
		s.unexpected()
		return
	}
	s.block()
}

// jsReserved reports whether a word is no name in any code (section 12.7.2).
func jsReserved(word string) bool {
	switch word {
	case "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete", "do", "else", "enum", "export",
		"extends", "false", "finally", "for", "function", "if", "import", "in", "instanceof", "new", "null", "return", "super",
		"switch", "this", "throw", "true", "try", "typeof", "var", "void", "while", "with":
		return true
	}
	return false
}
