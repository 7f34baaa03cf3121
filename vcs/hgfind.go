package vcs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// hgFound is what a name means.
type hgFound struct {
	node string
	tag  string // it was found by this name, which the repository may not know yet
	line string // the branch or bookmark that must be a descendant of what is on disk
}

var (
	hgFullID = lazily(`^[0-9a-f]{40}$`)
	hgPrefix = lazily(`^[0-9a-f]{6,40}$`)
	hgNumber = lazily(`^-?[0-9]{1,11}$`)
)

// namesHg refuses what hg understands and we do not, because it is no name or
// means something else everywhere.
func namesHg(want string) error {
	switch {
	case strings.ContainsAny(want, "\x00\n\r"), want == ".", want == "null":
		return &UnknownRevisionError{Want: want}
	case want == "tip", hgNumber().MatchString(want):
		return &UnknownRevisionError{Want: want, Detail: "it means another changeset in every clone"}
	}
	return nil
}

// find looks up what want means, upstream first where there is one, and fetches
// it. No bookmark, branch or file moves by that.
func (s *hgState) find(ctx context.Context, want string) (*hgFound, error) {
	f, err := s.search(ctx, want)
	_, unknown := errors.AsType[*UnknownRevisionError](err)
	if s.upstream == "" && s.untrusted != "" && (want == "" || unknown) {
		return nil, &UnsupportedError{
			System: "hg", Feature: fmt.Sprintf("an upstream in %q, whose owner hg does not trust,", s.untrusted),
			Remedy: "run this as that user, or trust that user as hg help config.trusted says",
		}
	}
	return f, err
}

func (s *hgState) search(ctx context.Context, want string) (*hgFound, error) {
	switch {
	case want == "" && s.upstream == "":
		return &hgFound{node: s.p1.Node}, nil
	case want == "" && s.bookmark != "":
		return s.findBookmark(ctx, s.bookmark, nil)
	case want == "":
		return s.findBranch(ctx, s.branch)
	case hgFullID().MatchString(want):
		return s.findID(ctx, want)
	case s.upstream == "":
		return s.findHere(ctx, want)
	case want == s.branch && s.bookmarks[want] == "":
		return s.findBranch(ctx, want)
	}
	return s.findName(ctx, want)
}

// findName looks for a name upstream, in hg's order: bookmarks, then tags, then
// branches, then the beginnings of ids.
func (s *hgState) findName(ctx context.Context, want string) (*hgFound, error) {
	if hgPrefix().MatchString(want) && len(want) >= 12 && !s.named(ctx, want) {
		if node, err := s.here(ctx, "id("+want+")"); err != nil || node != "" {
			return &hgFound{node: node}, err
		}
	}
	bookmarks, err := s.upstreamBookmarks(ctx)
	if err != nil {
		return nil, err
	}
	if bookmarks[want] != "" {
		return s.findBookmark(ctx, want, bookmarks)
	}
	// Upstream was reached right now: what fails is the name.
	node, err := s.lookup(ctx, want)
	var failed *ClientError
	if errors.As(err, &failed) {
		return nil, &UnknownRevisionError{Want: want, Detail: told(failed.Stderr)}
	}
	if err != nil {
		return nil, err
	}
	if err := s.fetch(ctx, "--rev="+node); err != nil {
		return nil, err
	}
	if strings.HasPrefix(node, want) {
		return &hgFound{node: node}, nil
	}
	list, err := s.changesets(ctx, hgRecord, "-r", node)
	if err != nil {
		return nil, err
	}
	if len(list) == 1 && list[0].Branch == want {
		return nil, &BranchError{Current: s.branch, Want: want}
	}
	return &hgFound{node: node, tag: want}, nil
}

// lookup asks upstream for the node of a name.
func (s *hgState) lookup(ctx context.Context, name string) (string, error) {
	if filepath.IsAbs(s.upstream) || strings.HasPrefix(s.upstream, "file:") {
		name = hgQuote(name) // where hg would take it for an expression
	}
	out, err := s.run(ctx, s.online("identify", "--debug", "--id", "--rev="+name, "--", "default")...)
	if err != nil {
		return "", s.why(err)
	}
	for field := range strings.FieldsSeq(string(out)) {
		if hgFullID().MatchString(field) {
			return field, nil
		}
	}
	return "", fmt.Errorf("hg identify: no id in %q", out)
}

