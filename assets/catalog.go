package assets

import (
	"errors"
	"hash/maphash"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// catalog remembers what each path under the root is, and shares the memory
// among all who look.
type catalog struct {
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu sync.RWMutex
	m  map[string]*asset
}

// asset is what was found at a path.
type asset struct {
	path    string
	exists  bool // anything at all
	regular bool
	err     error // neither there nor missing
	kind    Kind  // 0: it has no references
	id      identity

	// own is what VersionOf says of it, set with the digest.
	own string

	// looked are the assets that were looked at for the digest of this one, which
	// has references. It is set with the digest, if lookups are tracked.
	looked []*asset

	digesting sync.Mutex
	digest    atomic.Pointer[digest]
}

func newCatalog() *catalog {
	return &catalog{seed: maphash.MakeSeed()}
}

// lookup returns what is at the slash path name.
func (c *catalog) lookup(fsys fs.FS, name []byte) *asset {
	s := &c.shards[maphash.Bytes(c.seed, name)%uint64(len(c.shards))]
	s.mu.RLock()
	a := s.m[string(name)]
	s.mu.RUnlock()
	if a != nil {
		return a
	}
	a = stat(fsys, string(name))
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.m[a.path]; first != nil {
		return first
	}
	if s.m == nil {
		s.m = make(map[string]*asset)
	}
	s.m[a.path] = a
	return a
}

func stat(fsys fs.FS, name string) *asset {
	a := &asset{path: name}
	if k, ok := KindOf(name); ok && !documents[strings.ToLower(path.Ext(name))] {
		a.kind = k
	}
	if !ValidPath(name) || strings.Contains(name, "\x00") {
		return a
	}
	info, err := fs.Stat(fsys, name)
	switch {
	case err == nil:
		a.exists, a.regular = true, info.Mode().IsRegular()
		a.id = identify(info, time.Now())
	case !isMissing(err):
		a.err = err
	}
	return a
}

// isMissing reports whether err says that no such file is or can be there.
func isMissing(err error) bool {
	for _, e := range []error{fs.ErrNotExist, fs.ErrInvalid, syscall.ENOTDIR, syscall.ENAMETOOLONG} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
