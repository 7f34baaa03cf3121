package assets

import "bytes"

// phpEnd returns the end of the PHP code that begins with the "<?" at i: after
// its "?>", or the end of the file. A "?>" within a string, a heredoc or a /* */
// comment is not the end; one in a line comment is.
func phpEnd(src []byte, i int) int {
	i += len("<?")
	if hasFold(src[i:], "xml") { // a declaration, not code
		if end := indexAfter(src, i, "?>"); end > 0 {
			return end
		}
		return len(src)
	}
	return phpCode(src, i, 0)
}

// maxPHPDepth bounds the nesting of braces and strings that is followed.
const maxPHPDepth = 100

// phpCode returns the index after the code at i. At depth 0 that ends with "?>",
// below, in braces within a string, with the brace that closes them.
func phpCode(src []byte, i, depth int) int {
	braces := 0
	for i < len(src) {
		rest := src[i:]
		switch c := src[i]; {
		case c == '\'' || c == '"' || c == '`':
			i = phpString(src, i+1, c, depth)
		case c == '?' && depth == 0 && bytes.HasPrefix(rest, []byte("?>")):
			return i + 2
		case c == '{':
			braces++
			i++
		case c == '}':
			braces--
			i++
			if depth > 0 && braces < 0 {
				return i
			}
		case c == '#' && !bytes.HasPrefix(rest, []byte("#[")), bytes.HasPrefix(rest, []byte("//")):
			i = phpLineComment(src, i)
		case bytes.HasPrefix(rest, []byte("/*")):
			if i = indexAfter(src, i+2, "*/"); i == 0 {
				return len(src)
			}
		case bytes.HasPrefix(rest, []byte("<<<")):
			i = phpHeredoc(src, i+3)
		case c == '_' && hasFold(rest, "__halt_compiler") && (i == 0 || !isIdent(src[i-1])):
			return len(src)
		default:
			i++
		}
	}
	return len(src)
}

// phpLineComment returns the index of the line end or "?>" after i.
func phpLineComment(src []byte, i int) int {
	for ; i < len(src) && src[i] != '\n' && src[i] != '\r'; i++ {
		if src[i] == '?' && i+1 < len(src) && src[i+1] == '>' {
			break
		}
	}
	return i
}

// phpString returns the index after the string whose content begins at i. All
// but single-quoted ones may hold code in {$…} and ${…}.
func phpString(src []byte, i int, quote byte, depth int) int {
	for i < len(src) {
		switch c := src[i]; {
		case c == quote:
			return i + 1
		case c == '\\':
			i += 2
		case quote != '\'' && depth < maxPHPDepth && i+1 < len(src) &&
			(c == '{' && src[i+1] == '$' || c == '$' && src[i+1] == '{'):
			i = phpCode(src, i+2, depth+1)
		default:
			i++
		}
	}
	return len(src)
}

// phpHeredoc returns the index after the heredoc or nowdoc whose "<<<" ends at
// i, or i if there is none. The label that closes it stands first in its line,
// but for blanks, and is followed by no letter, digit or underscore.
func phpHeredoc(src []byte, i int) int {
	start := i
	for i < len(src) && (src[i] == ' ' || src[i] == '\t') {
		i++
	}
	quoted := i < len(src) && (src[i] == '"' || src[i] == '\'')
	if quoted {
		i++
	}
	n := i
	for n < len(src) && isLabel(src[n]) {
		n++
	}
	label := src[i:n]
	if len(label) == 0 || isDigit(label[0]) {
		return start
	}
	if quoted {
		n++
	}
	if n >= len(src) || src[n] != '\n' && src[n] != '\r' {
		return start
	}
	for n < len(src) {
		if c := src[n]; c != '\n' && c != '\r' {
			n++
			continue
		}
		for n++; n < len(src) && (src[n] == ' ' || src[n] == '\t'); n++ {
		}
		if bytes.HasPrefix(src[n:], label) {
			if end := n + len(label); end >= len(src) || !isLabel(src[end]) {
				return end
			}
		}
	}
	return len(src)
}

// isLabel reports the bytes of a PHP name.
func isLabel(c byte) bool { return isAlnum(c) || c == '_' || c >= 0x80 }
