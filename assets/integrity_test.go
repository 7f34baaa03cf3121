package assets

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Sums of content, as an integrity attribute has them.
func sum256(data string) string {
	s := sha256.Sum256([]byte(data))
	return "sha256-" + base64.StdEncoding.EncodeToString(s[:])
}

func sum384(data string) string {
	s := sha512.Sum384([]byte(data))
	return "sha384-" + base64.StdEncoding.EncodeToString(s[:])
}

func sum512(data string) string {
	s := sha512.Sum512([]byte(data))
	return "sha512-" + base64.StdEncoding.EncodeToString(s[:])
}

// integritySite has a style sheet that Rewrite changes, one that it does not, and
// a script.
var integritySite = map[string]string{
	"css/site.css":  `a{b:url(../img/a.png)}`,
	"css/plain.css": `a{b:c}`,
	"js/app.js":     `run()`,
	"img/a.png":     `png`,
}

const rewrittenSheet = `a{b:url(../img/a.png?v=42)}`

func sumsOf(algorithms, content string) string {
	var all []string
	for _, a := range strings.Fields(algorithms) {
		switch a {
		case "sha256":
			all = append(all, sum256(content))
		case "sha384":
			all = append(all, sum384(content))
		case "sha512":
			all = append(all, sum512(content))
		default:
			all = append(all, a)
		}
	}
	return strings.Join(all, " ")
}

// TestIntegrity: that of what is rewritten follows it, in all its algorithms; that
// of anything else stays, and is reported when it does not hold.
func TestIntegrity(t *testing.T) {
	t.Parallel()
	const sheet, v = `a{b:url(../img/a.png)}`, "?v=42"
	for _, c := range []struct{ name, in, want, mismatched string }{
		{"of the source", `<link rel=stylesheet href="/css/site.css" integrity="` + sum384(sheet) + `" crossorigin="anonymous">`,
			`<link rel=stylesheet href="/css/site.css?v=42" integrity="` + sum384(rewrittenSheet) + `" crossorigin="anonymous">`, ""},
		{"before the URL", `<link integrity='` + sum256(sheet) + `' href='/css/site.css?v=1'>`,
			`<link integrity='` + sum256(rewrittenSheet) + `' href='/css/site.css?v=42'>`, ""},
		{"several", "<link href=/css/site.css integrity='" + sumsOf("sha512 \n sha256 md5-x sha256", sheet) + "?opt  sha384-'>",
			"<link href=/css/site.css?v=42 integrity='" + sumsOf("sha512 \n sha256 md5-x sha256", rewrittenSheet) + "?opt  " + sum384(rewrittenSheet) + "'>", ""},
		{"unquoted, in capitals", `<LINK HREF=/css/site.css INTEGRITY=SHA256-x>`,
			`<LINK HREF=/css/site.css?v=42 INTEGRITY=SHA256-` + sum256(rewrittenSheet)[7:] + `>`, ""},
		{"escaped", `<link href="/css/site.css" integrity="sha256-a&#43;b&equals;">`,
			`<link href="/css/site.css?v=42" integrity="` + sum256(rewrittenSheet) + `">`, ""},
		{"of a script that nobody rewrites", `<script src="/js/app.js" integrity="` + sum384(`run()`) + `"></script>`,
			`<script src="/js/app.js?v=42" integrity="` + sum384(`run()`) + `"></script>`, ""},
		{"tampered with", "<p>\n<script src=\"/js/app.js\" integrity=\"" + sum384(`walk()`) + `"></script>`,
			"<p>\n<script src=\"/js/app.js?v=42\" integrity=\"" + sum384(`walk()`) + `"></script>`,
			"2:14 " + sum384(`walk()`) + " " + sum384(`run()`)},
		{"a style sheet without references", `<link href="/css/plain.css" integrity="` + sum384(`x`) + `">`,
			`<link href="/css/plain.css?v=42" integrity="` + sum384(`x`) + `">`, "1:13 " + sum384(`x`) + " " + sum384(`a{b:c}`)},
		{"the strongest counts", `<script src="/js/app.js" integrity="` + sum256(`run()`) + ` ` + sum512(`x`) + `"></script>`,
			`<script src="/js/app.js?v=42" integrity="` + sum256(`run()`) + ` ` + sum512(`x`) + `"></script>`, "1:14 " + sum512(`x`) + " " + sum512(`run()`)},
		{"any of the strongest", `<script src="/js/app.js" integrity="` + sum512(`x`) + ` ` + sum512(`run()`) + ` ` + sum256(`x`) + `"></script>`,
			`<script src="/js/app.js?v=42" integrity="` + sum512(`x`) + ` ` + sum512(`run()`) + ` ` + sum256(`x`) + `"></script>`, ""},
		{"others", `<script src="//e.example/a.js" integrity="sha256-x"></script><img src="/img/a.png" integrity="sha256-x"><script integrity="sha256-x"></script>`,
			`<script src="//e.example/a.js" integrity="sha256-x"></script><img src="/img/a.png?v=42" integrity="sha256-x"><script integrity="sha256-x"></script>`, ""},
		{"empty", `<script src="/js/app.js" integrity=""></script><script src="/js/app.js" integrity></script>`,
			`<script src="/js/app.js?v=42" integrity=""></script><script src="/js/app.js?v=42" integrity></script>`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Site{FS: tree(integritySite), Rev: "42", Rewrites: func(string) bool { return true }}
			doc := Document{Name: "index.html", Path: "index.html"}
			r, err := s.Rewrite(doc, []byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, string(r.Out)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			got := ""
			for _, m := range r.Mismatched {
				got += fmt.Sprintf("%d:%d %s %s", m.Line, m.Column, m.Old, m.New)
			}
			if got != c.mismatched {
				t.Errorf("mismatched %q, want %q", got, c.mismatched)
			}
			again, err := s.Rewrite(doc, r.Out)
			if err != nil || string(again.Out) != string(r.Out) {
				t.Errorf("again: %s, %v", again.Out, err)
			}
			if a, b := s.Normalize(doc, []byte(c.in)), s.Normalize(doc, r.Out); string(a) != string(b) {
				t.Errorf("normalized source %s\nof result %s", a, b)
			}
		})
	}
}

