package vcs

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotWorkingCopy is what every *NotWorkingCopyError is.
var ErrNotWorkingCopy = errors.New("not a working copy")

// NotWorkingCopyError says that a directory is not the top of a working copy.
// Open returns it.
type NotWorkingCopyError struct {
	Dir    string
	Top    string // the working copy that Dir lies in; "" when there is none
	Detail string // why the thing that looked like a working copy is none; may be empty
}

func (e *NotWorkingCopyError) Error() string {
	switch {
	case e.Detail != "":
		return fmt.Sprintf("%q is not a working copy: %s", e.Dir, e.Detail)
	case e.Top != "":
		return fmt.Sprintf("%q is not the top of a working copy, which is %q", e.Dir, e.Top)
	}
	return fmt.Sprintf("%q is not a working copy", e.Dir)
}

// Is makes errors.Is(err, ErrNotWorkingCopy) true.
func (e *NotWorkingCopyError) Is(target error) bool { return target == ErrNotWorkingCopy }

// Hint says what to do next.
func (e *NotWorkingCopyError) Hint() string {
	if e.Top != "" && e.Detail == "" {
		return "use " + e.Top
	}
	return "make it one with git clone, svn checkout or hg clone"
}

// What an UnsupportedError can be of, for callers who know a remedy of their own.
var (
	ErrSubmodule = errors.New("an update of a submodule")
	ErrExternals = errors.New("a change of svn:externals")
)

// UnsupportedError says that something in use here cannot be handled
// correctly, at all or without a program that is not installed.
type UnsupportedError struct {
	System  string // "git", "svn", "hg"
	Feature string // what is in use, as its documentation calls it
	Install string // the program that could do it; "" when none helps
	Remedy  string // what to do about it; "" is to bring the working copy there by hand
	Of      error  // ErrSubmodule or ErrExternals; nil for others
}

func (e *UnsupportedError) Unwrap() error { return e.Of }

func (e *UnsupportedError) Error() string {
	s := fmt.Sprintf("%s: %s is not supported", e.System, e.Feature)
	if e.Install != "" {
		s += " without the " + e.Install + " client"
	}
	return s
}

// Hint says what to do next.
func (e *UnsupportedError) Hint() string {
	if e.Install != "" {
		return "install " + e.Install
	}
	if e.Remedy != "" {
		return e.Remedy
	}
	return "update this working copy by hand"
}

// LocalChangesError says that tracked files were changed by somebody else.
type LocalChangesError struct {
	Files  []string // sorted
	Diff   string   // unified, from the repository's content to the file on disk
	Detail string   // why what was decided about them cannot be done; empty when nothing was

	remedy  string
	changes []localChange
	besides error // what refuses the update whatever is decided
}

func (e *LocalChangesError) Error() string {
	return "local changes in " + list(e.Files) + e.Detail
}

// Hint says what to do next.
func (e *LocalChangesError) Hint() string {
	if e.remedy != "" {
		return e.remedy
	}
	return "commit the changes elsewhere and revert them here"
}

// Decide returns why an update to t cannot do with the files what local says, as
// another *LocalChangesError about those files alone, or what else refuses it;
// nil when it can. e is to be what Resolve returned together with t.
func (e *LocalChangesError) Decide(t *Target, local map[string]Local) error {
	if e.besides != nil {
		return e.besides
	}
	_, err := decide(e.changes, local, t.Changes)
	return err
}

// UntrackedError says that files which are not under version control lie where
// an update would put others.
type UntrackedError struct {
	Files []string // sorted
}

func (e *UntrackedError) Error() string {
	return "untracked files are in the way: " + list(e.Files)
}

// Hint says what to do next.
func (e *UntrackedError) Hint() string { return "move them away" }

// ConflictError says that a merge was left unfinished, or that an update ended
// in conflicts.
type ConflictError struct {
	Files  []string // sorted; may be empty
	Detail string   // what is unfinished; may be empty
}

func (e *ConflictError) Error() string {
	s := "conflicts"
	if e.Detail != "" {
		s = e.Detail
	}
	if len(e.Files) > 0 {
		s += " in " + list(e.Files)
	}
	return s
}

// Hint says what to do next.
func (e *ConflictError) Hint() string { return "resolve them by hand" }

// DivergedError says that a branch holds commits which its upstream does not,
// so that an update would not be a fast-forward. Ahead without Behind is one
// too: the commits were never pushed, or upstream was forced back.
type DivergedError struct {
	Branch, Upstream string // "main", "origin/main"
	From, To         string // full ids
	Ahead, Behind    int    // commits only here, commits only there
	Shallow          bool   // history is cut off: the common past may just be missing
}

func (e *DivergedError) Error() string {
	commits := "commits"
	if e.Ahead == 1 {
		commits = "commit"
	}
	return fmt.Sprintf("%s and %s have diverged: %d %s only here, %d only there",
		e.Branch, e.Upstream, e.Ahead, commits, e.Behind)
}

