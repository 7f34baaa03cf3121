package stamp

import (
	"encoding/binary"
	"strings"
)

// jsonLang is JSON (RFC 8259), strictly, or with comments and trailing commas
// as in the configuration of editors and compilers (jsonc). Of several members
// with one name each is seen. Bytes that are not UTF-8 stand for themselves, so
// that they survive; an unpaired surrogate is read as U+FFFD.
type jsonLang struct{ comments bool }

func (jsonLang) selector(key string) (selector, error) { return pathSelector(key) }

func (lang jsonLang) scan(src string, from seam, found sink) error {
	s := jsonScanner{cursor: cursor{src, from.at}, comments: lang.comments, found: found}
	var err *Error
	if from.at > 0 {
		s.resume(from.state.(string))
		err = s.members()
	} else {
		s.at = bomLen(src)
		err = s.file()
	}
	if err != nil {
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
	open     []jsonOpen
	path     []byte // of the value that is read
	last     literal
	due      int // where a seam is wanted
	found    sink
}

// jsonOpen is an array or an object that is not closed yet.
type jsonOpen struct {
	at   int  // its bracket
	end  byte // the one that closes it
	n    int  // its members
	path int  // how much of jsonScanner.path is its own
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
	return s.members()
}

// state is what a scan needs that begins at a comma.
func (s *jsonScanner) state() string {
	var b []byte
	for _, o := range s.open {
		b = append(b, o.end)
		b = binary.AppendUvarint(b, uint64(o.n))
		b = binary.AppendUvarint(b, uint64(o.path))
	}
	return string(b) + "\x00" + string(s.path)
}

// resume goes back to a state. Where brackets were opened is not in it: an error
// that tells of one tells the place of the seam.
func (s *jsonScanner) resume(state string) {
	b := []byte(state)
	for b[0] != 0 {
		o := jsonOpen{at: s.at, end: b[0]}
		for _, field := range []*int{&o.n, &o.path} {
			v, n := binary.Uvarint(b[1:])
			*field, b = int(v), b[n:]
		}
		s.open, b = append(s.open, o), b[1:]
	}
	s.path = b[1:]
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

// value reads a value, which begins here unless it is missing. Of an array or an
// object it reads the bracket.
func (s *jsonScanner) value() *Error {
	l := &s.last
	*l = literal{start: s.at, end: s.at}
	switch s.byte() {
	case '{':
		l.refused = "an object"
		return s.begin('}')
	case '[':
		l.refused = "an array"
		return s.begin(']')
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

func (s *jsonScanner) begin(end byte) *Error {
	s.add()
	if len(s.open) == jsonDepth {
		return s.wrong("it is nested deeper than %d", jsonDepth)
	}
	s.open = append(s.open, jsonOpen{s.at, end, 0, len(s.path)})
	s.at++
	return nil
}

// members reads what is left of all that is open, and then nothing may follow.
func (s *jsonScanner) members() *Error {
	for len(s.open) > 0 {
		o := &s.open[len(s.open)-1]
		s.path = s.path[:o.path]
		if closed, err := s.toMember(o); err != nil {
			return err
		} else if closed {
			continue
		}
		if o.end == ']' {
			s.path = appendIndex(s.path, o.n)
		} else if err := s.name(o); err != nil {
			return err
		}
		o.n++
		if s.at == len(s.src) {
			return s.notMember(o, "")
		}
		if err := s.value(); err != nil {
			return err
		}
	}
	if err := s.space(); err != nil {
		return err
	}
	if s.at < len(s.src) {
		return s.wrong("%q after the end of the value", s.next())
	}
	return nil
}

// toMember goes to the next member, or past the bracket that closes o.
func (s *jsonScanner) toMember(o *jsonOpen) (closed bool, _ *Error) {
	if err := s.space(); err != nil {
		return false, err
	}
	if o.n > 0 && s.byte() != o.end {
		comma := s.at
		if s.byte() != ',' {
			return false, s.notMember(o, "a comma is missing")
		}
		if comma >= s.due {
			if s.due = s.found.seam(seam{comma, s.state()}); s.due < 0 {
				s.open, s.at = nil, len(s.src)
				return true, nil
			}
		}
		s.at++
		if err := s.space(); err != nil {
			return false, err
		}
		if s.byte() == o.end && !s.comments {
			s.at = comma
			return false, s.wrong("nothing follows the comma").hint(jsoncHint)
		}
	}
	if s.byte() != o.end {
		return false, nil
	}
	s.at++
	s.open = s.open[:len(s.open)-1]
	return true, nil
}

// name reads a member's name and colon, up to its value.
func (s *jsonScanner) name(o *jsonOpen) *Error {
	if s.byte() != '"' {
		return s.notMember(o, "a name in double quotes is missing")
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
		return s.notMember(o, "a colon is missing")
	}
	s.at++
	return s.space()
}

// notMember says why there is no more of what was opened.
func (s *jsonScanner) notMember(o *jsonOpen, missing string) *Error {
	switch c := s.byte(); {
	case s.at == len(s.src):
		s.at = o.at
		return s.wrong("the %c is never closed", o.end-2)
	case (c == '}' || c == ']') && c != o.end:
		return s.wrong("a %c is missing before the %c", o.end, c)
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
