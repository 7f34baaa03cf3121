package vcs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"revstamp/vcs/internal/gitdir"
)

// localChange is a tracked file with a foreign change.
type localChange struct {
	path      string
	base, got []byte
	note      string // what cannot be seen from the texts: "deleted", "mode changed"
	staged    bool
	mode      bool // its kind or executable bit differs too

	perm  fs.FileMode // svn: of a file to be brought back
	bound bound       // what forbids to decide about it
}

// bound is what forbids to keep a local change, or to overwrite it.
type bound struct {
	keep, overwrite bool
	why             string // follows "local changes in a.txt"
	remedy          string
}

// The bounds that all systems know.
var (
	bySymlink = bound{overwrite: true, why: ", where a symbolic link is or was", remedy: "put it back by hand, or keep the change"}
	byNoFile  = bound{overwrite: true, why: ", where something is in the way of the file", remedy: "put it back by hand, or keep the change"}
)

// byDisk is the bound of a file by what lies in its place.
func byDisk(root string, tracked gitdir.Mode, disk *diskFile) bound {
	switch {
	case tracked == gitdir.ModeSymlink || disk.mode() == gitdir.ModeSymlink:
		return bySymlink
	case !disk.missing() && !regular(disk.mode()), disk.missing() && blockedDir(root, disk.path) != "":
		return byNoFile
	}
	return bound{}
}

// decide returns the files among the changed ones that an update, which touches
// those in touched, is to write over. It refuses what nobody decided about, and
// what cannot be done.
func decide(changes []localChange, local map[string]Local, touched []Change) (overwrite []string, err error) {
	refused := make(map[bound][]localChange)
	var first *bound
	for _, c := range changes {
		var b bound
		switch choice := local[c.path]; {
		case choice == Keep && c.bound.keep, choice == Overwrite && c.bound.overwrite:
			b = c.bound
		case choice == Keep && slices.ContainsFunc(touched, func(t Change) bool { return t.Path == c.path }):
			b = bound{why: ", which the update changes too", remedy: "revert them, or save or overwrite them instead"}
		case choice == Keep:
			continue
		case choice == Overwrite:
			overwrite = append(overwrite, c.path)
			continue
		}
		refused[b] = append(refused[b], c)
		if first == nil || b == (bound{}) {
			first = &b // what is undecided comes before what cannot be done
		}
	}
	if first == nil {
		return overwrite, nil
	}
	e := localChanges(refused[*first])
	e.Detail, e.remedy = first.why, first.remedy
	return nil, e
}

// sameLocal reports whether two looks found the same changes.
func sameLocal(a, b []localChange) bool {
	less := func(a, b localChange) int { return strings.Compare(a.path, b.path) }
	return slices.EqualFunc(slices.SortedFunc(slices.Values(a), less), slices.SortedFunc(slices.Values(b), less),
		func(a, b localChange) bool {
			return a.path == b.path && a.note == b.note && bytes.Equal(a.got, b.got)
		})
}

// refuseLocal is the error for foreign changes, nil without any.
func refuseLocal(changes []localChange) error {
	if len(changes) == 0 {
		return nil
	}
	return localChanges(changes)
}

// refuseBoth is the error for foreign changes and for what besides was found in
// the way of an update.
func refuseBoth(changes []localChange, besides error) error {
	var untracked *UntrackedError
	if besides != nil && !errors.As(besides, &untracked) || len(changes) == 0 {
		return besides
	}
	e := localChanges(changes)
	e.besides = besides
	return e
}

func localChanges(changes []localChange) *LocalChangesError {
	slices.SortFunc(changes, func(a, b localChange) int { return strings.Compare(a.path, b.path) })
	e := &LocalChangesError{changes: changes}
	var b strings.Builder
	for _, c := range changes {
		e.Files = append(e.Files, c.path)
		b.WriteString(c.diff())
	}
	e.Diff = b.String()
	return e
}

// largestDiff is the size up to which a file's change is shown: it is for
// people to read.
const largestDiff = 1 << 20

func (c *localChange) diff() string {
	from, to := "a/"+c.path, "b/"+c.path
	if c.note != "" {
		to = fmt.Sprintf("%s (%s)", to, c.note)
	}
	switch {
	case bytes.Equal(c.base, c.got):
		return fmt.Sprintf("--- %s\n+++ %s\n", from, to)
	case len(c.base)+len(c.got) > largestDiff, binary(c.base), binary(c.got):
		return fmt.Sprintf("Binary files %s and %s differ\n", from, to)
	}
	text := string(diff.Diff(from, c.base, to, c.got))
	_, text, _ = strings.Cut(text, "\n") // the "diff a b" line
	return text
}

func binary(b []byte) bool { return bytes.IndexByte(b, 0) >= 0 }

// unkept leaves out the changes that were to be kept.
func unkept(changes []localChange, local map[string]Local) []localChange {
	return slices.DeleteFunc(slices.Clone(changes), func(c localChange) bool { return local[c.path] == Keep })
}
