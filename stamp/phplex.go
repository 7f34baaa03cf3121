package stamp

import (
	"bytes"
	"regexp"
	"strings"
)

// phpKind is what a token is. Blanks are no tokens.
type phpKind byte

const (
	phpHTML     phpKind = iota // what lies outside of <?php ?>
	phpOpen                    // <?php or <?=
	phpClose                   // ?> and a line end after it
	phpComment                 // // # /* */
	phpString                  // '...' or "..." without interpolation
	phpInterp                  // "..." with interpolation
	phpHeredoc                 // heredoc or nowdoc
	phpBacktick                // a shell command
	phpData                    // what follows __halt_compiler
	phpVariable                // $name
	phpName                    // a word or a name with backslashes
	phpNumber
	phpOp // an operator or punctuation
)

// phpToken is src[start:end].
type phpToken struct {
	kind       phpKind
	start, end int
}

// phpLexer splits a PHP file (8.x, short_open_tag off) as PHP's own tokenizer
// does, as far as it matters where text and code begin and end.
type phpLexer struct {
	src    []byte
	at     int
	tokens []phpToken
}

// lexPHP returns the tokens of src. Unterminated strings and comments are parse
// errors.
func lexPHP(src []byte) ([]phpToken, error) {
	l := phpLexer{src: src}
	for l.at < len(src) {
		if err := l.html(); err != nil {
			return nil, err
		}
		if _, err := l.code(0); err != nil {
			return nil, err
		}
	}
	return l.tokens, nil
}

func (l *phpLexer) emit(kind phpKind, end int) {
	l.tokens = append(l.tokens, phpToken{kind, l.at, end})
	l.at = end
}

func (l *phpLexer) has(text string) bool { return bytes.HasPrefix(l.src[l.at:], []byte(text)) }

func (l *phpLexer) hasAt(n int, c byte) bool { return l.at+n < len(l.src) && l.src[l.at+n] == c }

var phpOpenTag = regexp.MustCompile(`<\?(?:=|(?i:php)(?:[ \t\n]|\r\n?|$))`)

// html goes to the first token of code.
func (l *phpLexer) html() error {
	span := phpOpenTag.FindIndex(l.src[l.at:])
	if span == nil {
		l.emit(phpHTML, len(l.src))
		return nil
	}
	start, end := l.at+span[0], l.at+span[1]
	if start > l.at {
		l.emit(phpHTML, start)
	}
	l.emit(phpOpen, end)
	return nil
}

