package stamp

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"revstamp/stamp/atomicfile"
)

// Find returns the values that the target names, in the order of the file: one,
// or with All at least one. Otherwise the error is an *Error. src is not
// modified.
func (t Target) Find(src []byte) ([]Value, error) {
	r, err := t.open()
	if err != nil {
		return nil, t.locate(src, err)
	}
	all, err := newReading(src, []request{r})
	if err != nil {
		return nil, t.locate(src, err)
	}
	found, err := all.find(0)
	if err != nil {
		return nil, t.locate(src, err)
	}
	var values []Value
	at := newWalker(all.text)
	for _, i := range found {
		l := all.named[i]
		line, column := at.position(l.start)
		values = append(values, Value{l.start, l.end, line, column, strings.Clone(l.text), l.kind})
	}
	return values, nil
}

// refuseConflict refuses what a merge left unfinished.
func refuseConflict(src []byte) error {
	if at := conflictMarkers(src); at >= 0 {
		return refuse(ConflictMarkers, at, "the file holds conflict markers").hint("resolve the conflict first")
	}
	return nil
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
	*reading
	places  *walker
	by      map[int]request // by index in named: who changes it
	splices []splice
	changes []Change
}

// splice is the new text of a literal.
type splice struct {
	start, end int
	text       string
	of         int // in named
}

// newEdit reads src once for as many of the requests, from the first on, as
// can be answered from that: those of the first one's language, as long as they
// stamp different values. It returns how many they are.
func newEdit(src []byte, requests []request) (b *edit, n int, err error) {
	first := requests[0]
	if other := slices.IndexFunc(requests, func(r request) bool { return r.lang != first.lang }); other >= 0 {
		requests = requests[:other]
	}
	b = &edit{by: map[int]request{}}
	if b.reading, err = newReading(src, requests); err != nil {
		return nil, 1, first.locate(src, err)
	}
	b.places = newWalker(b.text)
	var errs []error
	for _, r := range requests {
		found, err := b.find(n)
		if err == nil && slices.ContainsFunc(found, func(i int) bool { _, again := b.by[i]; return again }) {
			break
		}
		n++
		for _, i := range found {
			b.by[i] = r
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
	l := b.named[i].literal
	asString := l.kind == "string" || r.Type == "string"
	if l.text == r.value && (l.kind == "string") == asString {
		return nil
	}
	text, err := r.lang.encode(l, r.value, asString)
	if err != nil {
		return at(err, l.start)
	}
	line, column := b.places.position(l.start)
	b.splices = append(b.splices, splice{l.start, l.end, text, i})
	b.changes = append(b.changes, Change{r.File, r.selector(), line, column, strings.Clone(l.text), r.value})
	return nil
}

// apply puts the new bytes in place and makes sure of what came of it.
func (b *edit) apply() ([]byte, error) {
	if len(b.splices) == 0 {
		return b.src, nil
	}
	slices.SortFunc(b.splices, func(x, y splice) int { return cmp.Compare(x.start, y.start) })
	out := b.spliced()
	if err := b.verify(out); err != nil {
		return nil, err
	}
	return out, nil
}

// spliced returns the text with the new bytes.
func (b *edit) spliced() []byte {
	size := len(b.src)
	for _, s := range b.splices {
		size += len(s.text) - (s.end - s.start)
	}
	out, end := atomicfile.Resident[byte](size)[:0], 0
	for _, s := range b.splices {
		out = append(append(out, b.src[end:s.start]...), s.text...)
		end = s.end
	}
	return append(out, b.src[end:]...)
}

// at gives an error a place when it has none.
func at(err error, offset int) error {
	if e, ok := err.(*Error); ok && e.at < 0 {
		e.at = offset
	}
	return err
}

// replacer is a language whose values have no key afterwards.
type replacer interface {
	verify(out []byte, found, replaced int) error
}

var (
	markOurs   = lazily(`(?m)^<{7}(?: .*)?\r?$`)
	markMiddle = lazily(`(?m)^={7}\r?$`)
	markTheirs = lazily(`(?m)^>{7}(?: .*)?\r?$`)
)

// conflictMarkers returns the offset of a conflict's first marker, or -1. All
// three must be there, in order: a line of = signs alone is a heading.
func conflictMarkers(src []byte) int {
	if !bytes.Contains(src, []byte("<<<<<<<")) {
		return -1
	}
	ours := markOurs().FindIndex(src)
	if ours == nil {
		return -1
	}
	middle := markMiddle().FindIndex(src[ours[1]:])
	if middle == nil || !markTheirs().Match(src[ours[1]+middle[1]:]) {
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
		case r == '\n' && f.newlines:
			return refuse(ControlCharacter, -1, "the value %q holds a line feed at byte %d", value, i).
				hint("--newlines, or newlines: true, lets it be written as an escape")
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

// nearest returns the key of the file that ends in the same word as the wanted one,
// and is most like it, or "".
func nearest(key string, all []literal) string {
	last := func(s string) string {
		words := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' })
		if len(words) == 0 {
			return ""
		}
		return strings.ToLower(words[len(words)-1])
	}
	want := last(key)
	best, most := "", -1
	for _, l := range all {
		if want == "" || last(l.key) != want {
			continue
		}
		if n := alike(key, l.key); n > most {
			best, most = l.key, n
		}
	}
	return best
}

// alike is how many bytes a and b begin and end with in common.
func alike(a, b string) int {
	short, begin, end := min(len(a), len(b)), 0, 0
	for begin < short && a[begin] == b[begin] {
		begin++
	}
	for end < short-begin && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	return begin + end
}

// Bare numbers are written only in the one form that every reader reads alike:
// no leading zero, no sign +, no exponent, and within 64 bits.
var (
	bareInt   = lazily(`^(?:0|-?[1-9][0-9]{0,17})$`)
	bareFloat = lazily(`^-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}$`)
)

// toString is how a value may become a string.
const toString = "to make it a string: --type string, or type: string"

// encodeBare writes a value that is no string and must not become one.
func encodeBare(old literal, value string) (string, error) {
	switch old.kind {
	case "int":
		if bareInt().MatchString(value) {
			return value, nil
		}
	case "float":
		if bareFloat().MatchString(value) {
			return value, nil
		}
	case "number":
		if bareInt().MatchString(value) || bareFloat().MatchString(value) {
			return value, nil
		}
	case "bool":
		if value == "true" || value == "false" {
			return value, nil
		}
	}
	return "", refuse(TypeChange, -1, "the value there is of type %s, which %q is not", old.kind, value).
		hint(toString)
}
