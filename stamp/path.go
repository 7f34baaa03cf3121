package stamp

import (
	"strconv"
	"strings"
)

// path is the way to a value in yaml and json, each step a key or, with a
// leading NUL, an index.
type path []string

func (p path) key(name string) path { return append(p[:len(p):len(p)], name) }

func (p path) index(i int) path { return append(p[:len(p):len(p)], "\x00"+strconv.Itoa(i)) }

// String returns the path as a key is written: assets."site.css"[0].
func (p path) String() string {
	var b strings.Builder
	for i, step := range p {
		if n, ok := strings.CutPrefix(step, "\x00"); ok {
			b.WriteString("[" + n + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		if step == "" || strings.ContainsAny(step, ".[]\"\\:") {
			step = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(step) + `"`
		}
		b.WriteString(step)
	}
	return b.String()
}

// parsePath reads a key: names and "quoted names" separated by dots, [n] for
// elements of a list.
func parsePath(key string) (path, error) {
	var p path
	bad := func(at int, what string) error {
		return refuse(BadSelector, -1, "key %q: %s at character %d", key, what, at+1).
			hint(`write a.b, "quoted.name".b or list[0].b`)
	}
	for i := 0; i < len(key); {
		switch {
		case key[i] == '[':
			n := strings.IndexByte(key[i:], ']')
			if n < 0 {
				return nil, bad(i, "[ is not closed")
			}
			index, err := strconv.Atoi(key[i+1 : i+n])
			if err != nil || index < 0 || strconv.Itoa(index) != key[i+1:i+n] {
				return nil, bad(i, "[ ] holds no index")
			}
			p = p.index(index)
			i += n + 1
		case len(p) > 0 && key[i] != '.':
			return nil, bad(i, "a dot is missing")
		default:
			if len(p) > 0 {
				i++
			}
			name, n, ok := pathName(key[i:])
			if !ok {
				return nil, bad(i, "a name is missing")
			}
			p = p.key(name)
			i += n
		}
	}
	if len(p) == 0 {
		return nil, bad(0, "a name is missing")
	}
	return p, nil
}

// pathName reads one name and returns its length as written.
func pathName(s string) (name string, n int, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		n = strings.IndexAny(s, `.[]"`)
		if n < 0 {
			n = len(s)
		}
		return s[:n], n, n > 0
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), i + 1, true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", 0, false
}
