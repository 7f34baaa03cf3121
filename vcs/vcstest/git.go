package vcstest

import (
	"encoding/pem"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	server := httptest.NewServer(backend(t, dir))
	t.Cleanup(server.Close)
	return server.URL + "/" + filepath.Base(dir) + "/.git"
}

func backend(t testing.TB, dir string) http.Handler {
	t.Helper()
	need.Program(t, "git")
	return &cgi.Handler{
		Path: filepath.Join(Run(t, "", nil, "git", "--exec-path"), "git-http-backend"),
		Env:  append(os.Environ(), "GIT_PROJECT_ROOT="+filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1"),
	}
}

// History adds n commits to an empty repository, at once: with branches and
// merges of two parents and more, in which files are taken from either side or
// from none, the same change is made twice, files go and come back, turn into
// directories and change their modes, and clocks run backwards. The same seed
// makes the same ids. Files of up to 120 paths are in the last commit.
func (g *Git) History(seed uint64, n int) {
	g.t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	var in strings.Builder
	trees := []map[string]string{nil} // by mark: paths and contents, "#!" for executables
	path := func() string {
		k := r.IntN(120)
		switch {
		case k%10 == 0:
			return fmt.Sprintf("f%d", k)
		case k%10 == 1:
			return fmt.Sprintf("turns%d%s", k%3, []string{"", "/below"}[k/20%2])
		}
		return fmt.Sprintf("d%d/e%d/f %d", k%7, k%3, k)
	}
	for mark := 1; mark <= n; mark++ {
		parents := []int{max(mark-1, 0)}
		if r.IntN(3) == 0 {
			parents[0] = max(1, mark-1-r.IntN(8))
		}
		for range []int{0, 1, 1, 1, 2, 0, 0}[r.IntN(7)] {
			if p := max(1, mark-1-r.IntN(12)); !slices.Contains(parents, p) && p < mark {
				parents = append(parents, p)
			}
		}
		if mark == 1 {
			parents = nil
		}
		before, tree := map[string]string{}, map[string]string{}
		if parents != nil {
			before, tree = trees[parents[0]], maps.Clone(trees[parents[0]])
		}
		put := func(path, content string) {
			for other := range tree { // a file in the way of a directory, or the reverse
				if strings.HasPrefix(other, path+"/") || strings.HasPrefix(path, other+"/") {
					delete(tree, other)
				}
			}
			tree[path] = content
		}
		for _, p := range parents[min(1, len(parents)):] {
			for _, path := range slices.Sorted(maps.Keys(trees[p])) {
				if r.IntN(2) == 0 {
					put(path, trees[p][path])
				}
			}
		}
		for range r.IntN(4) {
			if r.IntN(8) == 0 {
				delete(tree, path())
			} else {
				put(path(), fmt.Sprintf("%s%d\n", []string{"", "", "#!"}[r.IntN(3)], r.IntN(4)))
			}
		}
		trees = append(trees, tree)
		when := Epoch.Add(time.Duration(mark-r.IntN(2)*r.IntN(30)) * time.Minute).Unix()
		fmt.Fprintf(&in, "commit refs/heads/main\nmark :%d\ncommitter %s <%s> %d +0000\ndata 0\n", mark, Author, Address, when)
		for i, p := range parents {
			fmt.Fprintf(&in, "%s :%d\n", []string{"from", "merge"}[min(i, 1)], p)
		}
		for _, path := range slices.Sorted(maps.Keys(before)) {
			if _, ok := tree[path]; !ok {
				fmt.Fprintf(&in, "D %q\n", path)
			}
		}
		for _, path := range slices.Sorted(maps.Keys(tree)) {
			if content := tree[path]; before[path] != content {
				mode := "100644"
				if strings.HasPrefix(content, "#!") {
					mode = "100755"
				}
				fmt.Fprintf(&in, "M %s inline %q\ndata %d\n%s\n", mode, path, len(content), content)
			}
		}
	}
	cmd := exec.Command("git", "fast-import", "--quiet", "--force")
	cmd.Dir, cmd.Stdin = g.Dir, strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	g.Commits += n
	g.Run("reset", "--quiet", "--hard")
}

// Daemon serves the repository over git:// and returns its URL: a git daemon for
// each connection, as inetd would do it.
func (g *Git) Daemon() string {
	g.t.Helper()
	return "git://" + inetd(g.t, g.daemon) + "/" + filepath.Base(g.Dir)
}

// daemon ends with the connection, whose client is the test's.
func (g *Git) daemon(conn net.Conn) {
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		return
	}
	defer file.Close()
	cmd := exec.Command("git", "daemon", "--inetd", "--export-all", "--base-path="+filepath.Dir(g.Dir))
	cmd.Stdin, cmd.Stdout = file, file
	cmd.Run() // what goes wrong the client tells
}

// HTTPS serves the repository over https and returns its URL, and a file with
// the certificate to trust.
func (g *Git) HTTPS() (url, authorities string) {
	g.t.Helper()
	server := httptest.NewTLSServer(backend(g.t, g.Dir))
	g.t.Cleanup(server.Close)
	authorities = filepath.Join(g.t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(authorities, pem.EncodeToMemory(block), 0o644); err != nil {
		g.t.Fatal(err)
	}
	return server.URL + "/" + filepath.Base(g.Dir) + "/.git", authorities
}
