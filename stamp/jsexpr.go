package stamp

import "strconv"

// expression reads one with commas.
func (s *jsScanner) expression() {
	for s.assign(); s.tok.kind == ','; s.assign() {
		s.next()
	}
}

// assign reads one without: an AssignmentExpression.
func (s *jsScanner) assign() {
	if !s.operand() {
		s.operators()
	}
}

// operators reads what follows an operand, and reports whether anything does.
func (s *jsScanner) operators() (more bool) {
	for ; s.err == nil; more = true {
		switch s.tok.kind {
		case '=', jsAssign, '+', '-', '*', '/', '%', '&', '|', '^':
		case '<', jsBinary:
			if s.ts && s.typeArguments() {
				continue
			}
		case '>':
			s.greater()
		case '?':
			s.conditional()
		case jsName:
			if s.ts && !s.tok.newline && (s.is("as") || s.is("satisfies")) {
				s.next()
				s.typ()
				continue
			}
			if !s.is("instanceof") && (!s.is("in") || s.context.noIn) {
				return more
			}
		default:
			if !s.suffix() {
				return more
			}
			continue
		}
		s.next()
		if s.operand() {
			return true
		}
	}
	return more
}

// suffix reads one of what binds to an operand most tightly: a property, a
// call, a template after its tag; and ++.
func (s *jsScanner) suffix() bool {
	switch s.tok.kind {
	case '.':
		s.next()
		s.member()
	case jsOptional:
		s.next()
		switch {
		case s.tok.kind == '<' && s.ts:
			s.typeArguments()
		case s.tok.kind != '(' && s.tok.kind != '[' && s.tok.kind != '`':
			s.member()
		}
	case '(':
		s.arguments()
	case '[':
		b := s.open()
		s.expression()
		s.close(b, ']')
	case '`':
		s.template()
	case jsStep, '!':
		if s.tok.newline || s.tok.kind == '!' && !s.ts {
			return false
		}
		s.next()
	default:
		return false
	}
	return true
}

// member reads the name after a dot.
func (s *jsScanner) member() {
	if s.tok.kind != jsName && s.tok.kind != jsPrivate {
		s.unexpected()
		return
	}
	s.next()
}

// conditional reads the middle of a conditional expression, and stops at its
// colon.
func (s *jsScanner) conditional() {
	s.next()
	outer := s.context
	s.context = jsContext{beforeColon: true}
	s.assign()
	s.context = outer
	if s.tok.kind != ':' {
		s.unexpected()
	}
}

// arguments reads those of a call. It reports whether they can be the
// parameters of an arrow function only.
func (s *jsScanner) arguments() (parameters bool) {
	b := s.open()
	parameters = s.tok.kind == ')'
	for s.inside(')') {
		if s.tok.kind == jsDots {
			parameters = true
			s.next()
		}
		s.assign()
		if s.tok.kind != ',' {
			break
		}
		s.next()
		parameters = parameters || s.tok.kind == ')'
	}
	s.close(b, ')')
	return parameters
}

// operand reads what operators stand between, with the operators before it. It
// reports whether none can follow: after an arrow function.
func (s *jsScanner) operand() (closed bool) {
	s.deeper()
	switch s.tok.kind {
	case jsName:
		closed = s.wordOperand()
	case jsString, jsNumber, jsPrivate:
		s.next()
	case '`':
		s.template()
	case '(':
		closed = s.parentheses()
	case '[':
		s.array("")
	case '{':
		s.object("")
	case '+', '-', '!', '~', jsStep:
		s.next()
		closed = s.operand()
	case '/', jsAssign:
		if s.src[s.tok.start] != '/' {
			s.unexpected()
			break
		}
		s.regexp()
		s.next()
	case '@':
		s.decorators()
		s.class("")
	case '<':
		if !s.ts {
			s.unexpected()
			break
		}
		closed = s.genericOrAssertion()
	default:
		s.unexpected()
	}
	s.nesting--
	return closed
}

func (s *jsScanner) wordOperand() (closed bool) {
	switch text := s.text(); text {
	case "function":
		s.next()
		s.functionAfterWord(false)
		return false
	case "class":
		s.class("")
		return false
	case "typeof", "void", "delete":
		s.next()
		return s.operand()
	case "new":
		return s.construct()
	case "await":
		if s.awaits() {
			s.next()
			return s.operand()
		}
	case "yield":
		if s.generator {
			s.yield()
			return true
		}
	case "async":
		if closed, ok := s.asyncFunction(); ok {
			return closed
		}
	case "this", "null", "true", "false", "super", "import":
	default:
		if jsReserved(text) {
			s.unexpected()
			return false
		}
	}
	s.next()
	if s.tok.kind == jsArrow && !s.tok.newline {
		s.arrow(false)
		return true
	}
	return false
}

// construct reads new, and new.target.
func (s *jsScanner) construct() (closed bool) {
	s.next()
	if s.tok.kind == '.' {
		s.next()
		s.member()
		return false
	}
	return s.operand()
}

