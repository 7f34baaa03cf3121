package vcs_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"revstamp/vcs"
	"revstamp/vcs/vcstest"
)

func TestGitOverwrite(t *testing.T) {
	t.Parallel()
	for _, test := range foreign {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hosts(t, func(t *testing.T, o vcs.Options) {
				up, dir, first, second := gitSite(t)
				before := vcstest.Snapshot(t, dir)
				for _, to := range []struct {
					want, rev string
					files     vcstest.Files
				}{{first, "1", before}, {second, "2", released(t, up.Dir, "2")}} {
					for _, fresh := range []bool{false, true} {
						_, dir, _, _ := gitSite(t)
						test.spoil(t, dir)
						vcstest.Write(t, dir, "untracked", "mine\n")
						wc := open(t, dir, o)
						target, local, err := decided(t, wc, to.want, vcs.Overwrite)
						if err != nil {
							t.Fatal(err)
						}
						u := vcs.Update{Own: stampOwn, Edit: stampEdit(to.rev), Write: put(dir, never), Local: local, Fresh: fresh}
						if err := wc.Update(t.Context(), target, u); err != nil {
							t.Fatal(err)
						}
						wantBesides(t, dir, to.files)
						whole(t, dir, " M config.php\n?? untracked")
					}
				}
			})
		})
	}
}

func TestGitKeep(t *testing.T) {
	t.Parallel()
	for _, test := range foreign {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hosts(t, func(t *testing.T, o vcs.Options) {
				up, dir, _, second := gitSite(t)
				test.spoil(t, dir)
				keeps(t, open(t, dir, o), test, second, released(t, up.Dir, "2"), "")
			})
		})
	}
}

// TestGitUndecidable holds the changes that no update keeps, or writes over.
func TestGitUndecidable(t *testing.T) {
	t.Parallel()
	git := func(args ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { vcstest.Run(t, dir, vcstest.GitEnv(5), "git", args...) }
	}
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		file  string
		why   string
		keep  bool // can be kept
	}{
		{"staged", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "css/site.css", "mine\n")
			git("add", "css/site.css")(t, dir)
		}, "css/site.css", "staged", false},
		{"staged, new", func(t *testing.T, dir string) {
			vcstest.Write(t, dir, "mine", "mine\n")
			git("add", "mine")(t, dir)
		}, "mine", "staged", false},
		{"staged deletion", git("rm", "--quiet", "--cached", "css/site.css"), "css/site.css", "staged", false},
		{"file for link", func(t *testing.T, dir string) { vcstest.Write(t, dir, "link", "mine") }, "link", "symbolic link", true},
		{"link for file", func(t *testing.T, dir string) {
			os.Remove(filepath.Join(dir, "css/site.css"))
			os.Symlink("../index.html", filepath.Join(dir, "css/site.css"))
		}, "css/site.css", "symbolic link", true},
		{"directory for file", func(t *testing.T, dir string) {
			os.Remove(filepath.Join(dir, "css/site.css"))
			vcstest.Write(t, dir, "css/site.css/x", "mine")
		}, "css/site.css", "in the way", true},
		{"link for directory", func(t *testing.T, dir string) {
			os.Rename(filepath.Join(dir, "css"), filepath.Join(dir, "css2"))
			os.Symlink("css2", filepath.Join(dir, "css"))
		}, "css/site.css", "in the way", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hosts(t, func(t *testing.T, o vcs.Options) {
				_, dir, first, _ := gitSite(t)
				test.spoil(t, dir)
				wc := open(t, dir, o)
				target, local, err := decided(t, wc, first, vcs.Overwrite)
				u := vcs.Update{Own: stampOwn, Edit: stampEdit("1"), Local: local}
				wantRefused(t, wc, target, u, err, test.file, test.why)
				if _, _, err := decided(t, wc, first, vcs.Keep); (err == nil) != test.keep {
					t.Errorf("to keep it: %v", err)
				}
			})
		})
	}
}

