package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"

	"revstamp/assets"
	"revstamp/stamp/atomicfile"
)

// documents finds the files in which references are rewritten.
type documents struct {
	root   string // the asset root, absolute
	base   string // directory of the configuration, or the present one
	state  string // directory that is passed over, absolute; "" for none
	copies *assets.Ledger
	links  bool                   // links to files are documents, too: nothing is written where they lead
	seen   func(dir string) error // is told each directory before it is read; nil for nobody

	mu     sync.Mutex
	found  [][]assets.Document // by directory
	n      int                 // how many they are
	unread []string            // directories that this user may not read
}

// find returns the documents that args name: files, directories, or patterns of
// files. Each must name one at least.
func (d *documents) find(ctx context.Context, args []string) ([]assets.Document, error) {
	for _, arg := range args {
		if arg == "" {
			return nil, &usageError{msg: `"" names no document`, hint: "a variable may be unset"}
		}
		before := d.n
		abs, err := filepath.Abs(arg)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(abs)
		switch {
		case err == nil && info.IsDir():
			err = d.walk(ctx, abs, isDocument)
		case err == nil && info.Mode().IsRegular():
			d.add(d.document(nil, d.namer(abs)(abs)))
		case err == nil:
			return nil, fmt.Errorf("%q is neither a file nor a directory", arg)
		case errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(arg, "*?[{"):
			if !doublestar.ValidatePattern(arg) {
				return nil, &usageError{msg: fmt.Sprintf("pattern %q has no meaning", arg), hint: "*, **, ?, [abc] and {a,b} are known"}
			}
			var wd string
			if wd, err = os.Getwd(); err == nil {
				err = d.match(ctx, wd, arg)
			}
		}
		if err != nil {
			return nil, err
		}
		if d.n == before {
			return nil, &usageError{msg: fmt.Sprintf("%q names no document", arg), hint: "documents are pages, style sheets, scripts and templates; put a pattern in quotes, for the shell knows no **"}
		}
	}
	return d.sorted(), nil
}

func isDocument(name string) bool {
	_, ok := assets.KindOf(name)
	return ok
}

// below returns the documents below the root. They may be none.
func (d *documents) below(ctx context.Context) ([]assets.Document, error) {
	err := d.walk(ctx, d.root, isDocument)
	return d.sorted(), err
}

// matching returns the documents that patterns match below base, as in the
// configuration. They may be none.
func (d *documents) matching(ctx context.Context, patterns []string) ([]assets.Document, error) {
	for _, p := range patterns {
		if err := d.match(ctx, d.base, p); err != nil {
			return nil, err
		}
	}
	return d.sorted(), nil
}

// match finds what a pattern matches below base, whose own name may hold any
// characters.
func (d *documents) match(ctx context.Context, base, pattern string) error {
	pattern = filepath.ToSlash(filepath.Clean(pattern))
	if rooted, ok := strings.CutPrefix(pattern, "/"); ok {
		base, pattern = "/", rooted
	}
	for up, ok := strings.CutPrefix(pattern, "../"); ok; up, ok = strings.CutPrefix(pattern, "../") {
		base, pattern = filepath.Dir(base), up
	}
	dir, _ := doublestar.SplitPattern(pattern)
	prefix := strings.TrimSuffix(base, "/") + "/"
	return d.walk(ctx, filepath.Join(base, filepath.FromSlash(dir)), func(name string) bool {
		below, ok := strings.CutPrefix(name, prefix)
		return ok && doublestar.MatchUnvalidated(pattern, filepath.ToSlash(below))
	})
}

// sorted is what was found, each once.
func (d *documents) sorted() []assets.Document {
	all := atomicfile.Resident[assets.Document](d.n)[:0]
	for _, some := range d.found {
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b assets.Document) int { return cmp.Compare(a.Name, b.Name) })
	return slices.Compact(all)
}

func (d *documents) add(some []assets.Document) {
	if len(some) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.found = append(d.found, some)
	d.n += len(some)
}

