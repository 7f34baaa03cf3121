package assets

import (
	"bytes"
	"fmt"
	"strings"
)

// attrID is a set of attributes that may hold a URL, or decide whether another
// one does.
type attrID uint16

const (
	attrHref attrID = 1 << iota
	attrXlinkHref
	attrSrc
	attrSrcset
	attrImageSrcset
	attrPoster
	attrData
	attrBackground
	attrStyle
	attrContent
	attrName // name, property or itemprop of a meta element
	attrRel
	attrType
	attrIntegrity
	attrFurther       // one that the site names
	attrFurtherSrcset // the same, with a list
)

// furtherOf returns what an attribute is that elements have no use for by
// themselves: 0 unless the site names it.
func (h *htmlScanner) furtherOf(name []byte) attrID {
	for _, further := range h.further {
		if equalFold(name, further) {
			if strings.HasSuffix(further, "srcset") {
				return attrFurtherSrcset
			}
			return attrFurther
		}
	}
	return 0
}

// checkFurther refuses a name that is none, or that elements have a use for.
func checkFurther(name string) error {
	for i := range len(name) {
		if b := name[i]; !isAlnum(b) && b != '-' && b != '_' && b != ':' && b != '.' {
			return fmt.Errorf("assets: attribute %q: no attribute has such a name", name)
		}
	}
	if name == "" || attrOf([]byte(name)) != 0 {
		return fmt.Errorf("assets: attribute %q: only further ones can be named, as data-src", name)
	}
	return nil
}

// attrOf returns the attribute of that name, 0 for all others.
func attrOf(name []byte) attrID {
	var id attrID
	var want string
	switch len(name) {
	case 3:
		if name[0]|0x20 == 's' {
			id, want = attrSrc, "src"
		} else {
			id, want = attrRel, "rel"
		}
	case 4:
		switch name[0] | 0x20 {
		case 'h':
			id, want = attrHref, "href"
		case 'd':
			id, want = attrData, "data"
		case 'n':
			id, want = attrName, "name"
		default:
			id, want = attrType, "type"
		}
	case 5:
		id, want = attrStyle, "style"
	case 6:
		if name[0]|0x20 == 's' {
			id, want = attrSrcset, "srcset"
		} else {
			id, want = attrPoster, "poster"
		}
	case 7:
		id, want = attrContent, "content"
	case 8:
		if name[0]|0x20 == 'p' {
			id, want = attrName, "property"
		} else {
			id, want = attrName, "itemprop"
		}
	case 9:
		id, want = attrIntegrity, "integrity"
	case 10:
		if name[0]|0x20 == 'b' {
			id, want = attrBackground, "background"
		} else {
			id, want = attrXlinkHref, "xlink:href"
		}
	case 11:
		id, want = attrImageSrcset, "imagesrcset"
	default:
		return 0
	}
	if !equalFold(name, want) {
		return 0
	}
	return id
}

// content says what stands between an element's tags.
type content uint8

const (
	markup     content = iota
	rawText            // up to the end tag, never scanned
	scriptData         // the same, with the rules of script elements
	styleSheet         // CSS
	plainText          // the rest of the document
)

// element is what the scanner has to know of an element.
type element struct {
	name    string
	attrs   attrID
	content content
	foreign bool // svg and math
	base    bool
	link    bool
}

var elements = []element{
	{name: "a", attrs: attrHref},
	{name: "area", attrs: attrHref},
	{name: "link", attrs: attrHref | attrImageSrcset | attrRel | attrIntegrity, link: true},
	{name: "base", attrs: attrHref, base: true},
	{name: "img", attrs: attrSrc | attrSrcset},
	{name: "image", attrs: attrSrc | attrSrcset | attrHref | attrXlinkHref},
	{name: "use", attrs: attrHref | attrXlinkHref},
	{name: "feimage", attrs: attrHref | attrXlinkHref},
	{name: "source", attrs: attrSrc | attrSrcset},
	{name: "video", attrs: attrSrc | attrPoster},
	{name: "audio", attrs: attrSrc},
	{name: "track", attrs: attrSrc},
	{name: "embed", attrs: attrSrc},
	{name: "input", attrs: attrSrc},
	{name: "frame", attrs: attrSrc},
	{name: "object", attrs: attrData},
	{name: "body", attrs: attrBackground},
	{name: "table", attrs: attrBackground},
	{name: "thead", attrs: attrBackground},
	{name: "tbody", attrs: attrBackground},
	{name: "tfoot", attrs: attrBackground},
	{name: "tr", attrs: attrBackground},
	{name: "td", attrs: attrBackground},
	{name: "th", attrs: attrBackground},
	{name: "meta", attrs: attrContent | attrName},
	{name: "script", attrs: attrSrc | attrType | attrIntegrity, content: scriptData},
	{name: "style", attrs: attrType, content: styleSheet},
	{name: "iframe", attrs: attrSrc, content: rawText},
	{name: "textarea", content: rawText},
	{name: "title", content: rawText},
	{name: "xmp", content: rawText},
	{name: "noembed", content: rawText},
	{name: "noframes", content: rawText},
	{name: "plaintext", content: plainText},
	{name: "svg", attrs: attrHref | attrXlinkHref, foreign: true},
	{name: "math", attrs: attrHref | attrXlinkHref, foreign: true},
}

