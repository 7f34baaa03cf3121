package vcstest

import (
	"fmt"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"revstamp/testdata/need"
)

// Git is an upstream git repository with a working tree.
type Git struct {
	t       testing.TB
	Dir     string
	Commits int // so far, by which they are dated
}

// NewGit makes an empty repository with the branch main.
func NewGit(t testing.TB) *Git {
	t.Helper()
	need.Program(t, "git")
	g := &Git{t: t, Dir: filepath.Join(t.TempDir(), "upstream")}
	Run(t, "", nil, "git", "init", "--quiet", "--initial-branch=main", g.Dir)
	// A fetch of an id that no branch names is what a rollback may need.
	g.Run("config", "uploadpack.allowAnySHA1InWant", "true")
	return g
}

// GitEnv is who commits, and when: at the n-th hour.
func GitEnv(n int) []string {
	when := fmt.Sprintf("%d +0000", Epoch.Add(time.Duration(n)*time.Hour).Unix())
	return []string{
		"GIT_AUTHOR_NAME=" + Author, "GIT_AUTHOR_EMAIL=" + Address, "GIT_AUTHOR_DATE=" + when,
		"GIT_COMMITTER_NAME=" + Author, "GIT_COMMITTER_EMAIL=" + Address, "GIT_COMMITTER_DATE=" + when,
	}
}

// Run runs git in the repository.
func (g *Git) Run(args ...string) string {
	g.t.Helper()
	return Run(g.t, g.Dir, GitEnv(g.Commits), "git", args...)
}

// Commit changes files, commits everything and returns the commit's id.
func (g *Git) Commit(message string, files Files) string {
	g.t.Helper()
	files.Apply(g.t, g.Dir)
	g.Run("add", "--all")
	g.Run("commit", "--quiet", "--allow-empty", "-m", message)
	g.Commits++
	return g.Run("rev-parse", "HEAD")
}

// Clone makes a working copy of it, by git.
func (g *Git) Clone(args ...string) string {
	g.t.Helper()
	dir := filepath.Join(g.t.TempDir(), "copy")
	Run(g.t, "", nil, "git", append(append([]string{"clone", "--quiet"}, args...), g.Dir, dir)...)
	return dir
}

// HTTP serves the repository over http and returns its URL.
func (g *Git) HTTP() string {
	g.t.Helper()
	return ServeGit(g.t, g.Dir)
}

// ServeGit serves the repository in dir over http, by git's own program, and
// returns its URL.
func ServeGit(t testing.TB, dir string) string {
	t.Helper()
	need.Program(t, "git")
	server := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(Run(t, "", nil, "git", "--exec-path"), "git-http-backend"),
		Env:  append(os.Environ(), "GIT_PROJECT_ROOT="+filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1"),
	})
	t.Cleanup(server.Close)
	return server.URL + "/" + filepath.Base(dir) + "/.git"
}
