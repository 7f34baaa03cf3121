package gearman_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/gearman"
	"revstamp/gearman/wire"
)

// A background job's life as status tells it: when it is over, nothing says how.
func TestStatus(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		for _, end := range []wire.Type{wire.WorkComplete, wire.WorkFail} {
			unique := "shop/1/" + end.String()
			job, err := c.Submit(ctx, gearman.Task{Function: "warm", Unique: unique, Workload: []byte("a\x00b")})
			if err != nil {
				t.Fatal(err)
			}
			expect := func(when string, want gearman.Status) {
				t.Helper()
				got, err := c.Status(ctx, job.Server, job.Handle)
				if err != nil || got != want {
					t.Errorf("Status %s = %+v, %v, want %+v", when, got, err, want)
				}
				got, err = c.StatusUnique(ctx, job.Server, unique)
				if err != nil || got != want {
					t.Errorf("StatusUnique %s = %+v, %v, want %+v", when, got, err, want)
				}
			}
			expect("queued", gearman.Status{Known: true})
			w := dialPeer(t, addr).canDo("warm")
			handle, function, gotUnique, workload := w.grab()
			if handle != job.Handle || function != "warm" || gotUnique != unique || workload != "a\x00b" {
				t.Errorf("worker got %q %q %q %q", handle, function, gotUnique, workload)
			}
			w.request(wire.WorkStatus, handle, "3", "10")
			w.sync()
			expect("running", gearman.Status{Known: true, Running: true, Numerator: 3, Denominator: 10})
			if end == wire.WorkFail {
				w.request(end, handle)
			} else {
				w.request(end, handle, "done")
			}
			w.sync()
			expect("after "+end.String(), gearman.Status{})
		}
	})
}

// The statuses of many handles, more than one write takes, come in their order.
func TestStatusAll(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		tasks := slices.Repeat([]gearman.Task{{Function: "f"}}, 50)
		jobs, err := c.SubmitAll(ctx, append(tasks, gearman.Task{Function: "g"}))
		if err != nil {
			t.Fatal(err)
		}
		dialPeer(t, addr).canDo("g").grab()
		var handles []string
		var want []gearman.Status
		for range 50 {
			for i, job := range jobs {
				handles = append(handles, job.Handle, "H:nowhere:1")
				want = append(want, gearman.Status{Known: true, Running: i == len(jobs)-1}, gearman.Status{})
			}
		}
		got, err := c.StatusAll(ctx, addr, handles)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("StatusAll: %v (-want +got):\n%s", err, diff)
		}
		if got, err := c.StatusAll(ctx, addr, nil); err != nil || len(got) > 0 {
			t.Errorf("StatusAll of nothing = %v, %v", got, err)
		}
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		if got, err := c.StatusAll(cancelled, addr, handles); !errors.Is(err, context.Canceled) || got != nil {
			t.Errorf("StatusAll = %v, %v, want canceled", got, err)
		}
	})
}

