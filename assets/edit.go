package assets

import (
	"bytes"
	"slices"
)

// span is a place in a document.
type span struct{ start, end int }

// edit replaces the bytes of a document from start to end with lead, the
// parameter's name and '=' if named, and a version.
type edit struct {
	span
	lead  string
	named bool
}

// query is where the version stands in a URL's query, or will stand.
type query struct {
	edit
	params int // where the query's first parameter begins in the decoded text
	name   int // where the version's parameter begins, -1 if there is none
	value  int // where its value begins
	after  int // where that parameter, or the query, ends
}

// findVersion looks for the parameter in the query of u and makes the edit that
// gives it a value: in place; else after the other parameters, with the joiner
// that they have. It is false if the value is template code, or if it would
// stand right after an escape that it would become part of.
func findVersion(u text, p parts, param, amp string, src []byte) (query, bool) {
	b := u.b[:p.end]
	q := query{name: -1, value: -1, after: p.end, params: min(p.query+1, p.end)}
	if p.query == p.end {
		q.set(u.pos(p.end), u.pos(p.end), "?", true)
		return q, true
	}
	for i := q.params; i <= len(b); {
		end := len(b)
		if n := bytes.IndexByte(b[i:], '&'); n >= 0 {
			end = i + n
		}
		name, _, hasValue := bytes.Cut(b[i:end], []byte("="))
		if string(name) == param {
			q.name, q.after = i, end
			if !hasValue {
				q.value = end
				q.set(u.pos(end), u.pos(end), "=", false)
				return q, !openEscape(u, end, src)
			}
			q.value = i + len(param) + 1
			q.set(u.pos(q.value), u.pos(end), "", false)
			return q, !hasTemplateCode(b[q.value:end]) && !openEscape(u, q.value, src)
		}
		i = end + 1
	}
	lead := ""
	if last := len(b) - 1; last >= q.params && b[last] != '&' {
		lead = joiner(u, b[q.params:], q.params, amp, src)
	}
	q.set(u.pos(p.end), u.pos(p.end), lead, true)
	return q, lead != "" || !openEscape(u, p.end, src)
}

func (q *query) set(start, end int, lead string, named bool) {
	q.edit = edit{span: span{start, end}, lead: lead, named: named}
}

// without returns the part of a URL's query that goes when its version does: the
// parameter and one separator, or an empty query with its '?'.
func (q query) without(u text, p parts) span {
	b := u.b[:p.end]
	start, end := p.end, p.end
	if q.name >= 0 {
		start, end = q.name, q.after
		if end < p.end { // the separator after it goes too
			end++
		}
	}
	if end == p.end { // so do those before it, and the '?' of an empty query
		for start > q.params && b[start-1] == '&' {
			start--
		}
		if start == q.params {
			start = p.query
		}
	}
	return span{u.pos(start), u.pos(end)}
}

// joiner returns the spelling of the query's separators: as it is, if that is a
// usual one, or else amp.
func joiner(u text, b []byte, offset int, amp string, src []byte) string {
	i := bytes.IndexByte(b, '&')
	if i < 0 {
		return amp
	}
	as := src[u.pos(offset+i):u.pos(offset+i+1)]
	for _, s := range [...]string{"&", "&amp;", "&#38;", "&#x26;"} {
		if string(as) == s {
			return s
		}
	}
	return amp
}

// openEscape reports whether byte i of u follows an escape that does not end by
// itself, such as &amp or \26, and that would swallow what is put there.
func openEscape(u text, i int, src []byte) bool {
	if u.at == nil || i == 0 {
		return false
	}
	s := src[u.pos(i-1):u.pos(i)]
	if len(s) < 2 {
		return false
	}
	last := s[len(s)-1]
	return last != ';' && !isSpace(last)
}

