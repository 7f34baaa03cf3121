package main

import (
	"fmt"
	"io"
	"strings"

	"revstamp/cmd/revstamp/internal/release"
	"revstamp/vcs"
)

// showPlan shows what p would fetch, change and queue.
func (a *app) showPlan(p *release.Plan) error {
	if a.json {
		return a.out.Result(plannedJSON{Plan: p, Empty: p.Empty(), Diff: string(p.Diff())}, nothing)
	}
	if text, remedy := p.StaleText(); text != "" {
		a.out.Warn("%s: %s", text, remedy)
	}
	if p.Standing() {
		err := a.out.Result(nil, func(w io.Writer) error { return writeStanding(w, p) })
		if err != nil {
			return err
		}
		return a.showLocal(p)
	}
	if err := a.out.Result(nil, func(w io.Writer) error { return writeComing(w, p) }); err != nil {
		return err
	}
	if err := a.showLocal(p); err != nil {
		return err
	}
	if err := a.out.Diff(p.Diff()); err != nil {
		return err
	}
	return a.out.Result(nil, func(w io.Writer) error { return writeOwed(w, p) })
}

// writeStanding tells that the site is as it should be, and which jobs are owed.
func writeStanding(w io.Writer, p *release.Plan) error {
	if len(p.Jobs) == 0 {
		_, err := fmt.Fprintf(w, "%s is at %s: nothing to do\n", p.Site, name(p.To))
		return err
	}
	fmt.Fprintf(w, "%s is at %s: nothing to do but jobs that release %s owes\n", p.Site, name(p.To), p.Since.ID)
	return writeQueued(w, p.Jobs)
}

// showLocal shows what becomes of local changes, and the changes.
func (a *app) showLocal(p *release.Plan) error {
	if len(p.Local) == 0 {
		return nil
	}
	err := a.out.Result(nil, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "local changes:\n%s\n", localLines(p.Local))
		return err
	})
	if err != nil {
		return err
	}
	return a.out.Diff([]byte(p.LocalDiff))
}

// writeComing tells what the update brings.
func writeComing(w io.Writer, p *release.Plan) error {
	fmt.Fprintf(w, "%s: %s → %s\n", p.Site, orNothing(p.From), name(p.To))
	if len(p.Commits) > 0 {
		fmt.Fprintln(w, "\ncommits:")
	}
	for _, c := range p.Commits {
		fmt.Fprintf(w, "  %s %s (%s)\n", c.Short, c.Subject, c.Author)
	}
	if len(p.Files) > 0 {
		fmt.Fprintln(w, "\nfiles:")
	}
	for _, f := range p.Files {
		fmt.Fprintf(w, "  %s %s\n", mark(f.Op), f.Path)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// writeOwed tells what is missing, and which jobs would be queued.
func writeOwed(w io.Writer, p *release.Plan) error {
	for _, ref := range p.Missing {
		fmt.Fprintf(w, "%s:%d:%d: %s is not there\n", ref.File, ref.Line, ref.Column, ref.URL)
	}
	for _, ref := range p.Mismatched {
		fmt.Fprintf(w, "%s:%d:%d: browsers will refuse %s: its integrity is not what the page says\n", ref.File, ref.Line, ref.Column, ref.URL)
	}
	if p.Unseen != "" {
		fmt.Fprintf(w, "%s: modules get no version, for it imports some by URLs that are not rewritten\n", p.Unseen)
	}
	if len(p.Variants) > 0 {
		fmt.Fprintf(w, "\nprecompressed variants:\n  %s\n", strings.Join(p.Variants, ", "))
	}
	return writeQueued(w, p.Jobs)
}

// writeQueued tells which jobs would be queued.
func writeQueued(w io.Writer, jobs []release.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\njobs:")
	for _, j := range jobs {
		fmt.Fprintln(w, strings.TrimRight("  "+j.Function+" "+j.Workload, " "))
	}
	return nil
}

func mark(op vcs.Op) string {
	switch op {
	case vcs.Added:
		return "+"
	case vcs.Deleted:
		return "-"
	}
	return "~"
}

// plannedJSON is a plan as --json shows it.
type plannedJSON struct {
	*release.Plan
	Empty bool   `json:"empty"`
	Diff  string `json:"diff,omitempty"`
}

// name is how a revision is called in a sentence.
func name(r vcs.Revision) string {
	switch {
	case r.System == "svn":
		return "r" + r.Short
	case r.Tag != "":
		return r.Short + " (" + r.Tag + ")"
	}
	return r.Short
}

// orNothing is r's name; before the first release there is none.
func orNothing(r vcs.Revision) string {
	if r.ID == "" {
		return "nothing"
	}
	return name(r)
}
