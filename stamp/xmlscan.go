package stamp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// xmlScanner reads a document in one pass and refuses what is not well-formed
// (XML 1.0, fifth edition). It reads no other file, so a document type
// definition outside of the document stays unknown, and it expands no entity.
type xmlScanner struct {
	src      string
	at       int
	encoding xmlEncoding
	elements []xmlElement
	open     []xmlOpen          // from the root down
	siblings map[xmlSibling]int // the last one of a name, except the very last
	found    literals           // until all is read, the key is an attribute's name or empty
	places   []int              // the elements of found
	// entities are those that the document declares; with openDTD there may be
	// others.
	entities map[string]bool
	openDTD  bool
}

// xmlEncoding is how a document writes what is not ASCII.
type xmlEncoding byte

const (
	xmlUTF8 xmlEncoding = iota
	xmlASCII
	xmlLatin1
	xmlOther // ASCII, and bytes above it that are not understood
)

// xmlElement is an element.
type xmlElement struct {
	name   string
	parent int  // -1 for the root
	nth    int  // among the siblings of its name, from 1
	one    bool // of several siblings of its name
}

// xmlOpen is an element that is open, and what was met in it.
type xmlOpen struct {
	element, literal int // in elements and in found
	tag, start       int // where it begins, and where its content does
	last             int // child, -1 for none
	markup           bool
	entity           bool
	sections         int    // of CDATA
	section          string // the last one
}

type xmlSibling struct {
	parent int
	name   string
}

func (xmlLang) scan(src string, _ seam, found sink) error {
	s := xmlScanner{src: src, siblings: map[xmlSibling]int{}}
	most := strings.Count(src, "<") - strings.Count(src, "</")
	s.elements = make([]xmlElement, 0, most)
	s.found = usedLiterals.slice(most + strings.Count(src, "="))
	s.places = make([]int, 0, cap(s.found))
	if err := s.document(); err != nil {
		return err
	}
	s.name()
	s.found.handTo(found)
	return nil
}

func xmlError(at int, format string, args ...any) error {
	return refuse(ParseError, at, format, args...)
}

func (s *xmlScanner) document() error {
	if err := s.prolog(); err != nil {
		return err
	}
	for s.at < len(s.src) {
		if err := s.text(); err != nil {
			return err
		}
		if s.at == len(s.src) {
			break
		}
		if err := s.markup(); err != nil {
			return err
		}
	}
	switch {
	case len(s.open) > 0:
		e := s.top()
		return xmlError(e.tag, "<%s> is never closed", s.elements[e.element].name)
	case len(s.elements) == 0:
		return xmlError(len(s.src), "the document has no element")
	}
	return nil
}

// top is the innermost element that is open.
func (s *xmlScanner) top() *xmlOpen { return &s.open[len(s.open)-1] }

// name gives each literal its key. A step has a number when the element has
// siblings of its name, so that is known only at the end.
func (s *xmlScanner) name() {
	keys := make([]byte, 0, 64*len(s.found)) // all of them, which is one allocation
	paths := make([][2]int, len(s.elements))
	for i, e := range s.elements {
		start := len(keys)
		if e.parent >= 0 {
			keys = append(keys, keys[paths[e.parent][0]:paths[e.parent][1]]...)
		}
		keys = append(append(keys, '/'), e.name...)
		if e.one {
			keys = append(strconv.AppendInt(append(keys, '['), int64(e.nth), 10), ']')
		}
		paths[i] = [2]int{start, len(keys)}
	}
	spans := make([][2]int, len(s.found))
	for i, l := range s.found {
		spans[i] = paths[s.places[i]]
		if l.key != "" {
			start := len(keys)
			keys = append(keys, keys[spans[i][0]:spans[i][1]]...)
			keys = append(append(keys, "/@"...), l.key...)
			spans[i] = [2]int{start, len(keys)}
		}
	}
	all := view(keys)
	for i, span := range spans {
		s.found[i].key = all[span[0]:span[1]]
	}
}

