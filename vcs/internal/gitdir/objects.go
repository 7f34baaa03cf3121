package gitdir

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is the type of an object.
type Kind byte

// The kinds of object, by their numbers in a pack.
const (
	KindCommit Kind = 1
	KindTree   Kind = 2
	KindBlob   Kind = 3
	KindTag    Kind = 4
)

var kindNames = [...]string{KindCommit: "commit", KindTree: "tree", KindBlob: "blob", KindTag: "tag"}

// String is the kind's name in git.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

func parseKind(name string) (Kind, bool) {
	i := slices.Index(kindNames[1:], name)
	return Kind(i + 1), i >= 0
}

// Objects reads the objects of a repository, loose, packed and borrowed from
// alternates. It is for one goroutine at a time, and holds files open until
// Close.
type Objects struct {
	dirs  []string // objects/ of the repository and of its alternates
	packs []*pack  // the one that was last of use first
	cache deltaCache
	in    inflater
}

// Objects opens the repository's objects.
func (r *Repo) Objects() (*Objects, error) {
	o := new(Objects)
	if err := o.addDir(filepath.Join(r.Common, "objects"), 0); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *Objects) addDir(dir string, depth int) error {
	const deepest = 5 // as git
	if depth > deepest || slices.Contains(o.dirs, dir) {
		return nil
	}
	o.dirs = append(o.dirs, dir)
	data, err := os.ReadFile(filepath.Join(dir, "info", "alternates"))
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '"' {
			return &UnknownError{"a quoted path in objects/info/alternates"}
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(dir, line)
		}
		if err := o.addDir(filepath.Clean(line), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the packs.
func (o *Objects) Close() error {
	var errs []error
	for _, p := range o.packs {
		errs = append(errs, p.close())
	}
	o.packs = nil
	return errors.Join(errs...)
}

// Read returns an object's kind and content, which is not to be changed.
// ErrNotFound.
func (o *Objects) Read(id ID) (Kind, []byte, error) {
	kind, data, err := o.read(id)
	if err != nil {
		return 0, nil, fmt.Errorf("object %s: %w", id, err)
	}
	return kind, data, nil
}

func (o *Objects) read(id ID) (Kind, []byte, error) {
	for range 2 {
		if p, at, err := o.findPacked(id); err != nil {
			return 0, nil, err
		} else if p != nil {
			return o.readPacked(p, at, 0)
		}
		kind, data, err := o.readLoose(id)
		if !errors.Is(err, ErrNotFound) {
			return kind, data, err
		}
		// A fetch or a repack since the packs were listed, or the first look.
		if fresh, err := o.listPacks(); err != nil || !fresh {
			return 0, nil, errors.Join(err, ErrNotFound)
		}
	}
	return 0, nil, ErrNotFound
}

// findPacked returns the pack that holds an object, and where; nil when none
// that is open does.
func (o *Objects) findPacked(id ID) (*pack, int64, error) {
	for i, p := range o.packs {
		at, ok, err := p.find(id)
		if err != nil {
			return nil, 0, err
		}
		if ok {
			o.packs[0], o.packs[i] = p, o.packs[0]
			return p, at, nil
		}
	}
	return nil, 0, nil
}

// Blob returns the content of a blob, checked against its name.
func (o *Objects) Blob(id ID) ([]byte, error) {
	kind, data, err := o.Read(id)
	if err != nil {
		return nil, err
	}
	if kind != KindBlob {
		return nil, fmt.Errorf("object %s is a %s, not a blob", id, kind)
	}
	if got := HashOf(KindBlob, data); got != id {
		return nil, fmt.Errorf("object %s is damaged: it hashes to %s", id, got)
	}
	return data, nil
}

// Has reports whether an object is there. It does not read it.
func (o *Objects) Has(id ID) (bool, error) {
	for range 2 {
		if p, _, err := o.findPacked(id); p != nil || err != nil {
			return p != nil, err
		}
		for _, dir := range o.dirs {
			_, err := os.Stat(loosePath(dir, id))
			if err == nil || !missing(err) {
				return err == nil, err
			}
		}
		if fresh, err := o.listPacks(); err != nil || !fresh {
			return false, err
		}
	}
	return false, nil
}

// listPacks opens the packs that are not open yet and reports whether there
// were any.
func (o *Objects) listPacks() (fresh bool, err error) {
	for _, dir := range o.dirs {
		names, err := filepath.Glob(filepath.Join(escapeGlob(dir), "pack", "pack-*.idx"))
		if err != nil {
			return fresh, err
		}
		for _, name := range names {
			if slices.ContainsFunc(o.packs, func(p *pack) bool { return p.name == name }) {
				continue
			}
			p, err := openPack(name)
			if errors.Is(err, os.ErrNotExist) {
				continue // repacked since
			}
			if err != nil {
				return fresh, err
			}
			o.packs = append(o.packs, p)
			fresh = true
		}
	}
	return fresh, nil
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func loosePath(dir string, id ID) string {
	hex := id.String()
	return filepath.Join(dir, hex[:2], hex[2:])
}

func (o *Objects) readLoose(id ID) (Kind, []byte, error) {
	for _, dir := range o.dirs {
		f, err := os.Open(loosePath(dir, id))
		if missing(err) {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		kind, data, err := o.in.loose(f)
		f.Close() // only read
		return kind, data, err
	}
	return 0, nil, ErrNotFound
}

// inflater decompresses one object after the other with the same buffers: they
// are ten times what most objects hold.
type inflater struct {
	window window
	z      io.ReadCloser
}

// at makes the bytes of a file from an offset on what is read next.
func (in *inflater) at(file *os.File, offset int64) *window {
	in.window.seek(file, offset)
	return &in.window
}

// open begins to decompress what follows.
func (in *inflater) open() (io.Reader, error) {
	if in.z != nil {
		return in.z, in.z.(zlib.Resetter).Reset(&in.window, nil)
	}
	var err error
	in.z, err = zlib.NewReader(&in.window)
	return in.z, err
}

// window is a part of a file in memory. In a pack the objects that are needed
// one after the other often lie beside each other.
type window struct {
	file  *os.File
	start int64  // of data in the file
	data  []byte // what was read
	next  int    // in data
}

const windowSize = 16 << 10

func (w *window) seek(file *os.File, offset int64) {
	if file == w.file && offset >= w.start && offset < w.start+int64(len(w.data)) {
		w.next = int(offset - w.start)
		return
	}
	w.file, w.start, w.data, w.next = file, offset, w.data[:0], 0
}

// fill reads on when everything was taken.
func (w *window) fill() error {
	if w.next < len(w.data) {
		return nil
	}
	if w.data == nil {
		w.data = make([]byte, 0, windowSize)
	}
	start := w.start + int64(len(w.data))
	n, err := w.file.ReadAt(w.data[:windowSize], start)
	w.start, w.data, w.next = start, w.data[:n], 0
	if n > 0 {
		return nil
	}
	return cmp.Or(err, io.ErrUnexpectedEOF)
}

func (w *window) ReadByte() (byte, error) {
	if err := w.fill(); err != nil {
		return 0, err
	}
	w.next++
	return w.data[w.next-1], nil
}

func (w *window) Read(p []byte) (int, error) {
	if err := w.fill(); err != nil {
		return 0, err
	}
	n := copy(p, w.data[w.next:])
	w.next += n
	return n, nil
}

func (in *inflater) loose(file *os.File) (Kind, []byte, error) {
	in.window = window{data: in.window.data[:0]} // a closed file's place may be taken
	in.at(file, 0)
	z, err := in.open()
	if err != nil {
		return 0, nil, fmt.Errorf("loose object: %w", err)
	}
	const longest = 32 // "commit " and the digits of a size
	var header []byte
	for b := [1]byte{1}; b[0] != 0; header = append(header, b[0]) {
		if _, err := io.ReadFull(z, b[:]); err != nil || len(header) == longest {
			return 0, nil, errors.Join(errors.New("loose object: malformed header"), err)
		}
	}
	name, length, _ := strings.Cut(strings.TrimSuffix(string(header), "\x00"), " ")
	kind, ok := parseKind(name)
	size, err := strconv.ParseInt(length, 10, 64)
	if !ok || err != nil || size < 0 {
		return 0, nil, fmt.Errorf("loose object: malformed header %q", header)
	}
	data, err := readExactly(z, size)
	return kind, data, err
}

// readExactly reads size bytes and the end. Beyond a megabyte it grows as they
// arrive: a size that lies takes no memory.
func readExactly(r io.Reader, size int64) ([]byte, error) {
	const trusted = 1 << 20
	if size <= trusted {
		data := make([]byte, size)
		n, err := io.ReadFull(r, data)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, sizeError(int64(n), size)
		}
		if err != nil {
			return nil, err
		}
		var more [1]byte
		if n, err := io.ReadFull(r, more[:]); n > 0 {
			return nil, sizeError(size+1, size)
		} else if err != io.EOF {
			return nil, err // the checksum is wrong
		}
		return data, nil
	}
	var buf bytes.Buffer
	buf.Grow(trusted)
	n, err := io.Copy(&buf, io.LimitReader(r, size+1))
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, sizeError(n, size)
	}
	return buf.Bytes(), nil
}

func sizeError(got, want int64) error {
	return fmt.Errorf("object of %d bytes, its header says %d", got, want)
}

// HashOf is the name of the object with that content.
func HashOf(kind Kind, data []byte) ID {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(data))
	h.Write(data)
	return ID(h.Sum(nil))
}

// Find returns the ids that begin with prefix, an even or odd number of lower
// case hexadecimal digits, sorted.
func (o *Objects) Find(prefix string) ([]ID, error) {
	if _, err := o.listPacks(); err != nil {
		return nil, err
	}
	low, err := ParseID(prefix + strings.Repeat("0", 40-len(prefix)))
	if err != nil {
		return nil, err
	}
	var found []ID
	for _, p := range o.packs {
		ids, err := p.from(low, prefix)
		if err != nil {
			return nil, err
		}
		found = append(found, ids...)
	}
	for _, dir := range o.dirs {
		entries, err := os.ReadDir(filepath.Join(dir, prefix[:2]))
		if err != nil && !missing(err) {
			return nil, err
		}
		for _, e := range entries {
			name := prefix[:2] + e.Name()
			if id, err := ParseID(name); err == nil && strings.HasPrefix(name, prefix) {
				found = append(found, id)
			}
		}
	}
	slices.SortFunc(found, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(found), nil
}

// Put writes a loose object unless it is there. It is durable after Sync.
func (o *Objects) Put(kind Kind, data []byte) (ID, error) {
	id := HashOf(kind, data)
	if ok, err := o.Has(id); ok || err != nil {
		return id, err
	}
	path := loosePath(o.dirs[0], id)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return id, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "tmp_obj_") // the name git gc sweeps
	if err != nil {
		return id, err
	}
	defer os.Remove(f.Name())
	err = errors.Join(deflateLoose(f, kind, data), f.Chmod(0o444), f.Close())
	if err != nil {
		return id, fmt.Errorf("object %s: %w", id, err)
	}
	return id, os.Rename(f.Name(), path)
}

// Sync makes every object written so far durable, at once: one by one it would
// take a disk's pause for each.
func (o *Objects) Sync() error {
	d, err := os.Open(o.dirs[0])
	if err != nil {
		return err
	}
	defer d.Close() // only read
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("sync %q: %w", o.dirs[0], err)
	}
	return nil
}

func deflateLoose(w io.Writer, kind Kind, data []byte) error {
	z := zlib.NewWriter(w)
	fmt.Fprintf(z, "%s %d\x00", kind, len(data))
	z.Write(data)
	return z.Close() // reports what the writes met
}

// ShortHex reports whether s could be the beginning of an id: 4 to 40 digits.
func ShortHex(s string) bool {
	if len(s) < 4 || len(s) > 40 {
		return false
	}
	_, err := hex.DecodeString(s + "0"[:len(s)%2])
	return err == nil
}
