package vcs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"revstamp/vcs/internal/gitdir"
)

// found is what a name stands for.
type found struct {
	id     gitdir.ID    // a commit, or a tag of one; its objects are here
	branch string       // as a person would call it, "origin/main"; "" when it is no branch
	tag    string       // the tag's name when it was asked for
	tags   []gitdir.Ref // the remote's tags of commits that are here, which are not here themselves
	refs   []refMove    // what Update moves along
}

// find resolves the name that an update is to go to, asking the remote for names
// that may have moved there, and fetches what it stands for.
func (g *gitCopy) find(ctx context.Context, s *gitState, want string) (*found, error) {
	if want == "" {
		return g.findUpstream(ctx, s)
	}
	return g.findAny(ctx, s, want, s.onBranch)
}

// findCommit resolves a name only to read what it stands for, which may be any
// branch. "" is what is on disk.
func (g *gitCopy) findCommit(ctx context.Context, s *gitState, want string) (*gitdir.Commit, error) {
	if want == "" {
		want = "HEAD"
	}
	f, err := g.findAny(ctx, s, want, func(string) error { return nil })
	if err != nil {
		return nil, err
	}
	return s.objects.Commit(f.id)
}

// findAny resolves a name. allow may refuse a branch, by its full name, before
// anything of it is fetched.
func (g *gitCopy) findAny(ctx context.Context, s *gitState, want string, allow func(ref string) error) (*found, error) {
	if want == "HEAD" {
		return g.findHead(s)
	}
	if id, err := gitdir.ParseID(want); err == nil {
		return g.findID(ctx, s, id, want)
	}
	if !validRef(want) {
		return nil, &UnknownRevisionError{Want: want, Detail: "no name that git allows"}
	}
	return g.findName(ctx, s, want, allow)
}

// validRef keeps what cannot be part of a ref away from git's patterns and
// options, see git-check-ref-format(1).
func validRef(name string) bool {
	if strings.HasPrefix(name, "-") || strings.Contains(name, "..") || strings.Contains(name, "@{") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r)
	})
}

func (g *gitCopy) findHead(s *gitState) (*found, error) {
	if s.commit == nil {
		return nil, &UnknownRevisionError{Want: "HEAD", Detail: "there is no commit yet"}
	}
	return &found{id: s.commit.ID}, nil
}

// findUpstream takes the newest of what the current branch follows, or of the
// branch of its name where nothing is configured.
func (g *gitCopy) findUpstream(ctx context.Context, s *gitState) (*found, error) {
	remote := s.remote()
	if s.head.Branch == "" || remote == "" {
		return g.findHead(s)
	}
	ref := s.config.String(s.branchKey("merge"))
	if ref == "" {
		ref = s.head.Branch
	}
	return g.findBranch(ctx, s, remote, ref)
}

func (g *gitCopy) findBranch(ctx context.Context, s *gitState, remote, ref string) (*found, error) {
	if remote == "." { // the upstream is a branch of this repository
		id, err := s.Ref(ref)
		if err != nil {
			return nil, unknownRef(ref, err)
		}
		return &found{id: id, branch: strings.TrimPrefix(ref, "refs/heads/")}, nil
	}
	listed, err := g.host.list(ctx, s, remote, []string{ref, "refs/tags/*"})
	if err != nil {
		return nil, err
	}
	if _, ok := listed[ref]; !ok {
		return nil, &UnknownRevisionError{Want: strings.TrimPrefix(ref, "refs/heads/"),
			Detail: "no such branch at " + redact(remote)}
	}
	return g.take(ctx, s, remote, ref, listed)
}

func unknownRef(ref string, err error) error {
	if errors.Is(err, gitdir.ErrNotFound) {
		return &UnknownRevisionError{Want: ref}
	}
	return err
}

// findName looks a branch or a tag up: at the remote, where it may have moved,
// else here; and last takes it for a shortened id.
func (g *gitCopy) findName(ctx context.Context, s *gitState, want string, allow func(string) error) (*found, error) {
	remote, head, tag := s.remote(), "refs/heads/"+want, "refs/tags/"+want
	switch {
	case strings.HasPrefix(want, "refs/heads/"):
		head, tag = want, ""
	case strings.HasPrefix(want, "refs/tags/"):
		head, tag = "", want
	default:
		short := strings.TrimPrefix(want, "refs/remotes/")
		for _, r := range s.remotes() {
			if name, ok := strings.CutPrefix(short, r+"/"); ok {
				remote, head, tag = r, "refs/heads/"+name, ""
			}
		}
	}
	listed := make(map[string]gitdir.ID)
	if remote != "" && remote != "." {
		var err error
		names := slices.DeleteFunc([]string{head, "refs/tags/*"}, func(n string) bool { return n == "" })
		if listed, err = g.host.list(ctx, s, remote, names); err != nil {
			return nil, err
		}
	}
	_, isHead := listed[head]
	_, isTag := listed[tag]
	switch {
	case isHead && isTag:
		return nil, &UnknownRevisionError{Want: want,
			Detail: fmt.Sprintf("both a branch and a tag: say %s or %s", head, tag)}
	case isHead:
		if err := allow(head); err != nil {
			return nil, err
		}
		return g.take(ctx, s, remote, head, listed)
	case isTag:
		return g.take(ctx, s, remote, tag, listed)
	}
	return g.findHere(ctx, s, want, head, tag, allow)
}

