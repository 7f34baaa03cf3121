package vcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	gitproto "github.com/go-git/go-git/v5/plumbing/transport/git"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"

	"revstamp/vcs/internal/gitdir"
)

// server begins to talk to the server of a URL, which says first what it has.
func server(ctx context.Context, s *gitState, url string) (transport.UploadPackSession, *packp.AdvRefs, error) {
	at, err := transport.NewEndpoint(url)
	if err != nil {
		return nil, nil, err
	}
	tls, err := s.tls(url)
	if err != nil {
		return nil, nil, err
	}
	at.CaBundle, at.InsecureSkipTLS = tls.authorities, tls.unverified
	var client transport.Transport
	switch at.Protocol {
	case "http", "https":
		client = githttp.DefaultClient
	case "git":
		client = gitproto.DefaultClient
	default:
		return nil, nil, &UnsupportedError{System: "git", Feature: fmt.Sprintf("a remote by %q", at.Protocol), Install: "git"}
	}
	session, err := client.NewUploadPackSession(at, nil)
	if err != nil {
		return nil, nil, err
	}
	has, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		session.Close() // nothing was begun
		return nil, nil, err
	}
	return session, has, nil
}

// redacted is an error of the network, whose text may hold a URL.
func redacted(err error) error {
	var unsupported *UnsupportedError
	if err == nil || errors.As(err, &unsupported) {
		return err
	}
	return errors.New(redact(err.Error()))
}

func listURL(ctx context.Context, s *gitState, url string) (map[string]gitdir.ID, error) {
	session, has, err := server(ctx, s, url)
	if err != nil {
		return nil, redacted(err)
	}
	defer session.Close() // nothing is asked of it
	all := make(map[string]gitdir.ID)
	for name, hash := range has.References {
		all[name] = gitdir.ID(hash)
	}
	for name, hash := range has.Peeled {
		all[name+"^{}"] = gitdir.ID(hash)
	}
	if has.Head != nil {
		all["HEAD"] = gitdir.ID(*has.Head)
	}
	return all, nil
}

// fetchURL stores what refs (full names, or ids) reach, and is not here.
func fetchURL(ctx context.Context, s *gitState, url string, refs []string) error {
	session, has, err := server(ctx, s, url)
	if err != nil {
		return redacted(err)
	}
	defer session.Close() // what was received is whole, or an error
	ask := packp.NewUploadPackRequestFromCapabilities(has.Capabilities)
	ask.Capabilities.Delete(capability.ThinPack) // the pack is kept as it is
	if has.Capabilities.Supports(capability.NoProgress) {
		if err := ask.Capabilities.Set(capability.NoProgress); err != nil {
			return err
		}
	}
	if ask.Wants, err = wanted(s, has, refs); err != nil || len(ask.Wants) == 0 {
		return err
	}
	if ask.Haves, err = offered(s); err != nil {
		return err
	}
	if len(s.cut) > 0 {
		if err := ask.Capabilities.Set(capability.Shallow); err != nil {
			return err
		}
		for id := range s.cut {
			ask.Shallows = append(ask.Shallows, plumbing.Hash(id))
		}
	}
	answer, err := session.UploadPack(ctx, ask)
	if err != nil {
		return redacted(err)
	}
	defer answer.Close() // read to its end
	return redacted(storePack(s, pack(ask.Capabilities, answer)))
}

// pack is the part of an answer that is a pack.
func pack(c *capability.List, answer io.Reader) io.Reader {
	switch {
	case c.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, answer)
	case c.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, answer)
	}
	return answer
}

// storePack writes a pack, and its index once it is whole.
func storePack(s *gitState, pack io.Reader) error {
	store := filesystem.NewObjectStorage(dotgit.New(osfs.New(s.Common)), cache.NewObjectLRUDefault())
	return errors.Join(packfile.WritePackfileToObjectStorage(store, pack), store.Close())
}

// wanted are the ids of refs that are not here. An id by itself can be asked
// for where a ref is at it, or the server allows more.
func wanted(s *gitState, has *packp.AdvRefs, refs []string) ([]plumbing.Hash, error) {
	var wants []plumbing.Hash
	for _, ref := range refs {
		hash, known := has.References[ref]
		if id, err := gitdir.ParseID(ref); err == nil {
			hash = plumbing.Hash(id)
			known = has.Capabilities.Supports(capability.AllowReachableSHA1InWant) || atRef(has, hash)
		}
		if !known {
			return nil, fmt.Errorf("the server does not give %s", ref)
		}
		if here, err := s.objects.Has(gitdir.ID(hash)); err != nil {
			return nil, err
		} else if !here && !slices.Contains(wants, hash) {
			wants = append(wants, hash)
		}
	}
	return wants, nil
}

func atRef(has *packp.AdvRefs, hash plumbing.Hash) bool {
	for _, h := range has.References {
		if h == hash {
			return true
		}
	}
	return has.Head != nil && *has.Head == hash
}

// mostOffered is how many commits a server is told that are here: upstream may
// have been forced back behind all refs, and what it shares with us then need
// not be sent again.
const mostOffered = 256

// offered are the tips of the refs, and commits before HEAD.
func offered(s *gitState) ([]plumbing.Hash, error) {
	refs, err := s.Refs("refs/")
	if err != nil {
		return nil, err
	}
	seen := make(map[gitdir.ID]bool)
	var haves []plumbing.Hash
	offer := func(id gitdir.ID) bool {
		if seen[id] || id.IsZero() {
			return false
		}
		seen[id] = true
		haves = append(haves, plumbing.Hash(id))
		return true
	}
	for _, ref := range refs {
		offer(ref.ID)
	}
	if s.commit == nil {
		return haves, nil
	}
	offer(s.commit.ID)
	for next := []*gitdir.Commit{s.commit}; len(next) > 0 && len(haves) < len(refs)+mostOffered; next = next[1:] {
		if s.cut[next[0].ID] {
			continue
		}
		for _, parent := range next[0].Parents {
			if !offer(parent) {
				continue
			}
			c, err := s.objects.Commit(parent)
			if err != nil {
				return nil, err
			}
			next = append(next, c)
		}
	}
	return haves, nil
}
