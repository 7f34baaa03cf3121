package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/vcs"
)

// revisionData is all that can be told of a revision.
type revisionData struct {
	vcs.Revision
	count func() (int64, error)
}

var errNoCount = errors.New("an exported tree does not tell the number of commits")

var errNoDate = errors.New("nothing here tells when the revision was made")

// counter counts the commits of wc when it is asked to.
func counter(ctx context.Context, rev vcs.Revision, wc vcs.WorkingCopy) func() (int64, error) {
	switch {
	case wc == nil:
		return func() (int64, error) { return 0, errNoCount }
	case rev.System == "svn":
		return func() (int64, error) { return rev.Number, nil }
	}
	return func() (int64, error) { return wc.Count(ctx) }
}

// Text is what the command says without a format.
func (d revisionData) Text() string { return revisionText(d.Revision) }

func revisionText(r vcs.Revision) string {
	switch {
	case r.Mixed != "":
		return r.Mixed
	case len(r.Modified) > 0 && r.System == "svn":
		return r.ID + "M"
	case len(r.Modified) > 0:
		return r.ID + "+"
	}
	return r.ID
}

// revisionFields are what a template sees. What costs something, or may not be
// known, is a method.
type revisionFields struct {
	ID            string
	Revision      string // the same, as revstamp.yaml calls it
	Short         string
	System        string
	Text          string
	Branch        string
	Tag           string
	Bookmark      string
	Phase         string
	Author        string
	URL           string
	Modified      bool
	ModifiedFiles []string
	Mixed         string
	Detached      bool
	Shallow       bool

	number, lastChanged int64
	date                time.Time
	describe            string
	count               func() (int64, error)
}

// unknownFieldError is a field that is not known here.
type unknownFieldError struct {
	field string
	err   error
}

func (e *unknownFieldError) Error() string { return e.field + ": " + e.err.Error() }
func (e *unknownFieldError) Unwrap() error { return e.err }

// Count is how many commits lead to the revision.
func (f revisionFields) Count() (int64, error) {
	n, err := f.count()
	if err != nil {
		err = &unknownFieldError{".Count", err}
	}
	return n, err
}

// Number is Subversion's revision, the highest one when mixed.
func (f revisionFields) Number() (int64, error) {
	return config.NumberOf(f.System, ".Number", f.number)
}

// LastChanged is Subversion's last revision that changed this tree.
func (f revisionFields) LastChanged() (int64, error) {
	return config.NumberOf(f.System, ".LastChanged", f.lastChanged)
}

// Date is when the commit was made.
func (f revisionFields) Date() (config.Date, error) {
	if f.date.IsZero() {
		return config.Date{}, &unknownFieldError{".Date", errNoDate}
	}
	return config.Date{Time: f.date}, nil
}

// Describe is the newest tag and the way from there.
func (f revisionFields) Describe() (string, error) {
	if f.describe == "" && f.Shallow {
		return "", &unknownFieldError{".Describe", &vcs.ShallowError{System: f.System, What: "the description"}}
	}
	return f.describe, nil
}

func (d revisionData) fields() revisionFields {
	r := d.Revision
	return revisionFields{
		ID: r.ID, Revision: r.ID, Short: r.Short, System: r.System, Text: d.Text(),
		Branch: r.Branch, Tag: r.Tag, Bookmark: r.Bookmark, Phase: r.Phase,
		Author: r.Author, URL: r.URL,
		Modified: len(r.Modified) > 0, ModifiedFiles: r.Modified, Mixed: r.Mixed,
		Detached: r.Detached, Shallow: r.Shallow,
		number: r.Number, lastChanged: r.LastChanged, date: r.Date, describe: r.Describe, count: d.count,
	}
}

// revisionResult is what revision tells in JSON.
type revisionResult struct {
	Text string `json:"text"`
	vcs.Revision
	Count *int64 `json:"count,omitempty"` // left out where it is not known
}

func (d revisionData) result() (revisionResult, error) {
	r := revisionResult{Text: d.Text(), Revision: d.Revision}
	n, known, err := d.counted()
	if known {
		r.Count = &n
	}
	return r, err
}

// counted is the count where it is known.
func (d revisionData) counted() (n int64, known bool, err error) {
	n, err = d.count()
	if _, shallow := errors.AsType[*vcs.ShallowError](err); shallow || errors.Is(err, errNoCount) {
		return 0, false, nil
	}
	return n, err == nil, err
}

// environment is one assignment for a POSIX shell a line, of every field: those
// of an earlier evaluation do not linger. Within single quotes a shell reads
// nothing but the next one.
func (d revisionData) environment() (string, error) {
	n, known, err := d.counted()
	if err != nil {
		return "", err
	}
	r := d.Revision
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	is := func(b bool) string {
		if b {
			return "1"
		}
		return ""
	}
	count, date := "", ""
	if known {
		count = strconv.FormatInt(n, 10)
	}
	if !r.Date.IsZero() {
		date = r.Date.UTC().Format(time.RFC3339)
	}
	var b strings.Builder
	for _, v := range [][2]string{
		{"SYSTEM", r.System}, {"ID", r.ID}, {"SHORT", r.Short}, {"TEXT", d.Text()},
		{"NUMBER", number(r.Number)}, {"LAST_CHANGED", number(r.LastChanged)}, {"COUNT", count},
		{"BRANCH", r.Branch}, {"TAG", r.Tag}, {"DESCRIBE", r.Describe}, {"BOOKMARK", r.Bookmark}, {"PHASE", r.Phase},
		{"AUTHOR", r.Author}, {"DATE", date}, {"URL", r.URL},
		{"MODIFIED", is(len(r.Modified) > 0)}, {"MODIFIED_FILES", strings.Join(r.Modified, "\n")}, {"MIXED", r.Mixed},
		{"DETACHED", is(r.Detached)}, {"SHALLOW", is(r.Shallow)},
	} {
		fmt.Fprintf(&b, "REVSTAMP_%s=%s\n", v[0], shellQuoted(v[1]))
	}
	return b.String(), nil
}
