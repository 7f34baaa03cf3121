package gitdir

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"time"
)

// Index is the list of tracked files and what they looked like when git last
// saw them equal to their blobs, sorted by path, then stage. Only where its
// blocks of entries are is kept: they are read from the file when they are asked
// for, which costs less than memory to keep them in. The file itself never
// changes, for git replaces it by another. The zero Index is empty.
type Index struct {
	Tree    ID        // the tree that the entries make, where the index tells; zero otherwise
	Written time.Time // modification time of the file; zero for a missing one

	file      io.ReaderAt
	version   uint32
	blocks    []indexBlock
	entries   int
	cacheTree string // body of the TREE extension, which says so
}

// indexBlock is a part of the file that holds some entries whole.
type indexBlock struct {
	at      int64
	size    int
	entries int
	before  string // path of the entry before it, where version 4 needs it
}

// IndexEntry is one tracked file.
type IndexEntry struct {
	Path string
	Tracked
}

// Tracked is what an index tells of a file.
type Tracked struct {
	Entry
	Stat         Stat
	Stage        uint8 // above 0 while a merge is in conflict
	AssumeValid  bool  // git update-index --assume-unchanged
	SkipWorktree bool
	IntentToAdd  bool
}

// Index opens the repository's index, of version 2, 3 or 4. A missing one is
// empty. A split or a sparse index, or any other part that must be understood
// and is not, is an *UnknownError.
func (r *Repo) Index() (*Index, error) { return OpenIndex(r.Git + "/index") }

// OpenIndex opens an index file, for the caller to close.
func OpenIndex(file string) (*Index, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return new(Index), nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	x, err := ParseIndex(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("index %q: %w", file, err)
	}
	x.Written = info.ModTime()
	return x, nil
}

// Close closes the index's file.
func (x *Index) Close() error {
	if f, ok := x.file.(io.Closer); ok {
		return f.Close()
	}
	return nil
}

var errIndex = errors.New("malformed index")

const (
	indexHeader = 12
	statSize    = 40 // ctime, mtime, dev, ino, mode, uid, gid, size
	entryHead   = statSize + len(ID{}) + 2
	usualEntry  = 96 // bytes of an entry, roughly

	flagAssumeValid  = 1 << 15
	flagExtended     = 1 << 14
	flagStage        = 12 // shift of two bits
	flagName         = 1<<12 - 1
	flagSkipWorktree = 1 << 14 // of the extended flags
	flagIntentToAdd  = 1 << 13
)

// blockSize is how much of an index is read at a time, unless one entry is more.
const blockSize = 64 << 10

// ParseIndex reads an index of that many bytes, whose entries will be read from
// file when they are asked for.
func ParseIndex(file io.ReaderAt, size int64) (*Index, error) {
	end := size - int64(len(ID{})) // where the checksum begins
	if end < indexHeader {
		return nil, errIndex
	}
	var b IndexBuffer
	header, err := b.read(file, 0, indexHeader)
	if err != nil {
		return nil, err
	}
	if string(header[:4]) != "DIRC" {
		return nil, errIndex
	}
	x := &Index{file: file, version: be32(header[4:]), entries: int(be32(header[8:]))}
	if x.version < 2 || x.version > 4 {
		return nil, &UnknownError{"index version " + strconv.FormatUint(uint64(x.version), 10)}
	}
	at := int64(indexHeader)
	for left, most := x.entries, int64(blockSize); left > 0; {
		block := indexBlock{at: at, size: int(min(most, end-at)), entries: left}
		if x.version == 4 {
			block.before = string(b.path)
		}
		if err := x.visit(&block, &b, func([]byte, *Tracked) {}); err != nil {
			return nil, err
		}
		if block.entries == 0 {
			if end-at <= most {
				return nil, errIndex
			}
			most *= 2
			continue
		}
		x.blocks = append(x.blocks, block)
		at, left = at+int64(block.size), left-block.entries
	}
	extensions := make([]byte, end-at)
	if _, err := file.ReadAt(extensions, at); err != nil {
		return nil, err
	}
	return x, x.parseExtensions(string(extensions))
}

// Len is the number of entries.
func (x *Index) Len() int { return x.entries }

