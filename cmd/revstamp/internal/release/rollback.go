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
	at, err := s.origin(live)
	if err != nil {
		return nil, err
	}
	r, err := s.newest(func(r *Release) bool { return r.Status == Live && r.To.ID != live.To.ID && r.before(at) })
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

// origin is the number of the release that r went back to, if it is a rollback, and so
// on, else its own: a rollback after rollbacks goes further back, whatever lies between.
func (s *Site) origin(r *Release) (string, error) {
	at := r.ID
	for r.Rollback != "" {
		at = r.Rollback
		var err error
		if r, err = s.Find(at); IsNotFound(err) {
			return at, nil // it is kept no longer
		} else if err != nil {
			return "", err
		}
	}
	return at, nil
}

// before reports whether r's number is lower than id.
func (r *Release) before(id string) bool {
	a, _ := strconv.Atoi(r.ID)
	b, _ := strconv.Atoi(id)
	return a < b
}
