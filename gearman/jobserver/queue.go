package jobserver

import (
	"slices"
	"sync"
	"time"

	"revstamp/gearman/wire"
)

const (
	// maxUnique is the longest unique the protocol allows. One of just that
	// length is accepted and never coalesces, as in gearmand.
	maxUnique = 64

	// maxName is where gearmand, too, stops reading an argument.
	maxName = 8192
)

// A queue is the state of a server: jobs, functions, and what each connection
// announced or waits for. Its methods are called with mu held, unless they say
// otherwise; they never block, for what they send to a connection is only
// queued there, and delivered after unlock.
type queue struct {
	mu     sync.Mutex
	prefix string // of handles
	last   uint64 // handle's number

	maxJobs      int
	maxFunctions int

	jobs      table
	waiting   int // waiters of all jobs
	functions map[string]*function
	index     map[string]*job // by key, the newest
	delayed   schedule
	alarm     *time.Timer
	closed    bool
	keeper    *keeper // nil without a store
	tally     tally
	sent      []*conn // to which something is to be delivered

	// In a shutdown.
	empty  func() // called when no job is left but those parked; nil before
	parked int    // jobs that the store has and nobody is to do any longer
}

// A submission is a SUBMIT_* request. Function, unique and key may lie in the
// reader's buffer; the rest is the job's own.
type submission struct {
	function   []byte
	unique     []byte
	key        []byte // indexKey's
	reducer    string
	workload   []byte
	priority   priority
	background bool
	due        int64 // Unix time; in the past: at once
}

// A refusal is an ERROR packet.
type refusal struct{ code, text string }

var (
	errTooLarge  = &refusal{"ARGUMENT_TOO_LARGE", "Unique value too large"}
	errLongName  = &refusal{"ARGUMENT_TOO_LARGE", "Function name too large"}
	errQueueFull = &refusal{"QUEUE_ERROR", "Job queue is full"}
	errFunctions = &refusal{"QUEUE_ERROR", "Too many functions"}
	errCrowd     = &refusal{"QUEUE_ERROR", "Too many jobs of that unique value"}
)

// maxCrowd is how many jobs of one unique key there may be, in as many functions:
// each submit of the key looks through them, while all others wait.
const maxCrowd = 1 << 10

// unlock unlocks mu. What was sent to connections is delivered at once or, when
// its caller is the goroutine that reads from by, after the last request that by
// has read.
func (q *queue) unlock(by *conn) {
	if by != nil {
		by.errands = append(by.errands, q.sent...)
		clear(q.sent)
		q.sent = q.sent[:0]
		q.mu.Unlock()
		return
	}
	sent := q.sent
	q.sent = nil
	q.mu.Unlock()
	deliver(sent)
}

// notify sends c what it did not ask for just now.
func (q *queue) notify(c *conn, t wire.Type, args ...[]byte) {
	q.send(c, t, args, nil)
}

func (q *queue) send(c *conn, t wire.Type, args [][]byte, encoded []byte) {
	if c.out.push(t, args, encoded) {
		q.sent = append(q.sent, c)
	}
}

// post has the answers that are queued for c delivered, when its own goroutine
// does not do so.
func (q *queue) post(c *conn) {
	if c.out.due() {
		q.sent = append(q.sent, c)
	}
}

// submit makes a job of s, or finds the one s coalesces with, and answers c
// with its handle, or has its keeper do so.
func (q *queue) submit(c *conn, s submission) *refusal {
	if len(s.unique) > maxUnique {
		return errTooLarge
	}
	f, refused := q.function(s.function)
	if refused != nil {
		return refused
	}
	j, refused := q.equal(f, s.key)
	if refused != nil {
		return refused
	}
	created := j == nil
	if created && f.full(s.priority) || (created || !s.background) && q.jobs.n+q.waiting >= q.maxJobs {
		return errQueueFull
	}
	if created {
		number, ok := q.number()
		if !ok {
			return errStore
		}
		j = q.create(f, number, s)
	}
	switch {
	case s.background && q.keeper != nil:
		q.keeper.keep(c, j, s.due, created)
		return nil
	case s.background:
		j.background = true
	default:
		j.await(c)
		q.waiting++
	}
	var handle [maxHandle]byte
	c.reply(wire.JobCreated, appendHandle(handle[:0], q.prefix, j.number))
	if created {
		q.enqueue(j, s.due)
	}
	return nil
}

