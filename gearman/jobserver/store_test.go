package jobserver

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/gearman/wire"
)

// A memoryStore is a Store for tests. Its zero value is empty.
type memoryStore struct {
	apply func(c *Changes) error // called before; may be nil

	mu       sync.Mutex
	jobs     map[uint64]StoredJob
	reserved uint64
	applied  int
}

func (s *memoryStore) Load(each func(StoredJob) error) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(s.jobs)) {
		if err := each(s.jobs[n]); err != nil {
			return 0, err
		}
	}
	return s.reserved, nil
}

func (s *memoryStore) Apply(c *Changes) error {
	if s.apply != nil {
		if err := s.apply(c); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied++
	if s.jobs == nil {
		s.jobs = map[uint64]StoredJob{}
	}
	for _, j := range c.Put {
		s.jobs[j.Number] = j
	}
	for _, n := range c.Remove {
		delete(s.jobs, n)
	}
	if c.Reserved != 0 {
		s.reserved = c.Reserved
	}
	return nil
}

// crashed returns what would be left of s if the process ended now.
func (s *memoryStore) crashed() *memoryStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &memoryStore{jobs: maps.Clone(s.jobs), reserved: s.reserved}
}

func (s *memoryStore) workloads() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, n := range slices.Sorted(maps.Keys(s.jobs)) {
		all = append(all, string(s.jobs[n].Workload))
	}
	return all
}

func TestJobsOutliveTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		s := &Server{HandlePrefix: "T", Store: store}
		c, w := pipe(t, s), pipe(t, s)
		c.ask("JOB_CREATED T:1", wire.SubmitJobLowBg, "f", "", "low")
		c.ask("JOB_CREATED T:2", wire.SubmitJobBg, "f", "one", "running")
		c.ask("JOB_CREATED T:3", wire.SubmitJob, "f", "", "foreground")
		c.ask("JOB_CREATED T:4", wire.SubmitJobBg, "f", "two", "first")
		c.ask("JOB_CREATED T:5", wire.SubmitJobBg, "f", "-", "second")
		c.ask("JOB_CREATED T:4", wire.SubmitJobBg, "f", "two", "again")
		c.ask("JOB_CREATED T:6", wire.SubmitJobHighBg, "f", "", "done")
		c.ask("JOB_CREATED T:7", wire.SubmitJobHighBg, "f", "", "cancelled")
		c.ask("JOB_CREATED T:8", wire.SubmitJobEpoch, "f", "", in(time.Hour), "later")
		c.ask("JOB_CREATED T:9", wire.SubmitReduceJobBackground, "g", "", "reducer", "reduced")
		c.write([]byte("cancel job T:7\n"))
		if got := c.text(); got != "OK" {
			t.Fatalf("cancel job = %q, want OK", got)
		}
		w.say(wire.CanDo, "f")
		w.ask("JOB_ASSIGN T:6|f|done", wire.GrabJob)
		w.ask("JOB_ASSIGN T:2|f|running", wire.GrabJob)
		w.say(wire.WorkComplete, "T:6", "")
		synctest.Wait()
		store = store.crashed()
		s.Close()

		s = &Server{HandlePrefix: "T", Store: store}
		defer func() { s.Close() }()
		c, w = pipe(t, s), pipe(t, s)
		c.ask("JOB_CREATED T:5", wire.SubmitJobBg, "f", "-", "second")
		c.ask("STATUS_RES T:8|1|0|0|0", wire.GetStatus, "T:8")
		c.ask("STATUS_RES T:3|0|0|0|0", wire.GetStatus, "T:3")
		c.ask(fmt.Sprintf("JOB_CREATED T:%d", 1+reserveAhead), wire.SubmitJob, "f", "", "new")
		w.say(wire.CanDo, "g")
		w.ask("JOB_ASSIGN_ALL T:9|g||reducer|reduced", wire.GrabJobAll)
		w.say(wire.CanDo, "f")
		w.ask("JOB_ASSIGN_UNIQ T:2|f|one|running", wire.GrabJobUniq)
		w.ask("JOB_ASSIGN_UNIQ T:4|f|two|first", wire.GrabJobUniq)
		w.ask("JOB_ASSIGN_UNIQ T:5|f|-|second", wire.GrabJobUniq)
		w.ask(fmt.Sprintf("JOB_ASSIGN_UNIQ T:%d|f||new", 1+reserveAhead), wire.GrabJobUniq)
		w.ask("JOB_ASSIGN_UNIQ T:1|f||low", wire.GrabJobUniq)
		w.ask("NO_JOB", wire.GrabJobUniq)
		w.say(wire.PreSleep)
		time.Sleep(time.Hour)
		w.hears("NOOP")
		w.ask("JOB_ASSIGN T:8|f|later", wire.GrabJob)
		for _, n := range []int{1, 2, 4, 5, 8, 9} {
			w.say(wire.WorkComplete, fmt.Sprint("T:", n), "")
		}
		synctest.Wait()
		if got := store.workloads(); len(got) > 0 {
			t.Errorf("all is done, and stored: %q", got)
		}
		w.say(wire.WorkComplete, fmt.Sprint("T:", 1+reserveAhead), "")
		checkEmpty(t, s)

		s.Close()
		s = &Server{HandlePrefix: "T", Store: store}
		c = pipe(t, s)
		c.ask(fmt.Sprintf("JOB_CREATED T:%d", 2+reserveAhead), wire.SubmitJobBg, "f", "", "after a good end")
	})
}

