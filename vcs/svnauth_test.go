package vcs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// svnPrivate is a site's working copy whose server wants a password.
func svnPrivate(t *testing.T) (up *vcstest.Svn, dir string) {
	t.Helper()
	up, dir = svnSite(t)
	vcstest.Write(t, up.Dir, "conf/passwd", "[users]\nweb = s3cr%t pass\n")
	vcstest.Write(t, up.Dir, "conf/svnserve.conf", "[general]\nanon-access = none\nauth-access = read\npassword-db = passwd\n")
	vcstest.Run(t, dir, utf8, "svn", "relocate", "--non-interactive", "--username", "web", "--password", "s3cr%t pass",
		"--no-auth-cache", up.Serve()+"/trunk")
	return up, dir
}

// TestSvnPassword wants an error at once where there is none or a wrong one, and
// an update with the right one, which no process list and no log tells.
func TestSvnPassword(t *testing.T) {
	t.Parallel()
	up, dir := svnPrivate(t)
	for name, c := range map[string]vcs.Credentials{
		"none": {}, "wrong": {User: "web", Password: "wr0ng"}, "unknown user": {User: "x", Password: "s3cr%t pass"},
		"no password": {User: "web"},
	} {
		wc := open(t, dir, vcs.Options{Svn: c})
		if got := revision(t, wc); got.ID != "2" {
			t.Errorf("%s: Revision = %+v", name, got)
		}
		var denied *vcs.CredentialsError
		_, err := wc.Resolve(t.Context(), "", stampOwn)
		if !errors.As(err, &denied) || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("%s: Resolve: %v", name, err)
		}
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	wc := open(t, dir, vcs.Options{Svn: vcs.Credentials{User: "web", Password: "s3cr%t pass"}, Logger: logger})
	update(t, wc, "", "2")
	if got := revision(t, wc); got.ID != "3" {
		t.Errorf("Revision = %+v", got)
	}
	if _, err := wc.Changes(t.Context(), "2", "3"); err != nil {
		t.Error(err)
	}
	if _, err := wc.LastChanged(t.Context(), "2"); err != nil {
		t.Error(err)
	}
	if err := wc.Export(t.Context(), "2", filepath.Join(t.TempDir(), "x")); err != nil {
		t.Error(err)
	}
	// The arguments of every client are in the log.
	if !strings.Contains(log.String(), "update") || strings.Contains(log.String(), "s3cr") {
		t.Errorf("the log is %s", &log)
	}
	// And nothing is kept for whoever comes next.
	var denied *vcs.CredentialsError
	if _, err := open(t, dir, vcs.Options{}).Resolve(t.Context(), "", stampOwn); !errors.As(err, &denied) {
		t.Errorf("Resolve: %v", err)
	}
	_ = up
}

