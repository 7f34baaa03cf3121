// Package vcs reads and updates working copies: which revision is on disk, what
// an update would bring, and the update itself.
//
// Its promises are those of a release tool that works on a live tree:
//
//   - Nothing foreign is lost. A tracked file that differs from the repository
//     in anything but what the caller wrote itself (see Own) stops an update
//     with a *LocalChangesError before a single byte changes, unless the caller
//     says what is to become of that very file (see Update.Local).
//   - No reader ever sees half a file, nor a file without the caller's own edit.
//   - A killed update is finished by the next one (see Update.Resume).
//   - What cannot be done correctly is refused by an error that names the
//     feature (*UnsupportedError), never done half.
//
// git works through the git client when it is on PATH and without it when it is
// not; Subversion works through svn and svnversion, Mercurial through hg, of
// which one process answers all that one call asks. Clients run without a shell
// and without a prompt, in a process group that is killed as a whole when the
// context ends, and secrets in URLs appear in no error and no log.
package vcs

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"time"
)

// WorkingCopy is a directory under version control, together with the system in
// charge of it. Its methods are for one goroutine at a time.
type WorkingCopy interface {
	// System is "git", "svn" or "hg".
	System() string

	// Dir is the top of the working copy, absolute.
	Dir() string

	// Revision tells what is on disk now. own may be nil: then every
	// difference is foreign.
	Revision(ctx context.Context, own Own) (Revision, error)

	// Resolve looks up what an update to want would bring, without writing any
	// file of the tree or moving any ref; it may add objects to a git or hg
	// repository, which no ref leads to until Update moves one.
	//
	// For git, want is a branch ("main"), a remote branch ("origin/main"), a
	// tag, a full name ("refs/tags/v1"), or a full or shortened commit id; ""
	// is the upstream of the current branch, or HEAD itself where there is
	// none to ask (detached, or no remote at all). A branch must be a
	// fast-forward (*DivergedError) of the branch that is checked out
	// (*BranchError); a tag or an id may lie anywhere, in the past too, which
	// is how a rollback goes. For svn, want is a revision number, with or
	// without a leading "r", or "HEAD", which is also "". A name that means
	// nothing is an *UnknownRevisionError.
	//
	// For hg, want is the current named branch, a bookmark, a tag, or a full or
	// shortened changeset id, as upstream knows them; "" is the active bookmark,
	// or else the one head that upstream has of the current branch (*HeadsError
	// when there are several). Branch and bookmark must lead forward, as in
	// git. A local number, or "tip", means another changeset in every clone,
	// and is unknown.
	//
	// Conflicts (*ConflictError), untracked files in the way (*UntrackedError)
	// and foreign local changes (*LocalChangesError) refuse. With the last of
	// these alone the target is returned as well, for a caller that has an
	// answer to them: LocalChangesError.Decide, and Update.Local. Where an
	// interrupted update is found, that judgement is left to Update, which
	// wants Update.Resume then.
	Resolve(ctx context.Context, want string, own Own) (*Target, error)

	// Read returns the content of path as an update to t would put it in
	// place, before Update.Edit; the target of a symbolic link. A path that
	// the target does not have is fs.ErrNotExist.
	Read(ctx context.Context, t *Target, path string) ([]byte, error)

	// Contents is Read for many paths, which are looked up at once. What they
	// hold is on disk, if not in the repository, rather than in memory.
	Contents(ctx context.Context, t *Target, paths []string) (Contents, error)

	// Update brings the working copy exactly to t. Afterwards the tree equals
	// the target, except for the caller's own edits, which is verified. For
	// git, the branch that is checked out moves to t, or HEAD where it is
	// detached; for hg, the active bookmark moves along, and the working copy is
	// on t's named branch.
	//
	// An error before the first write leaves everything as it was. Any later
	// one leaves an update that Update with Resume, to this or another target,
	// completes; it is then an *InterruptedError.
	Update(ctx context.Context, t *Target, u Update) error

	// Count is the number of commits that lead to what is on disk, itself
	// included: a number that grows with every commit and is the same in every
	// complete clone. For svn it is Revision's Number. Where history is cut off
	// it is a *ShallowError.
	Count(ctx context.Context) (int64, error)

	// Changes lists the tracked files that differ between two revisions,
	// sorted by path. from and to are named as for Resolve, and "" is what is
	// on disk; for git any branch may be named. What is not here yet is fetched
	// for git and hg, but no ref moves.
	Changes(ctx context.Context, from, to string) ([]Change, error)

	// LastChanged tells, for every tracked file, the ID of the revision that
	// last changed it, up to rev, which is named as for Changes. A change on two
	// branches that were merged is that of the first parent which has it, as
	// "git log -1" tells it. Where history is cut off it is a *ShallowError.
	LastChanged(ctx context.Context, rev string) (map[string]string, error)

	// ContentIDs tells an id of the content that every tracked file has in the
	// repository, whatever was done to it on disk: git's blob id, svn's SHA-1
	// checksum, hg's file node. Files of equal ids, in one working copy at two
	// times or in two of one repository, have equal content there. Symbolic
	// links are among them, directories and submodules are not.
	ContentIDs(ctx context.Context) (map[string]string, error)

	// Export writes the files of a revision, named as for Resolve, to dir,
	// which must be missing or empty: content converted as in a checkout,
	// modes, symbolic links, and nothing of the system's own. For git, what
	// .gitattributes names export-ignore is left out. "" is what is on disk,
	// less local changes. After an error dir holds a part.
	Export(ctx context.Context, rev, dir string) error
}

