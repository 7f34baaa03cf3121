package boltstore_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"revstamp/gearman/wire"
)

// A submitter submits jobs, many in flight, with their uniques counting up, until
// its server is gone.
type submitter struct {
	name         string
	next         int
	acknowledged map[string]string // the handle by the unique
}

func (s *submitter) run(addr string, acknowledged func()) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil // killed already
	}
	defer nc.Close()
	r := wire.NewReader(nc)
	types := []wire.Type{wire.SubmitJobHighBg, wire.SubmitJobBg, wire.SubmitJobLowBg}
	for {
		const batch = 37
		var b []byte
		first := s.next
		for range batch {
			unique := fmt.Sprintf("%s/%d", s.name, s.next)
			b, _ = wire.Append(b, wire.Packet{
				Magic: wire.Request,
				Type:  types[s.next%3],
				Args:  [][]byte{[]byte("f"), []byte(unique), []byte("work of " + unique)},
			})
			s.next++
		}
		if _, err := nc.Write(b); err != nil {
			return nil
		}
		for i := range batch {
			p, err := r.Next()
			if err != nil {
				return nil
			}
			if p.Type != wire.JobCreated {
				return fmt.Errorf("%s: %s %q", s.name, p.Type, p.Args)
			}
			s.acknowledged[fmt.Sprintf("%s/%d", s.name, first+i)] = string(p.Args[0])
			acknowledged()
		}
	}
}

// Whenever the server is killed, each job that was acknowledged comes back once,
// under its handle and in its order.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 30
	if testing.Short() {
		kills = 5
	}
	p := startServer(t, filepath.Join(t.TempDir(), "queue"))
	var submitters []*submitter
	for i := range 4 {
		submitters = append(submitters, &submitter{name: fmt.Sprint("client", i), acknowledged: map[string]string{}})
	}
	for range kills {
		var count atomic.Int64
		var wg sync.WaitGroup
		now, at := make(chan struct{}), 1+rand.Int64N(1000)
		for _, s := range submitters {
			wg.Go(func() {
				err := s.run(p.Addr, func() {
					if count.Add(1) == at {
						close(now)
					}
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		<-now
		p.Kill()
		wg.Wait()
		p.Restart()
	}

	handles, acknowledged := map[string]bool{}, 0
	came := takeAll(t, p.Addr)
	for _, s := range submitters {
		acknowledged += len(s.acknowledged)
		for unique, handle := range s.acknowledged {
			if came[unique] != handle {
				t.Errorf("job %s, acknowledged as %s, came back as %q", unique, handle, came[unique])
			}
			if handles[handle] {
				t.Errorf("handle %s was given to two jobs", handle)
			}
			handles[handle] = true
		}
	}
	t.Logf("%d kills, %d jobs acknowledged, %d more that were not, none lost, none twice", kills, acknowledged, len(came)-acknowledged)
}

// takeAll does all jobs and returns their handles by their uniques.
func takeAll(t *testing.T, addr string) map[string]string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	send := func(typ wire.Type, args ...string) {
		p := wire.Packet{Magic: wire.Request, Type: typ}
		for _, arg := range args {
			p.Args = append(p.Args, []byte(arg))
		}
		b, err := wire.Append(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	came := map[string]string{}
	last := map[string]int{} // by client and priority
	r := wire.NewReader(nc)
	send(wire.CanDo, "f")
	for {
		send(wire.GrabJobUniq)
		p, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if p.Type == wire.NoJob {
			return came
		}
		handle, unique, work := string(p.Args[0]), string(p.Args[2]), string(p.Args[3])
		client, number, _ := strings.Cut(unique, "/")
		n, err := strconv.Atoi(number)
		if err != nil || work != "work of "+unique {
			t.Fatalf("job %s, unique %q, workload %q", handle, unique, work)
		}
		if came[unique] != "" {
			t.Errorf("job %s came twice, as %s and %s", unique, came[unique], handle)
		}
		came[unique] = handle
		key := fmt.Sprint(client, n%3)
		if n < last[key] {
			t.Errorf("job %s came after %d", unique, last[key])
		}
		last[key] = n
		send(wire.WorkComplete, handle, "")
	}
}
