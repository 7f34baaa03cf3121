package gitdir

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// pack is one pack and its index, version 2, read where needed instead of
// loaded: the index of a large history is tens of megabytes.
//
//	\377tOc 2 | 256 counts by first byte | ids | CRCs | offsets | large offsets
type pack struct {
	name      string // of the index
	idx, data *os.File
	fanout    [256]uint32
	ids       [256][]byte // by first byte, as far as they were needed
	offsets   [256][]byte // the same of the offsets
}

const (
	idxMagic  = "\xfftOc\x00\x00\x00\x02"
	idxHeader = int64(len(idxMagic)) + 4*256
	idSize    = int64(len(ID{}))
)

func openPack(idx string) (_ *pack, err error) {
	p := &pack{name: idx}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.idx, err = os.Open(idx); err != nil {
		return nil, err
	}
	if p.data, err = os.Open(strings.TrimSuffix(idx, ".idx") + ".pack"); err != nil {
		return nil, err
	}
	var head [idxHeader]byte
	if _, err := p.idx.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("pack index %q: %w", idx, err)
	}
	if string(head[:len(idxMagic)]) != idxMagic {
		return nil, &UnknownError{"a pack index of another version than 2"}
	}
	last := uint32(0)
	for i := range p.fanout {
		p.fanout[i] = binary.BigEndian.Uint32(head[len(idxMagic)+4*i:])
		if p.fanout[i] < last {
			return nil, fmt.Errorf("pack index %q: counts decrease", idx)
		}
		last = p.fanout[i]
	}
	return p, nil
}

