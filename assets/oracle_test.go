package assets

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"go/build"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/css"
	"golang.org/x/net/html"
)

// recorder is the sink that keeps every URL.
type recorder struct {
	urls    []string
	modules []string
	t       testing.TB
	src     []byte
	last    int
}

func (r *recorder) base(text) {}

func (r *recorder) integrity(_, _ text) {}

func (r *recorder) url(u text, _ string) {
	r.urls = append(r.urls, strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(u.b)))
	r.place(u)
}

func (r *recorder) module(u text, _ string) {
	r.modules = append(r.modules, string(u.b))
	r.place(u)
}

// place holds the scanners to telling what lies in the document, in order.
func (r *recorder) place(u text) {
	start, end := u.pos(0), u.pos(len(u.b))
	if start < r.last || end < start || end > len(r.src) {
		r.t.Errorf("URL %q at %d:%d after %d of %d bytes", u.b, start, end, r.last, len(r.src))
	}
	r.last = end
	if u.at == nil && !bytes.Equal(r.src[start:end], u.b) {
		r.t.Errorf("URL %q at %d:%d, where %q stands", u.b, start, end, r.src[start:end])
	}
}

func urlsIn(t testing.TB, src []byte, kind Kind) []string { return scanned(t, src, kind).urls }

func scanned(t testing.TB, src []byte, kind Kind) *recorder {
	r := &recorder{t: t, src: mask(src, kind)}
	scan(r, new(htmlScanner), src, kind)
	return r
}

// oracles find the URLs of documents without a layer.
var oracles map[Kind]func(src []byte) []string

func init() {
	oracles = map[Kind]func(src []byte) []string{HTML: oracleHTML, CSS: oracleCSS, SVG: oracleSVG, WebManifest: oracleManifest}
}

// oracleSVG finds the URLs of a drawing by the tokens of encoding/xml: any href, and
// what style sheets have.
func oracleSVG(src []byte) (urls []string) {
	d := xml.NewDecoder(bytes.NewReader(src))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var sheet []byte
	inStyle := false
	for {
		token, err := d.RawToken()
		if err != nil {
			return urls
		}
		switch token := token.(type) {
		case xml.ProcInst:
			if m := stylesheetHref.FindSubmatch(token.Inst); token.Target == "xml-stylesheet" && m != nil {
				urls = append(urls, string(m[1]))
			}
		case xml.StartElement:
			css := true
			for _, a := range token.Attr {
				switch a.Name.Local {
				case "href":
					if a.Name.Space == "" || a.Name.Space == "xlink" {
						urls = append(urls, a.Value)
					}
				case "style":
					urls = append(urls, oracleCSS([]byte(a.Value))...)
				case "type":
					css = a.Value == "text/css"
				}
			}
			inStyle = token.Name.Local == "style" && css
		case xml.CharData:
			if inStyle {
				sheet = append(sheet, token...)
			}
		case xml.EndElement:
			urls = append(urls, oracleCSS(sheet)...)
			sheet, inStyle = nil, false
		}
	}
}

var stylesheetHref = regexp.MustCompile(`href="([^"]*)"`)

// oracleManifest finds the URLs of a web manifest by the tokens of encoding/json.
func oracleManifest(src []byte) (urls []string) {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(src, []byte("\ufeff"))))
	// value takes a value: what it is if it is a list of images, an image, its src.
	var value func(list, image, src bool) bool
	value = func(list, image, src bool) bool {
		token, err := d.Token()
		switch token := token.(type) {
		case json.Delim:
			for d.More() {
				if token == '[' {
					if !value(false, list, false) {
						return false
					}
					continue
				}
				key, err := d.Token()
				if err != nil || !value(key == "icons" || key == "screenshots", false, image && key == "src") {
					return false
				}
			}
			_, err = d.Token()
		case string:
			if src {
				urls = append(urls, token)
			}
		}
		return err == nil
	}
	value(false, false, false)
	return urls
}

