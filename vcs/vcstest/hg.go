package vcstest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"revstamp/testdata/need"
)

// Hg is an upstream Mercurial repository with a working copy.
type Hg struct {
	t       testing.TB
	Dir     string
	Commits int // so far, by which they are dated
}

// NewHg makes an empty repository.
func NewHg(t testing.TB) *Hg {
	t.Helper()
	need.Program(t, "hg")
	h := &Hg{t: t, Dir: filepath.Join(t.TempDir(), "upstream")}
	RunHg(t, "", "init", h.Dir)
	return h
}

// HgAt is the repository in dir, with n commits.
func HgAt(t testing.TB, dir string, n int) *Hg { return &Hg{t: t, Dir: dir, Commits: n} }

// hgEnv lets hg write every path, and answer without colour or translation.
var hgEnv = []string{"HGPLAIN=1", "HGENCODING=UTF-8", "LC_ALL=C.UTF-8"}

// RunHg runs hg in dir.
func RunHg(t testing.TB, dir string, args ...string) string {
	t.Helper()
	return Run(t, dir, hgEnv, "hg", args...)
}

// Run runs hg in the repository.
func (h *Hg) Run(args ...string) string {
	h.t.Helper()
	return RunHg(h.t, h.Dir, args...)
}

// dated are the options for a commit: who, and when: at the n-th hour.
func (h *Hg) dated() []string {
	when := fmt.Sprintf("%d 0", Epoch.Add(time.Duration(h.Commits)*time.Hour).Unix())
	h.Commits++
	return []string{"--user", Author + " <" + Address + ">", "--date", when}
}

var committed = regexp.MustCompile(`(?m)^committed changeset \d+:([0-9a-f]{40})$`)

// Commit changes files, commits everything, and returns the changeset's id.
func (h *Hg) Commit(message string, files Files) string {
	h.t.Helper()
	files.Apply(h.t, h.Dir)
	args := append([]string{"commit", "--debug", "--addremove", "-m", message,
		"--config", "ui.allowemptycommit=true"}, h.dated()...)
	out := h.Run(args...)
	m := committed.FindStringSubmatch(out)
	if m == nil {
		h.t.Fatalf("hg commit: no changeset in %q", out)
	}
	return m[1]
}

// Tag gives a changeset a tag, which is one more commit.
func (h *Hg) Tag(name, rev string) {
	h.t.Helper()
	h.Run(append(append([]string{"tag", "--rev", rev}, h.dated()...), "--", name)...)
}

// Clone makes a working copy of it from a URL, its own when it is "".
func (h *Hg) Clone(url string, args ...string) string {
	h.t.Helper()
	if url == "" {
		url = h.Dir
	}
	dir := filepath.Join(h.t.TempDir(), "copy")
	RunHg(h.t, "", append(append([]string{"clone", "--quiet"}, args...), "--", url, dir)...)
	return dir
}

// HTTP serves the repository over http, by hg's own server, and returns its
// URL.
func (h *Hg) HTTP() string {
	h.t.Helper()
	cmd := exec.Command("hg", "serve", "--repository", h.Dir, "--address", "127.0.0.1", "--port", "0", "--print-url")
	cmd.Env = append(os.Environ(), hgEnv...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // killed
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		h.t.Fatalf("hg serve: %v", err)
	}
	return strings.TrimSuffix(strings.TrimSpace(url), "/")
}
