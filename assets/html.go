package assets

import "bytes"

// htmlScanner finds URLs in HTML by the states of the WHATWG tokenizer, as far
// as they decide where a tag, an attribute value or a raw text begins and ends.
type htmlScanner struct {
	sink    sink
	src     []byte
	layered bool // src holds template code, each byte of it as NUL
	xml     bool // src is a drawing of its own: XML
	css     cssScanner
	js      jsScanner
	classic sink // takes the modules that scripts import which are none themselves; may be nil
	dec     decoder
	sumDec  decoder // of integrity attributes
	attrs   []attr  // of the tag at hand, those that its element has a use for
	foreign foreign
	hasBase bool
	further []string // names of attributes that hold URLs, too: lower case
}

// attr is an attribute and the place of its value.
type attr struct {
	id         attrID
	start, end int
}

func (h *htmlScanner) scan(src []byte) {
	h.src, h.foreign, h.hasBase = src, h.foreign[:0], false
	for i := 0; ; {
		n := bytes.IndexByte(src[i:], '<')
		if n < 0 {
			return
		}
		if i += n + 1; i >= len(src) {
			return
		}
		switch c := src[i]; {
		case isLetter(c):
			i = h.startTag(i)
		case c == '/':
			i = h.endTag(i + 1)
		case c == '!':
			i = h.markup(i + 1)
		case c == '?' && h.xml:
			i = h.instruction(i + 1)
		case c == '?':
			i = h.past(i, ">")
		}
	}
}

// forget lets go of the document.
func (h *htmlScanner) forget() {
	h.sink, h.src, h.css.sink, h.css.t, h.js.sink, h.js.src, h.classic = nil, nil, nil, text{}, nil, nil, nil
}

// inForeign reports whether markup is read as that of SVG or MathML.
func (h *htmlScanner) inForeign() bool { return h.xml || h.foreign.inside() }

// past returns the index after the next mark at or after i.
func (h *htmlScanner) past(i int, mark string) int {
	if i > len(h.src) {
		return len(h.src)
	}
	n := bytes.Index(h.src[i:], []byte(mark))
	if n < 0 {
		return len(h.src)
	}
	return i + n + len(mark)
}

// markup takes what follows "<!": a comment, CDATA, a doctype.
func (h *htmlScanner) markup(i int) int {
	rest := h.src[i:]
	if h.xml {
		return h.xmlMarkup(i, rest)
	}
	switch {
	case bytes.HasPrefix(rest, []byte("-->")): // the two dashes both open and close
		return i + 3
	case bytes.HasPrefix(rest, []byte("--->")):
		return i + 4
	case bytes.HasPrefix(rest, []byte("--")):
		return commentEnd(h.src, i+2)
	case bytes.HasPrefix(rest, []byte("[CDATA[")) && h.foreign.inside():
		return h.past(i, "]]>")
	}
	return h.past(i, ">")
}

// commentEnd returns the index after the comment whose content begins at i: it
// ends with "-->" or "--!>".
func commentEnd(src []byte, i int) int {
	for {
		n := bytes.Index(src[i:], []byte("--"))
		if n < 0 {
			return len(src)
		}
		i += n + 2
		rest := src[i:]
		if len(rest) > 0 && rest[0] == '>' {
			return i + 1
		}
		if len(rest) > 1 && rest[0] == '!' && rest[1] == '>' {
			return i + 2
		}
		i-- // "--->" ends as well
	}
}

// endTag takes what follows "</".
func (h *htmlScanner) endTag(i int) int {
	if i >= len(h.src) || !isLetter(h.src[i]) {
		return h.past(i, ">")
	}
	name, i := h.tagName(i)
	if i < len(h.src) && h.src[i] == '>' {
		i++
	} else {
		i, _, _ = h.attributes(i, 0)
	}
	if len(h.foreign) > 0 {
		h.foreign.end(name)
	}
	return i
}

// tagName returns the name that begins at i and the index after it. Template
// code ends it, as in <a<?= $class ?> href=…>.
func (h *htmlScanner) tagName(i int) ([]byte, int) {
	start := i
	for i < len(h.src) && !tagNameEnd[h.src[i]] {
		i++
	}
	return h.src[start:i], i
}

var (
	tagNameEnd  = [256]bool{' ': true, '\n': true, '\t': true, '\r': true, '\f': true, '/': true, '>': true, 0: true}
	attrNameEnd = [256]bool{' ': true, '\n': true, '\t': true, '\r': true, '\f': true, '/': true, '>': true, '=': true}
)

