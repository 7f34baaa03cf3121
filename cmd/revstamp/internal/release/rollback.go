package release

import (
	"fmt"
	"strconv"
)

// rollbackTarget finds the release to go back to: one recorded as complete.
func (s *Site) rollbackTarget(id string) (*Release, error) {
	if id != "" {
		r, err := s.Find(id)
		if err == nil && r.Status != Live {
			err = fmt.Errorf("release %s is no target for a rollback: it is %s, not complete", id, r.Status)
		}
		return r, err
	}
	live, err := s.Current()
	if err != nil {
		return nil, err
	}
	older := func(r *Release) bool { return r.Status == Live && r.To.ID != live.To.ID && r.before(live) }
	r, err := s.newest(older)
	if IsNotFound(err) {
		return nil, &NoEarlierError{live}
	}
	return r, err
}

// NoEarlierError is that there is no release to go back to.
type NoEarlierError struct{ Live *Release }

func (e *NoEarlierError) Error() string {
	if back := e.Live.Rollback; back != "" {
		return fmt.Sprintf("release %s went back to %s, and there is no earlier release of another revision", e.Live.ID, back)
	}
	return fmt.Sprintf("there is no earlier release than %s of another revision to go back to", e.Live.ID)
}

// Hint is where else to go.
func (e *NoEarlierError) Hint() string {
	if e.Live.Rollback == "" {
		return ""
	}
	return "name the release to go to: 'revstamp history' lists them"
}

// before reports whether r's number is lower than o's. A rollback counts as
// the release that it went back to, so that a rollback after a rollback goes
// further back.
func (r *Release) before(o *Release) bool {
	at := o.ID
	if o.Rollback != "" {
		at = o.Rollback
	}
	a, _ := strconv.Atoi(r.ID)
	b, _ := strconv.Atoi(at)
	return a < b
}
