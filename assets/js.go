package assets

import "bytes"

// jsScanner finds URLs in JavaScript (ECMAScript 2025) by its tokens: the
// specifiers of import and export, and of import() and new URL(…, import.meta.url)
// where they are literals; and that of the source map. Unlike a parser it goes on
// after whatever it does not understand, as the code of a template leaves it.
//
// Whether '/' divides or begins a regular expression depends on the grammar, of
// which it keeps as much as decides that: whether an operand has just ended, and
// what the open brackets are.
type jsScanner struct {
	sink sink
	dec  decoder
	src  []byte

	value bool // what is before ends an operand: '/' divides
	begin bool // a statement may begin here: '{' opens a block
	dot   bool // a property's name follows
	next  jsBracket
	class jsBracket // the body of the class whose head is being read
	depth int       // of brackets, where that head is
	open  []jsBracket

	divides int  // where the line ends on which '/' begins nothing, for one had no end
	comment span // the last that names a source map
	mapURL  span
}

// jsBracket is what an open bracket is, or what the next one will be.
type jsBracket byte

const (
	jsNoBracket  jsBracket = iota
	jsParen                // of an expression, or the parameters of a method
	jsHead                 // of if, for, while, with: an operand follows it
	jsParams               // of a function
	jsFunction             // of a function that is an operand
	jsIndex                // [
	jsObject               // {, of an operand
	jsSubstitute           // ${, of a template
	jsBlock                // {, of statements
	jsBody                 // {, of a function or class that is an operand
)

// mayHaveJSURLs reports whether code has one of the words without which it has no
// URLs, as most scripts.
func mayHaveJSURLs(src []byte) bool {
	return bytes.Contains(src, []byte("import")) || bytes.Contains(src, sourceMapWord) || bytes.Contains(src, []byte("export"))
}

// scan reads the code that begins at i and ends with src.
func (j *jsScanner) scan(src []byte, i int) {
	if !mayHaveJSURLs(src[i:]) {
		return
	}
	j.src, j.open, j.class, j.divides, j.comment = src, j.open[:0], jsNoBracket, 0, span{}
	j.after(false, true)
	if bytes.HasPrefix(src[i:], []byte("\ufeff")) {
		i += len("\ufeff")
	}
	if bytes.HasPrefix(src[i:], []byte("#!")) {
		i = jsLineEnd(src, i)
	}
	for i < len(src) {
		switch c := src[i]; jsClass[c] {
		case jsBlank:
			for i++; i < len(src) && jsClass[src[i]] == jsBlank; i++ {
			}
		case jsWord, jsWide:
			i = j.word(i)
		case jsDigit:
			i = j.number(i)
		default:
			i = j.punctuation(i, c)
		}
	}
	if m := j.comment; m.end > 0 && j.blank(m.end) >= len(src) { // no code after it
		j.sink.url(text{b: src[j.mapURL.start:j.mapURL.end], base: j.mapURL.start}, "&")
	}
}

// after notes what the token before means for the next one.
func (j *jsScanner) after(value, begin bool) {
	j.value, j.begin, j.dot, j.next = value, begin, false, jsNoBracket
}

// word takes the identifier or keyword at i.
func (j *jsScanner) word(i int) int {
	end := jsWordEnd(j.src, i)
	if end == i { // white space beyond ASCII
		return i + jsWideBlank(j.src[i:])
	}
	name := j.src[i:end]
	switch {
	case j.dot:
		j.after(true, false)
	case j.next == jsParams, j.next == jsFunction: // the function's name
	case len(name) < 2 || len(name) > 10 || name[0] < 'a' || name[0] > 'y':
		j.after(true, false)
	default:
		return j.keyword(name, end)
	}
	return end
}

// keyword takes the word that ends at i, which may be a keyword.
func (j *jsScanner) keyword(name []byte, i int) int {
	value, begin := j.value, j.begin
	switch string(name) {
	case "import":
		j.after(true, false)
		return j.importing(i)
	case "export":
		j.after(false, true)
		return j.exporting(i)
	case "new":
		j.after(false, false)
		j.newURL(i)
	case "return", "typeof", "instanceof", "in", "delete", "void", "throw", "case", "yield", "extends":
		j.after(false, false)
	case "of": // of a for loop, or a name
		j.after(!value, false)
	case "await":
		next := j.next // for await (
		j.after(false, false)
		j.next = next
	case "else", "do", "try", "finally", "default":
		j.after(false, true)
	case "if", "for", "while", "with":
		j.after(false, false)
		j.next = jsHead
	case "function":
		j.after(false, false)
		if j.next = jsFunction; begin {
			j.next = jsParams
		}
	case "class":
		j.after(true, false) // its body may follow at once
		j.depth = len(j.open)
		if j.class = jsBody; begin {
			j.class = jsBlock
		}
	case "async": // a function may follow, which is what this is
		j.after(true, begin)
	default:
		j.after(true, false)
	}
	return i
}

