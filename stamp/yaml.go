package stamp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// yamlLang finds values by the positions that yaml.v3 gives its nodes, and
// their ends by reading on from there.
type yamlLang struct{}

var yamlDoc = regexp.MustCompile(`^doc\[(0|[1-9][0-9]*)\]:`)

func (yamlLang) selector(key string) (selector, error) {
	doc, rest := 0, key
	if m := yamlDoc.FindStringSubmatch(key); m != nil {
		doc, _ = strconv.Atoi(m[1])
		rest = key[len(m[0]):]
	}
	p, err := parsePath(rest)
	if err != nil {
		return nil, err
	}
	want := yamlKey(doc, p)
	return func(k string) bool { return k == want }, nil
}

// yamlKey names a value of the nth document, from 0; the first needs no prefix.
func yamlKey(doc int, p path) string {
	if doc == 0 {
		return string(p)
	}
	return fmt.Sprintf("doc[%d]:%s", doc, p)
}

func (yamlLang) scan(text string) ([]literal, error) {
	src := []byte(text)
	if !utf8.Valid(src) {
		return nil, refuse(ParseError, invalidUTF8(src), "the file is not UTF-8")
	}
	s := yamlScanner{src: src, lines: yamlLines(src)}
	// The parser refuses the newer directive, but not what is written under it.
	parsed := yamlDirective.ReplaceAll(src, []byte("%YAML 1.1"))
	for dec := yaml.NewDecoder(bytes.NewReader(parsed)); ; s.doc++ {
		var doc yaml.Node
		err := decodeYAML(dec, &doc)
		if errors.Is(err, io.EOF) {
			return s.found, nil
		}
		if err != nil {
			return nil, s.parseError(err)
		}
		for _, n := range doc.Content {
			s.node("", n, false)
		}
	}
}

var yamlDirective = regexp.MustCompile(`(?m)^%YAML 1\.2\b`)

// decodeYAML turns a panic of the parser, of which fuzzing finds some, into an
// error.
func decodeYAML(dec *yaml.Decoder, doc *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return dec.Decode(doc)
}

func invalidUTF8(src []byte) int {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (s *yamlScanner) parseError(err error) error {
	text := err.Error()
	m := yamlErrorLine.FindStringSubmatch(text)
	at := -1
	if m != nil {
		text = text[len(m[0]):]
		if line, err := strconv.Atoi(m[1]); err == nil && line <= len(s.lines) {
			at = s.lines[line-1]
		}
	}
	return refuse(ParseError, at, "%s", text)
}

// yamlLines returns where each line begins, by the parser's idea of a line.
func yamlLines(src []byte) []int {
	lines := []int{len(src) - len(bytes.TrimPrefix(src, []byte(bom)))}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		i += n
		switch r {
		case '\r':
			if i < len(src) && src[i] == '\n' {
				i++
			}
			lines = append(lines, i)
		case '\n', '\u0085', '\u2028', '\u2029':
			lines = append(lines, i)
		}
	}
	return lines
}

type yamlScanner struct {
	src   []byte
	lines []int
	doc   int
	found []literal
}

// offset turns a node's position into one in src.
func (s *yamlScanner) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(s.lines) {
		return len(s.src)
	}
	at := s.lines[n.Line-1]
	for range n.Column - 1 { // columns count characters
		_, size := utf8.DecodeRune(s.src[at:])
		at += size
	}
	return min(at, len(s.src))
}

func (s *yamlScanner) add(p path, l literal) {
	l.key = yamlKey(s.doc, p)
	s.found = append(s.found, l)
}

// node adds everything below n.
func (s *yamlScanner) node(p path, n *yaml.Node, flow bool) {
	at := s.offset(n)
	here := literal{start: at, end: at}
	switch n.Kind {
	case yaml.MappingNode:
		flow = flow || n.Style&yaml.FlowStyle != 0
		here.refused = "a mapping"
		s.add(p, here)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if name := n.Content[i]; name.Kind == yaml.ScalarNode {
				s.node(p.key(name.Value), n.Content[i+1], flow)
			}
		}
	case yaml.SequenceNode:
		flow = flow || n.Style&yaml.FlowStyle != 0
		here.refused = "a sequence"
		s.add(p, here)
		for i, item := range n.Content {
			s.node(p.index(i), item, flow)
		}
	case yaml.AliasNode:
		here.refused = "an alias"
		s.add(p, here)
	case yaml.ScalarNode:
		here.flow = flow
		s.scalar(&here, n)
		s.add(p, here)
	}
}

