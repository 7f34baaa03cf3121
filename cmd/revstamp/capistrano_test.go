package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// capfile, deployRB and stageRB make Capistrano release a site on this machine,
// without ssh, keeping as many releases as revstamp does.
const (
	capfile = `require "capistrano/setup"
require "capistrano/deploy"
require "capistrano/scm/git"
install_plugin Capistrano::SCM::Git
`
	deployRB = `set :application, "bench"
set :repo_url, %q
set :branch, "main"
set :deploy_to, %q
set :keep_releases, 2
set :sshkit_backend, SSHKit::Backend::Local
set :format_options, log_file: nil
`
	stageRB = `server "localhost", roles: %w{app}
`
)

// capistrano is a directory in which "cap site deploy" releases work to target.
func capistrano(b *testing.B, work, target string) func() error {
	b.Helper()
	dir := b.TempDir()
	for name, text := range map[string]string{
		"Capfile":               capfile,
		"config/deploy.rb":      fmt.Sprintf(deployRB, work, target),
		"config/deploy/site.rb": stageRB,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return runIn(dir, "cap", "site", "deploy")
}

// BenchmarkCapistrano releases into directories of their own, beside Capistrano:
// for the first time, with nothing to do, and after one of n files changed.
// Capistrano makes a whole release each time, and stamps nothing.
func BenchmarkCapistrano(b *testing.B) {
	if _, err := exec.LookPath("cap"); err != nil {
		b.Skip("no cap: it is in Debian's package capistrano")
	}
	program := buildCommand(b)
	for _, n := range []int{2000, 20000} {
		t := newBenchTree(b, n, "")
		site, target := filepath.Join(b.TempDir(), "site"), filepath.Join(b.TempDir(), "target")
		empty := func() {
			for _, dir := range []string{site, target} {
				if err := os.RemoveAll(dir); err != nil {
					b.Fatal(err)
				}
				if err := os.Mkdir(dir, 0o755); err != nil {
					b.Fatal(err)
				}
			}
			conf := fmt.Sprintf("site: bench\nlayout: releases\nkeep: 2\nkeep_for: 0s\nsource: { url: %q }\n"+
				"stamp: [{ file: config.php, key: \"$config['rev']\" }]\n", t.work)
			if err := os.WriteFile(filepath.Join(site, "revstamp.yaml"), []byte(conf), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		release, deploy := runIn(site, program, "release"), capistrano(b, t.work, target)
		for _, situation := range []struct {
			name   string
			before func()
		}{
			{"first", empty},
			{"nothing", func() {}},
			{"one", func() { t.change(b) }},
		} {
			b.Run(fmt.Sprintf("files=%d/%s", n, situation.name), func(b *testing.B) {
				watch := stopwatch{}
				for b.Loop() {
					b.StopTimer()
					situation.before()
					b.StartTimer()
					watch.time(b, "revstamp", release)
					watch.time(b, "cap", deploy)
				}
				watch.report(b)
			})
		}
	}
}
