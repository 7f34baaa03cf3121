package stamp

import "strings"

// add notes what has the key, if that is one, and returns its place in found.
func (s *jsScanner) add(key string, l literal) int {
	if key == "" {
		return -1
	}
	l.key = key
	if l.refused != "" {
		l.end = l.start
	}
	s.found, s.levels = twice(s.found, l), twice(s.levels, s.level)
	return len(s.found) - 1
}

func (s *jsScanner) refuse(key, what string) int {
	return s.add(key, literal{start: s.tok.start, refused: what})
}

// statementExpression reads an expression that is a statement.
func (s *jsScanner) statementExpression() {
	for s.given(); s.tok.kind == ','; s.given() {
		s.next()
	}
}

// given reads an expression that may give something a value: a.b['c'] = value.
func (s *jsScanner) given() {
	key, ok := s.target()
	if s.tok.kind == '>' {
		s.greater()
	}
	switch {
	case !ok:
		s.assign()
	case s.tok.kind == '=':
		s.next()
		s.initializer(key)
	case s.tok.kind == jsAssign && key != "":
		s.refuse(key, "computed with "+s.text())
		s.operators()
	case s.tok.kind == jsArrow && !s.tok.newline:
		s.arrow(false)
	default:
		s.operators()
	}
}

// target reads a variable and the properties after it, as many as there are,
// and reports whether there is one. It has no key where one of them is not
// constant.
func (s *jsScanner) target() (key string, ok bool) {
	switch {
	case s.tok.kind == '(' && s.ts:
		if key, ok = s.assertedName(); !ok {
			return "", false
		}
	case s.plainName():
		key = jsNameText(s.text())
		s.next()
	default:
		return "", false
	}
	constant := true
	for s.tok.kind == '.' || s.tok.kind == '[' {
		name, known := "", s.tok.kind == '.'
		if known {
			s.next()
			name, known = jsNameText(s.text()), s.tok.kind == jsName
			s.member()
		} else {
			name, known = s.subscript()
		}
		if constant = constant && known; constant {
			key = jsKey(key, name)
		}
	}
	if !constant {
		key = ""
	}
	return key, true
}

// plainName reports whether the next token names a variable, or is this.
func (s *jsScanner) plainName() bool {
	if s.tok.kind != jsName {
		return false
	}
	switch text := s.text(); text {
	case "this":
		return true
	case "async", "await", "yield", "true", "false", "null", "undefined", "super":
		return false
	default:
		return !jsReserved(text)
	}
}

// subscript reads [ ] and returns what is in it, if that is constant.
func (s *jsScanner) subscript() (name string, constant bool) {
	b := s.open()
	name, constant = s.constantName()
	if constant && s.peek().kind == ']' {
		s.next()
	} else {
		constant = false
		s.expression()
	}
	s.close(b, ']')
	return name, constant
}

// constantName returns the name of a property that a string or a number is.
func (s *jsScanner) constantName() (string, bool) {
	switch s.tok.kind {
	case jsString:
		name, ok := jsDecode(s.src[s.tok.start+1 : s.tok.end-1])
		return name, ok
	case jsNumber:
		return jsNumberName(s.text()), true
	}
	return "", false
}

// initializer reads what the key is given: a value, or another assignment.
func (s *jsScanner) initializer(key string) {
	if s.plainName() {
		s.refuse(key, "an expression")
		s.given()
		return
	}
	s.value(key)
}

// jsLongestKey is longer than anybody writes. Without a limit, keys would take
// up more memory by far than a file that is nested deeply.
const jsLongestKey = 1 << 10

// value reads the expression that is the value of the key. Without a key, it
// reads any.
func (s *jsScanner) value(key string) {
	if key == "" || len(key) > jsLongestKey {
		s.assign()
		return
	}
	s.deeper()
	s.keyed(key)
	s.nesting--
}

func (s *jsScanner) keyed(key string) {
	n := s.refuse(key, "an expression")
	l, ok := s.literal(key)
	if !ok {
		s.assign()
		return
	}
	for s.ts && !s.tok.newline && (s.is("as") || s.is("satisfies")) {
		s.next()
		s.typ()
	}
	if s.operators() {
		s.forget(n + 1)
		return
	}
	l.key = key
	if l.refused != "" {
		l.end = l.start
	}
	s.found[n] = l
}

// forget takes back what was found from n on on this level: the members of an
// object that turned out to be part of an expression.
func (s *jsScanner) forget(n int) {
	keep := n
	for i := n; i < len(s.found); i++ {
		if s.levels[i] > s.level {
			s.found[keep], s.levels[keep] = s.found[i], s.levels[i]
			keep++
		}
	}
	s.found, s.levels = s.found[:keep], s.levels[:keep]
}

// literal reads what may be a whole literal; operators may follow.
func (s *jsScanner) literal(key string) (l literal, ok bool) {
	l = literal{start: s.tok.start, ascii: s.ascii}
	switch s.tok.kind {
	case jsString:
		s.str(&l)
	case '`':
		s.plainTemplate(&l)
	case jsNumber:
		s.number(&l)
	case '-':
		if digits := s.peek(); digits.kind != jsNumber || digits.start != s.tok.end {
			return l, false
		}
		s.next()
		s.number(&l)
	case '{':
		l.refused = "an object"
		s.object(key)
	case '[':
		l.refused = "an array"
		s.array(key)
	case jsName:
		switch text := s.text(); text {
		case "true", "false":
			l.kind = "bool"
		case "null", "undefined":
			l.kind = text
		default:
			return l, false
		}
		l.end, l.text = s.tok.end, s.text()
		s.next()
	default:
		return l, false
	}
	return l, true
}

func (s *jsScanner) str(l *literal) {
	l.kind, l.style, l.end = "string", s.src[l.start], s.tok.end
	body := s.src[l.start+1 : l.end-1]
	l.text, _ = jsDecode(body)
	if strings.ContainsAny(body, "\r\n") {
		*l = literal{start: l.start, refused: severalLines}
	}
	s.next()
}

// plainTemplate reads a template, which is a string if there is no code in it.
func (s *jsScanner) plainTemplate(l *literal) {
	code := s.template()
	l.kind, l.style, l.end = "string", '`', s.last
	if s.err != nil {
		return
	}
	body := s.src[l.start+1 : l.end-1]
	if code {
		*l = literal{start: l.start, refused: "interpolated"}
		return
	}
	var ok bool
	if l.text, ok = jsDecode(body); !ok {
		s.fail(l.start, "the template holds a bad escape")
	}
	if strings.ContainsAny(body, "\r\n") {
		*l = literal{start: l.start, refused: severalLines}
	}
}

func (s *jsScanner) number(l *literal) {
	l.kind, l.end = "number", s.tok.end
	l.text = s.src[l.start:l.end]
	if digits, ok := strings.CutSuffix(l.text, "n"); ok && s.tok.kind == jsNumber {
		l.kind, l.text = "bigint", digits
	}
	s.next()
}
