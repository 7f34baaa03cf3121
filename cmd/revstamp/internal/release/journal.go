package release

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gofrs/flock"

	"revstamp/stamp/atomicfile"
	"revstamp/vcs"
)

// Kinds of journal records.
const (
	kindBegin  = "begin"  // a release begins: Begin says which
	kindStep   = "step"   // Step is in State started, done, skipped or failed
	kindTemp   = "temp"   // Path is about to be created as a temporary file
	kindWrote  = "wrote"  // Path is about to hold content of digest SHA256; empty: nothing
	kindAdded  = "added"  // Path was not there before
	kindBackup = "backup" // what Path held is kept in Backup
	kindTraits = "traits" // Path, about to be replaced by another program, is to have Traits again
	kindTheirs = "theirs" // Path is about to hold again what somebody else had put there
	kindLive   = "live"   // everything a visitor sees is in place
	kindJob    = "job"    // Job, in its new state
	kindEnd    = "end"    // the release is over: State says how
)

// States of a step.
const (
	stepStarted = "started"
	stepDone    = "done"
	stepSkipped = "skipped"
	stepFailed  = "failed"
)

// Record is one line of the journal. Fields are only ever added.
type Record struct {
	Time   time.Time          `json:"time"`
	Kind   string             `json:"kind"`
	Step   string             `json:"step,omitempty"`
	State  string             `json:"state,omitempty"`
	Detail string             `json:"detail,omitempty"`
	Mark   string             `json:"mark,omitempty"` // of all that the Step now started starts, if it has one
	Path   string             `json:"path,omitempty"`
	SHA256 string             `json:"sha256,omitempty"`
	Backup string             `json:"backup,omitempty"`
	Mode   uint32             `json:"mode,omitempty"` // permission bits of what Backup is a copy of
	Begin  *Begin             `json:"begin,omitempty"`
	Traits *atomicfile.Traits `json:"traits,omitempty"`
	Job    *Job               `json:"job,omitempty"`

	Release string `json:"release,omitempty"` // whose record it is, where those of several are in one file
}

// named is r with its names of files as f makes them.
func (r Record) named(f func(string) string) Record {
	r.Path, r.Backup = f(r.Path), f(r.Backup)
	if r.Begin != nil {
		b := *r.Begin
		b.Dir, b.Before, b.Local = f(b.Dir), f(b.Before), slices.Clone(b.Local)
		for i := range b.Local {
			l := &b.Local[i]
			l.Path, l.File = f(l.Path), f(l.File)
		}
		r.Begin = &b
	}
	return r
}

// textOf is the name of a file as JSON has it. A name is bytes, and one that is not
// UTF-8 stands there quoted, behind a NUL, which no name has.
func textOf(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return "\x00" + strconv.Quote(name)
}

// nameOf undoes textOf.
func nameOf(text string) string {
	if quoted, ok := strings.CutPrefix(text, "\x00"); ok {
		if name, err := strconv.Unquote(quoted); err == nil {
			return name
		}
	}
	return text
}

// Begin is what a release sets out to do, and who does it.
type Begin struct {
	ID          string       `json:"id"`    // its number in the site's sequence
	Token       string       `json:"token"` // makes its job uniques differ from those of other hosts
	Site        string       `json:"site"`
	Environment string       `json:"environment,omitempty"` // name of the configuration's overlay
	Want        string       `json:"want,omitempty"`
	From        vcs.Revision `json:"from"`
	To          vcs.Revision `json:"to"`
	Local       []LocalFile  `json:"local,omitempty"`    // local changes that were decided about
	Rollback    string       `json:"rollback,omitempty"` // the release gone back to
	Dir         string       `json:"dir,omitempty"`      // releases layout: the release, relative to the state directory
	Before      string       `json:"before,omitempty"`   // releases layout: where current led before; empty: there was none
	Holder
}

// Journal is the open journal of one release: JSON Lines, appended and synced
// record by record. One process at a time writes it, which an flock(2) on the
// file sees to. Its methods are safe for concurrent use.
type Journal struct {
	mu     sync.Mutex
	file   *os.File
	lock   *flock.Flock
	redact func(string) string
	synced func(Record)
	cut    bool // the last line, by a full disk
}

// errFollowed says that another process holds a release's journal.
var errFollowed = errors.New("another process is at this release")

// openJournal opens the journal of a release, as the function does.
func (s *Site) openJournal(ctx context.Context, id string) (*Journal, error) {
	return openJournal(ctx, s.state.journal(id), s.redact, s.OnRecord)
}

// openJournal opens or creates the journal at path and takes its lock;
// errFollowed when another process has it.
func openJournal(ctx context.Context, path string, redact func(string) string, synced func(Record)) (*Journal, error) {
	lock, err := exclusive(ctx, path, 0)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if lock == nil {
		return nil, errFollowed
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), lock.Close())
	}
	j := &Journal{file: file, lock: lock, redact: redact, synced: synced}
	if err := j.mend(); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// mend cuts off a last line that a killed process left torn. Whoever reads the
// journal passes it over, and so must whoever reads it with records behind it.
func (j *Journal) mend() error {
	data, err := io.ReadAll(j.file)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if whole == len(data) {
		return nil
	}
	if err := j.file.Truncate(int64(whole)); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// Append writes r as one line and returns when it is on disk.
func (j *Journal) Append(r Record) error { return j.append(r, true) }

// Note writes r as one line, and leaves it to the next Append to sync it. It
// is for records that a killed process must find again but that mean nothing
// after a power cut, of which there may be thousands.
func (j *Journal) Note(r Record) error { return j.append(r, false) }

func (j *Journal) append(r Record, durable bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.Time, r.Detail = time.Now().UTC(), j.redact(r.Detail)
	if r.Job != nil && r.Job.Report != nil {
		r.Job = r.Job.redacted(j.redact)
	}
	line, err := json.Marshal(r.named(textOf))
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	line = append(line, '\n')
	if j.cut {
		line = append([]byte("\n"), line...)
	}
	_, err = j.file.Write(line)
	if j.cut = err != nil; j.cut {
		return fmt.Errorf("journal: %w", err)
	}
	if !durable {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if j.synced != nil {
		j.synced(r)
	}
	return nil
}

// Close gives the journal up to other processes.
func (j *Journal) Close() error {
	return errors.Join(j.file.Close(), j.lock.Close())
}

// readJournal reads every whole record at path. A torn last line is passed over:
// it was never synced.
func readJournal(path string) ([]Record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return parseRecords(bytes.NewReader(data))
}

func parseRecords(r io.Reader) ([]Record, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var all []Record
	for line := range bytes.Lines(data) {
		var rec Record
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &rec) != nil {
			continue
		}
		all = append(all, rec.named(nameOf))
	}
	return all, nil
}
