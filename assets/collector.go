package assets

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"sync"
)

// collector is the sink that finds out which URLs of a document are references.
type collector struct {
	site *siteConfig
	src  []byte
	// dir is the directory, as a path of URLs, that relative URLs resolve
	// against; empty when nobody knows it.
	dir     []byte
	refs    []reference
	missing []reference
	sums    []integritySum
	page    bool     // HTML, which has integrity attributes
	looked  []*asset // if lookups are tracked: all that URLs lead to, or would
	err     error

	html   htmlScanner
	path   []byte // scratch for the path of the URL at hand
	plain  []byte // scratch for its percent-decoded form
	breaks decoder
}

var collectors = sync.Pool{New: func() any { return new(collector) }}

// collect finds the references in src, a document of that kind at that path
// under the root, in order. The caller calls release when done with them.
func (s *siteConfig) collect(src []byte, kind Kind, docPath string) (*collector, error) {
	c := s.collector(src, kind, docPath)
	scan(c, &c.html, src, kind)
	if c.err != nil {
		err := c.err
		c.release()
		return nil, err
	}
	return c, nil
}

// collector returns one for src.
func (s *siteConfig) collector(src []byte, kind Kind, docPath string) *collector {
	c := collectors.Get().(*collector)
	c.site, c.src, c.err = s, src, nil
	c.refs, c.missing, c.sums, c.dir = c.refs[:0], c.missing[:0], c.sums[:0], c.dir[:0]
	c.looked, c.html.further = c.looked[:0], s.further
	c.page = kind&^layers == HTML || kind&^layers == 0
	if docPath != "" {
		c.dir = append(c.dir, s.prefix...)
		if dir := path.Dir(docPath); dir != "." {
			c.dir = append(append(c.dir, dir...), '/')
		}
	}
	return c
}

// lookups are the assets that were looked at, each once.
func (c *collector) lookups() []*asset {
	slices.SortFunc(c.looked, func(a, b *asset) int { return strings.Compare(a.path, b.path) })
	return slices.Clone(slices.Compact(c.looked))
}

func (c *collector) release() {
	clear(c.refs)
	clear(c.missing)
	clear(c.sums)
	clear(c.looked)
	c.src, c.site = nil, nil
	c.html.forget()
	collectors.Put(c)
}

// scan runs the scanners of a kind over src.
func scan(to sink, h *htmlScanner, src []byte, kind Kind) {
	masked := mask(src, kind)
	h.sink, h.css.sink, h.js.sink = to, to, to
	h.layered = len(src) > 0 && &masked[0] != &src[0]
	h.xml = kind&SVG != 0
	switch {
	case kind&CSS != 0:
		h.css.scan(text{b: masked}, "&")
	case kind&WebManifest != 0:
		scanManifest(to, masked, &h.dec)
	case kind&JS != 0:
		h.js.scan(masked, 0)
	default:
		h.scan(masked)
	}
}

