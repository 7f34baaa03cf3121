package vcs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// RevisionFile is the file in which a release layout notes what a tree was
// exported from: one line, the full id. Capistrano calls it so too.
const RevisionFile = "REVISION"

// exports are the files that tell what a tree was exported from, in the order
// of looking: whoever made the tree out of an archive knows better than that.
var exports = []struct {
	name string
	read func(text string) (Revision, error)
}{
	{RevisionFile, readRevisionFile},
	{".git_archival.txt", readGitArchival}, // https://setuptools-scm.readthedocs.io/en/latest/usage/#git-archives
	{".hg_archival.txt", readHgArchival},   // hg help archive, written by mercurial/archival.py
}

// ErrNotExported is what Exported returns for a directory without any of the
// files that it reads. An export of svn has none.
var ErrNotExported = errors.New("nothing tells what it was exported from")

// ExportError says that a file which tells what a tree was exported from cannot
// be used.
type ExportError struct {
	File   string
	Detail string
	hint   string
}

func (e *ExportError) Error() string { return fmt.Sprintf("%q: %s", e.File, e.Detail) }

// Hint says what to do next; it may be empty.
func (e *ExportError) Hint() string { return e.hint }

// maxExport is how large such a file may be: git lists all refs of a commit in
// it, on one line.
const maxExport = 64 << 10

// Exported tells what the tree in dir was exported from, by the file REVISION,
// .git_archival.txt or .hg_archival.txt in it. Nothing is known of what has
// become of its files since. System is empty where REVISION holds a hash, which
// git's and Mercurial's are alike.
func Exported(dir string) (Revision, error) {
	for _, e := range exports {
		file := filepath.Join(dir, e.name)
		text, err := readExport(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // dir is a file
			continue
		}
		if err != nil {
			return Revision{}, err
		}
		r, err := e.read(text)
		var bad *ExportError
		if errors.As(err, &bad) {
			bad.File = file
		}
		return r, err
	}
	return Revision{}, fmt.Errorf("%q: %w", dir, ErrNotExported)
}

// readExport reads a small regular file of plain text.
func readExport(file string) (string, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return "", &ExportError{File: file, Detail: "is a symbolic link"}
	}
	if err != nil {
		return "", err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", &ExportError{File: file, Detail: "is not a regular file"}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxExport+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxExport {
		return "", &ExportError{File: file, Detail: fmt.Sprintf("has more than %d bytes", maxExport)}
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	odd := func(c rune) bool { return unicode.IsControl(c) && c != '\n' || c == utf8.RuneError }
	if bytes.ContainsFunc(data, odd) {
		return "", &ExportError{File: file, Detail: "is not plain text"}
	}
	return string(data), nil
}

var (
	fullID    = lazily(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	svnExport = lazily(`^(?:r([1-9][0-9]{0,17})|([1-9][0-9]{0,5}))$`) // more digits may be the beginning of a hash
)

const shortID = 12

func readRevisionFile(text string) (Revision, error) {
	line := strings.TrimSpace(text)
	if m := svnExport().FindStringSubmatch(line); m != nil {
		id := m[1] + m[2]
		n, err := strconv.ParseInt(id, 10, 64)
		return Revision{System: "svn", ID: id, Short: id, Number: n}, err
	}
	if !fullID().MatchString(line) {
		return Revision{}, &ExportError{Detail: "holds no full id of a revision, and nothing else",
			hint: "write it with 'git rev-parse HEAD >REVISION', say"}
	}
	return Revision{ID: line, Short: line[:shortID]}, nil
}

// exportFields reads lines of "key: value". A key that comes again adds to the first.
func exportFields(text string) map[string][]string {
	all := make(map[string][]string)
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, maxExport+1)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && !strings.HasPrefix(key, "#") {
			key, value = strings.TrimSpace(key), strings.TrimSpace(value)
			all[key] = append(all[key], value)
		}
	}
	return all
}

// oneField is the value of a key, "" without any.
func oneField(all map[string][]string, key string) string {
	if len(all[key]) == 0 {
		return ""
	}
	return all[key][0]
}

// nodeField is the full id in a field.
func nodeField(all map[string][]string) (string, error) {
	id := oneField(all, "node")
	if !fullID().MatchString(id) {
		return "", &ExportError{Detail: fmt.Sprintf("its node is %q, no full id of a commit", id)}
	}
	return id, nil
}

// readGitArchival reads what git archive made of the placeholders that
// .gitattributes names export-subst, see gitattributes(5) and the pretty formats
// of git-log(1). Where git did not, there is still "$Format:" in it; where it
// knows no %(describe), that is in it.
func readGitArchival(text string) (Revision, error) {
	all := exportFields(text)
	if strings.Contains(oneField(all, "node"), "$Format:") {
		return Revision{}, &ExportError{Detail: "its placeholders are not expanded, so it was not made by git archive",
			hint: "export with git archive, and say '.git_archival.txt export-subst' in .gitattributes"}
	}
	id, err := nodeField(all)
	if err != nil {
		return Revision{}, err
	}
	r := Revision{System: "git", ID: id, Short: id[:shortID]}
	if name := oneField(all, "describe-name"); !strings.ContainsAny(name, "%$ ") {
		r.Describe = name
	}
	if date := oneField(all, "node-date"); date != "" {
		if r.Date, err = exportDate(date); err != nil {
			return Revision{}, err
		}
	}
	for ref := range strings.SplitSeq(oneField(all, "ref-names"), ", ") {
		if branch, ok := strings.CutPrefix(ref, "HEAD -> "); ok {
			r.Branch = branch
		}
		if tag, ok := strings.CutPrefix(ref, "tag: "); ok && (r.Tag == "" || tag == r.Describe) {
			r.Tag = tag
		}
	}
	r.Detached = r.Branch == ""
	return r, nil
}

// exportDate is a date in git's format %cI or %ci.
func exportDate(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 -0700"} {
		if date, err := time.Parse(layout, s); err == nil {
			return date, nil
		}
	}
	return time.Time{}, &ExportError{Detail: fmt.Sprintf("its node-date is %q, no date of git's", s)}
}

func readHgArchival(text string) (Revision, error) {
	all := exportFields(text)
	id, err := nodeField(all)
	if err != nil {
		return Revision{}, err
	}
	r := Revision{System: "hg", ID: id, Short: id[:shortID], Branch: oneField(all, "branch"), Tag: oneField(all, "tag")}
	latest, distance := oneField(all, "latesttag"), oneField(all, "latesttagdistance")
	switch {
	case r.Tag != "":
		r.Describe = r.Tag
	case latest != "" && latest != "null":
		r.Describe = latest + "-" + distance + "-m" + r.Short // as for a working copy
	default:
		r.Describe = r.Short
	}
	return r, nil
}
