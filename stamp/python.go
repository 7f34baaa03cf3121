package stamp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// python finds assignments in Python source: those of the file itself and of
// its classes, under if, try, with and loops too, but not in functions. What a
// class body assigns has the name of the class before it.
type python struct{}

// selector reads the key with the lexer that reads files.
func (python) selector(key string) (selector, error) {
	bad := func(what string) (selector, error) {
		return nil, refuse(BadSelector, -1, "key %q: %s", key, what).
			hint(`write REV, CONFIG['assets']['rev'], hosts[0], Settings.REV or app.version`)
	}
	l, err := newPyLexer(key)
	if err == nil {
		err = l.line()
	}
	if err != nil {
		return bad("it is no Python")
	}
	n := len(l.tokens)
	if n == 0 || l.tokens[0].kind != pyName || l.tokens[0].start > 0 {
		return bad("it does not begin with a name")
	}
	s := pyScanner{pyLexer: l}
	want, ok := s.target("", 0, n)
	if !ok || l.tokens[n-1].end < len(key) {
		return bad("what follows the name is no .name, ['key'] or [0]")
	}
	return func(k string) bool { return k == want }, nil
}

func (python) scan(src string, _ seam, found sink) error {
	l, err := newPyLexer(src)
	if err != nil {
		return err
	}
	s := pyScanner{pyLexer: l, found: spare{found: found}, blocks: []pyBlock{{}}}
	s.tokens = usedPyTokens.slice(64)
	err = s.file()
	usedPyTokens.keep(s.tokens)
	return err
}

var usedPyTokens used[pyToken]

// pyScanner goes over logical lines.
type pyScanner struct {
	*pyLexer
	found  spare
	blocks []pyBlock // those that the line is in, one for each of indents
	header *pyBlock  // the block that the line before began
	bad    error     // in a literal
}

// pyBlock is what lines that are indented alike belong to.
type pyBlock struct {
	class    string // with a dot after it, or empty
	function bool   // nothing in it counts
	match    bool   // it holds cases, and no statements
}

func (s *pyScanner) file() error {
	for {
		if err := s.line(); err != nil {
			return err
		}
		if len(s.tokens) == 0 {
			if s.header != nil {
				return refuse(ParseError, len(s.src), "the file ends where a block should begin")
			}
			return nil
		}
		if err := s.enter(); err != nil {
			return err
		}
		if err := s.statements(s.blocks[len(s.blocks)-1]); err != nil {
			return err
		}
		if s.bad != nil {
			return s.bad
		}
	}
}

// enter finds the block that the line belongs to.
func (s *pyScanner) enter() error {
	deeper := len(s.indents) > len(s.blocks)
	switch start := s.tokens[0].start; {
	case deeper && s.header == nil:
		return refuse(ParseError, start, "the line is indented, and begins no block")
	case deeper:
		s.blocks = append(s.blocks, *s.header)
	case s.header != nil:
		return refuse(ParseError, start, "an indented block should begin here")
	}
	s.blocks, s.header = s.blocks[:len(s.indents)], nil
	return nil
}

// text returns token i, or "" for none.
func (s *pyScanner) text(i int) string {
	if i >= len(s.tokens) {
		return ""
	}
	return s.src[s.tokens[i].start:s.tokens[i].end]
}

// is reports whether token i is the operator or the word.
func (s *pyScanner) is(i int, text string) bool { return s.text(i) == text }

// statements handles the line: a header, perhaps with statements after its
// colon, or statements.
func (s *pyScanner) statements(in pyBlock) error {
	i, end := 0, len(s.tokens)
	if inner, ok := s.heads(in); ok {
		colon := s.colon(0, end)
		if colon == end {
			return refuse(ParseError, s.tokens[0].start, "%s without a colon", s.text(0))
		}
		if colon == end-1 {
			s.header = &inner
			return nil
		}
		i, in = colon+1, inner
	}
	if in.function {
		return nil
	}
	for start := i; i <= end; i++ {
		if i == end || s.is(i, ";") {
			s.statement(in, start, i)
			start = i + 1
		}
	}
	return nil
}