// A background job is acknowledged, and given to a worker, once it is stored;
// what is asked behind it is answered behind it.
func TestStoredFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		s := &Server{HandlePrefix: "T", Store: &memoryStore{apply: func(c *Changes) error {
			if len(c.Put) > 0 {
				<-hold
			}
			return nil
		}}}
		defer s.Close()
		c, d, w := pipe(t, s), pipe(t, s), pipe(t, s)
		w.say(wire.CanDo, "f")
		w.say(wire.PreSleep)
		go c.nc.Write(slices.Concat(
			raw(wire.Request, wire.SubmitJobBg, []string{"f", "a", "x"}),
			raw(wire.Request, wire.GetStatus, []string{"T:1"}),
			raw(wire.Request, wire.SubmitJobBg, []string{strings.Repeat("f", maxName+1), "a", "x"}),
		))
		synctest.Wait()
		d.write(raw(wire.Request, wire.SubmitJobBg, []string{"f", "a", "x"}))
		w.ask("NO_JOB", wire.GrabJob)
		w.say(wire.PreSleep)
		admin := pipe(t, s)
		admin.write([]byte("status\n"))
		if got, want := admin.text(), "f\t1\t0\t1"; got != want {
			t.Errorf("status while the job is being stored: %q, want %q", got, want)
		}
		close(hold)
		c.hears("JOB_CREATED T:1")
		c.hears("STATUS_RES T:1|1|0|0|0")
		c.hears("ERROR ARGUMENT_TOO_LARGE|Function name too large")
		d.hears("JOB_CREATED T:1")
		w.hears("NOOP")
		w.ask("JOB_ASSIGN T:1|f|x", wire.GrabJob)
	})
}

func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		hold := make(chan struct{}, 1)
		store.apply = func(c *Changes) error {
			if len(c.Put) > 0 {
				<-hold
			}
			return nil
		}
		s := &Server{HandlePrefix: "T", Store: store}
		defer s.Close()
		const peers, each = 4, 500
		var clients []*peer
		for range peers {
			c := pipe(t, s)
			go c.nc.Write([]byte(strings.Repeat(string(raw(wire.Request, wire.SubmitJobBg, []string{"f", "", "x"})), each)))
			clients = append(clients, c)
		}
		synctest.Wait()
		close(hold)
		for _, c := range clients {
			for range each {
				if got, err := c.read(); err != nil || !strings.HasPrefix(got, "JOB_CREATED ") {
					t.Fatalf("got %q, %v", got, err)
				}
			}
		}
		if got := store.applied; got > 4 {
			t.Errorf("%d jobs were stored in %d groups, want at most one for the first, one for the others", peers*each, got)
		}
		if got := len(store.workloads()); got != peers*each {
			t.Errorf("%d jobs are stored, want %d", got, peers*each)
		}
	})
}

