package jobserver

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"revstamp/gearman/wire"
)

const (
	// maxGroup is about how many bytes one group of changes puts into the store.
	// Who exceeds it waits for its group before it is heard again.
	maxGroup = 8 << 20

	// maxSpare is how many answers a group may have whose room the next is to have.
	maxSpare = 8 << 10

	// groupOverhead is what a change counts besides its workload.
	groupOverhead = 128

	// reserveAhead is how many job numbers are reserved in the store at a time.
	// After a crash the numbers go on behind those, so that no handle is given
	// out twice.
	reserveAhead = 1 << 24

	// storeAgain is how long a store that failed is left alone when nothing but
	// what has ended is to be removed.
	storeAgain = time.Second
)

var errStore = &refusal{"QUEUE_ERROR", "Job cannot be stored"}

// A keeper brings what happens to background jobs into a store, many changes at
// a time: while one group is being written, the next gathers. Without a store
// there is none.
//
// A background job is created at once, so that equal submits find it, and is in
// no queue until its group is written; then all who asked for it are answered.
type keeper struct {
	store Store
	queue *queue
	log   *slog.Logger

	// Guarded by the queue's mutex.
	group    *group // gathering
	spare    *group // what the last one was, for its room
	reserved uint64 // numbers up to this may be given out
	asked    bool   // for more to be reserved
	failing  bool   // the last Apply failed, and that was logged

	wake  chan struct{} // holds one when group has something
	stop  sync.Once
	ended chan struct{} // closed to end, by stop
	gone  chan struct{} // closed when ended
}

// A group is what is written at once.
type group struct {
	Changes
	answers []answer
	size    int
	done    chan struct{} // closed when it is written, or refused, and answered
}

// An answer is due to a client when the group it is in is written.
type answer struct {
	client *conn
	job    *job
	puts   bool  // the group puts the job
	due    int64 // for a job that is queued thereafter, not always by who created it
}

// storage is whether the store has a job.
type storage uint8

const (
	notStored storage = iota
	storing           // in a group that is not written
	stored
)

// load fills q with what store has and starts its keeper.
func (q *queue) load(store Store, log *slog.Logger) error {
	k := &keeper{
		store: store,
		queue: q,
		log:   log,
		group: newGroup(),
		wake:  make(chan struct{}, 1),
		ended: make(chan struct{}),
		gone:  make(chan struct{}),
	}
	reserved, err := store.Load(q.restore)
	if err != nil {
		return err
	}
	q.last = max(q.last, reserved)
	k.reserved = q.last + reserveAhead
	if err := store.Apply(&Changes{Reserved: k.reserved}); err != nil {
		return err
	}
	q.keeper = k
	go k.run()
	return nil
}

// restore queues a job that the store has. No limit is so strict as to lose it.
func (q *queue) restore(r StoredJob) error {
	if r.Priority >= uint8(priorities) || r.Number <= q.last {
		return fmt.Errorf("job %d of priority %d after %d", r.Number, r.Priority, q.last)
	}
	f := q.functions[r.Function]
	if f == nil {
		f = q.addFunction(r.Function)
	}
	q.last = r.Number
	j := q.create(f, r.Number, submission{
		key:      indexKey([]byte(r.Unique), r.Workload),
		reducer:  r.Reducer,
		workload: r.Workload,
		priority: priority(r.Priority),
	})
	j.background, j.storage = true, stored
	q.enqueue(j, r.Due)
	return nil
}

func newGroup() *group { return &group{done: make(chan struct{})} }

// next returns an empty group to gather in, which has the room of the last.
func (k *keeper) next() *group {
	g := newGroup()
	if s := k.spare; s != nil {
		g.Put, g.answers = s.Put, s.answers
		k.spare = nil
	}
	return g
}

// keepRoom leaves the room of g, which is done with, to the next group.
func (k *keeper) keepRoom(g *group) {
	if cap(g.answers) > maxSpare {
		return
	}
	clear(g.Put)
	clear(g.answers)
	k.spare = &group{Changes: Changes{Put: g.Put[:0]}, answers: g.answers[:0]}
}

func (g *group) empty() bool {
	return len(g.answers)+len(g.Remove) == 0 && g.Reserved == 0
}

// number gives out the next job number, false when there is none to be had.
func (q *queue) number() (uint64, bool) {
	if k := q.keeper; k != nil {
		if q.last == k.reserved {
			return 0, false
		}
		if !k.asked && k.reserved-q.last < reserveAhead/2 {
			k.asked = true
			k.group.Reserved = k.reserved + reserveAhead
			k.rouse()
		}
	}
	q.last++
	return q.last, true
}

// keep has j in the store as a background job and c answered when it is. A job
// that is new is queued no sooner.
func (k *keeper) keep(c *conn, j *job, due int64, created bool) {
	g := k.group
	a := answer{client: c, job: j, due: due}
	if j.storage == notStored {
		a.puts = true
		j.storage = storing
		g.Put = append(g.Put, StoredJob{
			Number:   j.number,
			Priority: uint8(j.priority),
			Due:      due,
			Function: j.function.name,
			Unique:   j.unique(),
			Reducer:  j.reducerName(),
			Workload: j.workload,
		})
		g.size += len(j.workload)
	}
	if created {
		j.state = unready
		j.function.unready++
	}
	j.answers++
	g.answers = append(g.answers, a)
	g.size += groupOverhead
	c.group = g
	k.rouse()
}

