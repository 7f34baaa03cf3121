package release

import (
	"os"
	"path/filepath"
	"testing"

	"revstamp/cmd/revstamp/internal/config"
)

// TestWebServer looks at configurations of nginx, reached by a link as Debian has
// them.
func TestWebServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conf   string
		layout config.Layout
		doubts int
	}{
		"the link":         {"root /srv/shop/current/public;\nlocation ~ \\.php$ { include snippets/fastcgi-php.conf; fastcgi_pass unix:/run/php.sock; }", config.Releases, 1},
		"what it leads to": {"root /srv/shop/current;\nlocation ~ \\.php$ { fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name; fastcgi_pass unix:/run/php.sock; }", config.Releases, 0},
		"no PHP":           {"root /srv/shop/current;", config.Releases, 0},
		"another site":     {"root /srv/shop/current2;\nfastcgi_pass unix:/run/php.sock;", config.Releases, 0},
		"in place":         {"root /srv/shop/current;\nfastcgi_pass unix:/run/php.sock;", config.InPlace, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, sub := range []string{"sites-available", "sites-enabled"} {
				if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(dir, "sites-available", "shop")
			if err := os.WriteFile(file, []byte(c.conf), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(file, filepath.Join(dir, "sites-enabled", "shop")); err != nil {
				t.Fatal(err)
			}
			i := &inspection{cfg: &config.Config{Dir: "/srv/shop", Layout: c.layout}}
			i.webServer(dir)
			if len(i.found) != c.doubts {
				t.Errorf("found %+v, want %d", i.found, c.doubts)
			}
		})
	}
}
