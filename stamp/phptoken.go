package stamp

// phpKind is what a token is. Blanks are no tokens.
type phpKind byte

const (
	phpHTML     phpKind = iota // what lies outside of <?php ?>
	phpOpen                    // <?php or <?=
	phpClose                   // ?> and a line end after it
	phpComment                 // // # /* */
	phpString                  // '...' or "..." without interpolation
	phpInterp                  // "..." with interpolation
	phpHeredoc                 // heredoc or nowdoc
	phpBacktick                // a shell command
	phpData                    // what follows __halt_compiler
	phpVariable                // $name
	phpName                    // a word or a name with backslashes
	phpNumber
	phpOp // an operator or punctuation; all bytes above it are such of one character
)

// phpTokens are tokens, of some statements. There are as many as a fifth of the
// bytes of a configuration, and touching memory for the first time is most of
// what a process of some milliseconds does: so they are few, and small.
type phpTokens struct {
	what  []byte   // of each: an operator of one character, phpArrow, or a phpKind
	spans []uint64 // of each: where it begins and, in the upper half, where it ends
}

const phpArrow = 0xff // =>

func (t *phpTokens) len() int { return len(t.what) }

func (t *phpTokens) add(what byte, start, end int) {
	n := len(t.what)
	if n == cap(t.what) || n == cap(t.spans) {
		t.grow()
	}
	t.what, t.spans = t.what[:n+1], t.spans[:n+1]
	t.what[n], t.spans[n] = what, phpSpan(start, end)
}

// grow makes room for one more. It is no part of add, which is called for every
// token and this hardly ever.
func (t *phpTokens) grow() { t.what, t.spans = roomier(t.what), roomier(t.spans) }

func phpSpan(start, end int) uint64 { return uint64(uint32(start)) | uint64(end)<<32 }

// cut takes back all from the nth on.
func (t *phpTokens) cut(n int) { t.what, t.spans = t.what[:n], t.spans[:n] }

// kind returns what token i is; a token that is not there is none of a
// variable, a name, a string or a number.
func (t *phpTokens) kind(i int) phpKind {
	if i < 0 || i >= len(t.what) {
		return phpHTML
	}
	return min(phpKind(t.what[i]), phpOp)
}

// op returns the operator of one character that token i is, or phpArrow; 0 for
// others, and when it is not there.
func (t *phpTokens) op(i int) byte {
	if i < 0 || i >= len(t.what) || t.what[i] <= byte(phpOp) {
		return 0
	}
	return t.what[i]
}

// longOp reports whether token i is an operator of several characters, and no =>.
func (t *phpTokens) longOp(i int) bool {
	return i >= 0 && i < len(t.what) && t.what[i] == byte(phpOp)
}

func (t *phpTokens) start(i int) int { return int(uint32(t.spans[i])) }

func (t *phpTokens) end(i int) int {
	if phpBracket(t.what[i]) {
		return t.start(i) + 1
	}
	return int(t.spans[i] >> 32)
}

// partner returns the other one of the bracket i, or -1 when it is none.
func (t *phpTokens) partner(i int) int {
	if phpBracket(t.what[i]) {
		return int(t.spans[i] >> 32) // which is where others have their end
	}
	return -1
}

func phpBracket(what byte) bool { return phpClasses[what] == phpBrackets }

func phpOpening(closing byte) byte {
	switch closing {
	case ')':
		return '('
	case ']':
		return '['
	}
	return '{'
}