// findID finds a changeset by its full id, without a network where it is here.
func (s *hgState) findID(ctx context.Context, id string) (*hgFound, error) {
	if id == nullHg {
		return &hgFound{node: id}, nil
	}
	node, err := s.here(ctx, "id("+id+")")
	if err != nil || node != "" {
		return &hgFound{node: node}, err
	}
	if s.upstream == "" {
		return nil, &UnknownRevisionError{Want: id}
	}
	if _, err := s.upstreamBookmarks(ctx); err != nil { // upstream can be reached
		return nil, err
	}
	err = s.fetch(ctx, "--rev="+id)
	var failed *ClientError
	if errors.As(err, &failed) {
		return nil, &UnknownRevisionError{Want: id, Detail: told(failed.Stderr)}
	}
	return &hgFound{node: id}, err
}

// here returns the node of a revset that means one changeset or none.
func (s *hgState) here(ctx context.Context, revset string) (string, error) {
	rows, err := s.rows(ctx, 1, "log", "-r", revset, "-T", `{node}\0`)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	if len(rows) > 1 {
		return "", fmt.Errorf("hg log: %q means %d changesets", revset, len(rows))
	}
	return rows[0][0], nil
}

// named reports whether something here has the name. What cannot be asked has
// none: whoever asks again will be told.
func (s *hgState) named(ctx context.Context, name string) bool {
	found, err := s.names(ctx, name)
	return err == nil && found != nil
}

// names finds a bookmark, tag or branch of this repository.
func (s *hgState) names(ctx context.Context, name string) (*hgFound, error) {
	if node := s.bookmarks[name]; node != "" {
		return &hgFound{node: node, line: name}, nil
	}
	for _, kind := range []string{"tags", "branches"} {
		args := []string{kind, "-T", `{` + map[string]string{"tags": "tag", "branches": "branch"}[kind] + `}\0{node}\0`}
		if kind == "branches" {
			args = append(args, "--closed")
		}
		rows, err := s.rows(ctx, 2, args...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			switch {
			case r[0] != name:
			case kind == "tags":
				return &hgFound{node: r[1], tag: name}, nil
			case name != s.branch:
				return nil, &BranchError{Current: s.branch, Want: name}
			default:
				return &hgFound{node: r[1], line: name}, nil
			}
		}
	}
	return nil, nil
}

// findHere finds a name in a repository without upstream.
func (s *hgState) findHere(ctx context.Context, want string) (*hgFound, error) {
	found, err := s.names(ctx, want)
	if err != nil {
		return nil, err
	}
	switch {
	case found == nil && hgPrefix().MatchString(want):
		node, err := s.here(ctx, "id("+want+")")
		if err == nil && node == "" {
			err = &UnknownRevisionError{Want: want}
		}
		return &hgFound{node: node}, err
	case found == nil:
		return nil, &UnknownRevisionError{Want: want}
	case found.line == "":
		return found, nil
	case found.node == s.bookmarks[want]:
		return found, s.otherBookmark(want)
	}
	found.node, err = s.head(ctx, want, "branch("+hgQuote("literal:"+want)+")")
	return found, err
}

// otherBookmark refuses to leave the active bookmark for another.
func (s *hgState) otherBookmark(name string) error {
	if s.bookmark != "" && s.bookmark != name {
		return &BranchError{Current: s.bookmark, Want: name}
	}
	return nil
}

// findBookmark finds a bookmark as it is upstream.
func (s *hgState) findBookmark(ctx context.Context, name string, bookmarks map[string]string) (*hgFound, error) {
	if err := s.otherBookmark(name); err != nil {
		return nil, err
	}
	if bookmarks == nil {
		var err error
		if bookmarks, err = s.upstreamBookmarks(ctx); err != nil {
			return nil, err
		}
	}
	node := bookmarks[name]
	if !hgFullID().MatchString(node) {
		return nil, &UnknownRevisionError{Want: name, Detail: "upstream has no such bookmark"}
	}
	have, err := s.here(ctx, "id("+node+")")
	if err != nil {
		return nil, err
	}
	if have == "" {
		if err := s.fetch(ctx, "--rev="+node); err != nil {
			return nil, err
		}
	}
	return &hgFound{node: node, line: name}, nil
}

