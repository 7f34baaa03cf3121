package release

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"revstamp/gearman"
	"revstamp/stamp/atomicfile"
)

// Status is what became of a release.
type Status string

// The statuses of a release.
const (
	Running    Status = "running"     // a process is at it now
	Unfinished Status = "interrupted" // it was killed or stopped before it was live
	Live       Status = "live"        // complete
	Replaced   Status = "replaced"    // complete, and another is live by now: only History and Show say so
	Failed     Status = "failed"      // it changed nothing, or was undone
	Aborted    Status = "aborted"     // undone by hand after an interruption
)

// Release is one release as its journal tells it.
type Release struct {
	Begin
	Status Status       `json:"status"`
	Step   string       `json:"step,omitempty"` // the step it is or ended in
	Detail string       `json:"detail,omitempty"`
	Steps  []StepRecord `json:"steps"`
	Jobs   []Job        `json:"jobs,omitempty"`
	Ended  time.Time    `json:"ended,omitzero"` // when it was live, or over

	mark    string            // of what the step that began last has started; empty: it has none, or an older version began it
	temps   []string          // temporary files announced
	wrote   map[string]string // digest of what was written last, by path
	backups map[string]string // backup of what was there before, by path
	saved   map[string]string // digest of that
	modes   map[string]fs.FileMode
	theirs  map[string]bool // paths where a change of somebody else is, whatever was written there
	added   map[string]bool // paths where nothing was before
	traits  map[string]atomicfile.Traits
}

// StepRecord is one step of a release, as it went.
type StepRecord struct {
	Name   string        `json:"name"`
	State  string        `json:"state"`
	Detail string        `json:"detail,omitempty"`
	Began  time.Time     `json:"began"`
	Took   time.Duration `json:"took_ns"`
}

// Job is a post-deploy job of a release.
type Job struct {
	N          int             `json:"n"`
	Function   string          `json:"function"`
	Unique     string          `json:"unique"`
	Workload   string          `json:"workload,omitempty"`
	Priority   string          `json:"priority,omitempty"`
	Foreground bool            `json:"foreground,omitempty"`
	State      string          `json:"state"` // intended, submitted, or an outcome
	Server     string          `json:"server,omitempty"`
	Handle     string          `json:"handle,omitempty"`
	Report     *gearman.Report `json:"report,omitempty"` // of the last attempt

	Attempts  int           `json:"attempts,omitempty"` // how often it is done at most, while it fails
	Attempt   int           `json:"attempt,omitempty"`  // how often it has failed and was to be done again
	Backoff   time.Duration `json:"backoff_ns,omitempty"`
	NotBefore time.Time     `json:"not_before,omitzero"` // of an attempt after the first
}

// States of a job that has no outcome yet.
const (
	jobIntended  = "intended"
	jobSubmitted = "submitted"
)

// Over reports whether j has an outcome.
func (j Job) Over() bool { return j.State != jobIntended && j.State != jobSubmitted }

// BegunBy is the newest release, when the process pid of this machine has begun
// it; else nil.
func (s *Site) BegunBy(pid int) *Release {
	r, err := s.newest(func(*Release) bool { return true })
	if err != nil || r.PID != pid || r.Host != s.Holder.Host {
		return nil
	}
	return r
}

// fold makes of a journal's records the release they tell of.
func fold(records []Record) *Release {
	r := &Release{Status: Unfinished, wrote: map[string]string{}, backups: map[string]string{}, saved: map[string]string{}, modes: map[string]fs.FileMode{}, added: map[string]bool{}, traits: map[string]atomicfile.Traits{}, theirs: map[string]bool{}}
	for _, rec := range records {
		r.add(rec)
	}
	return r
}

func (r *Release) add(rec Record) {
	switch rec.Kind {
	case kindBegin:
		if rec.Begin != nil {
			r.Begin = *rec.Begin
			for _, l := range r.Local {
				r.theirs[l.File] = l.Fate == Kept
			}
		}
	case kindStep:
		r.addStep(rec)
	case kindTemp:
		r.temps = append(r.temps, rec.Path)
	case kindWrote:
		r.wrote[rec.Path] = rec.SHA256
	case kindAdded:
		r.added[rec.Path] = true
	case kindBackup:
		r.backups[rec.Path], r.saved[rec.Path], r.modes[rec.Path] = rec.Backup, rec.SHA256, fs.FileMode(rec.Mode)
	case kindTraits:
		if rec.Traits != nil {
			r.traits[rec.Path] = *rec.Traits
		}
	case kindTheirs:
		r.theirs[rec.Path] = true
	case kindLive:
		r.Status, r.Ended = Live, rec.Time
	case kindJob:
		if rec.Job != nil {
			r.addJob(*rec.Job)
		}
	case kindEnd:
		r.Status, r.Detail, r.Ended = Status(rec.State), rec.Detail, rec.Time
	}
}