var (
	xmlDeclaration = lazily(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')` +
		`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*("[A-Za-z][A-Za-z0-9._-]*"|'[A-Za-z][A-Za-z0-9._-]*'))?` +
		`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"yes"|"no"|'yes'|'no'))?[ \t\r\n]*\?>`)
	// In these a byte below 0x80 is always the ASCII character.
	xmlKnownEncodings = lazily(`(?i)^(?:(utf-?8)|((?:us-)?ascii)|(iso-8859-1|iso_8859-1|latin1)|iso[-_]8859-[0-9]+|windows-12[0-9]+|cp12[0-9]+|koi8-[a-z]+|euc-[a-z]+)$`)
)

// prolog reads the declaration, which is optional, and finds the encoding.
func (s *xmlScanner) prolog() error {
	s.at = bomLen(s.src)
	for _, mark := range []string{"\xfe\xff", "\xff\xfe", "\x00<", "<\x00"} {
		if strings.HasPrefix(s.src, mark) {
			return xmlError(0, "the document is in UTF-16, which is not read")
		}
	}
	if s.has("<?xml") && s.at+5 < len(s.src) && xmlClass[s.src[s.at+5]]&xmlNameByte == 0 {
		m := xmlDeclaration().FindStringSubmatchIndex(s.src[s.at:])
		if m == nil {
			return xmlError(s.at, "the XML declaration is malformed")
		}
		if m[2] >= 0 {
			if err := s.encode(s.src[s.at+m[2]+1:s.at+m[3]-1], s.at+m[2]+1); err != nil {
				return err
			}
		}
		s.at += m[1]
	}
	return s.characters()
}

// encode notes the encoding that is declared at an offset.
func (s *xmlScanner) encode(name string, at int) error {
	m := xmlKnownEncodings().FindStringSubmatch(name)
	switch {
	case m == nil:
		return xmlError(at, "the document is in %s, which is not read", name)
	case m[1] != "":
		s.encoding = xmlUTF8
	case bomLen(s.src) > 0:
		return xmlError(at, "the document is in %s by its declaration and in UTF-8 by its byte order mark", name)
	case m[2] != "":
		s.encoding = xmlASCII
	case m[3] != "":
		s.encoding = xmlLatin1
	default:
		s.encoding = xmlOther
	}
	return nil
}

// characters makes sure that the document holds only such as XML 1.0 allows
// (section 2.2).
func (s *xmlScanner) characters() error {
	for i := 0; i < len(s.src); i++ {
		c := s.src[i]
		switch {
		case xmlClass[c]&xmlControl != 0:
			return xmlError(i, "the character %U is not allowed in XML", rune(c))
		case c < utf8.RuneSelf || s.encoding == xmlLatin1 || s.encoding == xmlOther:
		case s.encoding == xmlASCII:
			return xmlError(i, "the byte %#x is not in the declared encoding", c)
		default:
			r, n := utf8.DecodeRuneInString(s.src[i:])
			if n == 1 || r == 0xfffe || r == 0xffff {
				return xmlError(i, "the byte %#x is not valid UTF-8, or no character", c)
			}
			i += n - 1
		}
	}
	return nil
}

func (s *xmlScanner) has(text string) bool { return strings.HasPrefix(s.src[s.at:], text) }

// until goes past the next end, or refuses what begins at start.
func (s *xmlScanner) until(end string, start int, what string) error {
	i := strings.Index(s.src[s.at:], end)
	if i < 0 {
		return xmlError(start, "%s is never closed", what)
	}
	s.at += i + len(end)
	return nil
}

// text goes to the next <.
func (s *xmlScanner) text() error {
	start := s.at
	if i := strings.IndexByte(s.src[s.at:], '<'); i >= 0 {
		s.at += i
	} else {
		s.at = len(s.src)
	}
	text := s.src[start:s.at]
	if len(s.open) == 0 {
		if outside := strings.TrimLeft(text, xmlBlank); outside != "" {
			return xmlError(s.at-len(outside), "text outside of the root element")
		}
		return nil
	}
	if i := strings.Index(text, "]]>"); i >= 0 {
		return xmlError(start+i, "]]> in text")
	}
	entity, err := s.references(start, s.at)
	if entity {
		s.top().entity = true
	}
	return err
}

