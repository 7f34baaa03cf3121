package assets

import (
	"path"
	"strings"
)

// Kind is the language of a document, such as HTML or CSS, together with the template
// languages whose code stands in it: HTML|PHP is a PHP page. A Kind without a
// language is taken as HTML; the zero Kind means: by the document's name.
type Kind uint16

// The languages, and the template layers that may lie over them. In a layer,
// code is skipped whole wherever it stands, and what it will print is unknown.
const (
	HTML        Kind = 1 << iota
	CSS              // style sheets
	PHP              // <? … ?>
	Jinja            // {{ … }}, {% … %}, {# … #}: Jinja, Twig, Django, Liquid, Nunjucks
	Mustache         // {{ … }} alone: Go, Mustache, Handlebars, Blade
	ERB              // <% … %>: ERB, EJS, EEx, JSP
	SVG              // drawings, a language of their own: XML
	WebManifest      // of a web application, a language of its own: JSON
	JS               // scripts and modules
)

// assetKinds are the languages of assets. HTML is that of documents alone.
const assetKinds = CSS | SVG | WebManifest | JS

var kindsByExt = map[string]Kind{
	".html": HTML, ".htm": HTML,
	".css": CSS,
	".js":  JS, ".mjs": JS,
	".svg":         SVG,
	".webmanifest": WebManifest,
	".php":         PHP, ".phtml": PHP,
	".twig": Jinja, ".j2": Jinja, ".jinja": Jinja, ".jinja2": Jinja, ".njk": Jinja, ".liquid": Jinja,
	".tmpl": Mustache, ".gohtml": Mustache, ".mustache": Mustache, ".hbs": Mustache, ".handlebars": Mustache,
	".erb": ERB, ".ejs": ERB, ".eex": ERB, ".jsp": ERB,
}

// KindOf tells the kind of a file by its name, and whether it is one that can
// be scanned. The extension before a template's own names the language: style.css.erb
// is CSS, page.html.twig is HTML, config.yaml.j2 is neither.
func KindOf(name string) (Kind, bool) {
	name = strings.ToLower(path.Base(name))
	ext := path.Ext(name)
	k, ok := kindsByExt[ext]
	if !ok || k&(HTML|assetKinds) != 0 {
		return k, ok
	}
	inner := path.Ext(strings.TrimSuffix(name, ext))
	switch inner {
	case ".css", ".svg", ".webmanifest", ".js", ".mjs":
		return kindsByExt[inner] | k, true
	case ".ts", ".json", ".xml", ".txt", ".text", ".md", ".csv",
		".yaml", ".yml", ".toml", ".ini", ".conf", ".cfg", ".env", ".sql", ".sh":
		return 0, false
	case ".blade":
		k |= Mustache
	}
	return HTML | k, true
}
