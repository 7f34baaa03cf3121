package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// format is the version of the JSON output. Fields may be added under one
// version; what is there keeps its name and its meaning.
const format = 1

// jsonView writes each event as an object on a line.
type jsonView struct {
	u     *UI
	w     io.Writer
	begun bool
}

// header is the first line.
type header struct {
	Revstamp string `json:"revstamp"`
	Format   int    `json:"format"`
}

// jsonEvent is every other line.
type jsonEvent struct {
	Event    string         `json:"event"`
	Time     time.Time      `json:"time,omitzero"`
	Title    string         `json:"title,omitempty"`
	Step     string         `json:"step,omitempty"`
	Job      string         `json:"job,omitempty"`
	Function string         `json:"function,omitempty"`
	State    string         `json:"state,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Message  string         `json:"message,omitempty"`
	Done     *int           `json:"done,omitempty"` // parts of a job's work
	Of       int            `json:"of,omitempty"`
	TookMS   *int64         `json:"took_ms,omitempty"`
	Errors   []jsonProblem  `json:"errors,omitempty"`
	Hint     string         `json:"hint,omitempty"`
	Fields   map[string]any `json:"fields,omitempty"`
	Result   any            `json:"result,omitempty"`
}

type jsonProblem struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Kind    string `json:"kind,omitempty"` // of those that know one
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Key     string `json:"key,omitempty"`
	Lines   []int  `json:"lines,omitempty"` // where an ambiguous key is
}

func (j *jsonView) show(e event) error {
	out := jsonEvent{Event: e.kind, Time: e.time.UTC(), Step: e.step, State: e.state, Hint: e.hint}
	took := e.took.Milliseconds()
	switch e.kind {
	case kindBegin:
		out.Title = e.text
	case kindEnd:
		out.Title, out.TookMS = e.text, &took
	case kindStep:
		out.Detail = e.text
		if e.state != started {
			out.TookMS = &took
		}
	case kindHeartbeat:
		out.TookMS = &took
	case kindJob:
		out.Job, out.Function = e.job.id, e.job.function
		if e.job.d > 0 {
			out.Done, out.Of = &e.job.n, e.job.d
		}
	case kindError:
		for _, p := range e.problems {
			out.Errors = append(out.Errors, jsonProblem{p.message, p.hint, p.kind, p.file, p.line, p.column, p.key, p.lines})
		}
	default:
		out.Message = strings.TrimRight(e.text, "\n")
	}
	for _, f := range e.fields {
		if out.Fields == nil {
			out.Fields = map[string]any{}
		}
		out.Fields[f.key] = f.value
	}
	return j.write(out)
}

func (j *jsonView) result(r result) error {
	return j.write(jsonEvent{Event: "result", Result: r.v})
}

func (j *jsonView) write(e jsonEvent) error {
	if err := j.begin(); err != nil {
		return err
	}
	return j.line(e)
}

func (j *jsonView) begin() error {
	if j.begun {
		return nil
	}
	j.begun = true
	return j.line(header{j.u.o.Version, format})
}

func (j *jsonView) line(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("json: %w", err)
	}
	_, err := j.w.Write(j.u.safe.json(b.Bytes()))
	return err
}

func (j *jsonView) close() error { return j.begin() }

// json is encoded JSON without secrets in its strings, nor anything that a
// terminal or a runner would obey; it means the same as before otherwise.
func (s *sanitizer) json(encoded []byte) []byte {
	var out []byte
	for len(encoded) > 0 {
		start := bytes.IndexByte(encoded, '"')
		if start < 0 {
			break
		}
		end := start + 1
		for encoded[end] != '"' {
			if encoded[end] == '\\' {
				end++
			}
			end++
		}
		end++
		out = append(out, encoded[:start]...)
		out = append(out, s.jsonString(encoded[start:end])...)
		encoded = encoded[end:]
	}
	return append(out, encoded...)
}

func (s *sanitizer) jsonString(literal []byte) []byte {
	var text string
	if s.secrets != nil && json.Unmarshal(literal, &text) == nil {
		if clean := s.redact(text); clean != text {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if enc.Encode(clean) == nil {
				literal = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
			}
		}
	}
	var out []byte
	for rest := literal; len(rest) > 0; {
		c, size := utf8.DecodeRune(rest)
		switch {
		case control(c):
			out = fmt.Appendf(out, `\u%04x`, c)
		case s.workflow && c == '[':
			out = append(out, `\u005b`...)
		default:
			out = append(out, rest[:size]...)
		}
		rest = rest[size:]
	}
	return out
}
