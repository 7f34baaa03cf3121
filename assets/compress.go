package assets

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"revstamp/stamp/atomicfile"
)

// CompressedName is the file in an asset root that tells which of its files are
// precompressed variants of ours.
const CompressedName = ".revstamp-compressed.json"

const compressedLock = ".revstamp-compressed.lock"

// CompressedFile reports whether a file, by its slash path, is what tells of variants.
func CompressedFile(name string) bool {
	name = path.Base(name)
	return name == CompressedName || name == compressedLock
}

// compressedFormat changes with the shape of that file, and when a coding is to be
// made in another way.
const compressedFormat = 1

// compressible are the extensions of files that hold text, or what is like it.
// Pictures, sounds and WOFF are compressed already.
var compressible = map[string]bool{
	".css": true, ".js": true, ".mjs": true, ".cjs": true, ".json": true, ".map": true, ".wasm": true,
	".html": true, ".htm": true, ".xhtml": true, ".xml": true, ".rss": true, ".atom": true, ".webmanifest": true,
	".svg": true, ".ico": true, ".bmp": true, ".ttf": true, ".otf": true, ".eot": true,
	".txt": true, ".md": true, ".csv": true, ".vtt": true, ".ics": true,
}

// Codings are the names that Compress knows, those of HTTP's content codings, and
// the extension of the variants of each.
func Codings() map[string]string {
	all := make(map[string]string, len(codings))
	for _, c := range codings {
		all[c.name] = c.ext
	}
	return all
}

// Compressed is what Compress did. Its names are slash paths under the root, sorted.
type Compressed struct {
	Written []string // variants that are new, or were made anew
	Removed []string // of files that are gone, have no gain any more, or in codings no longer wanted
	Foreign []string // files with a variant's name that are not ours, and stay as they are
	Kept    int      // variants that were as they should be

	// Unreadable are directories that this user may not read: nothing in them changes.
	Unreadable []string
}

// Compress makes a variant, in each of the codings, of every file below root that is
// of a kind that is worth it and becomes smaller: site.css.br beside site.css, for web
// servers that send it in the place of the file (nginx's gzip_static, Handler). A
// variant has the permission bits and the modification time of its file. What has not
// changed is not compressed again, and variants that do not fit any more are
// replaced or removed, also those in a coding that is not among the given ones.
//
// Files whose names begin with a dot, or that lie in such directories, have none, nor
// have symbolic links. A file with the name of a variant is ours when the list in the
// root, CompressedName, has the digest of its content, and is otherwise never touched:
// what was put there, or changed, by somebody else stays. Every variant is on that list
// before it is in its place, so that a killed process leaves none that are unknown.
//
// Files are compressed on all processors; a few are held in memory at a time.
//
// Between the change of a file and the next Compress a web server sends the old
// content, if it can: see Uncompress.
func Compress(ctx context.Context, root string, codings []string, o atomicfile.Options) (*Compressed, error) {
	return CompressLike(ctx, root, "", codings, o)
}

// CompressLike is Compress for a root that is much like another one, as that of the
// release before: what is the same there, and compressed, is not compressed again.
func CompressLike(ctx context.Context, root, other string, codings []string, o atomicfile.Options) (*Compressed, error) {
	for _, c := range codings {
		if Codings()[c] == "" {
			return nil, fmt.Errorf("compress: coding %q is not known: it is one of %s", c, strings.Join(slices.Sorted(maps.Keys(Codings())), ", "))
		}
	}
	c := newCompressing(root, codings, o)
	if other != "" {
		c.other = newCompressing(other, nil, o)
		if err := c.other.read(); err != nil {
			c.other = nil // then all is compressed
		}
	}
	return c.locked(func() error { return c.run(ctx) })
}

// Uncompress removes the variants, if they are ours, of files below root that are
// about to change, by their slash paths: better none than one with what the file held
// before. It returns the names of those that it removed.
func Uncompress(ctx context.Context, root string, paths []string, o atomicfile.Options) (removed []string, err error) {
	c := newCompressing(root, nil, o)
	if _, err := os.Stat(c.file(CompressedName)); errors.Is(err, fs.ErrNotExist) || len(paths) == 0 {
		return nil, nil
	}
	result, err := c.locked(func() error {
		for _, p := range paths {
			for _, ext := range Codings() {
				if _, ok := c.list.Variants[p+ext]; !ok {
					continue
				}
				if err := c.remove(ctx, p+ext); err != nil {
					return err
				}
			}
		}
		return c.save(ctx)
	})
	if err != nil {
		return nil, err
	}
	return result.Removed, nil
}

