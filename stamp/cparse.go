package stamp

import (
	"slices"
	"strconv"
	"strings"
)

// cParser finds the declarations with an initialiser that are outside of
// functions. It knows no types and expands no macro: a name, =, a value and
// then , or ; make one.
type cParser struct {
	src    string
	tokens []cToken
	found  literals
	cState
	branches []cBranches
}

// cState is where in the nesting of a file the parser is.
type cState struct {
	frames    []cFrame
	statement int  // the token at which the declaration begins
	value     bool // behind the = of it
}

// cFrame is a bracket that is open.
type cFrame struct {
	kind      cFrameKind
	closer    byte
	scope     string // of the names in it, with :: at its end
	at        int    // token
	statement int    // that goes on behind it
}

type cFrameKind byte

const (
	cFile cFrameKind = iota // or a namespace, or extern "C"
	cType                   // or a structure, or a union
	cEnum
	cBody  // of a function
	cGroup // anything else
)

// cBranches is a conditional of the preprocessor: each branch begins where the
// first one does, and what follows all of them goes on after the first one that
// has code, so that a { in each of them counts once.
type cBranches struct {
	begin cState
	at    int     // the first token of the branch
	first *cState // where the first branch with code ended
}

func (s cState) clone() cState {
	s.frames = slices.Clone(s.frames)
	return s
}

// cIndex is an index of a list.
var cIndex = lazily(`^(?:0|[1-9][0-9]{0,8})$`)

func (p *cParser) run() error {
	for i := 0; i < len(p.tokens); i++ {
		t := p.tokens[i]
		switch {
		case t.kind == cBranch:
			p.branch(i)
		case t.kind != cOp:
			if p.is(i, "template") && p.declares() {
				i = p.templateEnd(i)
				p.statement = i + 1
			}
		case t.op == '(' || t.op == '[':
			p.push(cGroup, map[byte]byte{'(': ')', '[': ']'}[t.op], "", i)
		case t.op == '{':
			p.brace(i)
		case t.op == ')' || t.op == ']' || t.op == '}':
			if err := p.pop(i); err != nil {
				return err
			}
		case p.declares():
			p.punctuation(i)
		}
	}
	if n := len(p.frames); n > 0 {
		at := p.tokens[p.frames[n-1].at].start
		return cError(at, "%q is never closed", p.src[at])
	}
	return nil
}

// branch handles a directive that is token i.
func (p *cParser) branch(i int) {
	op, n := p.tokens[i].op, len(p.branches)-1
	if op == cBegin {
		p.branches = append(p.branches, cBranches{begin: p.clone(), at: i + 1})
		return
	}
	b := &p.branches[n]
	if b.first == nil && (b.at < i || op == cFinish) {
		ended := p.clone()
		b.first = &ended
	}
	if op == cSwitch {
		p.cState, b.at = b.begin.clone(), i+1
		return
	}
	p.cState, p.branches = *b.first, p.branches[:n]
}

// is reports whether token i is one of the words.
func (p *cParser) is(i int, words ...string) bool {
	t := p.tokens[i]
	return t.kind == cName && slices.Contains(words, p.src[t.start:t.end])
}

func (p *cParser) op(i int) byte {
	if i < 0 || i >= len(p.tokens) {
		return 0
	}
	return p.tokens[i].op
}

func (p *cParser) text(i int) string { return cText(p.src[p.tokens[i].start:p.tokens[i].end]) }

// top is the innermost bracket that is open.
func (p *cParser) top() cFrame {
	if n := len(p.frames); n > 0 {
		return p.frames[n-1]
	}
	return cFrame{}
}

// declares reports whether declarations can be here.
func (p *cParser) declares() bool { return p.top().kind < cBody }

func (p *cParser) push(kind cFrameKind, closer byte, scope string, i int) {
	p.frames = append(p.frames, cFrame{kind, closer, scope, i, p.statement})
}