// Contents are what some paths hold at a target. They may be read by several
// goroutines, until they are closed.
type Contents interface {
	// Read returns the content of one of the paths, as WorkingCopy.Read does.
	Read(path string) ([]byte, error)

	Close() error
}

// readOne is WorkingCopy.Read.
func readOne(ctx context.Context, w WorkingCopy, t *Target, path string) ([]byte, error) {
	c, err := w.Contents(ctx, t, []string{path})
	if err != nil {
		return nil, err
	}
	defer c.Close() // only read
	return c.Read(path)
}

// notThere is the error for a path that a target does not have.
func notThere(path string) error {
	return &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
}

// nameless makes a temporary file without a name: it goes when it is closed.
func nameless() (*os.File, error) {
	f, err := os.CreateTemp("", "revstamp-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Locker is a WorkingCopy that can tell, before an Update meets it, that another
// program holds it, or has left it, locked: by a *LockedError. An unfinished update of
// ours in git, which Update takes up, is none. Of Mercurial Resolve tells that.
type Locker interface {
	Locked(ctx context.Context) error
}

// Own reports whether got, the file on disk, differs from base, the
// repository's content, only by what the caller itself wrote there. path is
// relative to the top, with slashes. Neither slice may be kept or changed. An
// Own must judge by the two texts alone: it is asked about base texts of the
// past and of the future alike.
type Own func(path string, base, got []byte) bool

// Options change how Open works. The zero value is the usual one.
type Options struct {
	// NoGit acts as if no git client were on PATH.
	NoGit bool

	// Svn is what Subversion's servers are told of who wants something. The zero
	// value leaves that to what svn has stored. It is stored nowhere, and the
	// password is on no command line.
	Svn Credentials

	// Logger receives each client that is run, at debug level. Nil discards.
	Logger *slog.Logger
}

// Credentials are a user's.
type Credentials struct {
	User, Password string
}

// Revision is what a working copy is at. Fields that a system does not have, or
// that the working copy cannot tell, are zero.
type Revision struct {
	System string `json:"system"` // "git", "svn", "hg"
	ID     string `json:"id"`     // git, hg: the full commit id (hg: 40 zeros before the first); svn: the number
	Short  string `json:"short"`  // git, hg: the first 12 digits of it; svn: the number

	// Number is svn's revision, the highest one in a mixed working copy. Zero
	// for git, whose commits bear none, and for hg, whose numbers are local.
	Number int64 `json:"number,omitempty"`

	Branch   string `json:"branch,omitempty"`   // git: the branch that is checked out; svn: the path in the repository, "trunk"; hg: the named branch
	Tag      string `json:"tag,omitempty"`      // git, hg: a tag at exactly this commit
	Describe string `json:"describe,omitempty"` // git: as "git describe --tags --always", empty in a shallow clone without a tag at hand; hg: the same of {latesttag}-{latesttagdistance}-m{node|short}

	Bookmark string `json:"bookmark,omitempty"` // hg: the active bookmark
	Phase    string `json:"phase,omitempty"`    // hg: "public", "draft" or "secret"

	Author string    `json:"author,omitempty"` // of the commit (svn: of the last change here), without an address
	Date   time.Time `json:"date,omitzero"`    // when the author made it
	URL    string    `json:"url,omitempty"`    // where it comes from, without user names, passwords and queries

	// Modified names the tracked files with foreign changes, sorted.
	Modified []string `json:"modified,omitempty"`

	// Mixed is svnversion's text when files are at several revisions or
	// switched or the working copy is partial: "4123:4168MS". The M tells of
	// foreign changes only.
	Mixed string `json:"mixed,omitempty"`

	// LastChanged is the last of svn's revisions, up to this one, that changed
	// anything here. It is the same wherever the files are, while Number grows
	// with every commit to the repository.
	LastChanged int64 `json:"last_changed,omitempty"`

	Detached bool `json:"detached,omitempty"` // git: no branch is checked out
	Shallow  bool `json:"shallow,omitempty"`  // git: history is cut off
}

// Short is what Revision.Short has of an id: its first 12 digits, or all.
func Short(id string) string { return id[:min(len(id), 12)] }

// Local says what an update does with a tracked file that somebody else changed.
type Local int

// The choices.
const (
	Refuse    Local = iota // it does not begin
	Keep                   // it leaves the change; not of a file that it touches
	Overwrite              // it brings the file to what the target has, with Update.Edit
)

// Target is what an update would bring, as Resolve found it.
type Target struct {
	// Revision is what the working copy will be at.
	Revision Revision

	// Now is what it is at before the update, as WorkingCopy.Revision tells,
	// so that a caller need not look twice. Where an update was interrupted,
	// Modified is not known.
	Now Revision

	From    string   // the ID before; for svn the range, "4123:4168", when mixed
	Changes []Change // of tracked files, sorted by path; empty when there is nothing to do
	Commits []Commit // the new ones, newest first; empty for a step back

	refs []refMove // git: the remote-tracking branch and the tags that Update moves along
}

// Op is what a change does to a path.
type Op int

// The operations.
const (
	Added Op = iota + 1
	Changed
	Deleted
)

// String is "added", "changed" or "deleted".
func (o Op) String() string {
	switch o {
	case Added:
		return "added"
	case Changed:
		return "changed"
	case Deleted:
		return "deleted"
	}
	return "none"
}

// MarshalText makes an operation its word in JSON.
func (o Op) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Change is one path that an update touches.
type Change struct {
	Path string      `json:"path"` // relative to Dir, with slashes
	Op   Op          `json:"op"`
	Mode fs.FileMode `json:"-"` // afterwards: 0644, 0755, or fs.ModeSymlink|0777; zero when deleted, a submodule or, for svn, unknown
}

// Commit is one step of history.
type Commit struct {
	ID      string    `json:"id"`
	Short   string    `json:"short"`
	Author  string    `json:"author"`
	Subject string    `json:"subject"`
	Date    time.Time `json:"date"`
}

// Update says how to bring a working copy to a target.
type Update struct {
	// Own judges what is on disk, as in WorkingCopy.Resolve.
	Own Own

	// Edit returns the bytes to publish for a path that the target adds or
	// changes, such as the stamped ones; content is not to be kept or changed.
	// Own must recognise the result. Nil publishes the content as it is.
	// Symbolic links are never edited. For svn it is asked only about changed
	// files that carry an own edit already, or a foreign change to be written over,
	// and before anything is written: svn writes the others itself.
	Edit func(path string, content []byte) ([]byte, error)

	// Local is what becomes of foreign local changes, by path; any other file's
	// refuses the update, and so does a choice that LocalChangesError.Decide
	// refuses. A path without a foreign change may be named.
	Local map[string]Local

	// Write puts files in place, durable when it returns. Required for git and
	// hg, where every tracked file is written by it and none by this package; svn
	// calls it only to take back an edit in a file that upstream deletes, and
	// foreign changes. It is called once, or twice when a path changes between
	// file and directory: first with the deletions that make room.
	Write func(ctx context.Context, writes []Write) error

	// Resume says that the caller's journal records an update that was
	// interrupted here: its remains (our own index.lock and a tree that is
	// half new; svn's lock; hg's updatestate) are healed instead of refused.
	Resume bool

	// Fresh says that the target was resolved a moment ago, with the same Own:
	// files that it does not touch are then compared once, when it is done,
	// instead of twice. For git, and without Resume; the others always compare
	// all of them.
	Fresh bool
}

// Write is one file to put in place, or to remove.
type Write struct {
	Path   string      // relative to Dir, with slashes
	Mode   fs.FileMode // 0644, 0755 (of which the umask takes its part), or fs.ModeSymlink|0777
	Delete bool        // remove Path; a missing one is fine

	// Content returns the bytes, or the target when Mode has fs.ModeSymlink.
	// It may be called several times, until Update.Write returns, and from
	// several goroutines. Nil for deletions.
	Content func() ([]byte, error)
}
