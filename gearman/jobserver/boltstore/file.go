package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// create makes an empty database of that name if there is no file. It appears
// there whole: bbolt ends the process over a file that was half made when the
// file system was full, or the process killed, whenever it opens it again.
func create(name string) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := f.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(f.Name(), 0o600, nil)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	// Unlike a rename, a link replaces nothing that came in the meantime.
	if err := os.Link(f.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// check reads the whole database, so that damage is an error: bbolt panics over
// it, and where it opens a file to write, mostly in a goroutine of its own.
func check(name string) (err error) {
	switch info, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil // a dangling link, whose file bbolt makes
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case info.Size() == 0:
		return nil // bbolt fills it
	}
	// The file is mapped: what is not there is a fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recovered(&err)
	db, err := bbolt.Open(name, 0, &bbolt.Options{ReadOnly: true, Timeout: lockLimit})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		if info, err := os.Stat(name); err != nil {
			return err
		} else if info.Size() < tx.Size() {
			return damaged(fmt.Sprintf("%d bytes where there were %d", info.Size(), tx.Size()))
		}
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error { return checkBucket(b) })
	})
}

// recovered makes an error of a panic of bbolt. It is to be deferred.
func recovered(err *error) {
	if reason := recover(); reason != nil {
		*err = damaged(reason)
	}
}

func checkBucket(b *bbolt.Bucket) error {
	var last []byte
	return b.ForEach(func(key, record []byte) error {
		if last != nil && bytes.Compare(last, key) >= 0 {
			return damaged(fmt.Sprintf("job %x after %x", key, last))
		}
		last = bytes.Clone(key)
		_, _ = decode(key, record) // reads all of it; Load tells what is wrong there
		return nil
	})
}

func damaged(how any) error {
	return fmt.Errorf("the file is damaged; to begin with an empty queue, move it away (%v)", how)
}
