package stamp

import (
	"bytes"
	"regexp"
	"sort"
	"strings"
)

// newPlain returns the language of text without a grammar. It has no keys: a
// request names all that it finds.
func newPlain(t Target) (language, error) {
	switch {
	case t.Key != "":
		return nil, refuse(BadSelector, -1, "plain text has no keys").hint("use match or placeholder, or neither for the whole file")
	case t.Match != "" && t.Placeholder != "":
		return nil, refuse(BadSelector, -1, "match and placeholder exclude each other")
	case t.Placeholder != "":
		if strings.Contains(t.Value, t.Placeholder) {
			return nil, refuse(BadSelector, -1, "the value %q holds the placeholder", t.Value)
		}
		return placeholder(t.Placeholder), nil
	case t.Match != "":
		re, err := regexp.Compile(t.Match)
		if err != nil {
			return nil, refuse(BadSelector, -1, "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		if re.NumSubexp() != 1 {
			return nil, refuse(BadSelector, -1, "the expression has %d groups instead of one", re.NumSubexp()).
				hint("put ( ) around the value and (?: ) around what else must be grouped")
		}
		return match{re}, nil
	}
	return wholeFile{}, nil
}

// wholeFile is one value, without a byte order mark and the last line's end.
type wholeFile struct{}

// wholeText is text without the end of its last line, which the file keeps.
func wholeText(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}

func (wholeFile) scan(src string, _ seam, found sink) error {
	if strings.HasPrefix(src, "\xff\xfe") || strings.HasPrefix(src, "\xfe\xff") {
		return refuse(ParseError, 0, "the file is in UTF-16, and would no longer be")
	}
	start := bomLen(src)
	text := wholeText(src[start:])
	found.add(&literal{start: start, end: start + len(text), text: text, kind: "string"})
	return nil
}

func (wholeFile) selector(string) (selector, error) { return nil, nil }

func (wholeFile) encode(_ literal, value string, _ bool) (string, error) { return value, nil }

// match is what the group of an expression matches. A byte order mark is not
// part of the text, and neither is the CR of a CRLF, so that ^, . and $ mean the
// same in every file; unless the expression itself says \r.
type match struct{ re *regexp.Regexp }

func (match) selector(string) (selector, error) { return nil, nil }

func (m match) scan(src string, _ seam, found sink) error {
	skipped := bomLen(src)
	text := src[skipped:]
	var returns []int // where in the text a CR was taken out
	if !strings.Contains(m.re.String(), `\r`) {
		text, returns = withoutReturns(text)
	}
	inFile := func(at int) int { return skipped + at + sort.SearchInts(returns, at) }
	for _, span := range m.re.FindAllStringSubmatchIndex(text, -1) {
		if span[2] < 0 {
			continue // a way to match in which the group has no part
		}
		start, end := inFile(span[2]), inFile(span[3])
		if strings.HasSuffix(src[start:end], "\r") && strings.HasPrefix(src[end:], "\n") {
			end-- // the end of the line stays, in any case
		}
		found.add(&literal{start: start, end: end, text: src[start:end], kind: "string"})
	}
	return nil
}

// withoutReturns takes the CR out of each CRLF, and tells where they were.
func withoutReturns(text string) (without string, returns []int) {
	if !strings.Contains(text, "\r\n") {
		return text, nil
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if kept, ok := strings.CutSuffix(line, "\r\n"); ok {
			b.WriteString(kept)
			returns = append(returns, b.Len())
			line = "\n"
		}
		b.WriteString(line)
	}
	return b.String(), returns
}

func (match) encode(_ literal, value string, _ bool) (string, error) { return value, nil }

// placeholder is text that a value replaces.
type placeholder string

func (placeholder) selector(string) (selector, error) { return nil, nil }

func (p placeholder) scan(src string, _ seam, found sink) error {
	for at := 0; ; {
		i := strings.Index(src[at:], string(p))
		if i < 0 {
			return nil
		}
		start := at + i
		at = start + len(p)
		found.add(&literal{start: start, end: at, text: string(p), kind: "string"})
	}
}

func (placeholder) encode(_ literal, value string, _ bool) (string, error) { return value, nil }

func (p placeholder) verify(out []byte, found, replaced int) error {
	if bytes.Count(out, []byte(p)) != found-replaced {
		return refuse(BadSelector, -1, "the value and the text around it make the placeholder anew")
	}
	return nil
}
