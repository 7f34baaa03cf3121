package stamp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
	"revstamp/testdata/need"
)

// nasty are values that are code, numbers or keywords to somebody. All are legal
// names of git branches, Subversion paths or revisions.
var nasty = []string{
	`".system("id")."`, `'.system('id').'`, `a$(id>&2)`, "`id`", `${IFS}`, `{$x}`, `{$_SERVER['x']}`, `$x`, `$1`, `\`, `\\`, `\'`, `\"`, `a\`, `'`, `"`, `'"'"'`,
	`?>`, `?><?php system('id');`, `*/`, `//`, `#`, `a#b`, `a #b`, `;`, `a;b`, `a&b`, `|`, `<`, `>`, `!`, `!x`, `~`, `~/x`, `%`, `%s`, `%d`, `@`, `@x`, `*`, `*x`, `&`, `&x`,
	`-`, `- x`, `-1`, `+1`, `?`, `? x`, `:`, `a: b`, `a:`, `:a`, `[`, `]`, `[a]`, `{`, `}`, `{a: b}`, `,`, `a,b`, "=", "<<", "---", "...", "..",
	`0`, `00`, `0123`, `4168`, `4123:4168MS`, `1e3`, `1E3`, `1234e56`, `1.5`, `.5`, `5.`, `1_000`, `0x1f`, `0o17`, `0b11`, `12:30`, `12:30:45`, `190:20:30.15`, `2026-01-02`, `2026-01-02T03:04:05Z`,
	`yes`, `No`, `on`, `OFF`, `y`, `N`, `true`, `False`, `null`, `NULL`, `Null`, `none`, `.inf`, `-.INF`, `.nan`, `nan`,
	`99999999999999999999`, `-0`, `ä`, `ünïcødé/分支`, `🚀`, "a\u00a0b", "\ufeffx", `feature/x`, `release-1.2`, `3fa9c1e2b0d4`, ` x`, `x `, `a b`, `%%`, `$$`, `\n`, `\x41`, `\u0041`, `\0`, `$&`, "", "!!str x", "&a x", "*a", "[]", "{}", "|", ">", "%YAML",
}

// multiline are values for the formats that write a line feed as an escape.
var multiline = []string{"a\nb", "\n", "a\n", "\n\na", "\\\n\"'\n"}

var bytesOnly = []string{"Latin\xe9", "\xff\xfe"}

// stampAll stamps each value into a file of its own, made of head, a line and
// tail, and returns the lines together between one head and one tail. line and
// key get the number of the value.
func stampAll(t *testing.T, format, head, tail string, values []string, line, key func(i int) string) []byte {
	t.Helper()
	all := []byte(head)
	for i, value := range values {
		target := Target{File: "config", Format: format, Key: key(i), Value: value, Newlines: true}
		out, _, err := target.Edit([]byte(head + line(i) + tail))
		if err != nil {
			t.Fatalf("%s: Edit(%q): %v", format, value, err)
		}
		all = append(all, out[len(head):len(out)-len(tail)]...)
	}
	return append(all, tail...)
}

func compareValues(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: read %d values back, want %d", what, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: %q was read as %q", what, want[i], got[i])
		}
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	need.Program(t, name)
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v, %s", name, err, &stderr)
	}
	return string(out)
}

// base64Lines are the values that an oracle printed, one to a line.
func base64Lines(t *testing.T, text string) (values []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		value, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\n"))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		values = append(values, string(value))
	}
	return values
}

func tempFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestValuesInPHP(t *testing.T) {
	t.Parallel()
	values := append(append([]string{}, nasty...), bytesOnly...)
	for form, line := range map[string]string{"single": "$c['k%d'] = 'x';\n", "double": "$c['k%d'] = \"x\";\n"} {
		src := stampAll(t, "php", "<?php\n$c = [];\n", "", values,
			func(i int) string { return fmt.Sprintf(line, i) },
			func(i int) string { return fmt.Sprintf("$c['k%d']", i) })
		path := tempFile(t, "config.php", src)
		read := `include $argv[1]; foreach ($c as $v) { echo is_string($v) ? base64_encode($v) : "no string", "\n"; }`
		var got []string
		for line := range strings.Lines(output(t, "php", "-r", read, path)) {
			value, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\n"))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(value))
		}
		compareValues(t, "php, "+form, got, values)
	}
}

