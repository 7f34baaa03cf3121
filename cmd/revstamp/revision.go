package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/cmd/revstamp/internal/release"
	"revstamp/vcs"
)

// querying is the command revision: its flags.
type querying struct {
	*app
	format string
	env    bool
	ci     bool
}

func newRevision(a *app) *cobra.Command {
	q := &querying{app: a}
	cmd := &cobra.Command{
		Use:   "revision [DIR]",
		Short: "Tell the revision of a working copy or an exported tree",
		Long: `Revision tells what the working copy in DIR, by default here, is at: its id,
followed by "+" when tracked files are modified (by "M" for Subversion, whose
mixed working copies are told as svnversion does). DIR may be a directory below
the top of a working copy that is yours.

Where there is none, it reads what an export left: the file REVISION with a full
id in it, .git_archival.txt as git archive expands it, or .hg_archival.txt.

--format is a Go template over what is known; what does not exist, or cannot be
known here, is an error:

  .ID .Short .System       the full id, 12 digits of it; git, svn or hg
  .Text                    what is told without --format
  .Number .LastChanged     Subversion's revision, the highest one when mixed, and
                           the last one that changed this tree
  .Count                   how many commits lead here
  .Branch .Tag .Describe .Bookmark .Phase
  .Author .Date .URL       of the commit; {{.Date.Format "20060102"}}
  .Modified .ModifiedFiles whether tracked files are modified, and which
  .Mixed                   svnversion's text when it is not one plain revision
  .Detached .Shallow       no branch is checked out; history is cut off

Which of its numbers a release stamps is said by source.number in revstamp.yaml:
highest, svnversion or last-changed.

--env tells all of it as lines of NAME='value' for a shell to evaluate, whatever
a branch is called: REVSTAMP_ID, REVSTAMP_LAST_CHANGED and so on, the names of
the fields in capitals. True is 1, and what is false or not known is empty. In
REVSTAMP_MODIFIED_FILES each name is on a line.

A checkout in CI is on no branch. With --ci the branch or the tag is what the
job's environment says of this commit: that of Bitbucket, Buildkite, CircleCI,
GitHub, GitLab or Jenkins.`,
		Example: `  revstamp revision --format '{{.Short}} {{.Branch}}'
  eval "$(revstamp revision --env)" && echo "$REVSTAMP_SHORT"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.run(cmd.Context(), optional(args))
		},
	}
	cmd.Flags().StringVar(&q.format, "format", "", "Go `template` over the fields above")
	cmd.Flags().BoolVar(&q.env, "env", false, "tell all as lines for a shell to evaluate")
	cmd.Flags().BoolVar(&q.ci, "ci", false, "take the branch or tag from the CI job's environment")
	return cmd
}

func (q *querying) run(ctx context.Context, dir string) error {
	if q.env && (q.format != "" || q.json) {
		return &usageError{msg: "--env tells everything in its own form", hint: "leave out --format and --json"}
	}
	if q.json && q.format != "" {
		return &usageError{msg: "--json tells everything in its own form", hint: "leave out --format"}
	}
	rev, wc, err := q.lookUp(ctx, dir)
	if err != nil {
		return err
	}
	if q.ci {
		fromCI(&rev, os.Getenv)
	}
	d := revisionData{rev, counter(ctx, rev, wc)}
	switch {
	case q.json:
		result, err := d.result()
		if err != nil {
			return err
		}
		return q.out.Result(result, nil)
	case q.env:
		text, err := d.environment()
		if err != nil {
			return err
		}
		return q.print(text)
	case q.format == "":
		return q.print(d.Text() + "\n")
	}
	text, err := config.Expand(q.format, d.fields())
	if unknown, ok := errors.AsType[*unknownFieldError](err); ok {
		return unknown // whatever template asked for it
	}
	if err != nil {
		return &usageError{msg: err.Error(), hint: hint(err)}
	}
	return q.print(text + "\n")
}

func (q *querying) print(text string) error {
	return q.out.Result(nil, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// revision reads the revision of the working copy or exported tree in dir.
func (a *app) revision(ctx context.Context, dir string) (vcs.Revision, error) {
	rev, _, err := a.lookUp(ctx, dir)
	return rev, err
}

// nameOf returns how a release calls rev where it stamps it, if there is a configuration
// file to say so.
func (a *app) nameOf(rev vcs.Revision) (id, short string, err error) {
	if _, err := os.Stat(a.config); err != nil {
		return rev.ID, rev.Short, nil
	}
	s, err := a.site()
	if err != nil {
		return "", "", err
	}
	id, short = release.NameOf(s.Config, rev)
	return id, short, nil
}

// lookUp is revision, with the working copy, nil for an exported tree. Beside a
// configuration file that names it, the edits of revstamp do not count as
// modifications.
func (a *app) lookUp(ctx context.Context, dir string) (vcs.Revision, vcs.WorkingCopy, error) {
	o := vcs.Options{Svn: svnLogin(), Logger: a.out.Logger()}
	if _, err := os.Stat(a.config); err == nil && (dir == "" || dir == ".") {
		s, err := a.site()
		if err != nil {
			return vcs.Revision{}, nil, err
		}
		rev, err := s.Revision(ctx)
		if s.Config.Layout == config.Releases {
			return rev, nil, err
		}
		if !errors.Is(err, vcs.ErrNotWorkingCopy) {
			if err != nil {
				return rev, nil, err
			}
			wc, err := vcs.Open(ctx, s.Config.Abs(s.Config.Source.Path), o)
			return rev, wc, err
		}
		dir = s.Config.Abs(s.Config.Source.Path)
	}
	if dir == "" {
		dir = "."
	}
	wc, err := vcs.Open(ctx, dir, o)
	if none, ok := errors.AsType[*vcs.NotWorkingCopyError](err); ok && none.Detail == "" {
		rev, exportErr := vcs.Exported(dir)
		switch {
		case exportErr == nil:
			return rev, nil, nil
		case none.Top != "" && mine(none.Top):
			wc, err = vcs.Open(ctx, none.Top, o)
		case none.Top == "":
			return vcs.Revision{}, nil, neither(none, exportErr)
		}
	}
	if err != nil {
		return vcs.Revision{}, nil, err
	}
	rev, err := wc.Revision(ctx, nil)
	if err == nil {
		err = release.Committed(rev)
	}
	return rev, wc, err
}

// mine reports whether a working copy that was found above the directory asked
// about belongs to who asks: one of somebody else, in /tmp say, would have its
// configuration obeyed. It is git's own rule, see safe.directory in
// git-config(1).
func mine(top string) bool {
	me := []string{strconv.Itoa(os.Getuid())}
	if me[0] == "0" {
		me = append(me, os.Getenv("SUDO_UID"))
	}
	for _, name := range []string{".", ".git", ".svn", ".hg"} {
		info, err := os.Lstat(filepath.Join(top, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return false
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !slices.Contains(me, strconv.FormatUint(uint64(stat.Uid), 10)) {
			return false
		}
	}
	return true
}

// neither is the error for a directory that is no working copy and, for this
// reason, no export that could be read.
func neither(none *vcs.NotWorkingCopyError, err error) error {
	if errors.Is(err, vcs.ErrNotExported) {
		return &unknownError{none, fmt.Sprintf("%v, and %v: no REVISION, .git_archival.txt or .hg_archival.txt is in it", none, vcs.ErrNotExported)}
	}
	return err
}

// unknownError is a tree of which nothing is known.
type unknownError struct {
	*vcs.NotWorkingCopyError
	msg string
}

func (e *unknownError) Error() string { return e.msg }
func (e *unknownError) Unwrap() error { return e.NotWorkingCopyError }
func (e *unknownError) Hint() string {
	return "export with git archive and a .git_archival.txt, or write the full id into a file REVISION when exporting"
}

// orSay advises a flag that says the revision, when nothing else tells it.
func orSay(err error, flag string) error {
	if none, ok := errors.AsType[*unknownError](err); ok {
		return &advisedError{err, "say it with " + flag + "; or " + none.Hint()}
	}
	if unknown, ok := errors.AsType[*vcs.UnknownRevisionError](err); ok && unknown.Want == "HEAD" {
		return &advisedError{err, "say it with " + flag + "; or commit something"}
	}
	return err
}

// advisedError is an error with another hint than its own.
type advisedError struct {
	error
	hint string
}

func (e *advisedError) Unwrap() error { return e.error }
func (e *advisedError) Hint() string  { return e.hint }

// ciNames are what CI systems tell of a job's checkout, in the order of asking.
var ciNames = []struct {
	commit string // variable that holds the id of the commit
	branch []string
	tag    string
}{
	{"GITHUB_SHA", []string{"GITHUB_HEAD_REF", "GITHUB_REF_NAME"}, ""},
	{"CI_COMMIT_SHA", []string{"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH"}, "CI_COMMIT_TAG"},
	{"BITBUCKET_COMMIT", []string{"BITBUCKET_BRANCH"}, "BITBUCKET_TAG"},
	{"BUILDKITE_COMMIT", []string{"BUILDKITE_BRANCH"}, "BUILDKITE_TAG"},
	{"CIRCLE_SHA1", []string{"CIRCLE_BRANCH"}, "CIRCLE_TAG"},
	{"GIT_COMMIT", []string{"CHANGE_BRANCH", "BRANCH_NAME"}, "TAG_NAME"}, // Jenkins
}

// fromCI fills in the branch or the tag of a detached checkout from the
// environment of a CI job, unless that is about another commit: a job may check
// out several repositories.
func fromCI(r *vcs.Revision, env func(string) string) {
	if !r.Detached {
		return
	}
	for _, ci := range ciNames {
		if env(ci.commit) != r.ID {
			continue
		}
		tag := env(ci.tag)
		if ci.commit == "GITHUB_SHA" && env("GITHUB_REF_TYPE") == "tag" {
			tag = env("GITHUB_REF_NAME") // then no branch is meant
		}
		if r.Tag == "" {
			r.Tag = tag
		}
		for _, name := range ci.branch {
			if branch := env(name); r.Branch == "" && tag == "" {
				r.Branch = branch
			}
		}
		return
	}
}
