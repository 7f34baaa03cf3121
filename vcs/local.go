package vcs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// localChange is a tracked file with a foreign change.
type localChange struct {
	path      string
	base, got []byte
	note      string // what cannot be seen from the texts: "deleted", "mode changed"
	staged    bool
	mode      bool // its kind or executable bit differs too
}

// refuseLocal is the error for foreign changes, nil without any.
func refuseLocal(changes []localChange) error {
	if len(changes) == 0 {
		return nil
	}
	slices.SortFunc(changes, func(a, b localChange) int { return strings.Compare(a.path, b.path) })
	e := new(LocalChangesError)
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