// findFingerprint returns the place of the fingerprint in the path of u, if it
// is there, or else the one where it would be: before the extension's dot. It is
// false if the path is spelled so that there is none.
func findFingerprint(u text, p parts, there bool) (span, bool) {
	name := u.b[p.path:p.query]
	dot := extensionDot(name)
	if dot < 0 || there && !endsInFingerprint(name[:dot]) {
		return span{}, false
	}
	start := dot
	if there {
		start -= fingerprintLen
	}
	return span{u.pos(p.path + start), u.pos(p.path + dot)}, true
}

// findFingerprints returns the place of all that stand in the path of u, as in
// the name of a copy of a file that looks like a copy.
func findFingerprints(u text, p parts) span {
	name := u.b[p.path:p.query]
	dot := extensionDot(name)
	start := dot
	for start > 0 && endsInFingerprint(name[:start]) {
		start -= fingerprintLen
	}
	if start == dot {
		return span{}
	}
	return span{u.pos(p.path + start), u.pos(p.path + dot)}
}

// extensionDot returns where the last dot of a URL's path stands, however it is
// spelled, or -1.
func extensionDot(name []byte) int {
	return max(bytes.LastIndexByte(name, '.'), bytes.LastIndex(name, []byte("%2e")), bytes.LastIndex(name, []byte("%2E")))
}

func endsInFingerprint(b []byte) bool {
	return len(b) >= fingerprintLen && isFingerprint(b[len(b)-fingerprintLen:])
}

// reference is a URL found in a document, with the places that change when it
// gets a version.
type reference struct {
	asset  *asset
	url    span
	value  edit // gives the query a version
	param  span // of the parameter, to be taken off; empty if there is none
	print  span // of the fingerprint, or where it would be
	inName bool // the version is to stand in the name
}

// old is the place of the version that the reference has.
func (r *reference) old() span {
	if r.print.start < r.print.end {
		return span{r.print.start + 1, r.print.end}
	}
	return r.value.span
}

// versioned reports whether the URL has a version, or a place for one.
func (r *reference) versioned() bool { return r.print.start < r.print.end || !r.value.named }

// patch replaces the bytes of a document from start to end with text.
type patch struct {
	span
	text string
}

// patches are those that give references their versions, of which there is one
// for each.
func patches(refs []reference, versions []string, param string) []patch {
	out := make([]patch, 0, len(refs))
	for i, r := range refs {
		if r.inName {
			out = append(out, patch{r.print, "." + versions[i]})
			if r.param.start < r.param.end {
				out = append(out, patch{r.param, ""})
			}
			continue
		}
		if r.print.start < r.print.end {
			out = append(out, patch{r.print, ""})
		}
		name := ""
		if r.value.named {
			name = param + "="
		}
		out = append(out, patch{r.value.span, r.value.lead + name + versions[i]})
	}
	return out
}

// splice returns src with patches made, which it sorts, in memory of the size that
// it asks for; src itself if they change nothing.
func splice(src []byte, patches []patch, memory func(size int64) []byte) []byte {
	size, changed := len(src), false
	for _, p := range patches {
		size += p.growth()
		changed = changed || string(src[p.start:p.end]) != p.text
	}
	if !changed {
		return src
	}
	slices.SortStableFunc(patches, func(a, b patch) int { return a.start - b.start })
	out, done := memory(int64(size))[:0], 0
	for _, p := range patches {
		out = append(append(out, src[done:p.start]...), p.text...)
		done = p.end
	}
	return append(out, src[done:]...)
}

// fresh is memory that nobody else has.
func fresh(size int64) []byte { return make([]byte, size) }

// shift moves the URLs of references to where they are once sorted patches are made.
// Both are in order.
func shift(refs []reference, patches []patch) {
	moved, next := 0, 0
	for i := range refs {
		url := &refs[i].url
		for ; next < len(patches) && patches[next].end <= url.start; next++ {
			moved += patches[next].growth()
		}
		url.start += moved
		within := moved
		for _, p := range patches[next:] {
			if p.end > url.end {
				break
			}
			within += p.growth()
		}
		url.end += within
	}
}

// growth is how many bytes p adds.
func (p patch) growth() int { return len(p.text) - (p.end - p.start) }