func (p *pack) close() error {
	var errs []error
	for _, f := range []*os.File{p.idx, p.data} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// largestKept is the number of objects up to which a pack's lists of ids and
// offsets are kept in memory, 6 MB then. Of a larger one it is read where it is looked at.
const largestKept = 1 << 18

// id returns the i-th id, which begins with first.
func (p *pack) id(i uint32, first byte) (id ID, err error) {
	if p.fanout[255] > largestKept {
		_, err = p.idx.ReadAt(id[:], idxHeader+idSize*int64(i))
		return id, err
	}
	low := p.below(first)
	if p.ids[first] == nil {
		ids := make([]byte, idSize*int64(p.fanout[first]-low))
		if _, err := p.idx.ReadAt(ids, idxHeader+idSize*int64(low)); err != nil {
			return id, err
		}
		p.ids[first] = ids
	}
	return ID(p.ids[first][idSize*int64(i-low):]), nil
}

// below is how many ids begin with a lesser byte.
func (p *pack) below(first byte) uint32 {
	if first == 0 {
		return 0
	}
	return p.fanout[first-1]
}

// position returns where id is or would be in the sorted list.
func (p *pack) position(id ID) (uint32, bool, error) {
	low, high := p.below(id[0]), p.fanout[id[0]]
	for low < high {
		mid := low + (high-low)/2
		at, err := p.id(mid, id[0])
		if err != nil {
			return 0, false, err
		}
		switch c := bytes.Compare(at[:], id[:]); {
		case c == 0:
			return mid, true, nil
		case c < 0:
			low = mid + 1
		default:
			high = mid
		}
	}
	return low, false, nil
}

// find returns the offset of an object in the pack.
func (p *pack) find(id ID) (int64, bool, error) {
	i, ok, err := p.position(id)
	if err != nil || !ok {
		return 0, false, err
	}
	offset, err := p.offset(i, id[0])
	if err != nil {
		return 0, false, err
	}
	const large = 1 << 31
	if offset < large {
		return int64(offset), true, nil
	}
	var b [8]byte
	count := int64(p.fanout[255])
	if _, err := p.idx.ReadAt(b[:], idxHeader+count*(idSize+4+4)+8*int64(offset-large)); err != nil {
		return 0, false, err
	}
	return int64(binary.BigEndian.Uint64(b[:])), true, nil
}

// offset returns the offset of the i-th object, whose id begins with first, as
// the index has it.
func (p *pack) offset(i uint32, first byte) (uint32, error) {
	table := idxHeader + int64(p.fanout[255])*(idSize+4)
	if p.fanout[255] > largestKept {
		var b [4]byte
		_, err := p.idx.ReadAt(b[:], table+4*int64(i))
		return binary.BigEndian.Uint32(b[:]), err
	}
	low := p.below(first)
	if p.offsets[first] == nil {
		offsets := make([]byte, 4*int64(p.fanout[first]-low))
		if _, err := p.idx.ReadAt(offsets, table+4*int64(low)); err != nil {
			return 0, err
		}
		p.offsets[first] = offsets
	}
	return binary.BigEndian.Uint32(p.offsets[first][4*(i-low):]), nil
}

// from lists the ids from low on that begin with prefix.
func (p *pack) from(low ID, prefix string) ([]ID, error) {
	i, _, err := p.position(low)
	if err != nil {
		return nil, err
	}
	var ids []ID
	for ; i < p.fanout[low[0]]; i++ { // a prefix has two digits or more
		id, err := p.id(i, low[0])
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(id.String(), prefix) {
			break
		}
		ids = append(ids, id)
	}
	return ids, nil
}

const (
	kindOffsetDelta Kind = 6
	kindRefDelta    Kind = 7

	// deepestDelta is far beyond what git makes (50; 250 when aggressive).
	deepestDelta = 10_000
)

// deltaCache keeps trees and what deltas build on: walking the trees of one
// commit after the other reads the same ones again and again.
type deltaCache struct {
	entries map[cacheKey]cached
	size    int
}

type cacheKey struct {
	pack   *pack
	offset int64
}

type cached struct {
	kind Kind
	data []byte
}

func (c *deltaCache) add(key cacheKey, v cached) {
	const most, largest = 16 << 20, 1 << 20
	if _, known := c.entries[key]; known || len(v.data) > largest {
		return
	}
	if c.entries == nil || c.size > most {
		c.entries, c.size = make(map[cacheKey]cached), 0
	}
	c.entries[key] = v
	c.size += len(v.data)
}

func (o *Objects) readPacked(p *pack, offset int64, depth int) (Kind, []byte, error) {
	if v, ok := o.cache.entries[cacheKey{p, offset}]; ok {
		return v.kind, v.data, nil
	}
	if depth > deepestDelta {
		return 0, nil, errors.New("pack: chain of deltas is too long")
	}
	r := o.in.at(p.data, offset)
	kind, size, err := entryHeader(r)
	if err != nil {
		return 0, nil, fmt.Errorf("pack: %w", err)
	}
	base := int64(-1)
	switch kind {
	case KindCommit, KindTree, KindBlob, KindTag:
		data, err := o.in.inflate(size)
		if kind == KindTree && err == nil {
			o.cache.add(cacheKey{p, offset}, cached{kind, data})
		}
		return kind, data, err
	case kindOffsetDelta:
		back, err := offsetBack(r)
		if err != nil || back <= 0 || back > offset {
			return 0, nil, errors.Join(errors.New("pack: malformed delta"), err)
		}
		base = offset - back
	case kindRefDelta:
		if base, err = refBase(p, r); err != nil {
			return 0, nil, err
		}
	default:
		return 0, nil, fmt.Errorf("pack: object of unknown kind %d", kind)
	}
	delta, err := o.in.inflate(size)
	if err != nil {
		return 0, nil, err
	}
	kind, data, err := o.readPacked(p, base, depth+1)
	if err != nil {
		return 0, nil, err
	}
	o.cache.add(cacheKey{p, base}, cached{kind, data})
	if data, err = applyDelta(data, delta); err != nil {
		return 0, nil, err
	}
	if kind == KindTree {
		o.cache.add(cacheKey{p, offset}, cached{kind, data})
	}
	return kind, data, nil
}

// refBase reads the id of a base, which lies in the same pack, and returns where.
func refBase(p *pack, r io.Reader) (int64, error) {
	var id ID
	if _, err := io.ReadFull(r, id[:]); err != nil {
		return 0, err
	}
	at, ok, err := p.find(id)
	if err == nil && !ok {
		err = fmt.Errorf("pack: delta base %s: %w", id, ErrNotFound)
	}
	return at, err
}

// entryHeader reads a kind of three bits and a size of 4 bits and then 7 a byte.
func entryHeader(r io.ByteReader) (Kind, int64, error) {
	b, err := r.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	kind, size := Kind(b>>4&7), int64(b&15)
	for shift := 4; b&0x80 != 0; shift += 7 {
		if b, err = r.ReadByte(); err != nil {
			return 0, 0, err
		}
		if shift > 53 {
			return 0, 0, errors.New("object size is out of range")
		}
		size |= int64(b&0x7f) << shift
	}
	return kind, size, nil
}

// offsetBack reads the distance to a base: big endian, 7 bits a byte, one added
// for each byte that follows.
func offsetBack(r io.ByteReader) (int64, error) {
	b, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	n := int64(b & 0x7f)
	for b&0x80 != 0 {
		if b, err = r.ReadByte(); err != nil {
			return 0, err
		}
		if n >= 1<<54 {
			return 0, errors.New("delta offset is out of range")
		}
		n = (n+1)<<7 | int64(b&0x7f)
	}
	return n, nil
}

// inflate decompresses what follows the header of a packed object.
func (in *inflater) inflate(size int64) ([]byte, error) {
	z, err := in.open()
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	data, err := readExactly(z, size)
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return data, nil
}

var errDelta = errors.New("pack: malformed delta")

// applyDelta builds an object from its base: two sizes, then copies from the
// base (high bit set) and insertions.
func applyDelta(base, delta []byte) ([]byte, error) {
	from, n := binary.Uvarint(delta)
	if n <= 0 || from != uint64(len(base)) {
		return nil, errDelta
	}
	delta = delta[n:]
	size, n := binary.Uvarint(delta)
	if n <= 0 || size > 1<<40 {
		return nil, errDelta
	}
	delta = delta[n:]
	out := make([]byte, 0, min(size, 1<<20))
	for len(delta) > 0 {
		op := delta[0]
		delta = delta[1:]
		if op&0x80 == 0 {
			if op == 0 || int(op) > len(delta) {
				return nil, errDelta
			}
			out, delta = append(out, delta[:op]...), delta[op:]
			continue
		}
		var offset, length uint32
		var ok bool
		if offset, length, delta, ok = copyArgs(op, delta); !ok ||
			uint64(offset)+uint64(length) > uint64(len(base)) {
			return nil, errDelta
		}
		out = append(out, base[offset:offset+length]...)
		if uint64(len(out)) > size {
			return nil, errDelta
		}
	}
	if uint64(len(out)) != size {
		return nil, errDelta
	}
	return out, nil
}

// copyArgs reads the bytes of offset and length that op's bits announce.
func copyArgs(op byte, delta []byte) (offset, length uint32, rest []byte, ok bool) {
	var v [7]uint32
	for i := range v {
		if op>>i&1 == 0 {
			continue
		}
		if len(delta) == 0 {
			return 0, 0, nil, false
		}
		v[i], delta = uint32(delta[0]), delta[1:]
	}
	offset = v[0] | v[1]<<8 | v[2]<<16 | v[3]<<24
	length = v[4] | v[5]<<8 | v[6]<<16
	if length == 0 {
		length = 0x10000
	}
	return offset, length, delta, true
}
