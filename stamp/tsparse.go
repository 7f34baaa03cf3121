package stamp

// tsStatement reads a statement that only TypeScript has, and that begins with
// a word that may be a name.
func (s *jsScanner) tsStatement() bool {
	text, next := s.text(), s.peek()
	if text == "enum" {
		s.enum()
		return true
	}
	if next.newline {
		return false
	}
	word := s.textOf(next)
	named := next.kind == jsName && word != "in" && word != "instanceof"
	switch {
	case text == "type" && named:
		s.alias()
	case text == "interface" && named:
		s.tsInterface()
	case text == "namespace" && named, text == "module" && (named || next.kind == jsString), text == "global" && next.kind == '{':
		s.namespace()
	case text == "abstract" && named:
		s.next()
		s.statement()
	case text == "declare" && named:
		s.next()
		s.statement()
	default:
		return false
	}
	return true
}

// tsExport reads export import x =, export as namespace x and export type {.
func (s *jsScanner) tsExport() bool {
	switch next := s.peek(); {
	case s.is("import"):
		s.importDeclaration()
	case s.is("as"):
		s.next()
		s.word("namespace")
		s.bindingName()
		s.semicolon()
	case s.is("type") && (next.kind == '{' || next.kind == '*'):
		s.next()
		s.clause()
		s.semicolon()
	default:
		return false
	}
	return true
}

func (s *jsScanner) alias() {
	s.next()
	s.bindingName()
	if s.tok.kind == '<' {
		s.typeParameters()
	}
	s.expect('=')
	s.typ()
	s.semicolon()
}

func (s *jsScanner) tsInterface() {
	s.next()
	s.bindingName()
	if s.tok.kind == '<' {
		s.typeParameters()
	}
	if s.is("extends") {
		for more := true; more; more = s.tok.kind == ',' {
			s.next()
			s.typ()
		}
	}
	if s.tok.kind != '{' {
		s.unexpected()
		return
	}
	s.balanced()
}

// enum reads the members of an enumeration, which are constants.
func (s *jsScanner) enum() {
	s.next()
	key := jsKey(s.prefix, jsNameText(s.text()))
	s.bindingName()
	if s.tok.kind != '{' {
		s.unexpected()
		return
	}
	b := s.open()
	for s.inside('}') {
		member := ""
		if name, ok := s.propertyName(); ok {
			member = jsKey(key, name)
		}
		if s.tok.kind == '=' {
			s.next()
			s.value(member)
		}
		if s.tok.kind != ',' {
			break
		}
		s.next()
	}
	s.close(b, '}')
}

// namespace reads a namespace, or the declaration of a module or of what is
// global, whose names have no key of its own.
func (s *jsScanner) namespace() {
	outer := s.prefix
	if s.is("global") {
		s.next()
	} else if s.next(); s.tok.kind == jsString {
		s.prefix = ""
		s.next()
	} else {
		for more := true; more; {
			s.prefix = jsKey(s.prefix, jsNameText(s.text()))
			s.bindingName()
			if more = s.tok.kind == '.'; more {
				s.next()
			}
		}
	}
	if s.tok.kind == '{' {
		s.block()
	} else {
		s.semicolon()
	}
	s.prefix = outer
}

// indexSignature reads [name: type]: type in a class.
func (s *jsScanner) indexSignature() bool {
	if s.tok.kind != '[' {
		return false
	}
	ok := s.attempt(func() bool {
		s.next()
		s.bindingName()
		return s.tok.kind == ':'
	})
	if ok {
		s.annotation()
		s.expect(']')
		s.annotation()
		s.semicolon()
	}
	return ok
}
