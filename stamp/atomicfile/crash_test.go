package atomicfile

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"revstamp/testdata/need"
)

// touching are the system calls by which a child touches files. Others, but
// for the inert ones, fail TestCallsAreKnown.
var touching = []string{
	"openat", "openat2", "read", "write", "pwrite64", "close", "statx", "newfstatat", "fstat", "readlinkat",
	"fallocate", "ftruncate", "flistxattr", "fgetxattr", "fsetxattr", "fremovexattr", "fchown", "fchmod",
	"fsync", "syncfs", "renameat", "renameat2", "linkat", "unlinkat", "mkdirat", "symlinkat", "getdents64", "flock",
	"exit_group",
}

// inert are the calls of Go's runtime, which touch no file.
var inert = []string{
	"futex", "mmap", "munmap", "madvise", "mprotect", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
	"nanosleep", "getrandom", "sched_yield", "tgkill", "getpid", "gettid", "clone", "clone3", "prlimit64", "geteuid",
	"getegid", "uname", "clock_gettime", "restart_syscall",
	"fcntl", "eventfd2", "epoll_create1", "epoll_ctl", "epoll_pwait", // the journal of the child is an os.File
}

// scenario is a kind of job, all of whose system calls are disturbed.
type scenario struct {
	name    string
	changes []change
	backups bool
	mounted []string // files that are mount points of their own
	rules   []string // for strace, always in force
	stride  int      // of points, where others scenarios have the like; 0 is 1
	errnos  []string // that calls fail with in -short; nil is allErrnos, as without it
}

var allErrnos = []string{"ENOSPC", "EIO", "EINTR", "EBUSY", "EXDEV", "EROFS", "EPERM"}

func replaces(names ...string) (all []change) {
	for _, name := range names {
		all = append(all, change{name, "earlier", "new"})
	}
	return all
}

var (
	files = append(replaces("a.css", "sub/b.css"),
		change{"gone.css", "earlier", absent},
		change{"made/deep/c.css", absent, "new"},
	)
	links = []change{
		{"current", "-> r1", "-> r2"},
		{"was-file", "earlier", "-> a.css"},
		{"fresh", absent, "-> r2"},
		{"gone-link", "-> a.css", absent},
	}
	many = func() (all []change) {
		for i := range manyFiles + 1 {
			all = append(all, replaces(fmt.Sprintf("d%d/f%d", i%3, i))...)
		}
		return all
	}()
)

var scenarios = []scenario{
	{name: "one file", changes: replaces("f.php")},
	{name: "backups", changes: replaces("f.php"), backups: true, errnos: []string{"ENOSPC", "EIO", "EINTR", "EPERM"}},
	{name: "files", changes: files, errnos: []string{"ENOSPC", "EINTR"}},
	{name: "links", changes: links, errnos: []string{"EIO", "EINTR", "EPERM"}},
	{name: "in place", changes: replaces("f.php", "mounted.php"), backups: true, mounted: []string{"mounted.php"}, errnos: []string{"EROFS"}},
	{name: "no exchange", changes: slices.Concat(files, links), rules: []string{"inject=renameat2:error=EINVAL"}, stride: 4, errnos: []string{"EIO", "EBUSY"}},
	{name: "many", changes: many, backups: true, stride: 29, errnos: []string{"EIO"}},
}

// fresh makes the files of a job anew below dir.
func (s scenario) fresh(t testing.TB, dir string) job {
	t.Helper()
	j := job{Dir: filepath.Join(dir, "site"), Changes: s.changes, Journal: filepath.Join(dir, "journal"), InPlace: len(s.mounted) > 0}
	if err := os.MkdirAll(j.Dir, 0o755); err != nil {
		t.Error(err)
	}
	for _, c := range s.changes {
		name := filepath.Join(j.Dir, c.Name)
		target, link := strings.CutPrefix(c.Before, "-> ")
		switch {
		case c.Before == absent:
		case link:
			if err := os.Symlink(target, name); err != nil {
				t.Error(err)
			}
		default:
			write(t, name, c.want(false), 0o640)
			// So that there is something to keep, where this user and disk allow it.
			unix.Setxattr(name, "user.origin", []byte("editor"), 0)
			os.Chown(name, 65534, 65534)
		}
	}
	for _, name := range s.mounted {
		mountOver(t, filepath.Join(j.Dir, name))
	}
	if s.backups {
		j.Backups = filepath.Join(dir, "backups")
		if err := os.Mkdir(j.Backups, 0o700); err != nil {
			t.Error(err)
		}
		for _, c := range s.changes { // to be pruned
			write(t, filepath.Join(j.Backups, j.Dir, c.Name, "20200101T000000.000000000Z-0640"), "older", 0o640)
		}
	}
	return j
}

