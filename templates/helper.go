package templates

import (
	"embed"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed helpers
var sources embed.FS

// helper is a file that Helper writes.
type helper struct {
	language string
	file     string            // what the user should call it
	parts    []string          // below helpers; one after the other they are the file
	quote    *strings.Replacer // what stands in quotes
	quotes   string
}

var (
	singleQuoted = strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	doubleQuoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)

var helpers = []helper{
	{"php", "revstamp.php", []string{"php-head.php", "php.php"}, singleQuoted, "'"},
	{"twig", "revstamp-twig.php", []string{"twig-head.php", "php.php", "twig.php"}, singleQuoted, "'"},
	{"jinja", "revstamp_assets.py", []string{"revstamp_assets.py"}, doubleQuoted, `"`},
	{"erb", "revstamp.rb", []string{"revstamp.rb"}, singleQuoted, "'"},
	{"js", "revstamp.js", []string{"revstamp.js"}, doubleQuoted, `"`},
}

// Languages are the names that Helper knows.
func Languages() []string {
	var names []string
	for _, h := range helpers {
		names = append(names, h.language)
	}
	return names
}

// Helper returns a source file with the three functions for a language, and the
// name it is to be saved by. manifest is the path of the manifest, in UTF-8; a
// relative one is looked for from where the file lies. The file needs nothing
// but its language, and Twig's twig; it reads the manifest again when it is
// another file than before.
func Helper(language, manifest string) (name string, source []byte, err error) {
	for _, h := range helpers {
		if h.language != language {
			continue
		}
		if manifest == "" || !utf8.ValidString(manifest) || strings.ContainsFunc(manifest, unicode.IsControl) {
			return "", nil, fmt.Errorf("the path %q cannot stand in a source file", manifest)
		}
		var text []byte
		for _, part := range h.parts {
			b, err := sources.ReadFile("helpers/" + part)
			if err != nil {
				return "", nil, err
			}
			text = append(text, b...)
		}
		literal := h.quotes + h.quote.Replace(manifest) + h.quotes
		return h.file, []byte(strings.ReplaceAll(string(text), "@MANIFEST@", literal)), nil
	}
	return "", nil, fmt.Errorf("no helper is called %q: there are %s", language, strings.Join(Languages(), ", "))
}
