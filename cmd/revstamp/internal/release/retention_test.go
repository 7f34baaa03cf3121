package release

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/cmd/revstamp/internal/config"
)

// keep has little be kept while the test runs.
func keep(t *testing.T, journals, complete, logs, more int) {
	t.Helper()
	j, c, l, m := keptJournals, keptComplete, keptLogs, surplus
	t.Cleanup(func() { keptJournals, keptComplete, keptLogs, surplus = j, c, l, m })
	keptJournals, keptComplete, keptLogs, surplus = journals, complete, logs, more
}

// past writes the journals of releases from first to last into s. Those of live
// were complete, each wrote the file "each" and one of its own.
func past(t *testing.T, s *Site, first, last int, live ...int) {
	t.Helper()
	for n := first; n <= last; n++ {
		end := ended(Failed, "")
		for _, l := range live {
			if l == n {
				end = Record{Kind: kindLive}
			}
		}
		id := fmt.Sprint(n)
		j := journalAt(t, s.state.journal(id))
		mustAppend(t, j,
			Record{Kind: kindBegin, Begin: &Begin{ID: id}},
			Record{Kind: kindWrote, Path: "each", SHA256: digest([]byte(id))},
			Record{Kind: kindWrote, Path: "of" + id, SHA256: digest([]byte(id))},
			end)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTidyJournals(t *testing.T) {
	keep(t, 3, 2, 1, 1)
	s := Open(&config.Config{Dir: t.TempDir(), State: ".revstamp", Layout: config.InPlace})
	if err := s.state.create(); err != nil {
		t.Fatal(err)
	}
	sequence := func(want ...int) {
		t.Helper()
		s.tidy(t.Context())
		got, err := s.state.sequence()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("journals (-want +got):\n%s", diff)
		}
	}
	past(t, s, 1, 4, 1, 2, 4)
	sequence(1, 2, 3, 4) // not yet
	past(t, s, 5, 10)
	followed := journalAt(t, s.state.journal("5"))
	sequence(2, 4, 5, 8, 9, 10)
	if err := followed.Close(); err != nil {
		t.Fatal(err)
	}
	past(t, s, 11, 12, 12)
	sequence(4, 10, 11, 12)

	if live, err := s.Current(); err != nil || live.ID != "12" {
		t.Errorf("Current() = %v, %v, want release 12", live, err)
	}
	for n := 1; n <= 12; n++ {
		id := fmt.Sprint(n)
		if abs := s.state.path("of" + id); !s.state.writings().wrote(abs, []byte(id)) {
			t.Errorf("what release %s wrote is not known any more", id)
		}
		if got, want := s.state.writings().wrote(s.state.path("each"), []byte(id)), n == 12; got != want {
			t.Errorf("wrote(each, %s) = %v, want %v", id, got, want)
		}
	}
}

// TestTidyStanding keeps the journal of a release whose directory is there.
func TestTidyStanding(t *testing.T) {
	keep(t, 1, 1, 1, 0)
	s := Open(&config.Config{Dir: t.TempDir(), State: ".revstamp", Layout: config.Releases})
	if err := s.state.create(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "2", "3"} {
		j := journalAt(t, s.state.journal(id))
		mustAppend(t, j, Record{Kind: kindBegin, Begin: &Begin{ID: id, Dir: "../releases/" + id}}, Record{Kind: kindLive})
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(s.state.path("../releases/1"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.tidy(t.Context())
	got, err := s.state.sequence()
	if diff := cmp.Diff([]int{1, 3}, got); err != nil || diff != "" {
		t.Errorf("journals (-want +got), %v:\n%s", err, diff)
	}
}

func TestTidyLogsAndMirrors(t *testing.T) {
	keep(t, 1, 1, 2, 0)
	s := Open(&config.Config{Dir: t.TempDir(), State: ".revstamp", Layout: config.Releases})
	now := time.Now()
	ages := map[string]time.Duration{
		"log/9.log": 3 * time.Hour, "log/10.log": 2 * time.Hour, "log/detached-1.log": -time.Minute, // a file server's clock is ahead
		"log/8.log":       -2 * clockSkew, // the clock was set back
		"mirror-old/file": 0, "mirror-young/file": 0,
		filepath.Base(s.mirror()) + "/file": 0,
	}
	for name, age := range ages {
		file := filepath.Join(s.state.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	for dir, age := range map[string]time.Duration{filepath.Join(s.state.dir, "mirror-old"): keptMirror + time.Hour, s.mirror(): 2 * keptMirror} {
		if err := os.Chtimes(dir, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	s.tidy(t.Context())
	for name := range ages {
		_, err := os.Stat(filepath.Join(s.state.dir, name))
		if got, want := err == nil, name != "log/8.log" && name != "log/9.log" && name != "mirror-old/file"; got != want {
			t.Errorf("%s is there: %v, want %v", name, got, want)
		}
	}
	if info, err := os.Stat(s.mirror()); err != nil || now.Sub(info.ModTime()) > time.Hour {
		t.Errorf("the mirror in use looks unused: %v", err)
	}
}
