package vcs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"revstamp/vcs/internal/gitdir"
)

// hgEntry is a file of a revision.
type hgEntry struct {
	mode gitdir.Mode // gitdir's words serve: regular, executable, symbolic link
	id   string      // of its content; "" where it was not asked for
	at   int64       // of its content in the spool
	size int64
}

// hgContents are the contents of some files of a revision, in a file without a
// name. close it.
type hgContents struct {
	spool   *os.File
	entries map[string]hgEntry // of those that the revision has
	asked   map[string]bool    // all of them
}

func (c *hgContents) close() {
	if c != nil && c.spool != nil {
		c.spool.Close() // private, and temporary
	}
}

func (c *hgContents) read(path string) ([]byte, error) {
	e := c.entries[path]
	data := make([]byte, e.size)
	if _, err := c.spool.ReadAt(data, e.at); err != nil {
		return nil, fmt.Errorf("content of %q: %w", path, err)
	}
	return data, nil
}

// contents reads files of a revision, links' targets included, by one command.
func (s *hgState) contents(ctx context.Context, node string, paths []string) (_ *hgContents, err error) {
	c := &hgContents{entries: make(map[string]hgEntry), asked: make(map[string]bool, len(paths))}
	for _, p := range paths {
		c.asked[p] = true
	}
	if len(paths) == 0 {
		return c, nil
	}
	if c.entries, err = s.entries(ctx, node, paths); err != nil || len(c.entries) == 0 {
		return c, err
	}
	if c.spool, err = nameless(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	var have []string
	for _, p := range paths {
		if _, ok := c.entries[p]; ok {
			have = append(have, p)
		}
	}
	at := int64(0)
	buffered := bufio.NewWriterSize(c.spool, 1<<18)
	read := 0
	err = s.cat(ctx, node, have, func(path string, size int64, from io.Reader) error {
		e, ok := c.entries[path]
		if !ok {
			return fmt.Errorf("%q was not asked for", path)
		}
		e.at, e.size = at, size
		c.entries[path] = e
		at, read = at+size, read+1
		_, err := io.CopyN(buffered, from, size)
		return err
	})
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil && read != len(c.entries) {
		err = fmt.Errorf("hg cat: %d of %d files", read, len(c.entries))
	}
	return c, err
}

// hgPatterns names files exactly, whatever their names. They go through a pipe:
// there may be any number of them.
func hgPatterns(paths []string) []string {
	list := make([]string, len(paths))
	for i, p := range paths {
		list[i] = "path:" + p
	}
	return list
}

// manyHgPaths is how many paths are asked about by name; hg tells all files of a
// revision faster than more of them.
const manyHgPaths = 1000

// entries lists which of the paths are files of a revision, and of what kind.
func (s *hgState) entries(ctx context.Context, node string, paths []string) (map[string]hgEntry, error) {
	list := make(map[string]hgEntry, len(paths))
	if len(paths) == 0 || node == nullHg {
		return list, nil
	}
	all := s.manifests[node]
	if all == nil && len(paths) < manyHgPaths {
		rows, err := s.rows(ctx, 2, append([]string{"files", "-r", node, "-T", `{flags}\0{path}\0`}, hgPatterns(paths)...)...)
		if err != nil {
			return nil, err
		}
		all = make(map[string]hgEntry, len(rows))
		for _, r := range rows {
			mode, ok := hgFlags[r[0]]
			if !ok {
				return nil, fmt.Errorf("hg files: unexpected flags %q", r[0])
			}
			all[r[1]] = hgEntry{mode: mode}
		}
	}
	if all == nil {
		var err error
		if all, err = s.manifest(ctx, node); err != nil {
			return nil, err
		}
	}
	for _, p := range paths {
		if e, ok := all[p]; ok {
			list[p] = e
		}
	}
	return list, nil
}

var hgFlags = map[string]gitdir.Mode{
	"": gitdir.ModeRegular, "x": gitdir.ModeExecutable, "l": gitdir.ModeSymlink,
}

// manifest lists all files of a revision. It is kept, and not to be changed.
func (s *hgState) manifest(ctx context.Context, node string) (map[string]hgEntry, error) {
	if list := s.manifests[node]; list != nil {
		return list, nil
	}
	list := make(map[string]hgEntry)
	if node != nullHg {
		out, err := s.run(ctx, "manifest", "--debug", "-r", node)
		if err != nil {
			return nil, s.why(err)
		}
		if list, err = parseHgManifest(string(out)); err != nil {
			return nil, err
		}
	}
	s.manifests[node] = list
	return list, nil
}

// parseHgManifest reads what hg manifest --debug writes: an id, a mode, a sign
// for the kind, and the path, which hg keeps free of line ends.
func parseHgManifest(out string) (map[string]hgEntry, error) {
	list := make(map[string]hgEntry, strings.Count(out, "\n"))
	for line := range strings.Lines(out) {
		const id, path = 40, len("755 * ") + 41
		line, whole := strings.CutSuffix(line, "\n")
		if !whole || len(line) <= path || !hgFullID().MatchString(line[:id]) {
			return nil, fmt.Errorf("hg manifest: unexpected line %q", line)
		}
		mode, ok := hgKinds[line[id:path]]
		if !ok {
			return nil, fmt.Errorf("hg manifest: unexpected line %q", line)
		}
		list[line[path:]] = hgEntry{mode: mode, id: line[:id]}
	}
	return list, nil
}

var hgKinds = map[string]gitdir.Mode{
	" 644   ": gitdir.ModeRegular, " 755 * ": gitdir.ModeExecutable, " 644 @ ": gitdir.ModeSymlink,
}

// cat hands each file's content to file, which must read all of it, as hg sends
// it: nothing is kept.
func (s *hgState) cat(ctx context.Context, node string, paths []string, file func(path string, size int64, from io.Reader) error) error {
	if len(paths) == 0 {
		return nil
	}
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := readHgFiles(bufio.NewReaderSize(in, 1<<16), file)
		in.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // hg's output then ends, too
		done <- err
	}()
	args := append([]string{"cat", "-r", node, "-T", hgFileRecord}, hgPatterns(paths)...)
	failed, err := s.stream(ctx, out, args...)
	out.CloseWithError(io.EOF)
	read := <-done
	switch {
	case err != nil: // which holds read where that came first
		return err
	case failed != nil:
		return s.why(failed)
	case read != nil:
		return fmt.Errorf("hg cat: %w", read)
	}
	return nil
}

// hgFileRecord is a file as hg cat sends it: its content's length, its path
// after which a NUL stands, its content.
const hgFileRecord = `{data|count}:{path}\0{data}`

func readHgFiles(in *bufio.Reader, file func(path string, size int64, from io.Reader) error) error {
	for {
		number, err := in.ReadString(':')
		if err == io.EOF && number == "" {
			return nil
		}
		if err != nil {
			return unended(err)
		}
		size, err := strconv.ParseInt(number[:len(number)-1], 10, 63)
		if err != nil || size < 0 {
			return fmt.Errorf("%q is no size", number)
		}
		path, err := in.ReadString(0)
		if err != nil {
			return unended(err)
		}
		content := io.LimitedReader{R: in, N: size}
		if err := file(path[:len(path)-1], size, &content); err != nil {
			return unended(err)
		}
		if content.N != 0 {
			return fmt.Errorf("%d bytes of %q were not read", content.N, path)
		}
	}
}