// addStep notes the latest run of a step; a resumed release runs it again.
func (r *Release) addStep(rec Record) {
	r.Step = rec.Step
	if rec.State == stepStarted {
		r.mark = rec.Mark
		r.Steps = append(r.Steps, StepRecord{Name: rec.Step, State: rec.State, Began: rec.Time})
		return
	}
	for i := len(r.Steps) - 1; i >= 0; i-- {
		if step := &r.Steps[i]; step.Name == rec.Step {
			step.State, step.Detail, step.Took = rec.State, rec.Detail, max(0, rec.Time.Sub(step.Began))
			return
		}
	}
}

func (r *Release) addJob(job Job) {
	for i := range r.Jobs {
		if r.Jobs[i].N == job.N {
			r.Jobs[i] = job
			return
		}
	}
	r.Jobs = append(r.Jobs, job)
}

// key names the release among those of all sites and hosts on a job server.
func (b Begin) key() string { return b.Site + "/" + b.ID + "-" + b.Token }

// pending are the jobs without an outcome.
func (r *Release) pending() []Job {
	var open []Job
	for _, j := range r.Jobs {
		if !j.Over() {
			open = append(open, j)
		}
	}
	return open
}

// undecided reports whether a job was given up whose report may still come.
func (r *Release) undecided() bool {
	return slices.ContainsFunc(r.Jobs, func(j Job) bool {
		return j.Report == nil && j.Server != embedded && (j.State == string(gearman.Lost) || j.State == string(gearman.Unknown))
	})
}

// History reads the releases of the site, newest first: the newest most of them,
// or all when that is 0.
func (s *Site) History(most int) ([]*Release, error) {
	var all []*Release
	replaced := false
	err := s.walkBack(func(r *Release) bool {
		if all = append(all, s.watched(r)); r.Status == Live {
			if replaced {
				r.Status = Replaced
			}
			replaced = true
		}
		return len(all) != most
	})
	return all, err
}

// Show reads release id, or the newest one when id is empty.
func (s *Site) Show(id string) (*Release, error) {
	r, err := s.Find(id)
	if err != nil || r.Status != Live {
		return r, err
	}
	if live, err := s.Current(); err != nil {
		return nil, err
	} else if live.ID != r.ID {
		r.Status = Replaced
	}
	return r, nil
}

// NotFoundError says that there is no such release.
type NotFoundError struct{ ID string }

func (e *NotFoundError) Error() string {
	if e.ID == "" {
		return "there is no release yet"
	}
	return fmt.Sprintf("there is no release %q", e.ID)
}

// Hint is where to see what there is.
func (e *NotFoundError) Hint() string {
	if e.ID == "" {
		return ""
	}
	return "'revstamp history' lists them"
}

// Find is Show, and takes every complete release for Live.
func (s *Site) Find(id string) (*Release, error) {
	if id == "" {
		r, err := s.newest(func(*Release) bool { return true })
		return s.watched(r), err
	}
	if n, err := strconv.Atoi(id); err != nil || strconv.Itoa(n) != id {
		return nil, &NotFoundError{ID: id}
	}
	r, err := s.read(id)
	if errors.Is(err, fs.ErrNotExist) || err == nil && r.ID == "" {
		return nil, &NotFoundError{ID: id}
	}
	return s.watched(r), err
}

// Current is the release that visitors see; a *NotFoundError when there is
// none.
func (s *Site) Current() (*Release, error) {
	return s.newest(func(r *Release) bool { return r.Status == Live })
}

// newest is the newest release that fits; a *NotFoundError when none does.
func (s *Site) newest(fits func(*Release) bool) (*Release, error) {
	var found *Release
	err := s.walkBack(func(r *Release) bool {
		if fits(r) {
			found = r
		}
		return found == nil
	})
	if err == nil && found == nil {
		err = &NotFoundError{}
	}
	return found, err
}

// walkBack calls f for each release, newest first, until it returns false. A
// journal without a whole first record is of a release that never began.
func (s *Site) walkBack(f func(*Release) bool) error {
	numbers, err := s.state.sequence()
	if err != nil {
		return err
	}
	for i := len(numbers) - 1; i >= 0; i-- {
		r, err := s.read(strconv.Itoa(numbers[i]))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was the oldest, and another process has removed it
		}
		if err != nil {
			return err
		}
		if r.ID != "" && !f(r) {
			return nil
		}
	}
	return nil
}

func (s *Site) read(id string) (*Release, error) {
	records, err := readJournal(s.state.journal(id))
	if err != nil {
		return nil, err
	}
	return fold(records), nil
}

// watched marks r as running when it is unfinished and a process is at it.
func (s *Site) watched(r *Release) *Release {
	if r != nil && r.Status == Unfinished && locked(s.state.journal(r.ID)) {
		r.Status = Running
	}
	return r
}

// ended is what an unfinished release becomes when it is over.
func ended(status Status, detail string) Record {
	return Record{Kind: kindEnd, State: string(status), Detail: detail}
}

// Tally says how many of jobs ended how, as in "1 failed, 2 lost".
func Tally(jobs []Job) string {
	counts := map[string]int{}
	for _, j := range jobs {
		counts[j.State]++
	}
	var text string
	for _, state := range []string{jobIntended, jobSubmitted, "succeeded", "failed", "lost", "unknown"} {
		if n := counts[state]; n > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", n, state)
		}
	}
	return text
}