// heads reports whether the line begins a block in the given one, and which
// (reference 8; match and case are words only there).
func (s *pyScanner) heads(in pyBlock) (inner pyBlock, ok bool) {
	if s.tokens[0].kind != pyName {
		return in, false
	}
	first := s.text(0)
	if first == "async" {
		first = s.text(1)
	}
	last := len(s.tokens) - 1
	switch first {
	case "def":
		return pyBlock{function: true}, true
	case "class":
		name, ok := s.charset.decode(s.text(1))
		if last == 0 || s.tokens[1].kind != pyName || pyKeyword(name) {
			s.bad = refuse(ParseError, s.tokens[0].start, "class without a name")
		}
		return pyBlock{class: in.class + name + ".", function: in.function || !ok}, true
	case "if", "elif", "else", "for", "while", "try", "except", "finally", "with":
		return in, true
	case "match":
		in.match = true
		return in, last > 1 && s.is(last, ":")
	case "case":
		ok, in.match = in.match, false
	}
	return in, ok
}

// colon returns the colon outside of brackets that is none of a lambda's, or
// end.
func (s *pyScanner) colon(i, end int) int {
	for i < end && !s.is(i, ":") {
		i = s.next(i, end)
	}
	return i
}

// next returns what comes after token i on the same level: after the other
// bracket, or after the colon of a lambda.
func (s *pyScanner) next(i, end int) int {
	if s.tokens[i].pair > i {
		return s.tokens[i].pair + 1
	}
	if s.is(i, "lambda") {
		return min(s.colon(i+1, end)+1, end)
	}
	return i + 1
}

// find returns the first of the words from i up to end on one level, or end.
func (s *pyScanner) find(i, end int, text string) int {
	for i < end && !s.is(i, text) {
		i = s.next(i, end)
	}
	return i
}

// wrapped reports whether the tokens from i up to end are one pair of brackets
// of that kind.
func (s *pyScanner) wrapped(i, end int, bracket string) bool {
	return i < end && s.is(i, bracket) && s.tokens[i].pair == end-1
}

// statement handles one that is no header.
func (s *pyScanner) statement(in pyBlock, i, end int) {
	if i == end || s.tokens[i].kind != pyName && !s.is(i, "(") && !s.is(i, "[") && !s.is(i, "*") {
		return
	}
	for j := i; j < end; j++ {
		if s.tokens[j].pair > j {
			j = s.tokens[j].pair
			continue
		}
		if s.tokens[j].kind != pyOp {
			continue
		}
		switch op := s.text(j); op {
		case "=":
			s.assignment(in, i, j, end)
			return
		case ":":
			if key, ok := s.target(in.class, i, j); ok {
				if equals := s.find(j+1, end, "="); equals < end {
					s.value(key, equals+1, end)
				}
			}
			return
		case "+=", "-=", "*=", "/=", "//=", "%=", "@=", "&=", "|=", "^=", ">>=", "<<=", "**=":
			if key, ok := s.target(in.class, i, j); ok {
				s.refuse(key, j, "computed with "+op)
			}
			return
		}
	}
}

// assignment handles a = b = value; equals is the first equals sign.
func (s *pyScanner) assignment(in pyBlock, i, equals, end int) {
	last := equals
	for next := s.equals(last+1, end); next < end; next = s.equals(last+1, end) {
		last = next
	}
	if last+1 == end {
		return
	}
	key, ok := s.target(in.class, i, equals)
	if last == equals && ok {
		s.value(key, last+1, end)
		return
	}
	for i <= last {
		s.several(in.class, i, equals, s.inner(last+1, end), "assigned to several names")
		i, equals = equals+1, s.equals(equals+1, end)
	}
}

