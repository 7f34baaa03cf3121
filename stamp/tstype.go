package stamp

// jsMark is a place to go back to.
type jsMark struct {
	at, last, html, found int
	tok                   jsToken
	err                   error
	context               jsContext
	nesting, types        int
	level                 int32
}

func (s *jsScanner) mark() jsMark {
	return jsMark{s.at, s.last, s.html, len(s.found), s.tok, s.err, s.context, s.nesting, s.types, s.level}
}

func (s *jsScanner) restore(m jsMark) {
	s.at, s.last, s.html, s.tok, s.err = m.at, m.last, m.html, m.tok, m.err
	s.context, s.nesting, s.types, s.level = m.context, m.nesting, m.types, m.level
	s.found, s.levels = s.found[:m.found], s.levels[:m.found]
	if s.log != nil {
		s.undo(s.tok.start)
		s.log(s.tok)
	}
}

// attempt runs read, and goes back if it fails.
func (s *jsScanner) attempt(read func() bool) bool {
	if s.trying >= jsAttemptDepth {
		return false
	}
	before := s.mark()
	s.trying++
	ok := read() && s.err == nil
	s.trying--
	if !ok {
		s.restore(before)
	}
	return ok
}

// annotation reads a type after its colon, if there is one, and ! or ? before
// it.
func (s *jsScanner) annotation() {
	if s.tok.kind == '?' || s.tok.kind == '!' {
		s.next()
	}
	if s.tok.kind == ':' {
		s.next()
		s.typ()
	}
}

// deeperType is deeper, for types.
func (s *jsScanner) deeperType() {
	if s.types++; s.types > jsTypeDepth {
		s.fail(s.tok.start, "types are nested more than %d deep", jsTypeDepth)
	}
}

// typ reads a type. What is in brackets is gone over by counting them: nothing
// that divides or is a regular expression can be in there.
func (s *jsScanner) typ() {
	s.deeperType()
	outer := s.condition
	s.condition = false
	s.union()
	for s.is("extends") && !s.tok.newline {
		s.next()
		s.condition = true
		s.union()
		s.condition = false
		s.expect('?')
		s.typ()
		s.expect(':')
		s.union()
	}
	s.condition = outer
	s.types--
}

// union reads types between | and &.
func (s *jsScanner) union() {
	if s.tok.kind == '|' || s.tok.kind == '&' {
		s.next()
	}
	for s.unary(); s.tok.kind == '|' || s.tok.kind == '&'; s.unary() {
		s.next()
	}
}

func (s *jsScanner) unary() {
	s.deeperType()
	switch s.tok.kind {
	case jsName:
		s.typeName()
	case jsString, jsNumber:
		s.next()
	case '-':
		s.next()
		s.expect(jsNumber)
	case '`':
		s.templateOf(s.typ)
	case '{', '[':
		s.balanced()
	case '(':
		if s.functionTypeBegins() {
			s.functionType()
			break
		}
		s.balanced()
	case '<':
		s.typeParameters()
		s.functionType()
	default:
		s.unexpected()
	}
	for s.tok.kind == '[' && !s.tok.newline {
		s.balanced()
	}
	s.types--
}

func (s *jsScanner) functionType() {
	if s.tok.kind != '(' {
		s.unexpected()
		return
	}
	s.balanced()
	s.expect(jsArrow)
	s.typ()
}

// functionTypeBegins reports whether the next bracket holds parameters, rather
// than a type: the => after a type is that of an arrow function which returns
// it.
func (s *jsScanner) functionTypeBegins() (is bool) {
	before := s.mark()
	s.trying++
	s.next()
	switch s.tok.kind {
	case ')', jsDots:
		is = true
	case jsName:
		s.next()
	case '{', '[':
		s.balanced()
	}
	switch s.tok.kind {
	case ':', ',', '?', '=':
		is = true
	case ')':
		s.next()
		is = is || s.tok.kind == jsArrow
	}
	s.trying--
	s.restore(before)
	return is
}

// typeName reads a type that begins with a word.
func (s *jsScanner) typeName() {
	text, next := s.text(), s.peek()
	s.next()
	operand := next.kind == jsName || next.kind == jsString || next.kind == jsNumber ||
		next.kind == '{' || next.kind == '(' || next.kind == '[' || next.kind == '`'
	switch {
	case text == "new":
		if s.tok.kind == '<' {
			s.typeParameters()
		}
		s.functionType()
		return
	case text == "abstract" && s.is("new"),
		(text == "keyof" || text == "unique" || text == "readonly") && operand:
		s.unary()
		return
	case text == "asserts" && next.kind == jsName && !next.newline && !s.is("is"):
		s.next()
	case text == "infer" && next.kind == jsName:
		s.next()
		if s.is("extends") {
			s.inferred()
		}
		return
	case text == "typeof" && s.is("import"), text == "import":
		if text == "typeof" {
			s.next()
		}
		if s.tok.kind != '(' {
			s.unexpected()
			return
		}
		s.balanced()
	case text == "typeof":
		s.member()
	}
	for s.tok.kind == '.' {
		s.next()
		s.member()
	}
	if !s.tok.newline && s.lessThan() && !tsKeywordType(text) {
		s.typeList()
	}
	if s.is("is") && !s.tok.newline {
		s.next()
		s.typ()
	}
}

