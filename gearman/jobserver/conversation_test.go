package jobserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"revstamp/gearman/wire"
)

// A conversation is a script of what peers send to a job server and what it
// answers, one step a line:
//
//	w> CAN_DO f          connection w, new at its first step, sends a packet
//	c< JOB_CREATED $1    the next packet c gets, and none before it
//	c! status            c sends a line of admin text
//	c= f 1 0 0           the next line c gets
//	c~ status: f 1 0 0   c asks until one line of the answer is this
//	c. / c/ / c^         c is closed, is found closed, is closed for sending
//
// Arguments are divided by "|", the columns of admin text by spaces (by tabs on
// the wire); both may have Go's escapes. "*64" is 64 times x, "now-5" a time.
// $1, $2 … are handles in the order in which they are first expected. A line
// that begins with "gearmand|" or "ours|" counts for that server only.
//
// After a packet that has no answer, an ECHO_REQ makes sure that it was heard
// before another connection speaks. In the end nobody has anything left to read.
type conversation struct {
	t       testing.TB
	addr    string
	peers   map[string]*peer
	handles []string
	line    string
}

// limit is how long any answer may take: it is there for a server that hangs.
const limit = 20 * time.Second

func converse(t testing.TB, addr, server, script string) {
	t.Helper()
	c := &conversation{t: t, addr: addr, peers: map[string]*peer{}}
	defer func() {
		for _, p := range c.peers {
			p.nc.Close()
		}
	}()
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if who, rest, ok := strings.Cut(line, "|"); ok && (who == "gearmand" || who == "ours") {
			if who != server {
				continue
			}
			line = strings.TrimSpace(rest)
		}
		if line != "" {
			c.line = line
			c.step(line)
		}
	}
	c.line = "the end"
	for name, p := range c.peers {
		if p.over {
			continue
		}
		c.hear(p)
		if len(p.inbox) > 0 {
			c.fail("%s has %q left to read", name, p.inbox)
		}
	}
}

func (c *conversation) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("at %q: %s", c.line, fmt.Sprintf(format, args...))
}

func (c *conversation) step(line string) {
	c.t.Helper()
	i := strings.IndexAny(line, "><!=~./^")
	if i < 0 {
		c.fail("no step")
	}
	p, rest := c.peer(line[:i]), strings.TrimSpace(line[i+1:])
	switch line[i] {
	case '>':
		c.send(p, rest)
	case '<':
		c.expect(p, rest)
	case '!':
		p.write([]byte(c.named(rest) + "\r\n"))
	case '=':
		if got, want := p.text(), strings.ReplaceAll(c.named(rest), " ", "\t"); strings.ReplaceAll(got, " ", "\t") != want {
			c.fail("got %q, want %q", got, want)
		}
	case '~':
		c.poll(p, rest)
	case '.':
		p.nc.Close()
		p.over = true
	case '/':
		c.expectEnd(p)
	case '^':
		if err := p.nc.(*net.TCPConn).CloseWrite(); err != nil {
			c.fail("%v", err)
		}
	}
}

func (c *conversation) peer(name string) *peer {
	if p := c.peers[name]; p != nil {
		return p
	}
	p := dial(c.t, c.addr)
	c.peers[name] = p
	return p
}

// send sends a packet, "TYPE arg|arg", and waits until it was heard unless its
// answer will tell. "RES:TYPE" is sent as a response, "#5" is the type 5.
func (c *conversation) send(p *peer, text string) {
	c.t.Helper()
	name, args, _ := strings.Cut(text, " ")
	magic := wire.Request
	if rest, ok := strings.CutPrefix(name, "RES:"); ok {
		magic, name = wire.Response, rest
	}
	t := typeNamed(c.t, name)
	p.write(raw(magic, t, c.args(args)))
	switch t {
	case wire.CanDo, wire.CanDoTimeout, wire.CantDo, wire.ResetAbilities, wire.PreSleep, wire.SetClientID,
		wire.WorkData, wire.WorkWarning, wire.WorkStatus, wire.WorkComplete, wire.WorkFail, wire.WorkException:
		c.hear(p)
	}
}

// hear waits until all that p sent was heard, and keeps what came meanwhile.
func (c *conversation) hear(p *peer) {
	c.t.Helper()
	const token = "have you heard?"
	p.write(raw(wire.Request, wire.EchoReq, []string{token}))
	for {
		got, err := p.read()
		if err != nil {
			c.fail("%v", err)
		}
		if got == "ECHO_RES "+token {
			return
		}
		p.inbox = append(p.inbox, got)
	}
}