// equals returns the next equals sign of an assignment, or end: one after
// lambda gives an argument its default.
func (s *pyScanner) equals(i, end int) int {
	for ; i < end && !s.is(i, "="); i++ {
		if s.is(i, "lambda") {
			return end
		}
		if s.tokens[i].pair > i {
			i = s.tokens[i].pair
		}
	}
	return i
}

// several adds the targets from i up to end, which have no literal of their own
// at token value.
func (s *pyScanner) several(class string, i, end, value int, why string) {
	const unpacked = "unpacked from several"
	if key, ok := s.target(class, i, end); ok {
		s.refuse(key, value, why)
		return
	}
	switch comma := s.find(i, end, ","); {
	case comma < end:
		for ; i < end; i, comma = comma+1, s.find(min(comma+1, end), end, ",") {
			s.several(class, i, comma, value, unpacked)
		}
	case i < end && s.is(i, "*"):
		s.several(class, i+1, end, value, unpacked)
	case s.wrapped(i, end, "(") || s.wrapped(i, end, "["):
		s.several(class, i+1, end-1, value, unpacked)
	}
}

func (s *pyScanner) refuse(key string, i int, why string) {
	at := s.tokens[i].start
	s.found.add(literal{key: key, start: at, end: at, refused: why})
}

// target returns the key of what the tokens from i up to end name.
func (s *pyScanner) target(class string, i, end int) (key string, ok bool) {
	for s.wrapped(i, end, "(") {
		i, end = i+1, end-1
	}
	if i == end || s.tokens[i].kind != pyName || pyKeyword(s.text(i)) {
		return "", false
	}
	name, ok := s.charset.decode(s.text(i))
	if !ok {
		return "", false
	}
	key = class + name
	for i++; i < end; {
		switch {
		case s.is(i, ".") && i+1 < end && s.tokens[i+1].kind == pyName:
			if name, ok = s.charset.decode(s.text(i + 1)); !ok {
				return "", false
			}
			key, i = key+"."+name, i+2
		case s.is(i, "["):
			k, ok := s.subscript(i+1, s.tokens[i].pair)
			if !ok {
				return "", false
			}
			key, i = key+k, s.tokens[i].pair+1
		default:
			return "", false
		}
	}
	return key, true
}

// subscript returns the constant key that the tokens from i up to end are, as
// it is written in keys: a string or an integer, which differ in Python.
func (s *pyScanner) subscript(i, end int) (string, bool) {
	i, end = s.unwrap(i, end)
	sign := ""
	if i+1 < end && s.is(i, "-") {
		sign, i = "-", i+1
	}
	if i+1 != end {
		return "", false
	}
	switch t := s.tokens[i]; {
	case t.kind == pyNumber && bareInt().MatchString(sign+s.text(i)):
		return "[" + sign + s.text(i) + "]", true
	case t.kind == pyString && sign == "":
		p, err := s.parseString(t)
		if err == nil && p.refused == "" && p.style&pyBytes == 0 && utf8.ValidString(p.text) {
			return "[" + pyQuote(p.text) + "]", true
		}
	}
	return "", false
}

// inner returns the first token of a value without the brackets around it.
func (s *pyScanner) inner(i, end int) int {
	i, _ = s.unwrap(i, end)
	return i
}

// unwrap takes the brackets off that make no tuple or generator of a value.
func (s *pyScanner) unwrap(i, end int) (int, int) {
	for s.wrapped(i, end, "(") && end-i > 2 && s.find(i+1, end-1, ",") == end-1 && !s.generates(i+1, end-1) {
		i, end = i+1, end-1
	}
	return i, end
}

// generates reports whether the tokens between two brackets are a
// comprehension.
func (s *pyScanner) generates(i, end int) bool { return s.find(i, end, "for") < end }