// awaits reports whether await is an operator: in an async function, and at the
// top of a module. A script may have a variable of that name, and divide it.
func (s *jsScanner) awaits() bool {
	if s.async || s.function {
		return s.async
	}
	switch next := s.peek(); next.kind {
	case '/':
		s.fail(s.tok.start, "await may be a name here, or an operator")
	case jsName:
		if word := s.textOf(next); word == "in" || word == "instanceof" || word == "of" {
			return false
		}
		s.module = true
		return true
	case jsString, jsNumber, '(', '[', '{', '`', '+', '-', '!', '~':
		s.module = true
		return true
	}
	return false
}

// yield reads yield with its operand, if it has one.
func (s *jsScanner) yield() {
	s.next()
	switch s.tok.kind {
	case ')', ']', '}', ',', ';', ':', jsEOF:
		return
	}
	if s.tok.newline || s.is("in") || s.is("of") {
		return
	}
	if s.tok.kind == '*' {
		s.next()
	}
	s.assign()
}

// asyncFunction reads a function, an arrow function or a call that begins with
// async; otherwise ok is false and that is a variable.
func (s *jsScanner) asyncFunction() (closed, ok bool) {
	next := s.peek()
	switch {
	case next.newline:
		return false, false
	case next.kind == jsName && s.textOf(next) == "function":
		s.next()
		s.next()
		s.functionAfterWord(true)
		return false, true
	case next.kind == jsName:
		before := s.mark()
		s.next()
		s.next()
		if s.tok.kind != jsArrow || s.tok.newline {
			s.restore(before)
			return false, false
		}
		s.arrow(true)
		return true, true
	case s.ts && (next.kind == '(' || next.kind == '<'):
		before := s.mark()
		s.next()
		if !s.tsArrow(true) {
			s.restore(before)
			return false, false
		}
		return true, true
	case next.kind == '(':
		s.next()
		s.arguments()
		if s.tok.kind != jsArrow || s.tok.newline {
			return false, true
		}
		s.arrow(true)
		return true, true
	}
	return false, false
}

// parentheses reads an expression in them, or an arrow function.
func (s *jsScanner) parentheses() (closed bool) {
	if s.ts && s.tsArrow(false) {
		return true
	}
	parameters := s.arguments()
	if s.tok.kind == jsArrow && !s.tok.newline {
		s.arrow(false)
		return true
	}
	if parameters {
		s.unexpected()
	}
	return false
}

// arrow reads an arrow function from its => on.
func (s *jsScanner) arrow(async bool) {
	s.next()
	if s.tok.kind == '{' {
		s.body(async, false)
		return
	}
	outer := s.enter(async, false)
	s.assign()
	s.leave(outer)
}

// template reads one from its backtick on, and reports whether code is in it.
func (s *jsScanner) template() (code bool) { return s.templateOf(s.expression) }

// templateOf reads a template with what it holds: expressions, or types.
func (s *jsScanner) templateOf(inner func()) (code bool) {
	start, outer := s.tok.start, s.context
	s.context = jsContext{}
	for s.chunk(start) {
		code = true
		s.next()
		inner()
		if s.tok.kind != '}' {
			s.unexpected()
		}
	}
	s.context = outer
	s.next()
	return code
}

// array reads an array literal, or a pattern, that has the key.
func (s *jsScanner) array(key string) {
	b := s.open()
	for index := 0; s.inside(']'); index++ {
		for ; s.tok.kind == ','; index++ { // holes
			s.next()
		}
		if s.tok.kind == ']' {
			break
		}
		if s.tok.kind == jsDots {
			s.next()
			key = "" // of what follows the number is not known
		}
		element := ""
		if key != "" {
			element = jsKey(key, strconv.Itoa(index))
		}
		s.value(element)
		if s.tok.kind != ',' {
			break
		}
		s.next()
	}
	s.close(b, ']')
}

// object reads an object literal, or a pattern, that has the key.
func (s *jsScanner) object(key string) {
	b := s.open()
	for s.inside('}') {
		s.property(key)
		if s.tok.kind != ',' {
			break
		}
		s.next()
	}
	s.close(b, '}')
}

func (s *jsScanner) property(object string) {
	if s.tok.kind == jsDots {
		s.next()
		s.assign()
		return
	}
	m := s.modifiers()
	shorthand := m == jsModifiers{} && s.tok.kind == jsName && !jsReserved(s.text())
	at := s.tok.start
	key := ""
	if name, ok := s.propertyName(); ok && object != "" {
		key = jsKey(object, name)
	}
	switch {
	case s.tok.kind == '(' || s.tok.kind == '<' && s.ts:
		s.add(key, literal{start: at, refused: m.what()})
		s.functionRest(m.async, m.generator)
	case s.tok.kind == ':' && m == jsModifiers{}:
		s.next()
		s.value(key)
	case s.tok.kind == '=' && shorthand: // in patterns only
		s.next()
		s.assign()
	case shorthand:
		s.add(key, literal{start: at, refused: "an expression"})
	default:
		s.unexpected()
	}
}

// propertyName reads a name of a property or a member of a class, and returns
// it unless it is computed or private.
func (s *jsScanner) propertyName() (name string, ok bool) {
	switch s.tok.kind {
	case jsName:
		name, ok = jsNameText(s.text()), true
	case jsString, jsNumber:
		name, ok = s.constantName()
	case '[':
		b := s.open()
		s.assign()
		s.close(b, ']')
		return "", false
	default:
		s.unexpected()
	}
	s.next()
	return name, ok
}
