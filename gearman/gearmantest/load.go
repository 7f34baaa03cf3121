package gearmantest

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"revstamp/gearman/wire"
)

// A Load is requests through bare sockets, without anything that a client does
// for its callers: what a job server, or a client of one, is measured with.
type Load struct {
	Conns  int // that share the requests
	Window int // requests in flight on each of them

	answer   wire.Type // what ends a request; what comes before it is passed over
	requests [][]byte
}

// NewLoad returns n requests of that type and arguments, one at a time. An
// argument "#" becomes the number of the request in 36 digits: a unique key as
// long as the UUID that libgearman gives each task.
func NewLoad(n int, answer, t wire.Type, args ...string) *Load {
	l := &Load{Conns: 1, Window: 1, answer: answer, requests: make([][]byte, n)}
	for i := range n {
		p := wire.Packet{Magic: wire.Request, Type: t}
		for _, arg := range args {
			if arg == "#" {
				arg = Unique(i)
			}
			p.Args = append(p.Args, []byte(arg))
		}
		var err error
		if l.requests[i], err = wire.Append(nil, p); err != nil {
			panic(err)
		}
	}
	return l
}

// Unique returns i in 36 digits.
func Unique(i int) string { return fmt.Sprintf("%036d", i) }

// Run sends the requests to the job server on addr and returns how long it took
// until the last of them was answered.
func (l *Load) Run(addr string) (time.Duration, error) {
	var conns []net.Conn
	for range l.Conns {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			return 0, err
		}
		defer nc.Close()
		conns = append(conns, nc)
	}
	start, n := time.Now(), len(l.requests)
	ended := make(chan error)
	for i, nc := range conns {
		go func() { ended <- l.run(nc, l.requests[n*i/l.Conns:n*(i+1)/l.Conns]) }()
	}
	var errs []error
	for range conns {
		errs = append(errs, <-ended)
	}
	return time.Since(start), errors.Join(errs...)
}

// run keeps between half a window and a window of requests in flight.
func (l *Load) run(nc net.Conn, requests [][]byte) error {
	r := wire.NewReader(nc)
	half := (l.Window + 1) / 2
	var batch []byte
	for unsent, unanswered := requests, len(requests); unanswered > 0; {
		for len(unsent) > 0 && unanswered-len(unsent)+half <= l.Window {
			batch = batch[:0]
			m := min(half, len(unsent))
			for _, request := range unsent[:m] {
				batch = append(batch, request...)
			}
			if _, err := nc.Write(batch); err != nil {
				return err
			}
			unsent = unsent[m:]
		}
		for range min(half, unanswered-len(unsent)) {
			if err := l.await(r); err != nil {
				return err
			}
			unanswered--
		}
	}
	return nil
}

func (l *Load) await(r *wire.Reader) error {
	for {
		p, err := r.Next()
		switch {
		case err != nil:
			return err
		case p.Type == l.answer:
			return nil
		case p.Type == wire.Error:
			return fmt.Errorf("%s: %s", p.Args[0], p.Args[1])
		}
	}
}

// Work is a worker that does nothing for the jobs of function, through a bare
// socket. It asks for one job when it is woken and, while there are jobs, for one
// more with each, up to so many ahead: a worker that once found the queue empty is
// soon as far ahead again. It returns when the connection ends, with that error.
func Work(addr, function string, ahead int) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	var out []byte
	say := func(t wire.Type, args ...[]byte) {
		out, err = wire.Append(out, wire.Packet{Magic: wire.Request, Type: t, Args: args})
	}
	say(wire.CanDo, []byte(function))
	say(wire.PreSleep)
	for r, asked := wire.NewReader(nc), 0; ; {
		if r.Buffered() == 0 {
			if _, err := nc.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		p, err := r.Next()
		if err != nil {
			return err
		}
		switch p.Type {
		case wire.Noop:
			if asked == 0 {
				say(wire.GrabJob)
				asked++
			}
		case wire.JobAssign:
			say(wire.WorkComplete, p.Args[0], nil)
			say(wire.GrabJob)
			if asked < ahead {
				say(wire.GrabJob)
				asked++
			}
		case wire.NoJob:
			if asked--; asked == 0 {
				say(wire.PreSleep)
			}
		}
	}
}

// Turns are the requests a second of several contenders in turn, as often as there
// are turns. What other work on the machine slows down is a whole round, mostly, or
// one turn of many: the median of the rounds is what remains comparable.
type Turns map[string][]float64

// Note notes a turn.
func (t Turns) Note(contender string, requests int, took time.Duration) {
	t[contender] = append(t[contender], float64(requests)/took.Seconds())
}

// Rate is the median rate of a contender.
func (t Turns) Rate(contender string) float64 { return median(t[contender]) }

// Ratio is the median of how many times as fast the one is as the other.
func (t Turns) Ratio(one, other string) float64 {
	ratios := slices.Clone(t[one])
	for i := range ratios {
		ratios[i] /= t[other][i]
	}
	return median(ratios)
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
