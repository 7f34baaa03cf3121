package jobserver

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"revstamp/gearman/wire"
)

// A model says what a job server is to send, in the simplest way there is: one
// slice of jobs in the order in which they are to be taken.
type model struct {
	last  int
	queue []*modelJob // those nobody holds
	held  []*modelJob // in the order in which they were taken
	conns []*modelConn
}

type modelJob struct {
	number                             int
	handle, function, unique, workload string
	priority                           int
	background, cancelled              bool
	clients                            []*modelConn
	worker                             *modelConn
	n, d                               int
}

type modelConn struct {
	peer       *peer
	functions  []string
	exceptions bool
	asleep     bool
	want       []string
}

func (c *modelConn) gets(packet string) { c.want = append(c.want, packet) }

func (m *model) submit(c *modelConn, function, unique, workload string, p int, background bool) {
	j := m.find(func(j *modelJob) bool {
		return unique != "" && j.function == function && j.unique == unique && !j.cancelled &&
			(unique != "-" || j.workload == workload)
	})
	created := j == nil
	if created {
		m.last++
		j = &modelJob{number: m.last, handle: fmt.Sprint("M:", m.last), function: function, unique: unique, workload: workload, priority: p}
	}
	c.gets("JOB_CREATED " + j.handle)
	if background {
		j.background = true
	} else {
		j.clients = append(j.clients, c)
	}
	if created {
		m.enqueue(j, len(m.queue))
	}
}

func (m *model) find(is func(*modelJob) bool) *modelJob {
	for _, j := range slices.Concat(m.queue, m.held) {
		if is(j) {
			return j
		}
	}
	return nil
}

func (m *model) enqueue(j *modelJob, at int) {
	m.queue = slices.Insert(m.queue, at, j)
	for _, w := range m.conns {
		if w.asleep && slices.Contains(w.functions, j.function) {
			w.asleep = false
			w.gets("NOOP")
		}
	}
}

// next returns where in the queue the next job for w is, or -1.
func (m *model) next(w *modelConn) int {
	for _, f := range slices.Backward(w.functions) {
		for p := range 3 {
			if i := slices.IndexFunc(m.queue, func(j *modelJob) bool { return j.function == f && j.priority == p }); i >= 0 {
				return i
			}
		}
	}
	return -1
}

func (m *model) grab(w *modelConn) {
	w.asleep = false
	i := m.next(w)
	if i < 0 {
		w.gets("NO_JOB")
		return
	}
	j := m.queue[i]
	m.queue = slices.Delete(m.queue, i, i+1)
	m.held = append(m.held, j)
	j.worker = w
	w.gets(strings.Join([]string{"JOB_ASSIGN_UNIQ " + j.handle, j.function, j.unique, j.workload}, "|"))
}

func (m *model) sleep(w *modelConn) {
	w.asleep = m.next(w) < 0
	if !w.asleep {
		w.gets("NOOP")
	}
}

func (m *model) canDo(w *modelConn, f string) {
	if slices.Contains(w.functions, f) {
		return
	}
	w.functions = append(w.functions, f)
	if w.asleep && m.next(w) >= 0 {
		w.asleep = false
		w.gets("NOOP")
	}
}

func (m *model) cantDo(w *modelConn, functions []string) {
	w.functions = slices.DeleteFunc(slices.Clone(w.functions), func(f string) bool { return slices.Contains(functions, f) })
	for _, j := range slices.Backward(slices.Clone(m.held)) {
		if j.worker == w && slices.Contains(functions, j.function) {
			m.forget(j)
			j.worker, j.n, j.d = nil, 0, 0
			if !j.cancelled && (j.background || len(j.clients) > 0) {
				m.enqueue(j, 0)
			}
		}
	}
}

func (m *model) forget(j *modelJob) {
	is := func(o *modelJob) bool { return o == j }
	m.queue = slices.DeleteFunc(m.queue, is)
	m.held = slices.DeleteFunc(m.held, is)
}

func (m *model) leave(c *modelConn) {
	for _, j := range slices.Concat(m.queue, m.held) {
		j.clients = slices.DeleteFunc(j.clients, func(o *modelConn) bool { return o == c })
		if j.worker == nil && !j.background && len(j.clients) == 0 {
			m.forget(j)
		}
	}
	m.conns = slices.DeleteFunc(m.conns, func(o *modelConn) bool { return o == c })
	m.cantDo(c, slices.Clone(c.functions))
}

