package stamp

import (
	"slices"
	"strconv"
	"strings"
)

// php finds assignments, returned arrays and constants in PHP source.
type php struct{}

// selector reads the key with the lexer that reads files. A name without a
// namespace stands for one in any.
func (php) selector(key string) (selector, error) {
	bad := func(what string) (selector, error) {
		return nil, refuse(BadSelector, -1, "key %q: %s", key, what).
			hint(`write $config['svn'], return['assets']['rev'], NAME or App\Build::REV`)
	}
	const open = "<?php "
	s, err := newPHPScanner([]byte(open + key))
	if err != nil {
		return bad("it is no PHP")
	}
	if len(s.tokens) == 0 {
		return bad("a name is missing")
	}
	first := s.tokens[0]
	if first.kind != phpVariable && first.kind != phpName {
		return bad("it begins with neither a variable nor a name")
	}
	name := s.text(0)
	exact := strings.Contains(name, `\`)
	base, next := strings.TrimPrefix(name, `\`), 1
	if first.kind == phpName && s.is(1, "::") && len(s.tokens) > 2 &&
		(s.tokens[2].kind == phpName || s.tokens[2].kind == phpVariable) {
		base, next = base+"::"+s.text(2), 3
	}
	want, next := s.subscripts(base, next, true)
	if next < len(s.tokens) {
		return bad("what follows the name is no ['key']")
	}
	return func(k string) bool {
		return k == want || !exact && !strings.HasPrefix(want, "$") && strings.HasSuffix(k, `\`+want)
	}, nil
}

func (php) scan(src string) ([]literal, error) {
	s, err := newPHPScanner([]byte(src))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(s.tokens); {
		i = s.step(i)
	}
	slices.SortStableFunc(s.found, func(a, b literal) int { return a.start - b.start })
	return s.found, nil
}

// phpScanner goes over the tokens that are code.
type phpScanner struct {
	src       []byte
	tokens    []phpToken
	partner   []int // of a bracket: the other one; -1 for other tokens
	found     []literal
	namespace string
	frames    []phpFrame
	pending   phpFrame // what the next { opens
}

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

func newPHPScanner(src []byte) (*phpScanner, error) {
	tokens, err := lexPHP(src)
	if err != nil {
		return nil, err
	}
	s := &phpScanner{src: src}
	for _, t := range tokens {
		switch t.kind {
		case phpHTML, phpOpen, phpComment, phpData:
		default:
			s.tokens = append(s.tokens, t)
		}
	}
	return s, s.pair()
}

// pair finds the partner of each bracket.
func (s *phpScanner) pair() error {
	s.partner = make([]int, len(s.tokens))
	var open []int
	for i, t := range s.tokens {
		s.partner[i] = -1
		if t.kind != phpOp || t.end-t.start != 1 {
			continue
		}
		switch c := s.src[t.start]; c {
		case '(', '[', '{':
			open = append(open, i)
		case ')', ']', '}':
			if len(open) == 0 || s.src[s.tokens[open[len(open)-1]].start] != map[byte]byte{')': '(', ']': '[', '}': '{'}[c] {
				return refuse(ParseError, t.start, "%q closes nothing", c)
			}
			last := open[len(open)-1]
			open = open[:len(open)-1]
			s.partner[i], s.partner[last] = last, i
		}
	}
	if len(open) > 0 {
		at := s.tokens[open[len(open)-1]].start
		return refuse(ParseError, at, "%q is never closed", s.src[at])
	}
	return nil
}

func (s *phpScanner) text(i int) string {
	return string(s.src[s.tokens[i].start:s.tokens[i].end])
}

// is reports whether token i is the operator or, in any case, the word.
func (s *phpScanner) is(i int, text string) bool {
	if i < 0 || i >= len(s.tokens) {
		return false
	}
	kind := s.tokens[i].kind
	return kind == phpOp && s.text(i) == text || kind == phpName && strings.EqualFold(s.text(i), text)
}

func (s *phpScanner) isAny(i int, texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return s.is(i, text) })
}

// step handles the token i and returns the next one to look at.
func (s *phpScanner) step(i int) int {
	switch s.tokens[i].kind {
	case phpVariable:
		s.variable(i)
	case phpName:
		if !s.isAny(i-1, "->", "?->", "::", "new", "use") || s.is(i, "class") && s.is(i-1, "new") {
			return s.word(i)
		}
	case phpClose:
		s.pending = phpFrame{}
	case phpOp:
		switch s.text(i) {
		case "{":
			s.frames = append(s.frames, s.pending)
			s.pending = phpFrame{}
		case "}":
			s.frames = s.frames[:len(s.frames)-1]
		case ";":
			s.pending = phpFrame{}
		}
	}
	return i + 1
}

func (s *phpScanner) word(i int) int {
	switch strings.ToLower(s.text(i)) {
	case "namespace":
		return s.enterNamespace(i)
	case "class", "interface", "trait", "enum":
		return s.enterClass(i)
	case "function", "fn":
		return s.enterFunction(i)
	case "const":
		s.constants(i)
	case "define", `\define`:
		s.define(i)
	case "return":
		if !slices.ContainsFunc(s.frames, func(f phpFrame) bool { return f.brace == phpFunction }) {
			s.value("return", i+1)
		}
	}
	return i + 1
}

func (s *phpScanner) enterNamespace(i int) int {
	switch {
	case i+1 < len(s.tokens) && s.tokens[i+1].kind == phpName:
		s.namespace = s.text(i+1) + `\`
		return i + 2
	case s.is(i+1, "{"):
		s.namespace = ""
	}
	return i + 1
}

func (s *phpScanner) enterClass(i int) int {
	switch {
	case s.is(i-1, "new"): // without a name, perhaps with arguments, which may hold code
		s.pending = phpFrame{phpClass, "class@anonymous"}
	case i+1 < len(s.tokens) && s.tokens[i+1].kind == phpName && !s.is(i+2, "("):
		s.pending = phpFrame{phpClass, s.namespace + s.text(i+1)}
		return i + 2
	}
	if s.is(i+1, "(") && s.pending.brace == phpClass {
		return s.partner[i+1] + 1
	}
	return i + 1
}

// enterFunction skips the parameters: their defaults are no assignments.
func (s *phpScanner) enterFunction(i int) int {
	arrow := s.is(i, "fn")
	for j := i + 1; j <= i+3 && j < len(s.tokens); j++ {
		if !s.is(j, "(") {
			continue
		}
		if !arrow {
			s.pending = phpFrame{brace: phpFunction}
		}
		return s.partner[j] + 1
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

// variable handles $v['k'] = value, and properties.
func (s *phpScanner) variable(i int) {
	if s.isAny(i-1, "::", "->", "?->", "$") {
		return
	}
	base := s.text(i)
	if class, ok := s.class(); ok {
		base = class + "::" + base
	}
	key, next := s.subscripts(base, i+1, false)
	switch {
	case s.is(next, "="):
		s.value(key, next+1)
	case s.isAny(next, "??=", ".=", "+=", "-=", "*=", "/=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>="):
		at := s.tokens[next].start
		s.add(literal{key: key, start: at, end: at, refused: "computed with " + s.text(next)})
	}
}

// subscripts adds the constant ['key'] that begin at token i, as many as there
// are, and returns the token after them. In a selector a bare word is a key.
func (s *phpScanner) subscripts(base string, i int, selector bool) (key string, next int) {
	for s.is(i, "[") {
		k, ok := s.arrayKey(i+1, s.partner[i])
		if !ok && selector && s.partner[i] == i+2 && s.tokens[i+1].kind == phpName {
			k, ok = phpSubscript(s.text(i+1)), true
		}
		if !ok {
			break
		}
		base, i = base+k, s.partner[i]+1
	}
	return base, i
}

// arrayKey returns the key that the tokens from i up to end are, as it is
// written in keys.
func (s *phpScanner) arrayKey(i, end int) (string, bool) {
	switch {
	case end == i+1 && s.tokens[i].kind == phpString:
		return phpSubscript(phpDecode(s.text(i))), true
	case end == i+1 && s.tokens[i].kind == phpNumber && bareInt.MatchString(s.text(i)):
		return "[" + s.text(i) + "]", true
	case end == i+2 && s.is(i, "-") && s.tokens[i+1].kind == phpNumber && bareInt.MatchString("-"+s.text(i+1)):
		return "[-" + s.text(i+1) + "]", true
	}
	return "", false
}

// phpSubscript writes a key; like PHP it makes no difference between 1 and '1'.
func phpSubscript(key string) string {
	if bareInt.MatchString(key) {
		return "[" + key + "]"
	}
	return "['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(key) + "']"
}

func (s *phpScanner) constants(i int) {
	scope := s.namespace
	if class, ok := s.class(); ok {
		scope = class + "::"
	}
	for i++; ; i++ {
		for i+1 < len(s.tokens) && s.tokens[i].kind != phpClose && !s.isAny(i, "=", ";", ")") {
			i++ // over the type, up to =
		}
		if !s.is(i, "=") || s.tokens[i-1].kind != phpName {
			return
		}
		s.value(scope+s.text(i-1), i+1)
		if i = s.expressionEnd(i + 1); !s.is(i, ",") {
			return
		}
	}
}

func (s *phpScanner) define(i int) {
	if s.is(i+1, "(") && i+3 < len(s.tokens) && s.tokens[i+2].kind == phpString && s.is(i+3, ",") {
		s.value(strings.TrimPrefix(phpDecode(s.text(i+2)), `\`), i+4)
	}
}

// expressionEnd returns the token that ends the expression at i, or the number
// of tokens.
func (s *phpScanner) expressionEnd(i int) int {
	for ; i < len(s.tokens); i++ {
		if s.partner[i] > i {
			i = s.partner[i]
		} else if s.ends(i) {
			break
		}
	}
	return i
}

// ends reports whether an expression ends before token i.
func (s *phpScanner) ends(i int) bool {
	return i >= len(s.tokens) || s.tokens[i].kind == phpClose || s.isAny(i, ";", ",", ")", "]", "}")
}

// value adds what key is given by the expression at token i.
func (s *phpScanner) value(key string, i int) {
	if i >= len(s.tokens) || s.ends(i) {
		return
	}
	end := s.expressionEnd(i)
	start, stop := s.tokens[i].start, s.tokens[end-1].end
	l := literal{key: key, start: start, end: stop, text: string(s.src[start:stop])}
	open := i
	if s.is(i, "array") {
		open++
	}
	switch {
	case (s.is(open, "[") || open > i && s.is(open, "(")) && s.partner[open] == end-1:
		l.refused = "an array"
	case end == i+1:
		s.single(&l, i)
	case end == i+2 && s.is(i, "-") && s.tokens[i+1].kind == phpNumber && stop-start == s.tokens[i+1].end-s.tokens[i+1].start+1:
		l.kind = phpNumberKind(l.text)
	default:
		l.refused = "an expression"
	}
	if l.refused != "" {
		l.end, l.text = l.start, ""
	}
	s.add(l)
	if l.refused == "an array" {
		s.elements(key, open+1, end-1)
	}
}

func (s *phpScanner) add(l literal) { s.found = append(s.found, l) }

// single classifies a value of one token.
func (s *phpScanner) single(l *literal, i int) {
	switch s.tokens[i].kind {
	case phpString:
		if c := s.src[l.start]; c == 'b' || c == 'B' {
			l.start++
		}
		l.style, l.kind, l.text = s.src[l.start], "string", phpDecode(l.text)
	case phpNumber:
		l.kind = phpNumberKind(l.text)
	case phpHeredoc:
		l.refused = "a block of text"
	case phpInterp:
		l.refused = "interpolated"
	default:
		switch strings.ToLower(l.text) {
		case "true", "false":
			l.kind, l.text = "bool", strings.ToLower(l.text)
		case "null":
			l.kind, l.text = "null", "null"
		default:
			l.refused = "an expression"
		}
	}
}

func phpNumberKind(text string) string {
	hex := strings.HasPrefix(strings.ToLower(text), "0x")
	if !hex && strings.ContainsAny(text, ".eE") {
		return "float"
	}
	return "int"
}

// elements walks the array literal whose elements are the tokens from i up to
// end.
func (s *phpScanner) elements(base string, i, end int) {
	next := int64(0) // the key of an element without one; -1 when not known
	for ; i < end; i++ {
		stop := s.expressionEnd(i)
		arrow := s.arrow(i, stop)
		switch {
		case arrow < 0 && s.is(i, "..."):
			next = -1
		case arrow < 0 && i < stop && next >= 0:
			s.value(base+"["+strconv.FormatInt(next, 10)+"]", i)
			next++
		case arrow >= 0:
			key, ok := s.arrayKey(i, arrow)
			if !ok {
				next = -1
				break
			}
			s.value(base+key, arrow+1)
			if n, err := strconv.ParseInt(strings.Trim(key, "[]"), 10, 64); err == nil && next >= 0 && n >= next {
				next = n + 1
			}
		}
		i = stop
	}
}

// arrow returns the => of the element between i and end, or -1.
func (s *phpScanner) arrow(i, end int) int {
	if s.is(i, "fn") || s.is(i, "static") {
		return -1
	}
	for ; i < end; i++ {
		if s.partner[i] > i {
			i = s.partner[i]
		} else if s.is(i, "=>") {
			return i
		}
	}
	return -1
}
