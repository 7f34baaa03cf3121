package assets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"revstamp/stamp/atomicfile"
)

// LedgerName is the file in a directory of copies that tells which of its files
// they are. Its name begins with a dot, as of what no web server gives away.
const LedgerName = ".revstamp-names.json"

const (
	ledgerFormat = 1
	lockName     = ".revstamp-names.lock"
)

// LedgerFile reports whether a file, by its slash path, is what ledgers are made of.
func LedgerFile(name string) bool {
	base := path.Base(name)
	return base == LedgerName || base == lockName
}

// Ledger knows the fingerprinted copies in a directory, which Write puts there
// and Clean removes: those that the present release needs, and those of earlier
// releases, whose pages are still open or cached somewhere. The directory is the
// asset root, where a copy is beside its original, or another one.
//
// Every copy is in the ledger, on disk, before it is in the directory. A file that
// is not in there, or was changed since, is somebody else's and is never replaced
// or removed. A process that is killed leaves whole files only, and the next call
// of Write or Clean takes up where it was.
//
// A Ledger may be used by several goroutines. Two processes cannot write at once:
// the second fails with ErrLedgerBusy.
type Ledger struct {
	dir string

	mu   sync.RWMutex // held while book changes
	book book
}

// ErrLedgerBusy is the error while another process writes or cleans.
var ErrLedgerBusy = errors.New("another process is writing the copies")

// book is the ledger's file.
type book struct {
	Format  int              `json:"format"`
	Release int              `json:"release"` // how many sets of copies there have been
	Copies  map[string]entry `json:"copies"`  // by name: slash paths
}

// entry is one copy.
type entry struct {
	Of      string    `json:"of"`                // path of the asset
	Digest  string    `json:"digest"`            // SHA-256 of the content
	Size    int64     `json:"size,omitempty"`    // with Changed, what stat tells of it
	Changed time.Time `json:"changed,omitzero"`  // ctime; zero until it is known to be there
	Release int       `json:"release"`           // the last one that needed it
	Until   time.Time `json:"until,omitzero"`    // when the first release came that does not
	Foreign bool      `json:"foreign,omitempty"` // not written by us, or changed since: it is never removed
}

// seen is the entry with what info tells of the file.
func (e entry) seen(info fs.FileInfo) entry {
	e.Size, e.Changed = info.Size(), changed(info)
	return e
}

// is reports whether info is of the file that the entry is about, unchanged.
func (e entry) is(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Size() == e.Size && e.Changed.Equal(changed(info))
}

// changed is when anything about a file last changed, which nobody can set.
func changed(info fs.FileInfo) time.Time {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}
	}
	return time.Unix(st.Ctim.Unix()).UTC()
}

// OpenLedger reads the ledger of a directory. Where it is missing, the files whose
// names have the digest of their own content, beside one without, are taken for
// copies all the same, and never removed: a ledger may be lost.
func OpenLedger(dir string) (*Ledger, error) {
	l := &Ledger{dir: dir}
	return l, l.read()
}

func (l *Ledger) file() string { return filepath.Join(l.dir, LedgerName) }

func (l *Ledger) read() error {
	var b book
	data, err := os.ReadFile(l.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.Format = ledgerFormat
		if b.Copies, err = adopt(l.dir); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(data, &b); err != nil {
			return fmt.Errorf("%s: %w: remove it, and the copies that are there stay for good", l.file(), err)
		}
		if b.Format != ledgerFormat {
			return fmt.Errorf("%s: its format is %d, and %d is known", l.file(), b.Format, ledgerFormat)
		}
	}
	if b.Copies == nil {
		b.Copies = make(map[string]entry)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book = b
	return nil
}

// adopt finds the files below dir that are copies by what they hold.
func adopt(dir string) (map[string]entry, error) {
	found := make(map[string]entry)
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		switch {
		case file == dir && errors.Is(err, fs.ErrNotExist):
			return nil
		case file != dir && forbidden(d, err):
			return fs.SkipDir // copies in there are nobody's to remove
		case err != nil:
			return err
		case d.IsDir() && file != dir && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		original, ok := Original(file)
		if !ok {
			return nil
		}
		if info, err := os.Lstat(original); err != nil || !info.Mode().IsRegular() {
			return ignoreMissing(err)
		}
		e, ok, err := certify(file)
		if !ok || err != nil {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err == nil {
			e.Of, _ = Original(filepath.ToSlash(name))
			found[filepath.ToSlash(name)] = e
		}
		return err
	})
	return found, err
}

// certify reports whether a file's name has the digest of what the file holds.
func certify(file string) (e entry, ok bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return e, false, err
	}
	defer f.Close() // only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return e, false, err
	}
	original, _ := Original(file)
	info, err := f.Stat()
	if err != nil || fingerprinted(original, short(h.Sum(nil))) != file {
		return e, false, err
	}
	return entry{Digest: hex.EncodeToString(h.Sum(nil)), Foreign: true}.seen(info), true, nil
}

// ignoreMissing is nil for the error of a file that is not there.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Wrote reports whether the file at a slash path is a copy, or was one, in this
// or an earlier release that Clean has not removed. It is what Site.Written wants.
func (l *Ledger) Wrote(path string) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, ok := l.book.Copies[path]
	return ok
}

// save puts b on disk, and then into l. The lock's file holds the name of the
// temporary file meanwhile.
func (l *Ledger) save(ctx context.Context, b book, lock *os.File) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(b); err != nil {
		return err
	}
	o := atomicfile.Options{Create: true, MaxSize: -1, Record: func(temp string) error {
		_, err := lock.WriteAt([]byte(temp), 0)
		return err
	}}
	_, err := atomicfile.Replace(ctx, l.file(), o, func([]byte) ([]byte, error) { return text.Bytes(), nil })
	if err = errors.Join(err, lock.Truncate(0)); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book = b
	return nil
}

// locked calls do while no other process writes, with the directory open and the
// ledger as it is on disk.
func (l *Ledger) locked(ctx context.Context, do func(root *os.Root, save func(book) error) error) (err error) {
	if err := os.MkdirAll(l.dir, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return err
	}
	defer root.Close() // only a descriptor
	lock, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close() // only read and written
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLedgerBusy
		}
		return fmt.Errorf("lock %q: %w", l.dir, err)
	}
	// Closing alone unlocks only once no child that is being started has the file.
	defer syscall.Flock(int(lock.Fd()), syscall.LOCK_UN)
	if err := errors.Join(l.read(), l.sweep(root, lock)); err != nil {
		return err
	}
	return do(root, func(b book) error { return l.save(ctx, b, lock) })
}

// sweep removes the temporary files of a process that died.
func (l *Ledger) sweep(root *os.Root, lock *os.File) error {
	temp, err := io.ReadAll(lock)
	if err == nil && len(temp) > 0 {
		err = atomicfile.Sweep([]string{string(temp)})
	}
	for name, e := range l.book.Copies {
		if e.Changed.IsZero() {
			err = errors.Join(err, remove(root, tempOf(name)))
		}
	}
	return err
}

// tempOf is what a copy is called until it is whole: always the same, so that the
// next run knows it, and hidden.
func tempOf(name string) string {
	return path.Join(path.Dir(name), "."+path.Base(name)+".revstamp")
}

// maxBase is how long the name of an asset may be for its copy to have a name.
const maxBase = 255 - fingerprintLen - len("..revstamp")

// remove removes a file that may be missing.
func remove(root *os.Root, name string) error {
	return ignoreMissing(root.Remove(name))
}
