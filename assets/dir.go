package assets

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"
)

// Dir is the file system of an asset root on disk. It is what os.DirFS is, with
// the files whose names are not UTF-8, too: to the system, and percent-encoded in
// a URL, a name is bytes. A symbolic link may lead out of it.
type Dir string

// Open implements fs.FS.
func (d Dir) Open(name string) (fs.File, error) { return in(d, "open", name, os.Open) }

// Stat implements fs.StatFS.
func (d Dir) Stat(name string) (fs.FileInfo, error) { return in(d, "stat", name, os.Stat) }

// ReadFile implements fs.ReadFileFS.
func (d Dir) ReadFile(name string) ([]byte, error) { return in(d, "read", name, os.ReadFile) }

// ReadDir implements fs.ReadDirFS.
func (d Dir) ReadDir(name string) ([]fs.DirEntry, error) { return in(d, "readdir", name, os.ReadDir) }

// in calls do with the file at name, which is how errors name it.
func in[T any](d Dir, op, name string, do func(string) (T, error)) (found T, err error) {
	if d == "" || !ValidPath(name) || strings.Contains(name, "\x00") {
		return found, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	found, err = do(string(d) + "/" + name)
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		pathErr.Path = name
	}
	return found, err
}

// ValidPath is fs.ValidPath, of names that need not be UTF-8.
func ValidPath(name string) bool {
	return fs.ValidPath(name) || !utf8.ValidString(name) && fs.ValidPath(strings.ToValidUTF8(name, "_"))
}
