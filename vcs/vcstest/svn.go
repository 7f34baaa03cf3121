package vcstest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"revstamp/testdata/need"
)

// Svn is a Subversion repository with a working copy to commit from.
type Svn struct {
	t   testing.TB
	Dir string // of the repository
	URL string // file://
	WC  string // to commit from
}

// NewSvn makes a repository with an empty trunk at revision 1.
func NewSvn(t testing.TB) *Svn {
	t.Helper()
	return NewSvnIn(t, t.TempDir())
}

// NewSvnIn makes it in a directory that outlives the test, for tests to Clone.
func NewSvnIn(t testing.TB, root string) *Svn {
	t.Helper()
	need.Program(t, "svn", "svnadmin", "svnserve", "svnversion")
	s := &Svn{t: t, Dir: filepath.Join(root, "repository"), WC: filepath.Join(root, "commit from")}
	Run(t, "", nil, "svnadmin", "create", s.Dir)
	// Dates can be set afterwards only where the repository allows it.
	hook := filepath.Join(s.Dir, "hooks", "pre-revprop-change")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.URL = "file://" + s.Dir
	s.Run("", "mkdir", "-m", "begin", s.URL+"/trunk")
	s.date(1)
	s.Run("", "checkout", s.URL+"/trunk", s.WC)
	return s
}

// Clone copies the repository, for a test of its own that commits nothing.
func (s *Svn) Clone(t testing.TB) *Svn {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repository")
	Run(t, "", nil, "cp", "-a", s.Dir, dir)
	return &Svn{t: t, Dir: dir, URL: "file://" + dir}
}

var svnLocale = []string{"LC_ALL=C.UTF-8"}

// Run runs svn in dir.
func (s *Svn) Run(dir string, args ...string) string {
	s.t.Helper()
	args = append(args, "--non-interactive", "--username", Author)
	return Run(s.t, dir, svnLocale, "svn", args...)
}

// date gives a revision the author's fixed date.
func (s *Svn) date(rev int) {
	s.t.Helper()
	when := Epoch.Add(time.Duration(rev) * time.Hour).Format("2006-01-02T15:04:05.000000Z")
	s.Run("", "propset", "--quiet", "--revprop", "-r", strconv.Itoa(rev), "svn:date", when, s.URL)
}

// Commit changes files of the trunk, commits everything and returns the
// revision's number.
func (s *Svn) Commit(message string, files Files) string {
	s.t.Helper()
	s.Run(s.WC, "update", "--quiet")
	var added, deleted []string
	for path, content := range files {
		if content == "" {
			deleted = append(deleted, "./"+path+"@")
		} else {
			added = append(added, "./"+path+"@")
		}
	}
	if len(deleted) > 0 {
		s.Run(s.WC, append([]string{"delete", "--quiet", "--force"}, deleted...)...)
	}
	for path, content := range files {
		if content != "" {
			Write(s.t, s.WC, path, content)
		}
	}
	if len(added) > 0 {
		s.Run(s.WC, append([]string{"add", "--quiet", "--force", "--parents"}, added...)...)
	}
	s.Run(s.WC, "commit", "--quiet", "-m", message)
	number := Run(s.t, "", nil, "svnlook", "youngest", s.Dir)
	rev, err := strconv.Atoi(number)
	if err != nil {
		s.t.Fatal(err)
	}
	s.date(rev)
	return number
}

// Checkout makes a working copy of the trunk from a URL, this repository's own
// when it is "".
func (s *Svn) Checkout(url string, args ...string) string {
	s.t.Helper()
	if url == "" {
		url = s.URL
	}
	dir := filepath.Join(s.t.TempDir(), "copy")
	s.Run("", append([]string{"checkout", "--quiet", url + "/trunk", dir}, args...)...)
	return dir
}

// Serve serves the repository over svn:// and returns its URL: a svnserve for
// each connection, as inetd would do it.
func (s *Svn) Serve() string {
	s.t.Helper()
	return "svn://" + inetd(s.t, s.serve)
}

// serve ends with the connection, whose client is the test's.
func (s *Svn) serve(conn net.Conn) {
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		return
	}
	defer file.Close()
	cmd := exec.Command("svnserve", "--inetd", "--root", s.Dir)
	cmd.Env = append(os.Environ(), svnLocale...)
	cmd.Stdin, cmd.Stdout = file, file
	cmd.Run() // what goes wrong the client tells
}

// Version is what svnversion says of a working copy.
func Version(t testing.TB, dir string) string {
	t.Helper()
	return strings.TrimSpace(Run(t, dir, svnLocale, "svnversion", "-n"))
}
