package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"revstamp/testdata/need"
)

// TestPairs starts two releases of a site at the same time, over and over: one of
// them releases, and the other says who does.
func TestPairs(t *testing.T) {
	need.Program(t, "git", "sleep")
	pairs := 200
	if testing.Short() {
		pairs = 5
	}
	program := []string{programVar + "=" + buildStatic(t)}
	dir := t.TempDir()
	site, work := filepath.Join(dir, "site"), filepath.Join(dir, "work")
	write(t, work, map[string]string{"n": "0\n"})
	gitReleases.create(t, dir)
	// Longer than a look at the lock is waited for.
	write(t, site, map[string]string{"revstamp.yaml": "site: pairs\n" + gitReleases.layout(dir) +
		"hooks: [{ before: activate, command: [sleep, \"0.4\"] }]\n"})
	for n := range pairs {
		write(t, work, map[string]string{"n": fmt.Sprintln(n + 1)})
		gitReleases.commit(t, dir)
		var results [2]result
		var both sync.WaitGroup
		for i := range results {
			both.Go(func() { results[i] = revstamp(t, site, program, "release") })
		}
		both.Wait()
		won, lost := results[0], results[1]
		if won.status != exitDone {
			won, lost = lost, won
		}
		if won.status != exitDone || !strings.Contains(won.output, fmt.Sprintf("release %d of pairs is live", n+1)) {
			t.Fatalf("pair %d: nobody released: %+v, %+v", n, won, lost)
		}
		if lost.status != exitLocked || !strings.Contains(lost.output, "locked by another release (") || !strings.Contains(lost.output, ", process ") {
			t.Fatalf("pair %d: %+v", n, lost)
		}
		if got := gitReleases.view(t, site)["/n"]; got != fmt.Sprintln(n+1) {
			t.Fatalf("pair %d: n = %q", n, got)
		}
	}
	t.Logf("%d pairs", pairs)
}
