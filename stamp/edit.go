package stamp

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
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
	refused    string // why it is not a literal, as "an expression"; empty when it is
	style      byte   // the quote, or 0
	flow       bool   // yaml: inside [] or {}
	ascii      bool   // xml, js: what is no ASCII is written as an escape
	room       int    // c: the bytes its array holds, or the bits of its type; 0 for any
	ways       string // ini: how the value can be written
}

// severalLines is why a text is refused that goes over line ends.
const severalLines = "a text of several lines"

// language reads and writes one format.
type language interface {
	// scan returns everything that has a key, in the order of the file, each
	// key in the one spelling that is compared and that selector reads too.
	// Its error is an *Error of kind ParseError.
	scan(src string) ([]literal, error)
	// selector reads a key as people write it. Its error is an *Error of kind
	// BadSelector.
	selector(key string) (selector, error)
	// encode writes value as this language would at old's place, as a string
	// or as a value of old's type.
	encode(old literal, value string, asString bool) (string, error)
}

// selector reports whether a literal's key is the one that is meant.
type selector func(key string) bool

// conditional is a language whose keys can also say what other values must be,
// as in add[@key='Rev']/@value.
type conditional interface {
	// selectorAmong is selector, for a key that it took, in a file that has all.
	selectorAmong(all []literal, key string) selector
}

// Find returns the values that the target names, in the order of the file: one,
// or with All at least one. Otherwise the error is an *Error. src is not
// modified.
func (t Target) Find(src []byte) ([]Value, error) {
	r, err := t.open()
	if err != nil {
		return nil, t.locate(src, err)
	}
	all, err := scan(r.lang, src)
	if err != nil {
		return nil, t.locate(src, err)
	}
	named, err := r.find(src, all)
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

// scan returns what has a key in src, unless a merge left it unfinished.
func scan(lang language, src []byte) ([]literal, error) {
	if at := conflictMarkers(src); at >= 0 {
		return nil, refuse(ConflictMarkers, at, "the file holds conflict markers").hint("resolve the conflict first")
	}
	return lang.scan(string(src))
}

// find returns which of all the request names.
func (r request) find(src []byte, all []literal) (named []int, err error) {
	wanted := r.named
	if c, ok := r.lang.(conditional); ok {
		wanted = c.selectorAmong(all, r.Key)
	}
	for i, l := range all {
		if wanted(l.key) {
			named = append(named, i)
		}
	}
	if len(named) == 0 {
		return nil, r.notFound(all)
	}
	if len(named) > 1 && !r.All {
		var lines []int
		for _, i := range named {
			line, _ := position(src, all[i].start)
			lines = append(lines, line)
		}
		e := refuse(Ambiguous, all[named[0]].start, "found %d times, in lines %s", len(named), listLines(lines))
		e.Lines = lines
		return nil, e.hint("remove all but one, or say that all are meant")
	}
	for _, i := range named {
		if l := all[i]; l.refused != "" {
			return nil, refuse(NotALiteral, l.start, "the value is %s", l.refused).
				hint("write it as one plain value first, then it can be stamped")
		}
	}
	return named, nil
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
		} else {
			e.Hint = "'revstamp stamp --list' shows the keys of a file"
		}
	}
	return e
}

// Edit returns src with the value in its place, and what changed. When the
// value is there already, out is src itself and there are no changes. src is
// not modified. The error is an *Error; out and changes are nil then.
func (t Target) Edit(src []byte) (out []byte, changes []Change, err error) {
	return Edit(src, []Target{t})
}

