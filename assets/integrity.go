package assets

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"slices"
	"sync"
)

// sum is one hash of an integrity attribute: "sha384-" and 64 characters, by the
// specification of Subresource Integrity.
type sum struct {
	span             // of the value, behind the dash
	algorithm string // in lower case
	value     string
}

// algorithms are those of the specification, the weakest first. Browsers look at
// the strongest alone that an attribute has.
var algorithms = []string{"sha256", "sha384", "sha512"}

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	}
	return sha512.New()
}

// sums are the hashes in the value of an integrity attribute that are known and
// hold no template code.
func sums(value text) iter.Seq[sum] {
	return func(yield func(sum) bool) {
		for i := 0; i < len(value.b); i++ {
			start := i
			for i < len(value.b) && !isSpace(value.b[i]) {
				i++
			}
			word, _, _ := bytes.Cut(value.b[start:i], []byte("?")) // options
			for _, a := range algorithms {
				if !hasFold(word, a+"-") || hasTemplateCode(word) {
					continue
				}
				from, to := start+len(a)+1, start+len(word)
				if !yield(sum{span{value.pos(from), value.pos(to)}, a, string(value.b[from:to])}) {
					return
				}
			}
		}
	}
}

// integritySum is a sum in a document, for what an element loads.
type integritySum struct {
	sum
	asset *asset
	url   span
	first bool // of its attribute
}

// integrities makes the sums of assets that are rewritten those of what they
// become, and returns the sums of others that do not hold for them.
func (s *siteConfig) integrities(all []integritySum) (patches []patch, wrong []integritySum, err error) {
	for len(all) > 0 {
		n := 1
		for n < len(all) && !all[n].first {
			n++
		}
		strongest, holds := all[0], false
		for _, sum := range all[:n] {
			want, ours, err := s.integrity(sum.asset, sum.algorithm)
			switch {
			case err != nil:
				return nil, nil, err
			case ours:
				patches, holds = append(patches, patch{sum.span, want}), true
				continue
			case sum.algorithm > strongest.algorithm:
				strongest, holds = sum, false
			}
			holds = holds || sum.algorithm == strongest.algorithm && sum.value == want
		}
		if !holds {
			wrong = append(wrong, strongest)
		}
		all = all[n:]
	}
	return patches, wrong, nil
}

// mismatched tells of the sums that do not hold, where they are in src, which sorted
// patches were made in.
func (s *siteConfig) mismatched(file string, src []byte, wrong []integritySum, made []patch) ([]Reference, error) {
	slices.SortFunc(wrong, func(a, b integritySum) int { return a.url.start - b.url.start })
	refs := make([]reference, len(wrong))
	for i, w := range wrong {
		refs[i] = reference{asset: w.asset, url: w.url}
	}
	shift(refs, made)
	out := locate(file, src, refs)
	for i, w := range wrong {
		want, _, err := s.integrity(w.asset, w.algorithm)
		if err != nil {
			return nil, err
		}
		out[i].Old, out[i].New = w.algorithm+"-"+w.value, w.algorithm+"-"+want
	}
	return out, nil
}

// final returns the content of an asset, and what Rewrite makes of it: that is
// what visitors get if the asset is rewritten.
func (s *siteConfig) final(a *asset) (src []byte, r *Result, err error) {
	if src, err = fs.ReadFile(s.fs, a.path); err != nil {
		return nil, nil, err
	}
	if unreadable(src) != "" {
		return src, &Result{Out: src}, nil
	}
	r, err = s.rewrite(Document{Name: a.path, Path: a.path}, a.kind, src)
	return src, r, err
}

// writeFinal writes to w what visitors get of an asset.
func (s *siteConfig) writeFinal(w io.Writer, a *asset) (size int64, err error) {
	if !s.rewritten(a) {
		return s.copy(w, a.path)
	}
	_, r, err := s.final(a)
	if err != nil {
		return 0, err
	}
	n, err := w.Write(r.Out)
	return int64(n), err
}

// rewritten reports whether what visitors get of an asset is what Rewrite makes
// of the file.
func (s *siteConfig) rewritten(a *asset) bool {
	return s.covers(a) && (s.rewrites != nil || s.style == ByName)
}

type integrityKey struct {
	asset     *asset
	algorithm string
}

type integrity struct {
	value string // in base64
	ours  bool   // the asset has references, and they are rewritten
	err   error
}

// integrity is the hash of what visitors get of an asset.
func (s *siteConfig) integrity(a *asset, algorithm string) (value string, ours bool, err error) {
	once, _ := s.sums.LoadOrStore(integrityKey{a, algorithm}, sync.OnceValue(func() (i integrity) {
		h := newHash(algorithm)
		if s.rewritten(a) {
			var r *Result
			if _, r, i.err = s.final(a); i.err == nil {
				i.ours = len(r.References) > 0
				h.Write(r.Out)
			}
		} else {
			_, i.err = s.copy(h, a.path)
		}
		i.value = base64.StdEncoding.EncodeToString(h.Sum(nil))
		return i
	}))
	i := once.(func() integrity)()
	if i.err != nil {
		return "", false, fmt.Errorf("integrity of %q: %w", a.path, i.err)
	}
	return i.value, i.ours, nil
}
