// Package atomicfile replaces files so that a reader, a crash or a power cut
// finds each of them wholly old or wholly new.
//
// A file is opened and read whole with [Open], which remembers what it was;
// one or many are changed together by a [Batch]; [Replace] does both for one
// file. Each replacement is written to a hidden temporary file beside the
// original (".config.php.<random>.revstamp", mode 0600), has its space
// reserved first, takes over the owner, the permission bits, the user.*
// attributes, the POSIX ACL and the SELinux label of the original, is synced,
// and is then exchanged with the original by one renameat2 call; the original
// is removed, and the directory synced. Symbolic links stay and their targets
// are replaced. Everything happens on an open directory, so that a parent that
// is renamed meanwhile leads nowhere else.
//
// # Who else may be writing
//
// Two processes that use this package cannot lose each other's work: from the
// last look at the original until the exchange both hold flock(2) on the
// directory, and whoever comes second finds the file changed and fails with
// [ErrChanged]. Where the file system has no such locks they are left out, and
// so is one that somebody else holds for ten seconds.
//
// An editor takes no lock. If it puts its own file in place, or finishes
// writing into the original, at any time up to the exchange, that is seen: what
// the exchange brought out is compared with what was read, exchanged back when
// it differs, and the call fails with ErrChanged. What remains is a program
// that holds the original open and writes to it after the exchange: it writes
// to a file that no longer has a name. Some file systems (NFS is one) have no
// exchange; there the file is looked at once more and then
// renamed over, and an editor that lands between these two calls is not seen.
//
// # What is not promised
//
// Files of one batch are replaced one after another, not at one instant: a
// process killed between two of them leaves the first new and the second old,
// each whole. A killed process also leaves its temporary files; their names
// were given to Options.Record first, and [Sweep] removes them. Such a file may
// hold the new content or the one that it displaced. An original that a batch
// displaced and could not put back is kept as
// ".config.php.<random>.kept.revstamp", which the error names and Sweep leaves
// alone. A disk that says it has written what it has not is beyond any program.
//
// The package needs Linux.
package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"math"
)

// Sentinels for what callers branch on; read them with errors.Is.
var (
	// ErrNotRegular: the name is a directory, a FIFO, a device, a socket, a
	// symbolic link that leads nowhere or round in a circle.
	ErrNotRegular = errors.New("not a regular file")
	// ErrChanged: somebody else changed the file after Open. What they wrote is
	// still there.
	ErrChanged = errors.New("changed by somebody else in the meantime")
	// ErrOutsideRoot: after symbolic links the file lies outside Options.Root.
	ErrOutsideRoot = errors.New("outside the root directory")
	// ErrTooLarge: the file is larger than Options.MaxSize.
	ErrTooLarge = errors.New("too large")
	// ErrOwner: the owner, the group, the ACL or the label of the original may
	// not be given to its replacement by this user.
	ErrOwner = errors.New("owner cannot be kept")
	// ErrBusy: the file is a mount point of its own (a container's bind-mounted
	// single file), which no rename can replace.
	ErrBusy = errors.New("mounted as a single file")
)

// OwnerPolicy says what to do when the owner of a file cannot be kept.
type OwnerPolicy int

const (
	// KeepOwner refuses with ErrOwner and leaves the file as it is.
	KeepOwner OwnerPolicy = iota
	// OwnerBestEffort keeps what this user may keep (often the group), gives
	// up set-user-ID and set-group-ID bits with the owner they belonged to, and
	// tells Options.Warn.
	OwnerBestEffort
)

// Options say how one file is opened and replaced. The zero value replaces an
// existing regular file, wherever it lies, and keeps its owner.
type Options struct {
	// Root, if not empty, is a directory that the file must lie under after
	// all symbolic links are resolved; ErrOutsideRoot otherwise.
	Root string
	// MaxSize is how many bytes a file may hold before it is changed: it is
	// refused with ErrTooLarge before memory is taken for it. Zero is 256 MiB;
	// less than zero is no limit.
	MaxSize int64
	// Memory, if not nil, gives the memory that a file of less than size bytes is
	// read into. Whoever uses it again ends File.Data, and must not do so before
	// the file is closed, or its batch committed or closed.
	Memory func(size int64) []byte
	// Owner is KeepOwner unless set.
	Owner OwnerPolicy
	// NoFollow takes the name itself: a symbolic link there is replaced, and
	// not the file it points to.
	NoFollow bool
	// InPlace lets a file that is a mount point (ErrBusy) be overwritten in
	// place, after its backup is synced; without Batch.Backups it stays
	// ErrBusy. A process killed during this write leaves a torn file: the
	// backup is then the only whole copy.
	InPlace bool
	// RecordInPlace, if not nil, is called before such a write, so that a
	// journal can hold it; its error aborts.
	RecordInPlace func(path string, b Backup) error
	// Create makes a missing file instead of failing with fs.ErrNotExist.
	Create bool
	// Perm holds the permission bits of a created file, from which the
	// process's umask is taken; zero is 0644.
	Perm fs.FileMode
	// MkdirAll makes the missing directories of a created file (0777 less
	// umask) when the batch is committed.
	MkdirAll bool
	// Record, if not nil, is called with the absolute path of each temporary
	// file before it is created, so that a journal can hold it for Sweep; its
	// error aborts.
	Record func(temp string) error
	// Gone, if not nil, is called with a path that Record was given once no
	// temporary file has that name any more. After a failure it may not be called
	// although none has: then only Sweep can tell.
	Gone func(temp string)
	// Warn, if not nil, hears what the caller may want to know and what stops
	// nothing: other hard links keep the old content, the owner was not kept, a
	// temporary file or an old backup could not be removed.
	Warn func(msg string)
}

// defaultMaxSize is far beyond any file that people edit.
const defaultMaxSize = 256 << 20

func (o *Options) maxSize() int64 {
	switch {
	case o.MaxSize == 0:
		return defaultMaxSize
	case o.MaxSize < 0:
		return math.MaxInt64
	}
	return o.MaxSize
}

func (o *Options) memory(size int64) []byte {
	if o.Memory == nil {
		return Resident[byte](int(size))
	}
	return o.Memory(size)[:size]
}

func (o *Options) warn(msg string) {
	if o.Warn != nil {
		o.Warn(msg)
	}
}

// Replace gives the content of name to edit and puts what edit returns in its
// place. It reports whether anything changed: when edit returns what it was
// given, nothing on disk is touched. With Options.Create, edit gets nil for a
// missing file. edit must not modify old; its error is returned as it is.
//
// After an error the file is as it was.
func Replace(ctx context.Context, name string, o Options, edit func(old []byte) ([]byte, error)) (changed bool, err error) {
	f, err := Open(name, o)
	if err != nil {
		return false, err
	}
	defer f.Close()
	data, err := edit(f.Data())
	if err != nil {
		return false, err
	}
	var b Batch
	b.Add(f, data)
	changed = b.Len() > 0
	if err := b.Commit(ctx); err != nil {
		return false, err
	}
	return changed, nil
}
