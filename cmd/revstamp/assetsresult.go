package main

import (
	"fmt"
	"slices"

	"revstamp/assets"
)

// rewriteResult is what assets rewrite tells in JSON.
type rewriteResult struct {
	Files      int                `json:"files"` // looked at
	Changed    []string           `json:"changed"`
	Unread     int                `json:"unread"` // of the files: known not to have changed
	References int                `json:"references"`
	Missing    []assets.Reference `json:"missing,omitempty"`
	Mismatched []assets.Reference `json:"mismatched,omitempty"`
	Skipped    []skipped          `json:"skipped,omitempty"`
	Unreadable []string           `json:"unreadable,omitempty"` // directories
	Unseen     string             `json:"unseen,omitempty"`     // the document because of which no module has a version
	Diff       string             `json:"diff,omitempty"`       // with --dry-run

	// With --out.
	Out     string   `json:"out,omitempty"`
	Written []string `json:"written,omitempty"` // all files in it that are new, or hold something else
	Removed []string `json:"removed,omitempty"` // files in it that are gone from the root
}

// skipped is a file that was not looked into.
type skipped struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

func (s *rewriteResult) add(d assets.Rewritten) {
	s.Files++
	s.References += d.References
	if d.Changed {
		s.Changed = append(s.Changed, shown(d.Name))
	}
	if d.Cached {
		s.Unread++
	}
	if d.Skipped != "" {
		s.Skipped = append(s.Skipped, skipped{shown(d.Name), d.Skipped})
	}
	s.Missing = append(s.Missing, named(d.Missing)...)
	s.Mismatched = append(s.Mismatched, named(d.Mismatched)...)
}

// named are references with their files named as the user would.
func named(refs []assets.Reference) []assets.Reference {
	out := make([]assets.Reference, len(refs))
	for i, r := range refs {
		r.File = shown(r.File)
		out[i] = r
	}
	return out
}

// maxWarnings is how many of a kind are told one by one, but in JSON.
const maxWarnings = 20

// warn tells what is worth a look.
func (s *rewriteResult) warn(a *app) {
	warnAll(a, s.Missing, "references that name no file", func(m assets.Reference) string {
		return fmt.Sprintf("%s:%d:%d: %q names no file", m.File, m.Line, m.Column, m.URL)
	})
	warnAll(a, s.Mismatched, "wrong integrity attributes", func(m assets.Reference) string {
		return fmt.Sprintf("%s:%d:%d: %q has another integrity than it says, and browsers will refuse it: %s", m.File, m.Line, m.Column, m.URL, m.New)
	})
	warnAll(a, s.Skipped, "files skipped", func(f skipped) string {
		return fmt.Sprintf("%s: skipped: %s", f.File, f.Why)
	})
	warnAll(a, s.Unreadable, "directories that cannot be read", func(dir string) string {
		return fmt.Sprintf("the directory %q cannot be read, and nothing in it is rewritten", dir)
	})
	switch {
	case slices.Contains(s.Unreadable, s.Unseen):
		a.out.Warn("modules get no version, for nobody knows whether something in %s imports some; --modules all gives them all the same", s.Unseen)
	case s.Unseen != "":
		a.out.Warn("modules get no version, for %s imports some by URLs that are not rewritten; --modules all gives them all the same", s.Unseen)
	}
}

func warnAll[T any](a *app, all []T, what string, line func(T) string) {
	for i, of := range all {
		if i == maxWarnings && !a.json {
			a.out.Warn("… and %d more %s; --json tells them all", len(all)-i, what)
			return
		}
		a.out.Warn("%s", line(of))
	}
}

// summary is one line of text.
func (s *rewriteResult) summary(did string) string {
	if s.Out != "" && len(s.Written)+len(s.Removed) > 0 {
		text := fmt.Sprintf("wrote %s to %s", count(len(s.Written), "file"), s.Out)
		if n := len(s.Removed); n > 0 {
			text += fmt.Sprintf(", removed %d", n)
		}
		return fmt.Sprintf("%s: %s in %s", text, count(s.References, "reference"), count(s.Files, "document"))
	}
	if len(s.Changed) == 0 {
		return fmt.Sprintf("nothing to do: %s in %s", count(s.References, "reference"), count(s.Files, "file"))
	}
	text := fmt.Sprintf("%s %d of %s: %s", did, len(s.Changed), count(s.Files, "file"), count(s.References, "reference"))
	if n := len(s.Missing); n > 0 {
		text += fmt.Sprintf(", %d missing", n)
	}
	if n := len(s.Skipped); n > 0 {
		text += fmt.Sprintf(", %s skipped", count(n, "file"))
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
