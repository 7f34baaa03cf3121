package vcs

import "context"

func openGit(context.Context, string, Options) (WorkingCopy, error) {
	return nil, &UnsupportedError{System: "git", Feature: "a git working copy"}
}