// number returns the index after the number at i. An exponent's sign ends it, which
// does no harm.
func (j *jsScanner) number(i int) int {
	j.after(true, false)
	for i++; i < len(j.src) && (jsClass[j.src[i]] >= jsWide || j.src[i] == '.'); i++ {
	}
	return i
}

// punctuation takes what begins with c at i.
func (j *jsScanner) punctuation(i int, c byte) int {
	b := j.src
	var second byte
	if i+1 < len(b) {
		second = b[i+1]
	}
	switch c {
	case '"', '\'':
		_, i, _ = jsString(b, i)
		j.after(true, false)
		return i
	case '`':
		return j.template(i + 1)
	case '/':
		return j.slash(i, second)
	case '(', '[', '{':
		j.push(c)
	case ')', ']', '}':
		if j.pop(c) {
			return j.template(i + 1)
		}
	case ';':
		j.after(false, true)
	case ':': // of a label or a case, if it is in a block
		j.class = jsNoBracket
		j.after(false, len(j.open) == 0 || j.open[len(j.open)-1] >= jsBlock)
	case '.':
		return j.period(i, second)
	case '?':
		if second == '.' && (i+2 == len(b) || !isDigit(b[i+2])) {
			j.after(false, false)
			j.dot = true
			return i + 2
		}
		j.after(false, false)
	case '+', '-':
		if second == c {
			if c == '-' && bytes.HasPrefix(b[i:], []byte("-->")) && beginsLine(b, i) {
				return jsLineEnd(b, i)
			}
			j.after(j.value, false) // before or behind an operand
			return i + 2
		}
		j.after(false, false)
	case '=':
		j.after(false, second == '>') // '{' opens a block after an arrow
		if second == '>' {
			return i + 2
		}
	case '*':
		if j.next != jsParams && j.next != jsFunction { // function*
			j.after(false, false)
		}
	case '<':
		if second == '!' && bytes.HasPrefix(b[i:], []byte("<!--")) {
			return jsLineEnd(b, i)
		}
		j.after(false, false)
	default:
		j.after(false, false)
	}
	return i + 1
}

// push opens a bracket.
func (j *jsScanner) push(c byte) {
	kind := jsIndex
	switch c {
	case '(':
		if kind = j.next; kind == jsNoBracket || kind >= jsIndex {
			kind = jsParen
		}
	case '{':
		switch {
		case j.next == jsBody:
			kind = jsBody
		case j.value && j.class != jsNoBracket && j.depth == len(j.open):
			kind, j.class = j.class, jsNoBracket
		case j.value, j.begin:
			kind = jsBlock
		default:
			kind = jsObject
		}
	}
	j.open = append(j.open, kind)
	j.after(false, kind == jsBlock || kind == jsBody)
}

// pop closes a bracket, and reports whether the text of a template goes on.
func (j *jsScanner) pop(c byte) bool {
	kind := jsBlock
	if c != '}' {
		kind = jsParen
	}
	if n := len(j.open); n > 0 {
		kind, j.open = j.open[n-1], j.open[:n-1]
	}
	j.after(kind != jsHead && kind != jsBlock, kind == jsHead || kind == jsBlock)
	if kind == jsFunction {
		j.next = jsBody
	}
	return kind == jsSubstitute && c == '}'
}

// period takes the dot at i.
func (j *jsScanner) period(i int, second byte) int {
	if isDigit(second) {
		return j.number(i)
	}
	if bytes.HasPrefix(j.src[i:], []byte("...")) {
		j.after(false, false)
		return i + 3
	}
	j.after(false, false)
	j.dot = true
	return i + 1
}

// slash takes a comment, a regular expression, or a division.
func (j *jsScanner) slash(i int, second byte) int {
	b := j.src
	switch {
	case second == '/':
		end := jsLineEnd(b, i)
		j.sourceMap(i, i+2, end, end)
		return end
	case second == '*':
		end := skipComment(b, i)
		if bytes.HasSuffix(b[i+2:end], []byte("*/")) {
			j.sourceMap(i, i+2, end-2, end)
		}
		return end
	case !j.value && i >= j.divides:
		end, ok := regexpEnd(b, i)
		if ok {
			j.after(true, false)
			return end
		}
		j.divides = end
	}
	j.after(false, false)
	return i + 1
}

// sourceMap takes the comment from i to next, whose text is from start to end.
func (j *jsScanner) sourceMap(i, start, end, next int) {
	if u := sourceMapURL(j.src, start, end); u.end > 0 {
		j.comment, j.mapURL = span{i, next}, u
	}
}

// template goes over the text of a template from i on, to its end or its next
// substitution.
func (j *jsScanner) template(i int) int {
	b := j.src
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '`':
			j.after(true, false)
			return i + 1
		case '$':
			if i+1 < len(b) && b[i+1] == '{' {
				j.open = append(j.open, jsSubstitute)
				j.after(false, false)
				return i + 2
			}
		}
	}
	return len(b)
}
