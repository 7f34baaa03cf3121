package release

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"revstamp/vcs"
)

// arrivals reads the files that the target changes. Those that a release edits, which a
// plan reads all, are looked up together when the first of them is read; the others,
// which may be large and are seldom read, one by one. It may be used by several
// goroutines, and after close, too.
type arrivals struct {
	work *work

	mu     sync.Mutex // which also keeps the working copy to one goroutine at a time
	edited map[string]bool
	pages  vcs.Contents // of edited; nil before the first read
	closed bool
}

func (a *arrivals) read(ctx context.Context, name string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pages == nil && !a.closed && a.work.edits != nil {
		if err := a.open(ctx, name); err != nil {
			return nil, err
		}
	}
	if a.pages != nil && a.edited[name] {
		return a.pages.Read(name)
	}
	return a.work.wc.Read(ctx, a.work.target, name)
}

// open looks up the edited files if name is one of them.
func (a *arrivals) open(ctx context.Context, name string) (err error) {
	if a.edited == nil {
		a.edited = make(map[string]bool)
		for _, c := range a.work.target.Changes {
			abs := filepath.Join(a.work.wc.Dir(), filepath.FromSlash(c.Path))
			a.edited[c.Path] = c.Op != vcs.Deleted && c.Mode.IsRegular() && a.work.edits.role(abs) != RoleOther
		}
		maps.DeleteFunc(a.edited, func(_ string, edited bool) bool { return !edited })
	}
	if a.edited[name] {
		a.pages, err = a.work.wc.Contents(ctx, a.work.target, slices.Sorted(maps.Keys(a.edited)))
	}
	return err
}

func (a *arrivals) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pages != nil {
		a.pages.Close() // only read
	}
	a.pages, a.closed = nil, true
}