// oracleCSS finds the URLs of a style sheet by the tokens of tdewolff/parse.
func oracleCSS(src []byte) []string {
	var urls []string
	lexer := css.NewLexer(parse.NewInputBytes(bytes.Clone(src)))
	var functions []string
	at, sourceMap := "", ""
	for {
		kind, data := lexer.Next()
		if m := sourceMapRE.FindSubmatch(data); kind == css.CommentToken && m != nil {
			sourceMap = string(m[1])
		} else if kind != css.CommentToken && kind != css.WhitespaceToken && kind != css.ErrorToken {
			sourceMap = ""
		}
		inFunction := ""
		if len(functions) > 0 {
			inFunction = functions[len(functions)-1]
		}
		switch kind {
		case css.ErrorToken:
			if sourceMap != "" {
				urls = append(urls, sourceMap)
			}
			return urls
		case css.WhitespaceToken, css.CommentToken:
			continue
		case css.AtKeywordToken:
			at = strings.ToLower(string(data))
			continue
		case css.SemicolonToken, css.LeftBraceToken, css.RightBraceToken:
			at = ""
		case css.FunctionToken:
			functions = append(functions, strings.ToLower(cssValue(string(data))))
			if at == "@import" {
				at = ""
			}
			continue
		case css.LeftParenthesisToken:
			functions = append(functions, "")
		case css.RightParenthesisToken:
			functions = functions[:max(0, len(functions)-1)]
		case css.URLToken:
			if at != "@namespace" && at != "@document" {
				_, inside, _ := strings.Cut(string(data), "(")
				urls = append(urls, cssValue(strings.TrimSuffix(inside, ")")))
			}
		case css.StringToken:
			image := inFunction == "image-set(" || inFunction == "-webkit-image-set("
			if at == "@import" || image && at != "@namespace" || inFunction == "src(" {
				urls = append(urls, cssValue(string(data)))
			}
		}
		if inFunction == "src(" && kind != css.RightParenthesisToken {
			functions[len(functions)-1] = "" // only its first argument
		}
		if at == "@import" {
			at = ""
		}
	}
}

var sourceMapRE = regexp.MustCompile(`^/\*[#@]\s*sourceMappingURL=(\S+?)\s*\*/$`)

var cssEscapeRE = regexp.MustCompile(`(?s)\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?|(\r\n|[\n\r\f])|(.)|$)`)

// cssValue returns what a string or the inside of url() means.
func cssValue(s string) string {
	s = strings.TrimLeft(s, " \t\r\n\f")
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		quote := s[:1]
		s = s[1:]
		if t := strings.TrimRight(s, " \t\r\n\f"); strings.HasSuffix(t, quote) {
			s = strings.TrimSuffix(t, quote)
		}
	} else if t := strings.TrimRight(s, " \t\r\n\f"); !endsInHexEscape(t) {
		s = t
	}
	return cssEscapeRE.ReplaceAllStringFunc(s, func(e string) string {
		m := cssEscapeRE.FindStringSubmatch(e)
		if m[1] == "" {
			return m[3]
		}
		n, err := strconv.ParseUint(m[1], 16, 32)
		if err != nil || n == 0 || n > 0x10ffff || 0xd800 <= n && n < 0xe000 {
			n = 0xfffd
		}
		return string(rune(n))
	})
}

var hexEscapeEndRE = regexp.MustCompile(`\\[0-9a-fA-F]{1,6}$`)

func endsInHexEscape(s string) bool { return hexEscapeEndRE.MatchString(s) }

// oracleAttrs are the attributes with a URL by element; those of "*" count
// within SVG.
var oracleAttrs = map[string]string{
	"a": "href", "area": "href", "link": "href imagesrcset", "img": "src srcset",
	"image": "src srcset href xlink:href", "use": "href xlink:href", "feimage": "href xlink:href",
	"source": "src srcset", "video": "src poster", "audio": "src", "track": "src", "embed": "src",
	"input": "src", "frame": "src", "iframe": "src", "script": "src", "object": "data",
	"body": "background", "table": "background", "thead": "background", "tbody": "background",
	"tfoot": "background", "tr": "background", "td": "background", "th": "background",
	"svg": "href xlink:href", "math": "href xlink:href", "*": "href xlink:href",
}

