package stamp

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"revstamp/testdata/need"
)

// phpEvaluate returns the type and the value of each expression after PHP
// included src.
func phpEvaluate(t *testing.T, src []byte, expressions []string) (types, values []string) {
	t.Helper()
	need.Program(t, "php")
	var stderr bytes.Buffer
	cmd := exec.Command("php", "-d", "display_errors=stderr", "testdata/php/evaluate.php", tempFile(t, "config.php", src))
	cmd.Stdin = strings.NewReader(strings.Join(expressions, "\n") + "\n")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("php: %v, %s", err, &stderr)
	}
	for line := range strings.Lines(string(out)) {
		kind, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		text, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			t.Fatalf("php: %q: %v", line, err)
		}
		types, values = append(types, kind), append(values, string(text))
	}
	return types, values
}

// TestValuesInPHPPlaces stamps values, those with line feeds too, at every kind
// of place at once, and has PHP read them.
func TestValuesInPHPPlaces(t *testing.T) {
	t.Parallel()
	values := append(append([]string{}, nasty...), bytesOnly...)
	values = append(values, "</script>", "<?php", "<?=", "?>\n", "a\nb", "\n", "\nEOT;\n", "$x\n{$y}", "'\n\"", "\\\n", "\\n\n", "//\n$x = 1;", "*/\n")
	places := []struct{ line, key, expression string }{
		{`$c['s%d'] = 'x'; // 'x' ?>html<?php` + "\n", `$c['s%d']`, `$c['s%d']`},
		{`$c["d%d"] = "x" ?><p>$c["d%d"] = "no"</p><?php` + "\n", `$c['d%d']`, `$c['d%d']`},
		{`$c['n%d'] = array(5 => ['deep' => "x"], 'x');` + "\n", `$c['n%d'][5]['deep']`, `$c['n%d'][5]['deep']`},
		{`$c['e%d'] = ['x', 'x',];` + "\n", `$c['e%d'][1]`, `$c['e%d'][1]`},
		{`$c['b%d'] = b'x'; /* 'x' */` + "\n", `$c['b%d']`, `$c['b%d']`},
		{`define('App\D%d', "x");` + "\n", `App\D%d`, `App\D%d`},
		{`const K%d = 'x', L%d = 'y';` + "\n", `K%d`, `App\K%d`},
		{`class C%d { const A = 'y', R = "x"; }` + "\n", `C%d::R`, `App\C%d::R`},
		{`class P%d { public static $p = ['a' => ['x']]; }` + "\n", `App\P%d::$p['a'][0]`, `App\P%d::$p['a'][0]`},
	}
	numbered := func(text string, i int) string { return strings.ReplaceAll(text, "%d", fmt.Sprint(i)) }
	src := "<?php namespace App;\n"
	last := "return [\n"
	var targets []Target
	var expressions, want []string
	for i, value := range values {
		for _, p := range places {
			src += numbered(p.line, i)
			targets = append(targets, Target{File: "config.php", Key: numbered(p.key, i), Value: value, Newlines: true})
			expressions, want = append(expressions, numbered(p.expression, i)), append(want, value)
		}
		last += fmt.Sprintf("\t'r%d' => 'x', # 'x'\n", i)
		targets = append(targets, Target{File: "config.php", Key: fmt.Sprintf("return['r%d']", i), Value: value, Newlines: true})
		expressions, want = append(expressions, fmt.Sprintf("$return['r%d']", i)), append(want, value)
	}
	src += last + "];\n"
	out, changes, err := Edit([]byte(src), targets)
	if err != nil {
		t.Fatal(err)
	}
	if len(changes) != len(targets) || bytes.Count(out, []byte("\n")) != strings.Count(src, "\n") {
		t.Errorf("%d changes of %d, %d lines of %d", len(changes), len(targets), bytes.Count(out, []byte("\n")), strings.Count(src, "\n"))
	}
	types, got := phpEvaluate(t, out, expressions)
	compareValues(t, "php", got, want)
	for i, kind := range types {
		if kind != "string" {
			t.Errorf("%s: %q was read as %s", expressions[i], want[i], kind)
		}
	}
}

