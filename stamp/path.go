package stamp

import (
	"strconv"
	"strings"
)

// path is the way to a value in the formats that are data, as keys are
// written: assets."site.css"[0].
type path string

func (p path) key(name string) path { return path(appendName([]byte(p), name)) }

// appendName appends a name to a path, in quotes when it needs them.
func appendName(p []byte, name string) []byte {
	if len(p) > 0 {
		p = append(p, '.')
	}
	if plainName(name) {
		return append(p, name...)
	}
	p = append(p, '"')
	for i := range len(name) {
		if name[i] == '"' || name[i] == '\\' {
			p = append(p, '\\')
		}
		p = append(p, name[i])
	}
	return append(p, '"')
}

// pathEscaper escapes what stands in the quotes of a name.
var pathEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func plainName(name string) bool {
	for i := range len(name) {
		switch name[i] {
		case '.', '[', ']', '"', '\\', ':':
			return false
		}
	}
	return name != ""
}

func (p path) index(i int) path { return path(appendIndex([]byte(p), i)) }

// appendIndex appends the number of a list's element to a path.
func appendIndex(p []byte, i int) []byte {
	return append(strconv.AppendInt(append(p, '['), int64(i), 10), ']')
}

// keyStore keeps keys one behind the other: an allocation for each is most of
// what a scan of many small values takes.
type keyStore struct{ chunk strings.Builder }

func (s *keyStore) keep(key []byte) string {
	if s.chunk.Cap()-s.chunk.Len() < len(key) {
		s.chunk.Reset() // the keys that are kept stay in the old one
		s.chunk.Grow(max(len(key), 8<<10))
	}
	from := s.chunk.Len()
	s.chunk.Write(key)
	return s.chunk.String()[from:]
}

// pathSelector names the value at a path.
func pathSelector(key string) (selector, error) {
	p, err := parsePath(key)
	if err != nil {
		return nil, err
	}
	return func(k string) bool { return k == string(p) }, nil
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
				return "", bad(i, "[ is not closed")
			}
			index, err := strconv.Atoi(key[i+1 : i+n])
			if err != nil || index < 0 || strconv.Itoa(index) != key[i+1:i+n] {
				return "", bad(i, "[ ] holds no index")
			}
			p = p.index(index)
			i += n + 1
		case len(p) > 0 && key[i] != '.':
			return "", bad(i, "a dot is missing")
		default:
			if len(p) > 0 {
				i++
			}
			name, n, ok := pathName(key[i:])
			if !ok {
				return "", bad(i, "a name is missing")
			}
			p = p.key(name)
			i += n
		}
	}
	if len(p) == 0 {
		return "", bad(0, "a name is missing")
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