// whole returns how many of the changes are made, and fails for one that is
// neither made nor unmade, and for a file that has lost its owner, mode or
// attributes.
func (j job) whole(t testing.TB, what string) (made int) {
	t.Helper()
	for _, c := range j.Changes {
		name := filepath.Join(j.Dir, c.Name)
		switch got := shows(name); got {
		case c.want(true):
			made++
		case c.want(false):
		default:
			t.Errorf("%s: %s is neither old nor new: %d bytes, %.40q", what, name, len(got), got)
		}
		var st unix.Stat_t
		if c.Before != "earlier" || unix.Lstat(name, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		buf := make([]byte, 16)
		n, _ := unix.Lgetxattr(name, "user.origin", buf)
		if got := fmt.Sprintf("%04o %d %s", st.Mode&0o7777, st.Uid, buf[:max(n, 0)]); os.Geteuid() == 0 && got != "0640 65534 editor" {
			t.Errorf("%s: %s is now %q", what, name, got)
		}
	}
	return made
}

// journaled returns the temporary files, those of them that are gone, and the backups
// of files that were written in place, which the journal names.
func (j job) journaled(t testing.TB) (temps, gone, inPlace []string) {
	t.Helper()
	text, err := os.ReadFile(j.Journal)
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if temp, ok := strings.CutPrefix(line, "temp "); ok {
			temps = append(temps, temp)
		} else if temp, ok := strings.CutPrefix(line, "gone "); ok {
			gone = append(gone, temp)
		} else if path, ok := strings.CutPrefix(line, "in place "); ok {
			inPlace = append(inPlace, path)
		}
	}
	return temps, gone, inPlace
}

// sweep does what the next run does first.
func (j job) sweep(t testing.TB, what string) {
	t.Helper()
	temps, gone, _ := j.journaled(t)
	left := slices.DeleteFunc(slices.Clone(temps), func(temp string) bool { return slices.Contains(gone, temp) })
	for _, those := range [][]string{left, temps} {
		if err := Sweep(those); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		wantNoLeftovers(t, filepath.Dir(j.Dir))
	}
}

