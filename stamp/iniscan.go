package stamp

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func (ini) scan(src string, found sink) error {
	if nul := strings.IndexByte(src, 0); nul >= 0 {
		return refuse(ParseError, nul, "a NUL byte: the file is not text, or UTF-16")
	}
	var r iniReader
	keys := r.look(src)
	s := iniScanner{src: src, reader: r, last: -1, found: make([]literal, 0, keys)}
	for at := bomLen(src); at < len(src); {
		l := iniNextLine(src, at)
		if err := s.line(l); err != nil {
			return err
		}
		at = l.next
	}
	s.refuseRepeated()
	s.found.handTo(found)
	return nil
}

// iniText is a line without the blanks around it.
type iniText struct {
	start, end, next int
	indent           int
}

// iniNextLine returns the line at the offset. It ends at LF, CR or both.
func iniNextLine(src string, at int) iniText {
	rest := src[at:]
	n := strings.IndexByte(rest, '\n')
	if n < 0 {
		n = len(rest)
	}
	next := at + n + 1
	if cr := strings.IndexByte(rest[:n], '\r'); cr >= 0 {
		if cr < n-1 {
			next = at + cr + 1
		}
		n = cr
	}
	indent := iniBlanks(rest[:n])
	return iniText{at + indent, at + indent + len(iniTrimmed(rest[indent:n])), min(next, len(src)), indent}
}