// Variants reports of files below root, by their slash paths, whether they are
// variants that Compress made.
func Variants(root string) (func(path string) bool, error) {
	c := newCompressing(root, nil, atomicfile.Options{})
	err := c.read()
	return func(path string) bool { _, ok := c.list.Variants[path]; return ok }, err
}

// CompressedIn are the codings, sorted, in which the last Compress of root made the
// variants; none where there was none, or it did not come to its end.
func CompressedIn(root string) ([]string, error) {
	f, err := os.Open(filepath.Join(root, CompressedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	// The codings come before the variants, which may be many.
	for d := json.NewDecoder(f); ; {
		switch key, err := d.Token(); {
		case err != nil, key == "variants":
			return nil, nil // whoever reads all of it says what is wrong
		case key == "codings":
			var all []string
			if err := d.Decode(&all); err != nil {
				return nil, nil
			}
			return all, nil
		}
	}
}

func newCompressing(root string, codings []string, o atomicfile.Options) *compressing {
	o.Root, o.NoFollow, o.MaxSize = root, true, -1
	return &compressing{root: root, wanted: codings, options: o, result: &Compressed{}}
}

// variants is the list of ours, by path.
type variants struct {
	Format   int                `json:"format"`
	Codings  []string           `json:"codings,omitempty"` // all that is worth it has variants in these, if it has not changed
	Variants map[string]variant `json:"variants"`
}

type variant struct {
	Of     string   `json:"of"`     // digest of the file's content
	Ours   []string `json:"ours"`   // digests that the variant may have, the last one being the newest; none: no gain
	Format int      `json:"format"` // compressedFormat when it was made
}

type compressing struct {
	root    string
	wanted  []string
	options atomicfile.Options
	list    variants
	result  *Compressed
	other   *compressing // nil: none is like it
}

// source is a file, with the variants that are to be made of it.
type source struct {
	path    string
	info    fs.FileInfo
	sum     string
	todo    []string // codings
	foreign []string // names
	kept    int      // variants
}

// locked does something with the list, which no other process changes meanwhile.
func (c *compressing) locked(do func() error) (*Compressed, error) {
	lock, err := os.OpenFile(filepath.Join(c.root, compressedLock), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	defer lock.Close() // only locked
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("another process compresses %q: %w", c.root, err)
	}
	// Closing alone unlocks only once no child that is being started has the file.
	defer syscall.Flock(int(lock.Fd()), syscall.LOCK_UN)
	if err = c.read(); err == nil {
		err = do()
	}
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	for _, names := range [][]string{c.result.Written, c.result.Removed, c.result.Foreign} {
		slices.Sort(names)
	}
	return c.result, nil
}

func (c *compressing) run(ctx context.Context) error {
	sources, err := c.sources(ctx)
	if err != nil {
		return err
	}
	if err := each(ctx, len(sources), func(i int) error { return c.look(sources[i]) }); err != nil {
		return err
	}
	wanted := make(map[string]bool)
	var todo []*source
	for _, s := range sources {
		for _, coding := range c.wanted {
			wanted[s.path+Codings()[coding]] = true
		}
		c.result.Kept += s.kept
		c.result.Foreign = append(c.result.Foreign, s.foreign...)
		if len(s.todo) > 0 {
			todo = append(todo, s)
		}
	}
	for part := range slices.Chunk(todo, manyFiles*4) {
		if err := c.make(ctx, part); err != nil {
			return err
		}
	}
	for name := range c.list.Variants {
		if !wanted[name] && !c.hidden(name) {
			if err := c.remove(ctx, name); err != nil {
				return err
			}
		}
	}
	c.list.Codings = slices.Compact(slices.Sorted(slices.Values(c.wanted)))
	return c.save(ctx)
}

// sources are the files that may have variants. What is itself the variant of a file
// is none.
func (c *compressing) sources(ctx context.Context) (all []*source, err error) {
	err = fs.WalkDir(Dir(c.root), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case p != "." && forbidden(d, err):
			c.result.Unreadable = append(c.result.Unreadable, p)
			return fs.SkipDir
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case p != "." && strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return fs.SkipDir
		case strings.HasPrefix(d.Name(), ".") || !d.Type().IsRegular() || !compressible[strings.ToLower(path.Ext(p))]:
			return nil
		case !utf8.ValidString(p): // the list of those that are ours cannot name it
			return nil
		}
		info, err := d.Info()
		if err == nil {
			all = append(all, &source{path: p, info: info})
		}
		return err
	})
	return all, err
}

