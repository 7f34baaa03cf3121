package assets

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"revstamp/stamp/atomicfile"
)

// InPlace rewrites documents where they lie.
type InPlace struct {
	// Site gives the versions. It is used for one call of Rewrite.
	Site *Site
	// Root is the directory that Site.FS is, and Base the one that documents
	// outside of it, as templates, lie in: a symbolic link that leads a document out
	// of the one it is in is an error. With "" nothing is asked of the documents
	// that are in neither.
	Root, Base string
	// Cache remembers documents that need no rewriting; nil reads them all.
	Cache *Cache
	// Files are the options of what is written; its Root is set for each file. Its
	// functions may be called by several goroutines at once.
	Files atomicfile.Options
	// Quiet is how long a document must not have changed: another is left for a
	// later call, for somebody may be in the middle of writing it.
	Quiet time.Duration
	// Progress, if not nil, is told how many documents are done. It may be called
	// by several goroutines at once.
	Progress func(done int)
}

// Rewritten is what became of one document.
type Rewritten struct {
	Document
	Changed    bool        // it was written anew
	Cached     bool        // it was not read, for neither it nor what it depends on has changed
	Unquiet    bool        // it was left, for it has just changed
	References int         // how many it has
	Missing    []Reference // where they are in what was written
	Mismatched []Reference
	Skipped    string
	Err        error // what went wrong; the file is as it was

	depends
	before identity // before it was read
	after  identity // of what took its place
	file   *atomicfile.File
}

// commitSize is how many bytes of documents, as they were and as they become, are
// put in place by one batch: enough for what a batch costs, and not much memory.
const commitSize = 4 << 20

// Rewrite gives the references of documents, whose names are those of files,
// their versions, and writes those that change, on all processors, keeping mode
// and owner. It returns what became of each, in their order. What goes wrong with
// one is told there, and the others are rewritten all the same; the error is of
// the site's settings, or that of a context that was cancelled: what was written
// by then stays.
//
// Each file is wholly old or wholly new at any time. Many are not changed at one
// instant: pages refer to files that are there before and after, so that none of
// them waits for another.
func (p *InPlace) Rewrite(ctx context.Context, docs []Document) ([]Rewritten, error) {
	config, err := p.Site.ready()
	if err != nil {
		return nil, err
	}
	all := make([]Rewritten, len(docs))
	for i := range docs {
		all[i].Document = docs[i]
	}
	if p.Cache != nil && !config.knowsNames() && config.versionOf == nil {
		config.track = true
		if err := p.Cache.restore(ctx, config, all); err != nil {
			return nil, err
		}
	}
	run := &rewriting{InPlace: p, all: all}
	if err := run.do(ctx); err != nil {
		return nil, err
	}
	if config.track {
		p.Cache.keep(config, all, p.Root)
	}
	return all, nil
}

// rewriting is one call of Rewrite.
type rewriting struct {
	*InPlace
	all  []Rewritten
	done atomic.Int64
}

// unit is some documents of one directory. Two batches in a directory would wait
// for each other, and so they are committed one after another.
type unit struct {
	docs []*Rewritten
	dir  *sync.Mutex
}

// unitSize is how many documents a unit has at most.
const unitSize = 64

// do rewrites what is not cached.
func (r *rewriting) do(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, u := range r.units() {
		group.Go(func() error { return r.unit(ctx, u) })
	}
	return group.Wait()
}

// units divides the documents. Those that are assets, too, come first: until their
// change is some time ago, what refers to them cannot be remembered.
func (r *rewriting) units() []unit {
	first, last := make(map[string][]*Rewritten), make(map[string][]*Rewritten)
	for i := range r.all {
		d, in := &r.all[i], last
		if d.Cached {
			r.done.Add(1)
			continue
		}
		if d.Path != "" && mayBeAsset([]byte(d.Path)) {
			in = first
		}
		dir := filepath.Dir(d.Name)
		in[dir] = append(in[dir], d)
	}
	locks := make(map[string]*sync.Mutex)
	return slices.Concat(divide(first, locks), divide(last, locks))
}

// divide makes units of documents by directory, in such an order that one seldom
// follows another of its directory: of the directories, that which has most left is
// the next.
func divide(dirs map[string][]*Rewritten, locks map[string]*sync.Mutex) []unit {
	names := slices.Sorted(maps.Keys(dirs))
	var units []unit
	for before := ""; ; {
		next := ""
		for _, dir := range names {
			if dir != before && len(dirs[dir]) > len(dirs[next]) {
				next = dir
			}
		}
		if next == "" {
			next = before
		}
		if len(dirs[next]) == 0 {
			return units
		}
		if locks[next] == nil {
			locks[next] = new(sync.Mutex)
		}
		n := min(unitSize, len(dirs[next]))
		units = append(units, unit{dirs[next][:n], locks[next]})
		dirs[next] = dirs[next][n:]
		before = next
	}
}

