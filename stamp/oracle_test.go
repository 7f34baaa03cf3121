package stamp

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/exec"
	"sync"
	"testing"

	"revstamp/testdata/need"
)

// ask gives sources to a program, in base64 and one a line, and reads its
// answers, a line of JSON for each, into what answer returns for its number. The
// work is shared by two processes.
func ask(t *testing.T, all []source, answer func(i int) any, name string, args ...string) {
	t.Helper()
	need.Program(t, name)
	var wait sync.WaitGroup
	for part := range 2 {
		wait.Go(func() {
			var in, stderr bytes.Buffer
			for i := part; i < len(all); i += 2 {
				fmt.Fprintln(&in, base64.StdEncoding.EncodeToString(all[i].text))
			}
			cmd := exec.Command(name, args...)
			cmd.Stdin, cmd.Stderr = &in, &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("%s: %v, %s", name, err, &stderr)
				return
			}
			answers := bufio.NewReader(bytes.NewReader(out))
			for i := part; i < len(all); i += 2 {
				line, err := answers.ReadBytes('\n')
				if err == nil {
					err = json.Unmarshal(line, answer(i))
				}
				if err != nil {
					t.Errorf("%s: %s: %v", name, all[i].name, err)
					return
				}
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// every takes each nth of the sources.
func every(n int, all []source) []source {
	var some []source
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}
