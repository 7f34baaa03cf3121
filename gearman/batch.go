package gearman

import (
	"context"
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
		g := newGroup(server, len(tasks))
		g.send(ctx, x, b, tasks)
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

// A group is the part of a batch that goes through one session.
type group struct {
	server string
	done   chan struct{} // closed when left is 0

	mu   sync.Mutex
	left int
	jobs []Job
	errs []error
}

func newGroup(server string, n int) *group {
	return &group{server: server, left: n, done: make(chan struct{}), jobs: make([]Job, n), errs: make([]error, n)}
}

// send queues the tasks, as many at a time as there is room for.
func (g *group) send(ctx context.Context, x *session, b *batch, tasks []int) {
	for at := 0; at < len(tasks); {
		err := x.lock(ctx)
		if err != nil {
			err = x.unsent(ctx, err)
			for ; at < len(tasks); at++ {
				g.answer(at, wire.Packet{}, err)
			}
			return
		}
		for ; at < len(tasks) && len(x.out) < highWater; at++ {
			if err := x.submitBackground(g, at, &b.tasks[tasks[at]]); err != nil {
				g.answer(at, wire.Packet{}, err)
			}
		}
		x.mu.Unlock()
		x.signal()
	}
}

func (g *group) answer(at int, p wire.Packet, err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.errs[at] = err
	} else {
		g.jobs[at] = Job{g.server, string(p.Args[0])}
	}
	if g.left--; g.left == 0 {
		close(g.done)
	}
	return nil
}

// wait returns what is known when all is answered or ctx is done. Answers that
// come later are for nobody.
func (g *group) wait(ctx context.Context) ([]Job, []error) {
	select {
	case <-g.done:
		return g.jobs, g.errs
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	jobs, errs := slices.Clone(g.jobs), slices.Clone(g.errs)
	for at := range jobs {
		if errs[at] == nil && jobs[at].Handle == "" {
			errs[at] = ctx.Err()
		}
	}
	return jobs, errs
}