// A store that is full refuses what is to be stored, and nothing else.
func TestFullStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const refused = "ERROR QUEUE_ERROR|Job cannot be stored"
		var full atomic.Bool
		store := &memoryStore{}
		store.apply = func(c *Changes) error {
			if full.Load() {
				return errors.New("no space left")
			}
			return nil
		}
		var log bytes.Buffer
		warnings := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		s := &Server{HandlePrefix: "T", Store: store, Logger: warnings}
		defer s.Close()
		c, fg, w := pipe(t, s), pipe(t, s), pipe(t, s)
		c.ask("JOB_CREATED T:1", wire.SubmitJobBg, "f", "a", "first")

		full.Store(true)
		c.ask(refused, wire.SubmitJobBg, "f", "b", "second")
		c.ask("JOB_CREATED T:1", wire.SubmitJobBg, "f", "a", "first again")
		fg.ask("JOB_CREATED T:3", wire.SubmitJob, "f", "c", "foreground")
		c.ask(refused, wire.SubmitJobBg, "f", "c", "the same in the background")
		c.ask("STATUS_RES T:2|0|0|0|0", wire.GetStatus, "T:2")
		w.say(wire.CanDo, "f")
		w.ask("JOB_ASSIGN T:1|f|first", wire.GrabJob)
		w.say(wire.WorkComplete, "T:1", "")
		w.ask("JOB_ASSIGN T:3|f|foreground", wire.GrabJob)
		w.say(wire.WorkComplete, "T:3", "done")
		fg.hears("WORK_COMPLETE T:3|done")
		w.ask("NO_JOB", wire.GrabJob)
		checkEmpty(t, s)
		if diff := cmp.Diff([]string{"first"}, store.workloads()); diff != "" {
			t.Errorf("stored while the store is full (-want +got):\n%s", diff)
		}

		full.Store(false)
		time.Sleep(2 * storeAgain)
		synctest.Wait()
		if got := store.workloads(); len(got) > 0 {
			t.Errorf("stored when there is room again: %q, want nothing", got)
		}
		c.ask("JOB_CREATED T:4", wire.SubmitJobBg, "f", "b", "second")
		if diff := cmp.Diff([]string{"second"}, store.workloads()); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		synctest.Wait()
		for _, told := range []string{"jobs cannot be stored", "jobs are stored again"} {
			if got := strings.Count(log.String(), told); got != 1 {
				t.Errorf("%q is logged %d times, want once:\n%s", told, got, &log)
			}
		}
	})
}

// TestFullStoreKeepsTime has a delayed job stored only by its third submit, while
// the second, which came before the first was refused, keeps it.
func TestFullStoreKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, s := &memoryStore{}, &Server{HandlePrefix: "T"}
		results := make(chan error)
		s.Store = store
		a, b, c, w := pipe(t, s), pipe(t, s), pipe(t, s), pipe(t, s)
		w.say(wire.CanDo, "f")
		synctest.Wait()
		store.apply = func(*Changes) error { return <-results }

		a.write(raw(wire.Request, wire.SubmitJobEpoch, []string{"f", "u", in(time.Hour), "later"}))
		synctest.Wait()
		b.write(raw(wire.Request, wire.SubmitJobEpoch, []string{"f", "u", in(time.Hour), "later"}))
		b.write(raw(wire.Request, wire.SubmitJobBg, []string{"g", "", "other"}))
		synctest.Wait()
		results <- errors.New("full")
		synctest.Wait()
		c.write(raw(wire.Request, wire.SubmitJobEpoch, []string{"f", "u", in(time.Hour), "later"}))
		synctest.Wait()
		close(results)
		const refused = "ERROR QUEUE_ERROR|Job cannot be stored"
		a.hears(refused)
		b.hears(refused)
		b.hears("JOB_CREATED T:2")
		c.hears("JOB_CREATED T:1")
		w.ask("NO_JOB", wire.GrabJob)
		time.Sleep(time.Hour + time.Second)
		w.ask("JOB_ASSIGN T:1|f|later", wire.GrabJob)
		s.Close()
	})
}

