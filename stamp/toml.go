package stamp

import (
	"strings"
	"time"
	"unicode/utf8"
)

// tomlLang is TOML 1.1 (toml.io), which reads all of 1.0 alike. What it writes
// is of 1.0. A table has its key however it came to be: by a header, by a
// longer header, or by a dotted key.
type tomlLang struct{}

func (tomlLang) selector(key string) (selector, error) { return pathSelector(key) }

func (tomlLang) scan(src string, _ seam, found sink) error {
	if !utf8.ValidString(src) {
		return refuse(ParseError, invalidUTF8([]byte(src)), "the file is not UTF-8, as TOML must be")
	}
	pairs := min(strings.Count(src, "="), len(src)/8)
	s := tomlScanner{cursor: cursor{src, bomLen(src)}, found: spare{found: found}, seen: make(map[string]tomlNode, pairs+pairs/8)}
	for s.at < len(src) {
		if err := s.line(); err != nil {
			return err
		}
	}
	return nil
}

// Styles of strings in triple quotes; of the others, the quote is the style.
const (
	tomlTripleBasic   = 'B'
	tomlTripleLiteral = 'L'
)

// tomlDates are the layouts of package time in which dates are written.
var tomlDates = map[string]string{
	"datetime":       time.RFC3339,
	"local-datetime": "2006-01-02T15:04:05",
	"date":           time.DateOnly,
	"time":           time.TimeOnly,
}

// encode keeps the quotes. Only basic strings have escapes.
func (tomlLang) encode(old literal, value string, asString bool) (string, error) {
	switch {
	case !asString:
		return tomlBare(old, value)
	case !utf8.ValidString(value):
		return "", refuse(ControlCharacter, -1, "the value %q is not UTF-8, as TOML must be", value)
	case old.style == '\'' && !strings.ContainsAny(value, "'\n"):
		return "'" + value + "'", nil
	case old.style == tomlTripleLiteral && !strings.Contains(value, "\n") && strings.Trim(value, "'") == value && !strings.Contains(value, "''"):
		return "'''" + value + "'''", nil
	}
	text := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value)
	if old.style == tomlTripleBasic {
		return `"""` + text + `"""`, nil
	}
	return `"` + text + `"`, nil
}

func tomlBare(old literal, value string) (string, error) {
	layout, ok := tomlDates[old.kind]
	if !ok {
		return encodeBare(old, value)
	}
	t, err := time.Parse(layout, value)
	if old.kind == "time" && err == nil {
		t = t.AddDate(1, 0, 0) // from the year 0, which Python does not have
	}
	if err != nil || t.Format(layout) != value || t.Year() == 0 {
		return "", refuse(TypeChange, -1, "the value there is of type %s, which %q is not", old.kind, value).
			hint("write it like " + time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC).Format(layout) + "; or " + toString)
	}
	return value, nil
}

// tomlNode is what a key stands for.
type tomlNode struct {
	kind     tomlKind
	elements int32 // of tomlTables
}

type tomlKind byte

const (
	tomlNone    tomlKind = iota
	tomlValue            // also an array or a table in brackets: nothing can be added to it
	tomlDotted           // a table made by dotted keys: only they add to it
	tomlImplied          // a table that only longer headers name, so far
	tomlTable            // a table that has had its header
	tomlTables           // an array of tables
)

// tomlDepth is how deep tables and arrays go at most. Python's own reader gives
// up earlier.
const tomlDepth = 1000

// tomlScanner checks a text and finds its values in one pass.
type tomlScanner struct {
	cursor
	depth int
	path  []byte // of the table of the last header, and of what is read in it
	keys  keyStore
	seen  map[string]tomlNode
	found spare
}

// line reads a line, or the lines of a value.
func (s *tomlScanner) line() *Error {
	s.blanks()
	var err *Error
	switch s.byte() {
	case '#', '\n', '\r':
	case '[':
		err = s.header()
	default:
		if table := len(s.path); s.at < len(s.src) {
			err = s.keyValue()
			s.path = s.path[:table]
		}
	}
	if err != nil {
		return err
	}
	s.blanks()
	if s.at < len(s.src) && strings.IndexByte("#\r\n", s.src[s.at]) < 0 {
		return s.wrong("%q where the line should end", s.next())
	}
	return s.lineEnd()
}