// oracleHTML finds the URLs of a page by the tokens of golang.org/x/net/html.
func oracleHTML(src []byte) []string {
	var urls []string
	z := html.NewTokenizer(bytes.NewReader(src))
	foreign := 0
	style := "" // type of the style element we are in, if we are
	inStyle := false
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				panic(z.Err())
			}
			return urls
		case html.TextToken:
			if inStyle && (style == "" || strings.EqualFold(style, "text/css")) {
				urls = append(urls, oracleCSS(z.Raw())...)
			}
			inStyle = false
		case html.EndTagToken:
			name, _ := z.TagName()
			if n := string(name); n == "svg" || n == "math" {
				foreign = max(0, foreign-1)
			}
			inStyle = false
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			attrs := map[string]string{}
			for i := len(tok.Attr) - 1; i >= 0; i-- { // the first wins
				attrs[tok.Attr[i].Key] = tok.Attr[i].Val
			}
			urls = append(urls, oracleTag(tok, attrs, foreign > 0)...)
			inStyle, style = tok.Data == "style", strings.TrimSpace(attrs["type"])
			closed := kind == html.SelfClosingTagToken
			switch {
			case (tok.Data == "svg" || tok.Data == "math") && !closed:
				foreign++
			case tok.Data == "noscript", foreign > 0 && closed:
				z.NextIsNotRawText()
				inStyle = false
			}
		}
	}
}

func oracleTag(tok html.Token, attrs map[string]string, foreign bool) []string {
	var urls []string
	wanted := strings.Fields(oracleAttrs[tok.Data])
	if foreign {
		wanted = append(wanted, strings.Fields(oracleAttrs["*"])...)
	}
	seen := map[string]bool{}
	for _, a := range tok.Attr { // in their order
		if seen[a.Key] {
			continue
		}
		seen[a.Key] = true
		switch {
		case a.Key == "style":
			urls = append(urls, oracleCSS([]byte(a.Val))...)
		case tok.Data == "meta" && a.Key == "content":
			for _, name := range tok.Attr {
				if (name.Key == "name" || name.Key == "property" || name.Key == "itemprop") && metaURLs[strings.ToLower(strings.TrimSpace(name.Val))] {
					urls = append(urls, a.Val)
					break
				}
			}
		case !slices.Contains(wanted, a.Key):
		case strings.HasSuffix(a.Key, "srcset"):
			urls = append(urls, oracleSrcset(a.Val)...)
		case tok.Data == "script" && strings.EqualFold(strings.TrimSpace(attrs["type"]), "module"):
		case tok.Data == "link" && a.Key == "href" && (!linkIsFetched([]byte(attrs["rel"])) || hasRel([]byte(attrs["rel"]), "modulepreload")):
		default:
			urls = append(urls, a.Val)
		}
	}
	return urls
}

var candidateRE = regexp.MustCompile(`^[\s,]*([^\s]*[^\s,])(?:,+|[^,(]*(?:\([^)]*(?:\)|$)[^,(]*)*)`)

func oracleSrcset(s string) []string {
	var urls []string
	for {
		m := candidateRE.FindStringSubmatchIndex(s)
		if m == nil {
			return urls
		}
		urls = append(urls, s[m[2]:m[3]])
		s = s[m[1]:]
	}
}

