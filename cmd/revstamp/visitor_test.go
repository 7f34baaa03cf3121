package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"revstamp/testdata/need"
)

// roundsVar in the environment says how many releases TestVisitors kills for each
// system and layout.
const roundsVar = "REVSTAMP_TEST_ROUNDS"

// TestVisitors kills releases at random moments, and finishes or undoes each,
// while a visitor loads the page and its style sheet over and over through nginx
// and PHP. Never is a file missing or torn, never does the configuration tell of
// assets that are not there; in the releases layout all is of one release.
func TestVisitors(t *testing.T) {
	need.Program(t, "git", "svn", "svnadmin", "hg", "nginx", "php")
	rounds := 200
	if testing.Short() {
		rounds = 6
	}
	rounds = number(roundsVar, rounds)
	seed := uint64(number(seedVar, int(time.Now().UnixNano())))
	program := programVar + "=" + buildStatic(t)
	for i, c := range []visited{
		{name: "git", plumbing: gitPlumbing, env: []string{program}},
		{name: "go-git", plumbing: gitPlumbing, env: []string{program, "PATH=" + pathWithout(t, "git")}},
		{name: "svn", plumbing: svnPlumbing, env: []string{program}},
		{name: "hg", plumbing: hgPlumbing, env: []string{program}},
		{name: "git, releases", plumbing: gitReleases, env: []string{program}},
		{name: "svn, releases", plumbing: svnReleases, env: []string{program}},
		{name: "hg, releases", plumbing: hgReleases, env: []string{program}},
		{name: "git, names", plumbing: gitPlumbing, env: []string{program}, names: true},
		{name: "git, releases, names", plumbing: gitReleases, env: []string{program}, names: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.prepare(t)
			stop := c.visit(t)
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			rounds, killed := rounds, 0
			if testing.Short() && strings.HasPrefix(c.name, "hg") {
				rounds = 3 // hg starts slowly
			}
			for n := 2; n < 2+rounds && !t.Failed(); n++ {
				if c.round(t, n, random) {
					killed++
				}
			}
			visits := stop()
			t.Logf("%s=%d: %d visits while %d of %d releases were killed", seedVar, seed, visits, killed, rounds)
			if killed == 0 || visits == 0 {
				t.Error("nothing was tried")
			}
		})
	}
}

// visited is a site with a visitor.
type visited struct {
	name string
	plumbing
	env   []string
	names bool // assets have their versions there

	dir, site, address string
	took               time.Duration // an undisturbed release
}

// generation is the site in its n-th form.
func generation(n int) map[string]string {
	return map[string]string{
		"config/config.php": fmt.Sprintf("<?php\n$config['svn'] = '0';\n$config['n'] = %d;\n%s// end\n", n, strings.Repeat("// padding\n", 2000)),
		"public/index.php": fmt.Sprintf("<?php require __DIR__ . '/../config/config.php'; ?>\npage=%d config=%s rev=%s css=%s\n"+
			"<link href=\"/a.css\">\n%send\n", n, "<?= $config['n'] ?>", "<?= $config['svn'] ?>",
			"<?= strtok(file_get_contents(__DIR__ . '/a.css'), '*') ?>", strings.Repeat("<p>padding</p>\n", 2000)),
		"public/a.css": fmt.Sprintf("%d*/\n%send\n", n, strings.Repeat("a{color:red}\n", 20000)),
	}
}

func (c *visited) prepare(t *testing.T) {
	c.dir = t.TempDir()
	c.site = filepath.Join(c.dir, "site")
	style := "query"
	if c.names {
		style = "name"
	}
	work := filepath.Join(c.dir, "work")
	write(t, work, generation(1))
	write(t, work, map[string]string{
		"revstamp.yaml": "site: visited\n" + c.layout(c.dir) +
			"stamp: [{ file: config/config.php, key: \"$config['svn']\", value: \"{{.Short}}\" }]\n" +
			"assets: { root: public, style: " + style + ", rewrite: [\"public/*.php\"] }\n",
	})
	c.create(t, c.dir)
	if c.source != nil {
		check(t, os.MkdirAll(c.site, 0o755))
		check(t, os.Rename(filepath.Join(work, "revstamp.yaml"), filepath.Join(c.site, "revstamp.yaml")))
	}
	began := time.Now()
	if r := revstamp(t, c.site, c.env, "release"); r.status != exitDone {
		t.Fatalf("first release: %+v", r)
	}
	c.took = time.Since(began)
	root := filepath.Join(c.site, "public")
	if c.source != nil {
		root = filepath.Join(c.site, "current", "public")
	}
	c.address = serveSite(t, root)
}