// TestPHPPrograms puts programs together at random from statements that all
// run, and compares what is found in them with what PHP has afterwards.
func TestPHPPrograms(t *testing.T) {
	t.Parallel()
	statements := []struct {
		text  string
		finds int // keys with a literal
	}{
		{`$c['a%d'] = 'x%d';`, 1},
		{`$c [ "b%d" ] /* = 'no' */ = "x\x41\$%d" ;`, 1},
		{`$c['c%d']['k'][3] = %d;`, 1},
		{`$c['d%d'] = ['k' => 'x', 'l' => array('m' => -%d, true, 7 => 1.5, null, '9' => "nine", 'ten'), 'fn' => fn($x) => ['k' => 'no']];`, 7},
		{`$c['e%d'] = $c['f%d'] = 'no';`, 0},
		{`if (true) $c['g%d'] = 'x';`, 1},
		{`if (false): elseif ($c['h%d'] = true): $c['i%d'] = 'x'; else: endif;`, 1},
		{`switch (1) { case 2: break; case 1: $c['j%d'] = 'x'; break; default: }`, 1},
		{`for ($c['k%d'] = 0; $c['k%d'] < 1; $c['k%d']++) $c['l%d'] = 0x1F;`, 1},
		{`foreach ([1] as $v) { $c['m%d'] = "it's"; }`, 1},
		{`do $c['n%d'] = 'x'; while (false);`, 1},
		{`(function () { global $c; $c['o%d'] = 'x'; return ['no' => 'no']; })();`, 1},
		{`define('P%d', 'x'); defined('Q%d') || define("Q%d", 0b11);`, 2},
		{`const R%d = 'x', S%d = ['k' => 'x'], T%d = S%d['k'] . 'y';`, 2},
		{`class U%d { const V = 'x', W = self::V; public static $x = ['k' => 'x'], $y = 1_000; function f($c = ['no' => 1]) { return ['no' => 'no']; } }`, 3},
		{`enum X%d: string { case A = 'a'; case Const = 'b'; const C = 'x'; }`, 1},
		{`['k' => $c['y%d']] = ['k' => 'no'];`, 0},
		{`$c['z%d'] = match (true) { default => 'no' };`, 0},
		{`$c['aa%d'] = true ? 'no' : 'no';`, 0},
		{`$c['ab%d'] = <<<E` + "\n \\$c['no'] = 'no';\n E;", 0},
		{`$no = "\$c['no'] = 'no'; {$c['no']}" . '$c["no"] = "no";';`, 0},
		{`$c['ac%d'] ??= 'no'; $c['ad%d'] = '' . 'no';`, 0},
		{`$c['ae%d'] = <<<'E'` + "\n$c['no'] = 'no';\nE . 'no';", 0},
		{`$c['af%d'] = '?>' ?>$c['no'] = 'no';<?php`, 1},
		{`// $c['no'] = 'no'; ?>` + "\n$c['no'] = 'no'; <?php ", 0},
		{`# $c['no'] = 'no';` + "\n", 0},
		{`/* $c['no'] = 'no'; ?> */`, 0},
		{"?>\r\n<?= $no = 'no' ?>\n<?php ", 0},
		{"\r#[Attr(['no' => 'no'])] function f%d(&$c = ['no' => 'no'], ...$d) { }", 0},
		{`$c['ag%d'] = new class(['no' => 'no']) { const NO = 'no'; public $no = 'no'; };`, 0},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	src := "<?php\n$c = ['no' => ''];\n"
	want := 1
	for i := range 600 {
		s := statements[rng.IntN(len(statements))]
		src += strings.ReplaceAll(s.text, "%d", fmt.Sprint(i)) + []string{" ", "\n", "\r\n", "\t"}[rng.IntN(4)]
		want += s.finds
	}
	src += "return ['k' => 'last'];\n"
	want++
	all, err := collect(php{}, src)
	if err != nil {
		t.Fatal(err)
	}
	var found []literal
	var expressions []string
	for _, l := range all {
		if l.refused == "" && !strings.HasPrefix(l.key, "class@anonymous") { // which no key can name
			found, expressions = append(found, l), append(expressions, strings.Replace(l.key, "return[", "$return[", 1))
		}
	}
	if len(found) != want {
		t.Errorf("%d literals found, want %d", len(found), want)
	}
	types, values := phpEvaluate(t, []byte(src), expressions)
	kinds := map[string]string{"string": "string", "integer": "int", "double": "float", "boolean": "bool", "NULL": "null"}
	for i, l := range found {
		same := values[i] == l.text
		if l.kind == "int" {
			same = values[i] == phpIntValue(t, l.text)
		}
		if !same || kinds[types[i]] != l.kind {
			t.Errorf("%s = %s %q, PHP has %s %q", l.key, l.kind, l.text, types[i], values[i])
		}
	}
	t.Logf("%d literals of %d keys compared", len(found), len(all))
}

func phpIntValue(t *testing.T, text string) string {
	t.Helper()
	var n int64
	if _, err := fmt.Sscanf(text, "%v", &n); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return fmt.Sprint(n)
}

func TestPHPCorpusKeys(t *testing.T) {
	t.Parallel()
	need.Program(t, "php")
	all := sources(t, "php", need.Corpus(t, "mediawiki", "wordpress")...)
	testCorpusKeys(t, "php", all, 1000, func(t *testing.T, all []stamped) []string {
		var in bytes.Buffer
		for _, s := range all {
			fmt.Fprintln(&in, s.start, base64.StdEncoding.EncodeToString(s.text))
		}
		cmd := exec.Command("php", "-d", "short_open_tag=0", "-d", "memory_limit=-1", "testdata/php/strings.php")
		cmd.Stdin = &in
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("php: %v", err)
		}
		var values []string
		for line := range strings.Lines(string(out)) {
			value, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\n"))
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, string(value))
		}
		return values
	})
}
