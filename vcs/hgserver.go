package vcs

import (
	"bufio"
	"context"
	wire "encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// hgServer is a Mercurial command server. hg starts Python, which takes longer
// than most commands do, so that whatever one call of ours asks is asked of one
// process: 0.25 s for the first command, some milliseconds for each further one.
// It belongs to one goroutine. close it.
//
// What is spoken is in Mercurial's mercurial/commandserver.py: a request is the
// line "runcommand", a length and the arguments between NULs; answers are
// frames of a channel's letter, a length and data, lengths being four bytes, the
// highest first.
type hgServer struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr tail // of the process itself; what commands complain of has a channel
	log    *slog.Logger
	ready  bool // between commands: nothing is left to read
}

// maxHello bounds the server's greeting.
const maxHello = 1 << 16

// startHg starts a server with the options that all its commands share.
func startHg(ctx context.Context, c *client, options ...string) (*hgServer, error) {
	h := &hgServer{stderr: tail{max: maxStderr}, log: c.log}
	h.cmd = exec.CommandContext(ctx, c.path, append(options, "serve", "--cmdserver", "pipe")...)
	h.cmd.Dir, h.cmd.Env, h.cmd.Stderr = c.dir, c.env, &h.stderr
	ownGroup(h.cmd)
	var err error
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.out = bufio.NewReaderSize(out, 1<<16)
	// As in client.call: the server dies with the thread that started it.
	runtime.LockOSThread()
	start := time.Now()
	if err := h.cmd.Start(); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("hg serve: %w", err)
	}
	err = h.hello()
	h.log.DebugContext(ctx, "client ran", "command", "hg serve", "took", time.Since(start), "err", err)
	if err != nil {
		failed := h.end()
		switch {
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case failed != nil:
			err = failed // its own words say more
		}
		return nil, fmt.Errorf("hg serve: %w", err)
	}
	h.ready = true
	return h, nil
}

func (h *hgServer) hello() error {
	channel, size, err := readFrame(h.out)
	if err != nil {
		return err
	}
	if channel != 'o' || size > maxHello {
		return fmt.Errorf("unexpected greeting on channel %q", channel)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(h.out, text); err != nil {
		return err
	}
	if !strings.HasPrefix(string(text), "capabilities: ") {
		return fmt.Errorf("unexpected greeting %q", text)
	}
	return nil
}

// end waits for the process, which ends when it has nothing to read.
func (h *hgServer) end() error {
	defer runtime.UnlockOSThread()
	h.in.Close()
	if !h.ready {
		h.cmd.Cancel() // it may be busy, or wait for somebody to read
	}
	io.Copy(io.Discard, h.out)
	err := h.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return &ClientError{Command: "hg serve", Status: exit.ExitCode(), Stderr: redact(h.stderr.String())}
	}
	return nil // killed by us, or done
}

func (h *hgServer) close() { h.end() } // what its commands had to say is said

// run returns what a command wrote.
func (h *hgServer) run(ctx context.Context, args ...string) ([]byte, error) {
	out := &limited{max: maxOutput}
	status, err := h.stream(ctx, out, args...)
	if err == nil && status != nil {
		err = status
	}
	return out.Bytes(), err
}

// stream is run for output that goes elsewhere. A command that ran and failed is
// failed, whose Status is hg's: 1 for nothing found, 10 for a wrong argument, 20
// for a lock or a wrong state, 100 for a network (ui.detailed-exit-code).
func (h *hgServer) stream(ctx context.Context, out io.Writer, args ...string) (failed *ClientError, err error) {
	name := "hg " + hgVerb(args)
	start := time.Now()
	stderr := &tail{max: maxStderr}
	status, err := h.exchange(out, stderr, args)
	h.log.DebugContext(ctx, "client ran", "command", name,
		"args", redactHg(args), "took", time.Since(start), "status", status, "err", err)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", name, context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case status != 0:
		return &ClientError{Command: name, Status: status, Stderr: redact(stderr.String())}, nil
	}
	return nil, nil
}

func (h *hgServer) exchange(out, stderr io.Writer, args []string) (int, error) {
	if !h.ready {
		return 0, errors.New("the server did not end its last command")
	}
	request, err := hgRequest(args)
	if err != nil {
		return 0, err
	}
	h.ready = false
	if _, err := h.in.Write(request); err != nil {
		return 0, err
	}
	status, err := readReply(h.out, h.in, out, stderr)
	h.ready = err == nil
	return status, err
}

func hgRequest(args []string) ([]byte, error) {
	for _, a := range args {
		if strings.IndexByte(a, 0) >= 0 {
			return nil, fmt.Errorf("a NUL in the argument %q", a)
		}
	}
	list := strings.Join(args, "\x00")
	request := append([]byte("runcommand\n"), 0, 0, 0, 0)
	wire.BigEndian.PutUint32(request[len(request)-4:], uint32(len(list)))
	return append(request, list...), nil
}

// readReply reads the frames of one command up to its result. What the command
// wants to read it is told to have come to an end.
func readReply(in *bufio.Reader, answer, stdout, stderr io.Writer) (status int, err error) {
	for {
		channel, size, err := readFrame(in)
		if err != nil {
			return 0, err
		}
		switch {
		case channel == 'o':
			_, err = io.CopyN(stdout, in, int64(size))
		case channel == 'e':
			_, err = io.CopyN(stderr, in, int64(size))
		case channel == 'r':
			if size != 4 {
				return 0, fmt.Errorf("a result of %d bytes", size)
			}
			var result [4]byte
			_, err = io.ReadFull(in, result[:])
			return int(int32(wire.BigEndian.Uint32(result[:]))), unended(err)
		case channel == 'I' || channel == 'L': // size is what it would like to have
			_, err = answer.Write([]byte{0, 0, 0, 0})
		case channel >= 'A' && channel <= 'Z':
			return 0, fmt.Errorf("unknown channel %q", channel)
		default: // one that need not be known
			_, err = io.CopyN(io.Discard, in, int64(size))
		}
		if err != nil {
			return 0, unended(err)
		}
	}
}

func readFrame(in *bufio.Reader) (channel byte, size uint32, err error) {
	var head [5]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, 0, unended(err)
	}
	return head[0], wire.BigEndian.Uint32(head[1:]), nil
}

func unended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// hgVerb is the first argument that is no option: all commands begin with theirs.
func hgVerb(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return filepath.Base(args[0])
}

// redactHg leaves out of a log what --config says: there may be passwords.
func redactHg(args []string) []string {
	out := redactAll(args)
	for i := range out {
		if i > 0 && out[i-1] == "--config" {
			key, _, _ := strings.Cut(out[i], "=")
			out[i] = key + "=…"
		}
	}
	return out
}
