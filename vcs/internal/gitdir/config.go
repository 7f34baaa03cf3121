package gitdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Config is the variables of one or more configuration files. The zero value is
// empty.
//
// Keys are written as git-config(1) does: section and name in lower case, the
// subsection between them as it is ("remote.Origin.url").
type Config struct {
	values map[string][]string

	// Includes are the files that a Read one wants to include, in the words of
	// the configuration. They are not followed: whoever needs them all asks git.
	Includes []string
}

// Read adds the variables of a file. A missing one adds nothing.
func (c *Config) Read(file string) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.Parse(data); err != nil {
		return fmt.Errorf("%q: %w", file, err)
	}
	return nil
}

// Add adds a value to a key.
func (c *Config) Add(key, value string) {
	if c.values == nil {
		c.values = make(map[string][]string)
	}
	c.values[key] = append(c.values[key], value)
	if key == "include.path" || strings.HasPrefix(key, "includeif.") {
		c.Includes = append(c.Includes, value)
	}
}

// String returns the last value of key, or "".
func (c *Config) String(key string) string {
	v := c.values[key]
	if len(v) == 0 {
		return ""
	}
	return v[len(v)-1]
}

// All returns every value of key, in order.
func (c *Config) All(key string) []string { return c.values[key] }

// Bool returns the last value of key as git reads a boolean, or def when it is
// not set or is none.
func (c *Config) Bool(key string, def bool) bool {
	if len(c.values[key]) == 0 {
		return def
	}
	switch strings.ToLower(c.String(key)) {
	case "true", "yes", "on", "1":
		return true
	case "false", "no", "off", "0", "":
		return false
	}
	return def
}

// Keys returns the keys that begin with prefix, sorted.
func (c *Config) Keys(prefix string) []string {
	var keys []string
	for k := range c.values {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// Parse adds the variables of a file's content.
func (c *Config) Parse(data []byte) error {
	s := strings.TrimPrefix(strings.ReplaceAll(string(data), "\r\n", "\n"), "\ufeff")
	section := ""
	for n := 1; s != ""; {
		trimmed := strings.TrimLeft(s, " \t\n")
		n += strings.Count(s[:len(s)-len(trimmed)], "\n")
		s = trimmed
		var taken int
		var err error
		switch {
		case s == "":
			return nil
		case s[0] == '#' || s[0] == ';':
			taken = endOfLine(s)
		case s[0] == '[':
			section, taken, err = parseSection(s)
		default:
			taken, err = c.parseVariable(section, s)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		n += strings.Count(s[:taken], "\n")
		s = s[taken:]
	}
	return nil
}

func endOfLine(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// parseSection reads `[section]`, `[section "subsection"]` or the old
// `[section.subsection]`, and returns the prefix of its keys.
func parseSection(s string) (prefix string, taken int, err error) {
	i := 1
	for i < len(s) && (isKeyChar(s[i]) || s[i] == '.') {
		i++
	}
	name := strings.ToLower(s[1:i])
	j := i
	for j < len(s) && (s[j] == ' ' || s[j] == '\t') {
		j++
	}
	if j < len(s) && s[j] == ']' && name != "" {
		return name + ".", j + 1, nil
	}
	if j >= len(s) || s[j] != '"' {
		return "", 0, errors.New("malformed section")
	}
	var sub strings.Builder
	for j++; j < len(s) && s[j] != '"'; j++ {
		if s[j] == '\n' {
			return "", 0, errors.New("malformed section")
		}
		if s[j] == '\\' && j+1 < len(s) {
			j++
		}
		sub.WriteByte(s[j])
	}
	if j+1 >= len(s) || s[j+1] != ']' {
		return "", 0, errors.New("malformed section")
	}
	return name + "." + sub.String() + ".", j + 2, nil
}

func isKeyChar(b byte) bool {
	return b == '-' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

func (c *Config) parseVariable(section, s string) (taken int, err error) {
	i := 0
	for i < len(s) && isKeyChar(s[i]) {
		i++
	}
	if i == 0 || section == "" {
		return 0, errors.New("malformed variable")
	}
	key := section + strings.ToLower(s[:i])
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	if i == len(s) || s[i] == '\n' || s[i] == '#' || s[i] == ';' {
		c.Add(key, "true")
		return i + endOfLine(s[i:]), nil
	}
	if s[i] != '=' {
		return 0, errors.New("malformed variable")
	}
	value, n, err := parseValue(s[i+1:])
	if err != nil {
		return 0, err
	}
	c.Add(key, value)
	return i + 1 + n, nil
}

// parseValue reads up to the end of a line that is not continued: white space
// around is dropped, quotes keep it, comments end the value outside of quotes.
func parseValue(s string) (value string, taken int, err error) {
	var out []byte
	keep := 0 // length up to which trailing space is meant
	quoted := false
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '\n':
			if quoted {
				return "", 0, errors.New("unfinished quote")
			}
			return string(out[:keep]), i, nil
		case b == '\\':
			i++
			if i == len(s) {
				return "", 0, errors.New("unfinished escape")
			}
			if s[i] == '\n' {
				continue
			}
			at := strings.IndexByte(`nt"\b`, s[i])
			if at < 0 {
				return "", 0, fmt.Errorf("unknown escape %q", s[i])
			}
			out = append(out, "\n\t\"\\\b"[at])
			keep = len(out)
		case b == '"':
			quoted = !quoted
			keep = len(out)
		case !quoted && (b == '#' || b == ';'):
			return string(out[:keep]), i + endOfLine(s[i:]), nil
		case !quoted && (b == ' ' || b == '\t'):
			if len(out) > 0 {
				out = append(out, b)
			}
		default:
			out = append(out, b)
			keep = len(out)
		}
	}
	if quoted {
		return "", 0, errors.New("unfinished quote")
	}
	return string(out[:keep]), len(s), nil
}
