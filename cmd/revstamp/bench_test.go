package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"revstamp/testdata/need"
)

// The benchmarks of stamp compare whole processes, side by side in one run:
// revstamp beside sed -i, and beside crudini where that reads the format. Of
// interest are the ratios, not the times:
//
//	x-sed      how many times as long as sed -i
//	of-limit   of what two runs of sed -i and two syncs of the file take; stamp
//	           syncs the file and its directory, which sed does not
//	x-crudini  how many times as long as crudini
//	x-shell    how many times as long as the script that revstamp began as
//	x-archive  how many times as long as git archive, unpacked by tar
//	x-cap      how many times as long as Capistrano

// buildCommand builds the command as it is shipped.
func buildCommand(b *testing.B) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "revstamp")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return program
}

// bigFile is a configuration of about a megabyte; one line of it is to change.
type bigFile struct {
	name    string
	section func(i int) string // of the file, each with a key of its own
	head    string
	tail    string
	key     string // of section 9000
}

var bigFiles = []bigFile{
	{
		name: "config.php", head: "<?php\n", key: "$config['section9000']['rev']",
		section: func(i int) string {
			return fmt.Sprintf("$config['section%d']['rev'] = 'value %d'; // a comment\n$config['section%d']['list'] = ['a', 2, \"c\"];\n", i, i, i)
		},
	},
	{
		name: "config.yaml", key: "section9000.rev",
		section: func(i int) string {
			return fmt.Sprintf("section%d:\n  name: value %d # a comment\n  list: [a, 2, \"c\"]\n  rev: 'value %d'\n", i, i, i)
		},
	},
	{
		name: "config.json", head: "{", tail: "\"last\": null}\n", key: "section9000.rev",
		section: func(i int) string {
			return fmt.Sprintf("\n  \"section%d\": {\n    \"list\": [\"a\", 2, \"c\"],\n    \"rev\": \"value %d\"\n  },", i, i)
		},
	},
	{
		name: "config.ini", key: "section9000.rev",
		section: func(i int) string {
			return fmt.Sprintf("[section%d]\n; a comment\nname = value %d\nrev = value %d\n\n", i, i, i)
		},
	},
}

// megabyte is the text of f.
func (f bigFile) megabyte() string {
	var b strings.Builder
	b.WriteString(f.head)
	for i := 0; b.Len() < 1<<20; i++ {
		b.WriteString(f.section(i))
	}
	b.WriteString(f.tail)
	return b.String()
}

// stopwatch adds up what each of several commands takes.
type stopwatch map[string]time.Duration

func (w stopwatch) time(b *testing.B, name string, do func() error) {
	b.Helper()
	began := time.Now()
	if err := do(); err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	w[name] += time.Since(began)
}

func runIn(dir, name string, args ...string) func() error {
	return func() error {
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "XDG_STATE_HOME="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
}

// syncs is what two fsyncs of text, written anew, take here.
func syncs(dir, text string) (time.Duration, error) {
	var took time.Duration
	for i := range 2 {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint("sync", i)))
		if err != nil {
			return 0, err
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took += time.Since(began)
	}
	return took, nil
}

// report gives the ratios of revstamp to the others.
func (w stopwatch) report(b *testing.B) {
	ours := float64(w["revstamp"])
	if sed := w["sed"]; sed > 0 {
		b.ReportMetric(ours/float64(sed), "x-sed")
		b.ReportMetric(ours/float64(2*sed+w["sync"]), "of-limit")
	}
	for _, other := range []string{"crudini", "shell", "archive", "cap"} {
		if took := w[other]; took > 0 {
			b.ReportMetric(ours/float64(took), "x-"+other)
		}
	}
	b.ReportMetric(ours/float64(b.N)/1e6, "ms/revstamp")
}

