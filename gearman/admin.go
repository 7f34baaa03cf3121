package gearman

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// maxAnswer is the longest line of an answer: workers names every function of a
// worker in one.
const maxAnswer = 16 << 20

// An Admin asks and tells one job server by its text commands, each on a
// connection of its own. A command the server refuses is a *ServerError, and one
// that sends nothing for 15 s is given up. Its methods may be called from any
// number of goroutines.
type Admin struct {
	// Addr is the job server, host:port; the port is 4730 when there is none.
	Addr string

	// Dial and TLS are as in Client.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS  *tls.Config
}

// A FunctionStatus tells of one function. A job server knows the functions it
// has ever heard of, until they are dropped.
type FunctionStatus struct {
	Function string `json:"function"`
	Total    int    `json:"total"`   // jobs queued or running
	Running  int    `json:"running"` // those running
	Workers  int    `json:"workers"` // connections that can do it
}

// A FunctionPriorities tells how many jobs of a function are queued, by priority,
// without those running.
type FunctionPriorities struct {
	Function string `json:"function"`
	High     int    `json:"high"`
	Normal   int    `json:"normal"`
	Low      int    `json:"low"`
	Workers  int    `json:"workers"`
}

// A WorkerInfo is a connection to the job server: a worker, or, without
// functions, a client.
type WorkerInfo struct {
	Descriptor int      `json:"descriptor"` // the server's
	Addr       string   `json:"addr"`       // without a port
	ID         string   `json:"id"`         // by SET_CLIENT_ID, "-" without
	Functions  []string `json:"functions"`
}

// A JobInfo is a job that is queued or running.
type JobInfo struct {
	Handle  string `json:"handle"`
	Retries int    `json:"retries"` // how often a worker was lost while it had the job
	Ignored bool   `json:"ignored"` // cancelled; the server has yet to drop it
	Queued  bool   `json:"queued"`  // not cancelled; gearmand 1.1.20 says so of running jobs too
}

// Status returns what the server knows of each function.
func (a *Admin) Status(ctx context.Context) ([]FunctionStatus, error) {
	return list(ctx, a, "status", func(line string) (FunctionStatus, error) {
		name, counts, err := columns(line, 3)
		if err != nil {
			return FunctionStatus{}, err
		}
		return FunctionStatus{name, counts[0], counts[1], counts[2]}, nil
	})
}

// PriorityStatus returns how many jobs of each function are queued.
func (a *Admin) PriorityStatus(ctx context.Context) ([]FunctionPriorities, error) {
	return list(ctx, a, "prioritystatus", func(line string) (FunctionPriorities, error) {
		name, counts, err := columns(line, 4)
		if err != nil {
			return FunctionPriorities{}, err
		}
		return FunctionPriorities{name, counts[0], counts[1], counts[2], counts[3]}, nil
	})
}

// Workers returns all connections to the server, this one among them. A worker
// that is stopped or whose machine is gone may still be there.
func (a *Admin) Workers(ctx context.Context) ([]WorkerInfo, error) {
	return list(ctx, a, "workers", parseWorker)
}

// Jobs returns all jobs, in no order.
func (a *Admin) Jobs(ctx context.Context) ([]JobInfo, error) {
	return list(ctx, a, "show jobs", func(line string) (JobInfo, error) {
		handle, counts, err := columns(line, 3)
		if err != nil {
			return JobInfo{}, err
		}
		return JobInfo{handle, counts[0], counts[1] != 0, counts[2] != 0}, nil
	})
}

// UniqueJobs returns the unique keys of all jobs, in no order, the empty one for
// each job without. A job whose key is "." ends the list: the protocol cannot
// tell it from its own end.
func (a *Admin) UniqueJobs(ctx context.Context) ([]string, error) {
	return list(ctx, a, "show unique jobs", func(line string) (string, error) { return line, nil })
}

// CancelJob takes a queued job away; clients that wait see it fail. A running
// job goes on, its end being for nobody. A job that is unknown is a *ServerError
// with the code UNKNOWN_JOB.
func (a *Admin) CancelJob(ctx context.Context, handle string) error {
	return a.do(ctx, "cancel job", handle)
}

// CreateFunction makes a function known. gearmand 1.1.20 drops the last letter of
// its name: rather let a worker announce the function.
func (a *Admin) CreateFunction(ctx context.Context, function string) error {
	return a.do(ctx, "create function", function)
}

// DropFunction makes the server forget a function. It refuses while there are
// workers for it. gearmand 1.1.20 does not refuse when there are queued jobs:
// they stay known, and never run.
func (a *Admin) DropFunction(ctx context.Context, function string) error {
	return a.do(ctx, "drop function", function)
}

// MaxQueue limits the jobs of a function; max below one is no limit. gearmand
// 1.1.20 answers OK and does nothing when the function has had no job or worker.
// A submission past the limit is a *ServerError with the code QUEUE_ERROR, even
// when it would coalesce with a job that is queued.
func (a *Admin) MaxQueue(ctx context.Context, function string, max int) error {
	return a.do(ctx, "maxqueue", function, strconv.Itoa(max))
}

// Version returns the server's version.
func (a *Admin) Version(ctx context.Context) (string, error) { return a.value(ctx, "version") }

// Verbose returns how much the server logs.
func (a *Admin) Verbose(ctx context.Context) (string, error) { return a.value(ctx, "verbose") }