// mend puts back what the journal says was being written in place.
func (j job) mend(t testing.TB, what string) {
	t.Helper()
	_, _, inPlace := j.journaled(t)
	for _, path := range inPlace {
		name := strings.TrimPrefix(filepath.Dir(path), j.Backups)
		backup, err := (&Backups{Dir: j.Backups}).Find(name, filepath.Base(path))
		if err != nil {
			t.Errorf("%s: the recorded backup: %v", what, err)
			continue
		}
		if data, err := backup.Read(); err != nil || string(data) != content(name, "earlier") {
			t.Errorf("%s: the recorded backup holds %.40q, %v", what, data, err)
		}
		if shows(name) == content(name, "new") {
			continue // it was finished
		}
		store := Backups{Dir: j.Backups, Keep: 1} // must not prune what it restores
		if _, err := store.Restore(t.Context(), backup, Options{InPlace: true}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// point is the nth call of a name in the child's first thread.
type point struct {
	call  string
	nth   int
	line  string
	count map[string]int // calls of each name up to this one, which is counted
}

var callPattern = regexp.MustCompile(`^(\d+) +([a-z0-9_]+)\(`)

// trace runs the job and returns what its first thread did to files, and what
// else it did.
func trace(t testing.TB, j job, rules ...string) (found []point, others map[string]int) {
	t.Helper()
	need.Program(t, "strace")
	out := filepath.Join(t.TempDir(), "trace")
	words := []string{"strace", "-f", "-y", "-qq", "-s", "300", "-e", "trace=all", "-e", "signal=none", "-o", out}
	for _, rule := range rules {
		words = append(words, "-e", rule)
	}
	if status, text := run(t, child(t, j, words...)); status != 0 {
		t.Fatalf("child: status %d, %s", status, text)
	}
	file, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	count, thread, begun := map[string]int{}, "", false
	others = map[string]int{}
	lines := bufio.NewScanner(file)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		m := callPattern.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		if thread == "" {
			thread = m[1]
		}
		if m[1] != thread {
			continue
		}
		count[m[2]]++
		begun = begun || strings.Contains(lines.Text(), filepath.Dir(j.Dir)) && m[2] != "execve"
		switch {
		case !begun:
		case slices.Contains(touching, m[2]):
			found = append(found, point{m[2], count[m[2]], lines.Text(), maps.Clone(count)})
		default:
			others[m[2]]++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(found) < 15 || found[len(found)-1].call != "exit_group" {
		t.Fatalf("only %d calls found: %v", len(found), found)
	}
	return found, others
}

// inject runs the job with one fault, besides the rules.
func inject(ctx context.Context, t testing.TB, j job, p point, fault string, rules ...string) (status int, out string) {
	t.Helper()
	words := []string{"strace", "-f", "-qq", "-e", "signal=none", "-o", "/dev/null"}
	if !strings.HasPrefix(fault, "signal=") { // with which strace 6.1 sends none
		words = append(words, "--seccomp-bpf") // twice as fast
	}
	calls := []string{p.call}
	for _, rule := range append(rules, fmt.Sprintf("inject=%s:%s", p.call, fault)) {
		words = append(words, "-e", rule)
		calls = append(calls, strings.Split(strings.TrimPrefix(rule, "inject="), ":")[0])
	}
	words = append(words, "-e", "trace="+strings.Join(calls, ","))
	cmd := child(t, j, words...)
	stop := context.AfterFunc(ctx, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return run(t, cmd)
}

// fastDir is in memory where it can be: to a killed process it is the same, and
// thousands of synced runs cost less.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "revstamp-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// parallel calls do for each index, a few at a time.
func parallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range 3 {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// each calls do for each point of s, or as many as its stride leaves, with the
// files made anew.
func (s scenario) each(t *testing.T, points []point, do func(i int, j job, what string)) {
	t.Helper()
	top := fastDir(t)
	parallel(len(points), func(i int) {
		p := points[i]
		dir := filepath.Join(top, fmt.Sprint(i))
		what := fmt.Sprintf("%s #%d (%.150s)", p.call, p.nth, p.line)
		do(i, s.fresh(t, dir), what)
		for _, name := range s.mounted {
			unix.Unmount(filepath.Join(dir, "site", name), unix.MNT_DETACH)
		}
		os.RemoveAll(dir)
	})
}

// points are those calls of s that are to be disturbed.
func (s scenario) points(t *testing.T) (some []point) {
	t.Helper()
	found, _ := trace(t, s.fresh(t, fastDir(t)), s.rules...)
	for i, p := range found {
		disturbed := slices.ContainsFunc(s.rules, func(rule string) bool { return strings.HasPrefix(rule, "inject="+p.call+":") })
		if i%max(s.stride, 1) == 0 && !disturbed {
			some = append(some, p)
		}
	}
	return some
}

func TestCallsAreKnown(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			_, others := trace(t, s.fresh(t, fastDir(t)), s.rules...)
			for call, n := range others {
				if !slices.Contains(inert, call) {
					t.Errorf("%d calls of %s, which no test disturbs", n, call)
				}
			}
		})
	}
}

// TestKilled kills a child before every system call, which is after every other:
// each file is wholly old or wholly new, in the order of the batch; what is left
// behind is in the journal; and the next run finishes the work.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			seen := map[int]int{} // number of changes made -> number of kills
			temps, torn := 0, 0
			points := s.points(t)
			s.each(t, points, func(i int, j job, what string) {
				p := points[i]
				what = "killed at " + what
				if status, out := inject(t.Context(), t, j, p, fmt.Sprint("signal=SIGKILL:when=", p.nth), s.rules...); status >= 0 {
					t.Errorf("%s: it lived: %s", what, out)
				}
				left := len(leftovers(t, filepath.Dir(j.Dir)))
				j.sweep(t, what)
				hurt := j.tornInPlace(t, s)
				j.mend(t, what)
				made := j.whole(t, what)
				if err := j.run(); err != nil {
					t.Errorf("%s: the next run: %v", what, err)
				}
				if got := j.whole(t, what+", run again"); got != len(j.Changes) {
					t.Errorf("%s: the next run made %d of %d changes", what, got, len(j.Changes))
				}
				wantNoLeftovers(t, filepath.Dir(j.Dir))
				mu.Lock()
				defer mu.Unlock()
				seen[made]++
				temps += left
				torn += hurt
			})
			between := 0
			for made, n := range seen {
				if made > 0 && made < len(s.changes) {
					between += n
				}
			}
			t.Logf("%d kills: %d all old, %d between, %d all new; %d temporaries swept; %d torn in place and mended",
				len(points), seen[0], between, seen[len(s.changes)], temps, torn)
			if seen[0] == 0 || seen[len(s.changes)] == 0 || len(s.changes) > 1 && between == 0 || temps == 0 || (torn > 0) != (len(s.mounted) > 0) {
				t.Error("the kills missed a stage of the work")
			}
		})
	}
}