// namer returns how top, and all files that a walk from there comes to, are called: as
// below the root, where links in the path of top or of the root lead there; else as they
// were. With links, what is below the root already stays. A walk follows no link to a
// directory, so that they are looked at once.
func (d *documents) namer(top string) func(name string) string {
	same := func(name string) string { return name }
	root := strings.TrimSuffix(d.root, "/") + "/"
	if d.links && strings.HasPrefix(top+"/", root) {
		return same
	}
	realTop, err1 := filepath.EvalSymlinks(top)
	realRoot, err2 := filepath.EvalSymlinks(d.root)
	if errors.Join(err1, err2) != nil || realTop == top && realRoot == d.root {
		return same
	}
	realRoot = strings.TrimSuffix(realRoot, "/") + "/"
	return func(name string) string {
		if rel, ok := strings.CutPrefix(realTop+strings.TrimPrefix(name, top), realRoot); ok {
			return root + rel
		}
		return name
	}
}

// document appends a file, unless it is a copy under a fingerprinted name.
func (d *documents) document(some []assets.Document, name string) []assets.Document {
	doc := assets.Document{Name: name}
	if rel, ok := strings.CutPrefix(name, strings.TrimSuffix(d.root, "/")+"/"); ok {
		doc.Path = filepath.ToSlash(rel)
		if d.copies != nil && d.copies.Wrote(doc.Path) {
			return some
		}
	}
	return append(some, doc)
}

// walk takes the regular files below dir that are wanted. Links are not followed,
// unless links says that those to files are: what they lead to is a document where it
// is, or none. A missing directory has no files, and one further down that this user
// may not read is passed over, and noted.
func (d *documents) walk(ctx context.Context, dir string, want func(name string) bool) error {
	group, ctx := errgroup.WithContext(ctx)
	top, named := dir, d.namer(dir)
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	var visit func(dir string) error
	visit = func(dir string) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		entries, err := d.read(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case errors.Is(err, fs.ErrPermission) && dir != top:
			d.mu.Lock()
			defer d.mu.Unlock()
			d.unread = append(d.unread, dir)
			return nil
		case err != nil:
			return err
		}
		var some []assets.Document
		for i, e := range entries {
			name := filepath.Join(dir, e.Name())
			switch {
			case e.IsDir():
				if d.passed(name, e.Name()) {
					continue
				}
				select {
				case free <- struct{}{}:
					group.Go(func() error {
						defer func() { <-free }()
						return visit(name)
					})
				default:
					if err := visit(name); err != nil {
						return err
					}
				}
			case (e.Type().IsRegular() || d.links && leadsToFile(e, name)) && want(name):
				if some == nil {
					some = make([]assets.Document, 0, len(entries)-i)
				}
				some = d.document(some, named(name))
			}
		}
		d.add(some)
		return nil
	}
	group.Go(func() error { return visit(dir) })
	return group.Wait()
}

// read lists a directory, after seen was told of it.
func (d *documents) read(dir string) ([]fs.DirEntry, error) {
	if d.seen != nil {
		if err := d.seen(dir); err != nil {
			return nil, err
		}
	}
	return os.ReadDir(dir)
}

// unreadError is nil where all directories could be read.
func (d *documents) unreadError() error {
	var errs []error
	slices.Sort(d.unread)
	d.unread = slices.Compact(d.unread)
	for _, dir := range d.unread {
		errs = append(errs, &assets.UnreadableError{Dir: shown(dir), Err: fs.ErrPermission})
	}
	return errors.Join(errs...)
}

// leadsToFile reports whether an entry is a link to a regular file.
func leadsToFile(e fs.DirEntry, name string) bool {
	if e.Type() != fs.ModeSymlink {
		return false
	}
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// passed reports whether a directory has nothing that visitors see.
func (d *documents) passed(name, base string) bool {
	return base == ".git" || base == ".svn" || base == ".hg" || name == d.state
}
