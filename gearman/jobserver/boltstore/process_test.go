package boltstore_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"revstamp/gearman/gearmantest"
	"revstamp/gearman/jobserver"
	"revstamp/gearman/jobserver/boltstore"
)

// With these set, the test binary is one of roles, for a job server on an address
// and with a file of its own.
const (
	roleVariable = "BOLTSTORE_TEST_ROLE"
	addrVariable = "BOLTSTORE_TEST_ADDR"
	fileVariable = "BOLTSTORE_TEST_FILE"
)

var roles = map[string]func(addr, file string) error{
	"server":   serve,
	"worker":   work,
	"follower": follow,
}

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		fmt.Fprintln(os.Stderr, role(os.Getenv(addrVariable), os.Getenv(fileVariable)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// serve is a job server whose queue is in file.
func serve(addr, file string) error {
	store, err := boltstore.Open(file)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return (&jobserver.Server{HandlePrefix: "B", Store: store}).Serve(l)
}

// A process is one of roles, to be killed.
type process struct {
	Addr string

	t    testing.TB
	role string
	file string
	cmd  *exec.Cmd
}

func newProcess(t testing.TB, role, addr, file string) *process {
	p := &process{Addr: addr, t: t, role: role, file: file}
	t.Cleanup(p.Kill)
	p.start()
	return p
}

// startServer starts a job server, as gearmantest.Start starts a gearmand.
func startServer(t testing.TB, file string) *process {
	t.Helper()
	p := newProcess(t, "server", gearmantest.FreeAddr(t), file)
	p.await()
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), roleVariable+"="+p.role, addrVariable+"="+p.Addr, fileVariable+"="+p.file)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// Kill ends p with SIGKILL, and waits for it.
func (p *process) Kill() {
	if p.cmd != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		p.cmd = nil
	}
}

// Restart kills p, if it lives, and runs it; a server until it answers.
func (p *process) Restart() {
	p.t.Helper()
	p.Kill()
	p.start()
	if p.role == "server" {
		p.await()
	}
}

func (p *process) await() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.answers()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("job server on %s: %v", p.Addr, err)
		}
	}
}

func (p *process) answers() error {
	nc, err := net.Dial("tcp", p.Addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	want := "OK " + strconv.Itoa(p.cmd.Process.Pid) + "\n"
	if _, err := io.WriteString(nc, "getpid\n"); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(nc, got); err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("somebody else answers: %q", got)
	}
	return nil
}