// startTag takes the tag whose name begins at i, and the raw text after it if
// its element has one. The end of the document within a tag undoes the tag.
func (h *htmlScanner) startTag(i int) int {
	name, i := h.tagName(i)
	el, foreign := elementOf(name), h.inForeign()
	want := el.attrs
	if foreign { // where every element may link to something
		want |= attrHref | attrXlinkHref
	}
	h.attrs = h.attrs[:0]
	i, selfClosing, whole := h.attributes(i, want)
	if !whole {
		return i
	}
	h.tag(el)
	if foreign || el.foreign {
		h.foreign.start(name, selfClosing)
		if selfClosing {
			return i
		}
	}
	// Only markup that is still foreign after this tag is read as such.
	foreign = foreign && h.inForeign()
	switch el.content {
	case rawText:
		if !foreign {
			return h.rawEnd(i, name)
		}
	case scriptData:
		if !foreign {
			end := scriptEnd(h.src, i)
			h.script(i, end)
			return end
		}
		return h.rawEnd(i, name)
	case styleSheet:
		end := h.rawEnd(i, name)
		h.style(i, end, foreign)
		return end
	case plainText:
		if !foreign {
			return len(h.src)
		}
	}
	return i
}

// attributes takes what follows a tag's name, keeps the attributes that are
// wanted, and returns the index after the tag, whether it closes itself, and
// whether it has an end.
func (h *htmlScanner) attributes(i int, want attrID) (next int, selfClosing, whole bool) {
	src := h.src
	for i < len(src) {
		switch c := src[i]; {
		case c == '>':
			return i + 1, false, true
		case isSpace(c):
			i++
			continue
		case c == '/':
			i++
			if i < len(src) && src[i] == '>' {
				return i + 1, true, true
			}
			continue
		}
		start := i
		for i++; i < len(src) && !attrNameEnd[src[i]]; i++ {
		}
		name := src[start:i]
		for i < len(src) && isSpace(src[i]) {
			i++
		}
		if i >= len(src) || src[i] != '=' {
			if id := attrOf(name) & want; id != 0 {
				h.keep(id, i, i)
			}
			continue
		}
		for i++; i < len(src) && isSpace(src[i]); i++ {
		}
		vstart, vend, next := attrValue(src, i)
		if next < 0 {
			break
		}
		i = next
		id := attrOf(name) & want
		if id == 0 && h.further != nil {
			id = h.furtherOf(name)
		}
		if id != 0 {
			h.keep(id, vstart, vend)
		}
	}
	return len(src), false, false
}

// attrValue returns the place of the value that begins at i and the index
// after it, or -1 if its quote is never closed.
func attrValue(src []byte, i int) (start, end, next int) {
	if i < len(src) && (src[i] == '"' || src[i] == '\'') {
		n := bytes.IndexByte(src[i+1:], src[i])
		if n < 0 {
			return 0, 0, -1
		}
		return i + 1, i + 1 + n, i + 1 + n + 1
	}
	start = i
	for i < len(src) && !isSpace(src[i]) && src[i] != '>' {
		i++
	}
	return start, i, i
}

// keep remembers an attribute. The first of a name counts; in a template both
// may, as two branches of a condition.
func (h *htmlScanner) keep(id attrID, start, end int) {
	if !h.layered && id&(attrName|attrFurther|attrFurtherSrcset) == 0 {
		for _, a := range h.attrs {
			if a.id == id {
				return
			}
		}
	}
	h.attrs = append(h.attrs, attr{id, start, end})
}

// value returns the raw value of an attribute, nil if the tag has none.
func (h *htmlScanner) value(id attrID) []byte {
	for _, a := range h.attrs {
		if a.id == id {
			return h.src[a.start:a.end]
		}
	}
	return nil
}

// text returns an attribute's value with its entities decoded.
func (h *htmlScanner) text(a attr) text {
	t := text{b: h.src[a.start:a.end], base: a.start}
	if bytes.IndexByte(t.b, '&') >= 0 {
		return h.dec.entities(t)
	}
	return t
}

const amp = "&amp;"