// markup reads what begins with <.
func (s *xmlScanner) markup() error {
	start := s.at
	switch {
	case s.has("</"):
		return s.endTag()
	case s.has("<!--"):
		return s.comment()
	case s.has("<![CDATA["):
		if len(s.open) == 0 {
			return xmlError(start, "a CDATA section outside of the root element")
		}
		if err := s.until("]]>", start, "the CDATA section"); err != nil {
			return err
		}
		s.top().sections++
		s.top().section = s.src[start:s.at]
		return nil
	case s.has("<?"):
		return s.instruction()
	case s.has("<!DOCTYPE"):
		return s.doctype()
	}
	return s.startTag()
}

// inMarkup notes that the element around here holds more than text.
func (s *xmlScanner) inMarkup() {
	if len(s.open) > 0 {
		s.top().markup = true
	}
}

func (s *xmlScanner) comment() error {
	start := s.at
	s.inMarkup()
	s.at += len("<!--")
	if err := s.until("--", start, "the comment"); err != nil {
		return err
	}
	if !s.has(">") {
		return xmlError(s.at-2, "-- in a comment")
	}
	s.at++
	return nil
}

func (s *xmlScanner) instruction() error {
	start := s.at
	s.inMarkup()
	s.at += len("<?")
	target, err := s.word()
	if err != nil {
		return err
	}
	if strings.EqualFold(target, "xml") {
		return xmlError(start, "an XML declaration that is not at the beginning")
	}
	if !s.has("?>") && s.blanks() == 0 {
		return xmlError(s.at, "no blank after the target of an instruction")
	}
	return s.until("?>", start, "the instruction")
}

func (s *xmlScanner) blanks() int {
	start := s.at
	for s.at < len(s.src) && xmlClass[s.src[s.at]]&xmlSpace != 0 {
		s.at++
	}
	return s.at - start
}

// word reads a name.
func (s *xmlScanner) word() (string, error) {
	start := s.at
	ascii := true
	for s.at < len(s.src) && xmlClass[s.src[s.at]]&xmlNameByte != 0 {
		ascii = ascii && s.src[s.at] < utf8.RuneSelf
		s.at++
	}
	name := s.src[start:s.at]
	if name == "" || xmlClass[name[0]]&xmlNameStart == 0 || !ascii && s.encoding == xmlUTF8 && !xmlIsName(name) {
		return "", xmlError(start, "a name is missing")
	}
	return name, nil
}

func (s *xmlScanner) startTag() error {
	tag := s.at
	s.at++
	name, err := s.word()
	if err != nil {
		return err
	}
	if len(s.open) == 0 && len(s.elements) > 0 {
		return xmlError(tag, "a second root element")
	}
	this := s.enter(name)
	empty, err := s.attributes(this, tag)
	if err != nil {
		return err
	}
	s.add(literal{start: s.at, end: s.at, kind: "string"}, this)
	if empty {
		s.found[len(s.found)-1].refused = "missing: the element is one empty tag"
		return nil
	}
	s.open = append(s.open, xmlOpen{element: this, literal: len(s.found) - 1, tag: tag, start: s.at, last: -1})
	return nil
}

// enter adds an element. Runs of siblings of one name need no map.
func (s *xmlScanner) enter(name string) int {
	this := len(s.elements)
	e := xmlElement{name: name, parent: -1, nth: 1}
	if len(s.open) > 0 {
		parent := s.top()
		e.parent = parent.element
		last := parent.last
		if last >= 0 && s.elements[last].name != name {
			s.siblings[xmlSibling{e.parent, s.elements[last].name}] = last
			var ok bool
			if last, ok = s.siblings[xmlSibling{e.parent, name}]; !ok {
				last = -1
			}
		}
		if last >= 0 {
			s.elements[last].one, e.one = true, true
			e.nth = s.elements[last].nth + 1
		}
		parent.last = this
	}
	s.elements = append(s.elements, e)
	return this
}

func (s *xmlScanner) add(l literal, element int) {
	s.found = append(s.found, l)
	s.places = append(s.places, element)
}

