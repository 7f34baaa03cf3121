// Package boltstore keeps the background jobs of a job server in one file, a
// bbolt database.
//
// The file grows with the most jobs it has ever had, and does not shrink; what
// has ended makes room for what comes.
package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"revstamp/gearman/jobserver"
)

// ErrInUse is what Open returns, with the file's name, when another store has the
// file open, in whatever process.
var ErrInUse = errors.New("in use by another job server")

// lockLimit is how long Open waits for a process that ends just now.
const lockLimit = time.Second

// keepRecords is the largest buffer of records that is kept for the next write.
const keepRecords = 1 << 20

// jobs is the bucket of jobs by their numbers, eight bytes, the highest first.
// Its sequence is the number that is reserved. A later form of records would
// have a bucket of another name.
var jobs = []byte("jobs 1")

// A Store is a jobserver.Store in a file. Its methods are safe for concurrent
// use.
type Store struct {
	db *bbolt.DB

	mu      sync.Mutex
	records []byte // a buffer, for those of one write
	broken  error  // what came of a write of which nobody knows if it was done
}

// Open opens the store in the file of that name, and makes it, readable for its
// owner alone, if there is none. A file that is damaged, as far as its structure
// tells, is an error and left as it is. The file must be on a local file system:
// one that is mapped into memory and locked has to be.
func Open(name string) (*Store, error) {
	s, err := open(name)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, &os.PathError{Op: "open", Path: name, Err: ErrInUse}
	case err != nil:
		return nil, fmt.Errorf("open job store %s: %w", name, err)
	}
	return s, nil
}

func open(name string) (s *Store, err error) {
	if err := create(name); err != nil {
		return nil, err
	}
	if err := check(name); err != nil {
		return nil, err
	}
	defer recovered(&err) // of what check does not see
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{
		Timeout: lockLimit,
		// The list of free pages is as long as what has ended is much. Without it
		// on the disk a write takes less, and Open, which reads all in any case,
		// hardly more.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
	})
	if err != nil {
		return nil, err
	}
	s = &Store{db: db}
	if err := s.update(new(jobserver.Changes)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Close closes the file. Nothing may use s thereafter.
func (s *Store) Close() error { return s.db.Close() }

// Load calls each for every job in s. A record that cannot be read is an error:
// no job is left out.
func (s *Store) Load(each func(jobserver.StoredJob) error) (reserved uint64, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(jobs)
		reserved = b.Sequence()
		return b.ForEach(func(key, value []byte) error {
			job, err := decode(key, value)
			if err != nil {
				return fmt.Errorf("%s: job %x: %w", s.db.Path(), key, err)
			}
			return each(job)
		})
	})
	return reserved, err
}

// Apply makes the changes of c in one transaction. When the file system is full
// nothing is changed, and Apply may be called again; but when it cannot tell
// whether a write reached the disk, this and all later calls fail, until the
// file is opened anew.
func (s *Store) Apply(c *jobserver.Changes) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	return s.update(c)
}

func (s *Store) update(c *jobserver.Changes) error {
	var id int
	err := s.db.Update(func(tx *bbolt.Tx) error {
		id = tx.ID()
		b, err := tx.CreateBucketIfNotExists(jobs)
		if err != nil {
			return err
		}
		return s.change(b, c)
	})
	if err == nil {
		return nil
	}
	// A failed write of the page that makes a transaction the current one may
	// have made it so in the mapped file all the same.
	check := s.db.View(func(tx *bbolt.Tx) error {
		if tx.ID() >= id {
			return errors.New("write half done")
		}
		return nil
	})
	if check != nil {
		s.broken = fmt.Errorf("%s: %w", s.db.Path(), errors.Join(err, check))
	}
	return err
}

func (s *Store) change(b *bbolt.Bucket, c *jobserver.Changes) error {
	b.FillPercent = 0.9 // numbers only grow
	if cap(s.records) > keepRecords {
		s.records = nil
	}
	s.records = s.records[:0]
	for i := range c.Put {
		job := &c.Put[i]
		at := len(s.records)
		s.records = appendRecord(s.records, job) // what is before at may lie in an older array
		if err := b.Put(key(job.Number), s.records[at:]); err != nil {
			return fmt.Errorf("job %d: %w", job.Number, err)
		}
	}
	for _, number := range c.Remove {
		if err := b.Delete(key(number)); err != nil {
			return err
		}
	}
	if c.Reserved != 0 {
		return b.SetSequence(c.Reserved)
	}
	return nil
}

func key(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }
