package stamp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// scan reads a file twice, for what a line is can depend on all others: first it
// collects what the whole shows. Its seams are at lines that begin with a key or a
// header, which no value goes on in.
func (ini) scan(src string, from seam, found sink) error {
	if nul := strings.IndexByte(src[from.at:], 0); nul >= 0 {
		return refuse(ParseError, from.at+nul, "a NUL byte: the file is not text, or UTF-16")
	}
	s := iniScanner{src: src, found: found}
	at := max(from.at, bomLen(src))
	if state, ok := from.state.(iniState); ok {
		s.iniState = state
	} else {
		s.iniState = iniState{whole: iniLookAt(src), seen: newIniLook()}
	}
	for due := at + 1; at < len(src); {
		if at >= due && s.firm(src[at]) {
			s.flush()
			if due = found.seam(seam{at, s.iniState}); due < 0 {
				return nil
			}
		}
		l := iniNextLine(src, at)
		s.seen.line(src, l)
		if err := s.line(l); err != nil {
			return err
		}
		at = l.next
	}
	s.flush()
	if s.seen.iniEvidence != s.whole.iniEvidence && found.again() {
		// It is a text that shows something else than the one of the seam.
		return ini{}.scan(src, seam{}, found)
	}
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
	iniState
	src     string
	held    literal // that of the last key, as long as its value can go on
	heldKey []byte
	holds   bool   // there is one
	indent  int    // of its line
	keyBuf  []byte // of what is read
	found   sink
}

// iniState is what the lines before a seam leave behind.
type iniState struct {
	whole   *iniWhole
	seen    iniLook
	section string // what keys begin with
	twice   bool   // the section has several headers
}

// firm reports whether what is held is complete before a line that begins so,
// and all that was looked at is before it.
func (s *iniScanner) firm(c byte) bool {
	return c > ' ' && c < utf8.RuneSelf && c != ';' && c != '#' && !s.seen.ahead
}

// flush hands on what is held.
func (s *iniScanner) flush() {
	if s.holds {
		s.add(&s.held)
		s.holds = false
	}
}

// add hands on a literal. PHP keeps the last of several sections of one name,
// Python refuses the file, others read them as one.
func (s *iniScanner) add(l *literal) {
	if s.twice {
		l.refuse("in a section that begins more than once")
	}
	s.found.add(l)
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
	case s.holds && l.indent > s.indent && !s.whole.quotes():
		return s.more(text, l)
	}
	s.flush()
	if text[0] == '[' {
		return s.header(text, l)
	}
	s.indent = l.indent
	v, err := s.option(text, l)
	if err == nil && v.key != "" {
		s.heldKey = append(s.heldKey[:0], v.key...)
		v.key = view(s.heldKey)
		s.held, s.holds = v, true
	}
	return err
}

// hash reads a comment. PHP, for which it is none, can find the beginning of a
// text of several lines in it.
func (s *iniScanner) hash(text string, l iniText) error {
	if _, value, ok := strings.Cut(text, "="); ok && !s.whole.plain && s.opens(iniShapeOf(value), l.end) {
		return refuse(ParseError, l.start, "a quote is not closed in this line, which is no comment to PHP")
	}
	return nil
}

// opens reports whether the value that ends at the offset begins a text in
// quotes that goes on in other lines.
func (s *iniScanner) opens(v iniShape, end int) bool {
	s.seen.ahead = s.seen.ahead || v.unclosed
	return v.unclosed && strings.IndexByte(s.src[end:], v.quote) >= 0
}

// more reads a line that is indented more than the last key: Python goes on with
// the value there, PHP finds another key or a header.
func (s *iniScanner) more(text string, l iniText) error {
	s.held.refuse(severalLines)
	if s.whole.python {
		return nil
	}
	if text[0] == '[' {
		return refuse(ParseError, l.start, "a header that is indented more than the key before it, which some readers take for more of the value there")
	}
	v, err := s.option(text, l)
	if err == nil && v.key != "" {
		v.refuse("indented more than the key before it, and so more of the value there to some readers")
		s.add(&v)
	}
	return err
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
	s.twice = s.whole.repeated[mix(markSeed, name)]
	return nil
}

