package stamp

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// jsonLang is strict JSON (RFC 8259): no comments, no trailing commas. Of
// several members with one name each is seen.
type jsonLang struct{}

func (jsonLang) selector(key string) (selector, error) { return pathSelector(key) }

func (jsonLang) scan(src string) ([]literal, error) {
	skipped := bomLen(src)
	var syntax *json.SyntaxError
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(src[skipped:]), &whole); errors.As(err, &syntax) {
		return nil, refuse(ParseError, skipped+max(int(syntax.Offset)-1, 0), "%s", syntax)
	} else if err != nil {
		return nil, refuse(ParseError, -1, "%s", err)
	}
	s := jsonScanner{src: src, at: skipped}
	s.value("")
	return s.found, nil
}

// jsonScanner walks text that is known to be valid.
type jsonScanner struct {
	src   string
	at    int
	found []literal
}

func (s *jsonScanner) space() {
	for s.at < len(s.src) && strings.IndexByte(" \t\r\n", s.src[s.at]) >= 0 {
		s.at++
	}
}

func (s *jsonScanner) value(p path) {
	s.space()
	start := s.at
	switch c := s.src[s.at]; c {
	case '{':
		s.add(p, literal{start: start, end: start, refused: "an object"})
		s.members('}', func(int) path {
			name := s.str()
			s.space()
			s.at++ // the colon
			return p.key(name)
		})
	case '[':
		s.add(p, literal{start: start, end: start, refused: "an array"})
		s.members(']', p.index)
	case '"':
		text := s.str()
		s.add(p, literal{start: start, end: s.at, text: text, kind: "string", style: '"'})
	default:
		for s.at < len(s.src) && strings.IndexByte(" \t\r\n,]}", s.src[s.at]) < 0 {
			s.at++
		}
		kind := "number"
		switch c {
		case 't', 'f':
			kind = "bool"
		case 'n':
			kind = "null"
		}
		s.add(p, literal{start: start, end: s.at, text: s.src[start:s.at], kind: kind})
	}
}

// members walks an object or an array up to its end; next returns the path of
// the nth member and stops before its value.
func (s *jsonScanner) members(end byte, next func(n int) path) {
	s.at++
	for n := 0; ; n++ {
		s.space()
		switch s.src[s.at] {
		case end:
			s.at++
			return
		case ',':
			s.at++
			s.space()
		}
		s.value(next(n))
		s.space()
	}
}

// str reads a string and decodes it.
func (s *jsonScanner) str() string {
	start := s.at
	for s.at++; s.src[s.at] != '"'; s.at++ {
		if s.src[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
	var text string
	if err := json.Unmarshal([]byte(s.src[start:s.at]), &text); err != nil {
		panic("stamp: invalid string in valid JSON: " + err.Error())
	}
	return text
}

func (s *jsonScanner) add(p path, l literal) {
	l.key = string(p)
	s.found = append(s.found, l)
}

func (jsonLang) encode(old literal, value string, asString bool) (string, error) {
	if !asString {
		return encodeBare(old, value)
	}
	if !utf8.ValidString(value) {
		return "", refuse(ControlCharacter, -1, "the value %q is not UTF-8, as JSON must be", value)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`, nil
}
