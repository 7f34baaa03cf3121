package gearman_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"revstamp/gearman"
)

func shell(script string) *gearman.Command {
	return &gearman.Command{Args: []string{"sh", "-c", script}}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("x", 5000)
	tests := map[string]struct {
		command  *gearman.Command
		workload string
		result   string
		err      string
		status   int
		output   []string
	}{
		"result":       {command: &gearman.Command{Args: []string{"cat"}}, workload: "a\x00b\n", result: "a\x00b\n", output: []string{"a\x00b"}},
		"fails":        {command: shell("echo out; echo err >&2; exit 3"), err: `command "sh": exit status 3`, status: 3, output: []string{"err", "out"}},
		"killed":       {command: shell("kill -KILL $$"), err: `command "sh": signal: killed`, status: 137},
		"no workload":  {command: &gearman.Command{Args: []string{"cat"}}},
		"unread":       {command: shell("exec true"), workload: strings.Repeat("x", 1<<20)},
		"no line end":  {command: shell("printf 'a\r\n\nb'"), result: "a\r\n\nb", output: []string{"", "a", "b"}},
		"last lines":   {command: shell("seq 30"), result: seq(1, 30), output: strings.Fields(seq(11, 30))},
		"long line":    {command: shell("printf %05000d 0 | tr 0 x"), result: many, output: []string{many[:1000]}},
		"bounded":      {command: &gearman.Command{Args: []string{"seq", "30"}, MaxOutput: 7}, result: "1\n2\n3\n4", output: strings.Fields(seq(11, 30))},
		"no program":   {command: &gearman.Command{Args: []string{"/nonexistent/x"}}, err: `command "/nonexistent/x": fork/exec /nonexistent/x: no such file or directory`, status: 127},
		"no arguments": {command: &gearman.Command{}, err: "command without a program"},
		"directory":    {command: &gearman.Command{Args: []string{"pwd"}, Dir: "/"}, result: "/\n", output: []string{"/"}},
		"environment": {
			command: &gearman.Command{Args: []string{"sh", "-c", `echo "$REVSTAMP_JOB_HANDLE $REVSTAMP_JOB_FUNCTION $REVSTAMP_JOB_UNIQUE $REVSTAMP_PROGRESS_FD $EXTRA ${PATH:+path}"`}, Env: []string{"EXTRA=more"}},
			result:  "H:1 f shop/7/1 3 more path\n", output: []string{"H:1 f shop/7/1 3 more path"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := &gearman.Request{Handle: "H:1", Function: "f", Unique: "shop/7/1", Workload: []byte(tt.workload)}
			result, err := tt.command.ServeJob(deadline(t), j)
			if string(result) != tt.result {
				t.Errorf("result = %q, want %q", result, tt.result)
			}
			if got := fmt.Sprint(err); err != nil && got != tt.err || err == nil && tt.err != "" {
				t.Errorf("error = %v, want %s", err, tt.err)
			}
			if j.ExitStatus != tt.status {
				t.Errorf("exit status = %d, want %d", j.ExitStatus, tt.status)
			}
			if diff := cmp.Diff(tt.output, j.Output, sorted); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// sorted compares lines in any order: two streams are read at the same time.
var sorted = cmp.Options{
	cmpopts.SortSlices(func(a, b string) bool { return a < b }),
	cmpopts.EquateEmpty(),
}

func seq(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		b.WriteString(strconv.Itoa(i) + "\n")
	}
	return b.String()
}

// Lines on descriptor 3 become the job's progress, and others there nothing.
func TestCommandProgress(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		w := &gearman.Worker{Servers: []string{addr}}
		w.Handle("f", 0, shell(`
			echo progress 1/4 >&3
			echo "hello" >&3
			echo "progress x/4" >&3
			echo "progress 5" >&3
			echo "progress -1/4" >&3
			echo " progress 2 / 4 " >&3
			head -c 100000 /dev/zero | tr '\0' x >&3
			printf '\nprogress 4/4' >&3
			echo done`))
		serveWorker(t, w)
		var events []gearman.Event
		result, err := newClient(t, addr).Do(deadline(t), gearman.Task{Function: "f", OnEvent: func(e gearman.Event) { events = append(events, e) }})
		if err != nil || string(result.Data) != "done\n" {
			t.Errorf("Do = %q, %v", result.Data, err)
		}
		want := []gearman.Event{
			{Kind: gearman.Progress, Numerator: 1, Denominator: 4},
			{Kind: gearman.Progress, Numerator: 2, Denominator: 4},
			{Kind: gearman.Progress, Numerator: 4, Denominator: 4},
		}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// What exceeds MaxOutput is dropped with a warning to those who wait.
func TestCommandWarning(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		w := &gearman.Worker{Servers: []string{addr}}
		w.Handle("f", 0, &gearman.Command{Args: []string{"printf", "0123456789"}, MaxOutput: 4})
		serveWorker(t, w)
		var events []gearman.Event
		result, err := newClient(t, addr).Do(deadline(t), gearman.Task{Function: "f", OnEvent: func(e gearman.Event) { events = append(events, e) }})
		want := []gearman.Event{{Kind: gearman.Warning, Data: []byte("6 bytes of output dropped")}}
		if err != nil || string(result.Data) != "0123" || !cmp.Equal(events, want) {
			t.Errorf("Do = %q, %v, %+v, want 0123 and %+v", result.Data, err, events, want)
		}
	})
}

// A command given up is killed with all it started, however deaf.
func TestCommandCancelled(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"obeys":       `sleep 1000 & echo $! >"$PIDS"; echo started >&3; wait`,
		"deaf":        `trap '' TERM; (trap '' TERM; sleep 1000 & echo $! >"$PIDS"; echo started >&3; wait); sleep 1000`,
		"takes leave": `trap 'echo leaving; exit 5' TERM; sleep 1000 & echo $! >"$PIDS"; echo started >&3; wait`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pids := t.TempDir() + "/pids"
			gone := errors.New("given up")
			ctx, cancel := context.WithCancelCause(deadline(t))
			c := shell(script)
			c.Env = []string{"PIDS=" + pids}
			j := &gearman.Request{}
			started := make(chan struct{})
			go func() {
				defer close(started)
				waitFor(t, func() bool {
					b, err := os.ReadFile(pids)
					return err == nil && len(b) > 0
				})
				cancel(gone)
			}()
			_, err := c.ServeJob(ctx, j)
			<-started
			if !errors.Is(err, gone) {
				t.Errorf("ServeJob = %v, want %v", err, gone)
			}
			if name == "takes leave" && (j.ExitStatus != 5 || len(j.Output) != 1 || j.Output[0] != "leaving") {
				t.Errorf("exit status %d, output %q, want 5 and leaving", j.ExitStatus, j.Output)
			}
			pid, err := os.ReadFile(pids)
			if err != nil {
				t.Fatal(err)
			}
			waitFor(t, func() bool { return zombie(strings.TrimSpace(string(pid))) })
		})
	}
}

