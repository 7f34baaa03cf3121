package gearman_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"revstamp/gearman"
)

// startGoWorker starts a worker of this package that does what those in testdata
// do.
func startGoWorker(t *testing.T, addr string) {
	w := &gearman.Worker{Servers: []string{addr}}
	handle := func(name string, h gearman.HandlerFunc) { w.Handle(name, 0, h) }
	handle("upper", func(_ context.Context, j *gearman.Request) ([]byte, error) {
		return bytes.ToUpper(j.Workload), nil
	})
	handle("echo", func(_ context.Context, j *gearman.Request) ([]byte, error) { return j.Workload, nil })
	handle("empty", func(context.Context, *gearman.Request) ([]byte, error) { return nil, nil })
	handle("fails", func(context.Context, *gearman.Request) ([]byte, error) { return nil, errors.New("no") })
	handle("throws", func(context.Context, *gearman.Request) ([]byte, error) {
		return nil, &gearman.ExceptionError{Data: []byte("boom")}
	})
	handle("events", func(_ context.Context, j *gearman.Request) ([]byte, error) {
		return []byte("done"), errors.Join(j.Progress(1, 4), j.Data([]byte("half")), j.Warning([]byte("careful")))
	})
	handle("note", note)
	served := make(chan error, 1)
	go func() { served <- w.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := w.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		<-served
	})
}

// note waits for a file, the gate, before it writes a word into another.
func note(ctx context.Context, j *gearman.Request) ([]byte, error) {
	args := strings.Fields(string(j.Workload))
	gate, log, word := args[0], args[1], args[2]
	if err := j.Progress(3, 10); err != nil {
		return nil, err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, err := os.Stat(gate); err != nil; _, err = os.Stat(gate) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(word + " ")
	return []byte("noted"), errors.Join(err, f.Close())
}

// A goClient is a client of this package that does what those in testdata do.
type goClient struct {
	t         *testing.T
	ctx       context.Context
	c         *gearman.Client
	addr, dir string
	first     gearman.Job
}

func runGoClient(t *testing.T, addr, dir string, points []string) string {
	ctx, cancel := context.WithTimeout(t.Context(), peerLimit)
	defer cancel()
	g := &goClient{t: t, ctx: ctx, c: newClient(t, addr), addr: addr, dir: dir}
	var out strings.Builder
	for _, p := range points {
		answer, err := g.point(p)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			break
		}
		fmt.Fprintf(&out, "%s: %s\n", p, answer)
	}
	return out.String()
}

func (g *goClient) point(name string) (string, error) {
	switch name {
	case "ping":
		return "pong", g.c.Echo(g.ctx, g.addr, []byte("hello"))
	case "foreground":
		return g.do(gearman.Task{Function: "upper", Workload: []byte("hello")})
	case "high":
		return g.do(gearman.Task{Function: "upper", Workload: []byte("hello"), Priority: gearman.High})
	case "empty", "fails", "throws", "events":
		return g.events(name), nil
	case "binary", "1MB", "16MB":
		return g.same(name)
	case "status":
		var err error
		if g.first, err = g.c.Submit(g.ctx, g.note("first", "the first", gearman.Normal)); err != nil {
			return "", err
		}
		return known(g.poll(func(s gearman.Status) bool { return s.Running }))
	case "progress":
		s, err := g.poll(func(s gearman.Status) bool { return s.Denominator > 0 })
		return fmt.Sprintf("%d/%d", s.Numerator, s.Denominator), err
	case "by unique":
		return known(g.c.StatusUnique(g.ctx, g.addr, "the first"))
	case "queue":
		return g.queue()
	case "order":
		return g.order()
	case "over":
		return known(g.c.Status(g.ctx, g.addr, g.first.Handle))
	}
	return "", errors.New("no such point")
}

func (g *goClient) do(task gearman.Task) (string, error) {
	result, err := g.c.Do(g.ctx, task)
	return string(result.Data), err
}

// events tells all that comes from a job.
func (g *goClient) events(function string) string {
	var seen []string
	result, err := g.c.Do(g.ctx, gearman.Task{Function: function, Workload: []byte("x"), OnEvent: func(e gearman.Event) {
		switch e.Kind {
		case gearman.Data:
			seen = append(seen, fmt.Sprintf("data %s", e.Data))
		case gearman.Warning:
			seen = append(seen, fmt.Sprintf("warning %s", e.Data))
		case gearman.Progress:
			seen = append(seen, fmt.Sprintf("progress %d/%d", e.Numerator, e.Denominator))
		}
	}})
	var failed *gearman.FailedError
	var exception *gearman.ExceptionError
	switch {
	case errors.As(err, &failed):
		seen = append(seen, "failed")
	case errors.As(err, &exception):
		seen = append(seen, fmt.Sprintf("exception %s", exception.Data))
	case err != nil:
		g.t.Error(err)
	default:
		seen = append(seen, fmt.Sprintf("complete %s", result.Data))
	}
	return strings.Join(seen, ", ")
}

func (g *goClient) same(name string) (string, error) {
	workload, err := os.ReadFile(filepath.Join(g.dir, name))
	if err != nil {
		return "", err
	}
	got, err := g.do(gearman.Task{Function: "echo", Workload: workload})
	if got != string(workload) {
		return "other", err
	}
	return "same", err
}

func (g *goClient) note(word, unique string, p gearman.Priority) gearman.Task {
	workload := fmt.Sprintf("%s/gate %s/log %s", g.dir, g.dir, word)
	return gearman.Task{Function: "note", Unique: unique, Priority: p, Workload: []byte(workload)}
}

// poll asks for the first background job until it is as wanted.
func (g *goClient) poll(is func(gearman.Status) bool) (gearman.Status, error) {
	for {
		s, err := g.c.Status(g.ctx, g.addr, g.first.Handle)
		if err != nil || is(s) {
			return s, err
		}
	}
}

func known(s gearman.Status, err error) (string, error) {
	switch {
	case !s.Known:
		return "unknown", err
	case s.Running:
		return "known running", err
	}
	return "known", err
}

func (g *goClient) queue() (string, error) {
	jobs := map[gearman.Job]bool{g.first: true}
	for _, task := range []gearman.Task{
		g.note("low", "", gearman.Low),
		g.note("normal", "", gearman.Normal),
		g.note("twin", "the twin", gearman.Normal),
		g.note("twin", "the twin", gearman.Normal),
		g.note("high", "", gearman.High),
	} {
		job, err := g.c.Submit(g.ctx, task)
		if err != nil {
			return "", err
		}
		jobs[job] = true
	}
	return fmt.Sprint(len(jobs), " jobs"), nil
}

// order opens the gate and tells in which order the jobs were done.
func (g *goClient) order() (string, error) {
	if err := os.WriteFile(filepath.Join(g.dir, "gate"), nil, 0o600); err != nil {
		return "", err
	}
	noted, err := g.do(g.note("last", "", gearman.Low))
	if err != nil {
		return "", err
	}
	log, err := os.ReadFile(filepath.Join(g.dir, "log"))
	return noted + " " + strings.TrimSpace(string(log)), err
}
