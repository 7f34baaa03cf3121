package release

import (
	"context"
	"fmt"
	"os"
	"time"

	"revstamp/cmd/revstamp/internal/config"
)

// endLeftovers ends what an earlier run, which was killed, has left running of the jobs
// that it did itself and that are about to be done again. The kernel has ended their
// commands, but not what those had started: done again beside it, a job would be done
// twice at the same time. The journal of r, which this process has, says that nobody
// else does them now.
func (s *Site) endLeftovers(ctx context.Context, cfg *config.Config, r *Release) error {
	if !r.did("jobs") {
		return nil
	}
	uniques := make(map[string]bool)
	for _, job := range r.pending() {
		here := job.Server == embedded || job.Server == "" && len(cfg.Jobs.Servers) == 0
		if here && !job.Foreground { // which is not done again
			uniques[job.Unique] = true
		}
	}
	if len(uniques) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	n, err := endJobs(ctx, uniques)
	if n > 0 {
		s.observer().Warn("a run that was killed has left processes at its jobs: %d, which are ended", n)
	}
	return err
}

// endJobs kills the processes of jobs, which are known by their unique keys, and
// returns when none runs any more; n is how many there were. When ctx is done first,
// the error names one that has not ended.
func endJobs(ctx context.Context, uniques map[string]bool) (n int, err error) {
	killed := make(map[int]bool)
	for {
		left, err := killJobs(uniques)
		if err != nil || len(left) == 0 {
			return len(killed), err
		}
		for _, pid := range left {
			killed[pid] = true
		}
		select {
		case <-ctx.Done():
			return len(killed), fmt.Errorf("process %d, left of a job, does not end: %w", left[0], context.Cause(ctx))
		case <-time.After(10 * time.Millisecond): // one that was killed may have started another
		}
	}
}

// killJobs kills every process of the jobs, and returns them.
func killJobs(uniques map[string]bool) (killed []int, err error) {
	// gearman.Command tells its program this, which passes it on.
	ofJob := func(pid int) bool { return uniques[environ(pid)["REVSTAMP_JOB_UNIQUE"]] }
	pids, err := processes()
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		if !ofJob(pid) {
			continue
		}
		p, err := os.FindProcess(pid)
		if err != nil {
			return killed, err
		}
		// Only now does the number stand for this process and no later one.
		if ofJob(pid) {
			killed = append(killed, pid)
			_ = p.Kill() // it may have ended, and if not it is found again
		}
		if err := p.Release(); err != nil {
			return killed, err
		}
	}
	return killed, nil
}
