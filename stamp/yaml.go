package stamp

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// yamlLang is YAML 1.1 and 1.2. A scanner of its own reads the YAML that people
// write in configuration files, and yaml.v3, twenty times slower, all other.
type yamlLang struct{}

var yamlDoc = lazily(`^doc\[(0|[1-9][0-9]*)\]:`)

func (yamlLang) selector(key string) (selector, error) {
	doc, rest := 0, key
	if m := yamlDoc().FindStringSubmatch(key); m != nil {
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

// scan has seams at the entries of a document that is a block mapping, unless
// there are anchors before.
func (yamlLang) scan(src string, from seam, found sink) error {
	if yamlScan(src, from, found) || !found.again() {
		return nil
	}
	return yamlNodes(src, found)
}

// guess takes a line that is not indented for an entry of the first document.
func (yamlLang) guess(src string, from int) seam {
	for at := from; ; at++ {
		n := strings.IndexByte(src[at:], '\n')
		if n < 0 || at+n+1 == len(src) {
			return seam{}
		}
		if at += n; 'a' <= src[at+1]|' ' && src[at+1]|' ' <= 'z' {
			return seam{at + 1, 0}
		}
	}
}

// encode keeps the style where it can hold the value as a string, for a reader
// of YAML 1.1 as well as of 1.2.
func (yamlLang) encode(old literal, value string, asString bool) (string, error) {
	if !asString {
		return yamlBare(old, value)
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

// yamlBare writes a value that is no string. What is a bool to YAML 1.1 alone,
// as yes, becomes another such word: true would be a bool to YAML 1.2 too.
func yamlBare(old literal, value string) (string, error) {
	if old.kind != "bool" || !yamlSwitch(old.text) {
		return encodeBare(old, value)
	}
	if yamlSwitch(value) && strings.ToLower(value) == value {
		return value, nil
	}
	return "", refuse(TypeChange, -1, "the value there is %s, a bool to YAML 1.1 and a string to 1.2, which %q is not", old.text, value).
		hint(`it can become yes, no, on or off, or with type "string" a string`)
}

// What some reader of YAML 1.1 or 1.2 takes for a number or a time, with a wide
// margin: 12, 0123, 1_000, 1,000, 12:30:00, 1234e56, e123 (yaml.js), 0x1f, 0o17,
// 0b-1 (yaml.v3), 2026-01-02.
var (
	yamlNumber  = lazily(`^[-+0-9_.,:eE]+$|^[-+]?0_*(?:[xX][-+0-9a-fA-F_,]*|[oO][-+0-7_,]*|[bB][-+01_,]*)$|^\+\.(?i:inf|nan)$|^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?$`)
	yamlVersion = lazily(`^[0-9]+(?:\.[0-9]+){2,}$`)
	yamlKeyword = lazily(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
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
	case flow && strings.ContainsAny(value, ",[]{}:?"):
		return false
	case yamlNumber().MatchString(value) && !yamlVersion().MatchString(value) || yamlKeyword().MatchString(value):
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