// serveSite serves root by nginx and PHP, as a site in the releases layout is to be:
// PHP gets the real path.
func serveSite(t *testing.T, root string) (address string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "nginx") // a socket's name is short
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address = l.Addr().String()
	check(t, l.Close())
	write(t, dir, map[string]string{
		"nginx.conf": fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log %[1]s/error.log; worker_processes 1;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/1; proxy_temp_path %[1]s/2; fastcgi_temp_path %[1]s/3; uwsgi_temp_path %[1]s/4; scgi_temp_path %[1]s/5;
	server {
		listen %[2]s; root %[3]s;
		location ~ \.php$ {
			fastcgi_pass unix:%[1]s/php;
			include /etc/nginx/fastcgi_params;
			fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;
			fastcgi_param DOCUMENT_ROOT $realpath_root;
		}
	}
}
`, dir, address, root),
		"fpm.conf": fmt.Sprintf("[global]\nerror_log = %[1]s/fpm.log\n[www]\nuser = %[2]s\ngroup = %[2]s\nlisten = %[1]s/php\nlisten.mode = 0666\npm = static\npm.max_children = 2\n"+
			"php_admin_flag[opcache.enable] = off\nphp_admin_value[realpath_cache_size] = 0\n", dir, "root"),
	})
	check(t, os.Chmod(dir, 0o755))
	for _, args := range [][]string{
		{fpm(t), "--nodaemonize", "--allow-to-run-as-root", "--fpm-config", filepath.Join(dir, "fpm.conf")},
		{"nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-g", "user root;"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stderr = t.Output()
		check(t, cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		})
	}
	for deadline := time.Now().Add(awaitLimit); ; time.Sleep(5 * time.Millisecond) {
		res, err := http.Get("http://" + address + "/index.php")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return address
			}
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("nginx: %v, %s", err, log)
		}
	}
}

// fpm is PHP's FastCGI server, which Debian calls after its version.
func fpm(t *testing.T) string {
	t.Helper()
	need.Root(t)
	if found, _ := filepath.Glob("/usr/sbin/php-fpm*"); len(found) > 0 {
		return found[0]
	}
	need.Program(t, "php-fpm")
	return "php-fpm"
}

// wholePage is what a page must hold, whole.
var wholePage = regexp.MustCompile(`(?s)^\s*page=(\d+) config=(\d+) rev=(\w+) css=(\d+)<link href="(/a\.css\?v=(\w+)|/a\.[0-9a-f]+\.css)">\n.*</p>\nend\n$`)

// visit loads the page and its style sheet until it is told to stop, which tells
// how often it was.
func (c *visited) visit(t *testing.T) (stop func() int64) {
	ctx, cancel := context.WithCancel(t.Context())
	var visits atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil && c.look(ctx, t) {
			visits.Add(1)
		}
	}()
	return func() int64 {
		cancel()
		<-done
		return visits.Load()
	}
}

func (c *visited) look(ctx context.Context, t *testing.T) bool {
	body, ok := c.get(ctx, t, "/index.php")
	if !ok {
		return false
	}
	page := wholePage.FindStringSubmatch(body)
	if page == nil {
		t.Errorf("the page is torn: %.300q … %q", body, body[max(0, len(body)-100):])
		return false
	}
	// In place, a page is read file by file while they are put in place, one after
	// the other.
	if c.source != nil && (page[1] != page[2] || page[1] != page[4] || !c.names && page[3] != page[6]) {
		t.Errorf("the page is mixed: %.200q", body)
		return false
	}
	css, ok := c.get(ctx, t, page[5])
	if ok && !strings.HasSuffix(css, "\nend\n") {
		t.Errorf("the style sheet is torn: %d bytes", len(css))
		return false
	}
	if ok && c.names && !strings.HasPrefix(css, page[1]+"*/") {
		t.Errorf("%s of page %s is another's: %.10q", page[5], page[1], css)
		return false
	}
	return ok
}

// get is false when the visitor is told to stop, too.
func (c *visited) get(ctx context.Context, t *testing.T, path string) (string, bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address+path, nil)
	if err != nil {
		t.Error(err)
		return "", false
	}
	res, err := http.DefaultClient.Do(req)
	if ctx.Err() != nil {
		return "", false
	}
	if err != nil {
		t.Error(err)
		return "", false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if ctx.Err() != nil {
		return "", false
	}
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%s: status %d, %v: %.300s", path, res.StatusCode, err, body)
		return "", false
	}
	return string(body), true
}

// round commits the n-th generation and kills its release at a random moment, and
// then finishes or undoes it.
func (c *visited) round(t *testing.T, n int, random *rand.Rand) (killed bool) {
	write(t, filepath.Join(c.dir, "work"), generation(n))
	c.commitAgain(t, n)
	cmd := exec.Command(strings.TrimPrefix(c.env[0], programVar+"="), "release")
	cmd.Dir = c.site
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "XDG_STATE_HOME="+c.site+"-state"), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(t, cmd.Start())
	timer := time.AfterFunc(time.Duration(random.Float64()*float64(c.took)), func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	})
	err := cmd.Wait()
	timer.Stop()
	if exit, ok := err.(*exec.ExitError); ok {
		killed = !exit.Exited()
	}
	if !killed && err != nil {
		t.Fatalf("release of generation %d: %v", n, err)
	}
	command := "resume"
	if random.IntN(2) == 0 {
		command = "abort"
	}
	if killed && !c.began(t) {
		command = "release" // it did not come to be one
	}
	if r := revstamp(t, c.site, c.env, command); killed && r.status != exitDone {
		t.Fatalf("%s of generation %d: %+v", command, n, r)
	}
	return killed
}

// began reports whether the newest release is unfinished.
func (c *visited) began(t *testing.T) bool {
	return strings.Contains(revstamp(t, c.site, c.env, "--json", "show").output, `"status":"interrupted"`)
}

// commitAgain commits whatever has changed. The commits of the crash tests are
// one each.
func (c *visited) commitAgain(t *testing.T, n int) {
	work := filepath.Join(c.dir, "work")
	under := func(dir string) bool {
		_, err := os.Stat(filepath.Join(work, dir))
		return err == nil
	}
	switch {
	case under(".svn"):
		sh(t, c.dir, "svn", "commit", "-q", "-m", strconv.Itoa(n), "work")
	case under(".hg"):
		sh(t, c.dir, "hg", "commit", "--cwd", "work", "-q", "-u", "Ada <ada@example.org>", "-m", strconv.Itoa(n))
	default:
		sh(t, c.dir, "git", "-C", "work", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "-a", "-m", strconv.Itoa(n))
	}
}
