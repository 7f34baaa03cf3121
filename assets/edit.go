package assets

import "bytes"

// edit replaces the bytes of a document from start to end with lead, the
// parameter's name and '=' if named, and a version.
type edit struct {
	start, end int
	lead       string
	named      bool
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
	q.edit = edit{start: start, end: end, lead: lead, named: named}
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

// reference is a URL found in a document, with the edit that gives it a version.
type reference struct {
	edit
	asset            *asset
	urlStart, urlEnd int
}

// splice returns src with the edits of refs made; versions has one for each.
func splice(src []byte, refs []reference, versions []string, param string) []byte {
	size := len(src)
	for i, r := range refs {
		size += len(r.lead) + len(versions[i]) - (r.end - r.start)
		if r.named {
			size += len(param) + 1
		}
	}
	out, done := make([]byte, 0, size), 0
	for i, r := range refs {
		out = append(out, src[done:r.start]...)
		out = append(out, r.lead...)
		if r.named {
			out = append(append(out, param...), '=')
		}
		out = append(out, versions[i]...)
		done = r.end
	}
	return append(out, src[done:]...)
}
