package boltstore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"revstamp/gearman/jobserver"
	"revstamp/gearman/jobserver/boltstore"
	"revstamp/testdata/need"
)

func open(t testing.TB, file string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func load(t testing.TB, s *boltstore.Store) (jobs []jobserver.StoredJob, reserved uint64) {
	t.Helper()
	reserved, err := s.Load(func(job jobserver.StoredJob) error {
		jobs = append(jobs, job)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return jobs, reserved
}

func apply(t testing.TB, s *boltstore.Store, c jobserver.Changes) {
	t.Helper()
	if err := s.Apply(&c); err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "queue")
	s := open(t, file)
	if jobs, reserved := load(t, s); len(jobs) > 0 || reserved != 0 {
		t.Errorf("new: jobs %v, reserved %d", jobs, reserved)
	}
	full := jobserver.StoredJob{
		Number: 1 << 40, Priority: 2, Due: 1 << 33, Function: "f", Unique: "u\x01", Reducer: "r", Workload: []byte("a\x00b"),
	}
	large := jobserver.StoredJob{Number: 2, Priority: 1, Due: -1, Function: strings.Repeat("f", 8192), Workload: make([]byte, 1<<20)}
	apply(t, s, jobserver.Changes{Put: []jobserver.StoredJob{{Number: 1, Function: "done"}, large}, Reserved: 7})
	apply(t, s, jobserver.Changes{Put: []jobserver.StoredJob{{Number: 3}, full}, Remove: []uint64{1, 3, 99}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, reserved := load(t, open(t, file))
	if diff := cmp.Diff([]jobserver.StoredJob{large, full}, got); diff != "" || reserved != 7 {
		t.Errorf("reserved %d, want 7; jobs (-want +got):\n%s", reserved, diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v, want 0600", info.Mode(), err)
	}
}

func TestLoadEndsWithAnError(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "queue"))
	apply(t, s, jobserver.Changes{Put: []jobserver.StoredJob{{Number: 1}, {Number: 2}}})
	enough, calls := errors.New("enough"), 0
	if _, err := s.Load(func(jobserver.StoredJob) error { calls++; return enough }); !errors.Is(err, enough) || calls != 1 {
		t.Errorf("Load = %v after %d calls, want %v after 1", err, calls, enough)
	}
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "queue")
	open(t, file)
	_, err := boltstore.Open(file)
	if !errors.Is(err, boltstore.ErrInUse) || !strings.Contains(err.Error(), file) {
		t.Errorf("second Open = %v, want %v with the name of the file", err, boltstore.ErrInUse)
	}
	p := startServer(t, filepath.Join(t.TempDir(), "queue"))
	if _, err := boltstore.Open(p.file); !errors.Is(err, boltstore.ErrInUse) {
		t.Errorf("Open of another process's = %v, want %v", err, boltstore.ErrInUse)
	}
}

// A file that is something else is left alone.
func TestOpenOther(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "notes")
	text := strings.Repeat("not a queue\n", 1000)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Open(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Open = %v, want an error with the name of the file", err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != text {
		t.Errorf("the file is changed: %v", err)
	}
	if _, err := boltstore.Open(filepath.Dir(file)); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Open of a directory = %v", err)
	}
}

// A file that lost its end, or a page, is told of and left as it is. bbolt ends the
// process over it.
func TestOpenDamaged(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "queue")
	s := open(t, file)
	for n := uint64(1); n <= 200; n++ {
		apply(t, s, jobserver.Changes{Put: []jobserver.StoredJob{{Number: n, Function: "f", Workload: make([]byte, 3000)}}})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	blank := func(first, pages int) []byte {
		text := bytes.Clone(whole)
		clear(text[first*page : (first+pages)*page])
		return text
	}
	tests := map[string][]byte{
		"metas alone":        whole[:2*page], // what a full file system leaves of a new one
		"first pages":        whole[:4*page],
		"no end":             whole[:len(whole)/8],
		"pages are zero":     blank(2, len(whole)/page-2),
		"a few are":          blank(20, 60),
		"begins with others": append(bytes.Repeat([]byte("no queue"), page/4), whole[2*page:]...),
	}
	for name, text := range tests {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := boltstore.Open(file)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: Open = %v, want an error with the name of the file", name, err)
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: the file is changed: %v", name, err)
		}
	}
}

func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	records := map[string]string{
		"empty": "", "no time": "\x01", "no function": "\x01\x00", "short function": "\x01\x00\x05abc", "no unique": "\x01\x00\x03abc",
		"endless length": "\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "short key": "\x01\x00\x00\x00\x00",
	}
	for name, record := range records {
		file := filepath.Join(t.TempDir(), "queue")
		if err := open(t, file).Close(); err != nil {
			t.Fatal(err)
		}
		key := "\x00\x00\x00\x00\x00\x00\x00\x01"
		if name == "short key" {
			key = "\x01"
		}
		put(t, file, key, record)
		_, err := open(t, file).Load(func(jobserver.StoredJob) error { return nil })
		if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: Load = %v, want that a record in the file is damaged", name, err)
		}
	}
}

// put writes a record without a Store.
func put(t *testing.T, file, key, record string) {
	t.Helper()
	db, err := bbolt.Open(file, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("jobs 1")).Put([]byte(key), []byte(record))
	}); err != nil {
		t.Fatal(err)
	}
}

// A file that there was no room for is not there, nor anything in its place.
func TestNoRoomToOpen(t *testing.T) {
	dir := mountTmpfs(t, "size=12k,mode=0755")
	file := filepath.Join(dir, "queue")
	if _, err := boltstore.Open(file); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Open = %v, want %v", err, unix.ENOSPC)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=1m"); err != nil {
		t.Fatal(err)
	}
	open(t, file)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("there are %v, %v, want the file", left, err)
	}
}

func mountTmpfs(t *testing.T, options string) (dir string) {
	t.Helper()
	need.Root(t)
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// On a full file system nothing is changed, what is kept can be taken out, and
// then there is room again.
func TestFull(t *testing.T) {
	dir := mountTmpfs(t, "size=2m,mode=0755")
	file := filepath.Join(dir, "queue")
	s := open(t, file)
	var kept, numbers []uint64
	job := func(n uint64) jobserver.StoredJob {
		return jobserver.StoredJob{Number: n, Function: "f", Workload: make([]byte, 10_000)}
	}
	refused := 0
	for n := uint64(1); refused < 20; n++ {
		if err := s.Apply(&jobserver.Changes{Put: []jobserver.StoredJob{job(n)}}); err == nil {
			kept = append(kept, n)
		} else if refused++; !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("Apply = %v, want %v", err, unix.ENOSPC)
		}
	}
	if len(kept) < 50 {
		t.Fatalf("%d jobs of 10,000 bytes are kept on 2 MiB", len(kept))
	}
	check := func(s *boltstore.Store, want []uint64) {
		t.Helper()
		jobs, _ := load(t, s)
		numbers = nil
		for _, j := range jobs {
			numbers = append(numbers, j.Number)
		}
		if diff := cmp.Diff(want, numbers); diff != "" {
			t.Fatalf("kept (-want +got):\n%s", diff)
		}
	}
	check(s, kept)
	half := len(kept) / 2
	apply(t, s, jobserver.Changes{Remove: kept[:half]})
	kept = kept[half:]
	more := kept[len(kept)-1] + 100
	apply(t, s, jobserver.Changes{Put: []jobserver.StoredJob{job(more)}})
	kept = append(kept, more)
	check(s, kept)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(open(t, file), kept)
}