// Blocks is the number of parts that the entries come in.
func (x *Index) Blocks() int { return len(x.blocks) }

// IndexBuffer is memory to visit blocks with: one after another, or several at
// once with a buffer each. The zero value is ready.
type IndexBuffer struct {
	data, path []byte
	tracked    Tracked
}

func (b *IndexBuffer) read(file io.ReaderAt, at int64, size int) ([]byte, error) {
	if size > len(b.data) {
		b.data = make([]byte, max(size, blockSize))
	}
	n, err := file.ReadAt(b.data[:size], at)
	if n == size {
		err = nil // io.EOF may come with the last bytes
	}
	return b.data[:size], err
}

// Visit visits the entries of a block in their order. What it passes is good
// until visit returns.
func (x *Index) Visit(block int, b *IndexBuffer, visit func(path []byte, t *Tracked)) error {
	k := x.blocks[block]
	return x.visit(&k, b, visit)
}

// visit visits those entries that lie in k whole, k.entries at the most, and
// puts right how many and how large they are.
func (x *Index) visit(k *indexBlock, b *IndexBuffer, visit func(path []byte, t *Tracked)) error {
	data, err := b.read(x.file, k.at, k.size)
	if err != nil {
		return err
	}
	b.path = append(b.path[:0], k.before...)
	rest, n := data, 0
	for ; n < k.entries; n++ {
		head := b.tracked.parse(rest)
		if head > entryHead && x.version < 3 {
			return errIndex
		}
		path, size, err := x.parsePath(rest, head, b)
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		visit(path, &b.tracked)
		rest = rest[size:]
	}
	k.size, k.entries = len(data)-len(rest), n
	return nil
}

// parse takes in all but the path of the entry that s begins with, and returns
// where the path begins, which is no less than entryHead; 0 when s is too short.
func (t *Tracked) parse(s []byte) int {
	if len(s) < entryHead {
		return 0
	}
	flags := be16(s[entryHead-2:])
	*t = Tracked{
		Entry: Entry{Mode: Mode(be32(s[24:])), ID: ID(s[statSize : statSize+len(ID{})])},
		Stat: Stat{
			CtimeSec: be32(s), CtimeNsec: be32(s[4:]), MtimeSec: be32(s[8:]), MtimeNsec: be32(s[12:]),
			Dev: be32(s[16:]), Ino: be32(s[20:]), UID: be32(s[28:]), GID: be32(s[32:]), Size: be32(s[36:]),
		},
		Stage:       uint8(flags >> flagStage & 3),
		AssumeValid: flags&flagAssumeValid != 0,
	}
	if flags&flagExtended == 0 {
		return entryHead
	}
	if len(s) < entryHead+2 {
		return 0
	}
	more := be16(s[entryHead:])
	t.SkipWorktree = more&flagSkipWorktree != 0
	t.IntentToAdd = more&flagIntentToAdd != 0
	return entryHead + 2
}

// parsePath reads the path that begins at head of the entry that s begins with,
// and returns the size of that entry as well, 0 when s is too short, as it is
// with a head of 0. Version 4 says how much of the previous path to drop from its
// end, then what to append.
func (x *Index) parsePath(s []byte, head int, b *IndexBuffer) (path []byte, size int, err error) {
	if head == 0 {
		return nil, 0, nil
	}
	name := s[head:]
	if x.version == 4 {
		r := bytes.NewReader(name)
		drop, err := offsetBack(r)
		if errors.Is(err, io.EOF) {
			return nil, 0, nil
		}
		if err != nil || drop > int64(len(b.path)) {
			return nil, 0, errIndex
		}
		name = name[len(name)-r.Len():]
		end := bytes.IndexByte(name, 0)
		if end < 0 {
			return nil, 0, nil
		}
		b.path = append(b.path[:len(b.path)-int(drop)], name[:end]...)
		return b.path, len(s) - len(name) + end + 1, nil
	}
	said := int(be16(s[entryHead-2:]) & flagName) // as much as it can say
	if len(name) <= said {
		return nil, 0, nil
	}
	end := bytes.IndexByte(name[said:], 0)
	if end < 0 && said == flagName {
		return nil, 0, nil
	}
	if end < 0 || end > 0 && said < flagName {
		return nil, 0, errIndex
	}
	end += said
	if size = (head + end + 8) &^ 7; size > len(s) { // one to eight NULs
		return nil, 0, nil
	}
	return name[:end], size, nil
}

