package vcs

import (
	"context"
	"errors"
)

var errTodosvn = errors.New("to be written")

func (*svnCopy) Count(context.Context) (int64, error)                      { return 0, errTodosvn }
func (*svnCopy) Changes(context.Context, string, string) ([]Change, error) { return nil, errTodosvn }
func (*svnCopy) LastChanged(context.Context) (map[string]string, error)    { return nil, errTodosvn }
func (*svnCopy) ContentIDs(context.Context) (map[string]string, error)     { return nil, errTodosvn }
func (*svnCopy) Export(context.Context, string, string) error              { return errTodosvn }
