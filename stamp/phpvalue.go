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
	start, end := s.start(i)-len(base), s.end(s.partner(i))
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

// below is the key of an element, as it is written, of the array base.
func (k phpKey) below(base string) string { return string(k.appendTo([]byte(base))) }

func (k phpKey) appendTo(base []byte) []byte {
	if k.number() {
		return append(append(append(base, '['), k...), ']')
	}
	base = append(base, "['"...)
	if strings.IndexByte(string(k), '\\') >= 0 || strings.IndexByte(string(k), '\'') >= 0 {
		base = append(base, phpSingleEscaper.Replace(string(k))...)
	} else {
		base = append(base, k...)
	}
	return append(base, "']"...)
}

// expressionEnd returns the token that ends the expression at i, or the number
// of tokens.
func (s *phpScanner) expressionEnd(i int) int {
	for i < s.len() && !s.ends(i) {
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
	return i >= s.len() || s.kind(i) == phpClose
}

// value adds what key is given by the expression at token i.
func (s *phpScanner) value(key string, i int) { s.valueUpTo(key, i, s.expressionEnd(i)) }

// valueUpTo is value for an expression that ends before the token end.
func (s *phpScanner) valueUpTo(key string, i, end int) {
	if end == i {
		return
	}
	open := i
	if s.kind(i) == phpName && s.is(i, "array") {
		open++
	}
	if op := s.op(open); (op == '[' || open > i && op == '(') && s.partner(open) == end-1 {
		s.refuse(key, i, "an array")
		s.elements(key, open+1, end-1)
		return
	}
	l := s.found.fresh()
	l.key, l.start, l.end = key, s.start(i), s.end(end-1)
	l.text = s.src[l.start:l.end]
	switch {
	case end == i+1:
		s.single(l, i)
	case end == i+2 && s.op(i) == '-' && s.kind(i+1) == phpNumber && s.end(i) == s.start(i+1):
		l.kind = phpNumberKind(s.text(i + 1))
	default:
		l.refused = "an expression"
	}
	if l.refused != "" {
		s.refuse(key, i, l.refused)
		return
	}
	s.found.hand()
}

// refuse adds a value at token i that cannot be replaced.
func (s *phpScanner) refuse(key string, i int, why string) {
	if i < s.len() {
		l, at := s.found.fresh(), s.start(i)
		l.key, l.start, l.end, l.refused = key, at, at, why
		s.found.hand()
	}
}

// single classifies a value of one token.
func (s *phpScanner) single(l *literal, i int) {
	switch s.kind(i) {
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
	s.keys = append(s.keys[:0], base...)
	for ; i < end; i++ {
		stop := s.expressionEnd(i)
		arrow := s.arrow(i, stop)
		switch {
		case arrow < 0 && s.longOp(i) && s.is(i, "..."):
			next = -1
		case arrow < 0 && i < stop && next >= 0:
			s.valueUpTo(s.element(len(base), phpKey(strconv.FormatInt(next, 10))), i, stop)
			next++
		case arrow >= 0:
			k, ok := s.arrayKey(i, arrow)
			if ok {
				s.valueUpTo(s.element(len(base), k), arrow+1, stop)
			}
			next = k.following(next, ok)
		}
		i = stop
	}
}

// element returns the key of an element of the array whose key is the first n
// bytes of keys. It is for as long as the element is read.
func (s *phpScanner) element(n int, k phpKey) string {
	s.keys = k.appendTo(s.keys[:n])
	return view(s.keys)
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
	if s.kind(i) == phpName && s.isAny(i, "fn", "static") {
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