// equal returns the job that a submit of that key is for, if there is one. It
// looks at all functions' jobs of the key, which are few: uniques name what is to
// be done, and another function does something else.
func (q *queue) equal(f *function, key []byte) (*job, *refusal) {
	if !coalesces(key) {
		return nil, nil
	}
	n := 0
	for j := q.index[string(key)]; j != nil; j = j.older {
		if j.function == f && j.state != cancelled {
			return j, nil
		}
		if n++; n == maxCrowd {
			return nil, errCrowd
		}
	}
	return nil, nil
}

// function returns the function of that name, new if need be.
func (q *queue) function(name []byte) (*function, *refusal) {
	if f := q.functions[string(name)]; f != nil {
		return f, nil
	}
	if len(name) > maxName {
		return nil, errLongName
	}
	if len(q.functions) >= q.maxFunctions {
		return nil, errFunctions
	}
	return q.addFunction(string(name)), nil
}

func (q *queue) addFunction(name string) *function {
	f := &function{name: name}
	q.functions[name] = f
	return f
}

func (q *queue) create(f *function, number uint64, s submission) *job {
	j := &job{
		number:   number,
		function: f,
		key:      string(s.key),
		workload: s.workload,
		priority: s.priority,
	}
	if s.reducer != "" {
		j.reducer = &s.reducer
	}
	q.jobs.add(j)
	q.tally.accepted++
	if indexed(j.key) {
		q.list(j)
	}
	return j
}

// list has j found by its key.
func (q *queue) list(j *job) {
	if j.older = q.index[j.key]; j.older != nil {
		j.older.newer = j
	}
	q.index[j.key] = j
}

// unlist undoes list, if that was done.
func (q *queue) unlist(j *job) {
	switch {
	case j.newer != nil:
		j.newer.older = j.older
	case q.index[j.key] != j:
		return
	case j.older == nil:
		delete(q.index, j.key)
	default:
		q.index[j.key] = j.older
	}
	if j.older != nil {
		j.older.newer = j.newer
	}
	j.newer, j.older = nil, nil
}

func (q *queue) enqueue(j *job, due int64) {
	switch {
	case q.parks(j):
		q.park(j)
		return
	case due > 0 && due > time.Now().Unix():
		q.delay(j, due)
		return
	}
	j.function.queues[j.priority].pushBack(&j.place, j)
	q.wake(j.function)
}

// wake sends NOOP to every worker that sleeps and can do f. Which of them gets
// the job is decided by who asks first; one that is stopped holds up nobody.
func (q *queue) wake(f *function) {
	for f.asleep.front != nil {
		w := f.asleep.front.of.worker
		w.rise()
		q.notify(w, wire.Noop)
	}
}

// forget removes j from everything that leads to it, except from its place in a
// worker's hands.
func (q *queue) forget(j *job) {
	q.jobs.remove(j)
	q.unlist(j)
	q.release(j)
	if j.storage != notStored {
		q.keeper.remove(j)
	}
	if j.state == parked {
		q.parked--
	}
	q.rest()
}

// end ends j, in whatever state it is.
func (q *queue) end(j *job) {
	switch {
	case j.worker != nil:
		q.takeFrom(j)
	case j.state == delayed:
		q.undelay(j)
	case j.state == unready:
		j.function.unready--
	default:
		j.place.remove()
	}
	q.forget(j)
}

// next returns the job that c is to do, nil for none. The function a worker
// announced last is served first and the priority counts within a function, as
// in gearmand.
func (q *queue) next(c *conn) *job {
	for _, a := range slices.Backward(c.abilities) {
		if j := a.function.first(); j != nil {
			q.assign(j, a)
			return j
		}
	}
	return nil
}

func (q *queue) assign(j *job, a *ability) {
	j.place.remove()
	j.function.running++
	j.worker = a.worker
	a.worker.holds.pushBack(&j.place, j)
	if a.timeout > 0 {
		l := &lease{job: j}
		l.timer = time.AfterFunc(a.timeout, func() { q.expire(l) })
		j.lease = l
	}
}

// A lease is the time a worker has for a job. Its job is nil when it is over:
// the runtime may hold on to a stopped timer for as long as it was set, and must
// not hold on to the job.
type lease struct {
	job   *job
	timer *time.Timer
}

// expire puts the job of l back, if l is not over.
func (q *queue) expire(l *lease) {
	q.mu.Lock()
	j := l.job
	if j == nil {
		q.mu.Unlock()
		return
	}
	log := j.worker.log
	q.putBack(j)
	q.unlock(nil)
	handle := appendHandle(nil, q.prefix, j.number)
	log.Warn("job server: job timed out and is put back", "job", string(handle), "function", j.function.name)
}

