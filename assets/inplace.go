package assets

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
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

	was    *cachedDoc // if Cached
	looked []*asset   // all that its URLs lead to, or would, if that is tracked
	hashed bool       // it depends on the content of assets, too
	before identity   // when it was read
	after  atomicfile.Stat
	placed time.Time // when after was true
}

// commitSize is how many bytes of documents, as they were and as they become, are
// put in place by one batch: enough for what a batch costs, and not much memory.
const commitSize = 4 << 20

// memory is used again for one batch after another: the first use of a page is dear.
// What is too large for it gets memory of its own.
type memory struct {
	all   [2 * commitSize]byte
	used  int
	there int // how much of it has been populated
}

// memoryStep is how much of it is populated at once, for the sake of small sites.
const memoryStep = 256 << 10

func (m *memory) take(size int64) []byte {
	if size > int64(len(m.all)-m.used) {
		return atomicfile.Resident[byte](int(size))
	}
	from := m.used
	m.used += int(size)
	if m.used > m.there {
		was := m.there
		m.there = min(max(m.used, was+memoryStep), len(m.all))
		atomicfile.Populate(m.all[was:m.there])
	}
	return m.all[from:m.used:m.used]
}

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
	all := atomicfile.Resident[Rewritten](len(docs))
	for i := range docs {
		all[i].Document = docs[i]
	}
	if p.Cache != nil && !config.knowsNames() {
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
	units := r.units()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), len(units)) {
		group.Go(func() error {
			m := new(memory)
			for n := next.Add(1); n <= int64(len(units)); n = next.Add(1) {
				if err := r.unit(ctx, units[n-1], m); err != nil {
					return err
				}
			}
			return nil
		})
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
	order := func(a, b string) int {
		return cmp.Or(cmp.Compare(len(dirs[b]), len(dirs[a])), strings.Compare(a, b))
	}
	var units []unit
	before := ""
	for left := slices.SortedFunc(maps.Keys(dirs), order); len(left) > 0; {
		if left[0] == before && len(left) > 1 {
			left[0], left[1] = left[1], left[0]
		}
		next := left[0]
		left = left[1:]
		if locks[next] == nil {
			locks[next] = new(sync.Mutex)
		}
		n := min(unitSize, len(dirs[next]))
		units = append(units, unit{dirs[next][:n], locks[next]})
		if dirs[next] = dirs[next][n:]; len(dirs[next]) > 0 {
			i, _ := slices.BinarySearchFunc(left, next, order)
			left = slices.Insert(left, i, next)
		}
		before = next
	}
	return units
}

func (r *rewriting) unit(ctx context.Context, u unit, m *memory) error {
	c := commit{rewriting: r, dir: u.dir, memory: m}
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
	pending []pending
	size    int
	memory  *memory
}

// pending is a document whose rewritten file is in a batch.
type pending struct {
	*Rewritten
	file *atomicfile.File
}

// add rewrites d, and puts it into the batch if it changes.
func (c *commit) add(d *Rewritten) {
	if c.Quiet > 0 {
		info, err := os.Stat(d.Name)
		if d.Unquiet = err == nil && time.Since(info.ModTime()) < c.Quiet; d.Unquiet {
			return
		}
	}
	used, now := c.memory.used, time.Now()
	f, err := c.batch.Open(d.Name, c.options(d.Name))
	if err != nil {
		d.Err = err
		c.tell(1)
		return
	}
	is := f.Stat()
	d.before = identity{is.Dev, is.Ino, is.Size, is.Mtime, is.Ctime}.at(now)
	out, err := c.Site.replace(d, f.Data(), c.memory.take)
	if err != nil || bytes.Equal(out, f.Data()) {
		d.Err = errors.Join(err, f.Close())
		c.memory.used = used
		c.tell(1)
		return
	}
	c.size += len(f.Data()) + len(out)
	c.batch.Add(f, out)
	c.pending = append(c.pending, pending{d, f})
}

// replace is Rewrite, of a site that is ready, that notes in d what its references
// are, where they are in what it returns. That lies in memory, or is src.
func (s *Site) replace(d *Rewritten, src []byte, memory func(size int64) []byte) (out []byte, err error) {
	kind, why := d.readable(src)
	if d.Skipped = why; why != "" {
		return src, nil
	}
	if out, err = s.config.replace(d, kind, src, memory); err != nil {
		return nil, fmt.Errorf("references of %q: %w", d.Name, err)
	}
	if s.Strict && len(d.Missing) > 0 {
		return nil, &MissingError{References: d.Missing}
	}
	return out, nil
}

func (s *siteConfig) replace(d *Rewritten, kind Kind, src []byte, memory func(size int64) []byte) ([]byte, error) {
	c, err := s.collectFrom(d.Document, kind, src)
	if err != nil {
		return nil, err
	}
	defer c.release()
	e, err := s.edits(c)
	if err != nil {
		return nil, err
	}
	out := splice(src, e.patches, memory)
	shift(c.missing, e.patches)
	d.Missing = locate(d.Name, out, c.missing)
	d.Mismatched, err = s.mismatched(d.Name, out, e.wrong, e.patches)
	d.References, d.looked, d.hashed = len(c.refs), c.lookups(), len(c.sums) > 0
	return out, err
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
	now := time.Now()
	for _, d := range c.pending {
		if d.Changed = err == nil; d.Changed {
			d.after, d.placed = d.file.Placed(), now
		} else {
			c.alone(ctx, d.Rewritten)
		}
	}
	c.tell(len(c.pending))
	c.batch, c.pending, c.size, c.memory.used = atomicfile.Batch{}, c.pending[:0], 0, 0
}

// alone rewrites one file, as it is now.
func (c *commit) alone(ctx context.Context, d *Rewritten) {
	d.Changed, d.Err = atomicfile.Replace(ctx, d.Name, c.options(d.Name), func(old []byte) ([]byte, error) {
		return c.Site.replace(d, old, c.memory.take)
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
func (c *commit) options(name string) atomicfile.Options {
	o := c.Files
	o.Root, o.Memory = "", c.memory.take
	for _, dir := range []string{c.Root, c.Base} {
		if dir != "" && strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/") {
			o.Root = dir
			break
		}
	}
	return o
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
