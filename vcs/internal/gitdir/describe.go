package gitdir

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Tags are the tags of a repository by the commit they end at.
type Tags map[ID]Tag

// Tag is the tag that names a commit best.
type Tag struct {
	Name      string // without "refs/tags/"
	Annotated bool
	made      time.Time
}

// Tags reads the tags. Of several at one commit an annotated one is preferred,
// of those the youngest, then the first by name, as git describe does. Tags of
// other things than commits are left out. more are tags that the repository
// does not have yet; one of its own by the same name goes first.
func (r *Repo) Tags(o *Objects, more []Ref) (Tags, error) {
	refs, err := r.Refs("refs/tags/")
	if err != nil {
		return nil, err
	}
	for _, ref := range more {
		if _, ok := refs[ref.Name]; !ok {
			refs[ref.Name] = ref
		}
	}
	names := make([]string, 0, len(refs))
	for name := range refs {
		names = append(names, name)
	}
	slices.Sort(names)
	tags := make(Tags)
	for _, name := range names {
		id, tag, err := o.peelTag(refs[name])
		if errors.Is(err, errNoCommit) {
			continue
		}
		if err != nil {
			return nil, err
		}
		tag.Name = strings.TrimPrefix(name, "refs/tags/")
		had, ok := tags[id]
		if !ok || tag.Annotated && (!had.Annotated || tag.made.After(had.made)) {
			tags[id] = tag
		}
	}
	return tags, nil
}

var errNoCommit = errors.New("not a commit")

// peelTag returns the commit of a tag. Only tag objects are read: packed-refs
// spares the commits.
func (o *Objects) peelTag(ref Ref) (ID, Tag, error) {
	if ref.Told && ref.Peeled.IsZero() {
		return ref.ID, Tag{}, nil
	}
	id, tag := ref.ID, Tag{}
	const deepest = 10
	for range deepest {
		kind, data, err := o.Read(id)
		if err != nil {
			return id, tag, err
		}
		switch kind {
		case KindCommit:
			return id, tag, nil
		case KindTag:
			if !tag.Annotated {
				tag.Annotated, tag.made = true, tagged(data)
			}
			if id, err = taggedObject(data); err != nil {
				return id, tag, err
			}
		default:
			return id, tag, errNoCommit
		}
	}
	return id, tag, errNoCommit
}

// tagged is when a tag object was made.
func tagged(data []byte) time.Time {
	for line := range strings.Lines(string(data)) {
		if line == "\n" {
			break
		}
		if who, ok := strings.CutPrefix(line, "tagger "); ok {
			_, when := parseSignature(strings.TrimSuffix(who, "\n"))
			return when
		}
	}
	return time.Time{}
}

// ErrTooFar says that a walk met its limit.
var ErrTooFar = errors.New("too many commits to walk")

// Describe names a commit as `git describe --tags --always --abbrev=12` does:
// the tag on it, or the tag with the fewest commits in between, their number
// and the commit's first digits, or only these. It follows git's algorithm
// (builtin/describe.c), its ten candidates included. Beyond limit commits it
// gives up with ErrTooFar; no limit when zero.
func (o *Objects) Describe(head ID, tags Tags, limit int) (string, error) {
	if tag, ok := tags[head]; ok {
		return tag.Name, nil
	}
	short := head.String()[:12]
	if len(tags) == 0 {
		return short, nil
	}
	d := describer{objects: o, tags: tags, limit: limit, flags: map[ID]uint16{head: seen}}
	c, err := o.Commit(head)
	if err != nil {
		return "", err
	}
	d.queue.insert(c)
	best, err := d.best()
	if err != nil || best == nil {
		return short, err
	}
	return fmt.Sprintf("%s-%d-g%s", best.name, best.depth, short), nil
}

const seen uint16 = 1

const maxCandidates = 10

// describer walks history from one commit. Each candidate owns a bit, with
// which the commits it reaches are flagged.
type describer struct {
	objects    *Objects
	tags       Tags
	limit      int
	queue      byDate
	flags      map[ID]uint16
	candidates []*candidate
	walked     int
}

type candidate struct {
	name   string
	depth  int // commits found that it does not reach
	within uint16
}

func (d *describer) best() (*candidate, error) {
	for len(d.queue) > 0 {
		c := d.queue.pop()
		tag, tagged := d.tags[c.ID]
		if tagged && len(d.candidates) == maxCandidates {
			d.queue = slices.Insert(d.queue, 0, c)
			break
		}
		d.walked++
		if tagged {
			bit := uint16(2) << len(d.candidates)
			d.candidates = append(d.candidates, &candidate{tag.Name, d.walked - 1, bit})
			d.flags[c.ID] |= bit
		}
		for _, t := range d.candidates {
			if d.flags[c.ID]&t.within == 0 {
				t.depth++
			}
		}
		if len(d.queue) == 0 && d.covered(c.ID) {
			break
		}
		if err := d.parents(c); err != nil {
			return nil, err
		}
	}
	if len(d.candidates) == 0 {
		return nil, nil
	}
	best := slices.MinFunc(d.candidates, func(a, b *candidate) int { return cmp.Compare(a.depth, b.depth) })
	return best, d.finish(best)
}

// covered reports whether the best candidates reach a commit, so that nothing
// below it, the last one to look at, can change their depth.
func (d *describer) covered(id ID) bool {
	if len(d.candidates) == 0 {
		return false
	}
	least := slices.MinFunc(d.candidates, func(a, b *candidate) int { return cmp.Compare(a.depth, b.depth) })
	for _, t := range d.candidates {
		if t.depth == least.depth && d.flags[id]&t.within == 0 {
			return false
		}
	}
	return true
}

// finish counts what the best candidate does not reach in what was not walked.
func (d *describer) finish(best *candidate) error {
	for len(d.queue) > 0 {
		c := d.queue.pop()
		if d.flags[c.ID]&best.within == 0 {
			best.depth++
		} else if !slices.ContainsFunc(d.queue, func(c *Commit) bool { return d.flags[c.ID]&best.within == 0 }) {
			return nil
		}
		if err := d.parents(c); err != nil {
			return err
		}
	}
	return nil
}

func (d *describer) parents(c *Commit) error {
	if d.limit > 0 && len(d.flags) > d.limit {
		return ErrTooFar
	}
	for _, id := range c.Parents {
		if d.flags[id]&seen == 0 {
			p, err := d.objects.node(id)
			if err != nil {
				return err
			}
			d.queue.insert(p)
		}
		d.flags[id] |= d.flags[c.ID]
	}
	return nil
}
