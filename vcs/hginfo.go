package vcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"revstamp/vcs/internal/gitdir"
)

func (w *hgCopy) Count(ctx context.Context) (int64, error) {
	s, err := w.look(ctx)
	if err != nil {
		return 0, err
	}
	defer s.close()
	if s.p1.Node == nullHg {
		return 0, nil
	}
	out, err := s.run(ctx, "log", "-r", ".", "-T", "{revset('::.')|count}")
	if err != nil {
		return 0, s.why(err)
	}
	n, err := strconv.ParseInt(string(out), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("hg log: %w", err)
	}
	return n, nil
}

func (w *hgCopy) Changes(ctx context.Context, from, to string) ([]Change, error) {
	s, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	a, err := s.node(ctx, from)
	if err != nil {
		return nil, err
	}
	b, err := s.node(ctx, to)
	if err != nil {
		return nil, err
	}
	return s.changes(ctx, a, b)
}

// node finds a revision to look at, which a branch that is not the current one
// may name, too.
func (s *hgState) node(ctx context.Context, name string) (string, error) {
	if name == "" {
		return s.p1.Node, nil
	}
	if err := namesHg(name); err != nil {
		return "", err
	}
	f, err := s.find(ctx, name)
	var other *BranchError
	if errors.As(err, &other) {
		switch {
		case s.upstream != "":
			node, err := s.lookup(ctx, name)
			if err != nil {
				return "", err
			}
			return node, s.fetch(ctx, "--rev="+node)
		case s.bookmarks[name] != "":
			return s.bookmarks[name], nil
		}
		return s.head(ctx, name, "branch("+hgQuote("literal:"+name)+")")
	}
	if err != nil {
		return "", err
	}
	return f.node, nil
}

// hgStep is a template for a changeset's node, its parents, and the files that
// it names as changed, after which an empty name stands.
const hgStep = `{node}\0{p1.node}\0{p2.node}\0{files % '{file}\0'}\0`

// LastChanged walks history from a revision, newest first. Each changeset
// is asked about by the files that have not changed since it.
//
// What a changeset names as changed is, for a merge, what is as in neither of
// its parents. Which of the others it has from its second parent only the two
// lists of files tell: that is one more, cheap command for every merge that
// files came through.
func (w *hgCopy) LastChanged(ctx context.Context, rev string) (map[string]string, error) {
	s, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	top, err := s.node(ctx, rev)
	if err != nil {
		return nil, err
	}
	entries, err := s.manifest(ctx, top)
	if err != nil {
		return nil, err
	}
	walk := newHgWalk(top, entries)
	if len(entries) == 0 {
		return walk.found, nil
	}
	out, err := s.run(ctx, "log", "-r", "reverse(::"+top+")", "-T", hgStep)
	if err != nil {
		return nil, s.why(err)
	}
	for rest := string(out); rest != "" && len(walk.found) < len(entries); {
		var step hgChange
		if step, rest, err = nextHgChange(rest); err != nil {
			return nil, err
		}
		if !walk.take(step) {
			continue
		}
		var differ []string
		if step.second != nullHg {
			if differ, err = s.differ(ctx, step.first, step.node); err != nil {
				return nil, err
			}
		}
		walk.pass(step, differ)
	}
	if missing := len(entries) - len(walk.found); missing > 0 {
		return nil, fmt.Errorf("hg log: %d of %d files were never changed", missing, len(entries))
	}
	return walk.found, nil
}

// differ lists the files that are not alike in two revisions.
func (s *hgState) differ(ctx context.Context, a, b string) ([]string, error) {
	rows, err := s.rows(ctx, 1, "status", "--rev", a, "--rev", b, "-mar", "-T", `{path}\0`)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(rows))
	for i, r := range rows {
		paths[i] = r[0]
	}
	return paths, nil
}

// hgChange is a changeset as hgStep tells it.
type hgChange struct {
	node, first, second string
	files               []string
}

