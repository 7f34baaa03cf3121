package stamp

import "strings"

// jsonLang is JSON (RFC 8259), strictly, or with comments and trailing commas
// as in the configuration of editors and compilers (jsonc). Of several members
// with one name each is seen. Bytes that are not UTF-8 stand for themselves, so
// that they survive; an unpaired surrogate is read as U+FFFD.
type jsonLang struct{ comments bool }

func (jsonLang) selector(key string) (selector, error) { return pathSelector(key) }

func (lang jsonLang) scan(src string, found sink) error {
	s := jsonScanner{cursor: cursor{src, bomLen(src)}, comments: lang.comments, found: found}
	if err := s.file(); err != nil {
		return err
	}
	return nil
}

// jsonDepth is how deep arrays and objects go at most, as in encoding/json.
const jsonDepth = 10000

// jsonScanner checks a text and finds its values in one pass.
type jsonScanner struct {
	cursor
	comments bool
	depth    int
	path     []byte // of the value that is read
	last     literal
	found    sink
}

func (s *jsonScanner) file() *Error {
	if err := s.space(); err != nil {
		return err
	}
	if s.at == len(s.src) {
		return s.wrong("the file is empty")
	}
	if err := s.value(); err != nil {
		return err
	}
	if err := s.space(); err != nil {
		return err
	}
	if s.at < len(s.src) {
		return s.wrong("%q after the end of the value", s.next())
	}
	return nil
}

// space skips blanks and comments.
func (s *jsonScanner) space() *Error {
	for ; s.at < len(s.src); s.at++ {
		switch s.src[s.at] {
		case ' ', '\t', '\r', '\n':
		case '/':
			if err := s.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// comment reads a comment up to its last byte.
func (s *jsonScanner) comment() *Error {
	text := s.src[s.at:]
	line := strings.HasPrefix(text, "//")
	switch {
	case !line && !strings.HasPrefix(text, "/*"):
		return s.wrong("a single /")
	case !s.comments:
		return s.wrong("a comment, which JSON does not have").hint(jsoncHint)
	case line:
		n := strings.IndexByte(text, '\n')
		if n < 0 {
			n = len(text)
		}
		return s.lineComment(text[:n])
	}
	n := strings.Index(text[2:], "*/")
	if n < 0 {
		return s.wrong("the comment is never closed")
	}
	s.at += n + 3
	return nil
}

const jsoncHint = `where comments and trailing commas are allowed, name the format "jsonc"`

// lineComment refuses what ends a line to some readers and not to others: to
// JavaScript a line ends with U+2028 too.
func (s *jsonScanner) lineComment(text string) *Error {
	for _, end := range []string{"\r", "\u2028", "\u2029"} {
		if i := strings.Index(strings.TrimSuffix(text, "\r"), end); i >= 0 {
			s.at += i
			return s.wrong("a line ends with %q inside a comment, to some readers only", end)
		}
	}
	s.at += len(text) - 1
	return nil
}

// value reads a value, which begins here unless it is missing.
func (s *jsonScanner) value() *Error {
	l := &s.last
	*l = literal{start: s.at, end: s.at}
	switch s.byte() {
	case '{':
		l.refused = "an object"
		s.add()
		return s.members('}')
	case '[':
		l.refused = "an array"
		s.add()
		return s.members(']')
	case '"':
		text, err := s.str()
		if err != nil {
			return err
		}
		l.text, l.kind, l.style = text, "string", '"'
	default:
		kind, err := s.word()
		if err != nil {
			return err
		}
		l.text, l.kind = s.src[l.start:s.at], kind
	}
	l.end = s.at
	s.add()
	return nil
}

func (s *jsonScanner) add() {
	s.last.key = view(s.path)
	s.found.add(&s.last)
}

// members reads an object or an array.
func (s *jsonScanner) members(end byte) *Error {
	open := s.at
	if s.depth++; s.depth > jsonDepth {
		return s.wrong("it is nested deeper than %d", jsonDepth)
	}
	for n := 0; ; n++ {
		comma := s.at
		s.at++ // the bracket, or the comma
		if err := s.space(); err != nil {
			return err
		}
		if s.byte() == end {
			if n > 0 && !s.comments {
				s.at = comma
				return s.wrong("nothing follows the comma").hint(jsoncHint)
			}
			break
		}
		if err := s.member(n, end, open); err != nil {
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

// member reads an object's or array's nth member, and on to what follows it.
func (s *jsonScanner) member(n int, end byte, open int) *Error {
	mark := len(s.path)
	if end == ']' {
		s.path = appendIndex(s.path, n)
	} else if err := s.name(open); err != nil {
		return err
	}
	if s.at == len(s.src) {
		return s.notMember(end, open, "")
	}
	if err := s.value(); err != nil {
		return err
	}
	s.path = s.path[:mark]
	return s.space()
}

// name reads a member's name and colon, up to its value.
func (s *jsonScanner) name(open int) *Error {
	if s.byte() != '"' {
		return s.notMember('}', open, "a name in double quotes is missing")
	}
	name, err := s.str()
	if err != nil {
		return err
	}
	s.path = appendName(s.path, name)
	if err := s.space(); err != nil {
		return err
	}
	if s.byte() != ':' {
		return s.notMember('}', open, "a colon is missing")
	}
	s.at++
	return s.space()
}

// notMember says why there is no more of what was opened.
func (s *jsonScanner) notMember(end byte, open int, missing string) *Error {
	switch c := s.byte(); {
	case s.at == len(s.src):
		s.at = open
		return s.wrong("the %c is never closed", s.src[open])
	case (c == '}' || c == ']') && c != end:
		return s.wrong("a %c is missing before the %c", end, c)
	}
	return s.wrong("%s", missing)
}

// word reads a number, true, false or null.
func (s *jsonScanner) word() (kind string, err *Error) {
	rest := s.src[s.at:]
	n := 0
	for n < len(rest) && jsonWordByte(rest[n]) {
		n++
	}
	switch word := rest[:n]; {
	case n == 0:
		return "", s.notValue()
	case jsonNumber(word):
		kind = "number"
	case word == "true" || word == "false":
		kind = "bool"
	case word == "null":
		kind = "null"
	case word[0] == '-' || '0' <= word[0] && word[0] <= '9':
		return "", s.wrong("%.20q is no number of JSON", word)
	default:
		return "", s.wrong("%.20q is no value of JSON", word)
	}
	s.at += n
	return kind, nil
}

func jsonWordByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '+' || c == '.' || c == '_'
}

func (s *jsonScanner) notValue() *Error {
	switch s.byte() {
	case '}', ']', ',', ':':
		return s.wrong("a value is missing before %q", s.next())
	case '\'', '`':
		return s.wrong("a string is in double quotes, not in %s", s.next())
	}
	return s.wrong("%q where a value should be", s.next())
}

// jsonNumber reports whether word is a number (RFC 8259, section 6).
func jsonNumber(word string) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(word) && '0' <= word[i] && word[i] <= '9' {
			i++
		}
		return i > from
	}
	if word[i] == '-' {
		i++
	}
	first := i
	if !digits() || word[first] == '0' && i > first+1 {
		return false
	}
	if i < len(word) && word[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(word) && (word[i] == 'e' || word[i] == 'E') {
		i++
		if i < len(word) && (word[i] == '+' || word[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(word)
}
