package assets

import "bytes"

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
)

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
	attrs   attrID
	content content
	foreign bool // svg and math
	base    bool
	link    bool
}

// elementOf returns the element of that name. Within SVG and MathML every
// element may link to something.
func elementOf(name []byte, foreign bool) element {
	var buf [16]byte
	if len(name) > len(buf) {
		name = nil
	}
	for i, c := range name {
		buf[i] = lower(c)
	}
	el := elementNamed(buf[:len(name)])
	el.attrs |= attrStyle
	if foreign {
		el.attrs |= attrHref | attrXlinkHref
	}
	return el
}

func elementNamed(name []byte) element {
	switch string(name) {
	case "a", "area":
		return element{attrs: attrHref}
	case "link":
		return element{attrs: attrHref | attrImageSrcset | attrRel, link: true}
	case "base":
		return element{attrs: attrHref, base: true}
	case "img":
		return element{attrs: attrSrc | attrSrcset}
	case "image":
		return element{attrs: attrSrc | attrSrcset | attrHref | attrXlinkHref}
	case "use", "feimage":
		return element{attrs: attrHref | attrXlinkHref}
	case "source":
		return element{attrs: attrSrc | attrSrcset}
	case "video":
		return element{attrs: attrSrc | attrPoster}
	case "audio", "track", "embed", "input", "frame":
		return element{attrs: attrSrc}
	case "object":
		return element{attrs: attrData}
	case "body", "table", "thead", "tbody", "tfoot", "tr", "td", "th":
		return element{attrs: attrBackground}
	case "meta":
		return element{attrs: attrContent | attrName}
	case "script":
		return element{attrs: attrSrc | attrType, content: scriptData}
	case "style":
		return element{attrs: attrType, content: styleSheet}
	case "iframe":
		return element{attrs: attrSrc, content: rawText}
	case "textarea", "title", "xmp", "noembed", "noframes":
		return element{content: rawText}
	case "plaintext":
		return element{content: plainText}
	case "svg", "math":
		return element{attrs: attrHref | attrXlinkHref, foreign: true}
	}
	return element{}
}

// linkIsFetched reports whether a link element of that rel fetches what it
// names. The URL of a manifest, of an alternate or canonical page is an identity
// that others keep; that of a preloaded module has to be the one that is imported.
func linkIsFetched(rel []byte) bool {
	alternate, stylesheet := false, false
	for r := range bytes.FieldsSeq(rel) {
		switch {
		case equalFold(r, "manifest"), equalFold(r, "canonical"), equalFold(r, "modulepreload"):
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
