package jobserver

import (
	"container/heap"
	"time"
)

// delayed holds the jobs that are not due yet, as a heap, the earliest first.
type delayed []*job

func (d delayed) Len() int { return len(d) }

func (d delayed) Less(i, j int) bool {
	if d[i].due != d[j].due {
		return d[i].due < d[j].due
	}
	return d[i].number < d[j].number
}

func (d delayed) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = int32(i), int32(j)
}

func (d *delayed) Push(x any) {
	j := x.(*job)
	j.index = int32(len(*d))
	*d = append(*d, j)
}

func (d *delayed) Pop() any {
	last := len(*d) - 1
	j := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return j
}

// delay keeps j until its time has come.
func (q *queue) delay(j *job, due int64) {
	j.due = due
	j.function.delayed++
	heap.Push(&q.delayed, j)
	if j.index == 0 {
		q.setAlarm()
	}
}

// undelay takes j out of the delayed jobs. An alarm set for it rings for
// nothing, and sets itself anew.
func (q *queue) undelay(j *job) {
	heap.Remove(&q.delayed, int(j.index))
	j.due = 0
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
	defer q.mu.Unlock()
	for now := time.Now().Unix(); len(q.delayed) > 0 && q.delayed[0].due <= now; {
		j := q.delayed[0]
		q.undelay(j)
		j.function.queues[j.priority].pushBack(&j.place, j)
		q.wake(j.function)
	}
	q.setAlarm()
}
