package stamp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"revstamp/testdata/need"
)

// yamlSources are the YAML files of the corpora: locales of Ruby on Rails,
// Ansible's, Netplan's and Prometheus's configuration, OpenAPI documents.
func yamlSources(t *testing.T) []source {
	t.Helper()
	return sources(t, "yaml", need.Corpus(t, "redmine", "mediawiki", "ruby-activerecord", "ruby-faker", "ansible-core", "netplan.io",
		"golang-github-go-openapi-analysis-dev", "golang-github-go-openapi-spec-dev", "golang-github-getkin-kin-openapi-dev",
		"golang-github-prometheus-common-dev")...)
}

// askYAML asks a reader for what has a key in files, a line of JSON for each.
func askYAML(t *testing.T, reader string, lines []string) []string {
	t.Helper()
	need.Program(t, need.DebianPython)
	cmd := exec.Command(need.DebianPython, "testdata/yaml/keys.py", reader)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", reader, err)
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != len(lines) {
		t.Fatalf("%s: %d answers to %d questions", reader, len(answers), len(lines))
	}
	return answers
}

// All keys of real files, where their values begin and end and what they are,
// agree with PyYAML, by either way of reading them here.
func TestYAMLCorpus(t *testing.T) {
	t.Parallel()
	all := yamlSources(t)
	var names []string
	for _, src := range all {
		names = append(names, src.name)
	}
	answers := askYAML(t, "pyyaml", names)
	files, refused, fast, keys := 0, 0, 0, 0
	for i, src := range all {
		if len(src.text) < 32<<10 || i%8 == 0 { // the parser is slow
			agree(t, src.name, src.text)
		}
		if _, ok := scannedYAML(string(src.text)); ok {
			fast++
		}
		got, err := collect(yamlLang{}, string(src.text))
		var want [][]any
		if uerr := json.Unmarshal([]byte(answers[i]), &want); uerr != nil {
			t.Fatal(uerr)
		}
		if err != nil || want == nil {
			t.Logf("%s: refused: %v; by PyYAML: %v", src.name, err, want == nil)
			refused++
			continue
		}
		files++
		keys += len(got)
		compareYAMLKeys(t, src, got, want)
	}
	t.Logf("%d files with %d keys compared, %d refused, %d read by yamlScan", files, keys, refused, fast)
	if files < 600 || refused > files/50 || fast < files*95/100 {
		t.Errorf("%d files compared, %d refused, %d read by yamlScan", files, refused, fast)
	}
}

// compareYAMLKeys compares with what testdata/yaml/keys.py prints.
func compareYAMLKeys(t *testing.T, src source, got []literal, want [][]any) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d keys, want %d", src.name, len(got), len(want))
		return
	}
	at := newWalker(string(src.text))
	for i, l := range got {
		w := want[i]
		if l.key != w[0] {
			t.Errorf("%s: key %d is %s, want %s", src.name, i, l.key, w[0])
			return
		}
		if (len(w) == 1) != (l.kind == "") {
			t.Errorf("%s: %s is %s, want %v", src.name, l.key, l.refused, w)
		}
		if len(w) == 1 || l.refused == "empty" {
			continue
		}
		if l.text != w[1] && !(l.kind == "bool" && strings.EqualFold(l.text, fmt.Sprint(w[1]))) {
			t.Errorf("%s: %s is %q, want %q", src.name, l.key, l.text, w[1])
		}
		if l.refused != "" {
			continue
		}
		line, column := at.position(l.start)
		if w[2] != nil && (float64(line-1) != w[2] || float64(column-1) != w[3]) {
			t.Errorf("%s: %s begins at %d:%d, want %v:%v from 0", src.name, l.key, line, column, w[2], w[3])
		}
		line, column = at.position(l.end)
		if float64(line-1) != w[4] || float64(column-1) != w[5] {
			t.Errorf("%s: %s ends at %d:%d, want %v:%v from 0", src.name, l.key, line, column, w[4], w[5])
		}
	}
}

// Odd texts, most of which only yaml.v3 reads here, mean to PyYAML the same.
func TestYAMLSoupInPyYAML(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	dir := t.TempDir()
	var all []source
	var names []string
	for i := 0; len(all) < 1500; i++ {
		src := source{filepath.Join(dir, fmt.Sprint(i, ".yaml")), []byte(yamlSoup(rng))}
		if _, ok := scannedYAML(string(src.text)); ok && i%4 > 0 {
			continue
		}
		if _, err := parsedYAML(string(src.text)); err != nil || strings.Contains(strings.ReplaceAll(string(src.text), "\r\n", ""), "\r") {
			continue // a carriage return ends a line, but not in the positions that are compared
		}
		if err := os.WriteFile(src.name, src.text, 0o600); err != nil {
			t.Fatal(err)
		}
		all, names = append(all, src), append(names, src.name)
	}
	refused := 0
	for i, answer := range askYAML(t, "pyyaml", names) {
		var want [][]any
		if err := json.Unmarshal([]byte(answer), &want); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			refused++
			continue
		}
		got, err := collect(yamlLang{}, string(all[i].text))
		if err != nil {
			t.Fatal(err)
		}
		compareYAMLKeys(t, all[i], got, want)
		if t.Failed() {
			t.Fatalf("%q", all[i].text)
		}
	}
	t.Logf("%d texts compared, %d refused by PyYAML alone", len(all)-refused, refused)
	if refused > len(all)/50 {
		t.Errorf("%d of %d texts refused by PyYAML", refused, len(all))
	}
}

func TestYAMLCorpusKeys(t *testing.T) {
	t.Parallel()
	testCorpusKeys(t, "yaml", yamlSources(t), 1000, func(t *testing.T, all []stamped) []string {
		dir := t.TempDir()
		values := make([]string, len(all))
		for _, reader := range []string{"pyyaml", "ruamel"} {
			var asked []int
			var lines []string
			for i, s := range all {
				if reader == "ruamel" && len(s.text) > 2<<10 {
					continue // it is slow
				}
				file := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
				if err := os.WriteFile(file, s.text, 0o600); err != nil {
					t.Fatal(err)
				}
				asked, lines = append(asked, i), append(lines, file+"\t"+s.key)
			}
			for i, answer := range askYAML(t, reader, lines) {
				s := all[asked[i]]
				var got []string
				if err := json.Unmarshal([]byte(answer), &got); err != nil || len(got) != 2 {
					t.Errorf("%s: %s:%d: %s is %s", reader, s.name, s.line, s.key, answer)
					continue
				}
				if got[1] != "tag:yaml.org,2002:str" || reader == "ruamel" && got[0] != values[asked[i]] {
					t.Errorf("%s: %s:%d: %s is %q of type %s", reader, s.name, s.line, s.key, got[0], got[1])
				}
				values[asked[i]] = got[0]
			}
			t.Logf("%d values read back by %s", len(lines), reader)
		}
		return values
	})
}
