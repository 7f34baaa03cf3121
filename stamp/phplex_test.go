package stamp

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"revstamp/testdata/need"
)

var phpKindNames = map[phpKind]string{
	phpHTML: "html", phpOpen: "open", phpClose: "close", phpComment: "comment", phpString: "string", phpInterp: "interpolated",
	phpHeredoc: "heredoc", phpBacktick: "backtick", phpData: "html", phpVariable: "variable", phpNumber: "number",
}

// segments returns what our lexer says, in the form of testdata/php/tokens.php.
func segments(src []byte) (string, error) {
	tokens, err := lexPHP(src)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, t := range tokens {
		if name, ok := phpKindNames[t.kind]; ok {
			fmt.Fprintf(&b, "%s %d %d\n", name, t.start, t.end)
		}
	}
	return b.String(), nil
}

// tokenize returns what PHP says.
func tokenize(t testing.TB, sources [][]byte) []string {
	t.Helper()
	need.Program(t, "php")
	var in bytes.Buffer
	for _, src := range sources {
		fmt.Fprintln(&in, base64.StdEncoding.EncodeToString(src))
	}
	cmd := exec.Command("php", "-d", "short_open_tag=0", "-d", "memory_limit=-1", "testdata/php/tokens.php")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("php: %v", err)
	}
	var all []string
	var b strings.Builder
	for scan := bufio.NewScanner(bytes.NewReader(out)); scan.Scan(); {
		if scan.Text() != "" {
			b.WriteString(scan.Text() + "\n")
			continue
		}
		all = append(all, b.String())
		b.Reset()
	}
	if len(all) != len(sources) {
		t.Fatalf("php answered %d of %d sources", len(all), len(sources))
	}
	return all
}

// TestPHPLexer compares where segments begin and end with PHP's own tokenizer,
// on what lies in testdata and on the PHP files of installed packages (or
// those under the directory that REVSTAMP_PHP_CORPUS names).
func TestPHPLexer(t *testing.T) {
	t.Parallel()
	var names []string
	var sources [][]byte
	add := func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(path) != ".php" {
			return nil
		}
		src, err := os.ReadFile(path)
		if err == nil && len(src) < 1<<20 {
			names, sources = append(names, path), append(sources, src)
		}
		return err
	}
	dirs := []string{"testdata", os.Getenv("REVSTAMP_PHP_CORPUS")}
	if dirs[1] == "" {
		installed, err := filepath.Glob("/usr/share/*php*")
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs[:1], installed...)
	}
	for _, dir := range dirs {
		if err := filepath.WalkDir(dir, add); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, c := range goldenCases(t) {
		if filepath.Ext(c.target.File) == ".php" && !seen[string(c.in)] {
			seen[string(c.in)] = true
			names, sources = append(names, c.name), append(sources, c.in)
		}
	}
	t.Logf("%d of %d files compared", compareLexers(t, names, sources), len(names))
}

// TestPHPLexerOnPieces compares on sources put together at random from what is
// hard.
func TestPHPLexerOnPieces(t *testing.T) {
	t.Parallel()
	pieces := strings.Split("<?php |<?php\n|?>|?>\n|<?= |//|#|#[|/*|*/|'|\"|`|\\|$|{|}|{$|${|$a|[|]|(|)|;|\n|\r\n| |<<<E\n|<<<'E'\n|<<<\"E\"\n|E|\nE|\n E;|"+
		"b'|b\"|x|1|.5|1e3|=|=>|->|?->|::|__halt_compiler|();|<?xml|é|\xff|namespace|A\\B|\\", "|")
	rng := rand.New(rand.NewPCG(1, 2))
	var names []string
	var sources [][]byte
	for i := range 4000 {
		src := []byte("<?php ")
		for range rng.IntN(14) {
			src = append(src, pieces[rng.IntN(len(pieces))]...)
		}
		names, sources = append(names, fmt.Sprintf("%d %q", i, src)), append(sources, src)
	}
	compared := compareLexers(t, names, sources)
	t.Logf("%d of %d sources compared, the others are unterminated", compared, len(sources))
	if compared < len(sources)/4 {
		t.Error("too few of them can be compared")
	}
}

func compareLexers(t *testing.T, names []string, sources [][]byte) (compared int) {
	t.Helper()
	for i, want := range tokenize(t, sources) {
		got, err := segments(sources[i])
		if err != nil {
			continue // refused: nothing will be stamped here
		}
		compared++
		if strings.HasSuffix(want, "unclosed\n") {
			t.Errorf("%s: PHP finds something unclosed, we do not", names[i])
		} else if got != want {
			t.Errorf("%s (-php +ours):\n%s", names[i], cmp.Diff(want, got))
		}
	}
	return compared
}
