package stamp

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// ini is lines of key = value below [section] headers, for which there is no
// standard. Two families of readers are meant:
//
//   - PHP's parse_ini_file takes quotes off, replaces words (yes, null, E_ALL)
//     and ${names}, evaluates | & ^ ~ ! ( ), ends a value at a ; and, in its
//     scanner RAW, does less of this and keeps single quotes.
//   - Python's configparser takes everything after = or : as the value, quotes
//     too, goes on with it in lines that are indented more, and replaces
//     %(name)s or ${name}.
//
// What both read alike is a literal. What they read differently is one when the
// file shows which of them it is for: that it takes quotes off, by a value that
// is in quotes as a whole; that it does not, by what PHP cannot have meant (a
// "key: value" line, a continued line, a %(name)s, an = or an apostrophe in a
// value). A file that shows both is not for quotes.
//
// Without quotes a value is written that all readers read alike: words of
// letters, digits and _./:@+,- that are neither PHP's nor a number with another
// spelling. Any other goes into quotes, or as it is, if the file shows which,
// and is refused otherwise. Quotes stay, and what they cannot hold is refused,
// for readers differ in escapes: but a file that has both kinds is for a reader
// that knows both.
//
// A key is section.key; names that hold a dot, a quote or a backslash are in
// quotes. Without any a.b.c is whatever section and key are that together.
type ini struct{}

// selector reads names separated by dots.
func (ini) selector(key string) (selector, error) {
	names, quoted, ok := iniNames(key)
	if !ok {
		return nil, refuse(BadSelector, -1, "key %q is no section.key", key).
			hint(`write section.key, or "a.b".key for the section [a.b]`)
	}
	if len(names) <= 2 {
		want := iniKey(names[0], names[1:]...)
		return func(k string) bool { return k == want }, nil
	}
	if quoted {
		return nil, refuse(BadSelector, -1, "key %q has %d names", key, len(names)).hint(`write section.key, or "a.b".key for the section [a.b]`)
	}
	splits := []string{iniKey(key)}
	for i := 1; i < len(names); i++ {
		splits = append(splits, iniKey(strings.Join(names[:i], "."), strings.Join(names[i:], ".")))
	}
	return func(k string) bool { return slices.Contains(splits, k) }, nil
}

