package assets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"revstamp/stamp/atomicfile"
)

// Cache remembers what InPlace.Rewrite found, so that a tree that has not changed
// costs a stat of each file, and one that has the reading of the files that
// changed and of those that depend on them.
//
// A document need not be read again when stat tells the same of it as when it was
// read, or written, and all that its URLs lead to is what it was: there or not, and
// by digest with the same content, and so on for what that references. A file
// that changed so short before that it may change again and look the same is read
// again. Documents with integrity attributes for files of the site are always read.
// Whether modules have versions is found out anew, if a document has any and that is
// ModulesWhenKnown.
//
// It is a hint and no more: what cannot be read is as good as none, and it may be
// removed at any time. Two processes may use one at the same time; the last wins.
type Cache struct {
	file string
	key  [sha256.Size]byte

	docs    map[string]cachedDoc // by name
	assets  []cachedAsset
	modules answer // of the site: the same must hold
	changed bool   // Save has something to write
}

type cachedDoc struct {
	id      identity
	path    string // of the Document
	kind    Kind
	refs    int
	skipped string
	missing []Reference
	looked  []int // into assets
}

type cachedAsset struct {
	path            string
	exists, regular bool
	id              identity
	version         string // by digest; "" if it was not asked for
	looked          []int  // what the digest depends on
}

// maxCache is the size of a file that is not read as a cache. A document takes
// about a hundred bytes.
const maxCache = 256 << 20

// OpenCache reads the cache in a file, which need not exist. The key stands for all
// that results depend on besides the files: settings, revision, the program. A
// cache that has another key is empty.
func OpenCache(file, key string) *Cache {
	c := &Cache{file: file, key: sha256.Sum256([]byte(key)), docs: map[string]cachedDoc{}}
	f, err := os.Open(file)
	if err != nil {
		return c
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCache))
	if err == nil {
		c.decode(data)
	}
	return c
}

// restore marks the documents that need not be read, and gives the catalog of the
// site the digests that hold.
func (c *Cache) restore(ctx context.Context, site *siteConfig, all []Rewritten) error {
	if c.modules != 0 {
		if _, err := site.versionsModules(); err != nil {
			return err
		}
		if site.modulesAnswer() != c.modules {
			c.docs, c.assets = nil, nil
		}
	}
	found, holds := c.look(site)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	pick := func(looked []int) []*asset {
		out := make([]*asset, len(looked))
		for i, n := range looked {
			out[i] = found[n]
		}
		return out
	}
	for i, a := range c.assets {
		if holds[i] && a.version != "" && site.rev == "" {
			found[i].looked = pick(a.looked)
			found[i].digest.Store(&digest{version: a.version})
		}
	}
	eachPart(len(all), func(from, to int) {
		for i := from; i < to; i++ {
			d := &all[i]
			d.before = statFile(d.Name)
			was, ok := c.docs[d.Name]
			if !ok || d.before == (identity{}) || was.id != d.before || was.path != d.Path || was.kind != d.Kind ||
				slices.ContainsFunc(was.looked, func(n int) bool { return !holds[n] }) {
				continue
			}
			d.Cached = true
			d.References, d.Skipped, d.Missing, d.looked = was.refs, was.skipped, was.missing, pick(was.looked)
		}
	})
	return nil
}

// look finds the assets of the cache, and tells which are what they were.
func (c *Cache) look(site *siteConfig) (found []*asset, holds []bool) {
	found, holds = make([]*asset, len(c.assets)), make([]bool, len(c.assets))
	eachPart(len(c.assets), func(from, to int) {
		for i := from; i < to; i++ {
			was := &c.assets[i]
			a := site.catalog.lookup(site.fs, []byte(was.path))
			found[i] = a
			holds[i] = a.err == nil && a.exists == was.exists && a.regular == was.regular &&
				(site.rev != "" || !a.regular || a.id != (identity{}) && a.id == was.id)
		}
	})
	if site.rev != "" {
		return found, holds
	}
	for again := true; again; {
		again = false
		for i, was := range c.assets {
			if holds[i] && slices.ContainsFunc(was.looked, func(n int) bool { return !holds[n] }) {
				holds[i], again = false, true
			}
		}
	}
	return found, holds
}

