package assets

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
)

// digestLen is how many hexadecimal digits of the digest a version has. It tells
// a file's contents over time apart, not files.
const digestLen = 8

// digest is the version of an asset by itself, or why there is none.
type digest struct {
	version string
	sum     []byte // SHA-256 of the content that the version is made of, if it is of one alone
	err     error
}

func newDigest(sum []byte) digest { return digest{version: short(sum), sum: sum} }

// short is the version that a digest makes: the first of its digits that follow
// each other and have a letter among them. Those of a number stand in many names.
func short(sum []byte) string {
	digits := hex.EncodeToString(sum)
	for i := range len(digits) - digestLen {
		if v := digits[i : i+digestLen]; strings.ContainsAny(v, "abcdef") {
			return v
		}
	}
	return digits[:digestLen]
}

// version returns what follows "v=" in the URL of a regular file.
func (s *siteConfig) version(a *asset) (string, error) {
	if s.rev != "" {
		return s.rev, nil
	}
	d := a.digest.Load()
	switch {
	case d != nil:
	case s.covers(a):
		d = s.digestGraph(a)
	default:
		d = s.digestFile(a)
	}
	return d.version, d.err
}

// covers reports whether the version of an asset covers what it references.
func (s *siteConfig) covers(a *asset) bool {
	return a.kind != 0 && (s.rewrites == nil || s.rewrites(a.path))
}