func TestDo(t *testing.T) {
	tests := map[string]struct {
		work func(w *peer, handle string)
		want []gearman.Event
		data string
		err  func(j gearman.Job) error
	}{
		"complete": {
			work: func(w *peer, h string) {
				w.request(wire.WorkData, h, "some\x00")
				w.request(wire.WorkStatus, h, "1", "2")
				w.request(wire.WorkWarning, h, "careful")
				w.request(wire.WorkData, h, "")
				w.request(wire.WorkStatus, h, "1.9", "many")
				w.request(wire.WorkComplete, h, "re\x00sult")
			},
			want: []gearman.Event{
				{Kind: gearman.Data, Data: []byte("some\x00")},
				{Kind: gearman.Progress, Numerator: 1, Denominator: 2},
				{Kind: gearman.Warning, Data: []byte("careful")},
				{Kind: gearman.Data, Data: []byte{}},
				{Kind: gearman.Progress, Numerator: 1},
			},
			data: "re\x00sult",
		},
		"fail": {
			work: func(w *peer, h string) { w.request(wire.WorkFail, h) },
			err:  func(j gearman.Job) error { return &gearman.FailedError{Job: j, Function: "fail"} },
		},
		"exception": {
			work: func(w *peer, h string) { w.request(wire.WorkException, h, "boom") },
			err: func(j gearman.Job) error {
				return &gearman.ExceptionError{Job: j, Function: "exception", Data: []byte("boom")}
			},
		},
	}
	eachServer(t, func(t *testing.T, addr string) {
		c := newClient(t, addr)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				ctx := deadline(t)
				w := dialPeer(t, addr).canDo(name)
				var job gearman.Job
				done := make(chan struct{})
				go func() {
					defer close(done)
					job.Server = addr
					job.Handle, _ = w.await()
					tt.work(w, job.Handle)
				}()
				var events []gearman.Event
				result, err := c.Do(ctx, gearman.Task{Function: name, OnEvent: func(e gearman.Event) { events = append(events, e) }})
				<-done
				if diff := cmp.Diff(tt.want, events); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if tt.err == nil {
					if want := (gearman.Result{Job: job, Data: []byte(tt.data)}); err != nil || !cmp.Equal(result, want) {
						t.Errorf("Do = %+v, %v, want %+v", result, err, want)
					}
					return
				}
				if diff := cmp.Diff(tt.err(job), err); diff != "" {
					t.Errorf("Do error %v (-want +got):\n%s", err, diff)
				}
			})
		}
	})
}

// A client that did not ask for exceptions gets WORK_FAIL, from gearmand with a
// NUL behind the handle: its own Do must see the end all the same.
func TestFailOfAnException(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		plain := dialPeer(t, addr)
		plain.request(wire.SubmitJob, "f", "", "")
		handle := plain.expect(wire.JobCreated)[0]
		w := dialPeer(t, addr).canDo("f")
		w.grab()
		w.request(wire.WorkException, handle, "boom")
		if got := plain.expect(wire.WorkFail)[0]; strings.TrimSuffix(got, "\x00") != handle {
			t.Errorf("WORK_FAIL of %q, want %q", got, handle)
		}
	})
}

// Submissions of one unique become one job, and every one of them gets all of
// its packets once, though they share a connection.
func TestCoalescing(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx := deadline(t)
		first, second := newClient(t, addr), newClient(t, addr)
		var wg sync.WaitGroup
		var mu sync.Mutex
		handles := map[string]int{}
		for _, c := range []*gearman.Client{first, first, first, second, second} {
			wg.Go(func() {
				var events []gearman.Event
				result, err := c.Do(ctx, gearman.Task{Function: "f", Unique: "u", OnEvent: func(e gearman.Event) { events = append(events, e) }})
				want := []gearman.Event{{Kind: gearman.Data, Data: []byte("1")}, {Kind: gearman.Data, Data: []byte("2")}}
				if err != nil || string(result.Data) != "end" || !cmp.Equal(events, want) {
					t.Errorf("Do = %q, %v, events %+v, want end and %+v", result.Data, err, events, want)
				}
				mu.Lock()
				defer mu.Unlock()
				handles[result.Job.Handle]++
			})
		}
		w := dialPeer(t, addr)
		waitFor(t, func() bool {
			s, err := first.StatusUnique(ctx, addr, "u")
			return err == nil && s.Waiting == 5
		})
		w.canDo("f")
		handle, _, _, _ := w.grab()
		w.request(wire.WorkData, handle, "1")
		w.request(wire.WorkData, handle, "2")
		w.request(wire.WorkComplete, handle, "end")
		wg.Wait()
		if want := map[string]int{handle: 5}; !cmp.Equal(handles, want) {
			t.Errorf("handles = %v, want %v", handles, want)
		}
	})
}

// waitFor asks until ok, as often as the other side can answer.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

