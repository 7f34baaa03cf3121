package stamp

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// properties is the format of java.util.Properties.load: lines of a key, then
// = or : or a blank, then a value. Java reads such files as Latin-1 or as
// UTF-8, whichever the program says, so only ASCII is written: other characters
// as \u escapes. A byte order mark is no part of the first key, though Java
// makes it one.
type properties struct{}

// selector takes the key as it is once its escapes are decoded. Dots have no
// meaning of their own: app.rev is one name.
func (properties) selector(key string) (selector, error) {
	if key == "" {
		return nil, refuse(BadSelector, -1, "a key is missing").hint("a key is written like app.rev")
	}
	return func(k string) bool { return k == key }, nil
}

// scan has a seam at each line's end.
func (properties) scan(src string, from seam, found sink) error {
	at := max(from.at, bomLen(src))
	var l literal
	for due := at + 1; ; {
		if at >= due && at < len(src) {
			if due = found.seam(seam{at: at}); due < 0 {
				return nil
			}
		}
		if at = propertyBlanks(src, at); at == len(src) {
			return nil
		}
		if src[at] == '#' || src[at] == '!' {
			for at < len(src) && src[at] != '\r' && src[at] != '\n' {
				at++
			}
			continue
		}
		line := propertyLine(src, at)
		var err *Error
		if l, err = line.literal(); err != nil {
			return err
		}
		found.add(&l)
		at = line.end
	}
}

// propertyBlanks skips blanks, empty lines, and lines of nothing but a \, which
// is as if the next line began there.
func propertyBlanks(src string, at int) int {
	for ; at < len(src); at++ {
		switch src[at] {
		case ' ', '\t', '\f', '\r', '\n':
		case '\\':
			if at+1 < len(src) && src[at+1] != '\r' && src[at+1] != '\n' {
				return at
			}
		default:
			return at
		}
	}
	return at
}

// logicalLine is a line and those that continue it.
type logicalLine struct {
	text       string // without what makes them one
	start, end int
	joined     bool // of several lines
}

// propertyLine reads the line that begins at offset at. A \ before the line's
// end continues it, without the blanks that the next line begins with. At the
// end of the file a \ is nothing.
func propertyLine(src string, at int) logicalLine {
	l := logicalLine{start: at}
	from := at
	var before []byte // what was read up to from
	for at < len(src) && src[at] != '\n' && src[at] != '\r' {
		if src[at] != '\\' {
			at++
			continue
		}
		at++
		if at < len(src) && src[at] != '\n' && src[at] != '\r' {
			at++
			continue
		}
		before = append(before, src[from:at-1]...)
		if at < len(src) {
			l.joined = true
			if strings.HasPrefix(src[at:], "\r\n") {
				at++
			}
			at++
			at += len(src[at:]) - len(strings.TrimLeft(src[at:], " \t\f"))
		}
		from = at
	}
	l.end = at
	if l.text = src[from:at]; before != nil {
		l.text = string(before) + l.text
	}
	return l
}

// split returns where the key ends and the value begins, and what is between
// them: '=' for a sign, perhaps among blanks, ' ' for blanks, 0 for nothing.
func (l logicalLine) split() (name, value int, separator byte) {
	for name < len(l.text) && !propertySeparator(l.text[name]) {
		if l.text[name] == '\\' {
			name++
		}
		name++
	}
	for value = name; value < len(l.text); value++ {
		switch l.text[value] {
		case ' ', '\t', '\f':
			separator = max(separator, ' ')
		case '=', ':':
			if separator == '=' {
				return name, value, separator
			}
			separator = '='
		default:
			return name, value, separator
		}
	}
	return name, value, separator
}

func propertySeparator(c byte) bool {
	return c == '=' || c == ':' || c == ' ' || c == '\t' || c == '\f'
}

// literal reads the key and the value of a line.
func (l logicalLine) literal() (literal, *Error) {
	name, value, separator := l.split()
	found := literal{start: l.start + value, end: l.end, kind: "string", style: separator}
	if l.joined {
		found = literal{start: l.start, end: l.start, kind: "string", refused: severalLines}
	}
	var bad int
	if found.key, bad = propertyDecode(l.text[:name]); bad < 0 {
		if found.text, bad = propertyDecode(l.text[value:]); bad < 0 {
			return found, nil
		}
		bad += value
	}
	if l.joined {
		bad = 0 // offsets in the text are none in the file
	}
	return literal{}, refuse(ParseError, l.start+bad, `a \u without four hexadecimal digits`)
}

// propertyDecode decodes a key or a value. It returns the offset of a wrong
// escape, or -1. Only \u can be wrong: what has no meaning stands for itself.
func propertyDecode(text string) (decoded string, bad int) {
	if strings.IndexByte(text, '\\') < 0 {
		return text, -1
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		i++
		switch text[i] {
		case 'u':
			r, n := unitEscapes(text[i-1:])
			if n == 0 {
				return "", i - 1
			}
			out = utf8.AppendRune(out, r)
			i += n - 2
		case 't':
			out = append(out, '\t')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 'f':
			out = append(out, '\f')
		default:
			out = append(out, text[i])
		}
	}
	return string(out), -1
}

// encode writes ASCII. A blank at either end is escaped: Java would take the
// first for a part of the separator, and an editor might take off the last.
func (properties) encode(old literal, value string, _ bool) (string, error) {
	if !utf8.ValidString(value) {
		return "", refuse(ControlCharacter, -1, "the value %q is not UTF-8", value)
	}
	var out []byte
	if old.style == 0 {
		out = append(out, '=')
	}
	for i, r := range value {
		switch {
		case r == '\n':
			out = append(out, `\n`...)
		case r == ' ' && i == len(value)-1:
			out = append(out, `\u0020`...)
		case r == '\\' || i == 0 && (r == ' ' || old.style == ' ' && (r == '=' || r == ':')):
			out = append(out, '\\', byte(r))
		case r < utf8.RuneSelf:
			out = append(out, byte(r))
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		}
	}
	return string(out), nil
}
