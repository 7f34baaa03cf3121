package gearman_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"revstamp/gearman"
)

// job starts a shell with another below it as a Command of that unique key would, and
// returns when both run.
func job(t *testing.T, unique string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", "sh -c 'echo up; read line'; true")
	cmd.Env = append(os.Environ(), "REVSTAMP_JOB_UNIQUE="+unique)
	in, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = in
	t.Cleanup(func() { hold.Close(); in.Close() }) // upon which it ends by itself
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(line, err)
	}
	return cmd
}

func TestEndLeftovers(t *testing.T) {
	t.Parallel()
	site := strings.ToLower(t.Name())
	first, second, other := job(t, site+"/1"), job(t, site+"/2"), job(t, site+"/10")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// Those that end are waited for meanwhile, as init does it.
	ended := make(chan *exec.Cmd)
	for _, cmd := range []*exec.Cmd{first, second} {
		go func() { cmd.Wait(); ended <- cmd }()
	}
	n, err := gearman.EndLeftovers(ctx, site+"/1", site+"/2", site+"/3")
	if n != 4 || err != nil {
		t.Errorf("EndLeftovers = %d, %v, want 4 processes", n, err)
	}
	for range 2 {
		if cmd := <-ended; cmd.ProcessState.String() != "signal: killed" {
			t.Errorf("%v: %v", cmd.Env[len(cmd.Env)-1], cmd.ProcessState)
		}
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("a job of another key: %v", err)
	}
	if n, err := gearman.EndLeftovers(ctx, site+"/1"); n != 0 || err != nil {
		t.Errorf("EndLeftovers again = %d, %v", n, err)
	}
}
