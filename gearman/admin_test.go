package gearman_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"revstamp/gearman"
	"revstamp/gearman/wire"
)

func TestAdmin(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		ctx, c := deadline(t), newClient(t, addr)
		a := &gearman.Admin{Addr: addr}
		w := dialPeer(t, addr)
		w.request(wire.SetClientID, "me")
		w.canDo("f", "tab\tbed")
		running, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: "one"})
		if err != nil {
			t.Fatal(err)
		}
		w.grab()
		queued, err := c.Submit(ctx, gearman.Task{Function: "f", Unique: "two", Priority: gearman.High})
		if err != nil {
			t.Fatal(err)
		}

		status, err := a.Status(ctx)
		check(t, "Status", err, status, []gearman.FunctionStatus{
			{Function: "f", Total: 2, Running: 1, Workers: 1}, {Function: "tab\tbed", Workers: 1},
		}, func(x, y gearman.FunctionStatus) bool { return x.Function < y.Function })
		priorities, err := a.PriorityStatus(ctx)
		check(t, "PriorityStatus", err, priorities, []gearman.FunctionPriorities{
			{Function: "f", High: 1, Workers: 1}, {Function: "tab\tbed", Workers: 1},
		}, func(x, y gearman.FunctionPriorities) bool { return x.Function < y.Function })
		jobs, err := a.Jobs(ctx)
		check(t, "Jobs", err, jobs, []gearman.JobInfo{
			{Handle: running.Handle, Queued: true}, {Handle: queued.Handle, Queued: true},
		}, func(x, y gearman.JobInfo) bool { return x.Handle < y.Handle })
		uniques, err := a.UniqueJobs(ctx)
		check(t, "UniqueJobs", err, uniques, []string{"one", "two"}, func(x, y string) bool { return x < y })
		workers, err := a.Workers(ctx)
		if err != nil || len(workers) < 3 {
			t.Errorf("Workers = %+v, %v, want at least three", workers, err)
		}
		found := false
		for _, info := range workers {
			if info.ID == "me" {
				found = len(info.Functions) == 3 && info.Addr == "127.0.0.1" && info.Descriptor > 0
			} else if info.ID != "-" || len(info.Functions) > 0 {
				t.Errorf("Workers has %+v", info)
			}
		}
		if !found {
			t.Errorf("Workers = %+v, want one named me", workers)
		}

		if version, err := a.Version(ctx); err != nil || !strings.HasPrefix(version, "1.") {
			t.Errorf("Version = %q, %v", version, err)
		}
		if pid, err := a.PID(ctx); err != nil || pid <= 1 {
			t.Errorf("PID = %d, %v", pid, err)
		}
		if level, err := a.Verbose(ctx); err != nil || level == "" {
			t.Errorf("Verbose = %q, %v", level, err)
		}

		if err := a.CancelJob(ctx, queued.Handle); err != nil {
			t.Error(err)
		}
		refused(t, "CancelJob of none", a.CancelJob(ctx, "H:nowhere:1"), "UNKNOWN_JOB")
		if err := a.CreateFunction(ctx, "abc"); err != nil {
			t.Error(err)
		}
		dialPeer(t, addr).canDo("g").nc.Close()
		waitFor(t, func() bool { return a.DropFunction(ctx, "g") == nil })
		refused(t, "DropFunction again", a.DropFunction(ctx, "g"), "")
		refused(t, "DropFunction with a worker", a.DropFunction(ctx, "f"), "")
		if err := a.MaxQueue(ctx, "f", 1); err != nil {
			t.Error(err)
		}
		_, err = c.Submit(ctx, gearman.Task{Function: "f"})
		refused(t, "Submit past MaxQueue", err, "QUEUE_ERROR")
		refused(t, "Shutdown", a.Shutdown(ctx, true), "UNKNOWN_COMMAND")
		if err := c.Echo(ctx, addr, nil); err != nil {
			t.Errorf("after Shutdown: %v", err)
		}
	})
}

func check[T any](t *testing.T, what string, err error, got, want []T, less func(x, y T) bool) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(less)); err != nil || diff != "" {
		t.Errorf("%s: %v, (-want +got):\n%s", what, err, diff)
	}
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var e *gearman.ServerError
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s = %v, want the code %q", what, err, code)
	}
}

func TestAdminWords(t *testing.T) {
	a := &gearman.Admin{Addr: "192.0.2.1:1"}
	for _, bad := range []string{"", "two words", "two\nlines", "nul\x00"} {
		if err := a.DropFunction(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "is not one word") {
			t.Errorf("DropFunction(%q) = %v", bad, err)
		}
	}
}

// Answers as no good server gives them, and those only others give.
func TestAdminAnswers(t *testing.T) {
	tests := map[string]struct {
		answer string
		want   string
	}{
		"cut":       {"f\t1\t0\t0\n", "status of s: unexpected EOF"},
		"silent":    {"", "status of s: unexpected EOF"},
		"columns":   {"f\t1\t0\n.\n", `status of s: answer "f\t1\t0": 3 columns, 4 wanted`},
		"number":    {"f\t1\tx\t0\n.\n", `status of s: answer "f\t1\tx\t0": strconv.Atoi: parsing "x": invalid syntax`},
		"refused":   {"ERR no\r\n", `status of s: job server answered "no"`},
		"explained": {"ERR NO_WAY Not+today\r\n", `status of s: job server answered "NO_WAY": "Not today"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := &gearman.Admin{Addr: "s", Dial: answering(tt.answer)}
			if got, err := a.Status(t.Context()); err == nil || err.Error() != tt.want {
				t.Errorf("Status = %v, %v, want %s", got, err, tt.want)
			}
		})
	}
	a := &gearman.Admin{Addr: "s", Dial: answering("")}
	if err := a.Shutdown(t.Context(), false); err != nil {
		t.Errorf("Shutdown = %v, want nil from a server that just goes", err)
	}
	if _, err := a.Workers(t.Context()); err == nil {
		t.Error("Workers of a server that just goes: no error")
	}
	a.Dial = answering("6 ::1 - : f g\n7 ::1 x :\n8 : :\n.\n")
	if got, err := a.Workers(t.Context()); err == nil {
		t.Errorf("Workers = %v, no error", got)
	}
}

// answering dials a server that reads a line and answers so.
func answering(answer string) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			wire.NewReader(far).Line()
			io.WriteString(far, answer)
		}()
		return near, nil
	}
}

// A server that accepts and says nothing is given up, whatever ctx allows.
func TestAdminOfSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		go io.Copy(io.Discard, far)
		a := &gearman.Admin{Addr: "s", Dial: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
		_, err := a.Version(t.Context())
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "version of s: no answer for 15s: ") {
			t.Errorf("Version = %v, want that there is no answer", err)
		}
	})
}

func TestAdminCancelled(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	ctx, cancel := context.WithCancel(t.Context())
	a := &gearman.Admin{Addr: "s", Dial: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
	go func() {
		wire.NewReader(far).Line()
		cancel()
	}()
	if _, err := a.Version(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Version = %v, want canceled", err)
	}
}
