package assets

import "bytes"

// importMap hands on the URLs of an import map (HTML standard, 8.1.5.1): the
// addresses of imports and scopes, and those keys that are URLs, of modules and
// of their integrity. They are compared with what modules are imported by, and
// must have the same versions.
func (h *htmlScanner) importMap(src []byte, i int) {
	m := importMapScanner{htmlScanner: h, src: src}
	m.object(i, func(key text, i int) int {
		switch string(key.b) {
		case "imports":
			return m.imports(i)
		case "scopes":
			return m.object(i, func(key text, i int) int {
				m.key(key)
				return m.imports(i)
			})
		case "integrity":
			return m.object(i, m.sums)
		}
		return m.skip(i)
	})
}

type importMapScanner struct {
	*htmlScanner
	src []byte
}

// object is jsonObject with keys whose escapes are decoded.
func (m *importMapScanner) object(i int, do func(key text, i int) int) int {
	return jsonObject(m.src, i, func(key text, i int) int { return do(m.sumDec.json(key), i) })
}

// str returns the content of the string at i and the index after it, -1 if there
// is none.
func (m *importMapScanner) str(i int) (text, int) {
	if i >= len(m.src) || m.src[i] != '"' {
		return text{}, -1
	}
	end := jsonStringEnd(m.src, i)
	if end < 0 {
		return text{}, -1
	}
	return text{b: m.src[i+1 : end-1], base: i + 1}, end
}

// skip returns the index after the value at i, which is none that counts.
func (m *importMapScanner) skip(i int) int {
	depth := 0
	for i >= 0 && i < len(m.src) {
		switch c := m.src[i]; c {
		case '"':
			if i = jsonStringEnd(m.src, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case ',', '}', ']':
			if depth == 0 {
				return i
			}
			if c != ',' {
				depth--
			}
		}
		i++
	}
	return -1
}

// key hands on one that is a URL. A prefix is none of a module.
func (m *importMapScanner) key(u text) {
	if !bytes.HasSuffix(u.b, []byte("/")) {
		m.sink.module(u, "&")
	}
}

// imports hands on what is in the object at i: specifiers, and what they lead to.
func (m *importMapScanner) imports(i int) int {
	return m.object(i, func(key text, i int) int {
		if isURLSpecifier(key.b) {
			m.key(key)
		}
		value, next := m.str(i)
		if next < 0 {
			return m.skip(i)
		}
		if u := m.dec.json(value); isURLSpecifier(u.b) {
			m.sink.module(u, "&")
		}
		return next
	})
}

// sums hands on the integrity at i of a module.
func (m *importMapScanner) sums(key text, i int) int {
	value, next := m.str(i)
	if next < 0 {
		return m.skip(i)
	}
	if isURLSpecifier(key.b) {
		m.key(key)
		m.sink.integrity(m.dec.json(value), key)
	}
	return next
}
