package vcs_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// TestGitServers fetches from real servers, by the client and by go-git,
// branches, tags and a commit that only its id names.
func TestGitServers(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https", "git"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			hosts(t, func(t *testing.T, o vcs.Options) { updateFrom(t, scheme, o) })
		})
	}
}

func updateFrom(t *testing.T, scheme string, o vcs.Options) {
	up := vcstest.NewGit(t)
	first := up.Commit("one", site)
	dir := up.Clone()
	url := ""
	switch scheme {
	case "http":
		url = up.HTTP()
	case "https":
		var authorities string
		url, authorities = up.HTTPS()
		vcstest.Run(t, dir, nil, "git", "config", "remote.origin.url", url)
		if _, err := open(t, dir, o).Resolve(t.Context(), "", stampOwn); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("Resolve from nobody known: %v", err)
		}
		vcstest.Run(t, dir, nil, "git", "config", "http.sslCAInfo", authorities)
	case "git":
		url = up.Daemon()
	}
	vcstest.Run(t, dir, nil, "git", "config", "remote.origin.url", url)
	second := up.Commit("two", next)
	up.Run("tag", "-a", "-m", "x", "v2")
	up.Run("checkout", "--quiet", "-b", "side", first)
	side := up.Commit("side", vcstest.Files{"side": "1"})
	up.Run("checkout", "--quiet", "main")
	wc := open(t, dir, o)
	before := everything(t, dir)
	target := resolve(t, wc, "")
	if target.Revision.ID != second || target.Revision.Tag != "v2" || target.Revision.URL != url {
		t.Errorf("Resolve = %+v", target.Revision)
	}
	if got := resolve(t, wc, side); got.Revision.ID != side {
		t.Errorf("Resolve = %+v", got.Revision)
	}
	if d := cmp.Diff(before, everything(t, dir)); d != "" {
		t.Error(d)
	}
	update(t, wc, "", "2")
	if d := cmp.Diff(released(t, up.Dir, "2"), vcstest.Snapshot(t, dir)); d != "" {
		t.Error(d)
	}
	whole(t, dir, " M config.php")
	if got := resolve(t, wc, ""); got.Changes != nil || got.From != second {
		t.Errorf("Resolve = %+v", got)
	}
}

// TestGitSecrets gives a password to a server that refuses it.
func TestGitSecrets(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		http.Error(w, "no", http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	err := vcs.Clone(t.Context(), "http://user:hunter2@"+address+"/x.git", filepath.Join(t.TempDir(), "new"), vcs.CloneOptions{Options: vcs.Options{NoGit: true}})
	if err == nil || !strings.Contains(err.Error(), "auth") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Clone: %v", err)
	}
	hosts(t, func(t *testing.T, o vcs.Options) {
		for _, host := range []string{address, "127.0.0.1:1"} {
			up := vcstest.NewGit(t)
			up.Commit("one", site)
			dir := up.Clone()
			vcstest.Run(t, dir, nil, "git", "config", "remote.origin.url", "http://user:hunter2@"+host+"/x.git?token=hunter2")
			log, _, names := countClients()
			o.Logger = log
			wc := open(t, dir, o)
			_, err := wc.Resolve(t.Context(), "", nil)
			if err == nil || strings.Contains(err.Error(), "hunter2@") || strings.Contains(err.Error(), "user:") {
				t.Errorf("Resolve: %v", err)
			}
			var failed *vcs.ClientError
			if errors.As(err, &failed) && strings.Contains(failed.Stderr, "hunter2@") {
				t.Errorf("Stderr = %q", failed.Stderr)
			}
			if strings.Contains(strings.Join(*names, " "), "hunter2") {
				t.Errorf("logged: %q", *names)
			}
			if got := revision(t, wc).URL; got != "http://"+host+"/x.git" {
				t.Errorf("URL = %q", got)
			}
		}
	})
}

// TestGitNotConfigured refuses, without git, what go-git cannot be told.
func TestGitNotConfigured(t *testing.T) {
	t.Parallel()
	for key, refused := range map[string]bool{
		"http.proxy": true, "http.https://127.0.0.1/.extraHeader": true, "http.sslCert": true, "http.https://*.0.0.1.sslVerify": true,
		"http.https://example.com.extraHeader": false, "http.postBuffer": false,
	} {
		_, dir, _, _ := gitSite(t)
		vcstest.Run(t, dir, nil, "git", "config", "remote.origin.url", "https://127.0.0.1:1/x.git")
		vcstest.Run(t, dir, nil, "git", "config", key, "1")
		_, err := open(t, dir, vcs.Options{NoGit: true}).Resolve(t.Context(), "", stampOwn)
		var unsupported *vcs.UnsupportedError
		if errors.As(err, &unsupported) != refused || err == nil {
			t.Errorf("with %s: %v", key, err)
		}
	}
}

// TestGitNoSsh asks for git where go-git would do without the user's ssh.
func TestGitNoSsh(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"git@example.com:x.git", "ssh://git@example.com/x.git"} {
		_, dir, _, _ := gitSite(t)
		vcstest.Run(t, dir, nil, "git", "config", "remote.origin.url", url)
		wc := open(t, dir, vcs.Options{NoGit: true})
		_, err := wc.Resolve(t.Context(), "", stampOwn)
		var unsupported *vcs.UnsupportedError
		if !errors.As(err, &unsupported) || unsupported.Feature != "an ssh remote" || unsupported.Install != "git" {
			t.Errorf("Resolve over %q: %v", url, err)
		}
		if got := revision(t, wc).URL; got != url {
			t.Errorf("URL = %q, want %q", got, url)
		}
	}
}

// TestGitInsteadOf rewrites a URL as git does, without it.
func TestGitInsteadOf(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		up, dir, _, second := gitSite(t)
		vcstest.Run(t, dir, nil, "git", "config", "url."+filepath.Dir(up.Dir)+"/.insteadOf", "here:")
		vcstest.Run(t, dir, nil, "git", "config", "remote.origin.url", "here:upstream")
		if got := resolve(t, open(t, dir, o), ""); got.Revision.ID != second {
			t.Errorf("Resolve = %+v", got)
		}
	})
}