// remove has the store forget j.
func (k *keeper) remove(j *job) {
	j.storage = notStored
	k.group.Remove = append(k.group.Remove, j.number)
	k.rouse()
}

func (k *keeper) rouse() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) run() {
	defer close(k.gone)
	again := time.NewTimer(storeAgain)
	again.Stop()
	defer again.Stop()
	for {
		select {
		case <-k.wake:
		case <-again.C:
		case <-k.ended:
			k.write()
			k.giveBack()
			return
		}
		if !k.write() {
			again.Reset(storeAgain)
		}
	}
}

// end has everything written that is left, and waits for that.
func (k *keeper) end() {
	k.stop.Do(func() { close(k.ended) })
	<-k.gone
}

// giveBack gives reserved numbers back, so that the handles of a server that
// ended well go on where they were. If it fails, they go on behind.
func (k *keeper) giveBack() {
	k.queue.mu.Lock()
	last := k.queue.last
	k.queue.mu.Unlock()
	if err := k.store.Apply(&Changes{Reserved: last}); err != nil {
		k.log.Warn("job server: job numbers are not given back", "error", err)
	}
}

// write writes the group that has gathered and answers it. It returns false when
// something that is to be removed is left for the next.
func (k *keeper) write() bool {
	q := k.queue
	q.mu.Lock()
	g := k.group
	if g.empty() {
		q.mu.Unlock()
		return true
	}
	k.group = k.next()
	q.mu.Unlock()

	changes := len(g.Put) > 0 || len(g.Remove) > 0 || g.Reserved != 0 // or there are answers alone
	began := time.Now()
	var err error
	if changes {
		err = k.apply(g)
	}
	took := time.Since(began)

	q.mu.Lock()
	defer q.unlock(nil)
	if changes {
		q.tally.wrote(took, err)
		k.tell(err)
	}
	if g.Reserved != 0 {
		k.asked = false
		if err == nil {
			k.reserved = g.Reserved
		}
	}
	if len(g.Remove) > 0 {
		k.group.Remove = append(g.Remove, k.group.Remove...)
	}
	k.answer(g, err == nil)
	close(g.done)
	k.keepRoom(g)
	return len(g.Remove) == 0
}

// tell logs when the store begins to fail, and when it no longer does: who was told
// of the one is told of the other.
func (k *keeper) tell(err error) {
	switch {
	case err != nil && !k.failing:
		k.log.Error("job server: background jobs cannot be stored", "error", err)
	case err == nil && k.failing:
		k.log.Warn("job server: background jobs are stored again")
	}
	k.failing = err != nil
}

// apply writes g. What it leaves in g.Remove is still to be removed: a store
// that has no room for what is new may have some once what is old is gone.
func (k *keeper) apply(g *group) error {
	err := k.store.Apply(&g.Changes)
	if err != nil && len(g.Remove) > 0 && k.store.Apply(&Changes{Remove: g.Remove}) != nil {
		return err
	}
	g.Remove = nil
	return err
}

// answer answers those who wait for g, in the order in which they asked, and
// queues the jobs that are new.
func (k *keeper) answer(g *group, written bool) {
	var handle [maxHandle]byte
	for _, a := range g.answers {
		if k.queue.isStored(a, written) {
			a.client.reply(wire.JobCreated, appendHandle(handle[:0], k.queue.prefix, a.job.number))
		} else {
			a.client.refuse(k.queue.tally.refusal(errStore))
		}
		k.queue.proceed(a)
	}
	for i, a := range g.answers {
		if i == 0 || g.answers[i-1].client != a.client {
			k.queue.post(a.client)
		}
	}
}

// isStored notes what came of a job's group, and reports whether the client's
// background job is safe.
func (q *queue) isStored(a answer, written bool) bool {
	j := a.job
	j.answers--
	if a.puts && j.storage == storing {
		j.storage = notStored
		if written {
			j.storage = stored
		}
	}
	if q.jobs.get(j.number) != j { // it is done already, or cancelled
		return written
	}
	ok := j.storage == stored || a.puts && written
	j.background = j.background || ok
	return ok
}

// proceed does with an answered job what had to wait for the store.
func (q *queue) proceed(a answer) {
	j := a.job
	switch {
	case q.jobs.get(j.number) != j:
	case !j.wanted() && j.worker == nil:
		q.end(j)
	case j.state == unready && (j.background || j.waiting != nil):
		j.state = ready
		j.function.unready--
		q.enqueue(j, a.due)
	}
}

// settle waits until c's submits are answered, which were not answered in their
// turn. Only the goroutine that reads from c calls it.
func (c *conn) settle() {
	if c.group != nil {
		c.deliver()
		<-c.group.done
		c.group = nil
	}
}
