package stamp

// classDeclaration reads a class that has its name as key, or the other one
// when it has no name.
func (s *jsScanner) classDeclaration(nameless string) {
	if next := s.peek(); next.kind == jsName {
		switch name := s.textOf(next); name {
		case "extends", "implements":
		default:
			nameless = jsKey(s.prefix, jsNameText(name))
		}
	}
	s.class(nameless)
}

// class reads a class, whose members have keys if it has one.
func (s *jsScanner) class(key string) {
	s.word("class")
	if s.tok.kind == jsName && !s.is("extends") && !s.is("implements") {
		s.bindingName()
	}
	if s.ts && s.tok.kind == '<' {
		s.typeParameters()
	}
	if s.is("extends") {
		s.next()
		s.superclass()
		if s.ts && s.tok.kind == '<' {
			s.typeList()
		}
	}
	if s.ts && s.is("implements") {
		for more := true; more; more = s.tok.kind == ',' {
			s.next()
			s.typ()
		}
	}
	if s.tok.kind != '{' {
		s.unexpected()
		return
	}
	outer := s.enter(false, false)
	s.level++
	b := s.open()
	for s.inside('}') {
		s.classMember(key)
	}
	s.level--
	s.leave(outer)
	s.close(b, '}')
}

// superclass reads an operand and what binds to it most tightly.
func (s *jsScanner) superclass() {
	if s.operand() {
		return
	}
	for s.suffix() || s.ts && s.typeArguments() {
	}
}

// decorators reads @name(…) and the like, as many as there are.
func (s *jsScanner) decorators() {
	for s.tok.kind == '@' {
		s.next()
		if s.operand() {
			continue
		}
		for s.tok.kind != '[' && (s.suffix() || s.ts && s.typeArguments()) { // [ begins the name of a member
		}
	}
}

// jsModifiers are the words before the name of a member.
type jsModifiers struct{ static, async, generator, getter, setter, other bool }

// what a method is called when it is no value.
func (m jsModifiers) what() string {
	switch {
	case m.getter:
		return "a getter"
	case m.setter:
		return "a setter"
	}
	return "a method"
}

// modifiers reads those words, each of which can be a name, too.
func (s *jsScanner) modifiers() (m jsModifiers) {
	for s.tok.kind == jsName {
		text := s.text()
		line := true // the name must be on the same line
		switch text {
		case "static", "get", "set":
			line = false
		case "async", "accessor":
		case "public", "private", "protected", "readonly", "abstract", "override", "declare":
			if !s.ts {
				return m
			}
		default:
			return m
		}
		next := s.peek()
		switch next.kind {
		case jsName, jsString, jsNumber, jsPrivate, '[':
		case '*':
			if text == "get" || text == "set" || text == "accessor" {
				return m
			}
		default:
			return m
		}
		if line && next.newline {
			return m
		}
		m.static = m.static || text == "static"
		m.async = m.async || text == "async"
		m.getter = m.getter || text == "get"
		m.setter = m.setter || text == "set"
		m.other = true
		s.next()
	}
	if s.tok.kind == '*' {
		m.generator = true
		s.next()
	}
	return m
}

func (s *jsScanner) classMember(class string) {
	if s.tok.kind == ';' {
		s.next()
		return
	}
	s.decorators()
	if s.is("static") && s.peek().kind == '{' {
		s.next()
		s.body(false, false)
		return
	}
	m := s.modifiers()
	if s.ts && s.indexSignature() {
		return
	}
	at := s.tok.start
	key := s.memberKey(class, m.static)
	if s.ts && (s.tok.kind == '?' || s.tok.kind == '!') {
		s.next()
	}
	if s.tok.kind == '(' || s.tok.kind == '<' && s.ts {
		s.add(key, literal{start: at, refused: m.what()})
		s.functionRest(m.async, m.generator)
		return
	}
	if s.ts {
		s.annotation()
	}
	if s.tok.kind == '=' {
		s.next()
		s.value(key)
	}
	s.semicolon()
}

// memberKey reads a member's name and returns its key.
func (s *jsScanner) memberKey(class string, static bool) string {
	if s.tok.kind == jsPrivate {
		name := jsNameText(s.text())
		s.next()
		if class == "" {
			return ""
		}
		return class + "." + name
	}
	name, ok := s.propertyName()
	switch {
	case !ok || class == "":
		return ""
	case static:
		return jsKey(class, name)
	}
	return class + "#" + jsKeyName(name)
}
