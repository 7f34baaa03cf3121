// Package need tells a test whether the real programs it runs are installed.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program skips t unless every named program is on PATH. Under
// REVSTAMP_REQUIRE=all, as .ci/test sets it, a missing program fails the test
// instead: what is not installed there is not tested anywhere.
func Program(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, name)
		}
	}
}

// Root skips t unless it runs as root, under the same rule as Program.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "root")
	}
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("REVSTAMP_REQUIRE") == "all" {
		t.Fatalf("%s is required by REVSTAMP_REQUIRE=all and is not here", what)
	}
	t.Skipf("%s is not here", what)
}
