package assets

// srcset hands on the URLs of an image candidate list, as "parse a srcset
// attribute" of the HTML standard finds them: a URL ends at white space, less
// its trailing commas, and a comma within parentheses ends no candidate.
func (h *htmlScanner) srcset(t text) {
	b := t.b
	for i := 0; i < len(b); {
		if isSpace(b[i]) || b[i] == ',' {
			i++
			continue
		}
		start := i
		for i < len(b) && !isSpace(b[i]) {
			i++
		}
		end := i
		for b[end-1] == ',' {
			end--
		}
		h.sink.url(t.sub(start, end), amp)
		if end == i {
			i = skipDescriptors(b, i)
		}
	}
}

// skipDescriptors returns the index of the comma that ends the candidate.
// Parentheses do not nest.
func skipDescriptors(b []byte, i int) int {
	inParens := false
	for ; i < len(b); i++ {
		switch b[i] {
		case '(':
			inParens = true
		case ')':
			inParens = false
		case ',':
			if !inParens {
				return i
			}
		}
	}
	return i
}