// takeFrom takes j out of its worker's hands.
func (q *queue) takeFrom(j *job) {
	if j.lease != nil {
		j.lease.timer.Stop()
		j.lease.job = nil
		j.lease = nil
	}
	j.place.remove()
	j.worker = nil
	j.function.running--
}

// putBack queues j again, before all that wait in its place, after a worker
// lost it. A job nobody wants any longer ends instead.
func (q *queue) putBack(j *job) {
	q.takeFrom(j)
	j.retries++
	q.tally.retried++
	j.numerator, j.denominator = 0, 0
	if !j.wanted() {
		q.forget(j)
		return
	}
	if q.parks(j) {
		q.park(j)
		return
	}
	j.function.queues[j.priority].pushFront(&j.place, j)
	q.wake(j.function)
}

// holding returns the job of that handle if c holds it.
func (q *queue) holding(c *conn, handle []byte) *job {
	if j := q.find(handle); j != nil && j.worker == c {
		return j
	}
	return nil
}

func (q *queue) find(handle []byte) *job {
	n, ok := parseHandle(q.prefix, handle)
	if !ok {
		return nil
	}
	return q.jobs.get(n)
}

// findUnique returns the newest job of that unique, in whatever function.
func (q *queue) findUnique(unique []byte) *job {
	return q.index[string(unique)]
}

// cancel ends j and fails it to those who wait. A job that is held is left to
// its worker, which would not understand an error, but the result goes nowhere.
func (q *queue) cancel(j *job) {
	var handle [maxHandle]byte
	for c := range j.clients() {
		q.notify(c, wire.WorkFail, appendHandle(handle[:0], q.prefix, j.number))
	}
	if j.worker == nil {
		q.end(j)
		return
	}
	j.state = cancelled
	if j.storage != notStored {
		q.keeper.remove(j)
	}
	q.release(j)
}

// release has nobody wait for j.
func (q *queue) release(j *job) {
	for j.waiting != nil {
		j.waiting.dismiss()
		q.waiting--
	}
}

// canDo has c announced as a worker for f, with a new timeout if it was.
func (q *queue) canDo(c *conn, f *function, timeout time.Duration) {
	if a := c.ability(f); a != nil {
		a.timeout = timeout
		return
	}
	a := &ability{function: f, worker: c, timeout: timeout}
	c.abilities = append(c.abilities, a)
	f.workers++
	if !c.asleep {
		return
	}
	f.asleep.pushBack(&a.asleep, a)
	if f.first() != nil {
		q.wake(f)
	}
}

// cantDo takes back what c announced of f and puts back what it holds of it.
func (q *queue) cantDo(c *conn, f *function) {
	a := c.ability(f)
	if a == nil {
		return
	}
	a.asleep.remove()
	f.workers--
	c.abilities = slices.DeleteFunc(c.abilities, func(b *ability) bool { return b == a })
	q.putBackAll(c, func(j *job) bool { return j.function == f })
}

// reset takes back everything c announced.
func (q *queue) reset(c *conn) {
	for _, a := range c.abilities {
		a.asleep.remove()
		a.function.workers--
	}
	c.abilities = nil
	q.putBackAll(c, func(*job) bool { return true })
}

// putBackAll puts back those jobs of c that which chooses, so that the one c got
// first is the first again.
func (q *queue) putBackAll(c *conn, which func(*job) bool) {
	for k := c.holds.back; k != nil; {
		j := k.of
		k = k.prev
		if which(j) {
			q.putBack(j)
		}
	}
}

// sleep has c woken when there is a job for it, which may be at once.
func (q *queue) sleep(c *conn) {
	c.asleep = true
	ready := false
	for _, a := range c.abilities {
		ready = ready || a.function.first() != nil
		if a.asleep.in == nil {
			a.function.asleep.pushBack(&a.asleep, a)
		}
	}
	if ready {
		c.rise()
		c.reply(wire.Noop)
	}
}

// leave undoes all that c has in the queue: jobs only it waits for end, jobs it
// holds are put back.
func (q *queue) leave(c *conn) {
	for c.waiting.front != nil {
		w := c.waiting.front.of
		w.dismiss()
		q.waiting--
		if j := w.job; j.worker == nil && !j.wanted() {
			q.end(j)
		}
	}
	q.reset(c)
}

// drop removes f, if no job and no worker needs it.
func (q *queue) drop(f *function) bool {
	if f.workers > 0 || f.jobs() > 0 {
		return false
	}
	delete(q.functions, f.name)
	return true
}