func (s *tomlScanner) blanks() {
	for s.at < len(s.src) && (s.src[s.at] == ' ' || s.src[s.at] == '\t') {
		s.at++
	}
}

// lineEnd reads the comment, if there is one, and the line's end.
func (s *tomlScanner) lineEnd() *Error {
	if s.byte() == '#' {
		for s.at++; s.at < len(s.src) && s.src[s.at] != '\n' && s.src[s.at] != '\r'; s.at++ {
			if tomlControl(s.src[s.at]) {
				return s.wrong("the control character %U in a comment", s.src[s.at])
			}
		}
	}
	if s.byte() == '\r' {
		if !strings.HasPrefix(s.src[s.at:], "\r\n") {
			return s.wrong("a carriage return that ends no line")
		}
		s.at++
	}
	if s.at < len(s.src) {
		s.at++
	}
	return nil
}

func tomlControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

// space skips blanks, comments and line ends, as between the members of what is
// in brackets.
func (s *tomlScanner) space() *Error {
	for {
		s.blanks()
		switch s.byte() {
		case '#', '\r', '\n':
			if err := s.lineEnd(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// key returns the path as a key to be kept.
func (s *tomlScanner) key() string { return s.keys.keep(s.path) }

// add notes that a table or array is at the path, and returns its key.
func (s *tomlScanner) add(at int, what string) string {
	key := s.key()
	s.found.add(literal{key: key, start: at, end: at, refused: what})
	return key
}

func (s *tomlScanner) addTable(at int, kind tomlKind) {
	s.seen[s.add(at, "a table")] = tomlNode{kind: kind}
}

// header reads [table] or [[table]].
func (s *tomlScanner) header() *Error {
	closing := "]"
	if strings.HasPrefix(s.src[s.at:], "[[") {
		closing = "]]"
	}
	s.at += len(closing)
	s.path = s.path[:0]
	for parts := 1; ; parts++ {
		at, more, err := s.name(parts)
		if err == nil && more {
			err = s.through(at)
		} else if err == nil && closing == "]" {
			err = s.table(at)
		} else if err == nil {
			err = s.element(at)
		}
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if !strings.HasPrefix(s.src[s.at:], closing) {
		return s.wrong("a header ends in %s", closing)
	}
	s.at += len(closing)
	return nil
}

// through goes into a table that is part of the way to another.
func (s *tomlScanner) through(at int) *Error {
	switch node := s.seen[string(s.path)]; node.kind {
	case tomlNone:
		s.addTable(at, tomlImplied)
	case tomlTables:
		s.path = appendIndex(s.path, int(node.elements)-1)
	case tomlValue:
		s.at = at
		return s.wrong("%s is a value already, and cannot be a table", s.path)
	}
	return nil
}

func (s *tomlScanner) table(at int) *Error {
	switch s.seen[string(s.path)].kind {
	case tomlNone:
		s.addTable(at, tomlTable)
	case tomlImplied:
		s.seen[s.key()] = tomlNode{kind: tomlTable}
	default:
		return s.twice(at)
	}
	return nil
}

// element begins the next table of an array of tables.
func (s *tomlScanner) element(at int) *Error {
	node := s.seen[string(s.path)]
	switch node.kind {
	case tomlNone:
		s.add(at, "an array")
	case tomlTables:
	default:
		s.at = at
		return s.wrong("%s is there already, and cannot be an array of tables", s.path)
	}
	s.seen[s.key()] = tomlNode{tomlTables, node.elements + 1}
	s.path = appendIndex(s.path, int(node.elements))
	s.add(at, "a table")
	return nil
}

// keyValue reads key = value, for the table whose path is there, and leaves
// that longer.
func (s *tomlScanner) keyValue() *Error {
	for parts := 1; ; parts++ {
		at, more, err := s.name(parts)
		if err != nil {
			return err
		}
		if !more {
			return s.pair(at)
		}
		switch s.seen[string(s.path)].kind {
		case tomlNone:
			s.addTable(at, tomlDotted)
		case tomlDotted:
		default:
			return s.twice(at)
		}
	}
}

// pair reads on after the key, whose last part is at offset at.
func (s *tomlScanner) pair(at int) *Error {
	key, before := s.key(), len(s.seen)
	if s.seen[key] = (tomlNode{kind: tomlValue}); len(s.seen) == before {
		return s.twice(at)
	}
	if s.byte() != '=' {
		return s.wrong("a = is missing after the key")
	}
	s.at++
	s.blanks()
	return s.value(key)
}

func (s *tomlScanner) twice(at int) *Error {
	s.at = at
	return s.wrong("%s is defined twice", s.path)
}

// name reads the nth part of a key, and the dot behind it if more follows. It
// returns where the part began.
func (s *tomlScanner) name(n int) (at int, more bool, err *Error) {
	s.blanks()
	if n > tomlDepth {
		return 0, false, s.wrong("a key has more than %d parts", tomlDepth)
	}
	at = s.at
	var name string
	switch c := s.byte(); {
	case c == '"' || c == '\'':
		if strings.HasPrefix(s.src[s.at:], `"""`) || strings.HasPrefix(s.src[s.at:], "'''") {
			return 0, false, s.wrong("a key in triple quotes")
		}
		name, err = s.quoted(c)
	default:
		for s.at < len(s.src) && tomlBareKey(s.src[s.at]) {
			s.at++
		}
		if name = s.src[at:s.at]; name == "" {
			return 0, false, s.noName()
		}
	}
	if err != nil {
		return 0, false, err
	}
	s.path = appendName(s.path, name)
	s.blanks()
	if more = s.byte() == '.'; more {
		s.at++
	}
	return at, more, nil
}

func (s *tomlScanner) noName() *Error {
	switch {
	case s.at == len(s.src) || strings.IndexByte("=.]\r\n#", s.src[s.at]) >= 0:
		return s.wrong("a key is missing")
	case s.src[s.at] < utf8.RuneSelf:
		return s.wrong("%q where a key should be", s.next())
	}
	return s.wrong("%q in a key without quotes", s.next())
}

func tomlBareKey(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// value reads a value, which begins here unless it is missing.
func (s *tomlScanner) value(key string) *Error {
	l := literal{key: key, start: s.at, end: s.at}
	var err *Error
	switch c := s.byte(); c {
	case '[':
		l.refused = "an array"
		s.found.add(l)
		return s.members(']')
	case '{':
		l.refused = "a table"
		s.found.add(l)
		return s.members('}')
	case '"', '\'':
		l.kind, l.style = "string", c
		switch rest := s.src[s.at:]; {
		case strings.HasPrefix(rest, `"""`):
			l.style = tomlTripleBasic
			l.text, err = s.tripled(`"""`)
		case strings.HasPrefix(rest, "'''"):
			l.style = tomlTripleLiteral
			l.text, err = s.tripled("'''")
		default:
			l.text, err = s.quoted(c)
		}
	default:
		l.kind, err = s.word()
		l.text = s.src[l.start:s.at]
	}
	if err != nil {
		return err
	}
	if l.end = s.at; l.style != 0 && strings.Contains(s.src[l.start:l.end], "\n") {
		l.refused = severalLines
	}
	s.found.add(l)
	return nil
}

// members reads what is in brackets, with the commas between.
func (s *tomlScanner) members(end byte) *Error {
	open, mark := s.at, len(s.path)
	if s.depth++; s.depth > tomlDepth {
		return s.wrong("it is nested deeper than %d", tomlDepth)
	}
	for n := 0; ; n++ {
		s.at++ // the bracket, or the comma
		if err := s.space(); err != nil {
			return err
		}
		if s.byte() == end {
			break
		}
		if err := s.member(n, end, open); err != nil {
			return err
		}
		s.path = s.path[:mark]
		if err := s.space(); err != nil {
			return err
		}
		if s.byte() == end {
			break
		}
		if s.byte() != ',' {
			return s.notMember(end, open, "a comma is missing")
		}
	}
	s.at++
	s.depth--
	return nil
}

func (s *tomlScanner) member(n int, end byte, open int) *Error {
	switch {
	case s.at == len(s.src):
		return s.notMember(end, open, "")
	case end == '}':
		return s.keyValue()
	}
	s.path = appendIndex(s.path, n)
	return s.value(s.key())
}

// notMember says why there is no more of what was opened.
func (s *tomlScanner) notMember(end byte, open int, missing string) *Error {
	switch c := s.byte(); {
	case s.at == len(s.src):
		s.at = open
		return s.wrong("the %c is never closed", s.src[open])
	case (c == '}' || c == ']') && c != end:
		return s.wrong("a %c is missing before the %c", end, c)
	}
	return s.wrong("%s", missing)
}
