package stamp

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// xmlLang is XML 1.0: texts of elements and values of attributes. A name in a
// key is one in the file as it is written there, with its prefix.
type xmlLang struct{}

// xmlKey is a key that was understood. In the one spelling that scan returns it
// begins at the root, and a step has a number if it has siblings of its name,
// and nothing else.
type xmlKey struct {
	rooted    bool
	steps     []xmlStep
	attribute string // of the last one; empty when its text is meant
}

// xmlStep is an element on the way.
type xmlStep struct {
	name  string
	nth   int // among the siblings of its name, from 1; 0 for any
	where []xmlCondition
}

// xmlCondition is what an attribute ("@id") or an element inside the step has
// for a value.
type xmlCondition struct{ name, value string }

func (xmlLang) selector(key string) (selector, error) {
	k, err := parseXMLKey(key)
	if err != nil {
		return nil, err
	}
	return k.selector(nil), nil
}

// selectorAmong implements conditional.
func (xmlLang) selectorAmong(all func() []literal, key string) selector {
	k, _ := parseXMLKey(key)
	if !slices.ContainsFunc(k.steps, func(s xmlStep) bool { return len(s.where) > 0 }) {
		return k.selector(nil)
	}
	met := map[xmlMet]bool{}
	for _, l := range all() {
		path, last := xmlCut(l.key)
		name, _ := xmlNumber(last)
		for _, s := range k.steps {
			for _, c := range s.where {
				if c.name == name && c.value == l.text && l.refused == "" {
					met[xmlMet{path, c}] = true
				}
			}
		}
	}
	return k.selector(met)
}

// xmlMet is a condition that the element at a path meets.
type xmlMet struct {
	path string
	xmlCondition
}

// xmlCut splits a path of scan before its last step.
func xmlCut(path string) (before, last string) {
	i := strings.LastIndexByte(path, '/')
	return path[:i], path[i+1:]
}

// xmlNumber splits a step of scan into its name and its number.
func xmlNumber(step string) (name string, nth int) {
	if !strings.HasSuffix(step, "]") {
		return step, 1
	}
	i := strings.LastIndexByte(step, '[')
	nth, _ = strconv.Atoi(step[i+1 : len(step)-1])
	return step[:i], nth
}

// selector compares from the end, where most keys differ already.
func (k xmlKey) selector(met map[xmlMet]bool) selector {
	return func(path string) bool {
		if k.attribute != "" {
			var last string
			if path, last = xmlCut(path); last != "@"+k.attribute {
				return false
			}
		}
		for _, want := range slices.Backward(k.steps) {
			if path == "" {
				return false
			}
			before, step := xmlCut(path)
			name, nth := xmlNumber(step)
			if name != want.name || want.nth != 0 && nth != want.nth {
				return false
			}
			for _, c := range want.where {
				if !met[xmlMet{path, c}] {
					return false
				}
			}
			path = before
		}
		return !k.rooted || path == ""
	}
}

// xmlKeyReader reads a key: a part of XPath 1.0.
type xmlKeyReader struct {
	key string
	at  int
}

func parseXMLKey(key string) (xmlKey, error) {
	r := xmlKeyReader{key: key}
	k, ok := r.path()
	if !ok {
		return k, refuse(BadSelector, -1, "key %q is not understood from character %d on", key, utf8.RuneCountInString(key[:r.at])+1).
			hint(`write /project/version, server[2]/@port or add[@key='Rev']/@value`)
	}
	return k, k.check(key)
}

// check refuses a key that would not find the value that it stamped.
func (k xmlKey) check(key string) error {
	last := "@" + k.attribute
	steps := k.steps
	if k.attribute == "" {
		last = steps[len(steps)-1].name
		steps = steps[:len(steps)-1]
	}
	if len(steps) == 0 {
		return nil
	}
	for _, c := range steps[len(steps)-1].where {
		if c.name == last {
			return refuse(BadSelector, -1, "key %q finds the value by what it is now", key).
				hint("say something else about it, or which one it is, as in add[2]/@key")
		}
	}
	return nil
}

func (r *xmlKeyReader) skip(text string) bool {
	if !strings.HasPrefix(r.key[r.at:], text) {
		return false
	}
	r.at += len(text)
	return true
}