// TestIntegrityInTemplates leaves alone what template code writes.
func TestIntegrityInTemplates(t *testing.T) {
	t.Parallel()
	s := &Site{FS: tree(integritySite), Rev: "42", Rewrites: func(string) bool { return true }}
	in := `<link href="/css/site.css" integrity="<?= $i ?>"><link href="<?= $u ?>" integrity="sha256-x"><link href="/css/site.css" integrity="sha256-<?= $i ?>">`
	r, err := s.Rewrite(Document{Name: "x.php"}, []byte(in))
	if want := strings.ReplaceAll(in, "site.css", "site.css?v=42"); err != nil || string(r.Out) != want || r.Mismatched != nil {
		t.Errorf("got %s, %v, %v", r.Out, r.Mismatched, err)
	}
}

// TestIntegrityIsOfWhatIsServed: nobody told that the style sheet is rewritten, so
// it stays as it is; and a copy under another name is rewritten always.
func TestIntegrityIsOfWhatIsServed(t *testing.T) {
	t.Parallel()
	doc := Document{Name: "index.html"}
	src := []byte(`<link href="/css/site.css" integrity="sha256-x">`)
	s := &Site{FS: tree(integritySite)}
	r, err := s.Rewrite(doc, src)
	if err != nil || len(r.Mismatched) != 1 || !strings.Contains(string(r.Out), "sha256-x") {
		t.Errorf("nobody rewrites: %s, %v, %v", r.Out, r.Mismatched, err)
	}
	s = &Site{FS: tree(integritySite), Style: ByName}
	image, err := s.Version("img/a.png")
	if err != nil {
		t.Fatal(err)
	}
	final := `a{b:url(../img/a.` + image + `.png)}`
	r, err = s.Rewrite(doc, src)
	if want := `<link href="/css/site.` + short(hashed(final)) + `.css" integrity="` + sum256(final) + `">`; err != nil || string(r.Out) != want {
		t.Errorf("by name: %s, %v, want %s", r.Out, err, want)
	}
}

func hashed(data string) []byte {
	s := sha256.Sum256([]byte(data))
	return s[:]
}

func TestIntegrityErrors(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"js/app.js", "css/site.css"} {
		s := &Site{FS: brokenFS{tree(integritySite), broken, ""}, Rev: "42", Rewrites: func(string) bool { return true }}
		src := `<script src="/js/app.js" integrity="sha256-x"></script><link href="/css/site.css" integrity="sha256-x">`
		if r, err := s.Rewrite(Document{Name: "x.html"}, []byte(src)); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), broken) {
			t.Errorf("%s unreadable: %+v, %v", broken, r, err)
		}
	}
}
