package release

import (
	"bytes"
	"fmt"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff is a unified diff of the file called name, with at most context
// unchanged lines, of which there are never more than 3, around each change:
// those next to a stamped one may hold secrets.
func Diff(name string, before, after []byte, context int) []byte {
	_, full, _ := bytes.Cut(diff.Diff("a/"+name, before, "b/"+name, after), []byte("\n")) // without "diff a b"
	if context >= 3 || len(full) == 0 {
		return full
	}
	var out bytes.Buffer
	var h hunk
	for line := range bytes.Lines(full) {
		switch {
		case bytes.HasPrefix(line, []byte("@@")):
			h.flush(&out)
			h = hunk{context: context}
			fmt.Sscanf(string(line), "@@ -%d,%d +%d,%d @@", &h.old, new(int), &h.new, new(int))
		case h.old == 0 && h.new == 0 && h.lines == nil:
			out.Write(line)
		case line[0] == '\\' && len(h.lines) > 0: // no newline at the end: it belongs to the line before
			last := len(h.lines) - 1
			h.lines[last] = append(bytes.Clone(h.lines[last]), line...)
		default:
			h.lines = append(h.lines, line)
		}
	}
	h.flush(&out)
	return out.Bytes()
}

// hunk is one hunk of a unified diff whose context is to be cut.
type hunk struct {
	old, new, context int
	lines             [][]byte
}

// flush writes h, cut into one hunk for each run of changes and its context.
func (h *hunk) flush(out *bytes.Buffer) {
	old, new := h.old, h.new
	for i := 0; i < len(h.lines); {
		start, end := h.run(i)
		if start == end {
			return
		}
		for ; i < start; i++ {
			old, new = old+1, new+1
		}
		dels, adds := 0, 0
		for _, line := range h.lines[start:end] {
			switch line[0] {
			case '-':
				dels++
			case '+':
				adds++
			case ' ':
				dels, adds = dels+1, adds+1
			}
		}
		fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", old, dels, new, adds)
		out.Write(bytes.Join(h.lines[start:end], nil))
		old, new, i = old+dels, new+adds, end
	}
}

// run is the first run of changed lines from i on, with its context: lines
// [start, end).
func (h *hunk) run(i int) (start, end int) {
	for start = i; start < len(h.lines) && h.lines[start][0] == ' '; start++ {
	}
	if start == len(h.lines) {
		return start, start
	}
	for end = start; end < len(h.lines) && h.lines[end][0] != ' '; end++ {
	}
	return max(i, start-h.context), min(len(h.lines), end+h.context)
}