// tag hands on the URLs in the attributes that were kept.
func (h *htmlScanner) tag(el *element) {
	for _, a := range h.attrs {
		switch a.id {
		case attrStyle:
			h.css.scan(h.text(a), amp)
		case attrSrcset, attrImageSrcset, attrFurtherSrcset:
			h.srcset(h.text(a))
		case attrContent:
			if h.metaIsURL() {
				h.sink.url(h.text(a), amp)
			}
		case attrHref, attrXlinkHref:
			h.href(el, a)
		case attrSrc:
			if h.isModule(el) {
				h.sink.module(h.text(a), amp)
			} else {
				h.sink.url(h.text(a), amp)
			}
		case attrPoster, attrData, attrBackground, attrFurther:
			h.sink.url(h.text(a), amp)
		}
	}
	if el.attrs&attrIntegrity != 0 {
		h.integrity()
	}
}

// integrity hands on that of what the tag loads.
func (h *htmlScanner) integrity() {
	var url, sums *attr
	for i := range h.attrs {
		switch a := &h.attrs[i]; {
		case a.id == attrIntegrity && sums == nil:
			sums = a
		case a.id&(attrSrc|attrHref) != 0 && url == nil:
			url = a
		}
	}
	if url != nil && sums != nil {
		h.sink.integrity(h.sumDec.entities(text{b: h.src[sums.start:sums.end], base: sums.start}), h.text(*url))
	}
}

func (h *htmlScanner) href(el *element, a attr) {
	switch {
	case el.base:
		if !h.hasBase {
			h.hasBase = true
			h.sink.base(h.text(a))
		}
	case h.isModule(el), el.link && hasRel(h.value(attrRel), "modulepreload"):
		h.sink.module(h.text(a), amp)
	case !el.link || linkIsFetched(h.value(attrRel)):
		h.sink.url(h.text(a), amp)
	}
}

// style scans the content of a style element. Within SVG it is ordinary text, in
// which entities are decoded and comments are comments.
func (h *htmlScanner) style(start, end int, foreign bool) {
	if t := bytes.TrimSpace(h.value(attrType)); len(t) > 0 && !equalFold(t, "text/css") {
		return
	}
	t := text{b: h.src[start:end], base: start}
	if !foreign || bytes.Contains(t.b, []byte("<![CDATA[")) {
		h.css.scan(t, "&")
		return
	}
	for {
		before := bytes.Index(t.b, []byte("<!--"))
		if before < 0 {
			h.foreignStyle(t)
			return
		}
		h.foreignStyle(t.sub(0, before))
		n := bytes.Index(t.b[before:], []byte("-->"))
		if n < 0 {
			return
		}
		t = t.sub(before+n+len("-->"), len(t.b))
	}
}

// foreignStyle scans a piece of a style element's text.
func (h *htmlScanner) foreignStyle(t text) {
	if bytes.IndexByte(t.b, '&') >= 0 {
		h.css.scan(h.dec.entities(t), amp)
		return
	}
	h.css.scan(t, "&")
}

// rawEnd returns the index of the end tag that closes the raw text at i.
func (h *htmlScanner) rawEnd(i int, name []byte) int {
	for {
		n := bytes.Index(h.src[i:], []byte("</"))
		if n < 0 {
			return len(h.src)
		}
		i += n
		if isTag(h.src[i+2:], name) {
			return i
		}
		i += 2
	}
}

// isTag reports whether b begins with a tag's name, whole and in any case.
func isTag(b, name []byte) bool {
	if len(b) <= len(name) {
		return false
	}
	for i, c := range name {
		if lower(b[i]) != lower(c) {
			return false
		}
	}
	c := b[len(name)]
	return isSpace(c) || c == '/' || c == '>'
}

var scriptName = []byte("script")

// scriptEnd returns the index of the end tag that closes the script at i. After
// "<!--" a script element may be nested, up to "-->".
func scriptEnd(src []byte, i int) int {
	escaped, nested := false, false
	for i < len(src) {
		rest := src[i:]
		switch {
		case rest[0] == '<' && len(rest) > 1 && rest[1] == '/' && isTag(rest[2:], scriptName):
			if !nested {
				return i
			}
			nested = false
		case rest[0] == '<' && !escaped && bytes.HasPrefix(rest, []byte("<!--")):
			escaped = true
			i++ // the dashes may be those of "-->" too
		case rest[0] == '<' && escaped && isTag(rest[1:], scriptName):
			nested = true
		case escaped && bytes.HasPrefix(rest, []byte("-->")):
			escaped, nested = false, false
		}
		i++
		if !escaped {
			n := bytes.IndexByte(src[min(i, len(src)):], '<')
			if n < 0 {
				return len(src)
			}
			i += n
		}
	}
	return len(src)
}
