package jobserver_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"revstamp/gearman"
	"revstamp/gearman/gearmantest"
	"revstamp/gearman/jobserver"
	"revstamp/gearman/jobserver/boltstore"
	"revstamp/gearman/wire"
)

// serverVariable, when set, makes the test binary a job server, whose memory is
// then its own. Its value is the file of a durable queue, or memory.
const serverVariable = "JOBSERVER_TEST_QUEUE"

const memory = "-"

func TestMain(m *testing.M) {
	if queue := os.Getenv(serverVariable); queue != "" {
		fmt.Fprintln(os.Stderr, serve(queue))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// serve serves until the process is killed, and prints where.
func serve(queue string) error {
	s := new(jobserver.Server)
	if queue != memory {
		store, err := boltstore.Open(queue)
		if err != nil {
			return err
		}
		s.Store = store
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return s.Serve(l)
}

// startProcess starts a server as a process and returns its address.
func startProcess(b *testing.B, queue string) string {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"="+queue)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

// memoryServers are the servers whose memory is compared.
var memoryServers = []struct {
	name  string
	start func(b *testing.B) string
}{
	{"gearmand", func(b *testing.B) string { return gearmantest.Start(b).Addr }},
	{"ours", func(b *testing.B) string { return startProcess(b, memory) }},
	{"ours durable", func(b *testing.B) string { return startProcess(b, b.TempDir()+"/queue") }},
}

// BenchmarkIdleWorkers has 10,000 workers that were woken and given nothing
// sleep again, and reports the server's resident memory, now and at most.
func BenchmarkIdleWorkers(b *testing.B) {
	const n = 10_000
	for _, server := range memoryServers[:2] {
		b.Run("server="+server.name, func(b *testing.B) {
			for range b.N {
				addr := server.start(b)
				workers := make([]*idleWorker, n)
				atOnce(b, n, func(i int) (err error) {
					workers[i], err = newIdleWorker(addr)
					return err
				})
				c := &gearman.Client{Servers: []string{addr}}
				if _, err := c.Submit(b.Context(), gearman.Task{Function: "f"}); err != nil {
					b.Fatal(err)
				}
				c.Close()
				atOnce(b, n, func(i int) error { return workers[i].wake() })
				reportMemory(b, addr)
				for _, w := range workers {
					w.nc.Close()
				}
			}
		})
	}
}

// BenchmarkQueuedJobs queues 1,000,000 background jobs, and reports the server's
// resident memory, now and at most.
func BenchmarkQueuedJobs(b *testing.B) {
	const n, batch = 1_000_000, 10_000
	workload := []byte(strings.Repeat("x", 64))
	for _, server := range memoryServers {
		b.Run("server="+server.name, func(b *testing.B) {
			for range b.N {
				addr := server.start(b)
				c := &gearman.Client{Servers: []string{addr}}
				for i := 0; i < n; i += batch {
					tasks := make([]gearman.Task, batch)
					for j := range tasks {
						tasks[j] = gearman.Task{Function: "f", Unique: fmt.Sprint("shop/1/", i+j), Workload: workload}
					}
					if _, err := c.SubmitAll(b.Context(), tasks); err != nil {
						b.Fatal(err)
					}
				}
				c.Close()
				reportMemory(b, addr)
			}
		})
	}
}

// atOnce calls do for 0 to n-1, a few at a time.
func atOnce(b *testing.B, n int, do func(i int) error) {
	b.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error { return do(i) })
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

// An idleWorker is a worker that does nothing.
type idleWorker struct {
	nc net.Conn
	r  *wire.Reader
}

func newIdleWorker(addr string) (*idleWorker, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	w := &idleWorker{nc, wire.NewReader(nc)}
	return w, errors.Join(w.request(wire.CanDo, "f"), w.sleep())
}

// sleep returns when the server has put the worker to sleep.
func (w *idleWorker) sleep() error {
	if err := errors.Join(w.request(wire.PreSleep), w.request(wire.EchoReq, "")); err != nil {
		return err
	}
	for {
		p, err := w.r.Next()
		if err != nil || p.Type == wire.EchoRes {
			return err
		}
	}
}

// wake takes the NOOP, and the job if there is one for it, and sleeps again.
func (w *idleWorker) wake() error {
	p, err := w.r.Next()
	if err == nil && p.Type != wire.Noop {
		err = fmt.Errorf("got %s, want NOOP", p.Type)
	}
	return errors.Join(err, w.request(wire.GrabJob), w.sleep())
}

func (w *idleWorker) request(t wire.Type, args ...string) error {
	p := wire.Packet{Magic: wire.Request, Type: t}
	for _, arg := range args {
		p.Args = append(p.Args, []byte(arg))
	}
	b, err := wire.Append(nil, p)
	if err != nil {
		return err
	}
	_, err = w.nc.Write(b)
	return err
}

// reportMemory reports what the process of a server has in memory, by what
// proc(5) calls VmRSS and VmHWM.
func reportMemory(b *testing.B, addr string) {
	pid, err := (&gearman.Admin{Addr: addr}).PID(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if name := map[string]string{"VmRSS:": "MB", "VmHWM:": "peak-MB"}[fields[0]]; name != "" {
			kB, err := strconv.Atoi(fields[1])
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(kB)/1000, name)
		}
	}
}