// corpus calls do with the HTML and CSS files found on the machine: in Go's own
// tree, in the documentation of installed packages, and in the directories of
// the list REVSTAMP_CORPUS, which lifts the limits. Of the others it takes a
// bounded number, spread over all.
func corpus(t testing.TB, do func(name string, kind Kind, src []byte)) (files int, size int64) {
	maxFiles, maxSize := 1000, int64(20<<20)
	roots := []string{build.Default.GOROOT, "/usr/share/doc", "/usr/share/javascript", "/usr/lib/node_modules", "/usr/lib/python3"}
	if more := os.Getenv("REVSTAMP_CORPUS"); more != "" {
		roots, maxFiles, maxSize = filepath.SplitList(more), 1<<30, 1<<40
	}
	var names []string
	for _, root := range roots {
		if root == "" {
			continue
		}
		filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if k, ok := KindOf(name); ok && oracles[k] != nil {
					names = append(names, name)
				}
			}
			return nil
		})
	}
	step := max(1, len(names)/maxFiles)
	for i := 0; i < len(names) && size < maxSize; i += step {
		src, err := os.ReadFile(names[i])
		if err != nil || unreadable(src) != "" {
			continue
		}
		kind, _ := KindOf(names[i])
		do(names[i], kind, src)
		files++
		size += int64(len(src))
	}
	return files, size
}

