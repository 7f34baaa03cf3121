package vcs

import "context"

func openSvn(context.Context, string, Options) (WorkingCopy, error) {
	return nil, &UnsupportedError{System: "svn", Feature: "a Subversion working copy"}
}
