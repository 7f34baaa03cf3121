package gearman

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"revstamp/gearman/wire"
)

// SubmitAll submits all tasks as background tasks and returns their jobs, in
// order, once every one is acknowledged or refused. All leave together, so a
// thousand cost little more time than one. Nothing is sent when a task is one
// Submit would refuse unsent. Otherwise the error is a *BatchError when some
// failed, whose jobs are zero; the others are queued.
func (c *Client) SubmitAll(ctx context.Context, tasks []Task) ([]Job, error) {
	for i := range tasks {
		if err := tasks[i].check(); err != nil {
			return nil, fmt.Errorf("submit task %d, %q: %w", i, tasks[i].Function, err)
		}
	}
	if len(c.Servers) == 0 && len(tasks) > 0 {
		return nil, fmt.Errorf("submit %d tasks: %w", len(tasks), ErrNoServers)
	}
	b := newBatch(tasks)
	orders := make([][]string, len(tasks))
	all := make([]int, len(tasks))
	for i := range tasks {
		orders[i], all[i] = c.order(tasks[i].Unique), i
	}
	for next := 0; len(all) > 0 && next < len(c.Servers); next++ {
		b.round(ctx, c, next, orders, all)
		all = b.unsent(all)
	}
	return b.result()
}

// A batch is background tasks on their way and what became of them.
type batch struct {
	tasks []Task
	jobs  []Job
	errs  []error
}

func newBatch(tasks []Task) *batch {
	return &batch{tasks, make([]Job, len(tasks)), make([]error, len(tasks))}
}

// round sends each of the tasks to the server that is next in its order.
func (b *batch) round(ctx context.Context, c *Client, next int, orders [][]string, tasks []int) {
	groups := map[string][]int{}
	for _, i := range tasks {
		server := orders[i][next]
		groups[server] = append(groups[server], i)
	}
	var wg sync.WaitGroup
	for server, group := range groups {
		wg.Go(func() {
			b.sendAll(ctx, c, server, next == len(c.Servers)-1, group)
			for _, i := range group {
				if b.errs[i] != nil {
					b.errs[i] = &onServer{server, b.errs[i]}
				}
			}
		})
	}
	wg.Wait()
}

// unsent returns those of tasks that another server may be given.
func (b *batch) unsent(tasks []int) []int {
	var left []int
	for _, i := range tasks {
		if SafeToRetry(b.errs[i]) {
			left = append(left, i)
		}
	}
	return left
}

func (b *batch) result() ([]Job, error) {
	for _, err := range b.errs {
		if err != nil {
			return b.jobs, &BatchError{b.errs}
		}
	}
	return b.jobs, nil
}

// sendAll sends the tasks to server and notes what became of each. What a
// session did not take is sent once more, as Client.with says.
func (b *batch) sendAll(ctx context.Context, c *Client, server string, patient bool, tasks []int) {
	err := c.with(ctx, server, patient, func(x *session) error {
		g := newGroup(len(tasks), func(_ int, p wire.Packet) (Job, error) {
			return Job{server, string(p.Args[0])}, nil
		})
		x.requestAll(ctx, g, len(tasks), func(at int) error {
			return x.submitBackground(g, at, &b.tasks[tasks[at]])
		})
		jobs, errs := g.wait(ctx)
		for at, i := range tasks {
			b.jobs[i], b.errs[i] = jobs[at], errs[at]
		}
		tasks = b.unsent(tasks)
		if len(tasks) > 0 {
			return b.errs[tasks[0]]
		}
		return nil
	})
	if err != nil {
		for _, i := range tasks {
			b.errs[i] = err
		}
	}
}

// StatusAll asks server, and no other, for the jobs of all handles, and returns
// their statuses in order. All leave together, as with SubmitAll. The error is
// the first of any of them.
func (c *Client) StatusAll(ctx context.Context, server string, handles []string) ([]Status, error) {
	for _, handle := range handles {
		if err := checkKeyGiven("handle", handle); err != nil {
			return nil, fmt.Errorf("status of handle %s on %s: %w", handle, server, err)
		}
	}
	var statuses []Status
	err := c.with(ctx, server, true, func(x *session) error {
		g := newGroup(len(handles), func(at int, p wire.Packet) (Status, error) { return statusOf(handles[at], p) })
		x.requestAll(ctx, g, len(handles), func(at int) error {
			return x.ask(g, at, wire.StatusRes, wire.GetStatus, []byte(handles[at]))
		})
		var errs []error
		statuses, errs = g.wait(ctx)
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("status of %d handles on %s: %w", len(handles), server, err)
	}
	return statuses, nil
}

// A group is requests that go through one session together, each answered by a T.
type group[T any] struct {
	parse func(at int, p wire.Packet) (T, error)
	done  chan struct{} // closed when left is 0

	mu      sync.Mutex
	left    int
	answers []T
	errs    []error // errUnanswered until there is an answer
}

var errUnanswered = errors.New("no answer yet")

func newGroup[T any](n int, parse func(at int, p wire.Packet) (T, error)) *group[T] {
	g := &group[T]{parse: parse, left: n, done: make(chan struct{}), answers: make([]T, n), errs: make([]error, n)}
	for at := range g.errs {
		g.errs[at] = errUnanswered
	}
	if n == 0 {
		close(g.done)
	}
	return g
}

func (g *group[T]) answer(at int, p wire.Packet, err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var wrong error
	if err == nil {
		g.answers[at], wrong = g.parse(at, p)
		err = wrong
	}
	g.errs[at] = err
	if g.left--; g.left == 0 {
		close(g.done)
	}
	return wrong
}

// wait returns what is known when all is answered or ctx is done. Answers that
// come later are for nobody.
func (g *group[T]) wait(ctx context.Context) ([]T, []error) {
	select {
	case <-g.done:
		return g.answers, g.errs
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	answers, errs := slices.Clone(g.answers), slices.Clone(g.errs)
	for at := range errs {
		if errs[at] == errUnanswered {
			errs[at] = ctx.Err()
		}
	}
	return answers, errs
}
