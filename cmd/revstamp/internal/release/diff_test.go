package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
)

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0 keys", 1: "1 key", 2: "2 keys"} {
		if got := plural(n, "key"); got != want {
			t.Errorf("plural(%d, %q) = %q, want %q", n, "key", got, want)
		}
	}
	if got := plural(2, "copy"); got != "2 copies" {
		t.Errorf("plural(2, %q) = %q", "copy", got)
	}
}

func TestDiff(t *testing.T) {
	before := "a\nb\nc\nd\ne\nf\ng\nh\ni\n"
	after := "a\nB\nc\nd\ne\nf\nx\ng\nh\n"
	for _, test := range []struct {
		name          string
		before, after string
		context       int
		want          string
	}{
		{"no context", before, after, 0,
			"--- a/f\n+++ b/f\n@@ -2,1 +2,1 @@\n-b\n+B\n@@ -7,0 +7,1 @@\n+x\n@@ -9,1 +10,0 @@\n-i\n"},
		{"the same", before, before, 0, ""},
		{"neighbouring secrets stay out", "<?php\n$rev = '1';\n$password = 'x';\n", "<?php\n$rev = '2';\n$password = 'x';\n", 0,
			"--- a/f\n+++ b/f\n@@ -2,1 +2,1 @@\n-$rev = '1';\n+$rev = '2';\n"},
		{"an end without newline that stays", "a\nb\nc", "x\nb\nc", 0, "--- a/f\n+++ b/f\n@@ -1,1 +1,1 @@\n-a\n+x\n"},
		{"one line of context", before, "a\nB\nc\nd\ne\nf\ng\nh\ni\n", 1, "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := string(Diff("f", []byte(test.before), []byte(test.after), test.context))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDiffApplies lets git apply diffs without context to what they are of.
func TestDiffApplies(t *testing.T) {
	need.Program(t, "git")
	for name, pair := range map[string][2]string{
		"in the middle":    {"a\nb\nc\n", "a\nx\nc\n"},
		"several":          {"a\nb\nc\nd\ne\nf\ng\nh\nj\nk\n", "A\nb\nc\nd\ne\nF\nF\ng\nh\nj\n"},
		"no final newline": {"a\nb", "a\nc"},
		"first and last":   {"a\nb\nc\n", "x\nb\ny\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "f")
			if err := os.WriteFile(file, []byte(pair[0]), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("git", "apply", "--unidiff-zero", "-")
			cmd.Dir = dir
			cmd.Stdin = strings.NewReader(string(Diff("f", []byte(pair[0]), []byte(pair[1]), 0)))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got, err := os.ReadFile(file)
			if err != nil || string(got) != pair[1] {
				t.Errorf("applied: %q, %v, want %q", got, err, pair[1])
			}
		})
	}
}
