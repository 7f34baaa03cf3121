package stamp

import (
	"strings"
	"unicode/utf8"
)

// iniReader is what a file shows of the reader that it is for.
type iniReader struct {
	double, single bool // it has a value that is in such quotes as a whole
	plain          bool // values stand for themselves: it has what PHP could not have meant
	once           bool // in one line only
	python         bool // and what Python's configparser alone reads
}

// notPHP notes a line that PHP could not have meant.
func (r *iniReader) notPHP(python bool) {
	r.once = !r.plain
	r.plain = true
	r.python = r.python || python
}

// quotes reports whether the reader takes quotes off, and so reads as PHP does.
func (r iniReader) quotes() bool { return (r.double || r.single) && !r.plain }

// iniEvidence is what the lines show.
type iniEvidence struct {
	iniReader
	headers uint64 // a mark of them all
}

// iniLook collects what the lines show, one after the other.
type iniLook struct {
	iniEvidence
	last  int  // indentation of the last key, whose value can go on; -1 without
	ahead bool // it looked at what follows
}

func newIniLook() iniLook { return iniLook{last: -1} }

// iniWhole is what all lines show.
type iniWhole struct {
	iniEvidence
	repeated map[uint64]bool // by the marks of their names, sections with several headers
}

func iniLookAt(src string) *iniWhole {
	look := newIniLook()
	w := &iniWhole{repeated: map[uint64]bool{}}
	seen := make(map[uint64]bool, min(strings.Count(src, "["), len(src)/16))
	header := func(mark uint64) {
		if seen[mark] {
			w.repeated[mark] = true
		}
		seen[mark] = true
	}
	var indented []uint64 // marks of what are headers to some readers
	for at := bomLen(src); at < len(src); {
		l := iniNextLine(src, at)
		at = l.next
		switch mark, below := look.line(src, l); {
		case below && mark != 0:
			indented = append(indented, mark)
		case mark != 0:
			header(mark)
		}
	}
	if w.iniEvidence = look.iniEvidence; w.quotes() {
		for _, mark := range indented {
			header(mark)
		}
	}
	return w
}

// line looks at a line. It returns the mark of a header's name, and whether it is
// indented like more of the value before.
func (k *iniLook) line(src string, l iniText) (header uint64, below bool) {
	text := src[l.start:l.end]
	switch {
	case iniNothing(text):
	case text[0] == '#':
		k.odd(text, src[l.end:])
	case k.last >= 0 && l.indent > k.last:
		if text[0] != '[' && !strings.Contains(text, "=") {
			k.notPHP(true)
		}
		k.odd(text, src[l.end:])
		return k.header(text), true
	case text[0] == '[':
		k.last = -1
		return k.header(text), false
	default:
		k.last = l.indent
		k.option(text, src[l.end:])
	}
	return 0, false
}

// header returns the mark of the name in a header, or 0 when the line is none.
func (k *iniLook) header(text string) (mark uint64) {
	end := strings.IndexByte(text, ']')
	if text[0] != '[' || end < 0 {
		return 0
	}
	mark = mix(markSeed, text[1:end])
	k.headers = k.headers*sumFactor + mark
	return mark
}

// odd looks at a line in which PHP finds a key and others none, or another.
func (k *iniLook) odd(text, rest string) {
	if _, value, ok := strings.Cut(text, "="); ok {
		v := iniShapeOf(value)
		k.ahead = k.ahead || v.unclosed
		if v.foreign(rest) {
			k.notPHP(false)
		}
	}
}

func (k *iniLook) option(text, rest string) {
	delimiter, colon := iniDelimiter(text)
	if delimiter < 0 {
		return
	}
	value := text[delimiter+1:]
	switch {
	case !colon:
		k.value(value[iniBlanks(value):], rest)
	case !strings.Contains(value, "=") && iniLone(text[:delimiter]) && (value == "" || iniBlanks(value) > 0):
		k.notPHP(true)
	default:
		k.odd(text, rest)
	}
}

