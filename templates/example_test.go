package templates_test

import (
	"html/template"
	"log"
	"os"
	"path/filepath"

	"revstamp/templates"
)

func ExampleManifest_FuncMap() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// What a release writes where assets.manifest says, and "revstamp assets manifest".
	const written = `{"format": 1, "revision": "4168", "url": "/", "assets": {
		"css/site.css": {"url": "/css/site.css?v=4168", "version": "4168"}}}`
	file := filepath.Join(dir, "assets.json")
	if err := os.WriteFile(file, []byte(written), 0o644); err != nil {
		log.Fatal(err)
	}

	manifest, err := templates.Open(file, templates.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer manifest.Close()
	page := template.Must(template.New("page").Funcs(manifest.FuncMap()).Parse(
		`<link rel="stylesheet" href="{{asset "css/site.css"}}">`))
	if err := page.Execute(os.Stdout, nil); err != nil {
		log.Fatal(err)
	}
	// Output: <link rel="stylesheet" href="/css/site.css?v=4168">
}
