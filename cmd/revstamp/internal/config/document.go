package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxSize is more than any configuration needs, and keeps a mistaken path
// from being read into memory.
const maxSize = 1 << 20

func readFile(path string) ([]byte, error) {
	// A FIFO would block in open; a directory would say so only when read.
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("configuration: %q is not a regular file", path)
	}
	if info.Size() > maxSize {
		return nil, fmt.Errorf("configuration: %q is larger than %d bytes", path, maxSize)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return data, nil
}

// read reads the configuration data of file with the overlay over, if any,
// laid over it. The error is [Errors].
func read(file string, data []byte, overlay string, over []byte) (*Config, error) {
	r := &reader{file: file, overlay: overlay, overlaid: map[*yaml.Node]bool{}}
	root := r.document(file, data)
	if overlay != "" {
		if top := r.document(overlay, over); top != nil && root != nil {
			r.mark(top)
			root = r.merge(root, top)
		}
	}
	if root == nil {
		return nil, r.errs
	}
	cfg := r.config(value{node: root})
	if len(r.errs) > 0 {
		r.errs.sort(file)
		return nil, r.errs
	}
	return cfg, nil
}

// document is the one mapping that data consists of, nil when it is not.
func (r *reader) document(file string, data []byte) *yaml.Node {
	problem := func(line, column int, hint, format string, args ...any) *yaml.Node {
		r.errs = append(r.errs, &Error{File: file, Line: line, Column: column, Detail: fmt.Sprintf(format, args...), Hint: hint})
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if line, column, ok := notUTF8(data); ok {
		return problem(line, column, "save the file as UTF-8", "is not UTF-8 text")
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return problem(1, 1, "it needs at least: site: NAME", "is empty")
	case err != nil:
		line, hint, detail := syntaxError(err, data)
		return problem(line, 0, hint, "%s", detail)
	}
	switch err := d.Decode(&next); {
	case errors.Is(err, io.EOF):
	case err != nil:
		line, hint, detail := syntaxError(err, data)
		return problem(line, 0, hint, "%s", detail)
	default:
		return problem(next.Line, next.Column, "remove what follows ---", "holds more than one document")
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return problem(1, 1, "it needs at least: site: NAME", "is empty")
	}
	if root.Kind != yaml.MappingNode {
		return problem(root.Line, root.Column, "write it as name: value", "must be a mapping, not %s", nodeName(root))
	}
	return root
}

// notUTF8 is where data stops being UTF-8.
func notUTF8(data []byte) (line, column int, found bool) {
	line = 1
	for l := range bytes.Lines(data) {
		if !utf8.Valid(l) {
			for column = 1; ; column++ {
				c, size := utf8.DecodeRune(l)
				if c == utf8.RuneError && size == 1 {
					return line, column, true
				}
				l = l[size:]
			}
		}
		line++
	}
	return 0, 0, false
}

var yamlMessage = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxError reads what yaml.v3 says of broken YAML. It has no typed error,
// and leaves the line out when it is the first.
func syntaxError(err error, data []byte) (line int, hint, detail string) {
	m := yamlMessage.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, "", err.Error()
	}
	line = 1
	if m[1] != "" {
		line, _ = strconv.Atoi(m[1])
	}
	for n, l := range strings.Split(string(data), "\n") {
		if rest := strings.TrimLeft(l, " "); strings.HasPrefix(rest, "\t") && n+1 >= line {
			return n + 1, "YAML indents with spaces, not with tabs", m[2]
		}
	}
	return line, "", "not YAML: " + m[2]
}

// mark notes that n and all below it came from the overlay.
func (r *reader) mark(n *yaml.Node) {
	r.overlaid[n] = true
	for _, child := range n.Content {
		r.mark(child)
	}
}

// merge is base with over laid over it, key by key as deep as both are
// mappings.
func (r *reader) merge(base, over *yaml.Node) *yaml.Node {
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	merged := *base
	merged.Content = append([]*yaml.Node(nil), base.Content...)
	for i := 0; i+1 < len(over.Content); i += 2 {
		k, v := over.Content[i], over.Content[i+1]
		if at := find(base, k); at >= 0 {
			merged.Content[at], merged.Content[at+1] = k, r.merge(base.Content[at+1], v)
		} else {
			merged.Content = append(merged.Content, k, v)
		}
	}
	return &merged
}

// find is the index of key k in mapping m, -1 when it has none.
func find(m, k *yaml.Node) int {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if c := m.Content[i]; c.Kind == yaml.ScalarNode && k.Kind == yaml.ScalarNode && c.Value == k.Value {
			return i
		}
	}
	return -1
}
