package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"
)

// reader turns nodes into Go values and keeps every problem that it meets.
type reader struct {
	file     string
	dir      string // of file, absolute
	overlay  string
	overlaid map[*yaml.Node]bool // nodes that the overlay brought
	errs     Errors
}

// value is a node with the path of keys that leads to it.
type value struct {
	node *yaml.Node
	key  string
}

// A setter reads a value and puts it where it belongs.
type setter func(v value)

// keys are what a mapping may hold.
type keys map[string]setter

func (r *reader) pos(n *yaml.Node) Pos {
	if r.overlaid[n] {
		return Pos{r.overlay, n.Line, n.Column}
	}
	return Pos{r.file, n.Line, n.Column}
}

func (r *reader) fail(v value, hint, format string, args ...any) {
	r.failAt(r.pos(v.node), v.key, hint, format, args...)
}

func (r *reader) failAt(p Pos, key, hint, format string, args ...any) {
	r.errs = append(r.errs, &Error{
		File: p.File, Line: p.Line, Column: p.Column,
		Key: key, Detail: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// mapping hands each value of v to the setter of its key.
func (r *reader) mapping(v value, known keys, required ...string) {
	meant := map[string]bool{} // what misspelt keys were to be
	given, ok := r.pairs(v, func(name string, key, child value) {
		if set, ok := known[name]; !ok {
			meant[r.unknown(key, name, known)] = true
		} else if r.usable(child) {
			set(child)
		}
	})
	if !ok {
		return
	}
	for _, name := range required {
		if !given[name] && !meant[name] {
			r.fail(value{v.node, join(v.key, name)}, "add it: it has no default", "missing")
		}
	}
}

// unknown refuses key and returns what was meant, if that is clear.
func (r *reader) unknown(key value, name string, known keys) string {
	if what, ok := notYet[key.key]; ok {
		r.later(key, what)
		return ""
	}
	near, hint := suggest(name, known)
	r.fail(key, hint, "unknown key")
	return near
}

// pairs calls each for the keys of v and their values, in order. It reports
// keys that are not plain text, and false when v is no mapping.
func (r *reader) pairs(v value, each func(name string, key, child value)) (given map[string]bool, ok bool) {
	if !r.kind(v, yaml.MappingNode) {
		return nil, false
	}
	given = map[string]bool{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		k, child := v.node.Content[i], v.node.Content[i+1]
		name := k.Value
		key := value{k, join(v.key, name)}
		switch {
		case k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge":
			r.fail(value{k, v.key}, "write the keys out", "merge keys (<<) are not supported")
		case k.Kind != yaml.ScalarNode || name == "":
			r.fail(value{k, v.key}, "write it as name: value", "a key must be plain text")
		default:
			given[name] = true
			each(name, key, value{child, key.key})
		}
	}
	return given, true
}

// duplicates reports keys that come twice in v or below it. It looks before
// an overlay is laid over, which would hide them.
func (r *reader) duplicates(v value) {
	first := map[string]int{}
	for i, n := range v.node.Content {
		switch {
		case v.node.Kind == yaml.SequenceNode:
			r.duplicates(value{n, fmt.Sprintf("%s[%d]", v.key, i)})
		case i%2 == 1:
			r.duplicates(value{n, join(v.key, v.node.Content[i-1].Value)})
		case n.Kind == yaml.ScalarNode:
			if line, ok := first[n.Value]; ok {
				r.fail(value{n, join(v.key, n.Value)}, "keep one of the two", "given twice, first at line %d", line)
				continue
			}
			first[n.Value] = n.Line
		}
	}
}

// join is the path of a key below path.
func join(path, name string) string {
	if strings.ContainsFunc(name, func(c rune) bool {
		return c != '_' && c != '-' && !unicode.IsLetter(c) && !unicode.IsDigit(c)
	}) {
		name = strconv.Quote(name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// usable reports whether v is a value at all, of a kind that is supported.
func (r *reader) usable(v value) bool {
	n := v.node
	if n.Kind == yaml.AliasNode {
		r.fail(v, "write the value out", "aliases (*%s) are not supported", n.Value)
		return false
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		r.fail(v, "give it one, or remove it", "has no value")
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!map", "!!seq", "!!merge":
		return true
	default:
		r.fail(v, "remove it", "the tag %s is not supported", tag)
	}
	return false
}

// examples of how each kind is written, for hints.
var examples = map[yaml.Kind]string{
	yaml.MappingNode:  "write name: value pairs below it, or { name: value }",
	yaml.SequenceNode: "begin each entry with - on a line of its own, or write [one, two]",
	yaml.ScalarNode:   "write one value",
}

func (r *reader) kind(v value, want yaml.Kind) bool {
	if v.node.Kind == want {
		return true
	}
	hint := examples[want]
	if want == yaml.ScalarNode && v.node.Style&yaml.FlowStyle != 0 {
		hint = "put text that begins with { or [ in quotes"
	}
	r.fail(v, hint, "must be %s, not %s", kindName(want), nodeName(v.node))
	return false
}

func kindName(k yaml.Kind) string {
	switch k {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "one value"
}

func nodeName(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return kindName(n.Kind)
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "nothing"
	}
	return "text"
}

// list hands each entry of a value to entry.
func (r *reader) list(entry setter) setter {
	return func(v value) {
		if !r.kind(v, yaml.SequenceNode) {
			return
		}
		for i, n := range v.node.Content {
			if child := (value{n, fmt.Sprintf("%s[%d]", v.key, i)}); r.usable(child) {
				entry(child)
			}
		}
	}
}

// scalar is the text of v. YAML reads 42, 1.10 and 2026-11-23 as numbers and
// dates; with numbers they are taken as they are written.
func (r *reader) scalar(v value, numbers bool) (string, bool) {
	if !r.kind(v, yaml.ScalarNode) {
		return "", false
	}
	n := v.node
	switch tag := n.ShortTag(); {
	case tag == "!!str", tag == "!!merge":
	case numbers && tag != "!!bool":
	default:
		r.fail(v, "put it in quotes: "+strconv.Quote(n.Value), "must be text, not %s", nodeName(n))
		return "", false
	}
	if strings.ContainsRune(n.Value, 0) {
		r.fail(v, "remove it", "holds a NUL character")
		return "", false
	}
	return n.Value, true
}

// text reads a word or a name: not empty, without control characters.
func (r *reader) text(dst *string) setter { return r.checked(dst, nil) }

// checked reads a text of which check, if not nil, finds nothing to complain.
func (r *reader) checked(dst *string, check func(s string) (problem, hint string)) setter {
	return func(v value) {
		s, ok := r.scalar(v, false)
		if !ok {
			return
		}
		problem, hint := checkText(s)
		if problem == "" && check != nil {
			problem, hint = check(s)
		}
		if problem != "" {
			r.fail(v, hint, "%s", problem)
			return
		}
		*dst = s
	}
}

func checkText(s string) (problem, hint string) {
	if s == "" {
		return "is empty", "give it a value, or remove the key"
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Sprintf("%q holds a control character", s), "remove it"
	}
	return "", ""
}

// free reads any text, numbers as they are written.
func (r *reader) free(dst *string) setter {
	return func(v value) {
		if s, ok := r.scalar(v, true); ok {
			*dst = s
		}
	}
}

// template reads a text that is a template over [Data].
func (r *reader) template(dst *string) setter {
	return func(v value) {
		s, ok := r.scalar(v, true)
		if !ok {
			return
		}
		if _, err := parseTemplate(s, reflect.TypeFor[Data]()); err != nil {
			hint := "write it as {{.Revision}}; its fields are " + strings.Join(fieldsOf(reflect.TypeFor[Data]()), " ")
			if field, ok := err.(*fieldError); ok {
				hint = field.hint
			}
			r.fail(v, hint, "template: %v", err)
			return
		}
		*dst = s
	}
}

// oneOf reads one of a few words.
func oneOf[T ~string](r *reader, dst *T, words ...T) setter {
	known := map[string]bool{}
	for _, w := range words {
		known[string(w)] = true
	}
	return func(v value) {
		if !r.kind(v, yaml.ScalarNode) {
			return
		}
		if s := v.node.Value; known[s] {
			*dst = T(s)
		} else {
			_, hint := suggest(s, known)
			r.fail(v, hint, "%q is not one of its values", s)
		}
	}
}

func (r *reader) boolean(dst *bool) setter {
	return func(v value) {
		if !r.kind(v, yaml.ScalarNode) {
			return
		}
		if err := v.node.Decode(dst); err != nil || v.node.ShortTag() != "!!bool" {
			r.fail(v, "write true or false", "must be true or false, not %s", nodeName(v.node))
		}
	}
}

// number reads a whole number from least to most.
func (r *reader) number(dst *int, least, most int) setter {
	return func(v value) {
		if !r.kind(v, yaml.ScalarNode) {
			return
		}
		n, err := strconv.Atoi(v.node.Value)
		plain := strconv.Itoa(n) == v.node.Value // YAML reads 010 as eight
		if err != nil || !plain || v.node.ShortTag() != "!!int" || n < least || n > most {
			r.fail(v, "", "%q is not a whole number from %d to %d", v.node.Value, least, most)
			return
		}
		*dst = n
	}
}

// umask reads the permissions that new files do not get, in octal digits.
func (r *reader) umask(dst *int) setter {
	return func(v value) {
		if !r.kind(v, yaml.ScalarNode) {
			return
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(v.node.Value, "0o"), 8, 9)
		if err != nil || n&0o700 != 0 {
			r.fail(v, `write it as "022"`, "%q is no umask that leaves its files to their owner", v.node.Value)
			return
		}
		*dst = int(n)
	}
}

// duration reads a Go duration, not below zero.
func (r *reader) duration(dst *time.Duration) setter {
	return func(v value) {
		s, ok := r.scalar(v, true)
		if !ok {
			return
		}
		d, err := time.ParseDuration(s)
		if _, bare := strconv.ParseFloat(s, 64); bare == nil && s != "0" {
			r.fail(v, fmt.Sprintf("write %ss for seconds, %sm for minutes", s, s), "%q has no unit", s)
		} else if err != nil || d < 0 {
			r.fail(v, "write it as 90s, 15m or 1h30m", "%q is not a length of time", s)
		} else {
			*dst = d
		}
	}
}

// later refuses what belongs to revstamp but not yet to this version of it:
// to pass over it would be to promise what is not done.
func (r *reader) later(v value, what string) {
	r.fail(v, "remove it", "%s is not in this version of revstamp yet", what)
}
