package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"unicode"
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
		return nil, &FileError{path, cause(err)}
	}
	if !info.Mode().IsRegular() {
		return nil, &FileError{path, errors.New("not a regular file")}
	}
	if info.Size() > maxSize {
		return nil, &FileError{path, fmt.Errorf("larger than %d bytes", maxSize)}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &FileError{path, cause(err)}
	}
	return data, nil
}

// cause is err without the path that a [FileError] names already.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// read reads the configuration data of file with the overlay over, if any,
// laid over it. The error is [Errors].
func read(file string, data []byte, overlay string, over []byte) (*Config, error) {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	r := &reader{file: file, dir: dir, overlay: overlay, overlaid: map[*yaml.Node]bool{}}
	root := r.document(file, data)
	if root != nil {
		r.duplicates(value{node: root})
	}
	if overlay != "" {
		if top := r.document(overlay, over); top != nil && root != nil {
			r.mark(top)
			r.duplicates(value{node: top})
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
	if line, column, what := unreadable(data); what != "" {
		return problem(line, column, "save the file as UTF-8, and write special characters in double quotes, as in \"\\e\"", "%s", what)
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

// unreadable is where data holds what is no character of YAML, and what that
// is; "" when it holds none.
func unreadable(data []byte) (line, column int, what string) {
	line = 1
	for l := range bytes.Lines(data) {
		column = 0
		for rest := l; len(rest) > 0; {
			c, size := utf8.DecodeRune(rest)
			column++
			if c == utf8.RuneError && size == 1 {
				return line, column, "is not UTF-8 text"
			}
			if c != '\t' && c != '\n' && c != '\r' && c != 0x85 && unicode.IsControl(c) || c == 0xFEFF || c == 0xFFFE || c == 0xFFFF {
				return line, column, fmt.Sprintf("holds the character U+%04X", c)
			}
			rest = rest[size:]
		}
		line++
	}
	return 0, 0, ""
}

var yamlMessage = lazily(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxHints are remedies for the commonest of yaml.v3's messages.
var syntaxHints = map[string]string{
	"mapping values are not allowed in this context": "put text that holds \": \" in quotes, and indent the keys of one mapping alike",
	"found character that cannot start any token":    "put text that begins with @, ` or % in quotes",
	"found unexpected end of stream":                 "close the quote",
	"found unknown escape character":                 "use single quotes where a backslash is meant, or double it",
	"could not find expected ':'":                    "write it as name: value",
	"did not find expected node content":             "give it a value, or close the bracket",
	"did not find expected ',' or ']'":               "close the [ or put a comma between its entries",
	"did not find expected ',' or '}'":               "close the { or put a comma between its pairs",
	badKey:                                           "indent the keys of one mapping alike",
	badEntry:                                         "indent the entries of one list alike",
}

// Messages of which [firstLine] finds the line.
const (
	badKey   = "did not find expected key"
	badEntry = "did not find expected '-' indicator"
	badAlias = "unknown anchor"
)

// parserMessages are those before which yaml.v3 puts a line that counts from
// zero; its scanner's count from one.
var parserMessages = map[string]bool{
	badKey: true, badEntry: true,
	"did not find expected ',' or ']'":       true,
	"did not find expected ',' or '}'":       true,
	"did not find expected node content":     true,
	"did not find expected <document start>": true,
}

// syntaxError reads what yaml.v3 says of broken YAML. It has no typed error,
// and leaves out the line when it is the first.
func syntaxError(err error, data []byte) (line int, hint, detail string) {
	m := yamlMessage().FindStringSubmatch(err.Error())
	if m == nil {
		return 0, "", err.Error()
	}
	line, _ = strconv.Atoi(m[1])
	switch message := m[2]; {
	case message == badKey || message == badEntry || strings.HasPrefix(message, badAlias):
		line = firstLine(data, message)
	case parserMessages[message] || line == 0:
		line++
	}
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	line = min(line, len(lines))
	if tab := bytes.TrimLeft(lines[line-1], " "); bytes.HasPrefix(tab, []byte("\t")) {
		return line, "YAML indents with spaces", "is indented with a tab"
	}
	if strings.HasPrefix(m[2], badAlias) {
		return line, "put text that begins with * in quotes", "not YAML: " + m[2]
	}
	return line, syntaxHints[m[2]], "not YAML: " + m[2]
}

// firstLine is the line that brings message about: once it is read, whatever
// follows. yaml.v3 names the line where the block begins, which may be the first
// of the file, and none for an alias.
func firstLine(data []byte, message string) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		d := yaml.NewDecoder(bytes.NewReader(bytes.Join(lines[:i+1], nil)))
		for {
			var doc yaml.Node
			if err := d.Decode(&doc); err != nil {
				return strings.HasSuffix(err.Error(), message)
			}
		}
	})
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
			merged.Content[at+1] = r.merge(base.Content[at+1], v)
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
