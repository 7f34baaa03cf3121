package atomicfile

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// action is a system call on files, by their paths.
type action struct {
	call  string
	paths []string // of the descriptor, or of the names in it; both of a rename
	line  string
}

var (
	descriptor = regexp.MustCompile(`\(\d+<([^>]*)>`)
	namesIn    = regexp.MustCompile(`(?:\d+<([^>]*)>, )?"((?:[^"\\]|\\.)*)"`)
)

// actions reads what calls did. strace writes "fsync(8</srv/site>" and
// "renameat2(8</srv/site>, "a", 8</srv/site>, "b", 0".
func actions(points []point) (all []action) {
	for _, p := range points {
		a := action{call: p.call, line: p.line}
		switch p.call {
		case "renameat", "renameat2", "linkat", "unlinkat", "mkdirat", "symlinkat":
			for _, m := range namesIn.FindAllStringSubmatch(p.line, -1) {
				if m[1] != "" {
					a.paths = append(a.paths, filepath.Join(m[1], m[2]))
				}
			}
			if p.call == "symlinkat" { // the target comes first, and in no directory
				a.paths = a.paths[len(a.paths)-1:]
			}
		default:
			if m := descriptor.FindStringSubmatch(p.line); m != nil {
				a.paths = []string{m[1]}
			}
		}
		if len(a.paths) > 0 {
			all = append(all, a)
		}
	}
	return all
}

var (
	writing  = []string{"pwrite64", "write", "fallocate", "ftruncate", "fchmod", "fchown", "fsetxattr", "fremovexattr"}
	renaming = []string{"renameat", "renameat2", "linkat", "unlinkat", "mkdirat", "symlinkat"}
)

// synced reports whether path is synced in some of the actions, itself or with
// its whole file system.
func synced(actions []action, path string) bool {
	return slices.ContainsFunc(actions, func(a action) bool {
		return a.call == "syncfs" || a.call == "fsync" && a.paths[0] == path
	})
}

// TestDurable holds the order of system calls to what survives a power cut: the
// bytes of a file are synced before it gets its name, the directory after, and
// a backup before all that.
func TestDurable(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			j := s.fresh(t, fastDir(t))
			found, _ := trace(t, j, s.rules...)
			all := slices.DeleteFunc(actions(found), func(a action) bool { return a.paths[0] == j.Journal })
			renames, overwrites := 0, 0
			for i, a := range all {
				if slices.Contains(writing, a.call) {
					until := slices.IndexFunc(all, func(b action) bool {
						return slices.Contains(renaming, b.call) && b.paths[0] == a.paths[0]
					})
					if until < i {
						until = len(all) // it has its name already
						overwrites++
					}
					if !synced(all[i:until], a.paths[0]) {
						t.Errorf("not synced before it got its name: %s", a.line)
					}
				}
				if !slices.Contains(renaming, a.call) {
					continue
				}
				for _, path := range a.paths {
					if a.call == "unlinkat" && j.inStore(path) {
						continue // a pruned backup that comes back does no harm
					}
					temporary := strings.HasSuffix(path, tempSuffix)
					if len(a.paths) == 1 && temporary && a.call != "unlinkat" {
						continue // a link under its first name
					}
					if !synced(all[i:], filepath.Dir(path)) {
						t.Errorf("the directory is not synced after it: %s", a.line)
					}
				}
				if strings.HasPrefix(a.call, "rename") {
					renames++
				}
			}
			if renames == 0 || overwrites > 0 != (len(s.mounted) > 0) {
				t.Errorf("%d renames and %d writes in place in %v", renames, overwrites, all)
			}
			j.wantBackupsFirst(t, all)
		})
	}
}

func (j job) inStore(path string) bool {
	return j.Backups != "" && strings.HasPrefix(path, j.Backups+"/")
}

// wantBackupsFirst fails if a file of the site was touched before every backup
// was durable.
func (j job) wantBackupsFirst(t *testing.T, all []action) {
	t.Helper()
	if j.Backups == "" {
		return
	}
	begin := slices.IndexFunc(all, func(a action) bool {
		return !j.inStore(a.paths[0]) && (slices.Contains(writing, a.call) || slices.Contains(renaming, a.call))
	})
	copies := 0
	for i, a := range all[:begin] {
		if !strings.HasPrefix(a.call, "rename") {
			continue
		}
		copies++
		if !synced(all[i:begin], filepath.Dir(a.paths[1])) {
			t.Errorf("the site was touched before the backup was durable: %s", a.line)
		}
	}
	if copies != len(j.Changes) {
		t.Errorf("%d backups before the site was touched, want %d: %v", copies, len(j.Changes), all)
	}
}