// iniTrimmed returns s without the blanks at its end.
func iniTrimmed(s string) string {
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// iniBlanks returns how many blanks s begins with.
func iniBlanks(s string) int {
	n := 0
	for n < len(s) && (s[n] == ' ' || s[n] == '\t') {
		n++
	}
	return n
}

// iniNothing reports whether the line is blank or a comment to all readers.
func iniNothing(text string) bool {
	return text == "" || text[0] == ';' || (text[0] < ' ' || text[0] >= utf8.RuneSelf) && strings.TrimSpace(text) == ""
}

// iniDelimiter returns where the key of a line ends for Python, at the first =
// or :, and whether that is a colon; -1 without either.
func iniDelimiter(text string) (at int, colon bool) {
	for i := range len(text) {
		if c := text[i]; c == '=' || c == ':' {
			return i, c == ':'
		}
	}
	return -1, false
}

// iniScanner reads the lines for a reader.
type iniScanner struct {
	src     string
	reader  iniReader
	found   literals
	section string // what its keys begin with
	indent  int    // of the last key
	last    int    // index in found of that key, or -1 below a header
	headers []iniHeader
}

// iniHeader is a header and the index of the first key below it.
type iniHeader struct {
	section string
	first   int
}

func (s *iniScanner) line(l iniText) error {
	text := s.src[l.start:l.end]
	switch {
	case iniNothing(text):
		return nil
	case text[0] < ' ' || text[0] >= utf8.RuneSelf && strings.TrimLeftFunc(text, unicode.IsSpace) != text:
		return refuse(ParseError, l.start, "the line begins with a blank that is none to some readers")
	case text[0] == '#':
		return s.hash(text, l)
	case s.last >= 0 && l.indent > s.indent && !s.reader.quotes():
		return s.more(text, l)
	case text[0] == '[':
		return s.header(text, l)
	}
	s.indent = l.indent
	s.last = len(s.found)
	return s.option(text, l)
}

// hash reads a comment. PHP, for which it is none, can find the beginning of a
// text of several lines in it.
func (s *iniScanner) hash(text string, l iniText) error {
	if _, value, ok := strings.Cut(text, "="); ok && !s.reader.plain && s.opens(iniShapeOf(value), l.end) {
		return refuse(ParseError, l.start, "a quote is not closed in this line, which is no comment to PHP")
	}
	return nil
}

// opens reports whether the value that ends at the offset begins a text in
// quotes that goes on in other lines.
func (s *iniScanner) opens(v iniShape, end int) bool {
	return v.unclosed && strings.IndexByte(s.src[end:], v.quote) >= 0
}

// more reads a line that is indented more than the last key: Python goes on with
// the value there, PHP finds another key or a header.
func (s *iniScanner) more(text string, l iniText) error {
	s.found[s.last].refuse(severalLines)
	if s.reader.python {
		return nil
	}
	if text[0] == '[' {
		return refuse(ParseError, l.start, "a header that is indented more than the key before it, which some readers take for more of the value there")
	}
	n := len(s.found)
	if err := s.option(text, l); err != nil {
		return err
	}
	for i := range s.found[n:] {
		s.found[n+i].refuse("indented more than the key before it, and so more of the value there to some readers")
	}
	return nil
}

func (s *iniScanner) header(text string, l iniText) error {
	end := strings.IndexByte(text, ']')
	if end < 0 {
		return refuse(ParseError, l.start, "the [ is never closed in this line")
	}
	name, rest := text[1:end], text[end+1+iniBlanks(text[end+1:]):]
	if name == "" || rest != "" && rest[0] != ';' && rest[0] != '#' || strings.Contains(rest, "]") {
		return refuse(ParseError, l.start, "the line is no [section]")
	}
	s.section = iniQuoted(name) + "."
	s.last = -1
	s.headers = append(s.headers, iniHeader{s.section, len(s.found)})
	return nil
}

// refuseRepeated refuses the values of sections that have several headers: PHP
// keeps the last of them, Python refuses the file, others read them as one.
func (s *iniScanner) refuseRepeated() {
	times := make(map[string]int, len(s.headers))
	for _, h := range s.headers {
		times[h.section]++
	}
	if len(times) == len(s.headers) {
		return
	}
	end := len(s.found)
	for _, h := range slices.Backward(s.headers) {
		if times[h.section] > 1 {
			for i := h.first; i < end; i++ {
				s.found[i].refuse("in a section that begins more than once")
			}
		}
		end = h.first
	}
}

// option reads a line with a key.
func (s *iniScanner) option(text string, l iniText) error {
	delimiter, colon := iniDelimiter(text)
	if delimiter < 0 {
		return s.lone(text, l)
	}
	name := iniTrimmed(text[:delimiter])
	if name == "" {
		return refuse(ParseError, l.start, "a name is missing")
	}
	start := l.start + delimiter + 1
	start += iniBlanks(s.src[start:l.end])
	v := literal{key: s.key(name), start: start, end: l.end}
	value := s.src[start:l.end]
	shape := iniShapeOf(value)
	switch {
	case s.opens(shape, l.end):
		return refuse(ParseError, start, "a quote is not closed in this line")
	case colon && !s.reader.python:
		v.refuse("after a colon, which is part of the name to some readers")
	case strings.IndexByte(name, ';') >= 0, strings.IndexByte(name, '#') >= 0 && (strings.Contains(name, " #") || strings.Contains(name, "\t#")):
		v.refuse("in a comment to some readers")
	case shape.quote != 0 && !shape.unclosed:
		s.quoted(&v, value, shape)
	default:
		s.bare(&v, value, shape, colon)
	}
	s.found = append(s.found, v)
	return nil
}

// lone reads a line without a value: a switch, or what other programs than the
// one that reads the file are told.
func (s *iniScanner) lone(text string, l iniText) error {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "!include", "!includedir", "%include", "%unset":
		s.last = -1
		return nil
	}
	if !iniLone(text) {
		return refuse(ParseError, l.start, "the line is no [section] and no key = value")
	}
	v := literal{key: s.key(text), start: l.end}
	v.refuse("missing: the line has no =")
	s.found = append(s.found, v)
	return nil
}

func (s *iniScanner) key(name string) string {
	name = iniName(name)
	if iniNeedsQuotes(name) {
		return s.section + `"` + iniEscaped(name) + `"`
	}
	return s.section + name
}

