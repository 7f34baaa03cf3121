package stamp

import (
	"slices"
	"strings"
	"unicode/utf8"
)

var (
	rbCookie = lazily(`(?i)^[ \t]*#.*?coding[ \t]*[:=][ \t]*([-\w.]+)`)
	// Of the encodings that Ruby knows those that have ASCII characters in bytes
	// below 0x80, and nothing else there.
	rbByteCharset = lazily(`^(?:ascii-8bit|binary|us-ascii|ascii|iso-?8859-\d+|(?:windows-|cp)125[0-8]|(?:cp|ibm)(?:437|737|775|85[0257]|86[0-6]|869)|koi8-[ru]|euc-?jp|euc-?kr|gb2312)$`)
)

// rbCharsetOf reads the magic comment in the first line, or in the second when
// the first is for the system. Without one a file is UTF-8.
func rbCharsetOf(src string) (charset, error) {
	if bomLen(src) > 0 {
		return charsetUTF8, nil
	}
	line := src[:rbLine(src)]
	if strings.HasPrefix(line, "#!") {
		src = src[min(len(line)+1, len(src)):]
		line = src[:rbLine(src)]
	}
	m := rbCookie().FindStringSubmatch(line)
	if m == nil {
		return charsetUTF8, nil
	}
	name := strings.ToLower(m[1])
	for _, system := range []string{"-unix", "-dos", "-mac"} {
		name = strings.TrimSuffix(name, system)
	}
	switch {
	case name == "utf-8":
		return charsetUTF8, nil
	case name == "iso-8859-1" || name == "iso8859-1":
		return charsetLatin1, nil
	case rbByteCharset().MatchString(name):
		return charsetOther, nil
	}
	return 0, refuse(ParseError, 0, "files in the encoding %s are not read", m[1]).hint("make it UTF-8")
}

// valid refuses names and literals that are not what the file's encoding has.
func (l *rbLexer) valid(start, end int) error {
	if l.utf8 || utf8.ValidString(l.src[start:end]) {
		return nil
	}
	return refuse(ParseError, start+invalidUTF8([]byte(l.src[start:end])), "the file is not UTF-8").
		hint("say in its first line what it is, as in # encoding: iso-8859-1")
}

// quoted reads '...' or "...", which may be a label.
func (l *rbLexer) quoted(quote byte, label bool) error {
	kind, arrow := rbString, l.last() == "=>"
	if err := l.literal(kind, l.at, l.at, quote, quote, quote == '"'); err != nil {
		return err
	}
	if label && l.peek(0) == ':' && l.peek(1) != ':' {
		l.pattern = l.pattern || arrow
		t := &l.tokens[len(l.tokens)-1]
		if t.kind == rbString {
			t.kind = rbQuotedLabel
		} else {
			t.kind = rbInterp
		}
		t.end++
		l.at++
		l.state = rbArg | rbLabeled
	}
	return nil
}

// literal reads the literal that begins at start and whose opening quote is at
// from.
func (l *rbLexer) literal(kind rbKind, start, from int, open, end byte, interpolates bool) error {
	before, jumps := len(l.tokens), l.jumps
	l.at = from + 1
	interpolated := false
	for depth := 0; ; {
		if l.at >= len(l.src) {
			return refuse(ParseError, start, "the literal is never closed")
		}
		switch c := l.src[l.at]; {
		case c == end && depth == 0:
			l.at++
			if kind == rbRegexp {
				for c := l.peek(0) | 0x20; c >= 'a' && c <= 'z'; c = l.peek(0) | 0x20 {
					l.at++
				}
			}
			if l.jumps != jumps {
				return refuse(ParseError, start, "a literal that goes on behind a heredoc")
			}
			if interpolated && (kind == rbString || kind == rbQuotedSymbol) {
				kind = rbInterp
			}
			if err := l.valid(start, l.at); err != nil {
				return err
			}
			l.tokens = l.tokens[:before]
			l.emit(kind, start, l.at)
			l.state = rbEnd
			return nil
		case c == end:
			depth--
			l.at++
		case c == open && open != end:
			depth++
			l.at++
		case c == '\\' && interpolates:
			l.at += rbEscapeLen(l.src[l.at:])
		case c == '\\':
			l.at += 2
		case c == '#' && interpolates:
			inside, err := l.interpolation()
			if err != nil {
				return err
			}
			interpolated = interpolated || inside
		case c == '\n':
			l.nextLine()
		default:
			l.at++
		}
	}
}

// interpolation goes past a # in a literal, and past what it interpolates.
func (l *rbLexer) interpolation() (bool, error) {
	if !l.has("#{") {
		n := 0
		if l.has("#$") || l.has("#@") {
			n = rbInterpolatedLen(l.src[l.at+1:])
		}
		l.at += 1 + n
		return n > 0, nil
	}
	if l.nested++; l.nested > rbMaxNested {
		return false, refuse(ParseError, l.at, "interpolations are nested too deep")
	}
	saved := *l
	l.emit(rbOp, l.at, l.at+2)
	l.push(rbInterpol)
	l.state, l.command, l.lambda, l.bar, l.bare = rbBeg, true, 0, 0, 0
	l.several, l.pattern, l.targets, l.rescue = false, false, false, false
	if err := l.code(len(l.frames) - 1); err != nil {
		return false, err
	}
	l.tokens, l.nested = l.tokens[:len(saved.tokens)], saved.nested-1
	inside := func(t rbToken) bool { return int(t.start) < l.at }
	l.others = append(l.others[:len(saved.others)], slices.DeleteFunc(l.others[len(saved.others):], inside)...)
	l.state, l.command, l.first, l.space, l.opened = saved.state, saved.command, saved.first, saved.space, saved.opened
	l.lambda, l.bar, l.bare = saved.lambda, saved.bar, saved.bare
	l.several, l.pattern, l.targets, l.rescue = saved.several, saved.pattern, saved.targets, saved.rescue
	return true, nil
}

