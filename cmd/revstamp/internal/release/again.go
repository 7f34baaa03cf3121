package release

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// lastBackoff is how long the time between two attempts grows, unless it is longer
// from the beginning.
const lastBackoff = 10 * time.Minute

// again makes of a job that has failed one to be done once more, under a unique
// key of its own: a late report of the attempt before is not taken for one of this.
// It is false when it was done often enough.
func (j *Job) again(now time.Time) bool {
	if j.Foreground || j.Attempt+1 >= j.Attempts {
		return false
	}
	j.Attempt++
	j.NotBefore = now.Add(j.wait()).UTC()
	dir := strings.LastIndexByte(j.Unique, '/') + 1
	first, _, _ := strings.Cut(j.Unique[dir:], ".")
	j.Unique = fmt.Sprintf("%s%s.%d", j.Unique[:dir], first, j.Attempt+1)
	j.State, j.Server, j.Handle = jobIntended, "", ""
	return true
}

// wait is how long after a failure a job is done again, as its Attempt says.
func (j Job) wait() time.Duration {
	wait := j.Backoff
	for range j.Attempt - 1 {
		if wait < lastBackoff {
			wait = min(2*wait, lastBackoff)
		}
	}
	return wait
}

// due reports whether the time of a job's attempt has come. One that lies further
// ahead than it was ever put is of a clock that has been set back since.
func (j Job) due(now time.Time) bool {
	left := j.NotBefore.Sub(now)
	return left <= 0 || left > j.wait()
}

// again queues the jobs whose next attempt is due.
func (f *followed) again(ctx context.Context) error {
	for _, job := range f.all() {
		if job.State != jobIntended || job.Foreground || job.Attempt == 0 || !job.due(time.Now()) {
			continue
		}
		if _, err := (jobsStep{f}).queue(ctx, job); err != nil {
			return fmt.Errorf("queue %s: %w", job.Function, err)
		}
	}
	return nil
}
