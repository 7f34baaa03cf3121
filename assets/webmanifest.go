package assets

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

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
		return m.object(i+1, nil, depth)
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
			i = m.object(i+1, name, depth+1)
		} else {
			i = m.value(i, nil, depth+1)
		}
		if i < 0 {
			return -1
		}
	}
}

// object takes the members of an object, which may be in a list called name.
func (m *manifestScanner) object(i int, name []byte, depth int) int {
	images := string(name) == "icons" || string(name) == "screenshots"
	for {
		if i = skipJSONBlank(m.src, i); i >= len(m.src) {
			return -1
		}
		switch m.src[i] {
		case '}':
			return i + 1
		case ',':
			i++
			continue
		case '"':
		default:
			return -1
		}
		end := jsonStringEnd(m.src, i)
		if end < 0 {
			return -1
		}
		key := m.src[i+1 : end-1]
		if i = skipJSONBlank(m.src, end); i >= len(m.src) || m.src[i] != ':' {
			return -1
		}
		i = skipJSONBlank(m.src, i+1)
		start := i
		if i = m.value(i, key, depth+1); i < 0 {
			return -1
		}
		if images && string(key) == "src" && m.src[start] == '"' {
			m.sink.url(m.dec.json(text{b: m.src[start+1 : i-1], base: start + 1}), "&")
		}
	}
}

func skipJSONBlank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n' || b[i] == 0) {
		i++
	}
	if i == 0 && bytes.HasPrefix(b, []byte("\ufeff")) {
		return skipJSONBlank(b, len("\ufeff"))
	}
	return i
}

// jsonStringEnd returns the index after the string at i, or -1.
func jsonStringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		case '\n':
			return -1
		}
	}
	return -1
}

// json decodes the escapes of a JSON string.
func (d *decoder) json(t text) text { return d.escapes(t, jsonEscape) }

// jsonEscape decodes the escape that b begins with, and returns its length.
func jsonEscape(b []byte) (string, int) {
	if len(b) == 1 {
		return `\`, 1
	}
	switch b[1] {
	case 'b':
		return "\b", 2
	case 'f':
		return "\f", 2
	case 'n':
		return "\n", 2
	case 'r':
		return "\r", 2
	case 't':
		return "\t", 2
	case 'u':
	default:
		return string(b[1:2]), 2
	}
	r, ok := hex4(b)
	if !ok {
		return string(b[1:2]), 2
	}
	if !utf16.IsSurrogate(r) {
		return string(r), 6
	}
	if low, ok := hex4(b[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return string(pair), 12
		}
	}
	return string(utf8.RuneError), 6
}

// hex4 is the number of the escape, \u and four hexadecimal digits, that b begins with.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}
