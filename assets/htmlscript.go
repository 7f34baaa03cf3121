package assets

import "bytes"

// script scans the content of a script element: a module, or an import map. The
// element of another script, or of one that lies elsewhere, has no URLs in it.
func (h *htmlScanner) script(start, end int) {
	kind := bytes.TrimSpace(h.value(attrType))
	switch {
	case h.value(attrSrc) != nil:
	case equalFold(kind, "module"):
		h.js.scan(h.src[:end], start)
	case equalFold(kind, "importmap"):
		h.importMap(h.src[:end], start)
	case h.classic != nil && isClassic(kind):
		h.js.sink = h.classic
		h.js.scan(h.src[:end], start)
		h.js.sink = h.sink
	}
}

// isClassic reports whether a script element of that type has a script.
func isClassic(kind []byte) bool {
	return len(kind) == 0 || hasFold(kind[max(0, len(kind)-len("javascript")):], "javascript")
}

// isModule reports whether the tag loads a module, which its URL is the identity of.
func (h *htmlScanner) isModule(el *element) bool {
	return el.content == scriptData && equalFold(bytes.TrimSpace(h.value(attrType)), "module")
}