// work is what w says of the job of that handle.
func (m *model) work(w *modelConn, t wire.Type, handle string, rest ...string) {
	j := m.find(func(j *modelJob) bool { return j.handle == handle && j.worker == w })
	if j == nil {
		text := "Job given in work result not found"
		switch t {
		case wire.WorkData:
			text = "Job does not exist on server"
		case wire.WorkException:
			text = "An exception was received for a job that does not exist"
		}
		w.gets("ERROR JOB_NOT_FOUND|" + text)
		return
	}
	for _, c := range j.clients {
		if t == wire.WorkException && !c.exceptions {
			c.gets("WORK_FAIL " + handle)
		} else {
			c.gets(strings.TrimSpace(t.String() + " " + strings.Join(append([]string{handle}, rest...), "|")))
		}
	}
	switch t {
	case wire.WorkStatus:
		fmt.Sscan(rest[0], &j.n)
		fmt.Sscan(rest[1], &j.d)
	case wire.WorkComplete, wire.WorkFail, wire.WorkException:
		m.forget(j)
	}
}

func (m *model) status(c *modelConn, handle string) {
	j := m.find(func(j *modelJob) bool { return j.handle == handle })
	switch {
	case j == nil:
		c.gets("STATUS_RES " + handle + "|0|0|0|0")
	case j.worker == nil:
		c.gets("STATUS_RES " + handle + "|1|0|0|0")
	default:
		c.gets(fmt.Sprintf("STATUS_RES %s|1|1|%d|%d", handle, j.n, j.d))
	}
}

func (m *model) cancel(handle string) (answer string) {
	j := m.find(func(j *modelJob) bool { return j.handle == handle })
	if j == nil {
		return "ERR UNKNOWN_JOB"
	}
	for _, c := range j.clients {
		c.gets("WORK_FAIL " + handle)
	}
	j.clients, j.cancelled = nil, true
	if j.worker == nil {
		m.forget(j)
	}
	return "OK"
}

// restart is the end of a server with a store and the start of the next: jobs of
// the background wait as they were submitted, and nobody is there.
func (m *model) restart() {
	jobs := slices.Concat(m.queue, m.held)
	m.queue, m.held, m.conns = nil, nil, nil
	slices.SortFunc(jobs, func(a, b *modelJob) int { return cmp.Compare(a.number, b.number) })
	for _, j := range jobs {
		if j.background && !j.cancelled {
			j.clients, j.worker, j.n, j.d = nil, nil, 0, 0
			m.enqueue(j, len(m.queue))
		}
	}
}

// Random operations bring what the model says, on every connection.
func TestModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			testModel(t, seed, nil)
		})
		t.Run(fmt.Sprint("stored, seed ", seed), func(t *testing.T) {
			t.Parallel()
			store := new(memoryStore)
			testModel(t, seed, store)
			if got := store.workloads(); len(got) > 0 {
				t.Errorf("in the end there are stored: %q", got)
			}
		})
	}
}

func testModel(t *testing.T, seed uint64, store *memoryStore) {
	r := &randomRun{t: t, rand: rand.New(rand.NewPCG(seed, 1)), store: store}
	r.start()
	for i := range 1500 {
		r.step()
		r.compare(i)
	}
	for len(r.conns) > 0 {
		r.leave(r.conns[0])
	}
	r.finish()
	checkEmpty(t, r.server)
	r.server.Close()
}

type randomRun struct {
	model
	t       *testing.T
	store   *memoryStore // nil: none
	server  *Server
	addr    string
	admin   *peer
	rand    *rand.Rand
	what    string
	speaker *modelConn // whose request may not have been heard yet
}

// start starts the server.
func (r *randomRun) start() {
	r.server = &Server{HandlePrefix: "M"}
	if r.store != nil {
		r.server.Store = r.store
	}
	r.addr, r.admin = start(r.t, r.server), nil
}

// doRestart ends the server, and with it every connection, and starts another.
func (r *randomRun) doRestart() {
	r.what = "restart"
	if err := r.server.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.restart()
	r.start()
}

func (r *randomRun) one(of ...string) string { return of[r.rand.IntN(len(of))] }

// handle is that of some job, often of one that has not ended.
func (r *randomRun) handle() string {
	jobs := slices.Concat(r.queue, r.held)
	if len(jobs) == 0 || r.rand.IntN(10) == 0 {
		return fmt.Sprint("M:", r.rand.IntN(r.last+2))
	}
	return jobs[r.rand.IntN(len(jobs))].handle
}

func (r *randomRun) send(c *modelConn, t wire.Type, args ...string) {
	r.what, r.speaker = fmt.Sprintf("%s %q", t, args), c
	c.peer.write(raw(wire.Request, t, args))
}