// Edit applies several targets to src, one after the other, as Target.Edit
// does one. Those of one format that follow each other cost one reading. Every
// target that is refused is in the error, each as an *Error.
func Edit(src []byte, targets []Target) (out []byte, changes []Change, err error) {
	var errs []error
	var requests []request
	for _, t := range targets {
		r, err := t.open()
		if err != nil {
			errs = append(errs, t.locate(src, err))
			continue
		}
		requests = append(requests, r)
	}
	out = src
	for len(requests) > 0 {
		b, n, err := newEdit(out, requests)
		requests = requests[n:]
		var after []byte
		if err == nil {
			after, err = b.apply()
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out, changes = after, append(changes, b.changes...)
	}
	if len(errs) > 0 {
		return nil, nil, join(errs)
	}
	return out, changes, nil
}

// edit is what the targets of one language do to a text.
type edit struct {
	src     []byte
	lang    language
	all     []literal
	named   map[int]request // by index in all
	splices map[int]string  // those of named that change: the new bytes
	changes []Change
}

// newEdit reads src once for as many of the requests, from the first on, as
// can be answered from that: those of the first one's language, as long as they
// stamp different values. It returns how many they are.
func newEdit(src []byte, requests []request) (b *edit, n int, err error) {
	first := requests[0]
	b = &edit{src: src, lang: first.lang, named: map[int]request{}, splices: map[int]string{}}
	if b.all, err = scan(b.lang, src); err != nil {
		return nil, 1, first.locate(src, err)
	}
	var errs []error
	for _, r := range requests {
		if r.lang != b.lang {
			break
		}
		named, err := r.find(src, b.all)
		if err == nil && slices.ContainsFunc(named, func(i int) bool { _, again := b.named[i]; return again }) {
			break
		}
		n++
		for _, i := range named {
			b.named[i] = r
			err = cmp.Or(err, b.replace(i, r))
		}
		if err != nil {
			errs = append(errs, r.locate(src, err))
		}
	}
	return b, n, join(errs)
}

// join returns the only error as it is.
func join(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// replace notes the new bytes of literal i, unless it has the value already.
func (b *edit) replace(i int, r request) error {
	l := b.all[i]
	asString := l.kind == "string" || r.Type == "string"
	if l.text == r.value && (l.kind == "string") == asString {
		return nil
	}
	text, err := b.lang.encode(l, r.value, asString)
	if err != nil {
		return at(err, l.start)
	}
	line, column := position(b.src, l.start)
	b.splices[i] = text
	b.changes = append(b.changes, Change{r.File, r.selector(), line, column, l.text, r.value})
	return nil
}

// apply puts the new bytes in place and makes sure of what came of it.
func (b *edit) apply() ([]byte, error) {
	if len(b.splices) == 0 {
		return b.src, nil
	}
	size := len(b.src)
	for i, text := range b.splices {
		size += len(text) - (b.all[i].end - b.all[i].start)
	}
	out, end := make([]byte, 0, size), 0
	for _, i := range slices.Sorted(maps.Keys(b.splices)) {
		out = append(append(out, b.src[end:b.all[i].start]...), b.splices[i]...)
		end = b.all[i].end
	}
	out = append(out, b.src[end:]...)
	if err := b.verify(out); err != nil {
		return nil, err
	}
	return out, nil
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
func (b *edit) verify(out []byte) error {
	first := slices.Min(slices.Collect(maps.Keys(b.splices)))
	fail := func(i int, err error) error { return b.named[i].locate(b.src, at(err, b.all[i].start)) }
	wrong := func(i int, format string, args ...any) error {
		return fail(i, refuse(BadSelector, -1, "the value cannot be written here so that it is read back: "+format, args...))
	}
	if p, ok := b.lang.(replacer); ok {
		if err := p.verify(out, len(b.all), len(b.named)); err != nil {
			return fail(first, err)
		}
		return nil
	}
	after, err := b.lang.scan(string(out))
	if err != nil {
		return wrong(first, "%v", err)
	}
	if len(after) != len(b.all) {
		return wrong(first, "%d keys became %d", len(b.all), len(after))
	}
	for i, now := range after {
		was := b.all[i]
		r, named := b.named[i]
		switch {
		case now.key != was.key:
			return wrong(first, "key %s became %s", was.key, now.key)
		case named:
			kind := was.kind
			if r.Type == "string" {
				kind = "string"
			}
			if now.text != r.value || now.kind != kind || now.refused != "" {
				return wrong(i, "%s %q was read as %s %q", kind, r.value, now.kind, now.text)
			}
		case now.kind != was.kind || now.text != was.text || now.refused != was.refused ||
			!bytes.Equal(out[now.start:now.end], b.src[was.start:was.end]):
			return wrong(first, "another value changed too, %s", was.key)
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
func checkValue(value string, newlines bool, f format) error {
	for i, r := range value {
		switch {
		case r == '\n' && newlines && f.newlines:
		case r == '\n' && newlines:
			return refuse(ControlCharacter, -1, "the value %q holds a line feed at byte %d, which %s cannot write in a value of one line", value, i, f.name)
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
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
		before = bytes.TrimPrefix(before, []byte(bom))
	}
	return line, utf8.RuneCount(before[min(start, len(before)):]) + 1
}

const bom = "\xef\xbb\xbf"

// bomLen is the length of the byte order mark of src, if it has one.
func bomLen(src string) int { return len(src) - len(strings.TrimPrefix(src, bom)) }

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
