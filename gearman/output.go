package gearman

import (
	"bytes"
	"sync"
)

const (
	tailLines = 20
	tailWidth = 1000 // bytes of a line that are kept
)

// bounded keeps the first bytes written to it and counts the others.
type bounded struct {
	max     int
	kept    []byte
	dropped int
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.max-len(b.kept))
	b.kept = append(b.kept, p[:n]...)
	b.dropped += len(p) - n
	return len(p), nil
}

// tail keeps the last lines of several writers.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == tailLines {
		copy(t.lines, t.lines[1:])
		t.lines = t.lines[:tailLines-1]
	}
	t.lines = append(t.lines, string(bytes.TrimSuffix(line, []byte{'\r'})))
}

// lines cuts what one writer writes into lines for a tail.
type lines struct {
	to      *tail
	partial []byte
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.keep(p)
			return n, nil
		}
		l.keep(p[:i])
		l.to.add(l.partial)
		l.partial = l.partial[:0]
		p = p[i+1:]
	}
}

func (l *lines) keep(p []byte) {
	l.partial = append(l.partial, p[:min(len(p), tailWidth-len(l.partial))]...)
}

// flush adds a last line that has no end.
func (l *lines) flush() {
	if len(l.partial) > 0 {
		l.to.add(l.partial)
		l.partial = nil
	}
}
