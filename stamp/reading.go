package stamp

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
)

// reading is what one pass over a text finds of requests in one language. It
// keeps what they name, and of everything else how many there are: where the text
// has seams, that is enough, for the others near a change can be read again.
type reading struct {
	src      []byte
	text     string // src
	requests []request
	wanted   []selector // by request
	named    []named    // in the order of the scan
	seams    []stage    // the first is the beginning
	tally    tally      // of all; the sum is of those before the first seam, or means nothing
	summed   bool       // no seam yet
	ahead    *ahead     // what reads the second half, until it is met
}

// tally is what is kept of literals: how many they are, and a sum of their
// marks, in their order.
type tally struct {
	count int
	sum   uint64
}

func (t *tally) add(mark uint64) { *t = tally{t.count + 1, t.sum*sumFactor + mark} }

const sumFactor = 0x9e3779b97f4a7c15 // odd, so that no mark is ever shifted out

// stage is a seam, and how many a scan has handed on before it.
type stage struct {
	seam
	count int
	named int // of those kept
}

// seamDistance is about how many bytes are between two seams: so few that reading
// them once more costs little, and so many that seams cost nothing. It is a
// variable for tests, which want all that there are.
var seamDistance = 8 << 10

// named is a literal that a request names.
type named struct {
	literal
	nth int // of all, in the order of the scan
	by  int // the first of the requests that name it
}

// newReading reads src for requests of one language. Its error is an *Error.
func newReading(src []byte, requests []request) (*reading, error) {
	if err := refuseConflict(src); err != nil {
		return nil, err
	}
	lang, text := requests[0].lang, view(src)
	r := &reading{src: src, text: text, requests: requests, seams: make([]stage, 1, 8+len(src)/seamDistance), summed: true}
	for _, q := range requests {
		wanted := q.named
		if c, ok := lang.(conditional); ok {
			all := func() []literal {
				found, _ := collect(lang, text) // what is wrong is told below
				return found
			}
			wanted = c.selectorAmong(all, q.Key)
		}
		r.wanted = append(r.wanted, wanted)
	}
	r.readAhead(lang)
	err := lang.scan(text, seam{}, r)
	r.ahead.stop()
	return r, err
}

func (r *reading) add(l *literal) {
	for i, wanted := range r.wanted {
		if wanted(l.key) {
			kept := *l
			kept.key = strings.Clone(l.key)
			r.named = append(r.named, named{kept, r.tally.count, i})
			break
		}
	}
	if r.summed {
		r.tally.add(l.mark(r.text))
	} else {
		r.tally.count++
	}
}

func (r *reading) again() bool {
	r.named, r.seams, r.tally, r.summed = nil, r.seams[:1], tally{}, true
	return true
}

func (r *reading) seam(s seam) (next int) {
	r.seams, r.summed = append(r.seams, stage{s, r.tally.count, len(r.named)}), false
	if r.meet(s) {
		return -1
	}
	next = s.at + seamDistance
	if r.ahead != nil {
		next = min(next, r.ahead.from.at)
	}
	return next
}

// find returns which of named the nth request names, in the order of the file.
// Its error is an *Error.
func (r *reading) find(n int) (found []int, err error) {
	for i, l := range r.named {
		if l.by == n || l.by < n && r.wanted[n](l.key) {
			found = append(found, i)
		}
	}
	slices.SortStableFunc(found, func(a, b int) int { return byStart(r.named[a].literal, r.named[b].literal) })
	q := r.requests[n]
	if len(found) == 0 {
		return nil, q.notFound(r.src)
	}
	if len(found) > 1 && !q.All {
		return nil, r.ambiguous(q, found)
	}
	for _, i := range found {
		if l := r.named[i]; l.refused != "" {
			return nil, refuse(NotALiteral, l.start, "the value is %s", l.refused).
				hint("write it as one plain value first, then it can be stamped")
		}
	}
	return found, nil
}

