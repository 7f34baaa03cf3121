package jobserver

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/gearman/gearmantest"
	"revstamp/testdata/need"
)

// A program is a client of another language, told where the server is.
type program struct {
	t          testing.TB
	host, port string
}

func programs(t testing.TB, addr string) program {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return program{t, host, port}
}

func (p program) command(stdin, name string, args ...string) *exec.Cmd {
	for i := range args {
		args[i] = strings.NewReplacer("HOST", p.host, "PORT", p.port).Replace(args[i])
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	p.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdin = strings.NewReader(stdin)
	return cmd
}

// run runs a program to its end and returns what it printed.
func (p program) run(stdin, name string, args ...string) string {
	p.t.Helper()
	out, err := p.command(stdin, name, args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// worker starts a program that ends by itself, and waits for it when the test
// is over.
func (p program) worker(name string, args ...string) {
	p.t.Helper()
	var out bytes.Buffer
	cmd := p.command("", name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if p.t.Failed() {
			cmd.Process.Kill()
		}
		if err := cmd.Wait(); err != nil && !p.t.Failed() {
			p.t.Errorf("%s: %v\n%s", name, err, out.Bytes())
		}
	})
}

// until waits until a line of the answer to an admin command is as wanted.
func until(t testing.TB, addr, command, want string) {
	t.Helper()
	a := dial(t, addr)
	(&conversation{t: t, addr: addr, line: command, peers: map[string]*peer{"a": a}}).poll(a, command+": "+want)
}

// eachServer runs a test with this server and with gearmand: what it wants is
// what both do.
func eachServer(t *testing.T, test func(t *testing.T, addr string)) {
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		test(t, start(t, new(Server)))
	})
	t.Run("gearmand", func(t *testing.T) {
		t.Parallel()
		test(t, gearmantest.Start(t).Addr)
	})
}

func TestGearmanCommand(t *testing.T) {
	need.Program(t, "gearman")
	eachServer(t, testGearmanCommand)
}

func testGearmanCommand(t *testing.T, addr string) {
	p := programs(t, addr)
	out := filepath.Join(t.TempDir(), "out")
	p.worker("gearman", "-h", "HOST", "-p", "PORT", "-w", "-c", "5", "-f", "upper", "--", "tr", "a-z", "A-Z")
	p.worker("gearman", "-h", "HOST", "-p", "PORT", "-w", "-c", "1", "-f", "store", "--", "tee", out)
	// The command takes the end of a child that failed for an error of its own.
	p.worker("sh", "-c", "gearman -h HOST -p PORT -w -c 1 -f broken -- false || true")

	tests := []struct {
		name  string
		args  []string
		stdin string
		want  string
	}{
		{"foreground", nil, "hello", "HELLO"},
		{"high", []string{"-I"}, "high", "HIGH"},
		{"low", []string{"-L"}, "low", "LOW"},
		{"unique", []string{"-u", "one"}, "unique", "UNIQUE"},
		{"large", nil, strings.Repeat("large ", 5000), strings.Repeat("LARGE ", 5000)}, // what a pipe holds: the command deadlocks on more
	}
	for _, tt := range tests {
		args := append([]string{"-h", "HOST", "-p", "PORT", "-f", "upper"}, tt.args...)
		if got := p.run(tt.stdin, "gearman", args...); got != tt.want {
			t.Errorf("%s: got %.80q, want %.80q", tt.name, got, tt.want)
		}
	}

	p.run("for later", "gearman", "-h", "HOST", "-p", "PORT", "-b", "-f", "store")
	until(t, addr, "status", "store 0 0 0")
	if got, err := os.ReadFile(out); err != nil || string(got) != "for later" {
		t.Errorf("background job wrote %q, %v, want %q", got, err, "for later")
	}

	got, err := p.command("", "gearman", "-h", "HOST", "-p", "PORT", "-f", "broken").CombinedOutput()
	if want := "Job failed"; err == nil || !strings.Contains(string(got), want) {
		t.Errorf("failing job: %v, %q, want %q", err, got, want)
	}
}

