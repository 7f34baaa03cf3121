package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"revstamp/stamp"
)

// siteKind is a kind of web site that init knows by its files.
type siteKind struct {
	name    string
	signs   []string // all of these are there; patterns of doublestar
	config  []string // where a revision is kept, the likeliest first
	roots   []string // where its assets are; the first that exists
	rewrite []string // what refers to them; <root> is the one of the assets
	advice  advice
}

// advice is what to add to a site that keeps no revision yet.
type advice struct{ file, code, key string }

// documentTypes are of what refers to assets and is served as it is. A script that
// imports others must be among it, or none has a version.
const documentTypes = ".{html,css,js,mjs,svg,webmanifest}"

// siteKinds are in the order in which they are looked for: what is built on
// something else comes before it.
var siteKinds = []siteKind{
	{
		name:    "WordPress",
		signs:   []string{"wp-{load,config,config-sample}.php"},
		config:  []string{"wp-config.php", "wp-content/themes/*/functions.php", "wp-content/plugins/*/*.php", "wp-content/mu-plugins/*.php"},
		roots:   []string{"."},
		rewrite: []string{"wp-content/themes/**/*.{php,css,js,svg}"},
		advice:  advice{"wp-config.php", `define('ASSETS_REV', '0');`, "ASSETS_REV"},
	},
	{
		// Its own pages get their style sheets and scripts from load.php, which versions them.
		name:    "MediaWiki",
		signs:   []string{"{LocalSettings.php,includes/Defines.php}", "load.php", "api.php"},
		config:  []string{"LocalSettings.php"},
		roots:   []string{"."},
		rewrite: []string{"skins/**/*.{css,svg}", "*.html"},
		advice:  advice{"LocalSettings.php", `$wgSiteRevision = '0';`, "$wgSiteRevision"},
	},
	{
		name:    "Laravel",
		signs:   []string{"artisan", "config/app.php"},
		config:  []string{"config/app.php", "config/*.php", ".env"},
		roots:   []string{"public"},
		rewrite: []string{"resources/views/**/*.php", "<root>/**/*" + documentTypes},
		advice:  advice{"config/app.php", `'revision' => '0',`, "return['revision']"},
	},
	{
		name:    "Symfony",
		signs:   []string{"bin/console", "config/{services.yaml,bundles.php}"},
		config:  []string{"config/packages/framework.yaml", "config/packages/assets.yaml", "config/packages/*.yaml", "config/services.yaml", "config/*.yaml", ".env", ".env.local"},
		roots:   []string{"public", "web"},
		rewrite: []string{"templates/**/*.twig", "<root>/**/*" + documentTypes},
		advice:  advice{"config/packages/framework.yaml", `framework: { assets: { version: '0' } }`, "framework.assets.version"},
	},
	{
		name:    "Rails",
		signs:   []string{"config/application.rb"},
		config:  []string{"config/initializers/assets.rb", "config/initializers/*.rb", "config/application.rb", "config/environments/production.rb", "config/*.yml"},
		roots:   []string{"public"},
		rewrite: []string{"app/views/**/*.erb", "<root>/**/*" + documentTypes},
		advice:  advice{"config/application.rb", `config.x.revision = '0'`, "config.x.revision"},
	},
	{
		name:    "Django",
		signs:   []string{"manage.py"},
		config:  []string{"*/settings.py", "*/settings/*.py", "*/__init__.py", "settings.py", ".env"},
		roots:   []string{"static", "public", "assets"},
		rewrite: []string{"templates/**/*.html", "*/templates/**/*.html", "<root>/**/*" + documentTypes},
		advice:  advice{"settings.py", `REVISION = '0'`, "REVISION"},
	},
	{
		name:    "Node",
		signs:   []string{"package.json"},
		config:  []string{"config/*.{js,cjs,mjs,ts,json,yaml,yml,toml}", "src/config.{js,ts,json}", "config.{js,cjs,mjs,ts,json,yaml,toml}", "public/config.{js,json}", ".env"},
		roots:   []string{"public", "dist", "static", "www"},
		rewrite: []string{"views/**/*.{html,php}", "<root>/**/*" + documentTypes},
		advice:  advice{"config.json", `{ "revision": "0" }`, "revision"},
	},
	{
		name:    "PHP",
		signs:   []string{"{,public/,web/,htdocs/,www/}*.php"},
		config:  []string{"config/*.{php,ini,yaml,json}", "config.{php,ini,yaml,json}", "inc/*.php", "include*/*.php", "*.php", ".env"},
		roots:   []string{"public", "web", "htdocs", "www", "."},
		rewrite: []string{"{templates,views,inc,includes}/**/*.php", "<root>/**/*.{php,html,css,js,mjs,svg,webmanifest}"},
		advice:  advice{"config.php", `$config['revision'] = '0';`, "$config['revision']"},
	},
	{
		name:    "static",
		signs:   []string{"{,public/,web/,htdocs/,www/,dist/}*.html"},
		config:  []string{"*.{json,yaml,toml,js}", ".env"},
		roots:   []string{"public", "web", "htdocs", "www", "dist", "."},
		rewrite: []string{"<root>/**/*" + documentTypes},
	},
}

// kindOfSite tells what kind of site is in dir; ok is false for one that is
// not known.
func kindOfSite(dir string) (kind siteKind, ok bool) {
	site := os.DirFS(dir)
	for _, kind := range siteKinds {
		found := func(sign string) bool { return len(glob(site, sign)) > 0 }
		if !slices.ContainsFunc(kind.signs, func(sign string) bool { return !found(sign) }) {
			return kind, true
		}
	}
	return siteKind{}, false
}

