package gearman

import (
	"cmp"
	"hash/fnv"
	"io"
	"slices"
)

// rank returns servers in the order in which a key tries them. Every client with
// the same set of servers finds the same order, and when a server is added or
// removed only the keys it wins or had move: each server has a score for each
// key, and the highest is first.
func rank(servers []string, key string) []string {
	type scored struct {
		server string
		score  uint64
	}
	all := make([]scored, len(servers))
	for i, server := range servers {
		h := fnv.New64a()
		io.WriteString(h, server)
		h.Write([]byte{0})
		io.WriteString(h, key)
		all[i] = scored{server, mix(h.Sum64())}
	}
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.server, b.server))
	})
	ranked := make([]string, len(all))
	for i, s := range all {
		ranked[i] = s.server
	}
	return ranked
}

// mix spreads every bit of x over all others (the finalizer of MurmurHash3):
// FNV's high bits hardly know the last bytes, where keys and ports differ.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