const phpWorker = `
$w = new GearmanWorker();
$w->addServer("HOST", (int)"PORT");
$w->addFunction("upper", function ($job) {
    $job->sendStatus(1, 4);
    $job->sendData("half");
    $job->sendWarning("careful");
    return strtoupper($job->workload());
});
$w->addFunction("fails", function ($job) { $job->sendFail(); });
$w->addFunction("throws", function ($job) { $job->sendException("boom"); });
$w->addFunction("who", function ($job) { return $job->unique() . " " . $job->functionName(); });
$w->addFunction("holds", function ($job) {
    $job->sendStatus(3, 10);
    while (!file_exists($job->workload())) { clearstatcache(); usleep(1000); }
});
$over = false;
$w->addFunction("quit", function ($job) use (&$over) { $over = true; return "bye"; });
while (!$over && $w->work());
`

const phpClient = `
function show(...$what) { echo implode(" ", array_map("json_encode", $what)), "\n"; }
$c = new GearmanClient();
$c->addServer("HOST", (int)"PORT");
show("ping", $c->ping("hello"));
show("normal", $c->doNormal("upper", "one"));
show("unique", $c->doHigh("who", "x", "my key"));
$c->doLow("fails", "x");
show("fails", $c->returnCode() == GEARMAN_WORK_FAIL);

$t = new GearmanClient();
$t->addServer("HOST", (int)"PORT");
$t->setCompleteCallback(function ($task) { show("complete", $task->functionName(), $task->data()); });
$t->setDataCallback(function ($task) { show("data", $task->data()); });
$t->setWarningCallback(function ($task) { show("warning", $task->data()); });
$t->setStatusCallback(function ($task) { show("status", $task->taskNumerator(), $task->taskDenominator()); });
$t->setFailCallback(function ($task) { show("fail", $task->functionName()); });
$t->setExceptionCallback(function ($task) { show("exception", $task->data()); });
$t->addTask("upper", "task"); $t->runTasks();
$t->addTask("fails", "x"); $t->runTasks();
$t->addTask("throws", "x"); $t->runTasks();
$t->addTask("who", "x", null, "same"); $t->addTask("who", "x", null, "same"); $t->runTasks();

$gate = "GATE";
$h = $c->doBackground("holds", $gate, "the key");
do { $s = $c->jobStatus($h); } while (!$s[1] || !$s[3]);
show("background", $s);
$u = new GearmanClient(); // asked by unique, a client hangs on its next job
$u->addServer("HOST", (int)"PORT");
show("by unique", $u->jobStatusByUniqueKey("the key"));
show("same", $h === $c->doBackground("holds", $gate, "the key"));
touch($gate);
do { $s = $c->jobStatus($h); } while ($s[0]);
show("over", $s);
show("quit", $c->doNormal("quit", "x"));
`

func TestPHP(t *testing.T) {
	need.Program(t, "php")
	if out, err := exec.Command("php", "-r", `exit(extension_loaded("gearman") ? 0 : 1);`).CombinedOutput(); err != nil {
		need.Program(t, "php with the gearman extension")
		t.Fatalf("%v %s", err, out)
	}
	eachServer(t, testPHP)
}

func testPHP(t *testing.T, addr string) {
	p := programs(t, addr)
	gate := filepath.Join(t.TempDir(), "gate")
	p.worker("php", "-d", "display_errors=stderr", "-r", phpWorker)
	got := p.run("", "php", "-d", "display_errors=stderr", "-r", strings.ReplaceAll(phpClient, "GATE", gate))
	const want = `"ping" true
"normal" "halfONE"
"unique" "my key who"
"fails" true
"status" 1 4
"data" "half"
"warning" "careful"
"complete" "upper" "TASK"
"fail" "fails"
"exception" "boom"
"complete" "who" "same who"
"complete" "who" "same who"
"background" [true,true,3,10]
"by unique" [true,true,3,10]
"same" true
"over" [false,false,0,0]
"quit" "bye"
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("php printed (-want +got):\n%s", diff)
	}
}
