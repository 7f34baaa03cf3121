// Package release is the pipeline of revstamp: what happens, in which order,
// when a site is released, and what is remembered of it.
//
// A release is a list of steps (steps.go). Before anything is changed a [Plan]
// is computed, read-only, from the target revision and the files on disk; a
// release carries it out. Every step is journaled and synced before it begins
// and after it ends, and is safe to run again, so that a release that was
// killed is finished by running its steps once more ([Site.Resume]).
//
// The package prints nothing: it tells an [Observer].
package release

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/vcs"
)

// Observer is told what a release does while it does it. Its methods are called
// from several goroutines at once.
type Observer interface {
	StepStarted(step string)
	StepDone(step, detail string)
	StepSkipped(step, reason string)
	StepFailed(step string, err error)
	// Job reports a job's state: intended, submitted, queued, running, or an
	// outcome. n of d is its progress; d is zero when it has told none.
	Job(id, function, state string, n, d int)
	Warn(format string, args ...any)
	// When says when what is told next happened, in another process; the zero
	// time is now again.
	When(t time.Time)
}

// Site is a configured site on this machine, the thing that releases happen
// to. Its methods may be called from several processes at once: what changes
// the site takes its lock first.
type Site struct {
	Config   *config.Config
	Observer Observer     // nil tells nobody
	Logger   *slog.Logger // nil discards
	Holder   Holder       // who it is that acts, see [Myself]
	NoGit    bool         // release as if no git client were on PATH

	// Svn is what Subversion's servers are told of who wants something.
	Svn vcs.Credentials

	// Validate, when not nil, checks the configuration that a target brings.
	Validate func(*config.Config) error

	// Redact, when not nil, takes the secrets out of text before it is written to
	// the journal or a log. What it returns for text without any is that text.
	Redact func(string) string

	// OnRecord, when not nil, is called after each journal record is synced.
	OnRecord func(Record)

	state *state
}

// Open prepares cfg's site. It touches nothing: the state directory is made
// by the first release.
func Open(cfg *config.Config) *Site {
	return &Site{Config: cfg, state: &state{dir: cfg.StateDir()}}
}

// StateDir is where the journal, the lock and the backups of s are.
func (s *Site) StateDir() string { return s.state.dir }

// environment is the name of the overlay that the site is configured with;
// empty without one.
func (s *Site) environment() string {
	if s.Config.Overlay == "" {
		return ""
	}
	return filepath.Base(s.Config.Overlay)
}

func (s *Site) observer() Observer {
	if s.Observer == nil {
		return silent{}
	}
	return s.Observer
}

// workingCopy opens what is updated. locked says that the caller has the site's
// lock.
func (s *Site) workingCopy(ctx context.Context, locked bool) (vcs.WorkingCopy, error) {
	if s.Config.Layout == config.Releases {
		return s.openMirror(ctx, locked)
	}
	return vcs.Open(ctx, filepath.Join(s.Config.Dir, s.Config.Source.Path), s.vcsOptions())
}

func (s *Site) vcsOptions() vcs.Options {
	return vcs.Options{NoGit: s.NoGit, Svn: s.Svn, Logger: s.Logger}
}

// Options say how [Site.Release] goes about it.
type Options struct {
	Want    string        // branch, tag or id; empty: what the configuration says
	Wait    time.Duration // how long to wait for the site's lock
	Timeout time.Duration // after which a release that is not live is undone; 0 is never
	Plan    *Pinned       // to be carried out as it is, or refused with a *MovedError; it says what Want is
}

// Effect is what a failed command left behind.
type Effect int

// The ends of a command that failed.
const (
	Unchanged   Effect = iota // nothing was changed
	RolledBack                // what had been changed was put back
	Interrupted               // the site is between two releases: resume or abort
	Following                 // the release is live, its jobs have yet to be followed
	Owing                     // the release is live, its jobs have yet to be done
)

// Error is a release that failed: in which step, and what state the site is
// in now. Its text does not repeat the step's name, which the observer told.
type Error struct {
	Release string // empty when it failed before it was one
	Step    string
	Effect  Effect
	Err     error
}

func (e *Error) Error() string {
	switch e.Effect {
	case RolledBack:
		return fmt.Sprintf("%v (release %s was undone, the site is as it was)", e.Err, e.Release)
	case Interrupted:
		return fmt.Sprintf("%v (release %s is unfinished)", e.Err, e.Release)
	case Following:
		return fmt.Sprintf("%v (release %s is live, its jobs go on)", e.Err, e.Release)
	case Owing:
		return fmt.Sprintf("%v (release %s is live, its jobs ended unfinished)", e.Err, e.Release)
	}
	return fmt.Sprintf("%v (nothing was changed)", e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// DueError refuses a release because an earlier one was interrupted and must
// first be finished or undone.
type DueError struct {
	Release string
	Step    string // the step that it was in
	Since   time.Time
}

func (e *DueError) Error() string {
	return fmt.Sprintf("release %s was interrupted in step %s at %s", e.Release, e.Step, e.Since.Local().Format(time.DateTime))
}

// EnvironmentError refuses to finish or undo a release with another
// configuration than it was begun with. Began and Now are the names of the
// overlays, empty for none.
type EnvironmentError struct{ Release, Began, Now string }

func (e *EnvironmentError) Error() string {
	with := func(overlay string) string {
		if overlay == "" {
			return "no environment"
		}
		return overlay
	}
	return fmt.Sprintf("release %s was begun with %s, this is with %s", e.Release, with(e.Began), with(e.Now))
}

// TimeoutError says that a release took longer than it may.
type TimeoutError struct{ After time.Duration }

func (e *TimeoutError) Error() string { return fmt.Sprintf("not done after %v", e.After) }

// JobsError says that a release is live but that jobs of it did not succeed.
type JobsError struct {
	Release string
	Jobs    []Job // those without the outcome "succeeded"
	Err     error // why they could not be queued or followed; may be nil
}

func (e *JobsError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("release %s is live, its jobs are not done: %v", e.Release, e.Err)
	}
	return fmt.Sprintf("release %s is live, but of its jobs %s", e.Release, Tally(e.Jobs))
}

func (e *JobsError) Unwrap() error { return e.Err }

type silent struct{}

func (silent) StepStarted(string)                   {}
func (silent) StepDone(string, string)              {}
func (silent) StepSkipped(string, string)           {}
func (silent) StepFailed(string, error)             {}
func (silent) When(time.Time)                       {}
func (silent) Job(string, string, string, int, int) {}
func (silent) Warn(string, ...any)                  {}
