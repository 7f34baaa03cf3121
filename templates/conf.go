package templates

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"revstamp/assets"
)

//go:embed conf
var confs embed.FS

// confFiles are what Conf writes, below conf, by server.
var confFiles = []struct{ server, file string }{
	{"nginx", "revstamp-nginx.conf"},
	{"apache", "revstamp-apache.conf"},
	{"caddy", "revstamp.caddy"},
}

// Servers are the names that Conf knows.
func Servers() []string {
	var names []string
	for _, f := range confFiles {
		names = append(names, f.server)
	}
	return names
}

// ConfOptions say what the configuration is for.
type ConfOptions struct {
	URL   string // the path that the asset root is served under; "" is "/"
	Param string // the query parameter that holds the version; "" is "v"
}

// Conf returns the configuration of a web server: assets whose URL has a version,
// in its query or as a fingerprint in its name, are kept for a year by browsers and
// asked for again without one; a fingerprinted name whose file is gone gets the
// asset as it is now, which is not kept; and what lies in the root and is for no
// visitor is not found: directories of version control systems, names that begin
// with a dot, what editors and merges leave behind, and files of revstamp. Errors
// are cached by nobody; but Caddy sends the header of a file also when it may not
// read it.
func Conf(server string, o ConfOptions) (name string, text []byte, err error) {
	for _, f := range confFiles {
		if f.server != server {
			continue
		}
		s := assets.Site{FS: confs, URL: o.URL, Param: o.Param}
		prefix, param, err := s.Address()
		if err != nil {
			return "", nil, err
		}
		if i := strings.IndexFunc(prefix, notInConf); i >= 0 {
			return "", nil, fmt.Errorf("url %q holds %q, which cannot stand in a configuration", o.URL, prefix[i])
		}
		if strings.ContainsAny(param, ".-") && server == "nginx" {
			return "", nil, fmt.Errorf("parameter %q: nginx has no variable for it, only for names of letters, digits and _", param)
		}
		text, err := confs.ReadFile("conf/" + f.file)
		if err != nil {
			return "", nil, err
		}
		types := strings.ReplaceAll(strings.Join(assets.Extensions(), "|"), ".", "")
		filled := strings.NewReplacer("@PREFIX@", regexp.QuoteMeta(prefix), "@TYPES@", types, "@PARAM@", param, "@FINGERPRINT@", fingerprint()).Replace(string(text))
		return f.file, []byte(filled), nil
	}
	return "", nil, fmt.Errorf("no configuration is known for %q: there are %s", server, strings.Join(Servers(), ", "))
}

// fingerprint is a regular expression for that of a name, without its dot: digits
// with a letter among them. RE2, which Caddy has, knows no looking ahead.
func fingerprint() string {
	var b strings.Builder
	for i := range assets.FingerprintDigits {
		fmt.Fprintf(&b, "|[0-9]{%d}[a-f][0-9a-f]{%d}", i, assets.FingerprintDigits-1-i)
	}
	return "(?:" + b.String()[1:] + ")"
}

// notInConf reports whether a character would end a word in quotes, or mean
// something else there.
func notInConf(r rune) bool {
	return r == '"' || r == '\'' || r == '$' || r == '{' || r == '}' || r == '%' || unicode.IsControl(r) || r == utf8.RuneError
}
