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

// With these set, the test binary is a job server on an address, its queue in a
// file.
const (
	addrVariable = "BOLTSTORE_TEST_ADDR"
	fileVariable = "BOLTSTORE_TEST_FILE"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(addrVariable); addr != "" {
		fmt.Fprintln(os.Stderr, serve(addr, os.Getenv(fileVariable)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

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

// A process is a job server of ours, as gearmantest.Server is a gearmand.
type process struct {
	Addr string

	t    testing.TB
	file string
	cmd  *exec.Cmd
}

func startProcess(t testing.TB, file string) *process {
	p := &process{Addr: gearmantest.FreeAddr(t), t: t, file: file}
	t.Cleanup(p.Kill)
	p.Restart()
	return p
}

// Kill ends p with SIGKILL, and waits for it.
func (p *process) Kill() {
	if p.cmd != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		p.cmd = nil
	}
}

// Restart kills p, if it lives, and runs it until it answers.
func (p *process) Restart() {
	p.t.Helper()
	p.Kill()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), addrVariable+"="+p.Addr, fileVariable+"="+p.file)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
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