// value adds what key is given by the tokens from i up to end.
func (s *pyScanner) value(key string, i, end int) {
	i, end = s.unwrap(i, end)
	if i >= end {
		return
	}
	first := s.tokens[i]
	l := literal{key: key, start: first.start, end: s.tokens[end-1].end}
	l.text = s.src[l.start:l.end]
	if s.charset != charsetUTF8 {
		l.style = byte(pyASCII)
	}
	open, stop := i+1, end-1
	switch {
	case s.is(i, "yield"):
		l.refused = "an expression"
	case s.find(i, end, ",") < end:
		l.refused, open, stop = "a tuple", i, end
	case first.pair == end-1 && s.generates(open, stop):
		l.refused = "an expression"
	case first.pair == end-1:
		l.refused = s.display(i, open, stop)
	case end == i+1:
		s.single(&l, first)
	case end == i+2 && s.is(i, "-") && s.tokens[i+1].kind == pyNumber && s.tokens[i+1].start == first.end:
		s.number(&l)
	default:
		l.refused = "an expression"
		if s.strings(i, end) {
			l.refused = "several literals"
		}
	}
	if l.refused != "" {
		l.end, l.text = l.start, ""
	}
	s.found.add(l)
	switch l.refused {
	case "a dict":
		s.items(key, open, stop)
	case "a list", "a tuple":
		s.elements(key, open, stop)
	}
}

// display tells what the brackets at token i, with the tokens from open up to
// stop in them, make.
func (s *pyScanner) display(i, open, stop int) string {
	switch {
	case s.is(i, "["):
		return "a list"
	case s.is(i, "("):
		return "a tuple"
	case open == stop || s.is(open, "**") || s.colon(open, s.find(open, stop, ",")) < s.find(open, stop, ","):
		return "a dict"
	}
	return "a set"
}

func (s *pyScanner) strings(i, end int) bool {
	for ; i < end; i++ {
		if s.tokens[i].kind != pyString && s.tokens[i].kind != pyFString {
			return false
		}
	}
	return true
}

// single classifies a value of one token.
func (s *pyScanner) single(l *literal, t pyToken) {
	switch t.kind {
	case pyString:
		p, err := s.parseString(t)
		if err != nil && s.bad == nil {
			s.bad = err
		}
		l.start, l.text, l.style, l.refused, l.kind = p.start, p.text, l.style|byte(p.style), p.refused, "string"
		if p.style&pyBytes != 0 {
			l.kind = "bytes"
		}
	case pyFString:
		l.refused = "interpolated"
	case pyNumber:
		s.number(l)
	default:
		switch l.text {
		case "True", "False":
			l.kind, l.text = "bool", strings.ToLower(l.text)
		case "None":
			l.kind, l.text = "null", "null"
		default:
			l.refused = "an expression"
		}
	}
}

// number classifies one, perhaps with a sign.
func (s *pyScanner) number(l *literal) {
	hex := strings.ContainsAny(l.text, "xX")
	switch {
	case !hex && strings.ContainsAny(l.text, "jJ"):
		l.refused = "a complex number"
	case !hex && strings.ContainsAny(l.text, ".eE"):
		l.kind = "float"
	default:
		l.kind = "int"
	}
}

// items walks a dict whose items are the tokens from i up to end.
func (s *pyScanner) items(base string, i, end int) {
	for i < end {
		stop := s.find(i, end, ",")
		colon := s.colon(i, stop)
		if k, ok := s.subscript(i, colon); ok && colon < stop {
			s.value(base+k, colon+1, stop)
		}
		i = stop + 1
	}
}

// elements walks a list or a tuple whose elements are the tokens from i up to
// end. After one with a star the numbers are not known.
func (s *pyScanner) elements(base string, i, end int) {
	for n := 0; i < end && !s.is(i, "*"); n++ {
		stop := s.find(i, end, ",")
		s.value(base+"["+strconv.Itoa(n)+"]", i, stop)
		i = stop + 1
	}
}

// pyKeyword reports whether a word is none that can be given a value.
func pyKeyword(word string) bool {
	switch word {
	case "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
		"except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
		"return", "try", "while", "with", "yield":
		return true
	}
	return false
}