// rbInterpolatedLen returns the length of the variable that is interpolated
// without braces: not all that is a variable in code is one here.
func rbInterpolatedLen(s string) int {
	if s[0] == '$' && len(s) > 1 && strings.IndexByte("&`'+", s[1]) >= 0 {
		return 2
	}
	return rbVariableLen(s)
}

// rbEscapeLen returns the length of the escape that s begins with, as far as
// it hides a quote: \M-\C-" is one.
func rbEscapeLen(s string) int {
	n := 2
	switch {
	case strings.HasPrefix(s, "\\\r\n"):
		return 3
	case strings.HasPrefix(s, `\M-`) || strings.HasPrefix(s, `\C-`):
		n = 3
	case !strings.HasPrefix(s, `\c`):
		return min(n, len(s))
	}
	if n < len(s) && s[n] == '\\' {
		return n + rbEscapeLen(s[n:])
	}
	return min(n+1, len(s))
}

// percent reads a literal that begins with %.
func (l *rbLexer) percent() error {
	start, kind, interpolates, at := l.at, rbPercent, true, l.at+1
	switch c := l.peek(1); {
	case c == 'q':
		interpolates = false
		at++
	case c == 'Q':
		at++
	case c == 'w' || c == 'i':
		kind, interpolates = rbWords, false
		at++
	case c == 'W' || c == 'I':
		kind = rbWords
		at++
	case c == 'r':
		kind = rbRegexp
		at++
	case c == 'x':
		kind = rbShell
		at++
	case c == 's':
		kind, interpolates = rbQuotedSymbol, false
		at++
	}
	if at >= len(l.src) || rbWordly(l.src[at]) {
		return refuse(ParseError, start, "the percent sign begins no literal that is known")
	}
	open := l.src[at]
	end := open
	if i := strings.IndexByte("([{<", open); i >= 0 {
		end = ")]}>"[i]
	}
	return l.literal(kind, start, at, open, end, interpolates)
}

// heredoc reads <<A, <<-A, <<~A or one with a quoted name, and all of its body,
// which is in the lines after this one. It reports whether there is one.
func (l *rbLexer) heredoc() (bool, error) {
	start := l.at
	name, n, quote, indented := rbHeredocName(l.src[start:])
	if n == 0 {
		return false, nil
	}
	body := start + n + rbLine(l.src[start+n:]) + 1
	if body > len(l.src) || strings.Contains(name, "\n") {
		return true, refuse(ParseError, start, "the heredoc %s is never closed", name)
	}
	line := body
	if l.jumpAt == body {
		body = l.jumpTo
	}
	saved := *l
	l.at, l.jumpAt = body, 0
	if err := l.body(start, name, indented, quote != '\''); err != nil {
		return true, err
	}
	if err := l.valid(body, l.at); err != nil {
		return true, err
	}
	l.others = l.others[:len(saved.others)]
	l.other(rbBody, body)
	l.jumpAt, l.jumpTo = line, l.at
	l.first, l.space = saved.first, saved.space
	kind := rbHeredoc
	if quote == '`' {
		kind = rbShell
	}
	l.emit(kind, start, start+n)
	l.state = rbEnd
	return true, nil
}

// rbHeredocName reads what begins a heredoc: its name, the length of all that
// and the quote around the name.
func rbHeredocName(s string) (name string, n int, quote byte, indented bool) {
	n = 2
	if len(s) > n && (s[n] == '-' || s[n] == '~') {
		indented = true
		n++
	}
	if n == len(s) {
		return "", 0, 0, false
	}
	if quote = s[n]; quote == '\'' || quote == '"' || quote == '`' {
		end := strings.IndexByte(s[n+1:], quote)
		if end < 0 {
			return "", 0, 0, false
		}
		return s[n+1 : n+1+end], n + end + 2, quote, indented
	}
	end := n
	for end < len(s) && rbWordly(s[end]) {
		end++
	}
	if end == n {
		return "", 0, 0, false
	}
	return s[n:end], end, 0, indented
}

// body goes past the body of a heredoc and its last line.
func (l *rbLexer) body(start int, name string, indented, interpolates bool) error {
	for lineStart := true; l.at < len(l.src); {
		if lineStart && l.terminates(name, indented) {
			l.at += rbLine(l.src[l.at:])
			l.at = min(l.at+1, len(l.src))
			return nil
		}
		lineStart = false
		switch c := l.src[l.at]; {
		case c == '\n':
			l.nextLine()
			lineStart = true
		case !interpolates:
			l.at += rbLine(l.src[l.at:])
		case c == '\\':
			l.at += rbEscapeLen(l.src[l.at:])
		case c == '#':
			if _, err := l.interpolation(); err != nil {
				return err
			}
		default:
			l.at++
		}
	}
	return refuse(ParseError, start, "the heredoc %s is never closed", name)
}

// terminates reports whether the line is the last one of a heredoc.
func (l *rbLexer) terminates(name string, indented bool) bool {
	line := strings.TrimSuffix(l.src[l.at:l.at+rbLine(l.src[l.at:])], "\r")
	if indented {
		line = strings.TrimLeft(line, " \t\r\v\f")
	}
	return line == name
}
