package release

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// jobOf starts a shell with another below it as gearman.Command does for a job of that unique key, and
// returns when both run.
func jobOf(t *testing.T, unique string) *exec.Cmd {
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

func TestEndJobs(t *testing.T) {
	t.Parallel()
	site := strings.ToLower(t.Name())
	first, second, other := jobOf(t, site+"/1"), jobOf(t, site+"/2"), jobOf(t, site+"/10")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// Those that end are waited for meanwhile, as init does it.
	ended := make(chan *exec.Cmd)
	for _, cmd := range []*exec.Cmd{first, second} {
		go func() { cmd.Wait(); ended <- cmd }()
	}
	n, err := endJobs(ctx, map[string]bool{site + "/1": true, site + "/2": true, site + "/3": true})
	if n != 4 || err != nil {
		t.Fatalf("endJobs = %d, %v, want 4 processes", n, err)
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
	if n, err := endJobs(ctx, map[string]bool{site + "/1": true}); n != 0 || err != nil {
		t.Errorf("endJobs again = %d, %v", n, err)
	}
}
