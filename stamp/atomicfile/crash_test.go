package atomicfile

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	"revstamp/testdata/need"
)

// calls are the system calls in which a child touches files.
const calls = "openat,read,write,newfstatat,fstat,fallocate,flistxattr,fgetxattr,fsetxattr,fremovexattr," +
	"fchown,fchmod,fsync,syncfs,close,renameat,renameat2,unlinkat,mkdirat,symlinkat,readlinkat,flock,getdents64,exit_group"

// point is the nth call of a name in the child's main thread.
type point struct {
	call string
	nth  int
	line string
}

var callPattern = regexp.MustCompile(`^(\d+) +([a-z0-9]+)\(`)

// points runs the job once and returns its calls from the first one that names
// dir on.
func points(t *testing.T, j job, dir string) []point {
	t.Helper()
	need.Program(t, "strace")
	trace := filepath.Join(t.TempDir(), "trace")
	status, out := run(t, child(t, j, "strace", "-f", "-qq", "-s", "300", "-e", "trace="+calls, "-e", "signal=none", "-o", trace))
	if status != 0 {
		t.Fatalf("child: status %d, %s", status, out)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var found []point
	count := map[string]int{}
	thread, begun := "", false
	for line := range strings.Lines(string(text)) {
		m := callPattern.FindStringSubmatch(line)
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
		begun = begun || strings.Contains(line, dir)
		if begun {
			found = append(found, point{m[2], count[m[2]], strings.TrimSpace(line)})
		}
	}
	if len(found) < 20 {
		t.Fatalf("only %d calls found in\n%s", len(found), text)
	}
	return found
}

// inject runs the job with one fault.
func inject(t testing.TB, j job, p point, fault string) (status int, out string) {
	t.Helper()
	rule := fmt.Sprintf("inject=%s:%s:when=%d", p.call, fault, p.nth)
	return run(t, child(t, j, "strace", "-f", "-qq", "-e", "trace="+p.call, "-e", "signal=none", "-e", rule, "-o", "/dev/null"))
}

// fresh makes the files of a job anew below dir.
func fresh(t testing.TB, dir string, files int, backups bool) job {
	t.Helper()
	j := job{Journal: filepath.Join(dir, "journal")}
	for i := range files {
		name := filepath.Join(dir, "site", fmt.Sprintf("f%d.php", i))
		j.Files = append(j.Files, write(t, name, oldContent(name), 0o640))
		// So that there is something to keep, where this user and disk allow it.
		unix.Setxattr(name, "user.origin", []byte("editor"), 0)
		os.Chown(name, 65534, 65534)
	}
	if backups {
		j.Backups = filepath.Join(dir, "backups")
		old := filepath.Join(j.Backups, j.Files[0], "20200101T000000.000000000Z-0640")
		write(t, old, "older", 0o640) // to be pruned
	}
	return j
}

// whole returns which files are new, and fails for one that is neither.
func whole(t testing.TB, j job, what string) (news int) {
	t.Helper()
	for _, name := range j.Files {
		data, err := os.ReadFile(name)
		switch {
		case err != nil:
			t.Errorf("%s: %v", what, err)
		case string(data) == newContent(name):
			news++
		case string(data) != oldContent(name):
			t.Errorf("%s: %s is neither old nor new: %d bytes, %.40q", what, name, len(data), data)
		}
	}
	return news
}

// fastDir is in memory where it can be: to a killed process it is the same, and
// hundreds of synced runs cost less.
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

func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	top := fastDir(t)
	model := fresh(t, filepath.Join(top, "model"), 2, true)
	found := points(t, model, filepath.Join(top, "model", "site"))
	var mu sync.Mutex
	seen := map[int]int{} // number of new files -> number of kills
	temps := 0
	parallel(len(found), func(i int) {
		p := found[i]
		dir := filepath.Join(top, fmt.Sprint(i))
		j := fresh(t, dir, 2, true)
		what := fmt.Sprintf("killed at %s #%d (%.120s)", p.call, p.nth, p.line)
		if status, out := inject(t, j, p, "signal=SIGKILL"); status == 0 {
			t.Errorf("%s: it lived: %s", what, out)
		}
		news := whole(t, j, what)
		left := leftovers(t, dir)
		journal, err := os.ReadFile(j.Journal)
		if err != nil && len(left) > 0 {
			t.Errorf("%s: no journal for %q", what, left)
		}
		if err := Sweep(strings.Fields(string(journal))); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		wantNoLeftovers(t, dir)
		whole(t, j, what+", swept")
		mu.Lock()
		defer mu.Unlock()
		seen[news]++
		temps += len(left)
	})
	t.Logf("%d kills: %d with both files old, %d between, %d new; %d temporaries swept", len(found), seen[0], seen[1], seen[2], temps)
	if seen[0] == 0 || seen[1] == 0 || seen[2] == 0 || temps == 0 {
		t.Error("the kills missed a stage of the work")
	}
}

func TestFailingCalls(t *testing.T) {
	t.Parallel()
	top := fastDir(t)
	model := fresh(t, filepath.Join(top, "model"), 1, false)
	writes := map[string]bool{
		"openat": true, "write": true, "fallocate": true, "fsetxattr": true, "fchown": true, "fchmod": true,
		"fsync": true, "close": true, "renameat2": true, "unlinkat": true, "flock": true,
	}
	var trials []point
	var faults []string
	for _, p := range points(t, model, filepath.Join(top, "model", "site")) {
		if !writes[p.call] {
			continue
		}
		for _, errno := range []string{"ENOSPC", "EIO", "EDQUOT", "EPERM", "EROFS", "EXDEV"} {
			trials, faults = append(trials, p), append(faults, errno)
		}
	}
	parallel(len(trials), func(i int) {
		p := trials[i]
		dir := filepath.Join(top, fmt.Sprint(i))
		j := fresh(t, dir, 1, false)
		what := fmt.Sprintf("%s at %s #%d (%.120s)", faults[i], p.call, p.nth, p.line)
		status, out := inject(t, j, p, "error="+faults[i])
		news := whole(t, j, what)
		if (status == 0) != (news == 1) {
			t.Errorf("%s: status %d, but %d new: %s", what, status, news, out)
		}
		if p.call == "unlinkat" {
			if !strings.Contains(out, "left behind") {
				t.Errorf("%s: no warning of the file left behind: %s", what, out)
			}
			return
		}
		if left := leftovers(t, dir); len(left) > 0 {
			t.Errorf("%s: left behind: %q", what, left)
		}
	})
	t.Logf("%d failing calls", len(trials))
}

// Some file systems cannot exchange two names, nor rename without replacing.
func TestWithoutExchange(t *testing.T) {
	t.Parallel()
	need.Program(t, "strace")
	strace := func(j job, rules ...string) (int, string) {
		words := []string{"strace", "-f", "-qq", "-e", "trace=renameat,renameat2", "-e", "inject=renameat2:error=EINVAL", "-o", "/dev/null"}
		return run(t, child(t, j, append(words, rules...)...))
	}
	dir := t.TempDir()
	j := fresh(t, filepath.Join(dir, "works"), 2, true)
	if status, out := strace(j); status != 0 || whole(t, j, "works") != 2 {
		t.Errorf("status %d, %s, want two new files", status, out)
	}
	j = fresh(t, filepath.Join(dir, "fails"), 3, false)
	if status, out := strace(j, "-e", "inject=renameat:error=EIO:when=3"); status != 1 || whole(t, j, "fails") != 0 {
		t.Errorf("status %d, %s, want three old files", status, out)
	}
	wantNoLeftovers(t, dir)
}
