package release

import (
	"bytes"
	"io"
)

// redact is text as it may be written down.
func (s *Site) redact(text string) string {
	if s.Redact == nil {
		return text
	}
	return s.Redact(text)
}

// redacted is j without the secrets in what it printed. Its workload is as it
// was: a later process may have to submit it.
func (j *Job) redacted(redact func(string) string) *Job {
	with := *j
	report := *j.Report
	report.Output = make([]string, len(j.Report.Output))
	for i, line := range j.Report.Output {
		report.Output[i] = redact(line)
	}
	with.Report = &report
	return &with
}

// longestLine is how much of a line waits for its end before it is written.
const longestLine = 64 << 10

// redacted writes lines without the secrets in them, to a log. The last line
// waits for its end, or for flush: a secret may come in two pieces.
type redacted struct {
	to     io.Writer
	redact func(string) string
	rest   []byte
}

func (r *redacted) Write(p []byte) (int, error) {
	r.rest = append(r.rest, p...)
	whole := bytes.LastIndexByte(r.rest, '\n') + 1
	if whole == 0 && len(r.rest) > longestLine {
		whole = len(r.rest)
	}
	return len(p), r.write(whole)
}

// flush writes what has no end yet.
func (r *redacted) flush() error { return r.write(len(r.rest)) }

func (r *redacted) write(n int) error {
	if n == 0 {
		return nil
	}
	text := r.redact(string(r.rest[:n]))
	r.rest = append(r.rest[:0], r.rest[n:]...)
	_, err := io.WriteString(r.to, text)
	return err
}
