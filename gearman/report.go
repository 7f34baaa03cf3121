package gearman

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Outcome is how a job ended, as far as anybody can say.
type Outcome string

// The outcomes. A worker reports Succeeded or Failed; Lost and Unknown are what
// a follower concludes where no report can come any more.
const (
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	Lost      Outcome = "lost"
	Unknown   Outcome = "unknown"
)

// A Report tells the end of one run of a job. A job server forgets a background
// job the moment it ends, so a Worker sends the report, as the JSON workload of
// a background job of its own, before it acknowledges the end. A job that was
// given back to the queue in between is run again and reported again: of several
// reports of one job the last counts.
type Report struct {
	Unique     string    `json:"unique"`
	Server     string    `json:"server"` // as the worker names it
	Handle     string    `json:"handle"`
	Function   string    `json:"function"`
	Outcome    Outcome   `json:"outcome"`
	ExitStatus int       `json:"exit_status"`      // as Request.ExitStatus
	Output     []string  `json:"output,omitempty"` // the last lines, without their ends
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"`
}

// ParseReport reads the workload of a report's job.
func ParseReport(workload []byte) (Report, error) {
	var r Report
	if err := json.Unmarshal(workload, &r); err != nil {
		return Report{}, fmt.Errorf("outcome report: %w", err)
	}
	switch r.Outcome {
	case Succeeded, Failed, Lost, Unknown:
	default:
		return Report{}, fmt.Errorf("outcome report: outcome %q is none", r.Outcome)
	}
	if r.Unique == "" {
		return Report{}, errors.New("outcome report: no unique")
	}
	return r, nil
}

const outcomePrefix = "revstamp.outcome."

// OutcomeFunction returns the function that takes the reports of the jobs of
// release, which is "<site>/<n>". A follower is a Worker of it whose Handler
// returns nil once the report is safe: until then the report stays queued.
func OutcomeFunction(release string) string { return outcomePrefix + release }

// ReleaseOf returns the release of a job by its unique key, which is
// "<site>/<release>/<n>" with a number at its end, or "<site>/<release>/<n>.<m>"
// for its m-th attempt. ok is false for every other key.
func ReleaseOf(unique string) (release string, ok bool) {
	parts := strings.Split(unique, "/")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return "", false
	}
	numbers := strings.Split(parts[2], ".")
	for _, n := range numbers {
		if _, err := strconv.ParseUint(n, 10, 64); err != nil || len(numbers) > 2 {
			return "", false
		}
	}
	return parts[0] + "/" + parts[1], true
}

// ReportReleases is the Report of a Worker that reports the jobs of releases,
// and of nothing else, to OutcomeFunction.
func ReportReleases(unique string) (function string, ok bool) {
	release, ok := ReleaseOf(unique)
	if !ok {
		return "", false
	}
	return OutcomeFunction(release), true
}

// report queues the report of a run whose job asks for one, on the job server
// that gave the job, and returns once it is acknowledged there.
//
// It tries until ctx is done, and meanwhile the job stays running and keeps its
// place among Concurrency: the alternatives are a job whose end nobody will ever
// know, or one that runs again each time its report is refused. ctx is done when
// the connection that holds the job is lost, or the worker shut down for good:
// then the server gives the job to the next worker. So at every moment the
// server knows the job, or its report waits.
func (w *Worker) report(ctx context.Context, j *Request, r Report) error {
	if w.Report == nil {
		return nil
	}
	function, ok := w.Report(j.Unique)
	if !ok {
		return nil
	}
	workload, err := json.Marshal(r)
	if err != nil {
		return err
	}
	// One key for all tries of this run, so that a try whose answer was lost is
	// not queued twice; another for the next run, whose report must not be
	// swallowed by this one.
	task := Task{Function: function, Unique: rand.Text(), Workload: workload, Priority: High}
	if err := task.check(); err != nil {
		return err
	}
	for failures := 0; ; failures++ {
		_, err := w.reports.submitTo(ctx, j.Server, true, task)
		if err == nil {
			return nil
		}
		w.logger().Warn("report not accepted, job kept", "server", j.Server, "handle", j.Handle, "unique", j.Unique, "error", err)
		if sleep(ctx, backoff(failures, lastDelay)) != nil {
			return fmt.Errorf("report of job %s: %w", j.Handle, err)
		}
	}
}
