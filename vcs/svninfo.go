package vcs

import (
	"bufio"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Count is the highest revision that is on disk: every commit of the repository
// counts, and each has the next number.
func (w *svnCopy) Count(ctx context.Context) (int64, error) {
	s, err := w.span(ctx)
	return s.high, err
}

// Changes asks the server, for which "" is what each file is at: a mixed,
// switched or sparse working copy is told as it is.
func (w *svnCopy) Changes(ctx context.Context, from, to string) ([]Change, error) {
	a, err := svnRevision(from)
	if err != nil {
		return nil, err
	}
	b, err := svnRevision(to)
	if err != nil || a == b {
		return nil, err
	}
	if err := w.server(ctx); err != nil {
		return nil, err
	}
	st, err := w.status(ctx)
	if err != nil {
		return nil, err
	}
	paths, err := w.differences(ctx, st, a, b)
	if err != nil {
		return nil, unknownRevision(err, from, to)
	}
	changes := changesOf(paths)
	switch "BASE" {
	case a:
		st.despiteDeletions(changes, Added)
	case b:
		st.despiteDeletions(changes, Deleted)
	}
	return changes, nil
}

// despiteDeletions corrects changes from or to BASE, in which svn takes a file
// that is there, only scheduled to be deleted or replaced, for missing: so it
// must be one that changed where it is said to be added, or deleted.
func (st *svnStatus) despiteDeletions(changes []Change, said Op) {
	there := make(map[string]bool)
	for _, e := range st.entries {
		there[e.Path] = e.Local.Item == "deleted" || e.Local.Item == "replaced"
	}
	for i, c := range changes {
		if c.Op == said && there[c.Path] {
			changes[i].Op = Changed
		}
	}
}

// svnRevision is the -r of a name: a number, with or without an r, or HEAD; ""
// is BASE, what each file is at. svn's other names, dates among them, stay out.
func svnRevision(name string) (string, error) {
	switch name {
	case "":
		return "BASE", nil
	case "HEAD":
		return name, nil
	}
	m := svnNumber().FindStringSubmatch(name)
	if m == nil {
		return "", &UnknownRevisionError{Want: name, Detail: "svn wants a number, or HEAD"}
	}
	return m[1], nil
}

var svnNumber = lazily(`^r?(\d{1,18})$`)

// unknownRevision makes an UnknownRevisionError of svn's refusal of one of the
// names.
func unknownRevision(err error, names ...string) error {
	var failed *ClientError
	if !errors.As(err, &failed) {
		return err
	}
	want := strings.Join(names, ":")
	switch {
	case noRevision().MatchString(failed.Stderr):
		number := noRevision().FindStringSubmatch(failed.Stderr)[1]
		if i := slices.IndexFunc(names, func(n string) bool { return strings.TrimPrefix(n, "r") == number }); i >= 0 {
			want = names[i]
		}
		return &UnknownRevisionError{Want: want, Detail: "the repository has none of that number"}
	case noPlace().MatchString(failed.Stderr):
		return &UnknownRevisionError{Want: want, Detail: "what is checked out here did not exist then"}
	}
	return err
}

var (
	noRevision = lazily(`E160006: No such revision (\d+)`)
	noPlace    = lazily(`E160005|E160013|E195012`)
)

// LastChanged reads one list of all files. What is to be added, or to be
// replaced by something new, was never changed by a revision.
func (w *svnCopy) LastChanged(ctx context.Context, rev string) (map[string]string, error) {
	tell := func(f svnFile) string { return f.changed }
	if rev == "" {
		return w.files(ctx, tell)
	}
	at, err := svnRevision(rev)
	if err != nil {
		return nil, err
	}
	if err := w.server(ctx); err != nil {
		return nil, err
	}
	st, err := w.status(ctx)
	if err != nil {
		return nil, err
	}
	if len(st.switched) > 0 { // svn would list what is not
		return nil, &UnsupportedError{System: "svn", Feature: "the last changes of another revision of what is switched, as " + st.switched[0] + ","}
	}
	all, err := w.list(ctx, tell, func(svnFile) bool { return true }, "-r", at)
	return all, unknownRevision(err, rev)
}

// ContentIDs are SHA-1 checksums of the content as the repository has it, with
// keywords and line endings not converted; of a symbolic link it is that of the
// file that stands for it.
func (w *svnCopy) ContentIDs(ctx context.Context) (map[string]string, error) {
	return w.files(ctx, func(f svnFile) string { return f.checksum })
}

// files tells one thing of every file that the repository has at the revision
// on disk. File externals, which svnversion does not count either, belong to
// another place in a repository.
func (w *svnCopy) files(ctx context.Context, tell func(svnFile) string) (map[string]string, error) {
	st, err := w.status(ctx)
	if err != nil {
		return nil, err
	}
	if st.interrupted { // then svn lists what there is, without a word
		return nil, &LockedError{System: "svn", Path: w.dir, Interrupted: true}
	}
	return w.list(ctx, tell, func(f svnFile) bool {
		return f.schedule != "add" && f.schedule != "replace" && !st.externals[w.relative(f.path)]
	})
}

// list tells one thing, unless it is empty, of the files that are wanted of those
// that svn info lists.
func (w *svnCopy) list(ctx context.Context, tell func(svnFile) string, want func(svnFile) bool, options ...string) (map[string]string, error) {
	all := make(map[string]string)
	err := w.stream(ctx, func(r io.Reader) error {
		return readInfo(r, func(f svnFile) {
			if value := tell(f); f.kind == "file" && value != "" && want(f) {
				all[w.relative(f.path)] = value
			}
		})
	}, slices.Concat([]string{"info", "-R", "--xml"}, options, []string{"."})...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// stream runs a subcommand whose output read takes as it comes.
func (w *svnCopy) stream(ctx context.Context, read func(io.Reader) error, args ...string) error {
	args, stdin := w.withLogin(args)
	r, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := w.client.stream(ctx, stdin, out, nil, args...)
		out.CloseWithError(err) // nil is the end
		done <- err
	}()
	err := read(r)
	r.CloseWithError(errors.New("the reader has given up")) // which ends the client
	if failed := <-done; err == nil {
		return w.meant(failed)
	}
	return w.meant(err)
}

// svnFile is one entry of `svn info --xml`.
type svnFile struct {
	path, kind, schedule, checksum, changed string
}

// readInfo reads `svn info --xml`, one entry at a time: a large working copy has
// hundreds of bytes of XML for each file, of which little is wanted.
func readInfo(r io.Reader, visit func(svnFile)) error {
	d := xml.NewDecoder(bufio.NewReaderSize(r, 64<<10))
	var f svnFile
	var text *string // where the text inside the present element belongs
	for {
		token, err := d.RawToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("svn info: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			text = f.begin(token)
		case xml.CharData:
			if text != nil {
				*text += string(token)
			}
		case xml.EndElement:
			text = nil
			if token.Name.Local == "entry" {
				visit(f)
			}
		}
	}
}

// begin takes the attributes of an element and returns where its text belongs.
func (f *svnFile) begin(e xml.StartElement) (text *string) {
	switch e.Name.Local {
	case "entry":
		*f = svnFile{path: attribute(e, "path"), kind: attribute(e, "kind")}
	case "schedule":
		return &f.schedule
	case "checksum":
		return &f.checksum
	case "commit":
		f.changed = attribute(e, "revision")
	}
	return nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// Export is `svn export`, which brings externals along: a site lacks them
// otherwise. They must be pinned; see unpinned.
func (w *svnCopy) Export(ctx context.Context, rev, dir string) error {
	at, err := svnRevision(rev)
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := w.server(ctx); err != nil {
		return err
	}
	st, err := w.status(ctx)
	if err != nil {
		return err
	}
	switch {
	case at != "BASE" && len(st.switched) > 0: // svn would export what is not
		return &UnsupportedError{System: "svn", Feature: "exporting another revision of what is switched, as " + st.switched[0] + ","}
	case at == "BASE" && st.interrupted:
		return &LockedError{System: "svn", Path: w.dir, Interrupted: true}
	}
	if at == "HEAD" { // one revision for all that follows
		newest, err := w.info(ctx, "-r", at)
		if err != nil {
			return err
		}
		at = strconv.FormatInt(newest.Revision, 10)
	}
	if err := makeEmpty(dir); err != nil {
		return err
	}
	externals, err := w.externals(ctx, "-R", "-r", at, ".")
	if err != nil {
		return unknownRevision(err, rev)
	}
	if err := unpinned(externals); err != nil {
		return err
	}
	_, err = w.svn(ctx, "export", "--quiet", "--force", "-r", at, ".", dir+"@")
	return unknownRevision(err, rev)
}

// makeEmpty makes a directory that must not exist, or be empty.
func makeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(dir, 0o755)
	}
	if err == nil && len(entries) > 0 {
		err = &fs.PathError{Op: "export to", Path: dir, Err: errors.New("directory is not empty")}
	}
	return err
}
