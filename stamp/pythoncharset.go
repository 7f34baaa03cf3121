package stamp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	pyCookie    = lazily(`^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)`)
	pyASCIIName = lazily(`(?i)^(?:(?:us[-_]?)?ascii|646)$`)
	pyBlank     = lazily(`^[ \t\f]*(?:#.*)?$`)
	// Of the encodings that Python knows those that have ASCII characters in
	// bytes below 0x80, and nothing else there: not those of Shift JIS's kind,
	// where a backslash may be half a character.
	pyByteCharset = lazily(`^(?:(?:us-?)?ascii|646|(?:iso-?)?8859-?\d+|latin-?\d+|l\d+|(?:cp|windows-?|ibm)?(?:125[0-8]|437|720|737|775|850|852|855|858|86[0-6]|869|874|1125)` +
		`|koi8-[rtu]|kz1048|mac-?(?:cyrillic|greek|iceland|latin2|roman|turkish)|(?:cyrillic|greek|hebrew|arabic|thai|tis-?620)|euc-?(?:jp|kr)|gb-?2312|euc-?cn)$`)
)

// pyCharsetOf reads the declaration of PEP 263 in the first two lines; without
// one a file is UTF-8.
func pyCharsetOf(src string) (charset, error) {
	name, at := pyDeclared(src[bomLen(src):])
	at += bomLen(src)
	charset, ok := pyCharsetNamed(name)
	switch {
	case !ok:
		return 0, refuse(ParseError, at, "files in the encoding %s are not read", name).hint("make it UTF-8")
	case charset != charsetUTF8 && bomLen(src) > 0:
		return 0, refuse(ParseError, at, "the file begins with the mark of UTF-8, and says that it is %s", name)
	case pyASCIIName().MatchString(name) && !ascii(src):
		return 0, refuse(ParseError, at, "the file says that it is %s, and is not", name)
	case charset == charsetUTF8 && !utf8.ValidString(src):
		return 0, refuse(ParseError, invalidUTF8([]byte(src)), "the file is not UTF-8").
			hint("say in its first line what it is, as in # coding: latin-1")
	}
	return charset, nil
}

// pyDeclared returns the encoding that src declares, or "", and where.
func pyDeclared(src string) (name string, at int) {
	for range 2 {
		end := strings.IndexAny(src[at:], "\r\n")
		if end < 0 {
			end = len(src) - at
		}
		line := src[at : at+end]
		if m := pyCookie().FindStringSubmatchIndex(line); m != nil {
			return line[m[2]:m[3]], at + m[2]
		}
		if !pyBlank().MatchString(line) || at+end == len(src) {
			break
		}
		at += end + 1
		if strings.HasPrefix(src[at-1:], "\r\n") {
			at++
		}
	}
	return "", 0
}

func pyCharsetNamed(name string) (charset, bool) {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	is := func(names ...string) bool {
		for _, n := range names {
			if name == n || strings.HasPrefix(name, n+"-") {
				return true
			}
		}
		return false
	}
	switch {
	case name == "" || name == "utf8" || is("utf-8"):
		return charsetUTF8, true
	case is("latin-1", "iso-8859-1", "iso-latin-1") || name == "latin1" || name == "iso8859-1" || name == "l1":
		return charsetLatin1, true
	}
	return charsetOther, pyByteCharset().MatchString(name)
}

// pyNames reports whether text can be a name (reference 2.3; without the
// normalization that makes two spellings of a name one).
func pyNames(c charset, text string) bool {
	text, ok := c.decode(text)
	for i, r := range text {
		start := r == '_' || unicode.In(r, unicode.L, unicode.Nl, unicode.Other_ID_Start)
		if !start && (i == 0 || !unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)) {
			return false
		}
	}
	return ok || c == charsetOther
}
