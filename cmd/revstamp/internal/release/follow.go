package release

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/gearman"
)

const (
	// pollEvery is how often a job server is asked for a job's progress.
	pollEvery = 250 * time.Millisecond
	// grace is how long a job may be unknown to its job server, with no report
	// waiting, before it is given up.
	grace = 10 * time.Second
	// leaveWithin is how long workers and the embedded job server may take to
	// end in good order.
	leaveWithin = 5 * time.Second
)

// followed is a live release whose jobs are queued and followed.
type followed struct {
	site    *Site
	cfg     *config.Config
	journal *Journal
	hub     *hub
	release *Release

	mu      sync.Mutex
	jobs    []Job
	changed chan struct{}        // holds one token when jobs has changed
	gone    map[string]time.Time // since when a job is unknown, by unique

	waits    bool          // for outcomes
	patience time.Duration // for how long; 0 is for ever
}

// manner is how the jobs of a release are followed.
type manner struct {
	unlock func() error // called once they are queued: following needs no lock on the site; may be nil
	insist bool         // follow even where the configuration says that releases do not: it was asked for
}

// finish queues and follows the jobs of live release r, and returns r as it is
// then.
func (s *Site) finish(ctx context.Context, cfg *config.Config, journal *Journal, r *Release, m manner) (now *Release, done bool, err error) {
	if len(r.pending()) == 0 && !r.undecided() {
		return r, false, jobsError(r, true, nil)
	}
	if err := s.endLeftovers(ctx, cfg, r); err != nil {
		return r, false, err
	}
	hub, err := s.openHub(cfg, r.ID)
	if err != nil {
		return r, false, err
	}
	defer func() { err = errors.Join(err, hub.close(ctx)) }()
	f := &followed{
		site: s, cfg: cfg, journal: journal, hub: hub, release: r, jobs: slices.Clone(r.Jobs),
		patience: cfg.Jobs.Follow, waits: cfg.Jobs.Follow > 0 || m.insist || hub.embedded,
		changed: make(chan struct{}, 1), gone: map[string]time.Time{},
	}
	err = f.run(ctx, m.unlock)
	now, readErr := s.read(r.ID)
	if readErr != nil {
		return r, false, errors.Join(err, readErr)
	}
	if failed, ok := errors.AsType[*Error](err); ok {
		if ctx.Err() != nil {
			failed.Release, failed.Effect = r.ID, Following
			if hub.embedded {
				failed.Effect = Owing // it ends with this process
			}
			return now, false, failed
		}
		err = failed.Err
	}
	return now, false, jobsError(now, f.waits, err)
}

// finishAlone is finish for a release whose journal this process does not
// have: errFollowed when another one has it.
func (s *Site) finishAlone(ctx context.Context, r *Release, m manner) (now *Release, done bool, err error) {
	journal, err := s.openJournal(ctx, r.ID)
	if err != nil {
		return r, false, err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	if r, err = s.read(r.ID); err != nil {
		return r, false, err
	}
	if r.Status != Live {
		return r, false, asError(r)
	}
	return s.finish(ctx, s.Config, journal, r, m)
}

func (f *followed) run(ctx context.Context, unlock func() error) error {
	stop := f.collect(ctx)
	defer f.forget(ctx)
	defer stop()
	runner := &runner{journal: f.journal, observer: f.site.observer()}
	if err := runner.run(ctx, []Step{jobsStep{f}}); err != nil {
		return err
	}
	if unlock != nil {
		if err := unlock(); err != nil {
			return err
		}
	}
	return runner.run(ctx, []Step{followStep{f}})
}

// forget drops the function of the reports from the job servers, which
// otherwise keep its name for ever, once nobody will report to it any more.
func (f *followed) forget(ctx context.Context) {
	if f.open() > 0 || f.hub.embedded || ctx.Err() != nil {
		return
	}
	for _, server := range f.servers() {
		if n, err := f.waiting(ctx, server); err == nil && n == 0 {
			_ = f.hub.admin(server).DropFunction(ctx, gearman.OutcomeFunction(f.release.key()))
		}
	}
}

// jobsError is nil when every job of r succeeded; those without an outcome
// count only where outcomes were waited for.
func jobsError(r *Release, waited bool, err error) error {
	var bad []Job
	for _, j := range r.Jobs {
		if j.State != string(gearman.Succeeded) && (j.Over() || waited) {
			bad = append(bad, j)
		}
	}
	if len(bad) == 0 && err == nil {
		return nil
	}
	return &JobsError{Release: r.ID, Jobs: bad, Err: err}
}

// followStep follows each job to its outcome.
type followStep struct{ *followed }

func (followStep) Name() string { return "follow" }

func (s followStep) Run(ctx context.Context) (string, error) {
	if s.open() == 0 {
		return s.late(ctx)
	}
	if !s.waits {
		return "", Skip("not waiting for " + plural(s.open(), "job"))
	}
	parent := ctx
	ctx, cancel := s.limit(ctx)
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	stop := s.foreground(ctx, giveUp)
	defer stop()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	var err error
	for {
		before := err
		// What was cut off because the time is up says nothing of the job servers.
		if now := errors.Join(s.poll(ctx), s.again(ctx)); ctx.Err() == nil {
			err = now
		}
		if s.open() == 0 {
			return Tally(s.all()), nil
		}
		if _, ok := errors.AsType[*OrphanedError](err); ok {
			return "", err
		}
		s.trouble(before, err)
		select {
		case <-ctx.Done():
			if parent.Err() != nil {
				return "", parent.Err()
			}
			return "", errors.Join(context.Cause(ctx), err)
		case <-ticker.C:
		case <-s.changed:
		}
	}
}

// trouble tells of job servers that begin not to answer, where it may be long until
// they do, and of what else begins to fail, which is no less tried again.
func (s followStep) trouble(before, now error) {
	_, was := errors.AsType[*silentError](before)
	_, is := errors.AsType[*silentError](now)
	switch {
	case is && !was:
		s.site.observer().Warn("%v: asked again until it answers", now)
	case !is && now != nil && (was || before == nil):
		s.site.observer().Warn("%v: tried again", now)
	}
}

// late receives the reports of jobs that had been given up, if any came since.
func (s followStep) late(ctx context.Context) (string, error) {
	if s.release.undecided() {
		for _, server := range s.servers() {
			if err := s.drain(ctx, server); err != nil {
				return "", err
			}
		}
	}
	return Tally(s.all()), nil
}

var errPatience = errors.New("no outcome within the time that jobs.follow allows")

func (s followStep) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.patience == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, s.patience, errPatience)
}