func (r *randomRun) step() {
	if len(r.conns) < 6 {
		r.conns = append(r.conns, &modelConn{peer: dial(r.t, r.addr)})
	}
	c := r.conns[r.rand.IntN(len(r.conns))]
	f := r.one("f", "g", "h")
	switch n := r.rand.IntN(100); {
	case n < 30:
		r.doSubmit(c, f)
	case n < 50:
		r.send(c, wire.GrabJobUniq)
		r.grab(c)
	case n < 70:
		r.doWork(c)
	case n < 76:
		r.send(c, wire.PreSleep)
		r.sleep(c)
	case n < 84:
		r.send(c, wire.CanDo, f)
		r.canDo(c, f)
	case n < 87:
		r.send(c, wire.CantDo, f)
		r.cantDo(c, []string{f})
	case n < 88:
		r.send(c, wire.ResetAbilities)
		r.cantDo(c, slices.Clone(c.functions))
	case n < 92:
		h := r.handle()
		r.send(c, wire.GetStatus, h)
		r.status(c, h)
	case n < 94:
		r.send(c, wire.OptionReq, "exceptions")
		c.exceptions = true
		c.gets("OPTION_RES exceptions")
	case n < 97:
		r.doCancel(r.handle())
	case n < 99 || r.store == nil:
		r.leave(c)
	default:
		r.doRestart()
	}
}

func (r *randomRun) doSubmit(c *modelConn, f string) {
	types := []wire.Type{wire.SubmitJobHigh, wire.SubmitJob, wire.SubmitJobLow, wire.SubmitJobHighBg, wire.SubmitJobBg, wire.SubmitJobLowBg}
	i := r.rand.IntN(len(types))
	unique, workload := r.one("", "-", "a", "b"), r.one("x", "y")
	r.send(c, types[i], f, unique, workload)
	r.submit(c, f, unique, workload, i%3, i >= 3)
}

func (r *randomRun) doWork(c *modelConn) {
	h := r.handle()
	if i := slices.IndexFunc(r.held, func(j *modelJob) bool { return j.worker == c }); i >= 0 && r.rand.IntN(5) > 0 {
		h = r.held[i].handle
	}
	switch t := []wire.Type{wire.WorkComplete, wire.WorkFail, wire.WorkException, wire.WorkData, wire.WorkStatus}[r.rand.IntN(5)]; t {
	case wire.WorkFail:
		r.send(c, t, h)
		r.work(c, t, h)
	case wire.WorkStatus:
		r.send(c, t, h, "3", "7")
		r.work(c, t, h, "3", "7")
	default:
		r.send(c, t, h, "data")
		r.work(c, t, h, "data")
	}
}

func (r *randomRun) doCancel(handle string) {
	if r.admin == nil {
		r.admin = dial(r.t, r.addr)
	}
	r.what = "cancel job " + handle
	r.admin.write([]byte(r.what + "\n"))
	if got, want := r.admin.text(), r.cancel(handle); got != want {
		r.t.Fatalf("%s: got %q, want %q", r.what, got, want)
	}
}

// leave closes c and waits until the server has noticed.
func (r *randomRun) leave(c *modelConn) {
	r.what = "leave"
	c.peer.nc.(*net.TCPConn).CloseWrite()
	for {
		if _, err := c.peer.read(); err != nil {
			break
		}
	}
	c.peer.nc.Close()
	r.model.leave(c)
}

// compare reads all that came since, first for the one who spoke, and holds it
// to the model.
func (r *randomRun) compare(i int) {
	r.t.Helper()
	conns := slices.Clone(r.conns)
	if at := slices.Index(conns, r.speaker); at >= 0 {
		conns[0], conns[at] = conns[at], conns[0]
	}
	for _, c := range conns {
		c.peer.write(raw(wire.Request, wire.EchoReq, []string{"end"}))
		var got []string
		for {
			p, err := c.peer.read()
			if err != nil {
				r.t.Fatalf("step %d, %s: %v", i, r.what, err)
			}
			if p == "ECHO_RES end" {
				break
			}
			got = append(got, p)
		}
		if diff := gocmp.Diff(c.want, got); diff != "" {
			r.t.Fatalf("step %d, %s: (-want +got)\n%s", i, r.what, diff)
		}
		c.want = nil
	}
}

// finish does every job that is left, of which the background ones are.
func (r *randomRun) finish() {
	w := &modelConn{peer: dial(r.t, r.addr)}
	r.conns = append(r.conns, w)
	for _, f := range []string{"f", "g", "h"} {
		r.send(w, wire.CanDo, f)
		r.canDo(w, f)
	}
	for len(r.queue) > 0 {
		r.send(w, wire.GrabJobUniq)
		r.grab(w)
		h := r.held[len(r.held)-1].handle
		r.send(w, wire.WorkComplete, h, "")
		r.work(w, wire.WorkComplete, h, "")
	}
	r.compare(-1)
}

// checkEmpty fails t unless s has forgotten every job.
func checkEmpty(t *testing.T, s *Server) {
	t.Helper()
	q := &s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.jobs.n+len(q.index)+len(q.delayed)+q.waiting != 0 {
		t.Errorf("jobs %d, keys %d, delayed %d, waiting %d, want none",
			q.jobs.n, len(q.index), len(q.delayed), q.waiting)
	}
	for name, f := range q.functions {
		if f.jobs() != 0 || f.running != 0 {
			t.Errorf("function %s: jobs %d, running %d, want none", name, f.jobs(), f.running)
		}
	}
}
