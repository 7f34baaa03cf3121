package stamp

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// php finds assignments, returned arrays and constants in PHP source.
//
// An assignment is a statement of its own: in the middle of an expression
// ($a = $b = 'x', a condition, an argument) its value is one of several things,
// and is refused. A variable goes by its name alone: $config of a function or a
// method is another variable to PHP, but has the same key here, so that a
// configuration that is loaded by a function is found too. Where a file has
// both, the key is ambiguous.
type php struct{}

// selector reads the key with the lexer that reads files. A name without a
// namespace stands for one in any.
func (php) selector(key string) (selector, error) {
	bad := func(what string) (selector, error) {
		return nil, refuse(BadSelector, -1, "key %q: %s", key, what).
			hint(`write $config['svn'], return['assets']['rev'], NAME or App\Build::REV`)
	}
	s, err := newPHPScanner("<?php " + key)
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
	if exact || strings.HasPrefix(want, "$") {
		return func(k string) bool { return k == want }, nil
	}
	return func(k string) bool {
		rest, ok := strings.CutSuffix(k, want)
		return ok && (rest == "" || rest[len(rest)-1] == '\\')
	}, nil
}

func (php) scan(src string) ([]literal, error) {
	s, err := newPHPScanner(src)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(s.tokens); {
		i = s.step(i)
	}
	byStart := func(a, b literal) int { return cmp.Compare(a.start, b.start) }
	if !slices.IsSortedFunc(s.found, byStart) {
		slices.SortStableFunc(s.found, byStart)
	}
	return s.found, nil
}

