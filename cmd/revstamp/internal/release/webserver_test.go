package release

import (
	"os"
	"path/filepath"
	"testing"

	"revstamp/cmd/revstamp/internal/config"
)

// TestWebServer looks at configurations of nginx, reached by includes and a link
// as Debian has them.
func TestWebServer(t *testing.T) {
	t.Parallel()
	const (
		site    = "sites-available/shop"
		snippet = "snippets/fastcgi-php.conf"
		php     = "root /srv/shop/current/public;\nlocation ~ \\.php$ { include snippets/fastcgi-php.conf; fastcgi_pass unix:/run/php.sock; }"
		real    = "fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;"
	)
	for name, c := range map[string]struct {
		files    map[string]string
		disabled bool
		layout   config.Layout
		doubts   int
	}{
		"the link":          {files: map[string]string{site: php}, layout: config.Releases, doubts: 1},
		"what it leads to":  {files: map[string]string{site: php + real}, layout: config.Releases},
		"so in a comment":   {files: map[string]string{site: php + " # " + real}, layout: config.Releases, doubts: 1},
		"so in an include":  {files: map[string]string{site: php, snippet: real}, layout: config.Releases},
		"another include":   {files: map[string]string{site: php, snippet: "try_files $uri =404;", "snippets/other.conf": real}, layout: config.Releases, doubts: 1},
		"includes itself":   {files: map[string]string{site: php, snippet: "include snippets/*.conf;"}, layout: config.Releases, doubts: 1},
		"no PHP":            {files: map[string]string{site: "root /srv/shop/current;"}, layout: config.Releases},
		"PHP in a comment":  {files: map[string]string{site: "root /srv/shop/current;\n#fastcgi_pass unix:/run/php.sock;"}, layout: config.Releases},
		"another site":      {files: map[string]string{site: "root /srv/shop/current2;\nfastcgi_pass unix:/run/php.sock;"}, layout: config.Releases},
		"a site not served": {files: map[string]string{site: php}, disabled: true, layout: config.Releases},
		"in place":          {files: map[string]string{site: php}, layout: config.InPlace},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, text string) {
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write("nginx.conf", "http {\n\tinclude "+dir+"/conf.d/*.conf; include sites-enabled/*;\n}\n")
			for name, text := range c.files {
				write(name, text)
			}
			if !c.disabled {
				write("sites-enabled/default", "")
				if err := os.Symlink(filepath.Join(dir, site), filepath.Join(dir, "sites-enabled", "shop")); err != nil {
					t.Fatal(err)
				}
			}
			i := &inspection{cfg: &config.Config{Dir: "/srv/shop", Layout: c.layout}}
			i.webServer(filepath.Join(dir, "nginx.conf"))
			if len(i.found) != c.doubts {
				t.Errorf("found %+v, want %d", i.found, c.doubts)
			}
		})
	}
}
