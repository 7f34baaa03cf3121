package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// noPos compares what a configuration says, wherever it says it.
var noPos = cmp.Options{cmpopts.IgnoreTypes(Pos{}), cmpopts.EquateEmpty()}

func accept(t *testing.T, text string) *Config {
	t.Helper()
	cfg, err := Parse("revstamp.yaml", []byte(text))
	if err != nil {
		t.Fatalf("Parse(%q) = %v", text, err)
	}
	return cfg
}

func TestDefaults(t *testing.T) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		File: filepath.Join(dir, "revstamp.yaml"), Dir: dir,
		Site:    "shop",
		Source:  Source{Path: ".", Number: Highest, Local: RefuseLocal, System: Git},
		State:   ".revstamp",
		Jobs:    Jobs{Follow: 15 * time.Minute, OnFailure: Warn},
		Backups: Backups{Keep: 10},
		Owner:   KeepOwner, Umask: -1, Layout: InPlace, Keep: 5, KeepFor: 5 * time.Minute, Unchanged: Copy,
	}
	got := accept(t, "site: shop\n")
	if diff := cmp.Diff(want, got, noPos); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEverything(t *testing.T) {
	cfg, err := Load("testdata/full.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Site:   "shop",
		Source: Source{Path: "src", Update: "1.10", Number: Highest, Local: SaveLocal, System: Git},
		State:  "../shop.revstamp",
		Stamp: []Stamp{
			{File: "config/config.php", Key: "$config['svn']", Value: "{{.Revision}}"},
			{File: "config/app.yaml", Key: "assets.rev", Value: "{{.Short}}", Format: "yaml", Type: "string"},
			{File: "page.html", Placeholder: "@REV@", Value: "42", Format: "plain", All: true},
			{File: "page.txt", Match: `rev=(\d+)`, Value: "{{.Number}}"},
		},
		Assets: &Assets{
			Root: "public", URL: "/static/", Hosts: []string{"cdn.example.com", "localhost:8080"},
			Version: ByDigest, Param: "rev", Rewrite: []string{"templates/**/*.php", "public/**/*.{html,css}"}, Strict: true,
			Style: ByName, Modules: AllModules, Keep: 2, Manifest: "public/manifest.json", Compress: []Coding{Gzip, Zstd},
		},
		Jobs: Jobs{
			Servers: []string{"127.0.0.1:4730", "[::1]:4731", "jobs.example.com:4730", "[2001:db8::1]:4730"},
			TLS:     TLS{CA: "/etc/ssl/jobs.pem", Cert: filepath.Join(cfg.Dir, "client.crt"), Key: filepath.Join(cfg.Dir, "client.key")},
			Queue: []Job{
				{Function: "warm_cache", Workload: `{"revision":"{{.Revision}}"}`, Priority: Normal, Wait: Background, Attempts: 3, Backoff: 5 * time.Second},
				{Function: "mail", Workload: "12", Priority: High, Wait: Foreground, Attempts: 1, Backoff: 10 * time.Second},
			},
			Workers: map[string]Worker{
				"warm_cache": {Command: []string{"./bin/warm", "8"}, Concurrency: 1},
				"mail":       {Command: []string{"./bin/mail"}, Timeout: 90 * time.Second, Concurrency: 4, Env: []string{"DEBUG=1", "TO=a@example.com"}},
			},
			Follow: 0, OnFailure: Warn,
		},
		Backups: Backups{Keep: 0},
		Hooks: []Hook{
			{Before: "update", Command: []string{"./bin/build", "--fast"}, Timeout: time.Hour, OnFailure: Rollback},
			{After: "activate", Shell: "touch done\n", Timeout: 10 * time.Minute, OnFailure: Warn},
			{After: "activate", PIDFile: "/run/php-fpm.pid", Timeout: 10 * time.Minute, OnFailure: Rollback},
		},
		Checks: []Check{{URL: "http://127.0.0.1/health", Host: "shop.example.org", Status: 204, Text: "{{.Short}}", Within: time.Minute}},
		Owner:  OwnerBestEffort, Umask: 0o027, Layout: InPlace, Keep: 5, KeepFor: 5 * time.Minute, Unchanged: Copy,
	}
	if diff := cmp.Diff(want, cfg, noPos, cmpopts.IgnoreFields(Config{}, "File", "Dir")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, want := cfg.Stamp[1].Pos, (Pos{"testdata/full.yaml", 8, 5}); got != want {
		t.Errorf("position of stamp[1] = %v, want %v", got, want)
	}
	if got, want := cfg.Abs("public/a.css"), filepath.Join(cfg.Dir, "public", "a.css"); got != want {
		t.Errorf("Abs = %q, want %q", got, want)
	}
}

func TestEncodings(t *testing.T) {
	for name, text := range map[string]string{
		"BOM":        "\ufeffsite: shop\n",
		"CRLF":       "site: shop\r\nstate: .a\r\n",
		"no newline": "site: shop",
		"comment":    "# a\nsite: shop # b\n",
		"document":   "---\nsite: shop\n...\n",
		"flow":       "{site: shop}",
		"anchor":     "site: &a shop\n",
		"tag":        "site: !!str shop\n",
	} {
		if got := accept(t, text).Site; got != "shop" {
			t.Errorf("%s: site = %q", name, got)
		}
	}
	for text, want := range map[string]string{
		"site: sh\xf6p\n":            "revstamp.yaml:1:9: is not UTF-8 text",
		"# ä\nsite: ä\xff\n":         "revstamp.yaml:2:8: is not UTF-8 text",
		"\xff\xfes\x00i\x00":         "revstamp.yaml:1:1: is not UTF-8 text",
		"site: shop\nstate: a\x1b\n": "revstamp.yaml:2:9: holds the character U+001B",
	} {
		_, err := Parse("revstamp.yaml", []byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("Parse(%q) = %v, want %s", text, err, want)
		}
	}
}

func TestOverlay(t *testing.T) {
	const base = `site: shop
source: { update: main }
stamp:
  - { file: a.php, key: rev }
jobs:
  servers: [a]
  queue: [ { function: warm } ]
  workers: { warm: { command: [./warm], timeout: 1m } }
`
	cfg, err := ParseEnv("revstamp.yaml", []byte(base), "etc/production.yaml", []byte(`
source: { update: stable }
jobs: { servers: [b, c], workers: { warm: { timeout: 5m }, mail: { command: [./mail] } } }
stamp: []
`))
	if err != nil {
		t.Fatal(err)
	}
	want := accept(t, strings.NewReplacer("main", "stable", "[a]", "[b, c]",
		"timeout: 1m }", "timeout: 5m }, mail: { command: [./mail] }",
		"\n  - { file: a.php, key: rev }", " []").Replace(base))
	want.Overlay = cfg.Overlay
	if diff := cmp.Diff(want, cfg, noPos); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if want := filepath.Join(cfg.Dir, "etc", "production.yaml"); cfg.Overlay != want {
		t.Errorf("Overlay = %q, want %q", cfg.Overlay, want)
	}
}

func TestOverlayErrors(t *testing.T) {
	for _, test := range []struct{ base, over, want string }{
		{"site: shop\nowner: me\n", "sitee: x\nstate: 1\n",
			"base:2:8: owner: \"me\" is not one of its values\nover:1:1: sitee: unknown key\nover:2:8: state: must be text, not a number"},
		{"site: shop\nowner: me\n", "owner: keep\n", ""},
		{"site: shop\n", "state: .a\nstate: .b\n", "over:2:1: state: given twice, first at line 1"},
		{"site: shop\nstate: .a\n", "state: .b\nstate: .c\n", "over:2:1: state: given twice, first at line 1"},
		{"site: shop\nstate: .a\nstate: .b\n", "state: .c\n", "base:3:1: state: given twice, first at line 2"},
		{"stamp: []\n", "site: x\nstamp: { file: a }\n", "over:2:8: stamp: must be a list, not a mapping"},
		{"site: shop\n", "", "over:1:1: is empty"},
		{"site: [\n", "- a\n", "base:1: not YAML: did not find expected node content\nover:1:1: must be a mapping, not a list"},
		{"source: {}\n", "state: x\n", "base:1:1: site: missing"},
	} {
		_, err := ParseEnv("base", []byte(test.base), "over", []byte(test.over))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q with %q over it:\n got %s\nwant %s", test.base, test.over, got, test.want)
		}
	}
}