// upstreamBookmarks lists the bookmarks of upstream and their nodes.
func (s *hgState) upstreamBookmarks(ctx context.Context) (map[string]string, error) {
	out, err := s.run(ctx, s.online("debugpushkey", "--", s.upstream, "bookmarks")...)
	if err != nil {
		return nil, s.why(err)
	}
	list := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, node, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if ok {
			name, err = unescapeHg(name)
		}
		if !ok || err != nil {
			return nil, fmt.Errorf("hg debugpushkey: unexpected line %q", line)
		}
		list[name] = node
	}
	return list, nil
}

// unescapeHg reads what Python's string escapes write, as hg's debug commands
// do with names.
func unescapeHg(s string) (string, error) {
	var out []byte
	for rest := s; rest != ""; {
		// Go's escapes of single-quoted characters are a superset.
		char, multibyte, tail, err := strconv.UnquoteChar(rest, '\'')
		if rest[0] == '\'' { // which Python may leave as it is
			char, multibyte, tail, err = '\'', false, rest[1:], nil
		}
		if err != nil {
			return "", err
		}
		if multibyte {
			out = utf8.AppendRune(out, char)
		} else {
			out = append(out, byte(char))
		}
		rest = tail
	}
	return string(out), nil
}

// online is a command that may reach upstream.
func (s *hgState) online(verb string, args ...string) []string {
	return slices.Concat([]string{verb}, s.network, args)
}

// fetch pulls what is named by an option. A pull that was killed leaves a
// transaction, which hg takes back when it is told to: it waits for who may be at
// it still.
func (s *hgState) fetch(ctx context.Context, what string) error {
	pull := s.online("pull", "--quiet", what)
	_, err := s.run(ctx, pull...)
	if _, left := os.Lstat(filepath.Join(s.dir, "store", "journal")); err != nil && left == nil {
		if _, err := s.run(ctx, "recover", "--quiet"); err != nil {
			return s.why(err)
		}
		_, err = s.run(ctx, pull...)
	}
	return s.why(err)
}

// hgBadArgument is hg's status for a name that it does not know.
const hgBadArgument = 10

// findBranch fetches a branch and finds the head that upstream has of it. What
// is only here, not pushed or secret, is no head upstream.
func (s *hgState) findBranch(ctx context.Context, name string) (*hgFound, error) {
	err := s.fetch(ctx, "--branch="+name)
	var failed *ClientError
	if errors.As(err, &failed) && failed.Status == hgBadArgument {
		return nil, &UnknownRevisionError{Want: name, Detail: told(failed.Stderr)}
	}
	if err != nil {
		return nil, err
	}
	set := "(branch(" + hgQuote("literal:"+name) + ") - secret() - outgoing('default'))"
	node, err := s.head(ctx, name, set)
	return &hgFound{node: node, line: name}, err
}

// head is the only one of the changesets of a branch that none of the others
// descends from. Closed heads count only where all are.
func (s *hgState) head(ctx context.Context, branch, set string) (string, error) {
	rows, err := s.rows(ctx, 1, s.online("log", "-r", "sort(heads("+set+"), -rev)", "-T", `{node}\0`)...)
	if err != nil {
		return "", err
	}
	if len(rows) == 0 {
		return "", &UnknownRevisionError{Want: branch, Detail: "upstream has no such branch"}
	}
	if len(rows) == 1 {
		return rows[0][0], nil
	}
	nodes := make([]string, len(rows))
	for i, r := range rows {
		nodes[i] = r[0]
	}
	// Heads of the set: one may descend from another by way of another branch.
	all := "(" + strings.Join(nodes, "+") + ")"
	top := all + " - ::parents(" + all + ")"
	for _, revset := range []string{"(" + top + ") - closed()", top} {
		rows, err := s.rows(ctx, 1, "log", "-r", "sort("+revset+", -rev)", "-T", `{node}\0`)
		if err != nil {
			return "", err
		}
		switch len(rows) {
		case 0:
			continue
		case 1:
			return rows[0][0], nil
		}
		e := &HeadsError{Branch: branch}
		for _, r := range rows {
			e.Heads = append(e.Heads, r[0])
		}
		return "", e
	}
	return "", fmt.Errorf("hg log: branch %q has no head", branch)
}

// hgQuote writes a string for a revset.
func hgQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
