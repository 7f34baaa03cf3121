package templates_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"revstamp/assets"
	"revstamp/templates"
	"revstamp/testdata/need"
)

// paths are what templates ask for: what is there and what is not, in every
// spelling.
var paths = []string{
	"css/site.css", "/css/site.css", "//css/site.css", "css/site.css?x=1", "css/site.css#top", "css/site.css?x=1&y=2#top",
	"img/a b&c.png", "img/é'\"<.svg#i", "img/%41.png", "none.css", "/none.css?x#y", "", "#a", "?b", "css", "__proto__", "constructor",
}

// site has the assets that paths name, and the content says which release it is.
func site(t *testing.T, content string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"css/site.css", "img/a b&c.png", "img/é'\"<.svg", "img/%41.png"} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// write puts the manifest of a release in place, as a release does.
func write(t *testing.T, file string, s *assets.Site, revision string) {
	t.Helper()
	m, err := s.Manifest(t.Context(), assets.ManifestOptions{Revision: revision, Origins: []string{"https://a.example", "https://b.example"}})
	if err != nil {
		t.Fatal(err)
	}
	data, err := m.Encode("")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".new", data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// answers is what one process or template says of all paths.
type answers struct {
	Revision string
	URLs     []string
	Hashes   []string
}

// goAnswers are those of the FuncMap.
func goAnswers(t *testing.T, file string) (a answers) {
	t.Helper()
	m, err := templates.Open(file, templates.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	page := template.Must(template.New("page").Funcs(m.FuncMap()).Parse(
		`{{revision}}{{range .}}{{"\x00"}}{{asset .}}{{"\x00"}}{{integrity .}}{{end}}`))
	var b strings.Builder
	if err := page.Execute(&b, paths); err != nil {
		t.Fatal(err)
	}
	said := strings.Split(b.String(), "\x00")
	a.Revision = said[0]
	for i := 1; i < len(said); i += 2 {
		a.URLs, a.Hashes = append(a.URLs, said[i]), append(a.Hashes, said[i+1])
	}
	return a
}

var fingerprinted = regexp.MustCompile(`/static%20%C3%A9/css/site\.[0-9a-f]{8}\.css$`)

// interpreters are programs that load a helper from the directory that they are
// in, and then answer each line of JSON, a list of paths, with one.
var interpreters = []struct {
	language string
	command  []string
	file     string
	program  string
}{
	{"php", []string{"php"}, "main.php", `<?php
require 'revstamp.php';
while (($line = fgets(STDIN)) !== false) {
	$paths = json_decode($line, true);
	echo json_encode(['Revision' => Revstamp\revision(), 'URLs' => array_map('Revstamp\asset', $paths), 'Hashes' => array_map('Revstamp\integrity', $paths)]), "\n";
}`},
	{"twig", []string{"php"}, "main.php", `<?php
require 'Twig/autoload.php';
require 'revstamp-twig.php';
$twig = new \Twig\Environment(new \Twig\Loader\ArrayLoader(['page' =>
	'{"Revision": {{ revision()|json_encode|raw }}, "URLs": [{% for p in paths %}{{ asset(p)|json_encode|raw }}{{ loop.last ? "" : "," }}{% endfor %}],'
	. ' "Hashes": [{% for p in paths %}{{ integrity(p)|json_encode|raw }}{{ loop.last ? "" : "," }}{% endfor %}]}']));
$twig->addExtension(new Revstamp\Twig());
while (($line = fgets(STDIN)) !== false) {
	echo $twig->render('page', ['paths' => json_decode($line, true)]), "\n";
}`},
	{"jinja", []string{"python3"}, "main.py", `
import json, sys
import jinja2, revstamp_assets
environment = jinja2.Environment(autoescape=True)
revstamp_assets.install(environment)
page = environment.from_string('{"Revision": {{ revision()|tojson }}, "URLs": [{% for p in paths %}{{ asset(p)|tojson }}{{ "" if loop.last else "," }}{% endfor %}],'
	' "Hashes": [{% for p in paths %}{{ integrity(p)|tojson }}{{ "" if loop.last else "," }}{% endfor %}]}')
for line in sys.stdin:
	print(page.render(paths=json.loads(line)), flush=True)
`},
	{"erb", []string{"ruby"}, "main.rb", `
require 'erb'
require 'json'
require_relative 'revstamp'
include Revstamp
page = ERB.new('<%= JSON.generate({ "Revision" => revision, "URLs" => paths.map { |p| asset(p) }, "Hashes" => paths.map { |p| integrity(p) } }) %>')
$stdout.sync = true
while (line = $stdin.gets)
	paths = JSON.parse(line)
	puts page.result(binding)
end
`},
	{"js", []string{"node"}, "main.js", `
const { asset, integrity, revision } = require('./revstamp.js');
require('readline').createInterface({ input: process.stdin }).on('line', line => {
	const paths = JSON.parse(line);
	console.log(JSON.stringify({ Revision: revision(), URLs: paths.map(asset), Hashes: paths.map(integrity) }));
});
`},
}

// TestHelpers has every helper answer in its own interpreter as the FuncMap
// does, from one process before and after a new release, and while the manifest
// is missing.
func TestHelpers(t *testing.T) {
	t.Parallel()
	for _, in := range interpreters {
		t.Run(in.language, func(t *testing.T) {
			t.Parallel()
			need.Program(t, in.command...)
			dir := t.TempDir()
			// A name that ends a string where it is not escaped.
			manifest := filepath.Join(dir, `it's "a" \ manifest.json`)
			name, source, err := templates.Helper(in.language, filepath.Base(manifest))
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{name: string(source), in.file: in.program} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write(t, manifest, &assets.Site{FS: os.DirFS(site(t, "one")), URL: "/static é/"}, "41")
			ask := start(t, dir, append(in.command, in.file)...)
			first := goAnswers(t, manifest)
			if d := cmp.Diff(first, ask()); d != "" {
				t.Errorf("-go +%s:\n%s", in.language, d)
			}
			write(t, manifest, &assets.Site{FS: os.DirFS(site(t, "two")), URL: "/static é/", Rev: "4168:4172M <&"}, "42")
			second := goAnswers(t, manifest)
			if d := cmp.Diff(second, ask()); d != "" {
				t.Errorf("after a release, -go +%s:\n%s", in.language, d)
			}
			if first.Revision == second.Revision || cmp.Equal(first.URLs, second.URLs) || cmp.Equal(first.Hashes, second.Hashes) {
				t.Errorf("the two releases are told apart by nothing: %v, %v", first, second)
			}
			write(t, manifest, &assets.Site{FS: os.DirFS(site(t, "three")), URL: "/static é/", Style: assets.ByName}, "43")
			second = goAnswers(t, manifest)
			if d := cmp.Diff(second, ask()); d != "" {
				t.Errorf("with versions in names, -go +%s:\n%s", in.language, d)
			}
			if !fingerprinted.MatchString(second.URLs[0]) {
				t.Errorf("no fingerprint in %s", second.URLs[0])
			}
			for _, broken := range []func() error{
				func() error { return os.Remove(manifest) },
				func() error { return os.WriteFile(manifest, []byte(`{"format": 2, "url": "/", "assets": {}}`), 0o644) },
				func() error { return os.WriteFile(manifest, []byte(`{"format"`), 0o644) },
			} {
				if err := broken(); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(second, ask()); d != "" {
					t.Errorf("without a manifest, -before +%s:\n%s", in.language, d)
				}
			}
		})
	}
}

// TestHelperShares has requests of PHP, which keep nothing, share the manifest: one
// for which it is missing or damaged answers as the one before.
func TestHelperShares(t *testing.T) {
	t.Parallel()
	need.Program(t, "php")
	dir := t.TempDir()
	manifest := filepath.Join(dir, "manifest.json")
	_, source, err := templates.Helper("php", "manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "revstamp.php", string(source))
	put(t, dir, "index.php", `<?php require 'revstamp.php'; echo Revstamp\revision();`)
	write(t, manifest, &assets.Site{FS: os.DirFS(site(t, "one"))}, "41")
	at := serve(t, func(port string) *exec.Cmd {
		return exec.Command("php", "-d", "apc.enabled=1", "-d", "apc.enable_cli=1", "-S", "127.0.0.1:"+port, "-t", dir)
	})
	answers := func(want string) {
		t.Helper()
		r, err := http.Get(at)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if body, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK || string(body) != want {
			t.Errorf("%d: %s, %v, want %s", r.StatusCode, body, err, want)
		}
	}
	answers("41")
	put(t, dir, "manifest.json", `{"format"`)
	answers("41")
	if err := os.Remove(manifest); err != nil {
		t.Fatal(err)
	}
	answers("41")
	// Of another size: within a second PHP sees no more of a file whose inode is used again.
	write(t, manifest, &assets.Site{FS: os.DirFS(site(t, "two"))}, "4168")
	answers("4168")
	answers("4168")
}

// start runs a program, and returns what asks it for all paths.
func start(t *testing.T, dir string, command ...string) func() answers {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", command[0], err)
		}
	})
	lines := bufio.NewReader(out)
	return func() (a answers) {
		t.Helper()
		question, err := json.Marshal(paths)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(in, "%s\n", question)
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%s: %v", command[0], err)
		}
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%s: %v in %s", command[0], err, line)
		}
		return a
	}
}

func TestHelperRefuses(t *testing.T) {
	for _, tt := range []struct{ language, manifest string }{
		{"cobol", "m.json"}, {"php", ""}, {"php", "a\nb"}, {"js", "a\xff"}, {"erb", "a\x00"},
	} {
		if name, _, err := templates.Helper(tt.language, tt.manifest); err == nil {
			t.Errorf("Helper(%q, %q) = %s", tt.language, tt.manifest, name)
		}
	}
}