func (k *iniLook) value(value, rest string) {
	classes := byte(0)
	for i := range len(value) {
		classes |= iniClasses[value[i]]
	}
	if classes&(iniShapes|iniOdd) == 0 {
		return
	}
	v := iniShapeOf(value)
	k.ahead = k.ahead || v.unclosed
	switch {
	case v.foreign(rest):
		k.notPHP(false)
	case v.unclosed:
	case v.quote == '"':
		k.double = true
	case v.quote == '\'':
		k.single = true
	}
	if v.quote == 0 && v.classes&iniOdd != 0 && iniInterpolated(value[:v.comment]) {
		k.notPHP(true)
	}
}

// foreign reports whether PHP would not read the value, or nothing after it.
func (v iniShape) foreign(rest string) bool {
	return v.equals || v.apostrophe || v.unclosed && strings.IndexByte(rest, v.quote) < 0
}

// iniInterpolated reports whether the value has a %(name)s.
func iniInterpolated(value string) bool {
	_, after, ok := strings.Cut(value, "%(")
	return ok && strings.Contains(after, ")s")
}

// iniLone reports whether the text is one word, as a key without a value is.
func iniLone(text string) bool {
	return text != "" && !strings.ContainsAny(text, " \t\"'()[]{}<>;,")
}

// iniShape is what a value looks like to PHP.
type iniShape struct {
	quote      byte // in which it is as a whole, but for a comment, or that is not closed; 0 for none
	end        int  // of what is in the quotes
	comment    int  // where a ; ends it, or its length
	quotes     bool // it has some
	unclosed   bool // and one of them is not closed
	escaped    bool // or has a \" in it
	equals     bool // it has a = outside of quotes
	apostrophe bool // or a ' inside a word, which opens no quotes
	classes    byte // of all that is outside of quotes
}

func iniShapeOf(value string) iniShape {
	v := iniShape{comment: len(value)}
	i := 0
	for ; i < len(value) && v.classes&iniShapes == 0; i++ {
		v.classes |= iniClasses[value[i]]
	}
	if v.classes&iniShapes == 0 {
		return v
	}
	for i--; i < len(value); i++ {
		class := iniClasses[value[i]]
		v.classes |= class
		if class&iniShapes == 0 {
			continue
		}
		switch c := value[i]; c {
		case ';':
			v.comment = i
			v.whole(value)
			return v
		case '=':
			v.equals = true
		case '\'', '"':
			if c == '\'' && i > 0 && i+1 < len(value) && phpClasses[value[i-1]] == phpLetter && phpClasses[value[i+1]] == phpLetter {
				v.apostrophe = true
				continue
			}
			n := v.skip(value[i+1:], c)
			if n < 0 {
				v.quote, v.quotes, v.unclosed = c, true, true
				return v
			}
			if !v.quotes && i == 0 {
				v.quote, v.end = c, n+2
			}
			v.quotes = true
			i += n + 1
		}
	}
	v.whole(value)
	return v
}

// skip returns the length of the text in quotes that s begins with, or -1.
func (v *iniShape) skip(s string, quote byte) int {
	for i := range len(s) {
		if s[i] != quote {
			continue
		}
		if quote == '"' && i > 0 && s[i-1] == '\\' {
			v.escaped = true
			continue
		}
		return i
	}
	return -1
}

// whole forgets the quotes when something follows them.
func (v *iniShape) whole(value string) {
	if v.quote != 0 && iniTrimmed(value[v.end:v.comment]) != "" {
		v.quote = 0
	}
}

// What a byte can mean in a key or in a value without quotes.
const (
	iniShapes    byte = 1 << iota // it begins quotes, a comment or another value
	iniEvaluated                  // PHP evaluates it
	iniOdd                        // it does something in some places
	iniInName                     // a key is written in quotes for it
)

var iniClasses = func() (classes [256]byte) {
	for c := range classes {
		for class, set := range map[byte]string{iniShapes: `'";=`, iniEvaluated: "|&^~!()=", iniOdd: `$%#\`, iniInName: `."\`} {
			if strings.IndexByte(set, byte(c)) >= 0 {
				classes[c] |= class
			}
		}
		if c <= ' ' || c >= utf8.RuneSelf { // perhaps a blank
			classes[c] |= iniInName
		}
		if c < ' ' || c >= utf8.RuneSelf {
			classes[c] |= iniOdd
		}
	}
	return classes
}()