// TestSvnNoPrompt has a terminal, on which svn would ask.
func TestSvnNoPrompt(t *testing.T) {
	t.Parallel()
	need.Program(t, "script")
	_, dir := svnPrivate(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(command string) string {
		// Whoever waits for an answer gets none: the input stays open.
		// An svn that asks behind the terminal's back is stopped by it, for ever.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "script", "-qec", command, "/dev/null")
		cmd.Env = append(os.Environ(), childEnv+"="+dir, "LC_ALL=C.UTF-8")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		buf := make([]byte, 4096)
		for {
			n, err := out.Read(buf)
			said.Write(buf[:n])
			if strings.Contains(said.String(), "Password for") {
				cancel()
				io.Copy(io.Discard, out)
				break
			}
			if err != nil {
				break
			}
		}
		cmd.Wait()
		return said.String()
	}
	if said := ask("svn update " + dir); !strings.Contains(said, "Password for") {
		t.Fatalf("svn itself asks nothing, which proves nothing: %s", said)
	}
	if said := ask(self + " HEAD"); strings.Contains(said, "Password for") || !strings.Contains(said, "E170001") && !strings.Contains(said, "E215004") {
		t.Errorf("on a terminal: %s", said)
	}
}

// TestSvnRunsNothing has a configuration and URLs that name programs of others.
func TestSvnRunsNothing(t *testing.T) {
	up, dir := svnSite(t)
	home := t.TempDir()
	marker := filepath.Join(home, "ran")
	vcstest.Write(t, home, "evil", "#!/bin/sh\necho \"$@\" >>'"+marker+"'\nexit 1\n")
	evil := filepath.Join(home, "evil")
	vcstest.Write(t, home, ".subversion/config", "[helpers]\neditor-cmd = "+evil+"\ndiff-cmd = "+evil+"\ndiff3-cmd = "+evil+
		"\nmerge-tool-cmd = "+evil+"\n[tunnels]\nx = "+evil+"\nssh = "+evil+"\n[auth]\npassword-stores =\n"+
		"[miscellany]\nenable-auto-props = yes\n")
	t.Setenv("HOME", home)
	t.Setenv("SVN_EDITOR", evil)
	t.Setenv("SVN_MERGE", evil)
	ran := func() string {
		out, _ := os.ReadFile(marker)
		os.Remove(marker)
		return string(out)
	}
	if vcstest.Try(dir, utf8, "svn", "diff", "config.php"); ran() == "" {
		t.Fatal("svn does not read that configuration, which proves nothing")
	}
	if vcstest.Try(dir, utf8, "svn", "info", "svn+x://host/x"); ran() == "" {
		t.Fatal("svn opens no tunnel, which proves nothing")
	}
	wc := open(t, dir, vcs.Options{})
	revision(t, wc)
	for _, call := range []func() error{
		func() error { _, err := wc.Changes(t.Context(), "2", ""); return err },
		func() error { _, err := wc.LastChanged(t.Context(), ""); return err },
		func() error { _, err := wc.ContentIDs(t.Context()); return err },
		func() error { return wc.Export(t.Context(), "3", filepath.Join(t.TempDir(), "x")) },
	} {
		if err := call(); err != nil {
			t.Error(err)
		}
	}
	update(t, wc, "", "2")
	vcstest.Write(t, dir, "index.html", "mine\n")
	var local *vcs.LocalChangesError
	if _, err := wc.Resolve(t.Context(), "2", stampOwn); !errors.As(err, &local) || local.Diff == "" {
		t.Errorf("Resolve: %v", err)
	}
	up.Run(dir, "revert", "--quiet", "index.html")
	if got := ran(); got != "" {
		t.Errorf("ran with %s", got)
	}

	// A working copy may come from anywhere.
	file := filepath.Join(dir, ".svn", "wc.db")
	db, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tunnel := bytes.ReplaceAll(db, []byte("file:///"), []byte("svn+x://"))
	if err := os.WriteFile(file, tunnel, 0o644); err != nil {
		t.Fatal(err)
	}
	if vcstest.Try(dir, utf8, "svn", "status", "-u"); ran() == "" {
		t.Fatal("svn opens no tunnel, which proves nothing")
	}
	target := &vcs.Target{Revision: vcs.Revision{ID: "3"}}
	for name, call := range map[string]func(vcs.WorkingCopy) error{
		"Resolve": func(wc vcs.WorkingCopy) error { _, err := wc.Resolve(t.Context(), "", nil); return err },
		"Changes": func(wc vcs.WorkingCopy) error { _, err := wc.Changes(t.Context(), "1", "2"); return err },
		"Read":    func(wc vcs.WorkingCopy) error { _, err := wc.Read(t.Context(), target, "index.html"); return err },
		"Update":  func(wc vcs.WorkingCopy) error { return wc.Update(t.Context(), target, vcs.Update{}) },
		"Export":  func(wc vcs.WorkingCopy) error { return wc.Export(t.Context(), "2", filepath.Join(t.TempDir(), "x")) },
	} {
		var unsupported *vcs.UnsupportedError
		if err := call(open(t, dir, vcs.Options{})); !errors.As(err, &unsupported) || unsupported.Feature != "the tunnel svn+x://" {
			t.Errorf("%s: %v", name, err)
		}
		if got := ran(); got != "" {
			t.Errorf("%s: ran with %s", name, got)
		}
	}
	if err := os.WriteFile(file, db, 0o644); err != nil {
		t.Fatal(err)
	}

	// A repository cannot move the working copy to a tunnel, but somebody may
	// have made externals of it.
	value := filepath.Join(home, "value")
	for _, external := range []string{"-r 3 svn+x://host/y lib", "-r 3 svn+ssh://-oProxyCommand=x/y lib", "-r 3 --x lib"} {
		if err := os.WriteFile(value, []byte(external+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		up.Run(up.WC, "update", "--quiet", "--ignore-externals")
		up.Run(up.WC, "propset", "--quiet", "svn:externals", "-F", value, "css")
		vcstest.Try(up.WC, utf8, "svn", "commit", "--quiet", "-m", "externals")
		ran()
		var unsupported *vcs.UnsupportedError
		if _, err := wc.Resolve(t.Context(), "", stampOwn); !errors.As(err, &unsupported) {
			t.Errorf("%s: Resolve: %v", external, err)
		}
		if err := wc.Export(t.Context(), "HEAD", filepath.Join(t.TempDir(), "x")); err == nil {
			t.Errorf("%s: Export", external)
		}
		if got := ran(); got != "" {
			t.Errorf("%s: ran with %s", external, got)
		}
	}
}