// tornInPlace counts the mounted files that are neither old nor new.
func (j job) tornInPlace(t testing.TB, s scenario) (torn int) {
	_, _, recorded := j.journaled(t)
	for _, name := range s.mounted {
		got := shows(filepath.Join(j.Dir, name))
		if got != content(name, "earlier") && got != content(name, "new") {
			torn++
			if len(recorded) == 0 {
				t.Errorf("%s is torn, and the journal does not say so", name)
			}
		}
	}
	return torn
}

// TestFailing lets every system call fail in turn, in every way: success and
// all new, or an error and all old.
func TestFailing(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var trials []point
			var faults []string
			errnos := s.errnos
			if errnos == nil || !testing.Short() {
				errnos = allErrnos
			}
			for _, p := range s.points(t) {
				if p.call == "exit_group" {
					continue
				}
				for _, errno := range errnos {
					trials, faults = append(trials, p), append(faults, errno)
				}
			}
			var mu sync.Mutex
			statuses := map[int]int{}
			s.each(t, trials, func(i int, j job, what string) {
				p, fault := trials[i], faults[i]
				what = fault + " at " + what
				status, out := inject(t.Context(), t, j, p, fmt.Sprintf("error=%s:when=%d", fault, p.nth), s.rules...)
				made := j.whole(t, what)
				if want := map[bool]int{true: len(j.Changes)}[status == 0]; made != want {
					t.Errorf("%s: status %d, but %d of %d changes are made: %s", what, status, made, len(j.Changes), out)
				}
				if left := leftovers(t, filepath.Dir(j.Dir)); len(left) > 0 {
					t.Errorf("%s: left behind: %q", what, left)
				}
				if status != 0 {
					if got := shows(filepath.Join(j.Dir, "made")); got != absent {
						t.Errorf("%s: a directory was left behind", what)
					}
				}
				j.wantBackups(t, what, status == 0, strings.Contains(out, "old backup not removed"))
				j.sweep(t, what)
				mu.Lock()
				defer mu.Unlock()
				statuses[status]++
			})
			t.Logf("%d failing calls: %v by exit status", len(trials), statuses)
			if statuses[0] == 0 || len(statuses) == 1 {
				t.Error("the failures missed a stage of the work")
			}
		})
	}
}

// wantBackups checks that there is one backup of each file, which is what it
// held before, if the batch succeeded, and the older one if not. A warning may
// have said that the older one is there as well.
func (j job) wantBackups(t testing.TB, what string, success, warned bool) {
	t.Helper()
	if j.Backups == "" {
		return
	}
	store := Backups{Dir: j.Backups}
	for _, c := range j.Changes {
		want := "older"
		if success {
			want = c.want(false)
		}
		list, err := store.List(filepath.Join(j.Dir, c.Name))
		if n := len(list); err != nil || n != 1 && !(n == 2 && warned) {
			t.Errorf("%s: %d backups of %s, %v, want 1", what, n, c.Name, err)
			continue
		}
		if data, err := list[len(list)-1].Read(); err != nil || string(data) != want {
			t.Errorf("%s: the backup of %s holds %.30q, %v, want %.30q", what, c.Name, data, err, want)
		}
	}
}

