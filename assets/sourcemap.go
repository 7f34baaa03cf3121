package assets

import "bytes"

var sourceMapWord = []byte("sourceMappingURL=")

// sourceMapURL returns the place of the URL of a source map in a comment whose
// text is src[start:end], by ECMA-426: [@#]\s*sourceMappingURL=(\S*?)\s*$. It is
// empty if there is none.
func sourceMapURL(src []byte, start, end int) span {
	if end-start < len(sourceMapWord) || src[start] != '#' && src[start] != '@' {
		return span{}
	}
	for start++; start < end && isSpace(src[start]); start++ {
	}
	if !bytes.HasPrefix(src[start:end], sourceMapWord) {
		return span{}
	}
	start += len(sourceMapWord)
	for end > start && isSpace(src[end-1]) {
		end--
	}
	if start == end || bytes.ContainsAny(src[start:end], " \t\r\n\f\v") {
		return span{}
	}
	return span{start, end}
}
