package stamp

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// literal is a value that has a key, or something in the place of one.
type literal struct {
	key        string // in one spelling, to be compared
	start, end int    // its bytes; equal for what cannot be replaced
	text       string // decoded
	kind       string // Value.Type
	refused    string // why it is not a literal; empty when it is
	style      byte   // the quote, or 0
	flow       bool   // yaml: inside [] or {}
}

// language reads and writes one format for one target.
type language interface {
	// scan returns everything that has a key, in the order of the file.
	scan(src []byte) ([]literal, error)
	// names reports whether the target's key is this one.
	names(key string) bool
	// clean returns the value without what the format puts around it itself.
	clean(value string) string
	// encode writes value as this language would at old's place, as a string
	// or as a value of old's type.
	encode(old literal, value string, asString bool) (string, error)
}

// Find returns the values that the target names, in the order of the file: one,
// or with All at least one. Otherwise the error is an *Error. src is not
// modified.
func (t Target) Find(src []byte) ([]Value, error) {
	_, all, named, err := t.find(src)
	if err != nil {
		return nil, t.locate(src, err)
	}
	var values []Value
	for _, i := range named {
		l := all[i]
		line, column := position(src, l.start)
		values = append(values, Value{l.start, l.end, line, column, l.text, l.kind})
	}
	return values, nil
}

// find returns everything that has a key, and which of it the target names.
func (t Target) find(src []byte) (lang language, all []literal, named []int, err error) {
	if lang, err = t.language(); err != nil {
		return nil, nil, nil, err
	}
	if at := conflictMarkers(src); at >= 0 {
		return nil, nil, nil, refuse(ConflictMarkers, at, "the file holds conflict markers").hint("resolve the conflict first")
	}
	if all, err = lang.scan(src); err != nil {
		return nil, nil, nil, err
	}
	var lines []int
	for i, l := range all {
		if lang.names(l.key) {
			named = append(named, i)
			line, _ := position(src, l.start)
			lines = append(lines, line)
		}
	}
	if len(named) == 0 {
		return nil, nil, nil, t.notFound(all)
	}
	if len(named) > 1 && !t.All {
		e := refuse(Ambiguous, all[named[0]].start, "found %d times, in lines %s", len(named), listLines(lines))
		e.Lines = lines
		return nil, nil, nil, e.hint("remove all but one, or say that all are meant")
	}
	for _, i := range named {
		if l := all[i]; l.refused != "" {
			return nil, nil, nil, refuse(NotALiteral, l.start, "the value is %s", l.refused).
				hint("write it as one plain value first, then it can be stamped")
		}
	}
	return lang, all, named, nil
}

func (t Target) notFound(all []literal) *Error {
	e := refuse(NotFound, -1, "nothing in the file has this key")
	switch {
	case t.Match != "":
		e.Detail = "nothing in the file matches"
	case t.Placeholder != "":
		e.Detail = "the placeholder is not in the file"
		e.Hint = "a placeholder is gone once it is stamped: use match for a file that is stamped again"
	case t.Key != "":
		if near := nearest(t.Key, all); near != "" {
			e.Hint = fmt.Sprintf("the file has %s", near)
		}
	}
	return e
}

// Edit returns src with the value in its place, and what changed. When the
// value is there already, out is src itself and there are no changes. src is
// not modified. The error is an *Error; out and changes are nil then.
func (t Target) Edit(src []byte) (out []byte, changes []Change, err error) {
	lang, all, named, err := t.find(src)
	if err != nil {
		return nil, nil, t.locate(src, err)
	}
	value := lang.clean(t.Value)
	type splice struct {
		at   literal
		text string
	}
	var splices []splice
	for _, i := range named {
		l := all[i]
		asString := l.kind == "string" || t.Type == "string"
		if l.text == value && (l.kind == "string") == asString {
			continue
		}
		text, err := lang.encode(l, value, asString)
		if err != nil {
			return nil, nil, t.locate(src, at(err, l.start))
		}
		line, column := position(src, l.start)
		splices = append(splices, splice{l, text})
		changes = append(changes, Change{t.File, t.selector(), line, column, l.text, value})
	}
	if len(splices) == 0 {
		return src, nil, nil
	}
	end := 0
	for _, s := range splices {
		out = append(append(out, src[end:s.at.start]...), s.text...)
		end = s.at.end
	}
	out = append(out, src[end:]...)
	if err := verify(lang, src, out, all, named, value, t.Type); err != nil {
		return nil, nil, t.locate(src, err)
	}
	return out, changes, nil
}

// at gives an error a place when it has none.
func at(err error, offset int) error {
	if e, ok := err.(*Error); ok && e.at < 0 {
		e.at = offset
	}
	return err
}

