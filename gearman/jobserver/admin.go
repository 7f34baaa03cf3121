package jobserver

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

const (
	textOK       = "OK\r\n"
	textInternal = "ERR UNKNOWN_ERROR\r\n"
	textNoJob    = "ERR UNKNOWN_JOB\r\n"
	textShow     = "ERR UNKNOWN_SHOW_ARGUMENTS\r\n"
	textNoFunc   = "ERR function not found\r\n"
	textInUse    = "ERR there are still connected workers or executing clients\r\n"
	textArgs     = "ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+%s\r\n"
	textUnknown  = "ERR UNKNOWN_COMMAND Unknown+server+command%s\r\n"
)

// serveText answers one line of the admin protocol.
func (s *Server) serveText(c *conn) error {
	line, err := c.reader.Line()
	if err != nil {
		return err
	}
	args := fields(line)
	if isHTTP(args) {
		return errHTTP
	}
	switch command := strings.ToLower(args[0]); {
	case command == "workers":
		c.out.text(s.workers())
	case command == "version":
		c.out.text(fmt.Appendf(nil, "OK %s\n", cmp.Or(s.Version, "1.1.20")))
	case command == "shutdown" && s.AllowShutdown:
		return s.serveShutdown(c, args)
	default:
		s.queue.mu.Lock()
		answer := s.queue.admin(command, args)
		s.queue.unlock(c)
		c.out.text(answer)
	}
	return nil
}

var errHTTP = errors.New("an HTTP request came")

// isHTTP reports whether a line begins a request of HTTP. Any web page can have the
// browser of its visitor send one to loopback, and its body would be taken for
// packets.
func isHTTP(args []string) bool {
	return len(args) == 3 && strings.HasPrefix(args[1], "/") && strings.HasPrefix(args[2], "HTTP/")
}

// fields splits a line at its runs of spaces. As gearmand does, it counts what is
// before the first and behind the last, even if it is nothing.
func fields(line []byte) []string {
	line, _, _ = bytes.Cut(line, []byte{0})
	args := strings.Split(string(line), " ")
	last := len(args) - 1
	kept := args[:1]
	for i, arg := range args[1:] {
		if arg != "" || i+1 == last {
			kept = append(kept, arg)
		}
	}
	return kept
}

func (s *Server) serveShutdown(c *conn, args []string) error {
	switch {
	case len(args) == 1:
		c.out.text([]byte(textOK))
		err := c.drain()
		s.drained()
		return err
	case len(args) == 2 && strings.EqualFold(args[1], "graceful"):
		c.out.text([]byte(textOK))
		err := c.drain()
		s.drain()
		return err
	}
	c.out.text(fmt.Appendf(nil, textArgs, args[0]))
	return nil
}

// workers lists every connection, whether it works or not: there are no file
// descriptors to tell, so their place holds the connection's number.
func (s *Server) workers() []byte {
	s.mu.Lock()
	conns := slices.SortedFunc(maps.Keys(s.conns), func(a, b *conn) int { return cmp.Compare(a.number, b.number) })
	s.mu.Unlock()

	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	var b []byte
	for _, c := range conns {
		b = fmt.Appendf(b, "%d %s %s :", c.number, c.host, c.id)
		for _, a := range slices.Backward(c.abilities) {
			b = append(append(b, ' '), a.function.name...)
		}
		b = append(b, '\n')
	}
	return append(b, ".\n"...)
}

// admin answers a command, which is args[0] in lower case, about the queue.
func (q *queue) admin(command string, args []string) []byte {
	switch {
	case command == "status":
		return q.table(func(b []byte, f *function) []byte {
			return fmt.Appendf(b, "%s\t%d\t%d\t%d\n", f.name, f.jobs(), f.running, f.workers)
		})
	case command == "prioritystatus":
		return q.table(func(b []byte, f *function) []byte {
			return fmt.Appendf(b, "%s\t%d\t%d\t%d\t%d\n", f.name, f.queued(high), f.queued(normal), f.queued(low), f.workers)
		})
	case command == "cancel" && len(args) >= 3:
		return q.cancelText(args)
	case command == "show" && len(args) >= 2:
		return q.show(args)
	case command == "create", command == "drop":
		return q.functionText(command, args)
	case command == "maxqueue":
		return q.maxQueue(args)
	case command == "getpid":
		return fmt.Appendf(nil, "OK %d\n", os.Getpid())
	case command == "verbose":
		return []byte("OK ERROR\n")
	}
	return fmt.Appendf(nil, textUnknown, args[0])
}

// table lists the functions, sorted, with row for each.
func (q *queue) table(row func([]byte, *function) []byte) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(q.functions)) {
		b = row(b, q.functions[name])
	}
	return append(b, ".\n"...)
}

func (q *queue) cancelText(args []string) []byte {
	if len(args) != 3 || !strings.EqualFold(args[1], "job") {
		return []byte(textInternal)
	}
	j := q.find([]byte(args[2]))
	if j == nil {
		return []byte(textNoJob)
	}
	q.cancel(j)
	return []byte(textOK)
}

// show lists the jobs, oldest first, by handle or by unique.
func (q *queue) show(args []string) []byte {
	what := strings.ToLower(strings.Join(args[1:], " "))
	if what != "jobs" && what != "unique jobs" {
		return []byte(textShow)
	}
	var b []byte
	for j := range q.jobs.all() {
		if what == "unique jobs" {
			b = append(append(b, j.unique()...), '\n')
			continue
		}
		b = appendHandle(b, q.prefix, j.number)
		b = fmt.Appendf(b, "\t%d\t%d\t%d\n", j.retries, bit(!j.wanted()), bit(j.background && j.wanted()))
	}
	return append(b, ".\n"...)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (q *queue) functionText(command string, args []string) []byte {
	if len(args) != 3 || !strings.EqualFold(args[1], "function") {
		return fmt.Appendf(nil, textArgs, args[0])
	}
	if command == "create" {
		if _, refused := q.function([]byte(args[2])); refused != nil {
			return fmt.Appendf(nil, "ERR CREATE_FUNCTION %s\r\n", args[2])
		}
		return []byte(textOK)
	}
	f := q.functions[args[2]]
	switch {
	case f == nil:
		return []byte(textNoFunc)
	case !q.drop(f):
		return []byte(textInUse)
	}
	return []byte(textOK)
}

// maxQueue limits a function that is known: one size for every priority, or one
// for each; what is left out, negative or no number is no limit.
func (q *queue) maxQueue(args []string) []byte {
	if len(args) == 1 {
		return fmt.Appendf(nil, textArgs, args[0])
	}
	var limit [priorities]int
	for p := range limit {
		if i := 2 + p; i < len(args) {
			limit[p] = int(count([]byte(args[i])))
		} else if len(args) <= 3 {
			limit[p] = limit[high]
		}
	}
	if f := q.functions[args[1]]; f != nil {
		f.limit = limit
	}
	return []byte(textOK)
}
