package gearman_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"revstamp/gearman"
)

// everyCut calls converse with a connection that is not cut, which returns how many
// bytes were read and written, and then with one that is cut after each number of
// them. Each call is in a bubble of its own, which fails when a goroutine is left
// or everything waits.
func everyCut(t *testing.T, converse func(t *testing.T, read, write int) (reads, writes int)) {
	try := func(name string, read, write int) (reads, writes int) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { reads, writes = converse(t, read, write) })
		})
		return reads, writes
	}
	reads, writes := try("whole", plenty, plenty)
	if reads < 50 || writes < 50 {
		t.Fatalf("conversation of %d and %d bytes is too short", reads, writes)
	}
	for n := range reads {
		try(fmt.Sprint("read=", n), n, plenty)
	}
	for n := range writes {
		try(fmt.Sprint("write=", n), plenty, n)
	}
}

// counts is how often the job of each unique key was done.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) ServeJob(_ context.Context, j *gearman.Request) ([]byte, error) {
	c.mu.Lock()
	c.of[j.Unique]++
	c.mu.Unlock()
	j.Progress(1, 2)
	j.Data([]byte("half"))
	return bytes.ToUpper(j.Workload), nil
}

// serveCounts has a worker count jobs of the function f until the test is over.
func serveCounts(t *testing.T, dial dialFunc) *counts {
	c := &counts{of: map[string]int{}}
	w := &gearman.Worker{Servers: []string{"s"}, Dial: dial}
	w.Handle("f", 0, c)
	served := make(chan error, 1)
	go func() { served <- w.Serve() }()
	t.Cleanup(func() {
		if err := w.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-served
	})
	return c
}

// A worker whose connection is cut comes back, and the job is done to its end. It
// is done again only if the end had not arrived.
func TestWorkerCut(t *testing.T) {
	t.Parallel()
	again := 0
	everyCut(t, func(t *testing.T, read, write int) (int, int) {
		dial := pipeJobserver(t)
		cut, first := cutFirst(dial, read, write)
		jobs := serveCounts(t, cut)
		synctest.Wait()
		c := &gearman.Client{Servers: []string{"s"}, Dial: dial}
		defer c.Close()
		result, err := c.Do(t.Context(), gearman.Task{Function: "f", Unique: "u", Workload: []byte("hello")})
		if err != nil || string(result.Data) != "HELLO" {
			t.Errorf("Do = %q, %v, want HELLO", result.Data, err)
		}
		synctest.Wait()
		switch n := jobs.of["u"]; n {
		case 1:
		case 2:
			again++
		default:
			t.Errorf("the job was done %d times", n)
		}
		if s, err := c.StatusUnique(t.Context(), "s", "u"); err != nil || s.Known {
			t.Errorf("StatusUnique = %+v, %v, want unknown", s, err)
		}
		return first.passed()
	})
	if again == 0 {
		t.Error("no cut was such that the job had to be done again")
	}
}

// A client whose connection is cut has an error or the answer, no job is done
// twice, and what it asks next is answered.
func TestClientCut(t *testing.T) {
	t.Parallel()
	everyCut(t, func(t *testing.T, read, write int) (int, int) {
		dial := pipeJobserver(t)
		cut, first := cutFirst(dial, read, write)
		jobs := serveCounts(t, dial)
		synctest.Wait()
		c := &gearman.Client{Servers: []string{"s"}, Dial: cut}
		defer c.Close()
		err := cutConversation(t, c, "first")
		if whole := read == plenty && write == plenty; whole && err != nil {
			t.Error(err)
		}
		reads, writes := first.passed()
		if err := cutConversation(t, c, "second"); err != nil {
			t.Errorf("after the cut: %v", err)
		}
		synctest.Wait()
		for unique, n := range jobs.of {
			if n != 1 {
				t.Errorf("job %s was done %d times", unique, n)
			}
		}
		for _, unique := range []string{"second/do", "second/1", "second/2"} {
			if jobs.of[unique] == 0 {
				t.Errorf("job %s was not done", unique)
			}
		}
		return reads, writes
	})
}

// cutConversation makes every kind of request. Their answers, if they come, are
// the right ones.
func cutConversation(t *testing.T, c *gearman.Client, unique string) error {
	task := func(which string) gearman.Task {
		return gearman.Task{Function: "f", Unique: unique + "/" + which, Workload: []byte("hello")}
	}
	result, doErr := c.Do(t.Context(), task("do"))
	if doErr == nil && string(result.Data) != "HELLO" {
		t.Errorf("Do = %q, want HELLO", result.Data)
	}
	jobs, allErr := c.SubmitAll(t.Context(), []gearman.Task{task("1"), task("2")})
	if allErr == nil && (jobs[0].Handle == "" || jobs[0] == jobs[1]) {
		t.Errorf("SubmitAll = %v, want two jobs", jobs)
	}
	_, statusErr := c.Status(t.Context(), "s", "H:none:1")
	return errors.Join(doErr, allErr, statusErr, c.Echo(t.Context(), "s", []byte("hello")))
}