// keep takes what is to be remembered of documents that have been rewritten.
func (c *Cache) keep(site *siteConfig, all []Rewritten, root string) {
	settled := make([]identity, len(all))
	eachPart(len(all), func(from, to int) {
		for i := from; i < to; i++ {
			settled[i] = all[i].settled()
		}
	})
	next := &keeping{numbers: make(map[*asset]int), docs: make(map[string]cachedDoc, len(all))}
	for i := range all {
		d := &all[i]
		c.changed = c.changed || !d.Cached
		if d.Changed && settled[i] != (identity{}) && mayBeAsset([]byte(d.Path)) && filepath.Join(root, filepath.FromSlash(d.Path)) == d.Name {
			// Rewriting does not change its digest.
			if a := site.catalog.lookup(site.fs, []byte(d.Path)); a.id == d.before {
				a.id = settled[i]
			}
		}
		if settled[i] == (identity{}) || d.Err != nil || d.hashed {
			continue
		}
		next.docs[d.Name] = cachedDoc{
			id: settled[i], path: d.Path, kind: d.Kind,
			refs: d.References, skipped: d.Skipped, missing: d.Missing, looked: next.all(d.looked),
		}
	}
	c.changed = c.changed || len(next.docs) != len(c.docs)
	c.docs, c.assets, c.modules = next.docs, next.assets, site.modulesAnswer()
}

// settled is the identity of a file whose result may be remembered; zero if not.
func (d *Rewritten) settled() identity {
	if !d.Changed {
		return d.before
	}
	if id := statFile(d.Name); id == d.after {
		return id
	}
	return identity{}
}

// keeping numbers assets.
type keeping struct {
	docs    map[string]cachedDoc
	assets  []cachedAsset
	numbers map[*asset]int
}

func (k *keeping) all(looked []*asset) []int {
	out := make([]int, len(looked))
	for i, a := range looked {
		out[i] = k.number(a)
	}
	return out
}

func (k *keeping) number(a *asset) int {
	if n, ok := k.numbers[a]; ok {
		return n
	}
	n := len(k.assets)
	k.numbers[a] = n
	k.assets = append(k.assets, cachedAsset{path: a.path, exists: a.exists, regular: a.regular, id: a.id})
	if d := a.digest.Load(); d != nil && d.err == nil {
		k.assets[n].version = d.version
		looked := k.all(a.looked) // may grow k.assets
		k.assets[n].looked = looked
	}
	return n
}

