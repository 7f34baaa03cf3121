package gitdir

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Commit is a commit object.
type Commit struct {
	ID        ID
	Tree      ID
	Parents   []ID
	Author    string    // name, without the address
	Date      time.Time // when the author made it, in the author's zone
	Committed int64     // Unix time, by which history is walked
	Subject   string    // first paragraph, on one line
}

// Commit reads a commit, or the one that an annotated tag ends at.
func (o *Objects) Commit(id ID) (*Commit, error) {
	const deepest = 10
	for range deepest {
		kind, data, err := o.Read(id)
		if err != nil {
			return nil, err
		}
		switch kind {
		case KindCommit:
			c, err := ParseCommit(data)
			if err != nil {
				return nil, fmt.Errorf("commit %s: %w", id, err)
			}
			c.ID = id
			return c, nil
		case KindTag:
			if id, err = taggedObject(data); err != nil {
				return nil, fmt.Errorf("tag %s: %w", id, err)
			}
		default:
			return nil, fmt.Errorf("object %s is a %s, not a commit", id, kind)
		}
	}
	return nil, fmt.Errorf("tag %s: too many tags of tags", id)
}

// node reads of a commit what a walk through history needs: ID, Tree, Parents
// and Committed.
func (o *Objects) node(id ID) (*Commit, error) {
	kind, data, err := o.Read(id)
	if err != nil {
		return nil, err
	}
	if kind != KindCommit {
		return nil, fmt.Errorf("object %s is a %s, not a commit", id, kind)
	}
	c := &Commit{ID: id}
	for {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		key, value, _ := bytes.Cut(line, []byte(" "))
		switch string(key) {
		case "tree":
			c.Tree, err = ParseID(string(value))
		case "parent":
			var p ID
			p, err = ParseID(string(value))
			c.Parents = append(c.Parents, p)
		case "committer":
			_, when := parseSignature(string(value))
			c.Committed = when.Unix()
		case "":
			err = errors.New("no committer")
		}
		if err != nil {
			return nil, fmt.Errorf("commit %s: %w", id, err)
		}
		if string(key) == "committer" && !c.Tree.IsZero() {
			return c, nil
		}
		data = rest
	}
}

func taggedObject(data []byte) (ID, error) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	hex, ok := bytes.CutPrefix(line, []byte("object "))
	if !ok {
		return ID{}, errors.New("no object")
	}
	return ParseID(string(hex))
}

// ParseCommit reads the content of a commit object. Header lines it does not
// need (signatures, encodings) are skipped; text that is not UTF-8 keeps its
// bytes, less the invalid ones.
func ParseCommit(data []byte) (*Commit, error) {
	c := new(Commit)
	head, body, _ := bytes.Cut(data, []byte("\n\n"))
	for line := range bytes.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		var err error
		switch key {
		case "tree":
			c.Tree, err = ParseID(value)
		case "parent":
			var p ID
			p, err = ParseID(value)
			c.Parents = append(c.Parents, p)
		case "author":
			c.Author, c.Date = parseSignature(value)
		case "committer":
			_, when := parseSignature(value)
			c.Committed = when.Unix()
		}
		if err != nil {
			return nil, err
		}
	}
	if c.Tree.IsZero() {
		return nil, errors.New("no tree")
	}
	c.Subject = subject(strings.ToValidUTF8(string(body), "\ufffd"))
	return c, nil
}

// parseSignature reads `Name <address> 1700000000 +0100`. Git takes whatever it
// finds there, and so does this: what is malformed is the zero time.
func parseSignature(s string) (name string, when time.Time) {
	open, end := strings.IndexByte(s, '<'), strings.LastIndexByte(s, '>')
	if open < 0 || end < open {
		return strings.TrimSpace(s), time.Unix(0, 0).UTC()
	}
	name = strings.ToValidUTF8(strings.TrimSpace(s[:open]), "\ufffd")
	secs, zone, _ := strings.Cut(strings.TrimSpace(s[end+1:]), " ")
	unix, err := strconv.ParseInt(secs, 10, 64)
	if err != nil {
		return name, time.Unix(0, 0).UTC()
	}
	return name, time.Unix(unix, 0).In(parseZone(zone))
}

func parseZone(s string) *time.Location {
	n, err := strconv.Atoi(s)
	if err != nil || n == 0 {
		return time.UTC
	}
	return time.FixedZone("", (n/100*60+n%100)*60)
}

// subject is the first paragraph, its lines joined by spaces.
func subject(body string) string {
	var words []string
	for line := range strings.Lines(strings.TrimLeft(body, "\n")) {
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		words = append(words, line)
	}
	return strings.Join(words, " ")
}