func nextHgChange(text string) (c hgChange, rest string, err error) {
	next := func() string {
		field, after, ok := strings.Cut(text, "\x00")
		if !ok && err == nil {
			err = fmt.Errorf("hg log: output ends in %q", field)
		}
		text = after
		return field
	}
	c.node, c.first, c.second = next(), next(), next()
	for file := next(); file != "" && err == nil; file = next() {
		c.files = append(c.files, file)
	}
	return c, text, err
}

// hgWalk follows every file to the changeset that changed it last.
type hgWalk struct {
	found map[string]string
	at    map[string]map[string]bool // by node: the files that are as they are there
}

func newHgWalk(top string, entries map[string]hgEntry) *hgWalk {
	files := make(map[string]bool, len(entries))
	for path := range entries {
		files[path] = true
	}
	return &hgWalk{found: make(map[string]string, len(entries)), at: map[string]map[string]bool{top: files}}
}

// take takes the files that the changeset changed for found, and tells whether
// there are others. Children must come before their parents.
func (w *hgWalk) take(c hgChange) (more bool) {
	files := w.at[c.node]
	for _, path := range c.files {
		if files[path] {
			w.found[path] = c.node
			delete(files, path)
		}
	}
	if len(files) == 0 {
		delete(w.at, c.node)
	}
	return len(files) > 0
}

// pass hands the others on to the first parent, or to the second where they
// differ from the first.
func (w *hgWalk) pass(c hgChange, differ []string) {
	files := w.at[c.node]
	delete(w.at, c.node)
	for _, path := range differ {
		if files[path] {
			delete(files, path)
			w.add(c.second, path)
		}
	}
	if w.at[c.first] == nil {
		w.at[c.first] = files
		return
	}
	for path := range files {
		w.add(c.first, path)
	}
}

func (w *hgWalk) add(node, path string) {
	if w.at[node] == nil {
		w.at[node] = make(map[string]bool)
	}
	w.at[node][path] = true
}

func (w *hgCopy) ContentIDs(ctx context.Context) (map[string]string, error) {
	s, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	list, err := s.manifest(ctx, s.p1.Node)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]string, len(list))
	for path, e := range list {
		ids[path] = e.id
	}
	return ids, nil
}

// Export writes what hg archive would, without its .hg_archival.txt.
func (w *hgCopy) Export(ctx context.Context, rev, dir string) error {
	s, err := w.look(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	node, err := s.node(ctx, rev)
	if err != nil {
		return err
	}
	entries, err := s.manifest(ctx, node)
	if err != nil {
		return err
	}
	if _, ok := entries[".hgsub"]; ok {
		return errHgSub
	}
	root, err := emptyRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	paths := slices.Sorted(maps.Keys(entries))
	if i := slices.IndexFunc(paths, func(p string) bool { return !safeHgPath(p) }); i >= 0 {
		return &UnsupportedError{System: "hg", Feature: "the path " + paths[i]}
	}
	written := 0
	err = s.cat(ctx, node, paths, func(path string, size int64, from io.Reader) error {
		e, ok := entries[path]
		if !ok {
			return fmt.Errorf("%q was not asked for", path)
		}
		written++
		return exportHg(root, path, e.mode, from)
	})
	if err == nil && written != len(entries) {
		err = fmt.Errorf("hg cat: %d of %d files", written, len(entries))
	}
	return err
}

// emptyRoot opens a directory that is missing or empty.
func emptyRoot(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		return nil, &fs.PathError{Op: "export", Path: dir, Err: errors.New("directory is not empty")}
	}
	return os.OpenRoot(dir)
}

func exportHg(root *os.Root, path string, mode gitdir.Mode, from io.Reader) error {
	file := filepath.FromSlash(path)
	if parent := filepath.Dir(file); parent != "." {
		if err := root.MkdirAll(parent, 0o777); err != nil {
			return err
		}
	}
	if mode == gitdir.ModeSymlink {
		target, err := io.ReadAll(from)
		if err != nil {
			return err
		}
		return root.Symlink(string(target), file)
	}
	perm := fs.FileMode(0o666)
	if mode == gitdir.ModeExecutable {
		perm = 0o777
	}
	f, err := root.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}