// Who attached to a job that then could not be stored is told, or keeps it.
func TestFullStoreForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan error)
		s := &Server{HandlePrefix: "T", Store: &memoryStore{apply: func(c *Changes) error {
			if len(c.Put) > 0 {
				return <-hold
			}
			return nil
		}}}
		defer s.Close()
		first, second, fg, w := pipe(t, s), pipe(t, s), pipe(t, s), pipe(t, s)
		w.say(wire.CanDo, "f")
		w.say(wire.PreSleep)
		submit := func(p *peer, typ wire.Type, unique string) {
			p.write(raw(wire.Request, typ, []string{"f", unique, "x"}))
			synctest.Wait()
		}
		submit(first, wire.SubmitJobBg, "a") // is being written
		submit(second, wire.SubmitJobBg, "a")
		submit(first, wire.SubmitJobBg, "b")
		fg.ask("JOB_CREATED T:2", wire.SubmitJob, "f", "b", "x")
		hold <- errors.New("no space left")
		first.hears("ERROR QUEUE_ERROR|Job cannot be stored")
		synctest.Wait()
		w.ask("NO_JOB", wire.GrabJob)
		hold <- errors.New("no space left")
		first.hears("ERROR QUEUE_ERROR|Job cannot be stored")
		second.hears("ERROR QUEUE_ERROR|Job cannot be stored")
		w.ask("JOB_ASSIGN T:2|f|x", wire.GrabJob)
		w.say(wire.WorkComplete, "T:2", "")
		fg.hears("WORK_COMPLETE T:2|")
		checkEmpty(t, s)
	})
}

// Shutdown waits for what runs and for clients that wait, and leaves the rest to
// the next server.
func TestShutdownKeepsStoredJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		s := &Server{HandlePrefix: "T", Store: store}
		c, w := pipe(t, s), pipe(t, s)
		c.ask("JOB_CREATED T:1", wire.SubmitJobBg, "f", "", "running")
		c.ask("JOB_CREATED T:2", wire.SubmitJobBg, "f", "", "lost")
		c.ask("JOB_CREATED T:3", wire.SubmitJobBg, "f", "", "queued")
		c.ask("JOB_CREATED T:4", wire.SubmitJobEpoch, "f", "", in(time.Minute), "later")
		c.ask("JOB_CREATED T:5", wire.SubmitJob, "f", "", "foreground")
		w.say(wire.CanDo, "f")
		w.ask("JOB_ASSIGN T:1|f|running", wire.GrabJob)
		lost := pipe(t, s)
		lost.say(wire.CanDo, "f")
		lost.ask("JOB_ASSIGN T:2|f|lost", wire.GrabJob)

		done := make(chan error, 1)
		go func() { done <- s.Shutdown(t.Context()) }()
		synctest.Wait()
		lost.say(wire.ResetAbilities)
		c.ask("JOB_CREATED T:6", wire.SubmitJobBg, "report", "", "new")
		w.say(wire.WorkComplete, "T:1", "")
		w.ask("JOB_ASSIGN T:5|f|foreground", wire.GrabJob)
		w.ask("NO_JOB", wire.GrabJob)
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Shutdown = %v while a job runs", err)
		default:
		}
		w.write(raw(wire.Request, wire.WorkComplete, []string{"T:5", "result"}))
		c.hears("WORK_COMPLETE T:5|result")
		if err := <-done; err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if diff := cmp.Diff([]string{"lost", "queued", "later", "new"}, store.workloads()); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

func TestUnloadable(t *testing.T) {
	s := &Server{Store: &memoryStore{jobs: map[uint64]StoredJob{1: {Number: 1, Priority: 9}}}}
	err := s.Serve(closer{})
	if want := "job store: job 1 of priority 9 after 0"; err == nil || err.Error() != want {
		t.Errorf("Serve = %v, want %s", err, want)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}
