package ui

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// frameTime is how long the live rows stand before they are drawn anew.
const frameTime = 150 * time.Millisecond

// console is a terminal at the bottom of which some rows are drawn over and
// over while lines go above them. mpb draws by its methods Write, ReadFrom and
// Flush; a line printed meanwhile is on the screen at once, and never lost,
// because the rows are taken down for it and put back.
type console struct {
	w    io.Writer
	size func() (width, height int)

	mu    sync.Mutex
	frame bytes.Buffer // what mpb is drawing
	shown []byte       // rows that are on the screen
	lines int          // how many they are
}

// IsTerminal is true: mpb then asks for the size.
func (c *console) IsTerminal() bool { return true }

// widest is as wide as a row gets: a bar across a large screen is hard to read.
const widest = 80

// GetTermSize leaves the last column free: a row that fills it makes some
// terminals wrap, and the count of lines wrong.
func (c *console) GetTermSize() (width, height int, err error) {
	width, height = c.size()
	return max(min(width-1, widest), 1), max(height-1, 1), nil
}

// Write adds to the next frame.
func (c *console) Write(p []byte) (int, error) { return c.frame.Write(p) }

// ReadFrom adds a row to the next frame.
func (c *console) ReadFrom(r io.Reader) (int64, error) { return c.frame.ReadFrom(r) }

// Flush shows the frame, of so many lines, in place of the one before.
func (c *console) Flush(lines int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := bytes.Clone(c.frame.Bytes())
	c.frame.Reset()
	if lines == c.lines && bytes.Equal(next, c.shown) {
		return nil
	}
	out := append(c.up(), next...)
	c.shown, c.lines = next, lines
	_, err := c.w.Write(out)
	return err
}

// up moves to the first of the rows and erases them: CUU and ED.
func (c *console) up() []byte {
	if c.lines == 0 {
		return nil
	}
	return fmt.Appendf(nil, "\x1b[%dA\x1b[J", c.lines)
}

// print puts text, whole lines, above the rows.
func (c *console) print(text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := append(c.up(), text...)
	_, err := c.w.Write(append(out, c.shown...))
	return err
}

// around takes the rows down while write writes to the same screen.
func (c *console) around(write func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.w.Write(c.up()); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	_, err := c.w.Write(c.shown)
	return err
}

// clear takes the rows down for good.
func (c *console) clear() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.up()
	c.shown, c.lines = nil, 0
	_, err := c.w.Write(out)
	return err
}