func TestOverlayPath(t *testing.T) {
	for path, want := range map[string]string{
		"revstamp.yaml":          "revstamp.production.yaml",
		"/srv/a.b/revstamp.yaml": "/srv/a.b/revstamp.production.yaml",
		"conf":                   "conf.production",
	} {
		if got := Overlay(path, "production"); got != want {
			t.Errorf("Overlay(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestLoadWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:   "not a regular file",
		fifo:  "not a regular file",
		large: "larger than 1048576 bytes",
	} {
		want := fmt.Sprintf("configuration %q: %s", path, want)
		if _, err := Load(path, ""); err == nil || err.Error() != want {
			t.Errorf("Load(%s) = %v, want %q", path, err, want)
		}
	}
	missing := filepath.Join(dir, "missing.yaml")
	if _, err := Load(missing, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load(%s) = %v, want fs.ErrNotExist", missing, err)
	}
	good := filepath.Join(dir, "revstamp.yaml")
	if err := os.WriteFile(good, []byte("site: shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(good, missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load(%s, %s) = %v, want fs.ErrNotExist", good, missing, err)
	}
}

// A state directory may be named in ways that hide what it holds.
func TestStateHoldsSite(t *testing.T) {
	for state, ok := range map[string]bool{
		".revstamp": true, "var/state": true, "../shop.state": true, "./.": false,
		"../config": false, "a/..": false, "../../internal": false, "..": false,
	} {
		_, err := Parse("revstamp.yaml", []byte("site: shop\nstate: "+state+"\n"))
		if (err == nil) != ok {
			t.Errorf("state %q: %v", state, err)
		}
	}
}

func TestErrorsCarryTheirPlace(t *testing.T) {
	_, err := Parse("sub/revstamp.yaml", []byte("site: shop\nstamp: {}\nowner: 1\n"))
	var placed interface {
		error
		Position() (file string, line, column int)
	}
	if !errors.As(err, &placed) {
		t.Fatalf("%v has no position", err)
	}
	if file, line, column := placed.Position(); file != "sub/revstamp.yaml" || line != 2 || column != 8 {
		t.Errorf("position of %v = %s:%d:%d", err, file, line, column)
	}
	var one *Error
	if !errors.As(err, &one) || one.Key != "stamp" || one.Remedy() != one.Hint || one.Hint == "" {
		t.Errorf("first error = %#v", one)
	}
	if got := len(err.(Errors)); got != 2 {
		t.Errorf("%d errors, want 2: %v", got, err)
	}
}

func TestReleasesLayout(t *testing.T) {
	c, err := Parse("/srv/shop/revstamp.yaml", []byte(`
site: shop
layout: releases
source: { url: "https://git.example.org/shop.git", system: hg, update: stable }
stamp: [{ file: config.php, match: "rev=(.*)" }]
assets: { root: . }
shared: [storage/, .env]
keep: 3
keep_for: 1h
unchanged: link
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Shared{{Path: "storage", Dir: true}, {Path: ".env"}}
	if d := cmp.Diff(want, c.Shared, cmpopts.IgnoreFields(Shared{}, "Pos")); d != "" {
		t.Error(d)
	}
	if c.Layout != Releases || c.Keep != 3 || c.KeepFor != time.Hour || c.Umask != 0o022 || c.Unchanged != Link || c.Source.System != Hg || c.Source.URL != "https://git.example.org/shop.git" {
		t.Errorf("%+v", c)
	}
	if got := c.Abs("config.php"); got != "/srv/shop/current/config.php" {
		t.Errorf("Abs = %s", got)
	}
}

// What is promised for later must not be a key already.
func TestNotYet(t *testing.T) {
	for key, what := range notYet {
		text := "site: shop\nassets:\n  root: public\n"
		if section, name, ok := strings.Cut(key, "."); !ok {
			text += key + ": 1\n"
		} else if section == "assets" {
			text += "  " + name + ": 1\n"
		} else {
			text += section + ":\n  " + name + ": 1\n"
		}
		_, err := Parse("revstamp.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), key+": "+what+" is not in this version of revstamp yet") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestHookBeforeFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		layout        Layout
		before, after string
		want          bool
	}{
		{InPlace, "backup", "", true},
		{InPlace, "", "backup", true},
		{InPlace, "update", "", true},
		{InPlace, "", "update", false},
		{InPlace, "revision", "", false},
		{InPlace, "", "activate", false},
		{Releases, "update", "", true},
		{Releases, "", "revision", true},
		{Releases, "build", "", true},
		{Releases, "", "build", false},
		{Releases, "stamp", "", false},
	} {
		if got := (Hook{Before: c.before, After: c.after}).BeforeFiles(c.layout); got != c.want {
			t.Errorf("%s: a hook before %q, or after %q: BeforeFiles = %v", c.layout, c.before, c.after, got)
		}
	}
}