// PID returns the number of the server's process.
func (a *Admin) PID(ctx context.Context) (int, error) {
	value, err := a.value(ctx, "getpid")
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("getpid of %s: answer %q", a.Addr, value)
	}
	return pid, nil
}

// Shutdown ends the server, at once or, when graceful, once the last connection
// is gone. gearmand 1.1.20 does not have the command and answers with the code
// UNKNOWN_COMMAND.
func (a *Admin) Shutdown(ctx context.Context, graceful bool) error {
	var args []string
	if graceful {
		args = []string{"graceful"}
	}
	err := a.do(ctx, "shutdown", args...)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil // it took the command at its word
	}
	return err
}

// do gives a command that is answered with OK.
func (a *Admin) do(ctx context.Context, command string, args ...string) error {
	_, err := a.value(ctx, command, args...)
	return err
}

// value gives a command that is answered with one line and returns what follows
// the OK.
func (a *Admin) value(ctx context.Context, command string, args ...string) (string, error) {
	var value string
	err := a.command(ctx, command, args, func(line string) (more bool, err error) {
		ok, rest, _ := strings.Cut(line, " ")
		if ok != "OK" {
			return false, fmt.Errorf("answer %q", line)
		}
		value = rest
		return false, nil
	})
	return value, err
}

// list gives a command that is answered with lines up to one of a single dot.
func list[T any](ctx context.Context, a *Admin, command string, parse func(string) (T, error)) ([]T, error) {
	all := []T{} // none is not null in JSON
	err := a.command(ctx, command, nil, func(line string) (more bool, err error) {
		if line == "." {
			return false, nil
		}
		item, err := parse(line)
		if err != nil {
			return false, fmt.Errorf("answer %q: %w", line, err)
		}
		all = append(all, item)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// command gives a command and calls each with the lines of the answer until it
// wants no more.
func (a *Admin) command(ctx context.Context, command string, args []string, each func(line string) (more bool, err error)) error {
	err := checkWords(args)
	if err == nil {
		err = a.exchange(ctx, strings.Join(append([]string{command}, args...), " "), each)
	}
	if err != nil {
		return fmt.Errorf("%s of %s: %w", command, a.Addr, err)
	}
	return nil
}

// checkWords refuses arguments that would not arrive as one word each: no quotes
// help in the admin protocol.
func checkWords(args []string) error {
	for _, arg := range args {
		if arg == "" || strings.ContainsAny(arg, " \t\r\n\v\f\x00") {
			return fmt.Errorf("argument %q is not one word", arg)
		}
	}
	return nil
}

func (a *Admin) exchange(ctx context.Context, line string, each func(line string) (more bool, err error)) error {
	nc, err := dialer{a.Dial, a.TLS}.connect(ctx, a.Addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	if err := converse(nc, line, each); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return nil
}

func converse(nc net.Conn, line string, each func(line string) (more bool, err error)) error {
	nc.SetWriteDeadline(time.Now().Add(answerTimeout))
	if _, err := io.WriteString(nc, line+"\n"); err != nil {
		return err
	}
	s := bufio.NewScanner(limited{nc})
	s.Buffer(nil, maxAnswer)
	for first := true; s.Scan(); first = false {
		if refusal, ok := strings.CutPrefix(s.Text(), "ERR "); ok && first {
			return textError(refusal)
		}
		if more, err := each(s.Text()); err != nil || !more {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// limited reads from a connection whose peer has its time for each part.
type limited struct{ nc net.Conn }

func (l limited) Read(p []byte) (int, error) {
	l.nc.SetReadDeadline(time.Now().Add(answerTimeout))
	n, err := l.nc.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = silent(err)
	}
	return n, err
}

// textError reads what follows ERR: a code in capitals and, with a plus for each
// space, its explanation; or only words.
func textError(refusal string) error {
	code, text, _ := strings.Cut(refusal, " ")
	if code != strings.ToUpper(code) {
		code, text = "", refusal
	}
	return &ServerError{code, strings.ReplaceAll(text, "+", " ")}
}

// columns splits a line into a name and n numbers behind it. The name may hold
// tabs, for nothing forbids a function to.
func columns(line string, n int) (name string, counts []int, err error) {
	fields := strings.Split(line, "\t")
	if len(fields) < n+1 {
		return "", nil, fmt.Errorf("%d columns, %d wanted", len(fields), n+1)
	}
	at := len(fields) - n
	for _, field := range fields[at:] {
		count, err := strconv.Atoi(field)
		if err != nil {
			return "", nil, err
		}
		counts = append(counts, count)
	}
	return strings.Join(fields[:at], "\t"), counts, nil
}

// parseWorker reads "FD ADDRESS ID : FUNCTION …", without a space behind the
// colon when there are no functions.
func parseWorker(line string) (WorkerInfo, error) {
	head, functions, ok := strings.Cut(line+" ", " : ")
	fields := strings.Fields(head)
	if !ok || len(fields) != 3 {
		return WorkerInfo{}, errors.New("no worker")
	}
	descriptor, err := strconv.Atoi(fields[0])
	if err != nil {
		return WorkerInfo{}, err
	}
	return WorkerInfo{descriptor, fields[1], fields[2], strings.Fields(functions)}, nil
}
