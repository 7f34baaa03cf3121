package assets

import "sync"

// Normalize returns src without the versions in its URLs, so that a document
// and its rewritten form become equal: two documents equal under it differ in
// nothing but versions and empty queries. It needs no site, and therefore does
// this to the URLs of all hosts. An empty param is "v". src itself is returned
// when there is nothing to take out.
func Normalize(doc Document, src []byte, param string) []byte {
	kind, why := doc.kind()
	if why != "" || unreadable(src) != "" {
		return src
	}
	if param == "" {
		param = "v"
	}
	n := normalizers.Get().(*normalizer)
	defer normalizers.Put(n)
	n.src, n.param, n.out, n.done = src, param, nil, 0
	scan(n, &n.html, src, kind)
	if n.done == 0 {
		return src
	}
	return append(n.out, src[n.done:]...)
}

var normalizers = sync.Pool{New: func() any { return new(normalizer) }}

// normalizer is the sink that takes versions out.
type normalizer struct {
	src    []byte
	param  string
	out    []byte
	done   int // up to where src is in out
	html   htmlScanner
	breaks decoder
}

func (n *normalizer) base(text) {}

// url leaves alone what Rewrite never changes, as far as the URL tells.
func (n *normalizer) url(u text, amp string) {
	u = n.breaks.clean(u)
	p, ok := split(u.b, func([]byte) bool { return true })
	if !ok || p.query == p.end {
		return
	}
	name := u.b[p.path:p.query]
	if !mayBeAsset(name) || hasTemplateCode(name) {
		return
	}
	q, ok := findVersion(u, p, n.param, amp, n.src)
	if !ok {
		return
	}
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
	n.cut(u.pos(start), u.pos(end))
}

// cut leaves out the bytes of src from start to end.
func (n *normalizer) cut(start, end int) {
	if start < end {
		n.out = append(n.out, n.src[n.done:start]...)
		n.done = end
	}
}