// pop closes a bracket.
func (p *cParser) pop(i int) error {
	f := p.top()
	if f.closer != p.tokens[i].op {
		return cError(p.tokens[i].start, "%q closes nothing", p.src[p.tokens[i].start])
	}
	p.frames = p.frames[:len(p.frames)-1]
	switch f.kind {
	case cFile, cBody:
		p.statement, p.value = i+1, false
	case cType, cEnum:
		p.statement, p.value = f.statement, false
	}
	return nil
}

// punctuation handles what separates declarations and their parts.
func (p *cParser) punctuation(i int) {
	kind := p.top().kind
	switch p.tokens[i].op {
	case ';':
		p.statement, p.value = i+1, false
	case ',':
		p.value = false
		if kind == cEnum {
			p.statement = i + 1
		}
	case ':':
		if kind == cType && i > p.statement && p.is(i-1, "public", "private", "protected") {
			p.statement = i + 1
		}
	case '=':
		if p.value || i > 0 && p.is(i-1, "operator") {
			return
		}
		p.value = true
		if d, ok := p.declarator(i); ok {
			p.add(d, i+1, p.valueEnd(i+1))
		}
	}
}

// brace decides what a { begins.
func (p *cParser) brace(i int) {
	if !p.declares() || p.top().kind == cEnum || p.value {
		p.push(cGroup, '}', "", i)
		return
	}
	kind, scope := p.head(i)
	if kind == cGroup { // int NAME{3};
		if d, ok := p.declarator(i); ok {
			p.add(d, i+1, max(p.groupEnd(i, len(p.tokens)), i+1))
		}
	}
	p.push(kind, '}', scope, i)
	if kind < cBody {
		p.statement, p.value = i+1, false
	}
}

// Words before the ( ) of an attribute.
var cAttributes = []string{"__attribute__", "__attribute", "__declspec", "alignas", "_Alignas", "asm", "__asm__", "__asm"}

// head tells from the tokens before it what the { at i begins.
func (p *cParser) head(i int) (kind cFrameKind, scope string) {
	scope = p.top().scope
	if i == p.statement {
		return cBody, scope
	}
	kind = cBody
	keyword, call := -1, false
	for j := p.statement; j < i; j++ {
		switch {
		case p.op(j) == '(' || p.op(j) == '{' || p.op(j) == '[':
			plain := p.op(j) == '(' && !(j > 0 && p.is(j-1, cAttributes...))
			call = call || plain && !(kind == cType && p.bases(keyword, j))
			j = max(p.groupEnd(j, i), j)
		case p.is(j, "namespace"):
			kind, keyword, call = cFile, j, false
		case p.is(j, "enum"):
			kind, keyword, call = cEnum, j, false
		case p.is(j, "struct", "class", "union") && !(kind == cEnum && j == keyword+1):
			kind, keyword, call = cType, j, false
		}
	}
	last := p.tokens[i-1]
	switch {
	case call:
		return cBody, scope
	case keyword >= 0:
		return kind, scope + p.scope(kind, keyword, i)
	case last.kind == cString && i-2 >= p.statement && p.is(i-2, "extern"):
		return cFile, scope
	case last.kind == cName || last.op == ']':
		return cGroup, scope
	}
	return cBody, scope
}

// bases reports whether the colon before base classes is between two tokens.
func (p *cParser) bases(from, to int) bool {
	return slices.ContainsFunc(p.tokens[from:to], func(t cToken) bool { return t.op == ':' })
}

// scope returns what a namespace or a type, whose keyword is a token before
// the { at end, puts before the names in it.
func (p *cParser) scope(kind cFrameKind, keyword, end int) string {
	name, j := "", keyword+1
	scoped := j < end && p.is(j, "class", "struct")
	if scoped {
		j++
	}
	for ; j < end && p.op(j) != ':' && p.op(j) != '<'; j++ {
		switch {
		case p.op(j) == '(' || p.op(j) == '[':
			j = max(p.groupEnd(j, end), j)
		case p.tokens[j].kind != cName || p.is(j, "final", "inline"):
		case p.op(j-1) == cScope && name != "":
			name += "::" + p.text(j)
		default:
			name = p.text(j)
		}
	}
	if name == "" || kind == cEnum && !scoped {
		return ""
	}
	return name + "::"
}

