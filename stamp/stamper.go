package stamp

import (
	"context"
	"errors"

	"revstamp/stamp/atomicfile"
)

// Stamper applies targets to files. The zero value is ready; it may be copied
// and used by several goroutines.
type Stamper struct {
	// Options say how the files are opened and replaced.
	Options atomicfile.Options
	// Backups, if not nil, keeps what the files held before.
	Backups *atomicfile.Backups
}

// Plan reads the files and computes every edit, and writes nothing. Several
// targets on one file are applied in order, each to what the one before left.
// Every target that is refused is in the error, each as an *Error; files that
// cannot be read are in it too.
//
// The caller commits the plan or closes it.
func (s Stamper) Plan(targets []Target) (*Plan, error) {
	p := &Plan{backups: s.Backups}
	index := make(map[string]int)
	var onFile [][]Target // by index in p.Files
	var errs []error
	for _, t := range targets {
		f, err := atomicfile.Open(t.File, s.Options)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		i, known := index[f.Path()]
		if known {
			f.Close()
		} else {
			i = len(p.Files)
			index[f.Path()] = i
			p.Files = append(p.Files, FileEdit{Path: f.Path(), Before: f.Data(), file: f})
			onFile = append(onFile, nil)
		}
		onFile[i] = append(onFile[i], t)
	}
	for i := range p.Files {
		f := &p.Files[i]
		var err error
		if f.After, f.Changes, err = Edit(f.Before, onFile[i]); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		p.Close()
		return nil, flatten(errs)
	}
	return p, nil
}

// flatten joins errors of which some are joined ones.
func flatten(errs []error) error {
	var all []error
	for _, err := range errs {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			all = append(all, joined.Unwrap()...)
		} else {
			all = append(all, err)
		}
	}
	return join(all)
}

// tries is how often Stamp begins anew: each time somebody else got their edit
// in, so that it is a limit for those who never stop.
const tries = 100

// Stamp plans and commits. When somebody else changes one of the files in
// between, it begins again with what they wrote, so that several who stamp
// different keys of one file at a time all succeed. It returns the plan that was
// committed.
func (s Stamper) Stamp(ctx context.Context, targets []Target) (*Plan, error) {
	for try := 1; ; try++ {
		plan, err := s.Plan(targets)
		if err == nil {
			err = plan.Commit(ctx)
		}
		if err == nil || !errors.Is(err, atomicfile.ErrChanged) || try == tries {
			return plan, err
		}
	}
}

// Plan is a set of edits that are computed and not yet made.
type Plan struct {
	// Files are in the order in which the targets named them. One that needs
	// no change has no Changes.
	Files []FileEdit

	backups *atomicfile.Backups
}

// FileEdit is what becomes of one file.
type FileEdit struct {
	Path    string // absolute, after symbolic links
	Before  []byte // not to be modified, nor After
	After   []byte
	Changes []Change

	file *atomicfile.File
}

// Commit writes all files or none, as atomicfile.Batch does, and those without
// changes not at all. A file that somebody changed since Plan read it is
// atomicfile.ErrChanged. A plan is committed once.
func (p *Plan) Commit(ctx context.Context) error {
	b := atomicfile.Batch{Backups: p.backups}
	for _, f := range p.Files {
		b.Add(f.file, f.After)
	}
	return b.Commit(ctx)
}

// Close lets go of the files of a plan that is not committed. It may be called
// again and after Commit.
func (p *Plan) Close() error {
	var errs []error
	for _, f := range p.Files {
		errs = append(errs, f.file.Close())
	}
	return errors.Join(errs...)
}
