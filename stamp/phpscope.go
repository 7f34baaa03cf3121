package stamp

// phpFrame is an open brace.
type phpFrame struct {
	brace phpBrace
	class string
}

type phpBrace byte

const (
	phpBlock phpBrace = iota
	phpClass
	phpFunction
)

func (s *phpScanner) enterNamespace(i int) int {
	switch {
	case s.kind(i+1) == phpName:
		s.namespace = s.text(i+1) + `\`
		return i + 2
	case s.op(i+1) == '{':
		s.namespace = ""
	}
	return i + 1
}

// enterClass goes past the name. A class without one perhaps has arguments,
// which may hold code.
func (s *phpScanner) enterClass(i int) int {
	switch {
	case s.isAny(i+1, "(", "{", "extends", "implements"):
		if s.is(i, "class") {
			s.pending = phpFrame{phpClass, "class@anonymous"}
		}
		if s.op(i+1) == '(' {
			return s.partner(i+1) + 1
		}
	case s.kind(i+1) == phpName && s.op(i+2) != '(':
		s.pending = phpFrame{phpClass, s.namespace + s.text(i+1)}
		return i + 2
	}
	return i + 1
}

// enterFunction skips the parameters: their defaults are no assignments.
func (s *phpScanner) enterFunction(i int) int {
	for j := i + 1; j <= i+3 && s.op(j) != ';'; j++ {
		if s.op(j) != '(' {
			continue
		}
		if !s.is(i, "fn") {
			s.pending = phpFrame{brace: phpFunction}
		}
		return s.partner(j) + 1
	}
	return i + 1
}

// enterCase goes past the name of an enumeration's case, which can be a keyword.
func (s *phpScanner) enterCase(i int) int {
	if s.kind(i+1) == phpName && (s.op(i+2) == '=' || s.op(i+2) == ';') {
		return i + 2
	}
	return i + 1
}

func (s *phpScanner) enterFor(i int) int {
	if s.op(i+1) == '(' {
		s.head = s.partner(i + 1)
	}
	return i + 1
}

// class returns the class whose body the code is in, not in a method of it.
func (s *phpScanner) class() (string, bool) {
	if n := len(s.frames); n > 0 && s.frames[n-1].brace == phpClass {
		return s.frames[n-1].class, true
	}
	return "", false
}

// statement reports whether a statement begins at token i.
func (s *phpScanner) statement(i int) bool {
	if i == 0 {
		return true
	}
	before := i - 1
	switch s.op(before) {
	case ';', '}':
		return i > s.head
	case '{':
		return !s.member(before) && s.op(before-1) != '$'
	case ')':
		return s.controls(s.partner(before))
	case ':':
		return s.labels(before)
	}
	return s.kind(before) == phpClose || s.kind(before) == phpName && s.isAny(before, "else", "do")
}

// controls reports whether a statement can follow the parenthesis that opens at
// token i.
func (s *phpScanner) controls(i int) bool {
	return s.isAny(i-1, "if", "elseif", "while", "for", "foreach", "switch", "declare")
}

// labels reports whether a statement can follow the colon i, as after
// if (...):, else:, case 1: and label:.
func (s *phpScanner) labels(i int) bool {
	if s.isAny(i-1, "else", "default") || s.op(i-1) == ')' && s.controls(s.partner(i-1)) {
		return true
	}
	for i--; i >= 0; i-- {
		if p := s.partner(i); p >= 0 && p < i {
			i = p
			continue
		}
		switch s.op(i) {
		case ';', '{', '}':
			return s.kind(i+1) == phpName && s.op(i+2) == ':'
		case '?', '(', '[', ',':
			return false
		}
		if s.is(i, "case") {
			return true
		}
	}
	return false
}
