package stamp

import "strings"

// content reads what looks alike inside and outside of flow collections: such
// a collection, an alias or quoted text. start is where its properties are.
func (s *yamlScanner) content(key string, start int, tag string, flow bool) bool {
	switch s.src[s.at] {
	case '[', '{':
		return s.flow(key, start)
	case '*':
		return start == s.at && s.alias(key, flow)
	}
	text, end, ok := s.quoted(s.at)
	if !ok {
		return false
	}
	l := yamlScalar(key, s.at, text, tag)
	l.flow = flow
	if l.refused == "" {
		l.style = s.src[s.at]
		if strings.IndexByte(s.src[s.at:end], '\n') >= 0 {
			l.refused = severalLines
		} else {
			l.end = end
		}
	}
	s.at = end
	s.found.add(l)
	return true
}

// alias reads the name of an anchor that was there before (7.1).
func (s *yamlScanner) alias(key string, flow bool) bool {
	start := s.at
	s.at = s.word(start + 1)
	if !s.anchors[s.src[start+1:s.at]] || !s.blank(s.at) && !(flow && strings.IndexByte(",]}", s.src[s.at]) >= 0) {
		return false
	}
	s.add(key, start, "an alias")
	return true
}

// flow reads a flow sequence or mapping (7.4), over as many lines as it has.
func (s *yamlScanner) flow(key string, start int) bool {
	if s.depth++; s.depth > yamlDepth {
		return false
	}
	open := s.src[s.at]
	s.at++
	end, refused := byte(']'), "a sequence"
	if open == '{' {
		end, refused = '}', "a mapping"
	}
	s.add(key, start, refused)
	for i := 0; ; i++ {
		if !s.toFlow() {
			return false
		}
		if s.src[s.at] == end {
			break
		}
		ok := false
		if open == '{' {
			ok = s.pair(key)
		} else {
			ok = s.flowValue(s.element(key, i))
		}
		if !ok || !s.toFlow() {
			return false
		}
		if s.src[s.at] == ',' {
			s.at++
		} else if s.src[s.at] != end {
			return false
		}
	}
	s.at++
	s.depth--
	return true
}

// pair reads an entry of a flow mapping. The colon must be on the line of the
// name, and may touch the value only behind a quoted name.
func (s *yamlScanner) pair(key string) bool {
	start, end, name := s.at, 0, ""
	if c := s.src[start]; c == '"' || c == '\'' {
		text, at, ok := s.quoted(start)
		if !ok || strings.IndexByte(s.src[start:at], '\n') >= 0 {
			return false
		}
		name, end = text, at
	} else {
		if end = s.flowPlainEnd(start); end < 0 {
			return false
		}
		name = s.src[start:end]
	}
	s.at = end
	key = s.member(key, name)
	if !s.toFlow() {
		return false
	}
	if s.src[s.at] == ':' {
		if s.at-start > 1000 || s.breaks > 0 {
			return false
		}
		s.at++
		if !s.toFlow() {
			return false
		}
		if s.src[s.at] != ',' && s.src[s.at] != '}' {
			return s.flowValue(key)
		}
	}
	s.empty(key, s.at, true)
	return true
}

func (s *yamlScanner) flowValue(key string) bool {
	start := s.at
	tag, ok := s.properties()
	if !ok || s.blank(s.at) {
		return false // the properties have a line of their own
	}
	switch s.src[s.at] {
	case '[', '{', '*', '"', '\'':
		return s.content(key, start, tag, true)
	}
	return tag != "!" && s.flowPlain(key, tag)
}

// toFlow goes to the next token of a flow collection, over line breaks and
// comments. A collection has an end.
func (s *yamlScanner) toFlow() bool {
	src, at, indent := s.src, s.at, false
	s.breaks, s.comment = 0, false
	for at < len(src) {
		switch src[at] {
		case ' ', '\r':
		case '\t':
			if indent {
				return false
			}
		case '\n':
			s.line, indent = at+1, true
			s.breaks++
		case '#':
			s.comment = true
			n := strings.IndexByte(src[at:], '\n')
			if n < 0 {
				return false
			}
			at += n
			continue
		default:
			s.at = at
			return at != s.line || !s.marker(at)
		}
		at++
	}
	return false
}

// flowPlain reads plain text, over as many lines as it has (7.3.3).
func (s *yamlScanner) flowPlain(key, tag string) bool {
	start, end := s.at, s.flowPlainEnd(s.at)
	if end < 0 {
		return false
	}
	text := s.src[start:end]
	s.at = end
	if !s.toFlow() {
		return false
	}
	if !s.goesOn() {
		s.addPlain(key, start, text, tag, true)
		return true
	}
	b := append(s.buf[:0], text...)
	for s.goesOn() {
		b = appendBreaks(b, s.breaks)
		if end = s.flowLineEnd(s.at); end < 0 {
			return false
		}
		b = append(b, s.src[s.at:end]...)
		s.at = end
		if !s.toFlow() {
			return false
		}
	}
	s.buf = b
	s.addFolded(key, start, string(b), tag, true)
	return true
}

// goesOn reports whether plain text in a flow collection goes on at s.at.
func (s *yamlScanner) goesOn() bool {
	return s.breaks > 0 && !s.comment && strings.IndexByte(",]}:", s.src[s.at]) < 0
}

// flowPlainEnd returns where plain text ends on its line that begins at at, or
// -1 when none does. What ends it may well be an error there.
func (s *yamlScanner) flowPlainEnd(at int) int {
	if c := s.src[at]; c == '?' || c == ':' || !s.plainStart(at) {
		return -1
	}
	return s.flowLineEnd(at)
}

func (s *yamlScanner) flowLineEnd(at int) int {
	src, start := s.src, at
	for ; at < len(src); at++ {
		c := src[at]
		if !yamlFlowStop[c] {
			continue
		}
		if (c != ':' || s.blank(at+1)) && (c != '#' || s.blank(at-1)) {
			return s.trim(start, at)
		}
	}
	return -1
}

var yamlFlowStop = byteSet(",[]{}?:#\r\n")