// code reads tokens up to the end of the block of code; with a closer, which
// ends the interpolated code of a string, up to that. It reports whether it met
// the closer.
func (l *phpLexer) code(closer byte) (closed bool, err error) {
	depth := 0
	for l.at < len(l.src) {
		c := l.src[l.at]
		switch {
		case strings.IndexByte(" \t\r\n\v\f", c) >= 0:
			l.at++
		case l.has("?>"):
			l.emit(phpClose, l.closeTag())
			if closer == 0 {
				return false, nil
			}
			if err := l.html(); err != nil { // odd, but PHP reads it so
				return false, err
			}
		case l.has("#[") && !l.property() || c != '#' && !l.has("//") && !l.has("/*"):
			if closer != 0 && depth == 0 && c == closer {
				l.at++
				return true, nil
			}
			switch c {
			case '{':
				depth++
			case '}':
				depth--
			}
			if err := l.token(c); err != nil {
				return false, err
			}
		default:
			if err := l.comment(); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// closeTag returns the end of ?> with the one line end that belongs to it.
func (l *phpLexer) closeTag() int {
	rest := l.src[l.at+2:]
	switch {
	case bytes.HasPrefix(rest, []byte("\r\n")):
		return l.at + 4
	case bytes.HasPrefix(rest, []byte("\n")), bytes.HasPrefix(rest, []byte("\r")):
		return l.at + 3
	}
	return l.at + 2
}

func (l *phpLexer) comment() error {
	if l.has("/*") {
		end := bytes.Index(l.src[l.at+2:], []byte("*/"))
		if end < 0 {
			return refuse(ParseError, l.at, "the comment is never closed")
		}
		l.emit(phpComment, l.at+2+end+2)
		return nil
	}
	rest := l.src[l.at:]
	end := len(rest)
	if i := bytes.IndexAny(rest, "\r\n"); i >= 0 {
		end = i
	}
	if i := bytes.Index(rest[:end], []byte("?>")); i >= 0 {
		end = i
	}
	l.emit(phpComment, l.at+end)
	return nil
}

var (
	phpNumberPattern = regexp.MustCompile(`^(?:0[xX][0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|0[bB][01]+(?:_[01]+)*|0[oO][0-7]+(?:_[0-7]+)*|` +
		`(?:[0-9]+(?:_[0-9]+)*\.?(?:[0-9]+(?:_[0-9]+)*)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?)`)
	phpHeredocStart = regexp.MustCompile(`^[bB]?<<<[ \t]*(?:([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)|'([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)'|"([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)")(?:\r\n|\n|\r)`)
)

// phpOps are the operators of more than one character that a reader of
// assignments must tell from =, > and :.
var phpOps = []string{
	"<<=", ">>=", "**=", "...", "<=>", "===", "!==", "??=", "?->",
	"=>", "->", "::", "==", "!=", "<>", "<=", ">=", "+=", "-=", "*=", "/=", ".=", "%=", "&=", "|=", "^=", "??", "&&", "||", "++", "--",
}

func (l *phpLexer) token(c byte) error {
	if (c == 'b' || c == 'B') && !l.property() && (l.hasAt(1, '\'') || l.hasAt(1, '"')) {
		l.at++
		err := l.token(l.src[l.at])
		if err == nil {
			l.tokens[len(l.tokens)-1].start-- // the b belongs to the string
		}
		return err
	}
	switch {
	case c == '\'':
		return l.single()
	case c == '"' || c == '`':
		return l.double(c)
	case c == '$' && phpWord(l.src[l.at+1:]) > 0:
		l.emit(phpVariable, l.at+1+phpWord(l.src[l.at+1:]))
	case c == '<' || c == 'b' || c == 'B':
		if m := phpHeredocStart.FindSubmatchIndex(l.src[l.at:]); m != nil {
			return l.heredoc(m)
		}
		fallthrough
	default:
		return l.word(c)
	}
	return nil
}

func (l *phpLexer) word(c byte) error {
	rest := l.src[l.at:]
	if c >= '0' && c <= '9' || c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9' {
		l.emit(phpNumber, l.at+len(phpNumberPattern.Find(rest)))
		return nil
	}
	if n := phpNameLen(rest); n > 0 {
		halt := strings.EqualFold(string(rest[:n]), "__halt_compiler")
		l.emit(phpName, l.at+n)
		if halt {
			return l.halt()
		}
		return nil
	}
	for _, op := range phpOps {
		if l.has(op) {
			l.emit(phpOp, l.at+len(op))
			return nil
		}
	}
	l.emit(phpOp, l.at+1)
	return nil
}

// phpWord returns the length of the identifier that s begins with. Bytes above
// 0x7f belong to it, in whatever encoding.
func phpWord(s []byte) int {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}

// phpNameLen returns the length of the name, with namespaces, that s begins
// with.
func phpNameLen(s []byte) int {
	n := 0
	if len(s) > 0 && s[0] == '\\' {
		n = 1
	}
	for {
		w := phpWord(s[n:])
		if w == 0 {
			return max(n-1, 0)
		}
		n += w
		if n == len(s) || s[n] != '\\' {
			return n
		}
		n++
	}
}

// halt turns all that follows __halt_compiler(); into data.
func (l *phpLexer) halt() error {
	for _, op := range []byte("();") {
		for l.at < len(l.src) && strings.IndexByte(" \t\r\n", l.src[l.at]) >= 0 {
			l.at++
		}
		if op == ';' && l.has("?>") {
			l.emit(phpClose, l.closeTag())
			break
		}
		if l.at == len(l.src) || l.src[l.at] != op {
			return refuse(ParseError, l.at, "__halt_compiler without ();")
		}
		l.emit(phpOp, l.at+1)
	}
	if l.at < len(l.src) {
		l.emit(phpData, len(l.src))
	}
	return nil
}

func (l *phpLexer) single() error {
	for i := l.at + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case '\\':
			i++
		case '\'':
			l.emit(phpString, i+1)
			return nil
		}
	}
	return refuse(ParseError, l.at, "the string is never closed")
}