// refuse makes it no literal, for the first reason that there is.
func (l *literal) refuse(why string) {
	if l.refused == "" && why != "" {
		*l = literal{key: l.key, start: l.start, end: l.start, refused: why}
	}
}

// quoted reads a value that is in quotes as a whole, perhaps before a comment.
func (s *iniScanner) quoted(l *literal, value string, shape iniShape) {
	text := value[1 : shape.end-1]
	switch {
	case shape.escaped:
		l.refuse("a text with a quote in it, which readers read differently")
	case shape.comment < len(value) && (s.reader.plain || shape.comment == shape.end):
		l.refuse(iniCommented)
	case shape.quote == '"' && strings.Contains(text, "${"), s.reader.python && iniInterpolated(text):
		l.refuse("interpolated")
	default:
		if shape.quote == '"' && !s.reader.plain && strings.Contains(text, `\\`) {
			text = strings.ReplaceAll(text, `\\`, `\`)
		}
		l.end = l.start + shape.end
		l.style, l.kind, l.text, l.ways = shape.quote, "string", text, s.reader.inQuotes(shape.quote)
	}
}

const iniCommented = "followed by what is a comment to some readers, and more of the value to others"

// bare reads a value without quotes. That of PHP ends at a comment.
func (s *iniScanner) bare(l *literal, value string, shape iniShape, colon bool) {
	if c := shape.comment; c < len(value) && s.reader.quotes() && (c == 0 || value[c-1] == ' ' || value[c-1] == '\t') {
		value = iniTrimmed(value[:c])
		shape.comment = len(value)
		if value == "" { // it goes before the blanks
			l.start = strings.LastIndexByte(s.src[:l.start], '=') + 1
		}
	}
	l.end = l.start + len(value)
	switch {
	case shape.comment < len(value):
		l.refuse(iniCommented)
	case shape.quotes:
		l.refuse("partly in quotes")
	case shape.classes&iniEvaluated != 0 && !s.reader.plain:
		l.refuse("an expression to some readers")
	case value != "" && l.end < len(s.src) && s.src[l.end] != '\n' && !s.reader.plain && strings.Trim(s.src[l.end:], " \t") == "":
		l.refuse("before blanks at the end of the file, which are part of it to PHP")
	case shape.classes&iniOdd != 0:
		l.refuse(s.odd(value))
	}
	if l.refused == "" {
		l.kind, l.text, l.ways = "string", value, s.reader.withoutQuotes(shape.equals || shape.apostrophe, colon)
	}
}

// odd returns why a value is no literal that has characters which do something
// in some places; it is empty when these are others.
func (s *iniScanner) odd(value string) string {
	switch {
	case strings.HasPrefix(value, "#"), strings.Contains(value, " #"), strings.Contains(value, "\t#"):
		return iniCommented
	case strings.Contains(value, "${"), iniInterpolated(value):
		return "interpolated"
	case strings.TrimSpace(value) != value && !s.reader.quotes():
		return "between blanks that some readers take off"
	case strings.HasSuffix(value, `\`):
		return "continued in the next line, to some readers"
	}
	return ""
}

// withoutQuotes returns the ways to write a value. What alone shows of the file
// that it is not for PHP must show it again: the old value, or the colon before
// it.
func (r iniReader) withoutQuotes(foreign, colon bool) string {
	switch {
	case r.once && foreign:
		return "pe"
	case r.once && colon:
		return "c"
	case r.plain:
		return "r"
	case r.double && r.single:
		return `p"'`
	case r.double:
		return `p"`
	case r.single:
		return `p'"`
	}
	return "p"
}

// inQuotes returns the ways to write a value where one is in the quotes.
func (r iniReader) inQuotes(quote byte) string {
	switch {
	case r.plain && quote == '"':
		return "d"
	case r.plain:
		return "s"
	case quote == '\'':
		return `'"`
	case r.single:
		return `"'`
	}
	return `"`
}
