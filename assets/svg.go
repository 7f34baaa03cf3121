package assets

import "bytes"

// A drawing in a file of its own is XML, and is read by the HTML scanner as it
// reads one within a page, with the differences that are here.

// xmlMarkup takes what follows "<!": a comment, CDATA, or a document type, whose
// declarations may hold anything in quotes.
func (h *htmlScanner) xmlMarkup(i int, rest []byte) int {
	switch {
	case bytes.HasPrefix(rest, []byte("--")):
		return h.past(i+2, "-->")
	case bytes.HasPrefix(rest, []byte("[CDATA[")):
		return h.past(i, "]]>")
	}
	return h.doctype(i)
}

// doctype returns the index after the declaration at i, and those within it.
func (h *htmlScanner) doctype(i int) int {
	depth := 1
	for i < len(h.src) {
		switch c := h.src[i]; {
		case c == '"' || c == '\'':
			i = h.past(i+1, string(c))
			continue
		case bytes.HasPrefix(h.src[i:], []byte("<!--")):
			i = h.past(i+4, "-->")
			continue
		case c == '<':
			depth++
		case c == '>':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return i
}

var styleInstruction = []byte("xml-stylesheet")

// instruction takes what follows "<?". One names a style sheet.
func (h *htmlScanner) instruction(i int) int {
	end := h.past(i, "?>")
	if !bytes.HasPrefix(h.src[i:end], styleInstruction) {
		return end
	}
	h.attrs = h.attrs[:0]
	whole := h.src
	h.src = h.src[:end] // its end is no tag's
	h.attributes(i+len(styleInstruction), attrHref)
	h.src = whole
	for _, a := range h.attrs {
		h.sink.url(h.text(a), amp)
	}
	return end
}