func (s *siteConfig) versions(refs []reference) ([]string, error) {
	out := make([]string, len(refs))
	for i, r := range refs {
		v, err := s.version(r.asset)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// digestFile gives an asset its version by its revision or its bytes.
func (s *siteConfig) digestFile(a *asset) *digest {
	a.digesting.Lock()
	defer a.digesting.Unlock()
	if d := a.digest.Load(); d != nil {
		return d
	}
	d := new(digest)
	d.version, d.err = s.revision(a)
	if d.version == "" && d.err == nil {
		h := sha256.New()
		_, err := s.copy(h, a.path)
		*d = newDigest(h.Sum(nil))
		d.err = err
	}
	a.digest.Store(d)
	return d
}

// revision is the version of an asset of its own, as VersionOf has it; "" if there
// is none.
func (s *siteConfig) revision(a *asset) (own string, err error) {
	if s.versionOf == nil {
		return "", nil
	}
	if own, err = s.versionOf(a.path); err == nil {
		a.own = percentEncode(own)
	}
	return a.own, err
}

func (s *siteConfig) copy(to io.Writer, name string) (int64, error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buffer := copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(buffer)
	return io.CopyBuffer(to, struct{ io.Reader }{f}, buffer[:]) // a file would take a buffer of its own
}

var copyBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// digestGraph gives a version to an asset that has references, so that it changes
// with whatever it references.
//
// By content it is the digest of the asset as it will be once its references
// have their versions, which stays the same when the result is digested again.
// By revision it is the file's own, followed by a digest of those that it covers.
//
// Assets may reference each other in a circle. The members of such a strongly
// connected component are digested together, with the versions of the references
// among them left blank: from that each member's version follows, and then what
// the references among them are.
func (s *siteConfig) digestGraph(a *asset) *digest {
	s.graph.Lock()
	defer s.graph.Unlock()
	if d := a.digest.Load(); d != nil {
		return d
	}
	w := &walk{site: s, nodes: make(map[*asset]*node)}
	w.discover(a)
	w.visit(w.nodes[a])
	return a.digest.Load()
}

// walk is Tarjan's algorithm over the assets that have references.
type walk struct {
	site    *siteConfig
	nodes   map[*asset]*node
	stack   []*node
	visited int
}

type node struct {
	asset   *asset
	src     []byte
	refs    []reference
	err     error
	visited bool
	index   int
	low     int
	onStack bool
	inCycle bool
}

// discover loads a and all that it reaches and that has no digest yet, on all
// processors, and digests those of them that have no references themselves.
func (w *walk) discover(a *asset) {
	w.nodes[a] = &node{asset: a}
	for level := []*node{w.nodes[a]}; len(level) > 0; {
		// An error is the node's.
		_ = each(context.Background(), len(level), func(i int) error {
			v := level[i]
			v.err = v.load(w.site)
			for _, r := range v.refs {
				if !w.site.covers(r.asset) {
					w.site.digestFile(r.asset)
				}
			}
			return nil
		})
		var next []*node
		for _, v := range level {
			for _, r := range v.refs {
				if t := r.asset; w.nodes[t] == nil && t.digest.Load() == nil {
					w.nodes[t] = &node{asset: t}
					next = append(next, w.nodes[t])
				}
			}
		}
		level = next
	}
}

// visit digests v and all that it references, unless v is part of a cycle that is
// not whole yet.
func (w *walk) visit(v *node) {
	v.visited, v.index, v.low, v.onStack = true, w.visited, w.visited, true
	w.visited++
	w.stack = append(w.stack, v)
	for _, r := range v.refs {
		next := w.nodes[r.asset]
		switch {
		case next == nil: // has its digest
		case !next.visited:
			w.visit(next)
			v.low = min(v.low, next.low)
		case next.onStack:
			v.low = min(v.low, next.index)
			v.inCycle = true
		}
	}
	if v.low == v.index {
		i := len(w.stack) - 1
		for w.stack[i] != v {
			i--
		}
		w.finish(slices.Clone(w.stack[i:]))
		w.stack = w.stack[:i]
	}
}

// load reads the asset and finds its references.
func (v *node) load(s *siteConfig) error {
	var err error
	if v.src, err = fs.ReadFile(s.fs, v.asset.path); err != nil {
		return err
	}
	if unreadable(v.src) != "" {
		return nil // its bytes alone count
	}
	c, err := s.collect(v.src, v.asset.kind, v.asset.path)
	if err != nil {
		return err
	}
	defer c.release()
	v.refs = slices.Clone(c.refs)
	v.asset.looked = c.lookups()
	return nil
}

// finish gives the members of one component their versions. An error of one is
// the error of all.
func (w *walk) finish(members []*node) {
	slices.SortFunc(members, func(a, b *node) int { return strings.Compare(a.asset.path, b.asset.path) })
	digests, err := w.digests(members)
	for i, v := range members {
		v.onStack = false
		v.src, v.refs = nil, nil // not needed any more, and there may be many
		d := &digest{err: err}
		if err == nil {
			d = &digests[i]
		}
		v.asset.digest.Store(d)
	}
}

func (w *walk) digests(members []*node) ([]digest, error) {
	for _, v := range members {
		if v.err != nil {
			return nil, v.err
		}
	}
	if w.site.versionOf != nil {
		return w.byRevision(members)
	}
	return w.byContent(members)
}

func (w *walk) byContent(members []*node) ([]digest, error) {
	together := sha256.New()
	for _, v := range members {
		blank, err := w.blank(v)
		if err != nil {
			return nil, err
		}
		if len(members) == 1 && !v.inCycle {
			sum := sha256.Sum256(blank) // nothing is blank in it
			return []digest{newDigest(sum[:])}, nil
		}
		writeField(together, []byte(v.asset.path))
		writeField(together, blank)
	}
	all := together.Sum(nil)
	digests := make([]digest, len(members))
	for i, v := range members {
		h := sha256.New()
		writeField(h, all)
		writeField(h, []byte(v.asset.path))
		digests[i].version = short(h.Sum(nil))
	}
	return digests, nil
}

// byRevision makes of each member's own version, and of all that the component
// covers, one. Revisions need have no order, so that none is the newest.
func (w *walk) byRevision(members []*node) ([]digest, error) {
	covered := make(map[string]string)
	digests := make([]digest, len(members))
	for i, v := range members {
		var err error
		if digests[i].version, err = w.site.revision(v.asset); err != nil {
			return nil, err
		}
		if digests[i].version == "" {
			blank, err := w.blank(v) // rewriting it must not change that
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256(blank)
			digests[i].version = short(sum[:])
		}
		for _, r := range v.refs {
			if w.within(r.asset) {
				continue
			}
			if covered[r.asset.path], err = w.version(v, r.asset); err != nil {
				return nil, err
			}
		}
	}
	if len(covered) == 0 && len(members) == 1 {
		return digests, nil
	}
	for i, v := range members {
		covered[v.asset.path] = digests[i].version
	}
	h := sha256.New()
	for _, p := range slices.Sorted(maps.Keys(covered)) {
		writeField(h, []byte(p))
		writeField(h, []byte(covered[p]))
	}
	for i := range digests {
		digests[i].version += "-" + short(h.Sum(nil))
	}
	return digests, nil
}

// blank returns the content of v with the versions of its references, but for
// those within its own component.
func (w *walk) blank(v *node) ([]byte, error) {
	versions := make([]string, len(v.refs))
	for i, r := range v.refs {
		if w.within(r.asset) {
			continue
		}
		var err error
		if versions[i], err = w.version(v, r.asset); err != nil {
			return nil, err
		}
	}
	return splice(v.src, patches(v.refs, versions, w.site.param), fresh), nil
}

// within reports whether a is in the component that is being finished: only
// those are on the stack still, when what they reference is finished.
func (w *walk) within(a *asset) bool {
	t := w.nodes[a]
	return t != nil && t.onStack
}

// version is that of an asset that v references and that is finished.
func (w *walk) version(v *node, a *asset) (string, error) {
	d := a.digest.Load()
	if d.err != nil {
		return "", fmt.Errorf("version of %q: %w", v.asset.path, d.err)
	}
	return d.version, nil
}

// writeField hashes b with its length, so that fields cannot run together.
func writeField(h hash.Hash, b []byte) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
	h.Write(b)
}
