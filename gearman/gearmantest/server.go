// Package gearmantest runs a real gearmand, or another job server, for a test,
// and puts load on it.
package gearmantest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"revstamp/testdata/need"
)

const (
	startLimit = 20 * time.Second
	poll       = 5 * time.Millisecond
)

// Server is a job server in a process of its own, on a loopback port. Its methods
// fail the test themselves and are for the test's goroutine. The zero value is of
// no use: call Start or StartProcess.
type Server struct {
	Addr string // host:port; it outlives Stop, Kill and Restart

	t       testing.TB
	command func(addr string) *exec.Cmd
	log     string
	cmd     *exec.Cmd
	gone    chan struct{} // closed once cmd has been waited for
}

// Start runs gearmand with args added to its arguments, on a free loopback
// port, and returns once it answers. It is stopped when the test ends. Without
// a gearmand on PATH the test is skipped, as need.Program says.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	need.Program(t, "gearmand")
	dir := t.TempDir()
	return StartProcess(t, func(addr string) *exec.Cmd {
		host, port, _ := net.SplitHostPort(addr)
		cmd := exec.Command("gearmand", append([]string{"--listen", host, "--port", port,
			"--backlog", "4096", "--log-file", "stderr"}, args...)...)
		cmd.Dir = dir
		if os.Geteuid() == 0 {
			cmd.Args = append(cmd.Args, "--user", "root")
		}
		return cmd
	})
}

// StartProcess is Start for any job server that answers getpid: command makes the
// process that listens on addr.
func StartProcess(t testing.TB, command func(addr string) *exec.Cmd) *Server {
	t.Helper()
	s := &Server{t: t, command: command, log: filepath.Join(t.TempDir(), "log")}
	t.Cleanup(s.Kill)
	var err error
	for range 5 { // a free port may be taken before gearmand has it
		s.Addr = FreeAddr(t)
		if err = s.run(); err == nil {
			return s
		}
	}
	t.Fatal(err)
	return nil
}

// FreeAddr returns a loopback address with a port that nothing listened on a
// moment ago.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Restart stops the server, unless it is stopped already, and runs it again on
// the same port. Of a queue in memory, as gearmand has it unless told otherwise,
// nothing is left, and handles are counted from 1 again.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.run(); err != nil {
		s.t.Fatal(err)
	}
}

// Stop ends the server with SIGTERM and waits for it.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server with SIGKILL, as a crash would, and waits for it.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Signal sends sig to the server: SIGSTOP makes it fall silent, SIGCONT brings it
// back.
func (s *Server) Signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal to job server: %v", err)
	}
}

func (s *Server) run() error {
	log, err := os.OpenFile(s.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = s.command(s.Addr)
	s.cmd.Env = append(s.cmd.Environ(), "LC_ALL=C")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, gone := s.cmd, make(chan struct{})
	s.gone = gone
	go func() {
		cmd.Wait()
		close(gone)
	}()
	return s.await()
}

// await returns once the server answers, it and not a stranger on its port.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := s.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.gone:
			log, _ := os.ReadFile(s.log)
			return fmt.Errorf("job server on %s ended: %s: %s", s.Addr, s.cmd.ProcessState, bytes.TrimSpace(log))
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("job server on %s does not answer: %w", s.Addr, err)
		}
	}
}

func (s *Server) ask(ctx context.Context) error {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	deadline, _ := ctx.Deadline()
	nc.SetDeadline(deadline)
	want := "OK " + strconv.Itoa(s.cmd.Process.Pid) + "\n"
	if _, err := io.WriteString(nc, "getpid\n"); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(nc, got); err != nil {
		return err
	}
	if string(got) != want {
		return errors.New("somebody else listens there")
	}
	return nil
}

// CPU returns the processor time that the server took so far, in steps of 10 ms.
func (s *Server) CPU() time.Duration {
	s.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	// Behind the name, which may hold spaces, come the fields from the third on;
	// the 14th and 15th are times.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(string(field))
		if err != nil {
			s.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// Memory returns how many bytes of the server are in memory, and how many were at
// most: what proc(5) calls VmRSS and VmHWM.
func (s *Server) Memory() (now, most int) {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	kB := func(name string) int {
		_, rest, _ := bytes.Cut(status, []byte("\n"+name+":"))
		n, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
		if err != nil {
			s.t.Fatal(err)
		}
		return n
	}
	return kB("VmRSS") << 10, kB("VmHWM") << 10
}

func (s *Server) end(sig syscall.Signal) {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	s.cmd.Process.Signal(sig)
	s.cmd.Process.Signal(syscall.SIGCONT)
	<-s.gone
}
