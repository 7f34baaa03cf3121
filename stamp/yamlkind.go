package stamp

import (
	"regexp"
	"strings"
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

// yamlWord tells what a plain scalar on one line is to readers of YAML 1.1 too,
// of which yaml.v3 is none: a number or a switch there must not become a
// string. The text of a bool is in lower case.
func yamlWord(kind, text string) (string, string) {
	switch {
	case kind == "bool" || kind == "string" && yamlSwitch(text):
		return "bool", strings.ToLower(text)
	case kind != "string" || text[0] > '9' || strings.IndexByte(text, ':') < 0:
	case yamlBase60.MatchString(text):
		return "int", text
	case yamlBase60Float.MatchString(text):
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
	yamlBase60      = regexp.MustCompile(`^[-+]?(?:[1-9][0-9_]*(?::[0-5]?[0-9])+|[0-9][0-9_]*(?::[0-5]?[0-9]){1,2})$`)
	yamlBase60Float = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*$`)
)
