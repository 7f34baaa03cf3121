package stamp

import (
	"strings"
)

// env is the text that both a shell and the dotenv libraries read: lines of
// [export] NAME=value, comments, and values in no, single or double quotes.
// Blanks around = are for dotenv alone, as are names with dots. Where text
// follows a value they read differently, and it is no literal.
type env struct{}

var envName = lazily(`^[A-Za-z_][A-Za-z0-9_.]*$`)

func (env) selector(key string) (selector, error) {
	if !envName().MatchString(key) {
		return nil, refuse(BadSelector, -1, "%q is not the name of a variable", key)
	}
	return func(k string) bool { return k == key }, nil
}

// scan has a seam at each line.
func (env) scan(src string, from seam, found sink) error {
	at := max(from.at, bomLen(src))
	var l literal
	for due := at + 1; at < len(src); {
		if at >= due {
			if due = found.seam(seam{at: at}); due < 0 {
				return nil
			}
		}
		start := at + envLeading(src[at:], " \t")
		name, exported := start, false
		if rest, ok := strings.CutPrefix(src[start:], "export"); ok && envLeading(rest, " \t") > 0 {
			name, exported = len(src)-len(rest)+envLeading(rest, " \t"), true
		}
		end := name + envNameLen(src[name:])
		equals := end + envLeading(src[end:], " \t")
		switch {
		case end > name && strings.HasPrefix(src[equals:], "="):
			l = literal{key: src[name:end], start: equals + 1 + envLeading(src[equals+1:], " \t")}
			next, err := envValue(src, &l)
			if err != nil {
				return err
			}
			found.add(&l)
			at = next
		case exported && envNames(src[name:]) > 0:
			at = name + envNames(src[name:])
		default:
			n := envEmpty(src[start:])
			if n < 0 {
				return refuse(ParseError, at, "the line is not NAME=value")
			}
			at = start + n
		}
	}
	return nil
}

// envLeading returns how many of the first bytes of s are in set.
func envLeading(s, set string) int { return span(s, len(s), set) }

// envNameLen returns the length of the name that s begins with.
func envNameLen(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '.' && (c < '0' || c > '9')) {
			return i
		}
	}
	return len(s)
}

// envEmpty returns the length of the blanks and the comment that s is up to the
// next line, or -1 when it holds more.
func envEmpty(s string) int {
	n := envLeading(s, " \t")
	line, _, fed := strings.Cut(s[n:], "\n")
	if line != "" && line[0] != '#' && line != "\r" {
		return -1
	}
	n += len(line)
	if fed {
		n++
	}
	return n
}

// envNames returns the length of names to export, and what is empty after them,
// up to the next line, or 0 when s is not that.
func envNames(s string) int {
	n := 0
	for {
		w := envNameLen(s[n:])
		if w == 0 || strings.Contains(s[n:n+w], ".") {
			return 0
		}
		n += w
		if empty := envEmpty(s[n:]); empty >= 0 {
			return n + empty
		}
		n += envLeading(s[n:], " \t")
	}
}

// envValue reads the value at l.start, which blanks may precede, and returns
// where the next line begins.
func envValue(src string, l *literal) (next int, err error) {
	l.kind = "string"
	at := l.start
	switch {
	case at < len(src) && (src[at] == '\'' || src[at] == '"'):
		l.style = src[at]
		if err := envQuoted(src, l); err != nil {
			return 0, err
		}
	case at == len(src) || strings.IndexByte("#\r\n", src[at]) >= 0:
		// Empty, and perhaps a comment after blanks: the value goes before them.
		for l.start--; src[l.start] != '='; l.start-- {
		}
		l.start++
		l.end = l.start
	default:
		envBare(src, l)
	}
	rest, _, _ := strings.Cut(src[l.end:], "\n")
	next = min(l.end+len(rest)+1, len(src))
	rest = strings.TrimSuffix(rest, "\r")
	after := strings.TrimLeft(rest, " \t")
	if len(after) == 0 || after[0] == '#' && len(after) < len(rest) {
		return next, nil
	}
	l.refused = "more than one word"
	if i := strings.IndexAny(after, "'\""); i >= 0 && strings.Count(after, after[i:i+1])%2 != 0 {
		return 0, refuse(ParseError, l.end, "a quote is not closed in this line")
	}
	return next, nil
}

// envBare reads one word. A shell puts a directory in the place of a ~ that
// begins it or a part of it.
func envBare(src string, l *literal) {
	end := l.start
	for ; end < len(src) && strings.IndexByte(" \t\r\n", src[end]) < 0; end++ {
		switch src[end] {
		case '\\':
			end++
			l.refused = envMore
		case '$', '`', '\'', '"', '(', ')', ';', '&', '|', '<', '>':
			l.refused = envMore
		case '~':
			if before := src[end-1]; end == l.start || before == ':' {
				l.refused = envMore
			}
		}
	}
	l.end = min(end, len(src))
	l.text = src[l.start:l.end]
}

const envMore = "more than a word: it holds characters that a shell acts upon"

// envQuoted reads a quoted value, which may go over several lines.
func envQuoted(src string, l *literal) error {
	first := l.start + 1
	for i := first; i < len(src); i++ {
		switch c := src[i]; {
		case c == l.style:
			l.end, l.text = i+1, src[first:i]
			if l.style == '"' && strings.IndexByte(l.text, '\\') >= 0 {
				l.text = envUnescaper.Replace(l.text)
			}
			if strings.IndexByte(l.text, '\n') >= 0 {
				l.refused = severalLines
			}
			return nil
		case l.style == '"' && (c == '$' || c == '`'):
			l.refused = "interpolated"
		case l.style == '"' && c == '\\':
			i++
		}
	}
	return refuse(ParseError, l.start, "the quote is never closed")
}

var (
	envWord      = lazily(`^[A-Za-z0-9_./:@%+,-]*$`)
	envEscaper   = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`")
	envUnescaper = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`")
)

// encode keeps the quotes. A shell takes nothing for special in single quotes,
// so what is no plain word goes there, unless it holds one. In double quotes
// the dotenv libraries know different escapes (python-dotenv none for a $), so
// they are left where there is one to write.
func (e env) encode(old literal, value string, _ bool) (string, error) {
	double := old.style == '"' && !strings.ContainsAny(value, "$`\\")
	switch {
	case old.style == 0 && envWord().MatchString(value):
		return value, nil
	case !double && !strings.Contains(value, "'"):
		return "'" + value + "'", nil
	}
	return `"` + envEscaper.Replace(value) + `"`, nil
}
