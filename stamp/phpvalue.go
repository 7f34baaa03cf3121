package stamp

import (
	"errors"
	"strconv"
	"strings"
)

// subscripts adds the constant ['key'] that begin at token i, as many as there
// are, and returns the token after them. In a selector a bare word is a key.
func (s *phpScanner) subscripts(base string, i int, selector bool) (key string, next int) {
	for s.op(i) == '[' {
		end := s.partner(i)
		k, ok := s.arrayKey(i+1, end)
		if !ok && selector && end == i+2 && s.kind(i+1) == phpName {
			k, ok = phpKey(s.text(i+1)), true
		}
		if !ok {
			break
		}
		base, i = s.below(base, k, i), end+1
	}
	return base, i
}

// below returns k.below(base). Where the file has just that before the end of
// the [k] at token i, as it mostly does, it is no copy.
func (s *phpScanner) below(base string, k phpKey, i int) string {
	start, end := int(s.tokens[i].start)-len(base), int(s.tokens[s.partner(i)].end)
	const quoted = len("['']")
	if start < 0 || end-start != len(base)+len(k)+quoted {
		return k.below(base)
	}
	written := s.src[start:end]
	if written[:len(base)] != base || written[len(base)+1] != '\'' || strings.IndexByte(string(k), '\\') >= 0 || k.number() {
		return k.below(base)
	}
	return written
}

// arrayKey returns the key that the tokens from i up to end are.
func (s *phpScanner) arrayKey(i, end int) (k phpKey, ok bool) {
	switch {
	case end == i+1 && s.kind(i) == phpString:
		return phpKey(phpDecode(s.text(i))), true
	case end == i+1 && s.kind(i) == phpNumber:
		k = phpKey(s.text(i))
	case end == i+2 && s.op(i) == '-' && s.kind(i+1) == phpNumber:
		k = phpKey("-" + s.text(i+1))
	}
	return k, k.number()
}

// phpKey is the key of an element. PHP makes no difference between 1 and '1'.
type phpKey string

// number reports whether PHP takes the key for a number. It does so for the
// whole 64 bits, but a key of 19 digits names no element that anybody counts.
func (k phpKey) number() bool {
	digits := k
	if strings.HasPrefix(string(k), "-") {
		digits = k[1:]
	}
	if digits == "" || len(digits) > 18 || digits[0] == '0' && k != "0" {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

// below writes the key as it is written in keys.
func (k phpKey) below(base string) string {
	switch {
	case k.number():
		return base + "[" + string(k) + "]"
	case strings.IndexByte(string(k), '\\') >= 0 || strings.IndexByte(string(k), '\'') >= 0:
		return base + "['" + phpSingleEscaper.Replace(string(k)) + "']"
	}
	return base + "['" + string(k) + "']"
}

// expressionEnd returns the token that ends the expression at i, or the number
// of tokens.
func (s *phpScanner) expressionEnd(i int) int {
	for i < len(s.tokens) && !s.ends(i) {
		i = max(i, s.partner(i)) + 1
	}
	return i
}

// ends reports whether an expression ends before token i.
func (s *phpScanner) ends(i int) bool {
	switch s.op(i) {
	case ';', ',', ')', ']', '}':
		return true
	}
	return i >= len(s.tokens) || s.tokens[i].kind == phpClose
}

// value adds what key is given by the expression at token i.
func (s *phpScanner) value(key string, i int) {
	end := s.expressionEnd(i)
	if end == i {
		return
	}
	start, stop := int(s.tokens[i].start), int(s.tokens[end-1].end)
	l := literal{key: key, start: start, end: stop, text: s.src[start:stop]}
	open := i
	if s.is(i, "array") {
		open++
	}
	switch {
	case (s.op(open) == '[' || open > i && s.op(open) == '(') && s.partner(open) == end-1:
		s.refuse(key, i, "an array")
		s.elements(key, open+1, end-1)
		return
	case end == i+1:
		s.single(&l, i)
	case end == i+2 && s.op(i) == '-' && s.kind(i+1) == phpNumber && s.tokens[i].end == s.tokens[i+1].start:
		l.kind = phpNumberKind(s.text(i + 1))
	default:
		l.refused = "an expression"
	}
	if l.refused != "" {
		s.refuse(key, i, l.refused)
		return
	}
	s.found = append(s.found, l)
}

// refuse adds a value at token i that cannot be replaced.
func (s *phpScanner) refuse(key string, i int, why string) {
	if i < len(s.tokens) {
		at := int(s.tokens[i].start)
		s.found = append(s.found, literal{key: key, start: at, end: at, refused: why})
	}
}

// single classifies a value of one token.
func (s *phpScanner) single(l *literal, i int) {
	switch s.tokens[i].kind {
	case phpString:
		if c := s.src[l.start]; c == 'b' || c == 'B' {
			l.start++
		}
		l.style, l.kind, l.text = s.src[l.start], "string", phpDecode(l.text)
	case phpNumber:
		l.kind = phpNumberKind(l.text)
	case phpHeredoc:
		l.refused = "a block of text"
	case phpInterp:
		l.refused = "interpolated"
	default:
		switch word := strings.ToLower(l.text); word {
		case "true", "false":
			l.kind, l.text = "bool", word
		case "null":
			l.kind, l.text = "null", word
		default:
			l.refused = "an expression"
		}
	}
}

// phpNumberKind tells a float by its spelling, or because it is too large.
func phpNumberKind(text string) string {
	hex := strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X")
	if !hex && strings.ContainsAny(text, ".eE") {
		return "float"
	}
	if len(text) > 18 {
		if _, err := strconv.ParseInt(text, 0, 64); errors.Is(err, strconv.ErrRange) {
			return "float"
		}
	}
	return "int"
}

// elements walks the array literal whose elements are the tokens from i up to
// end.
func (s *phpScanner) elements(base string, i, end int) {
	next := int64(0) // the key of an element without one; -1 when not known
	for ; i < end; i++ {
		stop := s.expressionEnd(i)
		arrow := s.arrow(i, stop)
		switch {
		case arrow < 0 && s.is(i, "..."):
			next = -1
		case arrow < 0 && i < stop && next >= 0:
			s.value(base+"["+strconv.FormatInt(next, 10)+"]", i)
			next++
		case arrow >= 0:
			k, ok := s.arrayKey(i, arrow)
			if ok {
				s.value(k.below(base), arrow+1)
			}
			next = k.following(next, ok)
		}
		i = stop
	}
}

// following returns the key of an element without one that follows, when it
// would be next before this one. After a negative key alone it is another
// since PHP 8.3.
func (k phpKey) following(next int64, known bool) int64 {
	if !known || next < 0 {
		return -1
	}
	if !k.number() {
		return next
	}
	n, _ := strconv.ParseInt(string(k), 10, 64)
	if n < -1 && next == 0 {
		return -1
	}
	return max(next, n+1)
}

// arrow returns the => of the element between i and end, or -1.
func (s *phpScanner) arrow(i, end int) int {
	if s.is(i, "fn") || s.is(i, "static") {
		return -1
	}
	for ; i < end; i++ {
		if s.partner(i) > i {
			i = s.partner(i)
		} else if s.op(i) == phpArrow {
			return i
		}
	}
	return -1
}
