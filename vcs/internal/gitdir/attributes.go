package gitdir

import (
	"path"
	"slices"
	"strings"
)

// Attributes are the rules of .gitattributes files, see gitattributes(5). The
// zero value has none.
type Attributes struct {
	rules  []rule // of falling precedence
	macros map[string][]setting
}

// rule is one line: what it says of the paths below dir that match.
type rule struct {
	dir      string // "" or "a/b/"
	literal  string // what the pattern begins with, up to the first special character
	pattern  string // the rest of it
	nameOnly bool   // the pattern has no slash: it is matched with the last name
	dirOnly  bool
	settings []setting // the last one first, as they take effect
}

// setting is an attribute and its value: "set", "unset", "unspecified", or text
// after a "=".
type setting struct{ name, value string }

// Set is the value of an attribute that is just named.
const Set = "set"

const (
	unset       = "unset"
	unspecified = "unspecified"
)

// blank is what separates words.
const blank = " \t\r\n"

// longestLine is the length from which git ignores a line.
const longestLine = 2048

// Add puts the lines of a file before all that were added so far. dir is the
// directory of the file, with a final slash, or "" at the top and for files that
// speak of the whole repository, which are the only ones to define macros.
func (a *Attributes) Add(dir, text string) {
	if a.macros == nil {
		a.macros = map[string][]setting{"binary": {{"text", unset}, {"merge", unset}, {"diff", unset}}}
	}
	var rules []rule
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		if line = strings.TrimSuffix(line, "\n"); len(line) >= longestLine {
			continue
		}
		pattern, rest, ok := cutPattern(line)
		if !ok {
			continue
		}
		settings, ok := parseSettings(rest)
		if !ok {
			continue
		}
		if macro, ok := strings.CutPrefix(pattern, "[attr]"); ok && macro != "" {
			if dir == "" && validAttribute(macro) {
				a.macros[macro] = settings
			}
			continue
		}
		if pattern[0] == '!' {
			continue // git forbids these, and ignores them
		}
		rules = append(rules, newRule(dir, pattern, settings))
	}
	slices.Reverse(rules)
	a.rules = append(rules, a.rules...)
}

// cutPattern splits a line. A quoted pattern may hold spaces.
func cutPattern(line string) (pattern, rest string, ok bool) {
	line = strings.TrimLeft(line, blank)
	if line == "" || line[0] == '#' {
		return "", "", false
	}
	if line[0] == '"' {
		if pattern, rest, ok = unquote(line); ok {
			return pattern, rest, pattern != ""
		}
	}
	end := strings.IndexAny(line, blank)
	if end < 0 {
		end = len(line)
	}
	return line[:end], line[end:], true
}

// unquote reads a string that is quoted as in C.
func unquote(s string) (text, rest string, ok bool) {
	var out []byte
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return string(out), s[i+1:], true
		case s[i] != '\\':
			out = append(out, s[i])
			continue
		}
		i++
		if i == len(s) {
			break
		}
		if at := strings.IndexByte(`abfnrtv\"`, s[i]); at >= 0 {
			out = append(out, "\a\b\f\n\r\t\v\\\""[at])
			continue
		}
		if i+2 >= len(s) || s[i] < '0' || s[i] > '3' || !octal(s[i+1]) || !octal(s[i+2]) {
			return "", "", false
		}
		out = append(out, (s[i]-'0')<<6|(s[i+1]-'0')<<3|s[i+2]-'0')
		i += 2
	}
	return "", "", false
}

func octal(b byte) bool { return '0' <= b && b <= '7' }

// parseSettings reads the words of a line; one that is no attribute spoils it
// all.
func parseSettings(s string) ([]setting, bool) {
	var settings []setting
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(blank, r) }) {
		name, value, valued := strings.Cut(word, "=")
		one := setting{name, Set}
		switch {
		case word[0] == '-':
			one = setting{name[1:], unset}
		case word[0] == '!':
			one = setting{name[1:], unspecified}
		case valued:
			one.value = "=" + value
		}
		if !validAttribute(one.name) {
			return nil, false
		}
		settings = append(settings, one)
	}
	slices.Reverse(settings)
	return settings, true
}

func validAttribute(name string) bool {
	return name != "" && name[0] != '-' && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r == '-' || r == '.' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
}

func newRule(dir, pattern string, settings []setting) rule {
	r := rule{dir: dir, settings: settings}
	r.pattern, r.dirOnly = strings.CutSuffix(pattern, "/")
	r.nameOnly = !strings.Contains(r.pattern, "/")
	r.pattern = strings.TrimPrefix(r.pattern, "/")
	// Git compares the beginning by itself, so that two stars after it count as
	// if they followed a slash.
	if special := strings.IndexAny(r.pattern, `*?[\`); special >= 0 {
		r.literal, r.pattern = r.pattern[:special], r.pattern[special:]
	} else {
		r.literal, r.pattern = r.pattern, ""
	}
	return r
}

// Mentions reports whether the files name an attribute at all.
func (a *Attributes) Mentions(name string) bool {
	named := func(s setting) bool { return s.name == name }
	for _, settings := range a.macros {
		if slices.ContainsFunc(settings, named) {
			return true
		}
	}
	return slices.ContainsFunc(a.rules, func(r rule) bool { return slices.ContainsFunc(r.settings, named) })
}

// Value returns what the files say of an attribute of a path: Set, text after a
// "=", or "" where they say nothing or that it is not set.
func (a *Attributes) Value(file string, dir bool, name string) string {
	var known map[string]string
	for i := range a.rules {
		r := &a.rules[i]
		if !r.matches(file, dir) {
			continue
		}
		if known == nil {
			known = make(map[string]string)
		}
		a.fill(known, r.settings)
		if value, ok := known[name]; ok {
			if value == unspecified || value == unset {
				return ""
			}
			return value
		}
	}
	return ""
}

// fill takes what is not known yet. A macro that is set stands for its settings.
func (a *Attributes) fill(known map[string]string, settings []setting) {
	for _, s := range settings {
		if _, ok := known[s.name]; ok {
			continue
		}
		known[s.name] = s.value
		if s.value == Set {
			a.fill(known, a.macros[s.name])
		}
	}
}

func (r *rule) matches(file string, dir bool) bool {
	below, ok := strings.CutPrefix(file, r.dir)
	switch {
	case !ok || below == "", r.dirOnly && !dir:
		return false
	case r.nameOnly:
		below = path.Base(file)
	}
	below, ok = strings.CutPrefix(below, r.literal)
	return ok && wildmatch(r.pattern, below, true) == matched
}