// Hint says what to do next.
func (e *DivergedError) Hint() string {
	if e.Shallow {
		return "fetch the missing history with git fetch --unshallow"
	}
	return "push the commits that are only here, or name the commit to go to"
}

// BranchError says that the branch asked for is not the one checked out.
type BranchError struct {
	Current, Want string
}

func (e *BranchError) Error() string {
	return fmt.Sprintf("branch %q is checked out, not %q", e.Current, e.Want)
}

// Hint says what to do next.
func (e *BranchError) Hint() string {
	return "switch by hand, or name a tag or a commit id"
}

// HeadsError says that a branch ends in several places upstream, so that its
// newest changeset is a matter of opinion. Only Mercurial has such branches.
type HeadsError struct {
	Branch string
	Heads  []string // full ids, newest first
}

func (e *HeadsError) Error() string {
	short := make([]string, len(e.Heads))
	for i, id := range e.Heads {
		short[i] = id[:min(12, len(id))]
	}
	return fmt.Sprintf("branch %q has %d heads upstream: %s", e.Branch, len(e.Heads), strings.Join(short, " and "))
}

// Hint says what to do next.
func (e *HeadsError) Hint() string {
	return "merge them, or name the bookmark, tag or changeset to go to"
}

// UnknownRevisionError says that a name means no revision.
type UnknownRevisionError struct {
	Want   string
	Detail string // may be empty
}

func (e *UnknownRevisionError) Error() string {
	s := fmt.Sprintf("unknown revision %q", e.Want)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// LockedError says that the working copy is locked: by another program, or by
// an update that was interrupted.
type LockedError struct {
	System      string // of an interrupted update: "git", "svn" or "hg"
	Path        string // the lock, or the working copy
	Interrupted bool   // by an update that did not end; Update.Resume heals it
	Target      string // what that update was to; "" when unknown
}

func (e *LockedError) Error() string {
	if e.Interrupted {
		s := "an earlier update was interrupted"
		if e.Target != "" {
			s += " on its way to " + e.Target
		}
		return fmt.Sprintf("%s: %q", s, e.Path)
	}
	return fmt.Sprintf("locked by another program: %q", e.Path)
}

// Hint says what to do next.
func (e *LockedError) Hint() string {
	switch {
	case e.Interrupted && e.System == "svn":
		return "if no svn is at work there: svn cleanup " + e.Path
	case e.Interrupted && e.System == "hg":
		return "if no hg is at work there: hg update"
	case e.Interrupted:
		return "resume it"
	}
	return "wait for the other program; if none runs, remove the lock"
}

// InterruptedError says that an update stopped halfway. Update with Resume
// completes it.
type InterruptedError struct {
	Target string // the ID it was to
	Err    error
}

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("update to %s interrupted: %v", e.Target, e.Err)
}

// Unwrap returns the cause.
func (e *InterruptedError) Unwrap() error { return e.Err }

// ClientError says that a client ended with a failure.
type ClientError struct {
	Command string // program and verb: "git fetch"
	Status  int    // its exit status; -1 when a signal or a limit ended it
	Stderr  string // its last lines, without secrets
}

func (e *ClientError) Error() string {
	msg := told(e.Stderr)
	if msg == "" {
		msg = "no message"
	}
	return fmt.Sprintf("%s: exit status %d: %s", e.Command, e.Status, msg)
}

// told is what a client said went wrong: its lines that say so, which may name
// the cause before the consequence, or else its last line.
func told(stderr string) string {
	lines := strings.Split(strings.TrimRight(stderr, "\n"), "\n")
	var errs []string
	for _, line := range lines {
		if strings.HasPrefix(line, "error: ") || strings.HasPrefix(line, "fatal: ") || strings.HasPrefix(line, "svn: E") {
			errs = append(errs, line)
		}
	}
	if len(errs) > 0 {
		return strings.Join(errs[max(0, len(errs)-3):], "; ")
	}
	return lines[len(lines)-1]
}

// CredentialsError says that a server wants a user name and a password, or
// refuses those that it was given.
type CredentialsError struct {
	System string
	Err    error
}

func (e *CredentialsError) Error() string { return e.Err.Error() }

// Unwrap returns what the client said.
func (e *CredentialsError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *CredentialsError) Hint() string {
	return "log in once by hand, as the user who releases"
}

// list names up to three files and counts the rest.
func list(files []string) string {
	const most = 3
	var b strings.Builder
	for i, f := range files {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(files)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", f)
	}
	return b.String()
}

// ShallowError says that history is cut off, so that what was asked cannot be
// known.
type ShallowError struct {
	System string // "git"
	What   string // "the number of commits"
}

func (e *ShallowError) Error() string {
	return fmt.Sprintf("%s: %s is not known in a shallow clone", e.System, e.What)
}

// Hint says what to do next.
func (e *ShallowError) Hint() string { return "fetch the missing history with git fetch --unshallow" }