// attributes reads a start tag from its name on and reports whether it is the
// end tag too.
func (s *xmlScanner) attributes(element, tag int) (empty bool, err error) {
	first := len(s.found)
	for {
		blanks := s.blanks()
		switch {
		case s.has("/>"):
			s.at += 2
			return true, nil
		case s.has(">"):
			s.at++
			return false, nil
		case s.at == len(s.src):
			return false, xmlError(tag, "the tag is never closed")
		case blanks == 0:
			return false, xmlError(s.at, "%q in a tag", s.src[s.at])
		}
		at := s.at
		name, err := s.word()
		if err != nil {
			return false, err
		}
		for _, other := range s.found[first:] {
			if other.key == name {
				return false, xmlError(at, "a second attribute %s", name)
			}
		}
		if err := s.attribute(element, name); err != nil {
			return false, err
		}
	}
}

// attribute reads what follows an attribute's name.
func (s *xmlScanner) attribute(element int, name string) error {
	s.blanks()
	if !s.has("=") {
		return xmlError(s.at, "the attribute %s has no value", name)
	}
	s.at++
	s.blanks()
	if !s.has(`"`) && !s.has("'") {
		return xmlError(s.at, "the value of %s is not in quotes", name)
	}
	l := literal{key: name, start: s.at, style: s.src[s.at], kind: "string", ascii: s.encoding != xmlUTF8}
	s.at++
	if err := s.until(s.src[l.start:l.start+1], l.start, "the quote"); err != nil {
		return err
	}
	l.end = s.at
	raw := s.src[l.start+1 : l.end-1]
	if i := strings.IndexByte(raw, '<'); i >= 0 {
		return xmlError(l.start+1+i, "< in the value of an attribute")
	}
	entity, err := s.references(l.start+1, l.end-1)
	if err != nil {
		return err
	}
	switch {
	case entity:
		l.refused = "made with an entity"
	case strings.ContainsAny(raw, "\r\n"):
		l.refused = severalLines
	default:
		l.text = s.decode(strings.ReplaceAll(raw, "\t", " "))
	}
	if l.refused != "" {
		l.end = l.start
	}
	s.add(l, element)
	return nil
}

func (s *xmlScanner) endTag() error {
	tag := s.at
	s.at += len("</")
	name, err := s.word()
	if err != nil {
		return err
	}
	s.blanks()
	if !s.has(">") {
		return xmlError(tag, "the tag is never closed")
	}
	s.at++
	if len(s.open) == 0 {
		return xmlError(tag, "</%s> closes nothing", name)
	}
	e := s.top()
	if want := s.elements[e.element].name; name != want {
		return xmlError(tag, "</%s> where <%s> must be closed", name, want)
	}
	s.value(e, tag)
	s.open = s.open[:len(s.open)-1]
	return nil
}

// value completes the literal of an element whose content ends at an offset.
// Blanks around a text are the layout of the file and no part of the value.
func (s *xmlScanner) value(e *xmlOpen, end int) {
	l := &s.found[e.literal]
	l.ascii = s.encoding != xmlUTF8
	content := s.src[e.start:end]
	l.start += len(content) - len(strings.TrimLeft(content, xmlBlank))
	raw := strings.Trim(content, xmlBlank)
	switch {
	case e.last >= 0:
		l.refused = "an element that holds others"
	case e.markup:
		l.refused = "a text with a comment or an instruction in it"
	case e.entity:
		l.refused = "made with an entity"
	case e.sections > 1 || e.sections == 1 && raw != e.section:
		l.refused = "several pieces of text"
	case strings.ContainsAny(raw, "\r\n"):
		l.refused = severalLines
	case e.sections == 1:
		l.style, l.text = '[', s.recode(raw[len("<![CDATA["):len(raw)-len("]]>")])
	case raw == "":
		l.start = e.start
	default:
		l.text = s.decode(raw)
	}
	if l.end = l.start + len(raw); l.refused != "" {
		l.start, l.end = e.start, e.start
	}
}

// references makes sure of the references between two offsets, and reports
// whether one is to an entity that the document declares or may declare.
func (s *xmlScanner) references(from, to int) (entity bool, err error) {
	for {
		i := strings.IndexByte(s.src[from:to], '&')
		if i < 0 {
			return entity, nil
		}
		from += i
		_, n := xmlReference(s.src[from:to])
		switch name, ok := xmlEntityName(s.src[from:to]); {
		case n > 0:
		case !ok:
			return false, xmlError(from, "& that begins no reference")
		case s.entities[name] || s.openDTD:
			entity = true
		default:
			return false, xmlError(from, "the entity %s is not declared", name)
		}
		from++
	}
}

