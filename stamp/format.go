package stamp

import (
	"path/filepath"
	"slices"
	"strings"
)

// format is a language under the name that a target gives it.
type format struct {
	language
	name     string
	example  string   // of a key
	files    []string // patterns of filepath.Match, of the base names it is known by, in lower case
	newlines bool     // a value in it can hold line feeds without going over several lines
}

const plainFormat = "plain"

// formats are all of them but plain, which has no keys. Of two whose patterns
// match a name the first is meant.
var formats = []format{
	{php{}, "php", `$config['rev']`, []string{"*.php", "*.phtml"}, true},
	{yamlLang{}, "yaml", "assets.rev", []string{"*.yaml", "*.yml"}, true},
	{jsonLang{comments: true}, "jsonc", "assets.rev", []string{
		"*.jsonc", "tsconfig.json", "tsconfig.*.json", "jsconfig.json", ".babelrc", ".babelrc.json", ".eslintrc", ".eslintrc.json",
		".jshintrc", ".swcrc", "*.code-workspace", "*.code-snippets", "devcontainer.json", ".devcontainer.json",
	}, true},
	{jsonLang{}, "json", "assets.rev", []string{"*.json", "*.webmanifest", "*.geojson", "*.jsonld", "composer.lock", "pipfile.lock"}, true},
	{tomlLang{}, "toml", "assets.rev", []string{"*.toml", "pipfile"}, true},
	{ini{}, "ini", "assets.rev", []string{"*.ini", "*.cfg"}, false},
	{properties{}, "properties", "app.rev", []string{"*.properties"}, true},
	{env{}, "env", "ASSETS_REV", []string{".env", ".env.*", "*.env"}, false},
	{js{}, "js", "window.APP.rev", []string{"*.js", "*.mjs", "*.cjs"}, true},
	{js{ts: true}, "ts", "config.assets.rev", []string{"*.ts", "*.mts", "*.cts"}, true},
	{python{}, "python", `CONFIG['rev']`, []string{"*.py", "*.pyw", "*.pyi"}, true},
	{ruby{}, "ruby", `SETTINGS[:rev]`, []string{"*.rb", "*.ru", "*.rake", "*.gemspec", "rakefile", "gemfile", "capfile"}, true},
	{xmlLang{}, "xml", "/project/version", []string{
		"*.xml", "*.xsd", "*.xsl", "*.xslt", "*.xhtml", "*.svg", "*.pom", "*.config", "*.csproj", "*.fsproj", "*.vbproj",
		"*.vcxproj", "*.props", "*.targets", "*.nuspec", "*.resx", "*.plist",
	}, true},
	{cLang{}, "c", "BUILD_REV", []string{"*.h", "*.c", "*.hh", "*.cc", "*.hpp", "*.cpp", "*.hxx", "*.cxx"}, true},
}

// Formats returns the names that Target.Format may have.
func Formats() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return append(names, plainFormat)
}

// FormatOf returns the format that a file has by its name.
func FormatOf(file string) (name string, ok bool) {
	base := strings.ToLower(filepath.Base(file))
	for _, f := range formats {
		for _, pattern := range f.files {
			if ok, _ := filepath.Match(pattern, base); ok {
				return f.name, true
			}
		}
	}
	return "", false
}

func formatNamed(name string) (format, error) {
	i := slices.IndexFunc(formats, func(f format) bool { return f.name == name })
	if i < 0 {
		return format{}, refuse(BadSelector, -1, "format %q is not known", name).hint("it is one of " + formatNames())
	}
	return formats[i], nil
}

func formatNames() string { return strings.Join(Formats(), ", ") }
