package jobserver

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/gearman/wire"
)

// Jobs come and go in every way there is, and each is counted once.
func TestStats(t *testing.T) {
	t.Parallel()
	s := &Server{HandlePrefix: "S", MaxPacket: 1 << 10, MaxJobs: 6, MaxFunctions: 2, MaxConns: 3}
	addr := start(t, s)
	c, w, gone := dial(t, addr), dial(t, addr), dial(t, addr)
	w.say(wire.CanDo, "f")
	gone.ask("JOB_CREATED S:1", wire.SubmitJob, "f", "", "abandoned")
	if _, err := dial(t, addr).read(); err == nil {
		t.Error("a connection too many is served")
	}
	gone.nc.Close()
	settle(t, s, 2)

	c.ask("JOB_CREATED S:2", wire.SubmitJobBg, "f", "u", "completed")
	c.ask("JOB_CREATED S:2", wire.SubmitJobBg, "f", "u", "the same job")
	c.ask("JOB_CREATED S:3", wire.SubmitJobBg, "f", "", "failed")
	c.ask("JOB_CREATED S:4", wire.SubmitJobBg, "f", "", "ended by an exception")
	c.ask("JOB_CREATED S:5", wire.SubmitJobBg, "f", "", "lost, and taken again")
	w.ask("JOB_ASSIGN S:2|f|completed", wire.GrabJob)
	w.say(wire.WorkComplete, "S:2", "")
	w.ask("JOB_ASSIGN S:3|f|failed", wire.GrabJob)
	w.say(wire.WorkFail, "S:3")
	w.ask("JOB_ASSIGN S:4|f|ended by an exception", wire.GrabJob)
	w.say(wire.WorkException, "S:4", "")
	w.ask("JOB_ASSIGN S:5|f|lost, and taken again", wire.GrabJob)
	w.say(wire.ResetAbilities)
	w.say(wire.CanDo, "f")
	w.ask("JOB_ASSIGN S:5|f|lost, and taken again", wire.GrabJob)
	c.ask("JOB_CREATED S:6", wire.SubmitJobBg, "g", "", "cancelled")
	c.write([]byte("cancel job S:6\n"))
	if got := c.text(); got != "OK" {
		t.Errorf("cancel job = %q, want OK", got)
	}
	c.ask("JOB_CREATED S:7", wire.SubmitJobEpoch, "g", "", in(time.Hour), "delayed")
	for _, handle := range []string{"S:8", "S:9", "S:10", "S:11"} {
		c.ask("JOB_CREATED "+handle, wire.SubmitJobHighBg, "g", "", "queued")
	}
	c.ask("ERROR QUEUE_ERROR|Job queue is full", wire.SubmitJobBg, "g", "", "")
	c.ask("ERROR QUEUE_ERROR|Too many functions", wire.CanDo, "h")
	large := dial(t, addr)
	large.write(raw(wire.Request, wire.EchoReq, []string{strings.Repeat("x", 1<<10+1)}))
	large.read() // until it is closed
	settle(t, s, 2)

	want := Stats{
		Connections: 2, ConnectionsAccepted: 4, ConnectionsRefused: 1, PacketsTooLarge: 1,
		JobsAccepted: 11, JobsCompleted: 1, JobsFailed: 2, JobsDropped: 2, JobsRetried: 1,
		Refused: 2,
		Functions: []FunctionStats{
			{Name: "f", Running: 1, Workers: 1},
			{Name: "g", Queued: 4, Delayed: 1},
		},
	}
	if diff := cmp.Diff(want, s.Stats()); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}

// What the store does, and does not, is counted too.
func TestStatsOfStore(t *testing.T) {
	t.Parallel()
	store, full := new(memoryStore), atomic.Bool{}
	store.apply = func(c *Changes) error {
		if full.Load() && len(c.Put) > 0 {
			return errors.New("disk full")
		}
		return nil
	}
	s := &Server{HandlePrefix: "S", Store: store}
	c := dial(t, start(t, s))
	c.ask("JOB_CREATED S:1", wire.SubmitJobBg, "f", "", "stored")
	full.Store(true)
	c.ask("ERROR QUEUE_ERROR|Job cannot be stored", wire.SubmitJobBg, "f", "", "not stored")
	got := s.Stats()
	if got.StoreTime <= 0 {
		t.Errorf("StoreTime = %v, want some", got.StoreTime)
	}
	got.StoreTime = 0
	want := Stats{
		Connections: 1, ConnectionsAccepted: 1,
		JobsAccepted: 2, JobsDropped: 1, Refused: 1,
		Functions:   []FunctionStats{{Name: "f", Queued: 1}},
		StoreWrites: 2, StoreFailures: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}