// xmlEntityName returns the name between the & that s begins with and a ;.
func xmlEntityName(s string) (string, bool) {
	n := strings.IndexByte(s, ';')
	if n < 2 {
		return "", false
	}
	return s[1:n], xmlIsName(s[1:n])
}

// decode returns the value of a text, in which every reference is known.
func (s *xmlScanner) decode(raw string) string {
	if strings.IndexByte(raw, '&') < 0 {
		return s.recode(raw)
	}
	var b strings.Builder
	for i := 0; i < len(raw); {
		n := strings.IndexByte(raw[i:], '&')
		if n < 0 {
			n = len(raw) - i
		}
		b.WriteString(s.recode(raw[i : i+n]))
		if i += n; i < len(raw) {
			r, n := xmlReference(raw[i:])
			b.WriteRune(r)
			i += n
		}
	}
	return b.String()
}

// recode turns Latin-1 into UTF-8.
func (s *xmlScanner) recode(raw string) string {
	if s.encoding != xmlLatin1 || strings.IndexFunc(raw, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return raw
	}
	runes := make([]rune, len(raw))
	for i := range len(raw) {
		runes[i] = rune(raw[i])
	}
	return string(runes)
}

// doctype reads the document type declaration (section 2.8), of which only the
// names of the entities matter.
func (s *xmlScanner) doctype() error {
	start := s.at
	if len(s.elements) > 0 || s.entities != nil {
		return xmlError(start, "a DOCTYPE that is not before the root element, or a second one")
	}
	s.entities = map[string]bool{}
	s.at += len("<!DOCTYPE")
	if s.blanks() == 0 {
		return xmlError(s.at, "a name is missing")
	}
	if _, err := s.word(); err != nil {
		return err
	}
	for {
		s.blanks()
		switch {
		case s.has("SYSTEM"), s.has("PUBLIC"):
			s.openDTD = true
			s.at += len("SYSTEM")
		case s.has(`"`), s.has("'"):
			if err := s.quoted(); err != nil {
				return err
			}
		case s.has("["):
			if err := s.subset(); err != nil {
				return err
			}
		case s.has(">"):
			s.at++
			return nil
		default:
			return xmlError(start, "the DOCTYPE is malformed or never closed")
		}
	}
}

func (s *xmlScanner) quoted() error {
	start := s.at
	s.at++
	return s.until(s.src[start:start+1], start, "the quote")
}

// subset reads the declarations inside of a DOCTYPE.
func (s *xmlScanner) subset() error {
	start := s.at
	s.at++
	for {
		s.blanks()
		var err error
		switch {
		case s.has("]"):
			s.at++
			return nil
		case s.has("%"):
			s.openDTD = true
			err = s.until(";", s.at, "the reference")
		case s.has("<!--"):
			err = s.comment()
		case s.has("<?"):
			err = s.instruction()
		case s.has("<!ENTITY"), s.has("<!ELEMENT"), s.has("<!ATTLIST"), s.has("<!NOTATION"):
			err = s.declaration()
		case s.at == len(s.src):
			return xmlError(start, "[ is never closed")
		default:
			return xmlError(s.at, "%q between declarations", s.src[s.at])
		}
		if err != nil {
			return err
		}
	}
}

func (s *xmlScanner) declaration() error {
	start := s.at
	entity := s.has("<!ENTITY")
	s.at += 3
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == '>':
			s.at++
			return nil
		case c == '"' || c == '\'':
			if err := s.quoted(); err != nil {
				return err
			}
		case xmlClass[c]&xmlSpace != 0 && entity:
			s.blanks()
			entity = false
			if name, err := s.word(); err == nil {
				s.entities[name] = true
			}
		case c == '<':
			return xmlError(s.at, "< in a declaration")
		default:
			s.at++
		}
	}
	return xmlError(start, "the declaration is never closed")
}
