package config

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// Whatever the bytes, reading them ends in a configuration or in errors that
// each have a place and a text; and a configuration that is written out in
// other words reads as the same one.
func FuzzParse(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/bad.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		f.Add(file.Data)
	}
	f.Add([]byte("site: shop\nstamp: [{file: a, key: b}]\njobs: {servers: [a], queue: [{function: f}], workers: {f: {command: [x], env: {A: b}}}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg, err := Parse("f", text)
		if err != nil {
			for _, e := range err.(Errors) {
				if e.Line < 1 || e.Detail == "" || e.File != "f" {
					t.Errorf("Parse(%q): %#v", text, e)
				}
			}
			return
		}
		again, err := Parse("f", []byte(write(cfg)))
		if err != nil {
			t.Fatalf("%q was accepted, but not\n%s\n%v", text, write(cfg), err)
		}
		if diff := cmp.Diff(cfg, again, noPos); diff != "" {
			t.Errorf("%q, rewritten:\n%s", text, diff)
		}
	})
}

// write is c as a configuration file, everything quoted. Go's quoting to
// ASCII is YAML's as well.
func write(c *Config) string {
	var b strings.Builder
	q := strconv.QuoteToASCII
	put := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	list := func(all []string) string {
		var quoted []string
		for _, s := range all {
			quoted = append(quoted, q(s))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	optional := func(key, s string) {
		if s != "" {
			put("%s: %s, ", key, q(s))
		}
	}
	put("site: %s\nstate: %s\nowner: %s\nbackups: { keep: %d }\n", q(c.Site), q(c.State), q(string(c.Owner)), c.Backups.Keep)
	put("source: { path: %s, update: %s }\nstamp: [", q(c.Source.Path), q(c.Source.Update))
	for _, s := range c.Stamp {
		put("{ file: %s, value: %s, ", q(s.File), q(s.Value))
		optional("key", s.Key)
		optional("match", s.Match)
		optional("placeholder", s.Placeholder)
		optional("format", s.Format)
		optional("type", s.Type)
		put("newlines: %t, ", s.Newlines)
		put("occurrence: %s }, ", map[bool]string{true: "all", false: "one"}[s.All])
	}
	put("]\n")
	if a := c.Assets; a != nil {
		put("assets: { root: %s, url: %s, hosts: %s, version: %s, param: %s, rewrite: %s, strict: %t }\n",
			q(a.Root), q(a.URL), list(a.Hosts), a.Version, q(a.Param), list(a.Rewrite), a.Strict)
	}
	put("jobs:\n  follow: %s\n  servers: %s\n", c.Jobs.Follow, list(c.Jobs.Servers))
	if t := c.Jobs.TLS; t != (TLS{}) {
		put("  tls: { ")
		optional("ca", t.CA)
		optional("cert", t.Cert)
		optional("key", t.Key)
		put("}\n")
	}
	put("  queue: [")
	for _, j := range c.Jobs.Queue {
		put("{ function: %s, workload: %s, priority: %s, wait: %s }, ", q(j.Function), q(j.Workload), j.Priority, j.Wait)
	}
	put("]\n  workers: {")
	for name, w := range c.Jobs.Workers {
		put("? %s\n : { command: %s, timeout: %s, concurrency: %d, env: {", q(name), list(w.Command), w.Timeout, w.Concurrency)
		for _, e := range w.Env {
			key, val, _ := strings.Cut(e, "=")
			put("? %s\n : %s, ", q(key), q(val))
		}
		put("} }, ")
	}
	put("}\n")
	return b.String()
}