func (r *rewriting) unit(ctx context.Context, u unit) error {
	c := commit{rewriting: r, dir: u.dir}
	defer c.batch.Close()
	for _, d := range u.docs {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.add(d)
		if c.size >= commitSize {
			c.do(ctx)
		}
	}
	c.do(ctx)
	return ctx.Err()
}

// commit is a batch on its way.
type commit struct {
	*rewriting
	dir     *sync.Mutex
	batch   atomicfile.Batch
	pending []*Rewritten
	size    int
}

// add rewrites d, and puts it into the batch if it changes.
func (c *commit) add(d *Rewritten) {
	if c.Quiet > 0 {
		info, err := os.Stat(d.Name)
		if d.Unquiet = err == nil && time.Since(info.ModTime()) < c.Quiet; d.Unquiet {
			d.before = identity{}
			return
		}
	}
	f, err := atomicfile.Open(d.Name, c.options(d.Name))
	if err != nil {
		d.Err = err
		c.tell(1)
		return
	}
	out, err := c.rewrite(d, f.Data())
	if err != nil || bytes.Equal(out, f.Data()) {
		d.Err = errors.Join(err, f.Close())
		c.tell(1)
		return
	}
	c.size += len(f.Data()) + len(out)
	d.file = f
	c.batch.Add(f, out)
	c.pending = append(c.pending, d)
}

// rewrite notes what the references of d are, where they are in what it returns.
func (r *rewriting) rewrite(d *Rewritten, src []byte) ([]byte, error) {
	result, on, err := r.Site.rewrite(d.Document, src)
	if result == nil {
		return nil, err
	}
	if err == nil && len(result.Missing)+len(result.Mismatched) > 0 && !bytes.Equal(result.Out, src) {
		if result, err = r.Site.Rewrite(d.Document, result.Out); err != nil {
			return nil, err
		}
	}
	d.References, d.Missing, d.Mismatched, d.Skipped = len(result.References), result.Missing, result.Mismatched, result.Skipped
	d.depends = on
	return result.Out, err
}

// do commits the batch. If that fails, nothing of it is in place, and each file is
// tried alone.
func (c *commit) do(ctx context.Context) {
	if len(c.pending) == 0 {
		return
	}
	c.dir.Lock()
	defer c.dir.Unlock()
	err := c.batch.Commit(ctx)
	for _, d := range c.pending {
		if d.Changed = err == nil; d.Changed {
			d.after = placed(d.file)
		} else {
			c.alone(ctx, d)
		}
		d.file = nil // and its content
	}
	c.tell(len(c.pending))
	c.batch, c.pending, c.size = atomicfile.Batch{}, nil, 0
}

// alone rewrites one file, as it is now.
func (c *commit) alone(ctx context.Context, d *Rewritten) {
	d.Changed, d.Err = atomicfile.Replace(ctx, d.Name, c.options(d.Name), func(old []byte) ([]byte, error) {
		return c.rewrite(d, old)
	})
	if ctx.Err() != nil {
		d.Err = nil // the context's error is told for all
	}
}

func (r *rewriting) tell(n int) {
	done := r.done.Add(int64(n))
	if r.Progress != nil {
		r.Progress(int(done))
	}
}

// options are those for the file at name.
func (p *InPlace) options(name string) atomicfile.Options {
	o := p.Files
	o.Root = ""
	for _, dir := range []string{p.Root, p.Base} {
		if dir != "" && strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/") {
			o.Root = dir
			break
		}
	}
	return o
}

// placed is the identity of what was put in the place of f; zero if somebody has
// changed it already.
func placed(f *atomicfile.File) identity {
	info, err := os.Stat(f.Path())
	if err != nil || !f.Placed(info) {
		return identity{}
	}
	return identityOf(info)
}

// statFile is the identity of the file at name; zero if there is none.
func statFile(name string) identity {
	now := time.Now()
	info, err := os.Stat(name)
	if err != nil {
		return identity{}
	}
	return identify(info, now)
}

// eachPart calls do with the bounds of parts of n, on all processors.
func eachPart(n int, do func(from, to int)) {
	parts := runtime.GOMAXPROCS(0)
	var running sync.WaitGroup
	for i := range parts {
		running.Go(func() { do(i*n/parts, (i+1)*n/parts) })
	}
	running.Wait()
}
