package release

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"revstamp/cmd/revstamp/internal/config"
)

// nginxConf is where Debian and most others have nginx's configuration.
const nginxConf = "/etc/nginx/nginx.conf"

// longestConf is how much of a file is taken for configuration.
const longestConf = 1 << 20

// webServer looks whether nginx tells PHP the link to the live release, by which
// PHP's caches know files, instead of the release that it leads to: they would
// serve the old one. It reads the files that conf includes, and no others: those
// of sites that are not enabled say nothing.
func (i *inspection) webServer(conf string) {
	if i.cfg.Layout != config.Releases {
		return
	}
	n := nginx{
		dir: filepath.Dir(conf), files: make(map[string]*nginxFile),
		comment: regexp.MustCompile(`(?m)(^|[\s;{}])#.*`),
		include: regexp.MustCompile(`(?:^|[\s;{}])include\s+["']?([^;"']+)["']?\s*;`),
	}
	n.read(conf)
	for _, name := range n.names {
		if !namesPath(n.files[name].text, i.cfg.Current()) {
			continue
		}
		whole := n.whole(name, make(map[string]bool))
		if bytes.Contains(whole, []byte("fastcgi_pass")) && !bytes.Contains(whole, []byte("$realpath_root")) {
			i.add("server", Doubt, "in it: fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;",
				"%s passes PHP the link, by which its caches would serve the release before", name)
			return
		}
	}
}

// nginx is a configuration of nginx.
type nginx struct {
	dir   string // to which its paths are relative
	names []string
	files map[string]*nginxFile

	comment, include *regexp.Regexp
}

type nginxFile struct {
	text     []byte // less comments
	includes []string
}

// read takes in a file and what it includes. What cannot be read tells nothing.
func (n *nginx) read(name string) {
	if n.files[name] != nil {
		return
	}
	f := new(nginxFile)
	n.names, n.files[name] = append(n.names, name), f
	info, err := os.Stat(name) // enabled sites are links
	if err != nil || !info.Mode().IsRegular() || info.Size() > longestConf {
		return
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return
	}
	f.text = n.comment.ReplaceAll(text, []byte("$1"))
	for _, m := range n.include.FindAllSubmatch(f.text, -1) {
		pattern := strings.TrimSpace(string(m[1]))
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(n.dir, pattern)
		}
		found, _ := filepath.Glob(pattern) // none for a malformed one
		f.includes = append(f.includes, found...)
	}
	for _, included := range f.includes {
		n.read(included)
	}
}

// whole is the text of a file and then of what it includes, each but once.
func (n *nginx) whole(name string, seen map[string]bool) []byte {
	seen[name] = true
	text := bytes.Clone(n.files[name].text)
	for _, included := range n.files[name].includes {
		if !seen[included] {
			text = append(text, n.whole(included, seen)...)
		}
	}
	return text
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
