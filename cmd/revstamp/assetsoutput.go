package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"revstamp/assets"
	"revstamp/stamp/atomicfile"
)

// checkOut refuses a directory for --out that would be written into itself, and
// documents that have no place in it.
func (r *rewriting) checkOut(docs []assets.Document) error {
	dir, err1 := filepath.Abs(r.into)
	into, err2 := leadsTo(dir)
	root, err3 := leadsTo(r.root)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	r.into = dir
	for _, pair := range [][2]string{{root, into}, {into, root}} {
		if rel, err := filepath.Rel(pair[0], pair[1]); err == nil && filepath.IsLocal(rel) {
			return &usageError{msg: fmt.Sprintf("%q and the asset root lie in each other", shown(dir)), hint: "name a directory beside the root"}
		}
	}
	for _, d := range docs {
		if d.Path == "" {
			return &usageError{msg: fmt.Sprintf("%q is not under the asset root, and has no place in what is written", shown(d.Name)), hint: "name documents under the root"}
		}
	}
	return nil
}

// leadsTo is where an absolute path leads by way of links. Its end may be missing.
func leadsTo(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if _, lost := os.Lstat(path); lost == nil {
		return "", err // a link to nothing
	}
	dir, err := leadsTo(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}

// output writes the site into a directory of its own.
func (r *rewriting) output(ctx context.Context, site *assets.Site, docs []assets.Document, files atomicfile.Options) error {
	variant, err := assets.Variants(r.root)
	if err != nil {
		return err
	}
	of := &documents{state: r.state}
	skip := func(p string) bool {
		return of.passed(filepath.Join(r.root, filepath.FromSlash(p)), filepath.Base(p)) || variant(p) ||
			assets.LedgerFile(p) || assets.CompressedFile(p) || r.copies != nil && r.copies.Wrote(p)
	}
	if err := r.writeCopies(ctx, site); err != nil {
		return err
	}
	out := &assets.Output{Site: site, Root: r.root, Dir: r.into, Skip: skip, Files: files}
	did, err := out.Write(ctx, docs)
	if err != nil {
		return err
	}
	r.cleanCopies(ctx)
	var compressed error
	if len(r.codings) > 0 {
		compressed = r.compress(ctx, r.into, files)
	}
	result := r.newResult()
	result.Out, result.Written, result.Removed = shown(r.into), did.Written, did.Removed
	return errors.Join(r.tellAll(site, did.Documents, result), compressed)
}
