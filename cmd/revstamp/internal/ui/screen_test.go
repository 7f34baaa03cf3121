package ui

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// screen is a terminal of a fixed size that never scrolls its lines away. It
// knows the escape sequences that revstamp may send, and notes all others.
type screen struct {
	width, height int

	mu      sync.Mutex
	lines   [][]rune
	row     int
	column  int
	strange []string
}

func newScreen(width, height int) *screen {
	return &screen{width: width, height: height, lines: [][]rune{nil}}
}

func (s *screen) size() (width, height int) { return s.width, s.height }

var sequence = regexp.MustCompile(`^\x1b\[(\d*)([AJm])`)

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for text := string(p); text != ""; {
		if m := sequence.FindStringSubmatch(text); m != nil {
			s.control(m[2], m[1])
			text = text[len(m[0]):]
			continue
		}
		c := []rune(text)[0]
		s.put(c)
		text = text[len(string(c)):]
	}
	return len(p), nil
}

func (s *screen) control(what, count string) {
	switch what {
	case "A":
		n, _ := strconv.Atoi(count)
		if s.row -= n; s.row < 0 {
			s.strange = append(s.strange, "above the top")
			s.row = 0
		}
	case "J":
		s.lines = s.lines[:s.row+1]
		s.lines[s.row] = s.lines[s.row][:s.column]
	}
}

func (s *screen) put(c rune) {
	switch {
	case c == '\n': // a terminal's line discipline adds the carriage return
		s.row, s.column = s.row+1, 0
		if s.row == len(s.lines) {
			s.lines = append(s.lines, nil)
		}
	case c < ' ' || 0x7f <= c && c < 0xa0:
		s.strange = append(s.strange, fmt.Sprintf("%q", c))
	default:
		line := append(s.lines[s.row][:s.column:s.column], c)
		if s.column+1 < len(s.lines[s.row]) {
			line = append(line, s.lines[s.row][s.column+1:]...)
		}
		s.lines[s.row] = line
		s.column++
	}
}

// String is what is on the screen.
func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, l := range s.lines {
		b.WriteString(strings.TrimRight(string(l), " ") + "\n")
	}
	for _, what := range s.strange {
		b.WriteString("STRANGE: " + what + "\n")
	}
	return strings.TrimLeft(strings.TrimRight(b.String(), "\n")+"\n", "\n")
}

func TestConsole(t *testing.T) {
	s := newScreen(40, 5)
	c := &console{w: s, size: s.size}
	frame := func(lines ...string) {
		t.Helper()
		for _, l := range lines {
			if _, err := c.Write([]byte(l + "\n")); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Flush(len(lines)); err != nil {
			t.Fatal(err)
		}
	}
	print := func(text string) {
		t.Helper()
		if err := c.print(text); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want string) {
		t.Helper()
		if got := s.String(); got != want {
			t.Errorf("screen:\n%swant:\n%s", got, want)
		}
	}
	print("one\n")
	check("one\n")
	frame("row a", "row b")
	check("one\nrow a\nrow b\n")
	print("two\n")
	check("one\ntwo\nrow a\nrow b\n")
	frame("row a", "row c", "row d")
	check("one\ntwo\nrow a\nrow c\nrow d\n")
	frame("row d")
	check("one\ntwo\nrow d\n")
	if err := c.around(func() error { _, err := s.Write([]byte("three\n")); return err }); err != nil {
		t.Fatal(err)
	}
	check("one\ntwo\nthree\nrow d\n")
	if err := c.clear(); err != nil {
		t.Fatal(err)
	}
	print("four\n")
	check("one\ntwo\nthree\nfour\n")
	for _, test := range []struct{ width, height, wantWidth, wantHeight int }{
		{60, 12, 59, 11}, {300, 90, widest, 89}, {1, 1, 1, 1}, {0, 0, 1, 1},
	} {
		c.size = func() (int, int) { return test.width, test.height }
		if w, h, err := c.GetTermSize(); w != test.wantWidth || h != test.wantHeight || err != nil {
			t.Errorf("size of %d by %d = %d, %d, %v", test.width, test.height, w, h, err)
		}
	}
}
