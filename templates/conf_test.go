package templates_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"revstamp/templates"
	"revstamp/testdata/need"
)

// webServers are started on a free port with a site, which is what stands between
// the brackets of its server, in the foreground.
var webServers = map[string]func(t *testing.T, dir, site, port string) *exec.Cmd{
	"nginx": func(t *testing.T, dir, site, port string) *exec.Cmd {
		main := put(t, dir, "nginx.conf", fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
	access_log off; default_type text/plain;
	client_body_temp_path %[1]s/1; proxy_temp_path %[1]s/2; fastcgi_temp_path %[1]s/3; uwsgi_temp_path %[1]s/4; scgi_temp_path %[1]s/5;
	types { text/css css; text/html html; }
	server { listen 127.0.0.1:%[3]s; %[2]s }
}
`, dir, site, port))
		return exec.Command("nginx", "-p", dir, "-c", main)
	},
	"apache2": func(t *testing.T, dir, site, port string) *exec.Cmd {
		var modules strings.Builder
		for _, m := range []string{"mpm_event", "authz_core", "alias", "headers", "mime", "dir", "unixd", "rewrite", "proxy", "proxy_http"} {
			file := "/usr/lib/apache2/modules/mod_" + m + ".so"
			if _, err := os.Stat(file); err == nil { // else it is built in
				fmt.Fprintf(&modules, "LoadModule %s_module %s\n", m, file)
			}
		}
		main := put(t, dir, "apache.conf", fmt.Sprintf(`%[4]sServerRoot %[1]s
PidFile %[1]s/pid
ErrorLog %[1]s/error.log
ServerName localhost
Listen 127.0.0.1:%[3]s
TypesConfig /etc/mime.types
<Directory %[1]s>
	Require all granted
	AllowOverride All
</Directory>
<VirtualHost *:%[3]s>
%[2]s
</VirtualHost>
`, dir, site, port, modules.String()))
		return exec.Command("apache2", "-f", main, "-D", "FOREGROUND")
	},
	"caddy": func(t *testing.T, dir, site, port string) *exec.Cmd {
		main := put(t, dir, "Caddyfile", fmt.Sprintf(`{
	admin off
	auto_https off
	storage file_system %[1]s/storage
}
http://127.0.0.1:%[3]s {
	bind 127.0.0.1
%[2]s
}
`, dir, site, port))
		cmd := exec.Command("caddy", "run", "--config", main, "--adapter", "caddyfile")
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
		return cmd
	},
}

// served starts a web server with a site for the files root/NAME, each of which
// holds its name. In the site $DIR is the directory of root, and $CONF the file of
// Conf, which is beside it.
func served(t *testing.T, server, site string, o templates.ConfOptions, names ...string) (url string) {
	t.Helper()
	program := strings.Replace(server, "apache", "apache2", 1)
	need.Program(t, program)
	dir, err := os.MkdirTemp("", "conf") // which a server of another user can read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		name, text, found := strings.Cut(name, "\n")
		if !found {
			text = "content of " + name
		}
		put(t, filepath.Join(dir, "root"), name, text)
	}
	name, text, err := templates.Conf(server, o)
	if err != nil {
		t.Fatal(err)
	}
	conf := put(t, dir, name, string(text))
	site = strings.NewReplacer("$DIR", dir, "$CONF", conf).Replace(site)
	return serve(t, func(port string) *exec.Cmd { return webServers[program](t, dir, site, port) })
}

func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	aYear      = "public, max-age=31536000, immutable"
	revalidate = "no-cache"
)

// TestConf asks real servers what a visitor, and somebody who is none, would.
func TestConf(t *testing.T) {
	t.Parallel()
	for server, site := range map[string]string{
		"nginx":  "root $DIR/root; include $CONF; location / { try_files $uri $uri/ =404; }",
		"apache": "DocumentRoot $DIR/root\nInclude $CONF",
		"caddy":  "root * $DIR/root\nimport $CONF\nfile_server",
	} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			at := served(t, server, site, templates.ConfOptions{URL: "/static", Param: "rev"},
				"index.html", "static/site.css", "static/img/a b.svg", "other/site.css", ".well-known/acme/token", ".well-known/.git/HEAD",
				".git/HEAD", ".svn/wc.db", ".hg/hgrc", ".env", "static/.git/config", "static/.site.css.abcdefghijklmnop.revstamp",
				"revstamp.yaml", "revstamp.production.yaml", "static/site.css~", "static/site.css.bak", "static/site.css.orig", "config.php.mine",
				"config.php.r41", "dump.sql", "static/site.css.REJ", "#config.php#", "config.php.working", "config.php.prej", "config.php.tmp",
				"config.php.save.1", "config.php.swn", "dump.sql.gz", "static/intro.swf",
				"static/jquery.js", "static/site.3fa9c1e2.css", "static/img/a b.3fa9c1e2.svg", "static/report.20260131.pdf",
				"static/a#b.css", "static/a#b.3fa9c1e2.css", "static/a?b.css", "static/a?b.3fa9c1e2.css", "static/50%.css", "static/50%.3fa9c1e2.css",
				"static/.git/config.css", "static/run.php", "other/site.3fa9c1e2.css",
			)
			for _, tt := range []struct {
				path   string
				status int
				cache  string
			}{
				{"/", 200, ""},
				{"/static/site.css?rev=42", 200, aYear},
				{"/static/site.css?x=1&rev=3fa9c1e2", 200, aYear},
				{"/static/site.css", 200, revalidate},
				{"/static/site.css?v=42", 200, revalidate},
				{"/static/img/a%20b.svg?rev=1", 200, aYear},
				{"/static/none.css?rev=42", 404, ""},
				{"/other/site.css?rev=42", 200, ""},
				{"/.well-known/acme/token", 200, ""},
				{"/.well-known/.git/HEAD", 404, ""},
				{"/.git/HEAD", 404, ""},
				{"/.git/", 404, ""},
				{"/%2egit/HEAD", 404, ""},
				{"/.git/HEAD?rev=1", 404, ""},
				{"/.svn/wc.db", 404, ""},
				{"/.hg/hgrc", 404, ""},
				{"/.env", 404, ""},
				{"/static/.git/config", 404, ""},
				{"/static/.site.css.abcdefghijklmnop.revstamp", 404, ""},
				{"/revstamp.yaml", 404, ""},
				{"/revstamp.production.yaml", 404, ""},
				{"/static/site.css~", 404, ""},
				{"/static/site.css.bak", 404, ""},
				{"/static/site.css.orig", 404, ""},
				{"/static/site.css.REJ", 404, ""},
				{"/config.php.mine", 404, ""},
				{"/config.php.r41", 404, ""},
				{"/dump.sql", 404, ""},
				{"/dump.sql.gz", 404, ""},
				{"/%23config.php%23", 404, ""},
				{"/config.php.working", 404, ""},
				{"/config.php.prej", 404, ""},
				{"/config.php.tmp", 404, ""},
				{"/config.php.save.1", 404, ""},
				{"/config.php.swn", 404, ""},
				{"/static/intro.swf", 200, revalidate},

				{"/static/site.css?rev=", 200, revalidate},
				{"/static/a%23b.css", 200, revalidate},
				{"/static/a%23b.3fa9c1e2.css", 200, aYear},
				{"/static/a%3Fb.css", 200, revalidate},
				{"/static/a%3Fb.3fa9c1e2.css", 200, aYear},
				{"/static/50%25.css", 200, revalidate},
				{"/static/50%25.3fa9c1e2.css", 200, aYear},
				{"/static/site.3fa9c1e2.css", 200, aYear},
				{"/static/site.3fa9c1e2.css?x=1", 200, aYear},
				{"/static/img/a%20b.3fa9c1e2.svg", 200, aYear},
				{"/static/site.0badc0de.css", 200, revalidate}, // the file is gone
				{"/static/site.0badc0de.css?rev=42", 200, revalidate},
				{"/static/img/a%20b.0badc0de.svg", 200, revalidate},
				{"/static/none.0badc0de.css", 404, ""},
				{"/static/jquery.min.js", 404, ""},
				{"/static/jquery.0badc0d.js", 404, ""},
				{"/static/jquery.0badc0dee.js", 404, ""},
				{"/static/jquery.0BADC0DE.js", 404, ""},
				{"/static/jquery.12345678.js", 404, ""},
				{"/static/report.20260131.pdf", 200, revalidate},
				{"/static/report.20260132.pdf", 404, ""},
				{"/static/run.0badc0de.php", 404, ""},
				{"/static/.git/config.0badc0de.css", 404, ""},
				{"/.git/HEAD.0badc0de.css", 404, ""},
				{"/other/site.3fa9c1e2.css", 200, ""},
				{"/other/site.0badc0de.css", 404, ""},
			} {
				r := get(t, at+tt.path, nil)
				if tt.status == 404 && r.Header.Get("Cache-Control") == revalidate {
					r.Header.Del("Cache-Control") // nobody keeps it
				}
				if r.StatusCode != tt.status || r.Header.Get("Cache-Control") != tt.cache || len(r.Header.Values("Cache-Control")) > 1 {
					t.Errorf("%s: %d, Cache-Control %q, want %d, %q", tt.path, r.StatusCode, r.Header.Values("Cache-Control"), tt.status, tt.cache)
				}
			}
			mapped := get(t, at+"/static/site.0badc0de.css", nil)
			if now := get(t, at+"/static/site.css", nil); mapped.Header.Get("ETag") != now.Header.Get("ETag") || mapped.ContentLength != now.ContentLength {
				t.Errorf("a name whose file is gone: ETag %q, want that of the asset, %q", mapped.Header.Get("ETag"), now.Header.Get("ETag"))
			}
			// What is not to be kept is asked for again, at no more than a header's price.
			first := get(t, at+"/static/site.css", nil)
			again := get(t, at+"/static/site.css", http.Header{"If-None-Match": first.Header.Values("ETag")})
			if again.StatusCode != http.StatusNotModified || first.Header.Get("ETag") == "" {
				t.Errorf("asked again: %d, ETag %q", again.StatusCode, first.Header.Get("ETag"))
			}
		})
	}
}

// TestConfIncluded has the file included where a site has more than a root.
func TestConfIncluded(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "private")
	}))
	t.Cleanup(app.Close)
	names := []string{
		"static/site.css", "static/site.3fa9c1e2.css", "static/site.3fa9c1e2.css.gz", "static/a#b.3fa9c1e2.css", "static/a?b.css",
		"static/.git/HEAD", "static/site.css.bak", "static/index.html",
	}
	htaccess := `.htaccess
RewriteEngine On
RewriteCond "%{HTTP:Accept-Encoding}" gzip
RewriteCond "%{REQUEST_FILENAME}.gz" -f
RewriteRule "^(.*)\.css$" "$1.css.gz" [L]
FallbackResource /static/index.html
`
	type answer struct {
		path   string
		status int
		cache  string
	}
	common := []answer{
		{"/static/site.css", 200, revalidate},
		{"/static/site.css?v=1", 200, aYear},
		{"/static/site.3fa9c1e2.css", 200, aYear},
		{"/static/site.0badc0de.css", 200, revalidate},
		{"/static/.git/HEAD", 404, ""},
		{"/static/site.css.bak", 404, ""},
	}
	for _, tt := range []struct {
		name, server, site string
		names              []string
		answers            []answer
	}{
		{"nginx/alias", "nginx", "location ^~ /static/ { alias $DIR/root/static/; include $CONF; }", nil, []answer{
			{"/static/a%3Fb.0badc0de.css", 200, revalidate},
		}},
		{"apache/htaccess", "apache", "DocumentRoot $DIR/root\nInclude $CONF", []string{htaccess}, []answer{
			{"/static/a%23b.3fa9c1e2.css", 200, aYear},
		}},
		{"apache/alias", "apache", "Alias /static $DIR/root/static\nInclude $CONF", nil, nil},
		{"apache/proxy", "apache", "DocumentRoot $DIR/root\nInclude $CONF\nProxyPass /static/app/ " + app.URL + "/", nil, []answer{
			{"/static/app/bill.pdf", 200, "private"},
			{"/static/app/bill.pdf?v=2", 200, "private"},
			{"/static/app/bill.3fa9c1e2.pdf", 200, "private"},
		}},
		{"caddy/handle", "caddy", `root * $DIR/root
import $CONF
handle /static/* {
	try_files {path} /static/index.html
	file_server
}`, nil, []answer{
			{"/static/%5C.git/HEAD", 404, ""}, // a backslash in a pattern is none in a name
			{"/static/site.css.ba%5Ck", 404, ""},
		}},
		{"caddy/route", "caddy", "root * $DIR/root\nimport $CONF\nroute {\n\tfile_server\n}", nil, nil},
		{"caddy/handle_path", "caddy", "handle_path /static/* {\n\troot * $DIR/root/static\n\timport $CONF\n\tfile_server\n}", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at := served(t, tt.server, tt.site, templates.ConfOptions{}, append(tt.names, names...)...)
			for _, want := range append(tt.answers, common...) {
				r := get(t, at+want.path, nil)
				if r.StatusCode != want.status || want.status == 200 && strings.Join(r.Header.Values("Cache-Control"), "; ") != want.cache {
					t.Errorf("%s: %d, Cache-Control %q, want %d, %q", want.path, r.StatusCode, r.Header.Values("Cache-Control"), want.status, want.cache)
				}
			}
		})
	}
}

func get(t *testing.T, url string, h http.Header) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range h {
		req.Header[name] = values
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r
}

// serve starts a server and waits until it answers. It is stopped at the end.
func serve(t *testing.T, start func(port string) *exec.Cmd) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_, port, _ := net.SplitHostPort(at)
	cmd := start(port)
	l.Close() // the port is free again
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		<-ended
	})
	for {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			conn.Close()
			return "http://" + at
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s: %v\n%s", cmd.Path, err, said.String())
		default:
		}
	}
}

func TestConfRefuses(t *testing.T) {
	for _, o := range []templates.ConfOptions{{URL: "static"}, {URL: `/a"b`}, {URL: "/$x"}, {URL: "/a%0Ab"}, {Param: "a b"}, {Param: "a-b"}} {
		if _, text, err := templates.Conf("nginx", o); err == nil {
			t.Errorf("Conf(%+v) = %s", o, text)
		}
	}
	if _, _, err := templates.Conf("iis", templates.ConfOptions{}); err == nil {
		t.Error("Conf of an unknown server succeeded")
	}
}
