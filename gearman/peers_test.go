package gearman_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/gearman/gearmantest"
	"revstamp/testdata/need"
)

// A point is something that a client does and how it ends, whoever is the client
// and whoever the worker.
type point struct{ name, answer string }

// peerLimit ends what hangs. A pair needs seconds, and most of a minute on a
// slow machine that does other things besides.
const peerLimit = 5 * time.Minute

var points = []point{
	{"ping", "pong"},
	{"foreground", "HELLO"},
	{"high", "HELLO"},
	{"empty", "complete "},
	{"fails", "failed"},
	{"throws", "exception boom"},
	{"events", "progress 1/4, data half, warning careful, complete done"},
	{"binary", "same"},
	{"1MB", "same"},
	{"16MB", "same"},
	{"status", "known running"}, // of a background job
	{"progress", "3/10"},
	{"by unique", "known running"},
	{"queue", "5 jobs"}, // of six submitted, two with the same unique
	{"order", "noted first high normal twin low last"},
	{"over", "unknown"},
}

// A language is one in which others write clients and workers, with what theirs
// cannot do. Debian has no package of a client in Python: there is none here.
type language struct {
	name    string
	program []string // runs client.NAME and worker.NAME in testdata; nil is this package
	module  []string // finds out whether the library is there

	client []string // points that it lacks
	worker []string
}

var languages = []language{
	{name: "go"},
	{
		name:    "php",
		program: []string{"php", "-d", "display_errors=stderr"},
		module:  []string{"php", "--re", "gearman"},
	},
	{
		name:    "pl",
		program: []string{"perl"},
		module:  []string{"perl", "-MGearman::Client", "-e", "1"},
		client:  []string{"ping", "by unique"},
		// An empty result goes without the NUL before it, which no job server
		// takes for a result.
		worker: []string{"empty"},
	},
	{
		name:    "sh", // libgearman's commands gearman and gearadmin
		program: []string{"sh"},
		module:  []string{"gearadmin", "--help"},
		// It waits for ever when a job ends by an exception, and reads what it is
		// to send a KiB at a time into memory that it moves each time: 16 MB take
		// it minutes.
		client: []string{"ping", "throws", "events", "16MB", "progress", "by unique"},
		worker: []string{"throws", "events", "16MB", "progress"},
	},
}

// Clients and workers of all languages work together on every job server, when
// one of the three is ours.
func TestPeers(t *testing.T) {
	for _, l := range languages {
		l.need(t)
	}
	servers := map[string]func(t *testing.T) string{
		"gearmand":  func(t *testing.T) string { return gearmantest.Start(t).Addr },
		"jobserver": func(t *testing.T) string { return startJobserver(t) },
	}
	// With gearmand, libgearman takes 10 s to read 16 MB, and no CPU: more at once
	// than there are processors.
	atOnce := make(chan struct{}, 4*runtime.GOMAXPROCS(0))
	var pairs sync.WaitGroup
	defer pairs.Wait()
	for _, client := range languages {
		for _, worker := range languages {
			for name, start := range servers {
				if name == "gearmand" && client.program != nil && worker.program != nil {
					continue
				}
				pairs.Go(func() {
					atOnce <- struct{}{}
					defer func() { <-atOnce }()
					t.Run(fmt.Sprintf("%s/client=%s/worker=%s", name, client.name, worker.name), func(t *testing.T) {
						meet(t, start(t), client, worker)
					})
				})
			}
		}
	}
}

func (l language) need(t *testing.T) {
	if l.program == nil {
		return
	}
	need.Program(t, l.program[0], l.module[0])
	if out, err := exec.Command(l.module[0], l.module[1:]...).CombinedOutput(); err != nil {
		need.Program(t, strings.Join(l.module, " "))
		t.Fatalf("%v: %v\n%s", l.module, err, out)
	}
}

// meet has a client and a worker go through all points that both are up to.
func meet(t *testing.T, addr string, client, worker language) {
	dir := t.TempDir()
	large, binary := make([]byte, 16<<20), make([]byte, 256)
	rand.Read(large)
	for i := range binary {
		binary[i] = byte(i)
	}
	for name, workload := range map[string][]byte{"binary": binary, "1MB": large[:1<<20], "16MB": large} {
		if err := os.WriteFile(filepath.Join(dir, name), workload, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var wanted []string
	var want strings.Builder
	for _, p := range points {
		if !slices.Contains(client.client, p.name) && !slices.Contains(worker.worker, p.name) {
			wanted = append(wanted, p.name)
			fmt.Fprintf(&want, "%s: %s\n", p.name, p.answer)
		}
	}
	worker.startWorker(t, addr)
	got := client.runClient(t, addr, dir, wanted)
	if diff := cmp.Diff(want.String(), got); diff != "" {
		t.Errorf("the client printed (-want +got):\n%s", diff)
	}
}

// command runs a script of l in testdata, in a process group of its own that ends
// with ctx.
func (l language) command(ctx context.Context, t *testing.T, role, addr string, args ...string) *exec.Cmd {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join("testdata", role+"."+l.name)
	cmd := exec.CommandContext(ctx, l.program[0], slices.Concat(l.program[1:], []string{script, host, port}, args)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// startWorker starts a worker, which is to be there until the test is over.
func (l language) startWorker(t *testing.T, addr string) {
	if l.program == nil {
		startGoWorker(t, addr)
		return
	}
	var out bytes.Buffer
	cmd := l.command(t.Context(), t, "worker", addr)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // t's context is done
		cmd.Wait()
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
			t.Errorf("worker ended: %v\n%s", cmd.ProcessState, out.Bytes())
		}
	})
}

// runClient has a client go through points and returns what it printed.
func (l language) runClient(t *testing.T, addr, dir string, points []string) string {
	if l.program == nil {
		return runGoClient(t, addr, dir, points)
	}
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), peerLimit)
	defer cancel()
	cmd := l.command(ctx, t, "client", addr, append([]string{dir}, points...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("client: %v\n%s", err, errs.Bytes())
	}
	return out.String()
}
