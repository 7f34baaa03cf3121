package stamp

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revstamp/testdata/need"
)

// Three dotenv libraries read what is stamped as a shell does, as far as they
// can hold it at all.
func TestValuesInDotenv(t *testing.T) {
	t.Parallel()
	dirs := need.Corpus(t, "python3-dotenv", "ruby-dotenv", "php-symfony-dotenv")
	gems, err := filepath.Glob(filepath.Join(dirs[1], "usr/share/rubygems-integration/all/gems/dotenv-*/lib"))
	if err != nil || len(gems) != 1 {
		t.Fatalf("ruby-dotenv: %v, %v", gems, err)
	}
	escapes := func(v string) bool { return strings.Contains(v, "'") && strings.ContainsAny(v, "$`\\") }
	for name, reader := range map[string]struct {
		command []string
		cannot  func(value string) bool
	}{
		"python-dotenv": {
			[]string{need.DebianPython, "testdata/env/read.py", filepath.Join(dirs[0], "usr/lib/python3/dist-packages")},
			func(v string) bool {
				return escapes(v) || strings.Contains(v, "${") || strings.HasSuffix(v, `\`) || strings.Contains(v, `\\`)
			},
		},
		"ruby dotenv":    {[]string{"ruby", "-I", gems[0], "testdata/env/read.rb"}, escapes},
		"symfony/dotenv": {[]string{"php", "testdata/env/read.php", filepath.Join(dirs[2], "usr/share/php/Symfony/Component/Dotenv")}, escapes},
	} {
		values := slices.DeleteFunc(slices.Clone(nasty), reader.cannot)
		t.Logf("%s: %d of %d values", name, len(values), len(nasty))
		for form, line := range map[string]string{"bare": "K%d=x\n", "single": "K%d='x' # c\n", "double": "K%d=\"x\"\n"} {
			src := stampAll(t, "env", "# head\n", "", values,
				func(i int) string { return fmt.Sprintf(line, i) },
				func(i int) string { return fmt.Sprint("K", i) })
			var got []string
			for line := range strings.Lines(output(t, reader.command[0], append(reader.command[1:], tempFile(t, ".env", src))...)) {
				value, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\n"))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(value))
			}
			compareValues(t, name+", "+form, got, values)
		}
	}
}

// TestEnvOnPieces puts files together at random from what is hard, and compares
// each value that is found with what a shell has afterwards.
func TestEnvOnPieces(t *testing.T) {
	t.Parallel()
	pieces := strings.Split("x|x y|'|'|\"|\"|'a b'|\"a b\"|\\|\\\"|\\$|$A|`|#|# | |\t|\n|1|.5|x|1.2|-|feature/y|é|a#b|'#'|''|\"\"|:|*|%|!|=|~x|C=|\nD=", "|")
	starts := []string{"A=", "A=", "A=", "export A=", " \tA=", "export\tA =", "A= ", "# A=", "export A\n", "A"}
	rng := rand.New(rand.NewPCG(1, 2))
	var script strings.Builder
	var want []literal
	script.WriteString("set -f; PATH=\n")
	parseErrors, refused := 0, 0
	for range 8000 {
		src := ""
		for _, name := range "ABE" {
			src += strings.ReplaceAll(starts[rng.IntN(len(starts))], "A", string(name))
			for range rng.IntN(4) {
				src += pieces[rng.IntN(len(pieces))]
			}
			src += "\n"
		}
		all, err := collect(env{}, src)
		if err != nil {
			parseErrors++
			continue
		}
		// What is no literal, or no name or no assignment to a shell, can be anything to a shell.
		others := slices.ContainsFunc(all, func(l literal) bool {
			return l.refused != "" || strings.Contains(l.key, ".") || !strings.HasSuffix(src[:l.start], l.key+"=")
		})
		if others {
			refused++
			continue
		}
		for i, l := range all {
			last := !slices.ContainsFunc(all[i+1:], func(m literal) bool { return m.key == l.key })
			if last {
				quoted := "'" + strings.ReplaceAll(src, "'", `'\''`) + "'"
				fmt.Fprintf(&script, "(unset A B C D E; eval %s\nprintf '%%s\\0' \"$%s\") 2>/dev/null\n", quoted, l.key)
				want = append(want, l)
			}
		}
	}
	got := strings.Split(strings.TrimSuffix(output(t, "sh", tempFile(t, "script", []byte(script.String()))), "\x00"), "\x00")
	if len(got) != len(want) {
		t.Fatalf("sh: %d values, want %d", len(got), len(want))
	}
	for i, l := range want {
		if got[i] != l.text {
			t.Errorf("%s: sh has %q, we %q", l.key, got[i], l.text)
		}
	}
	t.Logf("%d values compared; of 8000 files %d do not parse, %d hold more than literals", len(want), parseErrors, refused)
	if len(want) < 1000 {
		t.Error("too few values to compare")
	}
}