// ambiguous refuses to choose among found, which q names, and says how to.
func (r *reading) ambiguous(q request, found []int) *Error {
	var lines, places []string
	e := refuse(Ambiguous, r.named[found[0]].start, "")
	at := newWalker(r.text)
	for _, i := range found {
		line, column := at.position(r.named[i].start)
		e.Lines = append(e.Lines, line)
		lines = append(lines, fmt.Sprint(line))
		places = append(places, fmt.Sprintf("%d:%d", line, column))
	}
	e.Detail = fmt.Sprintf("found %d times, in lines %s", len(found), list(lines, "and"))
	if len(slices.Compact(slices.Clone(lines))) < len(found) {
		e.Detail = fmt.Sprintf("found %d times, at %s", len(found), list(places, "and"))
	}
	e.Hint = "remove all but one, or say that all are meant: --all, or occurrence: all"
	if keys := r.distinct(q, found); keys != nil {
		e.Hint = "say which is meant: " + list(keys, "or")
	}
	return e
}

// distinct are the keys of found, if they are few and each names one of them alone.
func (r *reading) distinct(q request, found []int) (keys []string) {
	if q.Key == "" || len(found) > mostKeys {
		return nil
	}
	for _, i := range found {
		key := r.named[i].key
		wanted, err := q.lang.selector(key)
		if err != nil || slices.ContainsFunc(found, func(other int) bool { return other != i && wanted(r.named[other].key) }) {
			return nil
		}
		keys = append(keys, key)
	}
	return keys
}

// mostKeys are as many as a hint names.
const mostKeys = 5

// list is a list of two words or more.
func list(words []string, and string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + and + " " + words[last]
}

func (q request) notFound(src []byte) *Error {
	e := refuse(NotFound, -1, "nothing in the file has this key")
	switch {
	case q.Match != "":
		e.Detail = "nothing in the file matches"
	case q.Placeholder != "":
		e.Detail = "the placeholder is not in the file"
		e.Hint = "a placeholder is gone once it is stamped: use match for a file that is stamped again"
	case q.Key != "":
		all, _ := collect(q.lang, view(src)) // which succeeded before
		if near := nearest(q.Key, all); near != "" {
			e.Hint = fmt.Sprintf("the file has %s", near)
		} else {
			e.Hint = "'" + q.listing() + "' shows the keys of a file"
		}
	}
	return e
}

// listing is the command that lists the keys of the request's file, as far as it
// can be named here.
func (q request) listing() string {
	file := "FILE"
	if q.File != "-" && oneWord().MatchString(q.File) {
		file = q.File
	}
	if q.Format == "" {
		return "revstamp stamp --list " + file
	}
	return "revstamp stamp --list --format " + q.Format + " " + file
}

// oneWord matches what a shell takes for one word.
var oneWord = lazily(`^[\w./@%+:,][\w./@%+:,-]*$`)

// mark stands for the literal in src: two are equal when, but for odds that
// nobody meets, their keys, types and values are, and the bytes that these are
// written in.
func (l *literal) mark(src string) uint64 {
	m := mix(markSeed, l.key)
	m = mix(m, l.kind)
	m = mix(m, l.refused)
	m = mix(m, l.text)
	return mix(m, src[l.start:l.end])
}

var markSeed = maphash.Comparable(maphash.MakeSeed(), 0)

// mix makes one mark of a mark and a text. There are so many short texts that
// calling maphash for each took as long as finding them.
func mix(mark uint64, s string) uint64 {
	mark ^= uint64(len(s))
	for ; len(s) >= 8; s = s[8:] {
		mark = fold(mark ^ (four(s) | four(s[4:])<<32))
	}
	rest, n := uint64(0), len(s)
	switch {
	case n >= 4:
		rest = four(s) | four(s[n-4:])<<32
	case n > 0:
		rest = uint64(s[0]) | uint64(s[n/2])<<8 | uint64(s[n-1])<<16
	}
	return fold(mark ^ rest)
}

// four are the first four bytes of s.
func four(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

func fold(m uint64) uint64 {
	high, low := bits.Mul64(m, sumFactor)
	return high ^ low
}
