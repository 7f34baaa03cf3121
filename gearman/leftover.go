package gearman

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// uniqueVariable tells a Command's processes of which job they are.
const uniqueVariable = "REVSTAMP_JOB_UNIQUE"

// EndLeftovers kills what is left on this machine of jobs that a [Command] did for a
// worker that was killed, and returns when nothing of it runs any more; n is how many
// processes there were. The kernel has ended the program itself, but not what that had
// started: done again beside it, the job would be done twice at the same time.
//
// The jobs are known by their unique keys, which must be no other jobs' and no running
// worker's. Their processes are known by the environment that they were started with:
// one of another user, or with an environment of its own, as sudo gives it, is not
// found. When ctx is done first, the error names a process that has not ended.
func EndLeftovers(ctx context.Context, uniques ...string) (n int, err error) {
	marks := make(map[string]bool, len(uniques))
	for _, unique := range uniques {
		marks[uniqueVariable+"="+unique] = true
	}
	killed := make(map[int]bool)
	for {
		left, err := kill(marks)
		if err != nil || len(left) == 0 {
			return len(killed), err
		}
		for _, pid := range left {
			killed[pid] = true
		}
		select {
		case <-ctx.Done():
			return len(killed), fmt.Errorf("process %d, left of a job, does not end: %w", left[0], context.Cause(ctx))
		case <-time.After(10 * time.Millisecond): // one that was killed may have started another
		}
	}
}

// kill kills every process with one of marks in its environment, and returns them.
func kill(marks map[string]bool) (pids []int, err error) {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil || pid == os.Getpid() || !marked(pid, marks) {
			continue
		}
		p, err := os.FindProcess(pid)
		if err != nil {
			return pids, err
		}
		// Only now does the number stand for this process and no later one.
		if marked(pid, marks) {
			pids = append(pids, pid)
			_ = p.Kill() // it may have ended, and if not it is found again
		}
		if err := p.Release(); err != nil {
			return pids, err
		}
	}
	return pids, nil
}

// marked reports whether the environment of a process, as it was started with, has one
// of marks. That of a process that has ended is empty.
func marked(pid int, marks map[string]bool) bool {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false // ended, or another user's
	}
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if marks[string(variable)] {
			return true
		}
	}
	return false
}
