package assets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"revstamp/testdata/need"
)

// phpOracle prints, for each file that is named on its input, the byte ranges of
// inline HTML that PHP's own lexer finds. A line end belongs to the closing tag
// before it; we leave it outside.
const phpOracle = `
while (($name = fgets(STDIN)) !== false) {
	$at = 0; $out = []; $halted = false;
	foreach (token_get_all(file_get_contents(rtrim($name, "\n"))) as $t) {
		$text = is_array($t) ? $t[1] : $t;
		$id = is_array($t) ? $t[0] : 0;
		if ($id === T_HALT_COMPILER) $halted = true;
		if ($id === T_INLINE_HTML && !$halted) $out[] = [$at, $at + strlen($text)];
		if ($id === T_CLOSE_TAG && strlen($text) > 2 && !$halted) $out[] = [$at + 2, $at + strlen($text)];
		$at += strlen($text);
	}
	echo json_encode($out), "\n";
}`

// TestPHPOracle compares where PHP code begins and ends with PHP itself: in the
// golden cases, in generated code, and in the PHP files found on the machine.
func TestPHPOracle(t *testing.T) {
	t.Parallel()
	need.Program(t, "php")
	dir := t.TempDir()
	var names []string
	add := func(src []byte) {
		if unreadable(src) != "" || bytes.Contains(src, []byte("<?xml")) {
			return
		}
		name := filepath.Join(dir, fmt.Sprint(len(names)))
		if err := os.WriteFile(name, src, 0o644); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	for _, g := range readGolden(t, "testdata/template.golden") {
		if k, _ := KindOf(g.as["name"]); k == HTML|PHP {
			add(g.source())
		}
	}
	golden := len(names)
	random := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		add(generatePHP(random))
	}
	generated := len(names) - golden
	for _, root := range []string{"/usr/share", "/usr/lib"} {
		filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && filepath.Ext(name) == ".php" && len(names) < 5000 {
				if src, err := os.ReadFile(name); err == nil {
					add(src)
				}
			}
			return nil
		})
	}

	cmd := exec.CommandContext(t.Context(), "php", "-n", "-d", "extension=tokenizer", "-d", "short_open_tag=1", "-d", "display_errors=0", "-r", phpOracle)
	cmd.Stdin = strings.NewReader(strings.Join(names, "\n") + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != len(names) {
		t.Fatalf("PHP answers %d lines for %d files", len(lines), len(names))
	}
	spans := 0
	for i, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var ranges [][2]int
		if err := json.Unmarshal(lines[i], &ranges); err != nil {
			t.Fatalf("%s: %v", lines[i], err)
		}
		want := make([]byte, len(src))
		for _, r := range ranges {
			copy(want[r[0]:r[1]], src[r[0]:r[1]])
			spans++
		}
		if got := mask(src, PHP); !bytes.Equal(got, want) {
			t.Errorf("inline HTML of %q\n got %q\nwant %q", src, got, want)
		}
	}
	t.Logf("%d golden cases, %d generated files, %d of this machine: %d pieces of inline HTML",
		golden, generated, len(names)-golden-generated, spans)
}

var (
	genPHPText = []string{"<img src=a>", "text\n", "<", "?>", "'", "\"", "<!-- ", "{$x}"}
	genPHPCode = []string{"$a = 1;", "'x ?> y'", "'it\\'s'", "\"x ?> y\"", "\"\\\"?>\"", "\"{$a['?>']}\"", "\"{$a[\"?>\"]} ?>\"", "\"${a} $b ?>\"",
		"`ls ?>`", "/* ?> ' */", "/** \" */", "// it's\n", "# \"?\n", "#[A('?>')]\n", "<<<X\n it's ?> {$a[\"?>\"]}\n  X;\n", "<<<'Y'\n{$ \" ?>\nYY\nY\n",
		"<<< \"Z\"\n?>\nZ;\n", "1 << 2", "$x <<< 3;", "{ }", "} {", "?:", "?->b", "??", "foo(", ");", "\\A\\B", "<<<X\nX\n;", "<<<X\r\n?>\r\nX;\r\n"}
	genPHPEnd = []string{"?>", "?>", "?>\n", "// x ?>", "# x ?>", "#?>", "/**/?>"}
)

// generatePHP makes a page of text and code; the code is lexically whole, but no
// program.
func generatePHP(r *rand.Rand) []byte {
	var b strings.Builder
	for range r.IntN(5) {
		for range r.IntN(3) {
			b.WriteString(pick(r, genPHPText))
		}
		b.WriteString(pick(r, []string{"<?php ", "<?php\n", "<?= ", "<? ", "<?="}))
		for range r.IntN(6) {
			b.WriteString(pick(r, genPHPCode) + pick(r, []string{" ", "\n", ""}))
		}
		b.WriteString(pick(r, genPHPEnd))
	}
	if r.IntN(10) == 0 {
		b.WriteString("<?php __halt_compiler(); ?> <img src=x> <?php ' ?>")
	}
	return []byte(b.String())
}
