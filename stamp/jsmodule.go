package stamp

// importDeclaration reads import, which gives nothing a value.
func (s *jsScanner) importDeclaration() {
	s.module = true
	s.next()
	s.clause()
	s.semicolon()
}

// clause reads what follows import, or export { or export *.
func (s *jsScanner) clause() {
	for {
		switch s.tok.kind {
		case jsName:
			s.next()
		case ',', '*':
			s.next()
		case '{':
			b := s.open()
			for s.tok.kind == jsName || s.tok.kind == jsString || s.tok.kind == ',' {
				s.next()
			}
			s.close(b, '}')
			if s.tok.kind != ',' && !s.is("from") {
				return
			}
		case '=':
			s.next()
			s.expression()
			return
		case jsString:
			s.next()
			if (s.is("with") || s.is("assert") && !s.tok.newline) && s.peek().kind == '{' {
				s.next()
				s.object("")
			}
			return
		default:
			s.unexpected()
			return
		}
	}
}

func (s *jsScanner) exportDeclaration() {
	s.module = true
	s.next()
	switch {
	case s.is("default"):
		s.next()
		s.exportDefault()
	case s.tok.kind == '{' || s.tok.kind == '*':
		s.clause()
		s.semicolon()
	case s.tok.kind == jsName || s.tok.kind == '@':
		if s.ts && s.tsExport() {
			break
		}
		s.statement()
	case s.ts && s.tok.kind == '=':
		s.next()
		s.initializer("module.exports")
		s.semicolon()
	default:
		s.unexpected()
	}
}

func (s *jsScanner) exportDefault() {
	switch {
	case s.is("function"):
		s.next()
		s.functionAfterWord(false)
	case s.is("async") && s.peekIs("function") && !s.peek().newline:
		s.next()
		s.next()
		s.functionAfterWord(true)
	case s.is("class"):
		s.classDeclaration("default")
	case s.tok.kind == '@':
		s.decorators()
		s.exportDefault()
	case s.ts && (s.is("abstract") && s.peekIs("class") || s.is("interface")):
		s.tsStatement()
	default:
		s.initializer("default")
		s.semicolon()
	}
}