func (r *xmlKeyReader) path() (k xmlKey, ok bool) {
	k.rooted = !r.skip("//") && r.skip("/")
	for {
		if r.skip("@") {
			k.attribute, ok = r.name()
			return k, ok && r.at == len(r.key) && (len(k.steps) > 0 || !k.rooted)
		}
		s, ok := r.step()
		if !ok {
			return k, false
		}
		k.steps = append(k.steps, s)
		if r.at == len(r.key) {
			return k, true
		}
		if !r.skip("/") {
			return k, false
		}
	}
}

func (r *xmlKeyReader) name() (string, bool) {
	start := r.at
	for r.at < len(r.key) && xmlClass[r.key[r.at]]&xmlNameByte != 0 {
		r.at++
	}
	name := r.key[start:r.at]
	return name, name != "" && xmlClass[name[0]]&xmlNameStart != 0
}

// step reads a name and what is said about it. A number comes first: in XPath
// one after a condition would count only those that meet it.
func (r *xmlKeyReader) step() (s xmlStep, ok bool) {
	if s.name, ok = r.name(); !ok {
		return s, false
	}
	for r.skip("[") {
		r.blanks()
		if n := span(r.key[r.at:], len(r.key), "0123456789"); n > 0 {
			nth, err := strconv.Atoi(r.key[r.at : r.at+n])
			if err != nil || nth == 0 || s.nth != 0 || s.where != nil {
				return s, false
			}
			s.nth = nth
			r.at += n
		} else if !r.condition(&s) {
			return s, false
		}
		r.blanks()
		if !r.skip("]") {
			return s, false
		}
	}
	return s, true
}

func (r *xmlKeyReader) blanks() {
	for r.skip(" ") {
	}
}

// condition reads @name='value' or name='value'.
func (r *xmlKeyReader) condition(s *xmlStep) bool {
	start := r.at
	r.skip("@")
	if _, ok := r.name(); !ok {
		return false
	}
	c := xmlCondition{name: r.key[start:r.at]}
	r.blanks()
	if !r.skip("=") {
		return false
	}
	r.blanks()
	if r.at == len(r.key) || r.key[r.at] != '\'' && r.key[r.at] != '"' {
		return false
	}
	value, _, ok := strings.Cut(r.key[r.at+1:], r.key[r.at:r.at+1])
	if !ok {
		return false
	}
	c.value = value
	r.at += len(value) + 2
	s.where = append(s.where, c)
	return true
}

// encode keeps the quotes, and a CDATA section as long as it can hold the
// value. > is escaped everywhere, so ]]> needs no care; ' as a number, since
// what reads XHTML as HTML 4 knows no &apos;.
func (xmlLang) encode(old literal, value string, _ bool) (string, error) {
	if !utf8.ValidString(value) {
		return "", refuse(ControlCharacter, -1, "the value %q is not UTF-8", value)
	}
	for i, r := range value {
		if !xmlIsChar(r) {
			return "", refuse(ControlCharacter, -1, "the value %q holds %U at byte %d, which is not allowed in XML", value, r, i)
		}
	}
	plain := !old.ascii || strings.IndexFunc(value, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
	if old.style == '[' && plain && !strings.Contains(value, "]]>") && !strings.Contains(value, "\n") {
		return "<![CDATA[" + value + "]]>", nil
	}
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", "&#10;").Replace(value)
	if !plain {
		text = xmlASCIIOnly(text)
	}
	switch old.style {
	case '"':
		return `"` + strings.ReplaceAll(text, `"`, "&quot;") + `"`, nil
	case '\'':
		return `'` + strings.ReplaceAll(text, `'`, "&#39;") + `'`, nil
	}
	// Blanks around a text would be taken for layout.
	if strings.HasPrefix(text, " ") {
		text = "&#32;" + text[1:]
	}
	if strings.HasSuffix(text, " ") {
		text = text[:len(text)-1] + "&#32;"
	}
	return text, nil
}

// xmlASCIIOnly writes what is not ASCII as references.
func xmlASCIIOnly(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			b.WriteString("&#" + strconv.Itoa(int(r)) + ";")
		}
	}
	return b.String()
}
