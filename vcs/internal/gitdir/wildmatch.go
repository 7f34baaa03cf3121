package gitdir

import "strings"

// outcome of matching the rest of a pattern with the rest of a path. A star that
// is told that no shorter rest can match either stops trying, without which the
// time would grow with every star.
type outcome int

const (
	matched outcome = iota
	mismatched
	exhausted // the path came to its end, for every star
	stuck     // a star met a slash: only two stars can go on
)

// wildmatch matches a path with a pattern of a .gitattributes file: as in a
// shell, a star stands for anything but a slash; two between slashes, or at an
// end beside one, stand for any number of directories. It answers as git's
// wildmatch.c does. start says that the pattern begins where a name does.
func wildmatch(p, s string, start bool) outcome {
	for i := 0; i < len(p); i++ {
		if i > 0 {
			start = p[i-1] == '/'
		}
		if s == "" && p[i] != '*' {
			return exhausted
		}
		switch p[i] {
		case '\\':
			i++
			if i == len(p) || s[0] != p[i] {
				return mismatched
			}
		case '?':
			if s[0] == '/' {
				return mismatched
			}
		case '*':
			return star(p[i:], s, start)
		case '[':
			n, ok := bracket(p[i:], s[0])
			if n == 0 {
				return exhausted // no bracket ends it
			}
			if !ok || s[0] == '/' {
				return mismatched
			}
			i += n - 1
		default:
			if s[0] != p[i] {
				return mismatched
			}
		}
		s = s[1:]
	}
	if s != "" {
		return mismatched
	}
	return matched
}

// star matches a pattern that begins with a star.
func star(p, s string, start bool) outcome {
	rest := strings.TrimLeft(p, "*")
	dirs := len(p)-len(rest) >= 2 && start && (rest == "" || rest[0] == '/' || strings.HasPrefix(rest, `\/`))
	if dirs && rest != "" && rest[0] == '/' {
		// "**/" may stand for no directory at all.
		if wildmatch(rest[1:], s, true) == matched {
			return matched
		}
	}
	if rest == "" {
		if !dirs && strings.Contains(s, "/") {
			return stuck
		}
		return matched
	}
	if !dirs && rest[0] == '/' {
		at := strings.IndexByte(s, '/')
		if at < 0 {
			return mismatched
		}
		return wildmatch(rest, s[at:], false)
	}
	for {
		if s == "" {
			return exhausted
		}
		switch o := wildmatch(rest, s, false); {
		case o == mismatched, o == stuck && dirs:
		default:
			return o
		}
		if !dirs && s[0] == '/' {
			return stuck
		}
		s = s[1:]
	}
}

// bracket matches one byte with a bracket expression, and returns the length of
// that, 0 when it has no end.
func bracket(p string, c byte) (n int, ok bool) {
	i, negated := 1, false
	if i < len(p) && (p[i] == '!' || p[i] == '^') {
		i, negated = i+1, true
	}
	found := false
	last := byte(0) // what a range may begin with; 0 for nothing
	for first := true; i < len(p) && (first || p[i] != ']'); first = false {
		switch {
		case p[i] == '\\':
			if i++; i == len(p) {
				return 0, false
			}
			found, last = found || p[i] == c, p[i]
		case p[i] == '-' && last != 0 && i+1 < len(p) && p[i+1] != ']':
			if i++; p[i] == '\\' {
				if i++; i == len(p) {
					return 0, false
				}
			}
			found, last = found || last <= c && c <= p[i], 0
		case strings.HasPrefix(p[i:], "[:"):
			size, in, valid := class(p[i:], c)
			if !valid {
				return 0, false
			}
			if size == 0 { // a bracket like any other
				found, last = found || c == '[', '['
				break
			}
			found, last = found || in, 0
			i += size - 1
		default:
			found, last = found || p[i] == c, p[i]
		}
		i++
	}
	if i >= len(p) {
		return 0, false
	}
	return i + 1, found != negated
}

// class reads a name such as [:alpha:], of size 0 when it is none.
func class(p string, c byte) (size int, in, valid bool) {
	end := strings.IndexByte(p[2:], ']')
	if end < 0 {
		return 0, false, false
	}
	name, ok := strings.CutSuffix(p[2:2+end], ":")
	if !ok {
		return 0, false, true
	}
	lower, upper, digit := 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9'
	alnum := lower || upper || digit
	graph := ' ' < c && c < 0x7f
	switch name {
	case "alnum":
		in = alnum
	case "alpha":
		in = lower || upper
	case "blank":
		in = c == ' ' || c == '\t'
	case "cntrl":
		in = c < ' ' || c == 0x7f
	case "digit":
		in = digit
	case "graph":
		in = graph
	case "lower":
		in = lower
	case "print":
		in = graph || c == ' '
	case "punct":
		in = graph && !alnum
	case "space":
		in = c == ' ' || '\t' <= c && c <= '\r'
	case "upper":
		in = upper
	case "xdigit":
		in = digit || 'a' <= c|0x20 && c|0x20 <= 'f'
	default:
		return 0, false, false
	}
	return end + 3, in, true
}