func TestPriorities(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		for workload, p := range map[string]gearman.Priority{"low": gearman.Low, "normal": gearman.Normal, "high": gearman.High} {
			if _, err := c.Submit(ctx, gearman.Task{Function: "f", Workload: []byte(workload), Priority: p}); err != nil {
				t.Fatal(err)
			}
		}
		w := dialPeer(t, addr).canDo("f")
		for _, want := range []string{"high", "normal", "low"} {
			if _, _, _, got := w.grab(); got != want {
				t.Errorf("worker got %s, want %s", got, want)
			}
		}
	})
}

func TestDelayed(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		job, err := c.Submit(ctx, gearman.Task{Function: "f", At: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Status(ctx, addr, job.Handle); err != nil || !got.Known || got.Running {
			t.Errorf("Status = %+v, %v, want known", got, err)
		}
		w := dialPeer(t, addr).canDo("f")
		w.request(wire.GrabJobUniq)
		w.expect(wire.NoJob)
	})
}

func TestServerError(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		// gearmand takes a limit for functions that have had a job only.
		if _, err := c.Submit(ctx, gearman.Task{Function: "f"}); err != nil {
			t.Fatal(err)
		}
		text := dialPeer(t, addr)
		if _, err := text.nc.Write([]byte("maxqueue f 2\n")); err != nil {
			t.Fatal(err)
		}
		if line, err := text.r.Line(); err != nil || string(line) != "OK" {
			t.Fatalf("maxqueue: %q, %v", line, err)
		}
		jobs, err := c.SubmitAll(ctx, []gearman.Task{{Function: "f"}, {Function: "f"}, {Function: "g"}})
		var refused *gearman.ServerError
		if !errors.As(err, &refused) || refused.Code != "QUEUE_ERROR" || gearman.SafeToRetry(err) {
			t.Errorf("SubmitAll error = %v, want QUEUE_ERROR, not safe to retry", err)
		}
		if len(jobs) != 3 || jobs[0].Handle == "" || jobs[1].Handle != "" || jobs[2].Handle == "" {
			t.Errorf("SubmitAll = %v, want the first and the last", jobs)
		}
		if _, err := c.Do(ctx, gearman.Task{Function: "f"}); !errors.As(err, &refused) {
			t.Errorf("Do error = %v, want QUEUE_ERROR", err)
		}
		if err := c.Echo(ctx, addr, []byte("still here")); err != nil {
			t.Error(err)
		}
	})
}

// What a job server would answer with an error, or worse with nothing, never
// leaves.
func TestRefusedUnsent(t *testing.T) {
	c := newClient(t, "192.0.2.1:1") // an address nobody has
	long := strings.Repeat("x", 64)
	tasks := map[string]gearman.Task{
		"no function":       {},
		"NUL in function":   {Function: "a\x00b"},
		"NUL in unique":     {Function: "f", Unique: "a\x00b"},
		"unique of 64":      {Function: "f", Unique: long},
		"priority":          {Function: "f", Priority: 7},
		"negative priority": {Function: "f", Priority: -1},
		"delay, priority":   {Function: "f", At: time.Now(), Priority: gearman.High},
	}
	for name, task := range tasks {
		if _, err := c.Submit(t.Context(), task); err == nil {
			t.Errorf("Submit with %s: no error", name)
		}
		if _, err := c.Do(t.Context(), task); err == nil {
			t.Errorf("Do with %s: no error", name)
		}
		if jobs, err := c.SubmitAll(t.Context(), []gearman.Task{{Function: "f"}, task}); err == nil || jobs != nil {
			t.Errorf("SubmitAll with %s = %v, %v", name, jobs, err)
		}
	}
	if _, err := c.Do(t.Context(), gearman.Task{Function: "f", At: time.Now()}); err == nil {
		t.Error("Do of a delayed task: no error")
	}
	for _, key := range []string{"", long, "a\x00b"} {
		if _, err := c.Status(t.Context(), c.Servers[0], key); err == nil {
			t.Errorf("Status of %q: no error", key)
		}
		if _, err := c.StatusAll(t.Context(), c.Servers[0], []string{"H:a:1", key}); err == nil {
			t.Errorf("StatusAll of %q: no error", key)
		}
		if _, err := c.StatusUnique(t.Context(), c.Servers[0], key); err == nil {
			t.Errorf("StatusUnique of %q: no error", key)
		}
	}
	if _, err := new(gearman.Client).Submit(t.Context(), gearman.Task{Function: "f"}); !errors.Is(err, gearman.ErrNoServers) {
		t.Errorf("Submit without servers = %v", err)
	}
}

