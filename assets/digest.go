package assets

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// digestLen is how many hexadecimal digits of the digest a version has. It tells
// a file's contents over time apart, not files.
const digestLen = 8

// digest is the version of an asset by its content, or why there is none.
type digest struct {
	version string
	err     error
}

func (a *asset) setDigest(sum []byte, err error) {
	d := &digest{err: err}
	if err == nil {
		d.version = hex.EncodeToString(sum)[:digestLen]
	}
	a.digest.Store(d)
}

// version returns what follows "v=" in the URL of a regular file.
func (s *siteConfig) version(a *asset) (string, error) {
	if s.rev != "" {
		return s.rev, nil
	}
	d := a.digest.Load()
	switch {
	case d != nil:
	case a.isCSS():
		d = s.digestSheet(a)
	default:
		d = s.digestFile(a)
	}
	return d.version, d.err
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

// digestFile digests an asset by its bytes.
func (s *siteConfig) digestFile(a *asset) *digest {
	a.digesting.Lock()
	defer a.digesting.Unlock()
	if d := a.digest.Load(); d != nil {
		return d
	}
	h := sha256.New()
	_, err := s.copy(h, a.path)
	a.setDigest(h.Sum(nil), err)
	return a.digest.Load()
}

func (s *siteConfig) copy(to io.Writer, name string) (int64, error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return io.Copy(to, f)
}

// digestSheet digests a style sheet as it will be once its references have
// their versions, so that it changes with whatever it references, and stays the
// same when the result is digested again.
//
// Style sheets may import each other in a circle. The members of such a strongly
// connected component are digested together, with the versions of the references
// among them left blank: from that each member's version follows, and then what
// the references among them are.
func (s *siteConfig) digestSheet(a *asset) *digest {
	s.graph.Lock()
	defer s.graph.Unlock()
	if d := a.digest.Load(); d != nil {
		return d
	}
	w := &walk{site: s, sheets: make(map[*asset]*sheet)}
	w.visit(a)
	return a.digest.Load()
}

// walk is Tarjan's algorithm over style sheets and the style sheets they
// reference.
type walk struct {
	site   *siteConfig
	sheets map[*asset]*sheet
	stack  []*sheet
}

type sheet struct {
	asset   *asset
	src     []byte
	refs    []reference
	err     error
	index   int
	low     int
	onStack bool
	inCycle bool
}

// visit digests a and all that it references, unless a is part of a cycle that
// is not whole yet.
func (w *walk) visit(a *asset) *sheet {
	n := len(w.sheets)
	v := &sheet{asset: a, index: n, low: n, onStack: true}
	w.sheets[a] = v
	w.stack = append(w.stack, v)
	v.err = v.load(w.site)
	for _, r := range v.refs {
		t := r.asset
		if !t.isCSS() || t.digest.Load() != nil {
			continue
		}
		if next, seen := w.sheets[t]; !seen {
			v.low = min(v.low, w.visit(t).low)
		} else if next.onStack {
			v.low = min(v.low, next.index)
			v.inCycle = true
		}
	}
	if v.low == v.index {
		i := slices.Index(w.stack, v)
		w.finish(slices.Clone(w.stack[i:]))
		w.stack = w.stack[:i]
	}
	return v
}

// load reads the style sheet and finds its references.
func (v *sheet) load(s *siteConfig) error {
	var err error
	if v.src, err = fs.ReadFile(s.fs, v.asset.path); err != nil {
		return err
	}
	if unreadable(v.src) != "" {
		return nil // its bytes alone count
	}
	c, err := s.collect(v.src, CSS, v.asset.path)
	if err != nil {
		return err
	}
	defer c.release()
	v.refs = slices.Clone(c.refs)
	return nil
}

// finish digests the members of one component. An error of one is the error of
// all.
func (w *walk) finish(members []*sheet) {
	sums, err := w.digest(members)
	for i, v := range members {
		v.onStack = false
		if err != nil {
			v.asset.setDigest(nil, err)
		} else {
			v.asset.setDigest(sums[i], nil)
		}
	}
}

func (w *walk) digest(members []*sheet) ([][]byte, error) {
	slices.SortFunc(members, func(a, b *sheet) int { return strings.Compare(a.asset.path, b.asset.path) })
	together := sha256.New()
	var sums [][]byte
	for _, v := range members {
		blank, err := w.blank(v)
		if err != nil {
			return nil, err
		}
		if len(members) == 1 && !v.inCycle {
			sum := sha256.Sum256(blank) // nothing is blank in it
			return [][]byte{sum[:]}, nil
		}
		writeField(together, []byte(v.asset.path))
		writeField(together, blank)
	}
	all := together.Sum(nil)
	for _, v := range members {
		h := sha256.New()
		writeField(h, all)
		writeField(h, []byte(v.asset.path))
		sums = append(sums, h.Sum(nil))
	}
	return sums, nil
}

// blank returns the content of v with the versions of its references, but for
// those within its own component, which are on the stack still.
func (w *walk) blank(v *sheet) ([]byte, error) {
	if v.err != nil {
		return nil, v.err
	}
	versions := make([]string, len(v.refs))
	for i, r := range v.refs {
		if t := w.sheets[r.asset]; t != nil && t.onStack {
			continue
		}
		var err error
		if versions[i], err = w.version(r.asset); err != nil {
			return nil, fmt.Errorf("digest of %q: %w", v.asset.path, err)
		}
	}
	return splice(v.src, v.refs, versions, w.site.param), nil
}

// version is that of the site, without its lock, for what is finished or no
// style sheet.
func (w *walk) version(a *asset) (string, error) {
	d := a.digest.Load()
	if d == nil {
		d = w.site.digestFile(a)
	}
	return d.version, d.err
}

// writeField hashes b with its length, so that fields cannot run together.
func writeField(h hash.Hash, b []byte) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
	h.Write(b)
}