// TestInterruptedForEver lets a call fail with EINTR from its first time on. It
// is made so often and no oftener.
func TestInterruptedForEver(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios[:slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == "no exchange" })] {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			// The journal of the child, and links, are read and written by Go's own
			// library, which asks for ever.
			tried := map[string]bool{"write": true, "newfstatat": true, "readlinkat": true, "exit_group": true}
			var first []point
			for _, p := range s.points(t) {
				if !tried[p.call] && !strings.Contains(p.line, "/journal") {
					tried[p.call] = true
					first = append(first, p)
				}
			}
			s.each(t, first, func(i int, j job, what string) {
				p := first[i]
				what = "EINTR for ever at " + what
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				status, out := inject(ctx, t, j, p, fmt.Sprintf("error=EINTR:when=%d+", p.nth))
				if ctx.Err() != nil {
					t.Errorf("%s: it did not end", what)
				}
				if made := j.whole(t, what); made != map[bool]int{true: len(j.Changes)}[status == 0] {
					t.Errorf("%s: status %d, but %d of %d changes are made: %s", what, status, made, len(j.Changes), out)
				}
				if p.call != "unlinkat" { // of which the leftovers are the matter
					wantNoLeftovers(t, filepath.Dir(j.Dir))
				}
				j.sweep(t, what)
			})
			t.Logf("%d calls", len(first))
		})
	}
}

// modifying are the calls that fail on a disk that has become read-only, as
// ext4 makes it after an error.
var modifying = []string{
	"openat", "pwrite64", "fallocate", "ftruncate", "fsetxattr", "fremovexattr", "fchown", "fchmod", "fsync", "syncfs",
	"renameat", "renameat2", "linkat", "unlinkat", "mkdirat", "symlinkat",
}

// TestDyingDisk lets everything fail from one call on, so that nothing can be
// put back either: no file is torn, and what could not be put back is where
// the error says.
func TestDyingDisk(t *testing.T) {
	t.Parallel()
	place := regexp.MustCompile(`put back "([^"]*)": .*; its earlier content is in "([^"]*)"`)
	for _, s := range []scenario{{name: "files", changes: files}, {name: "links", changes: links}} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			points := slices.DeleteFunc(s.points(t), func(p point) bool { return !slices.Contains(modifying, p.call) })
			var mu sync.Mutex
			named := 0
			s.each(t, points, func(i int, j job, what string) {
				p := points[i]
				what = "everything fails from " + what
				var rules []string
				for _, call := range modifying {
					if call != p.call {
						rules = append(rules, fmt.Sprintf("inject=%s:error=EROFS:when=%d+", call, p.count[call]+1))
					}
				}
				status, out := inject(t.Context(), t, j, p, fmt.Sprintf("error=EROFS:when=%d+", p.nth), rules...)
				kept := map[string]string{}
				for _, m := range place.FindAllStringSubmatch(out, -1) {
					kept[m[1]] = m[2]
				}
				for _, c := range j.Changes {
					name := filepath.Join(j.Dir, c.Name)
					switch got := shows(name); {
					case got == c.want(false) && status != 0, got == c.want(true) && status == 0:
					case got != c.want(true) && got != absent:
						t.Errorf("%s: %s is neither old nor new: %.40q", what, name, got)
					case shows(kept[name]) == c.want(false):
						mu.Lock()
						named++
						mu.Unlock()
					case c.Before == absent || strings.Contains(out, "the change stays"):
					default:
						t.Errorf("%s: %s has changed, and its earlier content is not where it is said: %s", what, name, out)
					}
				}
				j.sweep(t, what)
			})
			t.Logf("%d disks died, with %d files that could not be put back", len(points), named)
			if named == 0 {
				t.Error("everything could be put back on a dead disk")
			}
		})
	}
}