func BenchmarkStampOneKey(b *testing.B) {
	need.Program(b, "sed")
	program := buildCommand(b)
	for _, f := range bigFiles {
		b.Run(f.name, func(b *testing.B) {
			dir, text, watch := b.TempDir(), f.megabyte(), stopwatch{}
			ours, theirs := filepath.Join(dir, f.name), filepath.Join(dir, "sed-"+f.name)
			for _, name := range []string{ours, theirs} {
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					b.Fatal(err)
				}
			}
			n := 0
			for b.Loop() {
				n++
				watch.time(b, "revstamp", runIn(dir, program, "stamp", "-f", ours, "-k", f.key, "--value", fmt.Sprint("stamped ", n)))
				watch.time(b, "sed", runIn(dir, "sed", "-i", fmt.Sprintf("/9000/,/10000/s/value 9000\\|stamped [0-9]*/stamped %d/", n), theirs))
				took, err := syncs(dir, text)
				if err != nil {
					b.Fatal(err)
				}
				watch["sync"] += took
				if _, err := exec.LookPath("crudini"); err == nil && filepath.Ext(f.name) == ".ini" {
					watch.time(b, "crudini", runIn(dir, "crudini", "--set", theirs, "section9000", "rev", fmt.Sprint("stamped ", n)))
				}
			}
			watch.report(b)
		})
	}
}

// BenchmarkReleaseTargets releases a site in which only the value of 50 targets,
// in as many files, has changed.
func BenchmarkReleaseTargets(b *testing.B) {
	need.Program(b, "sed", "git")
	program := buildCommand(b)
	dir, watch := b.TempDir(), stopwatch{}
	site, seds := filepath.Join(dir, "site"), filepath.Join(dir, "sed")
	const targets = 50
	conf := "site: bench\njobs: { follow: 0s }\nstamp:\n"
	var files []string
	for i := range targets {
		name := fmt.Sprintf("c%d.php", i)
		conf += fmt.Sprintf("  - { file: %s, key: \"$config['rev']\" }\n", name)
		files = append(files, name)
		for _, in := range []string{site, seds} {
			if err := os.MkdirAll(in, 0o755); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(in, name), []byte("<?php\n$config['rev'] = 'value';\n"), 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(site, "revstamp.yaml"), []byte(conf), 0o644); err != nil {
		b.Fatal(err)
	}
	git := func(args ...string) {
		b.Helper()
		args = append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)
		if err := runIn(site, "git", args...)(); err != nil {
			b.Fatal(err)
		}
	}
	git("init", "-q", "-b", "main")
	git("add", ".")
	git("commit", "-q", "-m", "one")
	git("clone", "-q", "--bare", ".", filepath.Join(dir, "upstream"))
	git("remote", "add", "origin", filepath.Join(dir, "upstream"))
	git("fetch", "-q", "origin")
	git("branch", "-q", "-u", "origin/main")
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		// A commit upstream that touches nothing but the revision.
		git("push", "-q", "origin", "HEAD:main")
		tree := "HEAD^{tree}"
		out, err := exec.Command("git", "-C", site, "-c", "user.name=Ada", "-c", "user.email=ada@example.org",
			"commit-tree", "-p", "HEAD", "-m", fmt.Sprint(n), tree).Output()
		if err != nil {
			b.Fatal(err)
		}
		git("push", "-q", "origin", strings.TrimSpace(string(out))+":refs/heads/main")
		b.StartTimer()
		watch.time(b, "revstamp", runIn(site, program, "release"))
		watch.time(b, "sed", func() error {
			for _, name := range files {
				if err := runIn(seds, "sed", "-i", fmt.Sprintf("s/'[^']*';/'%d';/", n), name)(); err != nil {
					return err
				}
			}
			return nil
		})
		took, err := syncs(dir, "<?php")
		if err != nil {
			b.Fatal(err)
		}
		watch["sync"] += took
	}
	watch.report(b)
}

// shellScript is what revstamp began as, for git and with a version that is
// always a word: none of its faults make it slower.
const shellScript = `set -e
cp config.php config.php.bak
git pull -q --ff-only
rev=$(git rev-parse --short=12 HEAD)
git describe --always --dirty >/dev/null
sed "s/'[^']*'; # rev/'$rev'; # rev/" config.php >config.php.new
mv config.php.new config.php
`

// benchTree is a repository of n files, of which one can be changed.
type benchTree struct {
	dir, work string
	n, times  int
}