// hidden reports whether a path is in a directory that cannot be read.
func (c *compressing) hidden(name string) bool {
	return slices.ContainsFunc(c.result.Unreadable, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
}

// look finds out which variants of s are to be made.
func (c *compressing) look(s *source) error {
	data, err := os.ReadFile(c.file(s.path))
	if err != nil {
		return err
	}
	s.sum = hexSum(data)
	for _, coding := range c.wanted {
		name := s.path + Codings()[coding]
		known := c.list.Variants[name]
		info, err := os.Lstat(c.file(name))
		there := err == nil
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		ours := false
		if there && info.Mode().IsRegular() {
			held, err := os.ReadFile(c.file(name))
			if err != nil {
				return err
			}
			i := slices.Index(known.Ours, hexSum(held))
			ours = i >= 0
			if ours && i == len(known.Ours)-1 && known.Of == s.sum && known.Format == compressedFormat &&
				info.ModTime().Equal(s.info.ModTime()) && info.Mode() == s.info.Mode() {
				s.kept++
				continue
			}
		}
		switch {
		case there && !ours:
			s.foreign = append(s.foreign, name)
		case !there && known.Of == s.sum && len(known.Ours) == 0 && known.Format == compressedFormat: // no gain
		default:
			s.todo = append(s.todo, coding)
		}
	}
	return nil
}

// making is one variant that is to be made.
type making struct {
	*source
	coding string
	name   string // of the variant
	out    []byte // nil: no gain
}

// make makes the variants of some files, and puts them in place.
func (c *compressing) make(ctx context.Context, part []*source) error {
	var all []*making
	for _, s := range part {
		for _, coding := range s.todo {
			all = append(all, &making{source: s, coding: coding, name: s.path + Codings()[coding]})
		}
	}
	if err := c.encodeAll(ctx, all); err != nil {
		return err
	}
	for _, m := range all {
		if v := c.list.Variants[m.name]; m.out != nil {
			v.Ours = append(v.Ours, hexSum(m.out))
			c.list.Variants[m.name] = v
		}
	}
	if err := c.save(ctx); err != nil {
		return err
	}
	return c.place(ctx, all)
}

// encodeAll makes what variants hold: once for what is in several files, as in an asset
// and its copy under a fingerprinted name.
func (c *compressing) encodeAll(ctx context.Context, all []*making) error {
	err := each(ctx, len(all), func(i int) (err error) {
		if all[i].out, err = c.other.variant(all[i]); err == nil && all[i].out != nil {
			_, err = c.content(all[i].source)
		}
		return err
	})
	if err != nil {
		return err
	}
	type content struct{ sum, coding string }
	same := make(map[content][]*making)
	for _, m := range all {
		if m.out == nil {
			same[content{m.sum, m.coding}] = append(same[content{m.sum, m.coding}], m)
		}
	}
	groups := slices.Collect(maps.Values(same))
	return each(ctx, len(groups), func(i int) error { return c.encode(groups[i]) })
}

// encode makes the variants of files that hold the same.
func (c *compressing) encode(group []*making) error {
	for _, m := range group {
		data, err := c.content(m.source)
		if err != nil {
			return err
		}
		if m.out = group[0].out; m != group[0] {
			continue
		}
		if m.out, err = encodeAs(m.coding, data); err != nil {
			return err
		}
		if len(m.out) >= len(data) {
			m.out = nil
		}
	}
	return nil
}

// content is what s holds, and still is what it was.
func (c *compressing) content(s *source) ([]byte, error) {
	data, err := os.ReadFile(c.file(s.path))
	if err == nil && hexSum(data) != s.sum {
		err = fmt.Errorf("%q: %w", s.path, atomicfile.ErrChanged)
	}
	return data, err
}

// variant is that which c has of the same file, if any.
func (c *compressing) variant(m *making) ([]byte, error) {
	if c == nil {
		return nil, nil
	}
	known := c.list.Variants[m.name]
	if known.Of != m.sum || known.Format != compressedFormat || len(known.Ours) == 0 {
		return nil, nil
	}
	held, err := os.ReadFile(c.file(m.name))
	if err != nil || hexSum(held) != known.Ours[len(known.Ours)-1] {
		return nil, err
	}
	return held, nil
}

// place puts variants in place, or away.
func (c *compressing) place(ctx context.Context, all []*making) error {
	var batch atomicfile.Batch
	defer batch.Close()
	o := c.options
	o.Create = true
	for _, m := range all {
		f, err := atomicfile.Open(c.file(m.name), o)
		switch {
		case err != nil:
			return err
		case f.Exists() && !slices.Contains(c.list.Variants[m.name].Ours, hexSum(f.Data())):
			f.Close()
			return fmt.Errorf("%q: %w", m.name, atomicfile.ErrChanged)
		case m.out != nil:
			f.Chmod(m.info.Mode().Perm())
			batch.Add(f, m.out)
			c.result.Written = append(c.result.Written, m.name)
			continue
		case f.Exists():
			batch.Remove(c.file(m.name), c.options)
			c.result.Removed = append(c.result.Removed, m.name)
		}
		f.Close()
	}
	if err := batch.Commit(ctx); err != nil {
		return err
	}
	for _, m := range all {
		v := variant{Of: m.sum, Format: compressedFormat}
		if m.out != nil {
			if err := os.Chtimes(c.file(m.name), time.Time{}, m.info.ModTime()); err != nil {
				return err
			}
			v.Ours = []string{hexSum(m.out)}
		}
		c.list.Variants[m.name] = v
	}
	return nil
}

// remove removes a variant that is not wanted, if it is ours.
func (c *compressing) remove(ctx context.Context, name string) error {
	held, err := os.ReadFile(c.file(name))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
	case err != nil:
		return err
	case slices.Contains(c.list.Variants[name].Ours, hexSum(held)):
		var batch atomicfile.Batch
		batch.Remove(c.file(name), c.options)
		if err := batch.Commit(ctx); err != nil {
			return err
		}
		c.result.Removed = append(c.result.Removed, name)
	default:
		c.result.Foreign = append(c.result.Foreign, name)
	}
	delete(c.list.Variants, name)
	return nil
}

