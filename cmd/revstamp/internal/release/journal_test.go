package release

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"revstamp/testdata/need"
	"revstamp/vcs"
)

func journalAt(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := openJournal(t.Context(), path, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func mustAppend(t *testing.T, j *Journal, records ...Record) {
	t.Helper()
	for _, rec := range records {
		if err := j.Append(rec); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJournalTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.jsonl")
	j := journalAt(t, path)
	mustAppend(t, j, Record{Kind: kindBegin, Begin: &Begin{ID: "1"}}, Record{Kind: kindStep, Step: "lock", State: stepStarted})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range whole {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		before, err := readJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Count(string(whole[:cut]), "\n"); len(before) != want {
			t.Fatalf("cut at byte %d: %d records, want the %d whole ones", cut, len(before), want)
		}
		j := journalAt(t, path)
		mustAppend(t, j, Record{Kind: kindLive})
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		after, err := readJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(after) != len(before)+1 || after[len(before)].Kind != kindLive {
			t.Fatalf("cut at byte %d: a record after the torn line reads as %+v", cut, after)
		}
	}
}

// JSON has no bytes that are not UTF-8, and names of files have.
func TestJournalNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.jsonl")
	j := journalAt(t, path)
	names := []string{"a.html", "caf\xe9.html", "\xff\"\\\n", "é\xe9", "\ufffd"}
	var want []Record
	for _, name := range names {
		want = append(want, Record{
			Kind: kindBegin, Path: "../" + name, Backup: "backups/" + name,
			Begin: &Begin{Dir: name, Before: name, Local: []LocalFile{{Path: name, File: "../" + name, Fate: Saved}}},
		})
	}
	mustAppend(t, j, want...)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := readJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Record{}, "Time")); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestJournalHasOneWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.jsonl")
	j := journalAt(t, path)
	if _, err := openJournal(t.Context(), path, plain, nil); !errors.Is(err, errFollowed) {
		t.Errorf("second writer: %v, want %v", err, errFollowed)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := journalAt(t, path).Close(); err != nil {
		t.Error(err)
	}
}

func TestFold(t *testing.T) {
	begin := Record{Kind: kindBegin, Begin: &Begin{ID: "7", Token: "abc", Site: "shop", To: vcs.Revision{ID: "42"}}}
	intended := Job{N: 1, Function: "warm", Unique: "shop/7-abc/1", State: jobIntended}
	submitted := intended
	submitted.State, submitted.Server, submitted.Handle = jobSubmitted, "127.0.0.1:4730", "H:1"
	failed := submitted
	failed.State = "failed"
	step := func(name, state string) Record { return Record{Kind: kindStep, Step: name, State: state} }
	for _, test := range []struct {
		name    string
		records []Record
		status  Status
		steps   []string
		jobs    []Job
	}{
		{"nothing but a beginning", []Record{begin}, Unfinished, nil, nil},
		{"killed in a step", []Record{begin, step("update", stepStarted)}, Unfinished, []string{"update started"}, nil},
		{"resumed", []Record{begin, step("update", stepStarted), step("update", stepStarted), step("update", stepDone)},
			Unfinished, []string{"update started", "update done"}, nil},
		{"live", []Record{begin, {Kind: kindJob, Job: &intended}, {Kind: kindLive}}, Live, nil, []Job{intended}},
		{"followed", []Record{begin, {Kind: kindJob, Job: &intended}, {Kind: kindLive}, {Kind: kindJob, Job: &submitted}, {Kind: kindJob, Job: &failed}},
			Live, nil, []Job{failed}},
		{"failed", []Record{begin, step("stamp", stepStarted), step("stamp", stepFailed), ended(Failed, "why")}, Failed, []string{"stamp failed"}, nil},
		{"of another time", []Record{begin, {Kind: "invented later"}, {Kind: kindLive}}, Live, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := fold(test.records)
			var steps []string
			for _, s := range r.Steps {
				steps = append(steps, s.Name+" "+s.State)
			}
			if r.Status != test.status || r.To.ID != "42" {
				t.Errorf("release %+v, want status %q of revision 42", r, test.status)
			}
			if diff := cmp.Diff(test.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.jobs, r.Jobs, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("jobs (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseRecords(f *testing.F) {
	f.Add(`{"time":"2026-01-02T03:04:05Z","kind":"begin","begin":{"id":"1"}}` + "\n" + `{"kind":"live"}` + "\n")
	f.Add("{}\n{\n\n\x00")
	f.Fuzz(func(t *testing.T, journal string) {
		records, err := parseRecords(strings.NewReader(journal))
		if err != nil {
			t.Fatal(err)
		}
		if whole := strings.Count(journal, "\n"); len(records) > whole {
			t.Fatalf("%d records of %d lines", len(records), whole)
		}
		fold(records)
	})
}

func plain(text string) string { return text }

// A full disk cuts a record off. What is written when there is room again, as that
// the release was undone, must not be lost with it.
func TestJournalFullDisk(t *testing.T) {
	need.Root(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("mounting is not allowed here:", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	path, filler := filepath.Join(dir, "1.jsonl"), filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 16<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	j := journalAt(t, path)
	mustAppend(t, j, Record{Kind: kindBegin, Begin: &Begin{ID: "1"}})
	var err error
	for err == nil {
		err = j.Append(Record{Kind: kindTemp, Path: strings.Repeat("x", 1000)})
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, ended(Failed, "no space"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	records, err := readJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := fold(records); got.ID != "1" || got.Status != Failed {
		t.Errorf("the journal tells of release %q, %s", got.ID, got.Status)
	}
}
