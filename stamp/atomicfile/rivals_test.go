package atomicfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// counting is a process that sets its key in a file to each number that it is
// told, however often somebody else is quicker.
type counting struct{ File, Key string }

func (c *counting) run() error {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		tries := 1
		for ; ; tries++ {
			_, err := Replace(context.Background(), c.File, Options{}, c.set(in.Text()))
			if err == nil {
				break
			}
			if !errors.Is(err, ErrChanged) {
				return err
			}
		}
		fmt.Println(tries)
	}
	return nil
}

func (c *counting) set(value string) func([]byte) ([]byte, error) {
	line := regexp.MustCompile(`(?m)^` + c.Key + ` = .*$`)
	return func(old []byte) ([]byte, error) {
		if n := len(line.FindAll(old, -1)); n != 1 {
			return nil, fmt.Errorf("%d lines of %s in %q", n, c.Key, old)
		}
		return line.ReplaceAll(old, []byte(c.Key+" = "+value)), nil
	}
}

// TestTwoProcesses lets two processes change one file at once, 200 times, each
// its own line: neither loses the other's.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	const rounds = 200
	dir := fastDir(t)
	text := func(n int) string { return fmt.Sprintf("a = %04d\n# of the same size always\nb = %04d\n", n, n) }
	name := write(t, filepath.Join(dir, "a.conf"), text(0), 0o644)
	type rival struct {
		in  io.WriteCloser
		out *bufio.Scanner
	}
	var rivals []rival
	for _, key := range []string{"a", "b"} {
		cmd := child(t, job{Count: &counting{name, key}})
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			in.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
		rivals = append(rivals, rival{in, bufio.NewScanner(out)})
	}
	again, n := 0, 0
	for n < rounds || again == 0 && n < 20*rounds { // on a busy machine they meet late
		n++
		for _, r := range rivals {
			if _, err := fmt.Fprintf(r.in, "%04d\n", n); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range rivals {
			if !r.out.Scan() {
				t.Fatalf("round %d: a process ended: %v", n, r.out.Err())
			}
			tries := 0
			if _, err := fmt.Sscan(r.out.Text(), &tries); err != nil {
				t.Fatalf("round %d: %s", n, r.out.Text())
			}
			again += tries - 1
		}
		if data, err := os.ReadFile(name); err != nil || string(data) != text(n) {
			t.Fatalf("round %d: %q, %v, want %q", n, data, err, strings.TrimSpace(text(n)))
		}
	}
	wantNoLeftovers(t, dir)
	t.Logf("%d rounds, %d times somebody else was quicker", n, again)
	if again == 0 {
		t.Error("the processes never met")
	}
}