func (c *compressing) file(name string) string {
	return filepath.Join(c.root, filepath.FromSlash(name))
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// read reads the list. One that is newer than this program says so.
func (c *compressing) read() error {
	c.list = variants{Format: 1, Variants: make(map[string]variant)}
	data, err := os.ReadFile(c.file(CompressedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &c.list); err != nil {
		return fmt.Errorf("%s: %w: remove it, and the variants beside the files, which are made again", c.file(CompressedName), err)
	}
	if c.list.Format != 1 {
		return fmt.Errorf("%s: its format is %d, and 1 is known", c.file(CompressedName), c.list.Format)
	}
	for name := range c.list.Variants {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%s: %q is not below the root", c.file(CompressedName), name)
		}
	}
	return nil
}

func (c *compressing) save(ctx context.Context) error {
	text, err := json.MarshalIndent(c.list, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	o := c.options
	o.Create = len(c.list.Variants)+len(c.list.Codings) > 0
	_, err = atomicfile.Replace(ctx, c.file(CompressedName), o, func(old []byte) ([]byte, error) {
		if bytes.Equal(old, text) {
			return old, nil
		}
		return text, nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing to list, and no list
	}
	return err
}

// encodeAs compresses data as well as the coding can: it is done once, and sent often.
func encodeAs(coding string, data []byte) ([]byte, error) {
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w, err = gzip.NewWriterLevel(&b, gzip.BestCompression)
	case "br":
		w = brotli.NewWriterLevel(&b, brotli.BestCompression)
	case "zstd":
		// Browsers take no window above 8 MiB (RFC 9659).
		w, err = zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(8<<20), zstd.WithEncoderConcurrency(1))
	}
	if err != nil {
		return nil, err
	}
	_, err = w.Write(data)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}