// groupEnd returns the token that closes the bracket at i, before limit, or -1.
func (p *cParser) groupEnd(i, limit int) int {
	depth := 0
	for ; i < limit; i++ {
		switch p.op(i) {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// groupStart is groupEnd, backwards from i down to limit.
func (p *cParser) groupStart(i, limit int) int {
	depth := 0
	for ; i >= limit; i-- {
		switch p.op(i) {
		case ')', ']', '}':
			depth++
		case '(', '[', '{':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// templateEnd goes past the parameters of the template at i, if it has some.
// What is compared in them is in parentheses.
func (p *cParser) templateEnd(i int) int {
	depth := 0
	for j := i + 1; j < len(p.tokens); j++ {
		switch p.op(j) {
		case '<':
			depth++
		case '>':
			depth--
		case cShift:
			depth -= 2
		case '(', '[', '{':
			if j = p.groupEnd(j, len(p.tokens)); j < 0 {
				return i
			}
		case ';', '}':
			return i
		}
		if depth <= 0 {
			if j == i+1 || cHas(p.tokens[i:j], cBranch) {
				return i
			}
			return j
		}
	}
	return i
}

// cDeclarator is a name that is declared, and what its type says about values.
type cDeclarator struct {
	key   string
	bytes int  // that an array of characters has room for, 0 for any
	open  bool // its size is not known
	chars bool // its type is one of characters
	bits  int
}

// Words that are no names.
var cKeywords = strings.Fields("const volatile noexcept override final auto int char short long unsigned signed float double bool void static extern " +
	"inline constexpr consteval constinit default delete operator restrict mutable register return else using typename class struct enum union")

// declarator finds the name that the = or { at i gives a value.
func (p *cParser) declarator(i int) (d cDeclarator, ok bool) {
	j := i - 1
	dims := -1
	for j > p.statement {
		if p.op(j) != ')' && p.op(j) != ']' {
			break
		}
		start := p.groupStart(j, p.statement)
		switch {
		case start <= p.statement:
			return d, false
		case p.op(j) == ')' && p.is(start-1, cAttributes...):
			start--
		case p.op(j) == ')':
			return d, false
		case p.op(start+1) != '[' && dims < 0:
			dims = start
		}
		j = start - 1
	}
	if j > p.statement && p.tokens[j].kind == cName && p.op(j-1) == ']' { // char NAME[] __used
		if start := p.groupStart(j-1, p.statement); start > p.statement && p.op(start+1) != '[' {
			dims, j = start, start-1
		}
	}
	if j < p.statement || p.tokens[j].kind != cName || p.is(j, cKeywords...) {
		return d, false
	}
	d.key = p.text(j)
	for j-2 >= p.statement && p.op(j-1) == cScope && p.tokens[j-2].kind == cName {
		j -= 2
		d.key = p.text(j) + "::" + d.key
	}
	d.key = p.top().scope + d.key
	if p.top().kind == cEnum {
		d.bits = 31
		return d, true
	}
	if !p.typed(j) {
		return d, false
	}
	p.room(&d, p.tokens[p.statement:j], dims)
	return d, true
}

// typed reports whether the name at j follows a type, or another declarator.
func (p *cParser) typed(j int) bool {
	if j == p.statement || p.is(p.statement, "using", "namespace", "typedef", "concept", "return", "goto") {
		return false
	}
	switch before := p.tokens[j-1]; {
	case before.kind == cName:
		return !p.is(j-1, "else", "operator", "concept", "namespace", "using", "goto", "return")
	case before.op == ')':
		start := p.groupStart(j-1, p.statement)
		return start > p.statement && p.is(start-1, cAttributes...)
	case before.op == ']' || before.op == '}' || before.op == cAnd || before.op == cShift:
		return true
	default:
		return before.op != 0 && strings.IndexByte("*&,>", before.op) >= 0
	}
}

// room fills in what a declaration says about its values. Of a type that is
// not known no more is expected than of int.
func (p *cParser) room(d *cDeclarator, declaration []cToken, dims int) {
	pointer := false
	d.bits = 31
	for _, t := range declaration {
		word := p.src[t.start:t.end]
		switch {
		case t.op == '*':
			pointer = true
		case t.kind != cName:
		case strings.Contains(word, "char"):
			d.chars = true
		case word == "long" || word == "auto" || word == "float" || word == "double" || strings.Contains(word, "64") ||
			strings.Contains(word, "size_t") || strings.Contains(word, "intmax_t") || word == "ptrdiff_t":
			d.bits = 0
		case word == "short" || strings.Contains(word, "int16"):
			d.bits = min(d.bits, 15)
		case strings.Contains(word, "int8"):
			d.bits = min(d.bits, 7)
		}
	}
	if d.chars && d.bits > 7 {
		d.bits = 7
	}
	if dims < 0 || pointer {
		d.chars = false
		return
	}
	switch size := p.tokens[dims+1]; {
	case size.op == ']':
	case p.op(dims+2) == ']' && size.kind == cNumber && cIndex().MatchString(p.src[size.start:size.end]):
		d.bytes, _ = strconv.Atoi(p.src[size.start:size.end])
	default:
		d.open = true
	}
}

// valueEnd returns the token behind the value at i.
func (p *cParser) valueEnd(i int) int {
	depth := 0
	for ; i < len(p.tokens); i++ {
		switch p.op(i) {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth < 0 {
				return i
			}
		case ';':
			return i
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// add adds what the declarator is given by the tokens from i up to end.
func (p *cParser) add(d cDeclarator, i, end int) {
	l := literal{key: d.key}
	list := i < end && p.op(i) == '{' && p.groupEnd(i, end) == end-1
	switch {
	case list:
		l.start, l.refused = p.tokens[i].start, "a list in braces"
		l.end = l.start
	case i == end:
		l.start, l.refused = p.tokens[i-1].end, "missing"
		l.end = l.start
	default:
		cLiteral(p.src, p.tokens[i:end], &l)
	}
	switch {
	case l.kind == "string" && d.open:
		l.end, l.text, l.kind, l.style = l.start, "", "", 0
		l.refused = "in an array whose size is not known"
	case l.kind == "string":
		l.room = d.bytes
	case l.kind == "int":
		l.room = d.bits
	}
	p.found = twice(p.found, l)
	if list {
		if !d.chars {
			d.bytes, d.open = 0, false
		}
		p.elements(d, i+1, end-1)
	}
}

// elements walks a list in braces. An element of which it is not clear which
// one it is has no key.
func (p *cParser) elements(d cDeclarator, i, end int) {
	base, next := d.key, 0 // the index of an element without a designator; -1 when not known
	for i < end {
		if p.tokens[i].kind == cBranch {
			next = -1
			i++
			continue
		}
		stop := min(p.valueEnd(i), end)
		path, index, value := p.designators(i, stop)
		switch {
		case value < 0:
			next = -1
		case path == "" && next >= 0:
			d.key = base + "[" + strconv.Itoa(next) + "]"
			p.add(d, value, stop)
			next++
		case path != "":
			d.key = base + path
			p.add(d, value, stop)
			if next = index; index >= 0 {
				next++
			}
		}
		i = stop + 1
	}
}

// designators reads .name and [n] and the =, if there are some, and returns
// where the value begins, -1 when it is not clear. The index is that of a lone
// [n].
func (p *cParser) designators(i, end int) (path string, index, value int) {
	index = -1
	for j := i; j < end; {
		switch {
		case p.op(j) == '.' && j+1 < end && p.tokens[j+1].kind == cName:
			path, index = path+"."+p.text(j+1), -1
			j += 2
		case p.op(j) == '[' && p.op(j+2) == ']' && p.tokens[j+1].kind == cNumber && cIndex().MatchString(p.text(j+1)):
			index, _ = strconv.Atoi(p.text(j + 1))
			if j > i {
				index = -1
			}
			path += "[" + p.text(j+1) + "]"
			j += 3
		case p.op(j) == '=' && path != "":
			return path, index, j + 1
		case path != "" || p.op(j) == '[' || p.op(j) == '.':
			return "", -1, -1
		default:
			return "", -1, i
		}
	}
	return "", -1, -1
}
