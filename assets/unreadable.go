package assets

import (
	"errors"
	"fmt"
	"io/fs"
)

// UnreadableError is of a directory that this user may not read, where all that is in
// it would have to be known.
type UnreadableError struct {
	Dir string // as it was found: a slash path under the root, or a path of the system
	Err error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("the directory %q cannot be read, so that what is in it is not known: %v", e.Dir, e.Err)
}

func (e *UnreadableError) Unwrap() error { return e.Err }

// Hint tells what to do about it.
func (e *UnreadableError) Hint() string {
	return "let this user read it, or move it to where no assets and no documents are"
}

// forbidden reports whether err, of visiting a path in a walk, is that of a directory
// which this user may not read.
func forbidden(d fs.DirEntry, err error) bool {
	return d != nil && d.IsDir() && errors.Is(err, fs.ErrPermission)
}

// explain is err, of visiting a path in a walk, as it is told.
func explain(name string, d fs.DirEntry, err error) error {
	if forbidden(d, err) {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err
		}
		return &UnreadableError{name, err}
	}
	return err
}
