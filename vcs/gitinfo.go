package vcs

import (
	"context"
	"errors"
)

var errTodogit = errors.New("to be written")

func (*gitCopy) Count(context.Context) (int64, error)                      { return 0, errTodogit }
func (*gitCopy) Changes(context.Context, string, string) ([]Change, error) { return nil, errTodogit }
func (*gitCopy) LastChanged(context.Context) (map[string]string, error)    { return nil, errTodogit }
func (*gitCopy) ContentIDs(context.Context) (map[string]string, error)     { return nil, errTodogit }
func (*gitCopy) Export(context.Context, string, string) error              { return errTodogit }
