package release

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"

	"revstamp/cmd/revstamp/internal/config"
)

// nginxDir is where Debian and most others have nginx's configuration.
const nginxDir = "/etc/nginx"

// longestConf is how much of a file is taken for configuration.
const longestConf = 1 << 20

// webServer looks whether nginx tells PHP the link to the live release, by which
// PHP's caches know files, instead of the release that it leads to: they would
// serve the old one.
func (i *inspection) webServer(dir string) {
	if i.cfg.Layout != config.Releases {
		return
	}
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what cannot be read tells nothing
		}
		info, err := os.Stat(name) // enabled sites are links
		if err != nil || !info.Mode().IsRegular() || info.Size() > longestConf {
			return nil
		}
		text, err := os.ReadFile(name)
		if err == nil && namesPath(text, i.cfg.Current()) && bytes.Contains(text, []byte("fastcgi_pass")) && !bytes.Contains(text, []byte("$realpath_root")) {
			i.add("server", Doubt, "in it: fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;",
				"%s passes PHP the link, by which its caches would serve the release before", name)
			return fs.SkipAll
		}
		return nil
	})
}

// namesPath reports whether text names a path, or what is below it.
func namesPath(text []byte, path string) bool {
	for {
		_, after, ok := bytes.Cut(text, []byte(path))
		if !ok {
			return false
		}
		if len(after) == 0 || bytes.IndexByte([]byte("/;\"' \t\r\n"), after[0]) >= 0 {
			return true
		}
		text = after
	}
}
