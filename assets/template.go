package assets

import "bytes"

// layers are the kinds that may lie over HTML and CSS.
const layers = PHP | Jinja | Mustache | ERB

// mask returns src with every byte of template code replaced by NUL, so that
// the scanners need not know of it and every place stays the same; src itself
// when there is none. src holds no NUL of its own.
func mask(src []byte, kind Kind) []byte {
	m := masker{src: src, out: src}
	if kind&PHP != 0 {
		m.each("<?", func(i int) int { return phpEnd(src, i) })
	}
	if kind&ERB != 0 {
		m.each("<%", func(i int) int { return erbEnd(src, i) })
	}
	if kind&(Jinja|Mustache) != 0 {
		last := bytes.LastIndexByte(src, '}') // nothing is closed after it
		m.each("{", func(i int) int {
			if i > last {
				return 0
			}
			return curlyEnd(src, i, kind&Jinja != 0)
		})
	}
	return m.out
}

type masker struct {
	src, out []byte
}

// each masks what begins with mark, up to the index that end gives for it; 0
// means that no code begins there.
func (m *masker) each(mark string, end func(i int) int) {
	for i := 0; ; {
		n := bytes.Index(m.out[i:], []byte(mark))
		if n < 0 {
			return
		}
		i += n
		stop := end(i)
		if stop <= i {
			i += len(mark)
			continue
		}
		if &m.out[0] == &m.src[0] {
			m.out = bytes.Clone(m.src)
		}
		clear(m.out[i:stop])
		i = stop
	}
}

// erbEnd returns the end of the ERB tag at i. "<%%" is a literal "<%".
func erbEnd(src []byte, i int) int {
	if bytes.HasPrefix(src[i:], []byte("<%%")) {
		return 0
	}
	return indexAfter(src, i+2, "%>")
}

// indexAfter returns the index after the next mark, or 0 if there is none:
// what is never closed is text.
func indexAfter(src []byte, i int, mark string) int {
	n := bytes.Index(src[min(i, len(src)):], []byte(mark))
	if n < 0 {
		return 0
	}
	return i + n + len(mark)
}

// curlyEnd returns the end of the tag or comment that the brace at i begins. A
// string in it may hold the closing braces.
func curlyEnd(src []byte, i int, jinja bool) int {
	rest := src[i:]
	switch {
	case bytes.HasPrefix(rest, []byte("{{!--")):
		return indexAfter(src, i+5, "--}}")
	case bytes.HasPrefix(rest, []byte("{{!")):
		return indexAfter(src, i+3, "}}")
	case bytes.HasPrefix(rest, []byte("{{")):
		if c := bytes.TrimLeft(rest[2:], "- \t\r\n"); bytes.HasPrefix(c, []byte("/*")) {
			return indexAfter(src, indexAfter(src, i, "*/"), "}}")
		}
		return curlyClose(src, i+2, "}}")
	case jinja && bytes.HasPrefix(rest, []byte("{%")):
		return curlyClose(src, i+2, "%}")
	case jinja && bytes.HasPrefix(rest, []byte("{#")):
		return indexAfter(src, i+2, "#}")
	}
	return 0
}

// curlyClose returns the index after mark, strings left out; if that finds
// none, because what looked like a quote was an apostrophe, the next one.
func curlyClose(src []byte, i int, mark string) int {
	for j := i; j < len(src); j++ {
		switch c := src[j]; c {
		case '"', '\'', '`':
			j++
			for ; j < len(src) && src[j] != c; j++ {
				if src[j] == '\\' && c != '`' {
					j++
				}
			}
		case mark[0]:
			if bytes.HasPrefix(src[j:], []byte(mark)) {
				return j + len(mark)
			}
		}
	}
	return indexAfter(src, i, mark)
}
