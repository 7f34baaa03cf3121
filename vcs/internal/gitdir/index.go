package gitdir

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// Index is the list of tracked files and what they looked like when git last
// saw them equal to their blobs.
type Index struct {
	Entries []IndexEntry // sorted by path, then stage
	Tree    ID           // the tree that the entries make, where the index tells; zero otherwise
	Written time.Time    // modification time of the file; zero for a missing one

	cacheTree string // body of the TREE extension, which says so
}

// IndexEntry is one tracked file.
type IndexEntry struct {
	Path string
	Entry
	Stat         Stat
	Stage        uint8 // above 0 while a merge is in conflict
	AssumeValid  bool  // git update-index --assume-unchanged
	SkipWorktree bool
	IntentToAdd  bool
}

// Index reads the repository's index, of version 2, 3 or 4. A missing one is
// empty. A split or a sparse index, or any other part that must be understood
// and is not, is an *UnknownError.
func (r *Repo) Index() (*Index, error) { return ReadIndex(r.Git + "/index") }

// ReadIndex reads an index file.
func ReadIndex(file string) (*Index, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return new(Index), nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var data strings.Builder
	data.Grow(int(info.Size()))
	if _, err := io.Copy(&data, f); err != nil {
		return nil, err
	}
	x, err := ParseIndex(data.String())
	if err != nil {
		return nil, fmt.Errorf("index %q: %w", file, err)
	}
	x.Written = info.ModTime()
	return x, nil
}

var errIndex = errors.New("malformed index")

const (
	indexHeader = 12
	statSize    = 40 // ctime, mtime, dev, ino, mode, uid, gid, size
	entryHead   = statSize + len(ID{}) + 2

	flagAssumeValid  = 1 << 15
	flagExtended     = 1 << 14
	flagStage        = 12 // shift of two bits
	flagName         = 1<<12 - 1
	flagSkipWorktree = 1 << 14 // of the extended flags
	flagIntentToAdd  = 1 << 13
)

// ParseIndex reads the content of an index. The paths of the entries share the
// string's memory.
func ParseIndex(data string) (*Index, error) {
	if len(data) < indexHeader+len(ID{}) || data[:4] != "DIRC" {
		return nil, errIndex
	}
	version, count := be32(data[4:]), be32(data[8:])
	if version < 2 || version > 4 {
		return nil, &UnknownError{"index version " + strconv.FormatUint(uint64(version), 10)}
	}
	rest := data[indexHeader : len(data)-len(ID{})]
	if uint64(count)*uint64(entryHead) > uint64(len(rest)) {
		return nil, errIndex
	}
	x := &Index{Entries: make([]IndexEntry, count)}
	last := ""
	for i := range x.Entries {
		var err error
		if rest, err = x.Entries[i].parse(rest, version, last); err != nil {
			return nil, err
		}
		last = x.Entries[i].Path
	}
	return x, x.parseExtensions(rest)
}

// parse reads one entry from the beginning of s and returns what follows.
func (e *IndexEntry) parse(s string, version uint32, last string) (string, error) {
	if len(s) < entryHead {
		return "", errIndex
	}
	e.Stat = Stat{
		CtimeSec: be32(s), CtimeNsec: be32(s[4:]), MtimeSec: be32(s[8:]), MtimeNsec: be32(s[12:]),
		Dev: be32(s[16:]), Ino: be32(s[20:]), UID: be32(s[28:]), GID: be32(s[32:]), Size: be32(s[36:]),
	}
	e.Mode = Mode(be32(s[24:]))
	e.ID = ID([]byte(s[statSize : statSize+len(ID{})]))
	flags := be16(s[entryHead-2:])
	e.Stage = uint8(flags >> flagStage & 3)
	e.AssumeValid = flags&flagAssumeValid != 0
	head := entryHead
	if flags&flagExtended != 0 {
		if version < 3 || len(s) < head+2 {
			return "", errIndex
		}
		more := be16(s[head:])
		e.SkipWorktree = more&flagSkipWorktree != 0
		e.IntentToAdd = more&flagIntentToAdd != 0
		head += 2
	}
	if version == 4 {
		return e.parseCompressed(s[head:], last)
	}
	end := strings.IndexByte(s[head:], 0)
	if end < 0 || int(flags&flagName) < flagName && end != int(flags&flagName) {
		return "", errIndex
	}
	e.Path = s[head : head+end]
	size := (head + end + 8) &^ 7 // one to eight NULs
	if size > len(s) {
		return "", errIndex
	}
	return s[size:], nil
}

// parseCompressed reads a version 4 path: how much of the previous one to drop
// from its end, then what to append.
func (e *IndexEntry) parseCompressed(s, last string) (string, error) {
	r := strings.NewReader(s)
	drop, err := offsetBack(r)
	if err != nil || drop > int64(len(last)) {
		return "", errIndex
	}
	s = s[len(s)-r.Len():]
	end := strings.IndexByte(s, 0)
	if end < 0 {
		return "", errIndex
	}
	e.Path = last[:len(last)-int(drop)] + s[:end]
	return s[end+1:], nil
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

func be32(s string) uint32 {
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

func be16(s string) uint16 { return uint16(s[0])<<8 | uint16(s[1]) }

// Encode returns the index as a file, of version 2, or 3 where flags need it.
// cacheTree is the body of its TREE extension, for instance from
// Objects.CacheTree; none when nil.
func (x *Index) Encode(cacheTree []byte) []byte {
	version := uint32(2)
	size := indexHeader
	for _, e := range x.Entries {
		if e.SkipWorktree || e.IntentToAdd {
			version = 3
		}
		size += entryHead + len(e.Path) + 10
	}
	b := make([]byte, 0, size+len(cacheTree)+8+len(ID{}))
	b = append(b, "DIRC"...)
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint32(b, uint32(len(x.Entries)))
	for i := range x.Entries {
		b = x.Entries[i].append(b)
	}
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
	for pad := 8 - (len(b)-start)%8; pad > 0; pad-- {
		b = append(b, 0)
	}
	return b
}
