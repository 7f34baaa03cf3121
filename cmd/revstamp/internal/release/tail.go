package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"revstamp/gearman"
)

// Follow brings the jobs of release id, or of the live one when id is empty,
// to their outcomes. While another process is at the release it is watched
// instead, through its journal; when that process ends, its work is taken over.
func (s *Site) Follow(ctx context.Context, id string) (*Release, error) {
	r, err := s.Find(id)
	if id == "" && err == nil && r.Status != Running {
		r, err = s.Current()
	}
	if err != nil {
		return nil, err
	}
	for seen := 0; ; {
		if seen, err = s.watch(ctx, r.ID, seen); err != nil {
			return r, err
		}
		if r, err = s.Find(r.ID); err != nil {
			return nil, err
		}
		switch r.Status {
		case Running:
			continue
		case Unfinished:
			return r, asError(r)
		case Failed, Aborted:
			return r, fmt.Errorf("release %s is no more: %s %s", r.ID, r.Status, r.Detail)
		}
		now, _, err := s.finishAlone(ctx, r, manner{insist: true})
		if !errors.Is(err, errFollowed) {
			return now, err
		}
	}
}

// watchEvery is how often it is asked whether a release's writer still lives:
// its death changes no file.
const watchEvery = time.Second

// watch tells the observer what is appended to the journal of release id by
// the process that has it, until there is none. The first seen records are
// known already; it returns how many are now.
func (s *Site) watch(ctx context.Context, id string, seen int) (int, error) {
	path := s.state.journal(id)
	if !locked(path) {
		return seen, nil
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return seen, err
	}
	defer watcher.Close()
	if err := watcher.Add(path); err != nil {
		return seen, err
	}
	client, err := s.watching(id)
	if err != nil {
		return seen, err
	}
	defer client.Close()
	alive, asking := time.NewTicker(watchEvery), time.NewTicker(pollEvery)
	defer alive.Stop()
	defer asking.Stop()
	for {
		busy := locked(path) // before reading: what its last act was is read too
		records, err := readJournal(path)
		if err != nil {
			return seen, err
		}
		s.replay(records[min(seen, len(records)):])
		if seen = len(records); !busy {
			return seen, nil
		}
		open := slices.DeleteFunc(fold(records).pending(), func(j Job) bool { return j.State != jobSubmitted })
		for quiet := true; quiet; {
			select {
			case <-ctx.Done():
				return seen, ctx.Err()
			case <-watcher.Events:
				quiet = false
			case <-alive.C:
				quiet = false
			case <-asking.C:
				s.glance(ctx, client, open)
			}
		}
	}
}

// glance tells the observer how jobs are doing that another process follows.
// What cannot be learned now is of no consequence: outcomes are in the journal.
func (s *Site) glance(ctx context.Context, client *gearman.Client, jobs []Job) {
	ctx, cancel := context.WithTimeout(ctx, watchEvery)
	defer cancel()
	_ = askJobs(ctx, client, jobs, func(job Job, status gearman.Status) error {
		if status.Known {
			observeStatus(s.observer(), job, status)
		}
		return nil
	})
}

// replay tells the observer of records as when they happened.
func (s *Site) replay(records []Record) {
	o := s.observer()
	defer o.When(time.Time{})
	for _, rec := range records {
		o.When(rec.Time)
		switch {
		case rec.Kind == kindJob && rec.Job != nil:
			o.Job(rec.Job.Unique, rec.Job.Function, rec.Job.State, 0, 0)
		case rec.Kind != kindStep:
		case rec.State == stepStarted:
			o.StepStarted(rec.Step)
		case rec.State == stepDone:
			o.StepDone(rec.Step, rec.Detail)
		case rec.State == stepSkipped:
			o.StepSkipped(rec.Step, rec.Detail)
		case rec.State == stepFailed:
			o.StepFailed(rec.Step, errors.New(rec.Detail))
		}
	}
}
