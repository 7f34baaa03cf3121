package assets

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// golden is one case of the files testdata/*.golden, which are made of lines:
//
//	tree PATH…           the files that exist, for all cases after it
//	as KEY=VALUE…        the site and document, for all cases after it: name,
//	                     path, url, host, param, rev, style, modules; which assets
//	                     are rewritten (rewrites, a suffix) and written by us (ours)
//	# NAME               a case begins
//	in  TEXT             its document; a line break between two of them
//	out TEXT             what is wanted; none: the same as in
//	missing L:C URL      one that is reported missing
//	mismatched L:C URL   one whose integrity does not hold
//	skipped WHY
//
// A TEXT that begins with a double quote and ends with one is a Go string.
type golden struct {
	name    string
	tree    []string
	as      map[string]string
	in, out []string
	missing []string
	wrong   []string
	skipped string
}

func readGolden(t testing.TB, file string) []golden {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	var tree []string
	var as map[string]string
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		if word == "in" {
			rest = strings.TrimPrefix(rest, " ") // aligned with "out x"
		}
		switch word {
		case "tree":
			tree = strings.Fields(rest)
			continue
		case "as":
			as = map[string]string{}
			for _, kv := range strings.Fields(rest) {
				k, v, _ := strings.Cut(kv, "=")
				as[k] = v
			}
			continue
		case "#":
			all = append(all, golden{name: rest, tree: tree, as: as})
			continue
		case "", "--":
			continue
		}
		if len(all) == 0 {
			t.Fatalf("%s:%d: no case has begun", file, n)
		}
		g := &all[len(all)-1]
		if len(rest) > 1 && rest[0] == '"' && rest[len(rest)-1] == '"' {
			if s, err := strconv.Unquote(rest); err == nil {
				rest = s
			}
		}
		switch word {
		case "in":
			g.in = append(g.in, rest)
		case "out":
			g.out = append(g.out, rest)
		case "missing":
			g.missing = append(g.missing, rest)
		case "mismatched":
			g.wrong = append(g.wrong, rest)
		case "skipped":
			g.skipped = rest
		default:
			t.Fatalf("%s:%d: unknown word %q", file, n, word)
		}
	}
	return all
}

func (g golden) source() []byte { return []byte(strings.Join(g.in, "\n")) }

func (g golden) want() string {
	if g.out == nil {
		return string(g.source())
	}
	return strings.Join(g.out, "\n")
}

func (g golden) site() *Site {
	s := &Site{FS: treeOf(g.tree...), URL: g.as["url"], Param: g.as["param"], Style: Style(g.as["style"]), Modules: Modules(g.as["modules"])}
	if s.Style != ByName {
		s.Rev = "42"
	}
	if further := g.as["attributes"]; further != "" {
		s.Attributes = strings.Split(further, ",")
	}
	if ours := g.as["ours"]; ours != "" {
		s.Written = func(path string) bool { return slices.Contains(strings.Split(ours, ","), path) }
	}
	if g.as["rewrites"] != "" {
		s.Rewrites = func(path string) bool { return strings.HasSuffix(path, g.as["rewrites"]) }
	}
	if h := g.as["host"]; h != "" {
		s.Hosts = strings.Split(h, ",")
	}
	if r := g.as["rev"]; r != "" {
		s.Rev = r
	}
	return s
}

func (g golden) document() Document {
	return Document{Name: g.as["name"], Path: g.as["path"]}
}

// treeOf returns a file system with those files; a name that ends with a slash
// is a directory.
func treeOf(names ...string) fstest.MapFS {
	tree := fstest.MapFS{}
	for _, n := range names {
		if dir, ok := strings.CutSuffix(n, "/"); ok {
			tree[dir+"/.keep"] = &fstest.MapFile{}
			continue
		}
		n = strings.ReplaceAll(n, "␣", " ")
		tree[n] = &fstest.MapFile{Data: []byte("content of " + n)}
	}
	return tree
}

func goldenFiles(t testing.TB) []string {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return files
}

// TestGolden checks each rule of references: what changes, what does not, what
// is missing; that a second run changes nothing; and that Normalize takes out
// what Rewrite puts in.
func TestGolden(t *testing.T) {
	total := 0
	for _, file := range goldenFiles(t) {
		for _, g := range readGolden(t, file) {
			total++
			t.Run(strings.TrimSuffix(filepath.Base(file), ".golden")+"/"+g.name, g.check)
		}
	}
	t.Logf("%d golden cases", total)
}

func places(refs []Reference) (out []string) {
	for _, r := range refs {
		out = append(out, fmt.Sprintf("%d:%d %s", r.Line, r.Column, r.URL))
	}
	return out
}

func (g golden) check(t *testing.T) {
	t.Parallel()
	src := g.source()
	before := bytes.Clone(src)
	r, err := g.site().Rewrite(g.document(), src)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.Out); got != g.want() {
		t.Errorf("Rewrite(%q)\n got %q\nwant %q", src, got, g.want())
	}
	if !bytes.Equal(src, before) {
		t.Errorf("Rewrite changed its source to %q", src)
	}
	if r.Skipped != g.skipped {
		t.Errorf("Skipped = %q, want %q", r.Skipped, g.skipped)
	}
	if d := cmp.Diff(g.missing, places(r.Missing)); d != "" {
		t.Errorf("Missing (-want +got):\n%s", d)
	}
	if d := cmp.Diff(g.wrong, places(r.Mismatched)); d != "" {
		t.Errorf("Mismatched (-want +got):\n%s", d)
	}
	again, err := g.site().Rewrite(g.document(), r.Out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Out, r.Out) {
		t.Errorf("a second run makes %q of %q", again.Out, r.Out)
	}
	s := g.site()
	if a, b := s.Normalize(g.document(), src), s.Normalize(g.document(), r.Out); !bytes.Equal(a, b) {
		t.Errorf("Normalize:\n source %q\nrewritten %q", a, b)
	}
}
