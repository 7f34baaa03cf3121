package jobserver

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"revstamp/gearman/wire"
)

var (
	errCommand    = &refusal{"INVALID_COMMAND", "Command not expected"}
	errMagic      = &refusal{"INVALID_MAGIC", "Request magic expected"}
	errOption     = &refusal{"UNKNOWN_OPTION", "Server does not recognize given option"}
	errLongHandle = &refusal{"ARGUMENT_TOO_LARGE", "Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf"}
	errTime       = &refusal{"ARGUMENT_TOO_LARGE", "Time too large"}

	errNoSuchJob       = &refusal{"JOB_NOT_FOUND", "Job given in work result not found"}
	errNoJobForData    = &refusal{"JOB_NOT_FOUND", "Job does not exist on server"}
	errNoJobForFailure = &refusal{"JOB_NOT_FOUND", "An exception was received for a job that does not exist"}
)

// minTimeout is the shortest CAN_DO_TIMEOUT that gearmand keeps to. Clients
// disagree on whether its unit is the millisecond, as the protocol says, or the
// second; this is what saves the jobs of the others.
const minTimeout = time.Second

// handle answers one request of c. It takes the lock, for no longer than the
// bookkeeping needs: workloads and results are copied without it.
func (q *queue) handle(c *conn, p wire.Packet) *refusal {
	if p.Magic != wire.Request {
		return errMagic
	}
	if s, ok, refused := submissionOf(p); refused != nil {
		return refused
	} else if ok {
		return q.handleSubmit(c, s)
	}
	c.settle()
	switch p.Type {
	case wire.EchoReq:
		c.reply(wire.EchoRes, p.Args[0])
		return nil
	case wire.GrabJob, wire.GrabJobUniq, wire.GrabJobAll:
		q.grab(c, p.Type)
		return nil
	case wire.WorkData, wire.WorkWarning, wire.WorkStatus:
		return q.progress(c, p)
	case wire.WorkComplete, wire.WorkFail, wire.WorkException:
		return q.finish(c, p)
	}
	q.mu.Lock()
	defer q.unlock(c)
	return q.request(c, p)
}

// handleSubmit submits s. Answers come in the order of the requests: what is in
// the background may follow what else is, and is followed by that only once the
// store has all before it.
func (q *queue) handleSubmit(c *conn, s submission) *refusal {
	if !s.background {
		c.settle()
	}
	q.mu.Lock()
	refused := q.tally.refusal(q.submit(c, s))
	full := c.group != nil && c.group.size > maxGroup
	q.unlock(c)
	if full {
		c.settle()
	}
	return refused
}

// request answers the requests that handle leaves to it, with mu held.
func (q *queue) request(c *conn, p wire.Packet) *refusal {
	switch p.Type {
	case wire.GetStatus:
		q.status(c, word(p.Args[0]))
	case wire.GetStatusUnique:
		q.statusUnique(c, word(p.Args[0]))
	case wire.OptionReq:
		return c.option(p.Args[0])
	case wire.SetClientID:
		c.setID(word(p.Args[0]))
	case wire.CanDo, wire.CanDoTimeout:
		return q.announce(c, p)
	case wire.CantDo:
		if f := q.functions[string(word(p.Args[0]))]; f != nil {
			q.cantDo(c, f)
		}
	case wire.ResetAbilities:
		q.reset(c)
	case wire.PreSleep:
		q.sleep(c)
	default:
		return errCommand
	}
	return nil
}

// submissionOf returns the submission a SUBMIT_* packet makes. It does without
// the lock what takes time: it copies the workload and, where that coalesces,
// digests it.
func submissionOf(p wire.Packet) (s submission, ok bool, refused *refusal) {
	s = submission{priority: normal}
	switch p.Type {
	case wire.SubmitJob, wire.SubmitReduceJob:
	case wire.SubmitJobBg, wire.SubmitReduceJobBackground, wire.SubmitJobEpoch:
		s.background = true
	case wire.SubmitJobHigh, wire.SubmitJobHighBg:
		s.priority, s.background = high, p.Type == wire.SubmitJobHighBg
	case wire.SubmitJobLow, wire.SubmitJobLowBg:
		s.priority, s.background = low, p.Type == wire.SubmitJobLowBg
	default:
		return s, false, nil
	}
	switch p.Type {
	case wire.SubmitReduceJob, wire.SubmitReduceJobBackground:
		s.reducer = string(p.Args[2])
	case wire.SubmitJobEpoch:
		s.due, refused = epoch(p.Args[2])
	}
	s.function, s.unique = p.Args[0], p.Args[1]
	s.workload = bytes.Clone(p.Args[len(p.Args)-1])
	s.key = indexKey(s.unique, s.workload)
	return s, true, refused
}

// epoch reads seconds since 1970 as strtoll does, so that text which is no
// number is a time long past. The year 70,000 is too far.
func epoch(text []byte) (int64, *refusal) {
	n, ok := leadingInt(text)
	if !ok || n > math.MaxInt32*1000 {
		return 0, errTime
	}
	return n, nil
}