// glob lists the files that match pattern.
func glob(site fs.FS, pattern string) []string {
	// A directory that cannot be read holds nothing to propose.
	names, _ := doublestar.Glob(site, pattern, doublestar.WithFilesOnly())
	slices.Sort(names)
	return names
}

// candidate is a key that may keep a revision.
type candidate struct {
	File string `json:"file"`
	Key  string `json:"key"`
	Line int    `json:"line"`
	Type string `json:"type"`
	Sure bool   `json:"sure"` // by its name; otherwise it may as well be a version that people give
}

// candidates are the keys of the kind's configuration that by their names
// keep a revision or a version: strings and whole numbers that occur once.
func (k siteKind) candidates(dir string) []candidate {
	site := os.DirFS(dir)
	all := []candidate{}
	seen := map[string]bool{}
	for _, pattern := range k.config {
		for _, name := range glob(site, pattern) {
			if seen[name] || filepath.Base(name) == "package.json" || filepath.Base(name) == "composer.json" {
				continue
			}
			seen[name] = true
			all = append(all, candidatesIn(dir, name)...)
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		switch {
		case a.Sure == b.Sure:
			return 0
		case a.Sure:
			return -1
		}
		return 1
	})
	return all
}

// maxConfig is the size from which on a file is no configuration.
const maxConfig = 1 << 20

func candidatesIn(dir, name string) []candidate {
	file := filepath.Join(dir, filepath.FromSlash(name))
	info, err := os.Stat(file)
	if err != nil || info.Size() > maxConfig {
		return nil
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	entries, err := stamp.List(name, "", src)
	if err != nil {
		return nil // of no known format, or not what its name says
	}
	var all []candidate
	for _, e := range entries {
		sure, likely := keepsRevision(e.Key)
		if likely && e.Refused == "" && e.Times == 1 && (e.Type == "string" || e.Type == "int" || e.Type == "number") {
			all = append(all, candidate{name, e.Key, e.Line, e.Type, sure})
		}
	}
	return all
}

var (
	revisionName = lazily(`(?:^|_)(?:rev|revision|svn|git|sha|commit|cache_?buster|build_id|(?:asset|assets|static|cache|css|js|media)_?version)$`)
	versionName  = lazily(`(?:^|_)(?:version|release|build|build_number)$`)
	otherVersion = lazily(`(?:^|_)(?:deprecated|removed|since|undid|parser|storage|server|php|db|database|api|schema|python|ruby|node|mysql|mariadb|postgres|protocol|http|https|ssl|tls|min|max|minimum|required|format|manifest|lock|file|rails|load_defaults|engine|wp|tested|compose)_?(?:version|rev|revision)$`)
	ofClass      = lazily(`(\w+)::[^:]*$`)
	configClass  = lazily(`(?i)(?:config|configuration|settings|constants|build|app|application|kernel|version|release|revision|assets?|site|env|environment|deployment|meta|info)$`)
	camelCase    = lazily(`([a-z0-9])([A-Z])`)
)

// keepsRevision judges a key by the last one or two of its names. In a class that by its
// name is no configuration is what the program needs, and an element whose name is no
// word, as 'delete/revision', is one of a table.
func keepsRevision(key string) (sure, likely bool) {
	if class := ofClass().FindStringSubmatch(key); class != nil && !configClass().MatchString(class[1]) {
		return false, false
	}
	if strings.Contains(key, "/") {
		return false, false
	}
	words := strings.FieldsFunc(strings.ToLower(camelCase().ReplaceAllString(key, "${1}_$2")), func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	if len(words) == 0 {
		return false, false
	}
	name := strings.Trim(words[len(words)-1], "_")
	long := name
	if len(words) > 1 {
		long = words[len(words)-2] + "_" + name
	}
	switch {
	case otherVersion().MatchString(long):
		return false, false
	case revisionName().MatchString(name), revisionName().MatchString(long):
		return true, true
	}
	return false, versionName().MatchString(name)
}

// adviceFile is where to add a key: the file of the kind's configuration that is there
// under the name that the advice has.
func (k siteKind) adviceFile(dir string) string {
	site := os.DirFS(dir)
	for _, pattern := range append([]string{k.advice.file}, k.config...) {
		if filepath.Base(pattern) != filepath.Base(k.advice.file) {
			continue
		}
		if names := glob(site, pattern); len(names) > 0 {
			return names[0]
		}
	}
	return k.advice.file
}

// documents are the patterns of what refers to assets in root.
func (k siteKind) documents(root string) []string {
	patterns := k.rewrite
	if patterns == nil {
		patterns = []string{"<root>/**/*" + documentTypes}
	}
	var all []string
	for _, pattern := range patterns {
		if below, ok := strings.CutPrefix(pattern, "<root>/"); ok {
			pattern = filepath.ToSlash(filepath.Join(root, below))
		}
		all = append(all, pattern)
	}
	return all
}

// assetRoot is the first of the kind's asset directories that is there, and
// "" when none is.
func (k siteKind) assetRoot(dir string) string {
	for _, root := range k.roots {
		if info, err := os.Stat(filepath.Join(dir, root)); err == nil && info.IsDir() {
			return root
		}
	}
	return ""
}