// TestOracles compares the URLs found with those that other lexers find: in the
// files of the machine, in the golden cases and in generated documents.
func TestOracles(t *testing.T) {
	t.Parallel()
	found := map[Kind]int{}
	compare := func(name string, kind Kind, src []byte) {
		want, got := oracles[kind](src), urlsIn(t, src, kind)
		found[kind] += len(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-oracle +got):\n%.2000s\nof %.500q", name, d, src)
		}
	}
	files, size := corpus(t, compare)
	t.Logf("%d files of this machine, %d bytes: %d URLs in HTML, %d in CSS, %d in SVG", files, size, found[HTML], found[CSS], found[SVG])

	cases := 0
	for _, file := range goldenFiles(t) {
		for _, g := range readGolden(t, file) {
			kind, ok := KindOf(g.as["name"])
			if src := g.source(); ok && oracles[kind] != nil && unreadable(src) == "" && !oracleIsWrong[g.name] {
				compare(g.name, kind, src)
				cases++
			}
		}
	}
	const generated = 4000
	random := rand.New(rand.NewPCG(1, 2))
	for i := range generated {
		compare(fmt.Sprint("generated HTML ", i), HTML, generateHTML(random))
		compare(fmt.Sprint("generated CSS ", i), CSS, bytes.TrimRight(generateCSS(random), `\`))
	}
	t.Logf("with %d golden cases and %d generated documents: %d URLs in HTML, %d in CSS", cases, 2*generated, found[HTML], found[CSS])
	if found[HTML] < 1000 || found[CSS] < 1000 {
		t.Errorf("the oracles found %d URLs in HTML and %d in CSS", found[HTML], found[CSS])
	}
}

// oracleIsWrong names golden cases that the other lexers read otherwise than
// the standards say.
var oracleIsWrong = map[string]bool{
	"svg ends when HTML begins":                        true, // x/net leaves that to its parser
	"HTML within svg":                                  true,
	"style within svg decodes entities":                true,
	"titles and text hold markup here, scripts do not": true, // nothing in a script is drawn
	"a module":                        true, // encoding/xml knows no modules
	"HTML within":                     true, // encoding/xml knows no HTML
	"an escape that the end cuts off": true, // nothing can be written after it
	"what is no JSON is left as it is from there on": true,
	"function name with an escape in it":             true, // tdewolff compares "url" as written
	"url with a modifier":                            true,
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

var (
	genURLs = []string{"/img/a.png", "a.png?x=1&amp;y=2", "b.png#c", "&#47;x", "x&amp", "x&ampy=1", "&copy=1", "&notit;", "&eacute;.png",
		"", " a b ", "data:x,y", "//h/x", "1,2", "a,", "\"", "'", "/", "=", "a\r\nb", "{{x}}", "&#x2f;", "&#0;", "&#x80;", "&lt", "&unknown;"}
	genAttrs = []string{"src", "href", "SRC", "srcset", "style", "xlink:href", "data", "poster", "background", "class", "rel", "type",
		"content", "property", "imagesrcset", "=", "a=b", "data-src", "s\"rc", "itemprop"}
	genTags = []string{"a", "img", "IMG", "link", "meta", "p", "svg", "use", "image", "video", "script", "style", "title", "textarea",
		"object", "body", "td", "xmp", "iframe", "noembed", "noscript", "x-y", "source", "math", "frame"}
	genText = []string{"text", "<", "</", "<!", "<!-- <img src=c> -->", "<!-->", "<!--->", "<!-- a --!>", "<!-- a --->", "<!DOCTYPE html>", "<?x?>",
		"<![CDATA[x]]>", "</>", "</ a>", "&amp;", ">", "\"", "'", "-->", "</p a='>'>", "<!---->", "<!-- -- >"}
)

// generateHTML makes markup of well-formed and of broken parts.
func generateHTML(r *rand.Rand) []byte {
	var b strings.Builder
	for range r.IntN(12) {
		if r.IntN(3) == 0 {
			b.WriteString(pick(r, genText))
			continue
		}
		tag := pick(r, genTags)
		if tag == "svg" || tag == "math" { // what x/net leaves to its parser
			b.WriteString("<" + tag + "><use href=x /></" + tag + ">")
			continue
		}
		b.WriteString("<" + tag)
		for range r.IntN(4) {
			b.WriteString(pick(r, []string{" ", " ", "\n", "\t", "/", " / "}))
			b.WriteString(pick(r, genAttrs))
			value := pick(r, genURLs)
			switch r.IntN(8) {
			case 0:
				value = string(generateCSS(r))
			case 1:
				value = "text/css"
			case 2:
				value = "og:image"
			}
			switch quote := pick(r, []string{"\"", "\"", "'", "", " "}); quote {
			case " ":
			case "":
				if value = strings.Map(func(c rune) rune {
					if strings.ContainsRune(" \t\r\n\f>\"'", c) {
						return -1
					}
					return c
				}, value); value != "" {
					b.WriteString("=" + value)
				}
			default:
				b.WriteString(pick(r, []string{"=", " = ", "=\n"}) + quote + strings.ReplaceAll(value, quote, "&quot;") + quote)
			}
		}
		b.WriteString(pick(r, []string{">", ">", " >", ">", ""}))
		switch tag {
		case "script":
			b.WriteString(pick(r, []string{"x<img src=a>", "<!-- <script> </script> <img src=b> -->", "<!--x</script", "<!--><script></script>"}) + "</script>")
		case "style":
			b.Write(generateCSS(r))
			b.WriteString("</style>")
		case "title", "textarea", "xmp", "iframe", "noembed":
			b.WriteString("<img src=d></" + strings.ToUpper(tag) + ">")
		}
	}
	return []byte(b.String())
}

var (
	genCSS = []string{"a{", "}", ";", "b:", ")", "url(a.png)", "url( 'b.png' )", "URL(\"c.png\")", "@import", " \"d.css\"", " 'e.css' ",
		"image-set(", "-webkit-image-set(", "src(\"f.png\")", "type(\"g\")", "local('h')", ",", " 1x", "/* url(i.png) */", "/*", "\\", "\\)", "\\6d ",
		"url(\\61.png)", "url(j\\).png)", "url(k l)", "url(m\"n)", "url()", "url(data:x;y,z)", "\n", "\r\n", "(", "[", "]", "calc(", "#url(x)", "-url(y)",
		"@namespace url(z);", "/*# sourceMappingURL=k.map */", "@charset 'x';", "@media x{", "<!--", "-->", "é", "\"", "'", "\"a\\\nb\"", "1px", "//x"}
)

// generateCSS makes CSS of whole tokens and of broken ones.
func generateCSS(r *rand.Rand) []byte {
	var b strings.Builder
	for range r.IntN(14) {
		b.WriteString(pick(r, genCSS))
	}
	return []byte(b.String())
}