func TestValuesInShell(t *testing.T) {
	t.Parallel()
	values := append(append([]string{}, nasty...), bytesOnly...)
	for form, line := range map[string]string{"bare": "K%d=x\n", "single": "export K%d='x' # c\n", "double": "K%d=\"x\"\n"} {
		src := stampAll(t, "env", "# head\n", "", values,
			func(i int) string { return fmt.Sprintf(line, i) },
			func(i int) string { return fmt.Sprint("K", i) })
		path := tempFile(t, ".env", src)
		script := ". " + path + "\n"
		for i := range values {
			script += fmt.Sprintf("printf '%%s\\0' \"$K%d\"\n", i)
		}
		for _, shell := range []string{"sh", "bash"} {
			got := strings.Split(strings.TrimSuffix(output(t, shell, "-c", script), "\x00"), "\x00")
			compareValues(t, shell+", "+form, got, values)
		}
	}
}

func TestValuesInJSON(t *testing.T) {
	t.Parallel()
	values := append(multiline, nasty...)
	src := stampAll(t, "json", "[\n\"x\"", "]\n", values,
		func(int) string { return ",\n{\"rev\": \"x\"}" },
		func(int) string { return "[1].rev" })
	path := tempFile(t, "a.json", src)
	var got []string
	read := func(text []byte) {
		t.Helper()
		var list []json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, item := range list[1:] {
			var o struct{ Rev string }
			if err := json.Unmarshal(item, &o); err != nil {
				t.Fatal(err)
			}
			got = append(got, o.Rev)
		}
	}
	read(src)
	compareValues(t, "encoding/json", got, values)
	read([]byte(output(t, "php", "-r", `echo json_encode(json_decode(file_get_contents($argv[1]), false, 9, JSON_THROW_ON_ERROR));`, path)))
	compareValues(t, "php", got, values)
}

func TestValuesInYAML(t *testing.T) {
	t.Parallel()
	forms := map[string][3]string{
		"plain": {"", "k%d: x\n", ""}, "single": {"", "k%d: 'x' # c\n", ""}, "double": {"", "k%d: \"x\"\n", ""},
		"flow": {"{", "k%d: x, ", "z: z}\n"}, "list": {"", "k%d: [x]\n", ""},
	}
	for form, text := range forms {
		src := stampAll(t, "yaml", text[0], text[2], nasty,
			func(i int) string { return fmt.Sprintf(text[1], i) },
			func(i int) string {
				if form == "list" {
					return fmt.Sprintf("k%d[0]", i)
				}
				return fmt.Sprint("k", i)
			})
		var m map[string]any
		if err := yaml.Unmarshal(src, &m); err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		var got []string
		for i := range nasty {
			v := m[fmt.Sprint("k", i)]
			if list, ok := v.([]any); ok && len(list) == 1 {
				v = list[0]
			}
			s, ok := v.(string)
			if !ok {
				t.Errorf("%s: %q was read as %T %v", form, nasty[i], v, v)
			}
			got = append(got, s)
		}
		compareValues(t, "yaml.v3, "+form, got, nasty)
	}
}

func TestNastyIsWhatItClaims(t *testing.T) {
	t.Parallel()
	for _, v := range nasty {
		if !utf8.ValidString(v) || checkValue(v, false, format{}) != nil {
			t.Errorf("%q cannot be stamped everywhere", v)
		}
	}
}

// answers runs a program that prints one line of JSON for each of n questions.
func answers(t *testing.T, in io.Reader, n int, name string, args ...string) []json.RawMessage {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stderr = in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v, %s", name, err, &stderr)
	}
	var lines []json.RawMessage
	for line := range bytes.Lines(out) {
		lines = append(lines, json.RawMessage(line))
	}
	if len(lines) != n {
		t.Fatalf("%s answered %d of %d questions: %s", name, len(lines), n, &stderr)
	}
	return lines
}
