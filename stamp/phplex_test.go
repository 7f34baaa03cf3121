package stamp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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
	tokens, err := lexPHP(string(src), false)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i := range tokens.len() {
		if name, ok := phpKindNames[tokens.kind(i)]; ok {
			fmt.Fprintf(&b, "%s %d %d\n", name, tokens.start(i), tokens.end(i))
		}
	}
	return b.String(), nil
}

// tokenize returns what PHP says. Two processes share the work.
func tokenize(t testing.TB, sources [][]byte) []string {
	t.Helper()
	need.Program(t, "php")
	half := len(sources) / 2
	var first, second []string
	var errs [2]error
	var both sync.WaitGroup
	both.Go(func() { first, errs[0] = tokenizeIn(sources[:half]) })
	both.Go(func() { second, errs[1] = tokenizeIn(sources[half:]) })
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return append(first, second...)
}

func tokenizeIn(sources [][]byte) ([]string, error) {
	var in bytes.Buffer
	for _, src := range sources {
		fmt.Fprintln(&in, base64.StdEncoding.EncodeToString(src))
	}
	// Without a buffer each token costs a system call, and they two thirds of the time.
	cmd := exec.Command("php", "-d", "output_buffering=65536", "-d", "short_open_tag=0", "-d", "memory_limit=-1", "testdata/php/tokens.php")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("php: %w", err)
	}
	all := strings.Split(strings.TrimSuffix(string(out), ".\n"), ".\n")
	if len(all) != len(sources) {
		return nil, fmt.Errorf("php answered %d of %d sources", len(all), len(sources))
	}
	return all, nil
}

// TestPHPLexer compares where segments begin and end with PHP's own tokenizer,
// on two large programs of other people, on what lies in testdata, and on the
// files of REVSTAMP_PHP_CORPUS, when it names a directory.
func TestPHPLexer(t *testing.T) {
	t.Parallel()
	need.Program(t, "php")
	dirs := append(need.Corpus(t, "mediawiki", "wordpress"), "testdata")
	if more := os.Getenv("REVSTAMP_PHP_CORPUS"); more != "" {
		dirs = append(dirs, more)
	}
	all := sources(t, "php", dirs...)
	seen := map[string]bool{}
	for _, c := range goldenCases(t) {
		if filepath.Ext(c.target.File) == ".php" && !seen[string(c.in)] {
			seen[string(c.in)] = true
			all = append(all, source{c.name, c.in})
		}
	}
	var names []string
	var texts [][]byte
	for _, s := range all {
		names, texts = append(names, s.name), append(texts, s.text)
	}
	compared, tokens := compareLexers(t, names, texts)
	t.Logf("%d of %d files compared, %d segments in them", compared, len(all), tokens)
	if compared < 5000 {
		t.Error("too few files to compare")
	}
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
	compared, _ := compareLexers(t, names, sources)
	t.Logf("%d of %d sources compared, the others are unterminated", compared, len(sources))
	if compared < len(sources)/4 {
		t.Error("too few of them can be compared")
	}
}

func compareLexers(t *testing.T, names []string, sources [][]byte) (compared, segmentCount int) {
	t.Helper()
	for i, want := range tokenize(t, sources) {
		got, err := segments(sources[i])
		if err != nil {
			continue // refused: nothing will be stamped here
		}
		compared++
		segmentCount += strings.Count(got, "\n")
		if strings.HasSuffix(want, "unclosed\n") {
			t.Errorf("%s: PHP finds something unclosed, we do not", names[i])
		} else if got != want {
			t.Errorf("%s (-php +ours):\n%s", names[i], cmp.Diff(want, got))
		}
	}
	return compared, segmentCount
}
