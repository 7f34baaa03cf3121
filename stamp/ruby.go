package stamp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// ruby finds statements that give something a value: assignments to constants,
// variables, attributes and elements, and set :name, value. They count under if,
// in loops and in blocks too, but not in methods, nor between ( and ). A key has
// the modules and classes before it that it is in.
type ruby struct{}

// selector reads the key with the lexer that reads files. Without :: before it
// a key stands for one in any module.
func (ruby) selector(key string) (selector, error) {
	bad := func(what string) (selector, error) {
		return nil, refuse(BadSelector, -1, "key %q: %s", key, what).
			hint(`write REV, MyApp::REV, :rev, config.x.rev or SETTINGS[:assets]['rev']`)
	}
	l, err := lexRuby(key)
	n := 0
	if err == nil {
		n = len(l.tokens)
	}
	if n == 0 || len(l.others) > 0 || l.tokens[0].start > 0 || int(l.tokens[n-1].end) < len(key) {
		return bad("it is no Ruby")
	}
	s := rbScanner{rbLexer: l, found: usedLiterals.slice(0)}
	want, ok := s.selected()
	if !ok {
		return bad("it is no name, or what follows the name is no .name, [:key], ['key'] or [0]")
	}
	if name, ok := strings.CutPrefix(want, "::"); ok {
		return func(k string) bool { return k == want || k == name }, nil
	}
	return func(k string) bool { return k == want || strings.HasSuffix(k, "::"+want) }, nil
}

// selected returns the key that the tokens are. Unlike in code, anything may
// follow the modules.
func (s *rbScanner) selected() (key string, ok bool) {
	i, scope := 0, ""
	if s.is(0, "::") {
		i, scope = 1, "::"
	}
	for s.kind(i) == rbConst && s.is(i+1, "::") && s.kind(i+2) != rbConst {
		scope, i = scope+s.text(i)+"::", i+2
	}
	for s.kind(i) == rbConst && s.is(i+1, "::") {
		scope, i = scope+s.text(i)+"::", i+2
	}
	var next int
	if name, symbol := s.symbol(i); symbol {
		key, next = scope+rbSymbolKey(name), i+1
		key, next = s.path(key, next)
	} else if s.text(i) == "self" {
		key, next = s.path(scope+"self", i+1)
	} else {
		key, next, ok = s.target(scope, i)
		return key, ok && next == len(s.tokens)
	}
	return key, next == len(s.tokens)
}

func (ruby) scan(src string, _ seam, found sink) error {
	l, err := lexRuby(src)
	if err != nil {
		return err
	}
	s := rbScanner{rbLexer: l, found: usedLiterals.slice(0)}
	s.file()
	if s.bad != nil {
		return s.bad
	}
	rbAbsolute(s.found)
	s.found.handTo(found)
	usedRbTokens.keep(l.tokens)
	return nil
}

var usedRbTokens used[rbToken]

// rbAbsolute writes :: before keys that are the end of another one, as REV is
// of MyApp::REV: they would select that too.
func rbAbsolute(all []literal) {
	ends, last := map[string]bool{}, ""
	for _, l := range all {
		base := rbBase(l.key)
		if base == last {
			continue
		}
		for rest, ok := base, true; ; {
			if _, rest, ok = strings.Cut(rest, "::"); !ok {
				break
			}
			ends[rest] = true
		}
		last = base
	}
	for i, l := range all {
		if len(ends) > 0 && ends[rbBase(l.key)] {
			all[i].key = "::" + l.key
		}
	}
}

// rbBase returns the key without its [keys].
func rbBase(key string) string {
	if i := strings.IndexByte(key, '['); i >= 0 {
		return key[:i]
	}
	return key
}

// rbScanner goes over the tokens.
type rbScanner struct {
	*rbLexer
	found  literals
	scopes []rbScope
	bad    error // in a literal
}

// rbScope is the body of a module or a class.
type rbScope struct {
	name string // of it and of those around it, with :: after each
	end  int    // its last token
}

func (s *rbScanner) text(i int) string {
	if i >= len(s.tokens) {
		return ""
	}
	return s.src[s.tokens[i].start:s.tokens[i].end]
}

// kind returns the kind of token i; the end of the file is like a line end.
func (s *rbScanner) kind(i int) rbKind {
	if i >= len(s.tokens) {
		return rbNewline
	}
	return s.tokens[i].kind
}

// is reports whether token i is the operator.
func (s *rbScanner) is(i int, op string) bool { return s.kind(i) == rbOp && s.text(i) == op }

// word reports whether token i is the keyword.
func (s *rbScanner) word(i int, keyword string) bool {
	return s.kind(i) == rbKeyword && s.text(i) == keyword
}

// past returns what comes after token i on the same level.
func (s *rbScanner) past(i int) int { return max(i, int(s.tokens[i].pair)) + 1 }

func (s *rbScanner) file() {
	for i := 0; i < len(s.tokens); {
		for n := len(s.scopes); n > 0 && s.scopes[n-1].end <= i; n-- {
			s.scopes = s.scopes[:n-1]
		}
		switch {
		case s.word(i, "def"):
			i = s.method(i)
		case s.word(i, "class") || s.word(i, "module"):
			i = s.enter(i)
		default:
			if s.tokens[i].first {
				s.statement(i)
			}
			i++
		}
	}
}

