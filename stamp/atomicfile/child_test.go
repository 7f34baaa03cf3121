package atomicfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The test binary runs itself again as a child that does one thing to files,
// so that it can be killed, disturbed by strace and stripped of its rights.

const childEnv = "REVSTAMP_ATOMICFILE_CHILD"

// job is what a child does.
type job struct {
	Files      []string // all replaced by "new" and their own base name, in one batch
	Backups    string
	BestEffort bool
	InPlace    bool
	UID        int // to run as; 0 stays
	Journal    string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		runtime.LockOSThread() // strace counts the calls of each thread
		if err := runChild(text); err != nil {
			fmt.Println(err)
			for status, sentinel := range map[int]error{3: ErrOwner, 4: ErrBusy, 5: ErrChanged} {
				if errors.Is(err, sentinel) {
					os.Exit(status)
				}
			}
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	if j.UID != 0 {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(j.UID), syscall.Setuid(j.UID)); err != nil {
			return err
		}
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
		o.Record = func(temp string) error {
			_, err := journal.WriteString(temp + "\n")
			return err
		}
	}
	var b Batch
	if j.Backups != "" {
		b.Backups = &Backups{Dir: j.Backups, Keep: 1}
	}
	for _, name := range j.Files {
		f, err := Open(name, o)
		if err != nil {
			return err
		}
		b.Add(f, []byte(newContent(name)))
	}
	return b.Commit(context.Background())
}

func newContent(name string) string { return strings.Repeat("new "+filepath.Base(name)+"\n", 700) }
func oldContent(name string) string { return strings.Repeat("old "+filepath.Base(name)+"\n", 900) }

// child returns a command that does j, under the words of before, if any.
func child(t testing.TB, j job, before ...string) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	words := append(before, self)
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
		t.Fatal(err)
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