// verify reads the changed text and compares: the same keys, the wanted values
// at the named ones, and at all the others what was there.
func verify(lang language, src, out []byte, before []literal, named []int, value, wantKind string) error {
	first := before[named[0]].start
	wrong := func(format string, args ...any) error {
		return refuse(BadSelector, first, "the value cannot be written here so that it is read back: "+format, args...)
	}
	if p, ok := lang.(replacer); ok {
		return at(p.verify(out, len(before), len(named)), first)
	}
	after, err := lang.scan(out)
	if err != nil {
		return wrong("%v", err)
	}
	if len(after) != len(before) {
		return wrong("%d keys became %d", len(before), len(after))
	}
	for i, a := range after {
		b := before[i]
		switch {
		case a.key != b.key:
			return wrong("key %s became %s", b.key, a.key)
		case slices.Contains(named, i):
			kind := b.kind
			if wantKind == "string" {
				kind = "string"
			}
			if a.text != value || a.kind != kind || a.refused != "" {
				return wrong("%s %q was read as %s %q", kind, value, a.kind, a.text)
			}
		case a.kind != b.kind || a.text != b.text || a.refused != b.refused ||
			!bytes.Equal(out[a.start:a.end], src[b.start:b.end]):
			return wrong("another value changed too, %s", b.key)
		}
	}
	return nil
}

// replacer is a language whose values have no key afterwards.
type replacer interface {
	verify(out []byte, found, replaced int) error
}

var (
	markOurs   = regexp.MustCompile(`(?m)^<{7}(?: .*)?\r?$`)
	markMiddle = regexp.MustCompile(`(?m)^={7}\r?$`)
	markTheirs = regexp.MustCompile(`(?m)^>{7}(?: .*)?\r?$`)
)

// conflictMarkers returns the offset of a conflict's first marker, or -1. All
// three must be there, in order: a line of = signs alone is a heading.
func conflictMarkers(src []byte) int {
	if !bytes.Contains(src, []byte("<<<<<<<")) {
		return -1
	}
	ours := markOurs.FindIndex(src)
	if ours == nil {
		return -1
	}
	middle := markMiddle.FindIndex(src[ours[1]:])
	if middle == nil || !markTheirs.Match(src[ours[1]+middle[1]:]) {
		return -1
	}
	return ours[0]
}

// checkValue refuses what would end a line or play with a terminal.
func checkValue(value string) error {
	for i, r := range value {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return refuse(ControlCharacter, -1, "the value %q holds the control character %U at byte %d", value, r, i)
		}
	}
	return nil
}

// position returns the line and the column, both from 1, of an offset. A byte
// order mark takes no column.
func position(src []byte, offset int) (line, column int) {
	before := src[:min(offset, len(src))]
	line = 1 + bytes.Count(before, []byte("\n"))
	start := bytes.LastIndexByte(before, '\n') + 1
	if line == 1 {
		before = bytes.TrimPrefix(before, bom)
	}
	return line, utf8.RuneCount(before[min(start, len(before)):]) + 1
}

var bom = []byte("\xef\xbb\xbf")

func listLines(lines []int) string {
	var words []string
	for _, l := range lines {
		words = append(words, fmt.Sprint(l))
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// nearest returns a key of the file that ends like the wanted one, or "".
func nearest(key string, all []literal) string {
	last := func(s string) string {
		words := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' })
		if len(words) == 0 {
			return ""
		}
		return strings.ToLower(words[len(words)-1])
	}
	want := last(key)
	for _, l := range all {
		if want != "" && last(l.key) == want {
			return l.key
		}
	}
	return ""
}

// Bare numbers are written only in the one form that every reader reads alike:
// no leading zero, no sign +, no exponent, and within 64 bits.
var (
	bareInt   = regexp.MustCompile(`^(?:0|-?[1-9][0-9]{0,17})$`)
	bareFloat = regexp.MustCompile(`^-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}$`)
)

// encodeBare writes a value that is no string and must not become one.
func encodeBare(old literal, value string) (string, error) {
	switch old.kind {
	case "int":
		if bareInt.MatchString(value) {
			return value, nil
		}
	case "float":
		if bareFloat.MatchString(value) {
			return value, nil
		}
	case "number":
		if bareInt.MatchString(value) || bareFloat.MatchString(value) {
			return value, nil
		}
	case "bool":
		if value == "true" || value == "false" {
			return value, nil
		}
	}
	return "", refuse(TypeChange, -1, "the value there is of type %s, which %q is not", old.kind, value).
		hint(`to make it a string, say type "string"`)
}