// onBranch refuses another branch than the one that is checked out: to move
// this one there would tie the two together for good.
func (s *gitState) onBranch(ref string) error {
	if s.head.Branch == "" || ref == s.head.Branch || ref == s.config.String(s.branchKey("merge")) {
		return nil
	}
	return &BranchError{
		Current: strings.TrimPrefix(s.head.Branch, "refs/heads/"),
		Want:    strings.TrimPrefix(ref, "refs/heads/"),
	}
}

// findHere looks for what the remote, if there is one, does not know.
func (g *gitCopy) findHere(ctx context.Context, s *gitState, want, head, tag string, allow func(string) error) (*found, error) {
	if id, err := s.Ref(tag); tag != "" && err == nil {
		return &found{id: id, tag: strings.TrimPrefix(tag, "refs/tags/")}, nil
	}
	if id, err := s.Ref(head); head != "" && err == nil {
		if err := allow(head); err != nil {
			return nil, err
		}
		// One that follows a branch is wherever that is, or nowhere: it was
		// deleted there, and what is here of it is the past.
		branch := "branch." + strings.TrimPrefix(head, "refs/heads/")
		if remote, ref := s.config.String(branch+".remote"), s.config.String(branch+".merge"); remote != "" && ref != "" {
			return g.findBranch(ctx, s, remote, ref)
		}
		return &found{id: id, branch: want}, nil
	}
	if gitdir.ShortHex(strings.ToLower(want)) {
		return g.findPrefix(ctx, s, strings.ToLower(want))
	}
	return nil, &UnknownRevisionError{Want: want}
}

// findID takes a full id, fetching it where it is not here: by itself, which
// servers may refuse, or among all branches.
func (g *gitCopy) findID(ctx context.Context, s *gitState, id gitdir.ID, want string) (*found, error) {
	if ok, err := s.whole(id); ok || err != nil {
		return &found{id: id}, err
	}
	remote := s.remote()
	if remote == "" || remote == "." {
		if ok, err := s.objects.Has(id); ok || err != nil {
			return &found{id: id}, err
		}
		return nil, &UnknownRevisionError{Want: want}
	}
	first := g.host.fetch(ctx, s, remote, []string{id.String()})
	if first != nil {
		if err := g.fetchAll(ctx, s, remote); err != nil {
			return nil, errors.Join(first, err)
		}
	}
	if ok, err := s.objects.Has(id); !ok || err != nil {
		return nil, errors.Join(&UnknownRevisionError{Want: want}, err)
	}
	return &found{id: id}, nil
}

// whole reports whether everything that a commit or tag reaches is here. That
// it is here itself does not say so: a git fetch that was killed, or that met a
// full disk, leaves commits without their files. What a ref or HEAD reaches is
// whole, for git moves those last; of anything else fetch makes sure.
func (s *gitState) whole(id gitdir.ID) (bool, error) {
	if s.commit != nil && s.commit.ID == id {
		return true, nil
	}
	if ok, err := s.objects.Has(id); !ok || err != nil {
		return false, err
	}
	refs, err := s.Refs("refs/")
	if err != nil {
		return false, err
	}
	for _, ref := range refs {
		if ref.ID == id {
			return true, nil
		}
	}
	if s.commit == nil {
		return false, nil
	}
	_, missing, err := s.objects.Compare(s.commit.ID, id, s.cut)
	if errors.Is(err, gitdir.ErrNotFound) {
		return false, nil
	}
	return err == nil && len(missing) == 0, err
}

func (g *gitCopy) fetchAll(ctx context.Context, s *gitState, remote string) error {
	listed, err := g.host.list(ctx, s, remote, []string{"refs/heads/*"})
	if err != nil || len(listed) == 0 {
		return err
	}
	return g.host.fetch(ctx, s, remote, slices.Sorted(maps.Keys(listed)))
}

