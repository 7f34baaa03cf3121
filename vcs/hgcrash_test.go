package vcs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/testdata/need"
	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// hgWhole has hg look at an updated working copy.
func hgWhole(t *testing.T, dir string) {
	t.Helper()
	if got := hgStatus(t, dir); got != "M config.php" {
		t.Errorf("hg status = %q", got)
	}
	for _, left := range []string{"updatestate", "revstamp.lock", "wlock", "revstamp.updatestate"} {
		if marked(dir, filepath.Join(".hg", left)) {
			t.Errorf(".hg/%s stays", left)
		}
	}
}

// TestHgWriteFails stops Write before some of the files, and then resumes, or
// goes back.
func TestHgWriteFails(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 4, 13} {
		if testing.Short() && n%4 != 0 {
			continue
		}
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			up, dir, first, second := hgSite(t)
			before := vcstest.Snapshot(t, dir)
			wc := open(t, dir, vcs.Options{})
			target := resolve(t, wc, "")
			u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, n)}
			err := wc.Update(t.Context(), target, u)
			var interrupted *vcs.InterruptedError
			if !errors.Is(err, errStopped) || errors.As(err, &interrupted) != (n > 0) {
				t.Fatalf("stopped before file %d: %v", n, err)
			}
			if n == 0 { // nothing happened, and nothing is due
				if d := cmp.Diff(before, vcstest.Snapshot(t, dir)); d != "" {
					t.Error(d)
				}
				hgWhole(t, dir)
				return
			}
			var locked *vcs.LockedError
			if err := wc.Update(t.Context(), target, u); !errors.As(err, &locked) || !locked.Interrupted || locked.Target != second {
				t.Errorf("an update after an interrupted one: %v", err)
			}
			if _, err := wc.Revision(t.Context(), stampOwn); !errors.As(err, &locked) || !locked.Interrupted {
				t.Errorf("Revision after an interrupted update: %v", err)
			}
			if out, err := vcstest.Try(dir, nil, "hg", "commit", "-m", "x", "--user", "x"); err == nil || !strings.Contains(out, "interrupted") {
				t.Errorf("hg commit after an interrupted update: %v, %s", err, out)
			}
			if n == 4 { // somebody else's work in the half-updated tree
				vcstest.Write(t, dir, "css/site.css", "mine")
				u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, never), Resume: true}
				var local *vcs.LocalChangesError
				if err := wc.Update(t.Context(), target, u); !errors.As(err, &local) || len(local.Files) != 1 {
					t.Errorf("resume over a foreign change: %v", err)
				}
				vcstest.Write(t, dir, "css/site.css", site["css/site.css"])
				resumed(t, dir, first, "1", vcs.Options{}, before)
			} else {
				resumed(t, dir, second, "2", vcs.Options{}, released(t, up.Dir, "2"))
			}
			hgWhole(t, dir)
		})
	}
}

// TestHgKilled kills an update at system calls that change a file, and at the
// requests to hg, and then resumes it, or goes back.
func TestHgKilled(t *testing.T) {
	t.Parallel()
	need.Program(t, "strace", "hg")
	kills := []struct {
		calls string
		n     int
	}{
		{"linkat", 1}, {"symlinkat", 1}, {"renameat", 1}, {"renameat", 2}, {"renameat", 9}, {"unlinkat", 4}, {"unlinkat", 7},
		{"unlinkat", 8}, {"unlinkat", 9}, {"clone,clone3,vfork", 2},
	}
	for n := 14; n < 46; n++ { // writes: requests to hg, besides some of the files
		kills = append(kills, struct {
			calls string
			n     int
		}{"write", n})
	}
	for i, kill := range kills {
		if testing.Short() && i%8 != 3 {
			continue
		}
		t.Run(fmt.Sprintf("%s/%d", kill.calls, kill.n), func(t *testing.T) {
			t.Parallel()
			up, dir, first, second := hgPulled(t)
			before := vcstest.Snapshot(t, dir)
			killed := killedAt(t, dir, kill.calls, kill.n, second, vcs.Options{})
			t.Logf("killed: %v, interrupted: %v", killed, marked(dir, filepath.Join(".hg", "updatestate")))
			if kill.n%2 == 0 {
				resumed(t, dir, second, "2", vcs.Options{}, released(t, up.Dir, "2"))
			} else {
				resumed(t, dir, first, "1", vcs.Options{}, before)
			}
			hgWhole(t, dir)
		})
	}
}

