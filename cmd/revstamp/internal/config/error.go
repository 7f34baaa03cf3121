package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a configuration file. Line and Column count from 1,
// columns in characters.
type Pos struct {
	File         string
	Line, Column int
}

// String is file:line:column, without the parts that are not known.
func (p Pos) String() string {
	s := p.File
	for _, n := range []int{p.Line, p.Column} {
		if n == 0 {
			break
		}
		s += fmt.Sprintf(":%d", n)
	}
	return s
}

// Error is one problem of a configuration file.
type Error struct {
	File         string
	Line, Column int    // from 1; 0 when not known
	Key          string // path of keys, as in "stamp[0].file"; "" for the file itself
	Detail       string // what is wrong
	Hint         string // what to do about it; may be empty
}

// Error is the place, the key and what is wrong, without the hint.
func (e *Error) Error() string {
	s := Pos{e.File, e.Line, e.Column}.String() + ": "
	if e.Key != "" {
		s += e.Key + ": "
	}
	return s + e.Detail
}

// Position is where in the file the problem is.
func (e *Error) Position() (file string, line, column int) {
	return e.File, e.Line, e.Column
}

// Remedy is the hint.
func (e *Error) Remedy() string { return e.Hint }

// FileError says that a configuration file cannot be read at all.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("configuration %q: %v", e.Path, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// Errors are all the problems of a configuration, in the order of the file;
// those of an overlay come after those of the file it lies over.
type Errors []*Error

// Error is one line for each problem.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets [errors.As] and whoever prints them reach each problem.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, err := range e {
		all[i] = err
	}
	return all
}

// sort puts e in the order of the files, the one named first before others.
func (e Errors) sort(first string) {
	slices.SortStableFunc(e, func(a, b *Error) int {
		if a.File != b.File {
			if a.File == first {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