// collect begins to receive the reports of the release's jobs, as the worker
// of their function. A report is acknowledged only once it is journaled. The
// returned function stops it.
func (f *followed) collect(ctx context.Context) (stop func()) {
	w := &gearman.Worker{Servers: f.servers(), Dial: f.hub.client.Dial, TLS: f.hub.client.TLS}
	w.Handle(gearman.OutcomeFunction(f.release.key()), 0, gearman.HandlerFunc(
		func(_ context.Context, req *gearman.Request) ([]byte, error) {
			report, err := gearman.ParseReport(req.Workload)
			if err != nil {
				f.site.observer().Warn("a report that is none: %v", err)
				return nil, nil
			}
			return nil, f.outcome(report.Unique, report.Outcome, &report)
		}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Serve()
	}()
	return func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
		defer cancel()
		_ = w.Shutdown(limited) // a report that is cut off is brought again
		<-done
	}
}

// servers are the addresses of the job servers that may have reports.
func (f *followed) servers() []string {
	all := slices.Clone(f.hub.client.Servers)
	for _, j := range f.all() {
		if j.Server != "" && j.Server != embedded && !slices.Contains(all, j.Server) {
			all = append(all, j.Server)
		}
	}
	return all
}

// outcome journals what became of a job. The last word counts: a job whose
// worker died is done again, and reported again.
func (f *followed) outcome(unique string, o gearman.Outcome, report *gearman.Report) error {
	again := Job{}
	err := f.update(unique, func(job *Job) {
		job.State, job.Report = string(o), report
		if report != nil && job.Handle == "" {
			job.Handle = report.Handle
		}
		if o == gearman.Failed && job.again(time.Now()) {
			again = *job
		}
	})
	if again.N > 0 {
		f.site.observer().Warn("%s failed, and is done again at %s, for the %d. time of %d at most",
			again.Function, again.NotBefore.Local().Format(time.TimeOnly), again.Attempt+1, again.Attempts)
	}
	return err
}

// submitted journals where a job went. Its outcome may be known already.
func (f *followed) submitted(unique, server, handle string) error {
	return f.update(unique, func(job *Job) {
		job.Server, job.Handle = server, handle
		if !job.Over() {
			job.State = jobSubmitted
		}
	})
}

// update changes a job, journals its new state and tells the observer. A job
// that is none of the release's is passed over.
func (f *followed) update(unique string, change func(*Job)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.jobs, func(j Job) bool { return j.Unique == unique })
	if i < 0 {
		return nil
	}
	job := f.jobs[i]
	change(&job)
	if err := f.journal.Append(Record{Kind: kindJob, Job: &job}); err != nil {
		return err
	}
	f.jobs[i] = job
	f.site.observer().Job(job.Unique, job.Function, job.State, 0, 0)
	select {
	case f.changed <- struct{}{}:
	default:
	}
	return nil
}

// job is the present state of a job; the zero Job when there is none.
func (f *followed) job(unique string) Job {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range f.jobs {
		if j.Unique == unique {
			return j
		}
	}
	return Job{}
}

func (f *followed) all() []Job {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.jobs)
}

// open counts the jobs without an outcome.
func (f *followed) open() int {
	return len((&Release{Jobs: f.all()}).pending())
}
