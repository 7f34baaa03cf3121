package stamp

import (
	"strings"

	"gopkg.in/yaml.v3"
)

var yamlKinds = map[string]string{
	"!!str": "string", "!!int": "int", "!!float": "float", "!!bool": "bool", "!!null": "null", "!!timestamp": "timestamp",
}

// yamlKind is how a tag is called in Value.Type.
func yamlKind(tag string) string {
	if kind, ok := yamlKinds[tag]; ok {
		return kind
	}
	return tag
}

// yamlPlainKind returns what yaml.v3 takes a plain scalar for. It knows the
// shapes that files are full of and asks yaml.v3 about the others.
func yamlPlainKind(text string) string {
	switch c := text[0]; {
	case c >= '0' && c <= '9' || c == '+' || c == '-':
		return yamlDigitsKind(text)
	case c == '.' || c == '<':
		return yamlAskKind(text)
	}
	switch text {
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return "bool"
	case "~", "null", "Null", "NULL":
		return "null"
	}
	return "string"
}

// yamlDigitsKind tells decimal numbers and what only begins like one: with a
// second dot or another character, but no sign, exponent or leading zero that
// could make it a time or a number all the same.
func yamlDigitsKind(text string) string {
	digits := text
	if text[0] == '+' || text[0] == '-' {
		digits = text[1:]
	}
	dots, others := 0, 0
	for i := 0; i < len(digits); i++ {
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
		case c == '.':
			dots++
		case c == '_' || c == 'e' || c == 'E' || c == '+' || c == '-':
			return yamlAskKind(text)
		default:
			others++
		}
	}
	switch {
	case digits == "" || digits[0] == '0' && len(digits) > 1 || digits[0] == '.' || len(digits) > 18:
		return yamlAskKind(text)
	case others > 0 || dots > 1:
		return "string"
	case dots == 1:
		return "float"
	}
	return "int"
}

// yamlAskKind asks yaml.v3.
func yamlAskKind(text string) string {
	if text == "<<" {
		return "!!merge" // only the parser knows it
	}
	n := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	return yamlKind(n.ShortTag())
}

// yamlWord tells what a plain scalar on one line is to readers of YAML 1.1 too,
// of which yaml.v3 is none: a number or a switch there must not become a
// string. The text of a bool is in lower case.
func yamlWord(kind, text string) (string, string) {
	switch {
	case kind == "bool" || kind == "string" && yamlSwitch(text):
		return "bool", strings.ToLower(text)
	case kind != "string" || text[0] > '9' || strings.IndexByte(text, ':') < 0:
	case yamlBase60().MatchString(text):
		return "int", text
	case yamlBase60Float().MatchString(text):
		return "float", text
	}
	return kind, text
}

// yamlSwitch reports whether text is a bool to YAML 1.1 alone. It names y and n
// too, but readers of it leave them alone.
func yamlSwitch(text string) bool {
	switch len(text) {
	case 2:
		return strings.EqualFold(text, "no") || strings.EqualFold(text, "on")
	case 3:
		return strings.EqualFold(text, "yes") || strings.EqualFold(text, "off")
	}
	return false
}

// Base 60: 12:30 is 750. From https://yaml.org/type/int.html and float.html, and
// Ruby's Psych, which takes 06:30 too.
var (
	yamlBase60      = lazily(`^[-+]?(?:[1-9][0-9_]*(?::[0-5]?[0-9])+|[0-9][0-9_]*(?::[0-5]?[0-9]){1,2})$`)
	yamlBase60Float = lazily(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*$`)
)
