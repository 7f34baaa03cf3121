package jobserver

// drain has empty called, with mu held, when the last job has ended. Those that
// the store has and nobody runs are not waited for: they are parked.
func (q *queue) drain(empty func()) {
	if q.empty != nil {
		return
	}
	q.empty = empty
	for j := range q.jobs.all() {
		if j.worker != nil || !q.parks(j) {
			continue
		}
		if j.state == delayed {
			q.undelay(j)
		}
		j.place.remove()
		q.park(j)
	}
	q.rest()
}

// parks reports whether j, which no worker has, is to be kept from the workers
// and for the next server.
func (q *queue) parks(j *job) bool {
	return q.empty != nil && j.storage == stored && j.waiting == nil
}

func (q *queue) park(j *job) {
	j.state = parked
	q.parked++
	q.rest()
}

// rest tells whoever drains q when nothing is left to wait for.
func (q *queue) rest() {
	if q.empty != nil && q.jobs.n == q.parked {
		q.empty()
	}
}

// close ends what goes on by itself: no job becomes due any longer, and the
// store gets what it has not yet. Nobody is connected any more.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.setAlarm()
	k := q.keeper
	q.mu.Unlock()
	if k != nil {
		k.end()
	}
}
