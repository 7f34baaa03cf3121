package vcs_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

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
					wantFiles(t, dir, mine)
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
				wantBesides(t, dir, to.files)
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
			keeps(t, open(t, dir, vcs.Options{}), test, second, released(t, up.Dir, "2"), "")
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
			u := vcs.Update{Own: stampOwn, Edit: stampEdit("1"), Local: local}
			wantRefused(t, wc, target, u, err, test.file, test.why)
			if _, _, err := decided(t, wc, first, vcs.Keep); (err == nil) != test.keep {
				t.Errorf("to keep it: %v", err)
			}
		})
	}
}
