package stamp

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
)

// reading is what one pass over a text finds of requests in one language. It
// keeps what they name, and of everything else no more than a mark.
type reading struct {
	src      []byte
	text     string // src
	requests []request
	wanted   []selector // by request
	named    []named    // in the order of the scan
	marks    marks
	count    int
}

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
	r := &reading{src: src, text: text, requests: requests}
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
	return r, lang.scan(text, r)
}

func (r *reading) add(l *literal) {
	for i, wanted := range r.wanted {
		if wanted(l.key) {
			kept := *l
			kept.key = strings.Clone(l.key)
			r.named = append(r.named, named{kept, r.count, i})
			break
		}
	}
	r.marks.keep(r.marks.mark(r.text, l))
	r.count++
}

func (r *reading) again() { r.named, r.marks, r.count = nil, marks{}, 0 }

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
		var lines []int
		for _, i := range found {
			line, _ := position(r.src, r.named[i].start)
			lines = append(lines, line)
		}
		e := refuse(Ambiguous, r.named[found[0]].start, "found %d times, in lines %s", len(found), listLines(lines))
		e.Lines = lines
		return nil, e.hint("remove all but one, or say that all are meant")
	}
	for _, i := range found {
		if l := r.named[i]; l.refused != "" {
			return nil, refuse(NotALiteral, l.start, "the value is %s", l.refused).
				hint("write it as one plain value first, then it can be stamped")
		}
	}
	return found, nil
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
			e.Hint = "'revstamp stamp --list' shows the keys of a file"
		}
	}
	return e
}

// marks stand for literals: two are equal when, but for odds that nobody meets,
// their keys, types and values are, and the bytes that these are written in.
type marks struct {
	chunks [][]uint64 // by literal, in the order of the scan; each of marksChunk
	buf    []byte
}

const marksChunk = 4096

func (m *marks) keep(mark uint64) {
	last := len(m.chunks) - 1
	if last < 0 || len(m.chunks[last]) == marksChunk {
		m.chunks = append(m.chunks, make([]uint64, 0, marksChunk))
		last++
	}
	m.chunks[last] = append(m.chunks[last], mark)
}

// nth is the mark that was kept as the nth.
func (m *marks) nth(n int) uint64 { return m.chunks[n/marksChunk][n%marksChunk] }

var markSeed = maphash.MakeSeed()

// mark is that of a literal in src.
func (m *marks) mark(src string, l *literal) uint64 {
	b := append(m.buf[:0], l.key...)
	b = append(append(b, 0), l.kind...)
	b = append(append(b, 0), l.refused...)
	b = append(append(b, 0), l.text...)
	b = append(append(b, 0), src[l.start:l.end]...)
	m.buf = b
	return maphash.Bytes(markSeed, b)
}
