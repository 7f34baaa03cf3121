package assets

import "sync"

// Normalize returns src without what Rewrite may have written into it: versions
// in queries, with ByName or Written those in names too, and the values of
// integrity attributes. A document and its rewritten form become equal, and two
// documents equal under it differ in nothing else, but for empty queries. It looks
// at no file, and therefore does this to URLs that name no asset, too, and to
// versions in those of all hosts. src itself is returned when there is nothing to
// take out.
func (s *Site) Normalize(doc Document, src []byte) []byte {
	config, err := s.ready()
	kind, why := doc.kind()
	if err != nil || why != "" || unreadable(src) != "" {
		return src // which is not rewritten
	}
	n := normalizers.Get().(*normalizer)
	defer normalizers.Put(n)
	n.src, n.site, n.cuts, n.html.further = src, config, n.cuts[:0], config.further
	scan(n, &n.html, src, kind)
	return splice(src, n.cuts, fresh)
}

var normalizers = sync.Pool{New: func() any { return new(normalizer) }}

// normalizer is the sink that takes versions out.
type normalizer struct {
	src    []byte
	site   *siteConfig
	cuts   []patch
	html   htmlScanner
	breaks decoder
}

func (n *normalizer) base(text) {}

func (n *normalizer) module(u text, amp string) { n.url(u, amp) }

// url leaves alone what Rewrite never changes, as far as the URL tells.
func (n *normalizer) url(u text, amp string) {
	u = n.breaks.clean(u)
	p, ok := split(u.b, func([]byte) bool { return true })
	if !ok || p.query == p.end && !n.site.knowsNames() {
		return
	}
	name := u.b[p.path:p.query]
	if !mayBeAsset(name) || hasTemplateCode(name) {
		return
	}
	q, ok := findVersion(u, p, n.site.param, amp, n.src)
	if !ok {
		return
	}
	if n.site.knowsNames() {
		n.cut(findFingerprints(u, p))
	}
	n.cut(q.without(u, p))
}

// integrity leaves alone that of other hosts.
func (n *normalizer) integrity(value, url text) {
	if _, ours := split(n.breaks.clean(url).b, n.site.isOurs); !ours {
		return
	}
	for s := range sums(value) {
		n.cut(s.span)
	}
}

// cut leaves out a part of src.
func (n *normalizer) cut(s span) {
	if s.start < s.end {
		n.cuts = append(n.cuts, patch{s, ""})
	}
}