// leadingInt returns the decimal number that text begins with, zero when it
// begins with none, and false when an int64 cannot hold it.
func leadingInt(text []byte) (int64, bool) {
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && text[end] == '-') {
		end++
	}
	n, err := strconv.ParseInt(string(text[:end]), 10, 64)
	return n, err == nil || n == 0
}

// word returns text up to its first NUL: clients exist that end a last argument
// as the others end.
func word(text []byte) []byte {
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return text[:i]
	}
	return text
}

var no, yes = []byte("0"), []byte("1")

func (q *queue) status(c *conn, handle []byte) {
	known, running, n, d := statusOf(q.find(handle))
	var a, b [10]byte
	c.reply(wire.StatusRes, handle, known, running,
		strconv.AppendUint(a[:0], uint64(n), 10), strconv.AppendUint(b[:0], uint64(d), 10))
}

func (q *queue) statusUnique(c *conn, unique []byte) {
	j := q.findUnique(unique)
	clients := 0
	if j != nil {
		for range j.clients() {
			clients++
		}
	}
	known, running, n, d := statusOf(j)
	var a, b, e [20]byte
	c.reply(wire.StatusResUnique, unique, known, running,
		strconv.AppendUint(a[:0], uint64(n), 10), strconv.AppendUint(b[:0], uint64(d), 10),
		strconv.AppendInt(e[:0], int64(clients), 10))
}

func statusOf(j *job) (known, running []byte, numerator, denominator uint32) {
	switch {
	case j == nil:
		return no, no, 0, 0
	case j.worker == nil:
		return yes, no, j.numerator, j.denominator
	}
	return yes, yes, j.numerator, j.denominator
}

func (q *queue) announce(c *conn, p wire.Packet) *refusal {
	timeout := time.Duration(0)
	if p.Type == wire.CanDoTimeout {
		ms, ok := leadingInt(p.Args[1])
		if !ok || ms > math.MaxInt32 {
			return errTime
		}
		if ms > 0 {
			timeout = max(time.Duration(ms)*time.Millisecond, minTimeout)
		}
	}
	f, refused := q.function(word(p.Args[0]))
	if refused == nil {
		q.canDo(c, f, timeout)
	}
	return q.tally.refusal(refused)
}

// grab gives c the job that is next for it.
func (q *queue) grab(c *conn, t wire.Type) {
	q.mu.Lock()
	c.rise()
	j := q.next(c)
	q.mu.Unlock()
	if j == nil {
		c.reply(wire.NoJob)
		return
	}
	var buf [maxHandle]byte
	handle, name := appendHandle(buf[:0], q.prefix, j.number), []byte(j.function.name)
	switch {
	case t == wire.GrabJob:
		c.reply(wire.JobAssign, handle, name, j.workload)
	case t == wire.GrabJobAll && j.reducer != nil:
		c.reply(wire.JobAssignAll, handle, name, []byte(j.unique()), []byte(*j.reducer), j.workload)
	default:
		c.reply(wire.JobAssignUniq, handle, name, []byte(j.unique()), j.workload)
	}
}

// progress forwards what a worker tells of a job that goes on.
func (q *queue) progress(c *conn, p wire.Packet) *refusal {
	shared := share(p)
	q.mu.Lock()
	defer q.unlock(c)
	j := q.holding(c, p.Args[0])
	switch {
	case j == nil && p.Type == wire.WorkStatus:
		return errNoSuchJob
	case j == nil:
		return errNoJobForData
	case p.Type == wire.WorkStatus:
		j.numerator, j.denominator = count(p.Args[1]), count(p.Args[2])
	}
	for client := range j.clients() {
		q.send(client, p.Type, p.Args, shared)
	}
	return nil
}

// finish forwards the end of a job. An exception is an end, too: gearmand 1.1.20
// sees it so, and a WORK_FAIL after it finds no job.
func (q *queue) finish(c *conn, p wire.Packet) *refusal {
	shared := share(p)
	handle := word(p.Args[0])
	q.mu.Lock()
	defer q.unlock(c)
	j := q.holding(c, handle)
	switch {
	case j == nil && p.Type == wire.WorkException:
		return errNoJobForFailure
	case j == nil && len(handle) > maxHandle && p.Type == wire.WorkFail:
		return errLongHandle
	case j == nil:
		return errNoSuchJob
	}
	for client := range j.clients() {
		switch {
		case p.Type == wire.WorkException && !client.exceptions, p.Type == wire.WorkFail:
			q.notify(client, wire.WorkFail, handle)
		default:
			q.send(client, p.Type, p.Args, shared)
		}
	}
	q.tally.result(p.Type)
	q.end(j)
	return nil
}

// share returns the encoding of a packet so large that it is not to be copied
// for each client, or nil.
func share(p wire.Packet) []byte {
	if len(p.Args[len(p.Args)-1]) < shareSize {
		return nil
	}
	return encode(nil, p.Type, p.Args)
}

// count returns the number text begins with, as far as a counter can hold it.
func count(text []byte) uint32 {
	n, _ := leadingInt(text)
	return uint32(min(max(n, 0), math.MaxUint32))
}