var yamlKinds = map[string]string{
	"!!str": "string", "!!int": "int", "!!float": "float", "!!bool": "bool", "!!null": "null", "!!timestamp": "timestamp",
}

// scalar finds where the scalar begins, after its tag and anchor, and ends.
func (s *yamlScanner) scalar(l *literal, n *yaml.Node) {
	l.text = n.Value
	l.kind = yamlKinds[n.ShortTag()]
	if l.kind == "" {
		l.kind = n.ShortTag()
	}
	tagged := false
	for at := l.start; at < len(s.src) && (s.src[at] == '!' || s.src[at] == '&'); {
		tagged = tagged || s.src[at] == '!'
		end := bytes.IndexAny(s.src[at:], " \t\r\n,]}")
		if end < 0 {
			break
		}
		at += end
		at += len(s.src[at:]) - len(bytes.TrimLeft(s.src[at:], " \t"))
		l.start, l.end = at, at
	}
	rest := s.src[l.start:]
	n.Style &^= yaml.TaggedStyle
	switch {
	case tagged && l.kind != "string":
		l.refused = "tagged"
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		l.refused = "a block of text"
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		s.quoted(l, rest)
	case n.Value == "":
		l.refused = "empty"
	case bytes.HasPrefix(rest, []byte(n.Value)):
		l.end = l.start + len(n.Value)
		if !tagged && yamlSwitch.MatchString(l.text) {
			l.kind = "bool" // to YAML 1.1; a string must not come in its place
		}
		if l.kind == "bool" {
			l.text = strings.ToLower(l.text)
		}
	default:
		l.refused = "a text of several lines"
	}
}

func (s *yamlScanner) quoted(l *literal, rest []byte) {
	l.style = rest[0]
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\n' || c == '\r':
			l.refused = "a text of several lines"
			return
		case c == '\\' && l.style == '"':
			i++
		case c == l.style && c == '\'' && i+1 < len(rest) && rest[i+1] == '\'':
			i++
		case c == l.style:
			l.end = l.start + i + 1
			return
		}
	}
	l.refused = "a text whose end is not found"
}

// encode keeps the style where it can hold the value as a string, for a reader
// of YAML 1.1 as well as of 1.2.
func (yamlLang) encode(old literal, value string, asString bool) (string, error) {
	if !asString {
		if old.kind == "bool" && yamlSwitch.MatchString(value) && strings.ToLower(value) == value {
			return value, nil
		}
		return encodeBare(old, value)
	}
	if !utf8.ValidString(value) {
		return "", refuse(ControlCharacter, -1, "the value %q is not UTF-8, as YAML must be", value)
	}
	switch {
	case old.style == 0 && yamlPlain(value, old.flow):
		return value, nil
	case old.style == '"' || strings.ContainsFunc(value, yamlEscaped):
		return yamlDouble(value), nil
	}
	return "'" + strings.ReplaceAll(value, "'", "''") + "'", nil
}

var (
	// Numbers of YAML 1.1 and 1.2 with a wide margin: 12, 0123, 1_000, 12:30:00,
	// 1234e56, .5, 0x1f, 0o17, 0b1, .inf, 2026-01-02.
	yamlNumber = regexp.MustCompile(`^[-+]?(?:[0-9][0-9_,.:]*|\.[0-9_]+)(?:[eE][-+]?[0-9_]*)?$|^[-+]?0[xXoObB][0-9a-fA-F_]*$|^[-+]?\.(?i:inf|nan)$|^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?$`)
	yamlSwitch = regexp.MustCompile(`^(?i:yes|no|on|off)$`)
	yamlWord   = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null|~)$`)
)

// yamlPlain reports whether value, without quotes, is a string to every reader.
func yamlPlain(value string, flow bool) bool {
	switch {
	case value == "" || value != strings.TrimSpace(value):
		return false
	case strings.IndexByte("-?:,[]{}#&*!|>'\"%@`=<~.", value[0]) >= 0:
		return false
	case strings.Contains(value, ": ") || strings.HasSuffix(value, ":") || strings.Contains(value, " #"):
		return false
	case flow && strings.ContainsAny(value, ",[]{}:"):
		return false
	case yamlNumber.MatchString(value) || yamlWord.MatchString(value):
		return false
	}
	return !strings.ContainsFunc(value, yamlEscaped)
}

// yamlEscaped reports whether r must be escaped: only double quotes can.
func yamlEscaped(r rune) bool {
	return r == '\n' || r == '\ufeff' || r == '\u0085' || r == '\u2028' || r == '\u2029' || r == '\ufffe' || r == '\uffff'
}

func yamlDouble(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case yamlEscaped(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