// All are the entries in their order. After an error come no more.
func (x *Index) All() iter.Seq2[IndexEntry, error] {
	return func(yield func(IndexEntry, error) bool) {
		var b IndexBuffer
		for block := range x.blocks {
			stopped := false
			err := x.Visit(block, &b, func(path []byte, t *Tracked) {
				stopped = stopped || !yield(IndexEntry{string(path), *t}, nil)
			})
			if err != nil && !stopped {
				yield(IndexEntry{}, err)
			}
			if err != nil || stopped {
				return
			}
		}
	}
}

// ByPath are the entries by their paths; of a path in conflict it is any.
func (x *Index) ByPath() (map[string]IndexEntry, error) {
	all := make(map[string]IndexEntry, x.Len())
	for e, err := range x.All() {
		if err != nil {
			return nil, err
		}
		all[e.Path] = e
	}
	return all, nil
}

// parseExtensions takes what it knows from the extensions, skips those whose
// first letter says that they are optional, and refuses the others.
func (x *Index) parseExtensions(s string) error {
	for s != "" {
		if len(s) < 8 || uint64(be32(s[4:])) > uint64(len(s)-8) {
			return errIndex
		}
		name, body := s[:4], s[8:8+be32(s[4:])]
		s = s[8+len(body):]
		switch {
		case name == "TREE":
			x.cacheTree = body
			if root, ok := parseCacheTree(body); ok {
				x.Tree = root.id
			}
		case name == "link":
			return &UnknownError{"a split index"}
		case name == "sdir":
			return &UnknownError{"a sparse index"}
		case name[0] < 'A' || name[0] > 'Z':
			return &UnknownError{fmt.Sprintf("index extension %q", name)}
		}
	}
	return nil
}

func be32[T string | []byte](s T) uint32 {
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

func be16(s []byte) uint16 { return uint16(s[0])<<8 | uint16(s[1]) }

// EncodeIndex returns an index of entries, which are sorted, as a file of version
// 2, or 3 where flags need it. cacheTree is the body of its TREE extension, for
// instance from Objects.CacheTree; none when nil. size is a guess at the number
// of the entries.
func EncodeIndex(entries iter.Seq[IndexEntry], size int, cacheTree []byte) []byte {
	b := make([]byte, indexHeader, indexHeader+size*usualEntry+len(cacheTree)+8+len(ID{}))
	version, count := uint32(2), uint32(0)
	for e := range entries {
		if e.SkipWorktree || e.IntentToAdd {
			version = 3
		}
		count++
		b = e.append(b)
	}
	copy(b, "DIRC")
	binary.BigEndian.PutUint32(b[4:], version)
	binary.BigEndian.PutUint32(b[8:], count)
	if cacheTree != nil {
		b = append(b, "TREE"...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(cacheTree)))
		b = append(b, cacheTree...)
	}
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

func (e *IndexEntry) append(b []byte) []byte {
	start := len(b)
	s := &e.Stat
	for _, v := range [...]uint32{
		s.CtimeSec, s.CtimeNsec, s.MtimeSec, s.MtimeNsec, s.Dev, s.Ino,
		uint32(e.Mode), s.UID, s.GID, s.Size,
	} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = append(b, e.ID[:]...)
	flags := uint16(min(len(e.Path), flagName)) | uint16(e.Stage)<<flagStage
	var more uint16
	if e.AssumeValid {
		flags |= flagAssumeValid
	}
	if e.SkipWorktree {
		more |= flagSkipWorktree
	}
	if e.IntentToAdd {
		more |= flagIntentToAdd
	}
	if more != 0 {
		flags |= flagExtended
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	if more != 0 {
		b = binary.BigEndian.AppendUint16(b, more)
	}
	b = append(b, e.Path...)
	return append(b, "\x00\x00\x00\x00\x00\x00\x00\x00"[:8-(len(b)-start)%8]...)
}
