package gitdir

import (
	"context"
	"slices"
)

// Copy adds a tag or commit of another repository, and all it reaches, as loose
// objects. What refers to others is written after them, so that an object that
// is here is whole, whenever the copying ends. It is durable after Sync.
func (o *Objects) Copy(ctx context.Context, from *Objects, id ID) error {
	kind, data, err := from.Read(id)
	if err != nil {
		return err
	}
	if kind == KindTag {
		below, err := taggedObject(data)
		if err != nil {
			return err
		}
		if err := o.Copy(ctx, from, below); err != nil {
			return err
		}
		_, err = o.Put(kind, data)
		return err
	}
	missing, err := o.missingCommits(ctx, from, id)
	if err != nil {
		return err
	}
	for _, c := range missing {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := o.copyTree(from, c.Tree); err != nil {
			return err
		}
		_, data, err := from.Read(c.ID)
		if err != nil {
			return err
		}
		if _, err := o.Put(KindCommit, data); err != nil {
			return err
		}
	}
	return nil
}

// missingCommits lists the commits reachable from id that are not here, parents
// before children.
func (o *Objects) missingCommits(ctx context.Context, from *Objects, id ID) ([]*Commit, error) {
	type frame struct {
		commit *Commit
		next   int // of its parents
	}
	var order []*Commit
	met := make(map[ID]bool)
	var stack []frame
	push := func(id ID) error {
		if met[id] {
			return nil
		}
		met[id] = true
		if ok, err := o.Has(id); ok || err != nil {
			return err
		}
		c, err := from.Commit(id)
		if err == nil {
			stack = append(stack, frame{commit: c})
		}
		return err
	}
	if err := push(id); err != nil {
		return nil, err
	}
	for len(stack) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		top := &stack[len(stack)-1]
		if top.next == len(top.commit.Parents) {
			order = append(order, top.commit)
			stack = slices.Delete(stack, len(stack)-1, len(stack))
			continue
		}
		top.next++
		if err := push(top.commit.Parents[top.next-1]); err != nil {
			return nil, err
		}
	}
	return order, nil
}

func (o *Objects) copyTree(from *Objects, tree ID) error {
	if ok, err := o.Has(tree); ok || err != nil {
		return err
	}
	kind, data, err := from.Read(tree)
	if err != nil {
		return err
	}
	entries, err := ParseTree(data)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Mode {
		case ModeDir:
			err = o.copyTree(from, e.ID)
		case ModeGitlink: // lies in another repository
		default:
			err = o.copyBlob(from, e.ID)
		}
		if err != nil {
			return err
		}
	}
	_, err = o.Put(kind, data)
	return err
}

func (o *Objects) copyBlob(from *Objects, id ID) error {
	if ok, err := o.Has(id); ok || err != nil {
		return err
	}
	data, err := from.Blob(id)
	if err != nil {
		return err
	}
	_, err = o.Put(KindBlob, data)
	return err
}