// double reads "..." or `...` and the code inside it.
func (l *phpLexer) double(quote byte) error {
	start, before := l.at, len(l.tokens)
	kind := phpString
	if quote == '`' {
		kind = phpBacktick
	}
	for l.at++; l.at < len(l.src); {
		c := l.src[l.at]
		switch {
		case c == '\\':
			l.at += 2
		case c == quote:
			end := l.at + 1
			l.at, l.tokens = start, l.tokens[:before]
			l.emit(kind, end)
			return nil
		default:
			interpolated, err := l.interpolation()
			if err != nil {
				return err
			}
			if interpolated && kind == phpString {
				kind = phpInterp
			}
		}
	}
	return refuse(ParseError, start, "the string is never closed")
}

// interpolation goes past one character of a string, or past the variable or
// the code that begins there.
func (l *phpLexer) interpolation() (bool, error) {
	rest := l.src[l.at:]
	switch {
	case l.has("{$"):
		l.at++
	case l.has("${"):
		l.at += 2
	case rest[0] == '$' && phpWord(rest[1:]) > 0:
		l.at += 1 + phpWord(rest[1:])
		return true, nil
	default:
		l.at++
		return false, nil
	}
	start := l.at
	closed, err := l.code('}')
	if err == nil && !closed {
		err = refuse(ParseError, start, "the interpolation is never closed")
	}
	return true, err
}

// labelEnds reports whether no longer word than the label ends at the offset.
// At the very end of a file PHP finds no label.
func (l *phpLexer) labelEnds(at int) bool {
	return at < len(l.src) && phpWord([]byte{'x', l.src[at]}) == 1
}

// property reports whether the last token was -> or ?->, after which a b begins
// no string and #[ no attribute.
func (l *phpLexer) property() bool {
	if len(l.tokens) == 0 {
		return false
	}
	last := l.tokens[len(l.tokens)-1]
	return last.kind == phpOp && bytes.HasSuffix(l.src[last.start:last.end], []byte("->"))
}

// heredoc reads up to the closing label, which may be indented, on a line of
// its own or before more code.
func (l *phpLexer) heredoc(m []int) error {
	start, before := l.at, len(l.tokens)
	label, raw := "", false
	for group := 2; group < len(m); group += 2 {
		if m[group] >= 0 {
			label = string(l.src[start+m[group] : start+m[group+1]])
			raw = group == 4
		}
	}
	l.at += m[1]
	for lineStart := true; l.at < len(l.src); {
		if lineStart {
			at := l.at
			for at < len(l.src) && (l.src[at] == ' ' || l.src[at] == '\t') {
				at++
			}
			if bytes.HasPrefix(l.src[at:], []byte(label)) && l.labelEnds(at+len(label)) {
				l.at, l.tokens = start, l.tokens[:before]
				l.emit(phpHeredoc, at+len(label))
				return nil
			}
		}
		c := l.src[l.at]
		lineStart = c == '\n' || c == '\r'
		switch {
		case raw:
			l.at++
		case c == '\\' && l.at+1 < len(l.src) && l.src[l.at+1] != '\n' && l.src[l.at+1] != '\r':
			l.at += 2
		default:
			if _, err := l.interpolation(); err != nil {
				return err
			}
		}
	}
	return refuse(ParseError, start, "the heredoc %s is never closed", label)
}
