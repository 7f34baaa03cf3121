package release

import (
	"fmt"
	"os"
	"slices"
	"syscall"
)

// HookError refuses to finish or undo a release while a hook still runs that was
// under way when the release was killed: it may be half way through a migration,
// and would be begun again beside itself.
type HookError struct {
	Release string
	Hook    string // as "before activate"
	PID     int
	Group   int // of processes, with all that the hook has started
}

func (e *HookError) Error() string {
	return fmt.Sprintf("the hook %s of release %s still runs: process %d", e.Hook, e.Release, e.PID)
}

// Hint is what to do about it.
func (e *HookError) Hint() string {
	return fmt.Sprintf("wait until it has ended, or end it: kill -- -%d", e.Group)
}

// hookOver refuses to go on with r, which was interrupted, while the hook that it
// was killed in has not ended. Processes are known by what hooks are told in their
// environment, which all that they start has, too. What a hook before it has left
// running is no reason: that hook is over.
func (s *Site) hookOver(r *Release) error {
	if n := len(r.Steps); n == 0 || r.Steps[n-1].Name != (hookStep{}).Name() || r.Steps[n-1].State != stepStarted {
		return nil
	}
	pids, err := processes()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if at, ours := s.hookOf(r, environ(pid)); ours {
			group, err := syscall.Getpgid(pid)
			if err != nil {
				continue // it has ended by now
			}
			return &HookError{Release: r.ID, Hook: at, PID: pid, Group: group}
		}
	}
	return nil
}

// hookOf returns which hook of r a process that was told this belongs to, if to
// the one that began last. Where the journal is of an older version, which marked
// none, it may be any.
func (s *Site) hookOf(r *Release, told map[string]string) (at string, ours bool) {
	if told["REVSTAMP_RELEASE"] != r.ID || told["REVSTAMP_SITE"] != r.Site || told["REVSTAMP_REVISION"] != r.To.ID {
		return "", false
	}
	if r.mark != "" && told[hookMark] != r.mark {
		return "", false
	}
	mine := slices.ContainsFunc([]string{s.state.path(r.Dir), s.Config.Abs(s.Config.Source.Path), s.Config.Dir}, func(dir string) bool {
		return sameDir(dir, told["REVSTAMP_DIR"])
	})
	return told["REVSTAMP_HOOK"], mine
}

// sameDir reports whether a and b are one directory, by whatever links.
func sameDir(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