func (c *conversation) expect(p *peer, text string) {
	c.t.Helper()
	got, err := p.next()
	if err != nil {
		c.fail("%v", err)
	}
	name, args, _ := strings.Cut(text, " ")
	for i, arg := range strings.Split(args, "|") { // a handle that is new
		n, isNew := strings.CutPrefix(arg, "$")
		if _, rest, _ := strings.Cut(got, " "); isNew && n == strconv.Itoa(len(c.handles)+1) {
			if values := strings.Split(rest, "|"); i < len(values) && !slices.Contains(c.handles, values[i]) {
				c.handles = append(c.handles, values[i])
			}
		}
	}
	want := strings.TrimSpace(name + " " + strings.Join(c.args(args), "|"))
	if got != want {
		c.fail("got %q, want %q", got, want)
	}
}

func (c *conversation) expectEnd(p *peer) {
	c.t.Helper()
	got, err := p.next()
	if err == nil {
		c.fail("got %q, want the end of the connection", got)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		c.fail("%v, want the end of the connection", err)
	}
	p.over = true
}

// poll asks a command again and again until a line of its answer is as wanted.
func (c *conversation) poll(p *peer, text string) {
	c.t.Helper()
	command, want, _ := strings.Cut(text, ": ")
	want = strings.ReplaceAll(c.named(want), " ", "\t")
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); time.Since(start) < limit; <-tick.C {
		p.write([]byte(command + "\r\n"))
		var lines []string
		for line := p.text(); line != "."; line = p.text() {
			lines = append(lines, strings.ReplaceAll(line, " ", "\t"))
		}
		if want == "" && len(lines) == 0 || slices.Contains(lines, want) {
			return
		}
	}
	c.fail("never so")
}

// args returns the arguments that text means.
func (c *conversation) args(text string) []string {
	if text == "" {
		return nil
	}
	args := strings.Split(text, "|")
	for i, arg := range args {
		args[i] = c.named(arg)
	}
	return args
}

// named puts real handles, times and escapes into text.
func (c *conversation) named(text string) string {
	for i, h := range slices.Backward(c.handles) {
		text = strings.ReplaceAll(text, "$"+strconv.Itoa(i+1), h)
	}
	if n, ok := strings.CutPrefix(text, "now"); ok {
		d, _ := strconv.Atoi(n)
		return strconv.FormatInt(time.Now().Unix()+int64(d), 10)
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(text, "*")); err == nil && strings.HasPrefix(text, "*") {
		return strings.Repeat("x", n)
	}
	return unquote(c.t, text)
}

func unquote(t testing.TB, text string) string {
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

func typeNamed(t testing.TB, name string) wire.Type {
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "#")); err == nil {
		return wire.Type(n)
	}
	for typ := range wire.Type(64) {
		if typ.Known() && typ.String() == name {
			return typ
		}
	}
	t.Fatalf("no packet type %q", name)
	return 0
}

// raw encodes a packet by hand, for not all that peers send is well formed.
func raw(magic wire.Magic, t wire.Type, args []string) []byte {
	data := strings.Join(args, "\x00")
	b := append([]byte{}, magic[:]...)
	b = append(b, 0, 0, 0, byte(t), byte(len(data)>>24), byte(len(data)>>16), byte(len(data)>>8), byte(len(data)))
	return append(b, data...)
}

// A peer is one connection to a job server.
type peer struct {
	t     testing.TB
	nc    net.Conn
	r     *wire.Reader
	inbox []string
	over  bool
}

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, nc)
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	t.Cleanup(func() { nc.Close() })
	return &peer{t: t, nc: nc, r: wire.NewReader(nc)}
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	p.nc.SetDeadline(time.Now().Add(limit))
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// read returns the next packet as "TYPE arg|arg".
func (p *peer) read() (string, error) {
	p.nc.SetDeadline(time.Now().Add(limit))
	got, err := p.r.Next()
	if err != nil {
		return "", err
	}
	if got.Magic != wire.Response {
		return "", fmt.Errorf("magic %q", got.Magic)
	}
	return strings.TrimSpace(got.Type.String() + " " + string(bytes.Join(got.Args, []byte("|")))), nil
}

// next is read, after what is in the inbox.
func (p *peer) next() (string, error) {
	if len(p.inbox) > 0 {
		got := p.inbox[0]
		p.inbox = p.inbox[1:]
		return got, nil
	}
	return p.read()
}

// text returns the next line of admin text, with whatever ends it for gearmand.
func (p *peer) text() string {
	p.t.Helper()
	p.nc.SetDeadline(time.Now().Add(limit))
	line, err := p.r.Line()
	if err != nil && err != io.EOF {
		p.t.Fatal(err)
	}
	return string(line)
}

// start serves a job server on a loopback port until the test ends, and returns
// its address.
func start(t testing.TB, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-served; err != ErrServerClosed {
			t.Errorf("Serve = %v, want %v", err, ErrServerClosed)
		}
	})
	return l.Addr().String()
}

// until waits until a line of the answer to an admin command is as wanted.
func until(t testing.TB, addr, command, want string) {
	t.Helper()
	a := dial(t, addr)
	(&conversation{t: t, addr: addr, line: command, peers: map[string]*peer{"a": a}}).poll(a, command+": "+want)
}
