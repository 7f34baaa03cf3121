package stamp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// yamlNodes reads any YAML. It finds values by the positions that yaml.v3 gives
// its nodes, and their ends by reading on from there. It alone says that a file
// is not YAML.
func yamlNodes(text string, found sink) error {
	src := []byte(text)
	if !utf8.Valid(src) {
		return refuse(ParseError, invalidUTF8(src), "the file is not UTF-8")
	}
	w := yamlWalker{src: src, lines: yamlLines(src), found: spare{found: found}}
	// The parser refuses the newer directive, but not what is written under it.
	parsed := yamlDirective().ReplaceAll(src, []byte("%YAML 1.1"))
	for dec := yaml.NewDecoder(bytes.NewReader(parsed)); ; w.doc++ {
		var doc yaml.Node
		err := decodeYAML(dec, &doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return w.parseError(err)
		}
		for _, n := range doc.Content {
			w.node("", n, false)
		}
	}
}

var yamlDirective = lazily(`(?m)^%YAML 1\.2\b`)

// decodeYAML turns a panic of the parser, of which fuzzing finds some, into an
// error.
func decodeYAML(dec *yaml.Decoder, doc *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return dec.Decode(doc)
}

func invalidUTF8(src []byte) int {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

var yamlErrorLine = lazily(`^yaml: (?:line (\d+): )?`)

func (w *yamlWalker) parseError(err error) error {
	text := err.Error()
	m := yamlErrorLine().FindStringSubmatch(text)
	at := -1
	if m != nil {
		text = text[len(m[0]):]
		if line, err := strconv.Atoi(m[1]); err == nil && line <= len(w.lines) {
			at = w.lines[line-1]
		}
	}
	return refuse(ParseError, at, "%s", text)
}

// yamlLines returns where each line begins, by the parser's idea of a line.
func yamlLines(src []byte) []int {
	lines := []int{len(src) - len(bytes.TrimPrefix(src, []byte(bom)))}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		i += n
		switch r {
		case '\r':
			if i < len(src) && src[i] == '\n' {
				i++
			}
			lines = append(lines, i)
		case '\n', '\u0085', '\u2028', '\u2029':
			lines = append(lines, i)
		}
	}
	return lines
}

type yamlWalker struct {
	src   []byte
	lines []int
	doc   int
	found spare
}

// offset turns a node's position into one in src.
func (w *yamlWalker) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(w.lines) {
		return len(w.src)
	}
	at := w.lines[n.Line-1]
	for range n.Column - 1 { // columns count characters
		_, size := utf8.DecodeRune(w.src[at:])
		at += size
	}
	return min(at, len(w.src))
}

func (w *yamlWalker) add(p path, l literal) {
	l.key = yamlKey(w.doc, p)
	w.found.add(l)
}

// node adds everything below n.
func (w *yamlWalker) node(p path, n *yaml.Node, flow bool) {
	at := w.offset(n)
	here := literal{start: at, end: at}
	switch n.Kind {
	case yaml.MappingNode:
		flow = flow || n.Style&yaml.FlowStyle != 0
		here.refused = "a mapping"
		w.add(p, here)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if name := n.Content[i]; name.Kind == yaml.ScalarNode {
				w.node(p.key(name.Value), n.Content[i+1], flow)
			}
		}
	case yaml.SequenceNode:
		flow = flow || n.Style&yaml.FlowStyle != 0
		here.refused = "a sequence"
		w.add(p, here)
		for i, item := range n.Content {
			w.node(p.index(i), item, flow)
		}
	case yaml.AliasNode:
		here.refused = "an alias"
		w.add(p, here)
	case yaml.ScalarNode:
		here.flow = flow
		w.scalar(&here, n)
		w.add(p, here)
	}
}

// scalar finds where the scalar begins, after its tag and anchor, and ends.
func (w *yamlWalker) scalar(l *literal, n *yaml.Node) {
	l.text = n.Value
	l.kind = yamlKind(n.ShortTag())
	tagged := false
	for at := l.start; at < len(w.src) && (w.src[at] == '!' || w.src[at] == '&'); {
		ends := " \t\r\n,]}"
		if w.src[at] == '!' {
			tagged, ends = true, " \t\r\n" // a tag can hold the others
		}
		end := bytes.IndexAny(w.src[at:], ends)
		if end < 0 {
			break
		}
		at += end
		at += len(w.src[at:]) - len(bytes.TrimLeft(w.src[at:], " \t"))
		l.start, l.end = at, at
	}
	rest := w.src[l.start:]
	switch {
	case tagged && l.kind != "string":
		l.refused = "tagged"
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		l.refused = "a block of text"
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		w.quoted(l, rest)
	case n.Value == "":
		l.refused = "empty"
	case bytes.HasPrefix(rest, []byte(n.Value)):
		l.end = l.start + len(n.Value)
		if !tagged {
			l.kind, l.text = yamlWord(l.kind, l.text)
		}
	default:
		l.refused = severalLines
	}
}

// quoted finds the closing quote on the line on which rest begins.
func (w *yamlWalker) quoted(l *literal, rest []byte) {
	l.refused = severalLines
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return // it is on a line below its anchor
	}
	l.style = rest[0]
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\n' || c == '\r':
			return
		case c == '\\' && l.style == '"' && i+1 < len(rest) && rest[i+1] != '\n' && rest[i+1] != '\r':
			i++
		case c == l.style && c == '\'' && i+1 < len(rest) && rest[i+1] == '\'':
			i++
		case c == l.style:
			l.end, l.refused = l.start+i+1, ""
			return
		}
	}
}