// option reads a line with a key. Without one, that of the literal is empty.
func (s *iniScanner) option(text string, l iniText) (v literal, err error) {
	delimiter, colon := iniDelimiter(text)
	if delimiter < 0 {
		return s.lone(text, l)
	}
	name := iniTrimmed(text[:delimiter])
	if name == "" {
		return v, refuse(ParseError, l.start, "a name is missing")
	}
	start := l.start + delimiter + 1
	start += iniBlanks(s.src[start:l.end])
	v = literal{key: s.key(name), start: start, end: l.end}
	value := s.src[start:l.end]
	shape := iniShapeOf(value)
	switch {
	case s.opens(shape, l.end):
		return v, refuse(ParseError, start, "a quote is not closed in this line")
	case colon && !s.whole.python:
		v.refuse("after a colon, which is part of the name to some readers")
	case strings.IndexByte(name, ';') >= 0, strings.IndexByte(name, '#') >= 0 && (strings.Contains(name, " #") || strings.Contains(name, "\t#")):
		v.refuse("in a comment to some readers")
	case shape.quote != 0 && !shape.unclosed:
		s.quoted(&v, value, shape)
	default:
		s.bare(&v, value, shape, colon)
	}
	return v, nil
}

// lone reads a line without a value: a switch, or what other programs than the
// one that reads the file are told.
func (s *iniScanner) lone(text string, l iniText) (v literal, err error) {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "!include", "!includedir", "%include", "%unset":
		return v, nil
	}
	if !iniLone(text) {
		return v, refuse(ParseError, l.start, "the line is no [section] and no key = value")
	}
	v = literal{key: s.key(text), start: l.end}
	v.refuse("missing: the line has no =")
	return v, nil
}

// key returns the key of a name, until the next one.
func (s *iniScanner) key(name string) string {
	name = iniName(name)
	if iniNeedsQuotes(name) {
		return s.section + `"` + iniEscaped(name) + `"`
	}
	s.keyBuf = append(append(s.keyBuf[:0], s.section...), name...)
	return view(s.keyBuf)
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
	case shape.comment < len(value) && (s.whole.plain || shape.comment == shape.end):
		l.refuse(iniCommented)
	case shape.quote == '"' && strings.Contains(text, "${"), s.whole.python && iniInterpolated(text):
		l.refuse("interpolated")
	default:
		if shape.quote == '"' && !s.whole.plain && strings.Contains(text, `\\`) {
			text = strings.ReplaceAll(text, `\\`, `\`)
		}
		l.end = l.start + shape.end
		l.style, l.kind, l.text, l.ways = shape.quote, "string", text, s.whole.inQuotes(shape.quote)
	}
}

const iniCommented = "followed by what is a comment to some readers, and more of the value to others"

// bare reads a value without quotes. That of PHP ends at a comment.
func (s *iniScanner) bare(l *literal, value string, shape iniShape, colon bool) {
	if c := shape.comment; c < len(value) && s.whole.quotes() && (c == 0 || value[c-1] == ' ' || value[c-1] == '\t') {
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
	case shape.classes&iniEvaluated != 0 && !s.whole.plain:
		l.refuse("an expression to some readers")
	case value != "" && l.end < len(s.src) && s.src[l.end] != '\n' && !s.whole.plain && strings.Trim(s.src[l.end:], " \t") == "":
		l.refuse("before blanks at the end of the file, which are part of it to PHP")
	case shape.classes&iniOdd != 0:
		l.refuse(s.odd(value))
	}
	if l.refused == "" {
		l.kind, l.text, l.ways = "string", value, s.whole.withoutQuotes(shape.equals || shape.apostrophe, colon)
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
	case strings.TrimSpace(value) != value && !s.whole.quotes():
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