// byLetter has the elements by the first letter and the length of their names,
// so that looking up one that is not there costs next to nothing.
var byLetter [32][16][]*element

func init() {
	for i := range elements {
		el := &elements[i]
		el.attrs |= attrStyle
		at := &byLetter[el.name[0]&31][len(el.name)]
		*at = append(*at, el)
	}
}

// anyElement is what all others are: any element may have a style.
var anyElement = element{attrs: attrStyle}

// elementOf returns the element of that name, which begins with a letter.
func elementOf(name []byte) *element {
	if len(name) < len(byLetter[0]) {
		for _, el := range byLetter[name[0]&31][len(name)] {
			if equalFold(name, el.name) {
				return el
			}
		}
	}
	return &anyElement
}

// hasRel reports whether a link element's rel has that word.
func hasRel(rel []byte, word string) bool {
	for r := range bytes.FieldsSeq(rel) {
		if equalFold(r, word) {
			return true
		}
	}
	return false
}

// linkIsFetched reports whether a link element of that rel fetches what it
// names. The URL of a manifest, of an alternate or canonical page is an identity
// that others keep.
func linkIsFetched(rel []byte) bool {
	alternate, stylesheet := false, false
	for r := range bytes.FieldsSeq(rel) {
		switch {
		case equalFold(r, "manifest"), equalFold(r, "canonical"):
			return false
		case equalFold(r, "alternate"):
			alternate = true
		case equalFold(r, "stylesheet"):
			stylesheet = true
		}
	}
	return !alternate || stylesheet
}

// metaURLs are the names of metas whose content is the URL of an asset, as the
// Open Graph protocol, X and Microsoft define them.
var metaURLs = map[string]bool{
	"og:image": true, "og:image:url": true, "og:image:secure_url": true,
	"og:audio": true, "og:audio:url": true, "og:audio:secure_url": true,
	"og:video": true, "og:video:url": true, "og:video:secure_url": true,
	"twitter:image": true, "twitter:image:src": true, "twitter:image0": true,
	"twitter:image1": true, "twitter:image2": true, "twitter:image3": true,
	"twitter:player:stream":           true,
	"msapplication-tileimage":         true,
	"msapplication-config":            true,
	"msapplication-square70x70logo":   true,
	"msapplication-square150x150logo": true,
	"msapplication-wide310x150logo":   true,
	"msapplication-square310x310logo": true,
	"image":                           true, // schema.org itemprop
	"thumbnailurl":                    true,
	"contenturl":                      true,
}

// metaIsURL reports whether the meta element at hand has a URL for content.
func (h *htmlScanner) metaIsURL() bool {
	for _, a := range h.attrs {
		if a.id == attrName && metaURLs[string(bytes.ToLower(bytes.TrimSpace(h.src[a.start:a.end])))] {
			return true
		}
	}
	return false
}

// foreign is the stack of svg and math elements that are open, as 'f', and of
// the elements within them that hold HTML again, as 'h'. It matters because
// <title/> and <script/> close themselves there.
type foreign []byte

func (f foreign) inside() bool {
	return len(f) > 0 && f[len(f)-1] == 'f'
}

// maxForeign bounds the stack, against documents made to be deep.
const maxForeign = 64

// start takes a start tag that is, or stands, in foreign content.
func (f *foreign) start(name []byte, selfClosing bool) {
	root := equalFold(name, "svg") || equalFold(name, "math")
	switch {
	case f.inside() && breaksOut(name):
		f.pop('f')
	case selfClosing || len(*f) >= maxForeign:
	case root:
		*f = append(*f, 'f')
	case f.inside() && holdsHTML(name):
		*f = append(*f, 'h')
	}
}

// end takes any end tag.
func (f *foreign) end(name []byte) {
	switch {
	case len(*f) == 0:
	case equalFold(name, "svg"), equalFold(name, "math"):
		f.pop('f')
	case holdsHTML(name):
		if !f.inside() {
			f.pop('h')
		}
	}
}

// pop takes off the stack up to and with the innermost element of that sort.
func (f *foreign) pop(sort byte) {
	if i := bytes.LastIndexByte(*f, sort); i >= 0 {
		*f = (*f)[:i]
	}
}

func holdsHTML(name []byte) bool {
	return equalFold(name, "foreignobject") || equalFold(name, "desc") || equalFold(name, "title")
}

// breakouts are the elements that end foreign content, by the rules for parsing
// tokens in foreign content of the HTML standard.
var breakouts = map[string]bool{
	"b": true, "big": true, "blockquote": true, "body": true, "br": true, "center": true,
	"code": true, "dd": true, "div": true, "dl": true, "dt": true, "em": true, "embed": true,
	"h1": true, "h2": true, "h3": true, "h4": true, "h5": true, "h6": true, "head": true,
	"hr": true, "i": true, "img": true, "li": true, "listing": true, "menu": true, "meta": true,
	"nobr": true, "ol": true, "p": true, "pre": true, "ruby": true, "s": true, "small": true,
	"span": true, "strong": true, "strike": true, "sub": true, "sup": true, "table": true,
	"tt": true, "u": true, "ul": true, "var": true,
}

func breaksOut(name []byte) bool {
	return breakouts[string(bytes.ToLower(name))]
}
