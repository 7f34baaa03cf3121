package stamp

import (
	"regexp"
	"strings"
)

// env is the text that both a shell and the dotenv libraries read: lines of
// [export] NAME=value, comments, and values in no, single or double quotes.
// Where they read differently (blanks around =, text after a value) the value
// is no literal.
type env struct{}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

func (env) selector(key string) (selector, error) {
	if !envName.MatchString(key) {
		return nil, refuse(BadSelector, -1, "%q is not the name of a variable", key)
	}
	return func(k string) bool { return k == key }, nil
}

// Dotted names are dotenv's alone; no shell has them.
var envLine = regexp.MustCompile(`^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)([ \t]*=[ \t]*)`)

var envNoValue = regexp.MustCompile(`^[ \t]*(?:export([ \t]+[A-Za-z_][A-Za-z0-9_]*)+)?[ \t]*(?:#[^\n]*)?\r?(?:\n|$)`)

func (e env) scan(src string) ([]literal, error) {
	var found []literal
	at := bomLen(src)
	for at < len(src) {
		if span := envNoValue.FindStringIndex(src[at:]); span != nil {
			at += span[1]
			continue
		}
		m := envLine.FindStringSubmatchIndex(src[at:])
		if m == nil {
			return nil, refuse(ParseError, at, "the line is not NAME=value")
		}
		l := literal{key: src[at+m[2] : at+m[3]], start: at + m[1]}
		next, err := envValue(src, &l)
		if err != nil {
			return nil, err
		}
		found = append(found, l)
		at = next
	}
	return found, nil
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

// envBare reads one word.
func envBare(src string, l *literal) {
	at := l.start
	for at < len(src) && strings.IndexByte(" \t\r\n", src[at]) < 0 {
		if src[at] == '\\' && at+1 < len(src) {
			at++
		}
		at++
	}
	l.end = min(at, len(src))
	l.text = src[l.start:l.end]
	if strings.ContainsAny(l.text, "$`\\'\"();&|<>") {
		l.refused = "more than a word: it holds characters that a shell acts upon"
	}
}

// envQuoted reads a quoted value, which may go over several lines.
func envQuoted(src string, l *literal) error {
	var text []byte
	for i := l.start + 1; i < len(src); i++ {
		c := src[i]
		switch {
		case c == l.style:
			l.end, l.text = i+1, string(text)
			if strings.Contains(l.text, "\n") {
				l.refused = "a text of several lines"
			}
			return nil
		case l.style == '"' && (c == '$' || c == '`'):
			l.refused = "interpolated"
		case l.style == '"' && c == '\\' && i+1 < len(src) && strings.IndexByte("\"\\$`", src[i+1]) >= 0:
			i++
			c = src[i]
		}
		text = append(text, c)
	}
	return refuse(ParseError, l.start, "the quote is never closed")
}

var envWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]*$`)

// encode keeps the quotes. A shell takes nothing for special in single quotes,
// so what is no plain word goes there, unless it holds one.
func (e env) encode(old literal, value string, _ bool) (string, error) {
	switch {
	case old.style == 0 && envWord.MatchString(value):
		return value, nil
	case old.style != '"' && !strings.Contains(value, "'"):
		return "'" + value + "'", nil
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(value) + `"`, nil
}
