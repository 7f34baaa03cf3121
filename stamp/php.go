package stamp

import (
	"slices"
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
	tokens, err := lexPHP("<?php "+key, true)
	if err != nil {
		return bad("it is no PHP")
	}
	s := phpScanner{src: "<?php " + key, phpTokens: tokens}
	if s.len() == 0 {
		return bad("a name is missing")
	}
	first := s.kind(0)
	if first != phpVariable && first != phpName {
		return bad("it begins with neither a variable nor a name")
	}
	name := s.text(0)
	exact := strings.Contains(name, `\`)
	base, next := strings.TrimPrefix(name, `\`), 1
	if first == phpName && s.is(1, "::") && (s.kind(2) == phpName || s.kind(2) == phpVariable) {
		base, next = base+"::"+s.text(2), 3
	}
	want, next := s.subscripts(base, next, true)
	if next < s.len() {
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

// scan reads some statements at a time. Its seams are behind the ; of one in no
// brackets, where nothing is left of the scan but the namespace.
func (php) scan(src string, from seam, found sink) error {
	l := phpLexer{src: src, at: from.at, codeOnly: true, inCode: from.at > 0}
	l.tokens = phpTokens{usedPHPWhat.slice(64), usedPHPSpans.slice(64)}
	defer func() {
		usedPHPWhat.keep(l.tokens.what)
		usedPHPSpans.keep(l.tokens.spans)
	}()
	s := phpScanner{src: src, phpTokens: &l.tokens, found: spare{found: found}}
	s.namespace, _ = from.state.(string)
	for due := l.at + 1; l.at < len(src); {
		if err := l.statements(min(due, l.at+seamDistance)); err != nil {
			return err
		}
		s.statements()
		if l.at >= due && l.inCode {
			if due = found.seam(seam{l.at, s.namespace}); due < 0 {
				return nil
			}
		}
	}
	return nil
}

// guess takes a line that begins with a variable for the beginning of a statement.
func (php) guess(src string, from int) seam {
	const end = ";\n"
	if n := strings.Index(src[from:], end+"$"); n >= 0 {
		return seam{from + n + 1, ""}
	}
	return seam{}
}

var (
	usedPHPWhat  used[byte]
	usedPHPSpans used[uint64]
)

// phpScanner goes over the tokens that are code.
type phpScanner struct {
	src string
	*phpTokens
	found     spare
	keys      []byte // of the elements that are read
	namespace string
	frames    []phpFrame
	pending   phpFrame // what the next { opens
	head      int      // the token that ends the head of a for loop; what precedes it is no statement
}

// statements goes over the tokens of whole statements.
func (s *phpScanner) statements() {
	s.frames, s.pending, s.head = s.frames[:0], phpFrame{}, 0
	for i := 1; i < s.len(); {
		i = s.step(i)
	}
}

func (s *phpScanner) text(i int) string { return s.src[s.start(i):s.end(i)] }

// is reports whether token i is the operator or, in any case, the word.
func (s *phpScanner) is(i int, text string) bool {
	switch s.kind(i) {
	case phpOp:
		return s.text(i) == text
	case phpName:
		return len(text) == s.end(i)-s.start(i) && strings.EqualFold(s.text(i), text)
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
	return s.longOp(i-1) && s.isAny(i-1, "->", "::", "?->")
}

// step handles the token i and returns the next one to look at.
func (s *phpScanner) step(i int) int {
	switch s.kind(i) {
	case phpVariable:
		return s.variable(i)
	case phpName:
		return s.word(i)
	case phpClose:
		s.pending = phpFrame{}
	case phpOp:
		switch s.op(i) {
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

// variable handles $v['k'] = value, and properties. What it goes past cannot hold
// code, as the value can.
func (s *phpScanner) variable(i int) (next int) {
	if s.member(i) || s.op(i-1) == '$' {
		return i + 1
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
	case s.longOp(next) && s.isAny(next, "??=", ".=", "+=", "-=", "*=", "/=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>="):
		s.refuse(key, next, "computed with "+s.text(next))
	}
	return next
}

// constants handles const NAME = value, OTHER = value.
func (s *phpScanner) constants(i int) int {
	scope := s.namespace
	if class, ok := s.class(); ok {
		scope = class + "::"
	}
	for {
		i++
		for i < s.len() && s.kind(i) != phpClose && !s.isAny(i, "=", ";", ")", "}") {
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