// method returns what comes after the one at token i, which may have no end.
func (s *rbScanner) method(i int) int {
	if s.tokens[i].pair > int32(i) {
		return int(s.tokens[i].pair) + 1
	}
	for i++; i < len(s.tokens) && (!s.ends(i) || s.tokens[i].pair > int32(i)); i = s.past(i) {
	}
	return i
}

// enter begins a class or a module. What belongs to class << self, or to a name
// that is computed, has no key.
func (s *rbScanner) enter(i int) int {
	end, scope, at := int(s.tokens[i].pair), s.scope(), i+1
	if s.is(at, "::") {
		scope, at = "", at+1
	}
	if s.kind(at) != rbConst {
		return end + 1
	}
	for ; s.kind(at) == rbConst; at += 2 {
		name, ok := s.charset.decode(s.text(at))
		if !ok {
			return end + 1
		}
		if scope += name + "::"; !s.is(at+1, "::") {
			break
		}
	}
	s.scopes = append(s.scopes, rbScope{scope, end})
	return at + 1
}

func (s *rbScanner) scope() string {
	if n := len(s.scopes); n > 0 {
		return s.scopes[n-1].name
	}
	return ""
}

// statement handles the one that begins at token i.
func (s *rbScanner) statement(i int) {
	key, next, ok := s.target(s.scope(), i)
	switch op := s.text(next); {
	case ok && s.is(next, "="):
		s.assignment(key, next+1)
	case ok && s.kind(next) == rbOp && len(op) > 1 && rbAssigns(op):
		s.refuse(key, next, "computed with "+op)
	case s.kind(i) == rbName && s.text(i) == "set":
		s.setting(i + 1)
	default:
		s.several(i)
	}
}

// setting handles what follows set: a symbol and a value, perhaps in brackets.
func (s *rbScanner) setting(i int) {
	open := s.is(i, "(")
	if open {
		i++
	}
	name, ok := s.symbol(i)
	if !ok || !s.is(i+1, ",") {
		return
	}
	key := s.scope() + rbSymbolKey(name)
	if open && !s.ends(int(s.tokens[i-1].pair)+1) {
		return
	}
	s.value(key, i+2, rbArgument, 0)
}

// assignment handles what follows an equals sign.
func (s *rbScanner) assignment(key string, i int) {
	keys := []string{key}
	for {
		key, next, ok := s.target(s.scope(), i)
		if !ok || !s.is(next, "=") {
			break
		}
		keys, i = append(keys, key), next+1
	}
	if len(keys) == 1 {
		s.value(key, i, rbRight, 0)
		return
	}
	for _, key := range keys {
		s.refuse(key, i, "assigned to several names")
	}
}

// several handles a, (b, *c) = value.
func (s *rbScanner) several(i int) {
	var keys []string
	for depth, operand := 0, true; ; i++ {
		switch {
		case operand && s.is(i, "("):
			depth++
		case operand && s.is(i, "*"):
		case operand && !s.is(i, "="):
			key, next, ok := s.target(s.scope(), i)
			if !ok {
				return
			}
			keys, i, operand = append(keys, key), next-1, false
		case s.is(i, ")") && depth > 0:
			depth--
		case s.is(i, ","):
			operand = true
		case s.is(i, "=") && depth == 0:
			for _, key := range keys {
				s.refuse(key, i+1, "unpacked from several")
			}
			return
		default:
			return
		}
	}
}

func (s *rbScanner) refuse(key string, i int, why string) {
	at := len(s.src)
	if i < len(s.tokens) {
		at = int(s.tokens[i].start)
	}
	s.found = twice(s.found, literal{key: key, start: at, end: at, refused: why})
}

// target returns the key of what is named at token i, and the token after it.
func (s *rbScanner) target(scope string, i int) (key string, next int, ok bool) {
	if s.is(i, "::") && s.kind(i+1) == rbConst {
		i, scope = i+1, ""
	}
	name, ok := s.charset.decode(s.text(i))
	switch s.kind(i) {
	case rbVariable:
		if strings.HasPrefix(name, "$") {
			scope = ""
		}
	case rbConst:
	case rbName:
		ok = ok && !strings.HasSuffix(name, "?") && !strings.HasSuffix(name, "!")
	default:
		ok = ok && s.word(i, "self")
	}
	if !ok {
		return "", i, false
	}
	key, next = s.path(scope+name, i+1)
	return key, next, true
}

// path adds the .name, ::Name and [key] that begin at token i, as many as there
// are, and returns the token after them.
func (s *rbScanner) path(key string, i int) (string, int) {
	for {
		switch {
		case s.is(i, ".") && (s.kind(i+1) == rbName || s.kind(i+1) == rbConst), s.is(i, "::") && s.kind(i+1) == rbConst:
			name, ok := s.charset.decode(s.text(i + 1))
			if !ok {
				return key, i
			}
			key, i = key+s.text(i)+name, i+2
		case s.is(i, "[") && s.tokens[i].index:
			k, ok := s.subscript(i+1, int(s.tokens[i].pair))
			if !ok {
				return key, i
			}
			key, i = key+k, int(s.tokens[i].pair)+1
		default:
			return key, i
		}
	}
}