// TestGitDecidedInVain has an answer to local changes, and there is more.
func TestGitDecidedInVain(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		_, dir, _, second := gitSite(t)
		vcstest.Write(t, dir, "css/site.css", "mine\n")
		vcstest.Write(t, dir, "css/new.css", "mine\n")
		_, _, err := decided(t, open(t, dir, o), second, vcs.Overwrite)
		var untracked *vcs.UntrackedError
		if !errors.As(err, &untracked) || !slices.Equal(untracked.Files, []string{"css/new.css"}) {
			t.Errorf("Decide: %v", err)
		}
	})
}

// TestGitDecidedForOthers refuses a change that came after the decision.
func TestGitDecidedForOthers(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		_, dir, _, second := gitSite(t)
		vcstest.Write(t, dir, "css/site.css", "mine\n")
		wc := open(t, dir, o)
		for _, l := range []vcs.Local{vcs.Keep, vcs.Overwrite} {
			target, local, err := decided(t, wc, second, l)
			if err != nil {
				t.Fatal(err)
			}
			vcstest.Write(t, dir, "-dash", "mine, too\n")
			u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Local: local, Fresh: true}
			wantRefused(t, wc, target, u, &vcs.LocalChangesError{Files: []string{"-dash"}, Diff: "-"}, "-dash", "")
			vcstest.Write(t, dir, "-dash", site["-dash"])
		}
	})
}

// TestGitOverwriteStops stops Write before each file, and resumes, or goes back.
func TestGitOverwriteStops(t *testing.T) {
	t.Parallel()
	hosts(t, func(t *testing.T, o vcs.Options) {
		for n := 0; ; n++ {
			up, dir, first, second := gitSite(t)
			before := vcstest.Snapshot(t, dir)
			vcstest.Write(t, dir, "css/site.css", "mine\n")
			vcstest.Write(t, dir, "index.html", "mine\n")
			mine := vcstest.Snapshot(t, dir)
			wc := open(t, dir, o)
			target, local, err := decided(t, wc, second, vcs.Overwrite)
			if err != nil {
				t.Fatal(err)
			}
			u := vcs.Update{Own: stampOwn, Edit: stampEdit("2"), Write: put(dir, n), Local: local}
			err = wc.Update(t.Context(), target, u)
			if err == nil {
				break
			}
			var interrupted *vcs.InterruptedError
			if errors.As(err, &interrupted) == (n == 0) {
				t.Errorf("stopped before file %d: %v", n, err)
			}
			if n == 0 {
				wantFiles(t, dir, mine)
				continue
			}
			u.Write, u.Resume = put(dir, never), true
			want := second
			if n%2 == 0 {
				want, u.Edit = first, stampEdit("1")
			}
			if err := wc.Update(t.Context(), resolve(t, wc, want), u); err != nil {
				t.Fatalf("stopped before file %d, resumed: %v", n, err)
			}
			files := released(t, up.Dir, "2")
			if n%2 == 0 {
				files = before
			}
			wantFiles(t, dir, files)
			whole(t, dir, " M config.php")
		}
	})
}

// TestGitKeepUnconverted keeps a change while attributes have the files around it
// converted otherwise: that update does not change the file.
func TestGitKeepUnconverted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, mine string }{{"changed", "mine\n"}, {"deleted", ""}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := vcstest.NewGit(t)
			up.Commit("one", vcstest.Files{"a.txt": "a\n", "b.txt": "b\n"})
			dir := up.Clone()
			up.Commit("two", vcstest.Files{".gitattributes": "*.txt text eol=crlf\n"})
			want := vcstest.Files{".gitattributes": "*.txt text eol=crlf\n", "b.txt": "b\r\n"}
			wantStatus := " D a.txt"
			if test.mine == "" {
				os.Remove(filepath.Join(dir, "a.txt"))
			} else {
				vcstest.Write(t, dir, "a.txt", test.mine)
				want["a.txt"], wantStatus = test.mine, " M a.txt"
			}
			wc := open(t, dir, vcs.Options{})
			target, local, err := decided(t, wc, "", vcs.Keep)
			if err != nil {
				t.Fatal(err)
			}
			if err := wc.Update(t.Context(), target, vcs.Update{Local: local, Write: put(dir, never)}); err != nil {
				t.Fatal(err)
			}
			wantFiles(t, dir, want)
			whole(t, dir, wantStatus)
		})
	}
}
