package stamp

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unsafe"
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
	// scan hands everything that has a key to found, each key in the one
	// spelling that is compared and that selector reads too, in an order that
	// the text alone decides. It begins at a seam that found was told, or at the
	// zero seam, which is the beginning. Its error is an *Error of kind
	// ParseError; what was found until then means nothing.
	scan(src string, from seam, found sink) error
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
	// selectorAmong is selector, for a key that it took, in a file that has
	// what all returns.
	selectorAmong(all func() []literal, key string) selector
}

// sink takes what a scan finds, one literal at a time: a file of a megabyte has
// so many that keeping them costs more than finding them.
type sink interface {
	// add takes one, which is the caller's again when it returns, and so is the
	// key.
	add(l *literal)
	// again forgets them all, when the text is to be read anew from its beginning,
	// and reports whether that is wanted.
	again() bool
	// seam tells of a seam. The scanner needs to tell none before next; when
	// that is negative, it ends where it is, without error.
	seam(s seam) (next int)
}

// seam is a place between two literals, and not at 0. A scanner tells of one only
// when
//
//   - all that it handed on before, and state, follow from the bytes before the
//     place and the one byte behind it, and
//   - all that it hands on behind follows from state and the bytes behind.
//
// So two texts that are the same up to a seam have it both, and what follows a
// seam of the same state in both is found alike as far as the bytes are. What
// the whole text has to say about each value may be in state, too: a scanner
// that was given it makes sure of it before the end, or begins again.
type seam struct {
	at    int
	state any // to be compared with ==
}

// never is behind every place where a seam could be.
const never = math.MaxInt

// spare hands literals to a sink from one place in memory.
type spare struct {
	literal
	found sink
}

func (s *spare) add(l literal) {
	s.literal = l
	s.hand()
}

// fresh returns the literal for hand, empty, to be filled there instead of being copied.
func (s *spare) fresh() *literal {
	s.literal = literal{}
	return &s.literal
}

func (s *spare) hand() { s.found.add(&s.literal) }

// literals is the sink that keeps them.
type literals []literal

func (all *literals) add(l *literal) {
	kept := *l
	kept.key = strings.Clone(l.key)
	*all = append(*all, kept)
}

func (all *literals) again() bool {
	*all = nil
	return true
}

func (*literals) seam(seam) int { return never }

// handTo gives them to another sink, and is the end of them.
func (all literals) handTo(found sink) {
	for i := range all {
		found.add(&all[i])
	}
	usedLiterals.keep(all)
}

// collect returns what has a key in src, in the order of the file.
func collect(lang language, src string) ([]literal, error) {
	var all literals
	if err := lang.scan(src, seam{}, &all); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, byStart)
	return all, nil
}

// view is b as a string that is no copy. It is for texts that are only read as
// long as the string is used: what goes to a caller is cloned.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func byStart(a, b literal) int { return cmp.Compare(a.start, b.start) }