// Save writes what is remembered, if that has changed, into its directory, which
// is made for this user alone, and removes the caches beside it that have not been
// written for longest, but for 20.
func (c *Cache) Save(ctx context.Context, o atomicfile.Options) error {
	if !c.changed {
		return nil
	}
	dir := filepath.Dir(c.file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	data := c.encode()
	o.Create, o.Perm, o.MaxSize = true, 0o600, -1
	_, err := atomicfile.Replace(ctx, c.file, o, func([]byte) ([]byte, error) { return data, nil })
	if err != nil {
		return err
	}
	c.changed = false
	return prune(dir, filepath.Ext(c.file))
}

// maxCaches is how many caches a directory has.
const maxCaches = 20

func prune(dir, ext string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var caches []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && filepath.Ext(e.Name()) == ext && !strings.HasPrefix(e.Name(), ".") {
			caches = append(caches, info)
		}
	}
	slices.SortFunc(caches, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, info := range caches[min(len(caches), maxCaches):] {
		err := os.Remove(filepath.Join(dir, info.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// cacheMagic begins a cache, and changes with its format, in which numbers are
// varints, texts and lists have their length before them, and the last 32 bytes are
// the SHA-256 of all others.
const cacheMagic = "revstamp cache 2\n"

func (c *Cache) encode() []byte {
	b := append([]byte(cacheMagic), c.key[:]...)
	e := encoder{b}
	e.int(int(c.modules))
	e.int(len(c.assets))
	for _, a := range c.assets {
		e.text(a.path)
		e.flag(a.exists)
		e.flag(a.regular)
		e.identity(a.id)
		e.text(a.version)
		e.ints(a.looked)
	}
	e.int(len(c.docs))
	for _, name := range slices.Sorted(maps.Keys(c.docs)) {
		d := c.docs[name]
		e.text(name)
		e.identity(d.id)
		e.text(d.path)
		e.int(int(d.kind))
		e.int(d.refs)
		e.text(d.skipped)
		e.ints(d.looked)
		e.int(len(d.missing))
		for _, r := range d.missing {
			e.text(r.File)
			e.int(r.Line)
			e.int(r.Column)
			e.text(r.URL)
			e.text(r.Path)
		}
	}
	return sealCache(e.b)
}

func sealCache(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// decode leaves c empty if data is no cache, or one with another key.
func (c *Cache) decode(data []byte) {
	body := len(data) - sha256.Size
	if body < 0 || sha256.Sum256(data[:body]) != [sha256.Size]byte(data[body:]) {
		return
	}
	rest, ok := bytes.CutPrefix(data[:body], append([]byte(cacheMagic), c.key[:]...))
	if !ok {
		return
	}
	d := decoding{b: rest}
	modules := answer(d.int())
	assets := make([]cachedAsset, d.len())
	for i := range assets {
		assets[i] = cachedAsset{path: d.text(), exists: d.flag(), regular: d.flag(), id: d.identity(), version: d.text(), looked: d.ints(len(assets))}
	}
	n := d.len()
	docs := make(map[string]cachedDoc, n)
	for range n {
		name := d.text()
		doc := cachedDoc{id: d.identity(), path: d.text(), kind: Kind(d.int()), refs: d.int(), skipped: d.text(), looked: d.ints(len(assets))}
		for range d.len() {
			doc.missing = append(doc.missing, Reference{File: d.text(), Line: d.int(), Column: d.int(), URL: d.text(), Path: d.text()})
		}
		docs[name] = doc
	}
	if !d.bad && len(d.b) == 0 {
		c.assets, c.docs, c.modules = assets, docs, modules
	}
}

type encoder struct{ b []byte }

func (e *encoder) int(n int)     { e.b = binary.AppendVarint(e.b, int64(n)) }
func (e *encoder) text(s string) { e.int(len(s)); e.b = append(e.b, s...) }

func (e *encoder) flag(v bool) {
	if v {
		e.int(1)
	} else {
		e.int(0)
	}
}

func (e *encoder) ints(all []int) {
	e.int(len(all))
	for _, n := range all {
		e.int(n)
	}
}

func (e *encoder) identity(id identity) {
	for _, n := range []int{int(id.dev), int(id.ino), int(id.size), int(id.mtime), int(id.ctime)} {
		e.int(n)
	}
}

// decoding reads what encoder writes. After something else all it reads is zero.
type decoding struct {
	b   []byte
	bad bool
}

func (d *decoding) int() int {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return int(n)
}

// len is a number of things of which each takes a byte at least.
func (d *decoding) len() int {
	n := d.int()
	if n < 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return 0
	}
	return n
}

func (d *decoding) text() string {
	n := d.len()
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoding) flag() bool { return d.int() != 0 }

// ints are numbers less than limit.
func (d *decoding) ints(limit int) []int {
	all := make([]int, d.len())
	for i := range all {
		if all[i] = d.int(); all[i] < 0 || all[i] >= limit {
			d.bad, all[i] = true, 0
		}
	}
	return all
}

func (d *decoding) identity() identity {
	return identity{dev: uint64(d.int()), ino: uint64(d.int()), size: int64(d.int()), mtime: int64(d.int()), ctime: int64(d.int())}
}
