package ui

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// summary gathers what GitHub shows on the page of a run, and the outputs of
// the step for the steps after it.
type summary struct {
	file    string // GITHUB_STEP_SUMMARY; "" writes none
	outputs string // GITHUB_OUTPUT; "" writes none

	title string
	rows  []event // steps that are over, and jobs by their latest state
	notes []string
	given []field
}

func (s *summary) add(e event) {
	switch e.kind {
	case kindBegin, kindEnd:
		s.title = e.text
		if e.kind == kindEnd {
			s.given = append(s.given, e.fields...)
		}
	case kindStep:
		if e.state != started {
			s.rows = append(s.rows, e)
		}
	case kindJob:
		s.addJob(e)
	case kindWarning:
		s.notes = append(s.notes, "warning: "+e.text)
	case kindError:
		for _, p := range e.problems {
			s.notes = append(s.notes, "error: "+p.message)
		}
	}
}

func (s *summary) addJob(e event) {
	for i := range s.rows {
		if r := &s.rows[i]; r.kind == kindJob && r.job.id == e.job.id {
			*r = e
			return
		}
	}
	s.rows = append(s.rows, e)
}

// write appends to the two files.
func (s *summary) write(u *UI) error {
	return errors.Join(appendTo(s.file, s.markdown(u)), appendTo(s.outputs, s.outputText(u)))
}

func appendTo(file, text string) error {
	if file == "" || text == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func (s *summary) markdown(u *UI) string {
	var b strings.Builder
	cell := func(text string) string { return markdownText(u.safe.line(text)) }
	if s.title != "" {
		fmt.Fprintf(&b, "### %s\n\n", cell(s.title))
	}
	if len(s.rows) > 0 {
		b.WriteString("| | what | result | took |\n|---|---|---|---|\n")
	}
	for _, r := range s.rows {
		what, result, took := r.step, r.text, span(r.took)
		if r.kind == kindJob {
			what, result, took = "job "+r.job.id+" "+r.job.function, r.state, ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", u.mark.of(r.state), cell(what), cell(result), took)
	}
	for _, n := range s.notes {
		fmt.Fprintf(&b, "\n%s\n", cell(n))
	}
	if b.Len() == 0 {
		return ""
	}
	return b.String() + "\n"
}

// markdownText escapes what Markdown or HTML would give a meaning.
func markdownText(s string) string {
	var b strings.Builder
	for _, c := range s {
		if strings.ContainsRune("\\`*_{}[]<>()#!|~&@$", c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// outputText writes the outputs in GitHub's format: name=value, or a
// delimiter of our choosing around a value of several lines, which must not
// occur in it.
func (s *summary) outputText(u *UI) string {
	var b strings.Builder
	for _, f := range s.given {
		name := identifier(f.key)
		value := u.safe.plain(u.safe.redact(fmt.Sprint(f.value)))
		if !strings.Contains(value, "\n") {
			fmt.Fprintf(&b, "%s=%s\n", name, value)
			continue
		}
		end := "EOF"
		for strings.Contains(value, end) {
			end += "F"
		}
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", name, end, value, end)
	}
	return b.String()
}
