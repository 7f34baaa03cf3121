package assets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"revstamp/stamp/atomicfile"
)

// Cache remembers what InPlace.Rewrite found, so that a tree that has not changed
// costs a stat of each file, and one that has the reading of the files that
// changed and of those that depend on them.
//
// A document need not be read again when stat tells the same of it as when it was
// read, or written, and all that its URLs lead to is what it was: there or not, and,
// unless one revision is the version of all, with the same content and the same
// revision of its own, and so on for what that references. A file
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

	docs    []cachedDoc // in the order of their names
	assets  []cachedAsset
	found   []*asset // what assets are now
	modules answer   // of the site: the same must hold
	at      string   // what the assets' own versions go by
	changed bool     // Save has something to write
}

type cachedDoc struct {
	name    string
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
	version         string // of its own, or by digest; "" if it was not asked for
	own             string // what of the version VersionOf said
	looked          []int  // what the digest depends on
}

// maxCache is the size of a file that is not read as a cache. A document takes
// about a hundred bytes.
const maxCache = 256 << 20

// OpenCache reads the cache in a file, which need not exist. The key stands for all
// that results depend on besides the files: settings, revision, the program. A
// cache that has another key is empty.
func OpenCache(file, key string) *Cache {
	c := &Cache{file: file, key: sha256.Sum256([]byte(key))}
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCache {
		return c
	}
	// One byte more than the file has, as readInto wants it.
	if data, err := readInto(atomicfile.Resident[byte](int(info.Size())+1), file); err == nil {
		c.decode(data)
	}
	return c
}

// doc returns what is remembered of the document called name, nil for nothing, and
// where that is. It looks first where it may be.
func (c *Cache) doc(name string, maybe int) (*cachedDoc, int) {
	if maybe < len(c.docs) && c.docs[maybe].name == name {
		return &c.docs[maybe], maybe
	}
	i, ok := slices.BinarySearchFunc(c.docs, name, func(d cachedDoc, name string) int { return strings.Compare(d.name, name) })
	if !ok {
		return nil, i
	}
	return &c.docs[i], i
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
	holds := c.look(site)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, a := range c.assets {
		if holds[i] && a.version != "" && site.rev == "" {
			c.found[i].looked, c.found[i].own = c.pick(a.looked), a.own
			c.found[i].digest.Store(&digest{version: a.version})
		}
	}
	eachPart(len(all), func(from, to int) {
		var look stater
		defer look.close()
		at := -1
		for i := from; i < to; i++ {
			d := &all[i]
			var was *cachedDoc
			was, at = c.doc(d.Name, at+1)
			if was == nil || was.path != d.Path || was.kind != d.Kind ||
				slices.ContainsFunc(was.looked, func(n int) bool { return !holds[n] }) {
				continue
			}
			d.before = look.identify(d.Name)
			if d.Cached = d.before == was.id; !d.Cached {
				continue
			}
			d.References, d.Skipped, d.Missing, d.was = was.refs, was.skipped, was.missing, was
		}
	})
	return nil
}

// pick are the assets that have these numbers.
func (c *Cache) pick(looked []int) []*asset {
	out := make([]*asset, len(looked))
	for i, n := range looked {
		out[i] = c.found[n]
	}
	return out
}

// look finds the assets of the cache, and tells which are what they were.
func (c *Cache) look(site *siteConfig) (holds []bool) {
	same := site.versionOf == nil || site.at != "" && site.at == c.at
	c.found, holds = make([]*asset, len(c.assets)), make([]bool, len(c.assets))
	eachPart(len(c.assets), func(from, to int) {
		for i := from; i < to; i++ {
			was := &c.assets[i]
			a := site.catalog.lookup(site.fs, []byte(was.path))
			c.found[i] = a
			holds[i] = a.err == nil && a.exists == was.exists && a.regular == was.regular &&
				(site.rev != "" || !a.regular || a.id != (identity{}) && a.id == was.id)
			if holds[i] && !same && was.version != "" {
				own, err := site.revision(a)
				holds[i] = err == nil && own == was.own
			}
		}
	})
	if site.rev != "" {
		return holds
	}
	for again := true; again; {
		again = false
		for i, was := range c.assets {
			if holds[i] && slices.ContainsFunc(was.looked, func(n int) bool { return !holds[n] }) {
				holds[i], again = false, true
			}
		}
	}
	return holds
}

