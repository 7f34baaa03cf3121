package stamp

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// A golden archive holds inputs, "in.<ext>" and others, and cases. A case says
// in "name: text" lines what the target is, and what becomes of the input: the
// one line that changes ("line: 3 new text"), nothing, or an error ("error:
// kind line:column all,lines").
type goldenCase struct {
	name   string
	target Target
	in     []byte
	want   []byte
	err    string
}

func goldenCases(t testing.TB) []goldenCase {
	t.Helper()
	archives, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	var cases []goldenCase
	for _, archive := range archives {
		a, err := txtar.ParseFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		inputs := map[string][]byte{}
		first := ""
		for _, f := range a.Files {
			if !strings.HasSuffix(f.Name, ".case") {
				inputs[f.Name] = f.Data
				if first == "" {
					first = f.Name
				}
				continue
			}
			name := strings.TrimSuffix(filepath.Base(archive), ".txtar") + "/" + strings.TrimSuffix(f.Name, ".case")
			c := goldenCase{name: name, target: Target{File: first}}
			c.read(t, string(f.Data), inputs)
			cases = append(cases, c)
		}
	}
	return cases
}

func (c *goldenCase) read(t testing.TB, text string, inputs map[string][]byte) {
	t.Helper()
	change := ""
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		word, rest, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("%s: odd line %q", c.name, line)
		}
		switch word {
		case "in":
			c.target.File = rest
		case "key":
			c.target.Key = rest
		case "value":
			c.target.Value = rest
		case "quoted": // a value that is written as in Go
			value, err := strconv.Unquote(rest)
			if err != nil {
				t.Fatalf("%s: odd line %q", c.name, line)
			}
			c.target.Value, c.target.Newlines = value, true
		case "format":
			c.target.Format = rest
		case "type":
			c.target.Type = rest
		case "match":
			c.target.Match = rest
		case "placeholder":
			c.target.Placeholder = rest
		case "all":
			c.target.All = true
		case "line":
			change = rest
		case "error":
			c.err = rest
		default:
			t.Fatalf("%s: odd line %q", c.name, line)
		}
	}
	c.in = inputs[c.target.File]
	c.want = c.in
	if change != "" {
		number, line, _ := strings.Cut(change, " ")
		n, err := strconv.Atoi(number)
		lines := strings.Split(string(c.in), "\n")
		if err != nil || n > len(lines) {
			t.Fatalf("%s: odd line %q", c.name, change)
		}
		lines[n-1] = line
		c.want = []byte(strings.Join(lines, "\n"))
	}
}

// describe writes an error as the cases do.
func describe(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	text := string(e.Kind)
	if e.Line > 0 {
		text += fmt.Sprintf(" %d:%d", e.Line, e.Column)
	}
	if e.Lines != nil {
		text += " " + strings.Join(strings.Fields(strings.Trim(fmt.Sprint(e.Lines), "[]")), ",")
	}
	return text
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, c := range goldenCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := string(c.in)
			out, changes, err := c.target.Edit(c.in)
			if string(c.in) != in {
				t.Error("Edit modified its input")
			}
			if err != nil || c.err != "" {
				got := describe(err)
				if got != c.err && strings.Fields(got)[0] != c.err || out != nil || changes != nil {
					t.Errorf("Edit = %q, %v, error %q (%v), want error %q", out, changes, got, err, c.err)
				}
				return
			}
			if diff := cmp.Diff(string(c.want), string(out)); diff != "" {
				t.Errorf("Edit (-want +got):\n%s", diff)
			}
			if (len(changes) > 0) != (string(c.want) != in) {
				t.Errorf("changes = %v", changes)
			}
			if c.target.Placeholder != "" {
				return
			}
			again, changes, err := c.target.Edit(out)
			if err != nil || len(changes) > 0 || string(again) != string(out) {
				t.Errorf("Edit again = %q, %v, %v, want no change", again, changes, err)
			}
		})
	}
}
