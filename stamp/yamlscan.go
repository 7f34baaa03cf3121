package stamp

import (
	"strings"
	"unicode/utf8"
)

// yamlScan reads the YAML that people write in configuration files, in one pass,
// and finds what yamlNodes would. Of whatever else it meets (directives,
// explicit and complex keys, odd indentation, line breaks that are none
// elsewhere, anything that is an error) it says no more than that it gave up.
//
// Like yaml.v3, and libyaml before it, it takes the column of a collection's
// first entry for the collection's indentation. Rules are named by section of
// the YAML 1.2.2 specification.
func yamlScan(src string, from seam, found sink) (ok bool) {
	s := yamlScanner{src: src, found: spare{found: found}, due: 1}
	s.at = max(from.at, bomLen(src))
	s.tidied = s.at
	if from.at > 0 {
		ok = s.resume(from.state.(int))
	} else {
		ok = s.token(s.at)
	}
	return ok && s.documents() && s.tidy(len(src))
}

// tidy reports whether what was read up to a line's beginning is tidy.
func (s *yamlScanner) tidy(line int) bool {
	from := s.tidied
	s.tidied = line
	return yamlTidy(s.src[from:line])
}

// yamlTidy reports whether src, which are lines, is of characters that are no
// line breaks to one reader and none to another, and allowed (5.1). A directive
// it leaves to yaml.v3, even in a text.
func yamlTidy(src string) bool {
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch {
		case c >= ' ' && c < 0x7f || c == '\n' || c == '\t':
		case c == '\r':
			if i+1 == len(src) || src[i+1] != '\n' {
				return false
			}
		case c < utf8.RuneSelf:
			return false
		default:
			r, n := utf8.DecodeRuneInString(src[i:])
			if r == utf8.RuneError && n == 1 || r < 0xa0 || yamlEscaped(r) {
				return false
			}
			i += n - 1
		}
	}
	return !strings.Contains(src, "%YAML")
}

type yamlScanner struct {
	src string
	at  int // what is read next

	// Set by next and token.
	line    int  // where the line begins that at is on
	column  int  // of the token that at is at, from 0; -1 at the end of a document
	breaks  int  // line breaks passed to get there
	comment bool // a comment was passed

	found   spare
	due     int    // where a seam is wanted; none is at 0, which is the beginning
	tidied  int    // what is before is tidy
	nth     int    // of the documents, the one that is read
	doc     string // the prefix of its keys
	keys    []byte // what is read has a key that these begin with
	anchors map[string]bool
	depth   int
	buf     []byte
}

// next goes to the first token of a line below. Only blanks and a comment may
// be left on this one.
func (s *yamlScanner) next() bool {
	at, ok := s.restOfLine()
	return ok && s.token(at)
}

// restOfLine returns where the next line begins.
func (s *yamlScanner) restOfLine() (at int, ok bool) {
	src := s.src
	s.breaks, s.comment = 0, false
	for at = s.at; at < len(src); at++ {
		switch src[at] {
		case ' ', '\t':
		case '\r':
		case '\n':
			s.breaks = 1
			return at + 1, true
		case '#':
			s.comment = true
			return s.lineBelow(at), true
		default:
			return at, false
		}
	}
	return at, true
}

