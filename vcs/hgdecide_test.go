package vcs_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

// spoilAll makes every foreign change at once that may be written over.
func spoilAll(t *testing.T, dir string) {
	t.Helper()
	for _, f := range foreign {
		switch f.name {
		case "not touched", "deleted", "executable": // of one file there is one
		default:
			f.spoil(t, dir)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "-dash"), 0o755); err != nil {
		t.Fatal(err)
	}
	vcstest.Write(t, dir, "untracked", "mine\n")
}

func TestHgOverwrite(t *testing.T) {
	t.Parallel()
	up, dir, first, second := hgSite(t)
	before := vcstest.Snapshot(t, dir)
	for _, to := range []struct {
		want, rev string
		files     vcstest.Files
	}{{first, "1", before}, {second, "2", released(t, up.Dir, "2")}} {
		for _, stop := range []int{never, 0, 1, 4} {
			if testing.Short() && (stop == 1 || to.want == second && stop == 0) {
				continue
			}
			t.Run(to.rev+" "+itoa(int64(stop)), func(t *testing.T) {
				t.Parallel()
				_, dir, _, _ := hgSite(t)
				spoilAll(t, dir)
				mine := vcstest.Snapshot(t, dir)
				wc := open(t, dir, vcs.Options{})
				target, local, err := decided(t, wc, to.want, vcs.Overwrite)
				if err != nil {
					t.Fatal(err)
				}
				u := vcs.Update{Own: stampOwn, Edit: stampEdit(to.rev), Write: put(dir, stop), Local: local}
				err = wc.Update(t.Context(), target, u)
				var interrupted *vcs.InterruptedError
				switch {
				case stop == never && err != nil:
					t.Fatal(err)
				case stop == 0:
					if errors.As(err, &interrupted) {
						t.Errorf("nothing was written, and yet: %v", err)
					}
					if d := cmp.Diff(mine, vcstest.Snapshot(t, dir)); d != "" {
						t.Error(d)
					}
					return
				case stop > 0:
					if !errors.As(err, &interrupted) {
						t.Fatalf("stopped before file %d: %v", stop, err)
					}
					u.Write, u.Resume = put(dir, never), true
					if err := wc.Update(t.Context(), resolve(t, wc, to.want), u); err != nil {
						t.Fatal(err)
					}
				}
				got := vcstest.Snapshot(t, dir)
				if got["untracked"] != "mine\n" {
					t.Error("an untracked file is gone")
				}
				delete(got, "untracked")
				if d := cmp.Diff(to.files, got); d != "" {
					t.Error(d)
				}
				if err := os.Remove(filepath.Join(dir, "untracked")); err != nil {
					t.Fatal(err)
				}
				hgWhole(t, dir)
			})
		}
	}
}

func TestHgKeep(t *testing.T) {
	t.Parallel()
	for _, test := range foreign {
		if testing.Short() && test.name != "deleted" && test.name != "touched" {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up, dir, _, second := hgSite(t)
			test.spoil(t, dir)
			mine := vcstest.Snapshot(t, dir)
			wc := open(t, dir, vcs.Options{})
			target, local, err := decided(t, wc, second, vcs.Keep)
			u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, never), Local: local}
			if test.touched {
				wantRefused(t, wc, target, u, err, test.file, "the update changes too")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := wc.Update(t.Context(), target, u); err != nil {
				t.Fatal(err)
			}
			want := released(t, up.Dir, "2")
			delete(want, test.file)
			if text, ok := mine[test.file]; ok {
				want[test.file] = text
			}
			if d := cmp.Diff(want, vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if now := revision(t, wc); now.ID != second || !slices.Equal(now.Modified, []string{test.file}) {
				t.Errorf("Revision = %+v", now)
			}
		})
	}
}

// TestHgUndecidable holds the changes that no update keeps, or writes over.
func TestHgUndecidable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		file  string
		why   string
		keep  bool // can be kept
	}{
		{"added", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "mine", "mine\n")
			vcstest.RunHg(t, dir, "add", "mine")
		}, "mine", "scheduled", false},
		{"forgotten", func(t *testing.T, dir string) { vcstest.RunHg(t, dir, "forget", "index.html") }, "index.html", "scheduled", false},
		{"file for link", func(t *testing.T, dir string) { vcstest.Write(t, dir, "link", "mine") }, "link", "symbolic link", true},
		{"directory for file", func(t *testing.T, dir string) {
			os.Remove(filepath.Join(dir, "css/site.css"))
			vcstest.Write(t, dir, "css/site.css/x", "mine")
		}, "css/site.css", "in the way", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, dir, first, _ := hgSite(t)
			test.spoil(t, dir)
			wc := open(t, dir, vcs.Options{})
			target, local, err := decided(t, wc, first, vcs.Overwrite)
			var e *vcs.LocalChangesError
			if !errors.As(err, &e) || !slices.Equal(e.Files, []string{test.file}) {
				t.Errorf("Decide: %v", err)
			}
			mine := vcstest.Snapshot(t, dir)
			err = wc.Update(t.Context(), target, vcs.Update{Own: stampOwn, Edit: stampEdit("1"), Write: put(dir, 0), Local: local})
			if !errors.As(err, &e) || errors.Is(err, errStopped) {
				t.Errorf("Update: %v", err)
			}
			if d := cmp.Diff(mine, vcstest.Snapshot(t, dir)); d != "" {
				t.Error(d)
			}
			if _, _, err := decided(t, wc, first, vcs.Keep); (err == nil) != test.keep {
				t.Errorf("to keep it: %v", err)
			}
		})
	}
}
