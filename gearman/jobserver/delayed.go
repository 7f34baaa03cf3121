package jobserver

import (
	"container/heap"
	"time"
)

// A schedule holds the jobs that are not due yet, as a heap, the earliest first.
type schedule []appointment

type appointment struct {
	due int64 // Unix time
	job *job
}

func (s schedule) Len() int { return len(s) }

func (s schedule) Less(i, j int) bool {
	if s[i].due != s[j].due {
		return s[i].due < s[j].due
	}
	return s[i].job.number < s[j].job.number
}

func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].job.index, s[j].job.index = int32(i), int32(j)
}

func (s *schedule) Push(x any) {
	a := x.(appointment)
	a.job.index = int32(len(*s))
	*s = append(*s, a)
}

func (s *schedule) Pop() any {
	last := len(*s) - 1
	a := (*s)[last]
	(*s)[last] = appointment{}
	*s = (*s)[:last]
	return a
}

// delay keeps j until its time has come.
func (q *queue) delay(j *job, due int64) {
	j.state = delayed
	j.function.delayed++
	heap.Push(&q.delayed, appointment{due, j})
	if j.index == 0 {
		q.setAlarm()
	}
}

// undelay takes j out of the delayed jobs. An alarm set for it rings for
// nothing, and sets itself anew.
func (q *queue) undelay(j *job) {
	heap.Remove(&q.delayed, int(j.index))
	j.state = ready
	j.function.delayed--
}

// setAlarm has the delayed jobs looked at when the earliest is due.
func (q *queue) setAlarm() {
	if q.alarm != nil {
		q.alarm.Stop()
		q.alarm = nil
	}
	if len(q.delayed) > 0 && !q.closed {
		q.alarm = time.AfterFunc(time.Until(time.Unix(q.delayed[0].due, 0)), q.ring)
	}
}

// ring queues the jobs that are due.
func (q *queue) ring() {
	q.mu.Lock()
	defer q.unlock(nil)
	for now := time.Now().Unix(); len(q.delayed) > 0 && q.delayed[0].due <= now; {
		j := q.delayed[0].job
		q.undelay(j)
		j.function.queues[j.priority].pushBack(&j.place, j)
		q.wake(j.function)
	}
	q.setAlarm()
}
