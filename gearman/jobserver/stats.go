package jobserver

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"revstamp/gearman/wire"
)

// Stats is what a Server has to do and has done. What is counted begins at zero
// with the server and only grows.
type Stats struct {
	Connections         int    // now
	ConnectionsAccepted uint64 // those that have ended, too
	ConnectionsRefused  uint64 // past MaxConns
	ConnectionsSlow     uint64 // ended by the server past MaxPending
	PacketsTooLarge     uint64 // past MaxPacket, or lines; each ended its connection

	// JobsAccepted counts jobs and not submissions, several of which may be one
	// job. Those that a Store had are among them. Every one is completed, failed
	// or dropped, or has not ended.
	JobsAccepted  uint64
	JobsCompleted uint64
	JobsFailed    uint64 // by WORK_FAIL or WORK_EXCEPTION
	JobsDropped   uint64 // cancelled, abandoned by their clients, or not stored
	JobsRetried   uint64 // times that a worker lost one

	// Refused counts submissions, and announcements of workers, that a limit
	// forbade: MaxJobs, MaxFunctions, maxqueue, the length of a name. With a
	// Store it also counts those that could not be stored.
	Refused uint64

	Functions []FunctionStats // by name

	// Of the Store: writes of many changes each, those among them that failed,
	// and how long all took. Divide by StoreWrites for the mean.
	StoreWrites   uint64
	StoreFailures uint64
	StoreTime     time.Duration
}

// FunctionStats is what there is of one function now.
type FunctionStats struct {
	Name    string
	Queued  int // for a worker; in a Store that is being written, too
	Delayed int // until their time has come
	Running int
	Workers int // that announced it
}

// Stats returns the server's counters at one moment. It holds up the server for
// as long as it takes to look at each function once, and counting costs it next
// to nothing.
func (s *Server) Stats() Stats {
	s.init()
	s.mu.Lock()
	stats := Stats{
		Connections:         len(s.conns),
		ConnectionsAccepted: s.accepted,
		ConnectionsRefused:  s.refused,
	}
	s.mu.Unlock()
	s.queue.stats(&stats)
	slices.SortFunc(stats.Functions, func(a, b FunctionStats) int { return cmp.Compare(a.Name, b.Name) })
	return stats
}

// A tally is what a queue counts besides what it holds.
type tally struct {
	accepted, completed, failed, retried uint64
	refused, slow, tooLarge              uint64

	writes, writeFailures uint64 // of the store
	writing               time.Duration
}

// ended counts a connection that ended with err.
func (t *tally) ended(err error) {
	switch {
	case errors.Is(err, errSlow):
		t.slow++
	case errors.Is(err, wire.ErrTooLarge):
		t.tooLarge++
	}
}

// result counts the end of a job that its worker told.
func (t *tally) result(of wire.Type) {
	if of == wire.WorkComplete {
		t.completed++
	} else {
		t.failed++
	}
}

// refusal counts r, unless it is nil, and returns it.
func (t *tally) refusal(r *refusal) *refusal {
	if r != nil {
		t.refused++
	}
	return r
}

// wrote counts a write of the store.
func (t *tally) wrote(took time.Duration, err error) {
	t.writes++
	t.writing += took
	if err != nil {
		t.writeFailures++
	}
}

// stats fills in what q knows. It takes mu.
func (q *queue) stats(stats *Stats) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &q.tally
	stats.ConnectionsSlow, stats.PacketsTooLarge, stats.Refused = t.slow, t.tooLarge, t.refused
	stats.JobsAccepted, stats.JobsCompleted, stats.JobsFailed, stats.JobsRetried = t.accepted, t.completed, t.failed, t.retried
	stats.JobsDropped = t.accepted - t.completed - t.failed - uint64(q.jobs.n)
	stats.StoreWrites, stats.StoreFailures, stats.StoreTime = t.writes, t.writeFailures, t.writing
	stats.Functions = make([]FunctionStats, 0, len(q.functions))
	for _, f := range q.functions {
		stats.Functions = append(stats.Functions, FunctionStats{
			Name:    f.name,
			Queued:  f.jobs() - f.delayed - f.running,
			Delayed: f.delayed,
			Running: f.running,
			Workers: f.workers,
		})
	}
}