// subscript returns the constant key that the tokens from i up to end are, as
// it is written in keys: a symbol, a string or an integer, which all differ.
func (s *rbScanner) subscript(i, end int) (string, bool) {
	i, end = s.trim(i, end)
	number := ""
	if s.is(i, "-") && end == i+2 && s.tokens[i].end == s.tokens[i+1].start {
		number, i = "-", i+1
	}
	if end != i+1 {
		return "", false
	}
	if name, ok := s.symbol(i); ok && number == "" {
		return "[" + rbSymbolKey(name) + "]", true
	}
	switch number += s.text(i); {
	case s.kind(i) == rbString && number == s.text(i):
		p, err := s.parseString(s.tokens[i])
		if err == nil && p.refused == "" && utf8.ValidString(p.text) {
			return "[" + rbStringKey(p.text) + "]", true
		}
	case s.kind(i) == rbNumber && bareInt().MatchString(number):
		return "[" + number + "]", true
	}
	return "", false
}

// symbol returns the name of the symbol that token i is.
func (s *rbScanner) symbol(i int) (string, bool) {
	switch s.kind(i) {
	case rbSymbol:
		name, ok := s.charset.decode(s.text(i)[1:])
		return name, ok
	case rbQuotedSymbol:
		if t := s.tokens[i]; s.src[t.start] == ':' {
			t.start++
			p, err := s.parseString(t)
			return p.text, err == nil && p.refused == "" && utf8.ValidString(p.text)
		}
	}
	return "", false
}

// trim takes line ends off that count for nothing in brackets.
func (s *rbScanner) trim(i, end int) (int, int) {
	for i < end && s.kind(i) == rbNewline {
		i++
	}
	for end > i && s.kind(end-1) == rbNewline {
		end--
	}
	return i, end
}

// ends reports whether a statement ends before token i.
func (s *rbScanner) ends(i int) bool {
	switch s.kind(i) {
	case rbNewline:
		return true
	case rbOp:
		return s.is(i, ";") || s.is(i, "}") || s.is(i, ")")
	case rbKeyword:
		switch s.text(i) {
		case "if", "unless", "while", "until", "and", "or", "end", "else", "elsif", "when", "ensure":
			return true
		}
	}
	return false
}

// elementEnd returns the comma after the element at token i, or end. bare is a
// lambda whose parameters have no brackets: their commas cannot be told.
func (s *rbScanner) elementEnd(i, end int) (stop int, bare bool) {
	for ; i < end && !s.is(i, ","); i = s.past(i) {
		if s.is(i, "->") && (s.kind(i+1) == rbName || s.kind(i+1) == rbLabel) {
			return end, true
		}
	}
	return min(i, end), false
}

// elements walks an array whose elements are the tokens from i up to end. After
// one with a star the numbers are not known.
func (s *rbScanner) elements(base string, i, end int) {
	for n := 0; ; n++ {
		if i, end = s.trim(i, end); i == end || s.is(i, "*") || s.is(i, "**") {
			return
		}
		stop, bare := s.elementEnd(i, end)
		if bare || s.label(i) || s.arrow(i, stop) < stop {
			return
		}
		s.value(base+"["+strconv.Itoa(n)+"]", i, rbElement, stop)
		i = min(stop+1, end)
	}
}

// label reports whether token i makes a pair of a hash that has no brackets.
func (s *rbScanner) label(i int) bool {
	t := s.tokens[i]
	return t.kind == rbLabel || t.kind == rbQuotedLabel || t.kind == rbInterp && s.src[t.end-1] == ':'
}

// arrow returns the => between i and end, or end.
func (s *rbScanner) arrow(i, end int) int {
	for i < end && !s.is(i, "=>") {
		i = s.past(i)
	}
	return min(i, end)
}

// pairs walks a hash whose pairs are the tokens from i up to end.
func (s *rbScanner) pairs(base string, i, end int) {
	for {
		if i, end = s.trim(i, end); i == end {
			return
		}
		stop, bare := s.elementEnd(i, end)
		if bare {
			return
		}
		at, key, ok := i+1, "", false
		switch s.kind(i) {
		case rbLabel:
			key, ok = s.charset.decode(strings.TrimSuffix(s.text(i), ":"))
			key = "[" + rbSymbolKey(key) + "]"
		case rbQuotedLabel:
			t := s.tokens[i]
			t.end--
			p, err := s.parseString(t)
			key, ok = "["+rbSymbolKey(p.text)+"]", err == nil && p.refused == "" && utf8.ValidString(p.text)
		default:
			at = s.arrow(i, stop) + 1
			if at <= stop {
				key, ok = s.subscript(i, at-1)
			}
		}
		if ok {
			s.value(base+key, at, rbElement, stop)
		}
		i = min(stop+1, end)
	}
}
