package atomicfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The test binary runs itself again as a child that does one thing to files,
// so that it can be killed, disturbed by strace and stripped of its rights.

const childEnv = "REVSTAMP_ATOMICFILE_CHILD"

// job is what a child does.
type job struct {
	Dir        string   // absolute; the names of changes are relative to it
	Changes    []change // in one batch
	Backups    string
	BestEffort bool
	InPlace    bool
	UID        int // to run as; 0 stays
	Journal    string
	Count      *counting // instead of all that
}

// change is one member of a batch. Before and After are absent, a link
// ("-> target"), or a word of which the content consists.
type change struct {
	Name, Before, After string
}

const absent = ""

func content(name, word string) string {
	return strings.Repeat(word+" "+filepath.Base(name)+"\n", 600)
}

// want is what shows returns for a change that has been made, or not.
func (c change) want(after bool) string {
	what := c.Before
	if after {
		what = c.After
	}
	if what == absent || strings.HasPrefix(what, "-> ") {
		return what
	}
	return content(c.Name, what)
}

// shows is what is at a name: absent, a link, or content.
func shows(name string) string {
	if target, err := os.Readlink(name); err == nil {
		return "-> " + target
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return absent
	}
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return string(data)
}

func init() {
	if os.Getenv(childEnv) != "" {
		runtime.LockOSThread() // on the first thread: strace counts the calls of each
	}
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		os.Exit(runChild(text))
	}
	status := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(status)
}

var built string // a directory with a program, to be removed at the end

// program is what a child runs: this binary, without the race detector, which
// makes thousands of processes slow and finds nothing in one thread.
var program = sync.OnceValues(func() (string, error) {
	if !raceDetector {
		return os.Executable()
	}
	dir, err := os.MkdirTemp("", "revstamp-test-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "child")
	cmd := exec.Command("go", "test", "-c", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func runChild(text string) int {
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil && j.UID != 0 {
		err = errors.Join(syscall.Setgroups(nil), syscall.Setgid(j.UID), syscall.Setuid(j.UID))
	}
	if err == nil {
		err = j.run()
	}
	if err == nil {
		return 0
	}
	fmt.Println(err)
	for status, sentinel := range map[int]error{3: ErrOwner, 4: ErrBusy, 5: ErrChanged} {
		if errors.Is(err, sentinel) {
			return status
		}
	}
	return 1
}

func (j job) run() error {
	if j.Count != nil {
		return j.Count.run()
	}
	o := Options{InPlace: j.InPlace, Warn: func(msg string) { fmt.Println("warning:", msg) }}
	if j.BestEffort {
		o.Owner = OwnerBestEffort
	}
	if j.Journal != "" {
		journal, err := os.OpenFile(j.Journal, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		defer journal.Close()
		note := func(kind, path string) error {
			_, err := journal.WriteString(kind + path + "\n")
			return err
		}
		o.Record = func(temp string) error { return note("temp ", temp) }
		o.Gone = func(temp string) { _ = note("gone ", temp) } // as good as not having been called
		o.RecordInPlace = func(path string, b Backup) error { return note("in place ", b.Path) }
	}
	var b Batch
	defer b.Close()
	if j.Backups != "" {
		b.Backups = &Backups{Dir: j.Backups, Keep: 1}
	}
	for _, c := range j.Changes {
		if err := c.add(&b, j.Dir, o); err != nil {
			return err
		}
	}
	return b.Commit(context.Background())
}

func (c change) add(b *Batch, dir string, o Options) error {
	name := filepath.Join(dir, c.Name)
	if c.After == absent {
		b.Remove(name, o)
		return nil
	}
	if target, ok := strings.CutPrefix(c.After, "-> "); ok {
		b.Symlink(name, target, o)
		return nil
	}
	if c.Before == absent {
		o.Create, o.MkdirAll = true, true
	}
	f, err := Open(name, o)
	if err != nil {
		return err
	}
	b.Add(f, []byte(c.want(true)))
	return nil
}

// child returns a command that does j, under the words of before, if any.
func child(t testing.TB, j job, before ...string) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	words := append(before, path)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text), "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1", "GOGC=off")
	return cmd
}

// run returns the exit status, -1 for a killed process, and the output.
func run(t testing.TB, cmd *exec.Cmd) (int, string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// openTempDir is one that another user may reach into and write.
func openTempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "revstamp-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}
