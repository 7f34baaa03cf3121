package assets

import "bytes"

// maxDepth is how deep a web manifest is looked into. Its images are not deeper
// than this.
const maxDepth = 16

// scanManifest hands on the images of a web application manifest (W3C,
// Application Information and Web Application Manifest): src in each object of a
// list called icons or screenshots, wherever that is.
func scanManifest(to sink, src []byte, dec *decoder) {
	m := manifestScanner{sink: to, src: src, dec: dec}
	m.value(skipJSONBlank(src, 0), nil, 0)
}

type manifestScanner struct {
	sink sink
	src  []byte
	dec  *decoder
}

// value takes the value at i, of a member called name, and returns the index after
// it. A negative one is that of something else than JSON, with which the scan ends.
func (m *manifestScanner) value(i int, name []byte, depth int) int {
	if i < 0 || i >= len(m.src) || depth > maxDepth {
		return -1
	}
	switch m.src[i] {
	case '{':
		return m.object(i, nil, depth)
	case '[':
		return m.list(i+1, name, depth)
	case '"':
		return jsonStringEnd(m.src, i)
	}
	start := i
	for i < len(m.src) && bytes.IndexByte([]byte(",:]} \t\r\n"), m.src[i]) < 0 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func (m *manifestScanner) list(i int, name []byte, depth int) int {
	for {
		if i = skipJSONBlank(m.src, i); i >= len(m.src) {
			return -1
		}
		switch m.src[i] {
		case ']':
			return i + 1
		case ',':
			i++
			continue
		}
		if m.src[i] == '{' && depth < maxDepth {
			i = m.object(i, name, depth+1)
		} else {
			i = m.value(i, nil, depth+1)
		}
		if i < 0 {
			return -1
		}
	}
}

// object takes the object at i, which may be in a list called name.
func (m *manifestScanner) object(i int, name []byte, depth int) int {
	images := string(name) == "icons" || string(name) == "screenshots"
	return jsonObject(m.src, i, func(key text, start int) int {
		end := m.value(start, key.b, depth+1)
		if end >= 0 && images && string(key.b) == "src" && m.src[start] == '"' {
			m.sink.url(m.dec.json(text{b: m.src[start+1 : end-1], base: start + 1}), "&")
		}
		return end
	})
}
