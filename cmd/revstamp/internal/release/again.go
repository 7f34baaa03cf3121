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
	wait := j.Backoff
	for range j.Attempt {
		if wait < lastBackoff {
			wait = min(2*wait, lastBackoff)
		}
	}
	j.Attempt++
	j.NotBefore = now.Add(wait).UTC()
	dir := strings.LastIndexByte(j.Unique, '/') + 1
	first, _, _ := strings.Cut(j.Unique[dir:], ".")
	j.Unique = fmt.Sprintf("%s%s.%d", j.Unique[:dir], first, j.Attempt+1)
	j.State, j.Server, j.Handle = jobIntended, "", ""
	return true
}

// due reports whether the time of a job's attempt has come.
func (j Job) due(now time.Time) bool { return !j.NotBefore.After(now) }

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