// TestHgInterrupted heals what hg's own update left.
func TestHgInterrupted(t *testing.T) {
	t.Parallel()
	up, dir, _, second := hgPulled(t)
	vcstest.Write(t, dir, ".hg/updatestate", second)
	vcstest.Write(t, dir, "-dash", next["-dash"])
	vcstest.Write(t, dir, "css/new.css", next["css/new.css"])
	os.Remove(filepath.Join(dir, "old/gone.txt"))
	wc := open(t, dir, vcs.Options{})
	target := resolve(t, wc, "")
	var locked *vcs.LockedError
	if err := wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Write: put(dir, never)}); !errors.As(err, &locked) || !locked.Interrupted || locked.Target != second {
		t.Errorf("Update: %v", err)
	}
	resumed(t, dir, second, "2", vcs.Options{}, released(t, up.Dir, "2"))
	hgWhole(t, dir)
}

// TestHgCancelled ends an update by its context, and hg with it.
func TestHgCancelled(t *testing.T) {
	t.Parallel()
	up, dir, _, second := hgPulled(t)
	wc := open(t, dir, vcs.Options{})
	target := resolve(t, wc, second)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	write := put(dir, never)
	err := wc.Update(ctx, target, vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: func(ctx context.Context, w []vcs.Write) error {
		defer cancel(why)
		return write(ctx, w)
	}})
	var interrupted *vcs.InterruptedError
	if !errors.Is(err, why) || !errors.As(err, &interrupted) {
		t.Errorf("Update: %v", err)
	}
	if _, err := wc.Resolve(ctx, "", stampOwn); !errors.Is(err, context.Canceled) && !errors.Is(err, why) {
		t.Errorf("Resolve: %v", err)
	}
	if marked(dir, "wlock") {
		t.Error("hg's lock stays")
	}
	resumed(t, dir, second, "2", vcs.Options{}, released(t, up.Dir, "2"))
	hgWhole(t, dir)
}

// TestHgReaders has a reader loop over a large file, and over the stamped one,
// during many updates.
func TestHgReaders(t *testing.T) {
	t.Parallel()
	rounds := 200
	if testing.Short() {
		rounds = 4
	}
	up := vcstest.NewHg(t)
	large := func(b byte) string { return strings.Repeat(string(b), 2<<20) }
	one := up.Commit("one", vcstest.Files{"large": large('1'), "config.php": site["config.php"]})
	two := up.Commit("two", vcstest.Files{"large": large('2'), "config.php": next["config.php"]})
	dir := up.Clone("")
	stamp(t, dir, "config.php", "0")
	wc := open(t, dir, vcs.Options{})
	stopLarge := watch(t, filepath.Join(dir, "large"), func(b []byte) bool {
		return len(b) == 2<<20 && bytes.Count(b, b[:1]) == len(b)
	})
	stopStamped := watch(t, filepath.Join(dir, "config.php"), func(b []byte) bool {
		m := stamped.FindSubmatch(b)
		return m != nil && string(m[1]) != "00"
	})
	for n := range rounds {
		update(t, wc, []string{one, two}[n%2], strconv.Itoa(n+1))
	}
	stopLarge()
	stopStamped()
}

// TestHgPullKilled takes back the transaction of a pull that was killed, as hg
// wants it, before it pulls again.
func TestHgPullKilled(t *testing.T) {
	t.Parallel()
	_, dir, _, second := hgSite(t)
	cmd := exec.Command("hg", "pull", "--quiet", "--config", "hooks.pretxnclose.kill=kill -9 $PPID")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HGPLAIN=1")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("hg was not killed: %s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, ".hg", "store", "journal")); err != nil {
		t.Fatal(err)
	}
	wc := open(t, dir, vcs.Options{})
	update(t, wc, "", "2")
	if got := revision(t, wc); got.ID != second || got.Modified != nil {
		t.Errorf("Revision = %+v", got)
	}
	hgWhole(t, dir)
}
