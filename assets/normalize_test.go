package assets

import "testing"

func TestNormalize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"x.html", `<img src="/a.png?v=1">`, `<img src="/a.png">`},
		{"x.html", `<img src="/a.png?v=1&amp;x=2#y">`, `<img src="/a.png?x=2#y">`},
		{"x.html", `<img src="/a.png?x=2&amp;v=1&amp;y=3">`, `<img src="/a.png?x=2&amp;y=3">`},
		{"x.html", `<img src="/a.png?x=2&amp;v=1">`, `<img src="/a.png?x=2">`},
		{"x.html", `<img src="/a.png?x=2&&v"><img src="/a.png?x=2&"><img src=/a.png?>`, `<img src="/a.png?x=2"><img src="/a.png?x=2"><img src=/a.png>`},
		{"x.html", `<img src="/a.eot?#iefix"><img src="/a.eot?v=1#iefix">`, `<img src="/a.eot#iefix"><img src="/a.eot#iefix">`},
		{"x.html", `<img src="https://e.org/a.png?v=1"><img src="//e.org/a.png?v=1">`, `<img src="https://e.org/a.png"><img src="//e.org/a.png">`},
		{"x.html", `<p style="b:url(&quot;a.png?v=1&quot;)"><img srcset="a.png?v=1, b.png?v=2 2x">`, `<p style="b:url(&quot;a.png&quot;)"><img srcset="a.png, b.png 2x">`},
		{"x.css", `@import "a.css?v=1";b{c:url(d.png?x&v=2)}/*url(d.png?v=2)*/`, `@import "a.css";b{c:url(d.png?x)}/*url(d.png?v=2)*/`},
		{"x.php", `<img src="<?= $b ?>/a.png?v=1"><img src="/a.png?v=<?= $r ?>"><img src="/a.png?x=<?= $r ?>&amp;v=1">`,
			`<img src="<?= $b ?>/a.png?v=1"><img src="/a.png?v=<?= $r ?>"><img src="/a.png?x=<?= $r ?>">`},
		// What Rewrite never touches is no version of ours.
		{"x.html", `<a href="/page.html?v=1"><a href="/dir/?v=1"><a href="?v=1"><a href="mailto:a@b?v=1"><img alt="/a.png?v=1"> /a.png?v=1`, ""},
		{"x.html", `<img src="/a.png?vv=1"><img src="/a.png?x=v=1"><img src="/a.png#?v=1">`, ""},
		{"x.js", `"/a.png?v=1"`, ""},
		{"x.html", "<img src=/a.png?v=1>\x00", ""},
		{"x.html", `<img src="/a.3fa9c1e2.png">`, ""},
		// The sums of what may be our own files.
		{"x.html", `<script src="/a.js?v=1" integrity="sha256-AbC= sha384-x?y sha1-z"></script>`, `<script src="/a.js" integrity="sha256- sha384-?y sha1-z"></script>`},
		{"x.html", `<link integrity='sha512-A&#43;b=' href=a.css>`, `<link integrity='sha512-' href=a.css>`},
		{"x.html", `<script src="//e.org/a.js" integrity="sha256-AbC="></script><script integrity="sha256-AbC="></script><img src=/a.js integrity=sha256-AbC=>`, ""},
	} {
		want := c.want
		if want == "" {
			want = c.in
		}
		got := (&Site{FS: fuzzTree}).Normalize(Document{Name: c.name}, []byte(c.in))
		if string(got) != want {
			t.Errorf("Normalize(%s)\n got %s\nwant %s", c.in, got, want)
		}
	}
	src := []byte(`<img src="/a.png?build=1&amp;v=2">`)
	if got, want := string((&Site{FS: fuzzTree, Param: "build"}).Normalize(Document{Name: "x.html"}, src)), `<img src="/a.png?v=2">`; got != want {
		t.Errorf("Normalize by build = %s, want %s", got, want)
	}
	plain := []byte(`<img src="/a.png"><img src="/b.png?x">`)
	if got := (&Site{FS: fuzzTree}).Normalize(Document{Name: "x.html"}, plain); &got[0] != &plain[0] {
		t.Error("Normalize copies a document without versions")
	}
}

// TestNormalizeNames: in the other style fingerprints are versions, too.
func TestNormalizeNames(t *testing.T) {
	t.Parallel()
	s := &Site{FS: fuzzTree, Style: ByName}
	for in, want := range map[string]string{
		`<img src="/a.3fa9c1e2.png?v=1#x">`:                                   `<img src="/a.png#x">`,
		`<img src="/a.3fa9c1e2.png"><img src="a.png">`:                        `<img src="/a.png"><img src="a.png">`,
		`<img src="/a.20260131.png"><img src="/a.3fa9c1e.png">`:               `<img src="/a.20260131.png"><img src="/a.3fa9c1e.png">`,
		`<a href="/a.3fa9c1e2.html"><a href="/<?= $x ?>/a.3fa9c1e2.png?v=1">`: `<a href="/a.3fa9c1e2.html"><a href="/<?= $x ?>/a.3fa9c1e2.png?v=1">`,
	} {
		if got := string(s.Normalize(Document{Name: "x.html"}, []byte(in))); got != want {
			t.Errorf("Normalize(%s)\n got %s\nwant %s", in, got, want)
		}
	}
}