func (g *gitCopy) findPrefix(ctx context.Context, s *gitState, prefix string) (*found, error) {
	ids, err := s.commitsFrom(prefix)
	if err != nil {
		return nil, err
	}
	if remote := s.remote(); len(ids) == 0 && remote != "" && remote != "." {
		if err := g.fetchAll(ctx, s, remote); err != nil {
			return nil, err
		}
		if ids, err = s.commitsFrom(prefix); err != nil {
			return nil, err
		}
	}
	switch len(ids) {
	case 0:
		return nil, &UnknownRevisionError{Want: prefix}
	case 1:
		return &found{id: ids[0]}, nil
	}
	return nil, &UnknownRevisionError{Want: prefix, Detail: fmt.Sprintf("%d commits begin with it", len(ids))}
}

// commitsFrom lists the commits whose ids begin with prefix.
func (s *gitState) commitsFrom(prefix string) ([]gitdir.ID, error) {
	ids, err := s.objects.Find(prefix)
	if err != nil {
		return nil, err
	}
	var commits []gitdir.ID
	for _, id := range ids {
		kind, _, err := s.objects.Read(id)
		if err != nil {
			return nil, err
		}
		if kind == gitdir.KindCommit {
			commits = append(commits, id)
		}
	}
	return commits, nil
}

// take makes the objects of a listed ref available, and those of the tags that
// come with it.
func (g *gitCopy) take(ctx context.Context, s *gitState, remote, ref string, listed map[string]gitdir.ID) (*found, error) {
	f := &found{id: listed[ref]}
	ok, err := s.whole(f.id)
	if err != nil {
		return nil, err
	}
	if !ok {
		if err := g.host.fetch(ctx, s, remote, []string{ref}); err != nil {
			return nil, err
		}
	}
	if name, is := strings.CutPrefix(ref, "refs/heads/"); is {
		f.branch = redact(remote) + "/" + name
		if tracking := s.tracking(remote, ref); tracking != "" {
			f.refs = append(f.refs, refMove{name: tracking, to: f.id})
		}
	} else {
		f.tag = strings.TrimPrefix(ref, "refs/tags/")
	}
	return f, g.followTags(ctx, s, remote, listed, f)
}

// followTags finds the remote's new tags of commits that are here, as git fetch
// does, so that a description by tags is not out of date. It leaves out what could
// not be made, because a tag that is here is in the way: an update must not fail by
// it when all else is done.
func (g *gitCopy) followTags(ctx context.Context, s *gitState, remote string, listed map[string]gitdir.ID, f *found) error {
	here, err := s.Refs("refs/tags/")
	if err != nil {
		return err
	}
	taken := make(map[string]bool) // by a tag, or as a directory of tags
	take := func(name string) {
		for ; name != "refs/tags" && !taken[name]; name = path.Dir(name) {
			taken[name] = true
		}
	}
	for name := range here {
		take(name)
	}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if !strings.HasPrefix(name, "refs/tags/") || strings.HasSuffix(name, "^{}") {
			continue
		}
		if taken[name] || belowTag(name, here) {
			continue
		}
		ref := gitdir.Ref{Name: name, ID: listed[name], Peeled: listed[name+"^{}"], Told: true}
		commit := ref.ID
		if !ref.Peeled.IsZero() {
			commit = ref.Peeled
		}
		if ok, err := s.objects.Has(commit); err != nil {
			return err
		} else if !ok {
			continue
		}
		if ok, err := s.objects.Has(ref.ID); err != nil {
			return err
		} else if !ok {
			missing = append(missing, name)
		}
		ref.Told = ref.Peeled.IsZero()
		take(name)
		here[name] = ref
		f.tags = append(f.tags, ref)
		f.refs = append(f.refs, refMove{name: name, to: ref.ID})
	}
	if len(missing) == 0 {
		return nil
	}
	return g.host.fetch(ctx, s, remote, missing)
}

// belowTag reports whether one of tags has the name of a directory that tag is in.
func belowTag(tag string, tags map[string]gitdir.Ref) bool {
	for dir := path.Dir(tag); dir != "refs/tags"; dir = path.Dir(dir) {
		if _, ok := tags[dir]; ok {
			return true
		}
	}
	return false
}

// tracking is the ref that stands for a remote's branch here, by the remote's
// fetch patterns; "" when none does.
func (s *gitState) tracking(remote, ref string) string {
	for _, spec := range s.config.All("remote." + remote + ".fetch") {
		from, to, ok := strings.Cut(strings.TrimPrefix(spec, "+"), ":")
		if !ok {
			continue
		}
		if from == ref {
			return to
		}
		before, after, star := strings.Cut(from, "*")
		if star && len(ref) >= len(before)+len(after) &&
			strings.HasPrefix(ref, before) && strings.HasSuffix(ref, after) {
			return strings.Replace(to, "*", ref[len(before):len(ref)-len(after)], 1)
		}
	}
	return ""
}