// lineBelow returns where the line after that of at begins.
func (s *yamlScanner) lineBelow(at int) int {
	if n := strings.IndexByte(s.src[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(s.src)
}

// token goes to the first token at or below the line that begins at at.
func (s *yamlScanner) token(at int) bool {
	src := s.src
	for {
		s.line = at
		for at < len(src) && src[at] == ' ' {
			at++
		}
		if at == len(src) {
			s.at, s.column = at, -1
			return true
		}
		switch src[at] {
		case '\t':
			return false
		case '\r', '\n':
			s.breaks++
			at = s.lineBelow(at)
		case '#':
			s.comment = true
			at = s.lineBelow(at)
		default:
			s.at, s.column = at, at-s.line
			if s.column == 0 && s.marker(at) {
				s.column = -1
			}
			return true
		}
	}
}

// marker reports whether the line that begins at at begins with "---" or "...".
func (s *yamlScanner) marker(at int) bool {
	if at+3 > len(s.src) || !s.blank(at+3) {
		return false
	}
	return s.src[at:at+3] == "---" || s.src[at:at+3] == "..."
}

// blank reports whether a blank, a line break or the end is at at.
func (s *yamlScanner) blank(at int) bool {
	if at >= len(s.src) {
		return true
	}
	c := s.src[at]
	return c == ' ' || c == '\t' || c == '\n' || c == '\r'
}

// documents reads all. The first document may go without "---" before it.
func (s *yamlScanner) documents() bool {
	for ; s.at < len(s.src); s.nth++ {
		s.document(s.nth)
		marked := s.column < 0
		if marked {
			if s.src[s.at] != '-' {
				return false
			}
			if s.at += 3; !s.next() {
				return false
			}
		}
		if marked && s.column < 0 {
			s.empty(s.doc, s.at, false)
		} else if !s.node(s.doc, s.at, -1) {
			return false
		}
		if !s.ended() {
			return false
		}
	}
	return true
}

// document begins the nth document.
func (s *yamlScanner) document(n int) {
	s.nth, s.doc = n, yamlKey(n, "")
	s.keys = append(s.keys[:0], s.doc...)
}

// ended goes on from the end of a document.
func (s *yamlScanner) ended() bool {
	if s.column >= 0 {
		return false
	}
	for s.at < len(s.src) && s.src[s.at] == '.' {
		if s.at += 3; !s.next() || s.column >= 0 {
			return false
		}
	}
	return true
}

// resume reads the rest of the document that a seam is in.
func (s *yamlScanner) resume(nth int) bool {
	s.document(nth)
	if !s.token(s.at) || !s.entries(s.doc) || !s.ended() {
		return false
	}
	s.nth++
	return true
}

// seam tells of one at the entry that begins the line at s.at, whose first byte
// is then known to begin no marker.
func (s *yamlScanner) seam() bool {
	if c := s.src[s.at]; c == '-' || c == '.' || s.anchors != nil {
		return true
	}
	if !s.tidy(s.at) {
		return false
	}
	s.due = s.found.found.seam(seam{s.at, s.nth})
	if s.due < 0 {
		s.at, s.column, s.tidied = len(s.src), -1, len(s.src)
	}
	return true
}

// node reads what begins a line, or what follows "- ", in a collection whose
// column is parent. start is where its anchor or tag is, if it has one. It
// leaves what is indented as nothing before is to its callers: none goes on
// with that.
func (s *yamlScanner) node(key string, start, parent int) bool {
	if s.dash() {
		return s.sequence(key, start)
	}
	if _, end := s.name(); end >= 0 {
		return s.mapping(key, start)
	}
	return start == s.at && s.value(key, parent)
}

// dash reports whether a list's "- " is next.
func (s *yamlScanner) dash() bool { return s.src[s.at] == '-' && s.blank(s.at+1) }

// A file that is nested deeper than this is not read by hand.
const yamlDepth = 100

// mapping reads a block mapping from its first key on (8.2.2).
func (s *yamlScanner) mapping(key string, start int) bool {
	s.add(key, start, "a mapping")
	return s.entries(key)
}

// entries reads those of a mapping.
func (s *yamlScanner) entries(key string) bool {
	if s.depth++; s.depth > yamlDepth {
		return false
	}
	column := s.column
	for s.column == column {
		if column == 0 && s.depth == 1 && s.at >= s.due && !s.seam() {
			return false
		}
		if s.column < 0 {
			break
		}
		name, end := s.name()
		if end < 0 {
			return false
		}
		s.at = end
		if !s.entry(s.member(key, name), column) {
			return false
		}
	}
	s.depth--
	return true
}

// entry reads what follows "key:" in a mapping. A list may begin in the
// mapping's own column.
func (s *yamlScanner) entry(key string, column int) bool {
	colon := s.at
	if s.toValue() {
		return s.value(key, column)
	}
	if !s.next() {
		return false
	}
	switch {
	case s.column > column:
		return s.node(key, s.at, column)
	case s.column == column && s.dash():
		return s.sequence(key, s.at)
	}
	s.empty(key, colon, false)
	return true
}

// toValue goes to what is left on the line, if that is more than a comment.
func (s *yamlScanner) toValue() bool {
	src, at := s.src, s.at
	for at < len(src) && (src[at] == ' ' || src[at] == '\t') {
		at++
	}
	if s.blank(at) || src[at] == '#' {
		return false
	}
	s.at = at
	return true
}

// sequence reads a block sequence from its first "- " on (8.2.1).
func (s *yamlScanner) sequence(key string, start int) bool {
	s.add(key, start, "a sequence")
	if s.depth++; s.depth > yamlDepth {
		return false
	}
	column := s.column
	for i := 0; s.column == column && s.dash(); i++ {
		if !s.item(s.element(key, i), column) {
			return false
		}
	}
	s.depth--
	return true
}

// item reads an element of the sequence in column.
func (s *yamlScanner) item(key string, column int) bool {
	s.at++
	dash := s.at
	if rest := strings.TrimLeft(s.src[dash:], " "); rest != "" && rest[0] == '\t' {
		return false
	}
	if s.toValue() {
		s.column = s.at - s.line
		return s.node(key, s.at, column)
	}
	if !s.next() {
		return false
	}
	if s.column > column {
		return s.node(key, s.at, column)
	}
	s.empty(key, dash, false)
	return true
}

// name reads "name:", a key of one line (7.4.2). It returns where the value may
// begin, or -1 when no key is here. What is longer than the specification
// allows is not tried.
func (s *yamlScanner) name() (name string, end int) {
	src, start := s.src, s.at
	if src[start] == '"' || src[start] == '\'' {
		text, at, ok := s.quoted(start)
		for ok && at < len(src) && src[at] == ' ' {
			at++
		}
		if !ok || at == len(src) || src[at] != ':' || !s.blank(at+1) ||
			at-start > 1000 || strings.IndexByte(src[start:at], '\n') >= 0 {
			return "", -1
		}
		return text, at + 1
	}
	if !s.plainStart(start) {
		return "", -1
	}
	at := start
	for at < len(src) && at-start < 1000 {
		switch c := src[at]; {
		case !yamlStop[c]:
		case c == ':' && s.blank(at+1):
			return src[start:s.trim(start, at)], at + 1
		case c == '#' && s.blank(at-1), c == '\n':
			return "", -1
		}
		at++
	}
	return "", -1
}

// value reads a scalar, a flow collection or an alias, and the rest of its last
// line; after an anchor or a tag also a block collection that begins on a line
// below. parent is the column of the collection that it is in.
func (s *yamlScanner) value(key string, parent int) bool {
	start := s.at
	tag, ok := s.properties()
	switch {
	case !ok:
		return false
	case start < s.at && (s.blank(s.at) || s.src[s.at] == '#'):
		return s.next() && s.column > parent && s.node(key, start, parent)
	}
	switch s.src[s.at] {
	case '|', '>':
		return s.block(key, tag, parent)
	case '[', '{', '*', '"', '\'':
		return s.content(key, start, tag, false) && s.next()
	}
	return tag != "!" && s.plain(key, tag, parent) // to yaml.v3 ! 12 is no string
}

// properties reads an anchor, a tag or both (6.9), with the blanks behind them.
func (s *yamlScanner) properties() (tag string, ok bool) {
	src := s.src
	for anchored := false; s.at < len(src); {
		start := s.at
		switch c := src[start]; {
		case c == '&' && !anchored:
			anchored = true
			s.at = s.word(start + 1)
			s.anchor(src[start+1 : s.at])
		case c == '!' && tag == "":
			if s.at = s.tag(start + 1); s.at < 0 {
				return "", false
			}
			tag = src[start:s.at]
		default:
			return tag, true
		}
		if src[start:s.at] == "&" || !s.blank(s.at) {
			return "", false
		}
		for s.at < len(src) && (src[s.at] == ' ' || src[s.at] == '\t') {
			s.at++
		}
	}
	return tag, true
}

// tag returns where the tag whose "!" ends at at ends, or -1 when it is not as
// simple as ! or !local or !!global.
func (s *yamlScanner) tag(at int) int {
	if at < len(s.src) && s.src[at] == '!' {
		for at++; at < len(s.src) && s.src[at] >= 'a' && s.src[at] <= 'z'; {
			at++
		}
		if s.src[at-1] == '!' {
			return -1
		}
		return at
	}
	for at < len(s.src) && (yamlWordByte(s.src[at]) || strings.IndexByte("./:", s.src[at]) >= 0) {
		at++
	}
	return at
}

// word returns where the letters, digits, - and _ from at on end.
func (s *yamlScanner) word(at int) int {
	for at < len(s.src) && yamlWordByte(s.src[at]) {
		at++
	}
	return at
}

func yamlWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || c == '-'
}

func (s *yamlScanner) anchor(name string) {
	if s.anchors == nil {
		s.anchors = map[string]bool{}
	}
	s.anchors[name] = true
}

// add adds a value of no kind that cannot be stamped.
func (s *yamlScanner) add(key string, at int, refused string) {
	s.found.add(literal{key: key, start: at, end: at, refused: refused})
}

// empty adds a value that is not there.
func (s *yamlScanner) empty(key string, at int, flow bool) {
	s.found.add(literal{key: key, start: at, end: at, refused: "empty", kind: "null", flow: flow})
}

// member returns the key of a mapping's entry, as path.key does. It is for as
// long as that is read.
func (s *yamlScanner) member(key, name string) string {
	odd := name == ""
	for i := 0; i < len(name); i++ {
		odd = odd || yamlOdd[name[i]]
	}
	s.keys = s.keys[:len(key)]
	if key != s.doc {
		s.keys = append(s.keys, '.')
	}
	if odd {
		name = string(path("").key(name))
	}
	s.keys = append(s.keys, name...)
	return view(s.keys)
}

// element returns the key of a sequence's nth, as path.index does, and for as
// long as member.
func (s *yamlScanner) element(key string, n int) string {
	s.keys = appendIndex(s.keys[:len(key)], n)
	return view(s.keys)
}

// yamlOdd are the bytes that put quotes around a name in a key.
var yamlOdd = byteSet(`.[]"\:`)

func byteSet(bytes string) (set [256]bool) {
	for i := range len(bytes) {
		set[bytes[i]] = true
	}
	return set
}