func newBenchTree(b *testing.B, n int, conf string) *benchTree {
	b.Helper()
	dir := b.TempDir()
	t := &benchTree{dir: dir, work: filepath.Join(dir, "work"), n: n}
	for i := range n {
		t.write(b, fmt.Sprintf("d%d/e%d/f%d.php", i%20, i/20%10, i), strings.Repeat(fmt.Sprintln(i), 50))
	}
	t.write(b, "config.php", "<?php\n$config['rev'] = '0'; # rev\n")
	t.write(b, ".gitignore", "*.bak\n")
	if conf != "" {
		t.write(b, "revstamp.yaml", conf)
	}
	t.git(b, t.work, "init", "-q", "-b", "main")
	t.git(b, t.work, "add", ".")
	t.git(b, t.work, "commit", "-q", "-m", "one")
	t.git(b, t.work, "repack", "-adq")
	return t
}

// clone makes new clones beside the repository.
func (t *benchTree) clone(b *testing.B, names ...string) {
	b.Helper()
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(t.dir, name)); err != nil {
			b.Fatal(err)
		}
		t.git(b, t.dir, "clone", "-q", t.work, name)
	}
}

func (t *benchTree) write(b *testing.B, name, text string) {
	b.Helper()
	file := filepath.Join(t.work, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
}

func (t *benchTree) git(b *testing.B, in string, args ...string) {
	b.Helper()
	args = append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)
	if err := runIn(in, "git", args...)(); err != nil {
		b.Fatal(err)
	}
}

// change commits another content of one file.
func (t *benchTree) change(b *testing.B) {
	b.Helper()
	t.times++
	t.write(b, "d1/e1/f21.php", fmt.Sprint(t.n, t.times))
	t.git(b, t.work, "commit", "-q", "-a", "-m", "next")
}

// BenchmarkRelease releases a site of n files in place, beside the script: for the
// first time, in a fresh clone, then with nothing to do, and after one file changed.
func BenchmarkRelease(b *testing.B) {
	need.Program(b, "git", "sh", "sed")
	program := buildCommand(b)
	const conf = "site: bench\njobs: { follow: 0s }\nstamp: [{ file: config.php, key: \"$config['rev']\" }]\n"
	for _, n := range []int{2000, 20000} {
		t := newBenchTree(b, n, conf)
		release := runIn(filepath.Join(t.dir, "ours"), program, "release")
		script := runIn(filepath.Join(t.dir, "theirs"), "sh", "-c", shellScript)
		t.clone(b, "ours", "theirs")
		if err := release(); err != nil {
			b.Fatal(err)
		}
		for _, situation := range []struct {
			name   string
			before func()
		}{
			{"first", func() { t.clone(b, "ours", "theirs") }},
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
					watch.time(b, "shell", script)
				}
				watch.report(b)
			})
		}
	}
}

// BenchmarkReleaseLayout releases one changed file among n in a directory of its
// own, with copies and with links, beside what only makes such a directory.
func BenchmarkReleaseLayout(b *testing.B) {
	need.Program(b, "git", "sh", "tar")
	program := buildCommand(b)
	for _, n := range []int{2000, 20000} {
		t := newBenchTree(b, n, "")
		archive := runIn(t.work, "sh", "-c", "rm -rf ../archive && mkdir ../archive && git archive HEAD | tar -xC ../archive")
		for _, unchanged := range []string{"copy", "link"} {
			b.Run(fmt.Sprintf("files=%d/%s", n, unchanged), func(b *testing.B) {
				site := filepath.Join(b.TempDir(), "site")
				if err := os.Mkdir(site, 0o755); err != nil {
					b.Fatal(err)
				}
				conf := fmt.Sprintf("site: bench\nlayout: releases\nunchanged: %s\nkeep: 2\nsource: { url: %q }\njobs: { follow: 0s }\n"+
					"stamp: [{ file: config.php, key: \"$config['rev']\" }]\n", unchanged, t.work)
				if err := os.WriteFile(filepath.Join(site, "revstamp.yaml"), []byte(conf), 0o644); err != nil {
					b.Fatal(err)
				}
				release, watch := runIn(site, program, "release"), stopwatch{}
				if err := release(); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					b.StopTimer()
					t.change(b)
					b.StartTimer()
					watch.time(b, "revstamp", release)
					watch.time(b, "archive", archive)
				}
				watch.report(b)
			})
		}
	}
}