// phpScanner goes over the tokens that are code.
type phpScanner struct {
	src       string
	tokens    []phpToken
	found     []literal
	namespace string
	frames    []phpFrame
	pending   phpFrame // what the next { opens
	head      int      // the token that ends the head of a for loop; what precedes it is no statement
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

func newPHPScanner(src string) (*phpScanner, error) {
	tokens, err := lexPHP(src, true)
	if err != nil {
		return nil, err
	}
	s := &phpScanner{src: src, tokens: tokens}
	return s, s.pair()
}

// pair finds the partner of each bracket.
func (s *phpScanner) pair() error {
	var open []int32
	values := 0
	for i, t := range s.tokens {
		switch t.op {
		case '(', '[', '{':
			open = append(open, int32(i))
		case ')', ']', '}':
			last := len(open) - 1
			if last < 0 || s.tokens[open[last]].op != phpOpening(t.op) {
				return refuse(ParseError, int(t.start), "%q closes nothing", t.op)
			}
			s.tokens[i].partner, s.tokens[open[last]].partner = open[last], int32(i)
			open = open[:last]
		case '=', phpArrow:
			values++
		}
	}
	if len(open) > 0 {
		t := s.tokens[open[len(open)-1]]
		return refuse(ParseError, int(t.start), "%q is never closed", t.op)
	}
	s.found = make([]literal, 0, values+values/8+8) // and define(), and elements without a key
	return nil
}

func phpOpening(closing byte) byte {
	switch closing {
	case ')':
		return '('
	case ']':
		return '['
	}
	return '{'
}

func (s *phpScanner) text(i int) string { return s.src[s.tokens[i].start:s.tokens[i].end] }

// kind returns what token i is; a token that is not there is none of a
// variable, a name, a string or a number.
func (s *phpScanner) kind(i int) phpKind {
	if i < 0 || i >= len(s.tokens) {
		return phpHTML
	}
	return s.tokens[i].kind
}

// partner returns the other one of the bracket i, or -1.
func (s *phpScanner) partner(i int) int { return int(s.tokens[i].partner) }

// op returns phpToken.op of token i; 0 when it is not there.
func (s *phpScanner) op(i int) byte {
	if i < 0 || i >= len(s.tokens) {
		return 0
	}
	return s.tokens[i].op
}

// is reports whether token i is the operator or, in any case, the word.
func (s *phpScanner) is(i int, text string) bool {
	switch s.kind(i) {
	case phpOp:
		return s.text(i) == text
	case phpName:
		return len(text) == int(s.tokens[i].end-s.tokens[i].start) && strings.EqualFold(s.text(i), text)
	}
	return false
}

func (s *phpScanner) isAny(i int, texts ...string) bool {
	for _, text := range texts {
		if s.is(i, text) {
			return true
		}
	}
	return false
}

// member reports whether the name or variable i belongs to an object or a class.
func (s *phpScanner) member(i int) bool {
	return s.kind(i-1) == phpOp && s.isAny(i-1, "->", "::", "?->")
}

// step handles the token i and returns the next one to look at.
func (s *phpScanner) step(i int) int {
	switch s.tokens[i].kind {
	case phpVariable:
		s.variable(i)
	case phpName:
		return s.word(i)
	case phpClose:
		s.pending = phpFrame{}
	case phpOp:
		switch s.tokens[i].op {
		case '{':
			s.frames = append(s.frames, s.pending)
			s.pending = phpFrame{}
		case '}':
			s.frames = s.frames[:len(s.frames)-1]
		case ';':
			s.pending = phpFrame{}
		}
	}
	return i + 1
}

// word handles a name, when it is a keyword and not the name of something.
func (s *phpScanner) word(i int) int {
	enter := s.keyword(strings.ToLower(s.text(i)))
	if enter == nil || s.member(i) || s.isAny(i-1, "new", "use") && !s.is(i, "class") ||
		s.op(i+1) == ':' && (s.op(i-1) == '(' || s.op(i-1) == ',') { // an argument's name
		return i + 1
	}
	return enter(i)
}

// keyword returns what handles the word at a token, and returns the next token
// to look at; nil when it means nothing here.
func (s *phpScanner) keyword(word string) func(i int) int {
	switch word {
	case "namespace":
		return s.enterNamespace
	case "class", "interface", "trait", "enum":
		return s.enterClass
	case "function", "fn":
		return s.enterFunction
	case "case":
		return s.enterCase
	case "for":
		return s.enterFor
	case "const":
		return s.constants
	case "static":
		return s.statics
	case "define", `\define`:
		return s.define
	case "return":
		return s.returned
	}
	return nil
}

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
	for j := i + 1; j <= i+3; j++ {
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

// variable handles $v['k'] = value, and properties.
func (s *phpScanner) variable(i int) {
	if s.member(i) || s.op(i-1) == '$' {
		return
	}
	base := s.text(i)
	class, property := s.class()
	if property {
		base = class + "::" + base
	}
	key, next := s.subscripts(base, i+1, false)
	switch {
	case s.op(next) == '=' && (property || s.statement(i)):
		s.value(key, next+1)
	case s.op(next) == '=':
		s.refuse(key, next+1, "assigned inside an expression")
	case s.kind(next) == phpOp && s.op(next) == 0 && s.isAny(next, "??=", ".=", "+=", "-=", "*=", "/=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>="):
		s.refuse(key, next, "computed with "+s.text(next))
	}
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

// subscripts adds the constant ['key'] that begin at token i, as many as there
// are, and returns the token after them. In a selector a bare word is a key.
func (s *phpScanner) subscripts(base string, i int, selector bool) (key string, next int) {
	for s.op(i) == '[' {
		end := s.partner(i)
		k, ok := s.arrayKey(i+1, end)
		if !ok && selector && end == i+2 && s.kind(i+1) == phpName {
			k, ok = phpKey(s.text(i+1)), true
		}
		if !ok {
			break
		}
		base, i = s.below(base, k, i), end+1
	}
	return base, i
}

// below returns k.below(base). Where the file has just that before the end of
// the [k] at token i, as it mostly does, it is no copy.
func (s *phpScanner) below(base string, k phpKey, i int) string {
	start, end := int(s.tokens[i].start)-len(base), int(s.tokens[s.partner(i)].end)
	const quoted = len("['']")
	if start < 0 || end-start != len(base)+len(k)+quoted {
		return k.below(base)
	}
	written := s.src[start:end]
	if written[:len(base)] != base || written[len(base)+1] != '\'' || strings.IndexByte(string(k), '\\') >= 0 || k.number() {
		return k.below(base)
	}
	return written
}

// arrayKey returns the key that the tokens from i up to end are.
func (s *phpScanner) arrayKey(i, end int) (k phpKey, ok bool) {
	switch {
	case end == i+1 && s.kind(i) == phpString:
		return phpKey(phpDecode(s.text(i))), true
	case end == i+1 && s.kind(i) == phpNumber:
		k = phpKey(s.text(i))
	case end == i+2 && s.op(i) == '-' && s.kind(i+1) == phpNumber:
		k = phpKey("-" + s.text(i+1))
	}
	return k, k.number()
}

// phpKey is the key of an element. PHP makes no difference between 1 and '1'.
type phpKey string

// number reports whether PHP takes the key for a number. It does so for the
// whole 64 bits, but a key of 19 digits names no element that anybody counts.
func (k phpKey) number() bool {
	digits := k
	if strings.HasPrefix(string(k), "-") {
		digits = k[1:]
	}
	if digits == "" || len(digits) > 18 || digits[0] == '0' && k != "0" {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

// below writes the key as it is written in keys.
func (k phpKey) below(base string) string {
	switch {
	case k.number():
		return base + "[" + string(k) + "]"
	case strings.IndexByte(string(k), '\\') >= 0 || strings.IndexByte(string(k), '\'') >= 0:
		return base + "['" + phpSingleEscaper.Replace(string(k)) + "']"
	}
	return base + "['" + string(k) + "']"
}

// constants handles const NAME = value, OTHER = value.
func (s *phpScanner) constants(i int) int {
	scope := s.namespace
	if class, ok := s.class(); ok {
		scope = class + "::"
	}
	for {
		i++
		for i < len(s.tokens) && s.kind(i) != phpClose && !s.isAny(i, "=", ";", ")", "}") {
			i = max(i, s.partner(i)) + 1 // over the type, up to =
		}
		if s.op(i) != '=' || s.kind(i-1) != phpName {
			return i
		}
		s.value(scope+s.text(i-1), i+1)
		if i = s.expressionEnd(i + 1); s.op(i) != ',' {
			return i
		}
	}
}

// statics handles static $v = value, $w = value in a function.
func (s *phpScanner) statics(i int) int {
	if _, property := s.class(); property || s.kind(i+1) != phpVariable {
		return i + 1
	}
	for {
		i++
		if s.kind(i) == phpVariable && s.op(i+1) == '=' {
			s.value(s.text(i), i+2)
		}
		if i = s.expressionEnd(i); s.op(i) != ',' {
			return i
		}
	}
}

// define handles define('NAME', value). With a backslash before the name PHP
// defines a constant that no code can read.
func (s *phpScanner) define(i int) int {
	if s.op(i+1) == '(' && s.kind(i+2) == phpString && s.op(i+3) == ',' {
		if name := phpDecode(s.text(i + 2)); !strings.HasPrefix(name, `\`) {
			s.value(name, i+4)
		}
	}
	return i + 1
}

// returned handles what the file returns, and no function in it.
func (s *phpScanner) returned(i int) int {
	if !slices.ContainsFunc(s.frames, func(f phpFrame) bool { return f.brace == phpFunction }) {
		s.value("return", i+1)
	}
	return i + 1
}

// expressionEnd returns the token that ends the expression at i, or the number
// of tokens.
func (s *phpScanner) expressionEnd(i int) int {
	for i < len(s.tokens) && !s.ends(i) {
		i = max(i, s.partner(i)) + 1
	}
	return i
}

// ends reports whether an expression ends before token i.
func (s *phpScanner) ends(i int) bool {
	switch s.op(i) {
	case ';', ',', ')', ']', '}':
		return true
	}
	return i >= len(s.tokens) || s.tokens[i].kind == phpClose
}

// value adds what key is given by the expression at token i.
func (s *phpScanner) value(key string, i int) {
	end := s.expressionEnd(i)
	if end == i {
		return
	}
	start, stop := int(s.tokens[i].start), int(s.tokens[end-1].end)
	l := literal{key: key, start: start, end: stop, text: s.src[start:stop]}
	open := i
	if s.is(i, "array") {
		open++
	}
	switch {
	case (s.op(open) == '[' || open > i && s.op(open) == '(') && s.partner(open) == end-1:
		s.refuse(key, i, "an array")
		s.elements(key, open+1, end-1)
		return
	case end == i+1:
		s.single(&l, i)
	case end == i+2 && s.op(i) == '-' && s.kind(i+1) == phpNumber && s.tokens[i].end == s.tokens[i+1].start:
		l.kind = phpNumberKind(s.text(i + 1))
	default:
		l.refused = "an expression"
	}
	if l.refused != "" {
		s.refuse(key, i, l.refused)
		return
	}
	s.found = append(s.found, l)
}

// refuse adds a value at token i that cannot be replaced.
func (s *phpScanner) refuse(key string, i int, why string) {
	if i < len(s.tokens) {
		at := int(s.tokens[i].start)
		s.found = append(s.found, literal{key: key, start: at, end: at, refused: why})
	}
}

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
		switch word := strings.ToLower(l.text); word {
		case "true", "false":
			l.kind, l.text = "bool", word
		case "null":
			l.kind, l.text = "null", word
		default:
			l.refused = "an expression"
		}
	}
}

// phpNumberKind tells a float by its spelling, or because it is too large.
func phpNumberKind(text string) string {
	hex := strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X")
	if !hex && strings.ContainsAny(text, ".eE") {
		return "float"
	}
	if len(text) > 18 {
		if _, err := strconv.ParseInt(text, 0, 64); errors.Is(err, strconv.ErrRange) {
			return "float"
		}
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
			k, ok := s.arrayKey(i, arrow)
			if ok {
				s.value(k.below(base), arrow+1)
			}
			next = k.following(next, ok)
		}
		i = stop
	}
}

// following returns the key of an element without one that follows, when it
// would be next before this one. After a negative key alone it is another
// since PHP 8.3.
func (k phpKey) following(next int64, known bool) int64 {
	if !known || next < 0 {
		return -1
	}
	if !k.number() {
		return next
	}
	n, _ := strconv.ParseInt(string(k), 10, 64)
	if n < -1 && next == 0 {
		return -1
	}
	return max(next, n+1)
}

// arrow returns the => of the element between i and end, or -1.
func (s *phpScanner) arrow(i, end int) int {
	if s.is(i, "fn") || s.is(i, "static") {
		return -1
	}
	for ; i < end; i++ {
		if s.partner(i) > i {
			i = s.partner(i)
		} else if s.op(i) == phpArrow {
			return i
		}
	}
	return -1
}