// iniNames splits a key. A name that is not in quotes ends at a dot.
func iniNames(key string) (names []string, quoted, ok bool) {
	for {
		name, n, ok := pathName(key)
		if strings.HasPrefix(key, `"`) {
			quoted = true
		} else {
			name, _, _ = strings.Cut(key, ".")
			n, ok = len(name), name != "" && !strings.ContainsAny(name, `"\`)
		}
		if !ok {
			return nil, false, false
		}
		names = append(names, iniName(name))
		if n == len(key) {
			return names, quoted, true
		}
		if key[n] != '.' {
			return nil, false, false
		}
		key = key[n+1:]
	}
}

// iniKey is how a key is written: the names, separated by a dot.
func iniKey(name string, more ...string) string {
	key := iniQuoted(name)
	for _, name := range more {
		key += "." + iniQuoted(name)
	}
	return key
}

func iniQuoted(name string) string {
	if !iniNeedsQuotes(name) {
		return name
	}
	return `"` + iniEscaped(name) + `"`
}

func iniNeedsQuotes(name string) bool {
	classes := byte(0)
	for i := range len(name) {
		classes |= iniClasses[name[i]]
	}
	return name == "" || classes&iniInName != 0 && (strings.ContainsAny(name, `."\`) || strings.TrimSpace(name) != name)
}

func iniEscaped(name string) string {
	if strings.IndexByte(name, '"') < 0 && strings.IndexByte(name, '\\') < 0 {
		return name
	}
	return pathEscaper.Replace(name)
}

// iniName is a key of PHP's arrays in one spelling: key["x"] is key[x].
func iniName(name string) string {
	open := strings.IndexByte(name, '[')
	if open < 0 || !strings.HasSuffix(name, "]") {
		return name
	}
	index := strings.Trim(name[open+1:len(name)-1], " \t")
	if n := len(index); n > 1 && (index[0] == '"' || index[0] == '\'') && index[n-1] == index[0] {
		index = index[1 : n-1]
	}
	return strings.TrimRight(name[:open], " \t") + "[" + index + "]"
}

// How a value can be written, in literal.ways.
const (
	iniBare   = 'p' // without quotes, as all readers read alike
	iniRaw    = 'r' // without quotes, for readers that evaluate nothing
	iniShown  = 'e' // the same, with an = that shows that they do not
	iniColon  = 'c' // the same, without a =
	iniDouble = '"'
	iniSingle = '\''
	iniKept   = 'd' // in double quotes that the reader keeps, or takes off and evaluates nothing
	iniKept1  = 's' // in single ones
)

// encode writes the value in the first of the ways that can hold it. All values
// are strings.
func (ini) encode(old literal, value string, _ bool) (string, error) {
	for _, way := range []byte(old.ways) {
		if !iniHolds(way, value, old.text) {
			continue
		}
		switch way {
		case iniDouble, iniKept:
			return `"` + value + `"`, nil
		case iniSingle, iniKept1:
			return `'` + value + `'`, nil
		}
		return value, nil
	}
	e := refuse(ControlCharacter, -1, "the value %q cannot be written here so that the readers of such files read it alike", value)
	if old.style == 0 && old.ways[0] != iniRaw {
		return "", e.hint("write the value in double quotes in the file, if its reader takes them off: they can hold it")
	}
	return "", e
}

// iniHolds reports whether the value can be written that way where old is.
func iniHolds(way byte, value, old string) bool {
	switch way {
	case iniBare:
		return iniPlain(value, old)
	case iniDouble:
		// Escapes are PHP's alone, and not those of its scanner RAW.
		return !strings.Contains(value, `"`) && !strings.Contains(value, `\\`) && !strings.HasSuffix(value, `\`) && !strings.Contains(value, "${")
	case iniSingle:
		return !strings.Contains(value, "'") && !strings.HasSuffix(value, `\`)
	case iniShown:
		return strings.Contains(value, "=") && iniHolds(iniRaw, value, old)
	case iniColon:
		return !strings.Contains(value, "=") && iniHolds(iniRaw, value, old)
	case iniRaw:
		return !strings.HasSuffix(value, `\`) && !strings.HasPrefix(value, "#") && iniLiteral(value)
	}
	return !strings.Contains(value, `\`) && iniLiteral(value)
}

// iniLiteral reports whether a reader that takes off no quotes reads the value
// as it is, with whatever interpolation and inline comments.
func iniLiteral(value string) bool {
	return utf8.ValidString(value) && strings.TrimSpace(value) == value && !strings.ContainsAny(value, "\"'%$;") && !strings.Contains(value, " #")
}

// iniPlain reports whether all readers read the value alike without quotes, or
// as they read the old one: another word that PHP replaces may stand where one
// does, and where a number does 1.10, which PHP's scanner TYPED makes 1.1. Other
// spellings of numbers never, for it makes 123 of 0123.
func iniPlain(value, old string) bool {
	for i := range len(value) {
		if c := value[i]; phpClasses[c] != phpLetter && phpClasses[c] != phpDigit && strings.IndexByte(" ./:@+,-", c) < 0 {
			return false
		}
	}
	switch {
	case !utf8.ValidString(value) || strings.TrimSpace(value) != value:
		return false
	case iniNumeric(value):
		return bareInt().MatchString(value) || bareFloat().MatchString(value) && (iniNumeric(old) || !strings.HasSuffix(value, "0"))
	case iniReplaced(value) && iniReplaced(old):
		return true
	}
	return !slices.ContainsFunc(strings.Fields(value), iniReplaced)
}

// iniNumeric reports whether the value is a number to a reader that looks for
// one.
func iniNumeric(value string) bool {
	digits := strings.Replace(strings.TrimPrefix(value, "-"), ".", "", 1)
	return digits != "" && phpDigits(digits, "0123456789") == len(digits) && !strings.Contains(digits, "_")
}

// iniReplaced reports whether PHP reads the word as another: a keyword, or the
// name of a constant, of which every program has its own.
func iniReplaced(word string) bool {
	switch strings.ToLower(word) {
	case "true", "false", "yes", "no", "on", "off", "null", "none":
		return true
	}
	for i := range len(word) {
		if c := word[i]; c != '_' && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return word != ""
}