// base takes the document's base element, by which relative URLs after it
// resolve.
func (c *collector) base(u text) {
	u = c.breaks.clean(u)
	if n := schemeLen(u.b); n > 0 && (equalFold(u.b[:n], "data:") || equalFold(u.b[:n], "javascript:")) {
		return // may be no base, by the HTML standard
	}
	if len(u.b) == 0 || u.b[0] == '#' || u.b[0] == '?' {
		return
	}
	p, ours := split(u.b, c.site.isOurs)
	if !ours || hasTemplateCode(u.b[:p.query]) {
		c.dir = c.dir[:0]
		return
	}
	name := u.b[p.path:p.query]
	dir := bytes.Clone(name[:bytes.LastIndexAny(name, `/\`)+1])
	switch last := name[len(dir):]; {
	case string(last) == "." || string(last) == "..":
		dir = append(append(dir, last...), '/')
	case len(dir) == 0 && p.path == 0:
		return // a file beside the document
	}
	abs, ok := c.resolve(append(dir, '_'), p.path > 0) // any file in it
	if !ok {
		c.dir = c.dir[:0]
		return
	}
	c.dir = append(c.dir[:0], abs[:len(abs)-1]...)
}

// url takes a URL of the document. What costs least is asked first.
func (c *collector) url(u text, amp string) {
	if isPage(u.b) || c.err != nil {
		return
	}
	if t, ok := c.lead(u); ok {
		c.add(t, amp)
	}
}

// module takes the URL of a module. Where such have no versions, one that is there
// all the same is that of an earlier run: browsers keep what they have under it.
func (c *collector) module(u text, amp string) {
	if c.err != nil {
		return
	}
	var all bool
	if all, c.err = c.site.versionsModules(); c.err != nil {
		return
	}
	refs, missing := len(c.refs), len(c.missing)
	c.url(u, amp)
	if all {
		return
	}
	c.missing = c.missing[:missing]
	if len(c.refs) > refs && !c.refs[refs].versioned() {
		c.refs = c.refs[:refs]
	}
}

// target is what a URL leads to.
type target struct {
	text
	parts
	asset *asset
	copy  bool // under a fingerprinted name of the asset
}

// lead finds out what a URL leads to. It is false for what can be no asset.
func (c *collector) lead(u text) (t target, ok bool) {
	u = c.breaks.clean(u)
	p, ok := split(u.b, c.site.isOurs)
	if !ok {
		return t, false
	}
	name := u.b[p.path:p.query]
	if !mayBeAsset(name) || hasTemplateCode(name) {
		return t, false
	}
	abs, ok := c.resolve(name, p.path > 0)
	if !ok || !bytes.HasPrefix(abs, c.site.prefix) {
		return t, false
	}
	file := abs[len(c.site.prefix):]
	if !mayBeAsset(file) {
		return t, false
	}
	t = target{text: u, parts: p}
	t.asset, t.copy = c.site.find(file)
	if c.site.track {
		c.looked = append(c.looked, t.asset)
	}
	if c.err == nil {
		c.err = t.asset.err
	}
	return t, c.err == nil
}

// isPage reports whether a URL names an HTML page, as nearly all links of most
// sites do.
func isPage(b []byte) bool {
	if i := bytes.IndexByte(b, '#'); i >= 0 {
		b = b[:i]
	}
	if i := bytes.IndexByte(b, '?'); i >= 0 {
		b = b[:i]
	}
	return bytes.HasSuffix(b, []byte(".html"))
}

// mayBeAsset reports whether a URL's path can name a file that is no document.
func mayBeAsset(name []byte) bool {
	if len(name) == 0 || isSlash(name[len(name)-1]) {
		return false
	}
	var buf [12]byte
	return !documents[string(extension(name, &buf))]
}

// resolve returns the absolute path, decoded, of a URL's path. It is false when
// that has no answer under a root, or leads to a directory.
func (c *collector) resolve(name []byte, absolute bool) ([]byte, bool) {
	if isSlash(name[0]) {
		absolute = true
	}
	c.path = c.path[:0]
	if absolute {
		c.path = append(c.path, '/')
	} else if len(c.dir) == 0 {
		return nil, false
	} else {
		c.path = append(c.path, c.dir...)
	}
	if bytes.IndexByte(name, '%') >= 0 {
		c.plain = percentDecode(c.plain[:0], name)
		name = c.plain
	}
	var ok bool
	c.path, ok = join(c.path, name)
	return c.path, ok
}

// add records a URL that leads to something.
func (c *collector) add(t target, amp string) {
	ref := reference{asset: t.asset, url: span{t.pos(0), t.pos(len(t.b))}}
	if !t.asset.exists {
		var buf [12]byte
		if expected[string(extension([]byte(t.asset.path), &buf))] {
			c.missing = append(c.missing, ref)
		}
		return
	}
	if !t.asset.regular {
		return
	}
	q, ok := findVersion(t.text, t.parts, c.site.param, amp, c.src)
	if !ok {
		return
	}
	ref.value = q.edit
	if ref.inName, c.err = c.site.hasName(t.asset); ref.inName || t.copy {
		if ref.print, ok = findFingerprint(t.text, t.parts, t.copy); !ok {
			return
		}
		if q.name >= 0 {
			ref.param = q.without(t.text, t.parts)
		}
	}
	c.refs = append(c.refs, ref)
}

// integrity takes the attribute of that name, of an element that loads url.
// Assets have none: their content would depend on the content of others, and
// not only on its digest.
func (c *collector) integrity(value, url text) {
	if !c.page || c.err != nil {
		return
	}
	t, ok := c.lead(url)
	if !ok || !t.asset.regular {
		return
	}
	first := true
	for s := range sums(value) {
		c.sums = append(c.sums, integritySum{s, t.asset, span{t.pos(0), t.pos(len(t.b))}, first})
		first = false
	}
}