// keep takes what is to be remembered of documents that have been rewritten.
func (c *Cache) keep(site *siteConfig, all []Rewritten, root string) {
	read := func(d Rewritten) bool { return !d.Cached }
	if len(all) == len(c.docs) && c.at == site.at && !slices.ContainsFunc(all, read) {
		return // nothing else is known of them
	}
	c.changed = true
	settled := make([]identity, len(all))
	eachPart(len(all), func(from, to int) {
		var look stater
		defer look.close()
		for i := from; i < to; i++ {
			settled[i] = all[i].settled(&look)
		}
	})
	next := &keeping{numbers: make(map[*asset]int), docs: make([]cachedDoc, 0, len(all))}
	for i := range all {
		d := &all[i]
		if d.Changed && settled[i] != (identity{}) && mayBeAsset([]byte(d.Path)) && filepath.Join(root, filepath.FromSlash(d.Path)) == d.Name {
			// Rewriting does not change its digest.
			if a := site.catalog.lookup(site.fs, []byte(d.Path)); a.id == d.before {
				a.id = settled[i]
			}
		}
		if settled[i] == (identity{}) || d.Err != nil || d.hashed {
			continue
		}
		looked := d.looked
		if d.Cached {
			looked = c.pick(d.was.looked)
		}
		next.docs = append(next.docs, cachedDoc{
			name: d.Name, id: settled[i], path: d.Path, kind: d.Kind,
			refs: d.References, skipped: d.Skipped, missing: d.Missing, looked: next.all(looked),
		})
	}
	slices.SortFunc(next.docs, func(a, b cachedDoc) int { return strings.Compare(a.name, b.name) })
	c.docs, c.assets, c.modules, c.at = next.docs, next.assets, site.modulesAnswer(), site.at
}

// settled is the identity of a file whose result may be remembered; zero if not.
func (d *Rewritten) settled(look *stater) identity {
	if !d.Changed {
		return d.before
	}
	id := look.identify(d.Name)
	is := atomicfile.Stat{Dev: id.dev, Ino: id.ino, Size: id.size, Mtime: id.mtime}
	if is != d.after || id.ctime > d.placed.UnixNano() {
		return identity{} // somebody else has changed it
	}
	return id
}

// keeping numbers assets.
type keeping struct {
	docs    []cachedDoc
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
		k.assets[n].version, k.assets[n].own = d.version, a.own
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
const cacheMagic = "revstamp cache 4\n"

func (c *Cache) encode() []byte {
	size := 1 << 10
	for _, d := range c.docs {
		size += len(d.name) + 80 + 100*len(d.missing) // or so
	}
	b := append(make([]byte, 0, size), cacheMagic...)
	e := encoder{append(b, c.key[:]...)}
	e.int(int(c.modules))
	e.text(c.at)
	e.int(len(c.assets))
	for _, a := range c.assets {
		e.text(a.path)
		e.flag(a.exists)
		e.flag(a.regular)
		e.identity(a.id)
		e.text(a.version)
		e.text(a.own)
		e.ints(a.looked)
	}
	e.int(len(c.docs))
	for _, d := range c.docs {
		e.text(d.name)
		e.identity(d.id)
		e.flag(strings.HasSuffix(d.name, d.path))
		if strings.HasSuffix(d.name, d.path) {
			e.int(len(d.path))
		} else {
			e.text(d.path)
		}
		e.int(int(d.kind))
		e.int(d.refs)
		e.text(d.skipped)
		e.ints(d.looked)
		e.int(len(d.missing))
		for _, r := range d.missing {
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

// decode leaves c empty if data is no cache, or one with another key. What texts c
// has are in data, which nobody writes to any more.
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
	modules, at := answer(d.int()), d.text()
	assets := make([]cachedAsset, d.len())
	for i := range assets {
		assets[i] = cachedAsset{path: d.text(), exists: d.flag(), regular: d.flag(), id: d.identity(), version: d.text(), own: d.text(), looked: d.ints(len(assets))}
	}
	docs := atomicfile.Resident[cachedDoc](d.len())
	for i := range docs {
		doc := cachedDoc{name: d.text(), id: d.identity()}
		if d.flag() {
			doc.path = doc.name[len(doc.name)-d.upTo(len(doc.name)):]
		} else {
			doc.path = d.text()
		}
		doc.kind, doc.refs, doc.skipped, doc.looked = Kind(d.int()), d.int(), d.text(), d.ints(len(assets))
		doc.missing = make([]Reference, d.len())
		for i := range doc.missing {
			doc.missing[i] = Reference{File: doc.name, Line: d.int(), Column: d.int(), URL: d.text(), Path: d.text()}
		}
		docs[i] = doc
	}
	if !d.bad && len(d.b) == 0 {
		c.assets, c.docs, c.modules, c.at = assets, docs, modules, at
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
	b    []byte
	bad  bool
	free []int // for lists
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

// len is a number of things that follow, of which each takes a byte at least.
func (d *decoding) len() int {
	n := d.int()
	return d.within(n, len(d.b))
}

// upTo is a number from 0 to limit.
func (d *decoding) upTo(limit int) int { return d.within(d.int(), limit) }

func (d *decoding) within(n, limit int) int {
	if n < 0 || n > limit {
		d.bad, d.b = true, nil
		return 0
	}
	return n
}

func (d *decoding) text() string {
	n := d.len()
	s := unsafe.String(unsafe.SliceData(d.b), n)
	d.b = d.b[n:]
	return s
}

func (d *decoding) flag() bool { return d.int() != 0 }

// ints are numbers less than limit.
func (d *decoding) ints(limit int) []int {
	n := d.len()
	if n > len(d.free) {
		d.free = make([]int, max(n, 1<<10))
	}
	all := d.free[:n:n]
	d.free = d.free[n:]
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