// The longest keys that may be sent are answered.
func TestLongestKeys(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		unique := strings.Repeat("x", gearman.MaxUnique)
		first, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: unique})
		if err != nil {
			t.Fatal(err)
		}
		if second, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: unique}); err != nil || second != first {
			t.Errorf("second Submit = %v, %v, want %v", second, err, first)
		}
		if got, err := c.StatusUnique(ctx, addr, unique); err != nil || !got.Known {
			t.Errorf("StatusUnique = %+v, %v, want known", got, err)
		}
		if got, err := c.Status(ctx, addr, unique); err != nil || got.Known {
			t.Errorf("Status of a handle of 63 = %+v, %v, want unknown", got, err)
		}
	})
}

// Many callers and batches share a connection, larger in sum than what may be
// queued, and everyone gets the answer to their own request.
func TestPipelining(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				var tasks []gearman.Task
				for i := range 300 {
					tasks = append(tasks, gearman.Task{Function: "f", Unique: fmt.Sprint(g, "/", i), Workload: make([]byte, 1000)})
				}
				jobs, err := c.SubmitAll(ctx, tasks)
				if err != nil {
					t.Error(err)
					return
				}
				for i, task := range tasks {
					// Coalesced with the one of the batch, so the handle tells
					// that the answer was ours.
					if job, err := c.Submit(ctx, task); err != nil || job != jobs[i] {
						t.Errorf("Submit of %s = %v, %v, want %v", task.Unique, job, err, jobs[i])
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestLargeWorkload(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		workload := strings.Repeat("0123456789\x00", 400<<10)
		w := dialPeer(t, addr).canDo("f")
		go func() {
			handle, got := w.await()
			w.request(wire.WorkComplete, handle, got)
		}()
		result, err := c.Do(ctx, gearman.Task{Function: "f", Workload: []byte(workload)})
		if err != nil || string(result.Data) != workload {
			t.Errorf("Do = %d bytes, %v, want the %d sent", len(result.Data), err, len(workload))
		}
	})
}

// Cancelled calls leave the stream as it was: those beside them get their own
// answers and no others.
func TestCancelled(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				for i := range 100 {
					task := gearman.Task{Function: "f", Unique: fmt.Sprint(g, "/", i)}
					cancelled, cancel := context.WithCancel(ctx)
					go cancel()
					if _, err := c.Submit(cancelled, task); err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("Submit = %v, want canceled", err)
					}
					cancelled, cancel = context.WithCancel(ctx)
					go cancel()
					if _, err := c.Do(cancelled, task); !errors.Is(err, context.Canceled) {
						t.Errorf("Do = %v, want canceled", err)
					}
					cancelled, cancel = context.WithCancel(ctx)
					go cancel()
					tasks := []gearman.Task{task, {Function: "g"}}
					if jobs, err := c.SubmitAll(cancelled, tasks); err != nil && !errors.Is(err, context.Canceled) || len(jobs) != 2 {
						t.Errorf("SubmitAll = %v, %v, want canceled", jobs, err)
					}
					if err := c.Echo(ctx, addr, []byte(task.Unique)); err != nil {
						t.Error(err)
					}
					if _, err := c.Status(ctx, addr, task.Unique); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}