// inferred reads the constraint of infer. Before a ? it is none, but a
// conditional type begins.
func (s *jsScanner) inferred() {
	s.attempt(func() bool {
		conditional := s.condition
		s.condition = true
		s.next()
		s.union()
		s.condition = conditional
		return conditional || s.tok.kind != '?'
	})
}

// tsKeywordType reports whether no type arguments can follow.
func tsKeywordType(word string) bool {
	switch word {
	case "any", "unknown", "never", "void", "string", "number", "boolean", "bigint", "symbol", "object", "undefined", "null", "true", "false", "this":
		return true
	}
	return false
}

// balanced goes over brackets with types in them.
func (s *jsScanner) balanced() {
	s.deeperType()
	closer := jsKind(')')
	switch s.tok.kind {
	case '{':
		closer = '}'
	case '[':
		closer = ']'
	}
	b := s.open()
	for s.inside(closer) {
		switch s.tok.kind {
		case '(', '[', '{':
			s.balanced()
		case '`':
			s.templateOf(s.typ)
		case jsName, jsString, jsNumber, jsArrow, jsDots, '.', ',', ';', ':', '?', '=', '|', '&', '<', '>', '-', '+':
			s.next()
		case jsBinary:
			if s.text() != "<<" {
				s.unexpected()
			}
			s.next()
		default:
			s.unexpected()
		}
	}
	s.close(b, closer)
	s.types--
}

// typeParameters reads <T extends U = V, …> by counting brackets.
func (s *jsScanner) typeParameters() {
	s.deeperType()
	start := s.tok.start
	s.next()
	for s.tok.kind != '>' && s.err == nil {
		for (s.is("const") || s.is("in") || s.is("out")) && s.peek().kind == jsName {
			s.next()
		}
		s.bindingName()
		for _, word := range []string{"extends", "="} {
			if s.text() == word {
				s.next()
				s.typ()
			}
		}
		if s.tok.kind != ',' {
			break
		}
		s.next()
	}
	if s.tok.kind == jsEOF {
		s.fail(start, "%q is never closed", '<')
	}
	s.expect('>')
	s.types--
}

// typeList reads <T, …>.
func (s *jsScanner) typeList() {
	if s.tok.kind != '<' {
		s.less()
	}
	for more := true; more; more = s.tok.kind == ',' {
		s.next()
		if s.tok.kind == '>' {
			break
		}
		s.typ()
	}
	s.expect('>')
}

// lessThan reports whether a list of types may come next.
func (s *jsScanner) lessThan() bool {
	return s.tok.kind == '<' || s.tok.kind == jsBinary && s.text() == "<<"
}

// typeArguments reads <T, …> in an expression, if it is that rather than a
// comparison: if what follows could not follow an operator.
func (s *jsScanner) typeArguments() bool {
	return s.lessThan() && s.attempt(func() bool {
		s.typeList()
		switch s.tok.kind {
		case '(', '`':
			return true
		case '<', '>', '+', '-':
			return false
		}
		return s.tok.newline || !s.startsExpression()
	})
}

// startsExpression reports whether an operand can begin with the next token.
func (s *jsScanner) startsExpression() bool {
	switch s.tok.kind {
	case jsName:
		switch s.text() {
		case "in", "instanceof", "as", "satisfies":
			return false
		case "this", "super", "null", "true", "false", "function", "class", "new", "delete", "typeof", "void", "import":
			return true
		}
		return !jsReserved(s.text())
	case jsString, jsNumber, jsPrivate, '{', '[', '!', '~', jsStep, '@', '/':
		return true
	case jsAssign:
		return s.text() == "/="
	}
	return false
}

// tsArrow reads an arrow function from its parameters on, if it is one.
func (s *jsScanner) tsArrow(async bool) bool {
	at := s.tok.start
	if s.noArrow[at] {
		return false
	}
	ok := s.attempt(func() bool {
		if s.tok.kind == '<' {
			s.typeParameters()
		}
		s.parameters()
		typed := s.tok.kind == ':'
		s.annotation()
		if s.tok.kind != jsArrow || s.tok.newline {
			return false
		}
		if !typed || !s.context.beforeColon {
			return true
		}
		// The colon may be that of the conditional expression.
		return s.attempt(func() bool { s.arrow(async); return s.tok.kind == ':' })
	})
	if !ok {
		if s.noArrow == nil {
			s.noArrow = map[int]bool{}
		}
		s.noArrow[at] = true
		return false
	}
	if s.tok.kind == jsArrow {
		s.arrow(async)
	}
	return true
}

// genericOrAssertion reads an arrow function with type parameters, or a type
// assertion before its operand.
func (s *jsScanner) genericOrAssertion() (closed bool) {
	if s.tsArrow(false) {
		return true
	}
	s.next()
	s.typ()
	s.expect('>')
	return s.operand()
}

// assertedName reads a variable whose type is asserted, before a property of
// it: (window as any).rev.
func (s *jsScanner) assertedName() (name string, ok bool) {
	ok = s.attempt(func() bool {
		s.next()
		before := s.tok.kind == '<'
		if before {
			s.next()
			s.typ()
			s.expect('>')
		}
		if !s.plainName() {
			return false
		}
		name = jsNameText(s.text())
		s.next()
		if !before {
			s.word("as")
			s.typ()
		}
		s.expect(')')
		return s.tok.kind == '.' || s.tok.kind == '['
	})
	return name, ok
}
