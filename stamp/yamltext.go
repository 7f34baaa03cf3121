package stamp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// yamlStop are the bytes that can end plain text in a block collection.
var yamlStop = byteSet(":#\n\r")

// yamlIndicator are the bytes that plain text does not begin with (5.3), but
// for "-?:", on which it depends what follows.
var yamlIndicator = byteSet("-?:,[]{}#&*!|>'\"%@`")

// plainStart reports whether plain text may begin at at (7.3.3).
func (s *yamlScanner) plainStart(at int) bool {
	c := s.src[at]
	return !yamlIndicator[c] || (c == '-' || c == '?' || c == ':') && !s.blank(at+1)
}

// plain reads plain text of a block collection in column parent. It goes on in
// lines that are indented more than that; behind a comment there must be none.
func (s *yamlScanner) plain(key, tag string, parent int) bool {
	start := s.at
	if !s.plainStart(start) {
		return false
	}
	end := s.plainEnd(start)
	if end < 0 {
		return false
	}
	text := s.src[start:end]
	s.at = end
	if !s.next() {
		return false
	}
	if s.column <= parent {
		s.addPlain(key, start, text, tag, false)
		return true
	}
	b := append(s.buf[:0], text...)
	for s.column > parent {
		b = appendBreaks(b, s.breaks)
		if end = s.plainEnd(s.at); end < 0 || s.comment {
			return false
		}
		b = append(b, s.src[s.at:end]...)
		s.at = end
		if !s.next() {
			return false
		}
	}
	s.buf = b
	s.addFolded(key, start, string(b), tag, false)
	return true
}

// plainEnd returns where the plain text at at ends on its line, or -1 when it
// turns out to be a name.
func (s *yamlScanner) plainEnd(at int) int {
	src, start := s.src, at
	for ; at < len(src); at++ {
		c := src[at]
		if !yamlStop[c] {
			continue
		}
		switch {
		case c == ':' && s.blank(at+1):
			return -1
		case c == ':', c == '#' && !s.blank(at-1):
		default:
			return s.trim(start, at)
		}
	}
	return s.trim(start, at)
}

// trim returns where the text ends that has blanks behind it.
func (s *yamlScanner) trim(start, end int) int {
	for end > start && (s.src[end-1] == ' ' || s.src[end-1] == '\t') {
		end--
	}
	return end
}

// yamlScalar is text at an offset, which the tag makes a string or refuses.
func yamlScalar(key string, at int, text, tag string) literal {
	l := literal{key: key, start: at, end: at, kind: "string", text: text}
	if tag != "" && tag != "!" {
		if l.kind = yamlKind(tag); l.kind != "string" {
			l.refused = "tagged"
		}
	}
	return l
}

// addPlain adds plain text.
func (s *yamlScanner) addPlain(key string, start int, text, tag string, flow bool) {
	l := yamlScalar(key, start, text, tag)
	l.flow = flow
	if tag == "" {
		l.kind, l.text = yamlWord(yamlPlainKind(text), text)
	}
	if l.refused == "" {
		l.end += len(text)
	}
	s.found.add(l)
}

// addFolded adds plain text of several lines.
func (s *yamlScanner) addFolded(key string, start int, text, tag string, flow bool) {
	l := yamlScalar(key, start, text, tag)
	l.flow = flow
	if tag == "" {
		l.kind = yamlPlainKind(text)
	}
	if l.refused == "" {
		l.refused = severalLines
	}
	s.found.add(l)
}

// appendBreaks folds n line breaks (6.5).
func appendBreaks(b []byte, n int) []byte {
	if n == 1 {
		return append(b, ' ')
	}
	for range n - 1 {
		b = append(b, '\n')
	}
	return b
}

// quoted returns the text in the quotes that open at at, and where it ends.
func (s *yamlScanner) quoted(at int) (text string, end int, ok bool) {
	src, quote := s.src, s.src[at]
	for end = at + 1; end < len(src); end++ {
		switch c := src[end]; {
		case c == quote && (c == '"' || end+1 == len(src) || src[end+1] != '\''):
			return src[at+1 : end], end + 1, true
		case c == quote, c == '\n', c == '\\' && quote == '"':
			return s.unquote(at)
		}
	}
	return "", 0, false
}

// unquote is quoted for text with escapes (5.7) or over several lines, which
// are folded (7.3.1, 7.3.2).
func (s *yamlScanner) unquote(at int) (text string, end int, ok bool) {
	src, quote := s.src, s.src[at]
	b := s.buf[:0]
	for at++; at < len(src); {
		switch c := src[at]; {
		case c == quote && quote == '\'' && strings.HasPrefix(src[at:], "''"):
			b = append(b, c)
			at += 2
		case c == quote:
			s.buf = b
			return string(b), at + 1, true
		case c == '\\' && quote == '"':
			if b, at, ok = s.escape(b, at+1); !ok {
				return "", 0, false
			}
		case s.blank(at):
			end, breaks, ok := s.fold(at)
			if !ok {
				return "", 0, false
			}
			if breaks == 0 {
				b = append(b, src[at:end]...)
			} else {
				b = appendBreaks(b, breaks)
			}
			at = end
		default:
			b = append(b, c)
			at++
		}
	}
	return "", 0, false
}

