package stamp

import "strings"

// functionAfterWord reads a function after that word.
func (s *jsScanner) functionAfterWord(async bool) {
	generator := s.tok.kind == '*'
	if generator {
		s.next()
	}
	if s.tok.kind == jsName {
		s.bindingName()
	}
	s.functionRest(async, generator)
}

// functionRest reads parameters and body.
func (s *jsScanner) functionRest(async, generator bool) {
	if s.ts && s.tok.kind == '<' {
		s.typeParameters()
	}
	s.parameters()
	if s.ts {
		s.annotation()
		if s.tok.kind != '{' { // an overload, or abstract
			s.semicolon()
			return
		}
	}
	s.body(async, generator)
}

func (s *jsScanner) parameters() {
	if s.tok.kind != '(' {
		s.unexpected()
		return
	}
	b := s.open()
	for s.inside(')') {
		if s.tok.kind == '@' {
			s.decorators()
		}
		for s.ts && s.tok.kind == jsName && strings.Contains(" public private protected readonly override ", " "+s.text()+" ") {
			if next := s.peek().kind; next != jsName && next != '{' && next != '[' {
				break
			}
			s.next()
		}
		if s.tok.kind == jsDots {
			s.next()
		}
		if s.is("this") && s.ts {
			s.next()
		} else {
			s.binding()
		}
		if s.ts {
			s.annotation()
		}
		if s.tok.kind == '=' {
			s.next()
			s.assign()
		}
		if s.tok.kind != ',' {
			break
		}
		s.next()
	}
	s.close(b, ')')
}

// body reads the statements of a function.
func (s *jsScanner) body(async, generator bool) {
	outer := s.enter(async, generator)
	s.prefix = ""
	s.level++
	s.braces()
	s.level--
	s.leave(outer)
}

// jsFunction is what a function changes and gives back.
type jsFunction struct {
	function, async, generator bool
	prefix                     string
	context                    jsContext
}

func (s *jsScanner) enter(async, generator bool) jsFunction {
	outer := jsFunction{s.function, s.async, s.generator, s.prefix, s.context}
	s.function, s.async, s.generator = true, async, generator
	return outer
}

func (s *jsScanner) leave(outer jsFunction) {
	s.function, s.async, s.generator = outer.function, outer.async, outer.generator
	s.prefix, s.context = outer.prefix, outer.context
}
