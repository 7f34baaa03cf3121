package assets_test

import (
	"fmt"
	"testing/fstest"

	"revstamp/assets"
)

func ExampleSite_Rewrite() {
	site := &assets.Site{
		FS: fstest.MapFS{
			"css/site.css": {Data: []byte("body { background: url(../img/bg.png) }")},
			"img/bg.png":   {Data: []byte("…")},
		},
		Rev: "4168",
	}
	page := `<link rel="stylesheet" href="/css/site.css"> <a href="/about.html">About</a>`
	r, err := site.Rewrite(assets.Document{Name: "index.html", Path: "index.html"}, []byte(page))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", r.Out)
	for _, ref := range r.References {
		fmt.Printf("%s:%d:%d: %s is at %s\n", ref.File, ref.Line, ref.Column, ref.Path, ref.New)
	}
	// Output:
	// <link rel="stylesheet" href="/css/site.css?v=4168"> <a href="/about.html">About</a>
	// index.html:1:30: css/site.css is at 4168
}