// fold passes blanks and line breaks, and counts these. No document may end
// there.
func (s *yamlScanner) fold(at int) (end, breaks int, ok bool) {
	line := -1
	for ; at < len(s.src) && s.blank(at); at++ {
		if s.src[at] == '\n' {
			breaks++
			line = at + 1
		}
	}
	return at, breaks, at != line || !s.marker(at)
}

var yamlEscapes = map[byte]string{
	'0': "\x00", 'a': "\a", 'b': "\b", 't': "\t", '\t': "\t", 'n': "\n", 'v': "\v", 'f': "\f", 'r': "\r", 'e': "\x1b",
	' ': " ", '"': `"`, '\'': "'", '\\': `\`, 'N': "\u0085", '_': "\u00a0", 'L': "\u2028", 'P': "\u2029",
}

// escape appends what the escape means whose backslash is before at.
func (s *yamlScanner) escape(b []byte, at int) (_ []byte, end int, ok bool) {
	if at == len(s.src) {
		return b, 0, false
	}
	digits := 0
	switch c := s.src[at]; c {
	case '\n', '\r':
		end, breaks, ok := s.fold(at)
		for range breaks - 1 {
			b = append(b, '\n')
		}
		return b, end, ok
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		text, ok := yamlEscapes[c]
		return append(b, text...), at + 1, ok
	}
	end = at + 1 + digits
	if end > len(s.src) {
		return b, 0, false
	}
	code, err := strconv.ParseUint(s.src[at+1:end], 16, 32)
	if err != nil || code > utf8.MaxRune || code >= 0xd800 && code < 0xe000 {
		return b, 0, false
	}
	return utf8.AppendRune(b, rune(code)), end, true
}

// block reads a literal or folded block scalar (8.1) below a collection in
// column parent.
func (s *yamlScanner) block(key, tag string, parent int) bool {
	b := yamlBlock{folded: s.src[s.at] == '>', parent: parent, text: s.buf[:0]}
	l := yamlScalar(key, s.at, "", tag)
	if l.refused == "" {
		l.refused = "a block of text"
	}
	s.at++
	s.blockHeader(&b)
	at, ok := s.restOfLine()
	for ok && at < len(s.src) {
		var more bool
		if at, more, ok = s.blockLine(&b, at); !more {
			break
		}
	}
	if !ok {
		return false
	}
	s.buf = b.end()
	l.text = string(s.buf)
	s.found.add(l)
	return s.token(at)
}

// yamlBlock is a block scalar that is read line by line.
type yamlBlock struct {
	folded bool
	chomp  byte // '-', '+' or 0
	parent int  // column of the collection that it is in
	margin int  // column of its text; 0 as long as that is not known
	widest int  // empty line so far, until then

	text   []byte
	broken bool // there is a line break behind text
	breaks int  // empty lines behind it
	spaced bool // its last line begins with a blank
}

// blockHeader reads the indicators behind "|" or ">", in either order (8.1.1).
func (s *yamlScanner) blockHeader(b *yamlBlock) {
	for range 2 {
		if s.at == len(s.src) {
			return
		}
		switch c := s.src[s.at]; {
		case (c == '+' || c == '-') && b.chomp == 0:
			b.chomp = c
		case c >= '1' && c <= '9' && b.margin == 0:
			b.margin = max(b.parent, 0) + int(c-'0')
		default:
			return
		}
		s.at++
	}
}

// blockLine reads the line that begins at at. It returns where the next one
// begins, or when the text ends before this line, at and false.
func (s *yamlScanner) blockLine(b *yamlBlock, at int) (next int, more, ok bool) {
	src, start := s.src, at
	for at < len(src) && src[at] == ' ' && (b.margin == 0 || at-start < b.margin) {
		at++
	}
	column := at - start
	switch {
	case at == len(src):
		return at, false, true
	case src[at] == '\n' || src[at] == '\r':
		b.breaks++
		b.widest = max(b.widest, column)
		return s.lineBelow(at), true, true
	case src[at] == '\t' && (b.margin == 0 || column < b.margin):
		return 0, false, false
	case b.margin == 0:
		if b.widest > column {
			return 0, false, false
		}
		b.margin = max(column, b.parent+1, 1)
	}
	if column < b.margin {
		return start, false, true
	}
	next = s.lineBelow(at)
	line := src[at:next]
	text := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	b.line(text, len(text) < len(line))
	return next, true, true
}

// line appends a line of text. Only breaks between two lines that begin with no
// blank are folded (8.1.3).
func (b *yamlBlock) line(text string, broken bool) {
	spaced := text[0] == ' ' || text[0] == '\t'
	switch {
	case !b.broken:
	case !b.folded || b.spaced || spaced:
		b.text = append(b.text, '\n')
	case b.breaks == 0:
		b.text = append(b.text, ' ')
	}
	b.emptyLines()
	b.text = append(b.text, text...)
	b.broken, b.spaced = broken, spaced
}

func (b *yamlBlock) emptyLines() {
	for range b.breaks {
		b.text = append(b.text, '\n')
	}
	b.breaks = 0
}

// end returns the text with as many line breaks behind it as it should have
// (8.1.1.2).
func (b *yamlBlock) end() []byte {
	if b.chomp != '-' && b.broken {
		b.text = append(b.text, '\n')
	}
	if b.chomp == '+' {
		b.emptyLines()
	}
	return b.text
}