// A process that the command leaves behind with its output open does not keep
// the job from ending well.
func TestCommandLeavesProcess(t *testing.T) {
	t.Parallel()
	pids := t.TempDir() + "/pids"
	c := shell(`sleep 1000 & echo $! >"$PIDS"; echo done`)
	c.Env = []string{"PIDS=" + pids}
	result, err := c.ServeJob(deadline(t), &gearman.Request{})
	if err != nil || string(result) != "done\n" {
		t.Errorf("ServeJob = %q, %v, want done", result, err)
	}
	b, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Errorf("what it left behind: %v", err)
	}
}

// A function's timeout ends its command.
func TestCommandTimeout(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		w := &gearman.Worker{Servers: []string{addr}, Report: gearman.ReportReleases}
		w.Handle("f", time.Millisecond, shell("sleep 1000"))
		serveWorker(t, w)
		if _, err := newClient(t, addr).Submit(deadline(t), gearman.Task{Function: "f", Unique: "shop/7/1"}); err != nil {
			t.Fatal(err)
		}
		got := follow(t, addr, "shop/7", 1)[0]
		if got.Outcome != gearman.Failed || got.ExitStatus != 128+15 || len(got.Output) != 1 || !strings.Contains(got.Output[0], "timed out") {
			t.Errorf("report = %+v", got)
		}
	})
}
